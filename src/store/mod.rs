//! Where bars are kept. Narrow interfaces by use; one hand-written implementation per database.

mod error;
pub mod sqlite;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::RangeInclusive;

use jiff::civil::Date;

pub use error::StoreError;
pub use types::{
    Attempt, BarBatch, DayCommit, DayState, FileState, FileVersion, LoadRate, LoadedFile, Replace, SeriesStatus,
    StoredBar, WatchlistEntry,
};

use crate::model::{Dataset, FileKind, Symbol, Timeframe};

/// What is known of each day: which version of its files is loaded, for whom, and how the last attempt ended.
pub trait Ledger: Send {
    /// The state of every day of a range that has any.
    fn day_states(
        &mut self,
        dataset: Dataset,
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

    /// Removes bars of the day that are about to be replaced; says how many.
    fn replace(&mut self, what: &Replace) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Adds bars to the day.
    fn write(&mut self, batch: &BarBatch) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the day's bars, coverage and ledger rows visible and durable, together.
    fn commit_day(&mut self, commit: &DayCommit) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Leaves the day as it was.
    fn abandon_day(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
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

/// The symbols that are kept filled.
pub trait Watchlist: Send {
    /// All entries, by symbol.
    fn watchlist(&mut self) -> impl Future<Output = Result<Vec<WatchlistEntry>, StoreError>> + Send;

    /// Adds entries, or sets the days and priority of those that are there; says how many are new.
    fn watch(&mut self, entries: &[WatchlistEntry]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Takes symbols off the list; says which were on it. Their bars stay.
    fn unwatch(&mut self, symbols: &[Symbol]) -> impl Future<Output = Result<Vec<Symbol>, StoreError>> + Send;
}
