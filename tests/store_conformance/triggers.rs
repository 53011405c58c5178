//! What other programs do to the watchlist by SQL, and what it queues.

use barkeep::model::Symbol;
use barkeep::store::{Queue, RequestEnd, RequestOutcome, Watchlist, WatchlistEntry};

use crate::Bench;
use crate::fixtures::*;

const ENTRIES: &str =
    "SELECT symbol, status, CAST(days_to_backfill AS BIGINT), CAST(priority AS BIGINT), CAST(id AS BIGINT)
    FROM historical_ingestion_queue ORDER BY id";

/// Symbol, status, days and priority of each request, in the order of their making.
async fn queue(bench: &impl Bench) -> Vec<String> {
    let rows = bench.counts(ENTRIES).await;
    rows.into_iter().map(|(symbol, status, days, priority, _)| format!("{symbol} {status} {days} {priority}")).collect()
}

/// Claims everything that waits and ends it.
async fn process(bench: &impl Bench) {
    let mut queue = bench.open().await;
    let claimed = queue.claim_requests("p", std::time::Duration::from_mins(10), 1000).await.unwrap();
    let loaded = RequestEnd::Ended { outcome: RequestOutcome::Loaded, message: None };
    let ends: Vec<_> = claimed.into_iter().map(|one| (one.held, loaded.clone())).collect();
    queue.end_requests(&ends).await.unwrap();
}

pub async fn a_symbol_that_is_added_by_its_name_is_queued(bench: &impl Bench) {
    drop(bench.open().await);
    bench.execute("INSERT INTO watchlist (symbol) VALUES ('AAPL')").await;
    bench.execute("INSERT INTO watchlist (symbol, active) VALUES ('OFF', (1 = 0))").await;
    bench.execute("INSERT INTO watchlist (symbol, days_to_backfill, priority) VALUES ('I:SPX', -5, 3)").await;
    bench.execute("INSERT INTO historical_ingestion_queue (symbol) VALUES ('MSFT')").await;
    assert_eq!(queue(bench).await, ["AAPL pending 90 0", "I:SPX pending 1 3", "MSFT pending 90 0"]);
    let mut store = bench.open().await;
    let now = jiff::Timestamp::now();
    for row in store.requests(None, 0).await.unwrap() {
        assert!((now - row.requested_at).total(jiff::Unit::Second).unwrap().abs() < 60.0, "{}", row.requested_at);
    }
    bench.execute("INSERT INTO watchlist (symbol, added_at) VALUES ('aapl ', 9223372036854775807)").await;
    let list = store.watchlist().await.unwrap();
    assert_eq!(list.iter().map(|entry| entry.active).collect::<Vec<_>>(), [true, true, false], "and one is no symbol");
    assert!((now - list[0].added_at).total(jiff::Unit::Second).unwrap().abs() < 60.0, "{}", list[0].added_at);
    // What other programs look at.
    let seen = "SELECT symbol, status, count(*), count(*), count(*) FROM watchlist_ingestion_queue GROUP BY 1, 2";
    assert_eq!(bench.counts(seen).await.len(), 4);
}

pub async fn a_symbol_is_queued_again_when_it_comes_back(bench: &impl Bench) {
    drop(bench.open().await);
    bench.execute("INSERT INTO watchlist (symbol) VALUES ('A')").await;
    let off_and_on = "UPDATE watchlist SET active = NOT active; UPDATE watchlist SET active = NOT active";
    bench.execute(off_and_on).await;
    bench.execute("DELETE FROM watchlist; INSERT INTO watchlist (symbol) VALUES ('A')").await;
    assert_eq!(queue(bench).await, ["A pending 90 0"], "the first one is open");
    process(bench).await;
    bench.execute("UPDATE watchlist SET active = active, priority = priority").await;
    bench
        .execute(
            "INSERT INTO watchlist (symbol) VALUES ('A') ON CONFLICT (symbol) DO UPDATE SET active = excluded.active",
        )
        .await;
    bench.execute("INSERT INTO watchlist (symbol) VALUES ('A') ON CONFLICT DO NOTHING").await;
    assert_eq!(queue(bench).await.len(), 1, "it was there");
    bench.execute(off_and_on).await;
    assert_eq!(queue(bench).await, ["A completed 90 0", "A pending 90 0"]);
    process(bench).await;
    bench.execute("DELETE FROM watchlist").await;
    assert_eq!(queue(bench).await.len(), 2, "nothing is fetched for one that goes");
    bench.execute("INSERT INTO watchlist (symbol) VALUES ('A')").await;
    assert_eq!(queue(bench).await[2..], ["A pending 90 0"]);
    process(bench).await;
    bench.execute("UPDATE watchlist SET symbol = 'B'").await;
    assert_eq!(queue(bench).await[3..], ["B pending 90 0"]);
}

pub async fn a_symbol_is_queued_again_for_more_days(bench: &impl Bench) {
    drop(bench.open().await);
    let upsert = async |days: u32| {
        let upsert = format!(
            "INSERT INTO watchlist (symbol, days_to_backfill) VALUES ('A', {days})
             ON CONFLICT (symbol) DO UPDATE SET days_to_backfill = excluded.days_to_backfill"
        );
        bench.execute(&upsert).await;
    };
    upsert(90).await;
    upsert(30).await;
    assert_eq!(queue(bench).await, ["A pending 90 0"], "fewer days are there already");
    upsert(365).await;
    upsert(365).await;
    assert_eq!(queue(bench).await[1..], ["A pending 365 0"]);
    bench.execute("UPDATE watchlist SET days_to_backfill = 90").await;
    bench.execute("UPDATE watchlist SET days_to_backfill = 365").await;
    assert_eq!(queue(bench).await.len(), 2, "an equal one is open");
    bench.execute("UPDATE watchlist SET active = NOT active").await;
    bench.execute("UPDATE watchlist SET days_to_backfill = 999").await;
    assert_eq!(queue(bench).await.len(), 2, "it is not watched");
}

pub async fn priorities_of_waiting_requests_follow_the_watchlist(bench: &impl Bench) {
    let mut store = bench.open().await;
    bench.execute("INSERT INTO watchlist (symbol) VALUES ('A'), ('B')").await;
    store.claim_requests("p", std::time::Duration::from_mins(10), 1).await.unwrap();
    bench.execute("UPDATE historical_ingestion_queue SET updated_at = 0").await;
    bench.execute("UPDATE watchlist SET priority = 7").await;
    assert_eq!(queue(bench).await, ["A processing 90 0", "B pending 90 7"]);
    let touched = "SELECT symbol, status, count(*), count(*), count(*) FROM historical_ingestion_queue
                   WHERE updated_at > 0 GROUP BY 1, 2";
    assert_eq!(bench.counts(touched).await.len(), 1);
}

pub async fn many_symbols_are_queued_at_once(bench: &impl Bench) {
    drop(bench.open().await);
    let values: Vec<_> = (0..500).map(|n| format!("('S{n}')")).collect();
    bench.execute(&format!("INSERT INTO watchlist (symbol) VALUES {}", values.join(", "))).await;
    assert_eq!(queue(bench).await.len(), 500);
    bench.execute("UPDATE watchlist SET days_to_backfill = 100, priority = 1").await;
    let rows = queue(bench).await;
    assert_eq!(rows.len(), 1000);
    assert!(rows.iter().all(|row| row.ends_with(" 1")), "{rows:?}");
}

pub async fn our_own_watchlist_queues_too(bench: &impl Bench) {
    let mut store = bench.open().await;
    let entry = |ticker: &str, days| WatchlistEntry {
        symbol: Symbol::from_ticker(ticker).unwrap(),
        days_to_backfill: days,
        active: true,
        priority: 2,
        added_at: at("2026-10-02T14:00:00Z"),
    };
    store.watch(&[entry("A", 90), entry("B", 90)]).await.unwrap();
    store.watch(&[entry("A", 90), entry("B", 91)]).await.unwrap();
    store.unwatch(&[Symbol::from_ticker("A").unwrap()]).await.unwrap();
    assert_eq!(queue(bench).await, ["A pending 90 2", "B pending 90 2", "B pending 91 2"]);
}
