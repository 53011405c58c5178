use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::ingest::nightly::Watched;
use crate::model::{Outcome, Symbol};
use crate::store::RestState;

const MONDAY_MORNING: &str = "2026-10-05T13:00:00Z";

fn watched(ticker: &str, days: u32) -> Watched {
    Watched { symbol: Symbol::from_ticker(ticker).unwrap(), days: Some(days) }
}

fn market(everyone: bool, watched: Vec<Watched>) -> ScopedMarket {
    ScopedMarket { dataset: Dataset::Stocks, everyone, watched, timeframes: "1h,day".parse().unwrap() }
}

fn by_rest(ticker: &str, timeframes: &str) -> DayState {
    let rest = RestState {
        timeframes: timeframes.parse().unwrap(),
        bars: 1,
        is_provisional: false,
        exact_vwap: TimeframeSet::EMPTY,
        fetched_at: Some(Timestamp::UNIX_EPOCH),
        outcome: Outcome::Loaded,
        detail: None,
        attempted_at: Timestamp::UNIX_EPOCH,
    };
    DayState { rest: [(ticker.to_owned(), rest)].into(), ..DayState::default() }
}

/// Range, tickers (`*` for everyone) and timeframes of requests.
fn told(requests: &[Request]) -> Vec<String> {
    let told = |request: &Request| {
        let symbols = request
            .symbols
            .as_ref()
            .map_or_else(|| "*".to_owned(), |symbols| symbols.iter().cloned().collect::<Vec<_>>().join(","));
        let timeframes: Vec<_> = request.timeframes.iter().map(Timeframe::as_str).collect();
        format!("{}..{} {symbols} {}", request.range.start(), request.range.end(), timeframes.join(","))
    };
    requests.iter().map(told).collect()
}

#[test]
fn a_run_answers_for_some_sessions_and_for_all_that_was_missed() {
    let now = MONDAY_MORNING.parse().unwrap();
    let range = |lookback, complete_to: Option<Date>| range(Dataset::Stocks, now, lookback, complete_to);
    assert_eq!(range(1, None), date(2026, 10, 2)..=date(2026, 10, 2), "Monday's session is not over");
    assert_eq!(range(10, None), date(2026, 9, 21)..=date(2026, 10, 2));
    assert_eq!(range(3, Some(date(2026, 10, 2))), date(2026, 9, 30)..=date(2026, 10, 2));
    assert_eq!(range(3, Some(date(2026, 9, 11))), date(2026, 9, 12)..=date(2026, 10, 2), "three weeks of it");
    assert_eq!(range(3, Some(date(1999, 1, 1))), date(2003, 9, 10)..=date(2026, 10, 2));
    assert_eq!(super::range(Dataset::Crypto, now, 2, None), date(2026, 10, 3)..=date(2026, 10, 4));
    assert_eq!(super::range(Dataset::Stocks, now, u32::MAX, None), date(2003, 9, 10)..=date(2026, 10, 2));
}

#[test]
fn a_file_is_waited_for_until_the_day_after() {
    let half_past_eleven = jiff::civil::time(11, 30, 0, 0);
    assert_eq!(deadline(date(2026, 10, 2), half_past_eleven).to_string(), "2026-10-03T15:30:00Z");
    assert_eq!(deadline(date(2026, 12, 2), half_past_eleven).to_string(), "2026-12-03T16:30:00Z", "in winter");
    assert_eq!(session_before(Dataset::Stocks, date(2026, 10, 5)), Some(date(2026, 10, 2)));
    assert_eq!(session_before(Dataset::Stocks, date(2003, 9, 10)), None);
}

#[test]
fn most_nights_ask_for_the_range_alone() {
    let range = date(2026, 9, 28)..=date(2026, 10, 2);
    let now = MONDAY_MORNING.parse().unwrap();
    let of = |market: &ScopedMarket| told(&requests(market, Some(&range), None, true, now));
    assert_eq!(of(&market(false, vec![watched("B", 90), watched("A", 1)])), ["2026-09-28..2026-10-02 A,B 1h,day"]);
    assert_eq!(of(&market(true, vec![watched("A", 90)])), ["2026-09-28..2026-10-02 * 1h,day"]);
}

#[test]
fn once_a_week_all_that_is_stored_is_asked_for() {
    let range = date(2026, 9, 30)..=date(2026, 10, 2);
    let now = MONDAY_MORNING.parse().unwrap();
    let ledger = BTreeMap::from([
        (date(2026, 8, 3), DayState::default()),
        (date(2026, 9, 3), by_rest("X", "5m")),
        (date(2026, 9, 28), by_rest("X", "5m")),
        (date(2026, 10, 1), by_rest("A", "1h")),
    ]);
    let market = market(false, vec![watched("A", 12), watched("B", 6)]);
    let all = "1m,5m,15m,1h,4h,day";
    assert_eq!(
        told(&requests(&market, Some(&range), Some(&ledger), true, now)),
        [
            "2026-09-29..2026-10-02 A,B 1h,day".to_owned(),
            "2026-09-28..2026-09-28 A,B,X 5m,1h,day".to_owned(),
            "2026-09-21..2026-09-25 A 1h,day".to_owned(),
            format!("2026-09-04..2026-09-18  {all}"),
            "2026-09-03..2026-09-03 X 5m".to_owned(),
            format!("2026-08-03..2026-09-02  {all}"),
        ]
    );
    let everyone = ScopedMarket { everyone: true, ..market };
    let first = told(&requests(&everyone, Some(&range), Some(&ledger), true, now)).remove(0);
    assert_eq!(first, "2026-09-30..2026-10-02 * 1h,day");
    let unscoped = ScopedMarket::unscoped(Dataset::Stocks);
    let of_others = told(&requests(&unscoped, None, Some(&ledger), true, now));
    assert_eq!(of_others.len(), 7, "{of_others:?}");
    assert_eq!(requests(&unscoped, None, Some(&BTreeMap::new()), true, now).len(), 0);
}

proptest! {
    /// Whatever is stored: no day is asked for twice, every session of range and windows is asked for with its symbols.
    #[test]
    fn stretches_are_disjoint_and_leave_nothing_out(
        days_a in 1_u32..60,
        days_b in 1_u32..60,
        lookback in 1_u32..15,
        stored in proptest::collection::btree_map(0_i64..80, prop_oneof![Just(""), Just("A"), Just("X")], 0..20),
    ) {
        let now: Timestamp = MONDAY_MORNING.parse().unwrap();
        let newest = date(2026, 10, 2);
        let ledger: BTreeMap<Date, DayState> = stored
            .into_iter()
            .map(|(back, ticker)| {
                let state = if ticker.is_empty() { DayState::default() } else { by_rest(ticker, "1h") };
                (newest.saturating_sub(back.days()), state)
            })
            .collect();
        let market = market(false, vec![watched("A", days_a), watched("B", days_b)]);
        let range = range(Dataset::Stocks, now, lookback, None);
        let requests = requests(&market, Some(&range), Some(&ledger), true, now);
        for pair in requests.windows(2) {
            prop_assert!(pair[1].range.end() < pair[0].range.start(), "newest first, and disjoint");
        }
        for date in dates(&(newest.saturating_sub(90.days())..=newest)) {
            let asked = requests.iter().find(|request| request.range.contains(&date));
            let state = ledger.get(&date);
            for (ticker, days) in [("A", days_a), ("B", days_b)] {
                let is_wanted = is_due(Dataset::Stocks, date)
                    && (range.contains(&date) || date > newest.saturating_sub(i64::from(days).days()));
                let is_asked = asked.is_some_and(|request| request.symbols.as_ref().unwrap().contains(ticker));
                let came_by_rest = state.is_some_and(|state| state.rest.contains_key(ticker));
                prop_assert!(!is_wanted || is_asked, "{date} {ticker}");
                prop_assert!(!came_by_rest || is_asked, "{date} {ticker}");
            }
            prop_assert!(state.is_none() || asked.is_some(), "what is stored is held against the listing");
        }
    }
}
