//! Runs over what is stored.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Vendor, finished, ran, signal};
use crate::{DAYS, Made, World, names, trades};

/// B-09: without a word of symbols, those that are stored.
#[test]
fn all_detectors_run_over_what_is_stored() {
    let world = World::filled();
    let ran = world.run(&format!("{DAYS} --no-fallback")).ended(0);
    for said in ["breakout_bullish", "not evaluable: open interest", "No result is to be expected", "page ", "signals:"]
    {
        assert!(ran.out.contains(said), "{said}\n{}", ran.out);
    }
    assert!(
        ran.err.contains("17 detectors on 7 symbols (stored), 15m bars from 2026-09-23 to 2026-10-02"),
        "{}",
        ran.err
    );
    let files = names(&world.path("backtest-results"));
    assert_eq!(files.len(), 5, "{files:?}");
    let report = world.report("backtest-results");
    assert_eq!(report["results"].as_array().unwrap().len(), 17);
    assert!(trades(&report).values().map(Vec::len).sum::<usize>() > 0, "there are trades");
    assert_eq!(report["config"]["universe"], "stored");
}

#[test]
fn one_detector_on_one_symbol() {
    let world = World::filled();
    let line = format!("--detector=breakout_bullish --symbol=SPY {DAYS} --no-fallback --json");
    let ran = world.run(&line).ended(0);
    let object = ran.json();
    assert_eq!((&object["command"], object["rows"].as_array().unwrap().len()), (&"backtest".into(), 1));
    assert_eq!(object["totals"]["symbols"], 1);
    let report = world.report("backtest-results");
    let results = report["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["detector"]), (1, &"breakout_bullish".into()));
}

/// B-60
#[test]
fn the_same_bytes_for_any_number_of_threads_and_twice_in_a_row() {
    let world = World::filled();
    for (folder, threads) in [("one", 1), ("two", 2), ("again", 1)] {
        world.run(&format!("{DAYS} --no-fallback --quiet --threads={threads} --output={folder}")).ended(0);
    }
    for extension in ["json", "csv"] {
        let one = world.bytes("one", extension);
        assert!(one == world.bytes("two", extension), "{extension} of two threads");
        assert!(one == world.bytes("again", extension), "{extension} of another run");
    }
    let before = names(&world.path("one"));
    world.run(&format!("{DAYS} --no-fallback --quiet --output=one")).ended(0);
    assert_eq!(names(&world.path("one")), before, "the same run is the same files");
    world.run(&format!("{DAYS} --no-fallback --quiet --output=one --seed=2")).ended(0);
    assert_eq!(names(&world.path("one")).len(), before.len() + 3, "another seed is another run");
}

#[test]
fn the_whole_market_and_its_largest_each_month() {
    let world = World::filled();
    world.run(&format!("--all {DAYS} --no-fallback --quiet --detector=equity")).ended(0);
    let report = world.report("backtest-results");
    assert_eq!(report["config"]["symbols"].as_array().unwrap().len(), 5, "stocks only");
    world.run(&format!("--universe=top:2 {DAYS} --no-fallback --quiet --detector=equity --output=top")).ended(0);
    let top = world.report("top");
    assert_eq!(top["config"]["universe"], "top:2");
    let chosen = top["config"]["symbols"].as_array().unwrap();
    assert!((2..=4).contains(&chosen.len()), "two for each of two months: {chosen:?}");
}

/// A month that nothing ranks is left out, and one is ranked by the sessions that there are: both are told.
#[test]
fn months_of_a_universe_that_lack_sessions_are_told() {
    let world = World::filled();
    // All of those before September, and those before October but for three: one symbol of five is no market.
    world.place.sql(
        "DELETE FROM coverage WHERE session_date < '2026-09-25' OR session_date = '2026-09-25' AND symbol <> 'SPY'",
    );
    let line = "--universe=top:2 --from=2026-09-28 --to=2026-10-02 --no-fallback --detector=equity";
    let ran = world.run(line).ended(3);
    for said in [
        "0 of the 20 sessions before 2026-09, and nothing is entered",
        "3 of the 20 sessions before 2026-10, and it is ranked",
    ] {
        assert!(ran.err.contains(said), "{said}\n{}", ran.err);
    }
    let report = world.report("backtest-results");
    assert_eq!(report["config"]["symbols"].as_array().unwrap().len(), 2, "three sessions rank October");
    assert_eq!(report["data"]["unranked"][1], json!({ "month": "2026-10", "sessions": 3, "of": 20 }));
    assert!(report["labels"].to_string().contains("universe incomplete"), "{}", report["labels"]);
    let strict = world.run(&format!("{line} --strict --output=strict")).ended(3);
    assert!(strict.err.contains("nothing was run") && names(&world.path("strict")).is_empty(), "{}", strict.err);
}

/// A symbol that is named and has no bar at all may be mistyped.
#[test]
fn a_named_symbol_without_bars_is_told() {
    let (world, vendor) = (World::filled(), World::vendor());
    let line = format!("--detector=equity --symbols=SPY,NOPE {DAYS} --rate=100/s");
    // Nothing of it comes, and it is asked for once more when a minute of this clock has passed.
    let clock = world.path("clock");
    fs::write(&clock, crate::harness::NOW).unwrap();
    let mut command = world.command(&line);
    command.env("MASSIVE_API_URL", vendor.url()).env("MASSIVE_API_KEY", "sandbox-api-key");
    let ran = ran(command.env("BARKEEP_CLOCK", &clock)).ended(3);
    assert!(ran.err.contains("NOPE has no bars from 2026-09-23 to 2026-10-02"), "{}", ran.err);
    assert!(ran.out.contains("breakout_bullish"), "the others are run");
    let json = world.run(&format!("{line} --json")).ended(3).json();
    assert_eq!(json["totals"]["without_bars"], json!(["NOPE"]));
}

#[test]
fn a_watchlist_of_two_markets_names_what_it_leaves_out() {
    let world = World::filled();
    world.place.run(&["watchlist", "add", "SPY", "X:BTCUSD"]).ended(0);
    let ran = world.run(&format!("--detector=equity {DAYS} --no-fallback")).ended(0);
    assert!(ran.err.contains("1 symbol (watchlist)"), "{}", ran.err);
    assert!(ran.err.contains("what has other trading days is left out: X:BTCUSD."), "{}", ran.err);
}

/// B-66: what is typed changes the run.
#[test]
fn options_change_the_run() {
    let world = World::filled();
    let line = format!("--detector=equity --symbols=SPY,AAPL {DAYS} --no-fallback --quiet");
    world.run(&line).ended(0);
    let plain = world.report("backtest-results");
    for (place, option) in [
        "--costs=zero",
        "--half-spread-bps=20",
        "--fill-mode=same-close",
        "--target-fill=through",
        "--set=breakout_bullish.rvol_min=1.1",
        "--timeframe=5m",
        "--session=all",
        "--no-portfolio",
        "--random-draws=0",
        "--max-open=1",
        "--hold-overnight --set=trend_continuation_long.hold_overnight=true",
        "--session=all --set=breakout_bullish.rth_only=false",
        "--etf=AAPL",
        "--entry-valid-bars=3",
        "--target-gap=level",
    ]
    .into_iter()
    .enumerate()
    {
        let folder = format!("other{place}");
        world.run(&format!("{line} {option} --output={folder}")).ended(0);
        let other = world.report(&folder);
        assert_ne!(other["runId"], plain["runId"], "{option}");
        assert_ne!(other["config"], plain["config"], "{option}");
    }
    assert_eq!(
        world.report("other0")["labels"].as_array().unwrap().iter().filter(|label| **label == "no costs").count(),
        1
    );
}

#[test]
fn a_signal_ends_a_run_with_nothing_written() {
    let world = World::filled();
    let line = "--all --days=60 --no-fallback --random-draws=10000 --threads=1";
    let child = world.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    signal(&child, "INT");
    let since = Instant::now();
    let ran = finished(child);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert!(names(&world.path("backtest-results")).is_empty());
}

/// B-66: what may be meant as it stands, and changes nothing, is at least said.
#[test]
fn hours_that_nobody_looks_at_are_told() {
    let world = World::filled();
    let line = format!("--detector=breakout_bullish --symbol=SPY {DAYS} --no-fallback");
    let told = |line: &str, variable: bool| {
        let mut command = world.command(line);
        if variable {
            command.env("ALLOW_WEEKEND_SIGNALS", "true");
        }
        ran(&mut command).ended(0).err
    };
    assert!(told(&line, true).contains("ALLOW_WEEKEND_SIGNALS=true changes nothing in this run"));
    assert_eq!(world.report("backtest-results")["config"]["detectors"][0]["parameters"]["rth_only"], true);
    let all = format!("{line} --session=all");
    assert!(told(&all, false).contains("no detector of this run takes signals outside regular hours"));
    for (line, variable) in [(&line, false), (&all, true)] {
        let err = told(line, variable);
        assert!(!err.contains("ALLOW_WEEKEND_SIGNALS"), "{err}");
    }
    assert_eq!(world.report("backtest-results")["config"]["detectors"][0]["parameters"]["rth_only"], false);
}

/// Bars of another company that had a ticker before are left out, and that is told.
#[test]
fn bars_of_a_ticker_before_it_was_used_again_are_told() {
    let world = World::filled();
    let vendor = Vendor::serve_with(&Made::once().bucket(), |options| options.rest.market.splits = true);
    let overrides = "ticker,execution_date,action,split_from,split_to\nSPY,2026-09-28,reused\n";
    fs::write(world.path("o.csv"), overrides).unwrap();
    world.place.against(&vendor, "splits --overrides=o.csv --quiet").ended(0);
    let line = format!("--detector=breakout_bullish --symbols=SPY,AAPL {DAYS} --no-fallback");
    let ran = world.run(&line).ended(0);
    let said = "left out: SPY before 2026-09-28 (42 sessions), when another company had the ticker";
    assert!(ran.out.contains(said), "{}", ran.out);
    let report = world.report("backtest-results");
    assert_eq!(report["data"]["reused"], json!([{ "symbol": "SPY", "since": "2026-09-28", "sessions": 42 }]));
    let page = names(&world.path("backtest-results")).into_iter().find(|name| name.contains(".html")).unwrap();
    let page = fs::read_to_string(world.path("backtest-results").join(page)).unwrap();
    assert!(page.contains(r#""reused":[{"symbol":"SPY""#));
}

/// Names of files need not be text.
#[test]
fn names_that_are_no_text_are_used_and_shown_as_far_as_they_can_be() {
    use std::os::unix::ffi::OsStrExt;

    let world = World::filled();
    let mut command = world.command(&format!("{DAYS} --symbol=SPY --detector=breakout_bullish --no-fallback --json"));
    command.arg(std::ffi::OsStr::from_bytes(b"--output=o\xff"));
    let json = crate::harness::ran(&mut command).ended(0).json();
    assert_eq!(json["settings"]["output"], "o\u{fffd}");
    let folder = world.path("").join(std::ffi::OsStr::from_bytes(b"o\xff"));
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let page = files.find(|path| path.extension().is_some_and(|ending| ending == "html")).unwrap();
    assert!(std::fs::read_to_string(page).unwrap().contains("--output=o\u{fffd}"));
}
