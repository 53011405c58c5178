//! Fetching, decoding and writing days: downloads and decoders in parallel, one writer, bounded in between.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::load::{Decoded, FetchedDay, Message, Problem, load};
use super::plan::{DayJob, DayPlan, Listing, Request, plan, plan_day};
use super::report::{DayReport, Reporter, RunReport};
use super::source::{DayFile, Source, SourceError};
use crate::model::{Dataset, FileKind, Outcome};
use crate::store::{Attempt, BarSink, DayCommit, Ledger, LoadRate, StoreError};

/// How much is done at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Files fetched at once.
    pub downloads: usize,
    /// Files decoded at once; each has a thread.
    pub decoders: usize,
}

/// Batches of bars a decoder may be ahead of the writer. A batch has a few megabytes.
const BATCHES_AHEAD: usize = 4;

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

/// The plan of one dataset.
#[derive(Debug)]
pub struct DatasetPlan {
    /// What was asked.
    pub request: Arc<Request>,
    /// Every day, newest first.
    pub days: Vec<DayPlan>,
    /// What the vendor lists.
    listing: Listing,
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

/// Lists what the source has and holds it against the ledger.
pub async fn make_plan(
    source: &Source,
    store: &mut impl Ledger,
    request: Request,
    reporter: &dyn Reporter,
) -> Result<DatasetPlan, RunError> {
    let request = Arc::new(request);
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
    let listing = Listing { minute: by_date(minute), day: by_date(day) };
    let states = store.day_states(request.dataset, request.range.clone()).await?;
    let days = plan(&request, &listing, &states);
    Ok(DatasetPlan { request, days, listing })
}

/// Carries plans out. The report has every day; the error, if any, is the common cause that ended the run early.
pub async fn run<S: Ledger + BarSink>(
    plans: Vec<DatasetPlan>,
    source: Arc<Source>,
    store: &mut S,
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
    let mut run = Run { source, concurrency, reporter, stop, report: RunReport::default(), file_bytes: 0 };
    let mut failure = None;
    for plan in plans {
        let everyone = plan.request.symbols.is_none();
        let dataset_began = Instant::now();
        if let Err(error) = run.dataset(plan, store).await {
            failure = Some(error);
            break;
        }
        if let Err(error) = run.remember_rate(store, everyone, dataset_began).await {
            failure = Some(error.into());
            break;
        }
    }
    run.report.interrupted = run.stop.is_cancelled() && run.report.days.len() < all_days;
    run.report.days.sort_by_key(|day| (day.dataset, day.date));
    run.report.elapsed = began.elapsed();
    (run.report, failure)
}

struct Run {
    source: Arc<Source>,
    concurrency: Concurrency,
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
    report: RunReport,
    file_bytes: u64,
}

/// A day on its way from a decoder to the writer.
struct Decoding {
    dataset: Dataset,
    date: Date,
    started_at: Timestamp,
    arriving: Arriving,
}

/// Where a day's minute file and day file are on this disk.
#[derive(Clone)]
struct DayPaths(Option<PathBuf>, Option<PathBuf>);

enum Arriving {
    Bars(mpsc::Receiver<Message>, DayPaths),
    Problem(Problem),
}

/// Dates up to this one are refused by the vendor's plan.
type RefusedUpTo = Mutex<Option<Date>>;

impl Run {
    async fn dataset<S: Ledger + BarSink>(&mut self, plan: DatasetPlan, store: &mut S) -> Result<(), RunError> {
        let DatasetPlan { request, days, listing } = plan;
        let mut jobs = Vec::new();
        for day in days {
            match day {
                DayPlan::Load(job) => jobs.push(*job),
                DayPlan::Settled { date, outcome, detail } => {
                    self.done(DayReport { detail, ..blank(request.dataset, date, outcome) });
                }
            }
        }
        let (to_writer, mut at_writer) = mpsc::channel(self.concurrency.decoders);
        let feeder = Feeder {
            source: Arc::clone(&self.source),
            listing: Arc::new(listing),
            reporter: Arc::clone(&self.reporter),
            stop: self.stop.clone(),
            refused: Arc::new(Mutex::new(None)),
            decoders: Arc::new(Semaphore::new(self.concurrency.decoders)),
            downloads: self.concurrency.downloads,
        };
        // Owned by this set: it ends with the run, whichever way that ends.
        let mut feeding = tokio::task::JoinSet::new();
        feeding.spawn(feeder.feed(jobs, to_writer));
        loop {
            let arrived = tokio::select! {
                biased;
                // A slow object is not waited for.
                () = self.stop.cancelled() => break,
                arrived = at_writer.recv() => arrived,
            };
            let Some(arrived) = arrived else { break };
            let (decoding, bytes) = arrived?;
            self.report.bytes_fetched += bytes;
            if let Some(report) = self.write(decoding, store).await? {
                self.done(report);
            }
        }
        feeding.shutdown().await;
        Ok(())
    }

    fn done(&mut self, report: DayReport) {
        self.reporter.day_done(&report);
        self.report.days.push(report);
    }

    /// Writes one day; nothing is reported of a day that is abandoned because the run stops.
    async fn write<S: Ledger + BarSink>(
        &mut self,
        day: Decoding,
        store: &mut S,
    ) -> Result<Option<DayReport>, RunError> {
        let Decoding { dataset, date, started_at, arriving } = day;
        let (mut arriving, files) = match arriving {
            Arriving::Bars(arriving, files) => (arriving, files),
            Arriving::Problem(problem) => {
                return self.refuse(store, blank(dataset, date, problem.outcome), problem, started_at).await.map(Some);
            }
        };
        let mut open: Option<Box<DayJob>> = None;
        let mut replaced = 0;
        let ended = loop {
            let message = tokio::select! {
                biased;
                () = self.stop.cancelled() => break Ok(None),
                message = arriving.recv() => message,
            };
            let step = match message {
                Some(Message::Begin(job)) => {
                    if open.take().is_some() {
                        store.abandon_day().await?;
                    }
                    match self.begin(&job, store).await {
                        Ok(Begun::Open(count)) => {
                            replaced = count;
                            open = Some(job);
                            Ok(())
                        }
                        Ok(Begun::Settled(report)) => break Ok(Some(*report)),
                        Ok(Begun::Changed(job)) => {
                            // Another process was here since the plan was made.
                            let DayPaths(minute, day) = files.clone();
                            arriving = self.decode_again(FetchedDay { job: *job, minute, day, day_problem: None });
                            Ok(())
                        }
                        Err(error) => Err(error),
                    }
                }
                Some(Message::Bars(batch)) => store.write(&batch).await.map_err(RunError::from),
                Some(Message::Whole(decoded)) => {
                    self.discard(decoded.day_problem.as_ref(), files.1.as_deref());
                    break self.commit(store, open.take(), *decoded, replaced, started_at).await.map(Some);
                }
                Some(Message::Broken(problem, decoded)) => {
                    if open.take().is_some() {
                        store.abandon_day().await?;
                    }
                    self.discard(Some(&problem), files.0.as_deref());
                    self.discard(decoded.day_problem.as_ref(), files.1.as_deref());
                    let report = describe(blank(dataset, date, problem.outcome), *decoded);
                    break self.refuse(store, report, problem, started_at).await.map(Some);
                }
                // The decoder stopped because the run does, or it panicked.
                None if self.stop.is_cancelled() => break Ok(None),
                None => {
                    let problem = Problem {
                        outcome: Outcome::Failed,
                        detail: "the decoder failed; please report this".to_owned(),
                    };
                    if open.take().is_some() {
                        store.abandon_day().await?;
                    }
                    break self
                        .refuse(store, blank(dataset, date, problem.outcome), problem, started_at)
                        .await
                        .map(Some);
                }
            };
            if let Err(error) = step {
                break Err(error);
            }
        };
        if open.is_some() {
            store.abandon_day().await?;
        }
        ended
    }

    async fn begin<S: BarSink>(&self, job: &DayJob, store: &mut S) -> Result<Begun, RunError> {
        let (dataset, date, reporter) = (job.request.dataset, job.date, Arc::clone(&self.reporter));
        let waiting = move || reporter.note("waiting for another process that writes to the database");
        let state = store.begin_day(dataset, date, waiting).await?;
        if state.is_same_content(&job.state) {
            let mut replaced = 0;
            for replace in &job.replace {
                replaced += store.replace(replace).await?;
            }
            return Ok(Begun::Open(replaced));
        }
        store.abandon_day().await?;
        let listing = Listing {
            minute: BTreeMap::from([(date, job.listed_minute.clone())]),
            day: job.day.iter().map(|file| (date, file.clone())).collect(),
        };
        Ok(match plan_day(&job.request, date, &listing, &state) {
            Some(DayPlan::Load(again)) => Begun::Changed(Box::new(DayJob { short: job.short.clone(), ..*again })),
            Some(DayPlan::Settled { outcome, detail, .. }) => {
                Begun::Settled(Box::new(DayReport { detail, ..blank(dataset, date, outcome) }))
            }
            None => Begun::Settled(Box::new(blank(dataset, date, Outcome::NotASession))),
        })
    }

    /// Removes the fetched copy of a damaged file: the damage may be the copy's, and the next run fetches another.
    fn discard(&self, problem: Option<&Problem>, path: Option<&Path>) {
        if let (Some(Outcome::Damaged), Some(path)) = (problem.map(|problem| problem.outcome), path) {
            self.source.discard(path);
        }
    }

    fn decode_again(&self, day: FetchedDay) -> mpsc::Receiver<Message> {
        decode_on_thread(day, &self.reporter, &self.stop, None)
    }

    async fn commit<S: BarSink>(
        &mut self,
        store: &mut S,
        job: Option<Box<DayJob>>,
        decoded: Decoded,
        replaced: u64,
        started_at: Timestamp,
    ) -> Result<DayReport, RunError> {
        let job = job.expect("Invariant: bars come after a beginning");
        let commit = DayCommit {
            files: decoded.files.clone(),
            everyone: job.everyone,
            named: job.named.clone(),
            started_at,
            finished_at: Timestamp::now(),
        };
        store.commit_day(&commit).await?;
        let bars = decoded.files.iter().map(|file| file.bars_written).sum();
        self.file_bytes += decoded.files.iter().map(|file| file.version.size_bytes).sum::<u64>();
        let report = blank(job.request.dataset, job.date, Outcome::Loaded);
        Ok(describe(DayReport { bars, replaced: job.restated && replaced > 0, ..report }, decoded))
    }

    async fn refuse<S: Ledger>(
        &self,
        store: &mut S,
        report: DayReport,
        problem: Problem,
        started_at: Timestamp,
    ) -> Result<DayReport, RunError> {
        let Problem { outcome, detail } = problem;
        let attempt = Attempt { outcome, detail: Some(detail.clone()), started_at, finished_at: Timestamp::now() };
        store.record_attempt(report.dataset, report.date, FileKind::Minute, &attempt).await?;
        Ok(DayReport { detail: Some(detail), ..report })
    }

    async fn remember_rate<S: Ledger>(
        &mut self,
        store: &mut S,
        everyone: bool,
        began: Instant,
    ) -> Result<(), StoreError> {
        let bars = self.report.days.iter().map(|day| day.bars).sum();
        let file_bytes = std::mem::take(&mut self.file_bytes);
        if file_bytes == 0 || self.stop.is_cancelled() {
            return Ok(());
        }
        let rate = LoadRate { file_bytes, bars, seconds: began.elapsed().as_secs_f64(), measured_at: Timestamp::now() };
        store.record_load_rate(everyone, rate).await
    }
}

enum Begun {
    /// The transaction is open; so many bars were removed.
    Open(u64),
    /// There is nothing left to do.
    Settled(Box<DayReport>),
    /// There is something else to do.
    Changed(Box<DayJob>),
}

/// Brings days to this disk and starts decoding them, in order.
struct Feeder {
    source: Arc<Source>,
    listing: Arc<Listing>,
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
    refused: Arc<RefusedUpTo>,
    decoders: Arc<Semaphore>,
    downloads: usize,
}

type Arrived = Result<(Decoding, u64), RunError>;

impl Feeder {
    async fn feed(self, jobs: Vec<DayJob>, to_writer: mpsc::Sender<Arrived>) {
        let feeder = &self;
        let fetched =
            stream::iter(jobs).map(|job| async move { feeder.fetch(job).await }).buffered(self.downloads.max(1));
        let mut fetched = std::pin::pin!(fetched);
        while let Some(next) = fetched.next().await {
            let sent = match next {
                Ok((Ok(day), bytes, started_at)) => {
                    let Ok(permit) = Arc::clone(&self.decoders).acquire_owned().await else { break };
                    let (dataset, date) = (day.job.request.dataset, day.job.date);
                    let files = DayPaths(day.minute.clone(), day.day.clone());
                    let bars = decode_on_thread(day, &self.reporter, &self.stop, Some(permit));
                    let arriving = Arriving::Bars(bars, files);
                    to_writer.send(Ok((Decoding { dataset, date, started_at, arriving }, bytes))).await
                }
                Ok((Err((dataset, date, problem)), bytes, started_at)) => {
                    let arriving = Arriving::Problem(problem);
                    to_writer.send(Ok((Decoding { dataset, date, started_at, arriving }, bytes))).await
                }
                Err(error) => to_writer.send(Err(error)).await,
            };
            if sent.is_err() || self.stop.is_cancelled() {
                break;
            }
        }
    }

    async fn fetch(
        &self,
        mut job: DayJob,
    ) -> Result<(Result<FetchedDay, (Dataset, Date, Problem)>, u64, Timestamp), RunError> {
        let started_at = Timestamp::now();
        let (dataset, date) = (job.request.dataset, job.date);
        let mut bytes = 0;
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(boundary) = refused.filter(|boundary| date <= *boundary) {
            let detail = format!(
                "the vendor refuses {dataset} files up to {boundary}: your plan does not reach back so far, or has no {dataset}"
            );
            let problem = Problem { outcome: Outcome::NotEntitled, detail };
            return Ok((Err((dataset, date, problem)), 0, started_at));
        }
        let mut minute = None;
        if let Some(file) = job.minute.clone() {
            match self.fetch_file(file, &mut job, &mut bytes).await? {
                Ok(path) => minute = Some(path),
                Err(problem) => {
                    if problem.outcome == Outcome::NotEntitled {
                        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                        *refused = (*refused).max(Some(date));
                    }
                    return Ok((Err((dataset, date, problem)), bytes, started_at));
                }
            }
        }
        let (mut day, mut day_problem) = (None, None);
        if let Some(file) = job.day.clone() {
            match self.fetch_file(file, &mut job, &mut bytes).await? {
                Ok(path) => day = Some(path),
                Err(problem) => {
                    day_problem = Some(problem);
                    job = job.without_day_file();
                }
            }
        }
        Ok((Ok(FetchedDay { job, minute, day, day_problem }), bytes, started_at))
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
            match self.source.fetch(&file, self.reporter.as_ref()).await {
                Ok(fetched) => {
                    *bytes += fetched.bytes_over_network;
                    return Ok(Ok(fetched.path));
                }
                Err(error) if error.is_common_cause() => return Err(error.into()),
                Err(SourceError::Changed { .. }) if tries == 0 => {
                    tries += 1;
                    self.reporter.note(&format!("{} was replaced while it was read; reading the new one", file.key));
                    let again = self
                        .source
                        .list(file.dataset, file.kind, file.date..=file.date, self.reporter.as_ref())
                        .await?;
                    let Some(newer) = again.into_iter().next() else { continue };
                    *job = self.replan(job, newer.clone());
                    file = newer;
                }
                Err(error) => return Ok(Err(problem(&file, &error))),
            }
        }
    }

    fn replan(&self, job: &DayJob, newer: DayFile) -> DayJob {
        let mut listing = (*self.listing).clone();
        let files = if newer.kind == FileKind::Minute { &mut listing.minute } else { &mut listing.day };
        files.insert(job.date, newer);
        match plan_day(&job.request, job.date, &listing, &job.state) {
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
fn decode_on_thread(
    day: FetchedDay,
    reporter: &Arc<dyn Reporter>,
    stop: &CancellationToken,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
) -> mpsc::Receiver<Message> {
    let (to, from) = mpsc::channel(BATCHES_AHEAD);
    let (reporter, stop) = (Arc::clone(reporter), stop.clone());
    tokio::task::spawn_blocking(move || {
        load(day, &to, reporter.as_ref(), &stop);
        drop(permit);
    });
    from
}

fn blank(dataset: Dataset, date: Date, outcome: Outcome) -> DayReport {
    DayReport {
        dataset,
        date,
        outcome,
        detail: None,
        bars: 0,
        replaced: false,
        absent_symbols: Vec::new(),
        minute_file: None,
        day_file: None,
        day_file_outcome: None,
        notes: Vec::new(),
    }
}

fn describe(report: DayReport, decoded: Decoded) -> DayReport {
    let mut notes = decoded.notes;
    notes.extend(decoded.day_problem.iter().map(|problem| format!("no official day bars: {}", problem.detail)));
    let day_file_outcome = match (&decoded.day_problem, &decoded.day) {
        (Some(problem), _) => Some(problem.outcome),
        (None, Some(_)) => Some(report.outcome),
        (None, None) => None,
    };
    DayReport {
        absent_symbols: decoded.absent,
        minute_file: decoded.minute,
        day_file: decoded.day,
        day_file_outcome,
        notes,
        ..report
    }
}
