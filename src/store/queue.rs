//! Requests to load symbols, which processors take one another's work off.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::StoreError;
use super::values::{nearest_i32, number};

/// Stands in the table for no first date, and for no last one.
pub(super) const NO_FIRST_DATE: &str = "0001-01-01";
pub(super) const NO_LAST_DATE: &str = "9999-12-31";

/// Tries in vain after which a request is dead.
pub const MOST_RETRIES: u32 = 10;

/// Processors that a request may lose in a row before it is suspected to be what they die of. Machines are restarted, and
/// whoever works gets farther each time.
const TRUSTED: u32 = 4;

/// Of a request whose processor ended without a word.
pub(super) const VANISHED: &str = "the processor that worked on it vanished";

/// Which requests are claimed together, by how many processors they have lost in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    /// Losses of each of them: at least, and at most.
    pub losses: (u32, u32),
    /// How many.
    pub most: u32,
}

impl Batch {
    /// What a processor claims that holds requests with at most `held` losses (`None`: it holds none), if the next in order has
    /// `next`. Requests that are suspected go in batches that shrink with each loss, with nothing beside them: so the one that
    /// kills is soon alone, and of the others none dies with it.
    pub(super) fn of(held: Option<u32>, next: u32, most: u32) -> Option<Self> {
        let together = match next {
            0..=TRUSTED if held.is_none_or(|held| held <= TRUSTED) => return Some(Self { losses: (0, TRUSTED), most }),
            _ if held.is_some() => return None,
            ..=5 => 600,
            6 => 60,
            7 => 8,
            _ => 1,
        };
        Some(Self { losses: (next, next), most: most.min(together) })
    }
}

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

/// What a request asks for. Other programs write these rows, so nothing here is known to make sense. What they have written
/// for a date and is none is read as a date on which nothing can be asked for: the last of all as first, the first as last.
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
    /// How often it was tried in vain since it last made progress.
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
        /// Whether it was tried in vain. Not so while the vendor cannot be reached, keys are missing or files are not due: no
        /// request dies of that, however long it lasts.
        counts: bool,
    },
    /// It was not finished and not tried in vain: the processor stops. It can be claimed at once.
    GivenBack,
}

/// What the end of a claim makes of its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EndedRow {
    pub status: RequestStatus,
    pub outcome: Option<RequestOutcome>,
    /// Takes the place of the message that is there, unless the request was given back.
    pub message: Option<String>,
    /// Zero: it can be claimed at once.
    pub pause: Duration,
    /// Whether this was a try in vain; if it was the last of [`MOST_RETRIES`], the request is dead.
    pub in_vain: bool,
}

impl RequestEnd {
    /// What it makes of the row.
    pub(super) fn row(&self) -> EndedRow {
        let (pause, in_vain) = (Duration::ZERO, false);
        match self {
            Self::Ended { outcome, message } => {
                let (status, message) = (outcome.status(), told(*outcome, message.as_deref()));
                EndedRow { status, outcome: Some(*outcome), message, pause, in_vain }
            }
            Self::Retry { pause, message, counts } => {
                let (status, message) = (RequestStatus::Pending, Some(message.clone()));
                EndedRow { status, outcome: None, message, pause: *pause, in_vain: *counts }
            }
            Self::GivenBack => {
                EndedRow { status: RequestStatus::Pending, outcome: None, message: None, pause, in_vain }
            }
        }
    }
}

/// The message of an outcome. Programs that know nothing of outcomes show the message, so what is no failure of anybody's
/// begins with its word; and a failure is never without a message.
fn told(outcome: RequestOutcome, message: Option<&str>) -> Option<String> {
    let word = outcome.as_str();
    match (outcome, message) {
        (RequestOutcome::NoData | RequestOutcome::NotEntitled, Some(message)) if !message.starts_with(word) => {
            Some(format!("{word}: {message}"))
        }
        (_, Some(message)) => Some(message.to_owned()),
        (_, None) => (outcome.status() == RequestStatus::Failed).then(|| word.to_owned()),
    }
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
    /// Since when the one that could be claimed for longest waits: since it was made, or its pause ended.
    pub oldest_pending: Option<Timestamp>,
}

/// The queue of requests. Instants of leases and pauses are the database's own (its server's clock; this machine's for a
/// file), so that processors need not agree on the time.
pub trait Queue: Send {
    /// Adds requests; says how many. One that equals an open request is not added.
    fn enqueue(&mut self, requests: &[NewRequest]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Ends the claims of processors whose leases are over, which counts as tried in vain, so that others can claim their
    /// requests; says how many. One that has lost as many processors in a row as it may be tried in vain is dead. A claim of
    /// `owner` itself that has run out is ended, too, and does not count: its answer was lost on the way. Not for who was
    /// without the database for a while: so were the others, who need a moment to renew theirs.
    fn rescue_requests(&mut self, owner: &str) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Claims requests that can be: pending ones whose pause is over. Highest priority first, then oldest. Never one of a symbol
    /// that another processor holds a request of. Requests over which several processors have vanished are claimed by one that
    /// holds nothing else, the fewer together the more it were, and as long as they are held nothing else is claimed; nor
    /// is anything that comes after them by one that has yet to finish what it holds.
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

    /// Shows how far requests are, if they are farther than shown before: then they were not tried in vain, and their tries are
    /// counted anew. What is not held any more is left alone.
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

    /// The requests that are dead: how many, and the latest ten of them, newest first.
    fn dead_requests(&mut self) -> impl Future<Output = Result<(u64, Vec<QueuedRequest>), StoreError>> + Send;

    /// How much waits.
    fn queue_depth(&mut self) -> impl Future<Output = Result<QueueDepth, StoreError>> + Send;

    /// Makes failed requests pending again, with no attempt behind them: those named by number, or all dead ones (`None`).
    /// Says how many; one that equals an open request stays as it is.
    fn retry_requests(&mut self, ids: Option<&[i64]>) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Removes ended requests that are older; says how many. Dead ones stay until they are tried again.
    fn prune_requests(&mut self, older_than: Duration) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// What a row asks for, whatever other programs have written into it.
pub(super) struct Asked {
    pub symbol: String,
    pub days: i64,
    pub from: String,
    pub to: String,
    pub timeframes: String,
    pub priority: i64,
}

impl Asked {
    /// The same as far as it means something.
    pub(super) fn request(self) -> NewRequest {
        let date = |text: &str, none: &str, nothing: Date| (text != none).then(|| text.parse().unwrap_or(nothing));
        NewRequest {
            from: date(&self.from, NO_FIRST_DATE, Date::MAX),
            to: date(&self.to, NO_LAST_DATE, Date::MIN),
            symbol: self.symbol,
            days_to_backfill: number(self.days),
            timeframes: self.timeframes,
            priority: nearest_i32(self.priority),
        }
    }
}

/// Makes a [`QueueWatch`] beside a store.
pub trait QueueWatching {
    /// The watch.
    type Watch: QueueWatch + 'static;

    /// A watch of this database's queue. It connects when it waits.
    fn queue_watch(&self) -> Self::Watch;
}

/// Waits for requests on a connection of its own.
pub trait QueueWatch: Send {
    /// Returns when requests may have been added since the last call returned, at the latest after `longest`. Where the
    /// database can tell (LISTEN on PostgreSQL, a changed file with SQLite) that is at once, the first time and whenever
    /// something may have been missed, too; never fails: what cannot be heard is waited for. May be dropped at any time.
    fn wait(&mut self, longest: Duration) -> impl Future<Output = ()> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_message_and_words_that_others_show() {
        let ended = |outcome, message: Option<&str>| {
            RequestEnd::Ended { outcome, message: message.map(str::to_owned) }.row().message
        };
        assert_eq!(ended(RequestOutcome::Loaded, None), None);
        assert_eq!(ended(RequestOutcome::Partial, Some("3 days missing")).as_deref(), Some("3 days missing"));
        assert_eq!(ended(RequestOutcome::NoData, Some("not listed")).as_deref(), Some("no_data: not listed"));
        assert_eq!(ended(RequestOutcome::NoData, Some("no_data for ZZZZ")).as_deref(), Some("no_data for ZZZZ"));
        for outcome in RequestOutcome::ALL {
            let is_failed = outcome.status() == RequestStatus::Failed;
            assert_eq!(ended(outcome, None).as_deref(), is_failed.then_some(outcome.as_str()));
            assert_eq!(RequestOutcome::of_word(outcome.as_str()), Some(outcome));
        }
    }

    #[test]
    fn nothing_goes_beside_a_request_that_is_suspected() {
        let together = |most| Some(Batch { losses: (0, TRUSTED), most });
        assert_eq!([Batch::of(None, 0, 9), Batch::of(Some(0), TRUSTED, 9)], [together(9); 2]);
        assert_eq!([Batch::of(Some(5), 0, 9), Batch::of(Some(0), 5, 9), Batch::of(Some(5), 5, 9)], [None; 3]);
        let alone = |losses| Batch::of(None, losses, 5000).map(|batch| (batch.losses, batch.most));
        assert_eq!([5, 6, 7].map(alone), [Some(((5, 5), 600)), Some(((6, 6), 60)), Some(((7, 7), 8))]);
        assert_eq!([8, 9].map(alone), [Some(((8, 8), 1)), Some(((9, 9), 1))]);
    }

    #[test]
    fn nonsense_in_a_row_is_read_as_what_cannot_be_asked_for() {
        let asked = |from: &str, to: &str, days, priority| {
            let [from, to] = [from, to].map(str::to_owned);
            let (symbol, timeframes) = ("aapl ".to_owned(), "xyz".to_owned());
            Asked { symbol, days, from, to, timeframes, priority }.request()
        };
        let usual = asked("0001-01-01", "9999-12-31", 90, -1);
        assert_eq!((usual.from, usual.to, usual.days_to_backfill, usual.priority), (None, None, 90, -1));
        let odd = asked("soon", "", i64::MAX, i64::MIN);
        assert_eq!((odd.from, odd.to), (Some(Date::MAX), Some(Date::MIN)));
        assert_eq!((odd.days_to_backfill, odd.priority), (u32::MAX, i32::MIN));
        assert_eq!(asked("2026-10-01", "2026-09-01", -5, 0).from, Some(jiff::civil::date(2026, 10, 1)));
    }
}
