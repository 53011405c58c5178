//! What goes wrong between a vendor and a file on this disk, by what it means.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::net::{GaveUp, RetryError, Retryable};

/// Why a listing or an object could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such object.
    #[error("{object} is not there")]
    NotFound {
        /// Bucket and key, or path.
        object: String,
    },
    /// The vendor knows who asks and says no: the plan does not include it.
    #[error(
        "{object}: the vendor refuses it ({code}: {message}); the subscription's plan does not include this dataset or date"
    )]
    NotEntitled {
        /// Bucket and key.
        object: String,
        /// The vendor's code.
        code: String,
        /// The vendor's words.
        message: String,
    },
    /// No credentials, or none the vendor accepts.
    #[error(
        "{detail}; set MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY to the S3 key pair of your dashboard (it is not the REST API key)"
    )]
    Credentials {
        /// What was wrong with them.
        detail: String,
    },
    /// Requests are signed with the time of day, and this machine's is wrong.
    #[error(
        "{object}: the vendor refuses the request because this machine's clock is off ({message}); set the clock (NTP) and run again"
    )]
    ClockSkew {
        /// Bucket and key or prefix.
        object: String,
        /// The vendor's words.
        message: String,
    },
    /// The object is another version than the listing's.
    #[error("{object} was replaced at the vendor while it was being read; list it again")]
    Changed {
        /// Bucket and key, or path.
        object: String,
    },
    /// There is no such bucket.
    #[error("there is no bucket `{bucket}` at {endpoint}; check MASSIVE_S3_BUCKET and MASSIVE_S3_ENDPOINT")]
    NoSuchBucket {
        /// Its name.
        bucket: String,
        /// Where it was looked for.
        endpoint: String,
    },
    /// Somebody answers whose certificate this machine does not trust.
    #[error(
        "{endpoint} cannot be trusted ({detail}); check the address, and that this machine has root certificates (package ca-certificates) and the right time"
    )]
    Untrusted {
        /// Who was asked.
        endpoint: String,
        /// What is wrong with the certificate.
        detail: String,
    },
    /// It may work later: the network broke, or the vendor was busy.
    #[error("{object}: {detail}{}", .tried.map_or_else(String::new, |tried| format!(" ({tried})")))]
    Unreachable {
        /// Bucket and key or prefix.
        object: String,
        /// What happened.
        detail: String,
        /// How long the vendor asked to wait.
        retry_after: Option<Duration>,
        /// What was tried before giving up.
        tried: Option<Tried>,
    },
    /// The object has another size than its listing.
    #[error("{object} has {got} bytes where the listing has {expected}")]
    SizeMismatch {
        /// Bucket and key.
        object: String,
        /// Bytes according to the listing.
        expected: u64,
        /// Bytes according to the answer.
        got: u64,
    },
    /// An answer that makes no sense, or a refusal of no known kind.
    #[error("{object}: unexpected answer: {detail}")]
    Unexpected {
        /// Bucket and key or prefix.
        object: String,
        /// What was wrong with it.
        detail: String,
    },
    /// A file on this machine could not be read or written.
    #[error("{}: {error}{}", .path.display(), if *full { "; free some space or choose another directory with BARKEEP_CACHE_DIR" } else { "" })]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// No room left.
        full: bool,
        /// The operating system's words.
        error: io::Error,
    },
    /// The folder given as a source is none.
    #[error("{}: {detail}; expected a mirror of the bucket (us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz below it) or a folder of day files (2026-10-02.csv.gz in it)", .path.display())]
    BadFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The address of the endpoint cannot be used.
    #[error("the S3 endpoint {detail}; expected something like https://files.massive.com")]
    BadEndpoint {
        /// What is wrong with it.
        detail: String,
    },
}

/// The story of an operation that was given up. How long it took is no part of it: reasons of gaps are made of it, and the same
/// run gives the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Attempts made.
    pub attempts: u32,
    /// Given up because the run's retries were spent, not this operation's.
    pub budget_spent: bool,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.attempts == 1 { "" } else { "s" };
        write!(f, "given up after {} attempt{s}", self.attempts)?;
        if self.budget_spent { f.write_str(", the run has spent its retries") } else { Ok(()) }
    }
}

impl SourceError {
    /// Whether it would meet every other object as well, so that the run had better end.
    pub const fn is_common_cause(&self) -> bool {
        matches!(
            self,
            Self::Credentials { .. }
                | Self::ClockSkew { .. }
                | Self::NoSuchBucket { .. }
                | Self::Untrusted { .. }
                | Self::BadEndpoint { .. }
                | Self::BadFolder { .. }
                | Self::Disk { full: true, .. }
        )
    }

    /// A transient failure that has not been retried yet.
    pub(super) fn unreachable(object: &str, detail: impl Into<String>) -> Self {
        Self::Unreachable { object: object.to_owned(), detail: detail.into(), retry_after: None, tried: None }
    }

    /// A failed file operation.
    pub(super) fn disk(path: &Path, error: io::Error) -> Self {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        Self::Disk { path: path.to_owned(), full, error }
    }
}

impl Retryable for SourceError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<RetryError<Self>> for SourceError {
    fn from(error: RetryError<Self>) -> Self {
        let story = Tried { attempts: error.attempts, budget_spent: error.gave_up == GaveUp::Budget };
        match error.error {
            Self::Unreachable { object, detail, retry_after, tried: None } => {
                Self::Unreachable { object, detail, retry_after, tried: Some(story) }
            }
            other => other,
        }
    }
}
