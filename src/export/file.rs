//! One file of an export while it is written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::csv::CsvBars;
use super::parquet::ParquetBars;
use super::{ExportError, ExportedFile};
use crate::model::{Dataset, Timeframe};
use crate::store::StoredBar;

/// In what form bars are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Apache Parquet, compressed with zstd.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Parquet, Self::Csv];

    /// The word typed on the command line; what the names of files end with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }
}

/// A file that counts and hashes what is written to it.
#[derive(Debug)]
pub(super) struct HashedFile {
    file: File,
    sha256: Sha256,
    bytes: u64,
}

impl HashedFile {
    /// Begins a file that is not there yet.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create_new(path)?, sha256: Sha256::new(), bytes: 0 })
    }

    /// Ends it; it is on the disk then. Its size and hash.
    pub(super) fn sealed(self) -> io::Result<(u64, String)> {
        self.file.sync_all()?;
        Ok((self.bytes, self.sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

impl Write for HashedFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.file.write(data)?;
        self.sha256.update(&data[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Bars of one market, month and timeframe, on their way into a file: by symbol, then ascending.
#[derive(Debug)]
pub(super) struct BarFile {
    /// Where it is now, for messages.
    path: PathBuf,
    bars: Bars,
    facts: ExportedFile,
}

#[derive(Debug)]
enum Bars {
    Parquet(ParquetBars),
    Csv(CsvBars),
}

impl BarFile {
    /// Begins the file `bars/timeframe=…/month=…/DATASET.FORMAT` of a tree.
    pub(super) fn create(
        tree: &Path,
        format: Format,
        dataset: Dataset,
        timeframe: Timeframe,
        month: &str,
    ) -> Result<Self, ExportError> {
        let relative = format!("bars/timeframe={timeframe}/month={month}/{dataset}.{}", format.as_str());
        let path = tree.join(&relative);
        let created = || {
            fs::create_dir_all(path.parent().unwrap_or(tree))?;
            let file = HashedFile::create(&path)?;
            Ok(match format {
                Format::Parquet => Bars::Parquet(ParquetBars::new(file)?),
                Format::Csv => Bars::Csv(CsvBars::new(file)),
            })
        };
        let bars = created().map_err(|error| ExportError::write(&path, error))?;
        let facts = ExportedFile {
            path: relative,
            dataset,
            timeframe,
            month: month.to_owned(),
            rows: 0,
            bytes: 0,
            sha256: String::new(),
            first_symbol: String::new(),
            last_symbol: String::new(),
            first_timestamp: i64::MAX,
            last_timestamp: i64::MIN,
        };
        Ok(Self { path, bars, facts })
    }

    /// Adds bars of the next symbol.
    pub(super) fn write(&mut self, symbol: &str, bars: &[StoredBar]) -> Result<(), ExportError> {
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(()) };
        let written = match &mut self.bars {
            Bars::Parquet(file) => file.write(symbol, bars),
            Bars::Csv(file) => file.write(symbol, bars),
        };
        written.map_err(|error| ExportError::write(&self.path, error))?;
        let facts = &mut self.facts;
        if facts.rows == 0 {
            symbol.clone_into(&mut facts.first_symbol);
        }
        symbol.clone_into(&mut facts.last_symbol);
        facts.rows += bars.len() as u64;
        facts.first_timestamp = facts.first_timestamp.min(first.bar.timestamp_ms);
        facts.last_timestamp = facts.last_timestamp.max(last.bar.timestamp_ms);
        Ok(())
    }

    /// Ends the file; it is on the disk then.
    pub(super) fn finish(self) -> Result<ExportedFile, ExportError> {
        let finished = match self.bars {
            Bars::Parquet(file) => file.finish(),
            Bars::Csv(file) => file.finish(),
        };
        let sealed = finished.and_then(HashedFile::sealed);
        let (bytes, sha256) = sealed.map_err(|error| ExportError::write(&self.path, error))?;
        Ok(ExportedFile { bytes, sha256, ..self.facts })
    }
}
