//! `backfill rest`.

use serde_json::json;

use crate::harness::{Place, id, query};
use crate::{World, by_files};

#[test]
fn bars_are_those_of_files_but_for_exact_vwaps() {
    // B-53
    for world in World::on_both() {
        let ran = world.run("rest BUSY DATES --json").ended(0);
        let of_files = by_files(&world.place.bucket(), "BUSY DATES");
        let dump = world.dump();
        assert!(!dump.bars.is_empty());
        assert_eq!(dump.without_vwap(), of_files.without_vwap());
        assert!(dump.bars.iter().all(|bar| bar.contains("|vendor|")), "each minute has the vendor's VWAP");
        let totals = &ran.json()["totals"];
        assert_eq!((&totals["requests"], &totals["requests_planned"]), (&json!(3), &json!(3)), "one for each symbol");
        assert_eq!(totals["bars"], dump.bars.len());
        assert_eq!(world.requests(), 3);
        assert!(dump.coverage.is_empty() && dump.ledger.is_empty(), "the books of files know nothing of it");
        world.run("verify").ended(0);
    }
}

#[test]
fn what_is_there_is_not_asked_for_again() {
    let world = World::new();
    world.run("rest --symbol=SPY --from=2026-09-28 --to=2026-10-02").ended(0);
    let ran = world.run("rest --symbol=SPY --from=2026-09-28 --to=2026-10-02 --json").ended(0);
    assert_eq!(ran.json()["totals"]["days_of_symbols"], json!({ "unchanged": 5 }));
    assert_eq!(world.requests(), 1);
    let more = world.run("rest --symbol=SPY DATES --json").ended(0);
    assert_eq!(more.json()["totals"]["days_of_symbols"], json!({ "unchanged": 5, "loaded": 5 }));
    let before = world.dump();
    let again = world.run("rest --symbol=SPY DATES --force --json").ended(0);
    assert_eq!(again.json()["totals"]["days_of_symbols"], json!({ "loaded": 10 }));
    world.dump().assert_same(&before);
}

#[test]
fn a_file_takes_the_place_of_what_requests_have_brought() {
    for world in World::on_both() {
        world.run("rest --symbol=SPY --from=2026-10-01 --to=2026-10-02").ended(0);
        let bars = world.dump().bars.len();
        let ran = world.run("s3 --symbol=SPY --no-official-day DATES --json").ended(0);
        let replaced: u64 =
            ran.json()["days"].as_array().unwrap().iter().map(|d| d["replaced_rest_bars"].as_u64().unwrap()).sum();
        assert_eq!(replaced as usize, bars);
        let (dump, of_files) = (world.dump(), by_files(&world.place.bucket(), "--symbol=SPY DATES"));
        dump.assert_same_bars(&of_files);
        assert_eq!(dump.coverage, of_files.coverage);
        world.run("verify").ended(0);
    }
}

#[test]
fn a_whole_market_takes_the_place_of_one_symbol_and_keeps_its_minutes() {
    for world in World::on_both() {
        world.run("rest --symbol=SPY --from=2026-10-02 --to=2026-10-02").ended(0);
        world.run("s3 --all --no-official-day --from=2026-10-02 --to=2026-10-02").ended(0);
        let dump = world.dump();
        assert!(dump.of_symbol("SPY").iter().any(|bar| bar.starts_with("SPY|1m|")), "beyond what all have");
        assert!(dump.of_symbol("SPY").iter().all(|bar| bar.contains("|estimate|")));
        assert!(dump.of_symbol("AAPL").iter().all(|bar| !bar.starts_with("AAPL|1m|")));
        world.run("verify").ended(0);
        world.run("rest --symbol=SPY --from=2026-10-02 --to=2026-10-02 --force").ended(0);
        assert_eq!(world.dump(), dump, "what files have brought stays");
    }
}

#[test]
fn the_session_under_way_is_loaded_as_far_as_it_is_known_and_again_until_it_is_over() {
    // B-05
    for world in World::on_both() {
        // Monday noon in New York.
        let ran = world.run("rest --days=1 --symbol=SPY --json").ended(0);
        let days = &ran.json()["days"];
        assert_eq!((&days[0]["date"], &days[0]["outcome"]), (&json!("2026-10-02"), &json!("loaded")));
        assert_eq!((&days[1]["date"], &days[1]["outcome"]), (&json!("2026-10-05"), &json!("provisional")));
        let today = |world: &World| -> Vec<String> {
            world.dump().bars_with("|2026-10-05|").into_iter().map(str::to_owned).collect()
        };
        let first = today(&world);
        assert!(
            !first.is_empty() && first.iter().all(|bar| !bar.starts_with("SPY|day|")),
            "no day bar before the close"
        );
        let now = 1_791_216_000_000_i64;
        assert!(first.iter().all(|bar| bar.split('|').nth(13).unwrap().parse::<i64>().unwrap() <= now));
        assert!(
            first.iter().any(|bar| bar.starts_with("SPY|1m|") && bar.contains(&format!("|{now}|"))),
            "up to this minute"
        );
        world.run("verify").ended(0);
        let line = "rest --days=1 --symbol=SPY --json";
        let mut later = world.place.customer(&world.vendor.url(), line);
        let ran = crate::harness::ran(later.env("BARKEEP_NOW", "2026-10-06T04:00:00Z")).ended(0);
        assert_eq!(ran.json()["totals"]["days_of_symbols"]["loaded"], 1, "its session is over for the program");
        let second = today(&world);
        assert!(second.len() > first.len() && second.iter().any(|bar| bar.starts_with("SPY|day|")));
    }
}

#[test]
fn symbols_are_spelled_as_requests_want_them() {
    let place = Place::new();
    let datasets = [barkeep::model::Dataset::Crypto, barkeep::model::Dataset::Indices];
    crate::harness::make(&place.bucket(), &datasets, "2026-10-01", "2026-10-02");
    let vendor = crate::harness::Vendor::serve(&place.bucket());
    for symbol in ["X:BTC-USD", "SPX"] {
        let dates = "--from=2026-10-01 --to=2026-10-02";
        place.against(&vendor, &format!("rest --symbol={symbol} {dates}")).ended(0);
        let other = Place::new();
        other.against(&vendor, &format!("s3 --symbol={symbol} --no-official-day {dates}")).ended(0);
        let canonical = if symbol == "SPX" { "I:SPX" } else { "X:BTCUSD" };
        let without_vwap = |dump: crate::harness::Dump| -> Vec<String> {
            dump.without_vwap().into_iter().filter(|bar| bar.starts_with(canonical)).collect()
        };
        let bars = without_vwap(place.dump());
        assert!(!bars.is_empty());
        assert_eq!(bars, without_vwap(other.dump()));
    }
    let paths = vendor.rest_counts().pages;
    assert!(paths.keys().any(|path| path.contains("X:BTCUSD") || path.contains("X%3ABTCUSD")), "{paths:?}");
}

#[test]
fn a_symbol_that_does_not_exist_is_missing_and_a_day_without_a_trade_is_none() {
    // B-52
    let world = World::new();
    let ran = world.run("rest --symbols=SPY,SPYY DATES").ended(3);
    assert!(ran.out.contains("SPYY: no trade in stocks on any day asked for"), "{}", ran.out);
    let ran = world.run("rest --symbols=SPY,SPYY DATES --json").ended(3);
    let totals = ran.json()["totals"].clone();
    assert_eq!(totals["requests"], 0, "it is remembered that there was nothing");
    assert_eq!(totals["missing_symbols"], json!([["stocks", "SPYY"]]));
    assert_eq!(totals["days_of_symbols"], json!({ "empty": 10, "unchanged": 10 }));
}

#[test]
fn a_day_the_vendor_has_nothing_of_is_a_gap_until_it_has() {
    // B-54
    let world = World::with(|options| {
        options.rest.missing.insert(id("2026-10-02"));
    });
    let ran = world.run("rest BUSY --from=2026-10-01 --to=2026-10-02").ended(3);
    assert!(ran.out.contains("2026-10-02 stocks: the vendor says so when asked twice"), "{}", ran.out);
    assert_eq!(world.requests(), 6, "each symbol is asked again for the day");
}

#[test]
fn a_plan_is_shown_and_nothing_is_asked() {
    let world = World::new();
    let ran = world.run("rest BUSY --from=2026-07-05 --to=2026-10-02 --rate=5/min --dry-run").ended(0);
    assert!(ran.out.contains("9 requests for 3 symbols, about 1m"), "{}", ran.out);
    assert_eq!(world.requests(), 0);
    assert!(!world.place.database().exists());
}

#[test]
fn where_bars_came_from_can_be_asked_in_sql() {
    for world in World::on_both() {
        world.run("rest --symbol=SPY --from=2026-10-02 --to=2026-10-02").ended(0);
        world.run("s3 --symbol=AAPL --no-official-day --from=2026-10-02 --to=2026-10-02").ended(0);
        let sources = "SELECT symbol || ' ' || source || ' ' || object FROM bar_sources ORDER BY symbol";
        let told = world.place.schema().map_or_else(|| query(&world.place.database(), sources), |s| s.query(sources));
        assert_eq!(told[0], "AAPL file us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz");
        assert!(told[1].starts_with("SPY rest /v2/aggs/ticker/SPY/range/1/minute/"), "{told:?}");
        assert_eq!(told.len(), 2);
    }
}

#[test]
fn further_bars_of_minutes_that_the_vendor_has_changed_are_of_one_moment_with_those_there() {
    let world = World::new();
    world.run("rest --symbol=SPY --timeframes=day --from=2026-10-02 --to=2026-10-02").ended(0);
    let before = world.dump();
    crate::harness::make_with(&world.place.bucket(), "2026-10-02", "2026-10-02", |defects| {
        defects.replaced.insert(id("2026-10-02"));
    });
    let vendor = crate::harness::Vendor::serve(&world.place.bucket());
    world.place.against(&vendor, "rest --symbol=SPY --timeframes=1m --from=2026-10-02 --to=2026-10-02").ended(0);
    let after = world.dump();
    assert_eq!(after.bars_with("SPY|day|").len(), 1);
    assert_ne!(after.bars_with("SPY|day|"), before.bars_with("SPY|day|"), "the vendor did change it");
    world.run("verify").ended(0);
}
