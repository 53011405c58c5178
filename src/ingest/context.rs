//! What every part of a run has at hand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::report::Reporter;
use crate::store::BarBatch;

/// What every part of a run has at hand.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// Hears how far the run is.
    pub(super) reporter: Arc<dyn Reporter>,
    /// Cancelled when the run is to stop.
    pub(super) stop: CancellationToken,
    pub(super) clock: Clock,
    /// How long an outage of the database may last.
    pub(super) outage_patience: Duration,
    pub(super) batches: Arc<BatchPool>,
}

/// Batches that were written, to be filled again. Each has a few megabytes: allocated anew for every use, the kernel would
/// hand out and clear their pages again and again.
#[derive(Debug, Default)]
pub(super) struct BatchPool(Mutex<Vec<BarBatch>>);

impl BatchPool {
    /// An empty batch, used before if there is one.
    pub(super) fn take(&self) -> BarBatch {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Gives a batch back.
    pub(super) fn put(&self, mut batch: BarBatch) {
        batch.symbols.clear();
        batch.bars.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
    }
}
