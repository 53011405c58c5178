//! What became of each day of each symbol.

use std::time::Duration;

use jiff::civil::Date;
use serde::Serialize;

use crate::ingest::Rejects;
use crate::model::{Dataset, Outcome};

/// What became of one day of a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SymbolDayReport {
    /// Market.
    pub dataset: Dataset,
    /// Ticker.
    pub symbol: String,
    /// Trading date.
    pub date: Date,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where the outcome does not say it all.
    pub detail: Option<String>,
    /// Bars written.
    pub bars: u64,
    /// Bars that came by a file and have exact VWAPs now.
    pub made_exact: u64,
    /// Bars that came by a file and differ in volume or transactions from what REST tells: they keep their estimates.
    pub left_estimated: u64,
}

impl SymbolDayReport {
    /// A day of which nothing but its outcome is known.
    pub fn new(dataset: Dataset, symbol: &str, date: Date, outcome: Outcome, detail: Option<String>) -> Self {
        let symbol = symbol.to_owned();
        Self { dataset, symbol, date, outcome, detail, bars: 0, made_exact: 0, left_estimated: 0 }
    }
}

/// What became of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RestReport {
    /// Every day of every symbol, by dataset, symbol and date.
    pub days: Vec<SymbolDayReport>,
    /// Requests planned: as few as can bring what was missing.
    pub requests_planned: u64,
    /// Requests made: every page, and every attempt.
    pub requests: u64,
    /// Answers that the quota is spent (429).
    pub refused: u64,
    /// Bytes that came over the network, as sent.
    pub bytes_fetched: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows that cannot be a bar.
    pub rejects: Rejects,
    /// Rows that disagreed with another one of the same symbol and minute and lost to it.
    pub duplicates_conflicting: u64,
    /// From the first request to the last commit.
    #[serde(skip)]
    pub elapsed: Duration,
    /// Stopped on request before all was done.
    pub interrupted: bool,
}
