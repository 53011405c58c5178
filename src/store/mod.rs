//! Where bars are kept. Narrow interfaces by use; one hand-written implementation per database.

mod announced;
mod any;
mod books;
mod chain;
mod claimant;
mod error;
mod facts;
mod market;
mod outage;
mod outbox;
pub mod postgres;
mod queue;
mod rest;
mod runs;
mod splits;
pub mod sqlite;
mod types;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::{ControlFlow, RangeInclusive};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

pub use announced::AnnouncedSessions;
pub use any::{AnyClaims, AnyNotes, AnyQueueWatch, AnyStore};
pub use chain::{ChainImported, ChainRow, ChainSource, ChainState, OptionChains, StoredChain};
pub use claimant::{host_name, name as claimant_name};
pub use error::StoreError;
pub use facts::{Facts, Schema};
pub use market::{MarketReader, MarketSlice};
pub use outage::Outage;
pub use outbox::{
    ClaimedMessage, Condition, ConditionChange, MessageStatus, NewMessage, Outbox, OutboxDepth, OutboxMessage, SendEnd,
};
pub use queue::{
    ClaimedRequest, Held, MOST_RETRIES, NewRequest, Queue, QueueDepth, QueueWatch, QueueWatching, QueuedRequest,
    RequestEnd, RequestOutcome, RequestProgress, RequestStatus,
};
pub use runs::{RunEnd, RunRecord, RunStart, Runs};
pub use splits::{AdjustError, Adjustments, SplitLoads};
pub use types::{
    Attempt, BarBatch, BarChange, ContentHash, DayCommit, DayState, Defect, FileState, FileVersion, LoadRate,
    LoadedFile, RawBar, Replace, RestState, Restatement, Scan, SeriesStatus, StoredBar, SymbolDay, SymbolDayStored,
    SymbolDays, WatchlistEntry, Word,
};

use crate::model::splits::{PriceJump, SplitRecord};
use crate::model::{Dataset, FileKind, Symbol, SymbolError, Timeframe};

/// What is known of each day: which version of its files is loaded, for whom, and how the last attempt ended.
pub trait Ledger: Send {
    /// The state of every day of a range that has any.
    fn day_states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
    ) -> impl Future<Output = Result<BTreeMap<Date, DayState>, StoreError>> + Send;

    /// The same for one symbol: of what is loaded by name, only what is loaded of it.
    fn symbol_states(
        &mut self,
        symbol: &Symbol,
        range: RangeInclusive<Date>,
    ) -> impl Future<Output = Result<BTreeMap<Date, DayState>, StoreError>> + Send;

    /// Remembers an attempt that brought no bars. What is loaded stays as it is.
    fn record_attempt(
        &mut self,
        dataset: Dataset,
        date: Date,
        file: FileKind,
        attempt: &Attempt,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Remembers that a loaded file has a new version with the same content. Its bars stay as they are.
    fn record_same_content(
        &mut self,
        dataset: Dataset,
        date: Date,
        file: FileKind,
        version: &FileVersion,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The restatements of days of a range, by dataset, date and time of loading.
    fn restatements(
        &mut self,
        range: RangeInclusive<Date>,
    ) -> impl Future<Output = Result<Vec<Restatement>, StoreError>> + Send;

    /// How fast the last run was that loaded everyone, or named symbols only.
    fn load_rate(&mut self, everyone: bool) -> impl Future<Output = Result<Option<LoadRate>, StoreError>> + Send;

    /// Remembers how fast a run was.
    fn record_load_rate(
        &mut self,
        everyone: bool,
        rate: LoadRate,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Takes the bars of one day at a time: all of them become visible with the day's ledger rows, or none.
pub trait BarSink: Send {
    /// Opens the transaction of a day, waiting while another process writes, and says what is stored of the day: this may
    /// be more than a plan made before knew of. `waiting` is called once if the wait gets long.
    fn begin_day(
        &mut self,
        dataset: Dataset,
        date: Date,
        waiting: impl FnOnce() + Send,
    ) -> impl Future<Output = Result<DayState, StoreError>> + Send;

    /// Removes bars of the day that are about to be replaced, and forgets which of their VWAPs the REST API made exact; says
    /// how many.
    fn replace(&mut self, what: &Replace) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Removes whatever bars the REST API has brought of symbols, from the ledger, too: a file takes their place. Bars of
    /// files whose VWAPs it made exact stay. Says how many bars that were. Comes before any other removal of the day.
    fn replace_rest(&mut self, symbols: &[String]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Removes everything that is stored of the day, ledger and coverage included, as if it had never been loaded; says how
    /// many bars that were. What is committed after is all there is.
    fn forget_day(&mut self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Adds bars to the day. An error may come as late as with the commit.
    fn write(&mut self, batch: &BarBatch) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the day's bars, coverage and ledger rows visible and durable, together.
    fn commit_day(&mut self, commit: &DayCommit) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Leaves the day as it was.
    fn abandon_day(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Takes what the REST API brings: days of one symbol at a time, all of them visible with their ledger rows, or none.
pub trait SymbolSink: Send {
    /// Stores days of a symbol in one transaction, in place of what the REST API brought of them before: of the same timeframes,
    /// or of all if that was provisional. What files have brought stays, but for estimated VWAPs if exact ones are to take their
    /// place. Says what became of each day. Waits while another process writes them. Nothing is left of an error; after a call
    /// that was given up, [`BarSink::abandon_day`] sees to that.
    fn store_symbol(
        &mut self,
        days: &SymbolDays,
    ) -> impl Future<Output = Result<Vec<SymbolDayStored>, StoreError>> + Send;

    /// Remembers an attempt that brought nothing of some days of a symbol. What is stored stays as it is.
    fn record_symbol_attempt(
        &mut self,
        symbol: &Symbol,
        dates: &[Date],
        attempt: &Attempt,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Small texts by which processes that share a database agree, such as how much of a quota is spent. They are kept beside
/// the bars, so that nobody who reads or changes one waits for who writes bars; and they are disposable.
pub trait Notes: Send {
    /// Replaces a text by what is made of it, alone; says what was made beside it. `None` is no text.
    fn change_note<T: Send>(
        &mut self,
        name: &str,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T) + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;
}

/// Makes [`Notes`] beside a store, on a connection of their own.
pub trait Noting {
    /// The notes.
    type Notes: Notes + 'static;

    /// The notes of everyone who uses this database.
    fn notes(&self) -> impl Future<Output = Result<Self::Notes, StoreError>> + Send;

    /// A text as it is now, for whoever only looks: makes and changes nothing, and needs no right to.
    fn look_at_note(&mut self, name: &str) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;
}

/// Reads bars and what there is of them.
pub trait BarReader: Send {
    /// Bars of a series whose start lies in a range of milliseconds since the Unix epoch, ascending.
    fn bars(
        &mut self,
        symbol: &str,
        timeframe: Timeframe,
        range_ms: RangeInclusive<i64>,
    ) -> impl Future<Output = Result<Vec<StoredBar>, StoreError>> + Send;

    /// Which of the symbols have, or once had, a bar. Does not read bars.
    fn known(&mut self, symbols: &[Symbol]) -> impl Future<Output = Result<BTreeSet<Symbol>, StoreError>> + Send;

    /// Every series of the named symbols, or of all (`None`): how many bars, from when to when.
    fn series(
        &mut self,
        symbols: Option<&[Symbol]>,
    ) -> impl Future<Output = Result<Vec<SeriesStatus>, StoreError>> + Send;
}

/// Days that are being worked on, shared between processes and machines: each is claimed by one at a time, for as long as a
/// lease lasts and is renewed. A claimant that dies loses its days when their leases end. Claims only share work out: that
/// a day is loaded once is settled by [`BarSink::begin_day`].
pub trait Claims: Send {
    /// Takes a day, unless another claimant holds it; says whether it is held now.
    fn claim(&mut self, dataset: Dataset, date: Date) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Prolongs the leases of all days that are still held.
    fn renew(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives a day back. One that is not held is left alone.
    fn release(&mut self, dataset: Dataset, date: Date) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Makes [`Claims`] beside a store, on a connection of their own.
pub trait Claiming {
    /// The claims.
    type Claims: Claims + 'static;

    /// A claimant whose leases last so long. Renewing them in time is the caller's business.
    fn claimant(&self, lease: Duration) -> impl Future<Output = Result<Self::Claims, StoreError>> + Send;
}

/// Looks at everything that is stored as it is, right or wrong.
pub trait Audit: Send {
    /// From here on, until this store is closed, everything it reads is as it is now, whatever others commit.
    fn freeze(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Goes through bars, symbol by symbol in the order of bytes; a symbol's by timeframe, then ascending. Memory is bounded
    /// by the bars of one symbol. Ends early at `Break`.
    fn scan(
        &mut self,
        what: &Scan,
        each: impl FnMut(&str, &[RawBar]) -> ControlFlow<()> + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What no load could have left in the tables and no reader of bars sees: rows that belong to nothing, words that mean
    /// nothing, damage of the files.
    fn defects(&mut self) -> impl Future<Output = Result<Vec<Defect>, StoreError>> + Send;

    /// Removes rows that belong to nothing; says how many.
    fn remove_orphans(&mut self) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// The symbols that are kept filled.
pub trait Watchlist: Send {
    /// All entries, by symbol. Other programs write the list, too: what is no symbol is left out.
    fn watchlist(&mut self) -> impl Future<Output = Result<Vec<WatchlistEntry>, StoreError>> + Send;

    /// What stands on the list and is no symbol, and why.
    fn senseless(&mut self) -> impl Future<Output = Result<Vec<(String, SymbolError)>, StoreError>> + Send;

    /// Adds entries, or sets the days and priority of those that are there; says how many are new.
    fn watch(&mut self, entries: &[WatchlistEntry]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Takes symbols off the list; says which were on it. Their bars stay.
    fn unwatch(&mut self, symbols: &[Symbol]) -> impl Future<Output = Result<Vec<Symbol>, StoreError>> + Send;
}

/// What is known of splits. They adjust bars where these are read; what is stored stays as traded.
pub trait Splits: Send {
    /// The rows of some symbols, or of all (`None`), by ticker and date; used or not.
    fn splits(
        &mut self,
        symbols: Option<&[Symbol]>,
    ) -> impl Future<Output = Result<Vec<SplitRecord>, StoreError>> + Send;

    /// For whom splits were fetched, and when.
    fn split_loads(&mut self) -> impl Future<Output = Result<SplitLoads, StoreError>> + Send;

    /// Puts rows, sorted by ticker, in the place of those of some symbols, or of all (`None`), and makes the view
    /// `historical_bars_adjusted` go by them; all of it, or nothing.
    fn replace_splits(
        &mut self,
        of: Option<&[Symbol]>,
        records: &[SplitRecord],
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How the raw prices of stored day bars moved into dates of tickers; left out where there are no bars on one side.
    fn price_jumps(
        &mut self,
        around: &[(String, Date)],
    ) -> impl Future<Output = Result<BTreeMap<(String, Date), PriceJump>, StoreError>> + Send;
}
