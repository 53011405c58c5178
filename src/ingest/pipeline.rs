//! A run: plans made, then carried out day by day. Downloads and decoders work in parallel ahead of one writer; what
//! lies between them is bounded, so memory does not grow with the number of days.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::context::Context;
use super::feed::{Arrival, Decoding, Feeder};
use super::plan::{DayJob, DayPlan, Listing, Request, plan};
use super::report::{DayReport, Reporter, RunReport};
use super::share::{Claimer, Keeper, Sharing};
use super::source::{DayFile, Source, SourceError};
use super::write::DayWriter;
use crate::model::{Dataset, FileKind, Outcome};
use crate::net::Retryable;
use crate::store::{BarSink, Claims, Ledger, LoadRate, StoreError};

/// How much is done at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Files fetched at once.
    pub downloads: usize,
    /// Files decoded at once; each has a thread.
    pub decoders: usize,
}

/// A cause that no other day would escape: the run ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Credentials, clock, bucket or disk.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunError {
    /// Whether the same may succeed in a while.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Source(error) => error.is_transient() || matches!(error, SourceError::Disk { .. }),
            // A lock, a disk, a server: what is wrong with the database is told by whoever opens it again.
            Self::Store(_) => true,
        }
    }
}

/// The plan of one dataset.
#[derive(Debug)]
pub struct DatasetPlan {
    /// What was asked.
    pub request: Arc<Request>,
    /// Every day, newest first.
    pub days: Vec<DayPlan>,
    /// What the vendor lists.
    pub(super) listing: Listing,
}

impl DatasetPlan {
    /// The days to load.
    pub fn jobs(&self) -> impl Iterator<Item = &DayJob> {
        self.days.iter().filter_map(|day| match day {
            DayPlan::Load(job) => Some(&**job),
            DayPlan::Settled { .. } => None,
        })
    }
}

/// Lists what the source has and holds it against the ledger, if there is one yet.
pub async fn make_plan(
    source: &Source,
    ledger: Option<&mut impl Ledger>,
    request: Request,
    reporter: &dyn Reporter,
) -> Result<DatasetPlan, RunError> {
    let request = Arc::new(request);
    let listing = list(source, &request, reporter).await?;
    let states = match ledger {
        Some(ledger) => ledger.day_states(request.dataset, request.range.clone()).await?,
        None => BTreeMap::new(),
    };
    let days = plan(&request, &listing, &states);
    crash_point!("planned");
    Ok(DatasetPlan { request, days, listing })
}

/// Plans of several requests, one for each dataset: its source is listed once, and its days are loaded as one stream, newest
/// first. Requests of a dataset must not share days.
pub async fn make_plans(
    source: &Source,
    ledger: &mut impl Ledger,
    requests: Vec<Request>,
    reporter: &dyn Reporter,
) -> Result<Vec<DatasetPlan>, RunError> {
    let mut by_dataset: BTreeMap<Dataset, Vec<Request>> = BTreeMap::new();
    for request in requests {
        by_dataset.entry(request.dataset).or_default().push(request);
    }
    let mut plans = Vec::new();
    for requests in by_dataset.into_values() {
        let Some(all) = requests.iter().cloned().reduce(around) else { continue };
        let listing = list(source, &all, reporter).await?;
        let mut days = Vec::new();
        for request in requests {
            let states = ledger.day_states(request.dataset, request.range.clone()).await?;
            days.extend(plan(&Arc::new(request), &listing, &states));
        }
        days.sort_by_key(|day| std::cmp::Reverse(day.date()));
        crash_point!("planned");
        plans.push(DatasetPlan { request: Arc::new(all), days, listing });
    }
    Ok(plans)
}

/// A request for the dates of both, as far as listing goes.
fn around(one: Request, other: Request) -> Request {
    let range = *one.range.start().min(other.range.start())..=*one.range.end().max(other.range.end());
    Request { range, official_day: one.official_day || other.official_day, ..one }
}

/// What the source has of the files a request may need.
pub(super) async fn list(source: &Source, request: &Request, reporter: &dyn Reporter) -> Result<Listing, SourceError> {
    let range = request.listed_range();
    let minute = source.list(request.dataset, FileKind::Minute, range.clone(), reporter);
    let day = async {
        if request.official_day {
            source.list(request.dataset, FileKind::Day, range.clone(), reporter).await
        } else {
            Ok(Vec::new())
        }
    };
    let (minute, day) = futures_util::future::try_join(minute, day).await?;
    let by_date = |files: Vec<DayFile>| files.into_iter().map(|file| (file.date, file)).collect();
    crash_point!("listed");
    Ok(Listing { minute: by_date(minute), day: by_date(day) })
}

/// Carries plans out, together with other processes that do. The report has every day; the error, if any, is the common
/// cause that ended the run early.
pub async fn run<S: Ledger + BarSink, C: Claims, L: Ledger>(
    plans: Vec<DatasetPlan>,
    source: Arc<Source>,
    store: &mut S,
    mut sharing: Sharing<'_, C, L>,
    concurrency: Concurrency,
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
) -> (RunReport, Option<RunError>) {
    let began = Instant::now();
    let all_days = plans.iter().map(|plan| plan.days.len()).sum();
    let gap = |day: &&DayPlan| matches!(day, DayPlan::Settled { outcome, .. } if outcome.leaves_a_gap());
    let gaps: usize = plans.iter().map(|plan| plan.days.iter().filter(gap).count()).sum();
    let days = plans.iter().map(|plan| plan.jobs().count()).sum::<usize>() + gaps;
    reporter.start(days as u64, plans.iter().flat_map(DatasetPlan::jobs).map(DayJob::bytes).sum());
    let start = plans.first().map_or_else(Timestamp::now, |plan| plan.request.now);
    let clock = Clock::starting(start);
    let context = Context { reporter, stop, clock, outage_patience: sharing.lease, batches: Arc::default() };
    let report = RunReport::default();
    let mut run = Run { context, source, concurrency, report, file_bytes: 0, bars: 0, last_loaded: began };
    let mut failure = None;
    for plan in plans {
        let everyone = plan.request.symbols.is_none();
        let dataset_began = Instant::now();
        if let Err(error) = run.dataset(plan, store, &mut sharing).await {
            failure = Some(error);
            break;
        }
        if let Err(error) = run.remember_rate(store, everyone, dataset_began).await {
            failure = Some(error.into());
            break;
        }
    }
    run.report.interrupted = run.context.stop.is_cancelled() && run.report.days.len() < all_days;
    run.report.days.sort_by_key(|day| (day.dataset, day.date));
    run.report.elapsed = began.elapsed();
    (run.report, failure)
}

struct Run {
    context: Context,
    source: Arc<Source>,
    concurrency: Concurrency,
    report: RunReport,
    /// Packed bytes loaded, and bars made of them, since the last load rate was written.
    file_bytes: u64,
    bars: u64,
    /// When the last day was loaded. What comes after is waiting for others.
    last_loaded: Instant,
}

impl Run {
    async fn dataset<S: Ledger + BarSink, C: Claims, L: Ledger>(
        &mut self,
        plan: DatasetPlan,
        store: &mut S,
        sharing: &mut Sharing<'_, C, L>,
    ) -> Result<(), RunError> {
        let DatasetPlan { request, days, listing } = plan;
        let mut jobs = Vec::new();
        for day in days {
            match day {
                DayPlan::Load(job) => jobs.push(*job),
                DayPlan::Settled { date, outcome, detail } => {
                    self.done(DayReport { detail, ..DayReport::new(request.dataset, date, outcome) });
                }
            }
        }
        let (mut keeper, claimer) = Keeper::new(sharing, self.context.clone());
        let (to_writer, at_writer) = mpsc::channel(self.concurrency.decoders.max(1));
        let (source, context) = (Arc::clone(&self.source), self.context.clone());
        let feeder = Feeder::new(source, listing, claimer.clone(), context, self.concurrency);
        // Owned by this set: it ends with the run, whichever way that ends.
        let mut feeding = tokio::task::JoinSet::new();
        feeding.spawn(feeder.feed(jobs, to_writer));
        let ended = tokio::select! {
            ended = self.write(at_writer, store, claimer) => ended,
            Err(error) = keeper.serve() => {
                store.abandon_day().await?;
                Err(error.into())
            }
        };
        feeding.shutdown().await;
        let released = keeper.release_all().await;
        // The first error is the one to tell.
        ended?;
        Ok(released?)
    }

    /// Writes days as they arrive, until all have or the run stops.
    async fn write<S: Ledger + BarSink>(
        &mut self,
        mut at_writer: mpsc::Receiver<Result<Arrival<Decoding>, RunError>>,
        store: &mut S,
        claimer: Claimer,
    ) -> Result<(), RunError> {
        loop {
            let arrived = tokio::select! {
                biased;
                // A slow object is not waited for.
                () = self.context.stop.cancelled() => return Ok(()),
                arrived = at_writer.recv() => arrived,
            };
            let Some(arrived) = arrived else { return Ok(()) };
            let arrival = arrived?;
            let (dataset, date) = (arrival.dataset, arrival.date);
            self.report.bytes_fetched += arrival.bytes_over_network;
            let writer = DayWriter::new(store, &self.context, &self.source, arrival.started_at);
            if let Some(report) = writer.write(arrival).await? {
                self.done(report);
            }
            claimer.release(dataset, date);
        }
    }

    fn done(&mut self, report: DayReport) {
        self.context.reporter.day_done(&report);
        crash_point!("day-reported");
        if report.outcome == Outcome::Loaded {
            self.last_loaded = Instant::now();
            self.bars += report.bars;
            self.file_bytes +=
                report.minute_file.iter().chain(&report.day_file).map(|file| file.size_bytes).sum::<u64>();
        }
        self.report.days.push(report);
    }

    async fn remember_rate<S: Ledger + BarSink>(
        &mut self,
        store: &mut S,
        everyone: bool,
        began: Instant,
    ) -> Result<(), StoreError> {
        let (file_bytes, bars) = (std::mem::take(&mut self.file_bytes), std::mem::take(&mut self.bars));
        if file_bytes == 0 {
            return Ok(());
        }
        let rate = LoadRate {
            file_bytes,
            bars,
            seconds: self.last_loaded.duration_since(began).as_secs_f64(),
            measured_at: self.context.clock.now(),
        };
        crash_point!("rate-unrecorded");
        tokio::select! {
            biased;
            // Waiting for another process can take minutes; what was begun is undone.
            () = self.context.stop.cancelled() => store.abandon_day().await?,
            recorded = store.record_load_rate(everyone, rate) => recorded?,
        }
        crash_point!("rate-recorded");
        Ok(())
    }
}
