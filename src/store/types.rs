//! What goes into a store and comes out of it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{Bar, Dataset, FileKind, Outcome, Session, Symbol, Timeframe, TimeframeSet, VwapMethod};

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

/// A hash of a file's unpacked content: files with the same one have the same bars, however they were packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub u128);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for ContentHash {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// What the ledger says of one file of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// The version whose bars are stored; none if the file was never loaded.
    pub loaded: Option<FileVersion>,
    /// The hash of its content; none if it was not loaded, or by a version of this program that did not hash.
    pub content: Option<ContentHash>,
    /// How many bars made from it are stored.
    pub bars: u64,
    /// How the last attempt ended.
    pub outcome: Outcome,
    /// Why; of a loaded file: why it looked cut short and was accepted all the same.
    pub detail: Option<String>,
    /// When.
    pub attempted_at: Timestamp,
}

impl FileState {
    /// Whether what is stored was made from a file that looked cut short.
    pub fn is_known_to_be_short(&self) -> bool {
        self.outcome == Outcome::Suspect || self.outcome == Outcome::Loaded && self.detail.is_some()
    }
}

/// What the ledger says of what the REST API brought of a symbol's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestState {
    /// Timeframes whose bars came this way, "looked for and not there" included. None of them came by a file.
    pub timeframes: TimeframeSet,
    /// How many bars of them are stored.
    pub bars: u64,
    /// Whether they were fetched before the session was over. Then they cover nothing.
    pub is_provisional: bool,
    /// Timeframes whose bars came by a file and whose VWAPs were made exact, where volume and transactions agree.
    pub exact_vwap: TimeframeSet,
    /// When what is stored was fetched; none if nothing is.
    pub fetched_at: Option<Timestamp>,
    /// How the last attempt ended.
    pub outcome: Outcome,
    /// Why.
    pub detail: Option<String>,
    /// When.
    pub attempted_at: Timestamp,
}

impl RestState {
    /// Timeframes that need not be fetched again.
    pub fn covered(&self) -> TimeframeSet {
        if self.is_provisional { TimeframeSet::EMPTY } else { self.timeframes }
    }

    /// The same when a file has taken the place of its bars: VWAPs that were made exact are so still.
    pub(super) fn without_bars(self) -> Self {
        Self { timeframes: TimeframeSet::EMPTY, bars: 0, is_provisional: false, ..self }
    }

    /// Whether nothing is stored because of it.
    pub(super) const fn is_nothing(&self) -> bool {
        self.timeframes.is_empty() && self.exact_vwap.is_empty()
    }
}

/// What is stored of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayState {
    /// The minute file.
    pub minute: Option<FileState>,
    /// The vendor's day file.
    pub day: Option<FileState>,
    /// Timeframes loaded from files for every symbol they have.
    pub everyone: TimeframeSet,
    /// Timeframes loaded from files for single symbols, beyond those for everyone.
    pub named: BTreeMap<String, TimeframeSet>,
    /// What the REST API brought, by ticker.
    pub rest: BTreeMap<String, RestState>,
}

impl DayState {
    /// What is loaded of a symbol, wherever it came from.
    pub fn covered(&self, ticker: &str) -> TimeframeSet {
        self.covered_by_files(ticker).union(self.covered_by_rest(ticker))
    }

    /// What files have brought of a symbol.
    pub fn covered_by_files(&self, ticker: &str) -> TimeframeSet {
        self.everyone.union(self.named.get(ticker).copied().unwrap_or_default())
    }

    /// What the REST API has brought of a symbol.
    pub fn covered_by_rest(&self, ticker: &str) -> TimeframeSet {
        self.rest.get(ticker).map(RestState::covered).unwrap_or_default()
    }

    /// What is loaded of single symbols beyond what is loaded for everyone, wherever it came from.
    pub fn by_name(&self) -> BTreeMap<String, TimeframeSet> {
        let mut named = self.named.clone();
        for (ticker, rest) in self.rest.iter().filter(|(_, rest)| !rest.timeframes.is_empty()) {
            let timeframes = named.entry(ticker.clone()).or_default();
            *timeframes = timeframes.union(rest.timeframes);
        }
        named
    }

    /// Whether the same is stored, whatever was attempted meanwhile.
    pub fn is_same_content(&self, other: &Self) -> bool {
        let rest = |state: &Self| -> Vec<_> {
            let stored = state.rest.iter().filter(|(_, rest)| rest.fetched_at.is_some());
            stored.map(|(ticker, rest)| (ticker.clone(), rest.timeframes, rest.exact_vwap, rest.fetched_at)).collect()
        };
        self.everyone == other.everyone
            && self.named == other.named
            && rest(self) == rest(other)
            && FileKind::ALL.iter().all(|kind| self.loaded(*kind) == other.loaded(*kind))
    }

    /// What the REST API has brought of symbols whose bars are to be removed, if it has made VWAPs of them exact: without
    /// these.
    pub(super) fn less_exact(&self, what: &Replace) -> Vec<(String, RestState)> {
        let is_replaced = |symbol: &String| what.symbols.as_ref().is_none_or(|symbols| symbols.contains(symbol));
        let exact = self.rest.iter().filter(|(_, rest)| !rest.exact_vwap.and(what.timeframes).is_empty());
        let replaced = exact.filter(|(symbol, _)| is_replaced(symbol));
        let less = |rest: &RestState| RestState { exact_vwap: rest.exact_vwap.minus(what.timeframes), ..rest.clone() };
        replaced.map(|(symbol, rest)| (symbol.clone(), less(rest))).collect()
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
    /// Whether the vendor has replaced the file they were made from. Then what is removed is compared with what takes its
    /// place, and the commit remembers how much was added, changed and removed.
    pub restated: bool,
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
    /// The hash of its content, where it has one.
    pub content: Option<ContentHash>,
    /// Bars made from it now. The ledger adds them to those of earlier loads that stay.
    pub bars_written: u64,
    /// Why it looked cut short, if it was accepted all the same. The ledger keeps it.
    pub accepted: Option<String>,
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

/// Days of one symbol, as one page of the REST API brings them.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolDays {
    /// Market.
    pub dataset: Dataset,
    /// Ticker.
    pub symbol: String,
    /// The request that brought them, without its key: what stands for the object of a file.
    pub request: String,
    /// The days, ascending, each once.
    pub days: Vec<SymbolDay>,
    /// Whether bars that came by files get the exact VWAPs of these.
    pub exact_vwap: bool,
    /// When the request was made.
    pub started_at: Timestamp,
    /// Now.
    pub finished_at: Timestamp,
}

/// One day of a symbol, as the REST API brings it.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolDay {
    /// Trading date.
    pub date: Date,
    /// Timeframes that were rolled up of its minutes.
    pub timeframes: TimeframeSet,
    /// The bars: by timeframe, then ascending. None where nothing was traded.
    pub bars: Vec<Bar>,
    /// Whether its session was not over when it was fetched.
    pub is_provisional: bool,
    /// Whether the day's file, loaded for this symbol by name, lacks it. Then its bars take the place of that nothing.
    pub is_absent_in_file: bool,
    /// Rows that made minutes, or lost to others of their minute.
    pub rows_read: u64,
}

/// What became of a day of a symbol when it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolDayStored {
    /// Trading date.
    pub date: Date,
    /// Timeframes that were left as files have brought them.
    pub of_files: TimeframeSet,
    /// Bars written.
    pub bars: u64,
    /// Bars of files that have the exact VWAP now.
    pub made_exact: u64,
    /// Bars of files that differ from those fetched in volume or transactions, or have none to compare with, and keep what
    /// they had.
    pub left_estimated: u64,
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

/// A file of a day that the vendor replaced after it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restatement {
    /// Market.
    pub dataset: Dataset,
    /// Trading date.
    pub date: Date,
    /// Which of its files.
    pub file: FileKind,
    /// When the new version was loaded.
    pub loaded_at: Timestamp,
    /// The version that was loaded before.
    pub old: FileVersion,
    /// The version that took its place.
    pub new: FileVersion,
    /// What it changed in the table.
    pub change: BarChange,
}

/// How the bars of a day differ before and after. Only series that were loaded before count: what is loaded for the first
/// time tells nothing of the vendor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BarChange {
    /// Bars that were not there before.
    pub added: u64,
    /// Bars of which any value differs.
    pub changed: u64,
    /// Bars that are not there any more.
    pub removed: u64,
}

/// Which stored bars to go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Of which market.
    pub dataset: Dataset,
    /// Of which symbols; `None`: of all.
    pub symbols: Option<Vec<String>>,
    /// Which timeframes.
    pub timeframes: TimeframeSet,
    /// The trading dates they say they are of; `None`: any, even if it is no date.
    pub dates: Option<RangeInclusive<Date>>,
    /// Starts of bars, milliseconds since the Unix epoch.
    pub range_ms: RangeInclusive<i64>,
}

/// A word of the table that may have been tampered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word<T> {
    /// One of ours.
    Known(T),
    /// Something else.
    Unknown(String),
}

/// A bar exactly as it lies in the table, right or wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct RawBar {
    /// Length of the bar.
    pub timeframe: Timeframe,
    /// Start, milliseconds since the Unix epoch, UTC.
    pub timestamp_ms: i64,
    /// When the bar is known, milliseconds since the Unix epoch, UTC.
    pub end_timestamp_ms: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded volume.
    pub volume: Option<f64>,
    /// Volume-weighted average price.
    pub vwap: Option<f64>,
    /// Number of transactions.
    pub trades: Option<i64>,
    /// Part of the trading day.
    pub session: Word<Session>,
    /// How `vwap` was made.
    pub vwap_method: Option<Word<VwapMethod>>,
    /// The trading date the bar says it is of; `None` if it is no date.
    pub session_date: Option<Date>,
    /// Minute bars it was made of.
    pub minutes: i64,
}

/// Something in the tables that no load could have left there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// What kind: a word for machines.
    pub kind: &'static str,
    /// Market and trading date, where it has one.
    pub day: Option<(Dataset, Date)>,
    /// Symbol, where it has one.
    pub symbol: Option<String>,
    /// What was found, for people.
    pub detail: String,
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
