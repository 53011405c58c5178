//! What is stored of a session, and whether that is what should be.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::plan::{session_before, sessions};
use super::report::{Ending, NightlyDay, Unasked, calendar_ends as calendar_ends_on};
use super::{NightlyReport, ScopedMarket};
use crate::ingest::rest::{Asked, SymbolDayReport, is_missing};
use crate::ingest::{DayReport, LoadFailure};
use crate::model::{Calendar, Dataset, FileKind, Market, Outcome, TimeframeSet, file_due_at};
use crate::store::DayState;

/// What both ways told of days.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Of files, the last word on each day.
    pub(super) files: BTreeMap<(Dataset, Date), DayReport>,
    /// Of requests, the worst of a day's symbols.
    pub(super) requests: BTreeMap<(Dataset, Date), SymbolDayReport>,
    /// Why files could not be had when they were last looked for.
    pub(super) files_failed: Option<LoadFailure>,
    /// Since when.
    pub(super) files_failed_since: Option<Timestamp>,
    /// Why requests could not be made; none, too, if none had to be.
    pub(super) requests_failed: Option<LoadFailure>,
    /// Whether they could be made, and were.
    pub(super) requests_were_made: bool,
    /// Days of which they brought something.
    pub(super) came_by_requests: BTreeSet<(Dataset, Date)>,
    /// Symbols that their files lack, and that nobody could ask for yet: by earlier runs, and at the end by this one.
    pub(super) unasked: BTreeSet<Unasked>,
}

/// How long after its file was due a day is not believed to be one without a trade, though requests have brought nothing: a
/// vendor that is late with one is late with the other.
const EMPTY_DOUBTED_DAYS: i64 = 7;

/// The sessions of a market's range, as they are stored now.
pub(super) fn days(
    market: &ScopedMarket,
    range: &RangeInclusive<Date>,
    states: &BTreeMap<Date, DayState>,
    told: &Told,
    now: Timestamp,
) -> Vec<NightlyDay> {
    let none = DayState::default();
    sessions(market.dataset, range)
        .map(|date| day(market, date, states.get(&date).unwrap_or(&none), told, now))
        .collect()
}

fn day(market: &ScopedMarket, date: Date, state: &DayState, told: &Told, now: Timestamp) -> NightlyDay {
    let key = (market.dataset, date);
    let (file, request) = (told.files.get(&key), told.requests.get(&key));
    let judged = |outcome, detail| NightlyDay {
        dataset: market.dataset,
        date,
        outcome,
        by_requests: market.tickers().any(|ticker| state.rest.get(ticker).is_some_and(|rest| rest.bars > 0)),
        detail,
    };
    let gap = file.filter(|file| file.outcome.leaves_a_gap());
    if is_there(market, state, false) && !may_be_empty_for_now(market, date, state, now) {
        let is_unasked = |left: &&Unasked| (left.dataset, left.date) == key;
        if let Some(Unasked { symbol, .. }) = told.unasked.iter().find(is_unasked) {
            let why = format!("the file lacks {symbol}, and requests for it failed; the next run asks again");
            return judged(Outcome::Failed, Some(why));
        }
        let is_new = file.is_some_and(|file| file.outcome == Outcome::Loaded)
            || request.is_some_and(|request| request.outcome == Outcome::Loaded);
        let outcome = if is_new { Outcome::Loaded } else { Outcome::Unchanged };
        return match gap {
            // What is there is of a file that the vendor has replaced.
            Some(file) if file.outcome != Outcome::Missing && is_there(market, state, true) => {
                judged(file.outcome, Some(stale(file)))
            }
            Some(file) => judged(outcome, Some(file_detail(file))),
            None if file.is_some_and(DayReport::lacks_its_day_bars) => {
                let why = file.and_then(|file| file.day_file_outcome).unwrap_or(Outcome::Failed);
                judged(why, Some(format!("the vendor's day file is {why}, so day_official bars are missing")))
            }
            None => judged(outcome, None),
        };
    }
    let by_request = request.filter(|request| request.outcome.leaves_a_gap()).map(|request| {
        let detail = request.detail.as_deref().unwrap_or(request.outcome.as_str());
        format!("requests: {}: {detail}", request.symbol)
    });
    let failed = |failure: &Option<LoadFailure>, way| failure.as_ref().map(|why| format!("{way}: {}", why.message));
    let by_request = by_request.or_else(|| failed(&told.requests_failed, "requests"));
    let by_file = gap.map(file_detail).or_else(|| failed(&told.files_failed, "files"));
    let why: Vec<String> = by_file.into_iter().chain(by_request).collect();
    let outcome = match (gap, file) {
        _ if now < file_due_at(date) => Outcome::NotDue,
        // As it was when it was last looked for.
        (None, Some(file)) if file.outcome == Outcome::NotDue => Outcome::NotDue,
        (Some(gap), _) => gap.outcome,
        (None, _) if told.files_failed.is_some() => Outcome::Failed,
        (None, _) => Outcome::Missing,
    };
    judged(outcome, (!why.is_empty()).then(|| why.join("; ")))
}

fn file_detail(file: &DayReport) -> String {
    match &file.detail {
        Some(detail) => format!("file {}: {detail}", file.outcome),
        None => format!("file {}", file.outcome),
    }
}

fn stale(file: &DayReport) -> String {
    format!("the vendor has replaced the file, and its bars are those of the old one still; {}", file_detail(file))
}

/// Whether all that is wanted of a day is stored; `by_files`: what requests have brought does not count.
pub(super) fn is_there(market: &ScopedMarket, state: &DayState, by_files: bool) -> bool {
    let covers = |covered: TimeframeSet| market.timeframes.minus(covered).is_empty();
    if market.everyone {
        return covers(state.everyone);
    }
    let covered = |ticker: &str| if by_files { state.covered_by_files(ticker) } else { state.covered(ticker) };
    market.tickers().all(|ticker| covers(covered(ticker)))
}

/// What of the days and symbols that files lack is still to be asked for; `stopped`: nobody was asked.
pub(super) fn unasked(
    asked: &Asked,
    market: &ScopedMarket,
    states: &BTreeMap<Date, DayState>,
    told: &Told,
    stopped: bool,
) -> Vec<Unasked> {
    let dataset = market.dataset;
    let none = DayState::default();
    // Without a key there is nobody to ask, today or tomorrow; what is refused is refused tomorrow.
    let all_failed = told.requests_failed.as_ref().is_some_and(|failure| !failure.is_unset);
    let failed = |date| {
        let day = told.requests.get(&(dataset, date));
        day.is_some_and(|day| matches!(day.outcome, Outcome::Failed | Outcome::Damaged))
    };
    let left = asked.absent.iter().filter(|(ticker, date)| {
        let is_wanted = asked.range.contains(date) && market.tickers().any(|watched| watched == ticker);
        let may_come = stopped || all_failed || failed(*date);
        is_wanted && may_come && is_missing(asked, ticker, *date, states.get(date).unwrap_or(&none))
    });
    left.map(|(symbol, date)| Unasked { dataset, symbol: symbol.clone(), date: *date }).collect()
}

/// Whether all that is stored of a day is that requests have brought nothing of it, and its file may still come.
fn may_be_empty_for_now(market: &ScopedMarket, date: Date, state: &DayState, now: Timestamp) -> bool {
    let is_empty = |ticker: &str| state.rest.get(ticker).is_some_and(|rest| rest.bars == 0);
    !market.everyone
        && !market.watched.is_empty()
        && state.loaded(FileKind::Minute).is_none()
        && market.tickers().all(is_empty)
        && now < file_due_at(date) + SignedDuration::from_hours(EMPTY_DOUBTED_DAYS * 24)
}

/// The last session before the first that is not there.
pub(super) fn complete_to(dataset: Dataset, range: &RangeInclusive<Date>, days: &[NightlyDay]) -> Option<Date> {
    match days.iter().find(|day| !day.is_there()) {
        None => days.last().map(|day| day.date).or_else(|| session_before(dataset, *range.end())),
        Some(first) => session_before(dataset, first.date),
    }
}

/// From so many days on before its end, the calendar's end is told.
const CALENDAR_TOLD_DAYS: i64 = 60;

/// The last date of the program's calendar, if one of these markets goes by it and that is near, or past.
pub(super) fn calendar_ends(mut datasets: impl Iterator<Item = Dataset>, now: Timestamp) -> Option<Date> {
    let is_near = Market::NewYork.date_of(now) >= Calendar::LAST.saturating_sub(CALENDAR_TOLD_DAYS.days());
    (is_near && datasets.any(|dataset| dataset.market() == Market::NewYork)).then_some(Calendar::LAST)
}

/// How a run that was carried out ended, and if it could not do its work, why.
pub(super) fn ending(report: &NightlyReport, told: &Told) -> (Ending, Option<String>) {
    let gaps = report.gaps().next().is_some();
    // All that it knows of may be there, and the market goes on.
    if let Some(last) = report.calendar_ends.filter(|last| Market::NewYork.date_of(report.started_at) > *last) {
        return (Ending::Failed, Some(calendar_ends_on(last)));
    }
    match (&told.files_failed, &told.requests_failed) {
        (Some(files), requests) if gaps && !told.requests_were_made => {
            let requests = requests.as_ref().map_or_else(String::new, |why| format!("; requests: {why}"));
            (Ending::Failed, Some(format!("files: {files}{requests}")))
        }
        _ if gaps || !report.unknown_symbols.is_empty() => (Ending::Gaps, None),
        _ => (Ending::Done, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::nightly::Watched;
    use crate::model::{Symbol, Timeframe};
    use crate::store::RestState;

    const THURSDAY: Date = jiff::civil::date(2026, 10, 1);

    fn market(tickers: &[&str]) -> ScopedMarket {
        let watched = |ticker: &&str| Watched { symbol: Symbol::from_ticker(ticker).unwrap(), days: None };
        let timeframes = TimeframeSet::of(Timeframe::ROLLED);
        let watched = tickers.iter().map(watched).collect();
        ScopedMarket { dataset: Dataset::Stocks, everyone: false, watched, timeframes }
    }

    fn by_rest(bars: u64) -> RestState {
        RestState {
            timeframes: TimeframeSet::of(Timeframe::ROLLED),
            bars,
            is_provisional: false,
            exact_vwap: TimeframeSet::EMPTY,
            fetched_at: Some(Timestamp::UNIX_EPOCH),
            outcome: Outcome::Loaded,
            detail: None,
            attempted_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn judged(rest: &[(&str, u64)], now: &str) -> Outcome {
        let tickers: Vec<_> = rest.iter().map(|(ticker, _)| *ticker).collect();
        let rest = rest.iter().map(|(ticker, bars)| ((*ticker).to_owned(), by_rest(*bars)));
        let states = BTreeMap::from([(THURSDAY, DayState { rest: rest.collect(), ..DayState::default() })]);
        let range = THURSDAY..=THURSDAY;
        days(&market(&tickers), &range, &states, &Told::default(), now.parse().unwrap())[0].outcome
    }

    #[test]
    fn a_day_of_which_requests_brought_nothing_is_doubted_for_a_week() {
        let nothing = [("AAPL", 0), ("SPY", 0)];
        assert_eq!(judged(&nothing, "2026-10-02T14:59:59Z"), Outcome::NotDue);
        assert_eq!(judged(&nothing, "2026-10-02T15:00:00Z"), Outcome::Missing);
        assert_eq!(judged(&nothing, "2026-10-09T14:59:59Z"), Outcome::Missing);
        assert_eq!(judged(&nothing, "2026-10-09T15:00:00Z"), Outcome::Unchanged);
        assert_eq!(judged(&[("AAPL", 0), ("SPY", 1)], "2026-10-02T15:00:00Z"), Outcome::Unchanged, "it was traded");
    }
}
