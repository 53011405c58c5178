//! Claims, in the file beside the database: claims that are lost with it cost no more than work that is done twice.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::sidecar::{Sidecar, Tries};
use super::{LONGEST_LEASE, SqliteStore};
use crate::model::Dataset;
use crate::store::{Claiming, Claims, StoreError, claimant};

/// A lease that ends beyond the last parameter is too long to be one.
const CLAIM: &str = "
INSERT INTO claims (claimant, dataset, session_date, lease_until) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (dataset, session_date) DO UPDATE SET claimant = excluded.claimant, lease_until = excluded.lease_until
WHERE claimant = excluded.claimant OR lease_until NOT BETWEEN ?5 AND ?6";

const RENEW: &str = "UPDATE claims SET lease_until = ?2 WHERE claimant = ?1";

const RELEASE: &str = "DELETE FROM claims WHERE claimant = ?1 AND dataset = ?2 AND session_date = ?3";

/// A claimant of days of a SQLite database.
#[derive(Debug)]
pub struct SqliteClaims {
    file: Sidecar,
    claimant: String,
    lease: Duration,
}

impl Claiming for SqliteStore {
    type Claims = SqliteClaims;

    async fn claimant(&self, lease: Duration) -> Result<SqliteClaims, StoreError> {
        let file = Sidecar::of(&self.path).await?;
        Ok(SqliteClaims { file, claimant: claimant::name(), lease: lease.min(LONGEST_LEASE) })
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
    /// Runs a statement; says how many claims it changed.
    async fn execute(
        &mut self,
        doing: &'static str,
        statement: impl Fn() -> Query<'static, Sqlite, SqliteArguments>,
    ) -> Result<u64, StoreError> {
        let mut tries = Tries::new();
        loop {
            match statement().execute(&mut self.file.connection).await {
                Ok(done) => return Ok(done.rows_affected()),
                Err(error) => self.file.overcome(error, doing, &mut tries).await?,
            }
        }
    }
}
