//! What goes wrong between the vendor's REST API and this program, by what it means.

use std::time::Duration;

use crate::ingest::source::Tried;
use crate::net::{GaveUp, RetryError, Retryable};

/// What a plan does not include.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entitlement {
    /// The market or the endpoint.
    Plan,
    /// Dates as old as these; the vendor says the same of dates that are yet to come.
    History,
    /// A day that is not over.
    EndOfDay,
    /// The vendor does not say.
    Unknown,
}

impl Entitlement {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Plan => "the subscription's plan does not include this market",
            Self::History => {
                "the subscription's plan does not reach back to these dates; ask for later ones (--from, --days)"
            }
            Self::EndOfDay => "the subscription's plan has days only when they are over",
            Self::Unknown => "the subscription's plan may not include this market or these dates",
        }
    }
}

/// Why the REST API did not give what was asked. None of the messages has the key in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// No key, or none the vendor accepts.
    #[error("{detail}; set MASSIVE_API_KEY to the API key of your dashboard (it is not the S3 key pair)")]
    Key {
        /// What was wrong with it.
        detail: String,
    },
    /// The vendor knows who asks and says no.
    #[error("{what}: the vendor refuses it ({message}); {}", .why.words())]
    NotEntitled {
        /// What was asked for.
        what: String,
        /// What the plan lacks.
        why: Entitlement,
        /// The vendor's words.
        message: String,
    },
    /// The vendor knows no such ticker or path.
    #[error(
        "{what}: the vendor does not know it ({message}); check how the symbol is written, upper and lower case included"
    )]
    NotFound {
        /// What was asked for.
        what: String,
        /// The vendor's words.
        message: String,
    },
    /// More requests than the plan allows, or than somebody else with the same key has left.
    #[error(
        "{what}: too many requests for this API key ({message}){}; ask less often with --rate=5/min, or see who else uses the key",
        story(.tried.as_ref())
    )]
    TooManyRequests {
        /// What was asked for.
        what: String,
        /// The vendor's words.
        message: String,
        /// How long the vendor asked to wait.
        retry_after: Option<Duration>,
        /// What was tried before giving up.
        tried: Option<Tried>,
    },
    /// It may work later: the network broke, or the vendor was busy.
    #[error("{what}: {detail}{}", story(.tried.as_ref()))]
    Unreachable {
        /// What was asked for.
        what: String,
        /// What happened.
        detail: String,
        /// How long the vendor asked to wait.
        retry_after: Option<Duration>,
        /// What was tried before giving up.
        tried: Option<Tried>,
    },
    /// Somebody answers whose certificate this machine does not trust.
    #[error(
        "{host} cannot be trusted ({detail}); check MASSIVE_API_URL, and that this machine has root certificates (package ca-certificates) and the right time"
    )]
    Untrusted {
        /// Who was asked.
        host: String,
        /// What is wrong with the certificate.
        detail: String,
    },
    /// The next page is said to be at another place than the one that is configured, where the key does not go.
    #[error(
        "{what}: the answer goes on at {other}, and the key is sent to {own} only; set MASSIVE_API_URL to the address that the vendor uses"
    )]
    OtherOrigin {
        /// What was asked for.
        what: String,
        /// Where the next page is said to be.
        other: String,
        /// What is configured.
        own: String,
    },
    /// Pages that lead nowhere.
    #[error("{what}: {detail}, so the answer would have no end; nothing of it is taken from here on")]
    Endless {
        /// What was asked for.
        what: String,
        /// What was seen.
        detail: String,
    },
    /// An answer that cannot be right.
    #[error("{what}: the answer cannot be used: {detail}")]
    Damaged {
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A refusal of no known kind, which would be the same again.
    #[error("{what}: the vendor refuses the request ({message})")]
    Refused {
        /// What was asked for.
        what: String,
        /// The vendor's words.
        message: String,
    },
    /// The address of the API cannot be used.
    #[error("the address of the REST API {detail}; expected something like https://api.massive.com in MASSIVE_API_URL")]
    BadAddress {
        /// What is wrong with it.
        detail: String,
    },
}

fn story(tried: Option<&Tried>) -> String {
    tried.map_or_else(String::new, |tried| format!(" ({tried})"))
}

impl RestError {
    /// Whether it would meet every other request as well, so that the run had better end.
    pub const fn is_common_cause(&self) -> bool {
        matches!(self, Self::Key { .. } | Self::Untrusted { .. } | Self::BadAddress { .. })
    }

    /// Nobody asks.
    pub fn no_key() -> Self {
        Self::Key { detail: "there is no API key".to_owned() }
    }

    /// A transient failure that has not been retried yet.
    pub(in crate::ingest) fn unreachable(what: &str, detail: impl Into<String>) -> Self {
        Self::Unreachable { what: what.to_owned(), detail: detail.into(), retry_after: None, tried: None }
    }

    /// An answer that cannot be right.
    pub(in crate::ingest) fn damaged(what: &str, detail: impl Into<String>) -> Self {
        Self::Damaged { what: what.to_owned(), detail: detail.into() }
    }
}

impl Retryable for RestError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TooManyRequests { .. })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { retry_after, .. } | Self::TooManyRequests { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<RetryError<Self>> for RestError {
    fn from(error: RetryError<Self>) -> Self {
        let story = Tried { attempts: error.attempts, budget_spent: error.gave_up == GaveUp::Budget };
        let mut error = error.error;
        if let Self::Unreachable { tried, .. } | Self::TooManyRequests { tried, .. } = &mut error {
            *tried = Some(story);
        }
        error
    }
}
