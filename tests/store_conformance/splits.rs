//! Splits, and the view that adjusts bars by them.

use barkeep::model::splits::{Adjustment, PriceJump, SplitFlag, SplitKind, SplitRecord, SplitSource, SplitStatus};
use barkeep::model::{Bar, Market, Session, Symbol, Timeframe, midnight};
use barkeep::store::{AdjustError, Adjustments, BarReader, BarSink, SplitLoads, Splits};
use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};

use crate::Bench;
use crate::fixtures::*;

const A_DAY: i64 = 24 * 60 * MINUTE;

/// A used split: shares after, shares before.
fn split(ticker: &str, execution_date: Date, to: f64, from: f64) -> SplitRecord {
    SplitRecord {
        ticker: ticker.to_owned(),
        execution_date,
        split_from: Some(from),
        split_to: Some(to),
        kind: Some(SplitKind::ForwardSplit),
        vendor_factor: Some(0.1 + 0.2),
        source: SplitSource::Vendor,
        status: SplitStatus::Used,
        flags: Vec::new(),
        reason: None,
    }
}

fn reused(ticker: &str, execution_date: Date) -> SplitRecord {
    SplitRecord {
        split_from: None,
        split_to: None,
        kind: None,
        vendor_factor: None,
        source: SplitSource::Override,
        status: SplitStatus::Reused,
        flags: vec![SplitFlag::Override],
        reason: Some("another company".to_owned()),
        ..split(ticker, execution_date, 0.0, 0.0)
    }
}

fn symbol(ticker: &str) -> Symbol {
    Symbol::from_ticker(ticker).unwrap()
}

fn today() -> Date {
    Market::NewYork.date_of(Timestamp::now())
}

pub async fn splits_come_back_as_they_went_in(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.split_loads().await.unwrap(), SplitLoads::default(), "never loaded");
    let records = [
        split("BCPC", DAY, 21.05, 20.0),
        SplitRecord {
            split_from: None,
            split_to: Some(0.0),
            kind: None,
            status: SplitStatus::Unused,
            flags: vec![SplitFlag::NotARatio, SplitFlag::Duplicate],
            reason: Some("a number is missing; listed 2 times".to_owned()),
            ..split("BCpC", DAY, 0.0, 0.0)
        },
        reused("NA", NEXT),
        split("NA", NEXT, 1.0 / 3.0, 1.0),
    ];
    store.replace_splits(None, &records, at("2026-10-02T14:00:00Z")).await.unwrap();
    let mut other = bench.open().await;
    assert_eq!(other.splits(None).await.unwrap(), records);
    assert_eq!(
        other.splits(Some(&[symbol("NA"), symbol("BCPC"), symbol("NONE")])).await.unwrap(),
        [&records[..1], &records[2..]].concat()
    );
    let loads = other.split_loads().await.unwrap();
    assert_eq!((loads.everyone, loads.named.len()), (Some(at("2026-10-02T14:00:00Z")), 0));
}

pub async fn splits_are_replaced_by_symbol_or_all_together(bench: &impl Bench) {
    let mut store = bench.open().await;
    let (first, second) = (at("2026-10-02T14:00:00Z"), at("2026-10-03T14:00:00Z"));
    store.replace_splits(Some(&[symbol("A"), symbol("B")]), &[split("A", DAY, 2.0, 1.0)], first).await.unwrap();
    let loads = store.split_loads().await.unwrap();
    assert!(loads.everyone.is_none() && loads.knows(&symbol("B")) && loads.knows(&symbol("X:BTCUSD")));
    assert!(!loads.knows(&symbol("C")));
    let everyone = [split("A", DAY, 3.0, 1.0), split("B", DAY, 4.0, 1.0)];
    store.replace_splits(None, &everyone, first).await.unwrap();
    assert_eq!(store.split_loads().await.unwrap().named.len(), 0);
    store.replace_splits(Some(&[symbol("A")]), &[], second).await.unwrap();
    assert_eq!(store.splits(None).await.unwrap(), everyone[1..]);
    let loads = store.split_loads().await.unwrap();
    assert_eq!((loads.everyone, loads.named.get("A")), (Some(first), Some(&second)));
    let factors = bench.points("SELECT COUNT(*), MIN(split_to) FROM split_factors").await;
    assert_eq!(factors, [(1, 4.0)]);
}

pub async fn a_failed_replacement_leaves_the_splits_as_they_were(bench: &impl Bench) {
    let mut store = bench.open().await;
    let before = [split("A", DAY, 2.0, 1.0)];
    store.replace_splits(None, &before, at("2026-10-02T14:00:00Z")).await.unwrap();
    // What nobody hands over: two splits of a ticker in two places, whose stretches have the same key.
    let torn = [split("B", DAY, 2.0, 1.0), split("A", DAY, 2.0, 1.0), split("B", DAY, 2.0, 1.0)];
    store.replace_splits(None, &torn, at("2026-10-03T14:00:00Z")).await.unwrap_err();
    assert_eq!(bench.open().await.splits(None).await.unwrap(), before);
    assert_eq!(bench.points("SELECT COUNT(*), MIN(split_to) FROM split_factors").await, [(1, 2.0)]);
    store.replace_splits(None, &[], at("2026-10-03T14:00:00Z")).await.unwrap();
    assert_eq!(store.splits(None).await.unwrap(), []);
}

/// All columns of a bar as one text and numbers, from a table or view.
async fn rows(bench: &impl Bench, from: &str, symbol: &str) -> Vec<(i64, f64)> {
    let mut all = Vec::new();
    for column in ["open", "high", "low", "close", "volume", "vwap", "trades", "end_timestamp", "minutes"] {
        let sql = format!(
            "SELECT timestamp, COALESCE(CAST({column} AS DOUBLE PRECISION), -1.0) FROM {from} WHERE symbol = '{symbol}' AND timeframe = '1m' \
             AND timestamp BETWEEN 0 AND 9000000000000 ORDER BY timestamp"
        );
        all.extend(bench.points(&sql).await);
    }
    all
}

pub async fn the_view_computes_what_the_function_computes(bench: &impl Bench) {
    let mut store = bench.open().await;
    let bars = |open: f64| {
        let bar = Bar { volume: Some(45_879.1), vwap: Some(open + 0.0333), ..bar(Timeframe::M1, T, open) };
        [
            bar,
            Bar {
                volume: None,
                vwap: None,
                vwap_method: None,
                trades: None,
                session: Session::Post,
                ..shifted(&bar, MINUTE)
            },
        ]
    };
    let later = |bars: [Bar; 2]| bars.map(|bar| shifted(&bar, A_DAY));
    let (a, b, c) = (bars(20.34), bars(0.1 + 0.2), bars(0.0007));
    load(&mut store, DAY, &[("A", &a), ("B", &b), ("C", &c)]).await;
    load(&mut store, NEXT, &[("A", &later(a)), ("B", &later(b)), ("C", &later(c))]).await;
    let records = [
        split("A", NEXT, 1.0, 3.0),
        split("A", date(2026, 10, 6), 21.05, 20.0),
        SplitRecord { status: SplitStatus::Unused, ..split("A", date(2026, 10, 7), 9.0, 1.0) },
        // Announced.
        split("A", date(2090, 1, 3), 7.0, 1.0),
        // A new company from the second day on.
        reused("B", NEXT),
        split("B", date(2026, 10, 8), 10.0, 1.0),
    ];
    store.replace_splits(None, &records, at("2026-10-09T14:00:00Z")).await.unwrap();
    for ticker in ["A", "B", "C"] {
        let adjustments = Adjustments::read(&mut store, Some(&[symbol(ticker)]), today()).await.unwrap();
        let mut expected = store.bars(ticker, Timeframe::M1, ANY).await.unwrap();
        let raw = expected.clone();
        adjustments.adjust(ticker, &mut expected);
        assert_eq!(raw == expected, ticker == "C", "something is adjusted, and C is not");
        let value: [fn(&Bar) -> Option<f64>; 9] = [
            |bar| Some(bar.prices.open),
            |bar| Some(bar.prices.high),
            |bar| Some(bar.prices.low),
            |bar| Some(bar.prices.close),
            |bar| bar.volume,
            |bar| bar.vwap,
            |bar| bar.trades.map(|trades| trades as f64),
            |bar| Some(bar.end_timestamp_ms as f64),
            |bar| Some(f64::from(bar.minutes)),
        ];
        let expected: Vec<(i64, f64)> = value
            .iter()
            .flat_map(|value| {
                expected.iter().map(|stored| (stored.bar.timestamp_ms, value(&stored.bar).unwrap_or(-1.0)))
            })
            .collect();
        // To the last bit: both multiply once and divide once.
        assert_eq!(rows(bench, "historical_bars_adjusted", ticker).await, expected, "{ticker}");
    }
    assert_eq!(rows(bench, "historical_bars_adjusted", "C").await, rows(bench, "historical_bars", "C").await);
    let counts = bench.counts(&COUNTS.replace("historical_bars", "historical_bars_adjusted")).await;
    assert_eq!(counts, bench.counts(COUNTS).await, "every bar once");
}

pub async fn an_announced_split_takes_effect_on_its_day(bench: &impl Bench) {
    let mut store = bench.open().await;
    let minute = [bar(Timeframe::M1, T, 12.0)];
    load(&mut store, DAY, &[("PAST", &minute), ("TODAY", &minute), ("SOON", &minute)]).await;
    let records = [
        split("PAST", today().saturating_sub(1.day()), 2.0, 1.0),
        split("SOON", today().saturating_add(2.days()), 4.0, 1.0),
        split("TODAY", today(), 3.0, 1.0),
    ];
    store.replace_splits(None, &records, Timestamp::now()).await.unwrap();
    let opens = bench.points("SELECT timestamp, open FROM historical_bars_adjusted ORDER BY symbol").await;
    assert_eq!(opens.iter().map(|row| row.1).collect::<Vec<_>>(), [6.0, 12.0, 4.0]);
    // The day comes, and nothing is run.
    let edge = midnight(Market::NewYork, today().saturating_add(2.days()));
    assert_eq!(Adjustment::of(&records[1..2], today()).stretches()[0].effective_from, edge);
    bench.execute("UPDATE split_factors SET effective_from = (SELECT MIN(effective_from) FROM split_factors)").await;
    let opens = bench.points("SELECT timestamp, open FROM historical_bars_adjusted WHERE symbol = 'SOON'").await;
    assert_eq!(opens, [(T, 3.0)]);
}

pub async fn splits_that_were_never_loaded_are_no_splits(bench: &impl Bench) {
    let mut store = bench.open().await;
    let error = Adjustments::read(&mut store, None, DAY).await.unwrap_err();
    assert!(matches!(error, AdjustError::NotLoaded(_)), "{error}");
    let of = [symbol("A"), symbol("X:BTCUSD"), symbol("B")];
    store.replace_splits(Some(&of[..1]), &[], at("2026-10-02T14:00:00Z")).await.unwrap();
    assert!(Adjustments::read(&mut store, Some(&of[..2]), DAY).await.is_ok());
    let error = Adjustments::read(&mut store, Some(&of), DAY).await.unwrap_err();
    assert_eq!(error.to_string(), "splits not loaded: bars cannot be adjusted of B");
    assert!(Adjustments::read(&mut store, None, DAY).await.is_err(), "one is not all");
    store.replace_splits(None, &[], at("2026-10-02T14:00:00Z")).await.unwrap();
    assert!(Adjustments::read(&mut store, Some(&of), DAY).await.is_ok());
}

pub async fn price_jumps_are_those_of_stored_day_bars(bench: &impl Bench) {
    let mut store = bench.open().await;
    let day = |timeframe, date: Date, open| Bar {
        minutes: 0,
        ..bar(timeframe, midnight(Market::NewYork, date).as_millisecond(), open)
    };
    let both = |date, open| [day(Timeframe::Day, date, open), day(Timeframe::DayOfficial, date, open + 0.5)];
    load(&mut store, DAY, &[("A", &both(DAY, 300.0)), ("B", &both(DAY, 50.0)[..1])]).await;
    load(&mut store, NEXT, &[("A", &both(NEXT, 100.0)), ("B", &both(NEXT, 51.0))]).await;
    let asked = [("A", NEXT), ("A", DAY), ("B", NEXT), ("a", NEXT), ("B", date(2026, 10, 9)), ("B", date(2020, 1, 2))];
    let asked = asked.map(|(ticker, on)| (ticker.to_owned(), on));
    let jumps = store.price_jumps(&asked).await.unwrap();
    let found: Vec<_> = jumps.iter().map(|((ticker, on), jump)| (ticker.as_str(), *on, *jump)).collect();
    let jump = |close_before, open| PriceJump { close_before, open };
    // The vendor's own bars where there are two, closes being one above opens.
    assert_eq!(found, [("A", NEXT, jump(301.5, 100.5)), ("B", NEXT, jump(51.0, 51.0))]);
    store.abandon_day().await.unwrap();
}
