//! Databases of earlier versions.

use std::borrow::Cow;
use std::fs;

use barkeep::model::Dataset::{Crypto, Stocks};
use barkeep::model::{FileKind, Symbol, Timeframe};
use barkeep::store::{Audit, BarReader, DayState, Ledger, Queue, SymbolDay, SymbolDays, SymbolSink, Watchlist};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Executor, SqlStr, SqliteConnection};

use crate::common::{Desk, connect};

const DAY: Date = date(2026, 10, 1);
const NEXT: Date = date(2026, 10, 2);

/// What version 1 left of: a day of stocks that was loaded twice, for one symbol each (the ledger has the bars of the second
/// load), with its day file; a day that could not be loaded; a day of crypto with bars; one whose file had nothing for anyone.
const ROWS: &str = "
INSERT INTO shapes VALUES (1, 'regular', NULL, 60000, 1.0);
INSERT INTO symbols VALUES ('A', 'stocks'), ('B', 'stocks'), ('X:A', 'crypto');
INSERT INTO days VALUES (1, 'stocks', '2026-10-01'), (2, 'crypto', '2026-10-01'), (3, 'crypto', '2026-10-02');
INSERT INTO bars (day_id, symbol, timeframe_id, timestamp, open, high, low, close, shape_id, minutes) VALUES
    (1, 'A', 1, 0, 1.5, 1.5, 1.5, 1.5, 1, 1), (1, 'A', 1, 60000, 1.5, 1.5, 1.5, 1.5, 1, 1),
    (1, 'A', 2, 0, 1.5, 1.5, 1.5, 1.5, 1, 1), (1, 'A', 7, 0, 1.5, 1.5, 1.5, 1.5, 1, 0),
    (1, 'B', 1, 0, 1.5, 1.5, 1.5, 1.5, 1, 1), (1, 'B', 7, 0, 1.5, 1.5, 1.5, 1.5, 1, 0),
    (2, 'X:A', 6, 0, 1.5, 1.5, 1.5, 1.5, 1, 1);
INSERT INTO coverage VALUES ('stocks', '2026-10-01', 'A', '1m,5m,day_official'),
    ('stocks', '2026-10-01', 'B', '1m,day_official'), ('crypto', '2026-10-01', '*', 'day'),
    ('crypto', '2026-10-02', '*', 'day');
INSERT INTO ingest_ledger (dataset, session_date, file, scope, object_key, etag, size_bytes, bars_written, outcome,
    started_at, finished_at) VALUES
    ('stocks', '2026-10-01', 'minute', 'symbols', 'key', 'etag', 7, 1, 'loaded', 0, 0),
    ('stocks', '2026-10-01', 'day', 'symbols', 'key', 'etag', 7, 1, 'loaded', 0, 0),
    ('stocks', '2026-10-02', 'minute', NULL, NULL, NULL, NULL, 0, 'missing', 0, 0),
    ('crypto', '2026-10-01', 'minute', 'all', 'key', 'etag', 7, 99, 'loaded', 0, 0),
    ('crypto', '2026-10-02', 'minute', 'all', 'key', 'etag', 7, 99, 'loaded', 0, 0);
";

/// A new database of an earlier version.
async fn of_version(desk: &Desk, version: usize) -> SqliteConnection {
    let migrations = [
        ("bars", include_str!("../../migrations/sqlite/0001_bars.sql")),
        ("restatements", include_str!("../../migrations/sqlite/0002_restatements.sql")),
        ("rest", include_str!("../../migrations/sqlite/0003_rest.sql")),
        ("splits", include_str!("../../migrations/sqlite/0004_splits.sql")),
    ];
    let migrations = migrations.into_iter().zip(1..).take(version).map(|((name, sql), number)| {
        Migration::new(number, Cow::Borrowed(name), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name("barkeep_migrations");
    fs::write(desk.database(), "").unwrap();
    let mut connection = connect(&desk.database()).await;
    migrator.run_direct(None, &mut connection, false).await.unwrap();
    connection
}

#[tokio::test]
async fn a_database_of_version_1_counts_its_bars_and_goes_on() {
    let desk = Desk::new();
    let mut connection = of_version(&desk, 1).await;
    connection.execute(ROWS).await.unwrap();
    drop(connection);

    let mut store = desk.store().await;
    let bars = |state: &DayState| FileKind::ALL.map(|kind| state.file(kind).map(|file| (file.bars, file.content)));
    let stocks = store.day_states(Stocks, DAY..=NEXT).await.unwrap();
    assert_eq!(bars(&stocks[&DAY]), [Some((4, None)), Some((2, None))]);
    assert_eq!(bars(&stocks[&NEXT]), [Some((0, None)), None]);
    let crypto = store.day_states(Crypto, DAY..=NEXT).await.unwrap();
    assert_eq!(bars(&crypto[&DAY]), [Some((1, None)), None]);
    assert_eq!(bars(&crypto[&NEXT]), [Some((0, None)), None]);
    assert!(store.restatements(DAY..=NEXT).await.unwrap().is_empty());
    assert_eq!(store.bars("A", Timeframe::M1, 0..=60_000).await.unwrap().len(), 2);
    assert_eq!(store.defects().await.unwrap(), []);
    store.close().await.unwrap();
    // Migrated once.
    desk.store().await.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_version_2_takes_what_the_rest_api_brings() {
    let desk = Desk::new();
    let mut connection = of_version(&desk, 2).await;
    connection.execute(ROWS).await.unwrap();
    drop(connection);

    let mut store = desk.store().await;
    let before = store.day_states(Stocks, DAY..=DAY).await.unwrap();
    assert_eq!(before[&DAY].named["B"], "1m,day_official".parse().unwrap());
    assert!(before[&DAY].rest.is_empty());
    let (timeframes, fetched) = ("1m,5m".parse().unwrap(), Timestamp::UNIX_EPOCH);
    let day = SymbolDay {
        date: DAY,
        timeframes,
        bars: vec![],
        is_provisional: false,
        is_absent_in_file: false,
        rows_read: 0,
    };
    let days = SymbolDays {
        dataset: Stocks,
        symbol: "B".to_owned(),
        request: "/v2/aggs/ticker/B".to_owned(),
        days: vec![day],
        exact_vwap: false,
        started_at: fetched,
        finished_at: fetched,
    };
    let stored = store.store_symbol(&days).await.unwrap();
    assert_eq!(stored[0].of_files, "1m".parse().unwrap());
    let symbol = Symbol::from_ticker("B").unwrap();
    let state = &store.symbol_states(&symbol, DAY..=DAY).await.unwrap()[&DAY];
    assert_eq!(state.rest["B"].timeframes, "5m".parse().unwrap());
    let sources = "SELECT symbol || ' ' || timeframes || ' ' || source || ' ' || object FROM bar_sources
                   WHERE dataset = 'stocks' ORDER BY symbol, source";
    let mut connection = connect(&desk.database()).await;
    let sources: Vec<String> = sqlx::query_scalar(sources).fetch_all(&mut connection).await.unwrap();
    let expected = ["A 1m,5m,day_official file key", "B 1m,day_official file key", "B 5m rest /v2/aggs/ticker/B"];
    assert_eq!(sources, expected);
}

/// The watchlist is changed for it; another program may have a view of it.
#[tokio::test]
async fn a_database_of_version_4_keeps_its_watchlist() {
    let desk = Desk::new();
    let mut connection = of_version(&desk, 4).await;
    let rows = "INSERT INTO watchlist VALUES ('AAPL', 365, 1, 7, 1790866800000), ('I:SPX', 90, 0, -1, 5);
                CREATE VIEW mine AS SELECT symbol FROM watchlist WHERE active;
                CREATE TABLE orders (symbol TEXT);
                CREATE TRIGGER ordered AFTER INSERT ON orders
                BEGIN INSERT OR IGNORE INTO watchlist (symbol, added_at) VALUES (NEW.symbol, 0); END";
    connection.execute(rows).await.unwrap();
    drop(connection);

    let mut store = desk.store().await;
    let list = store.watchlist().await.unwrap();
    let kept: Vec<_> = list
        .iter()
        .map(|entry| {
            let added = entry.added_at.as_millisecond();
            (entry.symbol.as_str(), entry.days_to_backfill, entry.active, entry.priority, added)
        })
        .collect();
    assert_eq!(kept, [("AAPL", 365, true, 7, 1_790_866_800_000), ("I:SPX", 90, false, -1, 5)]);
    assert_eq!(store.requests(None, 9).await.unwrap(), [], "what was watched is no news");
    let mut connection = connect(&desk.database()).await;
    connection
        .execute("INSERT INTO orders VALUES ('MSFT'); INSERT INTO watchlist (symbol) VALUES ('IBM')")
        .await
        .unwrap();
    let mine: Vec<String> = sqlx::query_scalar("SELECT symbol FROM mine").fetch_all(&mut connection).await.unwrap();
    assert_eq!(mine, ["AAPL", "IBM", "MSFT"]);
    assert_eq!(store.requests(None, 9).await.unwrap().len(), 2);
    assert_eq!(store.defects().await.unwrap(), []);
}

/// It was made anew, without what others had put on it.
#[tokio::test]
async fn a_watchlist_keeps_what_another_program_has_put_on_it() {
    let desk = Desk::new();
    let mut connection = of_version(&desk, 4).await;
    let theirs = "ALTER TABLE watchlist ADD COLUMN note TEXT NOT NULL DEFAULT 'none';
                  ALTER TABLE watchlist ADD COLUMN shouted TEXT AS (upper(note));
                  CREATE INDEX by_age ON watchlist (added_at, note);
                  CREATE TABLE seen (symbol TEXT);
                  CREATE TRIGGER seeing AFTER INSERT ON watchlist
                  BEGIN INSERT INTO seen VALUES (NEW.symbol || ' ' || NEW.note); END;
                  INSERT INTO watchlist (symbol, added_at, note) VALUES ('AAPL', 7, 'mine')";
    connection.execute(theirs).await.unwrap();
    drop(connection);
    desk.store().await.close().await.unwrap();

    let mut connection = connect(&desk.database()).await;
    connection.execute("INSERT INTO watchlist (symbol) VALUES ('IBM')").await.unwrap();
    let all = async |sql: &'static str, connection: &mut SqliteConnection| -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
    };
    let rows = "SELECT symbol || ' ' || shouted || ' ' || (added_at BETWEEN 1767225600000 AND 4102444800000)
                FROM watchlist INDEXED BY by_age ORDER BY added_at";
    assert_eq!(all(rows, &mut connection).await, ["AAPL MINE 0", "IBM NONE 1"], "columns, index, and the new default");
    assert_eq!(all("SELECT symbol FROM seen", &mut connection).await, ["AAPL mine", "IBM none"], "the trigger");
    let queued = "SELECT symbol FROM historical_ingestion_queue";
    assert_eq!(all(queued, &mut connection).await, ["IBM"], "and ours beside it");
    assert_eq!(all("PRAGMA integrity_check", &mut connection).await, ["ok"]);
    connection.execute("ALTER TABLE watchlist ADD COLUMN later TEXT").await.unwrap();
    desk.store().await.close().await.unwrap();
}
