//! Runs over a service that answers by script, into a database.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use barkeep::ingest::SilentReporter;
use barkeep::ingest::rest::{Asked, RestClient, RestReport, Tools, make_plan, run};
use barkeep::model::{Dataset, FileKind, Outcome, Symbol};
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{Attempt, DayState, FileVersion, Ledger, LoadRate, Noting, Restatement, StoreError};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Request, Server};
use crate::{options, own_quota, row};

const DAY: Date = date(2026, 10, 2);

/// A ledger that panics when it is asked about a symbol.
struct Cursed(SqliteStore);

impl Ledger for Cursed {
    async fn day_states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        self.0.day_states(dataset, range).await
    }

    async fn symbol_states(
        &mut self,
        symbol: &Symbol,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        assert_ne!(symbol.as_str(), "QQQ", "asked about the symbol that nobody may ask about");
        self.0.symbol_states(symbol, range).await
    }

    async fn record_attempt(&mut self, _: Dataset, _: Date, _: FileKind, _: &Attempt) -> Result<(), StoreError> {
        unreachable!("a ledger to look at")
    }

    async fn record_same_content(
        &mut self,
        _: Dataset,
        _: Date,
        _: FileKind,
        _: &FileVersion,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        unreachable!("a ledger to look at")
    }

    async fn restatements(&mut self, _: RangeInclusive<Date>) -> Result<Vec<Restatement>, StoreError> {
        unreachable!("a ledger to look at")
    }

    async fn load_rate(&mut self, _: bool) -> Result<Option<LoadRate>, StoreError> {
        unreachable!("a ledger to look at")
    }

    async fn record_load_rate(&mut self, _: bool, _: LoadRate) -> Result<(), StoreError> {
        unreachable!("a ledger to look at")
    }
}

/// Loads minutes of symbols into a new database.
async fn load(
    symbols: &[&str],
    range: RangeInclusive<Date>,
    now: &str,
    script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> RestReport {
    let server = Server::start(script).await;
    let mut options = options(&server.endpoint);
    options.answer_timeout = Duration::from_secs(20);
    let client = Arc::new(RestClient::new(options, own_quota("1000/s").await).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    let mut notes = store.notes().await.unwrap();
    let asked = Asked {
        dataset: Dataset::Stocks,
        range,
        timeframes: "1m".parse().unwrap(),
        exact_vwap: false,
        absent: Default::default(),
        force: false,
        now: now.parse().unwrap(),
    };
    let symbols: Vec<Symbol> = symbols.iter().map(|ticker| Symbol::from_ticker(ticker).unwrap()).collect();
    let plan = make_plan(asked, &symbols, Some(&mut store), Some(&mut notes)).await.unwrap();
    let tools = Tools {
        client,
        ledger: Arc::new(Mutex::new(Cursed(SqliteStore::open(&path).await.unwrap()))),
        notes,
        concurrency: 2,
        outage_patience: Duration::from_secs(1),
        reporter: Arc::new(SilentReporter),
        stop: CancellationToken::new(),
    };
    let (report, failure) = run(vec![plan], &mut store, tools).await;
    assert!(failure.is_none(), "{failure:?}");
    report
}

fn told(report: &RestReport) -> Vec<(&str, Date, Outcome, u64)> {
    report.days.iter().map(|day| (day.symbol.as_str(), day.date, day.outcome, day.bars)).collect()
}

/// Rows of whatever symbol was asked for, minutes after the open of the day.
fn of_symbol(request: &Request, minutes: &[i64]) -> Reply {
    let ticker = request.path.split('/').nth(4).unwrap();
    let rows: Vec<_> = minutes.iter().map(|minute| row(*minute)).collect();
    let body = json!({"adjusted": false, "queryCount": rows.len(), "resultsCount": rows.len(), "status": "OK",
        "request_id": "R", "ticker": ticker, "results": rows});
    Reply::new(200, body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_panics_is_a_failed_day_and_the_run_goes_on() {
    let loading =
        load(&["AAPL", "QQQ", "SPY"], DAY..=DAY, "2026-10-05T16:00:00Z", |request, _| of_symbol(request, &[0]));
    let report = tokio::time::timeout(Duration::from_secs(30), loading).await.expect("it ends");
    assert_eq!(
        told(&report),
        [("AAPL", DAY, Outcome::Loaded, 1), ("QQQ", DAY, Outcome::Failed, 0), ("SPY", DAY, Outcome::Loaded, 1)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_that_ends_while_its_answer_is_on_the_way_is_withheld() {
    let report = load(&["SPY"], DAY..=DAY, "2026-10-02T13:31:58Z", |request, _| {
        std::thread::sleep(Duration::from_millis(2100));
        of_symbol(request, &[0, 1])
    })
    .await;
    assert_eq!(told(&report), [("SPY", DAY, Outcome::Provisional, 1)]);
}
