//! Progress bars.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain::time_left;
use super::{day_line, rows_per_second, was_work};
use crate::cli::format::printable;
use crate::ingest::rest::SymbolDayReport;
use crate::ingest::{DayReport, Reporter};

/// Bars: bytes fetched, days loaded, requests made. Days and notes scroll above them; the bars go when it is dropped.
#[derive(Debug)]
pub struct TerminalReporter {
    bars: MultiProgress,
    fetch: ProgressBar,
    load: ProgressBar,
    /// Shown when there are requests to make.
    rest: ProgressBar,
    rows: AtomicU64,
    started: OnceLock<Instant>,
}

impl TerminalReporter {
    /// Draws there, in colour if asked to.
    pub fn new(target: ProgressDrawTarget, color: bool) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let (bar, prefix) = if color { ("{bar:28.cyan/blue}", "{prefix:5.bold}") } else { ("{bar:28}", "{prefix:5}") };
        let style = |facts: &str| {
            ProgressStyle::with_template(&format!("{prefix} [{bar}] {facts}"))
                .expect("Invariant: the template is written correctly")
                .progress_chars("=> ")
        };
        let rest = ProgressBar::hidden().with_prefix("rest").with_style(style("{pos}/{len} requests{msg}"));
        let add =
            |name: &'static str, facts: &str| bars.add(ProgressBar::new(0).with_prefix(name).with_style(style(facts)));
        let fetch = add("fetch", "{decimal_bytes}/{decimal_total_bytes} at {decimal_bytes_per_sec}, ETA {eta}");
        let load = add("load", "{pos}/{len} days, {msg}, ETA {eta}");
        Self { bars, fetch, load, rest, rows: AtomicU64::new(0), started: OnceLock::new() }
    }

    fn elapsed(&self) -> Duration {
        self.started.get().map(Instant::elapsed).unwrap_or_default()
    }

    fn say(&self, line: &str) {
        // A terminal that went away is no reason to stop loading.
        let _ = self.bars.println(printable(line));
    }
}

impl Reporter for TerminalReporter {
    fn start(&self, days: u64, bytes: u64) {
        if self.started.get().is_none() {
            // Not before there is something to load: a message draws its bar.
            self.load.set_message(rows_per_second(0, Duration::ZERO));
        }
        self.fetch.inc_length(bytes);
        self.load.inc_length(days);
        for bar in [&self.fetch, &self.load] {
            if self.started.get().is_none() {
                // What came before (listing, planning) is no part of the rates.
                bar.reset_elapsed();
                bar.reset_eta();
            }
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        self.started.get_or_init(Instant::now);
    }

    fn fetched(&self, bytes: u64) {
        self.fetch.inc(bytes);
    }

    fn decoded(&self, rows: u64) {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        self.load.set_message(rows_per_second(rows, self.elapsed()));
    }

    fn day_done(&self, day: &DayReport) {
        if was_work(day.outcome) {
            self.load.inc(1);
            self.say(&day_line(day));
        }
    }

    /// The summary has them: a symbol can have many.
    fn symbol_day_done(&self, _day: &SymbolDayReport) {}

    fn requests(&self, done: u64, of: u64, left: Duration) {
        if of > 0 && self.rest.is_hidden() {
            // What was loaded from files before is done.
            self.bars.add(self.rest.clone());
        }
        self.rest.set_length(of);
        self.rest.set_position(done);
        self.rest.set_message(time_left(left));
    }

    fn note(&self, message: &str) {
        self.say(message);
    }
}

impl Drop for TerminalReporter {
    fn drop(&mut self) {
        self.fetch.finish_and_clear();
        self.load.finish_and_clear();
        self.rest.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;
    use crate::cli::summary::testing::day;
    use crate::ingest::Outcome;

    /// What was written on a terminal.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A run that finds everything stored has no bar, and none is left in the way of what it says.
    #[test]
    fn no_bar_is_drawn_before_there_is_something_to_load() {
        let screen = Screen::default();
        let reporter = TerminalReporter::new(ProgressDrawTarget::term_like(Box::new(screen.clone())), false);
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(screen.0.lock().unwrap().trim(), "");
        reporter.start(1, 100);
        assert!(screen.0.lock().unwrap().contains("0/1 days, 0 rows/s"), "{screen:?}");
    }

    #[test]
    fn bars_count_the_work_announced() {
        for color in [false, true] {
            let reporter = TerminalReporter::new(ProgressDrawTarget::hidden(), color);
            reporter.start(1, 100);
            reporter.start(2, 50);
            reporter.fetched(70);
            reporter.decoded(10);
            reporter.note("waiting");
            for outcome in [Outcome::Loaded, Outcome::Missing, Outcome::Unchanged, Outcome::NotDue] {
                reporter.day_done(&day("2024-07-11", outcome));
            }
            assert_eq!((reporter.fetch.position(), reporter.fetch.length()), (70, Some(150)));
            assert_eq!((reporter.load.position(), reporter.load.length()), (2, Some(3)));
            assert!(reporter.load.message().ends_with(" rows/s"));
        }
    }
}
