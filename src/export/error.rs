//! What can go wrong with an export.

use std::io;
use std::path::{Path, PathBuf};

use ::parquet::errors::ParquetError;

use crate::model::Timeframe;
use crate::store::{AdjustError, StoreError};

/// What can go wrong with an export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is known of splits.
    #[error(transparent)]
    Adjust(#[from] AdjustError),
    /// A stored bar that no load could have written.
    #[error(
        "the {timeframe} bar of {symbol} at {timestamp_ms} ms is damaged: {reason}; `backfill verify` finds all such bars"
    )]
    Damaged {
        /// Its symbol.
        symbol: String,
        /// Its timeframe.
        timeframe: Timeframe,
        /// Its start, milliseconds since the Unix epoch.
        timestamp_ms: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder is no folder.
    #[error("{} is a file: name a folder to export into", .0.display())]
    NotAFolder(PathBuf),
    /// The folder holds something that is not from an export.
    #[error(
        "{} holds something that no export has put there ({}): name a new or empty folder, or one with an earlier export",
        folder.display(), found.display()
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What it holds, from there.
        found: PathBuf,
    },
    /// An export of something else.
    #[error("{} holds an export of another kind, in its folder {found}: name another folder", folder.display())]
    OtherContent {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        found: &'static str,
    },
    /// An export of a later version.
    #[error("{} holds an export of a newer version of this program: use that one, or name another folder", .0.display())]
    Newer(PathBuf),
    /// Another process writes there.
    #[error("another export is writing into {}: wait for it, or name another folder", .0.display())]
    Busy(PathBuf),
    /// The disk is full.
    #[error(
        "the disk of {} is full: free some space, or name a folder on another disk; what was there before is as it was",
        .0.display()
    )]
    DiskFull(PathBuf),
    /// Files or folders cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Files {
        /// What was being done.
        doing: &'static str,
        /// To which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl ExportError {
    /// The system's error with what could not be written.
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path.to_owned()),
            _ => Self::Files { doing: "write", path: path.to_owned(), source },
        }
    }

    /// The system's error with what could not be read.
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Files { doing: "read", path: path.to_owned(), source }
    }
}

/// The system's error inside one of the Parquet library.
pub(super) fn parquet_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}
