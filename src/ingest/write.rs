//! Writing one day: its transaction, its rows in the ledger, and what the report says of it.

use std::path::Path;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::context::Context;
use super::feed::{Arrival, Day, Decoding, decode_on_thread};
use super::load::{Decoded, FetchedDay, LocalFiles, Message, Problem};
use super::outage::Outage;
use super::pipeline::RunError;
use super::plan::{DayJob, DayPlan, version};
use super::report::DayReport;
use super::share::settled_by_another;
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
    /// Bars removed in it: those that came by a file, and those that came by REST.
    replaced: u64,
    replaced_rest: u64,
    outage: Outage,
    /// What the report will say besides.
    notes: Vec<String>,
}

/// How the writing of a day goes on.
enum Next {
    /// As it was to.
    On,
    /// Not at all: it is written, or there is nothing left to do.
    Done(Box<DayReport>),
    /// From the start, with something else to do.
    Again(Box<DayJob>),
    /// Not at all: the run stops.
    Stopped,
}

impl<'a, S: Ledger + BarSink> DayWriter<'a, S> {
    pub(super) fn new(store: &'a mut S, context: &'a Context, source: &'a Source, started_at: Timestamp) -> Self {
        let outage = Outage::new(context.outage_patience);
        Self {
            store,
            context,
            source,
            started_at,
            job: None,
            open: false,
            replaced: 0,
            replaced_rest: 0,
            outage,
            notes: Vec::new(),
        }
    }

    /// Writes the day; nothing is reported of one that is left as it was because the run stops.
    pub(super) async fn write(mut self, arrival: Arrival<Decoding>) -> Result<Option<DayReport>, RunError> {
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

    async fn follow(&mut self, arrival: Arrival<Decoding>) -> Result<Option<DayReport>, RunError> {
        let report = |outcome| DayReport::new(arrival.dataset, arrival.date, outcome);
        let (mut arriving, files) = match arrival.day {
            Day::Here(decoding) => decoding,
            Day::Refused(problem) => return self.refuse(report(problem.outcome), problem).await,
            Day::Settled(report) => return Ok(Some(*report)),
        };
        loop {
            let message = tokio::select! {
                biased;
                () = self.context.stop.cancelled() => return Ok(None),
                message = arriving.recv() => message,
            };
            let next = match message {
                Some(message) => match self.take(message, &files, report).await {
                    Err(RunError::Store(error)) => self.after(error).await?,
                    taken => taken?,
                },
                // The decoder stopped because the run does, or it panicked.
                None if self.context.stop.is_cancelled() => return Ok(None),
                None => {
                    self.abandon().await?;
                    let (outcome, detail) = (Outcome::Failed, "the decoder failed; please report this".to_owned());
                    return self.refuse(report(outcome), Problem { outcome, detail }).await;
                }
            };
            match next {
                Next::On => {}
                Next::Again(job) => arriving = self.decode_again(job, &files),
                Next::Done(report) => return Ok(Some(*report)),
                Next::Stopped => return Ok(None),
            }
        }
    }

    /// Does what a decoder's message says.
    async fn take(
        &mut self,
        message: Message,
        files: &LocalFiles,
        report: impl Fn(Outcome) -> DayReport,
    ) -> Result<Next, RunError> {
        match message {
            Message::Same(job, same) => {
                let next = self.recognise(&job, &same).await;
                self.job = Some(job);
                next
            }
            Message::Begin(job) => {
                self.abandon().await?;
                self.job = Some(job);
                Ok(Next::On)
            }
            Message::Bars(batch) => self.add(batch).await,
            Message::Whole(decoded) => {
                let job = self.job.as_ref().expect("Invariant: bars come after a beginning");
                if let Some(job) = job.keeping_rest(&decoded.lacking) {
                    // That the file lacks them is known when it has been read: it is read again.
                    self.abandon().await?;
                    return Ok(if job.wanted.any().is_empty() {
                        Next::Done(Box::new(describe(report(Outcome::Unchanged), *decoded)))
                    } else {
                        Next::Again(Box::new(job))
                    });
                }
                let next = if decoded.files.is_empty() { Next::On } else { self.begin().await? };
                if !matches!(next, Next::On) {
                    return Ok(next);
                }
                self.discard(decoded.day_problem.as_ref(), files.day.as_deref());
                self.commit(*decoded).await.map(|report| Next::Done(Box::new(report)))
            }
            Message::Broken(problem, decoded) => {
                self.abandon().await?;
                self.discard(Some(&problem), files.minute.as_deref());
                self.discard(decoded.day_problem.as_ref(), files.day.as_deref());
                let refused = self.refuse(describe(report(problem.outcome), *decoded), problem).await?;
                Ok(refused.map_or(Next::Stopped, |report| Next::Done(Box::new(report))))
            }
        }
    }

    /// After an error of the database that may pass, the day is begun again; if only the answer to its commit was lost, that
    /// shows then.
    async fn after(&mut self, error: StoreError) -> Result<Next, RunError> {
        let Some(job) = self.job.clone() else { return Err(error.into()) };
        self.abandon().await?;
        self.outage.wait(error, self.context).await?;
        Ok(Next::Again(job))
    }

    /// Opens the day's transaction, if it is not open, and removes what is to be replaced; unless the plan was made from
    /// something that is no longer so: then another process was here.
    ///
    /// Not before there is something to write: other processes cannot write while it is open.
    async fn begin(&mut self) -> Result<Next, RunError> {
        if self.open {
            return Ok(Next::On);
        }
        let job = self.job.as_ref().expect("Invariant: bars come after a beginning");
        let reporter = &self.context.reporter;
        let waiting = || reporter.note("waiting for another process that writes to the database");
        self.open = true;
        let state = tokio::select! {
            biased;
            // Waiting for another process can take minutes.
            () = self.context.stop.cancelled() => return Ok(Next::Stopped),
            state = self.store.begin_day(job.request.dataset, job.date, waiting) => state?,
        };
        crash_point!("day-begun");
        if !state.is_same_content(&job.state) {
            let next = match job.again(&state) {
                DayPlan::Load(job) => Next::Again(job),
                DayPlan::Settled { outcome, detail, .. } => {
                    Next::Done(Box::new(settled_by_another(job, outcome, detail)))
                }
            };
            self.abandon().await?;
            return Ok(next);
        }
        (self.replaced, self.replaced_rest) = (0, 0);
        match job.forgets() {
            None => {}
            Some(true) => self.replaced = self.store.forget_day().await?,
            Some(false) => {
                let detail = "the vendor's day file cannot be read: the day was left as it was".to_owned();
                let report = DayReport::new(job.request.dataset, job.date, Outcome::Failed);
                let settled = Next::Done(Box::new(DayReport { detail: Some(detail), ..report }));
                self.abandon().await?;
                return Ok(settled);
            }
        }
        if !job.replace_rest.is_empty() {
            self.replaced_rest = self.store.replace_rest(&job.replace_rest).await?;
        }
        for replace in &job.replace {
            self.replaced += self.store.replace(replace).await?;
        }
        crash_point!("day-replaced");
        Ok(Next::On)
    }

    async fn add(&mut self, batch: BarBatch) -> Result<Next, RunError> {
        let next = self.begin().await?;
        if matches!(next, Next::On) {
            self.store.write(&batch).await?;
            crash_point!("bars-written");
        }
        self.context.batches.put(batch);
        Ok(next)
    }

    /// Takes note of files that the vendor has replaced by their like; what is left to do is planned anew.
    async fn recognise(&mut self, job: &DayJob, same: &[DayFile]) -> Result<Next, RunError> {
        // Another process may have loaded yet another version meanwhile.
        if self.state(job).await?.is_same_content(&job.state) {
            for file in same {
                crash_point!("sameness-unrecorded");
                let (at, version) = (self.context.clock.now(), version(file));
                self.open = true;
                tokio::select! {
                    biased;
                    () = self.context.stop.cancelled() => return Ok(Next::Stopped),
                    recorded = self.store.record_same_content(file.dataset, file.date, file.kind, &version, at) => recorded?,
                }
                crash_point!("sameness-recorded");
                self.open = false;
                let kind = file.kind.as_str();
                self.notes.push(format!("the vendor uploaded the {kind} file again, with the same content"));
            }
        }
        let state = self.state(job).await?;
        Ok(match job.again(&state) {
            DayPlan::Load(job) => Next::Again(job),
            DayPlan::Settled { outcome, detail, .. } => {
                let report = DayReport::new(job.request.dataset, job.date, outcome);
                Next::Done(Box::new(DayReport { detail, ..report }))
            }
        })
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
        crash_point!("day-decoded");
        let job = self.job.as_ref().expect("Invariant: bars come after a beginning");
        let (dataset, date, restated) = (job.request.dataset, job.date, job.restated);
        let commit = DayCommit {
            files: decoded.files.clone(),
            everyone: job.everyone,
            named: job.named.clone(),
            started_at: self.started_at,
            finished_at: self.context.clock.now(),
        };
        // Nothing but the day file was to be read, and it could not be: the day is what it was.
        let outcome = if commit.files.is_empty() { Outcome::Unchanged } else { Outcome::Loaded };
        if !commit.files.is_empty() {
            self.store.commit_day(&commit).await?;
            crash_point!("day-committed");
            self.open = false;
            self.outage.is_over();
        }
        let report = DayReport {
            bars: decoded.files.iter().map(|file| file.bars_written).sum(),
            replaced: restated && self.replaced > 0,
            replaced_rest_bars: self.replaced_rest,
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
        crash_point!("attempt-unrecorded");
        loop {
            self.open = true;
            let recorded = tokio::select! {
                biased;
                // Waiting for another process can take minutes.
                () = self.context.stop.cancelled() => return Ok(false),
                recorded = self.store.record_attempt(report.dataset, report.date, file, &attempt) => recorded,
            };
            self.open = false;
            match recorded {
                Ok(()) => {
                    crash_point!("attempt-recorded");
                    return Ok(true);
                }
                Err(error) => self.outage.wait(error, self.context).await?,
            }
        }
    }

    /// Leaves the day as it was, unless it was committed.
    async fn abandon(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.open) { self.store.abandon_day().await } else { Ok(()) }
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
