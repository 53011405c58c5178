//! What surrounds a processor.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Event;
use crate::ingest::{Loads, Reporter};
use crate::store::{BarReader, Ledger, Queue, QueueWatching, StoreError};

/// What a processor works with.
pub trait Workplace {
    /// The database.
    type Store: Queue + QueueWatching + Ledger + BarReader;

    /// A new connection to the database.
    fn store(&self) -> impl Future<Output = Result<Self::Store, StoreError>>;

    /// Hears how far a step is.
    fn reporter(&self) -> Arc<dyn Reporter>;

    /// Loads bars until told to stop.
    fn loads(&self, reporter: Arc<dyn Reporter>, stop: CancellationToken) -> impl Loads;

    /// Hears what happens. The processor waits until it has been heard, so this must not take long.
    fn hear(&self, event: Event) -> impl Future<Output = ()>;
}
