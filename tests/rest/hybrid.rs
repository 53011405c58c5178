//! `backfill hybrid`: files and requests together.

use std::collections::BTreeMap;

use barkeep::model::Dataset;
use barkeep::sandbox::Plan;
use serde_json::{Value, json};

use crate::harness::{Place, Vendor, id, make_with, query};
use crate::{World, by_files};

/// Source and file outcome of each date.
fn sources(ran: &crate::harness::Ran) -> BTreeMap<String, (String, Value)> {
    let days = ran.json()["days"].as_array().unwrap().clone();
    let source = |day: &Value| (day["source"].as_str().unwrap().to_owned(), day["file_outcome"].clone());
    days.iter().map(|day| (day["date"].as_str().unwrap().to_owned(), source(day))).collect()
}

#[test]
fn what_files_lack_comes_by_requests() {
    let place = Place::new();
    // Two days late, one never there, one damaged; the oldest two are outside the plan of the bucket.
    crate::harness::make(&place.bucket(), &[Dataset::Stocks], crate::FROM, crate::TO);
    make_with(&place.bucket(), "2026-09-29", "2026-09-29", |defects| {
        defects.corrupt.insert(id("2026-09-29"));
    });
    crate::publish(&place.bucket());
    let vendor = Vendor::serve_with(&place.bucket(), |options| {
        options.hidden = ["2026-10-01", "2026-10-02", "2026-09-25"].map(id).into();
        options.plan = Plan { datasets: vec![Dataset::Stocks], from: Some("2026-09-23".parse().unwrap()) };
        options.rest.plan = Some(Plan { datasets: vec![Dataset::Stocks], from: None });
    });
    let world = World { place, vendor };
    let ran = world.run("hybrid BUSY DATES --rate=5/min --no-official-day --json").ended(0);
    let sources = sources(&ran);
    let of = |date: &str| (sources[date].0.as_str(), sources[date].1.clone());
    for date in ["2026-09-23", "2026-09-24", "2026-09-28", "2026-09-30"] {
        assert_eq!(of(date), ("file", json!("loaded")), "{date}");
    }
    for (date, outcome) in [
        ("2026-09-21", "not_entitled"),
        ("2026-09-22", "not_entitled"),
        ("2026-09-25", "missing"),
        ("2026-09-29", "damaged"),
        ("2026-10-01", "missing"),
        ("2026-10-02", "missing"),
    ] {
        assert_eq!(of(date), ("rest", json!(outcome)), "{date}");
    }
    assert_eq!(world.requests(), 3, "one of each symbol brings all of it");
    let whole = Place::new();
    crate::harness::make(&whole.bucket(), &[Dataset::Stocks], crate::FROM, crate::TO);
    assert_eq!(world.dump().without_vwap(), by_files(&whole.bucket(), "BUSY DATES").without_vwap());
    let from_rest = "SELECT DISTINCT session_date FROM bar_sources WHERE source = 'rest' ORDER BY 1";
    let dates = ["2026-09-21", "2026-09-22", "2026-09-25", "2026-09-29", "2026-10-01", "2026-10-02"];
    assert_eq!(query(&world.place.database(), from_rest), dates, "the ledger knows which");
    world.run("verify").ended(0);
    let text = world.run("hybrid BUSY DATES --rate=5/min --no-official-day").ended(0).out;
    assert!(text.contains("there already"), "{text}");
}

#[test]
fn a_file_that_comes_later_takes_the_place_of_its_day() {
    for world in World::on_both() {
        let late = Vendor::serve_with(&world.place.bucket(), |options| options.hidden = [id("2026-10-02")].into());
        let line = "hybrid --symbol=SPY --from=2026-10-01 --to=2026-10-02 --rate=5/min --no-official-day --json";
        let ran = world.place.against(&late, line).ended(0);
        assert_eq!(sources(&ran)["2026-10-02"].0, "rest");
        assert!(world.dump().bars.iter().any(|bar| bar.contains("|vendor|")));
        let bars = world.dump().bars.len();
        // Published before the requests were made: what they brought is as good.
        world.run(line).ended(0);
        assert!(world.dump().bars.iter().any(|bar| bar.contains("|vendor|")));
        let published = std::fs::File::options().append(true).open(world.place.bucket().join(id("2026-10-02").key()));
        published.unwrap().set_modified("2026-10-05T18:00:00Z".parse::<jiff::Timestamp>().unwrap().into()).unwrap();
        world.run(line).ended(0);
        let dump = world.dump();
        assert!(dump.bars.iter().all(|bar| bar.contains("|estimate|")) && dump.bars.len() == bars);
        world.run("verify").ended(0);
    }
}

#[test]
fn few_symbols_are_asked_for_and_many_come_from_files() {
    let world = World::new();
    let ran = world.run("hybrid --symbol=SPY DATES --rate=100/s --json").ended(0);
    assert!(sources(&ran).values().all(|(source, _)| source == "rest"), "{}", ran.out);
    assert!(
        world.dump().bars.iter().any(|bar| bar.starts_with("SPY|day_official|")),
        "day files are small and are read"
    );
    let slow = World::new();
    let ran = slow.run("hybrid --symbol=SPY DATES --rate=5/min --json").ended(0);
    assert!(sources(&ran).values().all(|(source, _)| source == "file"), "{}", ran.out);
    let plan = World::new().run("hybrid --symbol=SPY DATES --rate=5/min --dry-run").ended(0).out;
    assert!(plan.contains("of files (about") && plan.contains("1 request (about"), "both estimates: {plan}");
}

#[test]
fn without_a_key_files_are_all_there_is_and_without_files_requests() {
    let world = World::new();
    let mut keyless = world
        .place
        .customer(&world.vendor.url(), "hybrid --symbol=SPY --from=2026-10-01 --to=2026-10-02 --no-official-day");
    let ran = crate::harness::ran(keyless.env_remove("MASSIVE_API_KEY")).ended(0);
    assert!(ran.err.contains("everything is taken from files: there is no API key"), "{}", ran.err);
    let files = world.dump();
    let other = World::new();
    let mut no_bucket =
        other.place.customer(&other.vendor.url(), "hybrid --symbol=SPY --from=2026-10-01 --to=2026-10-02");
    let ran = crate::harness::ran(
        no_bucket.env_remove("MASSIVE_S3_ACCESS_KEY_ID").env_remove("MASSIVE_S3_SECRET_ACCESS_KEY"),
    );
    let ran = ran.ended(0);
    assert!(ran.err.contains("everything is asked of the REST API: there are no S3 credentials"), "{}", ran.err);
    assert_eq!(other.dump().without_vwap(), files.without_vwap());
}

#[test]
fn a_whole_market_without_files_is_a_failure() {
    let world = World::new();
    let mut no_bucket = world.place.customer(&world.vendor.url(), "hybrid --all --from=2026-10-01 --to=2026-10-02");
    let ran = crate::harness::ran(
        no_bucket.env_remove("MASSIVE_S3_ACCESS_KEY_ID").env_remove("MASSIVE_S3_SECRET_ACCESS_KEY"),
    );
    let ran = ran.ended(1);
    assert!(ran.err.contains("error: there are no S3 credentials"), "{}", ran.err);
}

#[test]
fn a_symbol_that_its_files_lack_comes_by_requests() {
    for world in World::on_both() {
        let whole = by_files(&world.place.bucket(), "--symbols=SPY,ZVZZT --from=2026-10-01 --to=2026-10-02");
        make_with(&world.place.bucket(), "2026-10-02", "2026-10-02", |defects| {
            defects.row_cut.insert(id("2026-10-02"), 0.8);
        });
        crate::publish(&world.place.bucket());
        let line = "hybrid --symbols=SPY,ZVZZT,NOSUCH --from=2026-10-01 --to=2026-10-02 --rate=5/min --accept --no-official-day";
        let ran = world.run(&format!("{line} --json")).ended(3);
        assert_eq!(sources(&ran)["2026-10-02"], ("file_and_rest".to_owned(), json!("loaded")));
        let of = |dump: &crate::harness::Dump, date: &str| -> Vec<String> {
            let of_date = format!("|{date}|");
            dump.without_vwap().into_iter().filter(|bar| bar.starts_with("ZVZZT|") && bar.contains(&of_date)).collect()
        };
        assert!(!of(&whole, "2026-10-02").is_empty(), "the cut file has it no more, and requests have");
        assert_eq!(of(&world.dump(), "2026-10-02"), of(&whole, "2026-10-02"));
        assert_eq!(ran.json()["totals"]["rest"]["missing_symbols"], json!([["stocks", "NOSUCH"]]));
        assert_eq!(ran.json()["totals"]["files"]["missing_symbols"], json!([]));
        let asked = world.requests();
        world.run(line).ended(3);
        assert_eq!(world.requests(), asked, "what was asked for in vain is not asked for again");
        world.run("verify").ended(0);
    }
}

#[test]
fn a_replaced_file_that_is_damaged_is_a_gap_whatever_requests_say() {
    let world = World::new();
    let line = "hybrid --symbol=SPY --from=2026-10-01 --to=2026-10-02 --rate=5/min --no-official-day";
    world.run(line).ended(0);
    let before = world.dump();
    make_with(&world.place.bucket(), "2026-10-02", "2026-10-02", |defects| {
        defects.corrupt.insert(id("2026-10-02"));
    });
    let ran = world.run(&format!("{line} --json")).ended(3);
    assert_eq!(sources(&ran)["2026-10-02"].1, json!("damaged"));
    assert_eq!(ran.json()["days"][1]["outcome"], "damaged", "{}", ran.out);
    assert!(world.run(line).ended(3).out.contains("2026-10-02 stocks damaged"));
    world.dump().assert_same_bars(&before);
}

#[test]
fn what_requests_may_not_have_comes_from_files() {
    let world = World::with(|options| {
        options.rest.plan = Some(Plan { datasets: vec![Dataset::Stocks], from: Some("2026-09-28".parse().unwrap()) });
    });
    let line = "hybrid --symbol=SPY DATES --rate=100/s --json";
    let ran = world.run(line).ended(0);
    let sources = sources(&ran);
    assert_eq!(sources["2026-09-25"], ("file".to_owned(), json!("loaded")), "{}", ran.out);
    assert_eq!(sources["2026-09-28"].0, "rest");
    assert_eq!(world.dump().without_vwap().len(), by_files_with_official(&world));
    world.run("verify").ended(0);
    let key = crate::harness::ran(
        World::new().place.customer(&world.vendor.url(), &crate::spelled(line)).env("MASSIVE_API_KEY", "wrong"),
    );
    assert_eq!(key.code, 1, "the key is wrong, and that is said");
    assert!(key.err.contains("MASSIVE_API_KEY") && key.out.contains("\"source\":\"file\""), "{key:?}");
}

/// How many bars files have of SPY, the vendor's own day bars included.
fn by_files_with_official(world: &World) -> usize {
    let place = Place::new();
    let line = format!("s3 --source={} --symbol=SPY DATES", world.place.bucket().display());
    place.type_line(&crate::spelled(&line)).ended(0);
    place.dump().bars.len()
}
