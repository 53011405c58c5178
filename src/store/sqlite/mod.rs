//! The embedded store: one SQLite file.
//!
//! Write-ahead logging, so that readers see the old day until the new one is committed; `synchronous=FULL`, so that a
//! committed day survives a power cut. Bars are appended day by day through `bulk`; everything else is plain SQL.

mod announced;
mod audit;
mod bulk;
mod bulk_read;
mod chain;
mod claims;
mod commit;
mod defects;
mod facts;
mod flush;
mod kept_claims;
mod ledger;
mod market;
mod notes;
mod outbox;
mod queue;
mod queue_watch;
mod read;
mod rest;
mod runs;
mod shape;
mod sidecar;
mod sink;
mod splits;
mod statement;
mod watchlist;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection};

pub use self::claims::SqliteClaims;
use self::flush::LogFlush;
use self::kept_claims::KeptClaims;
pub use self::notes::SqliteNotes;
pub use self::queue_watch::SqliteQueueWatch;
use self::shape::Shapes;
use super::StoreError;
use crate::model::Dataset;

/// Migrations, in order. A migration that has been released is never edited.
const MIGRATIONS: [(i64, &str, &str); 6] = [
    (1, "bars", include_str!("../../../migrations/sqlite/0001_bars.sql")),
    (2, "restatements", include_str!("../../../migrations/sqlite/0002_restatements.sql")),
    (3, "rest", include_str!("../../../migrations/sqlite/0003_rest.sql")),
    (4, "splits", include_str!("../../../migrations/sqlite/0004_splits.sql")),
    (5, "unattended", include_str!("../../../migrations/sqlite/0005_unattended.sql")),
    (6, "losses", include_str!("../../../migrations/sqlite/0006_losses.sql")),
];

/// Table the migrations are remembered in; its own name, as other programs may share the file.
const MIGRATIONS_TABLE: &str = "barkeep_migrations";

/// Large pages: a day is some 80 MB of appends, and fewer, larger pages cost less to log and to copy.
const PAGE_SIZE_BYTES: u32 = 32 * 1024;

/// Page cache of the connection, in KiB. Appending needs only the right edge of the tree.
const CACHE_KIB: u32 = 16 * 1024;

/// After how many pages the log is copied into the database (32 MiB).
const CHECKPOINT_PAGES: u32 = 1024;

/// Bytes the log file keeps when it is not in use.
const LOG_KEPT_BYTES: u32 = 64 * 1024 * 1024;

/// How long a statement waits for another process before it is tried again from above.
const BUSY_WAIT: Duration = Duration::from_millis(500);

/// How long another process may hold the database before this one gives up. A full-market day takes seconds.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// No claim asks for a longer lease. One that ends later was given while the machine's clock was wrong, and would hold for years.
const LONGEST_LEASE: Duration = Duration::from_hours(24);

/// How long opening is tried again, and how often, while others open the same new file.
const LONGEST_OPENING: Duration = Duration::from_secs(10);
const OPENED_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A connection to a SQLite database of bars.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connection: SqliteConnection,
    /// The day whose transaction is open.
    open_day: Option<OpenDay>,
    shapes: Shapes,
    log_flush: LogFlush,
    /// The requests of the queue that are held.
    kept: KeptClaims,
}

#[derive(Debug)]
struct OpenDay {
    dataset: Dataset,
    date: String,
    day_id: i64,
    state: super::DayState,
    /// Bars of earlier loads that are not removed: of those made from the minute file, and from the day file.
    kept: [u64; 2],
    /// What was removed because the vendor has replaced the file.
    restated: Vec<super::Replace>,
    /// The number under which bars so removed are kept until the day is committed. No day has it.
    aside: i64,
}

impl SqliteStore {
    /// Opens the database, creating the file, its folder and its tables where they are not there.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
                database: path.display().to_string(),
                folder: folder.to_owned(),
                source,
            })?;
        }
        let connection = connect(path).await?;
        let mut store = Self {
            path: path.to_owned(),
            connection,
            open_day: None,
            shapes: Shapes::default(),
            log_flush: LogFlush::of(path),
            kept: KeptClaims::default(),
        };
        store.migrate().await?;
        Ok(store)
    }

    /// Opens the database if the file is there.
    pub async fn open_existing(path: &Path) -> Result<Option<Self>, StoreError> {
        if path.exists() { Self::open(path).await.map(Some) } else { Ok(None) }
    }

    /// Another connection to the same database.
    pub async fn beside(&self) -> Result<Self, StoreError> {
        Self::open(&self.path).await
    }

    /// Copies the log into the database and ends the connection.
    pub async fn close(self) -> Result<(), StoreError> {
        let path = self.path;
        self.connection.close().await.map_err(|source| named(&path, "close", source))
    }

    async fn migrate(&mut self) -> Result<(), StoreError> {
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
        });
        let mut migrator = Migrator::with_migrations(migrations.to_vec());
        migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
        if self.is_migrated().await.map_err(self.error("look at its tables"))? {
            // Only compares: opening must not wait for a process that writes.
            let compared = migrator.run_direct(None, &mut self.connection, false).await;
            return compared.map_err(|error| self.migration_error(error));
        }
        // One transaction around everything: two processes may meet at a new file, and what turns out to be another
        // program's database is left as it was.
        self.undo_in_memory().await?;
        let since = Instant::now();
        let mut transaction = loop {
            match self.connection.begin_with("BEGIN IMMEDIATE").await {
                Ok(transaction) => break transaction,
                Err(error) if is_busy(&error) && since.elapsed() < LONGEST_WAIT => {}
                Err(error) => return Err(named(&self.path, "create its tables", error)),
            }
        };
        crash_point!("migration-begun");
        if let Err(error) = migrator.run_direct(None, &mut *transaction, false).await {
            // The first error is the one to tell; a transaction that cannot be rolled back is gone with the connection.
            let _ = transaction.rollback().await;
            return Err(self.migration_error(error));
        }
        crash_point!("migrations-run");
        transaction.commit().await.map_err(self.error("create its tables"))?;
        crash_point!("migrated");
        Ok(())
    }

    /// Before a transaction that writes: what undoes a single statement, some pages, goes to memory and not to a file in
    /// another folder, whose disk may be full. Not for connections that only read: sorting a large table needs that file.
    async fn undo_in_memory(&mut self) -> Result<(), StoreError> {
        self.connection.execute("PRAGMA temp_store = MEMORY").await.map_err(self.error("begin to write"))?;
        Ok(())
    }

    /// Whether no migration is left to do.
    async fn is_migrated(&mut self) -> Result<bool, sqlx::Error> {
        let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1")
            .bind(MIGRATIONS_TABLE)
            .fetch_one(&mut self.connection)
            .await?;
        if known == 0 {
            return Ok(false);
        }
        let count = format!("SELECT COUNT(*) FROM {MIGRATIONS_TABLE}");
        let done: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut self.connection).await?;
        Ok(usize::try_from(done).is_ok_and(|done| done >= MIGRATIONS.len()))
    }

    fn migration_error(&self, error: sqlx::migrate::MigrateError) -> StoreError {
        use sqlx::migrate::MigrateError;
        let database = self.path.display().to_string();
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => StoreError::Foreign {
                database,
                reason:
                    "it was made by a newer version of this program: use that one, or set DATABASE_URL to another file"
                        .to_owned(),
            },
            MigrateError::VersionMismatch(version) => {
                StoreError::Foreign { database, reason: format!("its migration {version} differs from this program's") }
            }
            MigrateError::ExecuteMigration(source, _) | MigrateError::Execute(source) => {
                let text = source.to_string();
                if text.contains("already exists") {
                    let reason = format!("{text}, and it is not ours; set DATABASE_URL to another file");
                    return StoreError::Foreign { database, reason };
                }
                named(&self.path, "create its tables", source)
            }
            other => StoreError::Foreign { database, reason: other.to_string() },
        }
    }

    /// Puts the database's name and what was being done to its errors.
    fn error(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
        let path = self.path.clone();
        move |source| named(&path, doing, source)
    }
}

/// Opens the file. Processes that meet at a new one are in each other's way while it is switched to a write-ahead log.
async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = options(path).create_if_missing(true).page_size(PAGE_SIZE_BYTES);
    let since = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && since.elapsed() < LONGEST_OPENING => {
                tokio::time::sleep(OPENED_AGAIN_AFTER).await;
            }
            opened => return opened.map_err(|source| opening(path, source)),
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_WAIT)
        .foreign_keys(false)
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        .pragma("journal_size_limit", LOG_KEPT_BYTES.to_string())
}

/// A file that belongs to a database: its path with something added.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The meaning of an error.
fn named(path: &Path, doing: &'static str, source: sqlx::Error) -> StoreError {
    let known = primary_code(&source).and_then(|code| by_code(path, code, &source));
    known.unwrap_or_else(|| StoreError::Other { database: path.display().to_string(), doing, source })
}

/// What SQLite's primary result codes mean to a user, as far as there is something to do about them.
fn by_code(path: &Path, code: i32, detail: &dyn std::fmt::Display) -> Option<StoreError> {
    let (database, detail) = (path.display().to_string(), detail.to_string());
    match code {
        libsqlite3_sys::SQLITE_FULL => Some(StoreError::DiskFull { database }),
        libsqlite3_sys::SQLITE_IOERR => Some(StoreError::DiskFailed { database, detail }),
        libsqlite3_sys::SQLITE_READONLY => Some(StoreError::ReadOnly { database }),
        libsqlite3_sys::SQLITE_CORRUPT => Some(StoreError::Corrupt { database, detail }),
        libsqlite3_sys::SQLITE_NOTADB => {
            let reason = "the file is something else; set DATABASE_URL to another file".to_owned();
            Some(StoreError::Foreign { database, reason })
        }
        _ => None,
    }
}

fn opening(path: &Path, source: sqlx::Error) -> StoreError {
    match named(path, "open", source) {
        StoreError::Other { database, source, .. } => StoreError::Open { database, source },
        other => other,
    }
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(libsqlite3_sys::SQLITE_BUSY | libsqlite3_sys::SQLITE_LOCKED))
}
