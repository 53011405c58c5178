//! Making the tables, and telling them from another program's.
//!
//! Not by the driver's migrator: it keeps a named statement and a lock for the session, and behind a pooler there is none.

use futures_util::FutureExt;
use sqlx::{AssertSqlSafe, Row};

use super::transaction::{Access, Work};
use super::{PostgresStore, StoreError};
use crate::store::facts::checksum;

/// Migrations, in order. A migration that has been released is never edited.
pub(super) const MIGRATIONS: [(i64, &str, &str); 6] = [
    (1, "bars", include_str!("../../../migrations/postgres/0001_bars.sql")),
    (2, "restatements", include_str!("../../../migrations/postgres/0002_restatements.sql")),
    (3, "rest", include_str!("../../../migrations/postgres/0003_rest.sql")),
    (4, "splits", include_str!("../../../migrations/postgres/0004_splits.sql")),
    (5, "unattended", include_str!("../../../migrations/postgres/0005_unattended.sql")),
    (6, "losses", include_str!("../../../migrations/postgres/0006_losses.sql")),
];

/// The table the migrations are remembered in; its own name, as other programs may share the schema.
const TABLE: &str = "barkeep_migrations";

/// What is remembered.
const APPLIED: &str = "SELECT version, checksum FROM barkeep_migrations ORDER BY version";

impl PostgresStore {
    /// Whether the schema has tables of ours.
    pub(super) async fn has_tables(&mut self) -> Result<bool, StoreError> {
        let known = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1";
        let rows = self.single(Access::Read, "look at its tables", || sqlx::query(known).bind(TABLE)).await?;
        Ok(!rows.is_empty())
    }

    /// Makes what is missing, in one transaction: two processes may meet at an empty schema, and a schema with a table of
    /// another program's is left as it was.
    pub(super) async fn migrate(&mut self) -> Result<(), StoreError> {
        let mut applied = if self.has_tables().await? { self.applied().await? } else { Vec::new() };
        if applied.len() < MIGRATIONS.len() {
            let database = self.address.name().to_owned();
            applied = self
                .repeatable(Access::Write, "create its tables", &database, |work, database| {
                    apply(work, database).boxed()
                })
                .await?;
            crash_point!("migrated");
        }
        self.check(&applied)
    }

    /// Versions and checksums of the migrations that were applied.
    pub(super) async fn applied(&mut self) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = self.single(Access::Read, "read its migrations", || sqlx::query(APPLIED)).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    fn check(&self, applied: &[(i64, Vec<u8>)]) -> Result<(), StoreError> {
        let foreign = |reason: String| StoreError::Foreign { database: self.address.name().to_owned(), reason };
        for (at, (version, checksum_found)) in applied.iter().enumerate() {
            match MIGRATIONS.get(at) {
                None => {
                    return Err(foreign(
                        "it was made by a newer version of this program: use that one, or set DATABASE_URL to another \
                         database"
                            .to_owned(),
                    ));
                }
                Some((known, _, sql)) if known == version && checksum(*known, sql) == *checksum_found => {}
                Some(_) => return Err(foreign(format!("its migration {version} differs from this program's"))),
            }
        }
        Ok(())
    }
}

async fn apply(work: &mut Work<'_>, database: &str) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    work.script("SELECT pg_advisory_xact_lock(hashtextextended('barkeep migrations ' || current_schema(), 0))").await?;
    work.script(&format!(
        "CREATE TABLE IF NOT EXISTS {TABLE} (
             version    BIGINT      NOT NULL PRIMARY KEY,
             name       TEXT        NOT NULL,
             checksum   BYTEA       NOT NULL,
             applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
         )"
    ))
    .await?;
    crash_point!("migration-begun");
    let rows = work.rows(sqlx::query(APPLIED)).await?;
    let mut applied: Vec<(i64, Vec<u8>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (version, description, sql) in MIGRATIONS.into_iter().skip(applied.len()) {
        work.script(sql).await.map_err(|error| foreign(database, error))?;
        let checksum = checksum(version, sql);
        let insert = format!("INSERT INTO {TABLE} (version, name, checksum) VALUES ($1, $2, $3)");
        work.execute(sqlx::query(AssertSqlSafe(insert)).bind(version).bind(description).bind(&checksum)).await?;
        applied.push((version, checksum));
    }
    crash_point!("migrations-run");
    Ok(applied)
}

/// A table that is there already is another program's.
fn foreign(database: &str, error: StoreError) -> StoreError {
    match error {
        StoreError::Other { source, .. } if is_duplicate(&source) => StoreError::Foreign {
            database: database.to_owned(),
            reason: format!(
                "{}, and it is not ours; choose another database, or another schema (…?options=-csearch_path%3DNAME)",
                source.as_database_error().map(ToString::to_string).unwrap_or_default()
            ),
        },
        other => other,
    }
}

/// `duplicate_table`, `duplicate_object`.
fn is_duplicate(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "42P07" || code == "42710")
}
