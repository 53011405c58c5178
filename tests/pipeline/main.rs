//! Whole runs over folders of files: what ends up in the table, and what the report says of each day.

#[path = "../common/mod.rs"]
mod common;

mod days;
mod meeting;
mod restated;
mod sharing;
mod symbols;

use std::sync::Mutex;

use barkeep::ingest::rest::SymbolDayReport;
use barkeep::ingest::{DayReport, Outcome, Reporter, RunReport};
use barkeep::model::Dataset;
use jiff::civil::{Date, date};
use tokio_util::sync::CancellationToken;

use common::{Desk, TableRow, request, tickers};

const MONDAY: Date = date(2026, 9, 28);
const FRIDAY: Date = date(2026, 10, 2);
const WEEK: [Date; 5] = [MONDAY, date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 1), FRIDAY];

/// A week of stock sessions with enough symbols for the checks that look at the whole market.
fn week() -> Desk {
    let desk = Desk::new();
    for date in WEEK {
        desk.put_session(date, &tickers(12));
    }
    desk
}

/// The table of a folder loaded once, without disturbance.
async fn undisturbed(desk: &Desk) -> Vec<TableRow> {
    let database = desk.dir.path().join("undisturbed.db");
    let mut store = barkeep::store::sqlite::SqliteStore::open(&database).await.unwrap();
    let source = std::sync::Arc::new(desk.source());
    let reporter = std::sync::Arc::new(barkeep::ingest::SilentReporter);
    let all = request(Dataset::Stocks, MONDAY, FRIDAY);
    let plan = barkeep::ingest::make_plan(&source, Some(&mut store), all, &*reporter).await.unwrap();
    let stop = CancellationToken::new();
    common::carry_out(vec![plan], source, &database, &mut store, reporter, stop).await;
    store.close().await.unwrap();
    let table = common::table(&database).await;
    std::fs::remove_file(database).unwrap();
    table
}

fn outcomes(report: &RunReport) -> Vec<Outcome> {
    report.days.iter().map(|day| day.outcome).collect()
}

fn day(report: &RunReport, date: Date) -> &DayReport {
    report.days.iter().find(|day| day.date == date).expect("every day asked for is reported")
}

fn of_day(table: &[TableRow], date: Date) -> Vec<TableRow> {
    table.iter().filter(|row| row.session_date == date.to_string()).cloned().collect()
}

/// Calls for the end of a run at some event, and keeps what was told.
#[derive(Debug)]
struct Interrupter {
    stop: CancellationToken,
    at: At,
    notes: Mutex<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq)]
enum At {
    FirstDay,
    FirstDecoding,
    FirstNote,
    Never,
}

impl Interrupter {
    fn new(at: At) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self { stop: CancellationToken::new(), at, notes: Mutex::default() })
    }

    fn reached(&self, event: &At) {
        if self.at == *event {
            self.stop.cancel();
        }
    }
}

impl Reporter for Interrupter {
    fn start(&self, _days: u64, _bytes: u64) {}

    fn fetched(&self, _bytes: u64) {}

    fn decoded(&self, _rows: u64) {
        self.reached(&At::FirstDecoding);
    }

    fn day_done(&self, _day: &DayReport) {
        self.reached(&At::FirstDay);
    }

    fn symbol_day_done(&self, _: &SymbolDayReport) {}
    fn requests(&self, _: u64, _: u64, _: std::time::Duration) {}
    fn note(&self, message: &str) {
        self.notes.lock().unwrap().push(message.to_owned());
        self.reached(&At::FirstNote);
    }
}
