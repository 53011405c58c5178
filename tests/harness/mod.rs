//! The real programs in a place of their own: a home, a database, a vendor on loopback.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use barkeep::model::Dataset;
use barkeep::sandbox::{
    Counts, Dates, Defects, FileId, Generation, Market, MarketSize, RestCounts, ServeOptions, Server, generate,
};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Row};
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[path = "../database/mod.rs"]
pub mod database;
pub use database::Schema;

/// Monday noon in New York; the last finished session is Friday, October 2nd, and its file is due.
pub const NOW: &str = "2026-10-05T16:00:00Z";

/// What synthetic markets are made with: tiny, one day or some.
pub fn generation(datasets: &[Dataset], from: &str, to: &str) -> Generation {
    Generation {
        market: Market { size: MarketSize::Tiny, seed: 1, splits: false },
        datasets: datasets.to_vec(),
        dates: Dates::Range(from.parse().unwrap()..=to.parse().unwrap()),
        now: NOW.parse().unwrap(),
        defects: Defects::default(),
    }
}

/// Makes the files of tiny markets.
pub fn make(folder: &Path, datasets: &[Dataset], from: &str, to: &str) {
    generate(folder, &generation(datasets, from, to)).unwrap();
}

/// Makes the stocks' files again with something wrong about them.
pub fn make_with(folder: &Path, from: &str, to: &str, change: impl FnOnce(&mut Defects)) {
    let mut generation = generation(&[Dataset::Stocks], from, to);
    change(&mut generation.defects);
    generate(folder, &generation).unwrap();
}

/// Minute file of the stocks on a date, below a mirror.
pub fn minute_key(date: &str) -> String {
    id(date).key()
}

/// A file of the vendor: `2026-10-01`, `indices/day/2026-10-01`.
pub fn id(text: &str) -> FileId {
    text.parse().unwrap()
}

/// A user's machine in a temporary directory.
pub struct Place {
    dir: TempDir,
    /// Where its bars are kept, if not in a file of its own.
    schema: Option<Schema>,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["home", "work"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir, schema: None }
    }

    /// One whose user keeps bars in PostgreSQL.
    pub fn on(schema: Schema) -> Self {
        Self { schema: Some(schema), ..Self::new() }
    }

    pub fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The mirror of the bucket in this place.
    pub fn bucket(&self) -> PathBuf {
        self.path("bucket")
    }

    pub fn database(&self) -> PathBuf {
        self.path("home/data/barkeep/barkeep.db")
    }

    /// A command in a clean environment that reads the place's own bucket folder when it says `--source`.
    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_backfill"), arguments)
    }

    /// The same of one of the programs.
    pub fn command_of(&self, program: &str, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(program);
        let home = self.path("home");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("BARKEEP_NOW", NOW)
            .current_dir(self.path("work"))
            .args(arguments)
            .stdin(Stdio::null());
        if let Some(schema) = &self.schema {
            command.env("DATABASE_URL", schema.url());
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// A line as typed; `BUCKET` stands for the place's mirror.
    pub fn type_line(&self, line: &str) -> Ran {
        let bucket = self.bucket().display().to_string();
        let words: Vec<String> = line.split_whitespace().map(|word| word.replace("BUCKET", &bucket)).collect();
        ran(&mut self.command(&words))
    }

    /// A line as typed by a customer of a vendor on loopback.
    pub fn against(&self, vendor: &Vendor, line: &str) -> Ran {
        ran(&mut self.customer(&vendor.url(), line))
    }

    /// The command of a line as typed by a customer.
    pub fn customer(&self, url: &str, line: &str) -> Command {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut command = self.command(&words);
        command
            .env("MASSIVE_S3_ENDPOINT", url)
            .env("MASSIVE_S3_ACCESS_KEY_ID", "sandbox")
            .env("MASSIVE_S3_SECRET_ACCESS_KEY", "sandbox-secret")
            .env("MASSIVE_API_URL", url)
            .env("MASSIVE_API_KEY", "sandbox-api-key");
        command
    }

    /// Runs a statement as another program would; the first column of its rows, which is a text.
    pub fn sql(&self, sql: &str) -> Vec<String> {
        self.schema.as_ref().map_or_else(|| query(&self.database(), sql), |schema| schema.query(sql))
    }

    pub fn dump(&self) -> Dump {
        self.schema.as_ref().map_or_else(|| Dump::of(&self.database()), Dump::of_schema)
    }
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn ran(command: &mut Command) -> Ran {
    finished(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

pub fn finished(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// The same, if it ended as it should.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// The one JSON object of `--json`, in its agreed shape.
    #[track_caller]
    pub fn json(&self) -> Value {
        let object: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(object["exit_code"], self.code, "{self:?}");
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        object
    }

    /// Days by outcome, from the totals.
    #[track_caller]
    pub fn days(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(self.json()["totals"]["days"].clone()).unwrap()
    }
}

/// Days by outcome, as expected.
pub fn days(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(outcome, days)| ((*outcome).to_owned(), *days)).collect()
}

/// Everything a database says about bars, without times.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dump {
    pub bars: Vec<String>,
    /// Versions loaded, not how the last attempt ended.
    pub versions: Vec<String>,
    pub coverage: Vec<String>,
    pub ledger: Vec<String>,
}

const BARS: &str = "SELECT symbol, timeframe, timestamp, open, high, low, close, volume, vwap, trades, session, vwap_method, \
    CAST(session_date AS TEXT), end_timestamp, CAST(minutes AS BIGINT) FROM historical_bars \
    ORDER BY symbol, timeframe, timestamp";

const VERSION: &str = "dataset || '|' || CAST(session_date AS TEXT) || '|' || file || '|' || coalesce(scope, '-') || '|' || \
    coalesce(object_key, '-') || '|' || coalesce(etag, '-') || '|' || coalesce(CAST(size_bytes AS TEXT), '-') || '|' || \
    rows_read || '|' || rows_rejected || '|' || symbols_seen || '|' || bars_written || '|' || coalesce(content_hash, '-')";

const LOADED: &str = "FROM ingest_ledger WHERE etag IS NOT NULL ORDER BY dataset, session_date, file";

const COVERAGE: &str = "SELECT dataset || '|' || CAST(session_date AS TEXT) || '|' || symbol || '|' || timeframes \
    FROM coverage ORDER BY dataset, session_date, symbol";

/// A row of `BARS` as a text: the same for the same bar in every database, to the last bit.
fn bar_text<'r, R: Row>(row: &'r R) -> String
where
    usize: sqlx::ColumnIndex<R>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    f64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let text = |at: usize| row.get::<Option<String>, _>(at).unwrap_or_else(|| "-".to_owned());
    let whole = |at: usize| row.get::<Option<i64>, _>(at).map_or_else(|| "-".to_owned(), |value| value.to_string());
    let number = |at: usize| row.get::<Option<f64>, _>(at).map_or_else(|| "-".to_owned(), |value| format!("{value:?}"));
    let fields = (0..15).map(|at| match at {
        2 | 9 | 13 | 14 => whole(at),
        3..=8 => number(at),
        _ => text(at),
    });
    fields.collect::<Vec<_>>().join("|")
}

impl Dump {
    pub fn of(database: &Path) -> Self {
        if !database.exists() {
            return Self::default();
        }
        Self {
            bars: rows(database, BARS).iter().map(bar_text).collect(),
            versions: query(database, &format!("SELECT {VERSION} {LOADED}")),
            ledger: query(
                database,
                &format!("SELECT {VERSION} || '|' || outcome || '|' || coalesce(detail, '-') {LOADED}"),
            ),
            coverage: query(database, COVERAGE),
        }
    }

    /// The same of a PostgreSQL schema.
    pub fn of_schema(schema: &Schema) -> Self {
        Self {
            bars: schema.rows(BARS).iter().map(bar_text).collect(),
            versions: schema.query(&format!("SELECT {VERSION} {LOADED}")),
            ledger: schema
                .query(&format!("SELECT {VERSION} || '|' || outcome || '|' || coalesce(detail, '-') {LOADED}")),
            coverage: schema.query(COVERAGE),
        }
    }

    /// Bars whose text holds something: a date, a symbol with its bar.
    pub fn bars_with(&self, part: &str) -> Vec<&str> {
        self.bars.iter().map(String::as_str).filter(|bar| bar.contains(part)).collect()
    }

    /// Bars of a symbol.
    pub fn of_symbol(&self, symbol: &str) -> Vec<&str> {
        let start = format!("{symbol}|");
        self.bars.iter().map(String::as_str).filter(|bar| bar.starts_with(&start)).collect()
    }

    /// The bars without their VWAPs.
    pub fn without_vwap(&self) -> Vec<String> {
        let less = |bar: &String| {
            let fields = bar.split('|').enumerate().filter(|(at, _)| !matches!(at, 8 | 11));
            fields.map(|(_, field)| field).collect::<Vec<_>>().join("|")
        };
        self.bars.iter().map(less).collect()
    }

    /// Bars whose text does not hold something.
    pub fn bars_without(&self, part: &str) -> Vec<&str> {
        self.bars.iter().map(String::as_str).filter(|bar| !bar.contains(part)).collect()
    }

    #[track_caller]
    pub fn assert_same_bars(&self, other: &Self) {
        assert_eq!(self.bars.len(), other.bars.len(), "number of bars");
        for (a, b) in self.bars.iter().zip(&other.bars) {
            assert_eq!(a, b);
        }
    }

    #[track_caller]
    pub fn assert_same(&self, other: &Self) {
        self.assert_same_bars(other);
        assert_eq!((&self.ledger, &self.coverage), (&other.ledger, &other.coverage));
    }
}

/// The first column of a query's rows.
pub fn query(database: &Path, sql: &str) -> Vec<String> {
    rows(database, sql).iter().map(|row| row.get::<String, _>(0)).collect()
}

/// The rows of a query.
fn rows(database: &Path, sql: &str) -> Vec<SqliteRow> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(database).busy_timeout(Duration::from_secs(10));
        let mut connection = options.connect().await.unwrap();
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
        rows
    })
}

/// Runs a statement on a file, which is made if it is not there.
pub fn query_file(file: &Path, sql: &str) {
    fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    assert!(query(file, sql).is_empty());
}

/// The vendor on loopback, on threads of its own.
pub struct Vendor {
    runtime: Runtime,
    server: Option<Server>,
}

impl Vendor {
    pub fn serve(folder: &Path) -> Self {
        Self::serve_with(folder, |_| {})
    }

    pub fn serve_with(folder: &Path, change: impl FnOnce(&mut ServeOptions)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut options = ServeOptions::new(folder);
        options.rest.now = Some(NOW.parse().unwrap());
        change(&mut options);
        let server = runtime.block_on(Server::start(options)).unwrap();
        Self { runtime, server: Some(server) }
    }

    pub fn url(&self) -> String {
        self.server.as_ref().unwrap().url()
    }

    pub fn counts(&self) -> Counts {
        self.server.as_ref().unwrap().counts()
    }

    /// GETs of each object so far, by key.
    pub fn gets(&self) -> BTreeMap<String, u64> {
        self.server.as_ref().unwrap().gets()
    }

    /// What its REST endpoints were asked so far.
    pub fn rest_counts(&self) -> RestCounts {
        self.server.as_ref().unwrap().rest_counts()
    }

    /// How often each rule of the faults has struck.
    pub fn struck(&self) -> Vec<u64> {
        self.server.as_ref().unwrap().struck()
    }

    /// What was asked since `before`: listings and objects.
    pub fn asked_since(&self, before: Counts) -> (u64, u64) {
        let now = self.counts();
        (now.list - before.list, now.get - before.get)
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

/// Sends a signal to a process.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for something to become true.
#[track_caller]
pub fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
