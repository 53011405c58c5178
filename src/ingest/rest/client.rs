//! Requests: one at a time, with the key, within the quota, tried again where that may help.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, DATE, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Response};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use url::Url;

use super::answer::{Answer, Envelope, MOST_BYTES};
use super::{ApiKey, Quota, RestError};
use crate::ingest::report::{Reporter, SilentReporter};
use crate::net::{
    NoAnswer, Rate, Refused, Retry, chain, host_and_port, http_client, no_answer, parse_http_date, parse_retry_after,
    tidy,
};

/// Longest refusal read; the rest of it is words.
const MOST_REFUSAL_BYTES: usize = 64 << 10;

/// Seconds from a request to its rows in the database, with several under way.
const USUAL_SECONDS: f64 = 0.05;

/// How to reach the REST API. Start from [`RestOptions::default`].
#[derive(Debug, Clone)]
pub struct RestOptions {
    /// Address, `https://host[:port]`.
    pub base_url: String,
    /// Who asks. Without a key nothing is asked.
    pub key: Option<ApiKey>,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time to the head of an answer.
    pub answer_timeout: Duration,
    /// Longest time without a byte in the middle of an answer.
    pub stall_timeout: Duration,
    /// How to try again; one budget for the whole run.
    pub retry: Retry,
    /// Hears of long waits.
    pub reporter: Arc<dyn Reporter>,
}

impl Default for RestOptions {
    fn default() -> Self {
        Self {
            base_url: "https://api.massive.com".to_owned(),
            key: None,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_mins(1),
            stall_timeout: Duration::from_secs(20),
            retry: Retry::default(),
            reporter: Arc::new(SilentReporter),
        }
    }
}

/// What was asked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestCounts {
    /// Requests sent, each page and each further attempt being one.
    pub requests: u64,
    /// Bytes of answers that came over the network.
    pub bytes: u64,
    /// Answers that said "too many requests".
    pub too_many: u64,
    /// Requests that were sent again.
    pub retries: u64,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    too_many: AtomicU64,
    retries: AtomicU64,
}

/// The vendor's REST API, ready to be asked. The key goes to its origin and nowhere else.
pub struct RestClient {
    http: Client,
    base: Url,
    pub(super) key: ApiKey,
    bearer: HeaderValue,
    answer_timeout: Duration,
    stall_timeout: Duration,
    retry: Retry,
    reporter: Arc<dyn Reporter>,
    quota: Quota,
    counters: Counters,
}

impl fmt::Debug for RestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestClient")
            .field("base", &self.base.as_str())
            .field("key", &self.key)
            .field("quota", &self.quota)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl RestClient {
    /// Prepares requests; none is made yet.
    pub fn new(options: RestOptions, quota: Quota) -> Result<Self, RestError> {
        let base = checked_base(&options.base_url)?;
        let key = options.key.ok_or_else(RestError::no_key)?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
            .expect("Invariant: a key has visible ASCII characters only");
        bearer.set_sensitive(true);
        let http = http_client(&base, options.connect_timeout).build();
        let http = http.map_err(|error| RestError::BadAddress { detail: chain(&error) })?;
        Ok(Self {
            http,
            base,
            key,
            bearer,
            answer_timeout: options.answer_timeout,
            stall_timeout: options.stall_timeout,
            retry: options.retry,
            reporter: options.reporter,
            quota,
            counters: Counters::default(),
        })
    }

    /// Its address, for people.
    pub fn describe(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The quota it keeps to.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    /// How many seconds so many requests take from now: as long as the quota makes them wait, but not less than they usually
    /// take with several under way.
    pub fn seconds_for(&self, requests: u64) -> f64 {
        self.quota.seconds_for(requests).max(requests as f64 * USUAL_SECONDS)
    }

    /// What was asked so far.
    pub fn counts(&self) -> RestCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { requests, bytes, too_many, retries } = &self.counters;
        RestCounts { requests: read(requests), bytes: read(bytes), too_many: read(too_many), retries: read(retries) }
    }

    /// The address of a path, given by its segments, each of them any text.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Where an answer says that it goes on: below the address of the API, without a key.
    pub(super) fn next_url(&self, what: &str, next: &str) -> Result<Url, RestError> {
        let unusable = |_| RestError::damaged(what, "its next_url is not an address");
        let mut url = self.base.join(next).map_err(unusable)?;
        let origin = |url: &Url| format!("{}://{}", url.scheme(), host_and_port(url));
        if url.origin() != self.base.origin() || !url.username().is_empty() || url.password().is_some() {
            let (other, own) = (self.key.scrub(&origin(&url)), origin(&self.base));
            return Err(RestError::OtherOrigin { what: what.to_owned(), other, own });
        }
        url.set_fragment(None);
        let is_key = |name: &str| name.eq_ignore_ascii_case("apikey");
        if url.query_pairs().any(|(name, _)| is_key(&name)) {
            let rest: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| !is_key(name)).collect();
            url.query_pairs_mut().clear().extend_pairs(rest);
        }
        Ok(url)
    }

    /// Words of the vendor's, fit for a message.
    pub(super) fn harmless(&self, words: &str) -> String {
        tidy(&self.key.scrub(words))
    }

    /// Asks until there is an answer, as often as it may help. `what` is what errors call it.
    pub(super) async fn ask<R: DeserializeOwned>(&self, what: &str, url: &Url) -> Result<Envelope<R>, RestError> {
        let note = |message: &str| self.reporter.note(message);
        let mut attempts = self.retry.begin(&note);
        loop {
            let permit = self.quota.acquire().await;
            let sent_at = permit.rate();
            let answer = self.send(what, url, permit).await;
            let error = match answer.and_then(|answer| answer.read(what, &self.key)) {
                Ok(envelope) => {
                    attempts.succeeded();
                    return Ok(envelope);
                }
                Err(error) => error,
            };
            if self.heed(&error, sent_at).await {
                attempts.failed(error).await?;
            }
            self.counters.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes note of a failure of a request that was sent at a rate; says whether it counts as a failed attempt.
    pub(super) async fn heed(&self, error: &RestError, sent_at: Rate) -> bool {
        let RestError::TooManyRequests { retry_after, .. } = error else { return true };
        self.counters.too_many.fetch_add(1, Ordering::Relaxed);
        // What was sent at a rate that is history says nothing about the one that is kept now.
        self.quota.refused(sent_at, *retry_after).await == Refused::Stands
    }

    pub(super) async fn send(&self, what: &str, url: &Url, permit: super::Permit) -> Result<Answer, RestError> {
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let request = self.http.get(url.clone()).header(AUTHORIZATION, &self.bearer);
        let request = request.header(ACCEPT, "application/json").header(ACCEPT_ENCODING, "gzip");
        let response = match timeout(self.answer_timeout, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                if error.is_connect() {
                    permit.unused();
                }
                return Err(self.no_answer(what, error));
            }
            Err(_) => {
                let (host, seconds) = (host_and_port(&self.base), self.answer_timeout.as_secs_f64());
                return Err(RestError::unreachable(what, format!("no answer from {host} in {seconds} s")));
            }
        };
        permit.answered();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: header(RETRY_AFTER).and_then(|value| parse_retry_after(value, Timestamp::now())),
            sent_at: header(DATE).and_then(parse_http_date),
            location: header(LOCATION).map(str::to_owned),
            is_gzip: header(CONTENT_ENCODING).is_some_and(|coding| coding.trim().eq_ignore_ascii_case("gzip")),
            body: Vec::new(),
        };
        let is_success = response.status().is_success();
        let most = if is_success { MOST_BYTES } else { MOST_REFUSAL_BYTES };
        let arrived = self.read_body(what, response, &mut answer.body, most).await;
        self.counters.bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
        // Of a refusal the status says enough.
        if is_success { arrived.map(|()| answer) } else { Ok(answer) }
    }

    /// Reads a body until its end, or until it is longer than it may be.
    async fn read_body(
        &self,
        what: &str,
        mut response: Response,
        body: &mut Vec<u8>,
        most: usize,
    ) -> Result<(), RestError> {
        while body.len() <= most {
            match timeout(self.stall_timeout, response.chunk()).await {
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => {
                    let why = chain(&error.without_url());
                    return Err(RestError::unreachable(what, format!("the answer broke off: {why}")));
                }
                Err(_) => {
                    let seconds = self.stall_timeout.as_secs_f64();
                    return Err(RestError::unreachable(
                        what,
                        format!("nothing more came of the answer for {seconds} s"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// What a request without an answer means.
    fn no_answer(&self, what: &str, error: reqwest::Error) -> RestError {
        let host = host_and_port(&self.base);
        match no_answer(&host, error) {
            NoAnswer { why, is_untrusted: true, .. } => RestError::Untrusted { host, detail: why },
            NoAnswer { why, .. } => RestError::unreachable(what, why),
        }
    }
}

/// The address of the API, if it is one and nothing more. A bad one is not repeated: a password may stand in it.
fn checked_base(text: &str) -> Result<Url, RestError> {
    let bad = |detail: &str| Err(RestError::BadAddress { detail: detail.to_owned() });
    match Url::parse(text.trim()) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => bad("does not start with https:// or http://"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => bad("has a user name or password in it"),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => bad("has a `?` or `#` part"),
        Ok(url) => Ok(url),
        Err(_) => bad("is not an address"),
    }
}
