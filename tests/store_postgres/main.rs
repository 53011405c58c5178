//! PostgreSQL as a table that anybody can get at with SQL: what no load could have left there is found, and removed.

#[path = "../database/mod.rs"]
mod database;
#[path = "../store_conformance/fixtures.rs"]
#[allow(dead_code, reason = "the conformance suite uses the rest")]
mod fixtures;
#[cfg(feature = "sandbox")]
mod lost;
mod queue;

use std::ops::ControlFlow;

use barkeep::model::Dataset::{Crypto, Stocks};
use barkeep::model::{FileKind, Timeframe, TimeframeSet};
use barkeep::store::postgres::PostgresStore;
use barkeep::store::{
    Audit, BarReader, BarSink, Defect, Notes, Noting, Queue, Scan, StoreError, SymbolDay, SymbolDays, SymbolSink,
    Watchlist,
};
use database::{Pooled, Schema};
use fixtures::*;
use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType};

async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&url.parse().unwrap()).await.unwrap()
}

/// Two minutes of a stock and one of a pair, on a day.
async fn load_some(store: &mut impl BarSink) {
    let (one, two) = (bar(Timeframe::M1, T, 1.0), bar(Timeframe::M1, T + MINUTE, 2.0));
    load(store, DAY, &[("A", &[one, two])]).await;
    let pair = commit("1m", &[], vec![file(FileKind::Minute, "1", 1)]);
    put(store, (Crypto, DAY), &[], &[("X:A", &[one])], &pair).await;
}

/// Kinds and details.
fn told(defects: &[Defect]) -> Vec<(&str, &str)> {
    defects.iter().map(|defect| (defect.kind, defect.detail.as_str())).collect()
}

const WORDS: &str = "UPDATE historical_bars SET timeframe = '7m' WHERE timestamp = 1790861400000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_of_a_timeframe_that_is_none_are_told_by_day_and_removed() {
    let Some(schema) = Schema::new() else { return };
    let mut store = open(&schema.url()).await;
    load_some(&mut store).await;
    assert_eq!(store.defects().await.unwrap(), []);
    schema.execute(WORDS);
    let found = store.defects().await.unwrap();
    assert_eq!(
        told(&found),
        [
            ("unknown_word", "`7m` as timeframe in 1 rows of historical_bars, crypto 2026-10-01"),
            ("unknown_word", "`7m` as timeframe in 1 rows of historical_bars, stocks 2026-10-01"),
        ]
    );
    assert_eq!(found.iter().map(|one| one.day).collect::<Vec<_>>(), [Some((Crypto, DAY)), Some((Stocks, DAY))]);
    assert_eq!(store.remove_orphans().await.unwrap(), 2);
    assert_eq!(store.defects().await.unwrap(), []);
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [2.0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_without_a_ledger_are_told_by_dataset_and_day() {
    let Some(schema) = Schema::new() else { return };
    let mut store = open(&schema.url()).await;
    load_some(&mut store).await;
    schema.execute(
        "UPDATE historical_bars SET session_date = '2026-10-03' WHERE symbol = 'A' AND open = 2;
         UPDATE historical_bars SET session_date = 'infinity' WHERE symbol = 'X:A'",
    );
    let found = store.defects().await.unwrap();
    let days: Vec<_> = found.iter().map(|one| (one.kind, one.day)).collect();
    let saturday = jiff::civil::date(2026, 10, 3);
    assert_eq!(days, [("day_without_ledger", None), ("day_without_ledger", Some((Stocks, saturday)))], "{found:#?}");
    assert_eq!(store.remove_orphans().await.unwrap(), 0, "their days can be loaded again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_that_start_outside_the_calendar_are_removed() {
    let Some(schema) = Schema::new() else { return };
    let mut store = open(&schema.url()).await;
    load_some(&mut store).await;
    schema.execute(
        "CREATE TABLE elsewhere PARTITION OF historical_bars DEFAULT;
         UPDATE historical_bars SET timestamp = -4000000000000 WHERE symbol = 'X:A';
         UPDATE historical_bars SET timestamp = 4000000000000 WHERE open = 2",
    );
    let found = store.defects().await.unwrap();
    let expected = "2 bars start outside the trading calendar: they are of no day that could be loaded";
    assert_eq!(told(&found), [("orphan_bars", expected)]);
    assert_eq!(store.remove_orphans().await.unwrap(), 2);
    assert_eq!(store.defects().await.unwrap(), []);
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [1.0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_key_that_is_missing_or_not_in_use_is_told_with_what_makes_it_again() {
    let Some(schema) = Schema::new() else { return };
    let mut store = open(&schema.url()).await;
    load_some(&mut store).await;
    schema.execute("ALTER TABLE historical_bars DROP CONSTRAINT historical_bars_pkey");
    let found = store.defects().await.unwrap();
    let detail = &found[0].detail;
    assert_eq!((found.len(), found[0].kind), (1, "missing_key"), "{found:#?}");
    assert!(detail.starts_with("no valid primary key: historical_bars, historical_bars_2026_10"), "{detail}");
    store.remove_orphans().await.unwrap();
    assert_eq!(store.defects().await.unwrap(), found, "a lock on everything is for people to take");
    // Of the table alone: it is not valid while its partitions have none.
    schema.execute("ALTER TABLE ONLY historical_bars ADD PRIMARY KEY (symbol, timeframe, timestamp)");
    assert_eq!(store.defects().await.unwrap(), found);
    schema.execute("ALTER TABLE historical_bars DROP CONSTRAINT historical_bars_pkey");
    schema.execute("ALTER TABLE historical_bars ADD PRIMARY KEY (timeframe, symbol, timestamp)");
    assert_eq!(store.defects().await.unwrap(), found, "another order is another key");
    schema.execute("ALTER TABLE historical_bars DROP CONSTRAINT historical_bars_pkey");
    let makes_it_again = detail.split('`').nth(1).unwrap();
    schema.execute(makes_it_again);
    assert_eq!(store.defects().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_was_detached_is_told_and_comes_back_with_the_next_load() {
    let Some(schema) = Schema::new() else { return };
    let mut store = open(&schema.url()).await;
    load_some(&mut store).await;
    schema.execute("ALTER TABLE historical_bars DETACH PARTITION historical_bars_2026_10");
    let found = store.defects().await.unwrap();
    assert_eq!((found.len(), found[0].kind), (1, "orphan_bars"), "{found:#?}");
    let start = "3 bars nobody sees: the table historical_bars_2026_10 is no partition";
    assert!(found[0].detail.starts_with(start), "{}", found[0].detail);
    assert!(opens(&mut store, "A", Timeframe::M1).await.is_empty());
    let mut other = open(&schema.url()).await;
    load(&mut other, NEXT, &[("A", &[bar(Timeframe::M1, T + 24 * 60 * MINUTE, 3.0)])]).await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [1.0, 2.0, 3.0]);
    assert_eq!(store.defects().await.unwrap(), []);
}

/// Reading such bars used to panic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nulls_that_somebody_has_allowed_are_an_error_and_a_scan_shows_them() {
    let Some(schema) = Schema::new() else { return };
    let mut store = open(&schema.url()).await;
    load_some(&mut store).await;
    for column in ["open", "high", "low", "close", "session", "session_date", "end_timestamp", "minutes"] {
        schema.execute(&format!("ALTER TABLE historical_bars ALTER {column} DROP NOT NULL"));
        schema.execute(&format!("UPDATE historical_bars SET {column} = NULL"));
        let read = store.bars("A", Timeframe::M1, ANY).await;
        assert!(matches!(read, Err(StoreError::Unknown(_))), "{column}: {read:?}");
        store.defects().await.unwrap();
    }
    let timeframes = TimeframeSet::of(Timeframe::ALL);
    let what = Scan { dataset: Stocks, symbols: None, timeframes, dates: None, range_ms: ANY };
    let mut shown = 0;
    let each = |_: &str, bars: &[barkeep::store::RawBar]| {
        shown += bars.iter().filter(|bar| bar.open.is_nan() && bar.session_date.is_none() && bar.minutes == 0).count();
        ControlFlow::Continue(())
    };
    store.scan(&what, each).await.unwrap();
    assert_eq!(shown, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defects_are_found_and_removed_behind_a_transaction_pooler() {
    let Some(pooled) = Pooled::new() else { return };
    let mut store = open(&pooled.url()).await;
    load_some(&mut store).await;
    pooled.direct().execute(WORDS);
    assert_eq!(store.defects().await.unwrap().len(), 2);
    assert_eq!(store.remove_orphans().await.unwrap(), 2);
    assert_eq!(store.defects().await.unwrap(), []);
    store.close().await.unwrap();
}

/// A day of a symbol as the REST API brings it.
fn fetched(symbol: &str, timeframes: &str, bars: Vec<barkeep::model::Bar>) -> SymbolDays {
    let timeframes = frames(timeframes);
    let day = SymbolDay { date: DAY, timeframes, bars, is_provisional: false, is_absent_in_file: false, rows_read: 0 };
    SymbolDays {
        dataset: Stocks,
        symbol: symbol.to_owned(),
        request: "/v2/aggs/ticker".to_owned(),
        days: vec![day],
        exact_vwap: false,
        started_at: at("2026-10-02T15:00:00Z"),
        finished_at: at("2026-10-02T15:00:01Z"),
    }
}

/// Makes the tables of an earlier version.
fn of_version(schema: &Schema, version: i64) {
    schema.execute("CREATE TABLE barkeep_migrations (version BIGINT PRIMARY KEY, name TEXT, checksum BYTEA)");
    let migrations = [
        ("bars", include_str!("../../migrations/postgres/0001_bars.sql")),
        ("restatements", include_str!("../../migrations/postgres/0002_restatements.sql")),
        ("rest", include_str!("../../migrations/postgres/0003_rest.sql")),
        ("splits", include_str!("../../migrations/postgres/0004_splits.sql")),
    ];
    for (version, (name, sql)) in (1..=version).zip(migrations) {
        schema.execute(sql);
        let migration = Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false);
        let checksum: String = migration.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
        schema.execute(&format!("INSERT INTO barkeep_migrations VALUES ({version}, '{name}', '\\x{checksum}')"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_version_2_takes_what_the_rest_api_brings() {
    let Some(schema) = Schema::new() else { return };
    of_version(&schema, 2);
    schema.execute("INSERT INTO coverage VALUES ('stocks', '2026-10-01', 'A', '1m')");
    let mut store = open(&schema.url()).await;
    let before = state(&mut store, DAY).await;
    assert_eq!((before.covered("A"), before.rest.len()), (frames("1m"), 0));
    store.store_symbol(&fetched("A", "1m,5m", vec![bar(Timeframe::M5, T, 1.0)])).await.unwrap();
    assert_eq!(state(&mut store, DAY).await.covered("A"), frames("1m,5m"));
    let sources = "SELECT symbol || ' ' || timeframes || ' ' || source || ' ' || COALESCE(object, '-') FROM bar_sources
                   ORDER BY source";
    assert_eq!(schema.query(sources), ["A 1m file -", "A 5m rest /v2/aggs/ticker"]);
    // Migrated once.
    open(&schema.url()).await.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn symbols_and_notes_are_stored_behind_a_transaction_pooler() {
    let Some(pooled) = Pooled::new() else { return };
    let mut store = open(&pooled.url()).await;
    for _ in 0..3 {
        store.store_symbol(&fetched("A", "1m", vec![bar(Timeframe::M1, T, 1.0)])).await.unwrap();
    }
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [1.0]);
    let mut notes = store.notes().await.unwrap();
    for expected in [None, Some("1"), Some("1")] {
        let before = notes.change_note("n", |text| (Some("1".to_owned()), text.map(str::to_owned))).await.unwrap();
        assert_eq!(before.as_deref(), expected);
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_version_4_keeps_its_watchlist() {
    let Some(schema) = Schema::new() else { return };
    of_version(&schema, 4);
    schema.execute("INSERT INTO watchlist VALUES ('AAPL', 365, TRUE, 7, 1790866800000), ('I:SPX', 90, FALSE, -1, 5)");
    let mut store = open(&schema.url()).await;
    let list = store.watchlist().await.unwrap();
    let kept: Vec<_> = list.iter().map(|entry| (entry.symbol.as_str(), entry.days_to_backfill, entry.active)).collect();
    assert_eq!(kept, [("AAPL", 365, true), ("I:SPX", 90, false)]);
    assert_eq!(store.requests(None, 9).await.unwrap(), [], "what was watched is no news");
    schema.execute("INSERT INTO watchlist (symbol) VALUES ('MSFT')");
    assert_eq!(store.requests(None, 9).await.unwrap().len(), 1);
}
