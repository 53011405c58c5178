//! How far a run is, told every so often by a thread of its own.

use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::was_work;
use crate::ingest::rest::SymbolDayReport;
use crate::ingest::{DayReport, Reporter};

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    pub(in crate::cli) days: u64,
    pub(in crate::cli) days_done: u64,
    pub(in crate::cli) bytes: u64,
    pub(in crate::cli) bytes_done: u64,
    pub(in crate::cli) rows: u64,
    pub(in crate::cli) requests: u64,
    pub(in crate::cli) requests_done: u64,
    /// When the last request is done, at the rate that is allowed.
    pub(super) requests_end: Option<Instant>,
}

/// Says what is worth a line, each in its own way.
pub trait Teller: Send + 'static {
    /// Its reporter, in `Debug`.
    const NAME: &'static str;
    /// How far the run is, so long after it began.
    fn progress(&mut self, facts: Facts, elapsed: Duration);
    /// A day that was among those to be loaded has ended.
    fn day(&mut self, day: &DayReport);
    /// A day of a symbol, of which nothing came.
    fn symbol_gap(&mut self, day: &SymbolDayReport);
    /// Something a person would want to know now.
    fn note(&mut self, message: &str);
}

/// Tells how far a run is every so often while something is under way; the rest at once.
pub struct Ticking<T> {
    shared: Arc<Mutex<Shared<T>>>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

pub(super) struct Shared<T> {
    pub(super) facts: Facts,
    started: Instant,
    teller: T,
}

impl<T: Teller> Ticking<T> {
    /// Tells through this, this often.
    pub fn every(every: Duration, teller: T) -> Self {
        let shared = Arc::new(Mutex::new(Shared { facts: Facts::default(), started: Instant::now(), teller }));
        let (stop, stopped) = mpsc::channel();
        let ticking = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut said = Facts::default();
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let mut shared = ticking.lock().unwrap_or_else(PoisonError::into_inner);
                // A run that waits for its quota goes on all the same.
                if shared.facts != said || said.requests_done < said.requests {
                    said = shared.facts;
                    let elapsed = shared.started.elapsed();
                    shared.teller.progress(said, elapsed);
                }
            }
        });
        Self { shared, ticker: Some((stop, thread)) }
    }

    fn update(&self, change: impl FnOnce(&mut Shared<T>)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }

    #[cfg(test)]
    pub(super) fn facts(&self) -> Facts {
        self.shared.lock().unwrap().facts
    }
}

impl<T: Teller> Reporter for Ticking<T> {
    fn start(&self, days: u64, bytes: u64) {
        self.update(|shared| {
            if shared.facts == Facts::default() {
                // What came before (listing, planning) is no part of the rates.
                shared.started = Instant::now();
            }
            shared.facts.days += days;
            shared.facts.bytes += bytes;
        });
    }

    fn fetched(&self, bytes: u64) {
        self.update(|shared| shared.facts.bytes_done += bytes);
    }

    fn decoded(&self, rows: u64) {
        self.update(|shared| shared.facts.rows += rows);
    }

    fn day_done(&self, day: &DayReport) {
        if was_work(day.outcome) {
            self.update(|shared| {
                shared.facts.days_done += 1;
                shared.teller.day(day);
            });
        }
    }

    fn symbol_day_done(&self, day: &SymbolDayReport) {
        if day.outcome.leaves_a_gap() {
            self.update(|shared| shared.teller.symbol_gap(day));
        }
    }

    fn requests(&self, done: u64, of: u64, left: Duration) {
        self.update(|shared| {
            (shared.facts.requests_done, shared.facts.requests) = (done, of);
            shared.facts.requests_end = Instant::now().checked_add(left);
        });
    }

    fn note(&self, message: &str) {
        self.update(|shared| shared.teller.note(message));
    }
}

impl<T: Teller> fmt::Debug for Ticking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(T::NAME).finish_non_exhaustive()
    }
}

impl<T> Drop for Ticking<T> {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // A panic of the ticker has been printed; there is nothing to add.
            let _ = thread.join();
        }
    }
}
