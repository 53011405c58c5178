//! A run: plans made, then carried out day by day. Downloads and decoders work in parallel ahead of one writer; what
//! lies between them is bounded, so memory does not grow with the number of days.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::context::{Clock, Context};
use super::feed::{Arrival, DayPaths, Feeder, decode_on_thread};
use super::load::{Decoded, FetchedDay, Message, Problem};
use super::plan::{DayJob, DayPlan, Listing, Request, plan, plan_day};
use super::report::{DayReport, Reporter, RunReport};
use super::source::{DayFile, Source, SourceError};
use crate::model::{FileKind, Outcome};
use crate::store::{Attempt, BarSink, DayCommit, Ledger, LoadRate, StoreError};

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

/// Lists what the source has and holds it against the ledger, if there is one yet.
pub async fn make_plan(
    source: &Source,
    ledger: Option<&mut impl Ledger>,
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
    crash_point!("listed");
    let states = match ledger {
        Some(ledger) => ledger.day_states(request.dataset, request.range.clone()).await?,
        None => BTreeMap::new(),
    };
    let days = plan(&request, &listing, &states);
    crash_point!("planned");
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
    let start = plans.first().map_or_else(Timestamp::now, |plan| plan.request.now);
    let clock = Clock::starting(start);
    let context = Context { reporter, stop, clock, batches: Arc::default() };
    let mut run = Run { context, source, concurrency, report: RunReport::default(), file_bytes: 0, bars: 0 };
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
}

impl Run {
    async fn dataset<S: Ledger + BarSink>(&mut self, plan: DatasetPlan, store: &mut S) -> Result<(), RunError> {
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
        let decoders = self.concurrency.decoders.max(1);
        let (to_writer, mut at_writer) = mpsc::channel(decoders);
        let feeder = Feeder::new(Arc::clone(&self.source), listing, self.context.clone(), self.concurrency);
        // Owned by this set: it ends with the run, whichever way that ends.
        let mut feeding = tokio::task::JoinSet::new();
        feeding.spawn(feeder.feed(jobs, to_writer));
        loop {
            let arrived = tokio::select! {
                biased;
                // A slow object is not waited for.
                () = self.context.stop.cancelled() => break,
                arrived = at_writer.recv() => arrived,
            };
            let Some(arrived) = arrived else { break };
            let arrival = arrived?;
            self.report.bytes_fetched += arrival.bytes_over_network;
            if let Some(report) = self.write(arrival, store).await? {
                self.done(report);
            }
        }
        feeding.shutdown().await;
        Ok(())
    }

    fn done(&mut self, report: DayReport) {
        self.context.reporter.day_done(&report);
        crash_point!("day-reported");
        self.report.days.push(report);
    }

    /// Writes one day; nothing is reported of a day that is abandoned because the run stops.
    async fn write<S: Ledger + BarSink>(
        &mut self,
        arrival: Arrival,
        store: &mut S,
    ) -> Result<Option<DayReport>, RunError> {
        let Arrival { dataset, date, started_at, day, .. } = arrival;
        let (mut arriving, paths) = match day {
            Ok(arriving) => arriving,
            Err(problem) => {
                return self
                    .refuse(store, DayReport::new(dataset, date, problem.outcome), problem, started_at)
                    .await
                    .map(Some);
            }
        };
        let mut open: Option<Box<DayJob>> = None;
        let mut replaced = 0;
        let ended = loop {
            let message = tokio::select! {
                biased;
                () = self.context.stop.cancelled() => break Ok(None),
                message = arriving.recv() => message,
            };
            let step = match message {
                Some(Message::Begin(job)) => {
                    if open.take().is_some() {
                        store.abandon_day().await?;
                    }
                    // Waiting for another process can take minutes.
                    let begun = tokio::select! {
                        biased;
                        () = self.context.stop.cancelled() => None,
                        begun = self.begin(&job, store) => Some(begun),
                    };
                    let Some(begun) = begun else {
                        store.abandon_day().await?;
                        break Ok(None);
                    };
                    match begun {
                        Ok(Begun::Open(count)) => {
                            replaced = count;
                            open = Some(job);
                            Ok(())
                        }
                        Ok(Begun::Settled(report)) => break Ok(Some(*report)),
                        Ok(Begun::Changed(job)) => {
                            // Another process was here since the plan was made.
                            let DayPaths { minute, day } = paths.clone();
                            arriving = self.decode_again(FetchedDay { job: *job, minute, day, day_problem: None });
                            Ok(())
                        }
                        Err(error) => Err(error),
                    }
                }
                Some(Message::Bars(batch)) => {
                    let written = store.write(&batch).await;
                    crash_point!("bars-written");
                    self.context.batches.put(batch);
                    written.map_err(RunError::from)
                }
                Some(Message::Whole(decoded)) => {
                    self.discard(decoded.day_problem.as_ref(), paths.day.as_deref());
                    break self.commit(store, open.take(), *decoded, replaced, started_at).await.map(Some);
                }
                Some(Message::Broken(problem, decoded)) => {
                    if open.take().is_some() {
                        store.abandon_day().await?;
                    }
                    self.discard(Some(&problem), paths.minute.as_deref());
                    self.discard(decoded.day_problem.as_ref(), paths.day.as_deref());
                    let report = describe(DayReport::new(dataset, date, problem.outcome), *decoded);
                    break self.refuse(store, report, problem, started_at).await.map(Some);
                }
                // The decoder stopped because the run does, or it panicked.
                None if self.context.stop.is_cancelled() => break Ok(None),
                None => {
                    let problem = Problem {
                        outcome: Outcome::Failed,
                        detail: "the decoder failed; please report this".to_owned(),
                    };
                    if open.take().is_some() {
                        store.abandon_day().await?;
                    }
                    break self
                        .refuse(store, DayReport::new(dataset, date, problem.outcome), problem, started_at)
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
        let (dataset, date, reporter) = (job.request.dataset, job.date, Arc::clone(&self.context.reporter));
        let waiting = move || reporter.note("waiting for another process that writes to the database");
        let state = store.begin_day(dataset, date, waiting).await?;
        crash_point!("day-begun");
        if state.is_same_content(&job.state) {
            let mut replaced = 0;
            for replace in &job.replace {
                match store.replace(replace).await {
                    Ok(removed) => replaced += removed,
                    Err(error) => {
                        store.abandon_day().await?;
                        return Err(error.into());
                    }
                }
            }
            crash_point!("day-replaced");
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
                Begun::Settled(Box::new(DayReport { detail, ..DayReport::new(dataset, date, outcome) }))
            }
            None => Begun::Settled(Box::new(DayReport::new(dataset, date, Outcome::NotASession))),
        })
    }

    /// Removes the fetched copy of a damaged file: the damage may be the copy's, and the next run fetches another.
    fn discard(&self, problem: Option<&Problem>, path: Option<&Path>) {
        if let (Some(Outcome::Damaged), Some(path)) = (problem.map(|problem| problem.outcome), path) {
            self.source.discard(path);
        }
    }

    fn decode_again(&self, day: FetchedDay) -> mpsc::Receiver<Message> {
        decode_on_thread(day, &self.context, None)
    }

    async fn commit<S: Ledger + BarSink>(
        &mut self,
        store: &mut S,
        job: Option<Box<DayJob>>,
        decoded: Decoded,
        replaced: u64,
        started_at: Timestamp,
    ) -> Result<DayReport, RunError> {
        crash_point!("day-decoded");
        let job = job.expect("Invariant: bars come after a beginning");
        let commit = DayCommit {
            files: decoded.files.clone(),
            everyone: job.everyone,
            named: job.named.clone(),
            started_at,
            finished_at: self.context.clock.now(),
        };
        let (dataset, date) = (job.request.dataset, job.date);
        // Nothing but the day file was to be read, and it could not be: the day is what it was.
        let outcome = if commit.files.is_empty() { Outcome::Unchanged } else { Outcome::Loaded };
        if commit.files.is_empty() {
            store.abandon_day().await?;
        } else {
            store.commit_day(&commit).await?;
        }
        crash_point!("day-committed");
        if let Some(problem) = &decoded.day_problem {
            let attempt = attempt(problem, started_at, self.context.clock.now());
            store.record_attempt(dataset, date, FileKind::Day, &attempt).await?;
        }
        let bars = decoded.files.iter().map(|file| file.bars_written).sum();
        self.bars += bars;
        self.file_bytes += decoded.files.iter().map(|file| file.version.size_bytes).sum::<u64>();
        let report = DayReport::new(dataset, date, outcome);
        Ok(describe(DayReport { bars, replaced: job.restated && replaced > 0, ..report }, decoded))
    }

    async fn refuse<S: Ledger>(
        &self,
        store: &mut S,
        report: DayReport,
        problem: Problem,
        started_at: Timestamp,
    ) -> Result<DayReport, RunError> {
        crash_point!("attempt-unrecorded");
        store
            .record_attempt(
                report.dataset,
                report.date,
                FileKind::Minute,
                &attempt(&problem, started_at, self.context.clock.now()),
            )
            .await?;
        crash_point!("attempt-recorded");
        Ok(DayReport { detail: Some(problem.detail), ..report })
    }

    async fn remember_rate<S: Ledger>(
        &mut self,
        store: &mut S,
        everyone: bool,
        began: Instant,
    ) -> Result<(), StoreError> {
        let (file_bytes, bars) = (std::mem::take(&mut self.file_bytes), std::mem::take(&mut self.bars));
        if file_bytes == 0 || self.context.stop.is_cancelled() {
            return Ok(());
        }
        let rate = LoadRate {
            file_bytes,
            bars,
            seconds: began.elapsed().as_secs_f64(),
            measured_at: self.context.clock.now(),
        };
        crash_point!("rate-unrecorded");
        store.record_load_rate(everyone, rate).await?;
        crash_point!("rate-recorded");
        Ok(())
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

/// What the ledger keeps of a problem.
fn attempt(problem: &Problem, started_at: Timestamp, finished_at: Timestamp) -> Attempt {
    let Problem { outcome, detail } = problem;
    Attempt { outcome: *outcome, detail: Some(detail.clone()), started_at, finished_at }
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
