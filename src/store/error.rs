//! What can go wrong with a store.

use std::path::PathBuf;

/// What can go wrong with a store, by what a user can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("cannot open the database {}: {source}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The folder of the file cannot be made.
    #[error("cannot make the folder {} for the database {}: {source}; set DATABASE_URL to a place that can be written", folder.display(), path.display())]
    Folder {
        /// The database file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is something else than a database of ours.
    #[error("{} is not a barkeep database: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The disk, or the quota on it, is full.
    #[error("the disk of the database {} is full: free some space, or set DATABASE_URL to another disk, and run the command again; what was loaded is kept", path.display())]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// Another process held the database for too long.
    #[error("the database {} is held by another process for more than {waited_seconds} s; run the command again when it is done", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
        /// How long it was waited for.
        waited_seconds: u64,
    },
    /// The file may only be read.
    #[error("the database {} cannot be written: it, or its folder, is read-only for this user", path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
    },
    /// The file's content is damaged.
    #[error("the database {} is damaged: {detail}; restore it from a copy, or move it away and load again", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// A stored value that this version does not know.
    #[error("the database holds a value this version does not know: {0}")]
    Unknown(String),
    /// Anything else.
    #[error("the database {} refused to {doing}: {source}", path.display())]
    Other {
        /// The database file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the database says.
        source: sqlx::Error,
    },
}
