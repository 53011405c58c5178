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
use super::source::{DayFile, Source, SourceError};
use crate::model::{Dataset, FileKind, Outcome};

/// Batches of bars a decoder may be ahead of the writer. A batch has a few megabytes.
const BATCHES_AHEAD: usize = 24;

/// A day on its way to the writer.
pub(super) struct Arrival {
    pub(super) dataset: Dataset,
    pub(super) date: Date,
    pub(super) started_at: Timestamp,
    /// What fetching it cost.
    pub(super) bytes_over_network: u64,
    /// Its bars as they are decoded, and its files; or why there are none.
    pub(super) day: Result<(mpsc::Receiver<Message>, LocalFiles), Problem>,
}

/// Brings days to this disk and starts decoding them, in order.
pub(super) struct Feeder {
    source: Arc<Source>,
    listing: Listing,
    context: Context,
    /// Dates the vendor has refused.
    refused: Mutex<BTreeSet<Date>>,
    decoders: Arc<Semaphore>,
    downloads: usize,
}

/// A day that was fetched, or not.
struct Fetch {
    dataset: Dataset,
    date: Date,
    started_at: Timestamp,
    bytes_over_network: u64,
    day: Result<FetchedDay, Problem>,
}

impl Feeder {
    pub(super) fn new(source: Arc<Source>, listing: Listing, context: Context, concurrency: Concurrency) -> Self {
        Self {
            source,
            listing,
            context,
            refused: Mutex::new(BTreeSet::new()),
            decoders: Arc::new(Semaphore::new(concurrency.decoders.max(1))),
            downloads: concurrency.downloads.max(1),
        }
    }

    /// Sends every day to the writer; ends early when the writer is gone or the run stops.
    pub(super) async fn feed(self, jobs: Vec<DayJob>, to_writer: mpsc::Sender<Result<Arrival, RunError>>) {
        let feeder = Arc::new(self);
        // Tasks of their own, so that connections are served while this one waits for a decoder or the writer.
        let fetches = stream::iter(jobs).map(|job| {
            let feeder = Arc::clone(&feeder);
            AbortOnDropHandle::new(tokio::spawn(async move { feeder.fetch(job).await }))
        });
        let mut fetches = std::pin::pin!(fetches.buffered(feeder.downloads));
        while let Some(ended) = fetches.next().await {
            let fetched = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            let arrival = match fetched {
                Ok(fetch) => {
                    let Ok(permit) = Arc::clone(&feeder.decoders).acquire_owned().await else { return };
                    Ok(feeder.decode(fetch, permit))
                }
                Err(error) => Err(error),
            };
            if to_writer.send(arrival).await.is_err() || feeder.context.stop.is_cancelled() {
                return;
            }
        }
    }

    fn decode(&self, fetch: Fetch, permit: OwnedSemaphorePermit) -> Arrival {
        let Fetch { dataset, date, started_at, bytes_over_network, day } = fetch;
        let day = day.map(|day| {
            let files = day.files.clone();
            (decode_on_thread(day, &self.context, Some(permit)), files)
        });
        Arrival { dataset, date, started_at, bytes_over_network, day }
    }

    async fn fetch(&self, mut job: DayJob) -> Result<Fetch, RunError> {
        let mut fetch = Fetch {
            dataset: job.request.dataset,
            date: job.date,
            started_at: self.context.clock.now(),
            bytes_over_network: 0,
            day: Err(Problem { outcome: Outcome::NotEntitled, detail: String::new() }),
        };
        if let Some(boundary) = self.refused_up_to().filter(|boundary| job.date <= *boundary) {
            let dataset = job.request.dataset;
            let detail = format!(
                "the vendor refuses {dataset} files up to {boundary}: your plan does not reach back so far, or has no {dataset}"
            );
            fetch.day = Err(Problem { outcome: Outcome::NotEntitled, detail });
            return Ok(fetch);
        }
        let bytes = &mut fetch.bytes_over_network;
        let mut files = LocalFiles::default();
        if let Some(file) = job.minute.clone() {
            match self.fetch_file(file, &mut job, bytes).await? {
                Ok(path) => files.minute = Some(path),
                Err(problem) => {
                    if problem.outcome == Outcome::NotEntitled {
                        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(job.date);
                    }
                    fetch.day = Err(problem);
                    return Ok(fetch);
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
        fetch.day = Ok(FetchedDay { job, files });
        Ok(fetch)
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
