//! One file of option chains while it is written: of an underlying and a month, by session, then contract.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ::csv::{Writer, WriterBuilder};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use jiff::civil::Date;
use serde::Serialize;

use super::columns::{Nullable, ROWS, begin, column, days_since_epoch, shared};
use super::error::parquet_error;
use super::file::HashedFile;
use super::{Content, ExportError, Format, Listed};
use crate::store::{ChainRow, ChainSource};

/// The columns of `option_chain_daily` in their order. Nullable where the table is.
const SCHEMA: &str = "message option_chain_daily {
    REQUIRED INT32 session_date (DATE);
    REQUIRED BYTE_ARRAY underlying (STRING);
    REQUIRED BYTE_ARRAY contract (STRING);
    OPTIONAL INT64 open_interest;
    OPTIONAL DOUBLE implied_volatility;
    OPTIONAL DOUBLE delta;
    OPTIONAL DOUBLE gamma;
    OPTIONAL DOUBLE theta;
    OPTIONAL DOUBLE vega;
    OPTIONAL DOUBLE day_volume;
    REQUIRED INT64 known_at;
    REQUIRED BYTE_ARRAY source (STRING);
}";

/// Places of the columns by which a file is sorted: session_date, contract.
const SORTED_BY: [i32; 2] = [0, 2];

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file of option chains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedChainFile {
    /// Where it is, from the manifest.
    pub path: String,
    /// What its contracts are on.
    pub underlying: String,
    /// The month of its sessions, `2026-10`.
    pub month: String,
    /// Rows, each a contract on a session.
    pub rows: u64,
    /// Size.
    pub bytes: u64,
    /// Hash of its content.
    pub sha256: String,
    /// Its first session.
    pub first_session: Date,
    /// Its last one.
    pub last_session: Date,
}

impl Listed for ExportedChainFile {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The file while it is written.
#[derive(Debug)]
pub(super) struct ChainFile {
    /// Where it is now, for messages.
    path: PathBuf,
    rows: Rows,
    facts: ExportedChainFile,
}

#[derive(Debug)]
enum Rows {
    Parquet { file: SerializedFileWriter<HashedFile>, group: Box<Group> },
    Csv(Writer<HashedFile>),
}

impl ChainFile {
    /// Begins the file `option_chain/month=…/UNDERLYING.FORMAT` of a tree for a row and others of its underlying and month.
    pub(super) fn create(tree: &Path, format: Format, row: &ChainRow) -> Result<Self, ExportError> {
        let (folder, month, name) = (Content::OptionChain.folder(), month_of(row), file_name(&row.underlying));
        let relative = format!("{folder}/month={month}/{name}.{}", format.as_str());
        let path = tree.join(&relative);
        let created = || {
            fs::create_dir_all(path.parent().unwrap_or(tree))?;
            let file = HashedFile::create(&path)?;
            Ok(match format {
                Format::Parquet => {
                    let file = begin(file, SCHEMA, &SORTED_BY, &[]).map_err(parquet_error)?;
                    Rows::Parquet { file, group: Box::default() }
                }
                Format::Csv => Rows::Csv(WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(file)),
            })
        };
        let rows = created().map_err(|error| ExportError::write(&path, error))?;
        let facts = ExportedChainFile {
            path: relative,
            underlying: row.underlying.clone(),
            month,
            rows: 0,
            bytes: 0,
            sha256: String::new(),
            first_session: row.session_date,
            last_session: row.session_date,
        };
        Ok(Self { path, rows, facts })
    }

    /// Whether a row belongs into it.
    pub(super) fn takes(&self, row: &ChainRow) -> bool {
        self.facts.underlying == row.underlying
            && self.facts.first_session.first_of_month() == row.session_date.first_of_month()
    }

    /// Adds the next row.
    pub(super) fn write(&mut self, row: &ChainRow) -> Result<(), ExportError> {
        let written = match &mut self.rows {
            Rows::Csv(file) => write_csv(file, row),
            Rows::Parquet { file, group } => {
                group.add(row);
                if group.rows() == ROWS { group.end(file) } else { Ok(()) }
            }
        };
        written.map_err(|error| ExportError::write(&self.path, error))?;
        self.facts.rows += 1;
        self.facts.last_session = row.session_date;
        Ok(())
    }

    /// Ends the file; it is on the disk then.
    pub(super) fn finish(self) -> Result<ExportedChainFile, ExportError> {
        let finished = match self.rows {
            Rows::Csv(file) => {
                file.into_inner().map_err(|error| io::Error::new(error.error().kind(), error.error().to_string()))
            }
            Rows::Parquet { mut file, mut group } => {
                let ended = if group.rows() > 0 { group.end(&mut file) } else { Ok(()) };
                ended.and_then(|()| file.into_inner().map_err(parquet_error))
            }
        };
        let sealed = finished.and_then(HashedFile::sealed);
        let (bytes, sha256) = sealed.map_err(|error| ExportError::write(&self.path, error))?;
        Ok(ExportedChainFile { bytes, sha256, ..self.facts })
    }
}

fn month_of(row: &ChainRow) -> String {
    row.session_date.strftime("%Y-%m").to_string()
}

/// A ticker as the name of a file: two tickers have two names on every system, also where case does not matter.
fn file_name(ticker: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    ticker
        .bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[derive(Serialize)]
struct CsvRow<'a> {
    session_date: Date,
    underlying: &'a str,
    contract: &'a str,
    open_interest: Option<u64>,
    implied_volatility: Option<f64>,
    delta: Option<f64>,
    gamma: Option<f64>,
    theta: Option<f64>,
    vega: Option<f64>,
    day_volume: Option<f64>,
    known_at: i64,
    source: &'static str,
}

fn write_csv(file: &mut Writer<HashedFile>, row: &ChainRow) -> io::Result<()> {
    file.serialize(CsvRow {
        session_date: row.session_date,
        underlying: &row.underlying,
        contract: &row.contract,
        open_interest: row.open_interest,
        implied_volatility: row.implied_volatility,
        delta: row.delta,
        gamma: row.gamma,
        theta: row.theta,
        vega: row.vega,
        day_volume: row.day_volume,
        known_at: row.known_at.as_millisecond(),
        source: row.source.as_str(),
    })?;
    Ok(())
}

/// A row group in the making, column by column.
#[derive(Debug, Default)]
struct Group {
    session_dates: Vec<i32>,
    underlyings: Vec<ByteArray>,
    contracts: Vec<ByteArray>,
    open_interests: Nullable<i64>,
    /// Implied volatility, delta, gamma, theta, vega and volume.
    numbers: [Nullable<f64>; 6],
    known_at: Vec<i64>,
    sources: Vec<ChainSource>,
}

impl Group {
    fn rows(&self) -> usize {
        self.session_dates.len()
    }

    fn add(&mut self, row: &ChainRow) {
        self.session_dates.push(days_since_epoch(row.session_date));
        // All rows of a file have the same.
        let underlying = self.underlyings.first().cloned();
        self.underlyings.push(underlying.unwrap_or_else(|| ByteArray::from(row.underlying.as_str())));
        self.contracts.push(ByteArray::from(row.contract.as_str()));
        self.open_interests.push(row.open_interest.map(u64::cast_signed));
        let numbers = [row.implied_volatility, row.delta, row.gamma, row.theta, row.vega, row.day_volume];
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column.push(number);
        }
        self.known_at.push(row.known_at.as_millisecond());
        self.sources.push(row.source);
    }

    /// Writes the group and begins another.
    fn end(&mut self, file: &mut SerializedFileWriter<HashedFile>) -> io::Result<()> {
        let mut writer = file.next_row_group().map_err(parquet_error)?;
        self.write(&mut writer).map_err(parquet_error)?;
        writer.close().map_err(parquet_error)?;
        *self = Self::default();
        Ok(())
    }

    /// Writes the columns in the order of the schema.
    fn write(&self, to: &mut SerializedRowGroupWriter<'_, HashedFile>) -> Result<(), ParquetError> {
        let words =
            [ChainSource::Snapshot, ChainSource::Import].map(|source| (source, ByteArray::from(source.as_str())));
        column::<Int32Type>(to, &self.session_dates, None)?;
        column::<ByteArrayType>(to, &self.underlyings, None)?;
        column::<ByteArrayType>(to, &self.contracts, None)?;
        column::<Int64Type>(to, &self.open_interests.values, Some(&self.open_interests.defined))?;
        for numbers in &self.numbers {
            column::<DoubleType>(to, &numbers.values, Some(&numbers.defined))?;
        }
        column::<Int64Type>(to, &self.known_at, None)?;
        column::<ByteArrayType>(to, &shared(&words, &self.sources), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickers_have_names_of_their_own() {
        let names = ["SPY", "BRK.B", "I:SPX", "BCpC", "BCPC", "../A", "é"].map(file_name);
        assert_eq!(names, ["SPY", "BRK.B", "I%3ASPX", "BC%70C", "BCPC", "..%2FA", "%C3%A9"]);
    }
}
