//! Connections that are lost between transactions and in the midst of them, and servers that are away for a while.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use barkeep::model::Dataset::Stocks;
use barkeep::model::{Symbol, Timeframe};
use barkeep::sandbox::Proxy;
use barkeep::store::postgres::PostgresStore;
use barkeep::store::{
    Audit, BarReader, Claiming, Claims, Ledger, Notes, Noting, Splits, StoreError, Watchlist, WatchlistEntry,
};
use tokio::runtime::Handle;

use crate::database::{Pooled, Schema};
use crate::fixtures::*;
use crate::{load_some, open};

/// Does something while locks are held that a store waits for; the server ends its connection there.
fn struck<T: Send>(schema: &Schema, lock: &str, what: impl Future<Output = T> + Send) -> T {
    let runtime = Handle::current();
    tokio::task::block_in_place(|| schema.ending_who_waits_for(lock, || runtime.block_on(what)))
}

/// How many there are of bars, known symbols, states of days, entries of the watchlist, and splits.
async fn read_all(store: &mut PostgresStore) -> Result<[usize; 5], StoreError> {
    let a = Symbol::from_ticker("A").unwrap();
    Ok([
        store.bars("A", Timeframe::M1, ANY).await?.len(),
        store.known(std::slice::from_ref(&a)).await?.len(),
        store.symbol_states(&a, DAY..=NEXT).await?.len(),
        store.watchlist().await?.len(),
        store.splits(None).await?.len(),
    ])
}

const ALL: [usize; 5] = [2, 1, 1, 0, 0];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_in_the_midst_of_a_read_is_read_again() {
    let Some(schema) = Schema::new() else { return };
    let mut store = open(&schema.url()).await;
    load_some(&mut store).await;
    for table in ["historical_bars", "ingest_ledger", "coverage", "rest_ledger", "watchlist", "splits"] {
        let read = struck(&schema, &format!("LOCK TABLE {table}"), read_all(&mut store));
        assert_eq!(read.unwrap(), ALL, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_and_notes_are_made_again() {
    let Some(schema) = Schema::new() else { return };
    let store = open(&schema.url()).await;
    let mut claims = store.claimant(Duration::from_mins(1)).await.unwrap();
    let claims_locked = "LOCK TABLE day_claims";
    assert!(struck(&schema, claims_locked, claims.claim(Stocks, DAY)).unwrap());
    struck(&schema, claims_locked, claims.renew()).unwrap();
    struck(&schema, claims_locked, claims.release(Stocks, DAY)).unwrap();
    assert!(schema.query("SELECT claimant FROM day_claims").is_empty());
    let mut notes = store.notes().await.unwrap();
    let count = |text: Option<&str>| (Some(format!("{}1", text.unwrap_or_default())), ());
    for _ in 0..2 {
        struck(&schema, "LOCK TABLE shared_notes", notes.change_note("n", count)).unwrap();
    }
    assert_eq!(schema.query("SELECT text FROM shared_notes"), ["11"]);
}

/// What another connection would show is of another moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_as_of_one_moment_is_not_read_as_of_another() {
    let Some(schema) = Schema::new() else { return };
    let mut store = open(&schema.url()).await;
    load_some(&mut store).await;
    store.freeze().await.unwrap();
    let since = Instant::now();
    let read = struck(&schema, "LOCK TABLE historical_bars", read_all(&mut store));
    assert!(matches!(read, Err(StoreError::Lost { .. })), "{read:?}");
    let read = read_all(&mut store).await;
    assert!(matches!(read, Err(StoreError::Lost { .. })), "{read:?}");
    assert!(since.elapsed() < Duration::from_secs(8), "after {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_behind_a_pooler_is_read_again() {
    let Some(pooled) = Pooled::new() else { return };
    let mut store = open(&pooled.url()).await;
    load_some(&mut store).await;
    let server = pooled.direct();
    for _ in 0..3 {
        let read = struck(&server, "LOCK TABLE historical_bars", read_all(&mut store));
        assert_eq!(read.unwrap(), ALL);
        server.query(
            "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        assert_eq!(read_all(&mut store).await.unwrap(), ALL);
    }
    store.close().await.unwrap();
}

/// As PgBouncer does when a server process has crashed.
#[tokio::test]
async fn a_pooler_that_says_its_server_is_gone_is_asked_again() {
    let pooler = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/bars?sslmode=disable", pooler.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut client, _) = pooler.accept().unwrap();
            let mut message = [0; 1024];
            assert!(client.read(&mut message).unwrap() > 0, "who it is");
            client.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").unwrap();
            assert!(client.read(&mut message).unwrap() > 0, "a transaction");
            client.write_all(b"E\0\0\0\x29SFATAL\0C08P01\0Mserver conn crashed?\0\0").unwrap();
        }
    });
    let opened = PostgresStore::open_existing(&format!("{url}&tcp_user_timeout=500").parse().unwrap()).await;
    assert!(matches!(opened, Err(StoreError::Unreachable { .. })), "{opened:?}");
    asked.join().unwrap();
}

/// A proxy before the server, and the address behind it.
async fn proxied(schema: &Schema) -> (Proxy, String) {
    let server = url::Url::parse(&schema.url()).unwrap();
    let server = (server.host_str().unwrap(), server.port().unwrap_or(5432)).to_socket_addrs().unwrap().next();
    let proxy = Proxy::start("127.0.0.1:0".parse().unwrap(), server.unwrap(), "".parse().unwrap()).await.unwrap();
    let url = schema.url_through(proxy.address());
    (proxy, url)
}

/// Cuts all connections and refuses new ones for so long.
async fn away(proxy: &Proxy, time: Duration) {
    proxy.refuse(time);
    while TcpStream::connect(proxy.address()).is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    proxy.cut();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_for_a_moment_is_waited_for() {
    let Some(schema) = Schema::new() else { return };
    let (proxy, url) = proxied(&schema).await;
    let mut store = open(&url).await;
    load_some(&mut store).await;
    let entry = WatchlistEntry {
        symbol: Symbol::from_ticker("A").unwrap(),
        days_to_backfill: 1,
        active: true,
        priority: 0,
        added_at: at("2026-10-02T14:00:00Z"),
    };
    proxy.cut();
    assert_eq!(read_all(&mut store).await.unwrap(), ALL);
    away(&proxy, Duration::from_millis(500)).await;
    assert_eq!(store.watch(std::slice::from_ref(&entry)).await.unwrap(), 1);
    away(&proxy, Duration::from_millis(500)).await;
    let mut beside = store.beside().await.unwrap();
    proxy.cut();
    // What is not done twice is begun again, too.
    assert_eq!(beside.remove_orphans().await.unwrap(), 0);
    load(&mut store, NEXT, &[("A", &[bar(Timeframe::M1, T + 24 * 60 * MINUTE, 3.0)])]).await;
    assert_eq!(opens(&mut beside, "A", Timeframe::M1).await, [1.0, 2.0, 3.0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_is_given_up_and_one_that_was_never_there_at_once() {
    let Some(schema) = Schema::new() else { return };
    let (proxy, url) = proxied(&schema).await;
    let mut store = open(&format!("{url}&tcp_user_timeout=1000")).await;
    away(&proxy, Duration::from_mins(10)).await;
    let since = Instant::now();
    let opened = PostgresStore::open(&url.parse().unwrap()).await;
    assert!(matches!(opened, Err(StoreError::Unreachable { .. })), "{opened:?}");
    assert!(since.elapsed() < Duration::from_secs(8), "after {:?}", since.elapsed());
    let since = Instant::now();
    let read = read_all(&mut store).await;
    assert!(matches!(read, Err(StoreError::Unreachable { .. })), "{read:?}");
    assert!(since.elapsed() > Duration::from_secs(1), "after {:?}", since.elapsed());
}
