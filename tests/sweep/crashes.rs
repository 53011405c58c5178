//! Loads that kill themselves at every named place, again and again until they get past it.

use barkeep::crash::POINTS;

use super::harness::Vendor;
use super::user::{Files, From, User, start, was_killed};
use super::{Scenario, Tally, Turn};

/// Kills in a row of one load, at most: a load that is always killed before its first day gets nowhere. The first round is
/// short.
const LONGEST_CHAIN: u64 = 6;
const LONGEST_FIRST_CHAIN: u64 = 2;

/// What is loaded while the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// A week into a new database.
    New,
    /// A week whose first version is loaded already.
    Again,
    /// A week whose files were packed again with the same content since they were loaded.
    Repacked,
    /// A week of which one file is not there at first.
    Refused,
    /// A day that is written in several batches.
    Large,
}

pub fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    // These places are not on the way of files.
    let of_others = ["rest-", "chain-", "notify-", "nightly-", "queue-"];
    for point in POINTS.into_iter().filter(|point| !of_others.iter().any(|other| point.starts_with(other))) {
        let loads: &[(Load, &str)] = match point {
            "attempt-unrecorded" | "attempt-recorded" => &[(Load::Refused, "a day refused")],
            "day-begun"
            | "day-replaced"
            | "day-decoded"
            | "restatements-written"
            | "coverage-written"
            | "ledger-written"
            | "day-committed" => &[(Load::New, "new"), (Load::Again, "replaced")],
            "sameness-unrecorded" | "sameness-recorded" => &[(Load::Repacked, "packed again")],
            "bars-written" => &[(Load::New, "new"), (Load::Again, "replaced"), (Load::Large, "large")],
            _ => &[(Load::New, "new")],
        };
        for (load, word) in loads {
            let load = *load;
            scenarios.push(Scenario::new(format!("crash at {point}, {word}"), move |turn, rng, tally| {
                crash_chain(point, load, turn, rng, tally);
            }));
        }
    }
    scenarios
}

/// How often a load comes by a place, at least.
fn passages(point: &str, load: Load) -> u64 {
    const ONCE: [&str; 9] = [
        "migration-begun",
        "migrations-run",
        "migrated",
        "listed",
        "planned",
        "attempt-unrecorded",
        "attempt-recorded",
        "rate-unrecorded",
        "rate-recorded",
    ];
    match load {
        _ if ONCE.contains(&point) => 1,
        Load::New | Load::Refused => 5,
        Load::Again | Load::Repacked => 2,
        Load::Large => 4,
    }
}

fn crash_chain(point: &str, load: Load, turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user) = (turn.bench, User::new(turn.store));
    let (before, files) = match load {
        Load::New | Load::Refused => (None, Files::Week),
        Load::Again => (Some(Files::Week), Files::Restated),
        Load::Repacked => (Some(Files::Week), Files::Repacked),
        Load::Large => (None, Files::Large),
    };
    if let Some(before) = before {
        tally.wrong.add(&user.finish(bench, before, From::Bucket));
    }
    let calm = bench.calm(turn.store, files, From::Bucket);
    let changes = before.map(|_| bench.changes(turn.store, files));
    let calm_before = before.map(|before| bench.calm(turn.store, before, From::Bucket));
    let mut allowed = vec![&calm.dump];
    allowed.extend(calm_before.as_ref().map(|calm| &calm.dump));
    let folder = bench.folder(files);
    let vendor = Vendor::serve_with(&folder, |options| {
        if load == Load::Refused {
            options.faults = "GET key=*minute*2026-09-30* times=all vanish".parse().unwrap();
        }
    });
    let longest = if turn.round == 0 { LONGEST_FIRST_CHAIN } else { LONGEST_CHAIN };
    for kill in 0..longest {
        // At first each place is met the first and the second time; later anywhere.
        let nth = if turn.round == 0 { 1 + kill % 2 } else { rng.u64(1..=passages(point, load)) };
        let mut command = user.load(&vendor, &folder, files, From::Bucket);
        if !was_killed(&mut start(command.env("BARKEEP_CRASH_AT", format!("{point}:{nth}")))) {
            break;
        }
        tally.kills += 1;
        tally.wrong.add(&user.judge(&allowed));
    }
    assert!(tally.kills > 0, "nothing died at {point}");
    tally.wrong.add(&user.finish(bench, files, From::Bucket));
    assert!(changes.is_none_or(|changes| changes == user.restatements()), "{:?}", user.restatements());
}
