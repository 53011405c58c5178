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
        let store = self.beside().await?;
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        Ok(PostgresClaims { store, claimant: claimant::name(), lease_ms })
    }
}

impl Claims for PostgresClaims {
    async fn claim(&mut self, dataset: Dataset, date: Date) -> Result<bool, StoreError> {
        let claim = || {
            sqlx::query(concat!(
                "INSERT INTO day_claims AS c (dataset, session_date, claimant, lease_until)
                 VALUES ($1, $2::date, $3, ",
                now!(),
                " + $4)
                 ON CONFLICT (dataset, session_date) DO UPDATE
                     SET claimant = excluded.claimant, lease_until = excluded.lease_until
                     WHERE c.claimant = excluded.claimant OR c.lease_until < ",
                now!(),
                " RETURNING TRUE"
            ))
            .bind(dataset.as_str())
            .bind(date.to_string())
            .bind(&self.claimant)
            .bind(self.lease_ms)
        };
        let held = self.store.single(Access::Write, "claim a day", claim).await?;
        Ok(!held.is_empty())
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let renew = concat!("UPDATE day_claims SET lease_until = ", now!(), " + $2 WHERE claimant = $1");
        let renew = || sqlx::query(renew).bind(&self.claimant).bind(self.lease_ms);
        self.store.single(Access::Write, "renew its claims", renew).await.map(drop)
    }

    async fn release(&mut self, dataset: Dataset, date: Date) -> Result<(), StoreError> {
        let release = "DELETE FROM day_claims WHERE dataset = $1 AND session_date = $2::date AND claimant = $3";
        let release = || sqlx::query(release).bind(dataset.as_str()).bind(date.to_string()).bind(&self.claimant);
        self.store.single(Access::Write, "release a day", release).await.map(drop)
    }
}
