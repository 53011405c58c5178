//! Every fault there is a way to cause, against every store: whatever happened, the table ends as if nothing had.
//!
//! Each scenario runs once in `cargo test`, those of the vendor with one of the stores. `scripts/sweep` runs them again and
//! again, elsewhere each time, by these variables: `BARKEEP_SWEEP_MINUTES`, `BARKEEP_SWEEP_KILLS` (at least so many),
//! `BARKEEP_SWEEP_STORE`, `BARKEEP_SWEEP_SEED`, `BARKEEP_SWEEP_ONLY` (part of a scenario's name).
#![cfg(feature = "sandbox")]
#![allow(clippy::print_stdout, reason = "prints its table")]

mod crashes;
mod disk;
#[path = "../harness/mod.rs"]
mod harness;
mod judge;
mod network;
mod random;
mod server;
mod service;
mod user;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use judge::Wrong;
use user::{Bench, Store};

/// A fault and what must come of it. It panics where that is not what comes.
struct Scenario {
    name: String,
    /// Where it can happen.
    stores: Vec<Store>,
    /// Whether it has little to do with the store: where there is no time, one will do.
    any_store: bool,
    run: Box<Run>,
}

type Run = dyn Fn(&Turn<'_>, &mut fastrand::Rng, &mut Tally) + Sync;

impl Scenario {
    /// One that can happen with every store.
    fn new(name: impl Into<String>, run: impl Fn(&Turn<'_>, &mut fastrand::Rng, &mut Tally) + Sync + 'static) -> Self {
        Self::of(&Store::ALL, name, run)
    }

    /// One that can happen with some stores only.
    fn of(
        stores: &[Store],
        name: impl Into<String>,
        run: impl Fn(&Turn<'_>, &mut fastrand::Rng, &mut Tally) + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), stores: stores.to_vec(), any_store: false, run: Box::new(run) }
    }

    /// The same, where it has little to do with the store.
    fn with_any_store(self) -> Self {
        Self { any_store: true, ..self }
    }
}

/// One run of a scenario.
struct Turn<'a> {
    bench: &'a Bench,
    store: Store,
    /// How often the scenario ran before.
    round: u64,
}

/// What was done and what was found.
#[derive(Debug, Default)]
struct Tally {
    runs: u64,
    lasted: Duration,
    kills: u64,
    wrong: Wrong,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.lasted += other.lasted;
        self.kills += other.kills;
        self.wrong.add(&other.wrong);
        self.failures.extend(other.failures);
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Everything that is to be run, round by round, until time is up or there were enough kills.
struct Sweep {
    scenarios: Vec<Scenario>,
    /// A round: which scenario with which store.
    turns: Vec<(usize, Store)>,
    seed: u64,
    kills_wanted: u64,
    ends: Option<Instant>,
    next: AtomicUsize,
    tallies: Mutex<BTreeMap<(usize, Store), Tally>>,
}

impl Sweep {
    fn kills(&self) -> u64 {
        self.tallies.lock().unwrap().values().map(|tally| tally.kills).sum()
    }

    /// Whether a turn is still to be taken: all of the first round, more where there is time, none when time is up.
    fn goes_on(&self, turn: usize) -> bool {
        let in_first_round = turn < self.turns.len();
        match self.ends {
            None => in_first_round,
            Some(ends) => {
                let enough = self.kills_wanted > 0 && self.kills() >= self.kills_wanted;
                Instant::now() < ends && (in_first_round || !enough)
            }
        }
    }

    /// Takes turns until none is left.
    fn work(&self, bench: &Bench) {
        loop {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            if !self.goes_on(turn) {
                return;
            }
            let ((which, store), round) = (self.turns[turn % self.turns.len()], (turn / self.turns.len()) as u64);
            let scenario = &self.scenarios[which];
            let mut rng = fastrand::Rng::with_seed(self.seed ^ ((turn as u64) << 20));
            let taken = Turn { bench, store, round };
            let began = Instant::now();
            let mut tally = Tally { runs: 1, ..Tally::default() };
            let ran = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&taken, &mut rng, &mut tally)));
            if let Err(panic) = ran {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked");
                tally.failures.push(format!("{} on {store} in round {round}: {words}", scenario.name));
            }
            tally.lasted = began.elapsed();
            self.tallies.lock().unwrap().entry((which, store)).or_default().add(tally);
        }
    }

    /// Prints what was found; says whether all of it is as it must be.
    fn report(&self, lasted: Duration) -> bool {
        let tallies = self.tallies.lock().unwrap();
        let width = self.scenarios.iter().map(|scenario| scenario.name.chars().count()).max().unwrap_or(0);
        let row = |name: &str, store: &str, tally: &Tally| {
            let Wrong { lost, doubled, torn } = tally.wrong;
            let (runs, kills) = (tally.runs, tally.kills);
            let each = tally.lasted.as_secs_f64() / runs.max(1) as f64;
            println!(
                "{name:width$}  {store:8}  {runs:>5}  {each:>5.1}  {kills:>5}  {lost:>9}  {doubled:>12}  {torn:>9}"
            );
        };
        println!(
            "{:width$}  {:8}  {:>5}  {:>5}  {:>5}  {:>9}  {:>12}  {:>9}",
            "scenario", "store", "runs", "s", "kills", "lost days", "doubled rows", "torn days"
        );
        let mut all = Tally::default();
        for ((which, store), tally) in &*tallies {
            row(&self.scenarios[*which].name, &store.to_string(), tally);
            all.runs += tally.runs;
            all.lasted += tally.lasted;
            all.kills += tally.kills;
            all.wrong.add(&tally.wrong);
            all.failures.extend(tally.failures.iter().cloned());
        }
        row("all", "", &all);
        println!("{} scenarios, seed {}, {:.0} s", tallies.len(), self.seed, lasted.as_secs_f64());
        if tallies.len() < self.turns.len() {
            println!("NOT RUN: {} scenarios, for lack of time", self.turns.len() - tallies.len());
        }
        for failure in &all.failures {
            println!("FAILED: {failure}");
        }
        let enough = all.kills >= self.kills_wanted;
        if !enough {
            println!("FAILED: {} kills in the time given, not {}", all.kills, self.kills_wanted);
        }
        enough && all.failures.is_empty() && all.wrong == Wrong::default()
    }
}

#[test]
fn every_fault_ends_in_the_right_table() {
    let began = Instant::now();
    let minutes = number("BARKEEP_SWEEP_MINUTES", 0);
    let stores = Store::asked(&std::env::var("BARKEEP_SWEEP_STORE").unwrap_or_else(|_| "all".to_owned()));
    let only = std::env::var("BARKEEP_SWEEP_ONLY").unwrap_or_default();
    let mut scenarios: Vec<_> = service::scenarios().into_iter().map(Scenario::with_any_store).collect();
    scenarios.extend(crashes::scenarios());
    scenarios.extend(random::scenarios());
    scenarios.extend(disk::scenarios());
    scenarios.extend(network::scenarios());
    scenarios.extend(server::scenarios());
    scenarios.retain(|scenario| scenario.name.contains(&only));
    let of_scenario = |(which, scenario): (usize, &Scenario)| {
        let mut possible: Vec<_> = stores.iter().copied().filter(|store| scenario.stores.contains(store)).collect();
        if scenario.any_store && minutes == 0 && !possible.is_empty() {
            possible = vec![possible[which % possible.len()]];
        }
        possible.into_iter().map(move |store| (which, store)).collect::<Vec<_>>()
    };
    let turns: Vec<_> = scenarios.iter().enumerate().flat_map(of_scenario).collect();
    assert!(!turns.is_empty(), "no scenario has `{only}` in its name");
    let sweep = Sweep {
        scenarios,
        turns,
        seed: number("BARKEEP_SWEEP_SEED", 1),
        kills_wanted: number("BARKEEP_SWEEP_KILLS", 0),
        ends: (minutes > 0).then(|| began + Duration::from_secs(minutes * 60)),
        next: AtomicUsize::new(0),
        tallies: Mutex::default(),
    };
    let bench = Bench::new();
    // Loads wait more than they compute.
    let workers = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| sweep.work(&bench));
        }
    });
    assert!(sweep.report(began.elapsed()), "see the table");
}
