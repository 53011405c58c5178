//! What the tests share: files in the vendor's format, folders of them, runs over them, and tables to compare.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use barkeep::aggregate::DayGrid;
use barkeep::ingest::source::{LocalSource, Source, key};
use barkeep::ingest::{
    Accept, Concurrency, DatasetPlan, Reporter, Request, RunError, RunReport, Sharing, SilentReporter, make_plan, run,
};
use barkeep::model::{Dataset, FileKind, Timeframe, TimeframeSet};
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{Claiming, Claims, Ledger};
use jiff::civil::Date;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, FromRow, Row, SqliteConnection};
use tokio_util::sync::CancellationToken;

pub const HEADER: &str = "ticker,volume,open,close,high,low,window_start,transactions";
pub const INDEX_HEADER: &str = "ticker,open,close,high,low,window_start";

/// All timeframes that are rolled up from minutes.
pub fn rolled() -> TimeframeSet {
    TimeframeSet::of(Timeframe::ROLLED)
}

pub fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    packed(text, flate2::Compression::fast())
}

pub fn packed(text: impl AsRef<[u8]>, level: flate2::Compression) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), level);
    packer.write_all(text.as_ref()).unwrap();
    packer.finish().unwrap()
}

/// A file's text: the header and a line per row.
pub fn csv(header: &str, rows: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut text = format!("{header}\n");
    for row in rows {
        text.push_str(row.as_ref());
        text.push('\n');
    }
    text
}

/// The time stamp of a minute of a date, nanoseconds since the Unix epoch, counted from the date's midnight.
pub fn stamp(dataset: Dataset, date: Date, hour: u16, minute: u16) -> i64 {
    DayGrid::new(dataset, date).instant_ms(hour * 60 + minute) * 1_000_000
}

/// A row of stocks, options, crypto or forex that opens at `cents`.
pub fn row(ticker: &str, stamp: i64, cents: u32, volume: &str, trades: u64) -> String {
    let price = |shift: u32| f64::from(cents + shift) / 100.0;
    format!("{ticker},{volume},{},{},{},{},{stamp},{trades}", price(1), price(2), price(3), price(0))
}

/// Bars of all timeframes that a ticker of [`session_rows`] has after a full session.
pub const BARS_OF_TICKER: usize = 79 + 78 + 26 + 7 + 2 + 1;

/// Rows of tickers for every fifth regular minute and the last one of a stock session, each with its own prices.
pub fn session_rows(date: Date, tickers: &[String]) -> Vec<String> {
    let (open, close) = DayGrid::new(Dataset::Stocks, date).regular();
    let each = |(place, ticker): (usize, &String)| {
        let place = u32::try_from(place).unwrap();
        let ticker = ticker.clone();
        (open..close).step_by(5).chain([close - 1]).map(move |minute| {
            let cents = 10_000 + place * 500 + u32::from(minute) % 97 + u32::from(date.day().unsigned_abs());
            row(&ticker, stamp(Dataset::Stocks, date, 0, minute), cents, &format!("{}.25", minute % 7 * 100), 3)
        })
    };
    tickers.iter().enumerate().flat_map(each).collect()
}

/// `S00 S01 …`: enough of them for the checks that look at the whole market.
pub fn tickers(count: usize) -> Vec<String> {
    (0..count).map(|place| format!("S{place:02}")).collect()
}

/// A folder of day files and a database beside it.
pub struct Desk {
    pub dir: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("files")).unwrap();
        Self { dir }
    }

    pub fn database(&self) -> PathBuf {
        self.dir.path().join("bars.db")
    }

    /// Writes a file of the mirror; returns its path.
    pub fn put(&self, dataset: Dataset, kind: FileKind, date: Date, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join("files").join(key::build(dataset, kind, date));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a stock session of some tickers.
    pub fn put_session(&self, date: Date, tickers: &[String]) -> PathBuf {
        let text = csv(HEADER, session_rows(date, tickers));
        self.put(Dataset::Stocks, FileKind::Minute, date, &gzip(text))
    }

    pub fn source(&self) -> Source {
        Source::Local(LocalSource::open(&self.dir.path().join("files"), Dataset::Stocks).unwrap())
    }

    pub async fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.database()).await.unwrap()
    }

    /// Runs a request to its end on a connection of its own.
    pub async fn load(&self, request: Request) -> RunReport {
        self.load_with(request, Arc::new(SilentReporter), CancellationToken::new()).await
    }

    pub async fn load_with(&self, request: Request, reporter: Arc<dyn Reporter>, stop: CancellationToken) -> RunReport {
        let mut store = self.store().await;
        let source = self.source();
        let plan = make_plan(&source, Some(&mut store), request, reporter.as_ref()).await.unwrap();
        let report = carry_out(vec![plan], Arc::new(source), &self.database(), &mut store, reporter, stop).await;
        store.close().await.unwrap();
        report
    }

    pub async fn table(&self) -> Vec<TableRow> {
        table(&self.database()).await
    }
}

pub const CONCURRENCY: Concurrency = Concurrency { downloads: 4, decoders: 2 };

/// Longer than any test lasts.
pub const LEASE: Duration = Duration::from_mins(1);

/// Runs plans to their end, which must be no error.
pub async fn carry_out(
    plans: Vec<DatasetPlan>,
    source: Arc<Source>,
    database: &Path,
    store: &mut SqliteStore,
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
) -> RunReport {
    let (mut claims, mut ledger) = (store.claimant(LEASE).await.unwrap(), SqliteStore::open(database).await.unwrap());
    let report = share(plans, source, store, (&mut claims, &mut ledger, LEASE), reporter, stop).await.unwrap();
    ledger.close().await.unwrap();
    report
}

/// Runs plans with claims and a ledger of the test's own.
pub async fn share(
    plans: Vec<DatasetPlan>,
    source: Arc<Source>,
    store: &mut SqliteStore,
    (claims, ledger, lease): (&mut impl Claims, &mut impl Ledger, Duration),
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
) -> Result<RunReport, RunError> {
    let sharing = Sharing { claims, ledger, lease };
    let (report, error) = run(plans, source, store, sharing, CONCURRENCY, reporter, stop).await;
    error.map_or(Ok(report), Err)
}

/// A request for everything of a range, all timeframes included, long after its files were due.
pub fn request(dataset: Dataset, from: Date, to: Date) -> Request {
    Request {
        dataset,
        range: from..=to,
        symbols: None,
        timeframes: rolled(),
        official_day: true,
        force: false,
        accept: Accept::None,
        rest_counts: barkeep::ingest::WhenRestCounts::Never,
        now: "2027-06-01T00:00:00Z".parse().unwrap(),
    }
}

/// The same for named symbols.
pub fn request_of(symbols: &[&str], dataset: Dataset, from: Date, to: Date) -> Request {
    let symbols: BTreeSet<String> = symbols.iter().map(|&symbol| symbol.to_owned()).collect();
    Request { symbols: Some(symbols), ..request(dataset, from, to) }
}

/// A row of `historical_bars`.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    pub symbol: String,
    pub timeframe: String,
    pub timestamp: i64,
    /// Open, high, low, close.
    pub prices: [f64; 4],
    pub volume: Option<f64>,
    pub vwap: Option<f64>,
    pub trades: Option<i64>,
    pub session: String,
    pub vwap_method: Option<String>,
    pub session_date: String,
    pub end_timestamp: i64,
    pub minutes: i64,
}

impl FromRow<'_, SqliteRow> for TableRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            symbol: row.try_get("symbol")?,
            timeframe: row.try_get("timeframe")?,
            timestamp: row.try_get("timestamp")?,
            prices: [row.try_get("open")?, row.try_get("high")?, row.try_get("low")?, row.try_get("close")?],
            volume: row.try_get("volume")?,
            vwap: row.try_get("vwap")?,
            trades: row.try_get("trades")?,
            session: row.try_get("session")?,
            vwap_method: row.try_get("vwap_method")?,
            session_date: row.try_get("session_date")?,
            end_timestamp: row.try_get("end_timestamp")?,
            minutes: row.try_get("minutes")?,
        })
    }
}

/// Compares tables without printing thousands of rows.
#[track_caller]
pub fn assert_same_table(found: &[TableRow], expected: &[TableRow]) {
    let differs = found.iter().zip(expected).find(|(a, b)| a != b);
    assert!(differs.is_none(), "found, and expected: {differs:#?}");
    let more = found.get(expected.len()).or(expected.get(found.len()));
    assert!(more.is_none(), "{} rows, not {}; the first alone is {more:?}", found.len(), expected.len());
}

/// A connection like another program's.
pub async fn connect(database: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(database).connect().await.unwrap()
}

/// The whole of `historical_bars`, in the order of its key.
pub async fn table(database: &Path) -> Vec<TableRow> {
    let sql = "SELECT * FROM historical_bars ORDER BY symbol, timeframe, timestamp";
    let mut connection = connect(database).await;
    let rows = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
    // A connection that is only dropped ends at some later time, and takes its log files with it.
    connection.close().await.unwrap();
    rows
}
