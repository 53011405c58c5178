//! What goes into a store and comes out of it.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{Bar, Dataset, FileKind, Outcome, Symbol, Timeframe, TimeframeSet};

/// A version of a day file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersion {
    /// Object key, or path below the source folder.
    pub key: String,
    /// Opaque version token.
    pub etag: String,
    /// Packed size.
    pub size_bytes: u64,
    /// When the vendor put it there; for information, not part of the version.
    pub last_modified: Option<Timestamp>,
}

impl FileVersion {
    /// Whether another version has the same content, as far as token and size tell.
    pub fn is_same_content(&self, other: &Self) -> bool {
        self.etag == other.etag && self.size_bytes == other.size_bytes
    }
}

/// What the ledger says of one file of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// The version whose bars are stored; none if the file was never loaded.
    pub loaded: Option<FileVersion>,
    /// How the last attempt ended.
    pub outcome: Outcome,
    /// When.
    pub attempted_at: Timestamp,
}

/// What is stored of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayState {
    /// The minute file.
    pub minute: Option<FileState>,
    /// The vendor's day file.
    pub day: Option<FileState>,
    /// Timeframes loaded for every symbol of the files.
    pub everyone: TimeframeSet,
    /// Timeframes loaded for single symbols, beyond those for everyone.
    pub named: BTreeMap<String, TimeframeSet>,
}

impl DayState {
    /// What is loaded of a symbol.
    pub fn covered(&self, ticker: &str) -> TimeframeSet {
        self.everyone.union(self.named.get(ticker).copied().unwrap_or_default())
    }

    /// Whether the same is stored, whatever was attempted meanwhile.
    pub fn is_same_content(&self, other: &Self) -> bool {
        self.everyone == other.everyone
            && self.named == other.named
            && FileKind::ALL.iter().all(|kind| self.loaded(*kind) == other.loaded(*kind))
    }

    /// What the ledger says of a file.
    pub const fn file(&self, kind: FileKind) -> Option<&FileState> {
        match kind {
            FileKind::Minute => self.minute.as_ref(),
            FileKind::Day => self.day.as_ref(),
        }
    }

    /// The version of a file whose bars are stored.
    pub fn loaded(&self, kind: FileKind) -> Option<&FileVersion> {
        self.file(kind).and_then(|file| file.loaded.as_ref())
    }
}

/// Bars on their way into a store: series of one day, each symbol's bars together.
#[derive(Debug, Default)]
pub struct BarBatch {
    /// Tickers and where their bars stand in `bars`. A ticker stands here once.
    pub symbols: Vec<(Box<str>, Range<usize>)>,
    /// The bars: of each symbol by timeframe, then ascending.
    pub bars: Vec<Bar>,
}

/// Bars to remove before new ones take their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replace {
    /// Which timeframes.
    pub timeframes: TimeframeSet,
    /// Of which symbols; `None`: of all.
    pub symbols: Option<Vec<String>>,
}

/// A file that was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedFile {
    /// Which.
    pub kind: FileKind,
    /// Its version.
    pub version: FileVersion,
    /// Rows read, rejected ones included.
    pub rows_read: u64,
    /// Rows rejected.
    pub rows_rejected: u64,
    /// Distinct symbols.
    pub symbols_seen: u64,
    /// Bars made from it.
    pub bars_written: u64,
}

/// What makes a day visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCommit {
    /// Files that were read.
    pub files: Vec<LoadedFile>,
    /// Timeframes that are now loaded for every symbol.
    pub everyone: TimeframeSet,
    /// Timeframes that are now loaded for single symbols, whether the file had rows of them or not.
    pub named: Vec<(String, TimeframeSet)>,
    /// When the work began.
    pub started_at: Timestamp,
    /// Now.
    pub finished_at: Timestamp,
}

/// An attempt that brought no bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub detail: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// How much a run did in how much time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadRate {
    /// Packed bytes of the files loaded.
    pub file_bytes: u64,
    /// Bars written.
    pub bars: u64,
    /// Wall time.
    pub seconds: f64,
    /// When it ended.
    pub measured_at: Timestamp,
}

/// A bar as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBar {
    /// The bar.
    pub bar: Bar,
    /// Its trading date.
    pub session_date: Date,
}

/// One series: a symbol in a timeframe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesStatus {
    /// Ticker.
    pub symbol: String,
    /// Market.
    pub dataset: Dataset,
    /// Timeframe.
    pub timeframe: Timeframe,
    /// Bars stored.
    pub bars: u64,
    /// Start of the first bar.
    pub first: Timestamp,
    /// Start of the last bar.
    pub last: Timestamp,
}

/// A symbol that is kept filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchlistEntry {
    /// The symbol.
    pub symbol: Symbol,
    /// How many calendar days back it is wanted.
    pub days_to_backfill: u32,
    /// Whether it is filled at present.
    pub active: bool,
    /// Higher ones are filled first.
    pub priority: i32,
    /// Since when it is on the list.
    pub added_at: Timestamp,
}
