//! The client of the REST API against a server that answers by script: what is asked for, with what key, how each answer is
//! understood, and how many requests go out.

mod pages;
mod quota;
mod refusals;
mod runs;
#[path = "../source_s3/server.rs"]
#[expect(dead_code, reason = "objects and their ranges are of the other protocol")]
mod server;

use std::sync::Arc;
use std::time::Duration;

use barkeep::ingest::SilentReporter;
use barkeep::ingest::rest::{ApiKey, Page, Quota, RestClient, RestError, RestOptions};
use barkeep::model::Symbol;
use barkeep::net::{RateRule, Retry, RetryBudget, RetryPolicy};
use serde_json::{Value, json};

use server::{Reply, Request, Server};

const KEY: &str = "Hunter2-very-secret";
/// 2026-10-02T13:30:00Z.
const OPEN_MS: i64 = 1_790_947_800_000;
const MINUTE_MS: i64 = 60_000;

/// A client of a scripted server.
struct Bench {
    server: Server,
    client: RestClient,
}

fn retry() -> Retry {
    let millis = Duration::from_millis;
    let policy = RetryPolicy { attempts: 3, base: millis(1), cap: millis(2), retry_after_cap: millis(2500) };
    Retry::new(policy, Arc::new(RetryBudget::new(50)))
}

fn options(url: &str) -> RestOptions {
    let wait = Duration::from_millis(300);
    let key = Some(ApiKey::new(KEY).unwrap());
    let base_url = url.to_owned();
    RestOptions { base_url, key, answer_timeout: wait, stall_timeout: wait, retry: retry(), ..RestOptions::default() }
}

async fn own_quota(rate: &str) -> Quota {
    Quota::open(rate.parse::<RateRule>().unwrap(), None, Arc::new(SilentReporter)).await
}

impl Bench {
    async fn new(script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start(script).await;
        let client = RestClient::new(options(&server.endpoint), own_quota("1000/s").await).unwrap();
        Self { server, client }
    }

    /// All pages of the hour after the open.
    async fn pages(&self, ticker: &str) -> Result<Vec<Page>, RestError> {
        let symbol = Symbol::from_ticker(ticker).unwrap();
        let mut pages = self.client.minutes(&symbol, OPEN_MS..=OPEN_MS + 59 * MINUTE_MS);
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            all.push(page);
        }
        Ok(all)
    }

    /// Why the pages of SPY could not be had.
    async fn error(&self) -> RestError {
        let error = self.pages("SPY").await.unwrap_err();
        let shown = format!("{error} {error:?} {error:#?} {:?}", self.client);
        assert!(!shown.to_lowercase().contains(&KEY.to_lowercase()), "{shown}");
        error
    }
}

/// A row `minute` minutes after the open.
fn row(minute: i64) -> Value {
    json!({"t": OPEN_MS + minute * MINUTE_MS, "o": 10.0, "h": 12.5, "l": 9.5, "c": 11.0, "v": 100.5, "vw": 11.25, "n": 7})
}

/// An answer with rows and, perhaps, a next page.
fn answer(rows: impl IntoIterator<Item = Value>, next: Option<String>) -> Reply {
    let rows: Vec<_> = rows.into_iter().collect();
    let mut body = json!({"adjusted": false, "queryCount": rows.len(), "resultsCount": rows.len(), "status": "OK",
        "request_id": "R", "ticker": "SPY", "results": rows});
    if let Some(next) = next {
        body["next_url"] = next.into();
    }
    Reply::new(200, body.to_string())
}

/// The address of a page at the server that was asked.
fn page_url(request: &Request, cursor: &str) -> String {
    format!("http://{}/v2/next?cursor={cursor}", request.header("host").unwrap())
}
