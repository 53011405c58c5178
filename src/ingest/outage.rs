//! Waiting out an outage of the database in the midst of a run: said once, and given up when the run is to stop.

use std::time::Duration;

use super::context::Context;
use crate::store::{self, StoreError};

/// What is known of an outage.
#[derive(Debug)]
pub(super) struct Outage(store::Outage);

impl Outage {
    /// None so far. One may last as long as a lease: after it, other processes have this one's days.
    pub(super) const fn new(patience: Duration) -> Self {
        Self(store::Outage::new(patience))
    }

    /// The database has answered.
    pub(super) const fn is_over(&mut self) {
        self.0.is_over();
    }

    /// Pauses after an error that may pass, or a stop; gives back one that will not pass, or has not for too long.
    pub(super) async fn wait(&mut self, error: StoreError, context: &Context) -> Result<(), StoreError> {
        let is_known = self.0.has_begun();
        let Some(pause) = self.0.pause(&error) else { return Err(error) };
        if !is_known {
            context.reporter.note(&format!("{error}; trying again"));
        }
        tokio::select! {
            () = context.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
        Ok(())
    }
}
