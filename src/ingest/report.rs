//! What became of each day, and the trait through which a run tells how far it is.

use std::fmt;
use std::time::Duration;

use jiff::civil::Date;
use serde::Serialize;

use super::rest::SymbolDayReport;
use crate::model::{Dataset, Outcome};

/// Why a row was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// Another number of fields than the header; from the REST API, without a field that every bar has.
    FieldCount,
    /// Empty, not UTF-8, too long, or of another market than the file.
    Ticker,
    /// The start of the window is not 19 digits (nanoseconds since 2001; from the REST API 13, milliseconds), so its unit is
    /// unknown.
    StampMagnitude,
    /// The start of the window is not a whole minute.
    StampOffMinute,
    /// The start of the window lies on another date than the file's, or outside what the REST API was asked for.
    StampOtherDate,
    /// A price, volume or count that is no finite number or larger than any can be, or a volume or count below zero.
    Number,
    /// A price of zero or below in a market that has none.
    PriceNotPositive,
    /// The high is not the highest or the low not the lowest price.
    PriceOrder,
}

impl RejectReason {
    /// The word in `--json` and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FieldCount => "field_count",
            Self::Ticker => "ticker",
            Self::StampMagnitude => "stamp_magnitude",
            Self::StampOffMinute => "stamp_off_minute",
            Self::StampOtherDate => "stamp_other_date",
            Self::Number => "number",
            Self::PriceNotPositive => "price_not_positive",
            Self::PriceOrder => "price_order",
        }
    }
}

/// A rejected row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    /// Line of the unpacked file, the header being 1; from the REST API, place in its page, the first row being 1.
    pub line: u64,
    /// Why.
    pub reason: RejectReason,
    /// The row, cut to 120 characters.
    pub text: String,
}

/// Rows that were not taken: how many by reason, and the first ten of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rejects {
    /// Count by reason, in the reasons' order.
    pub counts: std::collections::BTreeMap<RejectReason, u64>,
    /// The first ten.
    pub first: Vec<RejectedRow>,
}

impl Rejects {
    /// Rejected rows kept for the report.
    pub const KEPT: usize = 10;

    /// Adds those of another file or page.
    pub fn merge(&mut self, other: Self) {
        for (reason, rows) in other.counts {
            *self.counts.entry(reason).or_default() += rows;
        }
        let room = Self::KEPT.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(room));
    }

    /// All rejected rows.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Counts a row, and keeps its text if it is one of the first.
    pub(super) fn reject(&mut self, reason: RejectReason, line: u64, text: impl FnOnce() -> String) {
        *self.counts.entry(reason).or_default() += 1;
        if self.first.len() < Self::KEPT {
            self.first.push(RejectedRow { line, reason, text: text() });
        }
    }

    /// Counts by reason and the first row, for people; `line` is what its number counts.
    pub(super) fn in_words(&self, line: &str) -> String {
        let reasons: Vec<_> = self.counts.iter().map(|(why, n)| format!("{n} {}", why.as_str())).collect();
        let first = self.first.first();
        let first = first.map_or(String::new(), |row| format!("; the first is {line} {}: {}", row.line, row.text));
        reasons.join(", ") + &first
    }
}

/// What one file of a day held.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ObjectReport {
    /// Object key, or the path below the source folder.
    pub key: String,
    /// Packed size.
    pub size_bytes: u64,
    /// Rows read, rejected ones included, of all symbols.
    pub rows: u64,
    /// Distinct symbols seen.
    pub symbols: u64,
    /// Rejected rows.
    pub rejects: Rejects,
    /// Rows that repeated another row exactly and were counted once.
    pub duplicates_identical: u64,
    /// Rows that disagreed with another row of the same symbol and minute and lost to it.
    pub duplicates_conflicting: u64,
}

/// What became of one trading day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayReport {
    /// Market.
    pub dataset: Dataset,
    /// Trading date.
    pub date: Date,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, and what to do, where the outcome does not say it all.
    pub detail: Option<String>,
    /// Bars written, `day_official` included.
    pub bars: u64,
    /// Bars that were replaced because the file had changed.
    pub replaced: bool,
    /// Bars that had come by REST and whose place the file's have taken.
    pub replaced_rest_bars: u64,
    /// Wanted symbols the file has no row of.
    pub absent_symbols: Vec<String>,
    /// The minute file.
    pub minute_file: Option<ObjectReport>,
    /// The vendor's day file, if it was read.
    pub day_file: Option<ObjectReport>,
    /// What became of the vendor's day file, if it was listed and wanted.
    pub day_file_outcome: Option<Outcome>,
    /// Things worth a look that stopped nothing (minutes missing across the market, no day file …).
    pub notes: Vec<String>,
}

impl DayReport {
    /// A day of which nothing but its outcome is known.
    pub const fn new(dataset: Dataset, date: Date, outcome: Outcome) -> Self {
        Self {
            dataset,
            date,
            outcome,
            detail: None,
            bars: 0,
            replaced: false,
            replaced_rest_bars: 0,
            absent_symbols: Vec::new(),
            minute_file: None,
            day_file: None,
            day_file_outcome: None,
            notes: Vec::new(),
        }
    }

    /// Whether the day is there, but the vendor's day bars that were listed for it could not be read.
    pub fn lacks_its_day_bars(&self) -> bool {
        matches!(self.outcome, Outcome::Loaded | Outcome::Unchanged)
            && matches!(self.day_file_outcome, Some(Outcome::Damaged | Outcome::Failed | Outcome::Empty))
    }
}

/// What became of a whole run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunReport {
    /// Every day asked for, ascending by dataset and date.
    pub days: Vec<DayReport>,
    /// Bytes that came over the network.
    pub bytes_fetched: u64,
    /// From the first listing to the last commit.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// Stopped on request before all days were done.
    pub interrupted: bool,
}

fn seconds<S: serde::Serializer>(elapsed: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((elapsed.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Hears how far a run is. Called from several threads; must not block.
pub trait Reporter: Send + Sync + fmt::Debug {
    /// Work about to start: days to load, and bytes to fetch for them.
    fn start(&self, days: u64, bytes: u64);
    /// Bytes arrived.
    fn fetched(&self, bytes: u64);
    /// Rows were decoded.
    fn decoded(&self, rows: u64);
    /// A day ended, one way or the other.
    fn day_done(&self, day: &DayReport);
    /// A day of a symbol that was asked of the REST API ended, one way or the other.
    fn symbol_day_done(&self, day: &SymbolDayReport);
    /// So many requests of the REST API are done of so many, and at the rate that is allowed the others take so long.
    fn requests(&self, done: u64, of: u64, left: Duration);
    /// Something a person would want to know now: waiting for another process, trying again.
    fn note(&self, message: &str);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SilentReporter;

impl Reporter for SilentReporter {
    fn start(&self, _days: u64, _bytes: u64) {}
    fn fetched(&self, _bytes: u64) {}
    fn decoded(&self, _rows: u64) {}
    fn day_done(&self, _day: &DayReport) {}
    fn symbol_day_done(&self, _day: &SymbolDayReport) {}
    fn requests(&self, _done: u64, _of: u64, _left: Duration) {}
    fn note(&self, _message: &str) {}
}
