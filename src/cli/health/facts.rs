//! What is known before it is judged.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::ingest::rest::QuotaUse;
use crate::model::Problem;
use crate::store::{Facts, OutboxDepth, QueueDepth, RunRecord};

/// What is known before it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct HealthFacts {
    /// The moment they are of.
    pub(in crate::cli) now: Timestamp,
    /// What the database says of itself.
    pub(in crate::cli) database: Facts,
    pub(in crate::cli) nightly: NightlyFacts,
    pub(in crate::cli) days: DayFacts,
    pub(in crate::cli) queue: QueueDepth,
    /// Requests that are tried again and again, if there are any.
    pub(in crate::cli) put_off: Option<Problem>,
    pub(in crate::cli) outbox: OutboxDepth,
    pub(in crate::cli) quota: QuotaUse,
    pub(in crate::cli) disks: Vec<DiskFacts>,
}

/// What nightly runs have left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct NightlyFacts {
    /// The latest, newest first.
    pub(in crate::cli) runs: Vec<RunRecord>,
    /// The last session up to which everything due was there at the end of a run.
    pub(in crate::cli) complete_to: Option<Date>,
}

/// The latest sessions of what is kept filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct DayFacts {
    /// Active symbols on the watchlist.
    pub(in crate::cli) watched: u64,
    /// Markets that are loaded whole, where nothing is watched.
    pub(in crate::cli) markets: u64,
    /// Symbols that are not judged because a request of theirs is open.
    pub(in crate::cli) awaited: u64,
    /// What is missing, by symbol or market.
    pub(in crate::cli) missing: Vec<MissingDays>,
}

/// Days that are missing of a symbol, or of a market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct MissingDays {
    pub(in crate::cli) of: String,
    /// Ascending.
    pub(in crate::cli) dates: Vec<Date>,
}

/// Room on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct DiskFacts {
    /// `database` or `cache`.
    pub(in crate::cli) of: &'static str,
    /// What there is, or why it cannot be told.
    pub(in crate::cli) free_bytes: Result<u64, String>,
}
