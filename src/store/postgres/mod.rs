//! The store for teams: PostgreSQL 13 or newer, hosted ones included.
//!
//! Needs no superuser and no extension. Every statement runs unnamed and inside an explicit transaction, settings are
//! `SET LOCAL` and locks belong to the transaction: so it also works behind a pooler that hands each transaction to another
//! server connection (`PgBouncer` in transaction mode). Bars stream into monthly partitions by binary `COPY`; everything
//! else is plain SQL with arrays where there are many rows.

mod announced;
mod audit;
mod chain;
mod claims;
mod commit;
mod connection;
mod copy;
mod defects;
mod error;
mod facts;
mod ledger;
mod market;
mod migrate;
mod notes;
mod outbox;
mod partitions;
mod queue;
mod queue_watch;
mod read;
mod rest;
mod runs;
mod sink;
mod splits;
mod sql;
mod transaction;
mod watchlist;

use std::collections::BTreeSet;
use std::time::Duration;

pub use self::claims::PostgresClaims;
use self::connection::Link;
pub use self::connection::PostgresAddress;
pub use self::notes::PostgresNotes;
use self::partitions::Month;
pub use self::queue_watch::PostgresQueueWatch;
use self::sink::OpenDay;
use self::transaction::wait_out;
use super::StoreError;

/// How long a server may leave a statement, or a piece of a stream of bars, without an answer before it counts as gone.
const PATIENCE: Duration = Duration::from_mins(10);

/// A connection to a PostgreSQL database of bars.
#[derive(Debug)]
pub struct PostgresStore {
    address: PostgresAddress,
    link: Link,
    /// The day whose transaction is open.
    open_day: Option<OpenDay>,
    /// Whether a transaction is open in which everything is read.
    frozen: bool,
    /// Months whose partitions are known to be there.
    partitions: BTreeSet<Month>,
}

impl PostgresStore {
    /// Connects, creating the tables where they are not there.
    pub async fn open(address: &PostgresAddress) -> Result<Self, StoreError> {
        let mut store = Self::connect(address).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Connects to a database that has the tables; `None` where it has none.
    pub async fn open_existing(address: &PostgresAddress) -> Result<Option<Self>, StoreError> {
        let mut store = Self::connect(address).await?;
        if !store.has_tables().await? {
            store.close().await?;
            return Ok(None);
        }
        // Needs no right to create tables where none is missing.
        store.migrate().await?;
        Ok(Some(store))
    }

    async fn connect(address: &PostgresAddress) -> Result<Self, StoreError> {
        let link = Link::open(address).await?;
        Ok(Self { address: address.clone(), link, open_day: None, frozen: false, partitions: BTreeSet::new() })
    }

    /// Another connection to the same database.
    pub async fn beside(&self) -> Result<Self, StoreError> {
        let mut outage = self.restart();
        loop {
            match Self::connect(&self.address).await {
                Err(error) => wait_out(&mut outage, error).await?,
                connected => return connected,
            }
        }
    }

    /// Ends the connection.
    pub async fn close(self) -> Result<(), StoreError> {
        self.link.close().await;
        Ok(())
    }
}
