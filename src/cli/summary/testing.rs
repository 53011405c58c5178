//! Days and runs for tests.

use std::time::Duration;

use crate::ingest::{DayReport, Outcome, RunReport};
use crate::model::Dataset;

/// A day of stocks.
pub(in crate::cli) fn day(date: &str, outcome: Outcome) -> DayReport {
    DayReport {
        dataset: Dataset::Stocks,
        date: date.parse().unwrap(),
        outcome,
        detail: None,
        bars: 0,
        replaced: false,
        absent_symbols: Vec::new(),
        minute_file: None,
        day_file: None,
        day_file_outcome: None,
        notes: Vec::new(),
    }
}

/// A run of these days.
pub(in crate::cli) fn run(days: Vec<DayReport>) -> RunReport {
    RunReport { days, bytes_fetched: 1_900_000, elapsed: Duration::from_millis(4250), interrupted: false }
}
