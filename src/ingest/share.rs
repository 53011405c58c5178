//! Sharing the days of a run with other processes that were asked for the same ones.
//!
//! A day is claimed just before it is fetched and given back when it is done, refused, or the run stops; so a process holds
//! no more days than it works on. With every claim the ledger is looked at again: a day that another process has loaded
//! since the plan was made is not fetched. Days that others hold are put aside and gone back to at the end, again and again,
//! until each was loaded by its holder or can be claimed: because the holder gave it back without loading it (then it is
//! tried here, too) or because its lease ended. That a day is loaded once does not depend on any of this: see
//! [`BarSink::begin_day`](crate::store::BarSink::begin_day).

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::{mpsc, oneshot};

use super::context::Context;
use super::outage::Outage;
use super::plan::DayJob;
use super::report::DayReport;
use crate::model::{Dataset, Outcome};
use crate::store::{Claims, DayState, Ledger, StoreError};

/// Renewals within a lease: several may fail to come in time before a day is lost.
const RENEWALS_PER_LEASE: u32 = 4;

/// How often days of others are looked at again.
pub(super) const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What a run shares its days by: connections beside the one that writes, so that neither waits for it.
#[derive(Debug)]
pub struct Sharing<'a, C, L> {
    /// A claimant whose leases last as long as `lease`.
    pub claims: &'a mut C,
    /// Shows what others have loaded.
    pub ledger: &'a mut L,
    /// How long leases last. They are renewed four times in this time.
    pub lease: Duration,
}

/// Asks for days.
#[derive(Debug, Clone)]
pub(super) struct Claimer {
    asks: mpsc::UnboundedSender<Ask>,
    /// How long a day stays claimed by a process that has died.
    pub(super) lease: Duration,
}

/// What became of asking for a day.
#[derive(Debug)]
pub(super) struct Claimed {
    /// Whether it is this process's now.
    pub(super) is_ours: bool,
    /// What is stored of it, looked at afterwards.
    pub(super) state: DayState,
}

#[derive(Debug)]
enum Ask {
    Claim(Dataset, Date, oneshot::Sender<Claimed>),
    Release(Dataset, Date),
}

impl Claimer {
    /// Claims a day, unless another process holds it.
    pub(super) async fn claim(&self, dataset: Dataset, date: Date) -> Claimed {
        let (reply, answer) = oneshot::channel();
        let asked = self.asks.send(Ask::Claim(dataset, date, reply));
        match answer.await {
            Ok(claimed) if asked.is_ok() => claimed,
            // Nobody answers any more because the run ends, and whoever asks ends with it.
            _ => std::future::pending().await,
        }
    }

    /// Gives a day back, if it is held.
    pub(super) fn release(&self, dataset: Dataset, date: Date) {
        // Where nobody listens any more, all days are given back already.
        let _ = self.asks.send(Ask::Release(dataset, date));
    }
}

/// Keeps the claims of a run: the one place that speaks to the claimant.
pub(super) struct Keeper<'s, 'a, C, L> {
    sharing: &'s mut Sharing<'a, C, L>,
    /// Days that are, or may be, held.
    held: BTreeSet<(Dataset, Date)>,
    asked: mpsc::UnboundedReceiver<Ask>,
    outage: Outage,
    context: Context,
}

impl<'s, 'a, C: Claims, L: Ledger> Keeper<'s, 'a, C, L> {
    pub(super) fn new(sharing: &'s mut Sharing<'a, C, L>, context: Context) -> (Self, Claimer) {
        let (asks, asked) = mpsc::unbounded_channel();
        let lease = sharing.lease;
        let outage = Outage::new(context.outage_patience);
        (Self { sharing, held: BTreeSet::new(), asked, outage, context }, Claimer { asks, lease })
    }

    /// Answers who asks and renews the leases in time. Ends only when a store fails; may be dropped at any time.
    pub(super) async fn serve(&mut self) -> Result<Infallible, StoreError> {
        let mut renewal = tokio::time::interval(self.sharing.lease / RENEWALS_PER_LEASE);
        renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = renewal.tick() => if !self.held.is_empty() {
                    while let Err(error) = self.sharing.claims.renew().await {
                        self.outage.wait(error, &self.context).await?;
                    }
                    self.outage.is_over();
                },
                Some(ask) = self.asked.recv() => match ask {
                    Ask::Claim(dataset, date, reply) => {
                        let claimed = loop {
                            match self.claim(dataset, date).await {
                                Ok(claimed) => break claimed,
                                Err(error) => self.outage.wait(error, &self.context).await?,
                            }
                        };
                        self.outage.is_over();
                        // Who asked may have been ended; the day is given back with all others.
                        let _ = reply.send(claimed);
                    }
                    Ask::Release(dataset, date) => {
                        while let Err(error) = self.release((dataset, date)).await {
                            self.outage.wait(error, &self.context).await?;
                        }
                    }
                },
            }
        }
    }

    async fn claim(&mut self, dataset: Dataset, date: Date) -> Result<Claimed, StoreError> {
        // Noted before, so that a claim in the midst of which the run stops is given back, too.
        self.held.insert((dataset, date));
        let is_ours = self.sharing.claims.claim(dataset, date).await?;
        crash_point!("day-claimed");
        if !is_ours {
            self.held.remove(&(dataset, date));
        }
        let mut states = self.sharing.ledger.day_states(dataset, date..=date).await?;
        Ok(Claimed { is_ours, state: states.remove(&date).unwrap_or_default() })
    }

    async fn release(&mut self, day: (Dataset, Date)) -> Result<(), StoreError> {
        if self.held.contains(&day) {
            self.sharing.claims.release(day.0, day.1).await?;
            crash_point!("day-released");
            self.held.remove(&day);
        }
        Ok(())
    }

    /// Gives back whatever is held.
    pub(super) async fn release_all(mut self) -> Result<(), StoreError> {
        while let Some(day) = self.held.first().copied() {
            self.release(day).await?;
        }
        Ok(())
    }
}

/// The report of a day about which another process has left nothing to do since it was planned.
pub(super) fn settled_by_another(job: &DayJob, outcome: Outcome, detail: Option<String>) -> DayReport {
    let note = (outcome == Outcome::Unchanged).then(|| "another process loaded it".to_owned());
    let report = DayReport::new(job.request.dataset, job.date, outcome);
    DayReport { detail, notes: note.into_iter().collect(), ..report }
}
