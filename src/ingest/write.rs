//! Writing one day: its transaction, its rows in the ledger, and what the report says of it.

use std::path::Path;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::context::Context;
use super::feed::{Arrival, decode_on_thread};
use super::load::{Decoded, FetchedDay, LocalFiles, Message, Problem};
use super::pipeline::RunError;
use super::plan::{DayJob, DayPlan, version};
use super::report::DayReport;
use super::source::{DayFile, Source};
use crate::model::{FileKind, Outcome};
use crate::store::{Attempt, BarBatch, BarSink, DayCommit, DayState, Ledger, StoreError};

/// Writes one day as it arrives.
pub(super) struct DayWriter<'a, S> {
    store: &'a mut S,
    context: &'a Context,
    source: &'a Source,
    started_at: Timestamp,
    /// What is being loaded.
    job: Option<Box<DayJob>>,
    /// Whether a transaction is open, or may be.
    open: bool,
    /// Bars removed in it.
    replaced: u64,
    /// What the report will say besides.
    notes: Vec<String>,
}

/// What the opening of a day's transaction came to.
enum Begun {
    /// It is open.
    Open,
    /// There is nothing left to do.
    Settled(Box<DayReport>),
    /// There is something else to do.
    Changed(Box<DayJob>),
    /// The run stops.
    Stopped,
}

impl<'a, S: Ledger + BarSink> DayWriter<'a, S> {
    pub(super) fn new(store: &'a mut S, context: &'a Context, source: &'a Source, started_at: Timestamp) -> Self {
        Self { store, context, source, started_at, job: None, open: false, replaced: 0, notes: Vec::new() }
    }

    /// Writes the day; nothing is reported of one that is left as it was because the run stops.
    pub(super) async fn write(mut self, arrival: Arrival) -> Result<Option<DayReport>, RunError> {
        let ended = self.follow(arrival).await;
        let abandoned = self.abandon().await;
        // The first error is the one to tell.
        let mut report = ended?;
        abandoned?;
        if let Some(report) = &mut report {
            report.notes.splice(0..0, self.notes);
        }
        Ok(report)
    }

    async fn follow(&mut self, arrival: Arrival) -> Result<Option<DayReport>, RunError> {
        let report = |outcome| DayReport::new(arrival.dataset, arrival.date, outcome);
        let (mut arriving, files) = match arrival.day {
            Ok(arriving) => arriving,
            Err(problem) => return self.refuse(report(problem.outcome), problem).await,
        };
        loop {
            let message = tokio::select! {
                biased;
                () = self.context.stop.cancelled() => return Ok(None),
                message = arriving.recv() => message,
            };
            let begun = match message {
                Some(Message::Same(job, same)) => self.recognise(&job, &same).await?,
                Some(Message::Begin(job)) => {
                    self.abandon().await?;
                    self.job = Some(job);
                    self.begin().await?
                }
                Some(Message::Bars(batch)) => {
                    self.add(batch).await?;
                    Begun::Open
                }
                Some(Message::Whole(decoded)) => {
                    self.discard(decoded.day_problem.as_ref(), files.day.as_deref());
                    return self.commit(*decoded).await.map(Some);
                }
                Some(Message::Broken(problem, decoded)) => {
                    self.abandon().await?;
                    self.discard(Some(&problem), files.minute.as_deref());
                    self.discard(decoded.day_problem.as_ref(), files.day.as_deref());
                    return self.refuse(describe(report(problem.outcome), *decoded), problem).await;
                }
                // The decoder stopped because the run does, or it panicked.
                None if self.context.stop.is_cancelled() => return Ok(None),
                None => {
                    self.abandon().await?;
                    let (outcome, detail) = (Outcome::Failed, "the decoder failed; please report this".to_owned());
                    return self.refuse(report(outcome), Problem { outcome, detail }).await;
                }
            };
            match begun {
                Begun::Open => {}
                Begun::Changed(job) => arriving = self.decode_again(job, &files),
                Begun::Settled(report) => return Ok(Some(*report)),
                Begun::Stopped => return Ok(None),
            }
        }
    }

    /// Opens the day's transaction and removes what is to be replaced, unless the plan was made from something that is no
    /// longer so: then another process was here.
    async fn begin(&mut self) -> Result<Begun, RunError> {
        let job = self.job.as_ref().expect("Invariant: bars come after a beginning");
        let reporter = &self.context.reporter;
        let waiting = || reporter.note("waiting for another process that writes to the database");
        self.open = true;
        let state = tokio::select! {
            biased;
            // Waiting for another process can take minutes.
            () = self.context.stop.cancelled() => return Ok(Begun::Stopped),
            state = self.store.begin_day(job.request.dataset, job.date, waiting) => state?,
        };
        if !state.is_same_content(&job.state) {
            let begun = planned(job.again(&state), job);
            self.abandon().await?;
            return Ok(begun);
        }
        self.replaced = 0;
        match job.forgets() {
            None => {}
            Some(true) => self.replaced = self.store.forget_day().await?,
            Some(false) => {
                let detail = "the vendor's day file cannot be read: the day was left as it was".to_owned();
                let report = DayReport::new(job.request.dataset, job.date, Outcome::Failed);
                let settled = Begun::Settled(Box::new(DayReport { detail: Some(detail), ..report }));
                self.abandon().await?;
                return Ok(settled);
            }
        }
        for replace in &job.replace {
            self.replaced += self.store.replace(replace).await?;
        }
        Ok(Begun::Open)
    }

    async fn add(&mut self, batch: BarBatch) -> Result<(), StoreError> {
        let written = self.store.write(&batch).await;
        self.context.batches.put(batch);
        written
    }

    /// Takes note of files that the vendor has replaced by their like; what is left to do is planned anew.
    async fn recognise(&mut self, job: &DayJob, same: &[DayFile]) -> Result<Begun, RunError> {
        // Another process may have loaded yet another version meanwhile.
        if self.state(job).await?.is_same_content(&job.state) {
            for file in same {
                let (at, version) = (self.context.clock.now(), version(file));
                self.open = true;
                tokio::select! {
                    biased;
                    () = self.context.stop.cancelled() => return Ok(Begun::Stopped),
                    recorded = self.store.record_same_content(file.dataset, file.date, file.kind, &version, at) => recorded?,
                }
                self.open = false;
                self.notes.push(format!("the vendor uploaded {} again, with the same content", file.key));
            }
        }
        let state = self.state(job).await?;
        Ok(planned(job.again(&state), job))
    }

    async fn state(&mut self, job: &DayJob) -> Result<DayState, StoreError> {
        let states = self.store.day_states(job.request.dataset, job.date..=job.date).await;
        states.map(|mut states| states.remove(&job.date).unwrap_or_default())
    }

    fn decode_again(&self, job: Box<DayJob>, files: &LocalFiles) -> mpsc::Receiver<Message> {
        decode_on_thread(FetchedDay { job: *job, files: files.clone() }, self.context, None)
    }

    /// Removes the fetched copy of a damaged file: the damage may be the copy's, and the next run fetches another.
    fn discard(&self, problem: Option<&Problem>, path: Option<&Path>) {
        if let (Some(Outcome::Damaged), Some(path)) = (problem.map(|problem| problem.outcome), path) {
            self.source.discard(path);
        }
    }

    async fn commit(&mut self, decoded: Decoded) -> Result<DayReport, RunError> {
        let job = self.job.take().expect("Invariant: bars come after a beginning");
        let (dataset, date) = (job.request.dataset, job.date);
        let commit = DayCommit {
            files: decoded.files.clone(),
            everyone: job.everyone,
            named: job.named.clone(),
            started_at: self.started_at,
            finished_at: self.context.clock.now(),
        };
        // Nothing but the day file was to be read, and it could not be: the day is what it was.
        let outcome = if commit.files.is_empty() { Outcome::Unchanged } else { Outcome::Loaded };
        if commit.files.is_empty() {
            self.abandon().await?;
        } else {
            self.store.commit_day(&commit).await?;
            self.open = false;
        }
        let report = DayReport {
            bars: decoded.files.iter().map(|file| file.bars_written).sum(),
            replaced: job.restated && self.replaced > 0,
            ..DayReport::new(dataset, date, outcome)
        };
        if let Some(problem) = &decoded.day_problem {
            self.record(&report, FileKind::Day, problem).await?;
        }
        Ok(describe(report, decoded))
    }

    async fn refuse(&mut self, report: DayReport, problem: Problem) -> Result<Option<DayReport>, RunError> {
        let recorded = self.record(&report, FileKind::Minute, &problem).await?;
        Ok(recorded.then_some(DayReport { detail: Some(problem.detail), ..report }))
    }

    /// Writes to the ledger what became of a file; says whether it did before the run was stopped.
    async fn record(&mut self, report: &DayReport, file: FileKind, problem: &Problem) -> Result<bool, StoreError> {
        let attempt = Attempt {
            outcome: problem.outcome,
            detail: Some(problem.detail.clone()),
            started_at: self.started_at,
            finished_at: self.context.clock.now(),
        };
        self.open = true;
        tokio::select! {
            biased;
            // Waiting for another process can take minutes.
            () = self.context.stop.cancelled() => return Ok(false),
            recorded = self.store.record_attempt(report.dataset, report.date, file, &attempt) => recorded?,
        }
        self.open = false;
        Ok(true)
    }

    /// Leaves the day as it was, unless it was committed.
    async fn abandon(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.open) { self.store.abandon_day().await } else { Ok(()) }
    }
}

/// What a plan made again leaves to do.
fn planned(plan: DayPlan, before: &DayJob) -> Begun {
    match plan {
        DayPlan::Load(job) => Begun::Changed(job),
        DayPlan::Settled { outcome, detail, .. } => Begun::Settled(Box::new(DayReport {
            detail,
            ..DayReport::new(before.request.dataset, before.date, outcome)
        })),
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
