//! Synthetic markets in the vendor's file formats.
//!
//! The same seed, size, dataset and date always give the same bytes, whatever else is generated and in which order.

mod chain;
mod hours;
mod level;
mod print;
mod rng;
mod scramble;
mod series;
mod splits;
mod tickers;
mod universe;
mod walk;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::{Date, date};

use self::hours::Hours;
use self::print::{PriceStyle, VolumeStyle, header, push_row};
use self::scramble::{Row, Scrambler};
use self::universe::instruments;
use self::walk::Walker;
use crate::model::Dataset;

pub use self::chain::{Chain, Contract, Told};
pub use self::series::{Aggregate, Catalog, SymbolDay};
pub use self::splits::{Split, adjustment, table as split_table};

/// From this date the vendor prints volumes with six decimals, and this sandbox prices too.
const FRACTIONAL_SINCE: Date = date(2026, 2, 23);

/// How many instruments a market has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum MarketSize {
    /// 13 stocks, one of each kind of name; made in milliseconds.
    Tiny,
    /// 400 stocks, about 70 000 minutes a day.
    Default,
    /// 10 000 stocks, about 1.7 million minutes and 23 MB packed a day: the vendor's own size.
    Full,
}

impl MarketSize {
    /// The word typed on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Default => "default",
            Self::Full => "full",
        }
    }
}

/// The vendor's two kinds of aggregate file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregates {
    /// `minute_aggs_v1`.
    Minute,
    /// `day_aggs_v1`.
    Day,
}

impl Aggregates {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Day];

    /// Second part of the object keys.
    pub const fn vendor_name(self) -> &'static str {
        match self {
            Self::Minute => "minute_aggs_v1",
            Self::Day => "day_aggs_v1",
        }
    }
}

/// A file of the vendor: its market, kind and date. Reads `2026-10-01` as the stocks' minute file of that date, and
/// `options/day/2026-10-01` as what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// Market.
    pub dataset: Dataset,
    /// Minute or day bars.
    pub kind: Aggregates,
    /// Trading date.
    pub date: Date,
}

impl FileId {
    /// The object's key in the bucket, and its path below the data directory.
    pub fn key(self) -> String {
        let (year, month) = (self.date.year(), self.date.month());
        let (prefix, kind) = (self.dataset.vendor_prefix(), self.kind.vendor_name());
        format!("{prefix}/{kind}/{year:04}/{month:02}/{}.csv.gz", self.date)
    }

    /// The file an object key means; `None` for anything else.
    pub fn of_key(key: &str) -> Option<Self> {
        let mut parts = key.split('/');
        let prefix = parts.next()?;
        let dataset = Dataset::ALL.into_iter().find(|dataset| dataset.vendor_prefix() == prefix)?;
        let word = parts.next()?;
        let kind = Aggregates::ALL.into_iter().find(|kind| kind.vendor_name() == word)?;
        let date = parts.next_back()?.strip_suffix(".csv.gz")?.parse().ok()?;
        let id = Self { dataset, kind, date };
        (id.key() == key).then_some(id)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

/// A text that names no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date like 2026-10-01 or a file like options/day/2026-10-01")]
pub struct FileIdError(String);

impl FromStr for FileId {
    type Err = FileIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || FileIdError(text.to_owned());
        let (dataset, kind, day) = match text.split('/').collect::<Vec<_>>()[..] {
            [day] => (Dataset::Stocks, Aggregates::Minute, day),
            [dataset, "minute", day] => (dataset.parse().map_err(|_| error())?, Aggregates::Minute, day),
            [dataset, "day", day] => (dataset.parse().map_err(|_| error())?, Aggregates::Day, day),
            _ => return Err(error()),
        };
        Ok(Self { dataset, kind, date: day.parse().map_err(|_| error())? })
    }
}

/// What a file contains, besides what its market and date say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Content {
    /// 1 as first published; a replaced file has another version and other rows.
    pub version: u8,
    /// Share of the rows that is there, cut behind a row: 1 for all.
    pub row_share: f64,
    /// Whether it has the bad, repeated and misplaced rows the vendor's files are known for.
    pub defect_rows: bool,
}

impl Default for Content {
    fn default() -> Self {
        Self { version: 1, row_share: 1.0, defect_rows: false }
    }
}

/// A file as made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketFile {
    /// Gzip.
    pub bytes: Vec<u8>,
    /// Rows below the header.
    pub rows: u64,
    /// Instruments with at least one row.
    pub symbols: u64,
}

/// A market that never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Market {
    /// Number of instruments.
    pub size: MarketSize,
    /// Another seed, other prices.
    pub seed: u64,
    /// Whether it has the stocks that split, too.
    pub splits: bool,
}

impl Market {
    /// Makes a file of the market. The date should be one the vendor publishes the dataset for.
    pub fn file(&self, id: FileId, content: &Content) -> io::Result<MarketFile> {
        let FileId { dataset, kind, date } = id;
        let hours = Hours::of(dataset, date);
        let fractional = dataset == Dataset::Stocks && date >= FRACTIONAL_SINCE;
        let walker = Walker { dataset, date, seed: self.seed, version: content.version, hours: &hours, fractional };
        let stamps = match kind {
            Aggregates::Minute => Stamps::minutes(hours.midnight_ns),
            Aggregates::Day => Stamps::day(hours.day_stamp_ns),
        };
        let mut scrambler = content.defect_rows.then(|| Scrambler::new(id, self.seed));
        let mut table = Table::new(dataset, fractional)?;
        for instrument in instruments(dataset, self, date) {
            let story = walker.walk(&instrument);
            let rows = match kind {
                Aggregates::Minute => story.minutes,
                Aggregates::Day => story.day.into_iter().collect(),
            };
            if rows.is_empty() {
                continue;
            }
            table.symbols += 1;
            match &mut scrambler {
                None => {
                    for row in &rows {
                        table.push(&instrument.ticker, row, stamps.of(row.minute))?;
                    }
                }
                Some(scrambler) => {
                    let rows = rows.iter().map(|row| Row { stamp: stamps.of(row.minute).to_vec(), row: *row });
                    for Row { stamp, row } in scrambler.scramble(&instrument.ticker, rows.collect()) {
                        table.push(&instrument.ticker, &row, &stamp)?;
                    }
                }
            }
        }
        for (ticker, Row { stamp, row }) in scrambler.into_iter().flat_map(Scrambler::held_back) {
            table.push(&ticker, &row, &stamp)?;
        }
        if content.row_share >= 1.0 {
            return table.finish();
        }
        self.cut(id, content, table.rows)
    }

    /// The file without its last rows. What to keep is only known once all rows are counted.
    fn cut(&self, id: FileId, content: &Content, rows: u64) -> io::Result<MarketFile> {
        let whole = self.file(id, &Content { row_share: 1.0, ..*content })?;
        let keep = (rows as f64 * content.row_share.max(0.0)) as u64;
        let mut text = Vec::new();
        io::copy(&mut flate2::read::GzDecoder::new(&whole.bytes[..]), &mut text)?;
        let mut packer = GzEncoder::new(Vec::new(), Compression::new(6));
        let mut tickers: Vec<&[u8]> = Vec::new();
        for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate().take(keep as usize + 1) {
            packer.write_all(line)?;
            let ticker = line.split(|byte| *byte == b',').next().unwrap_or_default();
            if number > 0 && tickers.last() != Some(&ticker) {
                tickers.push(ticker);
            }
        }
        Ok(MarketFile { bytes: packer.finish()?, rows: keep, symbols: tickers.len() as u64 })
    }
}

/// The `window_start` of every minute of a date, printed once.
struct Stamps(Vec<Vec<u8>>);

impl Stamps {
    fn minutes(midnight_ns: i64) -> Self {
        let stamp = |minute: i64| (midnight_ns + minute * 60_000_000_000).to_string().into_bytes();
        Self((0..24 * 60).map(stamp).collect())
    }

    fn day(stamp_ns: i64) -> Self {
        Self(vec![stamp_ns.to_string().into_bytes()])
    }

    fn of(&self, minute: u16) -> &[u8] {
        &self.0[usize::from(minute)]
    }
}

/// A file being written.
struct Table {
    packer: GzEncoder<Vec<u8>>,
    text: Vec<u8>,
    prices: PriceStyle,
    volume: VolumeStyle,
    all_digits: bool,
    rows: u64,
    symbols: u64,
}

impl Table {
    /// Text is packed in pieces of this size, so that a full market never stands in memory unpacked.
    const PIECE: usize = 128 * 1024;

    fn new(dataset: Dataset, fractional: bool) -> io::Result<Self> {
        let volume = match dataset {
            Dataset::Indices => VolumeStyle::Absent,
            _ if fractional => VolumeStyle::SixDecimals,
            _ => VolumeStyle::Shortest,
        };
        let mut text = Vec::with_capacity(Self::PIECE + 256);
        text.extend_from_slice(header(dataset).as_bytes());
        let prices = if fractional { PriceStyle::SixDecimals } else { PriceStyle::Shortest };
        let packer = GzEncoder::new(Vec::new(), Compression::new(6));
        let all_digits = dataset == Dataset::Indices;
        Ok(Self { packer, text, prices, volume, all_digits, rows: 0, symbols: 0 })
    }

    fn push(&mut self, ticker: &str, row: &walk::Minute, stamp: &[u8]) -> io::Result<()> {
        let prices = PriceStyle::of([row.open, row.close, row.high, row.low], self.all_digits, self.prices);
        push_row(&mut self.text, ticker, row, stamp, prices, self.volume);
        self.rows += 1;
        if self.text.len() >= Self::PIECE {
            self.packer.write_all(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<MarketFile> {
        self.packer.write_all(&self.text)?;
        Ok(MarketFile { bytes: self.packer.finish()?, rows: self.rows, symbols: self.symbols })
    }
}

#[cfg(test)]
mod tests;
