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

/// B-60: neither where bars are kept nor how long a vendor that is down was asked is a part of the result.
#[test]
fn a_run_that_is_repeated_with_its_bars_stored_is_the_same() {
    let (world, vendor) = (World::empty(), World::vendor());
    world.against(&vendor, &format!("{LINE} --quiet --no-write-back")).ended(0);
    world.against(&vendor, &format!("{LINE} --quiet")).ended(0);
    let pages = names(&world.path("backtest-results")).into_iter().filter(|name| name.contains(".html"));
    assert_eq!(pages.count(), 1);
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
    let report = world.report("backtest-results");
    assert!(report["labels"].as_array().unwrap().contains(&"database not used".into()), "{}", report["labels"]);
    let logged = crate::harness::ran(command.args(["--log=json", "--output=logged"])).ended(0);
    let said = logged.err.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let said: Vec<_> = said.filter(|line| line["message"].to_string().contains("database cannot be used")).collect();
    assert_eq!(said.len(), 1, "{}", logged.err);
    assert_eq!((&said[0]["level"], &said[0]["command"]), (&"WARN".into(), &"backtest".into()));
}

/// README: a database that cannot be used is a cause that concerns every day, and no gap.
#[test]
fn a_database_that_cannot_be_used_fails_where_nobody_else_has_the_bars() {
    let refused = |world: &World| {
        let line = LINE.replace(" --rate=100/s", "");
        let mut command = world.command(&line);
        command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/bars?connect_timeout=1");
        crate::harness::ran(&mut command)
    };
    let world = World::empty();
    let ran = refused(&world).ended(1);
    assert!(ran.err.contains("cannot connect to the database") && ran.err.contains("API key"), "{}", ran.err);
    assert!(names(&world.path("backtest-results")).is_empty(), "nothing is written");
    // One that opens and cannot be read.
    for options in ["", "--no-fallback", "--strict"] {
        let world = World::filled();
        world.place.sql("ALTER TABLE coverage RENAME TO lost");
        let ran = world.run(&format!("{LINE} {options}").replace(" --rate=100/s", "")).ended(1);
        assert!(!ran.err.contains("the database cannot be used, bars come"), "{}", ran.err);
        assert!(ran.out.is_empty() && names(&world.path("backtest-results")).is_empty(), "nothing is written");
    }
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

/// B-54: nobody looks on, so what came empty twice is asked for once more when a minute has passed.
#[test]
fn what_comes_empty_is_asked_for_once_more_after_a_minute() {
    let world = World::empty();
    let faults = "REST key=*/SPY/* times=2 empty";
    let vendor = Vendor::serve_with(&Made::once().bucket(), |options| options.faults = faults.parse().unwrap());
    let clock = world.path("clock");
    std::fs::write(&clock, crate::harness::NOW).unwrap();
    let mut command = world.command(&LINE.replace("SPY,AAPL", "SPY"));
    command.env("MASSIVE_API_URL", vendor.url()).env("MASSIVE_API_KEY", "sandbox-api-key");
    let ran = crate::harness::ran(command.env("BARKEEP_CLOCK", &clock)).ended(0);
    assert!(ran.err.contains("asked for once more in a minute"), "{}", ran.err);
    let (symbols, sources) = states(&world, "backtest-results");
    assert!(symbols.contains(r#""complete":7"#) && sources.contains(r#""rest":7"#), "{symbols} {sources}");
    let [began, ended] = [crate::harness::NOW.to_owned(), std::fs::read_to_string(&clock).unwrap()]
        .map(|instant| instant.trim().parse::<jiff::Timestamp>().unwrap());
    assert_eq!(ended.duration_since(began).as_secs(), 60, "once for all of it");
}

/// B-53: a bar that a file has brought stays; that the API has another is counted.
#[test]
fn bars_of_files_stay_and_those_that_differ_are_counted() {
    let counted = |change: &str| {
        let (world, vendor) = (World::empty(), World::vendor());
        let bucket = Made::once().bucket();
        let line = format!(
            "s3 --source={} --symbols=SPY --timeframes=1h --from=2026-09-24 --to=2026-10-02 --no-official-day",
            bucket.display()
        );
        world.place.run(&line.split_whitespace().collect::<Vec<_>>()).ended(0);
        world.place.sql(change);
        let of_files = "SELECT timestamp || ' ' || high || ' ' || volume FROM historical_bars WHERE timeframe = '1h' ORDER BY timestamp";
        let before = world.place.sql(of_files);
        let ran = world.against(&vendor, &LINE.replace("SPY,AAPL", "SPY")).ended(0);
        assert_eq!(world.place.sql(of_files), before);
        let counted = world.report("backtest-results")["counters"]["conflicting_duplicates"].as_u64().unwrap();
        assert_eq!(ran.out.contains("conflicting_duplicates: 2"), counted == 2, "{}", ran.out);
        counted
    };
    assert_eq!(counted("SELECT 'no change'"), 0);
    let change = "UPDATE bars SET volume = volume + 1 WHERE timeframe_id = 4 AND timestamp IN
        (SELECT timestamp FROM bars WHERE timeframe_id = 4 ORDER BY timestamp LIMIT 2)";
    assert_eq!(counted(change), 2);
}

/// B-50: bars of a file that are not all there are an error, not a quiet session.
#[test]
fn bars_that_are_lost_stop_the_run() {
    let world = World::filled();
    // The 15m bar that starts at 11:00 in New York.
    world.place.sql("DELETE FROM bars WHERE symbol = 'SPY' AND timeframe_id = 3 AND timestamp = 1790780400000");
    let ran = world.run(&format!("{LINE} --no-fallback").replace(" --rate=100/s", "")).ended(1);
    let said = "the 15m bars of SPY on 2026-09-30 are made of 375 minutes of regular hours, and its 1m bars of 390";
    assert!(ran.err.contains(said) && ran.err.contains("backfill verify --repair"), "{}", ran.err);
    assert!(names(&world.path("backtest-results")).is_empty());
}
