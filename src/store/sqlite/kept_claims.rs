//! Claims on requests whose renewals wait for a day that is being written.
//!
//! Leases of the queue lie in the database, where a renewal waits for whoever writes, and that may take longer than a lease. So
//! does who would take requests over; which of the two is let in first is chance. Therefore whoever waits writes its renewals
//! into the file beside the database, and whoever takes over looks there first.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;
use tokio::time::sleep;

use super::LONGEST_LEASE;
use super::sidecar::{Sidecar, Tries};
use crate::store::values::milliseconds;
use crate::store::{Held, StoreError};

const KEEP: &str = "
INSERT INTO requests (id, token, lease_until)
SELECT value ->> 0, value ->> 1, ?2 FROM json_each(?1) WHERE TRUE
ON CONFLICT DO UPDATE SET lease_until = excluded.lease_until";

const FORGET: &str = "DELETE FROM requests WHERE lease_until NOT BETWEEN ?1 AND ?2";

const KEPT: &str = "SELECT id, token, lease_until FROM requests WHERE lease_until BETWEEN ?1 AND ?2";

/// Renewals within a lease.
const PER_LEASE: u32 = 4;

/// What a processor holds, as far as it has said.
#[derive(Debug, Default)]
pub(super) struct KeptClaims {
    held: Vec<Held>,
    lease: Duration,
}

impl KeptClaims {
    /// Remembers what is held, and for how long each time.
    pub(super) fn hold(&mut self, held: &[Held], lease: Duration) {
        (self.held, self.lease) = (held.to_vec(), lease.min(LONGEST_LEASE));
    }

    /// Remembers what is held beside that.
    pub(super) fn also_hold(&mut self, held: impl Iterator<Item = Held>, lease: Duration) {
        self.held.extend(held);
        self.lease = lease.min(LONGEST_LEASE);
    }

    /// Keeps it for as long as something takes.
    pub(super) async fn keep_during<T>(&mut self, database: &Path, what: impl Future<Output = T>) -> T {
        if self.held.is_empty() {
            return what.await;
        }
        let mut what = pin!(what);
        loop {
            tokio::select! {
                biased;
                done = &mut what => return done,
                () = sleep(self.lease / PER_LEASE) => {}
            }
            // What cannot be kept here is renewed in the database, or lost.
            let _ = self.keep(database).await;
        }
    }

    async fn keep(&self, database: &Path) -> Result<(), StoreError> {
        let doing = "renew claims on requests";
        let mut file = Sidecar::of(database).await?;
        let held: Vec<[i64; 2]> = self.held.iter().map(|held| [held.id, held.token]).collect();
        let held = serde_json::to_string(&held).expect("Invariant: numbers can be written");
        let mut tries = Tries::new();
        loop {
            let (now, latest) = now();
            let forget = sqlx::query(FORGET).bind(now).bind(latest);
            let keep = sqlx::query(KEEP).bind(&held).bind(now + milliseconds(self.lease));
            let kept = async {
                forget.execute(&mut file.connection).await?;
                keep.execute(&mut file.connection).await
            };
            match kept.await {
                Ok(_) => return Ok(()),
                Err(error) => file.overcome(error, doing, &mut tries).await?,
            }
        }
    }
}

/// The claims that are kept, and until when. Those that cannot be read are as if they were not kept.
pub(super) async fn kept_claims(database: &Path) -> Vec<(Held, i64)> {
    let read = async {
        let mut file = Sidecar::of(database).await?;
        let (now, latest) = now();
        let kept = sqlx::query(KEPT).bind(now).bind(latest).fetch_all(&mut file.connection).await;
        kept.map_err(|error| file.error(error, "look for claims on requests"))
    };
    let rows = read.await.unwrap_or_default();
    rows.iter().map(|row| (Held { id: row.get(0), token: row.get(1) }, row.get(2))).collect()
}

/// Now, and the latest end that a lease can have.
fn now() -> (i64, i64) {
    let now = Timestamp::now().as_millisecond();
    (now, now + milliseconds(LONGEST_LEASE))
}
