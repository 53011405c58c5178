//! Going through everything that is stored.

use std::ops::{ControlFlow, RangeInclusive};

use barkeep::model::Dataset::{self, Crypto, Forex, Indices, Options, Stocks};
use barkeep::model::{Bar, Session, Timeframe, VwapMethod};
use barkeep::store::{Audit, Ledger, RawBar, Scan, Word};

use crate::Bench;
use crate::fixtures::*;

const A_DAY: i64 = 24 * 60 * MINUTE;

fn what(dataset: Dataset, symbols: Option<&[&str]>, timeframes: &str, range_ms: RangeInclusive<i64>) -> Scan {
    let symbols = symbols.map(|symbols| symbols.iter().map(|&symbol| symbol.to_owned()).collect());
    Scan { dataset, symbols, timeframes: frames(timeframes), dates: None, range_ms }
}

fn everything_of(dataset: Dataset) -> Scan {
    what(dataset, None, "1m,5m,15m,1h,4h,day,day_official", ANY)
}

/// What a scan hands out: each symbol once, with its bars.
async fn scanned(store: &mut impl Audit, what: &Scan) -> Vec<(String, Vec<RawBar>)> {
    let mut found = Vec::new();
    let each = |symbol: &str, bars: &[RawBar]| {
        found.push((symbol.to_owned(), bars.to_vec()));
        ControlFlow::Continue(())
    };
    store.scan(what, each).await.unwrap();
    found
}

/// Symbols, timeframes and minutes since `T`.
fn places(found: &[(String, Vec<RawBar>)]) -> Vec<(&str, Vec<(Timeframe, i64)>)> {
    let place = |bar: &RawBar| (bar.timeframe, (bar.timestamp_ms - T) / MINUTE);
    found.iter().map(|(symbol, bars)| (symbol.as_str(), bars.iter().map(place).collect())).collect()
}

pub async fn a_scan_goes_by_symbol_timeframe_and_time(bench: &impl Bench) {
    use Timeframe::{Day, DayOfficial, M1, M5};
    let mut store = bench.open().await;
    let official = Bar {
        volume: None,
        vwap: None,
        vwap_method: None,
        trades: None,
        minutes: 0,
        session: Session::Pre,
        ..bar(DayOfficial, T, -5.5)
    };
    let whole = bar(Day, T, 0.1 + 0.2);
    let first = [bar(M1, T, 1.0), bar(M1, T + MINUTE, 2.0), bar(M5, T, 3.0), whole, official];
    let second = [bar(M1, T + A_DAY, 4.0), bar(M5, T + A_DAY, 5.0)];
    // The later day first.
    load(&mut store, NEXT, &[("BCpC", &second), ("AA", &second)]).await;
    load(&mut store, DAY, &[("AA", &first), ("BCPC", &first[..1]), ("Ä", &first[..1])]).await;
    let found = scanned(&mut store, &everything_of(Stocks)).await;
    let of_aa = vec![(M1, 0), (M1, 1), (M1, 1440), (M5, 0), (M5, 1440), (Day, 0), (DayOfficial, 0)];
    let in_order =
        [("AA", of_aa), ("BCPC", vec![(M1, 0)]), ("BCpC", vec![(M1, 1440), (M5, 1440)]), ("Ä", vec![(M1, 0)])];
    assert_eq!(places(&found), in_order);
    let raw = RawBar {
        timeframe: Day,
        timestamp_ms: T,
        end_timestamp_ms: T + MINUTE,
        open: 0.1 + 0.2,
        high: 0.1 + 0.2 + 2.0,
        low: 0.1 + 0.2 - 2.0,
        close: 0.1 + 0.2 + 1.0,
        volume: Some(100.0),
        vwap: Some(0.1 + 0.2),
        trades: Some(7),
        session: Word::Known(Session::Regular),
        vwap_method: Some(Word::Known(VwapMethod::Estimate)),
        session_date: Some(DAY),
        minutes: 1,
    };
    assert_eq!(found[0].1[5], raw);
    let RawBar { open, volume, vwap, trades, session, vwap_method, minutes, .. } = &found[0].1[6];
    assert_eq!((*open, *volume, *vwap, *trades, *minutes), (-5.5, None, None, None, 0));
    assert_eq!((session, vwap_method), (&Word::Known(Session::Pre), &None));
    assert_eq!(found[0].1[2].session_date, Some(NEXT));

    // Both ends of a range belong to it.
    let some = what(Stocks, Some(&["BCpC", "ABSENT", "AA", "BCpC"]), "1m", T + MINUTE..=T + A_DAY);
    let expected = [("AA", vec![(M1, 1), (M1, 1440)]), ("BCpC", vec![(M1, 1440)])];
    assert_eq!(places(&scanned(&mut store, &some).await), expected);
    let between = what(Stocks, None, "1m,5m", T + 1..=T + MINUTE - 1);
    assert!(scanned(&mut store, &between).await.is_empty());
    assert!(scanned(&mut store, &what(Stocks, Some(&[]), "1m", ANY)).await.is_empty());
    assert!(scanned(&mut store, &what(Stocks, None, "", ANY)).await.is_empty());
    let of_dates = |dates| Scan { dates: Some(dates), ..what(Stocks, None, "1m,5m", ANY) };
    let expected = [("AA", vec![(M1, 1440), (M5, 1440)]), ("BCpC", vec![(M1, 1440), (M5, 1440)])];
    assert_eq!(places(&scanned(&mut store, &of_dates(NEXT..=NEXT)).await), expected);
    assert_eq!(scanned(&mut store, &of_dates(DAY..=NEXT)).await.len(), 4);
    let officials = scanned(&mut store, &what(Stocks, None, OFFICIAL, ANY)).await;
    assert_eq!(places(&officials), [("AA", vec![(DayOfficial, 0)])]);
}

pub async fn a_scan_stays_within_its_dataset(bench: &impl Bench) {
    let mut store = bench.open().await;
    let one = [bar(Timeframe::M1, T, 1.0)];
    let markets =
        [(Stocks, ["XA", "XB"]), (Indices, ["I:XA", "I:XB"]), (Crypto, ["X:A", "X:B"]), (Options, ["O:XA", "O:XB"])];
    for (dataset, symbols) in markets {
        let series: Vec<(&str, &[Bar])> = symbols.iter().map(|symbol| (*symbol, &one[..])).collect();
        put(&mut store, (dataset, DAY), &[], &series, &commit("1m", &[], vec![])).await;
    }
    for (dataset, symbols) in markets {
        let found = scanned(&mut store, &everything_of(dataset)).await;
        assert_eq!(found.iter().map(|(symbol, _)| symbol.as_str()).collect::<Vec<_>>(), symbols);
    }
    assert!(scanned(&mut store, &everything_of(Forex)).await.is_empty());
    let foreign = what(Stocks, Some(&["I:XA", "XB", "X:A"]), "1m", ANY);
    let found = scanned(&mut store, &foreign).await;
    assert_eq!(places(&found), [("XB", vec![(Timeframe::M1, 0)])]);
}

pub async fn a_scan_can_end_early(bench: &impl Bench) {
    let mut store = bench.open().await;
    let bars: Vec<Bar> = (0..100).map(|n| bar(Timeframe::M1, T + n * MINUTE, 1.0)).collect();
    let names: Vec<String> = (0..20).map(|n| format!("S{n:02}")).collect();
    let series: Vec<(&str, &[Bar])> = names.iter().map(|name| (name.as_str(), &bars[..])).collect();
    load(&mut store, DAY, &series).await;
    for ends_at in ["S00", "S07", "S19"] {
        let mut last = String::new();
        let each = |symbol: &str, bars: &[RawBar]| {
            assert_eq!(bars.len(), 100);
            symbol.clone_into(&mut last);
            if symbol == ends_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        store.scan(&everything_of(Stocks), each).await.unwrap();
        assert_eq!(last, ends_at);
        // Whatever is left of the scan is in nobody's way.
        assert_eq!(opens(&mut store, "S19", Timeframe::M1).await.len(), 100);
    }
    load(&mut store, NEXT, &[("S00", &[bar(Timeframe::M1, T + A_DAY, 2.0)])]).await;
    assert_eq!(scanned(&mut store, &everything_of(Stocks)).await.len(), 20);
}

pub async fn a_frozen_store_reads_one_moment(bench: &impl Bench) {
    let mut writer = bench.open().await;
    load(&mut writer, DAY, &[("AA", &[bar(Timeframe::M1, T, 1.0)])]).await;
    let mut frozen = bench.open().await;
    frozen.freeze().await.unwrap();
    load(
        &mut writer,
        NEXT,
        &[("AA", &[bar(Timeframe::M1, T + A_DAY, 2.0)]), ("BB", &[bar(Timeframe::M1, T + A_DAY, 3.0)])],
    )
    .await;
    let before = [("AA", vec![(Timeframe::M1, 0)])];
    for _ in 0..2 {
        // Neither a scan that ends early nor another query ends the moment.
        frozen.scan(&everything_of(Stocks), |_, _| ControlFlow::Break(())).await.unwrap();
        assert_eq!(frozen.day_states(Stocks, DAY..=NEXT).await.unwrap().into_keys().collect::<Vec<_>>(), [DAY]);
        assert_eq!(places(&scanned(&mut frozen, &everything_of(Stocks)).await), before);
    }
    assert_eq!(scanned(&mut bench.open().await, &everything_of(Stocks)).await.len(), 2);
}
