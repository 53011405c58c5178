//! A processor's connection to the queue, made again whenever it is lost.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::pace::TICKS_PER_LEASE;
use super::{Event, Workplace};
use crate::store::{QueueWatching, StoreError};

/// Why work goes no further.
pub(super) enum Halt {
    Stopped,
    Failed(StoreError),
}

/// Pauses between attempts to reach the database.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long what is under way may take when the processor is to stop.
const STOPPING: Duration = Duration::from_secs(2);

/// A connection to the queue, made again whenever it is lost.
pub(super) struct Contact<'w, W: Workplace> {
    workplace: &'w W,
    stop: CancellationToken,
    store: Option<W::Store>,
    lease: Duration,
    /// How long an outage may last, if not for ever.
    patience: Option<Duration>,
    /// Since when the database cannot be used.
    outage: Option<Instant>,
    has_answered: bool,
    /// From when on a lease that is over tells of a processor that has died.
    judges_from: Instant,
}

/// So many leases long one that runs only once waits for the database: a minute, as other commands do.
const PATIENT_LEASES: u32 = 3;

impl<'w, W: Workplace> Contact<'w, W> {
    pub(super) fn new(workplace: &'w W, stop: CancellationToken, lease: Duration, once: bool) -> Self {
        let patience = once.then_some(lease * PATIENT_LEASES);
        // The database may just have come back, and the others try to reach it every few seconds. Not for as long as a lease is:
        // processors may be killed again and again before that.
        let judges_from = Instant::now() + if once { Duration::ZERO } else { lease / TICKS_PER_LEASE };
        Self { workplace, stop, store: None, lease, patience, outage: None, has_answered: false, judges_from }
    }

    /// Whether a lease that is over tells of a processor that has died. Not so for the length of a lease after the database was
    /// away: the others could not renew theirs, either.
    pub(super) fn judges_leases(&self) -> bool {
        self.outage.is_none() && self.judges_from <= Instant::now()
    }

    /// Whether the database did not answer when it was last asked.
    pub(super) const fn is_lost(&self) -> bool {
        self.outage.is_some()
    }

    /// Who tells of new requests; none while there is no connection.
    pub(super) fn watch(&self) -> Option<<W::Store as QueueWatching>::Watch> {
        self.store.as_ref().map(QueueWatching::queue_watch)
    }

    /// Does something with the queue, again and again until the database has let it.
    pub(super) async fn ask<T>(
        &mut self,
        mut what: impl AsyncFnMut(&mut W::Store) -> Result<T, StoreError>,
    ) -> Result<T, Halt> {
        let stop = self.stop.clone();
        let mut too_late = pin!(too_late(&stop));
        loop {
            let attempted = tokio::select! {
                biased;
                attempted = attempt(self.workplace, self.store.take(), &mut what) => attempted,
                () = &mut too_late => return Err(Halt::Stopped),
            };
            match attempted {
                Ok((store, done)) => {
                    self.answered(store).await;
                    return Ok(done);
                }
                Err(error) => self.wait_out(error).await?,
            }
        }
    }

    /// Does something with the queue, if the database lets it within this time. Otherwise the connection is given up, with what
    /// was begun on it.
    pub(super) async fn try_once<T>(
        &mut self,
        longest: Duration,
        what: impl AsyncFnMut(&mut W::Store) -> Result<T, StoreError>,
    ) -> Option<T> {
        let stop = self.stop.clone();
        let attempted = tokio::select! {
            biased;
            attempted = attempt(self.workplace, self.store.take(), what) => attempted,
            () = sleep(longest) => {
                self.judges_from = Instant::now() + self.lease;
                return None;
            }
            () = too_late(&stop) => return None,
        };
        match attempted {
            Ok((store, done)) => {
                self.answered(store).await;
                Some(done)
            }
            Err(error) => {
                self.lost(&error).await;
                None
            }
        }
    }

    /// Does a last thing on the connection that there is, if it can be done soon.
    pub(super) async fn finish<T>(mut self, mut what: impl AsyncFnMut(&mut W::Store) -> Result<T, StoreError>) {
        if let Some(store) = &mut self.store {
            // Nobody is left who could do anything about it.
            let _ = timeout(STOPPING, what(store)).await;
        }
    }

    /// Waits for a while after an error; gives back one that is not waited out: it will not pass and was the first answer, or
    /// patience has ended.
    async fn wait_out(&mut self, error: StoreError) -> Result<(), Halt> {
        let since = self.outage.map(|since| since.elapsed()).unwrap_or_default();
        let is_too_long = self.patience.is_some_and(|patience| since > patience || !may_pass(&error));
        if is_too_long || !self.has_answered && !may_pass(&error) {
            return Err(Halt::Failed(error));
        }
        self.lost(&error).await;
        // As long again as it has lasted: twice as long with every attempt.
        let pause = since.clamp(FIRST_PAUSE, LONGEST_PAUSE);
        tokio::select! {
            () = self.stop.cancelled() => Err(Halt::Stopped),
            () = sleep(pause) => Ok(()),
        }
    }

    async fn lost(&mut self, error: &StoreError) {
        if self.outage.is_none() {
            self.outage = Some(Instant::now());
            self.workplace.hear(Event::Note(format!("{error}; trying again until it is back"))).await;
        }
    }

    async fn answered(&mut self, store: W::Store) {
        (self.store, self.has_answered) = (Some(store), true);
        if self.outage.take().is_some() {
            self.judges_from = Instant::now() + self.lease;
            self.workplace.hear(Event::Note("the database is back".to_owned())).await;
        }
    }
}

/// Does something on a connection, or on a new one; gives it back if it is still good.
async fn attempt<W: Workplace, T>(
    workplace: &W,
    store: Option<W::Store>,
    mut what: impl AsyncFnMut(&mut W::Store) -> Result<T, StoreError>,
) -> Result<(W::Store, T), StoreError> {
    let mut store = match store {
        Some(store) => store,
        None => workplace.store().await?,
    };
    let done = what(&mut store).await?;
    Ok((store, done))
}

/// Returns when what is under way takes too long for a processor that is to stop.
async fn too_late(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(STOPPING).await;
}

/// Whether the database may be usable in a while, with or without somebody's help.
const fn may_pass(error: &StoreError) -> bool {
    error.may_pass()
        || matches!(error, StoreError::Busy { .. } | StoreError::DiskFull { .. } | StoreError::DiskFailed { .. })
}
