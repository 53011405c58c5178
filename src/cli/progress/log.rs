//! Progress as lines of the log.

use std::time::{Duration, Instant};

use super::ticking::{Facts, Teller, Ticking};
use crate::cli::log::Log;
use crate::ingest::DayReport;
use crate::ingest::rest::SymbolDayReport;

/// Every day that ends is a line, and how far the run is one every so often.
pub type LogReporter = Ticking<&'static Log>;

impl Teller for &'static Log {
    const NAME: &'static str = "LogReporter";

    fn progress(&mut self, facts: Facts, elapsed: Duration) {
        Log::progress(self, &facts.line(elapsed, Instant::now()), &facts, elapsed);
    }

    fn day(&mut self, day: &DayReport) {
        Log::day(self, day);
    }

    fn symbol_gap(&mut self, day: &SymbolDayReport) {
        Log::symbol_gap(self, day);
    }

    fn note(&mut self, message: &str) {
        Log::note(self, message);
    }
}
