//! Decoding one day's files on a CPU thread into a bounded stream of bars.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::Sender;

use super::check::check;
use super::context::Context;
use super::decode::{
    DayFileRows, DecodeError, Grouping, MinuteRows, SymbolMinutes, content_hash, decode_day, decode_minutes,
};
use super::plan::{DayJob, version};
use super::report::ObjectReport;
use super::source::DayFile;
use crate::aggregate::{DayGrid, roll_up};
use crate::model::{Bar, FileKind, Outcome};
use crate::store::{BarBatch, ContentHash, LoadedFile};

/// A day whose files are on this disk.
#[derive(Debug)]
pub(super) struct FetchedDay {
    pub(super) job: DayJob,
    pub(super) files: LocalFiles,
}

/// Where a day's files are on this disk.
#[derive(Debug, Clone, Default)]
pub(super) struct LocalFiles {
    pub(super) minute: Option<PathBuf>,
    pub(super) day: Option<PathBuf>,
    /// What became of the day file, if it could not be fetched.
    pub(super) day_problem: Option<Problem>,
}

impl LocalFiles {
    fn path(&self, kind: FileKind) -> Option<&Path> {
        match kind {
            FileKind::Minute => self.minute.as_deref(),
            FileKind::Day => self.day.as_deref(),
        }
    }
}

/// Why a day, or one of its files, was not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) outcome: Outcome,
    pub(super) detail: String,
}

/// What a decoder tells the writer, in this order: a beginning, bars, an end; or only that it knows the files.
#[derive(Debug)]
pub(super) enum Message {
    /// These files, which the vendor has replaced, hold what they held when they were loaded. The day is to be planned anew.
    Same(Box<DayJob>, Vec<DayFile>),
    /// Bars of the day will follow. Comes again when the file turns out to need another way of reading.
    Begin(Box<DayJob>),
    /// Bars of the day.
    Bars(BarBatch),
    /// Everything was read and looks whole.
    Whole(Box<Decoded>),
    /// The day cannot be loaded.
    Broken(Problem, Box<Decoded>),
}

/// What was read of a day.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) files: Vec<LoadedFile>,
    pub(super) minute: Option<ObjectReport>,
    pub(super) day: Option<ObjectReport>,
    pub(super) day_problem: Option<Problem>,
    pub(super) absent: Vec<String>,
    /// Symbols of which the minute file has no row, of those whose place it was to take.
    pub(super) lacking: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Bars sent at a time: large enough to make each message cheap, small enough that the few in flight are a few megabytes.
const BATCH_BARS: usize = 16 * 1024;

/// Decodes a day and sends it. Ends early when the receiver is gone or the run is to stop.
pub(super) fn load(day: FetchedDay, to: &Sender<Message>, context: &Context) {
    let same = same_content(&day);
    let end = if same.is_empty() {
        match decode(day, to, context) {
            Ok(decoded) => Message::Whole(Box::new(decoded)),
            Err(Stop::Problem(problem, decoded)) => Message::Broken(problem, decoded),
            Err(Stop::Unwanted) => return,
        }
    } else {
        Message::Same(Box::new(day.job), same)
    };
    // A receiver that is gone wants no end either.
    let _ = to.blocking_send(end);
}

/// The files that the vendor has replaced by their like. Costs one more unpacking of files that were replaced, and nothing
/// for others.
fn same_content(day: &FetchedDay) -> Vec<DayFile> {
    let is_same = |file: &&DayFile| {
        let (before, path) = (day.job.content_before(file), day.files.path(file.kind));
        // A file that cannot be unpacked is none that was loaded; what is wrong with it is the decoder's to say.
        let now = before.and(path).and_then(|path| content_hash(File::open(path).ok()?).ok());
        now.is_some() && now == before
    };
    day.job.minute.iter().chain(&day.job.day).filter(is_same).cloned().collect()
}

enum Stop {
    Problem(Problem, Box<Decoded>),
    Unwanted,
}

fn decode(day: FetchedDay, to: &Sender<Message>, context: &Context) -> Result<Decoded, Stop> {
    let FetchedDay { mut job, files: LocalFiles { minute, day: day_path, day_problem } } = day;
    let dataset = job.request.dataset;
    let grid = DayGrid::new(dataset, job.date);
    let mut decoded = Decoded { day_problem, ..Decoded::default() };

    let mut official = None;
    if let (Some(file), Some(path)) = (&job.day, &day_path) {
        match read_day(file, path, &job, &grid) {
            Ok(rows) => official = Some(rows),
            Err(problem) => decoded.day_problem = Some(problem),
        }
    }
    match (&official, &job.day) {
        (Some(rows), Some(file)) => decoded.day = Some(day_report(file, rows)),
        (None, Some(_)) => job = job.without_day_file(),
        (_, None) => {}
    }
    if let Some(rows) = official.as_ref().filter(|rows| rows.odd_stamps > 0) {
        decoded.notes.push(format!(
            "{} rows of the day file are stamped with another date; the file's date counts",
            rows.odd_stamps
        ));
    }

    let mut sender = BatchSender {
        job: &job,
        grid: &grid,
        official: official.take(),
        to,
        context,
        batch: context.batches.take(),
        rolled: 0,
        official_bars: 0,
    };
    sender.begin()?;
    let mut read = None;
    if let Some(file) = &job.minute {
        let Some(path) = &minute else {
            let detail = "the day changed in the database while it was loaded; run the command again".to_owned();
            return Err(Stop::Problem(Problem { outcome: Outcome::Failed, detail }, Box::new(decoded)));
        };
        match read_minutes(path, &mut sender) {
            Ok(rows) => {
                decoded.minute = Some(minute_report(file, &rows));
                decoded.notes.extend(
                    rows.merged_spellings
                        .iter()
                        .map(|both| format!("{both} are the same symbol; their rows were merged")),
                );
                read = Some(rows);
            }
            Err(ReadError::Unwanted) => return Err(Stop::Unwanted),
            Err(ReadError::Decode(error)) => {
                let problem = damaged(file, &error);
                return Err(Stop::Problem(problem, Box::new(decoded)));
            }
            Err(ReadError::Io(source)) => {
                let problem = unreadable(path, &source);
                return Err(Stop::Problem(problem, Box::new(decoded)));
            }
        }
    }
    sender.finish()?;
    let (rolled, official_bars, official) = (sender.rolled, sender.official_bars, sender.official);

    if let (Some(file), Some(rows)) = (&job.minute, &read) {
        if rows.rows == 0 {
            return Err(Stop::Problem(empty(file), Box::new(decoded)));
        }
        let mut verdict = check(dataset, &grid, &rows.census, official.as_ref());
        verdict.suspect.extend(job.listed.short.clone());
        let accepted = verdict.why_suspect();
        decoded.notes.extend(verdict.notes);
        decoded = judge(&job, accepted.as_deref(), decoded)?;
        decoded.absent =
            job.request.symbols.iter().flatten().filter(|ticker| !rows.census.has(ticker)).cloned().collect();
        decoded.lacking = job.replace_rest.iter().filter(|ticker| !rows.census.has(ticker)).cloned().collect();
        let loaded = decoded.minute.as_ref().map(|read| loaded_file(file, read, rows.content, rolled));
        decoded.files.extend(loaded.map(|loaded| LoadedFile { accepted, ..loaded }));
    }
    if let (Some(file), Some(rows)) = (&job.day, &official) {
        decoded.files.extend(decoded.day.as_ref().map(|read| loaded_file(file, read, rows.content, official_bars)));
    }
    Ok(decoded)
}

/// A suspect day ends here, unless it is accepted.
fn judge(job: &DayJob, suspect: Option<&str>, mut decoded: Decoded) -> Result<Decoded, Stop> {
    let Some(why) = suspect else { return Ok(decoded) };
    if job.request.accept.covers(job.date) {
        decoded.notes.push(format!("accepted although it looks cut short: {why}"));
        return Ok(decoded);
    }
    let detail = format!("looks cut short: {why}; --accept={} loads it all the same", job.date);
    Err(Stop::Problem(Problem { outcome: Outcome::Suspect, detail }, Box::new(decoded)))
}

enum ReadError {
    Decode(DecodeError),
    Io(std::io::Error),
    Unwanted,
}

fn read_minutes(path: &Path, sender: &mut BatchSender<'_>) -> Result<MinuteRows, ReadError> {
    let dataset = sender.job.request.dataset;
    for grouping in [Grouping::Together, Grouping::Any] {
        let file = File::open(path).map_err(ReadError::Io)?;
        let (job, grid, reporter) = (sender.job, sender.grid, &sender.context.reporter);
        let progress = |rows| reporter.decoded(rows);
        let read = decode_minutes(file, dataset, grid, &job.wanted, grouping, progress, |symbol| sender.take(&symbol));
        match read {
            Ok(rows) => return Ok(rows),
            Err(DecodeError::Scattered) => sender.begin().map_err(|_| ReadError::Unwanted)?,
            Err(DecodeError::Stopped) => return Err(ReadError::Unwanted),
            Err(error) => return Err(ReadError::Decode(error)),
        }
    }
    unreachable!("Invariant: a file read in any grouping is not scattered")
}

fn read_day(file: &DayFile, path: &Path, job: &DayJob, grid: &DayGrid) -> Result<DayFileRows, Problem> {
    let opened = File::open(path).map_err(|source| unreadable(path, &source))?;
    let rows = decode_day(opened, job.request.dataset, grid, &job.wanted).map_err(|error| damaged(file, &error))?;
    if rows.rows == 0 { Err(empty(file)) } else { Ok(rows) }
}

fn damaged(file: &DayFile, error: &DecodeError) -> Problem {
    let outcome = Outcome::Damaged;
    Problem { outcome, detail: format!("{}: {error}", file.key) }
}

fn empty(file: &DayFile) -> Problem {
    Problem { outcome: Outcome::Empty, detail: format!("{} has a header and no rows", file.key) }
}

fn unreadable(path: &Path, source: &std::io::Error) -> Problem {
    Problem { outcome: Outcome::Failed, detail: format!("cannot read {}: {source}", path.display()) }
}

fn minute_report(file: &DayFile, rows: &MinuteRows) -> ObjectReport {
    ObjectReport {
        key: file.key.clone(),
        size_bytes: file.size_bytes,
        rows: rows.rows,
        symbols: rows.census.symbols,
        rejects: rows.rejects.clone(),
        duplicates_identical: rows.duplicates_identical,
        duplicates_conflicting: rows.duplicates_conflicting,
    }
}

fn day_report(file: &DayFile, rows: &DayFileRows) -> ObjectReport {
    ObjectReport {
        key: file.key.clone(),
        size_bytes: file.size_bytes,
        rows: rows.rows,
        symbols: rows.symbol_count(),
        rejects: rows.rejects.clone(),
        duplicates_identical: rows.duplicates_identical,
        duplicates_conflicting: rows.duplicates_conflicting,
    }
}

fn loaded_file(file: &DayFile, read: &ObjectReport, content: Option<ContentHash>, bars_written: u64) -> LoadedFile {
    LoadedFile {
        kind: file.kind,
        version: version(file),
        rows_read: read.rows,
        rows_rejected: read.rejects.total(),
        symbols_seen: read.symbols,
        content,
        bars_written,
        accepted: None,
    }
}

/// Rolls symbols up and sends their bars in batches.
struct BatchSender<'a> {
    job: &'a DayJob,
    grid: &'a DayGrid,
    /// Day bars; those of symbols with minutes go out with them, so that a symbol's bars are written together.
    official: Option<DayFileRows>,
    to: &'a Sender<Message>,
    context: &'a Context,
    batch: BarBatch,
    rolled: u64,
    official_bars: u64,
}

impl BatchSender<'_> {
    fn begin(&mut self) -> Result<(), Stop> {
        if let Some(official) = &mut self.official {
            official.untake();
        }
        self.batch.symbols.clear();
        self.batch.bars.clear();
        (self.rolled, self.official_bars) = (0, 0);
        self.to.blocking_send(Message::Begin(Box::new(self.job.clone()))).map_err(|_| Stop::Unwanted)
    }

    fn take(&mut self, symbol: &SymbolMinutes<'_>) -> ControlFlow<()> {
        let dataset = self.job.request.dataset;
        let from = self.batch.bars.len();
        roll_up(self.grid, dataset, symbol.timeframes, symbol.minutes, &mut self.batch.bars);
        self.rolled += (self.batch.bars.len() - from) as u64;
        let official = self.official.as_mut().and_then(|rows| rows.take(symbol.ticker));
        self.add(symbol.ticker, from, official.map(|bar| bar.bar(dataset, self.grid)));
        if self.batch.bars.len() >= BATCH_BARS && self.send().is_err() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn add(&mut self, ticker: &str, from: usize, official: Option<Bar>) {
        self.official_bars += u64::from(official.is_some());
        self.batch.bars.extend(official);
        if self.batch.bars.len() > from {
            self.batch.symbols.push((ticker.into(), from..self.batch.bars.len()));
        }
    }

    /// Day bars of symbols without minutes, and whatever was not sent yet.
    fn finish(&mut self) -> Result<(), Stop> {
        let dataset = self.job.request.dataset;
        for (ticker, bar) in self.official.as_mut().map(DayFileRows::take_rest).unwrap_or_default() {
            let from = self.batch.bars.len();
            self.add(&ticker, from, Some(bar.bar(dataset, self.grid)));
            if self.batch.bars.len() >= BATCH_BARS {
                self.send()?;
            }
        }
        if self.batch.bars.is_empty() { Ok(()) } else { self.send() }
    }

    fn send(&mut self) -> Result<(), Stop> {
        if self.context.stop.is_cancelled() {
            return Err(Stop::Unwanted);
        }
        // The vendor's order of tickers is not quite the database's.
        self.batch.symbols.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let batch = std::mem::replace(&mut self.batch, self.context.batches.take());
        self.to.blocking_send(Message::Bars(batch)).map_err(|_| Stop::Unwanted)
    }
}
