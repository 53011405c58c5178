//! Carrying plans out: several requests at a time, one writer, a transaction per page.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

use super::fetch::{Ended, Event, Fetched, Fetcher};
use super::plan::{Asked, SymbolPlan, Window, windows};
use super::queue::Queue;
use super::refusals::{Refusal, Refusals};
use super::report::{RestReport, SymbolDayReport};
use super::verdict::Verdict;
use super::{RestClient, RestError};
use crate::ingest::Reporter;
use crate::ingest::clock::Clock;
use crate::ingest::context::Context;
use crate::ingest::outage::Outage;
use crate::model::{Dataset, Outcome, Symbol};
use crate::net::Retryable;
use crate::store::{Attempt, Ledger, Notes, StoreError, SymbolSink};

/// The plan of one dataset.
#[derive(Debug)]
pub struct DatasetPlan {
    /// What was asked.
    pub asked: Arc<Asked>,
    /// Of each symbol.
    pub symbols: Vec<SymbolPlan>,
    /// What the vendor refused before.
    pub refusals: Refusals,
}

impl DatasetPlan {
    /// How many requests it takes.
    pub fn requests(&self) -> u64 {
        self.symbols.iter().map(|symbol| symbol.windows.len() as u64).sum()
    }

    /// Takes days out of the plan that files are going to bring.
    pub fn leave_to_files(&mut self, days: &BTreeSet<(Dataset, Date)>) {
        for symbol in &mut self.symbols {
            let missing = symbol.windows.iter().rev().flat_map(|window| window.dates.iter().copied());
            let left = missing.filter(|date| !days.contains(&(self.asked.dataset, *date))).collect();
            symbol.windows = windows(&symbol.symbol, left);
        }
    }
}

/// A cause that no other request would escape: the run ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestRunError {
    /// The key.
    #[error(transparent)]
    Api(#[from] RestError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RestRunError {
    /// Whether the same may succeed in a while.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            // As with files.
            Self::Store(_) => true,
        }
    }
}

/// What a run does its work with.
#[derive(Debug)]
pub struct Tools<L, N> {
    /// Asks the vendor.
    pub client: Arc<RestClient>,
    /// Shows what other processes have stored, on a connection beside the one that writes.
    pub ledger: Arc<Mutex<L>>,
    /// What processes tell each other.
    pub notes: N,
    /// Requests under way at once.
    pub concurrency: usize,
    /// How long an outage of the database may last.
    pub outage_patience: Duration,
    /// Hears how far the run is.
    pub reporter: Arc<dyn Reporter>,
    /// Cancelled when the run is to stop.
    pub stop: CancellationToken,
}

/// Makes the plan of a dataset from what is stored and what was refused.
pub async fn make_plan(
    asked: Asked,
    symbols: &[Symbol],
    ledger: Option<&mut impl Ledger>,
    notes: Option<&mut impl Notes>,
) -> Result<DatasetPlan, StoreError> {
    let states = match ledger {
        Some(ledger) => ledger.day_states(asked.dataset, asked.range.clone()).await?,
        None => BTreeMap::new(),
    };
    let refusals = match notes {
        Some(notes) => {
            let read = |note: Option<&str>| (note.map(str::to_owned), Refusals::read(note));
            notes.change_note(&Refusals::note(asked.dataset), read).await?
        }
        None => Refusals::default(),
    };
    let symbols = symbols.iter().map(|symbol| super::plan_symbol(&asked, symbol, &states, &refusals)).collect();
    Ok(DatasetPlan { asked: Arc::new(asked), symbols, refusals })
}

/// Carries plans out. The report has every day of every symbol; the error, if any, is the common cause that ended the run
/// early.
pub async fn run<S: SymbolSink, L: Ledger + 'static, N: Notes>(
    plans: Vec<DatasetPlan>,
    store: &mut S,
    tools: Tools<L, N>,
) -> (RestReport, Option<RestRunError>) {
    let began = Instant::now();
    let now = plans.first().map_or_else(Timestamp::now, |plan| plan.asked.now);
    let context = Context {
        reporter: Arc::clone(&tools.reporter),
        stop: tools.stop.clone(),
        clock: Clock::starting(now),
        outage_patience: tools.outage_patience,
        batches: Arc::default(),
    };
    let planned = plans.iter().map(DatasetPlan::requests).sum();
    let report = RestReport { requests_planned: planned, ..RestReport::default() };
    let outage = Outage::new(tools.outage_patience);
    let before = tools.client.counts();
    let mut run = Run { store, tools, context, outage, report, began, done: 0, planned, failure: None };
    for plan in plans {
        run.dataset(plan).await;
        if run.failure.is_some() || run.context.stop.is_cancelled() {
            break;
        }
    }
    let Run { mut report, failure, tools, context, done, planned, .. } = run;
    tools.client.quota().give_back().await;
    let made = tools.client.counts();
    report.requests = made.requests - before.requests;
    report.refused = made.too_many - before.too_many;
    report.bytes_fetched = made.bytes - before.bytes;
    report.interrupted = context.stop.is_cancelled() && done < planned;
    report.days.sort_by(|a, b| (a.dataset, &a.symbol, a.date).cmp(&(b.dataset, &b.symbol, b.date)));
    report.elapsed = began.elapsed();
    (report, failure)
}

struct Run<'s, S, L, N> {
    store: &'s mut S,
    tools: Tools<L, N>,
    context: Context,
    outage: Outage,
    report: RestReport,
    began: Instant,
    /// Windows that are done, and all there are as far as is known.
    done: u64,
    planned: u64,
    failure: Option<RestRunError>,
}

impl<S: SymbolSink, L: Ledger + 'static, N: Notes> Run<'_, S, L, N> {
    async fn dataset(&mut self, plan: DatasetPlan) {
        let DatasetPlan { asked, symbols, refusals } = plan;
        let mut windows: Vec<Window> = Vec::new();
        for symbol in symbols {
            for day in symbol.settled {
                self.day(&asked, &symbol.symbol, day.date, day.outcome, day.detail);
            }
            windows.extend(symbol.windows);
        }
        // Who forces asks again for what was refused before.
        let mut queue = Queue::new(windows, if asked.force { Refusals::default() } else { refusals });
        let (events, mut arriving) = mpsc::channel(self.tools.concurrency.max(1));
        // Owned by this set: they end with the run, whichever way that ends.
        let mut fetching = JoinSet::new();
        let mut given_out: HashMap<task::Id, Window> = HashMap::new();
        let mut under_way = 0;
        self.tell_progress();
        loop {
            while under_way < self.tools.concurrency.max(1) {
                let mut refused = Vec::new();
                let next = queue.next(self.context.clock.now(), &mut refused);
                for (symbol, date, outcome, detail) in refused {
                    self.day(&asked, &symbol, date, outcome, Some(detail));
                }
                let Some(window) = next else { break };
                let fetcher = Fetcher {
                    client: Arc::clone(&self.tools.client),
                    asked: Arc::clone(&asked),
                    clock: self.context.clock.clone(),
                    to: events.clone(),
                    brought: BTreeMap::new(),
                };
                let task = fetching.spawn(fetch(fetcher, Arc::clone(&self.tools.ledger), window.clone()));
                given_out.insert(task.id(), window);
                under_way += 1;
            }
            if under_way == 0 {
                break;
            }
            let event = tokio::select! {
                biased;
                () = self.context.stop.cancelled() => break,
                // All that a task has told comes before its end.
                event = arriving.recv() => event,
                Some(ended) = fetching.join_next_with_id() => match ended {
                    Ok((id, ())) => {
                        given_out.remove(&id);
                        continue;
                    }
                    Err(broken) => {
                        given_out.remove(&broken.id()).map(|window| Event::Ended { window, how: Ended::Panicked })
                    }
                },
            };
            let Some(event) = event else { break };
            under_way -= usize::from(matches!(event, Event::Ended { .. }));
            if let Err(error) = self.take(&asked, event, &mut queue).await {
                self.failure = Some(error);
                break;
            }
        }
        fetching.shutdown().await;
    }

    async fn take(&mut self, asked: &Asked, event: Event, queue: &mut Queue) -> Result<(), RestRunError> {
        match event {
            Event::Days(fetched) => self.write(asked, *fetched).await,
            Event::There { symbol, dates } => {
                for date in dates {
                    self.day(asked, &symbol, date, Outcome::Unchanged, None);
                }
                Ok(())
            }
            Event::Ended { window, how } => {
                match how {
                    Ended::Whole => queue.done(&window),
                    Ended::Store(error) => {
                        self.outage.wait(error, &self.context).await?;
                        queue.again(window);
                        return Ok(());
                    }
                    Ended::Panicked => {
                        queue.done(&window);
                        let is_told = |date: &Date| {
                            let of_day =
                                |day: &SymbolDayReport| (&*day.symbol, day.date) == (window.symbol.as_str(), *date);
                            self.report.days.iter().any(of_day)
                        };
                        let left: Vec<Date> = window.dates.iter().copied().filter(|date| !is_told(date)).collect();
                        let detail = "the fetch failed; please report this".to_owned();
                        self.attempted(asked, &window.symbol, &left, Outcome::Failed, detail).await?;
                    }
                    Ended::Broken { left, error } => match error.verdict() {
                        Verdict::EndsTheRun => return Err(error.into()),
                        Verdict::Day(outcome) => {
                            queue.done(&window);
                            self.attempted(asked, &left.symbol, &left.dates, outcome, error.to_string()).await?;
                        }
                        Verdict::Refused(why) => {
                            let now = self.context.clock.now();
                            let refused = left.refused(why, &error, now);
                            let (dates, refusal) = (refused.dates.clone(), refused.refusal.clone());
                            queue.refused(&window, refused, now);
                            if let Some(refusal) = refusal {
                                self.remember(asked, &refusal).await?;
                                let outcome = refusal.outcome();
                                self.attempted(asked, &left.symbol, &dates, outcome, refusal.detail).await?;
                            }
                        }
                    },
                }
                self.done += 1;
                self.planned = self.planned.max(self.done + queue.len());
                self.tell_progress();
                Ok(())
            }
        }
    }

    /// Remembers a refusal for other runs.
    async fn remember(&mut self, asked: &Asked, refusal: &Refusal) -> Result<(), StoreError> {
        if refusal.is_passing() {
            return Ok(());
        }
        let add = |note: Option<&str>| {
            let mut all = Refusals::read(note);
            all.add(refusal.clone(), refusal.at);
            (serde_json::to_string(&all).ok(), ())
        };
        while let Err(error) = self.tools.notes.change_note(&Refusals::note(asked.dataset), add).await {
            self.outage.wait(error, &self.context).await?;
            if self.context.stop.is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    /// Stores what a page brought. After an error of the database that may pass, the same again.
    async fn write(&mut self, asked: &Asked, fetched: Fetched) -> Result<(), RestRunError> {
        let Fetched { symbol, days, rejects, conflicting } = fetched;
        let stored = loop {
            let stored = tokio::select! {
                biased;
                // Waiting for another process can take minutes.
                () = self.context.stop.cancelled() => return Ok(()),
                stored = self.store.store_symbol(&days) => stored,
            };
            match stored {
                Ok(stored) => break stored,
                Err(error) => self.outage.wait(error, &self.context).await?,
            }
        };
        self.outage.is_over();
        for (day, stored) in days.days.iter().zip(stored) {
            let is_of_files = day.timeframes.minus(stored.of_files).is_empty() && stored.made_exact == 0;
            let outcome = match () {
                () if day.is_absent_in_file && day.bars.is_empty() => Outcome::Empty,
                () if is_of_files && stored.left_estimated == 0 => Outcome::Unchanged,
                () if day.is_provisional => Outcome::Provisional,
                () if day.bars.is_empty() => Outcome::Empty,
                () => Outcome::Loaded,
            };
            let mut report = SymbolDayReport::new(asked.dataset, symbol.as_str(), day.date, outcome, None);
            report.bars = stored.bars;
            report.made_exact = stored.made_exact;
            report.left_estimated = stored.left_estimated;
            self.ended(report);
            self.report.rows += day.rows_read;
        }
        self.report.rejects.merge(rejects);
        self.report.duplicates_conflicting += conflicting;
        Ok(())
    }

    /// Remembers and reports dates of which nothing came.
    async fn attempted(
        &mut self,
        asked: &Asked,
        symbol: &Symbol,
        dates: &[Date],
        outcome: Outcome,
        detail: String,
    ) -> Result<(), RestRunError> {
        let now = self.context.clock.now();
        let attempt = Attempt { outcome, detail: Some(detail.clone()), started_at: now, finished_at: now };
        loop {
            let recorded = tokio::select! {
                biased;
                () = self.context.stop.cancelled() => return Ok(()),
                recorded = self.store.record_symbol_attempt(symbol, dates, &attempt) => recorded,
            };
            match recorded {
                Ok(()) => break,
                Err(error) => self.outage.wait(error, &self.context).await?,
            }
        }
        self.outage.is_over();
        for date in dates {
            self.day(asked, symbol, *date, outcome, Some(detail.clone()));
        }
        Ok(())
    }

    fn day(&mut self, asked: &Asked, symbol: &Symbol, date: Date, outcome: Outcome, detail: Option<String>) {
        self.ended(SymbolDayReport::new(asked.dataset, symbol.as_str(), date, outcome, detail));
    }

    fn ended(&mut self, day: SymbolDayReport) {
        self.context.reporter.symbol_day_done(&day);
        self.report.days.push(day);
    }

    fn tell_progress(&self) {
        let left = self.planned - self.done;
        // The quota, unless the vendor or the database is slower than it.
        let at_this_pace = match self.done {
            0 => 0.0,
            done => self.began.elapsed().as_secs_f64() * left as f64 / done as f64,
        };
        let by_quota = self.tools.client.seconds_for(left);
        // Of a slow rate requests come in bursts, and the pace so far says nothing.
        let is_slow = self.tools.client.quota().rate().spacing() > Duration::from_secs(1);
        let seconds = if is_slow { by_quota } else { by_quota.max(at_this_pace) };
        let left = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.context.reporter.requests(self.done, self.planned, left);
    }
}

/// Fetches a window and tells how it went. Nobody listens any more once the run has stopped.
async fn fetch<L: Ledger>(mut fetcher: Fetcher, ledger: Arc<Mutex<L>>, window: Window) {
    let states = ledger.lock().await.symbol_states(&window.symbol, window.first()..=window.last()).await;
    let how = match states {
        Ok(states) => match fetcher.still_missing(window.clone(), &states).await {
            Some(missing) => fetcher.window(missing).await,
            None => Ended::Whole,
        },
        Err(error) => Ended::Store(error),
    };
    let _ = fetcher.to.send(Event::Ended { window, how }).await;
}
