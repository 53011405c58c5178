//! The vendor's REST endpoints over the same markets as its files.

mod aggs;
mod chain;
mod fault;
mod listing;
mod market_status;
mod quota;
mod refusal;
mod request;
mod series;
mod splits;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::header::{AUTHORIZATION, HOST};
use hyper::{HeaderMap, Uri};
use jiff::Timestamp;
use jiff::civil::Date;

use self::aggs::{Range, Source};
use self::quota::{Arrival, Gate};
use self::refusal::{Refusal, body_of, html};
use self::request::Asked;
use self::series::Series;
use self::splits::Dialect;
use super::Plan;
use super::bucket::Bucket;
use super::clock::SimulatedClock;
use super::script::{Action, Strike};
use crate::model;
use crate::sandbox::{FileId, Market, MarketSize};

pub use self::fault::{Body as FaultBody, RestFault};
pub use self::quota::{Quota, QuotaError, RestCounts};

pub(super) use self::fault::LANGUAGE;
pub(super) use self::request::percent_decoded as plain_path;

/// How the REST endpoints behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestOptions {
    /// The market they tell of: the files' own, if these are to agree.
    pub market: Market,
    /// The customer's key.
    pub api_key: String,
    /// What may be read; `None` for what the files' plan says.
    pub plan: Option<Plan>,
    /// How many requests are answered.
    pub quota: Option<Quota>,
    /// Whether an answer to one request too many says when to come again.
    pub retry_after: bool,
    /// How much later than traded data comes; not zero for a plan whose answers say `DELAYED`.
    pub delay: Duration,
    /// Files whose data these endpoints lack.
    pub missing: BTreeSet<FileId>,
    /// The instant that counts as now; `None` for the clock.
    pub now: Option<Timestamp>,
    /// Dates that are announced as closed, though no calendar knows it.
    pub announced: BTreeSet<Date>,
}

impl Default for RestOptions {
    fn default() -> Self {
        Self {
            market: Market { size: MarketSize::Tiny, seed: 1, splits: false },
            api_key: "sandbox-api-key".to_owned(),
            plan: None,
            quota: None,
            retry_after: false,
            delay: Duration::ZERO,
            missing: BTreeSet::new(),
            now: None,
            announced: BTreeSet::new(),
        }
    }
}

/// An answer before it is a response.
pub(super) struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
    /// Seconds.
    pub retry_after: Option<u64>,
}

const JSON: &str = "application/json";
const HTML: &str = "text/html";
/// Where the server tells what it was asked; everybody may know.
const STATS: &str = "/sandbox/stats";

/// The endpoints.
pub(super) struct Rest {
    options: RestOptions,
    plan: Plan,
    bucket: Arc<Bucket>,
    clock: Option<SimulatedClock>,
    series: Series,
    gate: Gate,
    answers: AtomicU64,
}

impl Rest {
    pub(super) fn new(
        options: RestOptions,
        files_plan: &Plan,
        bucket: Arc<Bucket>,
        clock: Option<SimulatedClock>,
    ) -> Self {
        let plan = options.plan.clone().unwrap_or_else(|| files_plan.clone());
        let gate = Gate::new(options.quota);
        Self { plan, bucket, clock, series: Series::default(), gate, answers: AtomicU64::new(0), options }
    }

    /// Whether a path is none of an object.
    pub(super) fn takes(path: &str) -> bool {
        path == STATS || ["/v1/", "/v2/", "/v3/", "/stocks/v1/"].iter().any(|prefix| path.starts_with(prefix))
    }

    pub(super) fn counts(&self) -> RestCounts {
        self.gate.counts()
    }

    /// The server's own words about itself.
    pub(super) fn stats(&self, path: &str) -> Option<Answer> {
        let body = || serde_json::to_string(&self.counts()).expect("Invariant: counts have only texts as keys");
        (path == STATS).then(|| Answer { status: 200, content_type: JSON, body: body(), retry_after: None })
    }

    /// Counts a request that comes now.
    pub(super) fn arrive(&self, path: &str) -> Arrival {
        self.gate.arrive(endpoint(path))
    }

    /// Answers a request.
    pub(super) fn answer(&self, uri: &Uri, headers: &HeaderMap, arrival: Arrival, strike: &Strike) -> Answer {
        let request_id = format!("{:032x}", self.answers.fetch_add(1, Ordering::Relaxed) + 1);
        let fault = match &strike.action {
            Some(Action::Rest(fault)) => Some(fault),
            _ => None,
        };
        let mut page = None;
        let mut answer = match fault {
            Some(RestFault::Status(status, body)) => said(*status, *body, &request_id),
            Some(RestFault::Html) => said(200, FaultBody::Html, &request_id),
            _ => {
                let body = self.allowed(uri, headers, arrival).and_then(|mut asked| {
                    page = is_whole(strike).then(|| asked.page());
                    if fault == Some(&RestFault::Adjusted) {
                        asked.parameters.insert("adjusted".to_owned(), "true".to_owned());
                    }
                    self.body(&asked, &origin(headers), &request_id, fault, strike.page_size)
                });
                match body {
                    Ok(body) => Answer { status: 200, content_type: JSON, body, retry_after: None },
                    Err(refusal) => self.refused(&refusal, &request_id),
                }
            }
        };
        if let Some(RestFault::Truncate(bytes)) = fault {
            let end = answer.body.floor_char_boundary(*bytes as usize);
            answer.body.truncate(end);
        }
        answer.retry_after = strike.retry_after.or(answer.retry_after);
        self.gate.answered(answer.status, page);
        answer
    }

    fn refused(&self, refusal: &Refusal, request_id: &str) -> Answer {
        let retry_after = match refusal {
            // Whole seconds, rounded up: the client must not come too early.
            Refusal::TooMany(wait) if self.options.retry_after => Some(wait.as_secs() + 1),
            _ => None,
        };
        Answer { status: refusal.status(), content_type: JSON, body: refusal.body(request_id), retry_after }
    }

    fn now(&self) -> Timestamp {
        let simulated = self.clock.as_ref().and_then(|clock| clock.now().ok());
        simulated.or(self.options.now).unwrap_or_else(Timestamp::now)
    }

    /// What is asked for.
    fn body(
        &self,
        asked: &Asked,
        origin: &str,
        request_id: &str,
        fault: Option<&RestFault>,
        page_size: Option<usize>,
    ) -> Result<String, Refusal> {
        let now = self.now();
        let splits = |dialect| {
            let today = model::Market::NewYork.date_of(now);
            splits::page(dialect, asked, today, self.options.market.splits, page_size)
        };
        let listing = match asked.path.as_str() {
            "/v1/marketstatus/now" => return Ok(market_status::now(now).to_string()),
            "/v1/marketstatus/upcoming" => return Ok(market_status::upcoming(now, &self.options.announced).to_string()),
            "/stocks/v1/splits" => splits(Dialect::Current)?,
            "/v3/reference/splits" => splits(Dialect::Deprecated)?,
            path if path.starts_with(chain::PATH) => {
                chain::page(&path[chain::PATH.len()..], asked, &self.options.market, &self.plan, now, page_size)?
            }
            _ => {
                let range = Range::of(asked)?;
                range.check(&self.plan, now)?;
                let versions = self.bucket.versions();
                let source = Source { options: &self.options, series: &self.series, versions: &versions, now };
                range.page(asked, &source, page_size)
            }
        };
        let listing = match fault {
            Some(fault) => listing.struck(fault),
            None => listing,
        };
        Ok(listing.into_json(origin, request_id))
    }

    /// What is asked for, if its sender may ask now.
    fn allowed(&self, uri: &Uri, headers: &HeaderMap, arrival: Arrival) -> Result<Asked, Refusal> {
        let asked = Asked::of(uri).ok_or_else(|| Refusal::Wrong("the cursor is not one of ours".to_owned()))?;
        self.check_key(&asked, headers)?;
        arrival.map_err(Refusal::TooMany)?;
        Ok(asked)
    }

    fn check_key(&self, asked: &Asked, headers: &HeaderMap) -> Result<(), Refusal> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match bearer.or(asked.api_key.as_deref()) {
            None | Some("") => Err(Refusal::NoKey),
            Some(key) if key == self.options.api_key => Ok(()),
            Some(_) => Err(Refusal::UnknownKey),
        }
    }
}

/// What a status looks like when a script asks for it.
fn said(status: u16, body: FaultBody, request_id: &str) -> Answer {
    let (content_type, body) = match body {
        FaultBody::Json => (JSON, body_of(status, request_id)),
        FaultBody::Empty => (JSON, String::new()),
        FaultBody::Html => (HTML, html(status)),
    };
    Answer { status, content_type, body, retry_after: None }
}

/// Whether a page gets to its client as it should.
fn is_whole(strike: &Strike) -> bool {
    !matches!(
        strike.action,
        Some(Action::Reset(_) | Action::Short(_) | Action::Stall(_) | Action::Rest(RestFault::Truncate(_)))
    )
}

/// The word for an endpoint in the counts.
fn endpoint(path: &str) -> &'static str {
    match path {
        _ if path.starts_with("/v2/aggs/") => "aggregates",
        "/stocks/v1/splits" => "splits",
        "/v3/reference/splits" => "reference_splits",
        _ if path.starts_with("/v1/marketstatus/") => "market_status",
        _ if path.starts_with(chain::PATH) => "option_chain",
        _ => "other",
    }
}

/// What the client knows this server as.
fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}

/// Rows of a page, as far as the parameters say.
fn limit_of(asked: &Asked, default: usize, most: usize) -> Result<usize, Refusal> {
    let Some(text) = asked.parameter("limit") else { return Ok(default) };
    let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| Refusal::Wrong(format!("'{text}' is not a valid 'limit': from 1 to {most}")))
}
