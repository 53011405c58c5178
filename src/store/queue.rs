//! Requests to load symbols, which processors take one another's work off.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::StoreError;

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestStatus {
    /// It waits to be claimed, for the first time or again.
    Pending,
    /// A processor has claimed it.
    Processing,
    /// It has brought bars, and all that there are or most.
    Completed,
    /// It has brought nothing, and will not be tried again by itself.
    Failed,
}

impl RequestStatus {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The status a word stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Pending, Self::Processing, Self::Completed, Self::Failed];
        all.into_iter().find(|status| status.as_str() == word)
    }
}

/// What came of a request in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestOutcome {
    /// Every due day it asks for is loaded.
    Loaded,
    /// Bars are loaded, but days are missing.
    Partial,
    /// The vendor has nothing of this symbol on these days.
    NoData,
    /// The vendor's plan includes none of these days.
    NotEntitled,
    /// It makes no sense: no symbol, no dates, no timeframes.
    Invalid,
    /// It failed too often in ways that should have passed.
    Dead,
}

impl RequestOutcome {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Loaded, Self::Partial, Self::NoData, Self::NotEntitled, Self::Invalid, Self::Dead];

    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Partial => "partial",
            Self::NoData => "no_data",
            Self::NotEntitled => "not_entitled",
            Self::Invalid => "invalid",
            Self::Dead => "dead",
        }
    }

    /// The outcome a word stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// The status of a request that ended so.
    pub const fn status(self) -> RequestStatus {
        match self {
            Self::Loaded | Self::Partial => RequestStatus::Completed,
            Self::NoData | Self::NotEntitled | Self::Invalid | Self::Dead => RequestStatus::Failed,
        }
    }
}

/// What a request asks for. Other programs write these rows, so nothing here is known to make sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// The ticker as the vendor spells it.
    pub symbol: String,
    /// Calendar days up to the newest, where no first date is named.
    pub days_to_backfill: u32,
    /// First date; `None`: as `days_to_backfill` says.
    pub from: Option<Date>,
    /// Last date; `None`: the newest there is.
    pub to: Option<Date>,
    /// Lengths of bars, with commas between.
    pub timeframes: String,
    /// Higher ones are served first.
    pub priority: i32,
}

/// A row of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedRequest {
    /// Its number.
    pub id: i64,
    /// What it asks for.
    pub request: NewRequest,
    /// How far it is.
    pub status: RequestStatus,
    /// What came of it.
    pub outcome: Option<RequestOutcome>,
    /// When it was made.
    pub requested_at: Timestamp,
    /// When it was last claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Why it failed, or what is missing; of one that waits: why it was tried in vain.
    pub error_message: Option<String>,
    /// How often it was tried in vain.
    pub retry_count: u32,
    /// It is not claimed before.
    pub not_before: Option<Timestamp>,
    /// Who works on it.
    pub lease_owner: Option<String>,
    /// Days it asks for, as far as known.
    pub days_total: Option<u32>,
    /// Days of these that are done.
    pub days_done: u32,
}

/// A claim on a request. Whoever claims it next has a higher token, and what comes with a lower one changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Held {
    /// The request.
    pub id: i64,
    /// The claim.
    pub token: i64,
}

/// A request that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedRequest {
    /// The claim.
    pub held: Held,
    /// The request.
    pub request: NewRequest,
    /// How often it was tried in vain before.
    pub retry_count: u32,
}

/// How far a request that is held is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestProgress {
    /// The claim.
    pub held: Held,
    /// Days it asks for.
    pub days_total: u32,
    /// Days that are done.
    pub days_done: u32,
}

/// How a claim ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestEnd {
    /// The request has ended.
    Ended {
        /// How.
        outcome: RequestOutcome,
        /// Why, or what is missing.
        message: Option<String>,
    },
    /// It failed and is to be tried again.
    Retry {
        /// How long it waits.
        pause: Duration,
        /// Why it failed.
        message: String,
    },
    /// It was not finished and not tried in vain: the processor stops. It can be claimed at once.
    GivenBack,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Requests that wait, for a pause to pass included.
    pub pending: u64,
    /// Requests that are worked on.
    pub processing: u64,
    /// Requests whose processor's lease has ended, of those.
    pub abandoned: u64,
    /// Requests that ended as dead.
    pub dead: u64,
    /// When the oldest one that could be claimed now was made.
    pub oldest_pending: Option<Timestamp>,
}

/// The queue of requests. Instants of leases and pauses are the database's own (its server's clock; this machine's for a
/// file), so that processors need not agree on the time.
pub trait Queue: Send {
    /// Adds requests; says how many. One that equals an open request is not added.
    fn enqueue(&mut self, requests: &[NewRequest]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Claims requests that can be: pending ones whose pause is over, and those of processors whose leases have ended (which
    /// counts as tried in vain). Highest priority first, then oldest. Never one of a symbol that another processor holds a
    /// request of; all that can be claimed of a symbol go together, so `most` may be exceeded by some.
    fn claim_requests(
        &mut self,
        owner: &str,
        lease: Duration,
        most: u32,
    ) -> impl Future<Output = Result<Vec<ClaimedRequest>, StoreError>> + Send;

    /// Prolongs leases; says which of the claims still hold.
    fn renew_requests(
        &mut self,
        held: &[Held],
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<Held>, StoreError>> + Send;

    /// Shows how far requests are. What is not held any more is left alone.
    fn note_progress(&mut self, progress: &[RequestProgress]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends claims, all in one transaction; says which of them still held. The others change nothing.
    fn end_requests(
        &mut self,
        ends: &[(Held, RequestEnd)],
    ) -> impl Future<Output = Result<Vec<Held>, StoreError>> + Send;

    /// Rows of the queue: open ones as they will be claimed, then the latest `ended` of the others, newest first; of one
    /// symbol, if one is named.
    fn requests(
        &mut self,
        symbol: Option<&str>,
        ended: u32,
    ) -> impl Future<Output = Result<Vec<QueuedRequest>, StoreError>> + Send;

    /// How much waits.
    fn queue_depth(&mut self) -> impl Future<Output = Result<QueueDepth, StoreError>> + Send;

    /// Makes failed requests pending again, with no attempt behind them: those named by number, or all dead ones (`None`).
    /// Says how many; one that equals an open request stays as it is.
    fn retry_requests(&mut self, ids: Option<&[i64]>) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Removes ended requests that are older; says how many.
    fn prune_requests(&mut self, older_than: Duration) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// Waits for requests on a connection of its own.
pub trait QueueWatch: Send {
    /// Returns when requests may have been added, at the latest after `longest`. Where the database can tell (LISTEN on
    /// PostgreSQL, a changed file with SQLite) that is at once; never fails for good: what cannot be heard is waited for.
    fn wait(&mut self, longest: Duration) -> impl Future<Output = ()> + Send;
}
