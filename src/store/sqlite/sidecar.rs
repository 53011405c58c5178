//! A small file beside the database, for what must never wait for a day that is being written: claims, notes, and renewals of
//! claims on requests that wait to be written.
//!
//! The file is disposable. It is not synchronised to the disk, and one that is damaged, or laid out by another version, is
//! made anew, without what it held.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

use super::{BUSY_WAIT, LONGEST_WAIT, beside, is_busy, named, opening, primary_code};
use crate::store::StoreError;

/// A note without a text is one that is being changed.
const LAYOUT: &str = "
CREATE TABLE IF NOT EXISTS claims (
    dataset      TEXT NOT NULL,
    session_date TEXT NOT NULL,
    claimant     TEXT NOT NULL,
    lease_until  INTEGER NOT NULL,
    PRIMARY KEY (dataset, session_date)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (
    name    TEXT NOT NULL PRIMARY KEY,
    text    TEXT,
    changes INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
    id          INTEGER NOT NULL,
    token       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    PRIMARY KEY (id, token)
) STRICT, WITHOUT ROWID";

/// A connection to the file.
#[derive(Debug)]
pub(super) struct Sidecar {
    path: PathBuf,
    pub(super) connection: SqliteConnection,
}

impl Sidecar {
    /// The file beside a database.
    pub(super) async fn of(database: &Path) -> Result<Self, StoreError> {
        let path = path_beside(database);
        let connection = open(&path).await?;
        Ok(Self { path, connection })
    }

    /// What to do about an error of a statement: nothing, where others are at the file, or where it was of no use and is made
    /// anew; then the statement is to be run again.
    pub(super) async fn overcome(
        &mut self,
        error: sqlx::Error,
        doing: &'static str,
        tries: &mut Tries,
    ) -> Result<(), StoreError> {
        if is_busy(&error) {
            return wait_longer(&self.path, tries.since);
        }
        if tries.repairs == 2 || !(is_unusable(&error) || is_moved(&error)) {
            return Err(self.error(error, doing));
        }
        // The file that lies there now may be another one, which somebody has made anew already.
        if tries.repairs > 0 {
            discard(&self.path)?;
        }
        self.connection = open(&self.path).await?;
        tries.repairs += 1;
        Ok(())
    }

    /// The meaning of an error that is not to be overcome.
    pub(super) fn error(&self, error: sqlx::Error, doing: &'static str) -> StoreError {
        named(&self.path, doing, error)
    }
}

/// A note of the file as it lies there; none where there is no file, or one that would be made anew.
pub(super) async fn look_at_note(database: &Path, name: &str) -> Result<Option<String>, StoreError> {
    let path = path_beside(database);
    if !path.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(&path).read_only(true).busy_timeout(BUSY_WAIT);
    let read = async {
        let mut connection = options.connect().await?;
        let note = "SELECT text FROM notes WHERE name = ?1";
        let text = sqlx::query_scalar(note).bind(name).fetch_optional(&mut connection).await?;
        connection.close().await?;
        Ok(text.flatten())
    };
    match read.await {
        Err(error) if is_unusable(&error) => Ok(None),
        read => read.map_err(|error| named(&path, "read a note", error)),
    }
}

/// Whoever opens the database by another name must meet the others all the same.
fn path_beside(database: &Path) -> PathBuf {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    beside(&database, "-claims")
}

/// Since when, and over how many repairs, the same is tried.
#[derive(Debug)]
pub(super) struct Tries {
    since: Instant,
    repairs: u8,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), repairs: 0 }
    }
}

/// Opens the file, making it where it is not there or of no use.
async fn open(path: &Path) -> Result<SqliteConnection, StoreError> {
    let since = Instant::now();
    let mut mended = false;
    loop {
        match try_open(path).await {
            Ok(connection) => return Ok(connection),
            Err(error) if is_busy(&error) => wait_longer(path, since)?,
            Err(error) if !mended && is_unusable(&error) => {
                discard(path)?;
                mended = true;
            }
            Err(error) => return Err(not_opened(path, error)),
        }
    }
}

async fn try_open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(BUSY_WAIT);
    let mut connection = options.connect().await?;
    connection.execute(LAYOUT).await?;
    Ok(connection)
}

/// SQLite says of a file that it may not create only that it cannot open it; the system says why.
fn not_opened(path: &Path, error: sqlx::Error) -> StoreError {
    let tried = OpenOptions::new().append(true).create(true).open(path);
    match tried.map_err(|error| error.kind()) {
        Err(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            StoreError::ReadOnly { database: path.display().to_string() }
        }
        _ => opening(path, error),
    }
}

fn wait_longer(path: &Path, since: Instant) -> Result<(), StoreError> {
    if since.elapsed() < LONGEST_WAIT {
        return Ok(());
    }
    Err(StoreError::Busy { database: path.display().to_string(), waited_seconds: LONGEST_WAIT.as_secs() })
}

/// Removes the file. Two processes may do so at once, and one then removes what the other has just made anew; the other
/// notices by [`is_moved`].
fn discard(path: &Path) -> Result<(), StoreError> {
    // The journal of a process that was killed must not be played back into the new file.
    for path in [beside(path, "-journal"), path.to_owned()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::Open { database: path.display().to_string(), source: sqlx::Error::Io(error) });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a file is damaged, no database, or laid out so that a statement makes no sense.
fn is_unusable(error: &sqlx::Error) -> bool {
    use libsqlite3_sys::{SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_NOTADB};
    matches!(primary_code(error), Some(SQLITE_CORRUPT | SQLITE_NOTADB | SQLITE_ERROR))
}

/// Whether another process has made the file anew since it was opened.
fn is_moved(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse().ok());
    code == Some(libsqlite3_sys::SQLITE_READONLY_DBMOVED)
}
