//! The study of a run: detectors and engine over symbols, each symbol alone, several at once.
//!
//! Symbols come one by one and are let go when they are done, so that memory holds those in flight and the trades. What is
//! found out is put together in the order of symbols: the same for any number of threads (B-60, B-67).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::detectors::{Checks, Configured, Factors};
use super::engine::{self, RandomControl};
use super::signals_file::{self, BarFacts, SignalOptions, SignalRow, Unmatched, UnmatchedReason};
use super::snapshot::{self, Snapshot};
use super::{
    CostSettings, Counters, DetectorResult, DetectorRun, EngineSettings, FeatureSettings, FeatureStream, Features,
    Input, Regime, Signal, Status, Study, SymbolData, SymbolStatus, SymbolStudy, Trade, TradeRules,
};

/// What is run on every symbol.
#[derive(Debug)]
pub struct Setup {
    /// Where signals come from.
    pub source: Source,
    /// How they are filled.
    pub engine: EngineSettings,
    /// What trading costs.
    pub costs: CostSettings,
    /// Fewest signal bars of the period a symbol must have.
    pub min_bars: u64,
    /// Whether detectors run on classes they are not made for.
    pub ignore_asset_class: bool,
    /// Seed of the random control.
    pub seed: u64,
    /// Draws of the random control; 0: none.
    pub random_draws: u32,
}

/// Where signals come from.
#[derive(Debug)]
pub enum Source {
    /// Detectors, in the order of the report.
    Detectors(Vec<Configured>),
    /// A file.
    File(FileSignals),
}

/// Signals of a file.
#[derive(Debug)]
pub struct FileSignals {
    /// What results are called.
    pub name: &'static str,
    /// Its rows, by symbol, then by time.
    pub rows: Vec<SignalRow>,
    /// How they are read.
    pub options: SignalOptions,
}

impl FileSignals {
    fn of(&self, data: &SymbolData) -> &[SignalRow] {
        let symbol = &data.instrument.symbol;
        let from = self.rows.partition_point(|row| row.symbol < *symbol);
        let rows = &self.rows[from..];
        &rows[..rows.partition_point(|row| row.symbol == *symbol)]
    }

    /// Rows of symbols that were not studied.
    fn left(&self, study: &Study) -> impl Iterator<Item = Unmatched> {
        let symbols = study.results.iter().flat_map(|result| &result.symbols);
        let studied: BTreeSet<&str> = symbols.map(|status| &*status.symbol).collect();
        let left = self.rows.iter().filter(move |row| !studied.contains(row.symbol.as_str()));
        left.map(|row| Unmatched::new(row, UnmatchedReason::OtherSymbol))
    }
}

impl Source {
    /// The names of results, in the order of the report.
    pub fn names(&self) -> Vec<&'static str> {
        match self {
            Self::Detectors(detectors) => detectors.iter().map(|detector| detector.spec.id).collect(),
            Self::File(file) => vec![file.name],
        }
    }
}

/// What was found out, and which rows of a file of signals could not be traded.
#[derive(Debug, Clone, PartialEq)]
pub struct Studied<S> {
    /// What was found out.
    pub study: S,
    /// Those rows, by line; of a single symbol by time.
    pub unmatched: Vec<Unmatched>,
}

/// Studies symbols on so many threads; `done` hears of each as it is.
pub fn study(
    symbols: impl Iterator<Item = SymbolData> + Send,
    setup: &Setup,
    threads: usize,
    done: impl Fn(&SymbolStudy) + Sync,
) -> Studied<Study> {
    let next = Mutex::new(symbols.enumerate());
    let together = Mutex::new(Together::new(&setup.source.names()));
    let work = || {
        loop {
            let next = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((place, data)) = next else { break };
            let found = study_symbol(&data, setup);
            done(&found.study);
            together.lock().unwrap_or_else(PoisonError::into_inner).take(place, found);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let Studied { study, mut unmatched } = together.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    if let Source::File(file) = &setup.source {
        unmatched.extend(file.left(&study));
        unmatched.sort_unstable_by_key(|row| row.line);
    }
    Studied { study, unmatched }
}

/// Puts studies of symbols together in the order of symbols. One that comes before its turn waits.
struct Together {
    waiting: BTreeMap<usize, Studied<SymbolStudy>>,
    next: usize,
    unmatched: Vec<Unmatched>,
    results: Vec<DetectorResult>,
    snapshot: Snapshot,
    bars: u64,
}

impl Together {
    fn new(names: &[&'static str]) -> Self {
        let empty = |detector: &&'static str| DetectorResult {
            detector,
            trades: Vec::new(),
            counters: Counters::default(),
            symbols: Vec::new(),
            random_r: Vec::new(),
        };
        Self {
            waiting: BTreeMap::new(),
            next: 0,
            unmatched: Vec::new(),
            results: names.iter().map(empty).collect(),
            snapshot: Snapshot::default(),
            bars: 0,
        }
    }

    fn take(&mut self, place: usize, found: Studied<SymbolStudy>) {
        self.waiting.insert(place, found);
        while let Some(found) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.unmatched.extend(found.unmatched);
            self.add(found.study);
        }
    }

    fn add(&mut self, study: SymbolStudy) {
        self.snapshot.add(study.symbol.as_bytes());
        self.snapshot.add(&study.snapshot.to_le_bytes());
        self.bars += study.bars;
        for (result, run) in self.results.iter_mut().zip(study.runs) {
            result.counters.add(&run.counters);
            result.symbols.push(SymbolStatus {
                symbol: study.symbol.clone(),
                status: run.status,
                bars: run.counters.bars_total,
                missing: run.counters.not_evaluable,
            });
            result.trades.extend(run.trades);
            if result.random_r.is_empty() {
                result.random_r = run.random_r;
            } else {
                for (sum, r) in result.random_r.iter_mut().zip(run.random_r) {
                    *sum += r;
                }
            }
        }
    }

    fn finish(mut self) -> Studied<Study> {
        for result in &mut self.results {
            result.trades.sort_by(|a, b| {
                let by_score = || b.score.total_cmp(&a.score);
                a.signal_ms.cmp(&b.signal_ms).then_with(by_score).then_with(|| a.symbol.cmp(&b.symbol))
            });
        }
        let (snapshot, symbols) = (self.snapshot.finish(), self.next as u64);
        let study = Study { results: self.results, snapshot, symbols, bars: self.bars };
        Studied { study, unmatched: self.unmatched }
    }
}

/// What every detector, or the file of signals, of a run does on one symbol.
pub fn study_symbol(data: &SymbolData, setup: &Setup) -> Studied<SymbolStudy> {
    let bars = bars_of_the_period(data, setup);
    let (runs, unmatched) = match &setup.source {
        Source::Detectors(detectors) => (run_detectors(data, detectors, bars, setup), Vec::new()),
        Source::File(file) => {
            let (run, unmatched) = run_file(data, file, bars, setup);
            (vec![run], unmatched)
        }
    };
    let symbol = data.instrument.symbol.as_str().into();
    Studied { study: SymbolStudy { symbol, runs, snapshot: snapshot::of(data), bars }, unmatched }
}

/// Signal bars that may be traded after.
fn bars_of_the_period(data: &SymbolData, setup: &Setup) -> u64 {
    let Some(bars) = data.bars(data.timeframe) else { return 0 };
    let in_scope = |bar: &usize| setup.engine.session.admits(bars.hours[*bar]);
    (0..bars.len()).filter(in_scope).filter(|bar| data.tradable[bars.session[*bar] as usize]).count() as u64
}

/// Why a symbol is not looked at, if it is not; the class is each detector's own question.
fn gate(data: &SymbolData, bars: u64, min_bars: u64) -> Option<Status> {
    match bars {
        _ if !data.instrument.tradable => Some(Status::NotTradable),
        0 => Some(Status::NoData),
        _ if bars < min_bars => Some(Status::InsufficientData),
        _ => None,
    }
}

fn run_detectors(data: &SymbolData, detectors: &[Configured], bars: u64, setup: &Setup) -> Vec<DetectorRun> {
    let gate_of = |detector: &Configured| {
        let admitted = setup.ignore_asset_class || detector.spec.class.admits(data.instrument.class);
        match gate(data, bars, setup.min_bars) {
            Some(status @ Status::NotTradable) => Some(status),
            _ if !admitted => Some(Status::AssetClass),
            status => status,
        }
    };
    let mut runs: Vec<Option<DetectorRun>> =
        detectors.iter().map(|detector| gate_of(detector).map(|status| not_run(status, bars))).collect();
    while let Some(first) = runs.iter().position(Option::is_none) {
        // Detectors with the same settings share a stream of features.
        let settings = detectors[first].detector.features();
        let shares = |at: &usize| runs[*at].is_none() && detectors[*at].detector.features() == settings;
        let sharing: Vec<usize> = (first..runs.len()).filter(shares).collect();
        let mut watches: Vec<Watch> = sharing.iter().map(|at| Watch::new(&detectors[*at])).collect();
        let atr = watch(data, settings, setup, &mut watches);
        for (at, watch) in sharing.into_iter().zip(watches) {
            runs[at] = Some(watch.run(data, &atr, setup));
        }
    }
    runs.into_iter().flatten().collect()
}

fn run_file(data: &SymbolData, file: &FileSignals, bars: u64, setup: &Setup) -> (DetectorRun, Vec<Unmatched>) {
    let place =
        |facts: &BarFacts<'_>| signals_file::signals(data, file.of(data), &file.options, setup.engine.session, facts);
    // A file of a few signals on a short history is what somebody wants to see.
    if let Some(status) = gate(data, bars, 1) {
        // No row has a bar that facts would be looked up of.
        let none = BarFacts { atr: &[], regime: &[], atr_is_needed: false };
        return (not_run(status, bars), place(&none).unmatched);
    }
    let mut atr = vec![f64::NAN; data.signal_bars().len()];
    let mut regime: Vec<Option<Regime>> = vec![None; atr.len()];
    let mut stream = FeatureStream::new(data, FeatureSettings::default(), setup.engine.session);
    while let Some(features) = stream.next() {
        atr[features.bar] = features.atr.unwrap_or(f64::NAN);
        regime[features.bar] = features.regime.ok();
    }
    let facts = BarFacts { atr: &atr, regime: &regime, atr_is_needed: setup.costs.needs_atr() };
    let matched = place(&facts);
    let mut counters = Counters { bars_total: bars, bars_evaluable: bars, ..Counters::default() };
    let rules = signals_file::rules(setup.engine.hold_overnight);
    let (trades, random_r) = trade(data, file.name, &matched.signals, &rules, &atr, setup, &mut counters);
    (DetectorRun { status: Status::Evaluated, trades, counters, random_r }, matched.unmatched)
}

/// What is said of a detector that does not look at a symbol.
fn not_run(status: Status, bars: u64) -> DetectorRun {
    let counters = Counters { bars_total: bars, ..Counters::default() };
    DetectorRun { status, trades: Vec::new(), counters, random_r: Vec::new() }
}

/// Goes through the bars of a symbol and has detectors look at those of the period. ATR by bar; empty where nobody asks for it.
fn watch(data: &SymbolData, settings: FeatureSettings, setup: &Setup, watches: &mut [Watch<'_>]) -> Vec<f64> {
    let wants_atr = setup.random_draws > 0;
    let mut atr = vec![f64::NAN; if wants_atr { data.signal_bars().len() } else { 0 }];
    let mut stream = FeatureStream::new(data, settings, setup.engine.session);
    while let Some(features) = stream.next() {
        if let (true, Ok(known)) = (wants_atr, features.atr) {
            atr[features.bar] = known;
        }
        if data.tradable[features.session as usize] {
            for watch in &mut *watches {
                watch.look(features, setup.costs.needs_atr());
            }
        }
    }
    atr
}

/// A detector that looks at one bar after the other.
struct Watch<'a> {
    configured: &'a Configured,
    checks: Checks,
    signals: Vec<Signal>,
    looked: u64,
    missing: [u64; Input::ALL.len()],
}

impl<'a> Watch<'a> {
    fn new(configured: &'a Configured) -> Self {
        let missing = [0; Input::ALL.len()];
        Self { configured, checks: Checks::default(), signals: Vec::new(), looked: 0, missing }
    }

    fn look(&mut self, features: &Features, costs_need_atr: bool) {
        self.looked += 1;
        self.checks.reset();
        if costs_need_atr {
            self.checks.need(features.atr);
        }
        let found = signal(self.configured, features, &mut self.checks);
        if let Some(input) = self.checks.missing() {
            self.missing[input as usize] += 1;
        }
        self.signals.extend(found);
    }

    /// Trades what was found.
    fn run(self, data: &SymbolData, atr: &[f64], setup: &Setup) -> DetectorRun {
        let (spec, rules) = (self.configured.spec, self.configured.detector.rules());
        let missing: u64 = self.missing.iter().sum();
        let mut counters =
            Counters { bars_total: self.looked, bars_evaluable: self.looked - missing, ..Counters::default() };
        counters.not_evaluable = Input::ALL.into_iter().zip(self.missing).filter(|(_, bars)| *bars > 0).collect();
        let status = match (counters.bars_evaluable, missing) {
            (_, 0) => Status::Evaluated,
            (0, _) => Status::NotEvaluable(most_missing(self.missing)),
            _ => Status::Partial,
        };
        let (trades, random_r) = trade(data, spec.id, &self.signals, rules, atr, setup, &mut counters);
        DetectorRun { status, trades, counters, random_r }
    }
}

/// The input that most bars lack; of several the first.
fn most_missing(missing: [u64; Input::ALL.len()]) -> Input {
    let most = missing.iter().copied().max().unwrap_or_default();
    let place = missing.iter().position(|bars| *bars == most).unwrap_or_default();
    Input::ALL[place]
}

/// The signal of a detector at a bar, if its conditions are met.
pub(super) fn signal(configured: &Configured, features: &Features, checks: &mut Checks) -> Option<Signal> {
    let detector = &configured.detector;
    let side = detector.detect(features, checks).filter(|_| checks.all_met())?;
    Some(Signal {
        bar: features.bar,
        side,
        score: detector.score(features, side, &mut Factors::default()),
        plan: detector.exits(features, side),
        atr: features.atr.ok(),
        regime: features.regime.ok(),
        vix: features.vix.ok(),
        once: detector.once(features, side),
        quantity: None,
    })
}

fn trade(
    data: &SymbolData,
    name: &'static str,
    signals: &[Signal],
    rules: &TradeRules,
    atr: &[f64],
    setup: &Setup,
    counters: &mut Counters,
) -> (Vec<Trade>, Vec<f64>) {
    let trades = engine::trade(data, name, signals, rules, &setup.engine, &setup.costs, counters);
    if setup.random_draws == 0 {
        return (trades, Vec::new());
    }
    let control = RandomControl { signals, trades: &trades, atr, seed: setup.seed, draws: setup.random_draws };
    let random_r = engine::random_control(data, &control, rules, &setup.engine, &setup.costs);
    (trades, random_r)
}
