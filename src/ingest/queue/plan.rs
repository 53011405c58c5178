//! Which days are loaded next, and for whom. Pure.
//!
//! A step takes a month of one dataset, and within it the days of everybody who wants them: so each day file is read once for
//! all requests that are there, and newcomers wait for a step and not for years of files. The request that decides which month
//! is the one of the highest priority, and of those the one with the least to do.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Instant;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::Wish;
use crate::ingest::{LoadFailure, RunReport};
use crate::model::{Dataset, Expectation, Outcome, TimeframeSet, session_finished_at};
use crate::store::{ClaimedRequest, Held};

/// Calendar days of a step.
const STEP_DAYS: i64 = 31;

/// Dates, both ends included.
pub(super) type Dates = RangeInclusive<Date>;

/// What became of a day that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) outcome: Outcome,
    pub(super) detail: Option<String>,
}

/// A request that is worked on.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) claimed: ClaimedRequest,
    pub(super) wish: Wish,
    pub(super) since: Instant,
    /// The sessions it asks for, ascending.
    pub(super) due: Vec<Date>,
    /// How many of them were over when it was claimed.
    pub(super) days_total: u32,
    /// Dates whose files were not asked for yet; ascending, apart from each other.
    left: Vec<Dates>,
    /// Days whose files were asked for in vain.
    pub(super) gaps: BTreeMap<Date, Gap>,
    /// Days whose file lacks the symbol.
    pub(super) absent: BTreeSet<Date>,
    /// Why files could not be asked for.
    pub(super) files: Option<LoadFailure>,
    /// Days that were shown as done.
    pub(super) shown: Option<u32>,
}

impl Open {
    pub(super) fn new(claimed: ClaimedRequest, wish: Wish, since: Instant, now: Timestamp) -> Self {
        let dataset = wish.symbol.dataset();
        let is_due = |date: &Date| dataset.expectation(*date) == Expectation::Due;
        let due: Vec<Date> = dates(&wish.dates).filter(is_due).collect();
        let days_total = due.partition_point(|date| session_finished_at(dataset, *date) <= now) as u32;
        let left = vec![wish.dates.clone()];
        let (gaps, absent) = Default::default();
        Self { claimed, wish, since, due, days_total, left, gaps, absent, files: None, shown: None }
    }

    pub(super) fn held(&self) -> Held {
        self.claimed.held
    }

    pub(super) fn dataset(&self) -> Dataset {
        self.wish.symbol.dataset()
    }

    /// Whether nothing is left to ask of files.
    pub(super) fn has_had_files(&self) -> bool {
        self.left.is_empty()
    }

    /// Whether the file of a day was not asked for yet.
    pub(super) fn is_left(&self, date: Date) -> bool {
        self.left.iter().any(|dates| dates.contains(&date))
    }

    fn days_left(&self) -> i32 {
        self.left.iter().map(|dates| (*dates.end() - *dates.start()).get_days() + 1).sum()
    }

    /// Which of several requests is served first: the smallest.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        (Reverse(self.claimed.request.priority), self.days_left(), self.claimed.held.id)
    }

    /// Takes what files have brought of some dates of its dataset.
    pub(super) fn take(&mut self, asked: &Dates, report: &RunReport, failure: Option<&LoadFailure>) {
        let of_us = report.days.iter().filter(|day| day.dataset == self.dataset() && self.is_left(day.date));
        let (mut gaps, mut absent) = (Vec::new(), Vec::new());
        for day in of_us {
            if day.absent_symbols.iter().any(|symbol| symbol == self.wish.symbol.as_str()) {
                absent.push(day.date);
            }
            if !matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged) {
                gaps.push((day.date, Gap { outcome: day.outcome, detail: day.detail.clone() }));
            }
        }
        self.gaps.extend(gaps);
        self.absent.extend(absent);
        self.left = without(&self.left, asked);
        if let Some(failure) = failure {
            // What closes files closes them for all dates.
            self.left.clear();
            self.files = Some(failure.clone());
        }
    }
}

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Days of files.
    Files(FilesStep),
    /// What requests that have had their files come to, and what the REST API has for them.
    Settle,
}

/// Days of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilesStep {
    pub(super) dataset: Dataset,
    /// The dates it is about.
    pub(super) dates: Dates,
    /// Those of them that somebody wants: ascending, no date in two of them.
    pub(super) stretches: Vec<Stretch>,
}

/// Days that are wanted for the same symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) dates: Dates,
    pub(super) symbols: BTreeSet<String>,
    /// Everything that is wanted of any of them: a file is read once, and what one of them did not ask for does no harm.
    pub(super) timeframes: TimeframeSet,
}

/// What is done next for the requests that are open, if any are.
pub(super) fn next_step(open: &[Open]) -> Option<Step> {
    let first = open.iter().min_by_key(|open| open.rank())?;
    let Some(newest) = first.left.last() else { return Some(Step::Settle) };
    let start = newest.end().saturating_sub((STEP_DAYS - 1).days()).max(*newest.start());
    let (dataset, dates) = (first.dataset(), start..=*newest.end());
    Some(Step::Files(FilesStep { dataset, stretches: stretches(open, dataset, &dates), dates }))
}

/// Cuts dates, each of which somebody wants, where what is wanted of them changes.
fn stretches(open: &[Open], dataset: Dataset, within: &Dates) -> Vec<Stretch> {
    let of_dataset: Vec<&Open> = open.iter().filter(|open| open.dataset() == dataset).collect();
    let mut starts = BTreeSet::from([*within.start()]);
    for dates in of_dataset.iter().flat_map(|open| &open.left) {
        let after = dates.end().saturating_add(1.day());
        starts.extend([*dates.start(), after].into_iter().filter(|date| within.contains(date)));
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    let starts: Vec<Date> = starts.into_iter().collect();
    for (at, start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).map_or(*within.end(), |next| next.saturating_sub(1.day()));
        let wanting = || of_dataset.iter().filter(|open| open.is_left(*start));
        let symbols: BTreeSet<String> = wanting().map(|open| open.wish.symbol.to_string()).collect();
        let timeframes = wanting().fold(TimeframeSet::EMPTY, |all, open| all.union(open.wish.timeframes));
        match stretches.last_mut() {
            Some(last)
                if (&last.symbols, last.timeframes) == (&symbols, timeframes)
                    && last.dates.end().saturating_add(1.day()) == *start =>
            {
                last.dates = *last.dates.start()..=end;
            }
            _ => stretches.push(Stretch { dates: *start..=end, symbols, timeframes }),
        }
    }
    stretches
}

/// Dates less others.
fn without(from: &[Dates], less: &Dates) -> Vec<Dates> {
    let parts = from.iter().flat_map(|dates| {
        let before = *dates.start()..=(*dates.end()).min(less.start().saturating_sub(1.day()));
        let after = (*dates.start()).max(less.end().saturating_add(1.day()))..=*dates.end();
        [before, after]
    });
    parts.filter(|dates| !dates.is_empty()).collect()
}

/// The dates of a range.
pub(super) fn dates(range: &Dates) -> impl Iterator<Item = Date> {
    let (first, last) = (*range.start(), *range.end());
    first.series(1.day()).take_while(move |date| *date <= last)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
