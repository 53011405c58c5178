//! Runs that meet, and runs that were killed. On SQLite: the lock is a note, which is the same on both databases, and weeks with a
//! killed run are on both in `year`.

use std::process::{Child, Stdio};

use crate::harness::{Place, finished, ran, signal, wait_until};
use crate::world::{World, incidents};

const FROM: &str = "2026-09-21";
const TO: &str = "2026-10-02";

#[test]
fn a_second_run_leaves_the_work_to_the_first() {
    let world = World::new(Place::new(), FROM, TO);
    let first = waiting(&world);
    wait_until("the first has begun", || !world.query("SELECT run_id FROM ingest_runs").is_empty());
    let second = world.run("nightly").ended(0);
    assert_eq!(second.out, "nightly: another nightly run is alive: it does the work\n");
    let second = world.run("nightly --if-running=fail").ended(1);
    assert!(second.err.contains("error: another nightly run is alive"), "{}", second.err);
    assert_eq!(world.query("SELECT run_id FROM ingest_runs").len(), 1, "who does nothing has no record");
    let other = world.run("nightly --all --wait-until=off --lookback=1 --json").ended(0).json();
    assert_eq!(other["totals"]["already_running"], serde_json::Value::Null, "it does other work");
    let killed = "previous_run_killed".to_owned();
    assert!(!incidents(&other["totals"]).contains(&killed), "the first is alive, and another's");
    signal(&first, "TERM");
    finished(first).ended(143);
    world.at("2026-10-02T12:30:00Z").night("--lookback=2").ended(0);
}

#[test]
fn a_run_goes_on_where_another_was_killed() {
    let world = World::new(Place::new(), FROM, TO);
    for (minute, point) in [(30, "day-committed"), (31, "coverage-written:2")] {
        let mut killed = world.command("nightly --lookback=4");
        world.at(&format!("2026-10-02T12:{minute}:00Z"));
        let killed = ran(killed.env("BARKEEP_CRASH_AT", point));
        assert_eq!(killed.code, -1, "{killed:?}");
    }
    let after = world.at("2026-10-02T12:32:00Z").night("--lookback=4").ended(0);
    assert!(after.err.contains("looking whether it is alive"), "{}", after.err);
    assert_eq!(incidents(&after.json()["totals"]), ["previous_run_killed", "previous_run_killed"]);
    world.dump().assert_same_bars(&world.fresh("2026-09-25", "2026-10-01"));
    let after = world.at("2026-10-02T12:33:00Z").night("--lookback=4").ended(0);
    assert_eq!(incidents(&after.json()["totals"]), [""; 0], "told once");
}

#[test]
fn a_run_whose_lock_was_taken_over_stops() {
    let world = World::new(Place::new(), FROM, TO);
    let runs = |count: usize| world.query("SELECT run_id FROM ingest_runs").len() == count;
    let slept = waiting(&world);
    wait_until("the first has begun", || runs(1));
    signal(&slept, "STOP");
    let other = waiting(&world);
    wait_until("the second has begun", || runs(2));
    signal(&slept, "CONT");
    let slept = finished(slept).ended(1);
    assert!(slept.err.contains("error: another nightly run has taken over"), "{}", slept.err);
    signal(&other, "TERM");
    finished(other).ended(143);
}

/// A run that waits for a file in real time, which does not pass as that of a simulation.
fn waiting(world: &World) -> Child {
    let mut command = world.at("2026-10-02T01:30:00Z").command("nightly --lookback=2");
    command.env_remove("BARKEEP_CLOCK").env("BARKEEP_NOW", "2026-10-02T01:30:00Z");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}
