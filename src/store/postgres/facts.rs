//! What a database says of itself.

use sqlx::Row;

use super::migrate::MIGRATIONS;
use super::transaction::Access;
use super::{PostgresAddress, PostgresStore, StoreError};
use crate::store::{Facts, Schema};

/// Version, and whether this user may make tables in the schema that it would make them in.
const OF_ANY: &str = "SELECT current_setting('server_version'),
    NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'
        AND coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";

/// Size of the bars, days of which a file is loaded, and whether this user may add to them. No bar is read.
const OF_OURS: &str = "SELECT
    coalesce((SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_catalog.pg_inherits
              WHERE inhparent = 'historical_bars'::regclass), 0),
    (SELECT count(*) FROM ingest_ledger WHERE file = 'minute' AND etag IS NOT NULL),
    has_table_privilege('historical_bars', 'INSERT')";

impl PostgresStore {
    /// What the database says of itself.
    pub async fn facts(address: &PostgresAddress) -> Result<Facts, StoreError> {
        let mut store = Self::connect(address).await?;
        let facts = store.read_facts().await;
        store.close().await?;
        facts
    }

    async fn read_facts(&mut self) -> Result<Facts, StoreError> {
        let applied = if self.has_tables().await? { Some(self.applied().await?) } else { None };
        let schema = Schema::of(applied.as_deref(), &MIGRATIONS);
        let doing = "look at it";
        let of_any = self.single(Access::Read, doing, || sqlx::query(OF_ANY)).await?;
        let of_ours = match applied {
            Some(_) => self.single(Access::Read, doing, || sqlx::query(OF_OURS)).await?,
            None => Vec::new(),
        };
        let (version, may_create): (String, bool) =
            of_any.first().map_or_else(Default::default, |row| (row.get(0), row.get(1)));
        let (size_bytes, file_days, may_insert): (i64, i64, bool) =
            of_ours.first().map_or((0, 0, true), |row| (row.get(0), row.get(1), row.get(2)));
        // Distributions add their own version behind a space.
        let version = version.split(' ').next().unwrap_or_default();
        Ok(Facts {
            engine: format!("PostgreSQL {version}"),
            schema,
            is_writable: may_create && may_insert,
            size_bytes: u64::try_from(size_bytes).unwrap_or(0),
            file_days: u64::try_from(file_days).unwrap_or(0),
        })
    }
}
