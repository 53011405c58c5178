//! Counting what a run tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Metrics;
use crate::cli::totals::files;
use crate::ingest::rest::SymbolDayReport;
use crate::ingest::{DayReport, Reporter};

/// Counts what it hears, and hands it on.
#[derive(Debug)]
pub(super) struct CountingReporter {
    metrics: Metrics,
    inner: Arc<dyn Reporter>,
    /// Requests that the run under way has told of as done.
    requests_done: AtomicU64,
}

impl CountingReporter {
    pub(super) fn new(metrics: Metrics, inner: Arc<dyn Reporter>) -> Self {
        Self { metrics, inner, requests_done: AtomicU64::new(0) }
    }
}

impl Reporter for CountingReporter {
    fn start(&self, days: u64, bytes: u64) {
        self.inner.start(days, bytes);
    }

    fn fetched(&self, bytes: u64) {
        self.metrics.0.counters.fetched_bytes.inc_by(bytes);
        self.inner.fetched(bytes);
    }

    fn decoded(&self, rows: u64) {
        self.metrics.0.counters.rows.inc_by(rows);
        self.inner.decoded(rows);
    }

    fn day_done(&self, day: &DayReport) {
        let counters = &self.metrics.0.counters;
        counters.days.with_label_values(&["files", day.dataset.as_str(), day.outcome.as_str()]).inc();
        counters.bars.with_label_values(&["files"]).inc_by(day.bars);
        for file in files(day) {
            for (reason, rows) in &file.rejects.counts {
                counters.rejected.with_label_values(&[reason.as_str()]).inc_by(*rows);
            }
        }
        self.inner.day_done(day);
    }

    fn symbol_day_done(&self, day: &SymbolDayReport) {
        let counters = &self.metrics.0.counters;
        counters.days.with_label_values(&["rest", day.dataset.as_str(), day.outcome.as_str()]).inc();
        counters.bars.with_label_values(&["rest"]).inc_by(day.bars);
        self.inner.symbol_day_done(day);
    }

    fn requests(&self, done: u64, of: u64, left: Duration) {
        // A new run begins with none done.
        let before = self.requests_done.swap(done, Ordering::Relaxed);
        self.metrics.0.counters.rest_requests.inc_by(done.checked_sub(before).unwrap_or(done));
        self.inner.requests(done, of, left);
    }

    fn note(&self, message: &str) {
        self.inner.note(message);
    }
}
