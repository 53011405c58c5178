//! Files and requests in any order, held against a naive model: which of them a series of a day came from in the end.

use std::collections::{BTreeMap, BTreeSet};

use barkeep::model::Dataset;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{Place, Schema, Vendor, id, make, make_with};
use crate::publish;

const DAYS: [&str; 2] = ["2026-10-01", "2026-10-02"];
const SYMBOLS: [&str; 3] = ["AAPL", "QQQ", "SPY"];
const TIMEFRAMES: [&str; 6] = ["1m", "5m", "15m", "1h", "4h", "day"];

/// What a user types.
#[derive(Debug, Clone)]
enum Step {
    /// `s3`; for everyone if no symbol is named.
    Files { of: Of, force: bool },
    /// `rest`.
    Requests { of: Of, force: bool, exact: bool },
    /// `hybrid --exact-vwap`.
    Both { of: Of },
    /// The vendor replaces all files by the other version.
    Restate,
}

/// What it is asked for.
#[derive(Debug, Clone)]
struct Of {
    symbols: BTreeSet<&'static str>,
    timeframes: BTreeSet<&'static str>,
    days: &'static [&'static str],
}

impl Of {
    fn words(&self) -> String {
        let list = |set: &BTreeSet<&str>| set.iter().copied().collect::<Vec<_>>().join(",");
        let symbols =
            if self.symbols.is_empty() { "--all".to_owned() } else { format!("--symbols={}", list(&self.symbols)) };
        let (from, to) = (self.days[0], self.days[self.days.len() - 1]);
        format!("{symbols} --timeframes={} --from={from} --to={to}", list(&self.timeframes))
    }
}

fn of(fewest_symbols: usize) -> impl Strategy<Value = Of> {
    let symbols = prop::sample::subsequence(SYMBOLS.to_vec(), fewest_symbols..=2);
    let timeframes = prop::sample::subsequence(TIMEFRAMES.to_vec(), 1..=4);
    let days = prop::sample::select(vec![&DAYS[..1], &DAYS[1..], &DAYS[..], &DAYS[..]]);
    (symbols, timeframes, days).prop_map(|(symbols, timeframes, days)| Of {
        symbols: symbols.into_iter().collect(),
        timeframes: timeframes.into_iter().collect(),
        days,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let rarely = || prop::bool::weighted(0.2);
    prop_oneof![
        4 => (of(0), rarely()).prop_map(|(of, force)| Step::Files { of, force }),
        5 => (of(1), rarely(), any::<bool>()).prop_map(|(of, force, exact)| Step::Requests { of, force, exact }),
        2 => of(1).prop_map(|of| Step::Both { of }),
        1 => Just(Step::Restate),
    ]
}

/// Bars by symbol, timeframe and start.
type Bars = BTreeMap<(String, String, i64), Vec<String>>;

/// A version of the files, and what a database has that was filled from nothing but one source.
struct Version {
    vendor: Vendor,
    by_files: Bars,
    by_requests: Bars,
}

impl Version {
    fn new(place: &Place, is_replaced: bool) -> Self {
        make(&place.bucket(), &[Dataset::Stocks], DAYS[0], DAYS[1]);
        if is_replaced {
            make_with(&place.bucket(), DAYS[0], DAYS[1], |defects| defects.replaced.extend(DAYS.map(id)));
        }
        publish(&place.bucket());
        let vendor = Vendor::serve(&place.bucket());
        let filled = |line: &str| {
            let place = Place::new();
            let dates = format!("--timeframes={} --from={} --to={}", TIMEFRAMES.join(","), DAYS[0], DAYS[1]);
            place.against(&vendor, &format!("{line} {dates}")).ended(0);
            bars(&place)
        };
        let by_files = filled("s3 --all --no-official-day");
        let by_requests = filled(&format!("rest --symbols={}", SYMBOLS.join(",")));
        Self { vendor, by_files, by_requests }
    }
}

fn bars(place: &Place) -> Bars {
    let fields = place.dump().bars.into_iter().map(|bar| bar.split('|').map(str::to_owned).collect::<Vec<_>>());
    fields.map(|bar| ((bar[0].clone(), bar[1].clone(), bar[2].parse().unwrap()), bar)).collect()
}

type Set = BTreeSet<&'static str>;

/// What is stored of a day.
#[derive(Debug, Clone, Default)]
struct Day {
    /// The version of the file that is loaded.
    file: Option<usize>,
    everyone: Set,
    named: BTreeMap<&'static str, Set>,
    /// What requests brought, and of which version each series is.
    rest: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
    /// The versions from which VWAPs of files' series were made exact, one after the other.
    exact: BTreeMap<(&'static str, &'static str), Vec<usize>>,
}

impl Day {
    fn of_files(&self, symbol: &str) -> Set {
        let named = self.named.get(symbol).cloned().unwrap_or_default();
        self.everyone.union(&named).copied().collect()
    }

    /// A file takes the place of all that requests have brought of a symbol.
    fn take_over(&mut self, symbol: &'static str) {
        let brought = self.rest.remove(symbol).unwrap_or_default();
        self.named.entry(symbol).or_default().extend(brought.into_keys());
    }

    fn files(&mut self, of: &Of, force: bool, version: usize) {
        let all = of.symbols.is_empty();
        let is_restated = self.file.is_some_and(|file| file != version);
        let again = is_restated || force && all && self.file.is_some();
        let is_new_for_everyone = all && !of.timeframes.is_subset(&self.everyone);
        for symbol in SYMBOLS {
            let is_asked = all || of.symbols.contains(symbol);
            let lacks: Set = of.timeframes.difference(&self.of_files(symbol)).copied().collect();
            let has_them = self.rest.get(symbol).is_some_and(|rest| lacks.iter().any(|one| rest.contains_key(one)));
            if again || is_new_for_everyone || is_asked && (force || has_them) {
                self.take_over(symbol);
            }
            if again || is_asked && force {
                self.exact.retain(|(other, _), _| *other != symbol);
            }
            if is_asked && !all {
                self.named.entry(symbol).or_default().extend(lacks);
            }
        }
        if all {
            self.everyone.extend(&of.timeframes);
        }
        self.file = Some(version);
    }

    fn requests(&mut self, of: &Of, force: bool, exact: bool, version: usize) {
        for symbol in of.symbols.iter().copied() {
            let files = self.of_files(symbol);
            let (by_file, free): (Set, Set) = of.timeframes.iter().copied().partition(|one| files.contains(one));
            let brought = self.rest.entry(symbol).or_default();
            let lacks = free.iter().any(|one| force || !brought.contains_key(one));
            let estimated = by_file.iter().any(|one| force || !self.exact.contains_key(&(symbol, *one)));
            if lacks || exact && estimated {
                // All that requests have brought is of one moment.
                brought.extend(free.into_iter().map(|one| (one, version)));
                for of in brought.values_mut() {
                    *of = version;
                }
                for one in by_file.into_iter().filter(|_| exact) {
                    self.exact.entry((symbol, one)).or_default().push(version);
                }
            }
        }
    }

    /// Files that were replaced are loaded again first, and bring what is lacking; then all VWAPs are made exact.
    fn both(&mut self, of: &Of, version: usize) {
        if self.file.is_some_and(|file| file != version) {
            self.files(of, false, version);
        }
        self.requests(of, false, true, version);
    }

    fn expected(&self, date: &str, versions: &[Version]) -> Bars {
        let mut expected = Bars::new();
        let of_date = |(_, bar): &(&(String, String, i64), &Vec<String>)| bar[12] == date;
        for (key, bar) in self.file.iter().flat_map(|file| versions[*file].by_files.iter().filter(of_date)) {
            let (symbol, timeframe) = (key.0.as_str(), key.1.as_str());
            if !self.of_files(symbol).contains(timeframe) {
                continue;
            }
            let mut bar = bar.clone();
            for version in self.exact.iter().filter(|(series, _)| **series == (symbol, timeframe)).flat_map(|(_, v)| v)
            {
                let exact = versions[*version].by_requests.get(key);
                if let Some(exact) = exact.filter(|exact| (&exact[7], &exact[9]) == (&bar[7], &bar[9])) {
                    (bar[8], bar[11]) = (exact[8].clone(), exact[11].clone());
                }
            }
            expected.insert(key.clone(), bar);
        }
        for (symbol, series) in &self.rest {
            for (timeframe, version) in series {
                let of_series = versions[*version].by_requests.iter().filter(of_date);
                let of_series = of_series.filter(|(key, _)| (key.0.as_str(), key.1.as_str()) == (symbol, timeframe));
                expected.extend(of_series.map(|(key, bar)| (key.clone(), bar.clone())));
            }
        }
        expected
    }
}

#[track_caller]
fn assert_same(found: &Bars, expected: &Bars, what: &str) {
    let differing = |one: &Bars, other: &Bars| -> Vec<String> {
        let differing = one.iter().filter(|(key, bar)| other.get(*key) != Some(*bar));
        differing.take(3).map(|(_, bar)| bar.join("|")).collect()
    };
    assert!(
        found == expected,
        "after {what}: {} bars instead of {}\nfound {:#?}\nexpected {:#?}",
        found.len(),
        expected.len(),
        differing(found, expected),
        differing(expected, found)
    );
}

fn follow(place: &Place, versions: &[Version], steps: &[Step]) {
    let mut days: BTreeMap<&str, Day> = DAYS.into_iter().map(|date| (date, Day::default())).collect();
    let mut version = 0;
    for (at, step) in steps.iter().enumerate() {
        let words = |flag: bool, word: &'static str| if flag { word } else { "" };
        let line = match step {
            Step::Restate => {
                version = 1 - version;
                continue;
            }
            Step::Files { of, force } => {
                of.days.iter().for_each(|date| days.get_mut(date).unwrap().files(of, *force, version));
                format!("s3 --no-official-day {} {}", of.words(), words(*force, "--force"))
            }
            Step::Requests { of, force, exact } => {
                of.days.iter().for_each(|date| days.get_mut(date).unwrap().requests(of, *force, *exact, version));
                format!("rest {} {} {}", of.words(), words(*force, "--force"), words(*exact, "--exact-vwap"))
            }
            Step::Both { of } => {
                of.days.iter().for_each(|date| days.get_mut(date).unwrap().both(of, version));
                format!("hybrid --no-official-day --exact-vwap {}", of.words())
            }
        };
        place.against(&versions[version].vendor, &line).ended(0);
        let what = format!("{:#?}", &steps[..=at]);
        let expected: Bars = days.iter().flat_map(|(date, day)| day.expected(date, versions)).collect();
        assert_same(&bars(place), &expected, &what);
        let verified = place.against(&versions[version].vendor, "verify");
        assert!(verified.code == 0, "after {what}: {verified:?}");
    }
    let everything = Of { symbols: BTreeSet::new(), timeframes: TIMEFRAMES.into(), days: &DAYS };
    place.against(&versions[version].vendor, &format!("s3 --no-official-day {} --force", everything.words())).ended(0);
    assert_same(&bars(place), &versions[version].by_files, &format!("{steps:#?} and everything by files"));
    place.against(&versions[version].vendor, "verify").ended(0);
}

#[test]
fn whatever_was_loaded_before_each_series_has_one_source_and_all_of_its_bars() {
    let buckets = [Place::new(), Place::new()];
    let versions = [Version::new(&buckets[0], false), Version::new(&buckets[1], true)];
    assert_ne!(versions[0].by_files, versions[1].by_files);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3);
    for is_postgres in [false, true] {
        let mut runner =
            TestRunner::new(Config { cases, max_shrink_iters: 60, failure_persistence: None, ..Config::default() });
        let ran = runner.run(&prop::collection::vec(step(), 3..7), |steps| {
            let place = match is_postgres.then(Schema::new) {
                None => Place::new(),
                Some(Some(schema)) => Place::on(schema),
                Some(None) => return Ok(()),
            };
            follow(&place, &versions, &steps);
            Ok(())
        });
        if let Err(error) = ran {
            panic!("{error}");
        }
    }
}
