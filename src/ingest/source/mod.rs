//! Where day files come from: the vendor's bucket, or a folder that mirrors it.

mod cache;
mod credentials;
mod error;
pub mod key;
mod local;
mod s3;
mod temp;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;

use super::Reporter;
use crate::model::Dataset;

pub use crate::model::FileKind;
pub use cache::{Cache, CacheKeep, CacheKeepError};
pub use credentials::{S3Credentials, S3Profile};
pub use error::{SourceError, Tried};
pub use local::LocalSource;
pub use s3::{ObjectProbe, S3Options, S3Source};

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

/// A day file on this disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is. Not to be changed or removed: it is the cache's, or the user's own.
    pub path: PathBuf,
    /// What it cost; 0 if it was here already.
    pub bytes_over_network: u64,
}

/// Where day files come from.
#[derive(Debug)]
pub enum Source {
    /// The vendor's bucket, through a cache on disk.
    S3 {
        /// The bucket.
        bucket: S3Source,
        /// The cache.
        cache: Cache,
    },
    /// A folder.
    Local(LocalSource),
}

impl Source {
    /// Which one it is, for people; without secrets.
    pub fn describe(&self) -> String {
        match self {
            Self::S3 { bucket, .. } => bucket.describe(),
            Self::Local(folder) => folder.describe(),
        }
    }

    /// The day files it has of a range of dates, ascending.
    pub async fn list(
        &self,
        dataset: Dataset,
        kind: FileKind,
        range: RangeInclusive<Date>,
        reporter: &dyn Reporter,
    ) -> Result<Vec<DayFile>, SourceError> {
        match self {
            Self::S3 { bucket, .. } => bucket.list(dataset, kind, range, reporter).await,
            Self::Local(folder) => {
                let folder = folder.clone();
                blocking(move || folder.list(dataset, kind, &range)).await
            }
        }
    }

    /// Removes a fetched copy that is of no use. Files of a folder are the user's and stay.
    pub fn discard(&self, path: &Path) {
        if let Self::S3 { cache, .. } = self
            && path.starts_with(cache.dir())
        {
            // A copy that cannot be removed is found damaged again, no more.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Brings a listed file to this disk, if it is not there already. Transient failures are retried; bytes are told
    /// to the reporter as they arrive over the network. Dropping the future leaves no unfinished file behind.
    pub async fn fetch(&self, file: &DayFile, reporter: &dyn Reporter) -> Result<Fetched, SourceError> {
        match self {
            Self::S3 { bucket, cache } => {
                if let Some(path) = cache.get(file) {
                    return Ok(Fetched { path, bytes_over_network: 0 });
                }
                let path = cache.path(file);
                let bytes_over_network = bucket.fetch(file, &path, reporter).await?;
                Ok(Fetched { path, bytes_over_network })
            }
            Self::Local(folder) => {
                let (folder, file) = (folder.clone(), file.clone());
                let path = blocking(move || folder.fetch(&file)).await?;
                Ok(Fetched { path, bytes_over_network: 0 })
            }
        }
    }
}

/// Runs file work where it holds up no connection.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
