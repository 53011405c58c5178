//! SQLite as a file: what may be opened, who may meet at it, and how it is read.

mod claims;
#[path = "../common/mod.rs"]
mod common;
mod defects;
mod migrating;
mod queue;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use barkeep::model::Dataset;
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{BarReader, BarSink, DayCommit, StoreError};
use jiff::civil::date;
use sqlx::Executor;

use common::{Desk, connect};

async fn names(database: &Path) -> Vec<String> {
    let mut connection = connect(database).await;
    let rows = sqlx::query_scalar("SELECT name FROM sqlite_schema ORDER BY name").fetch_all(&mut connection).await;
    rows.unwrap()
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let desk = Desk::new();
    fs::write(desk.database(), "ticker,volume,open\n".repeat(1000)).unwrap();
    let before = fs::read(desk.database()).unwrap();
    let error = SqliteStore::open(&desk.database()).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    assert!(error.to_string().contains("bars.db is not a barkeep database"), "{error}");
    assert_eq!(fs::read(desk.database()).unwrap(), before);
}

/// It used to be refused after ten seconds, with a table of migrations left in it.
#[tokio::test]
async fn a_foreign_database_is_refused_at_once_and_left_as_it_was() {
    let desk = Desk::new();
    let made = "sqlite3_foreign";
    let database = desk.dir.path().join(made);
    fs::write(&database, "").unwrap();
    connect(&database).await.execute("CREATE TABLE bars (name TEXT); CREATE TABLE mine (x)").await.unwrap();
    let since = Instant::now();
    let error = SqliteStore::open(&database).await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    assert!(error.to_string().contains("bars already exists"), "{error}");
    assert_eq!(names(&database).await, ["bars", "mine"]);
}

#[tokio::test]
async fn a_database_with_other_tables_is_shared() {
    let desk = Desk::new();
    fs::write(desk.database(), "").unwrap();
    connect(&desk.database()).await.execute("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)").await.unwrap();
    desk.store().await.close().await.unwrap();
    desk.store().await.close().await.unwrap();
    let mine: i64 =
        sqlx::query_scalar("SELECT x FROM mine").fetch_one(&mut connect(&desk.database()).await).await.unwrap();
    assert_eq!(mine, 1);
    assert!(names(&desk.database()).await.contains(&"historical_bars".to_owned()));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_at_once() {
    let desk = Desk::new();
    desk.store().await.close().await.unwrap();
    connect(&desk.database())
        .await
        .execute("INSERT INTO barkeep_migrations SELECT 9999, 'later', installed_on, 1, checksum, 0 FROM barkeep_migrations LIMIT 1")
        .await
        .unwrap();
    let since = Instant::now();
    let error = SqliteStore::open(&desk.database()).await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn a_database_whose_migration_was_edited_is_refused() {
    let desk = Desk::new();
    desk.store().await.close().await.unwrap();
    connect(&desk.database()).await.execute("UPDATE barkeep_migrations SET checksum = x'00'").await.unwrap();
    let error = SqliteStore::open(&desk.database()).await.unwrap_err();
    assert!(error.to_string().contains("migration 1 differs"), "{error}");
}

#[tokio::test]
async fn folders_are_made_and_what_cannot_be_opened_is_named() {
    let desk = Desk::new();
    let nested = desk.dir.path().join("some/where/new/bars.db");
    assert!(SqliteStore::open_existing(&nested).await.unwrap().is_none());
    assert!(!nested.exists(), "looking makes nothing");
    SqliteStore::open(&nested).await.unwrap().close().await.unwrap();
    assert!(SqliteStore::open_existing(&nested).await.unwrap().is_some());
    let folder = desk.dir.path().join("files");
    let error = SqliteStore::open(&folder).await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    assert!(error.to_string().contains("files"), "{error}");
    let below_a_file = nested.join("bars.db");
    assert!(matches!(SqliteStore::open(&below_a_file).await, Err(StoreError::Folder { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_may_not_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let folder = desk.dir.path().join("files");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.join("probe"), "").is_ok() {
        eprintln!("SKIPPED a_folder_that_may_not_be_written_is_named: this user (root?) may write anywhere");
        return;
    }
    let error = SqliteStore::open(&folder.join("bars.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. } | StoreError::ReadOnly { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_processes_meet_at_a_new_file() {
    for _ in 0..5 {
        let desk = Desk::new();
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(8));
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (database, start) = (desk.database(), start.clone());
            opening.spawn(async move {
                start.wait().await;
                SqliteStore::open(&database).await.unwrap().series(None).await.unwrap()
            });
        }
        assert!(opening.join_all().await.into_iter().all(|series| series.is_empty()));
        let timeframes: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM timeframes")
            .fetch_one(&mut connect(&desk.database()).await)
            .await
            .unwrap();
        assert_eq!(timeframes, 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_given_up_leaves_no_transaction() {
    let desk = Desk::new();
    let (mut holder, mut waiter) = (desk.store().await, desk.store().await);
    holder.begin_day(Dataset::Stocks, date(2026, 10, 1), || ()).await.unwrap();
    let given_up =
        tokio::time::timeout(Duration::from_millis(100), waiter.begin_day(Dataset::Stocks, date(2026, 10, 2), || ()))
            .await;
    assert!(given_up.is_err());
    waiter.abandon_day().await.unwrap();
    holder.abandon_day().await.unwrap();
    // Both can write: neither has a transaction left.
    let now = jiff::Timestamp::UNIX_EPOCH;
    let empty = DayCommit {
        files: Vec::new(),
        everyone: "1m".parse().unwrap(),
        named: Vec::new(),
        started_at: now,
        finished_at: now,
    };
    for store in [&mut holder, &mut waiter] {
        store.begin_day(Dataset::Stocks, date(2026, 10, 2), || ()).await.unwrap();
        store.commit_day(&empty).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_read_by_index() {
    let desk = Desk::new();
    desk.put_session(date(2026, 10, 1), &common::tickers(2));
    desk.load(common::request(Dataset::Stocks, date(2026, 10, 1), date(2026, 10, 1))).await;
    connect(&desk.database())
        .await
        .execute("INSERT INTO split_factors VALUES ('S00', '2026-10-06 04:00:00', '9999-12-31 00:00:00', '0001-01-01', '2026-10-05', 3, 1)")
        .await
        .unwrap();
    let columns = ["*", "timestamp, close, vwap, session, end_timestamp"];
    let views = ["historical_bars", "historical_bars_adjusted"];
    for (view, columns) in views.into_iter().flat_map(|view| columns.map(|columns| (view, columns))) {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT {columns} FROM {view} WHERE symbol = 'S00' AND timeframe = '1h' \
             AND timestamp BETWEEN 0 AND 9000000000000 ORDER BY timestamp"
        );
        let mut connection = connect(&desk.database()).await;
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<&str> = steps.iter().map(|step| step.3.as_str()).collect();
        assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{steps:#?}");
        let of_bars = |step: &&str| step.starts_with("SEARCH b USING PRIMARY KEY") && step.contains("timestamp<?");
        assert!(steps.iter().any(of_bars), "{steps:#?}");
    }
}
