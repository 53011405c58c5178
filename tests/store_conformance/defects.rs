//! What does not belong into the books is found, and does not stand in the way of a repair.

use barkeep::model::Dataset::{self, Stocks};
use barkeep::model::{Bar, FileKind, Timeframe};
use barkeep::store::{Audit, BarSink, DayCommit, Defect, Ledger};
use jiff::civil::{Date, date};

use crate::Bench;
use crate::fixtures::*;

/// A day on which nothing is loaded.
const LATER: Date = date(2026, 10, 5);

const A_DAY: i64 = 24 * 60 * MINUTE;

/// Loads a day for everyone, with its day file, and one for two symbols.
async fn load_both(store: &mut impl BarSink) {
    let minutes = [bar(Timeframe::M1, T, 1.0), bar(Timeframe::DayOfficial, T, 2.0)];
    let next = minutes.map(|bar| shifted(&bar, A_DAY));
    let files = vec![file(FileKind::Minute, "1", 2), file(FileKind::Day, "1", 2)];
    let everyone = commit("1m,day_official", &[], files);
    put(store, (Stocks, DAY), &[], &[("A", &minutes), ("B", &minutes)], &everyone).await;
    let named = commit("", &[("A", "1m"), ("B", "1m")], vec![file(FileKind::Minute, "1", 2)]);
    put(store, (Stocks, NEXT), &[], &[("A", &next[..1]), ("B", &next[..1])], &named).await;
}

async fn forget(store: &mut impl BarSink, date: Date) {
    store.begin_day(Stocks, date, || ()).await.unwrap();
    store.forget_day().await.unwrap();
    store.commit_day(&DayCommit { files: Vec::new(), ..commit("", &[], Vec::new()) }).await.unwrap();
}

/// What is found, but for bars that nobody has loaded: that a scan finds, too, and not every store by itself.
async fn found(store: &mut impl Audit) -> Vec<Defect> {
    let mut defects = store.defects().await.unwrap();
    defects.retain(|defect| defect.kind != "uncovered_bars");
    defects
}

/// What is done to the books, and the defects it leaves: kind, day, symbol, and words of the detail.
type Plant = (&'static str, &'static [(&'static str, Option<(Dataset, Date)>, Option<&'static str>, &'static str)]);

const PLANTS: &[Plant] = &[
    (
        "INSERT INTO coverage VALUES ('stocks', '2026-10-05', 'A', '1m,day_official')",
        &[
            ("orphan_coverage", Some((Stocks, LATER)), None, "1 rows of coverage, and no minute file"),
            ("orphan_coverage", Some((Stocks, LATER)), None, "no day file"),
        ],
    ),
    (
        "DELETE FROM ingest_ledger WHERE session_date = '2026-10-01' AND file = 'minute'",
        &[("orphan_coverage", Some((Stocks, DAY)), None, "1 rows of coverage, and no minute file")],
    ),
    (
        "DELETE FROM ingest_ledger WHERE session_date = '2026-10-01' AND file = 'day'",
        &[("orphan_coverage", Some((Stocks, DAY)), None, "1 rows of coverage, and no day file")],
    ),
    (
        "DELETE FROM ingest_ledger WHERE session_date = '2026-10-02'",
        &[
            ("orphan_coverage", Some((Stocks, NEXT)), None, "2 rows of coverage"),
            ("day_without_ledger", Some((Stocks, NEXT)), None, "the ledger has no file that is loaded"),
        ],
    ),
    (
        "DELETE FROM ingest_ledger WHERE session_date = '2026-10-02'; DELETE FROM coverage WHERE symbol <> '*'",
        &[("day_without_ledger", Some((Stocks, NEXT)), None, "the ledger has no file that is loaded")],
    ),
    (
        "UPDATE ingest_ledger SET etag = NULL WHERE session_date = '2026-10-02'",
        &[
            ("orphan_coverage", Some((Stocks, NEXT)), None, "2 rows of coverage"),
            ("day_without_ledger", Some((Stocks, NEXT)), None, "the ledger has no file that is loaded"),
        ],
    ),
    (
        "DELETE FROM coverage WHERE session_date = '2026-10-02'",
        &[("ledger_without_coverage", Some((Stocks, NEXT)), None, "the minute file is loaded")],
    ),
    (
        "DELETE FROM coverage WHERE session_date = '2026-10-01'",
        &[
            ("ledger_without_coverage", Some((Stocks, DAY)), None, "the minute and the day file is loaded"),
            ("scope_conflict", Some((Stocks, DAY)), None, "the minute file is loaded for `all`"),
            ("scope_conflict", Some((Stocks, DAY)), None, "the day file is loaded for `all`"),
        ],
    ),
    (
        "UPDATE ingest_ledger SET outcome = 'fine' WHERE session_date = '2026-10-01' AND file = 'minute'",
        &[(
            "unknown_word",
            Some((Stocks, DAY)),
            None,
            "`fine` as outcome in 1 rows of ingest_ledger, stocks 2026-10-01",
        )],
    ),
    (
        "UPDATE ingest_ledger SET content_hash = 'xyz' WHERE session_date = '2026-10-01' AND file = 'day'",
        &[("unknown_word", Some((Stocks, DAY)), None, "`xyz` as content_hash")],
    ),
    (
        "UPDATE ingest_ledger SET finished_at = 9223372036854775807 WHERE session_date = '2026-10-02'",
        &[("unknown_word", Some((Stocks, NEXT)), None, "`9223372036854775807` as finished_at")],
    ),
    (
        "UPDATE coverage SET timeframes = '1m,7m' WHERE symbol = 'A'",
        &[("unknown_word", Some((Stocks, NEXT)), None, "`1m,7m` as timeframes in 1 rows of coverage")],
    ),
    (
        "INSERT INTO coverage VALUES ('shares', '2026-10-01', 'A', '1m')",
        &[
            ("unknown_word", None, None, "`shares` as dataset in 1 rows of coverage, shares 2026-10-01"),
            ("orphan_coverage", None, None, "no minute file"),
            ("scope_conflict", None, Some("A"), "no symbol of shares"),
        ],
    ),
    (
        "INSERT INTO restatements (dataset, session_date, file, loaded_at, old_object_key, old_etag, old_size_bytes,
             new_object_key, new_etag, new_size_bytes, bars_added, bars_changed, bars_removed)
         VALUES ('shares', '2026-10-01', 'minute', 0, 'k', 'e', 1, 'k', 'f', 1, 1, 1, 1)",
        &[("unknown_word", None, None, "`shares` as dataset in 1 rows of restatements")],
    ),
    (
        "UPDATE ingest_ledger SET scope = 'symbols' WHERE session_date = '2026-10-01' AND file = 'day'",
        &[(
            "scope_conflict",
            Some((Stocks, DAY)),
            None,
            "the day file is loaded for `symbols`, and the coverage says for all",
        )],
    ),
    (
        "UPDATE ingest_ledger SET scope = 'all' WHERE session_date = '2026-10-02'",
        &[(
            "scope_conflict",
            Some((Stocks, NEXT)),
            None,
            "the minute file is loaded for `all`, and the coverage says for named",
        )],
    ),
    (
        "INSERT INTO coverage VALUES ('stocks', '2026-10-02', 'X:BTC-USD', '1m')",
        &[("scope_conflict", Some((Stocks, NEXT)), Some("X:BTC-USD"), "no symbol of stocks")],
    ),
];

pub async fn what_is_wrong_with_the_books_is_found_and_can_be_repaired(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.defects().await.unwrap(), []);
    load_both(&mut store).await;
    assert_eq!(store.defects().await.unwrap(), []);
    let whole = store.day_states(Stocks, DAY..=LATER).await.unwrap();
    for (sql, expected) in PLANTS {
        bench.execute(sql).await;
        let found = found(&mut store).await;
        let told: Vec<_> = found.iter().map(|one| (one.kind, one.day, one.symbol.as_deref())).collect();
        let wanted: Vec<_> = expected.iter().map(|one| (one.0, one.1, one.2)).collect();
        assert_eq!(told, wanted, "{sql}\n{found:#?}");
        for (one, expected) in found.iter().zip(*expected) {
            assert!(one.detail.contains(expected.3), "{sql}: {}", one.detail);
        }
        // A repair as far as the store's part in it goes: orphans are removed, days are forgotten and loaded again.
        store.remove_orphans().await.unwrap();
        for date in [DAY, NEXT] {
            forget(&mut store, date).await;
        }
        load_both(&mut store).await;
        assert_eq!(store.defects().await.unwrap(), [], "{sql}");
        assert_eq!(store.day_states(Stocks, DAY..=LATER).await.unwrap(), whole, "{sql}");
    }
}

pub async fn only_books_that_belong_to_nothing_are_removed(bench: &impl Bench) {
    let mut store = bench.open().await;
    load_both(&mut store).await;
    let one: [Bar; 1] = [bar(Timeframe::M1, T + 5 * A_DAY, 1.0)];
    put(&mut store, (Stocks, date(2026, 10, 6)), &[], &[("A", &one)], &commit("1m", &[], vec![])).await;
    // Coverage of a day without anything; of one with bars alone; an attempt; a word.
    bench
        .execute(
            "INSERT INTO coverage VALUES ('stocks', '2026-10-05', '*', '1m'), ('stocks', '2026-10-05', 'A', '1m');
             INSERT INTO ingest_ledger (dataset, session_date, file, outcome, started_at, finished_at)
                 VALUES ('stocks', '2026-10-05', 'minute', 'missing', 0, 0), ('stocks', '2026-10-05', 'day', 'so so', 0, 0)",
        )
        .await;
    let before = store.day_states(Stocks, DAY..=NEXT).await.unwrap();
    assert_eq!(store.remove_orphans().await.unwrap(), 3);
    assert_eq!(store.remove_orphans().await.unwrap(), 0);
    assert_eq!(store.day_states(Stocks, DAY..=NEXT).await.unwrap(), before);
    let missing = state(&mut store, LATER).await;
    assert!(missing.minute.is_some() && missing.everyone.is_empty(), "an attempt is remembered");
    assert_eq!(state(&mut store, date(2026, 10, 6)).await.everyone, frames("1m"), "there are bars");
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await.len(), 3);
}
