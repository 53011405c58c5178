//! What is remembered of unattended runs.

use std::future::Future;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{ConditionChange, StoreError};

/// A run that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStart {
    /// Its name, unlike any other's.
    pub run_id: String,
    /// The command, and after a space what else it was asked for: `nightly`, `nightly --all stocks`.
    pub command: String,
    /// When.
    pub started_at: Timestamp,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// Its name.
    pub run_id: String,
    /// When.
    pub finished_at: Timestamp,
    /// Its exit code.
    pub exit_code: u8,
    /// The last session up to which everything due was there when it ended; none if that is not known.
    pub complete_to: Option<Date>,
    /// One line for people.
    pub summary: String,
    /// Everything about it, a JSON object.
    pub record: String,
}

/// A run as remembered. One without an end is under way, or was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// How it began.
    pub start: RunStart,
    /// How it ended.
    pub end: Option<RunEnd>,
}

/// Remembers runs.
pub trait Runs: Send {
    /// Remembers that a run has begun.
    fn begin_run(&mut self, run: &RunStart) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Remembers how a run ended, and in the same transaction what is to be told of it.
    fn end_run(
        &mut self,
        end: &RunEnd,
        told: Option<&ConditionChange>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The latest runs of a command, whatever else it was asked for, newest first.
    fn runs(&mut self, command: &str, most: u32) -> impl Future<Output = Result<Vec<RunRecord>, StoreError>> + Send;

    /// The last session up to which everything due was there at the end of a run of a command, whatever else it
    /// was asked for: of the latest run that knows.
    fn complete_to(&mut self, command: &str) -> impl Future<Output = Result<Option<Date>, StoreError>> + Send;
}
