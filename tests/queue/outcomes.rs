//! What becomes of requests.

use barkeep::model::Dataset;
use barkeep::sandbox::Plan;
use serde_json::json;

use super::harness::{Place, id, make_with, minute_key};
use super::{DAYS, FILES, World};

#[test]
fn what_is_put_on_the_watchlist_by_sql_is_loaded_as_s3_would() {
    for world in World::on_both() {
        let ten = ["SPY", "QQQ", "NVDA", "AAPL", "MSFT", "BRK.B", "AA", "NA", "BACpA", "TRUE"];
        for symbol in ten {
            world.place.sql(&format!("INSERT INTO watchlist (symbol, days_to_backfill) VALUES ('{symbol}', {DAYS})"));
        }
        let ran = world.once().ended(0);
        assert_eq!(ran.json()["totals"], json!({ "requests": { "loaded": 10 } }));
        let row = &ran.json()["rows"][0];
        assert_eq!((&row["days_total"], &row["days_done"]), (&json!(10), &json!(10)), "{row}");
        assert_eq!(world.vendor.counts().get, FILES, "each file once for all ten");
        let other = Place::new();
        let line = format!("s3 --days={DAYS} --symbols={}", ten.join(","));
        other.against(&world.vendor, &line).ended(0);
        world.place.dump().assert_same(&other.dump());
        let progress = "SELECT DISTINCT days_done || ' of ' || days_total FROM historical_ingestion_queue";
        assert_eq!(world.place.sql(progress), ["10 of 10"]);
        assert_eq!(world.once().ended(0).json()["rows"], json!([]), "nothing is left");
    }
}

#[test]
fn different_wishes_are_served_together() {
    for world in World::on_both() {
        world.request(&["SPY", "AAPL"], 3);
        world.request(&["QQQ"], DAYS);
        world.place.sql(
            "INSERT INTO historical_ingestion_queue (symbol, from_date, to_date, timeframes)
             VALUES ('AA', '2026-09-22', '2026-09-24', '1h')",
        );
        world.once().ended(0);
        assert_eq!(world.vendor.counts().get, FILES);
        let dump = world.place.dump();
        let coverage = |symbol: &str| dump.coverage.iter().filter(|row| row.contains(&format!("|{symbol}|"))).count();
        assert_eq!(["SPY", "QQQ", "AA"].map(coverage), [3, 10, 3]);
    }
}

#[test]
fn with_a_key_what_files_lack_and_today_come_by_requests() {
    for world in World::on_both_with(|options| options.hidden = ["2026-09-30"].map(id).into()) {
        let world = world.with_key();
        world.request(&["SPY", "AAPL"], DAYS);
        world.once().ended(0);
        assert_eq!(world.outcomes(), ["AAPL completed loaded", "SPY completed loaded"]);
        let other = Place::new();
        other.against(&world.vendor, &format!("hybrid --days={DAYS} --symbols=SPY,AAPL --rate=100/s")).ended(0);
        let dates = "SELECT DISTINCT CAST(session_date AS TEXT) FROM historical_bars ORDER BY 1";
        assert_eq!(world.place.sql(dates), other.sql(dates), "today so far, too");
        assert_eq!(world.place.sql(dates).last().unwrap(), "2026-10-05");
    }
}

#[test]
fn what_cannot_be_had_is_told_apart() {
    let from: jiff::civil::Date = "2026-09-25".parse().unwrap();
    let plan = Plan { datasets: vec![Dataset::Stocks], from: Some(from) };
    for world in World::on_both_with(|options| options.plan = plan.clone()) {
        world.request(&["ZZZZ", "aapl"], 5);
        world.request(&["SPY"], DAYS);
        world.place.sql(
            "INSERT INTO historical_ingestion_queue (symbol, from_date, to_date, timeframes) VALUES
             ('AAPL', '2026-09-21', '2026-09-23', '1h'), ('MSFT', '2026-09-20', '2026-09-01', '1h'),
             ('QQQ', '0001-01-01', '9999-12-31', '7m'), ('A B', '0001-01-01', '9999-12-31', '1h')",
        );
        let ran = world.once().ended(3);
        let expected = [
            "A B failed invalid",
            "AAPL failed not_entitled",
            "MSFT failed invalid",
            "QQQ failed invalid",
            "SPY completed partial",
            "ZZZZ failed no_data",
            "aapl failed no_data",
        ];
        assert_eq!(sorted(world.outcomes()), expected);
        for (symbol, part) in [
            ("A B", "symbol: `A B` is not a ticker"),
            ("AAPL", "not included in the vendor's plan: 2026-09-21 to 2026-09-23 (3 days)"),
            ("MSFT", "from_date 2026-09-20 lies after to_date 2026-09-01"),
            ("QQQ", "timeframes: `7m` is not a timeframe"),
            ("SPY", "not included in the vendor's plan: 2026-09-21 to 2026-09-24 (4 days)"),
            ("ZZZZ", "the vendor has no bar of ZZZZ from 2026-09-28 to 2026-10-05"),
            ("aapl", "upper and lower case matter"),
        ] {
            assert!(world.message(symbol).contains(part), "{symbol}: {}", world.message(symbol));
        }
        assert_eq!(ran.err.matches("the REST API cannot be asked").count(), 1, "{}", ran.err);
    }
}

/// By bytes, whatever the order of the database.
fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

#[test]
fn what_may_pass_is_tried_again_after_a_pause() {
    for world in World::on_both() {
        make_with(&world.place.bucket(), "2026-09-29", "2026-09-29", |defects| {
            defects.corrupt.insert(id("2026-09-29"));
        });
        world.request(&["SPY"], DAYS);
        let row = world.once().ended(1).json()["rows"][0].clone();
        assert_eq!((&row["outcome"], &row["days_done"]), (&json!("retry"), &json!(9)), "{row}");
        assert!(row["message"].as_str().unwrap().starts_with("damaged: 2026-09-29 ("), "{row}");
        assert_eq!(world.outcomes(), ["SPY pending -"]);
        let retries = "SELECT CAST(retry_count AS TEXT) FROM historical_ingestion_queue";
        assert_eq!(world.place.sql(retries), ["1"]);
        assert_eq!(world.once().ended(0).json()["rows"], json!([]), "its pause is not over");
        // The vendor puts the file right; the pause passes.
        std::fs::remove_file(world.place.bucket().join(minute_key("2026-09-29"))).unwrap();
        super::make(&world.place.bucket(), &[Dataset::Stocks], super::FROM, super::TO);
        world.place.sql("UPDATE historical_ingestion_queue SET not_before = 0");
        world.once().ended(0);
        assert_eq!(world.outcomes(), ["SPY completed loaded"]);
    }
}

#[test]
fn what_ended_long_ago_is_forgotten() {
    for world in World::on_both() {
        world.request(&["SPY", "QQQ"], 2);
        world.once().ended(0);
        world.place.sql(
            "UPDATE historical_ingestion_queue SET completed_at = completed_at - 8 * 86400000 WHERE symbol = 'SPY'",
        );
        world.once().ended(0);
        assert_eq!(world.outcomes(), ["QQQ completed loaded"]);
    }
}

#[test]
fn missing_keys_are_said_once_and_waited_for_long() {
    for world in World::on_both() {
        world.request(&["SPY", "QQQ"], 5);
        let mut command = world.command("watchlist run --once --json");
        command.env_remove("MASSIVE_S3_ACCESS_KEY_ID").env_remove("MASSIVE_S3_SECRET_ACCESS_KEY");
        let ran = super::ran(&mut command).ended(1);
        assert_eq!(ran.err.matches("files cannot be loaded: ").count(), 1, "{}", ran.err);
        assert_eq!(ran.json()["totals"], json!({ "requests": { "retry": 2 } }));
        let row = &ran.json()["rows"][0];
        // An hour, where a lease is 20 s.
        assert!(row["retry_in_seconds"].as_u64().unwrap() >= 270, "{row}");
        assert!(world.message("SPY").contains("MASSIVE_S3_ACCESS_KEY_ID"), "{}", world.message("SPY"));
    }
}
