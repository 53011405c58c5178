//! What a file says of itself.

use std::fs::OpenOptions;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::{BUSY_WAIT, MIGRATIONS, MIGRATIONS_TABLE, SqliteStore, beside, named, opening};
use crate::store::{Facts, Schema, StoreError};

impl SqliteStore {
    /// What the file says of itself; `None` where there is none.
    pub async fn facts(path: &Path) -> Result<Option<Facts>, StoreError> {
        let Ok(about) = path.metadata() else { return Ok(None) };
        // Where no log lies nobody has the file open; then it can be read without making one.
        let is_alone = !beside(path, "-wal").exists();
        let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(is_alone);
        let connected = options.busy_timeout(BUSY_WAIT).connect().await;
        let mut connection = connected.map_err(|source| opening(path, source))?;
        let read = read(&mut connection).await;
        // What was read is known, however the connection ends.
        let _ = connection.close().await;
        let (engine, schema, file_days) = read.map_err(|source| named(path, "look at its tables", source))?;
        let is_writable = OpenOptions::new().append(true).open(path).is_ok();
        Ok(Some(Facts { engine, schema, is_writable, size_bytes: about.len(), file_days }))
    }
}

async fn read(connection: &mut SqliteConnection) -> Result<(String, Schema, u64), sqlx::Error> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *connection).await?;
    let engine = format!("SQLite {version}");
    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let known: i64 = sqlx::query_scalar(tables).bind(MIGRATIONS_TABLE).fetch_one(&mut *connection).await?;
    if known == 0 {
        return Ok((engine, Schema::Absent, 0));
    }
    let applied = format!("SELECT version, checksum FROM {MIGRATIONS_TABLE} ORDER BY version");
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(applied)).fetch_all(&mut *connection).await?;
    let days = "SELECT COUNT(*) FROM ingest_ledger WHERE file = 'minute' AND etag IS NOT NULL";
    let days: i64 = sqlx::query_scalar(days).fetch_one(connection).await?;
    Ok((engine, Schema::of(Some(&applied), &MIGRATIONS), u64::try_from(days).unwrap_or(0)))
}
