//! `--exact-vwap`: the vendor's VWAPs for bars that came from files.

use std::collections::BTreeSet;

use serde_json::json;

use crate::World;

#[test]
fn estimates_become_exact_and_nothing_else_changes() {
    for world in World::on_both() {
        world.run("s3 BUSY --no-official-day DATES").ended(0);
        let before = world.dump();
        assert!(before.bars.iter().all(|bar| bar.contains("|estimate|")));
        let ran = world.run("hybrid BUSY --no-official-day DATES --exact-vwap --json").ended(0);
        let after = world.dump();
        assert_eq!(after.without_vwap(), before.without_vwap());
        assert!(after.bars.iter().all(|bar| bar.contains("|vendor|")));
        assert_eq!(ran.json()["totals"]["rest"]["vwaps_made_exact"], after.bars.len());
        assert_eq!((&after.ledger, &after.coverage), (&before.ledger, &before.coverage), "they are still of files");
        world.run("verify").ended(0);
        let fetched = World::new();
        fetched.run("rest BUSY DATES").ended(0);
        fetched.dump().assert_same_bars(&after);
        let requests = world.requests();
        let again = world.run("hybrid BUSY --no-official-day --from=2026-09-21 --to=2026-10-02 --exact-vwap --json");
        assert_eq!(again.ended(0).json()["totals"]["rest"]["requests"], json!(0));
        assert_eq!(world.requests(), requests);
    }
}

#[test]
fn a_bar_that_differs_keeps_its_estimate() {
    let world = World::new();
    // The file lacks rows that requests have, so that some bars of its last symbol differ.
    crate::harness::make_with(&world.place.bucket(), "2026-10-02", "2026-10-02", |defects| {
        defects.row_cut.insert(crate::harness::id("2026-10-02"), 0.55);
    });
    world.run("s3 --all --timeframes=1h,day --no-official-day --accept --from=2026-10-02 --to=2026-10-02").ended(0);
    let symbols: BTreeSet<String> =
        world.dump().bars.iter().map(|bar| bar.split('|').next().unwrap().to_owned()).collect();
    let symbols = symbols.into_iter().collect::<Vec<_>>().join(",");
    let line =
        format!("rest --symbols={symbols} --timeframes=1h,day --exact-vwap --from=2026-10-02 --to=2026-10-02 --json");
    let ran = world.run(&line).ended(0);
    let totals = &ran.json()["totals"];
    let (exact, left) =
        (totals["vwaps_made_exact"].as_u64().unwrap(), totals["vwaps_left_estimated"].as_u64().unwrap());
    let dump = world.dump();
    let with = |method: &str| dump.bars_with(method).len() as u64;
    assert_eq!((with("|vendor|"), with("|estimate|")), (exact, left));
    assert!(exact > left && left > 0, "{exact} {left}: the cut goes through a bar");
}

#[test]
fn a_file_that_brings_further_bars_leaves_exact_vwaps_known() {
    for world in World::on_both() {
        let dates = "--from=2026-10-01 --to=2026-10-02";
        world.run(&format!("s3 --symbol=SPY --no-official-day --timeframes=1h {dates}")).ended(0);
        world.run(&format!("rest --symbol=SPY --exact-vwap --timeframes=5m,1h {dates}")).ended(0);
        let before = world.dump();
        world.run(&format!("s3 --symbol=SPY --no-official-day --timeframes=5m {dates}")).ended(0);
        let after = world.dump();
        let hours = |dump: &crate::harness::Dump| -> Vec<String> {
            dump.bars.iter().filter(|bar| bar.starts_with("SPY|1h|")).cloned().collect()
        };
        assert_eq!(hours(&after), hours(&before));
        assert!(hours(&after).iter().all(|bar| bar.contains("|vendor|")));
        world.run("verify").ended(0);
        let again = world.run(&format!("rest --symbol=SPY --exact-vwap --timeframes=1h {dates} --json")).ended(0);
        assert_eq!(again.json()["totals"]["requests"], json!(0));
    }
}
