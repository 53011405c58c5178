//! Real files against bars that an independent program made of them. The data is not ours to pass on, so it lies outside
//! the repository; without it these tests say so and pass.

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barkeep::aggregate::DayGrid;
use barkeep::ingest::decode::{Grouping, decode_minutes, gunzip};
use barkeep::ingest::source::{LocalSource, Source};
use barkeep::ingest::{Accept, Outcome, Request, SilentReporter, Wanted, make_plan};
use barkeep::model::{Dataset, Timeframe, TimeframeSet};
use barkeep::store::sqlite::SqliteStore;
use jiff::civil::date;

use common::{TableRow, request, table};

/// A folder of the real data, if it is on this machine.
fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("BARKEEP_REAL_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/real"), PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: NO REAL DATA at {} (set BARKEEP_REAL_DATA to its folder)", folder.display());
    None
}

/// Lines of a packed file, header first, split at commas.
fn lines(path: &Path) -> impl Iterator<Item = Vec<String>> {
    let packed = File::open(path).unwrap();
    BufReader::new(gunzip(packed)).lines().map(|line| line.unwrap().split(',').map(str::to_owned).collect())
}

fn read_expected(path: &Path) -> Vec<TableRow> {
    let mut lines = lines(path);
    let header = lines.next().unwrap();
    lines
        .map(|fields| {
            let text = |name: &str| {
                let place = header.iter().position(|column| column == name);
                fields[place.unwrap_or_else(|| panic!("column {name} in {}", path.display()))].as_str()
            };
            let number = |name| text(name).parse::<f64>().unwrap();
            let integer = |name| text(name).parse::<i64>().unwrap();
            let some = |name| Some(text(name)).filter(|text| !text.is_empty());
            TableRow {
                symbol: text("symbol").to_owned(),
                timeframe: text("timeframe").to_owned(),
                timestamp: integer("timestamp"),
                prices: ["open", "high", "low", "close"].map(number),
                volume: some("volume").map(|volume| volume.parse().unwrap()),
                vwap: some("vwap").map(|vwap| vwap.parse().unwrap()),
                trades: some("trades").map(|trades| trades.parse().unwrap()),
                session: text("session").to_owned(),
                vwap_method: some("vwap_method").map(str::to_owned),
                session_date: text("session_date").to_owned(),
                end_timestamp: integer("end_timestamp"),
                minutes: integer("minutes"),
            }
        })
        .collect()
}

fn close_to(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        (a, b) => a == b,
    }
}

async fn load(files: &Path) -> Vec<TableRow> {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("bars.db");
    let mut store = SqliteStore::open(&database).await.unwrap();
    let source = Source::Local(LocalSource::open(files, Dataset::Stocks).unwrap());
    let asked = Request { accept: Accept::All, ..request(Dataset::Stocks, date(2003, 9, 10), date(2026, 10, 30)) };
    let plan = make_plan(&source, Some(&mut store), asked, &SilentReporter).await.unwrap();
    let files = plan.jobs().count();
    let reporter = Arc::new(SilentReporter);
    let source = Arc::new(source);
    let report = common::carry_out(vec![plan], source, &database, &mut store, reporter, Default::default()).await;
    let loaded = report.days.iter().filter(|day| day.outcome == Outcome::Loaded);
    assert_eq!(loaded.clone().count(), files, "every file is loaded");
    assert!(loaded.filter_map(|day| day.minute_file.as_ref()).all(|file| file.rejects.total() == 0));
    store.close().await.unwrap();
    table(&database).await
}

async fn compare(name: &str) {
    let Some(folder) = folder(name) else { return };
    let key = |row: &TableRow| (row.symbol.clone(), row.timeframe.clone(), row.timestamp);
    let mut expected: BTreeMap<_, TableRow> =
        read_expected(&folder.join("expected_bars.csv.gz")).into_iter().map(|row| (key(&row), row)).collect();
    let found = load(&folder.join("minute")).await;
    let count = expected.len();
    for row in &found {
        let theirs = expected.remove(&key(row)).unwrap_or_else(|| panic!("a bar too many: {row:#?}"));
        assert!(close_to(row.volume, theirs.volume) && close_to(row.vwap, theirs.vwap), "{row:#?} {theirs:#?}");
        let exact = TableRow { volume: row.volume, vwap: row.vwap, ..theirs };
        assert_eq!(row, &exact);
    }
    assert!(expected.is_empty(), "{} bars are missing, as {:?}", expected.len(), expected.values().next());
    assert!(count > 1000, "{count} bars prove little");
    eprintln!("{name}: {count} bars agree");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_of_a_dozen_years_are_those_of_the_independent_program() {
    compare("lean").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_over_a_clock_change_are_those_of_the_independent_program() {
    compare("polygon-spy").await;
}

/// DESIGN §6 rests on this: the middle of a minute's range is about 1.4 basis points from its VWAP.
#[test]
fn the_estimate_of_a_minute_is_about_a_basis_point_from_its_vwap() {
    let Some(folder) = folder("polygon-spy") else { return };
    let mut exact: BTreeMap<i64, (f64, u64)> = lines(&folder.join("exact_vwap.csv.gz"))
        .skip(1)
        .map(|fields| (fields[1].parse().unwrap(), (fields[2].parse().unwrap(), fields[3].parse().unwrap())))
        .collect();
    let files = LocalSource::open(&folder.join("minute"), Dataset::Stocks).unwrap();
    let range = date(2024, 1, 1)..=date(2024, 12, 31);
    let minutes = TimeframeSet::of([Timeframe::M1]);
    let wanted = Wanted { others: minutes, ..Wanted::default() };
    let (mut regular, mut extended) = (Vec::new(), Vec::new());
    for day in files.list(Dataset::Stocks, barkeep::model::FileKind::Minute, &range).unwrap() {
        let grid = DayGrid::new(Dataset::Stocks, day.date);
        let file = File::open(files.fetch(&day).unwrap()).unwrap();
        decode_minutes(
            file,
            Dataset::Stocks,
            &grid,
            &wanted,
            Grouping::Together,
            |_| (),
            |symbol| {
                let mut bars = Vec::new();
                barkeep::aggregate::roll_up(&grid, Dataset::Stocks, minutes, symbol.minutes, &mut bars);
                for bar in bars {
                    let stamp = bar.timestamp_ms * 1_000_000;
                    let (vwap, trades) = exact.remove(&stamp).expect("the vendor has a VWAP of every minute");
                    assert_eq!(bar.trades, Some(trades));
                    let error_bps = (bar.vwap.expect("there is volume") / vwap - 1.0).abs() * 10_000.0;
                    let session =
                        if bar.session == barkeep::model::Session::Regular { &mut regular } else { &mut extended };
                    session.push(error_bps);
                }
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    }
    assert!(exact.is_empty(), "{} minutes of the vendor's are not in the files", exact.len());
    let mean = |errors: &[f64]| errors.iter().sum::<f64>() / errors.len() as f64;
    eprintln!(
        "mean error of the estimated VWAP: regular {:.3} bps of {} minutes, extended {:.3} bps of {}",
        mean(&regular),
        regular.len(),
        mean(&extended),
        extended.len()
    );
    assert!(regular.len() > 20_000 && (0.5..3.0).contains(&mean(&regular)));
}
