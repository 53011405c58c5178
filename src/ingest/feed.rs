//! Bringing days to this disk and decoding them, ahead of the writer and in its order.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::context::Context;
use super::load::{FetchedDay, LocalFiles, Message, Problem, load};
use super::pipeline::{Concurrency, RunError};
use super::plan::{DayJob, DayPlan, Listing, plan_day};
use super::reload::plan_reload;
use super::report::DayReport;
use super::share::{Claimer, LOOK_AGAIN_AFTER, settled_by_another};
use super::source::{DayFile, Source, SourceError};
use crate::model::{Dataset, FileKind, Outcome};

/// Batches of bars a decoder may be ahead of the writer. A batch has a few megabytes.
const BATCHES_AHEAD: usize = 24;

/// A day on its way to the writer.
pub(super) struct Arrival<T> {
    pub(super) dataset: Dataset,
    pub(super) date: Date,
    pub(super) started_at: Timestamp,
    /// What fetching it cost.
    pub(super) bytes_over_network: u64,
    pub(super) day: Day<T>,
}

/// How a day arrives.
pub(super) enum Day<T> {
    /// With its files.
    Here(T),
    /// Without: this is why.
    Refused(Problem),
    /// Another process has left nothing to do.
    Settled(Box<DayReport>),
}

/// The bars of a day as they are decoded, and its files.
pub(super) type Decoding = (mpsc::Receiver<Message>, LocalFiles);

/// What became of fetching a day.
enum Fetch {
    Done(Box<Arrival<FetchedDay>>),
    /// Another process is loading it.
    Aside(Box<DayJob>),
}

/// Brings days to this disk and starts decoding them, in order.
pub(super) struct Feeder {
    source: Arc<Source>,
    listing: Listing,
    claimer: Claimer,
    context: Context,
    /// Dates the vendor has refused.
    refused: Mutex<BTreeSet<Date>>,
    decoders: Arc<Semaphore>,
    downloads: usize,
}

impl Feeder {
    pub(super) fn new(
        source: Arc<Source>,
        listing: Listing,
        claimer: Claimer,
        context: Context,
        concurrency: Concurrency,
    ) -> Self {
        Self {
            source,
            listing,
            claimer,
            context,
            refused: Mutex::new(BTreeSet::new()),
            decoders: Arc::new(Semaphore::new(concurrency.decoders.max(1))),
            downloads: concurrency.downloads.max(1),
        }
    }

    /// Sends every day to the writer, those that other processes hold at the end; ends early when the writer is gone or
    /// the run stops.
    pub(super) async fn feed(
        self,
        mut jobs: Vec<DayJob>,
        to_writer: mpsc::Sender<Result<Arrival<Decoding>, RunError>>,
    ) {
        let feeder = Arc::new(self);
        let mut said = false;
        loop {
            let days = jobs.len();
            let Some(aside) = feeder.feed_once(jobs, &to_writer).await else { return };
            if aside.is_empty() {
                return;
            }
            if aside.len() == days && !said {
                said = true;
                let days = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
                let lease = feeder.claimer.lease.as_secs_f64();
                feeder.context.reporter.note(&format!(
                    "waiting for {days} another process is loading; if it has died, they are free within {lease} s"
                ));
            }
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            jobs = aside;
        }
    }

    /// Sends the days that no other process holds; gives back the others, or nothing where the writer is gone.
    async fn feed_once(
        self: &Arc<Self>,
        jobs: Vec<DayJob>,
        to_writer: &mpsc::Sender<Result<Arrival<Decoding>, RunError>>,
    ) -> Option<Vec<DayJob>> {
        // Tasks of their own, so that connections are served while this one waits for a decoder or the writer.
        let fetches = stream::iter(jobs).map(|job| {
            let feeder = Arc::clone(self);
            AbortOnDropHandle::new(tokio::spawn(async move { feeder.fetch(job).await }))
        });
        let mut fetches = std::pin::pin!(fetches.buffered(self.downloads));
        let mut aside = Vec::new();
        while let Some(ended) = fetches.next().await {
            let fetched = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            let arrival = match fetched {
                Ok(Fetch::Aside(job)) => {
                    aside.push(*job);
                    continue;
                }
                Ok(Fetch::Done(fetch)) => Ok(self.decode(*fetch).await?),
                Err(error) => Err(error),
            };
            if to_writer.send(arrival).await.is_err() || self.context.stop.is_cancelled() {
                return None;
            }
        }
        Some(aside)
    }

    async fn decode(&self, fetch: Arrival<FetchedDay>) -> Option<Arrival<Decoding>> {
        let Arrival { dataset, date, started_at, bytes_over_network, day } = fetch;
        let day = match day {
            Day::Here(day) => {
                let permit = Arc::clone(&self.decoders).acquire_owned().await.ok()?;
                let files = day.files.clone();
                Day::Here((decode_on_thread(day, &self.context, Some(permit)), files))
            }
            Day::Refused(problem) => Day::Refused(problem),
            Day::Settled(report) => Day::Settled(report),
        };
        Some(Arrival { dataset, date, started_at, bytes_over_network, day })
    }

    async fn fetch(&self, job: DayJob) -> Result<Fetch, RunError> {
        let (dataset, date, started_at) = (job.request.dataset, job.date, self.context.clock.now());
        let mut bytes_over_network = 0;
        let day = if let Some(boundary) = self.refused_up_to().filter(|boundary| date <= *boundary) {
            let detail = format!(
                "the vendor refuses {dataset} files up to {boundary}: your plan does not reach back so far, or has no {dataset}"
            );
            Day::Refused(Problem { outcome: Outcome::NotEntitled, detail })
        } else {
            let claimed = self.claimer.claim(dataset, date).await;
            match job.again(&claimed.state) {
                DayPlan::Settled { outcome, detail, .. } => {
                    Day::Settled(Box::new(settled_by_another(&job, outcome, detail)))
                }
                DayPlan::Load(job) if !claimed.is_ours => return Ok(Fetch::Aside(job)),
                DayPlan::Load(job) => match self.fetch_files(*job, &mut bytes_over_network).await? {
                    Ok(day) => Day::Here(day),
                    Err(problem) => Day::Refused(problem),
                },
            }
        };
        Ok(Fetch::Done(Box::new(Arrival { dataset, date, started_at, bytes_over_network, day })))
    }

    async fn fetch_files(&self, mut job: DayJob, bytes: &mut u64) -> Result<Result<FetchedDay, Problem>, RunError> {
        let mut files = LocalFiles::default();
        if let Some(file) = job.minute.clone() {
            match self.fetch_file(file, &mut job, bytes).await? {
                Ok(path) => files.minute = Some(path),
                Err(problem) => {
                    if problem.outcome == Outcome::NotEntitled {
                        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(job.date);
                    }
                    return Ok(Err(problem));
                }
            }
        }
        if let Some(file) = job.day.clone() {
            match self.fetch_file(file, &mut job, bytes).await? {
                Ok(path) => files.day = Some(path),
                Err(problem) => {
                    files.day_problem = Some(problem);
                    job = job.without_day_file();
                }
            }
        }
        Ok(Ok(FetchedDay { job, files }))
    }

    /// The date from which on back nothing is asked for: a vendor's plan reaches back to some date. One refusal alone may
    /// be about that day only (an embargo on the newest); the older of two is the boundary.
    fn refused_up_to(&self) -> Option<Date> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().nth(1).copied()
    }

    /// Fetches one file; once again, by a new listing, if it was replaced meanwhile.
    async fn fetch_file(
        &self,
        mut file: DayFile,
        job: &mut DayJob,
        bytes: &mut u64,
    ) -> Result<Result<PathBuf, Problem>, RunError> {
        let mut tries = 0;
        loop {
            match self.source.fetch(&file, self.context.reporter.as_ref()).await {
                Ok(fetched) => {
                    *bytes += fetched.bytes_over_network;
                    return Ok(Ok(fetched.path));
                }
                Err(error) if error.is_common_cause() => return Err(error.into()),
                Err(SourceError::Changed { .. }) if tries == 0 => {
                    tries += 1;
                    self.context
                        .reporter
                        .note(&format!("{} was replaced while it was read; reading the new one", file.key));
                    let again = self.source.list(
                        file.dataset,
                        file.kind,
                        file.date..=file.date,
                        self.context.reporter.as_ref(),
                    );
                    let newer = match again.await {
                        Ok(listed) => listed.into_iter().next(),
                        Err(error) if error.is_common_cause() => return Err(error.into()),
                        Err(error) => return Ok(Err(problem(&file, &error))),
                    };
                    let Some(newer) = newer else { continue };
                    *job = self.replan(job, newer.clone());
                    file = newer;
                }
                Err(error) => return Ok(Err(problem(&file, &error))),
            }
        }
    }

    fn replan(&self, job: &DayJob, newer: DayFile) -> DayJob {
        let mut listing = self.listing.clone();
        let files = if newer.kind == FileKind::Minute { &mut listing.minute } else { &mut listing.day };
        files.insert(job.date, newer);
        let again = match &job.reload {
            None => plan_day(&job.request, job.date, &listing, &job.state),
            Some(reload) => Some(plan_reload(&job.request, job.date, &listing, &job.state, reload)),
        };
        match again {
            Some(DayPlan::Load(again)) => *again,
            _ => job.clone(),
        }
    }
}

fn problem(file: &DayFile, error: &SourceError) -> Problem {
    let outcome = match error {
        SourceError::NotFound { .. } => Outcome::Missing,
        SourceError::NotEntitled { .. } => Outcome::NotEntitled,
        _ => Outcome::Failed,
    };
    let mut detail = error.to_string();
    if !detail.contains(&file.key) {
        detail = format!("{}: {detail}", file.key);
    }
    Problem { outcome, detail }
}

/// Starts decoding a day; `permit` is given back at its end.
pub(super) fn decode_on_thread(
    day: FetchedDay,
    context: &Context,
    permit: Option<OwnedSemaphorePermit>,
) -> mpsc::Receiver<Message> {
    let (to, from) = mpsc::channel(BATCHES_AHEAD);
    let context = context.clone();
    tokio::task::spawn_blocking(move || {
        load(day, &to, &context);
        drop(permit);
    });
    from
}
