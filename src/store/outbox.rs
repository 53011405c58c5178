//! Messages to people, on their way.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use super::{Held, StoreError};

/// What was last told of a source of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// A hash of the trouble; none when all is well.
    pub problem: Option<String>,
    /// Since when it is so.
    pub since: Timestamp,
    /// When it was last told.
    pub told_at: Timestamp,
}

/// A new condition of a source, and the messages that tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionChange {
    /// The source: `nightly`, `watchlist`.
    pub source: String,
    /// What the condition was when this was decided. If it is another by now, nothing is told.
    pub before: Option<Condition>,
    /// What it is.
    pub after: Condition,
    /// One message per channel.
    pub messages: Vec<NewMessage>,
}

/// A message for one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The same for the same message, whoever makes it; a second one is not added.
    pub dedup_key: String,
    /// `webhook`, `email` or `telegram`.
    pub channel: String,
    /// What happened, a word: `failure`, `recovery`, `test`.
    pub event: String,
    /// Subject, one line.
    pub subject: String,
    /// Text; what the channel makes of it is the channel's business.
    pub body: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A message that was claimed to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedMessage {
    /// The claim.
    pub held: Held,
    /// The message.
    pub message: NewMessage,
    /// How often sending it was begun before.
    pub attempts: u32,
    /// Whether the process that last began to send it never said how that ended: it may have arrived.
    pub may_have_arrived: bool,
}

/// How sending a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendEnd {
    /// The other side has taken it.
    Sent,
    /// It has not; to be tried again after a pause.
    Retry {
        /// How long to wait.
        pause: Duration,
        /// Why.
        message: String,
    },
    /// It has not, and is given up.
    Dead {
        /// Why.
        message: String,
    },
}

/// How many messages wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxDepth {
    /// Not sent yet.
    pub open: u64,
    /// Given up.
    pub dead: u64,
    /// When the oldest that is not sent was made.
    pub oldest_open: Option<Timestamp>,
}

/// Messages on their way. Instants of leases and pauses are the database's own.
pub trait Outbox: Send {
    /// What was last told of a source.
    fn condition(&mut self, source: &str) -> impl Future<Output = Result<Option<Condition>, StoreError>> + Send;

    /// Remembers a condition and adds its messages, in one transaction; says whether it did, or somebody else was faster.
    fn tell(&mut self, change: &ConditionChange) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Adds messages that belong to no condition.
    fn post(&mut self, messages: &[NewMessage]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Claims messages whose time has come, oldest first, for as long as the lease.
    fn claim_messages(
        &mut self,
        lease: Duration,
        most: u32,
    ) -> impl Future<Output = Result<Vec<ClaimedMessage>, StoreError>> + Send;

    /// Says how sending one ended; whether the claim still held.
    fn end_message(&mut self, held: Held, end: &SendEnd) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// How many wait.
    fn outbox_depth(&mut self) -> impl Future<Output = Result<OutboxDepth, StoreError>> + Send;
}
