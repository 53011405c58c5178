//! What can go wrong with a store.

use std::path::PathBuf;

/// What can go wrong with a store, by what a user can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("cannot open the database {database}: {source}")]
    Open {
        /// The database: its file, or `host:port/name`.
        database: String,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The folder of the file cannot be made.
    #[error("cannot make the folder {} for the database {database}: {source}; set DATABASE_URL to a place that can be written", folder.display())]
    Folder {
        /// The database: its file, or `host:port/name`.
        database: String,
        /// Its folder.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is something else than a database of ours.
    #[error("{database} is not a barkeep database: {reason}")]
    Foreign {
        /// The database: its file, or `host:port/name`.
        database: String,
        /// What was found.
        reason: String,
    },
    /// The disk, or the quota on it, is full.
    #[error(
        "the disk of the database {database} is full: free some space, or set DATABASE_URL to another place, and run the command again; what was loaded is kept"
    )]
    DiskFull {
        /// The database: its file, or `host:port/name`.
        database: String,
    },
    /// The disk, or the system before it, refused a write or a read.
    #[error(
        "the disk of the database {database} failed ({detail}): see that it works and has room, and run the command again; what was loaded is kept"
    )]
    DiskFailed {
        /// The database: its file, or `host:port/name`.
        database: String,
        /// What the database says.
        detail: String,
    },
    /// Another process held the database for too long.
    #[error(
        "the database {database} is held by another process for more than {waited_seconds} s; run the command again when it is done"
    )]
    Busy {
        /// The database: its file, or `host:port/name`.
        database: String,
        /// How long it was waited for.
        waited_seconds: u64,
    },
    /// The file may only be read.
    #[error("the database {database} cannot be written: it, or its folder, is read-only for this user")]
    ReadOnly {
        /// The database: its file, or `host:port/name`.
        database: String,
    },
    /// The file's content is damaged.
    #[error("the database {database} is damaged: {detail}; restore it from a copy, or move it away and load again")]
    Corrupt {
        /// The database: its file, or `host:port/name`.
        database: String,
        /// What the database says.
        detail: String,
    },
    /// The address of a PostgreSQL database makes no sense. The text never repeats it: it may hold a password.
    #[error(
        "this is not the address of a PostgreSQL database: {0}; it looks like postgres://user:password@host:5432/database"
    )]
    Address(String),
    /// There is no connection to the server.
    #[error(
        "cannot connect to the database {database}: {detail}; check that the server runs and the address, user and password in DATABASE_URL"
    )]
    Unreachable {
        /// The database: `host:port/name`.
        database: String,
        /// Why.
        detail: String,
    },
    /// The connection ended, or the server fell silent. What was not committed is undone.
    #[error(
        "the connection to the database {database} was lost while it was to {doing}: {source}; what was loaded is kept, and running the command again goes on from there"
    )]
    Lost {
        /// The database: `host:port/name`.
        database: String,
        /// What was being done.
        doing: &'static str,
        /// What the connection says.
        source: sqlx::Error,
    },
    /// The server is too old.
    #[error("the database {database} runs PostgreSQL {version}: {oldest} or newer is needed")]
    TooOld {
        /// The database: `host:port/name`.
        database: String,
        /// Its major version.
        version: u32,
        /// The oldest that will do.
        oldest: u32,
    },
    /// The user of the address lacks a right.
    #[error(
        "the database {database} does not allow this user to {doing}: {detail}; it needs rights to read and write the tables, and to create tables in the schema"
    )]
    Forbidden {
        /// The database: `host:port/name`.
        database: String,
        /// What was being done.
        doing: &'static str,
        /// What the server says.
        detail: String,
    },
    /// A stored value that this version does not know.
    #[error("the database holds a value this version does not know: {0}")]
    Unknown(String),
    /// Anything else.
    #[error("the database {database} refused to {doing}: {source}")]
    Other {
        /// The database: its file, or `host:port/name`.
        database: String,
        /// What was being done.
        doing: &'static str,
        /// What the database says.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the same may succeed in a moment: a server that restarts, a connection that broke.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Unreachable { .. })
    }
}
