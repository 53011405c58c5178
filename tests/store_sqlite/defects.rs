//! What does not belong into the tables is found, and does not stand in the way of a repair.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use barkeep::ingest::Request;
use barkeep::model::Dataset::{Crypto, Stocks};
use barkeep::model::{Dataset, FileKind, Timeframe};
use barkeep::store::{Audit, BarReader, BarSink, DayCommit, Defect, Ledger, RawBar, Replace, Scan, StoreError};
use jiff::civil::{Date, date};
use sqlx::{Connection, Executor};

use crate::common::{
    self, Desk, HEADER, assert_same_table, connect, csv, gzip, request, request_of, row, stamp, tickers,
};

const DAY: Date = date(2026, 10, 1);
const NEXT: Date = date(2026, 10, 2);

/// Two days of twelve stocks: one loaded for everyone, with its day file; one for two symbols.
async fn loaded() -> Desk {
    let desk = Desk::new();
    put_files(&desk, 0);
    desk.load(request(Stocks, DAY, DAY)).await;
    desk.load(request_of(&["S03", "S04"], Stocks, NEXT, NEXT)).await;
    desk
}

fn put_files(desk: &Desk, cents: u32) {
    for date in [DAY, NEXT] {
        desk.put_session(date, &tickers(12));
    }
    let official =
        tickers(12).into_iter().map(|ticker| row(&ticker, stamp(Stocks, DAY, 0, 0), 10_000 + cents, "100", 5));
    desk.put(Stocks, FileKind::Day, DAY, &gzip(csv(HEADER, official)));
}

async fn execute(desk: &Desk, sql: &'static str) {
    let mut connection = connect(&desk.database()).await;
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

async fn defects(desk: &Desk) -> Vec<Defect> {
    desk.store().await.defects().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_of_any_kind_leave_no_defects() {
    let desk = Desk::new();
    assert_eq!(defects(&desk).await, []);
    desk.put_session(date(2026, 9, 30), &tickers(12));
    desk.load(request(Stocks, DAY, NEXT)).await;
    assert_eq!(defects(&desk).await, [], "days whose files are missing");
    put_files(&desk, 0);
    desk.load(request_of(&["S03", "NONE"], Stocks, DAY, NEXT)).await;
    assert_eq!(defects(&desk).await, []);
    // A further symbol; a further timeframe for all, without the day file, and then with it for one.
    desk.load(request_of(&["S04"], Stocks, DAY, DAY)).await;
    let five = "5m".parse().unwrap();
    let without = || Request { timeframes: five, official_day: false, ..request(Stocks, DAY, NEXT) };
    desk.load(without()).await;
    desk.load(request_of(&["S05"], Stocks, DAY, DAY)).await;
    assert_eq!(defects(&desk).await, []);
    // By force, some and all; a day file that is replaced, and one that cannot be read.
    desk.load(Request { force: true, ..request_of(&["S03"], Stocks, DAY, NEXT) }).await;
    desk.load(Request { force: true, ..without() }).await;
    put_files(&desk, 50);
    desk.load(request(Stocks, DAY, NEXT)).await;
    desk.put(Stocks, FileKind::Day, NEXT, b"no gzip");
    desk.load(request(Stocks, DAY, NEXT)).await;
    assert_eq!(defects(&desk).await, []);
    let mut store = desk.store().await;
    assert!(!store.restatements(DAY..=DAY).await.unwrap().is_empty());
    assert_eq!(store.remove_orphans().await.unwrap(), 0);
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.forget_day().await.unwrap();
    store.commit_day(&nothing()).await.unwrap();
    assert_eq!(store.defects().await.unwrap(), []);
}

fn nothing() -> DayCommit {
    let now = jiff::Timestamp::UNIX_EPOCH;
    DayCommit { files: Vec::new(), everyone: "".parse().unwrap(), named: Vec::new(), started_at: now, finished_at: now }
}

/// What is done to the tables under the view, or to words no other store would take, and the defects it leaves: kind, day, symbol, and words of the detail.
type Plant = (&'static str, &'static [(&'static str, Option<(Dataset, Date)>, Option<&'static str>, &'static str)]);

const PLANTS: &[Plant] = &[
    (
        "INSERT INTO bars SELECT 99, symbol, timeframe_id, timestamp, open, high, low, close, volume, vwap, trades,
             shape_id, minutes FROM bars WHERE symbol = 'S04' AND timeframe_id = 6",
        &[("orphan_bars", None, None, "2 bars nobody sees: the table days does not have their day_id 99")],
    ),
    (
        "DELETE FROM symbols WHERE symbol = 'S04'",
        &[
            ("orphan_bars", Some((Stocks, DAY)), Some("S04"), "nobody sees: the table symbols"),
            ("orphan_bars", Some((Stocks, NEXT)), Some("S04"), "nobody sees: the table symbols"),
        ],
    ),
    (
        "UPDATE symbols SET dataset = 'crypto' WHERE symbol IN ('S04', 'S05')",
        &[
            ("orphan_bars", Some((Stocks, DAY)), None, "of 2 symbols nobody sees: the table symbols"),
            ("orphan_bars", Some((Stocks, NEXT)), Some("S04"), "nobody sees: the table symbols"),
        ],
    ),
    (
        "UPDATE days SET dataset = 'crypto' WHERE session_date = '2026-10-02'",
        &[
            ("orphan_bars", Some((Crypto, NEXT)), None, "of 2 symbols nobody sees: the table symbols"),
            ("day_without_ledger", Some((Crypto, NEXT)), None, "the ledger has no file"),
        ],
    ),
    (
        "UPDATE bars SET timeframe_id = 8 WHERE day_id = 1 AND symbol = 'S04' AND timeframe_id = 6",
        &[("orphan_bars", Some((Stocks, DAY)), Some("S04"), "1 bars nobody sees: their timeframe_id")],
    ),
    (
        "UPDATE bars SET shape_id = 999 WHERE day_id = 1 AND symbol < 'S02' AND timeframe_id = 6",
        &[("orphan_bars", Some((Stocks, DAY)), None, "2 bars of 2 symbols nobody sees: the table shapes")],
    ),
    (
        "DELETE FROM coverage WHERE symbol = 'S03'",
        &[("uncovered_bars", Some((Stocks, NEXT)), Some("S03"), "neither the coverage nor")],
    ),
    (
        "UPDATE coverage SET timeframes = '1m,5m,15m,1h,4h,day_official' WHERE symbol = '*'",
        &[("uncovered_bars", Some((Stocks, DAY)), None, "12 bars of 12 symbols are stored")],
    ),
    (
        "DELETE FROM ingest_ledger WHERE session_date = '2026-10-02'; DELETE FROM coverage WHERE symbol <> '*'",
        &[
            ("uncovered_bars", Some((Stocks, NEXT)), None, "of 2 symbols"),
            ("day_without_ledger", Some((Stocks, NEXT)), None, "the ledger has no file that is loaded"),
        ],
    ),
    (
        "DELETE FROM coverage WHERE session_date = '2026-10-02'",
        &[
            ("uncovered_bars", Some((Stocks, NEXT)), None, "of 2 symbols"),
            ("ledger_without_coverage", Some((Stocks, NEXT)), None, "the minute file is loaded"),
        ],
    ),
    (
        "UPDATE coverage SET timeframes = '1m,7m' WHERE symbol = 'S03'",
        &[
            ("unknown_word", Some((Stocks, NEXT)), None, "`1m,7m` as timeframes in 1 rows of coverage"),
            ("uncovered_bars", Some((Stocks, NEXT)), Some("S03"), "neither the coverage nor"),
        ],
    ),
    (
        "INSERT INTO coverage VALUES ('stocks', '2026-10-32', 'S03', '1m'), ('shares', '2026-10-01', 'S03', '1m')",
        &[
            ("unknown_word", None, None, "`shares` as dataset in 1 rows of coverage"),
            ("unknown_word", None, None, "`2026-10-32` as session_date in 1 rows of coverage"),
            ("orphan_coverage", None, None, "no minute file"),
            ("orphan_coverage", None, None, "no minute file"),
            ("scope_conflict", None, Some("S03"), "no symbol of shares"),
        ],
    ),
    (
        "UPDATE days SET session_date = '20261001' WHERE session_date = '2026-10-01'",
        &[
            ("unknown_word", None, None, "`20261001` as session_date in 1 rows of days"),
            ("uncovered_bars", None, None, "of 12 symbols"),
            ("day_without_ledger", None, None, "the ledger has no file"),
        ],
    ),
    (
        "INSERT INTO restatements VALUES (1, 'stocks', '1.10.2026', 'minute', 0, 'k', 'e', 1, NULL, 'k', 'f', 1, NULL, 1, 1, 1)",
        &[("unknown_word", None, None, "`1.10.2026` as session_date in 1 rows of restatements")],
    ),
];

/// A repair as far as the store's part in it goes: orphans are removed, days are forgotten and loaded again.
async fn repair(desk: &Desk) {
    let mut store = desk.store().await;
    store.remove_orphans().await.unwrap();
    for day in [DAY, NEXT] {
        store.begin_day(Stocks, day, || ()).await.unwrap();
        store.forget_day().await.unwrap();
        store.commit_day(&nothing()).await.unwrap();
    }
    store.close().await.unwrap();
    desk.load(request(Stocks, DAY, DAY)).await;
    desk.load(request_of(&["S03", "S04"], Stocks, NEXT, NEXT)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_planted_is_found_and_can_be_repaired() {
    let desk = loaded().await;
    let whole = desk.table().await;
    let copy = desk.dir.path().join("copy.db");
    fs::copy(desk.database(), &copy).unwrap();
    for (sql, expected) in PLANTS {
        fs::copy(&copy, desk.database()).unwrap();
        execute(&desk, sql).await;
        let found = defects(&desk).await;
        let told: Vec<_> = found.iter().map(|one| (one.kind, one.day, one.symbol.as_deref())).collect();
        let wanted: Vec<_> = expected.iter().map(|one| (one.0, one.1, one.2)).collect();
        assert_eq!(told, wanted, "{sql}\n{found:#?}");
        for (one, expected) in found.iter().zip(*expected) {
            assert!(one.detail.contains(expected.3), "{sql}: {}", one.detail);
        }
        repair(&desk).await;
        assert_eq!(defects(&desk).await, [], "{sql}");
        assert_same_table(&desk.table().await, &whole);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_belongs_to_nothing_is_removed() {
    let desk = loaded().await;
    let whole = desk.table().await;
    // Two copies of bars under no day, a word, coverage and days without anything.
    for sql in [
        PLANTS[0].0,
        "INSERT INTO coverage VALUES ('stocks', '2026-10-05', '*', '1m'), ('stocks', '2026-10-06', 'A', '1m')",
        "INSERT INTO days (dataset, session_date) VALUES ('stocks', '2026-10-05'), ('stocks', 'tomorrow')",
        "INSERT INTO ingest_ledger (dataset, session_date, file, outcome, started_at, finished_at)
             VALUES ('stocks', '2026-10-05', 'minute', 'missing', 0, 0)",
    ] {
        execute(&desk, sql).await;
    }
    let mut store = desk.store().await;
    assert_eq!(store.remove_orphans().await.unwrap(), 6);
    assert_eq!(store.remove_orphans().await.unwrap(), 0);
    assert_eq!(store.defects().await.unwrap(), []);
    let missing = store.day_states(Stocks, date(2026, 10, 5)..=date(2026, 10, 6)).await.unwrap();
    assert!(missing[&date(2026, 10, 5)].minute.is_some(), "an attempt is remembered");
    assert_same_table(&desk.table().await, &whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_told_and_nothing_else_is_believed() {
    let desk = loaded().await;
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'bars'";
    let mut connection = connect(&desk.database()).await;
    let page: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(desk.database()).unwrap();
    file.seek(SeekFrom::Start((page.unsigned_abs() - 1) * 32 * 1024)).unwrap();
    file.write_all(&[0x5a; 1000]).unwrap();
    let found = defects(&desk).await;
    assert!(!found.is_empty());
    assert!(found.iter().all(|one| one.kind == "damaged_file" && !one.detail.is_empty()), "{found:#?}");
}

#[tokio::test]
async fn a_table_of_timeframes_that_was_changed_is_told() {
    let desk = Desk::new();
    desk.store().await.close().await.unwrap();
    execute(&desk, "UPDATE timeframes SET timeframe = '16m' WHERE timeframe_id = 3").await;
    let found = defects(&desk).await;
    assert_eq!(found.iter().map(|one| one.kind).collect::<Vec<_>>(), ["unknown_word"]);
    assert!(found[0].detail.contains("16m"), "{}", found[0].detail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_set_aside_go_when_their_day_is_forgotten() {
    let desk = loaded().await;
    let mut store = desk.store().await;
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    let restated = Replace { timeframes: common::rolled(), symbols: None, restated: true };
    assert_eq!(store.replace(&restated).await.unwrap(), 12 * common::BARS_OF_TICKER as u64);
    assert_eq!(store.forget_day().await.unwrap(), 12, "the day bars are left");
    store.commit_day(&nothing()).await.unwrap();
    assert_eq!(store.defects().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_count_in_the_ledger_heals_when_everything_is_loaded_again() {
    let desk = loaded().await;
    execute(&desk, "UPDATE ingest_ledger SET bars_written = bars_written + 1000").await;
    desk.load(Request { force: true, ..request(Stocks, DAY, DAY) }).await;
    let state = desk.store().await.day_states(Stocks, DAY..=DAY).await.unwrap().remove(&DAY).unwrap();
    let counted = FileKind::ALL.map(|kind| state.file(kind).unwrap().bars);
    assert_eq!(counted, [12 * common::BARS_OF_TICKER as u64, 12]);
}

/// Reading such bars used to panic, or gave prices of 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_of_a_shape_that_was_changed_are_an_error_and_a_scan_shows_them() {
    let desk = loaded().await;
    let mut store = desk.store().await;
    let any = i64::MIN..=i64::MAX;
    for (sql, is_shown) in [
        ("UPDATE shapes SET price_divisor = 0.0", (|bar| bar.open.is_nan()) as fn(&RawBar) -> bool),
        ("UPDATE shapes SET price_divisor = 1.0, duration_ms = 9223372036854775807", |bar| {
            bar.end_timestamp_ms == i64::MAX
        }),
    ] {
        execute(&desk, sql).await;
        let read = store.bars("S03", Timeframe::M1, any.clone()).await;
        assert!(matches!(read, Err(StoreError::Unknown(_))), "{sql}");
        let mut shown = 0;
        let minutes =
            Scan { dataset: Stocks, symbols: None, timeframes: common::rolled(), dates: None, range_ms: any.clone() };
        let each = |_: &str, bars: &[RawBar]| {
            shown += bars.iter().filter(|bar| is_shown(bar)).count();
            ControlFlow::Continue(())
        };
        store.scan(&minutes, each).await.unwrap();
        assert_eq!(shown, 14 * common::BARS_OF_TICKER);
    }
}
