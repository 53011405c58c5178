//! The watchlist.

use barkeep::model::{Symbol, Timeframe};
use barkeep::store::{Watchlist, WatchlistEntry};

use crate::Bench;
use crate::fixtures::*;

pub async fn the_watchlist_is_a_set_of_symbols(bench: &impl Bench) {
    let mut store = bench.open().await;
    let entry = |ticker: &str, days, priority| WatchlistEntry {
        symbol: Symbol::from_ticker(ticker).unwrap(),
        days_to_backfill: days,
        active: true,
        priority,
        added_at: at("2026-10-02T14:00:00Z"),
    };
    let first = [entry("TRUE", 90, 0), entry("I:SPX", 5, -1), entry("BCpC", 90, 0), entry("BCPC", 90, 0)];
    assert_eq!(store.watch(&first).await.unwrap(), 4);
    let later = WatchlistEntry { added_at: at("2026-11-01T00:00:00Z"), ..entry("TRUE", 30, 7) };
    assert_eq!(store.watch(&[later.clone(), entry("AAPL", 1, 0)]).await.unwrap(), 1, "one is new");
    let list = bench.open().await.watchlist().await.unwrap();
    let names: Vec<&str> = list.iter().map(|entry| entry.symbol.as_str()).collect();
    assert_eq!(names, ["AAPL", "BCPC", "BCpC", "I:SPX", "TRUE"]);
    assert_eq!(list[4], WatchlistEntry { added_at: first[0].added_at, ..later }, "it keeps the day it was added");
    load(&mut store, DAY, &[("TRUE", &[bar(Timeframe::M1, T, 10.0)])]).await;
    let gone = [Symbol::from_ticker("TRUE").unwrap(), Symbol::from_ticker("NONE").unwrap()];
    assert_eq!(store.unwatch(&gone).await.unwrap(), gone[..1]);
    assert_eq!(store.watchlist().await.unwrap().len(), 4);
    assert_eq!(opens(&mut store, "TRUE", Timeframe::M1).await, [10.0], "its bars stay");
}

pub async fn what_is_no_symbol_is_left_out_and_told(bench: &impl Bench) {
    let mut store = bench.open().await;
    bench.execute("INSERT INTO watchlist (symbol) VALUES ('A B'), ('AAPL'), ('F:ESZ6'), ('')").await;
    let names: Vec<String> = store.watchlist().await.unwrap().iter().map(|entry| entry.symbol.to_string()).collect();
    assert_eq!(names, ["AAPL"]);
    let senseless = store.senseless().await.unwrap();
    let names: Vec<&str> = senseless.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["", "A B", "F:ESZ6"]);
    assert_eq!(senseless[2].1.to_string(), "`F:ESZ6`: futures are not supported");
}
