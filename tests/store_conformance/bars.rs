//! Bars come back as they went in, for programs and for plain SQL.

use barkeep::model::Dataset::{Indices, Stocks};
use barkeep::model::{Bar, Prices, Session, Symbol, Timeframe, VwapMethod};
use barkeep::store::{BarReader, BarSink, StoredBar};
use jiff::civil::date;

use crate::Bench;
use crate::fixtures::*;

pub async fn every_value_comes_back_as_it_went_in(bench: &impl Bench) {
    let mut store = bench.open().await;
    let plain = bar(Timeframe::M1, T, 100.0);
    let prices = |open, high, low, close| Prices::checked(open, high, low, close).unwrap();
    let bars = [
        plain,
        Bar { volume: None, vwap: None, vwap_method: None, trades: None, ..plain },
        Bar { volume: Some(0.0), vwap: None, vwap_method: None, trades: Some(0), ..plain },
        Bar { prices: prices(-5.5, 0.0, -1000.25, -7.0), ..plain },
        Bar { prices: prices(4514.870000000001, 5000.123456789012, 0.1 + 0.2, 4514.87), ..plain },
        Bar { prices: prices(3.0, 9_007_199_254_740_993.0, 1.0, 2.0), volume: Some(1e15), ..plain },
        Bar { prices: prices(1e-300, 1e300, f64::MIN_POSITIVE, 1.0 / 3.0), volume: Some(17798.430378), ..plain },
        Bar { vwap: Some(246.9297), vwap_method: Some(VwapMethod::Vendor), session: Session::Pre, ..plain },
        Bar { trades: Some((1 << 53) - 1), session: Session::Post, minutes: 1440, ..plain },
        Bar { end_timestamp_ms: T + 23_400_000, ..plain },
    ];
    let bars: Vec<Bar> = bars.iter().zip(0..).map(|(bar, n)| shifted(bar, n * 60_000)).collect();
    store.begin_day(Indices, DAY, || ()).await.unwrap();
    store.write(&batch(&[("I:TICK", &bars)])).await.unwrap();
    store.commit_day(&commit("1m", &[], vec![])).await.unwrap();
    let stored = store.bars("I:TICK", Timeframe::M1, ANY).await.unwrap();
    let expected: Vec<StoredBar> = bars.iter().map(|bar| StoredBar { bar: *bar, session_date: DAY }).collect();
    assert_eq!(stored, expected);
    let bits = |bar: &Bar| {
        let Prices { open, high, low, close } = bar.prices;
        [open, high, low, close, bar.volume.unwrap_or(-1.0), bar.vwap.unwrap_or(-1.0)].map(f64::to_bits)
    };
    assert!(stored.iter().zip(&bars).all(|(stored, bar)| bits(&stored.bar) == bits(bar)));
}

pub async fn symbols_differ_by_case_and_sort_by_bytes(bench: &impl Bench) {
    let mut store = bench.open().await;
    // The vendor's order of tickers, not the order of bytes.
    let names = ["AA", "AApB", "AAAP", "BCPC", "BCpC", "NA", "NULL", "TRUE", "nan", "BRK.B", "Ä"];
    let bars: Vec<[Bar; 1]> = (0..).take(names.len()).map(|n| [bar(Timeframe::M1, T, f64::from(n) + 100.0)]).collect();
    let symbols: Vec<(&str, &[Bar])> = names.iter().zip(&bars).map(|(name, bars)| (*name, &bars[..])).collect();
    load(&mut store, DAY, &symbols).await;
    for (name, bars) in &symbols {
        assert_eq!(opens(&mut store, name, Timeframe::M1).await, [bars[0].prices.open], "{name}");
    }
    assert!(opens(&mut store, "bcpc", Timeframe::M1).await.is_empty());
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let series: Vec<String> = store.series(None).await.unwrap().into_iter().map(|series| series.symbol).collect();
    assert_eq!(series, sorted);
    let rows = bench.counts(COUNTS).await;
    assert_eq!(rows.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(), sorted, "ordered by plain SQL");
}

pub async fn series_tell_what_there_is(bench: &impl Bench) {
    let mut store = bench.open().await;
    let next = T + 86_400_000;
    // The later day first.
    load(&mut store, NEXT, &[("A", &[bar(Timeframe::M1, next, 3.0), bar(Timeframe::M5, next, 4.0)])]).await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 1.0), bar(Timeframe::M1, T + 60_000, 2.0)])]).await;
    load(&mut store, date(2026, 9, 30), &[("B", &[bar(Timeframe::M1, T - 86_400_000, 1.0)])]).await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [1.0, 2.0, 3.0], "ascending, whatever was loaded first");
    let inside = store.bars("A", Timeframe::M1, T + 60_000..=next).await.unwrap();
    assert_eq!(inside.iter().map(|stored| stored.session_date).collect::<Vec<_>>(), [DAY, NEXT], "both ends included");
    assert!(store.bars("A", Timeframe::M1, T + 1..=T + 59_999).await.unwrap().is_empty());
    let all = store.series(None).await.unwrap();
    let told: Vec<_> = all.iter().map(|s| (s.symbol.as_str(), s.timeframe, s.bars, s.first.as_millisecond())).collect();
    assert_eq!(
        told,
        [("A", Timeframe::M1, 3, T), ("A", Timeframe::M5, 1, next), ("B", Timeframe::M1, 1, T - 86_400_000)]
    );
    let of_a = store.series(Some(&[Symbol::from_ticker("A").unwrap()])).await.unwrap();
    assert_eq!(of_a, all[..2]);
    assert_eq!((of_a[0].last.as_millisecond(), of_a[0].dataset), (next, Stocks));
    assert!(store.series(Some(&[Symbol::from_ticker("C").unwrap()])).await.unwrap().is_empty());
    let [a, c] = ["A", "C"].map(|ticker| Symbol::from_ticker(ticker).unwrap());
    assert_eq!(store.known(&[c, a.clone()]).await.unwrap().into_iter().collect::<Vec<_>>(), [a]);
}

pub async fn bars_are_found_by_symbol_length_and_date(bench: &impl Bench) {
    let mut store = bench.open().await;
    let next = T + 86_400_000;
    load(&mut store, NEXT, &[("A", &[bar(Timeframe::M5, next, 4.0)])]).await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 1.0)]), ("B", &[bar(Timeframe::M15, T, 1.0)])]).await;
    for (ticker, list, dates, is_there) in [
        ("A", "1m", DAY..=DAY, true),
        ("A", "1m", NEXT..=NEXT, false),
        ("A", "1m,1h", date(2026, 1, 1)..=date(2026, 12, 31), true),
        ("A", "5m", DAY..=DAY, false),
        ("A", "5m", DAY..=NEXT, true),
        ("A", ROLLED, date(2026, 10, 3)..=date(2026, 12, 31), false),
        ("A", ROLLED, date(2003, 9, 10)..=date(2026, 9, 30), false),
        ("B", "1m,5m", DAY..=NEXT, false),
        ("B", "15m", DAY..=NEXT, true),
        ("b", ROLLED, DAY..=NEXT, false),
        ("I:A", ROLLED, DAY..=NEXT, false),
    ] {
        let symbol = Symbol::from_ticker(ticker).unwrap();
        let found = store.has_bars(&symbol, frames(list), dates.clone()).await.unwrap();
        assert_eq!(found, is_there, "{ticker} {list} {dates:?}");
    }
}

pub async fn the_two_queries_of_the_contract_work_as_written(bench: &impl Bench) {
    let mut store = bench.open().await;
    let minutes: Vec<Bar> = (0..5).map(|n| shifted(&bar(Timeframe::M1, T, n as f64 + 100.0), n * 60_000)).collect();
    load(&mut store, DAY, &[("A", &minutes), ("B", &minutes[..1])]).await;
    let counts = bench.counts(COUNTS).await;
    let expected = [("A", 5, T, T + 240_000), ("B", 1, T, T)];
    assert_eq!(counts, expected.map(|(symbol, n, first, last)| (symbol.to_owned(), "1m".to_owned(), n, first, last)));
    let range = format!(
        "SELECT timestamp, open FROM historical_bars WHERE symbol = 'A' AND timeframe = '1m' \
         AND timestamp BETWEEN {} AND {} ORDER BY timestamp",
        T + 60_000,
        T + 180_000
    );
    assert_eq!(bench.points(&range).await, [(T + 60_000, 101.0), (T + 120_000, 102.0), (T + 180_000, 103.0)]);
    let columns = "SELECT CAST(minutes AS BIGINT), high + low + close + volume + vwap + trades + end_timestamp FROM historical_bars \
                   WHERE symbol = 'B' AND session = 'regular' AND vwap_method = 'estimate' \
                   AND CAST(session_date AS TEXT) = '2026-10-01'";
    assert_eq!(bench.points(columns).await, [(1, 508.0 + (T + 60_000) as f64)]);
    store.begin_day(Stocks, NEXT, || ()).await.unwrap();
    let post = Bar { session: Session::Post, ..shifted(&minutes[0], 86_400_000) };
    store.write(&batch(&[("A", &[post])])).await.unwrap();
    store.commit_day(&commit("1m", &[], vec![])).await.unwrap();
    let of_regular = COUNTS.replace("historical_bars", "historical_bars_regular");
    assert_eq!(bench.counts(&of_regular).await, counts);
}

pub async fn what_was_stored_is_there_after_reopening(bench: &impl Bench) {
    let mut store = bench.open().await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, ms("2026-10-01T13:30:00Z"), 10.0)])]).await;
    drop(store);
    let mut store = bench.open().await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
    load(&mut store, NEXT, &[("A", &[bar(Timeframe::M1, ms("2026-10-02T13:30:00Z"), 11.0)])]).await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0, 11.0]);
}
