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
    /// The same for the same message, whoever makes it; a second one is not added. What receivers tell a repetition by.
    pub dedup_key: String,
    /// `webhook`, `email` or `telegram`.
    pub channel: String,
    /// What happened, a word: `failure`, `reminder`, `recovery`.
    pub event: String,
    /// Subject, one line.
    pub subject: String,
    /// What is sent, written for its channel. It stays the same to the byte, however often it is sent.
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
    /// Whether it may have arrived already: sending it was begun, and nobody knows how that ended.
    pub may_have_arrived: bool,
}

/// How sending a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendEnd {
    /// The other side has taken it.
    Sent {
        /// What was not as it should be all the same: a recipient that was refused.
        but: Option<String>,
    },
    /// To be tried again after a pause.
    Retry {
        /// How long to wait.
        pause: Duration,
        /// Why it failed.
        message: String,
        /// Whether it may have arrived all the same: the answer was lost.
        may_have_arrived: bool,
    },
    /// It has not arrived, and is given up.
    Dead {
        /// Why.
        message: String,
    },
}

impl SendEnd {
    /// What it makes of the message: status, pause, whether it may have arrived, the error to show.
    pub(super) fn parts(&self) -> (MessageStatus, Duration, bool, Option<&str>) {
        match self {
            Self::Sent { but } => (MessageStatus::Sent, Duration::ZERO, true, but.as_deref()),
            Self::Retry { pause, message, may_have_arrived } => {
                (MessageStatus::Pending, *pause, *may_have_arrived, Some(message))
            }
            Self::Dead { message } => (MessageStatus::Dead, Duration::ZERO, false, Some(message)),
        }
    }
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageStatus {
    /// It waits to be sent, for the first time or again.
    Pending,
    /// A process is sending it, or died while it did.
    Sending,
    /// The other side has taken it.
    Sent,
    /// It was given up.
    Dead,
}

impl MessageStatus {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }

    /// The status a word stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Pending, Self::Sending, Self::Sent, Self::Dead];
        all.into_iter().find(|status| status.as_str() == word)
    }
}

/// A message as the outbox holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Its number.
    pub id: i64,
    /// The message.
    pub message: NewMessage,
    /// How far it is.
    pub status: MessageStatus,
    /// How often sending it was begun.
    pub attempts: u32,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// Why it could not be sent; of one that was sent: what was not as it should be.
    pub error_message: Option<String>,
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

    /// Claims the oldest message of a channel that is not sent, if its time has come, for as long as the lease. Messages of a
    /// channel go one after another in the order they were made: while one waits or is being sent, so do those after it. One
    /// whose sender's lease has ended can be claimed again.
    fn claim_message(
        &mut self,
        channel: &str,
        lease: Duration,
    ) -> impl Future<Output = Result<Option<ClaimedMessage>, StoreError>> + Send;

    /// Says how sending one ended; whether the claim still held. If it did not, nothing changes.
    fn end_message(&mut self, held: Held, end: &SendEnd) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// All open messages, oldest first, then the latest `ended` of the others, newest first.
    fn messages(&mut self, ended: u32) -> impl Future<Output = Result<Vec<OutboxMessage>, StoreError>> + Send;

    /// How many wait.
    fn outbox_depth(&mut self) -> impl Future<Output = Result<OutboxDepth, StoreError>> + Send;
}
