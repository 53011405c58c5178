//! Runs that are killed, and runs beside each other.

use std::process::Stdio;

use crate::harness::{Place, Vendor, finished, make};
use crate::{World, by_files};

#[test]
fn a_run_that_is_killed_again_and_again_loads_every_page_once() {
    for world in World::on_both() {
        // Small pages, so that there are some to be killed between.
        let vendor = Vendor::serve_with(&world.place.bucket(), |options| {
            options.faults = "REST times=all page-size:700\nREST times=all slow:400000".parse().unwrap();
        });
        let mut kills = 0;
        loop {
            let mut command = world.place.customer(&vendor.url(), &crate::spelled("rest BUSY DATES --rate=100/s"));
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(60 + 25 * kills));
            if kills < 10 && child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                continue;
            }
            finished(child).ended(0);
            break;
        }
        assert!(kills > 2, "it was done before it could be killed");
        assert_eq!(world.dump().without_vwap(), by_files(&world.place.bucket(), "BUSY DATES").without_vwap());
        world.run("verify").ended(0);
    }
}

#[test]
fn two_runs_at_once_keep_to_one_quota() {
    for world in World::on_both() {
        let vendor = Vendor::serve(&world.place.bucket());
        let start = |symbols: &str| {
            let line = crate::spelled(&format!("rest --symbols={symbols} DATES --rate=5/s --timeframes=day"));
            let mut command = world.place.customer(&vendor.url(), &line);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children = ["SPY,AAPL,QQQ,MSFT,NVDA,TSLA", "A,B,C,D,E,F"].map(start);
        for child in children {
            finished(child);
        }
        let counts = vendor.rest_counts();
        assert!(counts.total() >= 12, "{counts:?}");
        assert!(counts.most_in_1_s <= 5, "{counts:?}");
    }
}

#[test]
fn a_refusal_lowers_the_rate_for_everyone_and_is_remembered() {
    let place = Place::new();
    make(&place.bucket(), &[barkeep::model::Dataset::Stocks], "2026-10-02", "2026-10-02");
    let vendor = Vendor::serve_with(&place.bucket(), |options| {
        options.faults = "REST nth=3 status:429".parse().unwrap();
    });
    let line = "rest --symbols=SPY,AAPL,QQQ --from=2026-10-02 --to=2026-10-02";
    let mut command = place.customer(&vendor.url(), line);
    let err = place.path("err");
    let mut child = command.stdout(Stdio::null()).stderr(std::fs::File::create(&err).unwrap()).spawn().unwrap();
    // It would go on in a minute.
    crate::harness::wait_until("the refusal to be told", || {
        std::fs::read_to_string(&err).unwrap().contains("going on at 5/min after a minute")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let plan = place.against(&vendor, &format!("{line} --force --dry-run")).ended(0).out;
    assert!(plan.contains("5/min (learned from a refusal on"), "{plan}");
    let overruled = place.against(&vendor, &format!("{line} --rate=100/s --force --dry-run")).ended(0).out;
    assert!(overruled.contains(" at 100/s"), "{overruled}");
}

#[test]
fn a_run_that_is_told_to_stop_keeps_whole_days_and_can_go_on() {
    for (name, code, worlds) in [("INT", 130, vec![World::new()]), ("TERM", 143, World::on_both())] {
        for world in worlds {
            // The second page takes minutes.
            let vendor = Vendor::serve_with(&world.place.bucket(), |options| {
                options.faults = "REST times=all page-size:2000\nREST nth=2 slow:1000".parse().unwrap();
            });
            let line = crate::spelled("rest --symbol=SPY DATES --rate=100/s --json");
            let mut command = world.place.customer(&vendor.url(), &line);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            crate::harness::wait_until("the second page", || vendor.struck().last() == Some(&1));
            crate::harness::wait_until("the first page's days", || !world.dump().bars.is_empty());
            crate::harness::signal(&child, name);
            let ran = finished(child).ended(code);
            let loaded = ran.json()["totals"]["days_of_symbols"]["loaded"].as_u64().unwrap();
            assert_eq!(ran.json()["totals"]["interrupted"], true);
            let dump = world.dump();
            let dates: std::collections::BTreeSet<&str> =
                dump.bars.iter().map(|bar| bar.split('|').nth(12).unwrap()).collect();
            assert!(loaded > 0 && dates.len() as u64 == loaded, "{loaded} {dates:?}");
            world.run("verify").ended(0);
            let rest = world.run("rest --symbol=SPY DATES --json").ended(0);
            assert_eq!(rest.json()["totals"]["days_of_symbols"]["unchanged"], loaded);
            let whole = by_files(&world.place.bucket(), "--symbol=SPY DATES");
            assert_eq!(world.dump().without_vwap(), whole.without_vwap());
        }
    }
}
