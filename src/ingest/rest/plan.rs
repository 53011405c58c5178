//! Which requests bring what is missing of a symbol.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::Refusals;
use crate::model::{Dataset, Expectation, Outcome, Symbol, TimeframeSet, file_due_at, midnight, session_finished_at};
use crate::store::{DayState, RestState};

/// Longest stretch of calendar days a request may ask for: the vendor wants a month of minutes at most, and then all of it
/// fits into one page even where trading never stops (44,640 of 50,000 rows).
const LONGEST_WINDOW_DAYS: i64 = 31;

const MINUTE_MS: i64 = 60_000;

/// Trades are reported late for about as long as this, and delayed plans lag as far behind.
pub(super) const SETTLING: SignedDuration = SignedDuration::from_mins(15);

/// What is asked of one dataset.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Market.
    pub dataset: Dataset,
    /// First and last trading date; the last may be of a session that is not over.
    pub range: RangeInclusive<Date>,
    /// Bars to roll up.
    pub timeframes: TimeframeSet,
    /// Whether bars that came by files are to get exact VWAPs.
    pub exact_vwap: bool,
    /// Days whose file was loaded for a symbol and lacks it: they are asked for like days without a file.
    pub absent: BTreeSet<(String, Date)>,
    /// Fetch again what came by REST, and ask again for what was refused.
    pub force: bool,
    /// The time of the run.
    pub now: Timestamp,
}

impl Asked {
    /// Whether a day's file lacks a symbol.
    pub(super) fn is_absent(&self, ticker: &str, date: Date) -> bool {
        !self.absent.is_empty() && self.absent.contains(&(ticker.to_owned(), date))
    }
}

/// One request: minutes of a symbol from one date to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The symbol.
    pub symbol: Symbol,
    /// The dates it is made for, ascending, at least one. Those between its ends that are missing here are there already.
    pub dates: Vec<Date>,
}

impl Window {
    /// First date.
    pub fn first(&self) -> Date {
        self.dates[0]
    }

    /// Last date.
    pub fn last(&self) -> Date {
        self.dates[self.dates.len() - 1]
    }

    /// The first and the last minute of its dates, milliseconds since the Unix epoch.
    pub fn range_ms(&self) -> RangeInclusive<i64> {
        let market = self.symbol.dataset().market();
        let end = self.last().tomorrow().map_or(i64::MAX, |next| midnight(market, next).as_millisecond());
        midnight(market, self.first()).as_millisecond()..=end - MINUTE_MS
    }
}

/// A day of a symbol about which nothing is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledDay {
    /// Trading date.
    pub date: Date,
    /// What it is.
    pub outcome: Outcome,
    /// Why.
    pub detail: Option<String>,
}

/// What is to be done for a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolPlan {
    /// The symbol.
    pub symbol: Symbol,
    /// As few requests as bring all that is missing, newest first.
    pub windows: Vec<Window>,
    /// The other days, ascending.
    pub settled: Vec<SettledDay>,
}

/// Plans a symbol. Days on which its market is closed are no part of it.
pub fn plan_symbol(
    asked: &Asked,
    symbol: &Symbol,
    states: &BTreeMap<Date, DayState>,
    refusals: &Refusals,
) -> SymbolPlan {
    let (mut missing, mut settled) = (Vec::new(), Vec::new());
    let none = DayState::default();
    for date in dates(&asked.range).filter(|date| asked.dataset.expectation(*date) != Expectation::Closed) {
        let state = states.get(&date).unwrap_or(&none);
        let day = |outcome, detail| SettledDay { date, outcome, detail };
        let refused = refusals.of(date, asked.now).filter(|_| !asked.force);
        if wanted(asked, symbol.as_str(), date, state).is_empty() {
            let is_empty = files(asked, symbol.as_str(), date, state).and(asked.timeframes).is_empty()
                && state.rest.get(symbol.as_str()).is_some_and(|rest| rest.bars == 0);
            settled.push(day(if is_empty { Outcome::Empty } else { Outcome::Unchanged }, None));
        } else if let Some(refusal) = refused {
            settled.push(day(Outcome::NotEntitled, Some(refusal.remembered())));
        } else {
            missing.push(date);
        }
    }
    SymbolPlan { symbol: symbol.clone(), windows: windows(symbol, missing), settled }
}

/// Whether a day has to be asked for.
pub fn is_missing(asked: &Asked, ticker: &str, date: Date, state: &DayState) -> bool {
    !wanted(asked, ticker, date, state).is_empty()
}

/// The timeframes a day's minutes are to be rolled up to: those that nothing covers, and those of files whose VWAPs are to
/// be made exact.
fn wanted(asked: &Asked, ticker: &str, date: Date, state: &DayState) -> TimeframeSet {
    let rest = state.rest.get(ticker);
    let is_absent = asked.is_absent(ticker, date);
    let was_asked_in_vain = |rest: &RestState| rest.outcome == Outcome::Empty && is_final(rest, date);
    if is_absent && !asked.force && rest.is_some_and(was_asked_in_vain) {
        return TimeframeSet::EMPTY;
    }
    let of_files = asked.timeframes.and(files(asked, ticker, date, state));
    let there = rest.filter(|rest| !asked.force && is_final(rest, date)).map(RestState::covered).unwrap_or_default();
    let missing = asked.timeframes.minus(of_files).minus(there);
    if !asked.exact_vwap || !asked.dataset.has_vwap() {
        return missing;
    }
    let exact = rest.filter(|_| !asked.force).map(|rest| rest.exact_vwap).unwrap_or_default();
    missing.union(of_files.minus(exact))
}

/// What files have brought of a symbol, that they lack it not counted.
fn files(asked: &Asked, ticker: &str, date: Date, state: &DayState) -> TimeframeSet {
    if asked.is_absent(ticker, date) { state.everyone } else { state.covered_by_files(ticker) }
}

/// Whether what was fetched need not be asked for again. That there is nothing is not believed before the day's file is due:
/// a vendor that is late with one is late with the other.
fn is_final(rest: &RestState, date: Date) -> bool {
    rest.bars > 0 || rest.fetched_at.is_some_and(|fetched| fetched >= file_due_at(date))
}

/// Whether a day's session is not over, or has been for too short a time for all of its trades to be in.
pub(super) fn is_provisional(dataset: Dataset, date: Date, now: Timestamp) -> bool {
    now < session_finished_at(dataset, date).saturating_add(SETTLING).unwrap_or(Timestamp::MAX)
}

/// As few windows as cover all dates (ascending), newest first.
pub fn windows(symbol: &Symbol, dates: Vec<Date>) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for date in dates.into_iter().rev() {
        match windows.last_mut() {
            Some(window) if window.last().saturating_sub((LONGEST_WINDOW_DAYS - 1).days()) <= date => {
                window.dates.insert(0, date);
            }
            _ => windows.push(Window { symbol: symbol.clone(), dates: vec![date] }),
        }
    }
    windows
}

fn dates(range: &RangeInclusive<Date>) -> impl Iterator<Item = Date> {
    let (first, last) = (*range.start(), *range.end());
    first.series(1.day()).take_while(move |date| *date <= last)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
