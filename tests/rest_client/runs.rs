//! Runs over a service that answers by script, into a database.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barkeep::ingest::SilentReporter;
use barkeep::ingest::rest::{Asked, RestClient, RestReport, Tools, make_plan, run};
use barkeep::model::{Dataset, FileKind, Market, Outcome, Symbol};
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{Attempt, DayState, FileVersion, Ledger, LoadRate, Noting, Restatement, StoreError};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Request, Server};
use crate::{options, own_quota, page_url, row};

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
    page_of(request.path.split('/').nth(4).unwrap(), minutes, None)
}

fn page_of(ticker: &str, minutes: &[i64], next: Option<String>) -> Reply {
    let rows: Vec<_> = minutes.iter().map(|minute| row(*minute)).collect();
    let mut body = json!({"adjusted": false, "queryCount": rows.len(), "resultsCount": rows.len(), "status": "OK",
        "request_id": "R", "ticker": ticker, "results": rows});
    if let Some(next) = next {
        body["next_url"] = next.into();
    }
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
    // B-05
    let report = load(&["SPY"], DAY..=DAY, "2026-10-02T13:31:58Z", |request, _| {
        std::thread::sleep(Duration::from_millis(2100));
        of_symbol(request, &[0, 1])
    })
    .await;
    assert_eq!(told(&report), [("SPY", DAY, Outcome::Provisional, 1)]);
}

/// The date that a request of minutes reaches to.
fn reaches(request: &Request) -> Date {
    let to = request.path.split('/').nth(9).unwrap();
    Market::NewYork.date_of(Timestamp::from_millisecond(to.parse().unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_without_the_session_under_way_has_the_days_before() {
    const TODAY: Date = date(2026, 10, 5);
    for (words, outcome) in [
        ("Attempted to request today's data before end of day. Please upgrade your plan", Outcome::NotDue),
        ("Your plan doesn't include this data timeframe. Please upgrade your plan", Outcome::NotDue),
        ("You are not entitled to this data. Please upgrade your plan", Outcome::NotEntitled),
    ] {
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let report = load(&["AAPL", "SPY"], DAY..=TODAY, "2026-10-05T16:00:00Z", move |request, _| {
            count.fetch_add(1, Ordering::Relaxed);
            if reaches(request) == TODAY {
                return Reply::new(403, json!({"status": "NOT_AUTHORIZED", "message": words}).to_string());
            }
            of_symbol(request, &[0])
        })
        .await;
        let expected = ["AAPL", "SPY"].map(|symbol| [(symbol, DAY, Outcome::Loaded, 1), (symbol, TODAY, outcome, 0)]);
        assert_eq!(told(&report), expected.concat(), "{words}");
        assert!(report.days[1].detail.as_ref().unwrap().contains(words), "{:?}", report.days[1]);
        assert!(asked.load(Ordering::Relaxed) <= 5, "found once for all symbols, but for those under way");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_out_of_order_make_no_half_days() {
    const BEFORE: Date = date(2026, 10, 1);
    const A_DAY: i64 = 24 * 60;
    let report = load(&["SPY"], BEFORE..=DAY, "2026-10-05T16:00:00Z", |request, _| {
        of_symbol(request, &[1, -A_DAY, 0, 1 - A_DAY])
    })
    .await;
    assert_eq!(told(&report), [("SPY", BEFORE, Outcome::Loaded, 2), ("SPY", DAY, Outcome::Loaded, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_goes_back_ends_with_the_days_that_were_whole() {
    const BEFORE: Date = date(2026, 10, 1);
    const A_DAY: i64 = 24 * 60;
    let report = load(&["SPY"], BEFORE..=DAY, "2026-10-05T16:00:00Z", |request, _| {
        if request.path.ends_with("/next") {
            return page_of("SPY", &[5 - A_DAY, 6], None);
        }
        page_of("SPY", &[-A_DAY, 0, 5], Some(page_url(request, "2")))
    })
    .await;
    assert_eq!(told(&report), [("SPY", BEFORE, Outcome::Loaded, 1), ("SPY", DAY, Outcome::Damaged, 0)]);
}
