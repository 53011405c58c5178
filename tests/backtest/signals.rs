//! Signals from a file.

use std::fs;

use serde_json::Value;

use crate::{World, names, trades};

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

/// Rows that were not traded were dropped without a word where their symbol was not run or had no bars, and reports named none.
#[test]
fn no_row_of_a_file_is_dropped() {
    let world = World::filled();
    let day = "2026-10-01T10:15:00-04:00,long,0.5";
    let text = format!(
        "symbol,timestamp,side,stop\nNOPE,{day}\nSPY,{day}\nSPY,2026-10-01T10:30:00-04:00,long,0.5\nI:VIX,{day}\n\
         SPY,2026-01-05T10:15:00-05:00,long,0.5\nSPY,2026-10-01T08:00:00-04:00,long,0.5\n"
    );
    fs::write(world.path("mine.csv"), text).unwrap();
    let line = "--signals=mine.csv --signal-levels=percent --days=10 --no-fallback";
    let ran = world.run(line).ended(3);
    for said in [
        "not traded: line 2, NOPE: there are no bars of its symbol in its session",
        "not traded: line 5, I:VIX: no positions are taken",
        "not traded: line 6, SPY: its session is outside the run's period",
        "not traded: line 7, SPY: its timestamp lies outside regular hours",
    ] {
        assert!(ran.err.contains(said), "{said}\n{}", ran.err);
    }
    let accounted = |report: &Value, of: u64| {
        let listed = report["data"]["unmatchedSignals"].as_array().unwrap().len() as u64;
        assert_eq!(report["counters"]["signals"].as_u64().unwrap() + listed, of);
        assert!(report["labels"].as_array().unwrap().contains(&"signals not traded".into()));
    };
    accounted(&world.report("backtest-results"), 6);
    let page = names(&world.path("backtest-results")).into_iter().find(|name| name.contains(".html")).unwrap();
    let page = fs::read_to_string(world.path("backtest-results").join(page)).unwrap();
    assert!(page.contains(r#""unmatchedSignals":[{"line":2,"symbol":"NOPE","reason":"there are no bars"#));

    // Symbols that are named leave rows out, with no session missing.
    let ran = world.run(&format!("{line} --symbol=AAPL --output=other")).ended(3);
    assert!(ran.err.contains("not traded: line 3, SPY: its symbol is not among those of the run"), "{}", ran.err);
    accounted(&world.report("other"), 6);
}
