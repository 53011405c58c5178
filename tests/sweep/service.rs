//! Everything the vendor's service can do wrong, to small downloads and to downloads in parts.

use std::collections::{BTreeMap, BTreeSet};

use barkeep::sandbox::Script;

use super::harness::{Vendor, days, ran};
use super::user::{Files, From, RESTATED, User};
use super::{Scenario, Tally, Turn};

/// What becomes of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It ends as if nothing had been.
    Outlived,
    /// It ends with the files published meanwhile.
    Restated,
    /// A day is left out or incomplete: this is its outcome, in these words. All others are loaded.
    Gap(&'static str, &'static str),
    /// It ends for a cause that concerns every day, named in these words.
    Ends(&'static str),
}
use Then::{Ends, Gap, Outlived, Restated};

/// Bytes of a part, where downloads come in parts: a minute file has five.
const PART_SIZE: u64 = 20_000;

/// The same for downloads of both kinds. `AT` stands for a place in the body or object, `DAY` for the minute file of one day,
/// `DIR` for the files published meanwhile.
const CASES: &[(&str, &str, Then)] = &[
    ("listing: 503", "LIST times=2 slow-down", Outlived),
    ("listing: 503 and how long to wait", "LIST slow-down:1", Outlived),
    ("listing: 500", "LIST times=3 internal-error", Outlived),
    ("listing: reset", "LIST times=2 reset:300", Outlived),
    ("listing: cut short", "LIST times=2 short:700", Outlived),
    ("listing: stall", "LIST stall:100", Outlived),
    ("listing: last pages first", "LIST times=all reorder:2", Outlived),
    ("listing: clock off", "LIST times=all clock-skew", Ends("clock is off")),
    ("object: 503", "GET times=4 slow-down", Outlived),
    ("object: 503 and how long to wait", "GET nth=2 times=2 slow-down:1", Outlived),
    ("object: 500", "GET times=5 internal-error", Outlived),
    ("object: 500 for good", "GET DAY times=all internal-error", Gap("failed", "given up after")),
    ("object: reset before the first byte", "GET times=3 reset:0", Outlived),
    ("object: reset", "GET key=*minute* times=4 reset:AT", Outlived),
    ("object: cut short", "GET key=*minute* times=4 short:AT", Outlived),
    ("object: cut short for good", "GET DAY times=all short:0", Gap("failed", "given up after")),
    ("object: stall", "GET key=*minute* times=2 stall:AT", Outlived),
    ("object: 200 to a range", "GET ranged times=3 whole\nGET key=*minute* times=3 reset:AT", Outlived),
    ("object: another ETag", "GET DAY other-etag", Outlived),
    ("object: another ETag for good", "GET DAY times=all other-etag", Gap("failed", "was replaced")),
    ("object: a wrong byte", "GET DAY times=all flip:AT", Gap("damaged", "2026-09-30.csv.gz: ")),
    (
        "object: a wrong byte of the day file",
        "GET key=*day_aggs*2026-09-30* flip:200",
        Gap("loaded", "no official day"),
    ),
    ("object: gone", "GET DAY times=all vanish", Gap("missing", "is not there")),
    ("object: clock off", "GET nth=4 times=all clock-skew", Ends("clock is off")),
];

/// Files published again: at once, or between two parts of the older ones.
const REPUBLISHED: [(&str, &str, u64); 2] =
    [("object: published again", "small", 1), ("object: published again between parts", "parts", 3)];

pub fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (size, part_size) in [("small", None), ("parts", Some(PART_SIZE))] {
        for (name, script, then) in CASES {
            // Listings are the same whatever the size of a part.
            if name.starts_with("listing") && part_size.is_some() {
                continue;
            }
            let disturb = move |turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally| {
                let at = if turn.round == 0 { 7000 } else { rng.u64(1..PART_SIZE) };
                let script = script.replace("AT", &at.to_string()).replace("DAY", "key=*minute*2026-09-30*");
                disturbed(&script, *then, part_size, turn, tally);
            };
            scenarios.push(Scenario::new(format!("{name}, {size}"), disturb));
        }
        scenarios.push(Scenario::new(format!("object: wrong bytes everywhere, {size}"), move |turn, rng, tally| {
            wrong_bytes(part_size, turn, rng, tally);
        }));
    }
    for (name, size, nth) in REPUBLISHED {
        scenarios.push(Scenario::new(format!("{name}, {size}"), move |turn, _, tally| {
            let folder = turn.bench.folder(Files::Restated);
            let rule = |date| format!("GET key=*minute*{date}* nth={nth} republish:{}", folder.display());
            let part_size = (nth > 1).then_some(PART_SIZE);
            disturbed(&RESTATED.map(rule).join("\n"), Restated, part_size, turn, tally);
        }));
    }
    scenarios
}

/// How long the service is waited for, in milliseconds.
const PATIENCE_MS: &str = "1500";

/// Loads a week while a script of faults runs; then again without one.
fn disturbed(script: &str, then: Then, part_size: Option<u64>, turn: &Turn<'_>, tally: &mut Tally) {
    let (bench, user) = (turn.bench, User::new(turn.store));
    let folder = bench.folder(Files::Week);
    let faults: Script = script.parse().unwrap();
    let vendor = Vendor::serve_with(&folder, |options| options.faults = faults);
    let mut command = user.load(&vendor, &folder, Files::Week, From::Bucket);
    command.env("BARKEEP_PATIENCE_MS", PATIENCE_MS).envs(part_size.map(|size| ("BARKEEP_PART_SIZE", size.to_string())));
    let ended = ran(&mut command);
    let struck = vendor.struck();
    assert!(struck.iter().all(|times| *times > 0), "struck {struck:?} times: {script}");

    let files = if then == Restated { Files::Restated } else { Files::Week };
    let calm = bench.calm(turn.store, files, From::Bucket);
    match then {
        Outlived | Restated => {
            assert_eq!(ended.ended(0).days(), days(&[("loaded", 5)]));
            tally.wrong.add(&user.expect(&calm.dump));
        }
        Gap(outcome, words) => {
            let ended = ended.ended(3);
            let expected =
                if outcome == "loaded" { days(&[("loaded", 5)]) } else { days(&[(outcome, 1), ("loaded", 4)]) };
            assert_eq!(ended.days(), expected);
            assert!(ended.out.contains(words), "{words}: {}", ended.out);
            // A day file may lack; no other half is seen.
            let without = bench.calm(turn.store, Files::OnlyMinutes, From::Bucket);
            tally.wrong.add(&user.judge(&[&calm.dump, &without.dump]));
        }
        Ends(words) => {
            let ended = ended.ended(1);
            assert!(ended.err.contains(words), "{words}: {}", ended.err);
            tally.wrong.add(&user.judge(&[&calm.dump]));
        }
    }
    tally.wrong.add(&user.finish(bench, files, From::Bucket));
}

/// Every day's file has one wrong byte, each at another place: in the head, the data or the checksum of its gzip stream.
/// Such a day is damaged, or the byte meant nothing; never is it another day than it should be.
fn wrong_bytes(part_size: Option<u64>, turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user) = (turn.bench, User::new(turn.store));
    let folder = bench.folder(Files::Month);
    let calm = bench.calm(turn.store, Files::Month, From::Bucket);
    let sessions: BTreeSet<_> = calm.dump.versions.iter().map(|line| line.split('|').nth(1).unwrap()).collect();
    let dates: BTreeMap<_, _> = sessions.into_iter().zip(places(turn.round, rng)).collect();
    assert_eq!(dates.len(), 21);
    let rules: Vec<_> =
        dates.iter().map(|(date, place)| format!("GET key=*minute*{date}* times=all flip:{place}")).collect();
    let vendor = Vendor::serve_with(&folder, |options| options.faults = rules.join("\n").parse().unwrap());
    let mut command = user.load(&vendor, &folder, Files::Month, From::Bucket);
    let ran = ran(command.envs(part_size.map(|size| ("BARKEEP_PART_SIZE", size.to_string()))));
    assert!(vendor.struck().iter().all(|times| *times > 0), "{:?}", vendor.struck());
    let outcomes = ran.json()["days"].clone();
    for day in outcomes.as_array().unwrap() {
        let (date, outcome) = (day["date"].as_str().unwrap(), day["outcome"].as_str().unwrap());
        let place: i64 = dates[date];
        // Time, flags for extra speed and system in the head mean nothing; nor may the last bits of the last byte of data.
        let is_covered = !(4..10).contains(&place) && place != -9;
        let fits = outcome == "damaged" || (outcome == "loaded" && !is_covered);
        assert!(fits, "{date} is {outcome} with a wrong byte at {place}");
    }
    tally.wrong.add(&user.judge(&[&calm.dump]));
    tally.wrong.add(&user.finish(bench, Files::Month, From::Bucket));
}

/// A place for each session of the month: at first all of the head and of the end, and some between; later any.
fn places(round: u64, rng: &mut fastrand::Rng) -> Vec<i64> {
    let edges = (0..=10).chain(-9..=-1);
    if round == 0 { edges.chain([30_000]).collect() } else { (0..21).map(|_| rng.i64(10..90_000)).collect() }
}
