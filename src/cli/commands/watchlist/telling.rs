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
use crate::ingest::queue::{given_up, put_off};
use crate::model::Problem;
use crate::notify::{Notifier, Situation};
use crate::store::{AnyStore, Queue, StoreError};

/// How long sending is tried at a time.
const SENDING: Duration = Duration::from_secs(30);
/// How often messages that wait are looked for, whatever is served.
const LOOKED_FOR: Duration = Duration::from_mins(1);
/// The sources of trouble: what is given up, and what is put off again and again.
const WATCHLIST: &str = "watchlist";
const WAITING: &str = "watchlist queue";

/// Tells people of requests that were given up, and of those that are put off for hours.
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
        let dead = given_up(&store.dead_requests().await?);
        self.compare(&mut store, WATCHLIST, dead, "no request is given up").await?;
        let waiting = put_off(&store.requests(None, 0).await?, self.clock.now());
        self.compare(&mut store, WAITING, waiting, "no request has been put off for hours").await?;
        send(&self.notifier, &mut store, SENDING, self.metrics, stop).await;
        store.close().await
    }

    /// Puts what is to be told of a source into the outbox.
    async fn compare(
        &self,
        store: &mut AnyStore,
        source: &str,
        problem: Option<Problem>,
        summary: &str,
    ) -> Result<(), StoreError> {
        let now = Situation { source: source.to_owned(), problem, summary: summary.to_owned() };
        self.notifier.situation(store, &now, self.clock.now()).await.map(drop)
    }
}

/// What is under way when all is to stop may end by itself for so long.
async fn too_late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
}
