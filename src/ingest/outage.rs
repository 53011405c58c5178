//! Waiting out an outage of the database: a server that restarts, a connection that broke.

use std::time::{Duration, Instant};

use super::context::Context;
use crate::store::StoreError;

/// First pause; each one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is known of an outage.
#[derive(Debug)]
pub(super) struct Outage {
    /// How long one may last. As long as a lease: after it, other processes have this one's days.
    patience: Duration,
    began: Option<(Instant, Duration)>,
}

impl Outage {
    pub(super) const fn new(patience: Duration) -> Self {
        Self { patience, began: None }
    }

    /// The database has answered.
    pub(super) const fn is_over(&mut self) {
        self.began = None;
    }

    /// Pauses after an error that may pass, or a stop; gives back one that will not pass, or has not for too long.
    pub(super) async fn wait(&mut self, error: StoreError, context: &Context) -> Result<(), StoreError> {
        let (since, pause) = self.began.unwrap_or((Instant::now(), FIRST_PAUSE));
        if !error.may_pass() || since.elapsed() > self.patience {
            return Err(error);
        }
        if self.began.is_none() {
            context.reporter.note(&format!("{error}; trying again"));
        }
        self.began = Some((since, (pause * 2).min(LONGEST_PAUSE)));
        tokio::select! {
            () = context.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
        Ok(())
    }
}
