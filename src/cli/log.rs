//! The log of a run: lines on stderr that a program reads as well as a person. Each has the time, how grave it is, the
//! command, the run, and what it is about.
//!
//! There is one per process, as there is one stderr. Only lines that are written here come into it: what libraries trace is
//! nobody's business, and may hold secrets.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

use super::format::printable;
use super::progress::Facts;
use super::served::ServedRow;
use super::totals::files;
use super::{CliError, Exit, RunId};
use crate::ingest::DayReport;
use crate::ingest::rest::SymbolDayReport;
use crate::model::Dataset;

/// What the lines of a log look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A text, then names and values.
    Human,
    /// An object in a line.
    Json,
}

/// Only what has this target is written.
const TARGET: &str = "backfill-log";

/// Writes lines about a run.
#[derive(Debug)]
pub struct Log {
    command: String,
    run: RunId,
    quiet: bool,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// A line of a level that is known where it is written.
macro_rules! line {
    ($log:expr, $level:ident, $event:literal, $message:expr $(, $field:ident = $value:expr)* $(,)?) => {
        tracing::event!(
            target: TARGET, Level::$level, command = $log.command.as_str(), run = %$log.run, event = $event, $($field = $value,)*
            "{}", printable($message)
        )
    };
}

impl Log {
    /// Starts the log of this process; when quiet, of what is missing and wrong only. A second call changes nothing.
    pub fn start(format: LogFormat, quiet: bool, command: String, run: RunId) {
        // Only a process that has a log already could fail to make one.
        let _ = tracing::subscriber::set_global_default(subscriber(format, quiet, io::stderr));
        LOG.get_or_init(|| Self { command, run, quiet });
    }

    /// The log of this process, if one was asked for.
    pub fn current() -> Option<&'static Self> {
        LOG.get()
    }

    /// Something a person would want to know now.
    pub fn note(&self, message: &str) {
        line!(self, INFO, "note", message);
    }

    /// Something that is wrong, though the run goes on.
    pub fn alarm(&self, message: &str) {
        line!(self, WARN, "note", message);
    }

    /// A line that a command says on stderr; one that it says though it is quiet is about what is wrong.
    fn said(&self, message: &str) {
        if self.quiet {
            self.alarm(message);
        } else {
            self.note(message);
        }
    }

    /// How far the run is.
    pub(super) fn progress(&self, text: &str, facts: &Facts, elapsed: Duration) {
        line!(
            self,
            INFO,
            "progress",
            text,
            days_done = facts.days_done,
            days = facts.days,
            bytes_fetched = facts.bytes_done,
            bytes = facts.bytes,
            rows = facts.rows,
            requests_done = facts.requests_done,
            requests = facts.requests,
            seconds = elapsed.as_secs(),
        );
    }

    /// What became of a day.
    pub(super) fn day(&self, day: &DayReport) {
        let message = format!("{} {}", day.dataset, day.outcome);
        let rows: u64 = files(day).map(|file| file.rows).sum();
        let rejected: u64 = files(day).map(|file| file.rejects.total()).sum();
        let detail = day.detail.as_deref().map(printable);
        macro_rules! day {
            ($level:ident) => {
                line!(
                    self,
                    $level,
                    "day",
                    &message,
                    day = display(day.date),
                    dataset = day.dataset.as_str(),
                    outcome = day.outcome.as_str(),
                    bars = day.bars,
                    rows = rows,
                    rejected = rejected,
                    detail = detail.as_deref(),
                )
            };
        }
        if day.outcome.leaves_a_gap() { day!(WARN) } else { day!(INFO) }
    }

    /// A day of a symbol, of which nothing came.
    pub(super) fn symbol_gap(&self, day: &SymbolDayReport) {
        line!(
            self,
            WARN,
            "day",
            &format!("{} {}", day.symbol, day.outcome),
            day = display(day.date),
            dataset = day.dataset.as_str(),
            symbol = display(printable(&day.symbol)),
            outcome = day.outcome.as_str(),
            bars = day.bars,
            detail = day.detail.as_deref().map(printable).as_deref(),
        );
    }

    /// What became of a request of the queue.
    pub(super) fn request(&self, row: &ServedRow) {
        macro_rules! request {
            ($level:ident) => {
                line!(
                    self,
                    $level,
                    "request",
                    &row.line(),
                    request = row.id,
                    symbol = display(printable(&row.symbol)),
                    dataset = row.dataset.map(Dataset::as_str),
                    outcome = row.outcome,
                    days_done = row.days_done,
                    days = row.days_total,
                    seconds = row.seconds,
                )
            };
        }
        if row.is_loaded() { request!(INFO) } else { request!(WARN) }
    }

    /// How the command ended.
    pub fn end(&self, exit: Exit, error: Option<&CliError>) {
        let exit_code = u64::from(exit.code());
        match (error, exit) {
            (Some(error), _) => {
                line!(self, ERROR, "end", &error.in_a_line(), exit_code = exit_code, hint = error.hint().map(display));
            }
            (None, Exit::Done) => line!(self, INFO, "end", "done", exit_code = exit_code),
            (None, Exit::Gaps) => line!(self, WARN, "end", "something is missing or wrong", exit_code = exit_code),
            (None, Exit::Interrupted | Exit::Terminated) => {
                line!(self, WARN, "end", "stopped", exit_code = exit_code);
            }
            (None, Exit::Failed | Exit::Usage) => line!(self, ERROR, "end", "failed", exit_code = exit_code),
        }
    }
}

fn subscriber<W>(format: LogFormat, quiet: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A log that went away is no reason to stop, nor to complain.
    let lines = fmt::layer().with_writer(writer).with_ansi(false).with_target(false).log_internal_errors(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Human => Box::new(lines),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_current_span(false).with_span_list(false)),
    };
    let level = if quiet { Level::WARN } else { Level::INFO };
    Registry::default().with(lines.with_filter(Targets::new().with_target(TARGET, level)))
}

/// Where a command says what is no result: stderr, or the log if there is one.
pub fn stderr() -> Stderr {
    Stderr { line: Vec::new() }
}

/// Takes text for people; see [`stderr`].
#[derive(Debug)]
pub struct Stderr {
    /// What was written of a line of the log that has not ended.
    line: Vec<u8>,
}

impl Stderr {
    fn end_line(&mut self, log: &Log) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            log.said(line.trim_end());
        }
    }
}

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let Some(log) = Log::current() else { return io::stderr().write(text) };
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line(log);
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        if let Some(log) = Log::current() {
            self.end_line(log);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;
    use crate::cli::summary::testing::day;
    use crate::ingest::Outcome;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, quiet: bool, write: impl FnOnce(&Log)) -> String {
        let written = Written::default();
        let out = written.clone();
        let run = RunId::new("2026-10-05T21:30:02Z".parse().unwrap());
        let log = Log { command: "nightly".into(), run, quiet };
        tracing::subscriber::with_default(subscriber(format, quiet, move || out.clone()), || {
            tracing::error!("of a library, with a secret");
            write(&log);
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.replace(log.run.as_str(), "RUN")
    }

    fn objects(text: &str) -> Vec<Value> {
        let object = |line: &str| {
            let mut object: Value = serde_json::from_str(line).unwrap();
            let at = object.as_object_mut().unwrap().remove("timestamp").unwrap();
            at.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
            object
        };
        text.lines().map(object).collect()
    }

    #[test]
    fn a_line_of_json_has_the_run_and_what_it_is_about() {
        let text = logged(LogFormat::Json, false, |log| {
            let mut loaded = day("2026-10-02", Outcome::Loaded);
            loaded.bars = 7;
            log.day(&loaded);
            let mut damaged = day("2026-10-01", Outcome::Damaged);
            damaged.detail = Some("gzip\nends".into());
            log.day(&damaged);
            let detail = Some("HTTP 404".to_owned());
            let date = "2026-10-01".parse().unwrap();
            log.symbol_gap(&SymbolDayReport::new(loaded.dataset, "ABC", date, Outcome::Missing, detail));
            log.note("waiting\nlong");
            log.progress("half", &Facts::default(), Duration::from_secs(9));
        });
        let of_run = |mut object: Value| {
            let base = json!({ "command": "nightly", "run": "RUN" });
            object.as_object_mut().unwrap().extend(base.as_object().unwrap().clone());
            object
        };
        assert_eq!(
            objects(&text),
            [
                json!({ "level": "INFO", "message": "stocks loaded", "event": "day", "day": "2026-10-02", "dataset": "stocks",
                        "outcome": "loaded", "bars": 7, "rows": 0, "rejected": 0 }),
                json!({ "level": "WARN", "message": "stocks damaged", "event": "day", "day": "2026-10-01",
                        "dataset": "stocks", "outcome": "damaged", "bars": 0, "rows": 0, "rejected": 0,
                        "detail": "gzip\\nends" }),
                json!({ "level": "WARN", "message": "ABC missing", "event": "day", "day": "2026-10-01", "dataset": "stocks",
                        "symbol": "ABC", "outcome": "missing", "bars": 0, "detail": "HTTP 404" }),
                json!({ "level": "INFO", "message": "waiting\\nlong", "event": "note" }),
                json!({ "level": "INFO", "message": "half", "event": "progress", "days_done": 0, "days": 0,
                        "bytes_fetched": 0, "bytes": 0, "rows": 0, "requests_done": 0, "requests": 0, "seconds": 9 }),
            ]
            .map(of_run)
        );
    }

    #[test]
    fn the_last_line_has_the_exit_code_and_why() {
        let ended = |exit, error: Option<CliError>| {
            let text = logged(LogFormat::Json, false, |log| log.end(exit, error.as_ref()));
            let [end] = &objects(&text)[..] else { panic!("{text}") };
            (end["level"].clone(), end["exit_code"].clone(), end["message"].clone(), end["hint"].clone())
        };
        let error = CliError::failed(anyhow::anyhow!("reset").context("loading a day")).with_hint("try again");
        assert_eq!(
            ended(Exit::Failed, Some(error)),
            ("ERROR".into(), 1.into(), "loading a day; caused by: reset".into(), "try again".into())
        );
        assert_eq!(ended(Exit::Done, None).0, "INFO");
        assert_eq!(ended(Exit::Terminated, None), ("WARN".into(), 143.into(), "stopped".into(), Value::Null));
        assert_eq!(ended(Exit::Gaps, None).1, 3);
    }

    #[test]
    fn people_read_a_text_then_names_and_values() {
        let text = logged(LogFormat::Human, false, |log| log.day(&day("2026-10-01", Outcome::Missing)));
        let (at, line) = text.trim_end().split_once("  ").unwrap();
        at.parse::<jiff::Timestamp>().unwrap();
        assert_eq!(
            line,
            "WARN stocks missing command=\"nightly\" run=RUN event=\"day\" day=2026-10-01 dataset=\"stocks\" \
             outcome=\"missing\" bars=0 rows=0 rejected=0"
        );
    }

    #[test]
    fn a_quiet_log_has_only_what_is_missing_and_wrong() {
        let text = logged(LogFormat::Json, true, |log| {
            log.note("listing");
            log.day(&day("2026-10-02", Outcome::Loaded));
            log.day(&day("2026-10-01", Outcome::Missing));
            log.said("2026-10-01 is missing");
            log.end(Exit::Done, None);
        });
        let said: Vec<_> = objects(&text).into_iter().map(|object| object["message"].clone()).collect();
        assert_eq!(said, ["stocks missing", "2026-10-01 is missing"]);
    }
}
