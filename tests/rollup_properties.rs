//! The roll-up against a naive model that asks the time zone database about every minute.

use std::collections::BTreeMap;

use barkeep::aggregate::{DayGrid, roll_up};
use barkeep::model::{
    Bar, Dataset, Market, Minute, NEW_YORK, Prices, Session, SessionKind, Timeframe, TimeframeSet, VwapMethod, xnys,
};
use jiff::civil::{Date, date};
use jiff::{Timestamp, Unit, Zoned};
use proptest::prelude::*;

/// Dates around everything that shifts a session: clock changes, early closes, holidays, plain days.
fn dates() -> impl Strategy<Value = (Dataset, Date)> {
    let stocks = prop_oneof![
        Just(date(2024, 3, 8)),
        Just(date(2024, 3, 11)),
        Just(date(2024, 11, 1)),
        Just(date(2024, 11, 4)),
        Just(date(2024, 7, 3)),
        Just(date(2024, 11, 29)),
        Just(date(2025, 12, 24)),
        Just(date(2026, 10, 2)),
        Just(date(2003, 9, 10)),
    ];
    let any =
        prop_oneof![Just(date(2023, 4, 7)), Just(date(2024, 3, 10)), Just(date(2024, 11, 3)), Just(date(2024, 2, 29))];
    prop_oneof![
        4 => stocks.prop_map(|date| (Dataset::Stocks, date)),
        1 => any.clone().prop_map(|date| (Dataset::Indices, date)),
        1 => any.clone().prop_map(|date| (Dataset::Crypto, date)),
        1 => any.prop_map(|date| (Dataset::Forex, date)),
    ]
}

fn minutes(length: u16) -> impl Strategy<Value = Vec<Minute>> {
    let price = 1u32..2_000_000;
    let minute = (
        0..length,
        price.clone(),
        price.clone(),
        price.clone(),
        price,
        0u64..3_000_000_000,
        0u64..5000,
        prop::option::of(0.9f64..1.1),
    );
    prop::collection::vec(minute, 1..200).prop_map(|rows| {
        let by_minute: BTreeMap<u16, Minute> = rows
            .into_iter()
            .map(|(minute, a, b, c, d, volume, trades, shift)| {
                let mut sorted = [a, b, c, d];
                sorted.sort_unstable();
                let [low, one, two, high] = sorted.map(|cents| f64::from(cents) / 100.0);
                let (open, close) = if a > b { (one, two) } else { (two, one) };
                let prices = Prices::checked(open, high, low, close).unwrap();
                // A third of the minutes trades nothing; most have no VWAP of the vendor's.
                let volume = if volume % 3 == 0 { 0.0 } else { volume as f64 / 1e6 };
                let vwap = shift.filter(|_| trades % 4 == 0).map(|shift| low * shift);
                (minute, Minute { minute, prices, volume, vwap, trades })
            })
            .collect();
        by_minute.into_values().collect()
    })
}

fn case() -> impl Strategy<Value = (Dataset, Date, Vec<Minute>)> {
    dates().prop_flat_map(|(dataset, date)| {
        let length = DayGrid::new(dataset, date).length();
        minutes(length).prop_map(move |minutes| (dataset, date, minutes))
    })
}

/// Start, end and session of the bucket of an instant, by wall-clock arithmetic on the exchange's time.
fn naive_bucket(dataset: Dataset, date: Date, timeframe: Timeframe, at: Timestamp) -> Option<(i64, i64, Session)> {
    let zone = match dataset.market() {
        Market::NewYork => NEW_YORK,
        Market::RoundTheClock => "UTC",
    };
    let midnight = date.in_tz(zone).unwrap();
    let next_midnight = date.tomorrow().unwrap().in_tz(zone).unwrap();
    let clock = |hour: i8, minute: i8| date.at(hour, minute, 0, 0).in_tz(zone).unwrap();
    let (session, anchor, first, last): (Session, Zoned, Zoned, Zoned) = match dataset.market() {
        Market::RoundTheClock => (Session::Regular, midnight.clone(), midnight.clone(), next_midnight),
        Market::NewYork => {
            let close = if xnys().session(date) == Some(SessionKind::EarlyClose) { clock(13, 0) } else { clock(16, 0) };
            if at < clock(9, 30).timestamp() {
                (Session::Pre, clock(4, 0), midnight.clone(), clock(9, 30))
            } else if at < close.timestamp() {
                (Session::Regular, clock(9, 30), clock(9, 30), close)
            } else {
                (Session::Post, close.clone(), close, next_midnight)
            }
        }
    };
    let Some(length) = timeframe.minutes() else {
        return (session == Session::Regular)
            .then(|| (midnight.timestamp().as_millisecond(), last.timestamp().as_millisecond(), session));
    };
    // Walk from the anchor, bucket by bucket.
    let step = i64::from(length) * 60_000;
    let (at, mut start) = (at.as_millisecond(), anchor.timestamp().as_millisecond());
    while start > at {
        start -= step;
    }
    while start + step <= at {
        start += step;
    }
    let (first, last) = (first.timestamp().as_millisecond(), last.timestamp().as_millisecond());
    Some((start.max(first), (start + step).min(last), session))
}

fn naive(dataset: Dataset, date: Date, timeframe: Timeframe, minutes: &[Minute]) -> Vec<Bar> {
    let grid = DayGrid::new(dataset, date);
    let mut buckets: BTreeMap<(i64, i64), (Session, Vec<&Minute>)> = BTreeMap::new();
    for minute in minutes {
        let at = Timestamp::from_millisecond(grid.instant_ms(minute.minute)).unwrap();
        if let Some((start, end, session)) = naive_bucket(dataset, date, timeframe, at) {
            buckets.entry((start, end)).or_insert((session, Vec::new())).1.push(minute);
        }
    }
    buckets
        .into_iter()
        .map(|((start, end), (session, minutes))| {
            let weighed: Vec<_> = minutes.iter().filter(|m| m.volume > 0.0).collect();
            let price = |m: &Minute| m.vwap.unwrap_or(f64::midpoint(m.prices.high, m.prices.low));
            // The independent formula: the mean, corrected by the weighted deviations from the first price.
            let vwap = weighed.first().map(|first| {
                let total: f64 = weighed.iter().map(|m| m.volume).sum();
                price(first) + weighed.iter().map(|m| (price(m) - price(first)) * (m.volume / total)).sum::<f64>()
            });
            let vwap = vwap.filter(|_| dataset.has_vwap());
            let method =
                if weighed.iter().all(|m| m.vwap.is_some()) { VwapMethod::Vendor } else { VwapMethod::Estimate };
            Bar {
                timeframe,
                timestamp_ms: start,
                end_timestamp_ms: end,
                prices: Prices {
                    open: minutes[0].prices.open,
                    high: minutes.iter().map(|m| m.prices.high).fold(f64::MIN, f64::max),
                    low: minutes.iter().map(|m| m.prices.low).fold(f64::MAX, f64::min),
                    close: minutes[minutes.len() - 1].prices.close,
                },
                volume: dataset.has_volume().then(|| minutes.iter().map(|m| m.volume).sum()),
                vwap,
                vwap_method: vwap.map(|_| method),
                trades: dataset.has_volume().then(|| minutes.iter().map(|m| m.trades).sum()),
                session,
                minutes: u16::try_from(minutes.len()).unwrap(),
            }
        })
        .collect()
}

fn rolled(dataset: Dataset, date: Date, timeframes: TimeframeSet, minutes: &[Minute]) -> Vec<Bar> {
    let mut bars = Vec::new();
    roll_up(&DayGrid::new(dataset, date), dataset, timeframes, minutes, &mut bars);
    bars
}

fn close_to(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * a.abs().max(b.abs()),
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn bars_are_those_of_the_naive_model((dataset, date, minutes) in case()) {
        // B-04, B-56
        let all = rolled(dataset, date, TimeframeSet::of(Timeframe::ROLLED), &minutes);
        for timeframe in Timeframe::ROLLED {
            let ours: Vec<Bar> = all.iter().filter(|bar| bar.timeframe == timeframe).copied().collect();
            let theirs = naive(dataset, date, timeframe, &minutes);
            prop_assert_eq!(ours.len(), theirs.len());
            for (our, their) in ours.iter().zip(&theirs) {
                prop_assert!(close_to(our.vwap, their.vwap), "{:?} {:?}", our, their);
                prop_assert!(close_to(our.volume, their.volume), "{:?} {:?}", our, their);
                prop_assert_eq!(&Bar { vwap: their.vwap, volume: their.volume, ..*our }, their);
            }
            let alone = rolled(dataset, date, TimeframeSet::of([timeframe]), &minutes);
            prop_assert_eq!(alone, ours, "bars do not depend on which others are asked for");
        }
    }

    #[test]
    fn hours_made_of_five_minute_bars_are_those_made_of_minutes((dataset, date, minutes) in case()) {
        let fine = rolled(dataset, date, TimeframeSet::of([Timeframe::M5]), &minutes);
        let hours = rolled(dataset, date, TimeframeSet::of([Timeframe::H1]), &minutes);
        let grid = DayGrid::new(dataset, date);
        // A 5m bar stands for one minute at its start, with its VWAP.
        let steps: Vec<Minute> = fine
            .iter()
            .map(|bar| Minute {
                minute: grid.minute_at(bar.timestamp_ms).unwrap(),
                prices: bar.prices,
                volume: bar.volume.unwrap_or(0.0),
                vwap: bar.vwap,
                trades: bar.trades.unwrap_or(0),
            })
            .collect();
        let again = rolled(dataset, date, TimeframeSet::of([Timeframe::H1]), &steps);
        prop_assert_eq!(again.len(), hours.len());
        for (step, hour) in again.iter().zip(&hours) {
            prop_assert!(close_to(step.vwap, hour.vwap), "{:?} {:?}", step, hour);
            prop_assert!(close_to(step.volume, hour.volume));
            prop_assert_eq!((step.prices, step.trades, step.timestamp_ms, step.end_timestamp_ms),
                            (hour.prices, hour.trades, hour.timestamp_ms, hour.end_timestamp_ms));
        }
    }

    #[test]
    fn estimated_vwap_lies_in_the_range_of_its_minutes((dataset, date, minutes) in case()) {
        let estimates: Vec<Minute> = minutes.iter().map(|m| Minute { vwap: None, ..*m }).collect();
        for bar in rolled(dataset, date, TimeframeSet::of(Timeframe::ROLLED), &estimates) {
            if let Some(vwap) = bar.vwap {
                prop_assert!(vwap >= bar.prices.low * (1.0 - 1e-12) && vwap <= bar.prices.high * (1.0 + 1e-12), "{:?}", bar);
            }
        }
    }

    #[test]
    fn every_minute_is_in_one_bar_of_its_session((dataset, date, minutes) in case()) {
        for timeframe in [Timeframe::M1, Timeframe::M5, Timeframe::M15, Timeframe::H1, Timeframe::H4] {
            let bars = rolled(dataset, date, TimeframeSet::of([timeframe]), &minutes);
            prop_assert_eq!(bars.iter().map(|bar| usize::from(bar.minutes)).sum::<usize>(), minutes.len());
            prop_assert!(bars.windows(2).all(|two| two[0].end_timestamp_ms <= two[1].timestamp_ms), "bars overlap");
        }
    }
}

#[test]
fn the_naive_model_knows_what_a_clock_change_is() {
    // Guards the model itself: 09:30 New York is 13:30 UTC in summer and 14:30 in winter.
    for (date, utc) in [(date(2024, 3, 8), "2024-03-08T14:30Z"), (date(2024, 3, 11), "2024-03-11T13:30Z")] {
        let open: Timestamp = utc.parse().unwrap();
        let bucket = naive_bucket(Dataset::Stocks, date, Timeframe::H1, open).unwrap();
        assert_eq!((bucket.0, bucket.2), (open.as_millisecond(), Session::Regular));
        assert_eq!(open.round(Unit::Minute).unwrap(), open);
    }
}
