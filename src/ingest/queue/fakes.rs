//! A queue, a ledger and two ways of loading that exist in memory only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::{Date, date};
use tokio_util::sync::CancellationToken;

use super::plan::{Open, dates};
use super::{Event, Wish, Workplace};
use crate::ingest::rest::{RestReport, SymbolDayReport};
use crate::ingest::{DayReport, Ended, LoadFailure, Loads, Reporter, Request, RestWish, RunReport, SilentReporter};
use crate::model::{Dataset, Expectation, FileKind, Outcome, Symbol, Timeframe, TimeframeSet, file_due_at};
use crate::store::{
    Attempt, BarReader, ClaimedRequest, DayState, FileVersion, Held, Ledger, LoadRate, MOST_RETRIES, NewRequest, Queue,
    QueueDepth, QueueWatch, QueueWatching, QueuedRequest, RequestEnd, RequestOutcome, RequestProgress, RequestStatus,
    RestState, Restatement, SeriesStatus, StoreError, StoredBar,
};

/// Monday noon in New York.
pub const NOW: &str = "2026-10-05T16:00:00Z";

pub fn september(days: RangeInclusive<i8>) -> RangeInclusive<Date> {
    date(2026, 9, *days.start())..=date(2026, 9, *days.end())
}

pub fn asks(symbol: &str, days: u32) -> NewRequest {
    let (symbol, timeframes) = (symbol.to_owned(), "1m,day".to_owned());
    NewRequest { symbol, days_to_backfill: days, from: None, to: None, timeframes, priority: 0 }
}

pub fn claimed(id: i64, symbol: &str) -> ClaimedRequest {
    ClaimedRequest { held: Held { id, token: 1 }, request: asks(symbol, 30), retry_count: 0 }
}

/// A request of which nothing is done yet.
pub fn open(id: i64, symbol: &str, dates: RangeInclusive<Date>) -> Open {
    let symbol = Symbol::from_ticker(symbol).unwrap();
    let claimed = claimed(id, symbol.as_str());
    let timeframes = claimed.request.timeframes.parse().unwrap();
    Open::new(claimed, Wish { symbol, dates, timeframes }, Instant::now(), NOW.parse().unwrap())
}

/// A row of the queue.
#[derive(Debug, Clone)]
pub struct Row {
    pub request: NewRequest,
    pub status: RequestStatus,
    pub outcome: Option<RequestOutcome>,
    pub message: Option<String>,
    pub retry_count: u32,
    pub pause: Option<Duration>,
    pub owner: Option<String>,
    lease_until: Option<Instant>,
    token: i64,
    /// Every count of days done that was shown.
    pub shown: Vec<u32>,
}

/// Everything there is.
#[derive(Debug)]
pub struct State {
    pub rows: Vec<Row>,
    pub states: BTreeMap<(Dataset, Date), DayState>,
    /// Days of which symbols have bars.
    pub bars: BTreeSet<(Symbol, Date)>,
    /// Symbols of the files.
    pub listed: BTreeSet<String>,
    /// What becomes of days whose files cannot be loaded.
    pub bad_days: BTreeMap<Date, Outcome>,
    /// Why files, or the API, cannot be asked.
    pub files: Option<LoadFailure>,
    pub api: Option<LoadFailure>,
    /// Symbols that the API has; it refuses what is older than this.
    pub api_has: BTreeSet<String>,
    pub api_from: Date,
    /// How long a load takes.
    pub takes: Duration,
    /// Whether the database answers.
    pub is_down: bool,
    /// Symbols of which nothing that is stored can be read, and whether nothing can be read but the queue.
    pub unreadable: BTreeSet<String>,
    pub is_closed: bool,
    /// How often the queue was looked at.
    pub looks: u32,
    /// Every file that was read, and every stretch of symbols the API was asked for.
    pub reads: Vec<(Dataset, Date)>,
    pub asked: Vec<(String, RangeInclusive<Date>)>,
    pub events: Vec<Event>,
}

/// The world of a test. Clones share it.
#[derive(Debug, Clone)]
pub struct World(Arc<Mutex<State>>);

impl World {
    pub fn new() -> Self {
        let listed = ["A", "B", "C", "X:BTCUSD"].map(str::to_owned);
        Self(Arc::new(Mutex::new(State {
            rows: Vec::new(),
            states: BTreeMap::new(),
            bars: BTreeSet::new(),
            listed: listed.into(),
            bad_days: BTreeMap::new(),
            files: None,
            api: Some(LoadFailure { message: "no key".to_owned(), may_pass: false, is_unset: false }),
            api_has: BTreeSet::new(),
            api_from: date(2003, 1, 1),
            takes: Duration::ZERO,
            is_down: false,
            unreadable: BTreeSet::new(),
            is_closed: false,
            looks: 0,
            reads: Vec::new(),
            asked: Vec::new(),
            events: Vec::new(),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn add(&self, request: NewRequest) {
        self.state().rows.push(Row {
            request,
            status: RequestStatus::Pending,
            outcome: None,
            message: None,
            retry_count: 0,
            pause: None,
            owner: None,
            lease_until: None,
            token: 0,
            shown: Vec::new(),
        });
    }

    pub fn outcomes(&self) -> Vec<Option<RequestOutcome>> {
        self.state().rows.iter().map(|row| row.outcome).collect()
    }

    pub fn notes(&self) -> Vec<String> {
        let notes = |event: &Event| if let Event::Note(note) = event { Some(note.clone()) } else { None };
        self.state().events.iter().filter_map(notes).collect()
    }

    fn answer<T>(&self, what: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let mut state = self.state();
        if state.is_down {
            return Err(StoreError::Unreachable { database: "fake".to_owned(), detail: "down".to_owned() });
        }
        Ok(what(&mut state))
    }
}

impl Workplace for World {
    type Store = Self;

    async fn store(&self) -> Result<Self, StoreError> {
        if self.answer(|state| state.is_closed && state.looks > 0)? {
            return Err(StoreError::Foreign { database: "fake".to_owned(), reason: "no more connections".to_owned() });
        }
        Ok(self.clone())
    }

    fn reporter(&self) -> Arc<dyn Reporter> {
        Arc::new(SilentReporter)
    }

    fn loads(&self, reporter: Arc<dyn Reporter>, stop: CancellationToken) -> impl Loads {
        FakeLoads { world: self.clone(), reporter, stop }
    }

    async fn hear(&self, event: Event) {
        self.state().events.push(event);
    }
}

impl QueueWatching for World {
    type Watch = Self;

    fn queue_watch(&self) -> Self {
        self.clone()
    }
}

impl QueueWatch for World {
    async fn wait(&mut self, longest: Duration) {
        tokio::time::sleep(longest.min(Duration::from_millis(5))).await;
    }
}

impl Row {
    fn is_held(&self, held: &Held) -> bool {
        self.status == RequestStatus::Processing && self.token == held.token
    }
}

impl State {
    /// Ends all leases.
    pub fn expire(&mut self) {
        self.rows.iter_mut().for_each(|row| row.lease_until = None);
    }

    fn row(&mut self, held: &Held) -> Option<&mut Row> {
        self.rows.get_mut(held.id as usize).filter(|row| row.is_held(held))
    }
}

impl Queue for World {
    async fn enqueue(&mut self, _: &[NewRequest]) -> Result<u64, StoreError> {
        unreachable!("a processor adds nothing")
    }

    async fn rescue_requests(&mut self, _: &str) -> Result<u64, StoreError> {
        self.answer(|state| {
            let now = Instant::now();
            let is_over = |row: &&mut Row| {
                row.status == RequestStatus::Processing && row.lease_until.is_none_or(|until| until < now)
            };
            let mut rescued = 0;
            for row in state.rows.iter_mut().filter(is_over) {
                row.status = RequestStatus::Pending;
                row.retry_count += 1;
                rescued += 1;
            }
            rescued
        })
    }

    async fn claim_requests(
        &mut self,
        owner: &str,
        lease: Duration,
        _: u32,
    ) -> Result<Vec<ClaimedRequest>, StoreError> {
        self.answer(|state| {
            state.looks += 1;
            let now = Instant::now();
            let mut claimed = Vec::new();
            for (id, row) in state.rows.iter_mut().enumerate() {
                if row.status != RequestStatus::Pending || row.pause.is_some() {
                    continue;
                }
                row.status = RequestStatus::Processing;
                row.owner = Some(owner.to_owned());
                row.lease_until = Some(now + lease);
                row.token += 1;
                let held = Held { id: id as i64, token: row.token };
                claimed.push(ClaimedRequest { held, request: row.request.clone(), retry_count: row.retry_count });
            }
            claimed
        })
    }

    async fn renew_requests(&mut self, held: &[Held], lease: Duration) -> Result<Vec<Held>, StoreError> {
        self.answer(|state| {
            let mut still = Vec::new();
            for held in held {
                if let Some(row) = state.row(held) {
                    row.lease_until = Some(Instant::now() + lease);
                    still.push(*held);
                }
            }
            still
        })
    }

    async fn note_progress(&mut self, progress: &[RequestProgress]) -> Result<(), StoreError> {
        self.answer(|state| {
            for progress in progress {
                if let Some(row) = state.row(&progress.held) {
                    row.shown.push(progress.days_done);
                }
            }
        })
    }

    async fn end_requests(&mut self, ends: &[(Held, RequestEnd)]) -> Result<Vec<Held>, StoreError> {
        self.answer(|state| {
            let mut still = Vec::new();
            for (held, end) in ends {
                let Some(row) = state.row(held) else { continue };
                still.push(*held);
                row.status = RequestStatus::Pending;
                row.owner = None;
                match end.clone() {
                    RequestEnd::Ended { outcome, message } => {
                        (row.status, row.outcome, row.message) = (outcome.status(), Some(outcome), message);
                    }
                    RequestEnd::Retry { pause, message, counts } => {
                        row.retry_count += u32::from(counts);
                        (row.pause, row.message) = (Some(pause), Some(message));
                        if counts && row.retry_count >= MOST_RETRIES {
                            (row.status, row.outcome) = (RequestStatus::Failed, Some(RequestOutcome::Dead));
                        }
                    }
                    RequestEnd::GivenBack => {}
                }
            }
            still
        })
    }

    async fn requests(&mut self, _: Option<&str>, _: u32) -> Result<Vec<QueuedRequest>, StoreError> {
        unreachable!("a processor shows nothing")
    }

    async fn dead_requests(&mut self) -> Result<(u64, Vec<QueuedRequest>), StoreError> {
        unreachable!("a processor tells nobody")
    }

    async fn queue_depth(&mut self) -> Result<QueueDepth, StoreError> {
        unreachable!("a processor does not look without claiming")
    }

    async fn retry_requests(&mut self, _: Option<&[i64]>) -> Result<u64, StoreError> {
        unreachable!("that is for people")
    }

    async fn prune_requests(&mut self, _: Duration) -> Result<u64, StoreError> {
        self.answer(|_| 0)
    }
}

impl Ledger for World {
    async fn day_states(
        &mut self,
        _: Dataset,
        _: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        unreachable!("everybody's days are not read for one symbol")
    }

    async fn symbol_states(
        &mut self,
        symbol: &Symbol,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        let dataset = symbol.dataset();
        if self.answer(|state| state.unreadable.contains(symbol.as_str()))? {
            return Err(StoreError::Unknown(format!("`?` as a timeframe of {symbol}")));
        }
        self.answer(|state| {
            let days = state.states.range((dataset, *range.start())..=(dataset, *range.end()));
            days.map(|((_, date), state)| (*date, state.clone())).collect()
        })
    }

    async fn record_attempt(&mut self, _: Dataset, _: Date, _: FileKind, _: &Attempt) -> Result<(), StoreError> {
        unreachable!("loading does that")
    }

    async fn record_same_content(
        &mut self,
        _: Dataset,
        _: Date,
        _: FileKind,
        _: &FileVersion,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        unreachable!("loading does that")
    }

    async fn restatements(&mut self, _: RangeInclusive<Date>) -> Result<Vec<Restatement>, StoreError> {
        unreachable!("not asked for")
    }

    async fn load_rate(&mut self, _: bool) -> Result<Option<LoadRate>, StoreError> {
        unreachable!("not asked for")
    }

    async fn record_load_rate(&mut self, _: bool, _: LoadRate) -> Result<(), StoreError> {
        unreachable!("loading does that")
    }
}

impl BarReader for World {
    async fn bars(&mut self, _: &str, _: Timeframe, _: RangeInclusive<i64>) -> Result<Vec<StoredBar>, StoreError> {
        unreachable!("not asked for")
    }

    async fn known(&mut self, _: &[Symbol]) -> Result<BTreeSet<Symbol>, StoreError> {
        unreachable!("not asked for")
    }

    async fn has_bars(
        &mut self,
        symbol: &Symbol,
        _: TimeframeSet,
        dates: RangeInclusive<Date>,
    ) -> Result<bool, StoreError> {
        self.answer(|state| state.bars.iter().any(|(of, date)| of == symbol && dates.contains(date)))
    }

    async fn series(&mut self, _: Option<&[Symbol]>) -> Result<Vec<SeriesStatus>, StoreError> {
        unreachable!("not asked for")
    }
}

struct FakeLoads {
    world: World,
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
}

impl FakeLoads {
    async fn work(&self) {
        let takes = self.world.state().takes;
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(takes) => {}
        }
    }
}

fn is_missing(timeframes: TimeframeSet, state: &DayState, symbol: &str) -> bool {
    !timeframes.minus(state.covered(symbol)).is_empty()
}

impl Loads for FakeLoads {
    async fn from_files(&mut self, requests: Vec<Request>) -> Ended<RunReport> {
        let mut report = RunReport::default();
        if let Some(failure) = self.world.state().files.clone() {
            return Ended { report, failure: Some(failure) };
        }
        for request in requests {
            for date in dates(&request.range).filter(|date| request.dataset.expectation(*date) == Expectation::Due) {
                if !self.stop.is_cancelled() {
                    self.work().await;
                }
                if self.stop.is_cancelled() {
                    report.interrupted = true;
                    return Ended { report, failure: None };
                }
                let mut world = self.world.state();
                let bad = world.bad_days.get(&date).copied();
                let bad = bad.or((file_due_at(date) > request.now).then_some(Outcome::NotDue));
                let mut day = DayReport::new(request.dataset, date, bad.unwrap_or(Outcome::Loaded));
                if bad.is_none() {
                    let (listed, mut bars) = (world.listed.clone(), BTreeSet::new());
                    let state = world.states.entry((request.dataset, date)).or_default();
                    let wanted = request.symbols.clone().unwrap_or_default();
                    let missing: Vec<String> =
                        wanted.into_iter().filter(|symbol| is_missing(request.timeframes, state, symbol)).collect();
                    for symbol in &missing {
                        let timeframes = state.named.entry(symbol.clone()).or_default();
                        *timeframes = timeframes.union(request.timeframes);
                        if listed.contains(symbol) {
                            bars.insert((Symbol::from_ticker(symbol).unwrap(), date));
                        } else {
                            day.absent_symbols.push(symbol.clone());
                        }
                    }
                    world.bars.extend(bars);
                    if missing.is_empty() {
                        day.outcome = Outcome::Unchanged;
                    } else {
                        world.reads.push((request.dataset, date));
                    }
                }
                drop(world);
                self.reporter.day_done(&day);
                report.days.push(day);
            }
        }
        Ended { report, failure: None }
    }

    async fn by_requests(&mut self, wishes: Vec<RestWish>) -> Ended<RestReport> {
        let mut report = RestReport::default();
        if let Some(failure) = self.world.state().api.clone() {
            return Ended { report, failure: Some(failure) };
        }
        self.work().await;
        let mut world = self.world.state();
        for RestWish { asked, symbols } in wishes {
            for symbol in symbols {
                world.asked.push((symbol.to_string(), asked.range.clone()));
                let has = world.api_has.contains(symbol.as_str());
                for date in dates(&asked.range).filter(|date| asked.dataset.expectation(*date) == Expectation::Due) {
                    let day = |outcome| SymbolDayReport::new(asked.dataset, symbol.as_str(), date, outcome, None);
                    if date < world.api_from {
                        report.days.push(day(Outcome::NotEntitled));
                        continue;
                    }
                    if has {
                        world.bars.insert((symbol.clone(), date));
                    }
                    let state = world.states.entry((asked.dataset, date)).or_default();
                    let outcome = if has { Outcome::Loaded } else { Outcome::Empty };
                    state.rest.insert(
                        symbol.to_string(),
                        RestState {
                            timeframes: asked.timeframes,
                            bars: u64::from(has),
                            is_provisional: false,
                            exact_vwap: TimeframeSet::EMPTY,
                            fetched_at: Some(asked.now),
                            outcome,
                            detail: None,
                            attempted_at: asked.now,
                        },
                    );
                    report.days.push(day(outcome));
                }
            }
        }
        Ended { report, failure: None }
    }
}
