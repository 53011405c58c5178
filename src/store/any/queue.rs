//! The queue of requests.

use std::time::Duration;

use super::AnyStore;
use crate::store::postgres::PostgresQueueWatch;
use crate::store::sqlite::SqliteQueueWatch;
use crate::store::{
    ClaimedRequest, Held, NewRequest, Queue, QueueDepth, QueueWatch, QueueWatching, QueuedRequest, RequestEnd,
    RequestProgress, StoreError,
};

/// A watch of the queue of one of the stores.
#[derive(Debug)]
pub enum AnyQueueWatch {
    /// Of a SQLite file.
    Sqlite(Box<SqliteQueueWatch>),
    /// Of a PostgreSQL database.
    Postgres(Box<PostgresQueueWatch>),
}

impl Queue for AnyStore {
    async fn enqueue(&mut self, requests: &[NewRequest]) -> Result<u64, StoreError> {
        on!(self, store => store.enqueue(requests))
    }

    async fn rescue_requests(&mut self, owner: &str) -> Result<u64, StoreError> {
        on!(self, store => store.rescue_requests(owner))
    }

    async fn claim_requests(
        &mut self,
        owner: &str,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<ClaimedRequest>, StoreError> {
        on!(self, store => store.claim_requests(owner, lease, most))
    }

    async fn renew_requests(&mut self, held: &[Held], lease: Duration) -> Result<Vec<Held>, StoreError> {
        on!(self, store => store.renew_requests(held, lease))
    }

    async fn note_progress(&mut self, progress: &[RequestProgress]) -> Result<(), StoreError> {
        on!(self, store => store.note_progress(progress))
    }

    async fn end_requests(&mut self, ends: &[(Held, RequestEnd)]) -> Result<Vec<Held>, StoreError> {
        on!(self, store => store.end_requests(ends))
    }

    async fn requests(&mut self, symbol: Option<&str>, ended: u32) -> Result<Vec<QueuedRequest>, StoreError> {
        on!(self, store => store.requests(symbol, ended))
    }

    async fn dead_requests(&mut self) -> Result<(u64, Vec<QueuedRequest>), StoreError> {
        on!(self, store => store.dead_requests())
    }

    async fn queue_depth(&mut self) -> Result<QueueDepth, StoreError> {
        on!(self, store => store.queue_depth())
    }

    async fn retry_requests(&mut self, ids: Option<&[i64]>) -> Result<u64, StoreError> {
        on!(self, store => store.retry_requests(ids))
    }

    async fn prune_requests(&mut self, older_than: Duration) -> Result<u64, StoreError> {
        on!(self, store => store.prune_requests(older_than))
    }
}

impl QueueWatching for AnyStore {
    type Watch = AnyQueueWatch;

    fn queue_watch(&self) -> AnyQueueWatch {
        match self {
            Self::Sqlite(store) => AnyQueueWatch::Sqlite(Box::new(store.queue_watch())),
            Self::Postgres(store) => AnyQueueWatch::Postgres(Box::new(store.queue_watch())),
        }
    }
}

impl QueueWatch for AnyQueueWatch {
    async fn wait(&mut self, longest: Duration) {
        on!(self, watch => watch.wait(longest));
    }
}
