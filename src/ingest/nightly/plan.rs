//! Which days a run looks at, and what it asks files for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan};

use super::ScopedMarket;
use crate::ingest::plan::{Accept, Request, WhenRestCounts};
use crate::model::{Dataset, Expectation, Market, Timeframe, TimeframeSet, last_finished_session};
use crate::store::DayState;

/// The days a run answers for: the newest finished session and some before it, and all since an earlier run was complete.
pub(super) fn range(
    dataset: Dataset,
    now: Timestamp,
    lookback: u32,
    complete_to: Option<Date>,
) -> RangeInclusive<Date> {
    let newest = last_finished_session(dataset, now);
    let sessions = backwards(newest).filter(|date| is_due(dataset, *date));
    let first = sessions.take_while(|date| *date >= dataset.first_date()).take(lookback.max(1) as usize).last();
    let first = first.unwrap_or(newest);
    let missed = complete_to.and_then(|date| date.tomorrow().ok());
    missed.map_or(first, |missed| missed.min(first)).max(dataset.first_date())..=newest
}

/// The last session before a date.
pub(super) fn session_before(dataset: Dataset, date: Date) -> Option<Date> {
    let earlier = backwards(date).skip(1).take_while(|date| *date >= dataset.first_date());
    earlier.into_iter().find(|date| is_due(dataset, *date))
}

/// The sessions of a range, ascending.
pub(super) fn sessions(dataset: Dataset, range: &RangeInclusive<Date>) -> impl Iterator<Item = Date> {
    dates(range).filter(move |date| is_due(dataset, *date))
}

/// Until when a file of a session is waited for: a time of day in New York, of the day after.
pub(super) fn deadline(session: Date, wait_until: Time) -> Timestamp {
    Market::NewYork.instant(session.saturating_add(1.day()), wait_until)
}

/// What files are asked for of one dataset, newest first; no day twice, so that each file is read once.
///
/// `range` is that of the run, or nothing of a dataset out of its scope; `ledger` is what is stored, if all of it is to be held
/// against the listing. Then days of any age are loaded again whose files the vendor has replaced, files take the place of what
/// requests have brought, and watched symbols get the days that they lack.
pub(super) fn requests(
    market: &ScopedMarket,
    range: Option<&RangeInclusive<Date>>,
    ledger: Option<&BTreeMap<Date, DayState>>,
    official_day: bool,
    now: Timestamp,
) -> Vec<Request> {
    let newest = range.map_or_else(|| last_finished_session(market.dataset, now), |range| *range.end());
    let watched_first = market.watched.iter().filter_map(|watched| watched.first(newest)).min();
    let ledger_first = ledger.and_then(|ledger| ledger.keys().next().copied());
    let older = ledger_first.into_iter().chain(watched_first.filter(|_| ledger.is_some()));
    let Some(first) = older.chain(range.map(|range| *range.start())).min() else { return Vec::new() };
    let none = DayState::default();
    let mut stretches: Vec<(RangeInclusive<Date>, Wish)> = Vec::new();
    for date in dates(&(first.max(market.dataset.first_date())..=newest)) {
        let state = ledger.and_then(|ledger| ledger.get(&date));
        // A day without a file is no reason to begin another request.
        if state.is_none() && !is_due(market.dataset, date) {
            continue;
        }
        let is_in_range = range.is_some_and(|range| range.contains(&date));
        let wish = Wish::of(market, date, newest, is_in_range, state.unwrap_or(&none));
        match stretches.last_mut() {
            Some((dates, same)) if *same == wish => *dates = *dates.start()..=date,
            _ => stretches.push((date..=date, wish)),
        }
    }
    let request = |(range, wish): (_, Wish)| Request {
        dataset: market.dataset,
        range,
        symbols: wish.symbols,
        timeframes: wish.timeframes,
        official_day,
        force: false,
        accept: Accept::None,
        // A file takes the place of requests as soon as it is there, unless it lacks what they have brought.
        rest_counts: WhenRestCounts::AfterFile,
        now,
    };
    stretches.into_iter().rev().map(request).collect()
}

/// What is wanted of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    /// `None`: everyone.
    symbols: Option<BTreeSet<String>>,
    timeframes: TimeframeSet,
}

impl Wish {
    fn of(market: &ScopedMarket, date: Date, newest: Date, is_in_range: bool, state: &DayState) -> Self {
        if is_in_range && market.everyone {
            return Self { symbols: None, timeframes: market.timeframes };
        }
        let is_wanted = |first: Option<Date>| is_in_range || first.is_some_and(|first| first <= date);
        let watched = market.watched.iter().filter(|watched| is_wanted(watched.first(newest)));
        let mut symbols: BTreeSet<String> = watched.map(|watched| watched.symbol.as_str().to_owned()).collect();
        let mut timeframes = if symbols.is_empty() { TimeframeSet::EMPTY } else { market.timeframes };
        for (ticker, rest) in state.rest.iter().filter(|(_, rest)| !rest.timeframes.is_empty()) {
            symbols.insert(ticker.clone());
            timeframes = timeframes.union(rest.timeframes);
        }
        // Nothing is to be rolled up that is not there already, but what is there is to be what the vendor has now.
        if symbols.is_empty() {
            timeframes = TimeframeSet::of(Timeframe::ROLLED);
        }
        Self { symbols: Some(symbols), timeframes }
    }
}

fn is_due(dataset: Dataset, date: Date) -> bool {
    dataset.expectation(date) == Expectation::Due
}

fn backwards(from: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |date| date.yesterday().ok())
}

fn dates(range: &RangeInclusive<Date>) -> impl Iterator<Item = Date> + use<> {
    let (first, last) = (*range.start(), *range.end());
    first.series(1.day()).take_while(move |date| *date <= last)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
