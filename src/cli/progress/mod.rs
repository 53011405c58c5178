//! How far a run is, on stderr: lines of the log if there is one, else bars on a terminal, and a plain line every few seconds
//! elsewhere.

mod bars;
mod log;
mod plain;
mod terminal;
mod ticking;

use std::sync::Arc;
use std::time::Duration;

use super::format::{count, counted, printable};
use super::log::Log;
use super::totals::files;
use crate::ingest::{DayReport, Outcome, Reporter, SilentReporter};

pub use bars::{BarsProgress, Steps};
pub use log::LogReporter;
pub use plain::PlainReporter;
pub use terminal::TerminalReporter;
pub use ticking::Facts;

/// How often a plain line is printed.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// How often a line of the log says how far a run is.
const LOGGED_EVERY: Duration = Duration::from_secs(10);

/// The reporter for a command: the log if there is one, which knows what to leave out when quiet; else silent when quiet, bars
/// on a terminal, plain lines elsewhere. With `--json` a program reads along, and lines are plain even on a terminal.
pub fn reporter(quiet: bool, json: bool, stderr_is_terminal: bool, color: bool) -> Arc<dyn Reporter> {
    if let Some(log) = Log::current() {
        Arc::new(LogReporter::every(LOGGED_EVERY, log))
    } else if quiet {
        Arc::new(SilentReporter)
    } else if stderr_is_terminal && !json {
        Arc::new(TerminalReporter::new(indicatif::ProgressDrawTarget::stderr(), color))
    } else {
        Arc::new(PlainReporter::new(Box::new(std::io::stderr()), PLAIN_EVERY))
    }
}

/// Whether a day was among those [`Reporter::start`] announced, and not merely looked up.
const fn was_work(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Unchanged | Outcome::NotDue | Outcome::NotASession)
}

/// A day that ended, in one line.
fn day_line(day: &DayReport) -> String {
    let head = format!("{} {} {}", day.date, day.dataset, day.outcome);
    if day.outcome == Outcome::Loaded {
        let rows = files(day).map(|file| file.rows).sum();
        return format!("{head}: {} of {}", counted(day.bars, "bar"), counted(rows, "row"));
    }
    match &day.detail {
        Some(detail) => format!("{head}: {}", printable(detail)),
        None => head,
    }
}

fn per_second(amount: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { amount as f64 / elapsed.as_secs_f64() }
}

fn rows_per_second(rows: u64, elapsed: Duration) -> String {
    format!("{} rows/s", count(per_second(rows, elapsed) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::summary::testing::day;
    use crate::ingest::ObjectReport;

    #[test]
    fn who_reads_decides_who_reports() {
        let name = |quiet, json, terminal| format!("{:?}", reporter(quiet, json, terminal, false));
        assert!(name(true, false, true).starts_with("SilentReporter"));
        assert!(name(false, false, true).starts_with("TerminalReporter"));
        assert!(name(false, true, true).starts_with("PlainReporter"));
        assert!(name(false, false, false).starts_with("PlainReporter"));
    }

    #[test]
    fn days_are_told_in_a_line() {
        let mut loaded = day("2024-07-11", Outcome::Loaded);
        loaded.bars = 1234;
        loaded.minute_file = Some(ObjectReport { rows: 2_000_000, ..ObjectReport::default() });
        assert_eq!(day_line(&loaded), "2024-07-11 stocks loaded: 1,234 bars of 2,000,000 rows");
        let mut damaged = day("2024-07-11", Outcome::Damaged);
        assert_eq!(day_line(&damaged), "2024-07-11 stocks damaged");
        damaged.detail = Some("gzip ends early".into());
        assert_eq!(day_line(&damaged), "2024-07-11 stocks damaged: gzip ends early");
    }
}
