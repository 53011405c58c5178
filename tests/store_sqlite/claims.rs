//! The file that claims are kept in.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use barkeep::model::Dataset::Stocks;
use barkeep::store::sqlite::{SqliteClaims, SqliteStore};
use barkeep::store::{BarSink, Claiming, Claims, Notes, Noting, StoreError};
use jiff::civil::{Date, date};
use sqlx::Executor;

use crate::common::{Desk, connect};

const DAY: Date = date(2026, 10, 1);
const NEXT: Date = date(2026, 10, 2);
const LEASE: Duration = Duration::from_mins(1);

fn file(desk: &Desk) -> PathBuf {
    desk.dir.path().join("bars.db-claims")
}

async fn claimant(desk: &Desk) -> SqliteClaims {
    desk.store().await.claimant(LEASE).await.unwrap()
}

/// Whether two claimants can use the file, and exclude each other.
async fn assert_works(desk: &Desk) {
    let (mut one, mut other) = (claimant(desk).await, claimant(desk).await);
    assert!(one.claim(Stocks, DAY).await.unwrap());
    assert!(!other.claim(Stocks, DAY).await.unwrap());
    one.release(Stocks, DAY).await.unwrap();
    assert!(other.claim(Stocks, DAY).await.unwrap());
    other.release(Stocks, DAY).await.unwrap();
}

/// Whether two processes can change a note, and see each other's.
async fn assert_keeps_notes(desk: &Desk) {
    let store = desk.store().await;
    let (mut one, mut other) = (store.notes().await.unwrap(), store.notes().await.unwrap());
    assert_eq!(one.change_note("n", |_| (Some("1".to_owned()), 7)).await.unwrap(), 7);
    assert_eq!(other.change_note("n", |text| (None, text.map(str::to_owned))).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn claims_do_not_wait_for_a_day_that_is_written() {
    let desk = Desk::new();
    let mut writer = desk.store().await;
    writer.begin_day(Stocks, DAY, || ()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), assert_works(&desk)).await.unwrap();
    writer.abandon_day().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_of_no_use_is_made_anew() {
    let desk = Desk::new();
    drop(claimant(&desk).await);
    let whole = fs::read(file(&desk)).unwrap();
    let mut torn = whole.clone();
    torn[4096..].fill(0x5a);
    for bytes in [b"no database".repeat(1000), torn, whole[..5000].to_vec(), whole[..100].to_vec(), Vec::new()] {
        fs::write(file(&desk), &bytes).unwrap();
        assert_works(&desk).await;
        fs::write(file(&desk), bytes).unwrap();
        assert_keeps_notes(&desk).await;
    }
    for layout in [
        "CREATE TABLE claims (dataset TEXT, session_date TEXT, claimant TEXT, lease_until INTEGER)",
        "CREATE TABLE claims (what TEXT PRIMARY KEY, whose TEXT)",
        "CREATE VIEW claims AS SELECT 1 AS dataset",
    ] {
        fs::write(file(&desk), "").unwrap();
        connect(&file(&desk)).await.execute(layout).await.unwrap();
        assert_works(&desk).await;
    }
    fs::write(file(&desk), "").unwrap();
    connect(&file(&desk)).await.execute("CREATE TABLE notes (what TEXT)").await.unwrap();
    assert_keeps_notes(&desk).await;
}

#[tokio::test]
async fn who_has_the_file_open_while_it_is_made_anew_meets_the_others() {
    let desk = Desk::new();
    let mut early = claimant(&desk).await;
    assert!(early.claim(Stocks, DAY).await.unwrap());
    fs::remove_file(file(&desk)).unwrap();
    let mut late = claimant(&desk).await;
    assert!(late.claim(Stocks, NEXT).await.unwrap());
    assert!(!early.claim(Stocks, NEXT).await.unwrap());
    early.renew().await.unwrap();
    early.release(Stocks, DAY).await.unwrap();
    assert!(late.claim(Stocks, DAY).await.unwrap());
}

#[tokio::test]
async fn a_note_in_a_file_that_is_made_anew_is_a_new_one() {
    let desk = Desk::new();
    let count = |text: Option<&str>| {
        let next = text.map_or(1, |text| text.parse::<u32>().unwrap() + 1);
        (Some(next.to_string()), next)
    };
    let mut early = desk.store().await.notes().await.unwrap();
    assert_eq!(early.change_note("n", count).await.unwrap(), 1);
    fs::remove_file(file(&desk)).unwrap();
    let mut late = desk.store().await.notes().await.unwrap();
    assert_eq!(late.change_note("n", count).await.unwrap(), 1);
    assert_eq!(early.change_note("n", count).await.unwrap(), 2, "not over what is gone");
    assert_eq!(late.change_note("n", count).await.unwrap(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_with_two_names_has_one_set_of_claims() {
    let desk = Desk::new();
    let mut one = claimant(&desk).await;
    let link = desk.dir.path().join("files").join("link.db");
    std::os::unix::fs::symlink(desk.database(), &link).unwrap();
    let mut other = SqliteStore::open(&link).await.unwrap().claimant(LEASE).await.unwrap();
    assert!(one.claim(Stocks, DAY).await.unwrap());
    assert!(!other.claim(Stocks, DAY).await.unwrap());
}

#[tokio::test]
async fn a_claim_made_by_a_wrong_clock_does_not_last() {
    let desk = Desk::new();
    let (mut one, mut other) = (claimant(&desk).await, claimant(&desk).await);
    assert!(one.claim(Stocks, DAY).await.unwrap());
    let in_2099 = "UPDATE claims SET lease_until = 4080000000000";
    connect(&file(&desk)).await.execute(in_2099).await.unwrap();
    assert!(other.claim(Stocks, DAY).await.unwrap());
}

#[tokio::test]
async fn a_person_can_read_who_holds_a_day() {
    let desk = Desk::new();
    assert!(claimant(&desk).await.claim(Stocks, DAY).await.unwrap());
    let sql = "SELECT dataset, session_date, claimant FROM claims";
    let rows: Vec<(String, String, String)> =
        sqlx::query_as(sql).fetch_all(&mut connect(&file(&desk)).await).await.unwrap();
    let [(dataset, date, who)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((dataset.as_str(), date.as_str()), ("stocks", "2026-10-01"));
    assert!(who.split(' ').any(|word| word == std::process::id().to_string()), "{who}");
}

#[cfg(unix)]
#[tokio::test]
async fn claims_in_a_folder_that_may_not_be_written_say_so() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let store = desk.store().await;
    fs::set_permissions(desk.dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(desk.dir.path().join("probe"), "").is_ok() {
        eprintln!("SKIPPED claims_in_a_folder_that_may_not_be_written_say_so: this user (root?) may write anywhere");
        return;
    }
    let error = store.claimant(LEASE).await.unwrap_err();
    fs::set_permissions(desk.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(&error, StoreError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("bars.db-claims"), "{error}");
}
