//! No false alarms: what was loaded as people load it is found right.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use barkeep::model::Dataset;
use barkeep::sandbox::Defects;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::harness::{Place, id, make, make_with, minute_key};
use super::{WEEK, loaded_week, places, words};

#[track_caller]
fn is_right(place: &Place) {
    let verified = place.type_line("verify --json");
    assert_eq!((verified.code, words(&verified).len()), (0, 0), "{verified:?}");
}

#[test]
fn every_market_around_clock_changes_holidays_and_early_closes() {
    for (from, to, datasets) in [
        ("2026-03-06", "2026-03-09", &Dataset::ALL[..]),
        ("2025-11-26", "2025-12-01", &[Dataset::Stocks, Dataset::Indices]),
    ] {
        for place in places() {
            make(&place.bucket(), datasets, from, to);
            for dataset in datasets {
                let all = "--all --timeframes=1m,5m,15m,1h,4h,day";
                place
                    .type_line(&format!("s3 --source=BUCKET --from={from} --to={to} --dataset={dataset} {all}"))
                    .ended(0);
            }
            let verified = place.type_line("verify --against=source --sample=2 --source=BUCKET --json").ended(0);
            let totals = &verified.json()["totals"];
            assert!(words(&verified).is_empty(), "{verified:?}");
            assert_eq!(totals["checked"].as_array().unwrap().len(), datasets.len(), "{totals}");
            for compared in totals["compared"].as_array().unwrap() {
                let expected = usize::from(datasets.iter().any(|dataset| compared["dataset"] == dataset.as_str())) * 2;
                assert_eq!(compared["dates"].as_array().unwrap().len(), expected, "{compared}");
            }
        }
    }
}

#[test]
fn scopes_that_differ_from_day_to_day() {
    for place in places() {
        make(&place.bucket(), &[Dataset::Stocks], WEEK.0, WEEK.1);
        for line in [
            "--from=2026-09-29 --to=2026-09-30 --symbol=SPY --timeframes=5m --no-official-day",
            "--from=2026-09-29 --to=2026-10-01 --symbols=AAPL,NOSUCH --timeframes=1m,1h",
            "--from=2026-09-30 --to=2026-10-02 --symbol=SPY --timeframes=day,15m",
            "--from=2026-10-01 --to=2026-10-02 --all --timeframes=15m,day --no-official-day",
            "--days=5 --all --timeframes=4h",
            "--days=2 --all --force",
            "--days=2 --symbol=SPY --force",
        ] {
            let ran = place.type_line(&format!("s3 --source=BUCKET {line}"));
            assert!(ran.code == 0 || ran.code == 3 && line.contains("NOSUCH"), "{line}: {ran:?}");
            is_right(&place);
        }
    }
}

#[test]
fn days_without_a_day_file_and_days_that_were_replaced() {
    let place = Place::new();
    let with = |change: fn(&mut Defects)| make_with(&place.bucket(), WEEK.0, WEEK.1, change);
    with(|defects| {
        defects.absent.insert(id("stocks/day/2026-09-30"));
        defects.defect_rows.insert(id("2026-10-01"));
    });
    place.type_line("s3 --source=BUCKET --days=5 --all").ended(0);
    is_right(&place);
    with(|defects| defects.replaced.extend([id("2026-09-29"), id("stocks/day/2026-09-29")]));
    place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY").ended(0);
    is_right(&place);
    with(|defects| defects.truncated.extend([id("2026-09-29"), id("stocks/day/2026-10-02")]));
    place.type_line("s3 --source=BUCKET --days=5 --all").ended(3);
    is_right(&place);
}

/// Leaves out what was traded after 11:30 in New York: less than 60 % of a day's bytes are left.
fn cut(file: &Path, date: &str) {
    let until: jiff::Timestamp = format!("{date}T15:30:00Z").parse().unwrap();
    let mut text = String::new();
    GzDecoder::new(fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let is_before = |line: &&str| {
        let stamp: Option<i128> = line.split(',').nth(6).and_then(|stamp| stamp.parse().ok());
        stamp.is_none_or(|stamp| stamp < until.as_nanosecond())
    };
    let mut packer = GzEncoder::new(fs::File::create(file).unwrap(), Compression::fast());
    packer.write_all(text.lines().filter(is_before).collect::<Vec<_>>().join("\n").as_bytes()).unwrap();
    packer.finish().unwrap();
}

#[test]
fn days_that_were_accepted_although_they_look_cut_short() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-24", WEEK.1);
    let file = place.bucket().join(minute_key("2026-09-30"));
    cut(&file, "2026-09-30");
    let load = "s3 --source=BUCKET --from=2026-09-24 --to=2026-10-02 --symbols=SPY,AAPL";
    let suspect = place.type_line(load).ended(3);
    assert!(suspect.out.contains("2026-09-30 stocks suspect"), "{suspect:?}");
    place.type_line(&format!("{load} --accept=2026-09-30")).ended(0);
    is_right(&place);
    // Another symbol is refused again; that changes nothing.
    place.type_line("s3 --source=BUCKET --from=2026-09-30 --to=2026-09-30 --symbol=NVDA").ended(1);
    is_right(&place);
}

#[test]
fn what_is_not_asked_for_is_not_looked_at() {
    let place = loaded_week();
    super::execute(
        &place.database(),
        "DELETE FROM bars WHERE symbol = 'AAPL' AND timeframe_id = 1
             AND day_id = (SELECT day_id FROM days WHERE session_date = '2026-09-30')",
    );
    for (flags, finds) in [
        ("--symbol=SPY", false),
        ("--symbol=AAPL", true),
        ("--dataset=crypto", false),
        ("--days=2", false),
        ("--from=2026-09-30 --to=2026-09-30", true),
    ] {
        let verified = place.type_line(&format!("verify {flags} --json"));
        let found: Vec<_> = words(&verified).into_iter().collect();
        assert_eq!((verified.code, found.is_empty()), if finds { (3, false) } else { (0, true) }, "{flags}: {found:?}");
    }
    assert!(place.type_line("verify --dataset=crypto").ended(0).out.contains("nothing of it is loaded"));
    // Days that were never loaded are missed by who names them, not by who does not.
    let before = "--from=2026-09-24 --to=2026-09-25";
    assert_eq!(
        words(&place.type_line(&format!("verify {before} --json"))).into_iter().collect::<Vec<_>>(),
        ["day_missing"]
    );
    let text = place.type_line(&format!("verify {before}")).ended(3).out;
    assert!(text.contains("2026-09-25 stocks: not loaded"), "{text}");
}

#[test]
fn a_repair_of_a_symbol_counts_the_bars_of_all() {
    let place = loaded_week();
    let before = place.dump();
    super::execute(
        &place.database(),
        "DELETE FROM bars WHERE symbol = 'SPY' AND timeframe_id IN (1, 4) AND timestamp < 1790776800000
             AND day_id = (SELECT day_id FROM days WHERE session_date = '2026-09-30')",
    );
    place.type_line("verify --symbol=SPY --repair --source=BUCKET").ended(0);
    place.dump().assert_same(&before);
}

/// A day that another process loads between the books and the bars is not told as wrong.
#[test]
fn a_day_that_is_loaded_meanwhile_is_no_finding() {
    use barkeep::model::Dataset::Stocks;
    use barkeep::store::sqlite::SqliteStore;
    use barkeep::verify::{Findings, Scope, audit};

    let place = Place::new();
    make(&place.bucket(), &[Stocks], WEEK.0, WEEK.1);
    place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY --timeframes=5m").ended(0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut store = SqliteStore::open(&place.database()).await.unwrap();
        let now = super::harness::NOW.parse().unwrap();
        let scope = Scope { dataset: Stocks, range: None, symbols: None, now };
        let load = |_, _, _| {
            place.type_line("s3 --source=BUCKET --days=2 --symbol=AAPL").ended(0);
        };
        let (mut findings, stop) = (Findings::default(), Default::default());
        let checked = audit(&mut store, &scope, &mut findings, &load, &stop).await.unwrap();
        assert!(findings.is_empty(), "{:?}", findings.kept());
        assert_eq!((checked.days, checked.changed), (5, 2));
        store.close().await.unwrap();
    });
}
