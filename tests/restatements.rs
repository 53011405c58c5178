//! What the vendor uploads again: shown when it changed something, recognised when it did not.
#![cfg(feature = "sandbox")]

mod harness;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use barkeep::ingest::decode::gunzip;
use barkeep::model::Dataset;
use flate2::Compression;
use flate2::write::GzEncoder;
use harness::{Dump, Place, Vendor, days, id, make, make_with, minute_key};

const WEEK: (&str, &str) = ("2026-09-28", "2026-10-02");
const LOAD: &str = "s3 --days=5 --all --json";

/// A place whose week of tiny stocks is loaded from a vendor.
fn loaded() -> (Place, Vendor) {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], WEEK.0, WEEK.1);
    let vendor = Vendor::serve(&place.bucket());
    place.against(&vendor, LOAD).ended(0);
    (place, vendor)
}

/// Bars of a date by symbol, timeframe and start, without the vendor's own.
fn bars(dump: &Dump, date: &str) -> BTreeMap<String, String> {
    let bars = dump.bars.iter().filter(|bar| bar.contains(&format!("|{date}|")) && !bar.contains("|day_official|"));
    bars.map(|bar| (bar.splitn(4, '|').take(3).collect::<Vec<_>>().join("|"), bar.clone())).collect()
}

#[test]
fn status_shows_what_the_vendor_replaced_and_what_that_changed() {
    let (place, vendor) = loaded();
    assert!(place.type_line("status --restatements").ended(0).out.starts_with("the vendor has replaced no file"));
    let path = place.bucket().join(minute_key("2026-09-30"));
    let (before, old_size) = (place.dump(), path.metadata().unwrap().len());
    make_with(&place.bucket(), WEEK.0, WEEK.1, |defects| {
        defects.replaced.insert(id("2026-09-30"));
    });
    place.against(&vendor, LOAD).ended(0);
    let (old, new) = (bars(&before, "2026-09-30"), bars(&place.dump(), "2026-09-30"));
    let added = new.keys().filter(|key| !old.contains_key(*key)).count();
    let removed = old.keys().filter(|key| !new.contains_key(*key)).count();
    let changed = new.iter().filter(|(key, bar)| old.get(*key).is_some_and(|old| old != *bar)).count();
    assert!(changed > 0, "the sandbox restates with other rows");

    let status = place.type_line("status --restatements --json").ended(0).json();
    let [row] = status["rows"].as_array().unwrap().as_slice() else { panic!("{status}") };
    assert_eq!(
        (&row["date"], &row["dataset"], &row["file"]),
        (&"2026-09-30".into(), &"stocks".into(), &"minute".into())
    );
    assert_eq!(
        (&row["old"]["size_bytes"], &row["new"]["size_bytes"]),
        (&old_size.into(), &path.metadata().unwrap().len().into())
    );
    assert_ne!(row["old"]["etag"], row["new"]["etag"]);
    assert!(
        row["new"]["last_modified"].is_string() && row["loaded_at"].as_str().unwrap().starts_with("2026-10-05T16:0")
    );
    for (name, bars) in [("bars_added", added), ("bars_changed", changed), ("bars_removed", removed)] {
        assert_eq!((&row[name], &status["totals"][name]), (&bars.into(), &bars.into()), "{name}");
    }
    let text = place.type_line("status --restatements").ended(0).out;
    assert!(text.contains("2026-09-30  stocks   minute") && text.contains("1 file replaced"), "{text}");
    for (line, rows) in [
        ("--from=2026-09-30 --to=2026-09-30", 1),
        ("--from=2026-10-01", 0),
        ("--to=2026-09-29", 0),
        ("--dataset=crypto", 0),
    ] {
        let status = place.type_line(&format!("status --restatements --json {line}")).ended(0).json();
        assert_eq!(status["rows"].as_array().unwrap().len(), rows, "{line}");
    }
    let backwards = place.type_line("status --restatements --from=2026-10-02 --to=2026-10-01").ended(2);
    assert!(backwards.err.contains("--from=2026-10-02 lies after --to=2026-10-01"), "{}", backwards.err);
}

/// Packs a file's content anew.
fn repack(path: &Path) {
    let (packed, mut content) = (fs::read(path).unwrap(), Vec::new());
    gunzip(packed.as_slice()).read_to_end(&mut content).unwrap();
    let mut packer = GzEncoder::new(Vec::new(), Compression::none());
    packer.write_all(&content).unwrap();
    fs::write(path, packer.finish().unwrap()).unwrap();
}

#[test]
fn the_same_content_uploaded_again_is_fetched_once_and_restates_nothing() {
    let (place, vendor) = loaded();
    let before = place.dump();
    repack(&place.bucket().join(minute_key("2026-09-30")));
    let asked = vendor.counts();
    let again = place.against(&vendor, LOAD).ended(0);
    assert_eq!(again.days(), days(&[("unchanged", 5)]));
    assert_eq!(vendor.asked_since(asked).1, 1, "the day file is in the cache");
    let note = &again.json()["days"][2]["notes"][0];
    assert!(note == "the vendor uploaded the minute file again, with the same content", "{note}");
    place.dump().assert_same_bars(&before);
    assert_eq!(place.type_line("status --restatements --json").ended(0).json()["rows"], serde_json::json!([]));
    let asked = vendor.counts();
    assert_eq!(place.against(&vendor, LOAD).ended(0).json()["days"][2]["notes"], serde_json::json!([]));
    assert_eq!(vendor.asked_since(asked).1, 0, "the new version is the one that is loaded");
}
