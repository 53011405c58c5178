//! What people are told of the queue.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::notify::notifier;
use super::super::telling::send;
use super::{Context, warn};
use crate::cli::CliError;
use crate::cli::format::printable;
use crate::cli::metrics::Metrics;
use crate::ingest::Clock;
use crate::ingest::queue::problem_of;
use crate::notify::{Notifier, Situation};
use crate::store::{Queue, StoreError};

/// How long sending is tried at a time.
const SENDING: Duration = Duration::from_secs(30);
/// How often messages that wait are looked for, whatever is served.
const LOOKED_FOR: Duration = Duration::from_mins(1);
/// The source of trouble.
const WATCHLIST: &str = "watchlist";

/// Tells people of requests that were given up.
pub(super) struct Telling<'a> {
    context: &'a Context,
    notifier: Notifier,
    clock: Clock,
    metrics: &'a Metrics,
}

impl<'a> Telling<'a> {
    /// Settings that make no sense are found here, before there is anything to tell.
    pub(super) fn new(context: &'a Context, clock: Clock, metrics: &'a Metrics) -> Result<Self, CliError> {
        Ok(Self { context, notifier: notifier(context)?, clock, metrics })
    }

    /// Tells, and sends what waits, whenever requests were served and every minute, until it is over.
    pub(super) async fn go_on(&self, served: &tokio::sync::Notify, over: &CancellationToken) {
        while !over.is_cancelled() {
            self.once(over).await;
            tokio::select! {
                () = over.cancelled() => {}
                () = served.notified() => {}
                () = tokio::time::sleep(LOOKED_FOR) => {}
            }
        }
    }

    /// Tells once what there is to tell, and sends what waits.
    pub(super) async fn once(&self, stop: &CancellationToken) {
        if self.notifier.destinations().is_empty() {
            return;
        }
        let told = tokio::select! {
            biased;
            told = self.tell(stop) => told,
            () = too_late(stop) => Ok(()),
        };
        if let Err(error) = told {
            warn(&printable(&format!("nobody can be told of the queue: {error}")));
        }
    }

    async fn tell(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let mut store = self.context.open_store().await?;
        let problem = problem_of(&store.dead_requests().await?);
        let now = Situation { source: WATCHLIST.to_owned(), problem, summary: "no request is given up".to_owned() };
        self.notifier.situation(&mut store, &now, self.clock.now()).await?;
        send(&self.notifier, &mut store, SENDING, self.metrics, stop).await;
        store.close().await
    }
}

/// What is under way when all is to stop may end by itself for so long.
async fn too_late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
}
