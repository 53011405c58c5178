//! Why a file could not be decoded.

use std::io;

use super::HeaderError;

/// Why a file could not be decoded. The file's name is the caller's to add.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The header does not have the dataset's columns.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Not gzip, a wrong checksum, or an impossible bit pattern.
    #[error("the gzip data is damaged after line {line}: {source}")]
    Gzip {
        /// Lines read before.
        line: u64,
        /// What the decompressor says.
        source: io::Error,
    },
    /// The gzip stream ends too early.
    #[error("the file is cut short: its gzip data ends early, after line {line}")]
    CutShort {
        /// Lines read before.
        line: u64,
    },
    /// A line longer than any row can be.
    #[error("line {line} is longer than {} bytes", super::MAX_LINE_BYTES)]
    LineTooLong {
        /// The line.
        line: u64,
    },
    /// The file unpacks to more than is reasonable.
    #[error("the file unpacks to more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// No bytes at all.
    #[error("the file is empty: not even a header")]
    NoHeader,
    /// More bad rows than a file with a few bad rows has.
    #[error("{rejected} of {rows} rows are bad (at most 1 % may be): {reasons}")]
    TooManyRejects {
        /// Bad rows.
        rejected: u64,
        /// All rows.
        rows: u64,
        /// Counts by reason, for people.
        reasons: String,
    },
    /// A ticker came back after another one; decode again with [`super::Grouping::Any`].
    #[error("the rows of a ticker do not stand together")]
    Scattered,
    /// The receiver of the rows wants no more.
    #[error("stopped")]
    Stopped,
}

impl DecodeError {
    /// The meaning of an error met after `line` lines.
    pub(super) fn unreadable(source: io::Error, line: u64) -> Self {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            Self::CutShort { line }
        } else {
            Self::Gzip { line, source }
        }
    }
}
