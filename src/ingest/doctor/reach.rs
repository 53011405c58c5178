//! How far back a plan reaches: a search among dates, as each one asked for costs a request.

use jiff::ToSpan;
use jiff::civil::Date;

/// How far back something may be had, as far as was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The latest date that was had.
    pub newest: Date,
    /// The earliest date that was had.
    pub first: Date,
    /// What lies before that.
    pub before: Before,
}

/// What lies before the earliest date that was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing: that is all there is.
    Nothing,
    /// Perhaps more; there was no room for the question.
    NotAsked,
    /// What the plan does not include: this is the latest date that was refused.
    Refused(Date),
}

/// Years that plans of the vendor's reach back.
const PLANS_YEARS: [i16; 4] = [2, 4, 5, 10];
/// So near the edge of such a plan is asked, on both sides, and no nearer.
const NEAR_DAYS: i32 = 3;

/// What became of a date that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It may be had; of which date the data were, if there are none of this one.
    Had(Date),
    /// The plan does not include it, or the next date there is.
    Refused(Date),
}

/// Where the search stands: the edge lies behind `floor`, and not behind `reach.first`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    today: Date,
    /// The first date there is.
    start: Date,
    floor: Date,
    /// Whether the first question may be the last one.
    is_frugal: bool,
    reach: Reach,
}

impl Search {
    /// Begins with a date that may be had, and the first date there is.
    pub(super) fn new(today: Date, had: Date, start: Date) -> Self {
        let before = if start < had { Before::NotAsked } else { Before::Nothing };
        Self { today, start, floor: start, is_frugal: false, reach: Reach { newest: had, first: had, before } }
    }

    /// The same, beginning with what the smallest plan has: with a question or two that says more than the first date.
    pub(super) const fn frugal(self) -> Self {
        Self { is_frugal: true, ..self }
    }

    pub(super) const fn reach(&self) -> Reach {
        self.reach
    }

    /// The date to ask for next: first of all the first one, then by what is usual, then by halves. None when the edge is known
    /// to a week.
    pub(super) fn next(&self) -> Option<Date> {
        let first = self.reach.first;
        let between = |date: &Date| self.floor < *date && *date < first;
        let edges = PLANS_YEARS.map(|years| self.today.saturating_sub(years.years()));
        let around = |edge: Date| [edge.saturating_add(NEAR_DAYS.days()), edge.saturating_sub(NEAR_DAYS.days())];
        match self.reach.before {
            Before::Nothing => return None,
            Before::NotAsked => {
                let smallest = self.is_frugal && first == self.reach.newest;
                let smallest = smallest.then(|| around(edges[0])[0]).filter(between);
                return Some(smallest.unwrap_or(self.start));
            }
            Before::Refused(_) => {}
        }
        let mut usual: Vec<Date> = edges.into_iter().flat_map(around).filter(between).collect();
        usual.sort_unstable();
        if let Some(middle) = usual.get(usual.len() / 2) {
            return Some(*middle);
        }
        let days = (first - self.floor).get_days();
        (days > 2 * NEAR_DAYS + 1).then(|| self.floor.saturating_add((days / 2).days()))
    }

    /// Takes the answer to a date that was asked for.
    pub(super) fn take(&mut self, asked: Date, answer: Answer) {
        match answer {
            Answer::Had(date) => {
                if date >= self.reach.first {
                    // Between the two there is nothing.
                    self.floor = asked;
                }
                self.reach.first = date.min(self.reach.first);
                if asked == self.start {
                    self.reach.before = Before::Nothing;
                }
            }
            Answer::Refused(date) => {
                self.floor = date;
                self.reach.before = Before::Refused(date);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const TODAY: Date = date(2026, 10, 5);
    const NEWEST: Date = date(2026, 10, 2);
    const FIRST: Date = date(2003, 9, 10);

    /// Searches for an edge; says how often it asked.
    fn search(edge: Date) -> (Reach, u32) {
        let mut search = Search::new(TODAY, NEWEST, FIRST);
        let mut asked = 0;
        while let Some(date) = search.next() {
            asked += 1;
            search.take(date, if date < edge { Answer::Refused(date) } else { Answer::Had(date) });
        }
        (search.reach(), asked)
    }

    #[test]
    fn usual_plans_are_known_after_a_few_questions() {
        assert_eq!(search(FIRST), (Reach { newest: NEWEST, first: FIRST, before: Before::Nothing }, 1));
        for years in PLANS_YEARS {
            let edge = TODAY.saturating_sub(years.years());
            let (reach, asked) = search(edge);
            assert_eq!(reach.first, edge.saturating_add(3.days()));
            assert_eq!(reach.before, Before::Refused(edge.saturating_sub(3.days())));
            assert!(asked <= 5, "{years} years: {asked}");
        }
    }

    #[test]
    fn a_time_without_files_ends_the_search() {
        let mut search = Search::new(TODAY, date(2026, 9, 21), FIRST);
        assert_eq!(search.next(), Some(FIRST));
        search.take(FIRST, Answer::Had(date(2026, 9, 21)));
        assert_eq!((search.next(), search.reach().before), (None, Before::Nothing));
        let mut search = Search::new(TODAY, NEWEST, FIRST);
        search.take(FIRST, Answer::Refused(FIRST));
        let asked = search.next().unwrap();
        search.take(asked, Answer::Had(NEWEST));
        assert!(search.next().is_none_or(|next| next > asked));
    }

    #[test]
    fn a_single_question_is_about_the_smallest_plan() {
        let inner = date(2024, 10, 8);
        let mut search = Search::new(TODAY, NEWEST, FIRST).frugal();
        assert_eq!(search.next(), Some(inner));
        search.take(inner, Answer::Had(inner));
        assert_eq!(search.reach(), Reach { newest: NEWEST, first: inner, before: Before::NotAsked });
        assert_eq!(search.next(), Some(FIRST));
        search.take(FIRST, Answer::Had(FIRST));
        assert_eq!((search.next(), search.reach().before), (None, Before::Nothing));
    }

    proptest! {
        #[test]
        fn the_edge_lies_between_what_was_refused_and_what_was_had(days in 1_i32..8424) {
            let edge = FIRST.saturating_add(days.days()).min(NEWEST);
            let (reach, asked) = search(edge);
            let Before::Refused(refused) = reach.before else { panic!("{reach:?}") };
            prop_assert!(refused < edge && edge <= reach.first, "{refused} {edge} {}", reach.first);
            prop_assert!((reach.first - refused).get_days() <= 7);
            // The first date, four steps between eight usual ones, ten halves of the longest stretch without any.
            prop_assert!(asked <= 15);
        }
    }
}
