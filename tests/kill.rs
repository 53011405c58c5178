//! Killed at any moment and run again, a load ends in the same table.
//!
//! `BARKEEP_KILLS=200` kills so often; `BARKEEP_KILL_SEED=2` at other moments.
#![cfg(feature = "sandbox")]
#![allow(clippy::print_stdout, reason = "tells how many kills landed where")]

mod harness;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use barkeep::model::Dataset;
use harness::{Dump, Place, Vendor, make, query, ran};

/// Every session of thirty calendar days, every symbol.
const LINE: &str = "s3 --days=30 --all --json";
const SIGKILL: i32 = 9;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Where files come from: half of the runs read a folder, half of them a bucket through a cold cache.
enum From<'a> {
    Folder(&'a Path),
    Bucket(&'a Vendor),
}

impl From<'_> {
    fn command(&self, place: &Place) -> Command {
        let mut command = match self {
            Self::Folder(folder) => {
                place.customer("http://127.0.0.1:9", &format!("{LINE} --source={}", folder.display()))
            }
            Self::Bucket(vendor) => place.customer(&vendor.url(), LINE),
        };
        // Days that a killed process has claimed are free again in a moment, so that every kill meets one at work.
        command.env("BARKEEP_LEASE_SECONDS", "0.05");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// An undisturbed run.
struct Calm {
    dump: Dump,
    bars_by_day: BTreeMap<String, String>,
    lasts: Duration,
}

impl Calm {
    fn of(from: &From<'_>) -> Self {
        let place = Place::new();
        let began = Instant::now();
        ran(&mut from.command(&place)).ended(0);
        let lasts = began.elapsed();
        Self { dump: place.dump(), bars_by_day: bars_by_day(&place.database()), lasts }
    }
}

fn bars_by_day(database: &Path) -> BTreeMap<String, String> {
    let sql = "SELECT session_date || ' ' || count(*) FROM historical_bars GROUP BY session_date";
    let split = |row: String| row.split_once(' ').map(|(day, bars)| (day.to_owned(), bars.to_owned())).unwrap();
    query(database, sql).into_iter().map(split).collect()
}

/// What a kill left, looked at in a copy: to open the database itself would repair it. The visible days must be whole.
fn phase(place: &Place, calm: &Calm) -> &'static str {
    let copy = tempfile::tempdir().unwrap();
    let database = copy.path().join("copy.db");
    if fs::copy(place.database(), &database).is_err() {
        return "before the database was made";
    }
    let mut log = place.database().into_os_string();
    log.push("-wal");
    // There is no log before the first write.
    let _ = fs::copy(log, copy.path().join("copy.db-wal"));
    assert_eq!(query(&database, "PRAGMA integrity_check"), ["ok"]);
    if query(&database, "SELECT name FROM sqlite_schema WHERE name = 'historical_bars'").is_empty() {
        return "while the tables were made";
    }
    let days = bars_by_day(&database);
    for (day, bars) in &days {
        assert_eq!(calm.bars_by_day.get(day), Some(bars), "half of {day} is visible");
    }
    let ledger = query(&database, "SELECT DISTINCT session_date FROM ingest_ledger WHERE etag IS NOT NULL ORDER BY 1");
    assert_eq!(days.keys().collect::<Vec<_>>(), ledger.iter().collect::<Vec<_>>(), "bars and ledger");
    match days.len() {
        0 => "before the first day",
        some if some < calm.bars_by_day.len() => "between days and in their midst",
        _ => "after the last day",
    }
}

#[test]
fn a_killed_load_ends_in_the_same_table() {
    let bucket = tempfile::tempdir().unwrap();
    make(bucket.path(), &[Dataset::Stocks], "2026-09-01", "2026-10-02");
    let vendor = Vendor::serve(bucket.path());
    let sources = [From::Folder(bucket.path()), From::Bucket(&vendor)];
    let calm = sources.each_ref().map(Calm::of);
    assert_eq!(calm[0].bars_by_day, calm[1].bars_by_day);
    assert_eq!(calm[0].bars_by_day.len(), 21, "sessions");

    let (kills, mut rng) = (number("BARKEEP_KILLS", 12), fastrand::Rng::with_seed(number("BARKEEP_KILL_SEED", 1)));
    let (mut landed, mut chains, mut too_late) = (0, 0, 0);
    let mut phases: BTreeMap<&str, u32> = BTreeMap::new();
    let mut longest = 0;
    while landed < kills {
        let which = chains % 2;
        let (from, calm, place) = (&sources[which], &calm[which], Place::new());
        chains += 1;
        let chain = rng.u64(1..=6);
        let mut in_chain = 0;
        for kill in 0..chain.min(kills - landed) {
            // The tables are made in the first moments: too short a time to be met by chance.
            let span = if kill == 0 && chains % 3 == 0 { Duration::from_millis(40) } else { calm.lasts };
            let mut child = from.command(&place).spawn().unwrap();
            std::thread::sleep(span.mul_f64(rng.f64()));
            child.kill().unwrap();
            if child.wait().unwrap().signal() != Some(SIGKILL) {
                too_late += 1;
                break;
            }
            landed += 1;
            in_chain += 1;
            *phases.entry(phase(&place, calm)).or_default() += 1;
        }
        longest = longest.max(in_chain);
        ran(&mut from.command(&place)).ended(0);
        assert_eq!(query(&place.database(), "PRAGMA integrity_check"), ["ok"]);
        place.dump().assert_same(&calm.dump);
    }
    let lasts = calm.map(|calm| calm.lasts);
    println!("{landed} kills in {chains} chains of up to {longest}, {too_late} came too late; runs last {lasts:?}");
    for (phase, kills) in phases {
        println!("  {kills} {phase}");
    }
    assert!(landed >= kills);
}
