//! Files that the vendor uploads again: with the same content, with another one, or both at once.

use std::path::Path;

use barkeep::ingest::{Outcome, Request};
use barkeep::model::{Dataset, FileKind};
use barkeep::store::Ledger;
use flate2::Compression;
use jiff::civil::Date;
use sqlx::{Connection, Row};

use super::common::{
    BARS_OF_TICKER, Desk, HEADER, assert_same_table, connect, csv, packed, request, request_of, row, session_rows,
    stamp, tickers,
};
use super::{FRIDAY, outcomes};

fn friday() -> Request {
    request(Dataset::Stocks, FRIDAY, FRIDAY)
}

/// The minute file of a session of twelve tickers.
fn minutes(level: Compression) -> Vec<u8> {
    packed(csv(HEADER, session_rows(FRIDAY, &tickers(12))), level)
}

/// A day file in which each of them closes at so many cents.
fn day_bars(cents: u32, level: Compression) -> Vec<u8> {
    let at = stamp(Dataset::Stocks, FRIDAY, 0, 0);
    packed(csv(HEADER, tickers(12).iter().map(|ticker| row(ticker, at, cents, "1e6", 5000))), level)
}

/// Puts both files there, packed tightly or not.
fn put(desk: &Desk, cents: u32, level: Compression) {
    desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, &minutes(level));
    desk.put(Dataset::Stocks, FileKind::Day, FRIDAY, &day_bars(cents, level));
}

/// The number of the day's bars in the table: another one when all of them were written anew.
async fn day_number(database: &Path) -> i64 {
    let mut connection = connect(database).await;
    let row = sqlx::query("SELECT day_id FROM days").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.get(0)
}

async fn sizes(desk: &Desk, date: Date) -> [u64; 2] {
    let states = desk.store().await.day_states(Dataset::Stocks, date..=date).await.unwrap();
    FileKind::ALL.map(|kind| states[&date].loaded(kind).unwrap().size_bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_content_uploaded_again_is_noted_and_not_loaded() {
    let desk = Desk::new();
    put(&desk, 100, Compression::fast());
    desk.load(friday()).await;
    let (table, number) = (desk.table().await, day_number(&desk.database()).await);
    put(&desk, 100, Compression::best());
    let report = desk.load(friday()).await;
    assert_eq!(outcomes(&report), [Outcome::Unchanged]);
    let [minute, day] = &report.days[0].notes[..] else { panic!("{:?}", report.days[0].notes) };
    assert!(minute == "the vendor uploaded the minute file again, with the same content", "{minute}");
    assert!(day.contains("the day file again"), "{day}");
    assert!(!report.days[0].replaced);
    assert_same_table(&desk.table().await, &table);
    assert_eq!(day_number(&desk.database()).await, number, "no bar was written");
    let listed = [minutes(Compression::best()), day_bars(100, Compression::best())].map(|file| file.len() as u64);
    assert_eq!(sizes(&desk, FRIDAY).await, listed, "the ledger has the new versions");
    let again = desk.load(friday()).await;
    assert_eq!((outcomes(&again), &again.days[0].notes), (vec![Outcome::Unchanged], &vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_files_uploaded_again_only_the_changed_one_is_loaded() {
    let desk = Desk::new();
    put(&desk, 100, Compression::fast());
    desk.load(friday()).await;
    put(&desk, 300, Compression::best());
    let report = desk.load(friday()).await;
    assert_eq!(outcomes(&report), [Outcome::Loaded]);
    assert_eq!((report.days[0].bars, report.days[0].replaced), (12, true), "the official day bars");
    assert!(report.days[0].notes[0].contains("the minute file again"), "{:?}", report.days[0].notes);
    let closes: Vec<f64> =
        desk.table().await.iter().filter(|row| row.timeframe == "day_official").map(|row| row.prices[3]).collect();
    assert_eq!(closes, [3.02; 12]);
    assert_eq!(outcomes(&desk.load(friday()).await), [Outcome::Unchanged]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_else_is_wanted_of_a_file_uploaded_again_is_loaded_beside_what_is_there() {
    let desk = Desk::new();
    put(&desk, 100, Compression::fast());
    desk.load(request_of(&["S00"], Dataset::Stocks, FRIDAY, FRIDAY)).await;
    put(&desk, 100, Compression::best());
    let report = desk.load(friday()).await;
    assert_eq!(outcomes(&report), [Outcome::Loaded]);
    let others = 11 * (BARS_OF_TICKER as u64 + 1);
    assert_eq!((report.days[0].bars, report.days[0].replaced), (others, false));
    let fresh = Desk::new();
    put(&fresh, 100, Compression::best());
    fresh.load(friday()).await;
    assert_same_table(&desk.table().await, &fresh.table().await);
    // To force it means to load it, recognised or not.
    put(&desk, 100, Compression::fast());
    let forced = desk.load(Request { force: true, ..friday() }).await;
    assert_eq!((outcomes(&forced), forced.days[0].bars), (vec![Outcome::Loaded], others / 11 * 12));
    assert_same_table(&desk.table().await, &fresh.table().await);
}

/// A database filled by a version that did not hash loads the day again, and knows it from then on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_hash_the_day_is_loaded_again() {
    let desk = Desk::new();
    put(&desk, 100, Compression::fast());
    desk.load(friday()).await;
    let table = desk.table().await;
    let mut connection = connect(&desk.database()).await;
    sqlx::query("UPDATE ingest_ledger SET content_hash = NULL").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    for (level, expected) in [(Compression::best(), Outcome::Loaded), (Compression::fast(), Outcome::Unchanged)] {
        put(&desk, 100, level);
        assert_eq!(outcomes(&desk.load(friday()).await), [expected]);
        assert_same_table(&desk.table().await, &table);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_upload_of_the_same_content_changes_nothing() {
    let desk = Desk::new();
    desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, &minutes(Compression::fast()));
    desk.load(friday()).await;
    let table = desk.table().await;
    let again = minutes(Compression::best());
    desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, &again[..again.len() - 3]);
    assert_eq!(outcomes(&desk.load(friday()).await), [Outcome::Damaged]);
    assert_same_table(&desk.table().await, &table);
    desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, &again);
    assert_eq!(outcomes(&desk.load(friday()).await), [Outcome::Unchanged]);
}
