//! Runs over what is not stored.

use crate::harness::Vendor;
use crate::{Made, World, names, trades};

const LINE: &str = "--detector=equity --symbols=SPY,AAPL --from=2026-09-24 --to=2026-10-02 --rate=100/s";

fn states(world: &World, folder: &str) -> (String, String) {
    let report = world.report(folder);
    (report["data"]["symbols"].to_string(), report["data"]["sources"].to_string())
}

/// B-53: what is fetched is stored, and not asked for again.
#[test]
fn an_empty_database_is_filled() {
    let (world, vendor) = (World::empty(), World::vendor());
    world.against(&vendor, &format!("{LINE} --quiet")).ended(0);
    let (symbols, sources) = states(&world, "backtest-results");
    assert!(symbols.contains(r#""complete":7"#) && sources.contains(r#""rest":14"#), "{symbols} {sources}");
    let asked = vendor.rest_counts();
    world.against(&vendor, &format!("{LINE} --quiet --output=again")).ended(0);
    assert_eq!(format!("{:?}", vendor.rest_counts()), format!("{asked:?}"), "nothing is asked again");
    assert_eq!(trades(&world.report("again")), trades(&world.report("backtest-results")));
}

#[test]
fn what_is_fetched_may_be_left_unstored() {
    let (world, vendor) = (World::empty(), World::vendor());
    world.against(&vendor, &format!("{LINE} --quiet --no-write-back")).ended(0);
    assert!(!world.place.database().exists(), "no database is made");
    let kept = World::empty();
    kept.against(&vendor, &format!("{LINE} --quiet")).ended(0);
    assert_eq!(trades(&world.report("backtest-results")), trades(&kept.report("backtest-results")));
}

/// B-52, B-55: the sessions that are missing, and only those, are asked for.
#[test]
fn half_a_database_is_completed() {
    let (world, vendor) = (World::empty(), World::vendor());
    let bucket = Made::once().bucket();
    let line = format!("s3 --source={} --symbols=SPY,AAPL --from=2026-09-24 --to=2026-09-29", bucket.display());
    world.place.run(&line.split_whitespace().collect::<Vec<_>>()).ended(0);
    world.against(&vendor, &format!("{LINE} --quiet")).ended(0);
    let (_, sources) = states(&world, "backtest-results");
    assert!(sources.contains(r#""flat files":8"#) && sources.contains(r#""rest":6"#), "{sources}");
}

#[test]
fn a_database_that_is_stopped_leads_to_the_api() {
    let (world, vendor) = (World::empty(), World::vendor());
    let mut command = world.command(LINE);
    command.env("MASSIVE_API_URL", vendor.url()).env("MASSIVE_API_KEY", "sandbox-api-key");
    command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/bars?connect_timeout=1");
    let ran = crate::harness::ran(&mut command).ended(0);
    assert!(ran.err.contains("the database cannot be used, bars come from the REST API"), "{}", ran.err);
    assert!(states(&world, "backtest-results").1.contains(r#""rest":14"#));
}

/// B-55: a fallback that fails takes nothing away.
#[test]
fn gaps_that_stay_are_listed() {
    let world = World::filled();
    world.place.sql("DELETE FROM coverage WHERE session_date = '2026-09-30'");
    let ran = world.run(&format!("{LINE} --no-fallback").replace(" --rate=100/s", "")).ended(3);
    assert!(ran.out.contains("SPY 2026-09-30 (1 session) missing"), "{}", ran.out);
    let report = world.report("backtest-results");
    assert_eq!(report["data"]["gaps"].as_array().unwrap().len(), 2, "one for each symbol");
    let without_key = world.run(&format!("{LINE} --quiet --output=keyless").replace(" --rate=100/s", "")).ended(3);
    assert!(without_key.err.contains("there is no API key"), "{}", without_key.err);
    let strict = world.run(&format!("{LINE} --no-fallback --strict --output=strict").replace(" --rate=100/s", ""));
    assert!(strict.ended(3).err.contains("gap: SPY 2026-09-30"));
    assert!(names(&world.path("strict")).is_empty(), "nothing is written");
}

/// B-54: a key that is refused stops the run.
#[test]
fn a_refused_key_stops_the_run() {
    let (world, vendor) = (World::empty(), World::vendor());
    let mut command = world.command(LINE);
    command.env("MASSIVE_API_URL", vendor.url()).env("MASSIVE_API_KEY", "wrong");
    let ran = crate::harness::ran(&mut command).ended(1);
    assert!(ran.err.contains("the REST API refuses to answer") && ran.err.contains("--no-fallback"), "{}", ran.err);
    assert!(names(&world.path("backtest-results")).is_empty());
}

/// DESIGN §13: missing sessions before the period are no gap.
#[test]
fn warm_up_is_fetched_only_when_asked() {
    let (world, vendor) = (World::empty(), World::vendor());
    let line = LINE.replace("SPY,AAPL", "SPY");
    world.against(&vendor, &format!("{line} --quiet --no-write-back")).ended(0);
    let short = world.report("backtest-results");
    assert!(short["data"]["warmUp"].to_string().contains("0 of 39 sessions"), "{}", short["data"]["warmUp"]);
    world.against(&vendor, &format!("{line} --quiet --no-write-back --fetch-warmup --output=warm")).ended(0);
    let warm = world.report("warm");
    assert_eq!(warm["data"]["warmUp"].as_array().unwrap().len(), 0, "{}", warm["data"]["warmUp"]);
    let evaluable = |report: &serde_json::Value| {
        report["counters"]["bars_evaluable"]
            .as_u64()
            .unwrap_or_else(|| report["counters"]["barsEvaluable"].as_u64().unwrap())
    };
    assert!(evaluable(&warm) > evaluable(&short));
    let _ = Vendor::counts(&vendor);
}
