//! What the files hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use barkeep::model::Symbol;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::table::{assert_same, of_database, of_export};
use super::{files, month, place};
use crate::harness::query_file;

/// The manifest, held against the files: every one is listed once, with its rows, size and hash.
#[track_caller]
fn manifest(folder: &Path) -> Value {
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("_manifest.json")).unwrap()).unwrap();
    let listed = manifest["files"].as_array().unwrap();
    let bars = of_export(folder);
    let mut totals = (0, 0);
    for file in listed {
        let bytes = fs::read(folder.join(file["path"].as_str().unwrap())).unwrap();
        let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((&file["sha256"], &file["bytes"]), (&sha256.into(), &bytes.len().into()), "{file}");
        let rows: Vec<_> = bars
            .iter()
            .filter(|bar| {
                file["timeframe"] == *bar.timeframe
                    && file["month"] == bar.session_date[..7]
                    && file["dataset"] == Symbol::dataset_of(&bar.symbol).as_str()
            })
            .collect();
        assert_eq!(file["rows"], rows.len(), "{file}");
        let symbols: BTreeSet<_> = rows.iter().map(|bar| &*bar.symbol).collect();
        let times: BTreeSet<_> = rows.iter().map(|bar| bar.timestamp).collect();
        assert_eq!(file["first_symbol"], **symbols.first().unwrap(), "{file}");
        assert_eq!(file["last_symbol"], **symbols.last().unwrap(), "{file}");
        assert_eq!(file["first_timestamp"], *times.first().unwrap(), "{file}");
        assert_eq!(file["last_timestamp"], *times.last().unwrap(), "{file}");
        totals = (totals.0 + rows.len(), totals.1 + bytes.len());
    }
    let paths: BTreeSet<_> = listed.iter().map(|file| file["path"].as_str().unwrap().into()).collect();
    assert_eq!(paths.len(), listed.len());
    let there: BTreeSet<_> = files(&folder.join("bars")).into_iter().map(|path| Path::new("bars").join(path)).collect();
    assert_eq!(paths, there);
    assert_eq!(manifest["totals"]["files"], listed.len());
    assert_eq!((&manifest["totals"]["rows"], &manifest["totals"]["bytes"]), (&totals.0.into(), &totals.1.into()));
    assert_eq!(totals.0, bars.len());
    manifest
}

#[test]
fn both_forms_hold_the_table_and_the_manifest_lists_them() {
    let place = place();
    // Names that readers may take for something else.
    for (old, new) in [("AAAP", "nan"), ("AApB", "A\"B")] {
        for table in ["bars", "symbols"] {
            query_file(&place.database(), &format!("UPDATE {table} SET symbol = '{new}' WHERE symbol = '{old}'"));
        }
    }
    let stored = of_database(&place.database(), "1");
    for symbol in ["NA", "TRUE", "nan", "A\"B", "X:BTCUSD", "I:SPX"] {
        assert!(stored.iter().any(|bar| bar.symbol == symbol), "{symbol}");
    }
    let months: BTreeSet<_> = stored.iter().map(|bar| &bar.session_date[..7]).collect();
    assert_eq!(months.into_iter().collect::<Vec<_>>(), ["2025-11", "2025-12", "2026-02", "2026-03"]);

    for format in ["parquet", "csv"] {
        let json = place.type_line(&format!("export --output={format} --format={format} --json")).ended(0).json();
        let folder = place.path("work").join(format);
        assert_same(&of_export(&folder), &stored);
        let manifest = manifest(&folder);
        assert_eq!(json["rows"], manifest["files"]);
        assert_eq!(json["totals"]["bars"], stored.len());
        assert_eq!(json["totals"]["bytes"], manifest["totals"]["bytes"]);
        assert_eq!((&manifest["format"], &manifest["database"]), (&format.into(), &"sqlite".into()));
        assert_eq!(manifest["created_at"], crate::harness::NOW);
    }
}

#[test]
fn the_same_table_gives_the_same_files() {
    let place = place();
    let hashes = |folder: &str| {
        place.type_line(&format!("export --output={folder} --dataset=stocks --timeframes=15m,day --quiet")).ended(0);
        let manifest = manifest(&place.path("work").join(folder));
        let files = manifest["files"].as_array().unwrap().clone();
        files.into_iter().map(|file| (file["path"].to_string(), file["sha256"].to_string())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(hashes("a"), hashes("b"));
}

#[test]
fn csv_is_what_bars_prints() {
    let place = place();
    place.type_line("export --output=out --format=csv --symbol=NA --timeframes=15m --from=2026-03-01 --quiet").ended(0);
    let printed = place.type_line("bars NA --timeframe=15m --from=2026-03-01 --csv").ended(0).out;
    let file = place.path("work/out/bars/timeframe=15m/month=2026-03/stocks.csv");
    assert!(printed.lines().count() > 100, "{printed}");
    assert_eq!(fs::read_to_string(file).unwrap(), printed);
}

#[test]
fn a_damaged_bar_stops_the_export_and_is_named() {
    let place = month();
    query_file(
        &place.database(),
        "UPDATE bars SET high = 0 WHERE symbol = 'SPY' AND timestamp = \
         (SELECT max(timestamp) FROM bars WHERE symbol = 'SPY' AND timeframe_id = 6)",
    );
    let failed = place.type_line("export --output=out --timeframes=day").ended(1);
    let damaged = of_database(&place.database(), "symbol = 'SPY' AND timeframe = 'day' AND high = 0");
    let said = format!(
        "error: the day bar of SPY at {} ms is damaged: high is not the highest or low not the lowest of the four prices; \
         `backfill verify`",
        damaged[0].timestamp
    );
    assert!(failed.err.contains(&said), "{}", failed.err);
    assert!(!place.path("work/out").exists());
    place.type_line("export --output=out --timeframes=day --symbol=AAPL").ended(0);
}
