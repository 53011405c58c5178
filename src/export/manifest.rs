//! The list of what an export holds.

use std::path::Path;
use std::{fs, io};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ExportError, Format};
use crate::model::{Dataset, Timeframe};

/// The version of the tree's shape and of this file's.
const VERSION: u32 = 1;

/// What an export holds and where it came from: `_manifest.json`. Where it is, the export is whole.
#[derive(Debug, Serialize)]
pub struct Manifest<'a, F: Listed> {
    /// The version of the tree's shape.
    #[serde(rename = "barkeep_export")]
    version: u32,
    /// When it was made.
    created_at: Timestamp,
    /// By which version of which program.
    program: &'static str,
    /// From what kind of database.
    database: &'a str,
    /// In what form.
    format: Format,
    /// What its prices are; nothing where none may be adjusted.
    #[serde(flatten)]
    prices: Option<Prices>,
    /// What was asked for.
    selection: &'a Value,
    /// The files.
    files: &'a [F],
    /// All of them together.
    totals: Totals,
}

/// A file that a manifest lists.
pub trait Listed: Serialize {
    /// Its rows.
    fn rows(&self) -> u64;

    /// Its size.
    fn bytes(&self) -> u64;
}

/// As traded, or adjusted.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Prices {
    /// `raw`, as traded, or `adjusted` for splits.
    prices: &'static str,
    /// The date to which they are adjusted.
    adjusted_as_of: Option<Date>,
}

impl Prices {
    /// Prices adjusted to a date, or as traded.
    pub const fn adjusted_to(adjusted_as_of: Option<Date>) -> Self {
        Self { prices: if adjusted_as_of.is_some() { "adjusted" } else { "raw" }, adjusted_as_of }
    }
}

#[derive(Debug, Serialize)]
struct Totals {
    files: usize,
    rows: u64,
    bytes: u64,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedFile {
    /// Where it is, from the manifest.
    pub path: String,
    /// The market of its symbols.
    pub dataset: Dataset,
    /// The length of its bars.
    pub timeframe: Timeframe,
    /// The month of its trading dates, `2026-10`.
    pub month: String,
    /// Bars.
    pub rows: u64,
    /// Size.
    pub bytes: u64,
    /// Hash of its content.
    pub sha256: String,
    /// The first symbol, in the order of bytes.
    pub first_symbol: String,
    /// The last one.
    pub last_symbol: String,
    /// The earliest start of a bar, milliseconds since the Unix epoch.
    pub first_timestamp: i64,
    /// The latest.
    pub last_timestamp: i64,
}

impl Listed for ExportedFile {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<'a, F: Listed> Manifest<'a, F> {
    /// The list of these files.
    pub fn new(
        created_at: Timestamp,
        database: &'a str,
        format: Format,
        prices: Option<Prices>,
        selection: &'a Value,
        files: &'a [F],
    ) -> Self {
        let totals = Totals {
            files: files.len(),
            rows: files.iter().map(Listed::rows).sum(),
            bytes: files.iter().map(Listed::bytes).sum(),
        };
        let program = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
        Self { version: VERSION, created_at, program, database, format, prices, selection, files, totals }
    }
}

/// The paths that the manifest of an earlier export lists; `None` if there is no manifest of ours.
pub(super) fn listed(manifest: &Path) -> Result<Option<Vec<String>>, ExportError> {
    #[derive(Deserialize)]
    struct Earlier {
        barkeep_export: u32,
        files: Vec<EarlierFile>,
    }
    #[derive(Deserialize)]
    struct EarlierFile {
        path: String,
    }
    let text = match fs::read(manifest) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ExportError::read(manifest, error)),
    };
    match serde_json::from_slice::<Earlier>(&text) {
        Ok(earlier) if earlier.barkeep_export > VERSION => Err(ExportError::Newer(manifest.to_owned())),
        Ok(earlier) => Ok(Some(earlier.files.into_iter().map(|file| file.path).collect())),
        Err(_) => Ok(None),
    }
}
