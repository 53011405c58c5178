use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::ingest::rest::Refusal;
use crate::model::{Timeframe, xnys};

const DAY: Date = date(2026, 10, 1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn asked(from: Date, to: Date) -> Asked {
    Asked {
        dataset: Dataset::Stocks,
        range: from..=to,
        timeframes: "5m,day".parse().unwrap(),
        exact_vwap: false,
        absent: BTreeSet::new(),
        force: false,
        now: at("2026-10-05T12:00:00Z"),
    }
}

fn spy() -> Symbol {
    Symbol::from_ticker("SPY").unwrap()
}

fn planned(asked: &Asked, states: &[(Date, DayState)]) -> SymbolPlan {
    plan_symbol(asked, &spy(), &states.iter().cloned().collect(), &Refusals::default())
}

fn rest(timeframes: &str, bars: u64) -> RestState {
    let fetched_at = at("2026-10-04T12:00:00Z");
    RestState {
        timeframes: timeframes.parse().unwrap(),
        bars,
        is_provisional: false,
        exact_vwap: TimeframeSet::EMPTY,
        fetched_at: Some(fetched_at),
        outcome: Outcome::Loaded,
        detail: None,
        attempted_at: fetched_at,
    }
}

fn with_rest(rest: RestState) -> DayState {
    DayState { rest: [("SPY".to_owned(), rest)].into(), ..DayState::default() }
}

fn outcomes(plan: &SymbolPlan) -> Vec<(Date, Outcome)> {
    plan.settled.iter().map(|day| (day.date, day.outcome)).collect()
}

#[test]
fn ninety_days_are_three_requests() {
    let plan = planned(&asked(date(2026, 7, 5), date(2026, 10, 2)), &[]);
    let ranges: Vec<_> = plan.windows.iter().map(|window| (window.first(), window.last())).collect();
    let expected = [
        (date(2026, 9, 2), date(2026, 10, 2)),
        (date(2026, 8, 3), date(2026, 9, 1)),
        (date(2026, 7, 6), date(2026, 7, 31)),
    ];
    assert_eq!(ranges, expected, "at most 31 calendar days each, newest first");
    let sessions = xnys().sessions(date(2026, 7, 5)..=date(2026, 10, 2)).count();
    assert_eq!(plan.windows.iter().map(|window| window.dates.len()).sum::<usize>(), sessions);
    assert_eq!(*plan.windows[0].range_ms().start(), at("2026-09-02T04:00:00Z").as_millisecond(), "New York midnight");
    assert_eq!(*plan.windows[0].range_ms().end(), at("2026-10-03T03:59:00Z").as_millisecond());
}

#[test]
fn what_is_there_is_not_asked_for_wherever_it_came_from() {
    let by_file = DayState { everyone: "5m,15m,day".parse().unwrap(), ..DayState::default() };
    let half = DayState { named: [("SPY".to_owned(), "5m".parse().unwrap())].into(), ..DayState::default() };
    let states = [
        (date(2026, 9, 28), by_file),
        (date(2026, 9, 29), with_rest(rest("5m,day", 80))),
        (date(2026, 9, 30), half),
        (DAY, with_rest(RestState { is_provisional: true, ..rest("5m,day", 30) })),
    ];
    let plan = planned(&asked(date(2026, 9, 28), DAY), &states);
    let unchanged = [(date(2026, 9, 28), Outcome::Unchanged), (date(2026, 9, 29), Outcome::Unchanged)];
    assert_eq!(outcomes(&plan), unchanged);
    assert_eq!(plan.windows[0].dates, [date(2026, 9, 30), DAY], "half a day, and one that was not over");
    let forced = planned(&Asked { force: true, ..asked(date(2026, 9, 28), DAY) }, &states);
    assert_eq!(forced.windows[0].dates, [date(2026, 9, 29), date(2026, 9, 30), DAY], "never what a file has brought");
}

#[test]
fn exact_vwaps_are_fetched_once_and_only_where_there_are_any() {
    let exact = |asked: Asked| Asked { exact_vwap: true, ..asked };
    let of_file = || DayState { everyone: "5m,day".parse().unwrap(), ..DayState::default() };
    let made = RestState { exact_vwap: "5m,day".parse().unwrap(), ..rest("", 0) };
    let done = DayState { rest: [("SPY".to_owned(), made)].into(), ..of_file() };
    let states = [(date(2026, 9, 30), done), (DAY, of_file())];
    let plan = planned(&exact(asked(date(2026, 9, 30), DAY)), &states);
    assert_eq!(plan.windows[0].dates, [DAY]);
    assert_eq!(outcomes(&plan), [(date(2026, 9, 30), Outcome::Unchanged)]);
    assert!(planned(&asked(date(2026, 9, 30), DAY), &states).windows.is_empty());
    let indices = Asked { dataset: Dataset::Indices, ..exact(asked(DAY, DAY)) };
    let spx = Symbol::from_ticker("I:SPX").unwrap();
    assert!(plan_symbol(&indices, &spx, &[(DAY, of_file())].into(), &Refusals::default()).windows.is_empty());
}

#[test]
fn an_early_answer_that_there_is_nothing_is_not_believed() {
    let none = |fetched: &str| with_rest(RestState { fetched_at: Some(at(fetched)), ..rest("5m,day", 0) });
    let plan = planned(&asked(DAY, DAY), &[(DAY, none("2026-10-02T14:59:59Z"))]);
    assert_eq!(plan.windows.len(), 1, "before the day's file was due");
    let plan = planned(&asked(DAY, DAY), &[(DAY, none("2026-10-02T15:00:00Z"))]);
    assert_eq!((plan.windows.len(), outcomes(&plan)), (0, vec![(DAY, Outcome::Empty)]));
}

#[test]
fn what_was_refused_lately_is_not_asked_for() {
    let mut refusals = Refusals::default();
    let refusal = |hours: i64| Refusal {
        from: None,
        to: Some(date(2026, 9, 29)),
        at: at("2026-10-05T12:00:00Z") - hours.hours(),
        detail: "history starts later".to_owned(),
        is_early: false,
    };
    refusals.add(refusal(23), at("2026-10-05T12:00:00Z"));
    let range = asked(date(2026, 9, 29), date(2026, 9, 30));
    let plan = plan_symbol(&range, &spy(), &BTreeMap::new(), &refusals);
    assert_eq!(outcomes(&plan), [(date(2026, 9, 29), Outcome::NotEntitled)]);
    assert_eq!(plan.windows[0].dates, [date(2026, 9, 30)]);
    let forced = plan_symbol(&Asked { force: true, ..range.clone() }, &spy(), &BTreeMap::new(), &refusals);
    assert_eq!(forced.windows[0].dates.len(), 2);
    let note = serde_json::to_string(&refusals).unwrap();
    assert_eq!(Refusals::read(Some(&note)), refusals);
    refusals.add(refusal(24), at("2026-10-05T12:00:00Z"));
    assert!(refusals.of(date(2026, 9, 29), at("2026-10-05T12:00:00Z")).is_none(), "a day later it is asked again");
    assert_eq!(Refusals::read(Some("{")), Refusals::default());
}

#[test]
fn a_session_is_provisional_until_its_last_trades_are_in() {
    let provisional = |now| is_provisional(Dataset::Stocks, DAY, at(now));
    assert!(provisional("2026-10-02T00:14:59Z"));
    assert!(!provisional("2026-10-02T00:15:00Z"));
}

proptest! {
    /// Against trying all ways to cut: no cut into fewer windows of the longest length covers all dates.
    #[test]
    fn windows_are_as_few_as_can_be(days in prop::collection::btree_set(0_i64..200, 1..60)) {
        let first = date(2026, 1, 1);
        let dates: Vec<Date> = days.iter().map(|day| first + day.days()).collect();
        let windows = windows(&spy(), dates.clone());
        let mut covered: Vec<Date> = windows.iter().rev().flat_map(|window| window.dates.clone()).collect();
        prop_assert!(windows.iter().all(|window| window.last() < window.first() + LONGEST_WINDOW_DAYS.days()));
        covered.dedup();
        prop_assert_eq!(covered, dates);
        let days: Vec<i64> = days.into_iter().collect();
        // fewest[n]: windows that the first n dates need.
        let mut fewest = vec![0_usize];
        for last in 0..days.len() {
            let starts = (0..=last).filter(|start| days[last] - days[*start] < LONGEST_WINDOW_DAYS);
            fewest.push(starts.map(|start| fewest[start] + 1).min().unwrap());
        }
        prop_assert_eq!(windows.len(), fewest[days.len()]);
    }
}

#[test]
fn a_symbol_that_its_file_lacks_is_asked_for_once() {
    let named = DayState { named: [("SPY".to_owned(), "5m,day".parse().unwrap())].into(), ..DayState::default() };
    let lacking = Asked { absent: [("SPY".to_owned(), DAY)].into(), ..asked(DAY, DAY) };
    assert!(planned(&asked(DAY, DAY), &[(DAY, named.clone())]).windows.is_empty());
    assert_eq!(planned(&lacking, &[(DAY, named.clone())]).windows.len(), 1);
    let in_vain = RestState { outcome: Outcome::Empty, ..rest("", 0) };
    let asked_before = DayState { rest: [("SPY".to_owned(), in_vain)].into(), ..named };
    assert!(planned(&lacking, &[(DAY, asked_before)]).windows.is_empty());
    let of_all = DayState { everyone: "5m,day".parse().unwrap(), ..DayState::default() };
    assert!(planned(&lacking, &[(DAY, of_all)]).windows.is_empty(), "a whole market is as its file says");
}

#[test]
fn timeframes_asked_for_later_are_fetched() {
    let more = Asked { timeframes: TimeframeSet::of(Timeframe::ROLLED), ..asked(DAY, DAY) };
    assert_eq!(planned(&more, &[(DAY, with_rest(rest("5m,day", 80)))]).windows.len(), 1);
}
