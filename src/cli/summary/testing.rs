//! Days and runs for tests.

use std::time::Duration;

use crate::ingest::{DayReport, Outcome, RunReport};
use crate::model::Dataset;

/// A day of stocks.
pub(in crate::cli) fn day(date: &str, outcome: Outcome) -> DayReport {
    DayReport::new(Dataset::Stocks, date.parse().unwrap(), outcome)
}

/// A run of these days.
pub(in crate::cli) fn run(days: Vec<DayReport>) -> RunReport {
    RunReport { days, bytes_fetched: 1_900_000, elapsed: Duration::from_millis(4250), interrupted: false }
}
