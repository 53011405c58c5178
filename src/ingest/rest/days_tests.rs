use jiff::civil::date;

use super::*;
use crate::model::{Prices, Timeframe};

const FRIDAY: Date = date(2026, 10, 2);
const MONDAY: Date = date(2026, 10, 5);
const TUESDAY: Date = date(2026, 10, 6);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn row(start: &str, price: f64) -> RawMinute {
    let prices = Prices::checked(price, price, price, price).unwrap();
    RawMinute {
        timestamp_ms: at(start).as_millisecond(),
        prices,
        volume: Some(100.0),
        vwap: Some(price),
        trades: Some(2),
    }
}

fn told(days: &[DayMinutes]) -> Vec<(Date, usize)> {
    days.iter().map(|day| (day.date, day.minutes.len())).collect()
}

#[test]
fn a_day_is_whole_when_the_next_one_begins() {
    let mut cutter = DayCutter::new(Dataset::Stocks, &[FRIDAY, MONDAY, TUESDAY]);
    assert_eq!(told(&cutter.add(&[row("2026-10-02T13:30:00Z", 1.0), row("2026-10-02T13:31:00Z", 2.0)])), []);
    // 23:59 New York is the next day in UTC.
    let whole = cutter.add(&[row("2026-10-03T03:59:00Z", 3.0), row("2026-10-06T08:00:00Z", 4.0)]);
    assert_eq!(told(&whole), [(FRIDAY, 3), (MONDAY, 0)]);
    assert_eq!(told(&cutter.finish()), [(TUESDAY, 1)]);
}

#[test]
fn days_that_are_there_already_are_passed_over() {
    let mut cutter = DayCutter::new(Dataset::Stocks, &[FRIDAY, TUESDAY]);
    let rows = [row("2026-10-02T14:00:00Z", 1.0), row("2026-10-05T14:00:00Z", 2.0), row("2026-10-06T14:00:00Z", 3.0)];
    let mut whole = cutter.add(&rows);
    whole.extend(cutter.finish());
    assert_eq!(told(&whole), [(FRIDAY, 1), (TUESDAY, 1)]);
}

#[test]
fn rows_of_a_minute_that_disagree_are_settled_as_in_files() {
    let mut cutter = DayCutter::new(Dataset::Stocks, &[FRIDAY]);
    let first = row("2026-10-02T14:00:00Z", 1.0);
    let better = RawMinute { trades: Some(9), ..row("2026-10-02T14:00:00Z", 2.0) };
    cutter.add(&[first, first, better]);
    let days = cutter.finish();
    assert_eq!((told(&days), days[0].rows, days[0].conflicting), (vec![(FRIDAY, 1)], 3, 1));
    assert_eq!(days[0].minutes[0].prices.open, 2.0);
}

#[test]
fn of_an_open_session_only_known_bars_are_there() {
    let mut cutter = DayCutter::new(Dataset::Stocks, &[FRIDAY]);
    let minutes = (0..10).map(|minute| row(&format!("2026-10-02T13:{}:00Z", 30 + minute), 1.0));
    cutter.add(&minutes.collect::<Vec<_>>());
    let day = cutter.finish().remove(0);
    let ends = |now: &str, is_delayed| {
        let timeframes = TimeframeSet::of([Timeframe::M5, Timeframe::Day]);
        let rolled = roll_up_day(Dataset::Stocks, &day, timeframes, at(now), is_delayed);
        assert_eq!(rolled.is_provisional, now < "2026-10-03T00:15:00Z");
        rolled.bars.iter().map(|bar| (bar.timeframe, bar.minutes)).collect::<Vec<_>>()
    };
    let five = (Timeframe::M5, 5);
    assert_eq!(ends("2026-10-02T13:39:59Z", false), [five], "09:35's bar is not over");
    assert_eq!(ends("2026-10-02T13:40:00Z", false), [five, five]);
    assert_eq!(ends("2026-10-02T13:54:59Z", true), [five], "a delayed plan does not know the last minutes yet");
    assert_eq!(ends("2026-10-02T20:00:00Z", false), [five, five, (Timeframe::Day, 10)], "the session is closed");
    assert_eq!(ends("2026-10-03T00:15:00Z", true).len(), 3);
}
