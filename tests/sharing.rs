//! Several processes that were asked for the same days, on one database.
#![cfg(feature = "sandbox")]

mod harness;

use std::path::PathBuf;
use std::process::{Child, Stdio};

use barkeep::model::Dataset;
use harness::{Place, Ran, Vendor, days, finished, make, query, wait_until};

/// Nineteen sessions of two files each.
const LINE: &str = "s3 --days=25 --all --downloads=3 --json";
const FILES: u64 = 38;

/// Seconds that a lease lasts which ends on no machine, however busy, before it is renewed.
const LASTING: u32 = 60;

/// A place with its own bucket, and the table that one undisturbed process makes of it.
fn places() -> (Place, Place) {
    let (place, single) = (Place::new(), Place::new());
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-08", "2026-10-02");
    let vendor = Vendor::serve(&place.bucket());
    single.against(&vendor, LINE).ended(0);
    assert_eq!(vendor.counts().get, FILES);
    (place, single)
}

/// A vendor that takes some hundred milliseconds for a file, so that processes started together meet.
fn slow(place: &Place) -> Vendor {
    Vendor::serve_with(&place.bucket(), |options| options.faults = "GET times=all slow:100000".parse().unwrap())
}

/// A process on a machine of its own, as far as its cache goes, whose leases last so long.
fn start(place: &Place, vendor: &Vendor, cache: &str, lease_seconds: u32) -> Child {
    let mut command = place.customer(&vendor.url(), LINE);
    command.env("BARKEEP_CACHE_DIR", place.path(cache)).env("BARKEEP_LEASE_SECONDS", lease_seconds.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn loaded(ran: &Ran) -> u64 {
    ran.days().get("loaded").copied().unwrap_or_default()
}

#[test]
fn two_processes_fetch_and_load_each_day_once() {
    let (place, single) = places();
    let vendor = slow(&place);
    let both = ["a", "b"].map(|cache| start(&place, &vendor, cache, LASTING)).map(|child| finished(child).ended(0));
    assert_eq!(vendor.counts().get, FILES, "every file is fetched by one of them");
    let [a, b] = both.each_ref().map(loaded);
    assert_eq!(a + b, 19);
    assert!(a > 0 && b > 0, "{a} and {b}");
    for ran in &both {
        let json = ran.json();
        let rows = json["days"].as_array().unwrap();
        assert_eq!(rows.len(), 19);
        let theirs = rows.iter().filter(|day| day["outcome"] == "unchanged");
        assert!(theirs.into_iter().all(|day| day["notes"] == serde_json::json!(["another process loaded it"])));
    }
    place.dump().assert_same(&single.dump());
    assert_eq!(query(&place.database(), "PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn the_days_of_a_killed_process_are_finished_by_another() {
    let (place, single) = places();
    let vendor = slow(&place);
    let mut killed = start(&place, &vendor, "a", 2);
    // Each of its downloads holds a day.
    wait_until("some days to be held", || vendor.counts().get >= 3);
    let other = start(&place, &vendor, "b", LASTING);
    let before = vendor.counts().get;
    wait_until("the other to be at work", || vendor.counts().get > before);
    killed.kill().unwrap();
    killed.wait().unwrap();
    finished(other).ended(0);
    assert!(vendor.counts().get > FILES, "what the killed one was fetching is fetched again");
    place.dump().assert_same(&single.dump());
    let again = place.against(&vendor, LINE).ended(0);
    assert_eq!(again.days(), days(&[("unchanged", 19)]));
}

#[test]
fn a_dry_run_claims_nothing() {
    let (place, _) = places();
    let vendor = Vendor::serve(&place.bucket());
    place.against(&vendor, "s3 --days=3 --symbol=SPY --json").ended(0);
    let files = || {
        let entries = std::fs::read_dir(place.database().parent().unwrap()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    // Whoever closes a database last copies its log, so that who only looks has nothing to copy.
    assert_eq!(query(&place.database(), "PRAGMA integrity_check"), ["ok"]);
    let before = files();
    place.against(&vendor, "s3 --days=25 --all --dry-run --json").ended(0);
    let after = files();
    let names = |files: &[(Vec<u8>, PathBuf)]| files.iter().map(|(_, path)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "it leaves no log behind");
    assert!(after == before);
}

/// It printed nothing at all to stdout.
#[test]
fn a_run_that_fails_while_it_is_planned_prints_its_object() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-10-01", "2026-10-02");
    let vendor = Vendor::serve(&place.bucket());
    let typed = |line: &str| {
        harness::ran(place.customer(&vendor.url(), line).env("MASSIVE_S3_SECRET_ACCESS_KEY", "wrong")).ended(1)
    };
    for line in ["s3 --days=2 --symbol=SPY --json", "s3 --days=2 --symbol=SPY --dry-run --json"] {
        let json = typed(line).json();
        assert_eq!(
            (&json["command"], &json["exit_code"], &json["days"]),
            (&"s3".into(), &1.into(), &serde_json::json!([]))
        );
        assert_eq!(json["settings"]["selections"][0]["symbols"], serde_json::json!(["SPY"]));
    }
    assert_eq!(typed("s3 --days=2 --symbol=SPY").out, "", "people are told the reason, and no table of no days");
}
