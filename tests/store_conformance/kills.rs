//! A process that dies while it stores a page leaves all of the page or nothing. (A child of the test's own program, because
//! what kills it kills all of a process.)
#![cfg(feature = "sandbox")]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use barkeep::model::Timeframe;
use barkeep::store::postgres::PostgresStore;
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{AnyStore, SymbolSink};

use crate::common::Desk;
use crate::database::Schema;
use crate::fixtures::*;
use crate::rest::{A_DAY, day, exact, page};

/// The database of the child.
const DATABASE: &str = "BARKEEP_TEST_DATABASE";

async fn open(database: &str) -> AnyStore {
    if database.starts_with("postgres") {
        AnyStore::Postgres(Box::new(PostgresStore::open(&database.parse().unwrap()).await.unwrap()))
    } else {
        AnyStore::Sqlite(Box::new(SqliteStore::open(Path::new(database)).await.unwrap()))
    }
}

async fn store_two_days(database: &str) {
    let bars = |shift, open| [exact(Timeframe::M1, T + shift, open), exact(Timeframe::M5, T + shift, open)];
    let days = page("A", vec![day(DAY, "1m,5m", &bars(0, 20.0)), day(NEXT, "1m,5m", &bars(A_DAY, 21.0))]);
    open(database).await.store_symbol(&days).await.unwrap();
}

async fn dies_and_goes_on(test: &str, database: &str) {
    let before = page("A", vec![day(DAY, "1m", &[exact(Timeframe::M1, T, 10.0)])]);
    let mut store = open(database).await;
    store.store_symbol(&before).await.unwrap();
    for (place, opens_after) in
        [("rest-day-written:1", &[10.0][..]), ("rest-day-written:2", &[10.0]), ("rest-committed:1", &[20.0, 21.0])]
    {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", test]).env(DATABASE, database).env("BARKEEP_CRASH_AT", place);
        let died = child.output().unwrap();
        assert_eq!(died.status.signal(), Some(9), "{place}: {died:?}");
        assert_eq!(opens(&mut store, "A", Timeframe::M1).await, opens_after, "{place}");
        assert_eq!(
            opens(&mut store, "A", Timeframe::M5).await,
            opens_after.iter().copied().filter(|open| *open > 10.0).collect::<Vec<_>>()
        );
        let covered = (state(&mut store, DAY).await.covered("A"), state(&mut store, NEXT).await.covered("A"));
        let expected = if opens_after.len() == 2 { ("1m,5m", "1m,5m") } else { ("1m", "") };
        assert_eq!(covered, (frames(expected.0), frames(expected.1)), "{place}");
    }
    store_two_days(database).await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [20.0, 21.0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_page_leaves_all_or_nothing_in_sqlite() {
    if let Ok(database) = std::env::var(DATABASE) {
        return store_two_days(&database).await;
    }
    let desk = Desk::new();
    dies_and_goes_on("kills::a_killed_page_leaves_all_or_nothing_in_sqlite", &desk.database().display().to_string())
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_page_leaves_all_or_nothing_in_postgres() {
    if let Ok(database) = std::env::var(DATABASE) {
        return store_two_days(&database).await;
    }
    let Some(schema) = Schema::new() else { return };
    dies_and_goes_on("kills::a_killed_page_leaves_all_or_nothing_in_postgres", &schema.url()).await;
}
