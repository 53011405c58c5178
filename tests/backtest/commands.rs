//! What there is beside a run.

use crate::{DAYS, World};

#[test]
fn detectors_are_listed_with_their_parameters() {
    let world = World::empty();
    let all = world.run("detectors").ended(0);
    assert_eq!(all.out.lines().filter(|line| line.contains("equity") || line.contains("index")).count(), 17);
    let one = world.run("detectors breakout_bullish").ended(0);
    for said in ["rvol_min", "1.5", "number", "w_volume_intensity"] {
        assert!(one.out.contains(said), "{said}\n{}", one.out);
    }
    let json = world.run("detectors index --list --json").ended(0).json();
    assert_eq!(json["totals"]["detectors"], 11);
    let parameters = json["rows"][0]["parameters"].as_array().unwrap();
    assert!(parameters.iter().all(|parameter| !parameter["help"].as_str().unwrap().is_empty()));
    assert!(!world.place.database().exists(), "no database is made");
}

#[test]
fn a_bar_is_explained() {
    let world = World::filled();
    let ran = world.run("explain breakout_bullish SPY 2026-10-01T11:00").ended(0);
    for said in ["15m bar 2026-10-01T14:45:00Z to 2026-10-01T15:00:00Z", "rvol", "condition", "met"] {
        assert!(ran.out.contains(said), "{said}\n{}", ran.out);
    }
    let json = world.run("explain breakout_bullish SPY 2026-10-01T15:00:00Z --json").ended(0).json();
    let kinds = |kind: &str| json["rows"].as_array().unwrap().iter().filter(|row| row["kind"] == kind).count();
    assert!(kinds("input") > 20 && kinds("condition") >= 4, "{json}");
    assert_eq!((kinds("factor"), kinds("gate")), (5, 5));
}

#[test]
fn an_explanation_agrees_with_the_run() {
    let world = World::filled();
    world.run(&format!("--detector=equity --symbols=SPY,AAPL,QQQ {DAYS} --no-fallback --quiet")).ended(0);
    let trades = crate::trades(&world.report("backtest-results"));
    let (detector, trade) = trades.iter().find_map(|(detector, trades)| Some((detector, trades.first()?))).unwrap();
    let at = jiff::Timestamp::from_millisecond(trade["signalTimestamp"].as_i64().unwrap()).unwrap();
    let symbol = trade["symbol"].as_str().unwrap();
    let json = world.run(&format!("explain {detector} {symbol} {at} --json")).ended(0).json();
    assert_eq!(json["totals"]["fires"], true, "{json}");
    let score: f64 = json["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["kind"] == "factor")
        .map(|row| row["value"].as_f64().unwrap() * row["weight"].as_f64().unwrap())
        .sum();
    assert!((score - trade["score"].as_f64().unwrap()).abs() < 1e-9);
}

/// B-65 on the user's own data.
#[test]
fn the_audit_finds_nothing() {
    let world = World::filled();
    let ran = world.run("audit --detector=equity --symbol=SPY --days=10 --moments=2").ended(0);
    assert!(ran.out.contains("breakout_bullish: 2 moments: the same"), "{}", ran.out);
    assert!(!ran.out.contains("LOOKS AHEAD"));
    assert!(ran.out.contains("39 sessions") && ran.out.contains("0 sessions"), "{}", ran.out);
}

/// What was not seen is not passed: of detectors without what they need, and of symbols without bars.
#[test]
fn the_audit_passes_nothing_that_it_did_not_see() {
    let world = World::filled();
    let ran = world.run("audit --detector=eod_pin_setup --symbol=SPX --days=10 --moments=2").ended(0);
    assert!(ran.out.contains("eod_pin_setup: not evaluable: open interest (2 moments)"), "{}", ran.out);
    let line = "audit --detector=breakout_bullish --days=10 --moments=1";
    let ran = world.run(&format!("{line} --symbols=SPY,NOPE")).ended(3);
    assert!(ran.out.contains("breakout_bullish: 1 moment: the same"), "{}", ran.out);
    assert!(ran.err.contains("NOPE has no bars from 2026-09-23 to 2026-10-02"), "{}", ran.err);
    let totals = world.run(&format!("{line} --symbols=SPY,NOPE --json")).ended(3).json()["totals"].clone();
    assert_eq!((&totals["looked_at"], &totals["without_bars"]), (&1.into(), &serde_json::json!(["NOPE"])));
    let of_today = "audit --detector=breakout_bullish --symbol=SPY --from=2026-10-05";
    assert!(world.run(of_today).ended(1).err.contains("no bars are stored of these symbols and dates"));
    assert!(!world.run("audit --help").ended(0).out.contains("--min-bars"));
}

#[test]
fn an_audit_without_trades_sums_to_nothing_and_not_to_less() {
    let world = World::filled();
    let ran = world.run("audit --detector=equity --symbol=SPY --days=4 --moments=1 --json").ended(0);
    assert!(ran.out.contains("\"sum_r\":0.0") && !ran.out.contains("-0.0"), "{}", ran.out);
}

#[test]
fn two_runs_are_put_side_by_side() {
    let world = World::filled();
    let line = format!("--detector=equity --symbols=SPY,AAPL {DAYS} --no-fallback --json");
    let name = |options: &str| {
        let json = world.run(&format!("{line} {options}")).ended(0).json();
        json["totals"]["run_id"].as_str().unwrap().to_owned()
    };
    let (plain, free) = (name(""), name("--costs=zero"));
    let ran = world.run(&format!("compare {plain} {free}")).ended(0);
    assert!(ran.out.contains("data: the same") && ran.out.contains("costs.zero"), "{}", ran.out);
    let json = world.run(&format!("compare {plain} {free} --json")).ended(0).json();
    assert_eq!(json["totals"]["same_data"], true);
}

/// What the environment asks for takes effect in a run with `--session=all` only, and not in the explanation of one without.
#[test]
fn an_explanation_of_regular_hours_stays_in_them() {
    let world = World::filled();
    let explained = |time: &str, variable: bool| {
        let mut command = world.command(&format!("explain breakout_bullish SPY {time} --json"));
        if variable {
            command.env("ALLOW_WEEKEND_SIGNALS", "true");
        }
        crate::harness::ran(&mut command)
    };
    let of_regular_hours = |variable| explained("2026-10-01T11:00", variable).ended(0).json()["rows"].clone();
    assert_eq!(of_regular_hours(true), of_regular_hours(false));
    assert!(explained("2026-10-01T09:15", true).ended(1).err.contains("rth_only=false"));
}

/// B-66: what a run needs a flag for, an explanation does as it is asked.
#[test]
fn bars_outside_regular_hours_are_explained_of_detectors_that_look_there() {
    let world = World::filled();
    let line = "explain breakout_bullish SPY 2026-10-01T09:15";
    let ran = world.run(line).ended(1);
    assert!(ran.err.contains("rth_only=false"), "{}", ran.err);
    let ran = world.run(&format!("{line} --set=breakout_bullish.rth_only=false")).ended(0);
    assert!(ran.out.contains("15m bar 2026-10-01T13:00:00Z to 2026-10-01T13:15:00Z"), "{}", ran.out);
}
