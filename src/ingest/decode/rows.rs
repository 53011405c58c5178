//! Rows of a file with a bound header: splitting, checking, rejecting.

use std::io::Read;

use csv::ByteRecord;
use memchr::{memchr, memchr_iter};

use super::DecodeError;
use super::content::Hashing;
use super::header::Columns;
use super::lines::Lines;
use super::number::{count, decimal};
use crate::ingest::report::{RejectReason, Rejects};
use crate::model::{Dataset, Prices, Symbol};
use crate::store::ContentHash;

/// A file with a larger share of bad rows fails.
pub const MAX_REJECTED_SHARE: f64 = 0.01;

/// Larger prices and volumes of a minute are damage. Below, sums of a day and price times volume stay finite, so a VWAP
/// is never NaN or infinite.
const LARGEST_PRICE: f64 = 1e15;
const LARGEST_VOLUME: f64 = 1e18;

/// One row, split into fields.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    bytes: &'a [u8],
    bounds: &'a [(usize, usize)],
}

impl<'a> Row<'a> {
    #[inline]
    pub(super) fn field(&self, column: usize) -> &'a [u8] {
        let (from, to) = self.bounds[column];
        &self.bytes[from..to]
    }

    /// Prices, volume and transactions of the row. Volume and transactions are 0 in files without them.
    #[inline]
    pub(super) fn values(&self, columns: &Columns, dataset: Dataset) -> Result<Values, RejectReason> {
        let price = |column| decimal(self.field(column)).ok_or(RejectReason::Number);
        let (open, high) = (price(columns.open)?, price(columns.high)?);
        let (low, close) = (price(columns.low)?, price(columns.close)?);
        let (volume, trades) = match columns.traded {
            Some((volume, transactions)) => (
                checked_volume(decimal(self.field(volume)).ok_or(RejectReason::Number)?)?,
                count(self.field(transactions)).ok_or(RejectReason::Number)?,
            ),
            None => (0.0, 0),
        };
        let prices = checked_prices(dataset, open, high, low, close)?;
        Ok(Values { prices, volume, trades })
    }
}

/// Four prices, if they can be those of a bar.
#[inline]
pub(crate) fn checked_prices(
    dataset: Dataset,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
) -> Result<Prices, RejectReason> {
    if ![open, high, low, close].iter().all(|price| price.abs() <= LARGEST_PRICE) {
        return Err(RejectReason::Number);
    }
    let prices = Prices::checked(open, high, low, close).map_err(|_| RejectReason::PriceOrder)?;
    if dataset.prices_are_positive() && prices.low <= 0.0 {
        return Err(RejectReason::PriceNotPositive);
    }
    Ok(prices)
}

/// A volume, if it can be one.
#[inline]
pub(crate) fn checked_volume(volume: f64) -> Result<f64, RejectReason> {
    // `-0` reads as zero below zero; stored volumes have one zero only.
    if (0.0..=LARGEST_VOLUME).contains(&volume) { Ok(volume.abs()) } else { Err(RejectReason::Number) }
}

/// What a row says beside its ticker and time.
pub(super) struct Values {
    pub(super) prices: Prices,
    pub(super) volume: f64,
    pub(super) trades: u64,
}

/// Reads a file's header, then its rows one at a time, counting and rejecting.
pub(super) struct Rows<R> {
    lines: Lines<Hashing<R>>,
    pub(super) columns: Columns,
    bounds: Vec<(usize, usize)>,
    quoted: ByteRecord,
    unquoted: Vec<u8>,
    count: u64,
    rejects: Rejects,
}

impl<R: Read> Rows<R> {
    /// Reads and binds the header.
    pub(super) fn open(reader: R, dataset: Dataset) -> Result<Self, DecodeError> {
        let mut lines = Lines::new(Hashing::new(reader));
        let mut header = ByteRecord::new();
        match lines.next()? {
            Some(line) => {
                // Some tools write a byte order mark.
                let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
                read_quoted(line, &mut header);
            }
            None => return Err(DecodeError::NoHeader),
        }
        let columns = Columns::bind(dataset, &header)?;
        let bounds = Vec::with_capacity(columns.count);
        let quoted = ByteRecord::new();
        Ok(Self { lines, columns, bounds, quoted, unquoted: Vec::new(), count: 0, rejects: Rejects::default() })
    }

    /// The next row with as many fields as the header; others are rejected on the way.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>, DecodeError> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            self.count += 1;
            self.bounds.clear();
            let mut from = 0;
            for comma in memchr_iter(b',', line) {
                self.bounds.push((from, comma));
                from = comma + 1;
            }
            self.bounds.push((from, line.len()));
            if self.lines.may_be_quoted() && memchr(b'"', self.lines.current()).is_some() {
                read_quoted(self.lines.current(), &mut self.quoted);
                self.bounds.clear();
                self.bounds
                    .extend((0..self.quoted.len()).filter_map(|n| self.quoted.range(n)).map(|r| (r.start, r.end)));
                self.unquoted.clear();
                self.unquoted.extend_from_slice(self.quoted.as_slice());
                if self.bounds.len() == self.columns.count {
                    return Ok(Some(Row { bytes: &self.unquoted, bounds: &self.bounds }));
                }
            } else if self.bounds.len() == self.columns.count {
                // The borrow of `line` cannot be carried around the loop, so the line is named again.
                return Ok(Some(Row { bytes: self.lines.current(), bounds: &self.bounds }));
            }
            self.reject(RejectReason::FieldCount);
        }
    }

    /// Counts the row read last as bad.
    #[cold]
    pub(super) fn reject(&mut self, reason: RejectReason) {
        self.rejects.reject(reason, self.lines.number(), || excerpt(self.lines.current()));
    }

    /// Rows so far, bad ones included.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Ends the file, after its last row: the count of rows, the rejects, and the hash of its content; unless too many
    /// are bad.
    pub(super) fn finish(self) -> Result<(u64, Rejects, ContentHash), DecodeError> {
        let rejected = self.rejects.total();
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
        let share = rejected as f64 / self.count.max(1) as f64;
        if share > MAX_REJECTED_SHARE {
            let reasons = self.rejects.in_words("line");
            return Err(DecodeError::TooManyRejects { rejected, rows: self.count, reasons });
        }
        Ok((self.count, self.rejects, self.lines.reader().hash()))
    }
}

/// A line as it stands in the file, short enough for a report.
fn excerpt(line: &[u8]) -> String {
    const MOST: usize = 120;
    let line = String::from_utf8_lossy(line);
    let mut short: String = line.chars().take(MOST).map(|c| if c.is_control() { '·' } else { c }).collect();
    if line.chars().count() > MOST {
        short.push('…');
    }
    short
}

/// Splits a line that may have quoted fields.
fn read_quoted(line: &[u8], record: &mut ByteRecord) {
    record.clear();
    // With the default terminator a carriage return inside the line would end the record, and hide what follows.
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(line);
    // Reading from memory cannot fail, and a flexible reader takes any number of fields.
    let _ = reader.read_byte_record(record);
}

/// A file's ticker as stored, if it can be one of the dataset.
pub(super) fn canonical_ticker(raw: &[u8], dataset: Dataset) -> Option<Symbol> {
    let symbol = Symbol::from_ticker(std::str::from_utf8(raw).ok()?).ok()?;
    (symbol.dataset() == dataset).then_some(symbol)
}
