//! The store that the settings name, whichever it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::splits::{PriceJump, SplitRecord};
use crate::model::{Bar, Dataset, FileKind, Symbol, SymbolError, Timeframe};
use crate::store::postgres::{PostgresClaims, PostgresNotes, PostgresStore};
use crate::store::sqlite::{SqliteClaims, SqliteNotes, SqliteStore};
use crate::store::{
    Attempt, Audit, BarBatch, BarReader, BarSink, Claiming, Claims, DayCommit, DayState, Defect, FileVersion, Ledger,
    LoadRate, MarketReader, MarketSlice, Notes, Noting, RawBar, Replace, Restatement, Scan, SeriesStatus, SplitLoads,
    Splits, StoreError, StoredBar, SymbolDayStored, SymbolDays, SymbolSink, Watchlist, WatchlistEntry,
};

/// One of the stores. Both do what the traits say, each in its own way; this only hands on.
#[derive(Debug)]
pub enum AnyStore {
    /// A SQLite file.
    Sqlite(Box<SqliteStore>),
    /// A PostgreSQL database.
    Postgres(Box<PostgresStore>),
}

/// Claims of one of the stores.
#[derive(Debug)]
pub enum AnyClaims {
    /// Beside a SQLite file.
    Sqlite(Box<SqliteClaims>),
    /// In a PostgreSQL database.
    Postgres(Box<PostgresClaims>),
}

/// Notes of one of the stores.
#[derive(Debug)]
pub enum AnyNotes {
    /// Beside a SQLite file.
    Sqlite(Box<SqliteNotes>),
    /// In a PostgreSQL database.
    Postgres(Box<PostgresNotes>),
}

/// The same call on whichever it is. Boxed, because the future of either would be carried around in whatever awaits it.
macro_rules! on {
    ($any:expr, $store:ident => $call:expr) => {
        match $any {
            Self::Sqlite($store) => Box::pin($call).await,
            Self::Postgres($store) => Box::pin($call).await,
        }
    };
}

mod queue;
mod runs;

pub use self::queue::AnyQueueWatch;
mod announced;
mod chain;
mod outbox;

impl AnyStore {
    /// Another connection to the same database.
    pub async fn beside(&self) -> Result<Self, StoreError> {
        Ok(match self {
            Self::Sqlite(store) => Self::Sqlite(Box::new(store.beside().await?)),
            Self::Postgres(store) => Self::Postgres(Box::new(store.beside().await?)),
        })
    }

    /// Ends the connection.
    pub async fn close(self) -> Result<(), StoreError> {
        on!(self, store => store.close())
    }
}

impl Ledger for AnyStore {
    async fn day_states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        on!(self, store => store.day_states(dataset, range))
    }

    async fn symbol_states(
        &mut self,
        symbol: &Symbol,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        on!(self, store => store.symbol_states(symbol, range))
    }

    async fn record_attempt(
        &mut self,
        dataset: Dataset,
        date: Date,
        file: FileKind,
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        on!(self, store => store.record_attempt(dataset, date, file, attempt))
    }

    async fn record_same_content(
        &mut self,
        dataset: Dataset,
        date: Date,
        file: FileKind,
        version: &FileVersion,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self, store => store.record_same_content(dataset, date, file, version, at))
    }

    async fn restatements(&mut self, range: RangeInclusive<Date>) -> Result<Vec<Restatement>, StoreError> {
        on!(self, store => store.restatements(range))
    }

    async fn load_rate(&mut self, everyone: bool) -> Result<Option<LoadRate>, StoreError> {
        on!(self, store => store.load_rate(everyone))
    }

    async fn record_load_rate(&mut self, everyone: bool, rate: LoadRate) -> Result<(), StoreError> {
        on!(self, store => store.record_load_rate(everyone, rate))
    }
}

impl BarSink for AnyStore {
    async fn begin_day(
        &mut self,
        dataset: Dataset,
        date: Date,
        waiting: impl FnOnce() + Send,
    ) -> Result<DayState, StoreError> {
        on!(self, store => store.begin_day(dataset, date, waiting))
    }

    async fn replace(&mut self, what: &Replace) -> Result<u64, StoreError> {
        on!(self, store => store.replace(what))
    }

    async fn replace_rest(&mut self, symbols: &[String]) -> Result<u64, StoreError> {
        on!(self, store => store.replace_rest(symbols))
    }

    async fn forget_day(&mut self) -> Result<u64, StoreError> {
        on!(self, store => store.forget_day())
    }

    async fn write(&mut self, batch: &BarBatch) -> Result<(), StoreError> {
        on!(self, store => store.write(batch))
    }

    async fn commit_day(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        on!(self, store => store.commit_day(commit))
    }

    async fn abandon_day(&mut self) -> Result<(), StoreError> {
        on!(self, store => store.abandon_day())
    }
}

impl SymbolSink for AnyStore {
    async fn store_symbol(&mut self, days: &SymbolDays) -> Result<Vec<SymbolDayStored>, StoreError> {
        on!(self, store => store.store_symbol(days))
    }

    async fn record_symbol_attempt(
        &mut self,
        symbol: &Symbol,
        dates: &[Date],
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        on!(self, store => store.record_symbol_attempt(symbol, dates, attempt))
    }
}

impl BarReader for AnyStore {
    async fn bars(
        &mut self,
        symbol: &str,
        timeframe: Timeframe,
        range_ms: RangeInclusive<i64>,
    ) -> Result<Vec<StoredBar>, StoreError> {
        on!(self, store => store.bars(symbol, timeframe, range_ms))
    }

    async fn known(&mut self, symbols: &[Symbol]) -> Result<BTreeSet<Symbol>, StoreError> {
        on!(self, store => store.known(symbols))
    }

    async fn series(&mut self, symbols: Option<&[Symbol]>) -> Result<Vec<SeriesStatus>, StoreError> {
        on!(self, store => store.series(symbols))
    }
}

impl MarketReader for AnyStore {
    async fn tickers(&mut self, dataset: Dataset) -> Result<Vec<String>, StoreError> {
        on!(self, store => store.tickers(dataset))
    }

    async fn read_market(
        &mut self,
        slice: &MarketSlice,
        each: impl FnMut(usize, Date, &Bar) + Send,
    ) -> Result<(), StoreError> {
        on!(self, store => store.read_market(slice, each))
    }
}

impl Audit for AnyStore {
    async fn freeze(&mut self) -> Result<(), StoreError> {
        on!(self, store => store.freeze())
    }

    async fn scan(
        &mut self,
        what: &Scan,
        each: impl FnMut(&str, &[RawBar]) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        on!(self, store => store.scan(what, each))
    }

    async fn defects(&mut self) -> Result<Vec<Defect>, StoreError> {
        on!(self, store => store.defects())
    }

    async fn remove_orphans(&mut self) -> Result<u64, StoreError> {
        on!(self, store => store.remove_orphans())
    }
}

impl Watchlist for AnyStore {
    async fn watchlist(&mut self) -> Result<Vec<WatchlistEntry>, StoreError> {
        on!(self, store => store.watchlist())
    }

    async fn senseless(&mut self) -> Result<Vec<(String, SymbolError)>, StoreError> {
        on!(self, store => store.senseless())
    }

    async fn watch(&mut self, entries: &[WatchlistEntry]) -> Result<u64, StoreError> {
        on!(self, store => store.watch(entries))
    }

    async fn unwatch(&mut self, symbols: &[Symbol]) -> Result<Vec<Symbol>, StoreError> {
        on!(self, store => store.unwatch(symbols))
    }
}

impl Splits for AnyStore {
    async fn splits(&mut self, symbols: Option<&[Symbol]>) -> Result<Vec<SplitRecord>, StoreError> {
        on!(self, store => store.splits(symbols))
    }

    async fn split_loads(&mut self) -> Result<SplitLoads, StoreError> {
        on!(self, store => store.split_loads())
    }

    async fn replace_splits(
        &mut self,
        of: Option<&[Symbol]>,
        records: &[SplitRecord],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self, store => store.replace_splits(of, records, at))
    }

    async fn price_jumps(
        &mut self,
        around: &[(String, Date)],
    ) -> Result<BTreeMap<(String, Date), PriceJump>, StoreError> {
        on!(self, store => store.price_jumps(around))
    }
}

impl Claiming for AnyStore {
    type Claims = AnyClaims;

    async fn claimant(&self, lease: Duration) -> Result<AnyClaims, StoreError> {
        Ok(match self {
            Self::Sqlite(store) => AnyClaims::Sqlite(Box::new(store.claimant(lease).await?)),
            Self::Postgres(store) => AnyClaims::Postgres(Box::new(store.claimant(lease).await?)),
        })
    }
}

impl Claims for AnyClaims {
    async fn claim(&mut self, dataset: Dataset, date: Date) -> Result<bool, StoreError> {
        on!(self, claims => claims.claim(dataset, date))
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        on!(self, claims => claims.renew())
    }

    async fn release(&mut self, dataset: Dataset, date: Date) -> Result<(), StoreError> {
        on!(self, claims => claims.release(dataset, date))
    }
}

impl Noting for AnyStore {
    type Notes = AnyNotes;

    async fn notes(&self) -> Result<AnyNotes, StoreError> {
        Ok(match self {
            Self::Sqlite(store) => AnyNotes::Sqlite(Box::new(store.notes().await?)),
            Self::Postgres(store) => AnyNotes::Postgres(Box::new(store.notes().await?)),
        })
    }

    async fn look_at_note(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        on!(self, store => store.look_at_note(name))
    }
}

impl Notes for AnyNotes {
    async fn change_note<T: Send>(
        &mut self,
        name: &str,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T) + Send,
    ) -> Result<T, StoreError> {
        on!(self, notes => notes.change_note(name, change))
    }
}
