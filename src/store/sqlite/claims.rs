//! Claims, in a small file of their own beside the database, so that they never wait for a day that is being written.
//!
//! The file is disposable. It is not synchronised to the disk, and one that is damaged, or laid out by another version, is
//! made anew: claims that are lost with it cost no more than work that is done twice.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor, Sqlite, SqliteConnection};

use super::{BUSY_WAIT, LONGEST_WAIT, SqliteStore, beside, is_busy, named, opening, primary_code};
use crate::model::Dataset;
use crate::store::{Claiming, Claims, StoreError, claimant};

const LAYOUT: &str = "
CREATE TABLE IF NOT EXISTS claims (
    dataset      TEXT NOT NULL,
    session_date TEXT NOT NULL,
    claimant     TEXT NOT NULL,
    lease_until  INTEGER NOT NULL,
    PRIMARY KEY (dataset, session_date)
) STRICT, WITHOUT ROWID";

/// A lease that ends beyond the last parameter was given while the machine's clock was wrong. It would hold for years.
const CLAIM: &str = "
INSERT INTO claims (claimant, dataset, session_date, lease_until) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (dataset, session_date) DO UPDATE SET claimant = excluded.claimant, lease_until = excluded.lease_until
WHERE claimant = excluded.claimant OR lease_until NOT BETWEEN ?5 AND ?6";

const RENEW: &str = "UPDATE claims SET lease_until = ?2 WHERE claimant = ?1";

const RELEASE: &str = "DELETE FROM claims WHERE claimant = ?1 AND dataset = ?2 AND session_date = ?3";

/// No claimant asks for longer ones.
const LONGEST_LEASE: Duration = Duration::from_hours(24);

/// A claimant of days of a SQLite database.
#[derive(Debug)]
pub struct SqliteClaims {
    path: PathBuf,
    connection: SqliteConnection,
    claimant: String,
    lease: Duration,
}

impl Claiming for SqliteStore {
    type Claims = SqliteClaims;

    async fn claimant(&self, lease: Duration) -> Result<SqliteClaims, StoreError> {
        // Whoever opens the database by another name must meet the others all the same.
        let database = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let path = beside(&database, "-claims");
        let connection = open(&path).await?;
        Ok(SqliteClaims { path, connection, claimant: claimant::name(), lease: lease.min(LONGEST_LEASE) })
    }
}

impl Claims for SqliteClaims {
    async fn claim(&mut self, dataset: Dataset, date: Date) -> Result<bool, StoreError> {
        let (claimant, lease) = (self.claimant.clone(), self.lease);
        let changed = self.execute("claim a day", || {
            let now = Timestamp::now();
            sqlx::query(CLAIM)
                .bind(claimant.clone())
                .bind(dataset.as_str())
                .bind(date.to_string())
                .bind((now + lease).as_millisecond())
                .bind(now.as_millisecond())
                .bind((now + LONGEST_LEASE).as_millisecond())
        });
        Ok(changed.await? > 0)
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let (claimant, lease) = (self.claimant.clone(), self.lease);
        let until = move || (Timestamp::now() + lease).as_millisecond();
        self.execute("renew claims", || sqlx::query(RENEW).bind(claimant.clone()).bind(until())).await.map(drop)
    }

    async fn release(&mut self, dataset: Dataset, date: Date) -> Result<(), StoreError> {
        let claimant = self.claimant.clone();
        let release = || sqlx::query(RELEASE).bind(claimant.clone()).bind(dataset.as_str()).bind(date.to_string());
        self.execute("release a day", release).await.map(drop)
    }
}

impl SqliteClaims {
    /// Runs a statement, waiting for others who run theirs; says how many claims it changed.
    async fn execute(
        &mut self,
        doing: &'static str,
        statement: impl Fn() -> Query<'static, Sqlite, SqliteArguments>,
    ) -> Result<u64, StoreError> {
        let since = Instant::now();
        let mut repairs = 0;
        loop {
            match statement().execute(&mut self.connection).await {
                Ok(done) => return Ok(done.rows_affected()),
                Err(error) if is_busy(&error) => wait_longer(&self.path, since)?,
                Err(error) if repairs < 2 && (is_unusable(&error) || is_moved(&error)) => {
                    // The file that lies there now may be another one, which somebody has made anew already.
                    if repairs > 0 {
                        discard(&self.path)?;
                    }
                    self.connection = open(&self.path).await?;
                    repairs += 1;
                }
                Err(error) => return Err(named(&self.path, doing, error)),
            }
        }
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
