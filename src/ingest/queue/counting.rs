//! Which days are done while a load goes on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;

use crate::ingest::rest::SymbolDayReport;
use crate::ingest::{DayReport, Reporter};
use crate::model::{Dataset, Outcome};

/// Hands on what it hears, and remembers which days are there.
#[derive(Debug)]
pub(super) struct Counting {
    inner: Arc<dyn Reporter>,
    done: Mutex<BTreeSet<(Dataset, Date)>>,
}

impl Counting {
    pub(super) fn new(inner: Arc<dyn Reporter>) -> Self {
        Self { inner, done: Mutex::default() }
    }

    /// Whether a day is there by now.
    pub(super) fn is_done(&self, dataset: Dataset, date: Date) -> bool {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).contains(&(dataset, date))
    }
}

impl Reporter for Counting {
    fn start(&self, days: u64, bytes: u64) {
        self.inner.start(days, bytes);
    }

    fn fetched(&self, bytes: u64) {
        self.inner.fetched(bytes);
    }

    fn decoded(&self, rows: u64) {
        self.inner.decoded(rows);
    }

    fn day_done(&self, day: &DayReport) {
        if matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged) {
            self.done.lock().unwrap_or_else(PoisonError::into_inner).insert((day.dataset, day.date));
        }
        self.inner.day_done(day);
    }

    fn symbol_day_done(&self, day: &SymbolDayReport) {
        self.inner.symbol_day_done(day);
    }

    fn requests(&self, done: u64, of: u64, left: Duration) {
        self.inner.requests(done, of, left);
    }

    fn note(&self, message: &str) {
        self.inner.note(message);
    }
}
