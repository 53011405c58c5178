//! Days that are being worked on, claimed with a lease.

use std::time::Duration;

use jiff::civil::Date;

use super::sql::now;
use super::transaction::Access;
use super::{PostgresStore, StoreError};
use crate::model::Dataset;
use crate::store::claimant;
use crate::store::{Claiming, Claims};

/// A claimant, on a connection of its own. Time is the server's, so that machines need not agree on it.
#[derive(Debug)]
pub struct PostgresClaims {
    store: PostgresStore,
    claimant: String,
    lease_ms: i64,
}

impl Claiming for PostgresStore {
    type Claims = PostgresClaims;

    async fn claimant(&self, lease: Duration) -> Result<PostgresClaims, StoreError> {
        let store = Self::connect(&self.address).await?;
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        Ok(PostgresClaims { store, claimant: claimant::name(), lease_ms })
    }
}

impl Claims for PostgresClaims {
    async fn claim(&mut self, dataset: Dataset, date: Date) -> Result<bool, StoreError> {
        let mut work = self.store.begin(Access::Write, "claim a day").await?;
        let held = work
            .execute(
                sqlx::query(concat!(
                    "INSERT INTO day_claims AS c (dataset, session_date, claimant, lease_until)
                     VALUES ($1, $2::date, $3, ",
                    now!(),
                    " + $4)
                     ON CONFLICT (dataset, session_date) DO UPDATE
                         SET claimant = excluded.claimant, lease_until = excluded.lease_until
                         WHERE c.claimant = excluded.claimant OR c.lease_until < ",
                    now!()
                ))
                .bind(dataset.as_str())
                .bind(date.to_string())
                .bind(&self.claimant)
                .bind(self.lease_ms),
            )
            .await?;
        work.commit().await?;
        Ok(held > 0)
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let mut work = self.store.begin(Access::Write, "renew its claims").await?;
        let renew = concat!("UPDATE day_claims SET lease_until = ", now!(), " + $2 WHERE claimant = $1");
        work.execute(sqlx::query(renew).bind(&self.claimant).bind(self.lease_ms)).await?;
        work.commit().await
    }

    async fn release(&mut self, dataset: Dataset, date: Date) -> Result<(), StoreError> {
        let mut work = self.store.begin(Access::Write, "release a day").await?;
        let release = "DELETE FROM day_claims WHERE dataset = $1 AND session_date = $2::date AND claimant = $3";
        work.execute(sqlx::query(release).bind(dataset.as_str()).bind(date.to_string()).bind(&self.claimant)).await?;
        work.commit().await
    }
}
