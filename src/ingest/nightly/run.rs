//! A night: files, work beside them, waiting for what is late, requests for what files lack.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use tokio_util::sync::CancellationToken;

use super::incidents::{incidents_of_days, incidents_of_past};
use super::judge::{self, Told};
use super::past::{LOOKED_AT, Past};
use super::plan;
use super::report::{
    Ending, Incident, IncidentKind, MarketReport, NightlyReport, Step, Unasked, calendar_ends, unknown_symbol,
};
use super::scope::{Scope, ScopedMarket};
use super::{Chore, Chores, NIGHTLY};
use crate::ingest::rest::{Asked, RestReport, is_missing};
use crate::ingest::{Clock, Ended, LoadFailure, Loads, Outcome, Reporter, Request, RestWish, RunReport};
use crate::model::{Dataset, FileKind, Symbol, TimeframeSet, last_finished_session};
use crate::store::{BarReader, DayState, Ledger, RunStart, Runs, StoreError, Watchlist};

/// What a nightly run is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NightlyOptions {
    /// Its name.
    pub run_id: String,
    /// The dataset all symbols of which are kept filled, beside the watchlist of the others.
    pub all: Option<Dataset>,
    /// Bars to roll up; `None`: those that are usual.
    pub timeframes: Option<TimeframeSet>,
    /// Whether the vendor's own day bars are wanted too.
    pub official_day: bool,
    /// Sessions that it looks back at least.
    pub lookback: u32,
    /// How often a late file is looked for.
    pub poll: Duration,
    /// Until when it is waited for, New York time of the day after the session; `None`: not at all.
    pub wait_until: Option<Time>,
    /// Whether all that is stored is held against the vendor's listing, be it that this was done lately.
    pub recheck: bool,
    /// What stands in for an empty watchlist.
    pub starter_set: Vec<Symbol>,
    /// How long an outage of the database may last.
    pub patience: Duration,
}

impl NightlyOptions {
    /// What it was asked for, as it is typed: runs of another name do other work, beside each other.
    pub fn name(&self) -> String {
        self.all.map_or_else(|| NIGHTLY.to_owned(), |dataset| format!("{NIGHTLY} --all {dataset}"))
    }
}

/// A nightly run, with all it needs.
#[derive(Debug)]
pub struct Nightly<'a, S, L, C> {
    /// What is asked for.
    pub options: NightlyOptions,
    /// Ledger, watchlist and the record of runs.
    pub store: &'a mut S,
    /// Brings bars.
    pub loads: &'a mut L,
    /// Does the work beside bars.
    pub chores: &'a mut C,
    /// The time.
    pub clock: &'a Clock,
    /// Hears what a person would want to know.
    pub reporter: &'a dyn Reporter,
    /// Cancelled when it is to stop.
    pub stop: &'a CancellationToken,
}

/// What is looked at in a market.
struct Looked {
    market: ScopedMarket,
    range: RangeInclusive<Date>,
    /// What was stored before; of the range, or of all days if all are held against the listing.
    before: BTreeMap<Date, DayState>,
}

impl<S: Ledger + Runs + Watchlist + BarReader, L: Loads, C: Chores> Nightly<'_, S, L, C> {
    /// Does all of it. That it has begun is remembered; how it ended is for the caller to remember.
    pub async fn run(mut self) -> NightlyReport {
        let mut report = NightlyReport {
            run_id: self.options.run_id.clone(),
            name: self.options.name(),
            started_at: self.clock.now(),
            lookback: self.options.lookback,
            ..NightlyReport::default()
        };
        let mut told = Told::default();
        let worked = self.work(&mut report, &mut told).await;
        (report.ending, report.failure) = match worked {
            Err(error) => (Ending::Failed, Some(error.to_string())),
            Ok(()) if self.stop.is_cancelled() => (Ending::Stopped, None),
            Ok(()) => judge::ending(&report, &told),
        };
        report.finished_at = self.clock.now();
        report
    }

    async fn work(&mut self, report: &mut NightlyReport, told: &mut Told) -> Result<(), StoreError> {
        let now = report.started_at;
        let runs = self.persist(async |store| store.runs(NIGHTLY, LOOKED_AT).await).await?;
        let past = Past::of(&report.name, &runs);
        let start = RunStart { run_id: report.run_id.clone(), command: report.name.clone(), started_at: now };
        self.persist(async |store| store.begin_run(&start).await).await?;
        let scope = self.scope(report).await?;
        let looked = self.look(scope, &past, now, report).await?;
        report
            .incidents
            .extend(incidents_of_past(&past, report.markets.iter().map(|market| (market.dataset, market.newest))));

        told.unasked = looked.iter().flat_map(|looked| unasked_before(&past, &looked.market)).collect();
        report.calendar_ends = judge::calendar_ends(report.markets.iter().map(|market| market.dataset), now);
        if let Some(last) = report.calendar_ends {
            report.incidents.push(Incident::new(IncidentKind::CalendarEnds, Some(calendar_ends(last))));
        }

        for chore in [Chore::Chains, Chore::Cache] {
            self.chore(chore, report).await;
        }
        let requests = self.requests(&looked, report.whole_ledger, now);
        self.files(requests.clone(), report, told).await;
        for chore in [Chore::Splits, Chore::Calendar] {
            self.chore(chore, report).await;
        }
        self.wait(&looked, &requests, report, told).await;
        if !self.stop.is_cancelled() {
            self.ask(&looked, report, told).await?;
        }
        // All was checked only if all could be listed, and whatever had changed could be fetched.
        let is_stale = looked.iter().any(|looked| is_stale(looked, told));
        let failed = told.files.values().any(|day| day.outcome == Outcome::Failed);
        report.whole_ledger &= told.files_failed.is_none() && !is_stale && !failed && !self.stop.is_cancelled();
        self.judge(&looked, report, told).await
    }

    /// What is kept filled; says what on the watchlist is no symbol.
    async fn scope(&mut self, report: &mut NightlyReport) -> Result<Scope, StoreError> {
        for (_, why) in self.persist(async |store| store.senseless().await).await? {
            self.reporter.note(&format!("the watchlist has what is no symbol: {why}"));
            report.incidents.push(Incident::new(IncidentKind::SenselessSymbol, Some(why.to_string())));
        }
        let watchlist = self.persist(async |store| store.watchlist().await).await?;
        let NightlyOptions { all, starter_set, timeframes, .. } = &self.options;
        let scope = Scope::of(&watchlist, *all, starter_set, *timeframes);
        if scope.is_starter_set {
            let names: Vec<_> = starter_set.iter().map(Symbol::as_str).collect();
            self.reporter.note(&format!(
                "the watchlist is empty: taking {}; put others on it with `backfill watchlist add S`",
                names.join(" ")
            ));
        }
        Ok(scope)
    }

    /// Which days are looked at, and what is stored of them.
    async fn look(
        &mut self,
        scope: Scope,
        past: &Past,
        now: Timestamp,
        report: &mut NightlyReport,
    ) -> Result<Vec<Looked>, StoreError> {
        report.whole_ledger = self.options.recheck || past.recheck_is_due(now);
        let mut looked = Vec::new();
        for market in scope.markets {
            let dataset = market.dataset;
            let range = plan::range(dataset, now, self.options.lookback, past.complete_to(&market));
            let dates = if report.whole_ledger { dataset.first_date()..=*range.end() } else { range.clone() };
            let before = self.persist(async |store| store.day_states(dataset, dates.clone()).await).await?;
            report.markets.push(MarketReport {
                dataset,
                everyone: market.everyone,
                symbols: market.tickers().map(str::to_owned).collect(),
                timeframes: market.timeframes,
                from: *range.start(),
                newest: *range.end(),
                complete_to: None,
            });
            looked.push(Looked { market, range, before });
        }
        if report.whole_ledger {
            let in_scope: Vec<Dataset> = looked.iter().map(|looked| looked.market.dataset).collect();
            for dataset in Dataset::ALL.into_iter().filter(|dataset| !in_scope.contains(dataset)) {
                let all = dataset.first_date()..=last_finished_session(dataset, now);
                let before = self.persist(async |store| store.day_states(dataset, all.clone()).await).await?;
                let market = ScopedMarket::unscoped(dataset);
                // An empty range: nothing of it has to be there.
                let range = dataset.first_date()..=dataset.first_date().yesterday().unwrap_or(Date::MIN);
                looked.push(Looked { market, range, before });
            }
        }
        Ok(looked)
    }

    fn requests(&self, looked: &[Looked], whole_ledger: bool, now: Timestamp) -> Vec<Request> {
        let of_market = |looked: &Looked| {
            let ledger = whole_ledger.then_some(&looked.before);
            let range = Some(&looked.range).filter(|range| !range.is_empty());
            plan::requests(&looked.market, range, ledger, self.options.official_day, now)
        };
        looked.iter().flat_map(of_market).collect()
    }

    /// Takes what files have, for the first time.
    async fn files(&mut self, requests: Vec<Request>, report: &mut NightlyReport, told: &mut Told) {
        let began = Instant::now();
        let before = report.amounts.days_loaded;
        self.take(requests, report, told).await;
        let failure = &told.files_failed;
        let loaded = report.amounts.days_loaded - before;
        report.steps.push(Step {
            name: "files",
            seconds: began.elapsed().as_secs_f64(),
            done: (loaded > 0).then(|| format!("{loaded} loaded")),
            error: failure.as_ref().map(ToString::to_string),
        });
        if let Some(failure) = failure {
            self.reporter.note(&format!("files: {failure}"));
        }
    }

    /// Takes what files have; of an outage that is over now, this is the last that is seen.
    async fn take(&mut self, requests: Vec<Request>, report: &mut NightlyReport, told: &mut Told) {
        let Ended { report: files, failure } = self.loads.from_files(requests).await;
        // Whoever was called off has not seen the end of it.
        let is_over = failure.is_none() && !files.interrupted;
        heed_files(files, report, told);
        let now = self.clock.now();
        if failure.is_some() {
            told.files_failed_since.get_or_insert(now);
            told.files_failed = failure;
        } else if is_over && let Some(failure) = told.files_failed.take() {
            let seconds = told.files_failed_since.take().map(|since| now.duration_since(since).as_secs());
            report.incidents.push(Incident { seconds, ..outage("files", &failure) });
        }
    }

    /// Does work beside bars. That it fails is told, and is no failure of the run.
    async fn chore(&mut self, chore: Chore, report: &mut NightlyReport) {
        if self.stop.is_cancelled() {
            return;
        }
        let began = Instant::now();
        let worked = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            worked = self.chores.work(chore) => worked,
        };
        let (done, error) = match worked {
            Ok(done) => (done, None),
            Err(error) => (None, Some(error)),
        };
        if let Some(error) = &error {
            self.reporter.note(&format!("{}: {error}", chore.name()));
            let detail = format!("{}: {error}", chore.name());
            report.incidents.push(Incident::new(IncidentKind::StepFailed, Some(detail)));
        }
        report.steps.push(Step { name: chore.name(), seconds: began.elapsed().as_secs_f64(), done, error });
    }

    /// Waits for the newest files, as long as they may come.
    async fn wait(&mut self, looked: &[Looked], requests: &[Request], report: &mut NightlyReport, told: &mut Told) {
        let Some(wait_until) = self.options.wait_until else { return };
        let (began, since) = (Instant::now(), self.clock.now());
        let mut said = false;
        loop {
            let now = self.clock.now();
            let late = looked.iter().filter(|looked| is_late(looked, told)).map(|looked| {
                let newest = *looked.range.end();
                (looked.market.dataset, newest, plan::deadline(newest, wait_until))
            });
            let late: Vec<_> = late.filter(|(.., until)| now < *until).collect();
            let Some(until) = late.iter().map(|(.., until)| *until).max().filter(|_| !self.stop.is_cancelled()) else {
                break;
            };
            if !said {
                let names: Vec<_> = late.iter().map(|(dataset, date, _)| format!("{dataset} {date}")).collect();
                let until = until.strftime("%Y-%m-%d %H:%M UTC");
                self.reporter.note(&format!("waiting for {} until {until}", names.join(", ")));
                said = true;
            }
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = self.clock.sleep(self.options.poll.min(left)) => {}
            }
            let is_wanted = |request: &&Request| {
                let newest =
                    late.iter().any(|(dataset, date, _)| (request.dataset, request.range.end()) == (*dataset, date));
                newest || told.files_failed.is_some()
            };
            let now = self.clock.now();
            let again = requests.iter().filter(is_wanted).map(|request| Request { now, ..request.clone() });
            let again: Vec<_> = if told.files_failed.is_some() {
                again.collect()
            } else {
                // The day alone: the others were seen to.
                again.map(|request| Request { range: *request.range.end()..=*request.range.end(), ..request }).collect()
            };
            self.take(again, report, told).await;
        }
        if said {
            let waited = self.clock.now().duration_since(since);
            report.waited_seconds = u64::try_from(waited.as_secs()).unwrap_or(0);
            let done = Some(format!("{} s", report.waited_seconds));
            report.steps.push(Step { name: "wait", seconds: began.elapsed().as_secs_f64(), done, error: None });
        }
    }

    /// Asks the REST API for what files lack of the watchlist.
    async fn ask(&mut self, looked: &[Looked], report: &mut NightlyReport, told: &mut Told) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut wishes = Vec::new();
        for Looked { market, range, .. } in looked.iter().filter(|looked| !looked.market.watched.is_empty()) {
            let dataset = market.dataset;
            let states = self.persist(async |store| store.day_states(dataset, range.clone()).await).await?;
            let asked = asked(market, range, told, self.clock.now());
            let none = DayState::default();
            let lacks = |date| {
                let state = states.get(&date).unwrap_or(&none);
                market.tickers().any(|ticker| is_missing(&asked, ticker, date, state))
            };
            if plan::sessions(dataset, range).any(lacks) {
                wishes.push(RestWish { asked, symbols: market.symbols() });
            }
        }
        if wishes.is_empty() {
            return Ok(());
        }
        let Ended { report: requests, failure } = self.loads.by_requests(wishes).await;
        let made = requests.requests;
        // That every one of them failed is no common cause to those who made them, but here it is.
        let failure = failure.or_else(|| all_failed(&requests));
        heed_requests(requests, report, told);
        // Without a key it is the same every night, and what is missing for it is told.
        if let Some(failure) = failure.as_ref().filter(|failure| failure.may_pass) {
            self.reporter.note(&format!("requests: {failure}"));
        }
        report.steps.push(Step {
            name: "requests",
            seconds: began.elapsed().as_secs_f64(),
            done: (made > 0).then(|| format!("{made} made")),
            error: failure.as_ref().map(ToString::to_string),
        });
        told.requests_were_made = failure.is_none();
        told.requests_failed = failure;
        Ok(())
    }

    /// Looks at what is stored now.
    async fn judge(
        &mut self,
        looked: &[Looked],
        report: &mut NightlyReport,
        told: &mut Told,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        for Looked { market, range, before } in looked {
            let dataset = market.dataset;
            let states = if range.is_empty() {
                BTreeMap::new()
            } else {
                self.persist(async |store| store.day_states(dataset, range.clone()).await).await?
            };
            let left =
                judge::unasked(&asked(market, range, told, now), market, &states, told, self.stop.is_cancelled());
            told.unasked.retain(|before| before.dataset != dataset);
            told.unasked.extend(left.iter().cloned());
            report.unasked.extend(left);
            report.incidents.extend(incidents_of_days(dataset, range, before, &states, told, now));
            let Some(told_of) = report.markets.iter_mut().find(|told_of| told_of.dataset == dataset) else { continue };
            let days = judge::days(market, range, &states, told, now);
            told_of.complete_to = judge::complete_to(dataset, range, &days);
            let any_is_there = days.iter().any(super::NightlyDay::is_there);
            report.days.extend(days);
            let symbols = market.symbols();
            let known = self.persist(async |store| store.known(&symbols).await).await?;
            for symbol in symbols.iter().filter(|symbol| any_is_there && !known.contains(symbol)) {
                report.unknown_symbols.push(symbol.to_string());
                let detail = Some(unknown_symbol(symbol.as_str()));
                report
                    .incidents
                    .push(Incident { dataset: Some(dataset), ..Incident::new(IncidentKind::UnknownSymbol, detail) });
            }
        }
        let of_files = told.files_failed.as_ref().filter(|failure| !failure.is_unset);
        report.files_failure = of_files.map(ToString::to_string);
        for (way, failure) in [("files", &told.files_failed), ("requests", &told.requests_failed)] {
            report.incidents.extend(failure.as_ref().map(|failure| outage(way, failure)));
        }
        Ok(())
    }

    async fn persist<T>(&mut self, what: impl AsyncFnMut(&mut S) -> Result<T, StoreError>) -> Result<T, StoreError> {
        patiently(self.store, self.options.patience, self.stop, what).await
    }
}

/// Does something with a database, again and again while it may be about to come back; not after a call to stop.
pub async fn patiently<S, T>(
    store: &mut S,
    patience: Duration,
    stop: &CancellationToken,
    mut what: impl AsyncFnMut(&mut S) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    const PAUSE: Duration = Duration::from_millis(500);
    let since = Instant::now();
    loop {
        match what(store).await {
            Err(error) if error.may_pass() && since.elapsed() < patience && !stop.is_cancelled() => {
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            }
            ended => return ended,
        }
    }
}

/// That a way was closed.
fn outage(way: &str, failure: &LoadFailure) -> Incident {
    let kind = if failure.may_pass { IncidentKind::Outage } else { IncidentKind::Closed };
    Incident::new(kind, Some(format!("{way}: {failure}")))
}

/// Whether the newest file may be about to come.
fn is_late(looked: &Looked, told: &Told) -> bool {
    if looked.range.is_empty() {
        return false;
    }
    if let Some(failure) = &told.files_failed {
        return failure.may_pass;
    }
    let newest = told.files.get(&(looked.market.dataset, *looked.range.end()));
    newest.is_some_and(|day| matches!(day.outcome, Outcome::NotDue | Outcome::Missing))
}

/// Whether the file of a day that was loaded before has another version that could not be loaded.
fn is_stale(looked: &Looked, told: &Told) -> bool {
    let gaps = told.files.values().filter(|day| day.dataset == looked.market.dataset && day.outcome.leaves_a_gap());
    let was_loaded = |date| looked.before.get(date).is_some_and(|state| state.loaded(FileKind::Minute).is_some());
    gaps.into_iter().any(|day| was_loaded(&day.date))
}

/// What earlier runs could not ask for.
fn unasked_before(past: &Past, market: &ScopedMarket) -> impl Iterator<Item = Unasked> {
    let dataset = market.dataset;
    past.unasked(market).map(move |(symbol, date)| Unasked { dataset, symbol, date })
}

/// What requests are asked for.
fn asked(market: &ScopedMarket, range: &RangeInclusive<Date>, told: &Told, now: Timestamp) -> Asked {
    Asked {
        dataset: market.dataset,
        range: range.clone(),
        timeframes: market.timeframes,
        exact_vwap: false,
        absent: absent(market, told),
        force: false,
        now,
    }
}

/// Watched symbols that the files of days lack, be it that an earlier run found that.
fn absent(market: &ScopedMarket, told: &Told) -> BTreeSet<(String, Date)> {
    let days = told.files.iter().filter(|((dataset, _), _)| *dataset == market.dataset);
    let now = days.flat_map(|((_, date), day)| day.absent_symbols.iter().map(|symbol| (symbol.clone(), *date)));
    let before = told.unasked.iter().filter(|left| left.dataset == market.dataset);
    now.chain(before.map(|left| (left.symbol.clone(), left.date))).collect()
}

/// Why nothing could be had, if that is so.
fn all_failed(requests: &RestReport) -> Option<LoadFailure> {
    let asked = || requests.days.iter().filter(|day| !matches!(day.outcome, Outcome::Unchanged | Outcome::Empty));
    let message = asked().next()?.detail.clone().unwrap_or_default();
    asked().all(|day| day.outcome == Outcome::Failed).then_some(LoadFailure {
        message,
        may_pass: true,
        is_unset: false,
    })
}

/// Takes note of what became of files.
fn heed_files(files: RunReport, report: &mut NightlyReport, told: &mut Told) {
    report.amounts.bytes_fetched += files.bytes_fetched;
    for day in files.days {
        let is_loaded = day.outcome == Outcome::Loaded;
        report.amounts.days_loaded += u64::from(is_loaded);
        report.amounts.days_replaced += u64::from(is_loaded && day.replaced);
        report.amounts.bars += day.bars;
        let before = told.files.entry((day.dataset, day.date)).or_insert_with(|| day.clone());
        // What was loaded by this run stays so when it is looked at again.
        if before.outcome != Outcome::Loaded || day.outcome != Outcome::Unchanged {
            *before = day;
        }
    }
}

/// Takes note of what became of requests: the worst of a day, else that something came.
fn heed_requests(requests: RestReport, report: &mut NightlyReport, told: &mut Told) {
    report.amounts.requests += requests.requests;
    report.amounts.bytes_fetched += requests.bytes_fetched;
    let mut came = BTreeSet::new();
    for day in requests.days {
        report.amounts.bars += day.bars;
        if day.outcome == Outcome::Loaded && day.bars > 0 {
            came.insert((day.dataset, day.date));
        }
        let weight = |outcome: Outcome| match outcome {
            Outcome::Empty => 0,
            Outcome::Unchanged => 1,
            Outcome::Loaded => 2,
            gap => 3 + u8::from(gap.leaves_a_gap()),
        };
        let worst = told.requests.entry((day.dataset, day.date)).or_insert_with(|| day.clone());
        if weight(day.outcome) > weight(worst.outcome) {
            *worst = day;
        }
    }
    report.amounts.days_by_requests += came.len() as u64;
    told.came_by_requests.extend(came);
}

#[cfg(all(test, feature = "sandbox"))]
#[path = "run_tests.rs"]
mod tests;
