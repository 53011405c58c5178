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
    /// The latest date that was refused; none if nothing was.
    pub refused: Option<Date>,
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
    floor: Date,
    reach: Reach,
}

impl Search {
    /// Begins with a date that may be had, and the first date there is.
    pub(super) const fn new(today: Date, had: Date, first: Date) -> Self {
        Self { today, floor: first, reach: Reach { newest: had, first: had, refused: None } }
    }

    pub(super) const fn reach(&self) -> Reach {
        self.reach
    }

    /// The date to ask for next: first of all the first one, then by what is usual, then by halves. None when the edge is known
    /// to a week.
    pub(super) fn next(&self) -> Option<Date> {
        let Reach { first, refused, .. } = self.reach;
        if refused.is_none() {
            return (self.floor < first).then_some(self.floor);
        }
        let between = |date: &Date| self.floor < *date && *date < first;
        let edges = PLANS_YEARS.map(|years| self.today.saturating_sub(years.years()));
        let around = |edge: Date| [edge.saturating_sub(NEAR_DAYS.days()), edge.saturating_add(NEAR_DAYS.days())];
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
            // Between the two there is nothing.
            Answer::Had(date) if date >= self.reach.first => self.floor = asked,
            Answer::Had(date) => self.reach.first = date,
            Answer::Refused(date) => {
                self.floor = date;
                self.reach.refused = Some(date);
            }
        }
        // Whoever may have the first date may have all.
        if self.reach.refused.is_none() {
            self.floor = self.reach.first;
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
        assert_eq!(search(FIRST), (Reach { newest: NEWEST, first: FIRST, refused: None }, 1));
        for years in PLANS_YEARS {
            let edge = TODAY.saturating_sub(years.years());
            let (reach, asked) = search(edge);
            assert_eq!(reach.first, edge.saturating_add(3.days()));
            assert_eq!(reach.refused, Some(edge.saturating_sub(3.days())));
            assert!(asked <= 5, "{years} years: {asked}");
        }
    }

    #[test]
    fn a_time_without_files_ends_the_search() {
        let mut search = Search::new(TODAY, date(2026, 9, 21), FIRST);
        assert_eq!(search.next(), Some(FIRST));
        search.take(FIRST, Answer::Had(date(2026, 9, 21)));
        assert_eq!((search.next(), search.reach().refused), (None, None));
        let mut search = Search::new(TODAY, NEWEST, FIRST);
        search.take(FIRST, Answer::Refused(FIRST));
        let asked = search.next().unwrap();
        search.take(asked, Answer::Had(NEWEST));
        assert!(search.next().is_none_or(|next| next > asked));
    }

    proptest! {
        #[test]
        fn the_edge_lies_between_what_was_refused_and_what_was_had(days in 1_i32..8424) {
            let edge = FIRST.saturating_add(days.days()).min(NEWEST);
            let (reach, asked) = search(edge);
            let refused = reach.refused.unwrap();
            prop_assert!(refused < edge && edge <= reach.first, "{refused} {edge} {}", reach.first);
            prop_assert!((reach.first - refused).get_days() <= 7);
            // The first date, four steps between eight usual ones, ten halves of the longest stretch without any.
            prop_assert!(asked <= 15);
        }
    }
}
