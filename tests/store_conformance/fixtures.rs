//! Bars, batches and commits to try stores with.

use std::ops::RangeInclusive;

use barkeep::model::{Bar, Dataset, FileKind, Prices, Session, Timeframe, TimeframeSet, VwapMethod};
use barkeep::store::{BarBatch, BarReader, BarSink, DayCommit, DayState, FileVersion, Ledger, LoadedFile, Replace};
use jiff::Timestamp;
use jiff::civil::{Date, date};

pub const DAY: Date = date(2026, 10, 1);
pub const NEXT: Date = date(2026, 10, 2);
pub const ANY: RangeInclusive<i64> = i64::MIN..=i64::MAX;
/// 13:30 UTC of `DAY`.
pub const T: i64 = 1_790_861_400_000;
pub const MINUTE: i64 = 60_000;
/// Everything that is made from the minute file, and from the day file.
pub const ROLLED: &str = "1m,5m,15m,1h,4h,day";
pub const OFFICIAL: &str = "day_official";

pub const COUNTS: &str = "SELECT symbol, timeframe, COUNT(*), MIN(timestamp), MAX(timestamp) FROM historical_bars \
                          GROUP BY 1, 2 ORDER BY 1, 2";

/// Some symbols' bars.
pub type Series<'a> = [(&'a str, &'a [Bar])];

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn ms(text: &str) -> i64 {
    at(text).as_millisecond()
}

pub fn frames(list: &str) -> TimeframeSet {
    list.parse().unwrap()
}

/// A bar of one minute's length that differs from its neighbours by its open.
pub fn bar(timeframe: Timeframe, timestamp_ms: i64, open: f64) -> Bar {
    Bar {
        timeframe,
        timestamp_ms,
        end_timestamp_ms: timestamp_ms + MINUTE,
        prices: Prices::checked(open, open + 2.0, open - 2.0, open + 1.0).unwrap(),
        volume: Some(100.0),
        vwap: Some(open),
        vwap_method: Some(VwapMethod::Estimate),
        trades: Some(7),
        session: Session::Regular,
        minutes: 1,
    }
}

pub fn shifted(bar: &Bar, by_ms: i64) -> Bar {
    Bar { timestamp_ms: bar.timestamp_ms + by_ms, end_timestamp_ms: bar.end_timestamp_ms + by_ms, ..*bar }
}

/// Bars in the order a decoder sends them.
pub fn batch(symbols: &Series) -> BarBatch {
    let mut batch = BarBatch::default();
    for (ticker, bars) in symbols {
        let from = batch.bars.len();
        batch.bars.extend_from_slice(bars);
        batch.symbols.push(((*ticker).into(), from..batch.bars.len()));
    }
    batch
}

pub fn version(etag: &str) -> FileVersion {
    FileVersion {
        key: "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01.csv.gz".to_owned(),
        etag: etag.to_owned(),
        size_bytes: 23_000_000,
        last_modified: Some(at("2026-10-02T03:00:00Z")),
    }
}

/// A file that was read and gave so many bars.
pub fn file(kind: FileKind, etag: &str, bars_written: u64) -> LoadedFile {
    let version = version(etag);
    let (rows_read, rows_rejected, symbols_seen) = (10, 1, 2);
    LoadedFile { kind, version, rows_read, rows_rejected, symbols_seen, content: None, bars_written, accepted: None }
}

pub fn commit(everyone: &str, named: &[(&str, &str)], files: Vec<LoadedFile>) -> DayCommit {
    DayCommit {
        files,
        everyone: frames(everyone),
        named: named.iter().map(|(ticker, list)| ((*ticker).to_owned(), frames(list))).collect(),
        started_at: at("2026-10-02T15:00:00Z"),
        finished_at: at("2026-10-02T15:00:01Z"),
    }
}

/// A replacement by force.
pub fn replace(timeframes: &str, symbols: Option<&[&str]>) -> Replace {
    Replace {
        timeframes: frames(timeframes),
        symbols: symbols.map(|symbols| symbols.iter().map(|&symbol| symbol.to_owned()).collect()),
        restated: false,
    }
}

pub fn everything() -> Replace {
    Replace { timeframes: TimeframeSet::of(Timeframe::ALL), symbols: None, restated: false }
}

/// A replacement because the vendor has replaced the file.
pub fn restate(timeframes: &str, symbols: Option<&[&str]>) -> Replace {
    Replace { restated: true, ..replace(timeframes, symbols) }
}

/// Loads a day as the pipeline does: removes, writes, commits. Says how many bars were removed.
pub async fn put(
    store: &mut impl BarSink,
    (dataset, date): (Dataset, Date),
    replaces: &[Replace],
    symbols: &Series<'_>,
    commit: &DayCommit,
) -> u64 {
    store.begin_day(dataset, date, || ()).await.unwrap();
    let mut removed = 0;
    for replace in replaces {
        removed += store.replace(replace).await.unwrap();
    }
    store.write(&batch(symbols)).await.unwrap();
    store.commit_day(commit).await.unwrap();
    removed
}

/// Loads minutes of a day of stocks for everyone.
pub async fn load(store: &mut impl BarSink, date: Date, symbols: &Series<'_>) {
    let bars = symbols.iter().map(|(_, bars)| bars.len() as u64).sum();
    let commit = commit("1m", &[], vec![file(FileKind::Minute, "1", bars)]);
    put(store, (Dataset::Stocks, date), &[], symbols, &commit).await;
}

pub async fn opens(store: &mut impl BarReader, symbol: &str, timeframe: Timeframe) -> Vec<f64> {
    store.bars(symbol, timeframe, ANY).await.unwrap().iter().map(|stored| stored.bar.prices.open).collect()
}

/// What is known of a day of stocks.
pub async fn state(store: &mut impl Ledger, date: Date) -> DayState {
    store.day_states(Dataset::Stocks, date..=date).await.unwrap().remove(&date).unwrap_or_default()
}
