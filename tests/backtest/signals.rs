//! Signals from a file.

use std::fs;

use crate::{World, trades};

#[test]
fn signals_of_a_file_are_traded() {
    let world = World::filled();
    let text = "symbol,timestamp,side,stop,target\n\
                SPY,2026-10-01T10:15:00-04:00,long,0.5,1\n\
                AAPL,2026-10-01T11:00:00-04:00,short,0.5,1\n\
                SPY,2026-10-01T11:07:00-04:00,long,0.5,1\n";
    fs::write(world.path("mine.csv"), text).unwrap();
    let ran = world.run("--signals=mine.csv --signal-levels=percent --days=10 --no-fallback").ended(3);
    assert!(
        ran.err.contains("not traded: line 4, SPY: no bar of the signal timeframe ends at its timestamp"),
        "{}",
        ran.err
    );
    let report = world.report("backtest-results");
    let found = trades(&report);
    assert_eq!(found["mine.csv"].len(), 2);
    assert_eq!(report["config"]["signals"]["levels"], "percent");
    let bad = "symbol,timestamp,side\nSPY,2026-10-01T10:15:00-04:00,long\n";
    fs::write(world.path("bad.csv"), bad).unwrap();
    let ran = world.run("--signals=bad.csv --days=10 --no-fallback --output=bad").ended(2);
    assert!(ran.err.contains("line 2, stop: there is no stop"), "{}", ran.err);
    world.run("--signals=bad.csv --default-stop-atr=1 --days=10 --no-fallback --output=bad --quiet").ended(0);
}
