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
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It would go on in a minute.
    crate::harness::wait_until("the refusal", || vendor.struck() == [1]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    child.kill().unwrap();
    let said = finished(child).err;
    assert!(said.contains("going on at 5/min after a minute"), "{said}");
    let plan = place.against(&vendor, &format!("{line} --force --dry-run")).ended(0).out;
    assert!(plan.contains("5/min (learned from a refusal on"), "{plan}");
    let overruled = place.against(&vendor, &format!("{line} --rate=100/s --force --dry-run")).ended(0).out;
    assert!(overruled.contains(" at 100/s"), "{overruled}");
}
