//! Telling people how work goes that nobody looks at.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Context, warn};
use crate::cli::CliError;
use crate::cli::format::printable;
use crate::ingest::Clock;
use crate::ingest::queue::problem_of;
use crate::model::Problem;
use crate::notify::{Notifier, Situation};
use crate::store::{AnyStore, ConditionChange, Outbox, Queue, StoreError};

/// How long messages are tried to be sent before the work goes on, or at its end.
const SENDING: Duration = Duration::from_secs(30);
/// How often messages that wait are looked for between.
const LOOKED_FOR: Duration = Duration::from_mins(1);
/// The source of trouble with the queue.
const WATCHLIST: &str = "watchlist";
/// Ended requests among which dead ones are looked for.
const LOOKED_AT: u32 = 1000;

/// Tells people, over the channels of the settings.
pub(super) struct Telling<'a> {
    notifier: Notifier,
    clock: &'a Clock,
}

impl<'a> Telling<'a> {
    /// Settings that make no sense are found here, before there is anything to tell.
    pub(super) fn new(context: &Context, clock: &'a Clock) -> Result<Self, CliError> {
        Ok(Self { notifier: super::notify::notifier(context)?, clock })
    }

    /// What is to be told of a source by how it is now.
    pub(super) async fn change(
        &self,
        store: &mut AnyStore,
        now: &Situation,
    ) -> Result<Option<ConditionChange>, StoreError> {
        let last = store.condition(&now.source).await?;
        Ok(self.notifier.change(last, now, self.clock.now()))
    }

    /// Sends what waits.
    pub(super) async fn send(&self, store: &mut AnyStore, stop: &CancellationToken) {
        let flushed = self.notifier.flush(store, SENDING, stop).await;
        for line in flushed.retried.iter().chain(&flushed.dead) {
            warn(&printable(&format!("a message was not sent: {line}")));
        }
        if let Some(trouble) = flushed.trouble {
            warn(&printable(&format!("messages wait: {trouble}")));
        }
    }

    /// Tells of trouble with the database itself, which cannot keep the message.
    pub(super) async fn tell_past_outbox(&self, source: &str, error: &CliError) {
        let problem = Problem {
            essence: vec!["database".to_owned()],
            headline: "the database cannot be used".to_owned(),
            details: vec![error.reason()],
        };
        let now = Situation { source: source.to_owned(), problem: Some(problem), summary: String::new() };
        for told in self.notifier.tell_now(&now, self.clock.now()).await {
            if let Err(why) = told.result {
                warn(&printable(&format!("a message was not sent: {}: {why}", told.channel)));
            }
        }
    }

    /// Tells of the queue, and sends what waits, whenever requests were served and every minute; for ever.
    pub(super) async fn of_queue(&self, context: &Context, served: &tokio::sync::Notify, stop: &CancellationToken) {
        loop {
            if let Err(error) = self.of_queue_now(context, stop).await {
                warn(&printable(&format!("nobody can be told of the queue: {error}")));
            }
            tokio::select! {
                () = served.notified() => {}
                () = tokio::time::sleep(LOOKED_FOR) => {}
            }
        }
    }

    /// The same once.
    pub(super) async fn of_queue_now(&self, context: &Context, stop: &CancellationToken) -> Result<(), StoreError> {
        if self.notifier.destinations().is_empty() {
            return Ok(());
        }
        let mut store = context.open_store().await?;
        let requests = store.requests(None, LOOKED_AT).await?;
        let now = Situation {
            source: WATCHLIST.to_owned(),
            problem: problem_of(&requests),
            summary: "no request is given up".to_owned(),
        };
        self.notifier.situation(&mut store, &now, self.clock.now()).await?;
        self.send(&mut store, stop).await;
        store.close().await
    }
}
