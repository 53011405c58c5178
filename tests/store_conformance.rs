//! What every store must do. One line at the end of this file puts another store through all of it.

mod common;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use barkeep::model::{Bar, Dataset, FileKind, Outcome, Prices, Session, Symbol, Timeframe, TimeframeSet, VwapMethod};
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{
    Attempt, BarBatch, BarReader, BarSink, DayCommit, FileVersion, Ledger, LoadRate, LoadedFile, Replace, StoredBar,
    Watchlist, WatchlistEntry,
};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use sqlx::AssertSqlSafe;

const DAY: Date = date(2026, 10, 1);
const NEXT: Date = date(2026, 10, 2);
const ANY: std::ops::RangeInclusive<i64> = i64::MIN..=i64::MAX;

/// A store under test: an empty database that can be opened several times, and read with plain SQL.
trait Bench: Sized + Send + Sync + 'static {
    type Store: Ledger + BarSink + BarReader + Watchlist + 'static;

    async fn new() -> Self;

    fn open(&self) -> impl Future<Output = Self::Store> + Send;

    /// Rows of a query that gives a symbol, a timeframe and three integers.
    async fn counts(&self, sql: &str) -> Vec<(String, String, i64, i64, i64)>;

    /// Rows of a query that gives an integer and a number.
    async fn points(&self, sql: &str) -> Vec<(i64, f64)>;
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ms(text: &str) -> i64 {
    at(text).as_millisecond()
}

fn frames(list: &str) -> TimeframeSet {
    list.parse().unwrap()
}

/// A bar of one minute's length that differs from its neighbours by its open.
fn bar(timeframe: Timeframe, timestamp_ms: i64, open: f64) -> Bar {
    Bar {
        timeframe,
        timestamp_ms,
        end_timestamp_ms: timestamp_ms + 60_000,
        prices: Prices::checked(open, open + 2.0, open - 2.0, open + 1.0).unwrap(),
        volume: Some(100.0),
        vwap: Some(open),
        vwap_method: Some(VwapMethod::Estimate),
        trades: Some(7),
        session: Session::Regular,
        minutes: 1,
    }
}

/// Bars in the order a decoder sends them.
fn batch(symbols: &[(&str, &[Bar])]) -> BarBatch {
    let mut batch = BarBatch::default();
    for (ticker, bars) in symbols {
        let from = batch.bars.len();
        batch.bars.extend_from_slice(bars);
        batch.symbols.push(((*ticker).into(), from..batch.bars.len()));
    }
    batch
}

fn version(etag: &str) -> FileVersion {
    FileVersion {
        key: "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01.csv.gz".to_owned(),
        etag: etag.to_owned(),
        size_bytes: 23_000_000,
        last_modified: Some(at("2026-10-02T03:00:00Z")),
    }
}

fn loaded(kind: FileKind, etag: &str) -> LoadedFile {
    let version = version(etag);
    let (rows_read, rows_rejected, symbols_seen, bars_written) = (10, 1, 2, 3);
    let (content, accepted) = (None, None);
    LoadedFile { kind, version, rows_read, rows_rejected, symbols_seen, content, bars_written, accepted }
}

fn commit(everyone: &str, named: &[(&str, &str)], files: Vec<LoadedFile>) -> DayCommit {
    DayCommit {
        files,
        everyone: frames(everyone),
        named: named.iter().map(|(ticker, list)| ((*ticker).to_owned(), frames(list))).collect(),
        started_at: at("2026-10-02T15:00:00Z"),
        finished_at: at("2026-10-02T15:00:01Z"),
    }
}

/// Loads a day for everyone.
async fn load(store: &mut impl BarSink, date: Date, symbols: &[(&str, &[Bar])]) {
    store.begin_day(Dataset::Stocks, date, || ()).await.unwrap();
    store.write(&batch(symbols)).await.unwrap();
    store.commit_day(&commit("1m", &[], vec![loaded(FileKind::Minute, "1")])).await.unwrap();
}

async fn opens(store: &mut impl BarReader, symbol: &str, timeframe: Timeframe) -> Vec<f64> {
    store.bars(symbol, timeframe, ANY).await.unwrap().iter().map(|stored| stored.bar.prices.open).collect()
}

const T: i64 = 1_790_861_400_000;

async fn a_day_is_visible_once_committed(bench: &impl Bench) {
    let (mut writer, mut reader) = (bench.open().await, bench.open().await);
    let state = writer.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
    assert_eq!(state, barkeep::store::DayState::default());
    writer.write(&batch(&[("A", &[bar(Timeframe::M1, T, 10.0)])])).await.unwrap();
    assert!(opens(&mut reader, "A", Timeframe::M1).await.is_empty());
    assert!(reader.series(None).await.unwrap().is_empty());
    assert!(reader.day_states(Dataset::Stocks, DAY..=DAY).await.unwrap().is_empty());
    writer.commit_day(&commit("1m", &[], vec![loaded(FileKind::Minute, "1")])).await.unwrap();
    assert_eq!(opens(&mut reader, "A", Timeframe::M1).await, [10.0]);
    let state = &reader.day_states(Dataset::Stocks, DAY..=DAY).await.unwrap()[&DAY];
    assert_eq!(state.everyone, frames("1m"));
    assert_eq!(state.loaded(FileKind::Minute), Some(&version("1")));
}

async fn an_abandoned_day_leaves_nothing(bench: &impl Bench) {
    let mut store = bench.open().await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)])]).await;
    for replaces in [false, true] {
        store.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
        if replaces {
            let all = Replace { timeframes: TimeframeSet::of(Timeframe::ALL), symbols: None, restated: false };
            assert_eq!(store.replace(&all).await.unwrap(), 1);
        }
        store.write(&batch(&[("B", &[bar(Timeframe::M5, T, 20.0)])])).await.unwrap();
        store.abandon_day().await.unwrap();
        assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
        assert!(opens(&mut store, "B", Timeframe::M5).await.is_empty());
    }
    store.abandon_day().await.unwrap();
    // What was remembered of the abandoned bars must not be relied on.
    store.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
    store.write(&batch(&[("B", &[bar(Timeframe::M5, T, 20.0)])])).await.unwrap();
    store.commit_day(&commit("5m", &[], vec![])).await.unwrap();
    assert_eq!(opens(&mut store, "B", Timeframe::M5).await, [20.0]);
}

async fn readers_see_the_old_day_until_the_new_one_is_committed(bench: &impl Bench) {
    let (mut writer, mut reader) = (bench.open().await, bench.open().await);
    load(&mut writer, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)]), ("B", &[bar(Timeframe::M1, T, 20.0)])]).await;
    writer.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
    let all = Replace { timeframes: TimeframeSet::of(Timeframe::ALL), symbols: None, restated: false };
    assert_eq!(writer.replace(&all).await.unwrap(), 2);
    writer.write(&batch(&[("A", &[bar(Timeframe::M1, T, 11.0)])])).await.unwrap();
    assert_eq!(opens(&mut reader, "A", Timeframe::M1).await, [10.0]);
    assert_eq!(opens(&mut reader, "B", Timeframe::M1).await, [20.0]);
    writer.commit_day(&commit("1m", &[], vec![loaded(FileKind::Minute, "2")])).await.unwrap();
    assert_eq!(opens(&mut reader, "A", Timeframe::M1).await, [11.0]);
    assert!(opens(&mut reader, "B", Timeframe::M1).await.is_empty());
    let states = reader.day_states(Dataset::Stocks, DAY..=DAY).await.unwrap();
    assert_eq!(states[&DAY].loaded(FileKind::Minute), Some(&version("2")));
}

async fn a_failed_write_can_be_abandoned(bench: &impl Bench) {
    let mut store = bench.open().await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)])]).await;
    store.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
    let again = store.write(&batch(&[("A", &[bar(Timeframe::M1, T, 99.0)])])).await;
    assert!(again.is_err(), "a bar is never written over another");
    store.abandon_day().await.unwrap();
    load(&mut store, NEXT, &[("A", &[bar(Timeframe::M1, T + 86_400_000, 12.0)])]).await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0, 12.0]);
}

async fn every_value_comes_back_as_it_went_in(bench: &impl Bench) {
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
    store.begin_day(Dataset::Indices, DAY, || ()).await.unwrap();
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

fn shifted(bar: &Bar, by_ms: i64) -> Bar {
    Bar { timestamp_ms: bar.timestamp_ms + by_ms, end_timestamp_ms: bar.end_timestamp_ms + by_ms, ..*bar }
}

async fn symbols_differ_by_case_and_sort_by_bytes(bench: &impl Bench) {
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

const COUNTS: &str = "SELECT symbol, timeframe, COUNT(*), MIN(timestamp), MAX(timestamp) FROM historical_bars \
                      GROUP BY 1, 2 ORDER BY 1, 2";

async fn replacing_removes_what_is_named_and_nothing_else(bench: &impl Bench) {
    let three = [bar(Timeframe::M1, T, 1.0), bar(Timeframe::M5, T, 5.0), bar(Timeframe::DayOfficial, T, 9.0)];
    let of = |timeframes: &str, symbols: Option<&[&str]>| Replace {
        timeframes: frames(timeframes),
        symbols: symbols.map(|symbols| symbols.iter().map(|&symbol| symbol.to_owned()).collect()),
        restated: false,
    };
    for (day, (replace, removed, left)) in (1..).zip([
        (of("1m,5m,15m,1h,4h,day,day_official", None), 6, vec![]),
        (of("1m,5m,15m,1h,4h,day", None), 4, vec![("A", "day_official"), ("B", "day_official")]),
        (of("day_official", None), 2, vec![("A", "1m"), ("A", "5m"), ("B", "1m"), ("B", "5m")]),
        (
            of("1m,day_official", Some(&["B", "ABSENT"])),
            2,
            vec![("A", "1m"), ("A", "5m"), ("A", "day_official"), ("B", "5m")],
        ),
        (
            of("1h", None),
            0,
            vec![("A", "1m"), ("A", "5m"), ("A", "day_official"), ("B", "1m"), ("B", "5m"), ("B", "day_official")],
        ),
        (
            of("1m", Some(&[])),
            0,
            vec![("A", "1m"), ("A", "5m"), ("A", "day_official"), ("B", "1m"), ("B", "5m"), ("B", "day_official")],
        ),
    ]) {
        let mut store = bench.open().await;
        let date = date(2026, 9, day);
        let shift = i64::from(day) * 86_400_000;
        let bars: Vec<Bar> = three.iter().map(|bar| shifted(bar, shift)).collect();
        load(&mut store, date, &[("A", &bars), ("B", &bars)]).await;
        store.begin_day(Dataset::Stocks, date, || ()).await.unwrap();
        assert_eq!(store.replace(&replace).await.unwrap(), removed, "{replace:?}");
        store.commit_day(&commit("", &[], vec![])).await.unwrap();
        let mut found = Vec::new();
        for symbol in ["A", "B"] {
            for timeframe in Timeframe::ALL {
                let there = store.bars(symbol, timeframe, T + shift..=T + shift).await.unwrap();
                found.extend(there.iter().map(|_| (symbol, timeframe.as_str())));
            }
        }
        assert_eq!(found, left, "{replace:?}");
        // What was removed can be written again.
        store.begin_day(Dataset::Stocks, date, || ()).await.unwrap();
        let everything = Replace { timeframes: TimeframeSet::of(Timeframe::ALL), symbols: None, restated: false };
        store.replace(&everything).await.unwrap();
        store.write(&batch(&[("A", &bars), ("B", &bars)])).await.unwrap();
        store.commit_day(&commit("", &[], vec![])).await.unwrap();
    }
    let rows = bench.counts(COUNTS).await;
    let days: Vec<i64> = rows.iter().map(|row| row.2).collect();
    assert_eq!(days, [6; 6], "other days stay");
}

async fn coverage_grows_by_what_is_committed(bench: &impl Bench) {
    let mut store = bench.open().await;
    for (everyone, named) in [
        ("", &[("A", "1m,5m"), ("ABSENT", "1m")][..]),
        ("", &[("A", "1h"), ("B", "")]),
        ("5m,1h", &[("C", "1m")]),
        ("day,day_official", &[]),
    ] {
        store.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
        store.commit_day(&commit(everyone, named, vec![])).await.unwrap();
    }
    let expected = BTreeMap::from([
        ("A".to_owned(), frames("1m,5m,1h")),
        ("ABSENT".to_owned(), frames("1m")),
        ("C".to_owned(), frames("1m")),
    ]);
    let state = store.day_states(Dataset::Stocks, DAY..=DAY).await.unwrap().remove(&DAY).unwrap();
    assert_eq!((state.everyone, &state.named), (frames("5m,1h,day,day_official"), &expected));
    assert_eq!(state.covered("A"), frames("1m,5m,1h,day,day_official"));
    let begun = store.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
    store.abandon_day().await.unwrap();
    assert_eq!(begun, state, "a day that is begun tells the same");
}

async fn states_are_those_of_the_dataset_and_range(bench: &impl Bench) {
    let mut store = bench.open().await;
    for (dataset, date) in [(Dataset::Stocks, DAY), (Dataset::Stocks, NEXT), (Dataset::Crypto, DAY)] {
        store.begin_day(dataset, date, || ()).await.unwrap();
        store.commit_day(&commit("1h", &[], vec![loaded(FileKind::Minute, dataset.as_str())])).await.unwrap();
    }
    let days = |states: &BTreeMap<Date, _>| states.keys().copied().collect::<Vec<_>>();
    let both = store.day_states(Dataset::Stocks, DAY..=NEXT).await.unwrap();
    assert_eq!(days(&both), [DAY, NEXT]);
    assert_eq!(days(&store.day_states(Dataset::Stocks, NEXT..=NEXT).await.unwrap()), [NEXT]);
    let crypto = store.day_states(Dataset::Crypto, date(2003, 1, 1)..=date(2028, 12, 31)).await.unwrap();
    assert_eq!(crypto[&DAY].loaded(FileKind::Minute), Some(&version("crypto")));
    assert!(store.day_states(Dataset::Forex, DAY..=NEXT).await.unwrap().is_empty());
}

async fn attempts_keep_the_loaded_version(bench: &impl Bench) {
    let mut store = bench.open().await;
    let attempt = |outcome, finished_at| Attempt {
        outcome,
        detail: Some("why".to_owned()),
        started_at: at("2026-10-02T14:00:00Z"),
        finished_at,
    };
    let first = at("2026-10-02T14:00:05.123Z");
    store.record_attempt(Dataset::Stocks, DAY, FileKind::Minute, &attempt(Outcome::Missing, first)).await.unwrap();
    let state = store.day_states(Dataset::Stocks, DAY..=DAY).await.unwrap().remove(&DAY).unwrap();
    let file = state.minute.as_ref().unwrap();
    assert_eq!((file.loaded.as_ref(), file.outcome, file.attempted_at), (None, Outcome::Missing, first));
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)])]).await;
    let loaded_state = store.day_states(Dataset::Stocks, DAY..=DAY).await.unwrap().remove(&DAY).unwrap();
    assert_eq!(loaded_state.minute.as_ref().unwrap().outcome, Outcome::Loaded);
    let later = at("2026-10-03T14:00:00Z");
    store.record_attempt(Dataset::Stocks, DAY, FileKind::Minute, &attempt(Outcome::Damaged, later)).await.unwrap();
    store.record_attempt(Dataset::Stocks, DAY, FileKind::Day, &attempt(Outcome::NotEntitled, later)).await.unwrap();
    let state = store.day_states(Dataset::Stocks, DAY..=DAY).await.unwrap().remove(&DAY).unwrap();
    let file = state.minute.as_ref().unwrap();
    assert_eq!((file.loaded.as_ref(), file.outcome, file.attempted_at), (Some(&version("1")), Outcome::Damaged, later));
    assert_eq!(state.day.as_ref().unwrap().outcome, Outcome::NotEntitled);
    assert!(state.is_same_content(&loaded_state));
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
}

async fn load_rates_are_kept_by_scope(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.load_rate(true).await.unwrap(), None);
    let rate = |seconds| LoadRate { file_bytes: 1 << 40, bars: 3, seconds, measured_at: at("2026-10-02T14:00:00Z") };
    store.record_load_rate(true, rate(1.25)).await.unwrap();
    store.record_load_rate(false, rate(2.5)).await.unwrap();
    store.record_load_rate(true, rate(0.1)).await.unwrap();
    assert_eq!(store.load_rate(true).await.unwrap(), Some(rate(0.1)));
    assert_eq!(store.load_rate(false).await.unwrap(), Some(rate(2.5)));
}

async fn the_watchlist_is_a_set_of_symbols(bench: &impl Bench) {
    let mut store = bench.open().await;
    let entry = |ticker: &str, days, priority| WatchlistEntry {
        symbol: Symbol::from_ticker(ticker).unwrap(),
        days_to_backfill: days,
        active: true,
        priority,
        added_at: at("2026-10-02T14:00:00Z"),
    };
    let first = [entry("TRUE", 90, 0), entry("I:SPX", 5, -1), entry("BCpC", 90, 0), entry("BCPC", 90, 0)];
    assert_eq!(store.watch(&first).await.unwrap(), 4);
    let later = WatchlistEntry { added_at: at("2026-11-01T00:00:00Z"), ..entry("TRUE", 30, 7) };
    assert_eq!(store.watch(&[later.clone(), entry("AAPL", 1, 0)]).await.unwrap(), 1, "one is new");
    let list = bench.open().await.watchlist().await.unwrap();
    let names: Vec<&str> = list.iter().map(|entry| entry.symbol.as_str()).collect();
    assert_eq!(names, ["AAPL", "BCPC", "BCpC", "I:SPX", "TRUE"]);
    assert_eq!(list[4], WatchlistEntry { added_at: first[0].added_at, ..later }, "it keeps the day it was added");
    load(&mut store, DAY, &[("TRUE", &[bar(Timeframe::M1, T, 10.0)])]).await;
    let gone = [Symbol::from_ticker("TRUE").unwrap(), Symbol::from_ticker("NONE").unwrap()];
    assert_eq!(store.unwatch(&gone).await.unwrap(), gone[..1]);
    assert_eq!(store.watchlist().await.unwrap().len(), 4);
    assert_eq!(opens(&mut store, "TRUE", Timeframe::M1).await, [10.0], "its bars stay");
}

async fn series_tell_what_there_is(bench: &impl Bench) {
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
    assert_eq!((of_a[0].last.as_millisecond(), of_a[0].dataset), (next, Dataset::Stocks));
    assert!(store.series(Some(&[Symbol::from_ticker("C").unwrap()])).await.unwrap().is_empty());
    let [a, c] = ["A", "C"].map(|ticker| Symbol::from_ticker(ticker).unwrap());
    assert_eq!(store.known(&[c, a.clone()]).await.unwrap().into_iter().collect::<Vec<_>>(), [a]);
}

async fn the_two_queries_of_the_contract_work_as_written(bench: &impl Bench) {
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
    let columns = "SELECT minutes, high + low + close + volume + vwap + trades + end_timestamp FROM historical_bars \
                   WHERE symbol = 'B' AND session = 'regular' AND vwap_method = 'estimate' \
                   AND CAST(session_date AS TEXT) = '2026-10-01'";
    assert_eq!(bench.points(columns).await, [(1, 508.0 + (T + 60_000) as f64)]);
    store.begin_day(Dataset::Stocks, NEXT, || ()).await.unwrap();
    let post = Bar { session: Session::Post, ..shifted(&minutes[0], 86_400_000) };
    store.write(&batch(&[("A", &[post])])).await.unwrap();
    store.commit_day(&commit("1m", &[], vec![])).await.unwrap();
    let of_regular = COUNTS.replace("historical_bars", "historical_bars_regular");
    assert_eq!(bench.counts(&of_regular).await, counts);
}

async fn a_second_writer_waits_and_sees_what_the_first_did<B: Bench>(bench: &B) {
    let held = Duration::from_secs(1);
    let mut first = bench.open().await;
    first.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
    // Opened while the other writes: opening needs no lock.
    let (mut second, mut third, mut fourth) = (bench.open().await, bench.open().await, bench.open().await);
    let since = Instant::now();
    let holder = tokio::spawn(async move {
        tokio::time::sleep(held).await;
        first.write(&batch(&[("A", &[bar(Timeframe::M1, T, 10.0)])])).await.unwrap();
        first.commit_day(&commit("1m", &[], vec![loaded(FileKind::Minute, "1")])).await.unwrap();
    });
    // Rows of a single statement must wait as well: another day's load can take longer than any short patience.
    let attempt = Attempt {
        outcome: Outcome::Missing,
        detail: None,
        started_at: at("2026-10-02T14:00:00Z"),
        finished_at: at("2026-10-02T14:00:00Z"),
    };
    let entry = WatchlistEntry {
        symbol: Symbol::from_ticker("A").unwrap(),
        days_to_backfill: 90,
        active: true,
        priority: 0,
        added_at: attempt.started_at,
    };
    let begins = async {
        let state = second.begin_day(Dataset::Stocks, DAY, || ()).await.unwrap();
        assert!(since.elapsed() >= held, "it did not wait");
        second.abandon_day().await.unwrap();
        state
    };
    let records = third.record_attempt(Dataset::Stocks, NEXT, FileKind::Minute, &attempt);
    let watched = [entry];
    let watches = fourth.watch(&watched);
    let (state, recorded, watched) = futures_util::future::join3(begins, records, watches).await;
    holder.await.unwrap();
    recorded.unwrap();
    assert_eq!(watched.unwrap(), 1);
    assert_eq!((state.everyone, state.loaded(FileKind::Minute)), (frames("1m"), Some(&version("1"))));
    assert_eq!(opens(&mut second, "A", Timeframe::M1).await, [10.0]);
}

async fn what_was_stored_is_there_after_reopening(bench: &impl Bench) {
    let mut store = bench.open().await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, ms("2026-10-01T13:30:00Z"), 10.0)])]).await;
    drop(store);
    let mut store = bench.open().await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
    load(&mut store, NEXT, &[("A", &[bar(Timeframe::M1, ms("2026-10-02T13:30:00Z"), 11.0)])]).await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0, 11.0]);
}

macro_rules! tests {
    ($module:ident, $bench:ty, $($name:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&<$bench>::new().await).await;
                }
            )*
        }
    };
}

macro_rules! conformance {
    ($module:ident, $bench:ty) => {
        tests! { $module, $bench,
            a_day_is_visible_once_committed
            an_abandoned_day_leaves_nothing
            readers_see_the_old_day_until_the_new_one_is_committed
            a_failed_write_can_be_abandoned
            every_value_comes_back_as_it_went_in
            symbols_differ_by_case_and_sort_by_bytes
            replacing_removes_what_is_named_and_nothing_else
            coverage_grows_by_what_is_committed
            states_are_those_of_the_dataset_and_range
            attempts_keep_the_loaded_version
            load_rates_are_kept_by_scope
            the_watchlist_is_a_set_of_symbols
            series_tell_what_there_is
            the_two_queries_of_the_contract_work_as_written
            a_second_writer_waits_and_sees_what_the_first_did
            what_was_stored_is_there_after_reopening
        }
    };
}

/// SQLite in a temporary file.
struct SqliteBench(common::Desk);

impl Bench for SqliteBench {
    type Store = SqliteStore;

    async fn new() -> Self {
        Self(common::Desk::new())
    }

    async fn open(&self) -> SqliteStore {
        self.0.store().await
    }

    async fn counts(&self, sql: &str) -> Vec<(String, String, i64, i64, i64)> {
        let mut connection = common::connect(&self.0.database()).await;
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
    }

    async fn points(&self, sql: &str) -> Vec<(i64, f64)> {
        let mut connection = common::connect(&self.0.database()).await;
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
    }
}

conformance!(sqlite, SqliteBench);
