//! What becomes of a night, as the vendor behaves. On SQLite, where the database makes no difference: nights of weeks are on both
//! in `year`.

use jiff::civil::date;
use serde_json::json;

use crate::harness::{Place, signal, wait_until};
use crate::hook::Hook;
use crate::world::{World, incidents, outcomes, usually};

const FROM: &str = "2026-09-14";
const TO: &str = "2026-10-09";

/// 21:30 in New York, after the session of October 1st.
const EVENING: &str = "2026-10-02T01:30:00Z";

#[test]
fn the_file_of_the_night_is_waited_for() {
    for world in World::on_both(FROM, TO) {
        let ran = world.at(EVENING).night("--lookback=3").ended(0);
        assert_eq!(world.now(), usually("2026-10-01"), "it was there when it was looked for");
        let record = &ran.json()["totals"];
        assert_eq!(record["waited_seconds"], 8 * 3600 + 1800);
        assert_eq!(outcomes(record)["2026-10-01"], "loaded");
        assert_eq!(incidents(record), [""; 0]);
        assert_eq!(*record, world.record(), "what is told is what is remembered");
        // The watchlist wants a week, which was seen to as all was held against the listing.
        assert_eq!(record["whole_ledger"], true);
        world.dump().assert_same_bars(&world.fresh("2026-09-25", "2026-10-01"));
        let line = world.at("2026-10-02T12:00:00Z").run("nightly --lookback=3").ended(0).out;
        assert_eq!(line, "nightly: 2026-10-01 complete; nothing new; 0 s\n");
        assert_eq!(world.query("SELECT CAST(complete_to AS TEXT) FROM ingest_runs"), ["2026-10-01", "2026-10-01"]);
        // Sunday.
        let line = world.at("2026-10-04T20:00:00Z").run("nightly --lookback=3").ended(0).out;
        assert_eq!(line, "nightly: 2026-10-02 complete; 1 day loaded; 0 s\n");
    }
}

#[test]
fn a_file_that_does_not_come_is_made_up_for_by_requests_and_taken_later() {
    let world = World::new(Place::new(), FROM, TO);
    world.at("2026-10-01T01:30:00Z").night("--lookback=3").ended(0);
    world.publish("2026-10-01", "2026-10-02T22:00:00Z".parse().unwrap());
    let ran = world.at(EVENING).night("--lookback=3").ended(0);
    assert_eq!(world.now().to_string(), "2026-10-02T15:30:00Z", "11:30 in New York");
    let record = &ran.json()["totals"];
    assert_eq!(incidents(record), ["late 2026-10-01", "by_requests 2026-10-01"]);
    assert_eq!(record["incidents"][0]["seconds"], 1800);
    assert!(world.record()["markets"][0]["complete_to"] == "2026-10-01");
    let text = world.run("verify").ended(0);
    assert!(text.code == 0);
    let ran = world.at("2026-10-03T01:30:00Z").night("--lookback=3").ended(0);
    let record = &ran.json()["totals"];
    assert_eq!(incidents(record), ["came_late 2026-10-01", "took_place_of_requests 2026-10-01"]);
    assert_eq!(record["incidents"][0]["seconds"], 7 * 3600);
    world.dump().assert_same_bars(&world.fresh("2026-09-24", "2026-10-02"));
}

#[test]
fn what_requests_have_brought_of_a_symbol_that_its_file_lacks_stays() {
    for world in World::on_both(FROM, TO) {
        // One file was there before it was asked for, one came later.
        world.publish_without("QQQ", "2026-09-30", usually("2026-09-30"));
        world.publish_without("QQQ", "2026-10-01", "2026-10-02T22:00:00Z".parse().unwrap());
        world.at("2026-10-02T15:30:00Z").night("--no-official-day --lookback=2").ended(0);
        // Verifying holds the ledger's count of bars against the bars.
        let kept =
            "SELECT CAST(session_date AS TEXT) FROM rest_ledger WHERE symbol = 'QQQ' AND bars_written > 0 ORDER BY 1";
        assert_eq!(world.query(kept), ["2026-09-30", "2026-10-01"]);
        let asked = || world.vendor.rest_counts().requests["aggregates"];
        for (evening, flags) in [("2026-10-03T01:30:00Z", ""), ("2026-10-03T16:00:00Z", "--recheck")] {
            let before = asked();
            world.at(evening).night(&format!("--no-official-day --lookback=2 {flags}")).ended(0);
            assert_eq!(world.query(kept), ["2026-09-30", "2026-10-01"], "{evening}");
            assert_eq!(asked(), before, "{evening}: nothing is asked for again");
            world.run("verify").ended(0);
        }
    }
}

#[test]
fn what_requests_have_brought_is_replaced_however_old() {
    let world = World::new(Place::new(), FROM, TO);
    world.publish("2026-09-24", "2026-10-06T12:00:00Z".parse().unwrap());
    world.at("2026-09-25T01:30:00Z").night("--lookback=1").ended(0);
    for evening in ["2026-09-26T01:30:00Z", "2026-09-29T01:30:00Z", "2026-09-30T01:30:00Z", "2026-10-01T01:30:00Z"] {
        world.at(evening).night("--lookback=1").ended(0);
    }
    assert!(!world.query("SELECT source FROM bar_sources WHERE source = 'rest'").is_empty());
    let ran = world.at("2026-10-07T01:30:00Z").night("--lookback=1").ended(0);
    assert_eq!(
        incidents(&ran.json()["totals"]),
        ["downtime 2026-10-01 2026-10-05", "took_place_of_requests 2026-09-24"]
    );
    assert_eq!(world.query("SELECT source FROM bar_sources WHERE source = 'rest'"), [""; 0]);
}

#[test]
fn a_replaced_file_is_loaded_again_at_once_if_it_is_young_and_within_a_week_if_it_is_old() {
    let world = World::new(Place::new(), FROM, TO);
    world.at("2026-09-24T01:30:00Z").night("--lookback=2").ended(0);
    let stale = world.dump();
    for evening in ["2026-09-25T01:30:00Z", "2026-09-26T01:30:00Z"] {
        world.at(evening).night("--lookback=2").ended(0);
    }
    world.republish("2026-09-25", "2026-09-28T12:00:00Z".parse().unwrap());
    world.republish("2026-09-22", "2026-09-28T12:00:00Z".parse().unwrap());
    let ran = world.at("2026-09-29T01:30:00Z").night("--lookback=2").ended(0);
    assert_eq!(incidents(&ran.json()["totals"]), ["replaced 2026-09-25"]);
    assert_eq!(world.dump().bars_with("|2026-09-22|"), stale.bars_with("|2026-09-22|"), "too old to be looked at");
    world.at("2026-09-30T01:30:00Z").night("--lookback=2").ended(0);
    let ran = world.at("2026-10-01T01:30:00Z").night("--lookback=2").ended(0);
    assert_eq!(ran.json()["totals"]["whole_ledger"], true);
    assert_eq!(incidents(&ran.json()["totals"]), ["replaced 2026-09-22"]);
    world.dump().assert_same_bars(&world.fresh("2026-09-17", "2026-09-30"));
    let flag = world.at("2026-10-01T12:00:00Z").night("--recheck --lookback=2").ended(0);
    assert_eq!(flag.json()["totals"]["whole_ledger"], true);
}

#[test]
fn after_weeks_of_downtime_all_of_it_is_loaded() {
    let world = World::new(Place::new(), "2026-08-31", TO);
    world.at("2026-09-11T01:30:00Z").night("--lookback=2").ended(0);
    let ran = world.at("2026-10-02T12:30:00Z").night("--lookback=2").ended(0);
    let record = &ran.json()["totals"];
    assert_eq!(incidents(record), ["downtime 2026-09-11 2026-09-30"]);
    assert_eq!(record["incidents"][0]["detail"], "14 sessions ended without a run");
    assert_eq!(outcomes(record).len(), 15);
    assert!(outcomes(record).values().all(|outcome| outcome == "loaded"));
    world.dump().assert_same_bars(&world.fresh("2026-09-04", "2026-10-01"));
}

#[test]
fn an_early_close_and_a_holiday_are_what_they_are() {
    let world = World::new(Place::new(), "2026-11-23", "2026-11-30");
    // Thanksgiving's evening, the early close's evening, and the Sunday after it.
    let nights = [
        ("2026-11-27T02:30:00Z", "2026-11-25 complete; 3 days loaded"),
        ("2026-11-28T02:30:00Z", "2026-11-27 complete; 1 day loaded"),
        ("2026-11-29T20:00:00Z", "2026-11-27 complete; nothing new"),
    ];
    for (evening, expected) in nights {
        let line = world.at(evening).run("nightly --poll=255m --lookback=3").ended(0).out;
        assert!(line.starts_with(&format!("nightly: {expected}; ")), "{line}");
    }
    world.run("verify").ended(0);
}

#[test]
fn a_closure_that_is_announced_is_no_gap() {
    let world = World::with(Place::new(), FROM, TO, |options| options.rest.announced = [date(2026, 10, 1)].into());
    world.withdraw("2026-10-01");
    let ran = world.at("2026-09-30T12:30:00Z").night("--lookback=1").ended(0);
    let steps = ran.json()["totals"]["steps"].clone();
    let calendar = steps.as_array().unwrap().iter().find(|step| step["name"] == "calendar").unwrap();
    assert_eq!(calendar["done"], "2026-10-01 closed");
    // Friday at four in the afternoon, and Sunday.
    let line = world.at("2026-10-02T20:00:00Z").run("nightly --lookback=2").ended(0).out;
    assert!(line.starts_with("nightly: 2026-09-30 complete; "), "{line}");
    let line = world.at("2026-10-04T20:00:00Z").run("nightly --lookback=2").ended(0).out;
    assert!(line.starts_with("nightly: 2026-10-02 complete; "), "{line}");
    let without = world.query("SELECT CAST(session_date AS TEXT) FROM bar_sources WHERE session_date = '2026-10-01'");
    assert_eq!(without, [""; 0]);
    world.run("verify").ended(0);
}

#[test]
fn a_damaged_file_is_a_gap_unless_requests_bring_the_day() {
    let world = World::new(Place::new(), FROM, TO);
    world.at("2026-10-01T12:30:00Z").night("--lookback=2").ended(0);
    world.damage("2026-10-01", usually("2026-10-01"));
    let mut keyless = world.command("nightly --json --lookback=2");
    world.at("2026-10-02T12:30:00Z");
    let ran = crate::harness::ran(keyless.env_remove("MASSIVE_API_KEY")).ended(0);
    assert_eq!(outcomes(&ran.json()["totals"])["2026-10-01"], "not_due", "it is not due before 11:00");
    world.at("2026-10-02T15:30:00Z");
    let ran = crate::harness::ran(&mut keyless).ended(3);
    let record = &ran.json()["totals"];
    assert_eq!(outcomes(record)["2026-10-01"], "damaged");
    assert_eq!(record["markets"][0]["complete_to"], "2026-09-30");
    assert!(incidents(record).contains(&"damaged 2026-10-01".to_owned()), "{record:#}");
    assert!(ran.err.contains("2026-10-01 of stocks: damaged: file damaged: "), "{}", ran.err);
    let ran = world.night("--lookback=2").ended(0);
    assert_eq!(incidents(&ran.json()["totals"]), ["by_requests 2026-10-01", "damaged 2026-10-01"]);
    // The day is complete, and its file is taken when it is whole.
    world.publish("2026-10-01", "2026-10-02T18:00:00Z".parse().unwrap());
    world.at("2026-10-02T18:30:00Z").night("--lookback=2").ended(0);
    world.dump().assert_same_bars(&world.fresh("2026-09-24", "2026-10-01"));
}

#[test]
fn without_files_requests_do_the_work_and_the_other_way_round() {
    let world = World::new(Place::new(), FROM, TO);
    let mut no_bucket = world.command("nightly --json --lookback=2");
    world.at(EVENING);
    let ran = crate::harness::ran(
        no_bucket.env_remove("MASSIVE_S3_ACCESS_KEY_ID").env_remove("MASSIVE_S3_SECRET_ACCESS_KEY"),
    );
    let record = &ran.ended(0).json()["totals"];
    assert_eq!(world.now().to_string(), EVENING, "nothing is waited for that cannot come");
    assert_eq!(incidents(record), ["by_requests 2026-09-30 2026-10-01", "closed"]);
    let nothing = World::new(Place::new(), FROM, TO);
    nothing.at("2026-10-02T15:30:00Z");
    let mut no_keys = nothing.command("nightly --lookback=2");
    for key in ["MASSIVE_S3_ACCESS_KEY_ID", "MASSIVE_S3_SECRET_ACCESS_KEY", "MASSIVE_API_KEY"] {
        no_keys.env_remove(key);
    }
    let ran = crate::harness::ran(&mut no_keys).ended(1);
    assert!(ran.err.contains("error: files: there are no S3 credentials"), "{}", ran.err);
    assert!(ran.err.contains("requests: there is no API key"), "{}", ran.err);
    assert!(ran.out.starts_with("nightly: failed; "), "{}", ran.out);
}

#[test]
fn what_the_plan_does_not_include_is_said_and_had_when_it_does() {
    let world = World::with(Place::new(), FROM, TO, |options| {
        options.plan.from = Some(date(2026, 9, 30));
        options.rest.plan = Some(options.plan.clone());
    });
    let ran = world.at("2026-10-02T15:30:00Z").night("--lookback=3").ended(3);
    let record = &ran.json()["totals"];
    assert_eq!(outcomes(record)["2026-09-29"], "not_entitled");
    assert_eq!(record["markets"][0]["complete_to"], "2026-09-28");
    assert_eq!(incidents(record)[0], "not_entitled 2026-09-25 2026-09-29", "{record:#}");
}

#[test]
fn an_outage_is_waited_out_or_told() {
    let world = World::new(Place::new(), FROM, TO);
    world.at("2026-10-01T12:30:00Z").night("--lookback=2").ended(0);
    let nowhere = |line: &str| {
        let mut command = world.command(line);
        command.env("MASSIVE_S3_ENDPOINT", "http://127.0.0.1:9").env("MASSIVE_API_URL", "http://127.0.0.1:9");
        command
    };
    world.at("2026-10-02T15:00:00Z");
    let ran = crate::harness::ran(&mut nowhere("nightly --json --lookback=2 --poll=30m")).ended(1);
    assert_eq!(world.now().to_string(), "2026-10-02T15:30:00Z", "it may have passed");
    let record = world.record();
    assert_eq!(outcomes(&record)["2026-10-01"], "failed");
    assert_eq!(record["ending"], "failed");
    assert!(incidents(&record).contains(&"outage".to_owned()), "{record:#}");
    assert!(ran.err.contains("error: files: "), "{}", ran.err);
    world.night("--lookback=2").ended(0);
    world.dump().assert_same_bars(&world.fresh("2026-09-24", "2026-10-01"));
}

#[test]
fn who_is_told_to_stop_while_waiting_stops_and_says_so() {
    let world = World::new(Place::new(), FROM, TO);
    world.at(EVENING);
    // Real time, which does not pass as a simulation's does.
    let mut command = world.command("nightly --lookback=2");
    command.env_remove("BARKEEP_CLOCK").env("BARKEEP_NOW", EVENING);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until("the run waits", || {
        let waits = "SELECT symbol FROM bar_sources WHERE session_date = '2026-09-30'";
        world.place.database().exists() && !world.query(waits).is_empty()
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&child, "TERM");
    let began = std::time::Instant::now();
    let ran = crate::harness::finished(child).ended(143);
    assert!(began.elapsed() < std::time::Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(ran.out.starts_with("nightly: stopped; complete to 2026-09-30; "), "{}", ran.out);
    assert_eq!(world.record()["ending"], "stopped");
    assert_eq!(world.query("SELECT CAST(exit_code AS TEXT) FROM ingest_runs"), ["143"]);
    assert_eq!(world.record()["whole_ledger"], false, "it was not seen to the end");
}

#[test]
fn what_makes_no_sense_on_the_watchlist_is_told_and_stops_nobody() {
    let world = World::new(Place::new(), FROM, TO);
    world.execute("INSERT INTO watchlist (symbol, days_to_backfill) VALUES ('F:ESZ6', 5), ('NOSUCH', 5)");
    let ran = world.at("2026-10-02T15:30:00Z").night("--lookback=2").ended(3);
    let record = &ran.json()["totals"];
    assert_eq!(record["unknown_symbols"], json!(["NOSUCH"]));
    assert_eq!(incidents(record), ["senseless_symbol", "unknown_symbol"]);
    assert!(ran.err.contains("the watchlist has what is no symbol: `F:ESZ6`: futures are not supported"));
    assert!(ran.err.contains("there is not a single bar of NOSUCH"), "{}", ran.err);
    assert_eq!(record["markets"][0]["complete_to"], "2026-10-01");
}

#[test]
fn a_whole_market_and_the_watchlist_of_others_are_kept_filled() {
    let world = World::new(Place::new(), FROM, TO);
    world.at("2026-10-02T15:30:00Z").run("nightly --all --lookback=2").ended(0);
    assert!(world.query("SELECT DISTINCT symbol FROM historical_bars").len() > 10);
    assert_eq!(world.query("SELECT symbol FROM historical_bars WHERE timeframe = '1m' LIMIT 1"), [""; 0]);
    world.publish("2026-10-02", "2026-10-06T00:00:00Z".parse().unwrap());
    let ran = world.at("2026-10-04T20:00:00Z").night("--all --lookback=2").ended(3);
    let record = &ran.json()["totals"];
    assert_eq!(incidents(record), ["late 2026-10-02", "by_requests 2026-10-02"], "of what is watched");
    assert_eq!(outcomes(record)["2026-10-02"], "missing", "of all the others");
    world.at("2026-10-06T01:00:00Z").night("--all --lookback=2").ended(0);
    world.run("verify").ended(0);
}

#[test]
fn a_new_database_and_an_empty_watchlist_are_enough() {
    let world = World::new(Place::new(), FROM, TO);
    world.run("watchlist remove AAPL QQQ SPY").ended(0);
    // A tiny market has two of the four.
    let ran = world.at("2026-10-02T15:30:00Z").run("nightly --lookback=2").ended(3);
    assert!(ran.out.contains("; 2 days loaded, no bars of DIA IWM; "), "{}", ran.out);
    assert_eq!(ran.err.matches("the watchlist is empty: taking SPY QQQ IWM DIA").count(), 1, "{}", ran.err);
    assert_eq!(world.query("SELECT DISTINCT symbol FROM historical_bars ORDER BY 1"), ["QQQ", "SPY"]);
}

#[test]
fn trouble_is_told_once_and_so_is_its_end() {
    for world in World::on_both(FROM, TO) {
        let hook = Hook::new([]);
        let night = |instant: &str, keys: bool| {
            let mut command = world.at(instant).command("nightly --lookback=2 --wait-until=off");
            command.env("BARKEEP_WEBHOOK_URL", &hook.address);
            if !keys {
                command.env_remove("MASSIVE_API_KEY");
            }
            crate::harness::ran(&mut command)
        };
        night("2026-10-01T15:30:00Z", true).ended(0);
        world.withdraw("2026-10-01");
        night("2026-10-02T16:30:00Z", false).ended(3);
        night("2026-10-02T17:30:00Z", false).ended(3);
        night("2026-10-02T18:30:00Z", true).ended(0);
        let told: Vec<_> =
            hook.posts().iter().map(|post| post.json()["subject"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, ["[barkeep] nightly: 1 day missing", "[barkeep] nightly works again"]);
        let message = hook.posts()[0].json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("2026-10-01 of stocks: missing: file missing: the vendor lists no"), "{message}");
        let message = hook.posts()[1].json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("2026-10-01 complete; 1 day by REST"), "{message}");
    }
}

#[test]
fn that_there_is_no_database_is_told() {
    let world = World::new(Place::new(), FROM, TO);
    let hook = Hook::new([]);
    let mut command = world.command("nightly");
    command.env("BARKEEP_WEBHOOK_URL", &hook.address).env("DATABASE_URL", "sqlite:/dev/null/bars.db");
    crate::harness::ran(&mut command).ended(1);
    assert_eq!(hook.posts()[0].json()["subject"], "[barkeep] nightly: no database");
}

#[test]
fn work_beside_bars_is_done_and_told() {
    let world = World::with(Place::new(), FROM, TO, |options| options.rest.plan = None);
    world.execute("DELETE FROM split_loads");
    let ran = world.at("2026-10-02T12:30:00Z").night("--lookback=1").ended(0);
    let steps = ran.json()["totals"]["steps"].clone();
    let done = |name: &str| steps.as_array().unwrap().iter().find(|step| step["name"] == name).unwrap()["done"].clone();
    assert!(done("splits").as_str().unwrap().contains(" new, 0 changed, 0 removed"), "{steps:#}");
    assert!(done("chains").as_str().is_some_and(|done| done.contains("contracts of ")), "{steps:#}");
    let again = world.at("2026-10-02T13:00:00Z").night("--lookback=1").ended(0);
    let steps = again.json()["totals"]["steps"].clone();
    assert!(steps.as_array().unwrap().iter().all(|step| step["done"].is_null()), "{steps:#}");
}
