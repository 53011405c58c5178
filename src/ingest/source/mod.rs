//! Where day files come from: the vendor's bucket, or a folder that mirrors it.

use jiff::Timestamp;
use jiff::civil::Date;

pub use crate::model::FileKind;

use crate::model::Dataset;

/// One object of the listing, recognised as a day file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFile {
    /// Market.
    pub dataset: Dataset,
    /// Minute or day bars.
    pub kind: FileKind,
    /// Trading date, from the key.
    pub date: Date,
    /// Object key in the bucket, or path below the source folder.
    pub key: String,
    /// Packed size.
    pub size_bytes: u64,
    /// Opaque token of this version of the content: the ETag without quotes, or for a local file `gz:` and the checksum
    /// and length at its gzip end.
    pub etag: String,
    /// When the vendor last put it there; for information.
    pub last_modified: Option<Timestamp>,
}
