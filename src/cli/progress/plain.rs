//! Progress for logs.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use super::ticking::{Facts, Teller, Ticking};
use super::{day_line, per_second, rows_per_second};
use crate::cli::format::{about, bytes, count, printable};
use crate::ingest::DayReport;
use crate::ingest::rest::SymbolDayReport;

/// A line every few seconds while something is under way; notes and days that are missing at once.
pub type PlainReporter = Ticking<Lines>;

/// Lines of text.
pub struct Lines(Box<dyn Write + Send>);

impl Facts {
    pub(super) fn line(self, elapsed: Duration, now: Instant) -> String {
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

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Lines {
    fn say(&mut self, line: &str) {
        // A log that went away is no reason to stop loading.
        let _ = writeln!(self.0, "{}", printable(line));
    }
}

impl Teller for Lines {
    const NAME: &'static str = "PlainReporter";

    fn progress(&mut self, facts: Facts, elapsed: Duration) {
        self.say(&facts.line(elapsed, Instant::now()));
    }

    fn day(&mut self, day: &DayReport) {
        if day.outcome.leaves_a_gap() {
            self.say(&day_line(day));
        }
    }

    /// The summary has them: a symbol can have many.
    fn symbol_gap(&mut self, _day: &SymbolDayReport) {}

    fn note(&mut self, message: &str) {
        self.say(message);
    }
}

impl PlainReporter {
    /// Writes there, this often.
    pub fn new(out: Box<dyn Write + Send>, every: Duration) -> Self {
        Self::every(every, Lines(out))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::{io, thread};

    use super::*;
    use crate::cli::summary::testing::day;
    use crate::ingest::{Outcome, Reporter};

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
        assert_eq!(
            reporter.facts(),
            Facts { days: 2, days_done: 2, bytes: 10, bytes_done: 10, rows: 5, ..Facts::default() }
        );
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
