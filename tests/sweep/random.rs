//! Loads that are killed at any moment.

use std::time::Duration;

use super::harness::Vendor;
use super::user::{Files, From, User, start, was_killed};
use super::{Scenario, Tally, Turn};

/// Kills in a row of one load, at most. The first round is short.
const LONGEST_CHAIN: u64 = 6;
const LONGEST_FIRST_CHAIN: u64 = 2;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("kill at any moment, from a folder", |turn, rng, tally| {
            kill_chain(None, Files::Month, From::Folder, turn, rng, tally);
        }),
        Scenario::new("kill at any moment, from a bucket", |turn, rng, tally| {
            kill_chain(None, Files::Month, From::Bucket, turn, rng, tally);
        }),
        Scenario::new("kill at any moment, replacing", |turn, rng, tally| {
            kill_chain(Some(Files::Week), Files::Restated, From::Bucket, turn, rng, tally);
        }),
        Scenario::new("kill at any moment, a large day", |turn, rng, tally| {
            kill_chain(None, Files::Large, From::Folder, turn, rng, tally);
        }),
        Scenario::new("kill in the first moments", first_moments),
        Scenario::new("kill one of two", kill_one_of_two),
    ]
}

fn kill_chain(
    before: Option<Files>,
    files: Files,
    from: From,
    turn: &Turn<'_>,
    rng: &mut fastrand::Rng,
    tally: &mut Tally,
) {
    let (bench, user) = (turn.bench, User::new(turn.store));
    if let Some(before) = before {
        tally.wrong.add(&user.finish(bench, before, from));
    }
    let calm = bench.calm(turn.store, files, from);
    let calm_before = before.map(|before| bench.calm(turn.store, before, from));
    let mut allowed = vec![&calm.dump];
    allowed.extend(calm_before.as_ref().map(|calm| &calm.dump));
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let longest = if turn.round == 0 { LONGEST_FIRST_CHAIN } else { LONGEST_CHAIN };
    // Where most days are loaded already, a load is short.
    let lasts = if before.is_some() { calm.lasted.mul_f64(0.6) } else { calm.lasted };
    for _ in 0..rng.u64(1..=longest) {
        let mut child = start(&mut user.load(&vendor, &folder, files, from));
        std::thread::sleep(lasts.mul_f64(rng.f64()));
        child.kill().unwrap();
        if !was_killed(&mut child) {
            break;
        }
        tally.kills += 1;
        tally.wrong.add(&user.judge(&allowed));
    }
    tally.wrong.add(&user.finish(bench, files, from));
    let changes = before.map(|_| bench.changes(turn.store, files));
    assert!(changes.is_none_or(|changes| changes == user.restatements()), "{:?}", user.restatements());
}

/// The tables are made in the first moments: too short a time to be met by chance.
fn first_moments(turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Week);
    let calm = bench.calm(turn.store, files, From::Folder);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    for _ in 0..3 {
        let mut child = start(&mut user.load(&vendor, &folder, files, From::Folder));
        std::thread::sleep(Duration::from_millis(40).mul_f64(rng.f64()));
        child.kill().unwrap();
        tally.kills += u64::from(was_killed(&mut child));
        tally.wrong.add(&user.judge(&[&calm.dump]));
    }
    tally.wrong.add(&user.finish(bench, files, From::Folder));
}

/// The other one goes on and ends well.
fn kill_one_of_two(turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Month);
    let calm = bench.calm(turn.store, files, From::Folder);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let mut doomed = start(&mut user.load(&vendor, &folder, files, From::Folder));
    let mut other = start(&mut user.load(&vendor, &folder, files, From::Folder));
    std::thread::sleep(calm.lasted.mul_f64(rng.f64()));
    doomed.kill().unwrap();
    tally.kills += u64::from(was_killed(&mut doomed));
    assert_eq!(other.wait().unwrap().code(), Some(0), "the other one ends well");
    tally.wrong.add(&user.judge(&[&calm.dump]));
    tally.wrong.add(&user.finish(bench, files, From::Folder));
}
