//! Signals from a file: `symbol,timestamp,side[,stop,target,max_bars,size]`.
//!
//! The header says which column is which, in any order. `timestamp` is the END of the signal bar, the moment the signal is
//! known: milliseconds since the Unix epoch, or RFC 3339 with an offset. `side` is long or buy, short or sell. `stop` and
//! `target` are what [`LevelUnit`] says, `max_bars` the bars after which the position is closed (entry bar = 1), `size` the
//! quantity in the study. Fields but the first three may be empty.

mod place;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

pub use place::{BarFacts, Matched, Unmatched, UnmatchedReason, signals};

use super::{Side, TradeRules};
use crate::model::Symbol;

/// What stops and targets of a file are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LevelUnit {
    /// Prices, as traded on the day of the signal.
    #[default]
    Price,
    /// Distances from the entry, in price.
    Distance,
    /// Distances from the entry, in percent of the signal bar's close.
    Percent,
    /// Distances from the entry, in ATR at the signal.
    Atr,
}

impl LevelUnit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Price, Self::Distance, Self::Percent, Self::Atr];

    /// The word on the command line and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Distance => "distance",
            Self::Percent => "percent",
            Self::Atr => "atr",
        }
    }
}

impl fmt::Display for LevelUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no unit of levels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not what stops and targets can be (price, distance, percent or atr)")]
pub struct LevelUnitError(pub String);

impl FromStr for LevelUnit {
    type Err = LevelUnitError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == word).ok_or_else(|| LevelUnitError(word.to_owned()))
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SignalOptions {
    /// What stops and targets are.
    pub levels: LevelUnit,
    /// Distance of the stop of rows without one, in ATR at the signal. Without it such rows are refused: R is measured by the
    /// stop.
    pub default_stop_atr: Option<f64>,
}

/// One signal of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRow {
    /// Its line, counted from 1 with the header.
    pub line: u64,
    /// The symbol.
    pub symbol: Symbol,
    /// End of the signal bar, milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// Which way.
    pub side: Side,
    /// The stop, in the file's unit.
    pub stop: Option<f64>,
    /// The target, in the file's unit.
    pub target: Option<f64>,
    /// Bars after which it is closed.
    pub max_bars: Option<u32>,
    /// Quantity in the study.
    pub size: Option<f64>,
}

/// Why a file of signals is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalsError {
    /// A column the file must have is not there.
    #[error(
        "the first line has no column `{0}`: write a header of symbol,timestamp,side and what else there is of stop,target,max_bars,size"
    )]
    NoColumn(&'static str),
    /// A column nobody knows, or one that is there twice.
    #[error("the first line has a column `{0}` that is unknown or there twice: leave it out, or name it one of {names}", names = Column::NAMES.join(", "))]
    Column(String),
    /// No line but the header.
    #[error("there is no signal in it: write one to a line below the header")]
    Empty,
    /// Rows that are no signals.
    #[error("{}", rows(.first, *.count))]
    Rows {
        /// The first of them, by line; at most [`BAD_ROWS`].
        first: Vec<BadRow>,
        /// How many there are.
        count: u64,
    },
}

/// How many bad rows are named.
pub const BAD_ROWS: usize = 10;

fn rows(first: &[BadRow], count: u64) -> String {
    let mut text = if count == 1 { "a row is no signal".to_owned() } else { format!("{count} rows are no signals") };
    for row in first {
        text.push_str(&format!("\n  {row}"));
    }
    if count > first.len() as u64 {
        text.push_str(&format!("\n  and {} more", count - first.len() as u64));
    }
    text
}

/// A row that is no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {column}: {problem}")]
pub struct BadRow {
    /// Its line, counted from 1 with the header.
    pub line: u64,
    /// The column that is wrong.
    pub column: &'static str,
    /// What is wrong, and what to write instead.
    pub problem: RowProblem,
}

/// What is wrong with a field of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// More or fewer fields than the header.
    #[error("{found} fields where the header has {wanted}: write one for each column, empty where there is nothing")]
    Fields {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// Bytes that are no text.
    #[error("it is not UTF-8: save the file as UTF-8")]
    NotText,
    /// No symbol.
    #[error("{0}")]
    Symbol(String),
    /// No instant.
    #[error(
        "`{0}` is no instant: write the END of the signal bar in milliseconds since 1970 (UTC), or as 2026-11-30T10:15:00-05:00 with its offset"
    )]
    Timestamp(String),
    /// Seconds, or something else that is not milliseconds.
    #[error(
        "{0} milliseconds since 1970 lie before 1990 or after 2200: are they seconds, or nanoseconds? Write milliseconds"
    )]
    Range(i64),
    /// No side.
    #[error("`{0}` is no side: write long (buy) or short (sell)")]
    Side(String),
    /// No number, or not one above zero.
    #[error("`{0}` is no number above zero: correct it, or leave it empty")]
    Number(String),
    /// No whole number.
    #[error("`{0}` is no whole number of bars from 1 on: correct it, or leave it empty")]
    Bars(String),
    /// No stop and no option for one.
    #[error("there is no stop, and R is measured by it: write one, or give --default-stop-atr for rows without")]
    NoStop,
    /// Stop and target on the wrong sides of each other.
    #[error(
        "a {side} has its stop {stop} and its target {target} the wrong way round: write prices in price, or say what they are by --signal-levels"
    )]
    Crossed {
        /// Which way.
        side: &'static str,
        /// The stop.
        stop: String,
        /// The target.
        target: String,
    },
    /// A level whose distance below the entry is the whole price or more.
    #[error(
        "a {side} with its {level} {percent} % below the entry has it at or below zero: write percent below 100, or say what levels are by --signal-levels"
    )]
    BelowZero {
        /// Which way.
        side: &'static str,
        /// Which of its levels.
        level: &'static str,
        /// Its distance.
        percent: String,
    },
    /// The same symbol, instant and side as before.
    #[error("line {0} has the same symbol, timestamp and side: leave one of them out")]
    Twice(u64),
}

/// A column of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Symbol,
    Timestamp,
    Side,
    Stop,
    Target,
    MaxBars,
    Size,
}

impl Column {
    const ALL: [Self; 7] =
        [Self::Symbol, Self::Timestamp, Self::Side, Self::Stop, Self::Target, Self::MaxBars, Self::Size];
    const NAMES: [&str; 7] = ["symbol", "timestamp", "side", "stop", "target", "max_bars", "size"];
    const REQUIRED: [Self; 3] = [Self::Symbol, Self::Timestamp, Self::Side];

    const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// Where the columns are.
#[derive(Debug)]
struct Header {
    places: [Option<usize>; 7],
    columns: usize,
}

impl Header {
    fn read(record: &csv::ByteRecord) -> Result<Self, SignalsError> {
        let mut places = [None; 7];
        for (place, name) in record.iter().enumerate() {
            let name = String::from_utf8_lossy(name);
            let column = Column::ALL.into_iter().find(|column| column.name() == name);
            match column.map(|column| &mut places[column as usize]) {
                Some(at @ None) => *at = Some(place),
                _ => return Err(SignalsError::Column(name.into_owned())),
            }
        }
        match Column::REQUIRED.into_iter().find(|column| places[*column as usize].is_none()) {
            Some(column) => Err(SignalsError::NoColumn(column.name())),
            None => Ok(Self { places, columns: record.len() }),
        }
    }
}

/// Reads a file of signals; they come by symbol and then by time, whatever their order in the file.
pub fn parse(bytes: &[u8], options: &SignalOptions) -> Result<Vec<SignalRow>, SignalsError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).has_headers(false).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut next = |record: &mut csv::ByteRecord| {
        reader.read_byte_record(record).expect("Invariant: bytes in memory of any length per row are always read")
    };
    let mut lines = Lines { bytes, counted: 0, line: 1 };
    if !next(&mut record) {
        return Err(SignalsError::NoColumn(Column::Symbol.name()));
    }
    let header = Header::read(&record)?;
    let (mut signals, mut first, mut count) = (Vec::new(), Vec::new(), 0);
    let mut seen = BTreeMap::new();
    while next(&mut record) {
        let line = lines.of(record.position().map_or(0, csv::Position::byte) as usize);
        let row = row(&header, &record, line, options).and_then(|row| {
            let key = (row.symbol.clone(), row.end_ms, row.side);
            match seen.insert(key, line) {
                Some(earlier) => Err((Column::Timestamp, RowProblem::Twice(earlier))),
                None => Ok(row),
            }
        });
        match row {
            Ok(row) => signals.push(row),
            Err((column, problem)) => {
                count += 1;
                if first.len() < BAD_ROWS {
                    first.push(BadRow { line, column: column.name(), problem });
                }
            }
        }
    }
    if count > 0 {
        return Err(SignalsError::Rows { first, count });
    }
    if signals.is_empty() {
        return Err(SignalsError::Empty);
    }
    signals.sort_by(|a, b| (&a.symbol, a.end_ms, a.side).cmp(&(&b.symbol, b.end_ms, b.side)));
    Ok(signals)
}

/// Tells the line of a record. The reader's own count lags where lines end in CR LF or are empty.
struct Lines<'a> {
    bytes: &'a [u8],
    counted: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a record whose reader stood at a byte before it; records come in their order.
    fn of(&mut self, byte: usize) -> u64 {
        let blank = self.bytes[byte..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = &self.bytes[self.counted..byte + blank];
        self.line += passed.split(|byte| *byte == b'\n').count() as u64 - 1;
        self.counted = byte + blank;
        self.line
    }
}

type Bad = (Column, RowProblem);

fn row(header: &Header, record: &csv::ByteRecord, line: u64, options: &SignalOptions) -> Result<SignalRow, Bad> {
    if record.len() != header.columns {
        let problem = RowProblem::Fields { found: record.len(), wanted: header.columns };
        return Err((Column::Symbol, problem));
    }
    let field = |column: Column| {
        let bytes = header.places[column as usize].map_or(&[][..], |place| &record[place]);
        std::str::from_utf8(bytes).map_err(|_| (column, RowProblem::NotText))
    };
    let symbol = field(Column::Symbol)?;
    let symbol = Symbol::from_command_line(symbol).map_err(|e| (Column::Symbol, RowProblem::Symbol(e.to_string())))?;
    let end_ms = instant(field(Column::Timestamp)?).map_err(|problem| (Column::Timestamp, problem))?;
    let side = field(Column::Side)?;
    let side = match side.to_ascii_lowercase().as_str() {
        "long" | "buy" => Side::Long,
        "short" | "sell" => Side::Short,
        _ => return Err((Column::Side, RowProblem::Side(side.to_owned()))),
    };
    let number = |column: Column| match field(column)? {
        "" => Ok(None),
        text => match text.parse::<f64>() {
            Ok(number) if number > 0.0 && number.is_finite() => Ok(Some(number)),
            _ => Err((column, RowProblem::Number(text.to_owned()))),
        },
    };
    let (stop, target, size) = (number(Column::Stop)?, number(Column::Target)?, number(Column::Size)?);
    let max_bars = match field(Column::MaxBars)? {
        "" => None,
        text => match text.parse::<u32>() {
            Ok(bars) if bars > 0 => Some(bars),
            _ => return Err((Column::MaxBars, RowProblem::Bars(text.to_owned()))),
        },
    };
    match (stop, target) {
        (None, _) if options.default_stop_atr.is_none() => return Err((Column::Stop, RowProblem::NoStop)),
        (Some(stop), Some(target)) if options.levels == LevelUnit::Price && side.sign() * (target - stop) <= 0.0 => {
            let (stop, target) = (stop.to_string(), target.to_string());
            return Err((Column::Target, RowProblem::Crossed { side: side.as_str(), stop, target }));
        }
        _ => {}
    }
    let (column, below) = match side {
        Side::Long => (Column::Stop, stop),
        Side::Short => (Column::Target, target),
    };
    if let Some(percent) = below.filter(|percent| options.levels == LevelUnit::Percent && *percent >= 100.0) {
        let (side, level, percent) = (side.as_str(), column.name(), percent.to_string());
        return Err((column, RowProblem::BelowZero { side, level, percent }));
    }
    Ok(SignalRow { line, symbol, end_ms, side, stop, target, max_bars, size })
}

/// Milliseconds since the Unix epoch of what a file says.
fn instant(text: &str) -> Result<i64, RowProblem> {
    /// 1990 and 2200.
    const PLAUSIBLE: std::ops::Range<i64> = 631_152_000_000..7_258_118_400_000;
    if let Ok(ms) = text.parse::<i64>() {
        return if PLAUSIBLE.contains(&ms) { Ok(ms) } else { Err(RowProblem::Range(ms)) };
    }
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|_| RowProblem::Timestamp(text.to_owned()))
}

/// Rules that turn no signal of a file away but those that find a position open.
pub const fn rules(hold_overnight: bool) -> TradeRules {
    TradeRules {
        min_score: 0.0,
        min_rr: 0.0,
        cooldown_minutes: 0,
        max_trades_per_session: u32::MAX,
        flat_before_close_minutes: 0,
        hold_overnight,
        breakeven_at_r: None,
        partial_at_r: None,
        trail_atr: None,
    }
}

#[cfg(test)]
mod tests;
