//! Progress for logs.

use std::fmt;
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{day_line, per_second, rows_per_second, was_work};
use crate::cli::format::{about, bytes, count, printable};
use crate::ingest::{DayReport, Reporter};

/// A line every few seconds while something is under way; notes and days that are missing at once.
pub struct PlainReporter {
    shared: Arc<Mutex<Shared>>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Shared {
    facts: Facts,
    started: Instant,
    out: Box<dyn Write + Send>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Facts {
    days: u64,
    days_done: u64,
    bytes: u64,
    bytes_done: u64,
    rows: u64,
    requests: u64,
    requests_done: u64,
    /// When the last request is done, at the rate that is allowed.
    requests_end: Option<Instant>,
}

impl Facts {
    fn line(self, elapsed: Duration, now: Instant) -> String {
        let parts = [(self.days > 0).then(|| self.files(elapsed)), (self.requests > 0).then(|| self.rest(now))];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn rest(self, now: Instant) -> String {
        let (done, of) = (count(self.requests_done), count(self.requests));
        let left = self.requests_end.filter(|_| self.requests_done < self.requests);
        let left = left.map(|end| time_left(end.saturating_duration_since(now))).unwrap_or_default();
        format!("{done} of {of} requests{left}")
    }

    fn files(self, elapsed: Duration) -> String {
        let rate = per_second(self.bytes_done, elapsed);
        format!(
            "fetch {} of {} at {}/s{}; load {} of {} days at {}{}",
            bytes(self.bytes_done),
            bytes(self.bytes),
            bytes(rate as u64),
            eta(self.bytes_done, self.bytes, elapsed),
            count(self.days_done),
            count(self.days),
            rows_per_second(self.rows, elapsed),
            eta(self.days_done, self.days, elapsed),
        )
    }
}

/// The time the rest takes if it goes on like this; nothing when there is no telling or no rest.
pub(super) fn eta(done: u64, of: u64, elapsed: Duration) -> String {
    if done == 0 || done >= of {
        return String::new();
    }
    time_left(elapsed.mul_f64((of - done) as f64 / done as f64))
}

/// A time left, in whole seconds: an estimate has no milliseconds.
pub(super) fn time_left(left: Duration) -> String {
    format!(", ETA {}", about(left.as_secs_f64()))
}

impl Shared {
    fn say(&mut self, line: &str) {
        // A log that went away is no reason to stop loading.
        let _ = writeln!(self.out, "{}", printable(line));
    }
}

impl PlainReporter {
    /// Writes there, this often.
    pub fn new(out: Box<dyn Write + Send>, every: Duration) -> Self {
        let shared = Arc::new(Mutex::new(Shared { facts: Facts::default(), started: Instant::now(), out }));
        let (stop, stopped) = mpsc::channel();
        let ticking = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut said = Facts::default();
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let mut shared = ticking.lock().unwrap_or_else(PoisonError::into_inner);
                // A run that waits for its quota goes on all the same.
                if shared.facts != said || said.requests_done < said.requests {
                    said = shared.facts;
                    let line = said.line(shared.started.elapsed(), Instant::now());
                    shared.say(&line);
                }
            }
        });
        Self { shared, ticker: Some((stop, thread)) }
    }

    fn update(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Reporter for PlainReporter {
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
                if day.outcome.leaves_a_gap() {
                    shared.say(&day_line(day));
                }
            });
        }
    }

    fn requests(&self, done: u64, of: u64, left: Duration) {
        self.update(|shared| {
            (shared.facts.requests_done, shared.facts.requests) = (done, of);
            shared.facts.requests_end = Instant::now().checked_add(left);
        });
    }

    fn note(&self, message: &str) {
        self.update(|shared| shared.say(message));
    }
}

impl fmt::Debug for PlainReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainReporter").finish_non_exhaustive()
    }
}

impl Drop for PlainReporter {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // A panic of the ticker has been printed; there is nothing to add.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::cli::summary::testing::day;
    use crate::ingest::Outcome;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_line_has_amounts_rates_and_the_time_left() {
        let facts = Facts {
            days: 63,
            days_done: 21,
            bytes: 2_000_000_000,
            bytes_done: 500_000_000,
            rows: 42_000_000,
            ..Facts::default()
        };
        let now = Instant::now();
        assert_eq!(
            facts.line(Duration::from_secs(20), now),
            "fetch 500.0 MB of 2.0 GB at 25.0 MB/s, ETA 1m 00s; load 21 of 63 days at 2,100,000 rows/s, ETA 40s"
        );
        assert_eq!(
            Facts { days: 1, ..Facts::default() }.line(Duration::ZERO, now),
            "fetch 0 B of 0 B at 0 B/s; load 0 of 1 days at 0 rows/s"
        );
        let waiting = Facts { requests: 80, requests_done: 10, ..Facts::default() };
        let waiting = Facts { requests_end: Some(now + Duration::from_mins(14)), ..waiting };
        assert_eq!(waiting.line(Duration::ZERO, now), "10 of 80 requests, ETA 14m 00s");
        assert_eq!(waiting.line(Duration::ZERO, now + Duration::from_mins(1)), "10 of 80 requests, ETA 13m 00s");
    }

    #[test]
    fn notes_and_gaps_are_told_at_once_and_loaded_days_in_the_next_line() {
        let log = Log::default();
        let reporter = PlainReporter::new(Box::new(log.clone()), Duration::from_mins(10));
        reporter.start(2, 10);
        reporter.fetched(10);
        reporter.decoded(5);
        reporter.day_done(&day("2024-07-09", Outcome::Unchanged));
        reporter.day_done(&day("2024-07-10", Outcome::Loaded));
        reporter.day_done(&day("2024-07-11", Outcome::Missing));
        reporter.note("waiting for another process");
        assert_eq!(log.text(), "2024-07-11 stocks missing\nwaiting for another process\n");
        let facts = reporter.shared.lock().unwrap().facts;
        assert_eq!(facts, Facts { days: 2, days_done: 2, bytes: 10, bytes_done: 10, rows: 5, ..Facts::default() });
    }

    #[test]
    fn the_line_comes_by_itself_when_something_moves() {
        let log = Log::default();
        let reporter = PlainReporter::new(Box::new(log.clone()), Duration::from_millis(1));
        reporter.start(1, 0);
        while log.text().is_empty() {
            thread::yield_now();
        }
        drop(reporter);
        assert!(log.text().starts_with("fetch 0 B of 0 B at 0 B/s; load 0 of 1 days at 0 rows/s\n"), "{}", log.text());
        assert_eq!(log.text().lines().count(), 1, "nothing moved since");
    }
}
