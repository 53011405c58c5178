//! The queue in a file that other programs write with whatever SQLite they have.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use barkeep::model::Dataset;
use barkeep::store::{
    BarSink, NewRequest, Queue, QueueWatch, QueueWatching, RequestEnd, RequestOutcome, RequestStatus,
};
use jiff::civil::{Date, date};
use sqlx::{AssertSqlSafe, Executor};

use crate::common::{Desk, connect};

const LONG: Duration = Duration::from_mins(10);
const SOON: Duration = Duration::from_secs(20);

async fn execute(desk: &Desk, sql: &str) {
    connect(&desk.database()).await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

async fn queue(desk: &Desk) -> Vec<String> {
    let rows = "SELECT symbol || ' ' || status || ' ' || days_to_backfill FROM historical_ingestion_queue ORDER BY id";
    sqlx::query_scalar(rows).fetch_all(&mut connect(&desk.database()).await).await.unwrap()
}

/// The conflict clause of the statement takes the place of those in a trigger.
#[tokio::test]
async fn insert_or_replace_neither_fails_nor_replaces_a_request_that_is_worked_on() {
    let desk = Desk::new();
    let mut store = desk.store().await;
    let replace = "INSERT OR REPLACE INTO watchlist (symbol) VALUES ('A')";
    execute(&desk, replace).await;
    let claimed = store.claim_requests("p", LONG, 9).await.unwrap();
    execute(&desk, replace).await;
    execute(&desk, "REPLACE INTO watchlist (symbol, priority) VALUES ('A', 7), ('B', 0)").await;
    assert_eq!(queue(&desk).await, ["A processing 90", "B pending 90"]);
    let loaded = RequestEnd::Ended { outcome: RequestOutcome::Loaded, message: None };
    assert_eq!(store.end_requests(&[(claimed[0].held, loaded)]).await.unwrap().len(), 1, "it is still held");
    execute(&desk, replace).await;
    assert_eq!(queue(&desk).await, ["A completed 90", "B pending 90", "A pending 90"]);
}

#[tokio::test]
async fn any_bytes_and_no_dates_are_handed_out_with_the_rest() {
    let desk = Desk::new();
    let mut store = desk.store().await;
    execute(
        &desk,
        "INSERT INTO historical_ingestion_queue (symbol, from_date, to_date, timeframes, days_to_backfill, priority)
             VALUES (CAST(x'41ff' AS TEXT), 'soon', '', CAST(x'fe' AS TEXT), 9223372036854775807, -9223372036854775807);
         INSERT INTO historical_ingestion_queue (symbol, from_date, to_date)
             VALUES ('B', '2026-10-01', '99999-12-31'), ('C', '-infinity', '2026-10-01T00:00:00');
         INSERT INTO historical_ingestion_queue (symbol, status, error_message, lease_owner, outcome, retry_count)
             VALUES ('D', 'completed', CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT), '?', 9223372036854775807);
         INSERT INTO watchlist (symbol, days_to_backfill, active) VALUES (CAST(x'ff' AS TEXT), 5, 0)",
    )
    .await;
    let claimed = store.claim_requests("p", LONG, 9).await.unwrap();
    let asked: Vec<&NewRequest> = claimed.iter().map(|one| &one.request).collect();
    let dates: Vec<_> = asked.iter().map(|one| (one.symbol.as_str(), one.from, one.to)).collect();
    let day = Some(date(2026, 10, 1));
    let (never, after_all) = (Some(Date::MIN), Some(Date::MAX));
    assert_eq!(dates, [("B", day, never), ("C", after_all, day), ("A\u{fffd}", after_all, never)]);
    assert_eq!((asked[2].days_to_backfill, asked[2].priority), (u32::MAX, i32::MIN));
    assert_eq!(store.requests(None, 9).await.unwrap().len(), 4);
    let vanished: Vec<_> = claimed.iter().map(|one| one.held).collect();
    let most = "lease_until = 0, retry_count = 9223372036854775807, losses = 9223372036854775807";
    execute(&desk, &format!("UPDATE historical_ingestion_queue SET {most}")).await;
    assert_eq!(store.rescue_requests("q").await.unwrap(), 3);
    assert_eq!(store.claim_requests("p", LONG, 9).await.unwrap(), []);
    assert_eq!(store.renew_requests(&vanished, LONG).await.unwrap(), []);
}

/// Such a lease was given while the machine's clock was wrong.
#[tokio::test]
async fn a_lease_that_ends_in_years_is_over() {
    let desk = Desk::new();
    let (mut one, mut other) = (desk.store().await, desk.store().await);
    execute(&desk, "INSERT INTO watchlist (symbol) VALUES ('A')").await;
    one.claim_requests("one", Duration::MAX, 9).await.unwrap();
    assert_eq!(other.claim_requests("other", LONG, 9).await.unwrap(), [], "too long a lease is shortened");
    execute(&desk, "UPDATE historical_ingestion_queue SET lease_until = lease_until + 864000000").await;
    assert_eq!(other.queue_depth().await.unwrap().abandoned, 1);
    assert_eq!(other.rescue_requests("other").await.unwrap(), 1);
    assert_eq!(other.claim_requests("other", LONG, 9).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_nothing_does_not_wait_for_a_day_that_is_being_written() {
    let desk = Desk::new();
    let (mut writer, mut processor) = (desk.store().await, desk.store().await);
    execute(&desk, "INSERT INTO watchlist (symbol) VALUES ('A')").await;
    processor.claim_requests("p", LONG, 9).await.unwrap();
    writer.begin_day(Dataset::Stocks, date(2026, 10, 1), || ()).await.unwrap();
    let since = Instant::now();
    assert_eq!(processor.rescue_requests("p").await.unwrap(), 0);
    assert_eq!(processor.claim_requests("p", LONG, 9).await.unwrap(), []);
    assert_eq!(processor.requests(None, 9).await.unwrap()[0].status, RequestStatus::Processing);
    assert!(since.elapsed() < Duration::from_millis(400), "it waited for {:?}", since.elapsed());
    writer.abandon_day().await.unwrap();
}

/// Who renews waits for a day that is being written as long as who takes over; which of the two came first was chance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_is_written_for_longer_than_a_lease_costs_nobody_a_claim() {
    let desk = Desk::new();
    let lease = Duration::from_millis(1500);
    let (mut writer, mut dead, mut alive, mut heir) =
        (desk.store().await, desk.store().await, desk.store().await, desk.store().await);
    execute(&desk, "INSERT INTO watchlist (symbol) VALUES ('A'), ('B')").await;
    assert_eq!(dead.claim_requests("dead", lease, 1).await.unwrap().len(), 1);
    let held: Vec<_> = alive.claim_requests("alive", lease, 1).await.unwrap().iter().map(|one| one.held).collect();
    writer.begin_day(Dataset::Stocks, date(2026, 10, 1), || ()).await.unwrap();
    let renewing = held.clone();
    let renewal = tokio::spawn(async move {
        let renewed = alive.renew_requests(&renewing, lease).await.unwrap();
        (alive, renewed)
    });
    tokio::time::sleep(lease * 2).await;
    assert_eq!(heir.queue_depth().await.unwrap().abandoned, 2, "as far as the table tells");
    // The heir is let in first.
    renewal.abort();
    let _ = renewal.await;
    writer.abandon_day().await.unwrap();
    assert_eq!(heir.rescue_requests("heir").await.unwrap(), 1);
    assert_eq!(heir.claim_requests("heir", LONG, 9).await.unwrap()[0].held.id, 1, "that of the dead one");
    assert_eq!(desk.store().await.renew_requests(&held, LONG).await.unwrap(), held);
    // What was kept is over some time.
    execute(&desk, "UPDATE historical_ingestion_queue SET lease_until = 1 WHERE id = 2").await;
    tokio::time::sleep(lease * 2).await;
    assert_eq!(heir.rescue_requests("heir").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_outlives_its_file_and_finds_the_one_that_takes_its_place() {
    let (desk, other) = (Desk::new(), Desk::new());
    let mut watch = desk.store().await.queue_watch();
    let (since, moment) = (Instant::now(), Duration::from_millis(250));
    watch.wait(moment).await;
    watch.wait(moment).await;
    let aside = desk.dir.path().join("aside.db");
    for ending in ["", "-wal", "-shm"] {
        let [from, to] = [desk.database(), aside.clone()].map(|path| format!("{}{ending}", path.display()));
        let _ = fs::rename(from, to);
    }
    let gone = Instant::now();
    watch.wait(moment).await;
    watch.wait(moment).await;
    assert!(gone.elapsed() >= moment * 2, "it waits where there is nothing");
    fs::write(desk.database(), "no database").unwrap();
    watch.wait(moment).await;
    assert!(!desk.dir.path().join("bars.db-wal").exists());
    other.store().await.close().await.unwrap();
    execute(&other, "INSERT INTO watchlist (symbol) VALUES ('A'); PRAGMA wal_checkpoint(TRUNCATE)").await;
    fs::copy(other.database(), desk.database()).unwrap();
    watch.wait(LONG).await;
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

/// Other programs bring a SQLite of their own, which may be older.
#[tokio::test]
async fn pythons_own_sqlite_fills_the_watchlist_and_the_queue() {
    let desk = Desk::new();
    desk.store().await.close().await.unwrap();
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(sqlite3.sqlite_version)
with db:
    db.execute('INSERT INTO watchlist (symbol) VALUES (?)', ('AAPL',))
    db.executemany('INSERT OR REPLACE INTO watchlist (symbol, days_to_backfill) VALUES (?, ?)', [('AAPL', 365), ('MSFT', 30)])
    db.execute('UPDATE watchlist SET priority = 5 WHERE symbol = ?', ('MSFT',))
    db.execute('INSERT INTO historical_ingestion_queue (symbol) VALUES (?)', ('X:BTCUSD',))
";
    let ran = match Command::new("python3").args(["-c", script]).arg(desk.database()).output() {
        Ok(ran) => ran,
        Err(error) => {
            eprintln!("SKIPPED pythons_own_sqlite_fills_the_watchlist_and_the_queue: python3 does not start: {error}");
            return;
        }
    };
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let version: Vec<u32> = out.trim().split('.').filter_map(|part| part.parse().ok()).collect();
    if err.contains("No module named") || version < vec![3, 37] {
        // Older ones cannot read a strict table at all, of whatever program.
        eprintln!("SKIPPED pythons_own_sqlite_fills_the_watchlist_and_the_queue: its SQLite is `{}` {err}", out.trim());
        return;
    }
    assert!(ran.status.success(), "{err}");
    assert_eq!(queue(&desk).await, ["AAPL pending 90", "AAPL pending 365", "MSFT pending 30", "X:BTCUSD pending 90"]);
    let mut store = desk.store().await;
    let claimed = store.claim_requests("p", LONG, 1).await.unwrap();
    assert_eq!((claimed[0].request.symbol.as_str(), claimed[0].request.priority), ("MSFT", 5));
    let now = jiff::Timestamp::now();
    for row in store.requests(None, 9).await.unwrap() {
        assert!(now.duration_since(row.requested_at).as_secs().abs() < 60, "{}", row.requested_at);
    }
}
