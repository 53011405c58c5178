//! Option chains, one picture per session.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::{ControlFlow, RangeInclusive};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::{Attempt, StoreError};
use crate::model::Outcome;

/// One contract on one session.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainRow {
    /// Trading date the picture belongs to.
    pub session_date: Date,
    /// Ticker of what the contract is on.
    pub underlying: String,
    /// Ticker of the contract: `O:SPY251219C00600000`.
    pub contract: String,
    /// Contracts that were open at the end of the last trading day before it is known.
    pub open_interest: Option<u64>,
    /// Implied volatility, a fraction of one per year.
    pub implied_volatility: Option<f64>,
    /// Change of the price by a unit of the underlying's price.
    pub delta: Option<f64>,
    /// Change of delta by the same.
    pub gamma: Option<f64>,
    /// Change of the price by a day.
    pub theta: Option<f64>,
    /// Change of the price by a point of implied volatility.
    pub vega: Option<f64>,
    /// Contracts traded on the session.
    pub day_volume: Option<f64>,
    /// When it was known. Nothing may act on it before.
    pub known_at: Timestamp,
    /// Where it came from.
    pub source: ChainSource,
}

/// Where a row of a chain came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainSource {
    /// The vendor's snapshot.
    Snapshot,
    /// A user's own file.
    Import,
}

impl ChainSource {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Import => "import",
        }
    }

    /// The source a word stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Snapshot, Self::Import].into_iter().find(|source| source.as_str() == word)
    }
}

/// What became of the last snapshot of an underlying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// The session it was of.
    pub session_date: Date,
    /// How the attempt ended; `loaded` and `provisional` have rows.
    pub outcome: Outcome,
    /// Why.
    pub detail: Option<String>,
    /// Contracts stored by it.
    pub contracts: u64,
    /// When it ended.
    pub attempted_at: Timestamp,
    /// The last session of which a snapshot is stored.
    pub last_stored: Option<Date>,
}

/// What is stored of an underlying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChain {
    /// Its ticker.
    pub underlying: String,
    /// Sessions that have rows.
    pub sessions: u64,
    /// The first of them.
    pub first: Date,
    /// The last of them.
    pub last: Date,
    /// Rows, each a contract on a session.
    pub rows: u64,
}

/// What an import came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ChainImported {
    /// Rows added.
    pub added: u64,
    /// Rows of an earlier import that say something else now.
    pub changed: u64,
    /// Rows that were there already and say the same.
    pub unchanged: u64,
    /// Rows of the vendor's snapshots, which stay as they are.
    pub kept: u64,
}

/// Keeps option chains.
pub trait OptionChains: Send {
    /// Puts a snapshot in the place of an earlier one of the underlying and session, ledger row included, all or nothing.
    /// Rows of imports for contracts that it has give way, others stay. A provisional one does not take the place of one that
    /// is loaded, and is left out then; says whether it was stored. No contract may be in it twice.
    fn store_chain(
        &mut self,
        underlying: &str,
        session_date: Date,
        rows: &[ChainRow],
        attempt: &Attempt,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Remembers an attempt that brought nothing. What is stored stays as it is, and so does its ledger row.
    fn record_chain_attempt(
        &mut self,
        underlying: &str,
        session_date: Date,
        attempt: &Attempt,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What became of the last snapshot of each of these underlyings that has one.
    fn chain_states(
        &mut self,
        underlyings: &[String],
    ) -> impl Future<Output = Result<BTreeMap<String, ChainState>, StoreError>> + Send;

    /// Stores rows of a user's file, sorted by underlying, session and contract, each once; all of them or none.
    fn import_chain(
        &mut self,
        rows: impl Iterator<Item = ChainRow> + Send,
    ) -> impl Future<Output = Result<ChainImported, StoreError>> + Send;

    /// What is stored of named underlyings, or of all; by underlying.
    fn stored_chains(
        &mut self,
        underlyings: Option<&[String]>,
    ) -> impl Future<Output = Result<Vec<StoredChain>, StoreError>> + Send;

    /// Goes through stored rows by underlying, session and contract, some at a time; of named underlyings, or of all. Ends early
    /// at `Break`.
    fn scan_chain(
        &mut self,
        underlyings: Option<&[String]>,
        dates: RangeInclusive<Date>,
        each: impl FnMut(&[ChainRow]) -> ControlFlow<()> + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Names in the order of bytes, each once.
pub(super) fn in_order(names: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}
