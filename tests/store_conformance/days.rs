//! The bars of a day: visible with their ledger or not at all, replaced, forgotten.

use std::collections::BTreeMap;

use barkeep::model::Dataset::{Crypto, Indices, Stocks};
use barkeep::model::{Bar, FileKind, Timeframe};
use barkeep::store::{BarReader, BarSink, DayState, Ledger};
use jiff::civil::date;

use crate::Bench;
use crate::fixtures::*;

pub async fn a_day_is_visible_once_committed(bench: &impl Bench) {
    let (mut writer, mut reader) = (bench.open().await, bench.open().await);
    let state = writer.begin_day(Stocks, DAY, || ()).await.unwrap();
    assert_eq!(state, DayState::default());
    writer.write(&batch(&[("A", &[bar(Timeframe::M1, T, 10.0)])])).await.unwrap();
    assert!(opens(&mut reader, "A", Timeframe::M1).await.is_empty());
    assert!(reader.series(None).await.unwrap().is_empty());
    assert!(reader.day_states(Stocks, DAY..=DAY).await.unwrap().is_empty());
    writer.commit_day(&commit("1m", &[], vec![file(FileKind::Minute, "1", 1)])).await.unwrap();
    assert_eq!(opens(&mut reader, "A", Timeframe::M1).await, [10.0]);
    let state = &reader.day_states(Stocks, DAY..=DAY).await.unwrap()[&DAY];
    assert_eq!(state.everyone, frames("1m"));
    assert_eq!(state.loaded(FileKind::Minute), Some(&version("1")));
}

pub async fn an_abandoned_day_leaves_nothing(bench: &impl Bench) {
    let mut store = bench.open().await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)])]).await;
    for replaces in [false, true] {
        store.begin_day(Stocks, DAY, || ()).await.unwrap();
        if replaces {
            assert_eq!(store.replace(&everything()).await.unwrap(), 1);
        }
        store.write(&batch(&[("B", &[bar(Timeframe::M5, T, 20.0)])])).await.unwrap();
        store.abandon_day().await.unwrap();
        assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
        assert!(opens(&mut store, "B", Timeframe::M5).await.is_empty());
    }
    store.abandon_day().await.unwrap();
    // What was remembered of the abandoned bars must not be relied on.
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.write(&batch(&[("B", &[bar(Timeframe::M5, T, 20.0)])])).await.unwrap();
    store.commit_day(&commit("5m", &[], vec![])).await.unwrap();
    assert_eq!(opens(&mut store, "B", Timeframe::M5).await, [20.0]);
}

pub async fn readers_see_the_old_day_until_the_new_one_is_committed(bench: &impl Bench) {
    let (mut writer, mut reader) = (bench.open().await, bench.open().await);
    load(&mut writer, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)]), ("B", &[bar(Timeframe::M1, T, 20.0)])]).await;
    writer.begin_day(Stocks, DAY, || ()).await.unwrap();
    assert_eq!(writer.replace(&everything()).await.unwrap(), 2);
    writer.write(&batch(&[("A", &[bar(Timeframe::M1, T, 11.0)])])).await.unwrap();
    assert_eq!(opens(&mut reader, "A", Timeframe::M1).await, [10.0]);
    assert_eq!(opens(&mut reader, "B", Timeframe::M1).await, [20.0]);
    writer.commit_day(&commit("1m", &[], vec![file(FileKind::Minute, "2", 1)])).await.unwrap();
    assert_eq!(opens(&mut reader, "A", Timeframe::M1).await, [11.0]);
    assert!(opens(&mut reader, "B", Timeframe::M1).await.is_empty());
    let states = reader.day_states(Stocks, DAY..=DAY).await.unwrap();
    assert_eq!(states[&DAY].loaded(FileKind::Minute), Some(&version("2")));
}

pub async fn a_failed_write_can_be_abandoned(bench: &impl Bench) {
    let mut store = bench.open().await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)])]).await;
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    let mut failed = store.write(&batch(&[("A", &[bar(Timeframe::M1, T, 99.0)])])).await;
    if failed.is_ok() {
        failed = store.commit_day(&commit("1m", &[], vec![file(FileKind::Minute, "2", 1)])).await;
    }
    assert!(failed.is_err(), "a bar is never written over another");
    store.abandon_day().await.unwrap();
    load(&mut store, NEXT, &[("A", &[bar(Timeframe::M1, T + 86_400_000, 12.0)])]).await;
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0, 12.0]);
    assert_eq!(state(&mut store, DAY).await.loaded(FileKind::Minute), Some(&version("1")));
}

pub async fn replacing_removes_what_is_named_and_nothing_else(bench: &impl Bench) {
    let three = [bar(Timeframe::M1, T, 1.0), bar(Timeframe::M5, T, 5.0), bar(Timeframe::DayOfficial, T, 9.0)];
    for (day, (replace, removed, left)) in (1..).zip([
        (everything(), 6, vec![]),
        (replace("1m,5m,15m,1h,4h,day", None), 4, vec![("A", "day_official"), ("B", "day_official")]),
        (replace("day_official", None), 2, vec![("A", "1m"), ("A", "5m"), ("B", "1m"), ("B", "5m")]),
        (
            replace("1m,day_official", Some(&["B", "ABSENT"])),
            2,
            vec![("A", "1m"), ("A", "5m"), ("A", "day_official"), ("B", "5m")],
        ),
        (
            replace("1h", None),
            0,
            vec![("A", "1m"), ("A", "5m"), ("A", "day_official"), ("B", "1m"), ("B", "5m"), ("B", "day_official")],
        ),
        (
            replace("1m", Some(&[])),
            0,
            vec![("A", "1m"), ("A", "5m"), ("A", "day_official"), ("B", "1m"), ("B", "5m"), ("B", "day_official")],
        ),
    ]) {
        let mut store = bench.open().await;
        let date = date(2026, 9, day);
        let shift = (i64::from(day) - 31) * 24 * 60 * MINUTE;
        let bars: Vec<Bar> = three.iter().map(|bar| shifted(bar, shift)).collect();
        load(&mut store, date, &[("A", &bars), ("B", &bars)]).await;
        store.begin_day(Stocks, date, || ()).await.unwrap();
        assert_eq!(store.replace(&replace).await.unwrap(), removed, "{replace:?}");
        store.commit_day(&commit("", &[], vec![])).await.unwrap();
        let mut found = Vec::new();
        for symbol in ["A", "B"] {
            for timeframe in Timeframe::ALL {
                let there = store.bars(symbol, timeframe, T + shift..=T + shift).await.unwrap();
                found.extend(there.iter().map(|_| (symbol, timeframe.as_str())));
            }
        }
        assert_eq!(found, left, "{replace:?}");
        // What was removed can be written again.
        let again = commit("", &[], vec![]);
        put(&mut store, (Stocks, date), &[everything()], &[("A", &bars), ("B", &bars)], &again).await;
    }
    let rows = bench.counts(COUNTS).await;
    let days: Vec<i64> = rows.iter().map(|row| row.2).collect();
    assert_eq!(days, [6; 6], "other days stay");
}

pub async fn coverage_grows_by_what_is_committed(bench: &impl Bench) {
    let mut store = bench.open().await;
    for (everyone, named) in [
        ("", &[("A", "1m,5m"), ("ABSENT", "1m")][..]),
        ("", &[("A", "1h"), ("B", "")]),
        ("5m,1h", &[("C", "1m")]),
        ("day,day_official", &[]),
    ] {
        store.begin_day(Stocks, DAY, || ()).await.unwrap();
        store.commit_day(&commit(everyone, named, vec![])).await.unwrap();
    }
    let expected = BTreeMap::from([
        ("A".to_owned(), frames("1m,5m,1h")),
        ("ABSENT".to_owned(), frames("1m")),
        ("C".to_owned(), frames("1m")),
    ]);
    let state = state(&mut store, DAY).await;
    assert_eq!((state.everyone, &state.named), (frames("5m,1h,day,day_official"), &expected));
    assert_eq!(state.covered("A"), frames("1m,5m,1h,day,day_official"));
    let begun = store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.abandon_day().await.unwrap();
    assert_eq!(begun, state, "a day that is begun tells the same");
}

/// The bars of a trading date do not all lie in its UTC date, nor in its month.
pub async fn replacing_stays_within_its_dataset_and_date(bench: &impl Bench) {
    let mut store = bench.open().await;
    let (noon, after_midnight) = (ms("2025-10-31T16:00:00Z"), ms("2025-11-01T00:05:00Z"));
    let [friday, saturday, monday] = [date(2025, 10, 31), date(2025, 11, 1), date(2025, 11, 3)];
    let both = [bar(Timeframe::M1, noon, 10.0), bar(Timeframe::M1, after_midnight, 11.0)];
    let other = [bar(Timeframe::M1, noon, 20.0)];
    let night = [bar(Timeframe::M1, after_midnight, 30.0)];
    let later = [bar(Timeframe::M1, ms("2025-11-03T16:00:00Z"), 40.0)];
    let minute = || commit("1m", &[], vec![file(FileKind::Minute, "1", 1)]);
    for (day, symbol, bars) in [
        ((Stocks, friday), "A", &both[..]),
        ((Stocks, monday), "A", &later),
        ((Indices, friday), "I:A", &other),
        ((Crypto, friday), "X:A", &other),
        ((Crypto, saturday), "X:A", &night),
    ] {
        put(&mut store, day, &[], &[(symbol, bars)], &minute()).await;
    }
    let again = [bar(Timeframe::M1, after_midnight, 12.0)];
    assert_eq!(put(&mut store, (Stocks, friday), &[everything()], &[("A", &again)], &minute()).await, 2);
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [12.0, 40.0]);
    assert_eq!(opens(&mut store, "I:A", Timeframe::M1).await, [20.0]);
    assert_eq!(opens(&mut store, "X:A", Timeframe::M1).await, [20.0, 30.0]);
    store.begin_day(Crypto, saturday, || ()).await.unwrap();
    assert_eq!(store.forget_day().await.unwrap(), 1);
    store.commit_day(&commit("", &[], vec![])).await.unwrap();
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [12.0, 40.0]);
    assert_eq!(opens(&mut store, "X:A", Timeframe::M1).await, [20.0]);
}

pub async fn a_forgotten_day_is_as_if_it_had_never_been_loaded(bench: &impl Bench) {
    let mut store = bench.open().await;
    let two = [bar(Timeframe::M1, T, 10.0), bar(Timeframe::DayOfficial, T, 11.0)];
    let files = || vec![file(FileKind::Minute, "1", 2), file(FileKind::Day, "1", 2)];
    let whole = commit("1m,day_official", &[("B", "5m")], files());
    put(&mut store, (Stocks, DAY), &[], &[("A", &two), ("B", &two)], &whole).await;
    put(&mut store, (Indices, DAY), &[], &[("I:A", &two[..1])], &commit("1m", &[], vec![])).await;
    load(&mut store, NEXT, &[("A", &[shifted(&two[0], 24 * 60 * MINUTE)])]).await;

    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    assert_eq!(store.forget_day().await.unwrap(), 4);
    store.write(&batch(&[("C", &[bar(Timeframe::M1, T, 12.0)])])).await.unwrap();
    let again = commit("", &[("C", "1m")], vec![file(FileKind::Minute, "2", 1)]);
    store.commit_day(&again).await.unwrap();
    let now = state(&mut store, DAY).await;
    assert_eq!((now.everyone, now.named), (frames(""), BTreeMap::from([("C".to_owned(), frames("1m"))])));
    assert_eq!(now.minute.map(|file| (file.loaded, file.bars)), Some((Some(version("2")), 1)));
    assert_eq!(now.day, None);
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0], "the next day's");
    assert!(opens(&mut store, "B", Timeframe::DayOfficial).await.is_empty());
    assert_eq!(opens(&mut store, "C", Timeframe::M1).await, [12.0]);
    assert_eq!(opens(&mut store, "I:A", Timeframe::M1).await, [10.0]);
    assert!(store.restatements(DAY..=DAY).await.unwrap().is_empty());

    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    assert_eq!(store.forget_day().await.unwrap(), 1);
    store.commit_day(&commit("", &[], vec![])).await.unwrap();
    assert!(store.day_states(Stocks, DAY..=DAY).await.unwrap().is_empty());
    assert_eq!(store.begin_day(Stocks, DAY, || ()).await.unwrap(), DayState::default());
    store.abandon_day().await.unwrap();
}

pub async fn forgetting_can_be_abandoned(bench: &impl Bench) {
    let mut store = bench.open().await;
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)])]).await;
    let before = state(&mut store, DAY).await;
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.forget_day().await.unwrap();
    store.abandon_day().await.unwrap();
    assert_eq!(state(&mut store, DAY).await, before);
    assert_eq!(store.begin_day(Stocks, DAY, || ()).await.unwrap(), before);
    store.abandon_day().await.unwrap();
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
}

/// Other programs read these two tables.
pub async fn coverage_and_ledger_say_for_whom_a_day_is_loaded(bench: &impl Bench) {
    let mut store = bench.open().await;
    let coverage = "SELECT symbol, timeframes, CAST(1 AS BIGINT), CAST(1 AS BIGINT), CAST(1 AS BIGINT) FROM coverage
                    WHERE dataset = 'stocks' AND CAST(session_date AS TEXT) = '2026-10-01' ORDER BY symbol";
    let ledger = "SELECT file, scope, CAST(rows_read AS BIGINT), CAST(bars_written AS BIGINT),
                         CAST(size_bytes AS BIGINT) FROM ingest_ledger
                  WHERE dataset = 'stocks' AND CAST(session_date AS TEXT) = '2026-10-01' ORDER BY file";
    let covered = async || -> Vec<(String, String)> {
        bench.counts(coverage).await.into_iter().map(|row| (row.0, row.1)).collect()
    };
    let is = |rows: &[(&str, &str)]| rows.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect::<Vec<_>>();
    let named = commit("", &[("B", "5m,1m"), ("A", "1h")], vec![file(FileKind::Minute, "1", 0)]);
    put(&mut store, (Stocks, DAY), &[], &[], &named).await;
    assert_eq!(covered().await, is(&[("A", "1h"), ("B", "1m,5m")]));
    assert_eq!(bench.counts(ledger).await, [("minute".to_owned(), "symbols".to_owned(), 10, 0, 23_000_000)]);
    let bars = [bar(Timeframe::M5, T, 1.0)];
    let all = commit("5m", &[("A", "5m,day")], vec![file(FileKind::Minute, "1", 1)]);
    put(&mut store, (Stocks, DAY), &[], &[("A", &bars)], &all).await;
    assert_eq!(covered().await, is(&[("*", "5m"), ("A", "5m,1h,day"), ("B", "1m,5m")]));
    assert_eq!(bench.counts(ledger).await, [("minute".to_owned(), "all".to_owned(), 10, 1, 23_000_000)]);
}
