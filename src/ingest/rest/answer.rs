//! What an answer of the REST API means: the one place that looks at statuses and codes.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ApiKey, Entitlement, RestError};
use crate::net::tidy;

/// Longest answer taken, unpacked.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// Whether the vendor answers with what is known now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeliness {
    /// It does.
    UpToDate,
    /// The plan's data come late (15 minutes).
    Delayed,
}

/// An answer, whole or as far as it came.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// Where the vendor sends us, if it does.
    pub(super) location: Option<String>,
    pub(super) is_gzip: bool,
    /// When it was sent, by the vendor's clock.
    pub(super) sent_at: Option<Timestamp>,
    pub(super) body: Vec<u8>,
}

/// What every answer has around its rows.
#[derive(Debug, Deserialize)]
#[serde(bound = "R: Deserialize<'de>")]
pub(super) struct Envelope<R> {
    status: Option<String>,
    error: Option<String>,
    message: Option<String>,
    pub(super) ticker: Option<String>,
    pub(super) adjusted: Option<bool>,
    #[serde(rename = "queryCount")]
    pub(super) query_count: Option<f64>,
    pub(super) results: Option<Vec<R>>,
    pub(super) next_url: Option<String>,
}

/// The words in which something is refused.
#[derive(Debug, Default, Deserialize)]
struct Said {
    status: Option<String>,
    error: Option<String>,
    message: Option<String>,
}

impl<R> Envelope<R> {
    /// Whether the vendor calls it late. Only what is no refusal is asked.
    pub(super) fn timeliness(&self) -> Timeliness {
        if self.status.as_deref() == Some("DELAYED") { Timeliness::Delayed } else { Timeliness::UpToDate }
    }
}

impl Answer {
    /// The rows of an answer to a request for something; a refusal or a broken answer by what it means.
    pub(super) fn read<R: DeserializeOwned>(self, what: &str, key: &ApiKey) -> Result<Envelope<R>, RestError> {
        let body = self.unpacked();
        if !(200..300).contains(&self.status) {
            // What cannot be unpacked says nothing; the status does.
            return Err(self.refusal(what, key, said(&body.unwrap_or_default())));
        }
        let body = body.map_err(|error| RestError::unreachable(what, format!("the answer is damaged: {error}")))?;
        if body.len() > MOST_BYTES {
            return Err(RestError::damaged(what, format!("it is longer than {} MiB", MOST_BYTES >> 20)));
        }
        let envelope: Envelope<R> = match body.trim_ascii_start().first() {
            None => return Err(RestError::unreachable(what, "the answer is empty")),
            Some(b'<') => return Err(RestError::unreachable(what, "the answer is an HTML page where data should be")),
            // Some lists come bare.
            Some(b'[') => serde_json::from_slice(&body).map(Envelope::bare),
            Some(_) => serde_json::from_slice(&body),
        }
        .map_err(|error| unreadable(what, key, &error))?;
        match envelope.status.as_deref() {
            None | Some("OK" | "DELAYED") => Ok(envelope),
            Some(_) => {
                let Envelope { status, error, message, .. } = envelope;
                Err(self.refusal(what, key, Said { status, error, message }))
            }
        }
    }

    /// The body as it was before it was packed, or one byte more than is taken.
    fn unpacked(&self) -> io::Result<Cow<'_, [u8]>> {
        if !self.is_gzip {
            return Ok(Cow::Borrowed(&self.body));
        }
        let mut body = Vec::new();
        MultiGzDecoder::new(self.body.as_slice()).take(MOST_BYTES as u64 + 1).read_to_end(&mut body)?;
        Ok(Cow::Owned(body))
    }

    /// A request answered with anything but success.
    fn refusal(&self, what: &str, key: &ApiKey, said: Said) -> RestError {
        let status = if self.status < 300 { 200 } else { self.status };
        let code = said.status.unwrap_or_default();
        let words = said.message.or(said.error).unwrap_or_default();
        let has = |word: &str| words.to_ascii_lowercase().contains(word);
        let message = match (status, code.as_str()) {
            (200, code) => format!("{code}: {words}"),
            (status, "" | "ERROR") if words.is_empty() => format!("HTTP {status}"),
            (status, "" | "ERROR") => format!("HTTP {status}: {words}"),
            (status, code) => format!("HTTP {status} {code}: {words}"),
        };
        let message = tidy(&key.scrub(&message));
        let (what, retry_after, tried) = (what.to_owned(), self.retry_after, None);
        let is_about_key = has("unknown api key") || has("invalid api key") || has("key was not provided");
        match (status, code.as_str()) {
            (200 | 401 | 403, _) if status == 401 || is_about_key => {
                RestError::Key { detail: format!("{what}: the vendor does not accept the API key ({message})") }
            }
            (429, _) => RestError::TooManyRequests { what, message, retry_after, tried },
            (200, _) if has("exceeded the maximum requests") => {
                RestError::TooManyRequests { what, message, retry_after, tried }
            }
            (403, _) | (200, "NOT_AUTHORIZED") => {
                let why = if has("end of day") {
                    Entitlement::EndOfDay
                } else if has("timeframe") || has("history") || has("historical") {
                    Entitlement::History
                } else if has("entitled") || has("upgrade") || has("include") {
                    Entitlement::Plan
                } else {
                    Entitlement::Unknown
                };
                RestError::NotEntitled { what, why, message }
            }
            (404, _) | (200, "NOT_FOUND") => RestError::NotFound { what, message },
            (300..=399, _) => {
                let to = self.location.as_ref().map_or_else(String::new, |to| format!(" to {}", tidy(&key.scrub(to))));
                let message = format!("HTTP {status}: it redirects{to}, where the key is not sent");
                RestError::Refused { what, message }
            }
            (200 | 408 | 413 | 499 | 500.., _) => RestError::Unreachable { what, detail: message, retry_after, tried },
            _ => RestError::Refused { what, message },
        }
    }
}

impl<R> Envelope<R> {
    const fn bare(results: Vec<R>) -> Self {
        let results = Some(results);
        Self {
            status: None,
            error: None,
            message: None,
            ticker: None,
            adjusted: None,
            query_count: None,
            results,
            next_url: None,
        }
    }
}

/// What a refusal says; a page of a proxy is named and not repeated.
fn said(body: &[u8]) -> Said {
    if let Ok(said) = serde_json::from_slice(body) {
        return said;
    }
    let text = String::from_utf8_lossy(body);
    let words = if text.trim_start().starts_with('<') { "an HTML page".to_owned() } else { text.trim().to_owned() };
    Said { message: Some(words).filter(|words| !words.is_empty()), ..Said::default() }
}

/// What cannot be read as JSON was cut short or came from somebody else; what can be is of a wrong shape.
fn unreadable(what: &str, key: &ApiKey, error: &serde_json::Error) -> RestError {
    let words = tidy(&key.scrub(&error.to_string()));
    if error.is_eof() {
        RestError::unreachable(what, format!("the answer is cut short ({words})"))
    } else if error.is_data() {
        RestError::damaged(what, words)
    } else {
        RestError::unreachable(what, format!("the answer is not JSON ({words})"))
    }
}
