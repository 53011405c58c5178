//! Comparing with the source, what a repair leaves alone, and what is said.

use std::fs;

use barkeep::model::Dataset;

use super::harness::{Place, Vendor, id, make, make_with, minute_key, query};
use super::{WEEK, copy_of, execute, kinds, loaded_week, words};

const AGAINST: &str = "verify --against=source --sample=all --source=BUCKET";

#[test]
fn what_only_the_source_knows_is_found_and_repaired() {
    let place = loaded_week();
    let before = place.dump();
    let day = "day_id = (SELECT day_id FROM days WHERE session_date = '2026-09-30')";
    let count = "WHERE session_date = '2026-09-30' AND file = 'day'";
    for (sql, finds) in [
        // A close that no other bar shows.
        (
            format!(
                "UPDATE bars SET close = iif(close = low, high, low) WHERE {day} AND symbol = 'SPY' AND timeframe_id = 1
                     AND timestamp = 1790776800000 + 60000"
            ),
            "source_differs",
        ),
        (format!("UPDATE bars SET trades = trades + 1 WHERE {day} AND symbol = 'NVDA' AND timeframe_id = 7"), "source_differs"),
        (
            format!(
                "DELETE FROM bars WHERE {day} AND symbol = 'NVDA' AND timeframe_id = 7;
                 UPDATE ingest_ledger SET bars_written = bars_written - 1 {count}"
            ),
            "source_missing",
        ),
        (
            format!(
                "INSERT INTO symbols VALUES ('ZZZ', 'stocks');
                 INSERT INTO bars SELECT day_id, 'ZZZ', timeframe_id, timestamp, open, high, low, close, volume, vwap, trades,
                     shape_id, minutes FROM bars WHERE {day} AND symbol = 'NVDA' AND timeframe_id = 7;
                 UPDATE ingest_ledger SET bars_written = bars_written + 1 {count}"
            ),
            "source_extra",
        ),
    ] {
        let place = copy_of(&place);
        execute(&place.database(), &sql);
        assert_ne!(place.dump(), before, "{sql}");
        place.type_line("verify").ended(0);
        place.type_line(&format!("{AGAINST} --symbol=AAPL")).ended(0);
        let found = place.type_line(&format!("{AGAINST} --repair --json"));
        assert_eq!(kinds(&found), [(finds.to_owned(), 1)].into(), "{sql}: {found:?}");
        found.ended(0);
        place.dump().assert_same(&before);
    }
}

#[test]
fn a_file_the_vendor_has_replaced_is_told_and_its_day_is_loaded_again() {
    let place = loaded_week();
    make_with(&place.bucket(), WEEK.0, WEEK.1, |defects| {
        defects.replaced.insert(id("2026-09-30"));
    });
    place.type_line("verify").ended(0);
    // Every replaced file is looked at, in the sample or not.
    let told = place.type_line("verify --against=source --sample=1 --source=BUCKET --json").ended(3);
    assert_eq!(kinds(&told), [("restated".to_owned(), 1)].into());
    let row = &told.json()["rows"][0];
    assert_eq!((&row["date"], &row["repaired"]), (&"2026-09-30".into(), &serde_json::Value::Null), "{row}");
    place.type_line(&format!("{AGAINST} --repair")).ended(0);
    assert_eq!(query(&place.database(), "SELECT session_date FROM restatements"), ["2026-09-30"]);
    let fresh = loaded_week();
    make_with(&fresh.bucket(), WEEK.0, WEEK.1, |defects| {
        defects.replaced.insert(id("2026-09-30"));
    });
    fresh.type_line("s3 --source=BUCKET --days=5 --symbol=SPY").ended(0);
    place.dump().assert_same_bars(&fresh.dump());
}

#[test]
fn the_same_content_packed_otherwise_is_no_finding() {
    let place = loaded_week();
    let file = place.bucket().join(minute_key("2026-09-30"));
    let mut text = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(fs::File::open(&file).unwrap()), &mut text).unwrap();
    let mut packer = flate2::write::GzEncoder::new(fs::File::create(&file).unwrap(), flate2::Compression::none());
    std::io::copy(&mut text.as_slice(), &mut packer).unwrap();
    packer.finish().unwrap();
    let vendor = Vendor::serve(&place.bucket());
    let ran = place.against(&vendor, "verify --against=source --sample=1 --json").ended(0);
    let dates = ran.json()["totals"]["compared"][0]["dates"].clone();
    assert_eq!(dates.as_array().unwrap().len(), 5, "another bucket has other versions of all files: {dates}");
}

#[test]
fn the_sample_is_said_and_always_the_same() {
    let place = loaded_week();
    let compared = |sample: &str| {
        let ran = place.type_line(&format!("verify --against=source {sample} --source=BUCKET --json")).ended(0);
        ran.json()["totals"]["compared"][0]["dates"].clone()
    };
    assert_eq!(compared("--sample=2"), serde_json::json!(["2026-09-28", "2026-10-02"]));
    assert_eq!(compared("--sample=3"), serde_json::json!(["2026-09-28", "2026-09-30", "2026-10-02"]));
    assert_eq!(compared("").as_array().unwrap().len(), 5);
    let text = place.type_line("verify --against=source --sample=1 --source=BUCKET").ended(0).out;
    assert!(text.contains("stocks against the source: 1 day (2026-10-02)"), "{text}");
    for wrong in ["--sample=0", "--sample=some"] {
        let refused = place.type_line(&format!("verify --against=source {wrong} --source=BUCKET")).ended(2);
        assert!(refused.err.contains("--sample: ") && refused.err.contains("number of days"), "{}", refused.err);
    }
    place.type_line("verify --sample=3").ended(2);
}

#[test]
fn a_day_the_source_no_longer_has_keeps_its_rows() {
    let place = loaded_week();
    fs::remove_file(place.bucket().join(minute_key("2026-09-30"))).unwrap();
    execute(&place.database(), "UPDATE bars SET minutes = 0 WHERE symbol = 'SPY' AND timeframe_id = 3");
    let damaged = place.dump();
    let repaired = place.type_line("verify --repair --source=BUCKET --json").ended(3);
    let left = repaired.json()["totals"]["repair"]["left"].clone();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["date"]), (1, &"2026-09-30".into()), "{left}");
    let rows = repaired.json()["rows"].as_array().unwrap().clone();
    let is_there = |row: &serde_json::Value| row["date"] == "2026-09-30";
    assert!(rows.iter().all(|row| row["repaired"] == !is_there(row)), "{rows:?}");
    let of_day = |dump: &super::harness::Dump| dump.bars_with("|2026-09-30|").join("\n");
    assert_eq!(of_day(&place.dump()), of_day(&damaged));
    let text = place.type_line("verify --repair --source=BUCKET").ended(3).out;
    assert!(text.contains("not repaired: 2026-09-30 stocks missing: the source has no minute file of it"), "{text}");
    // Nor is it when only the vendor's day bars are gone: half a day would be worse.
    fs::remove_file(place.bucket().join(id("stocks/day/2026-10-01").key())).unwrap();
    execute(&place.database(), "UPDATE ingest_ledger SET bars_written = 1 WHERE session_date = '2026-10-01'");
    let before = place.dump();
    let text = place.type_line("verify --repair --source=BUCKET").ended(3).out;
    assert!(text.contains("not repaired: 2026-10-01 stocks missing: the source has no day file of it"), "{text}");
    place.dump().assert_same(&before);
}

#[test]
fn a_day_file_that_cannot_be_read_leaves_the_day_as_it_is() {
    let place = loaded_week();
    fs::write(place.bucket().join(id("stocks/day/2026-10-01").key()), b"no gzip").unwrap();
    execute(&place.database(), "UPDATE ingest_ledger SET bars_written = 1 WHERE session_date = '2026-10-01'");
    let before = place.dump();
    let text = place.type_line("verify --repair --source=BUCKET").ended(3).out;
    assert!(text.contains("not repaired: 2026-10-01 stocks"), "{text}");
    place.dump().assert_same_bars(&before);
}

#[test]
fn a_repair_touches_nothing_but_what_is_wrong() {
    let place = loaded_week();
    let vendor = Vendor::serve(&place.bucket());
    execute(
        &place.database(),
        "UPDATE bars SET minutes = 0 WHERE symbol = 'SPY' AND timeframe_id = 3
             AND day_id = (SELECT day_id FROM days WHERE session_date = '2026-09-30')",
    );
    let asked = vendor.counts();
    // The vendor's bucket has other versions than the folder, so the day is loaded as a whole; no other day is.
    let repaired = place.against(&vendor, "verify --repair --json").ended(0);
    assert_eq!(repaired.json()["totals"]["repair"]["days_loaded"], 1);
    assert_eq!(vendor.asked_since(asked).1, 2, "a minute file and a day file");
    execute(
        &place.database(),
        "UPDATE bars SET minutes = 0 WHERE symbol = 'SPY' AND timeframe_id = 3
             AND day_id = (SELECT day_id FROM days WHERE session_date = '2026-09-30')",
    );
    let again = place.against(&vendor, "verify --repair --json").ended(0);
    let spy: u64 = place.dump().bars_with("|2026-09-30|").iter().filter(|bar| bar.starts_with("SPY|")).count() as u64;
    assert_eq!(again.json()["totals"]["repair"]["bars_written"], spy, "one symbol");
}

#[test]
fn without_a_database_there_is_nothing_to_verify() {
    let place = Place::new();
    let ran = place.type_line("verify").ended(1);
    assert!(
        ran.err.contains("there is no database") && ran.err.contains("hint: `backfill s3` makes one"),
        "{}",
        ran.err
    );
    assert!(!place.database().exists());
    make(&place.bucket(), &[Dataset::Stocks], WEEK.0, WEEK.1);
    place.type_line("watchlist add SPY").ended(0);
    assert!(place.type_line("verify").ended(0).out.contains("nothing of it is loaded"));
}

#[test]
fn a_damaged_file_is_told_and_not_repaired() {
    let place = loaded_week();
    let mut bytes = fs::read(place.database()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 50_000].fill(0x5a);
    fs::write(place.database(), &bytes).unwrap();
    let found = place.type_line("verify --repair --source=BUCKET --json").ended(3);
    assert_eq!(words(&found).into_iter().collect::<Vec<_>>(), ["damaged_file"]);
    assert!(fs::read(place.database()).unwrap() == bytes);
    let text = place.type_line("verify").ended(3).out;
    assert!(text.contains("the database is damaged: restore it from a copy, or move it away and load again"), "{text}");
}

#[test]
fn people_read_lines_and_programs_one_object() {
    let place = loaded_week();
    execute(
        &place.database(),
        "UPDATE bars SET minutes = 0 WHERE symbol = 'SPY' AND timeframe_id = 1
             AND day_id = (SELECT day_id FROM days WHERE session_date = '2026-09-30')",
    );
    let text = place.type_line("verify").ended(3).out;
    assert!(text.starts_with("stocks 2026-09-28 to 2026-10-02: 5 days, "), "{text}");
    assert!(text.contains("\nminutes_invalid:\n  2026-09-30 stocks SPY 1m 04:"), "{text}");
    assert!(text.contains(": minutes: 0, not 1\n") && text.contains("\n  and "), "{text}");
    let json = place.type_line("verify --json").ended(3).json();
    let minutes: u64 = query(
        &place.database(),
        "SELECT COUNT(*) || '' FROM historical_bars WHERE symbol = 'SPY' AND timeframe = '1m' AND minutes = 0",
    )[0]
    .parse()
    .unwrap();
    assert_eq!(json["totals"]["findings"]["minutes_invalid"], minutes, "counted in full");
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["kind"] == "minutes_invalid").count(), 20, "listed up to a cap");
    let first = rows.iter().find(|row| row["kind"] == "minutes_invalid").unwrap();
    assert_eq!((&first["symbol"], &first["expected"], &first["found"]), (&"SPY".into(), &"1".into(), &"0".into()));
    let quiet = place.type_line("verify --quiet").ended(3);
    assert!(quiet.out.is_empty() && quiet.err.contains("minutes_invalid"), "{quiet:?}");
}
