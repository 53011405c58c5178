//! What the ledger remembers.

use std::collections::BTreeMap;

use barkeep::model::Dataset::{Crypto, Forex, Stocks};
use barkeep::model::{Bar, FileKind, Outcome, Timeframe};
use barkeep::store::{Attempt, BarReader, BarSink, ContentHash, Ledger, LoadRate, LoadedFile};
use jiff::civil::{Date, date};

use crate::Bench;
use crate::fixtures::*;

pub async fn states_are_those_of_the_dataset_and_range(bench: &impl Bench) {
    let mut store = bench.open().await;
    for (dataset, date) in [(Stocks, DAY), (Stocks, NEXT), (Crypto, DAY)] {
        store.begin_day(dataset, date, || ()).await.unwrap();
        store.commit_day(&commit("1h", &[], vec![file(FileKind::Minute, dataset.as_str(), 0)])).await.unwrap();
    }
    let days = |states: &BTreeMap<Date, _>| states.keys().copied().collect::<Vec<_>>();
    let both = store.day_states(Stocks, DAY..=NEXT).await.unwrap();
    assert_eq!(days(&both), [DAY, NEXT]);
    assert_eq!(days(&store.day_states(Stocks, NEXT..=NEXT).await.unwrap()), [NEXT]);
    let crypto = store.day_states(Crypto, date(2003, 1, 1)..=date(2028, 12, 31)).await.unwrap();
    assert_eq!(crypto[&DAY].loaded(FileKind::Minute), Some(&version("crypto")));
    assert!(store.day_states(Forex, DAY..=NEXT).await.unwrap().is_empty());
}

pub async fn attempts_keep_the_loaded_version(bench: &impl Bench) {
    let mut store = bench.open().await;
    let attempt = |outcome, finished_at| Attempt {
        outcome,
        detail: Some("why".to_owned()),
        started_at: at("2026-10-02T14:00:00Z"),
        finished_at,
    };
    let first = at("2026-10-02T14:00:05.123Z");
    store.record_attempt(Stocks, DAY, FileKind::Minute, &attempt(Outcome::Missing, first)).await.unwrap();
    let state = store.day_states(Stocks, DAY..=DAY).await.unwrap().remove(&DAY).unwrap();
    let file = state.minute.as_ref().unwrap();
    assert_eq!((file.loaded.as_ref(), file.outcome, file.attempted_at), (None, Outcome::Missing, first));
    load(&mut store, DAY, &[("A", &[bar(Timeframe::M1, T, 10.0)])]).await;
    let loaded_state = store.day_states(Stocks, DAY..=DAY).await.unwrap().remove(&DAY).unwrap();
    assert_eq!(loaded_state.minute.as_ref().unwrap().outcome, Outcome::Loaded);
    let later = at("2026-10-03T14:00:00Z");
    store.record_attempt(Stocks, DAY, FileKind::Minute, &attempt(Outcome::Damaged, later)).await.unwrap();
    store.record_attempt(Stocks, DAY, FileKind::Day, &attempt(Outcome::NotEntitled, later)).await.unwrap();
    let state = store.day_states(Stocks, DAY..=DAY).await.unwrap().remove(&DAY).unwrap();
    let file = state.minute.as_ref().unwrap();
    assert_eq!((file.loaded.as_ref(), file.outcome, file.attempted_at), (Some(&version("1")), Outcome::Damaged, later));
    assert_eq!(state.day.as_ref().unwrap().outcome, Outcome::NotEntitled);
    assert!(state.is_same_content(&loaded_state));
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
}

pub async fn load_rates_are_kept_by_scope(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.load_rate(true).await.unwrap(), None);
    let rate = |seconds| LoadRate { file_bytes: 1 << 40, bars: 3, seconds, measured_at: at("2026-10-02T14:00:00Z") };
    store.record_load_rate(true, rate(1.25)).await.unwrap();
    store.record_load_rate(false, rate(2.5)).await.unwrap();
    store.record_load_rate(true, rate(0.1)).await.unwrap();
    assert_eq!(store.load_rate(true).await.unwrap(), Some(rate(0.1)));
    assert_eq!(store.load_rate(false).await.unwrap(), Some(rate(2.5)));
}

pub async fn content_hashes_come_back_as_they_went_in(bench: &impl Bench) {
    let mut store = bench.open().await;
    for content in
        [0, 1, 1 << 127, u128::MAX, 0x0123_4567_89ab_cdef].map(|hash| Some(ContentHash(hash))).into_iter().chain([None])
    {
        let minute = LoadedFile { content, ..file(FileKind::Minute, "1", 0) };
        put(&mut store, (Stocks, DAY), &[], &[], &commit("1m", &[], vec![minute, file(FileKind::Day, "1", 0)])).await;
        let state = state(&mut store, DAY).await;
        assert_eq!(state.minute.unwrap().content, content);
        assert_eq!(state.day.unwrap().content, None);
    }
}

pub async fn a_new_version_with_the_same_content_is_only_remembered(bench: &impl Bench) {
    let mut store = bench.open().await;
    let hash = Some(ContentHash(0xfeed));
    let one = [bar(Timeframe::M1, T, 10.0)];
    let files = || vec![LoadedFile { content: hash, ..file(FileKind::Minute, "1", 1) }, file(FileKind::Day, "1", 0)];
    put(&mut store, (Stocks, DAY), &[], &[("A", &one)], &commit("1m", &[], files())).await;
    put(&mut store, (Crypto, DAY), &[], &[("X:A", &one)], &commit("1m", &[], files())).await;
    load(&mut store, NEXT, &[]).await;
    let before = state(&mut store, DAY).await;
    let damaged = Attempt {
        outcome: Outcome::Damaged,
        detail: Some("why".to_owned()),
        started_at: at("2026-10-03T14:00:00Z"),
        finished_at: at("2026-10-03T14:00:01Z"),
    };
    store.record_attempt(Stocks, DAY, FileKind::Minute, &damaged).await.unwrap();
    let moved = barkeep::store::FileVersion { key: "elsewhere".to_owned(), size_bytes: 7, ..version("2") };
    let now = at("2026-10-04T14:00:00.250Z");
    store.record_same_content(Stocks, DAY, FileKind::Minute, &moved, now).await.unwrap();
    let after = state(&mut store, DAY).await;
    let minute = after.minute.clone().unwrap();
    assert_eq!((minute.loaded, minute.content, minute.bars), (Some(moved), hash, 1));
    assert_eq!((minute.outcome, minute.attempted_at), (Outcome::Loaded, now));
    assert_eq!((&after.day, after.everyone), (&before.day, before.everyone));
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
    assert_eq!(state(&mut store, NEXT).await.loaded(FileKind::Minute), Some(&version("1")));
    let crypto = store.day_states(Crypto, DAY..=DAY).await.unwrap();
    assert_eq!(crypto[&DAY].loaded(FileKind::Minute), Some(&version("1")));
    assert!(store.restatements(DAY..=NEXT).await.unwrap().is_empty());
    // A file that was never loaded has no content to be the same as.
    store.record_attempt(Stocks, NEXT, FileKind::Day, &damaged).await.unwrap();
    for (date, kind) in [(NEXT, FileKind::Day), (date(2026, 10, 5), FileKind::Minute)] {
        store.record_same_content(Stocks, date, kind, &version("2"), now).await.unwrap();
        assert_eq!(state(&mut store, date).await.loaded(kind), None);
    }
}

/// Holds the ledger of a day against the table.
async fn assert_counted(store: &mut (impl Ledger + BarReader), minute: u64, day: u64) {
    let state = state(store, DAY).await;
    let counted = FileKind::ALL.map(|kind| state.file(kind).map_or(0, |file| file.bars));
    assert_eq!(counted, [minute, day]);
    let series = store.series(None).await.unwrap();
    let stored = FileKind::ALL.map(|kind| {
        series.iter().filter(|one| kind.timeframes().contains(one.timeframe)).map(|one| one.bars).sum::<u64>()
    });
    assert_eq!(stored, counted, "in the table, and in the ledger");
}

pub async fn the_ledger_counts_the_bars_that_are_stored(bench: &impl Bench) {
    let mut store = bench.open().await;
    let day = (Stocks, DAY);
    let minutes: Vec<Bar> = (0..3).map(|n| bar(Timeframe::M1, T + n * MINUTE, 10.0)).collect();
    let official = bar(Timeframe::DayOfficial, T, 11.0);
    let both = [minutes[0], minutes[1], official];
    let read = |minute, day| vec![file(FileKind::Minute, "1", minute), file(FileKind::Day, "1", day)];
    let all = commit("1m,day_official", &[], read(4, 2));
    put(&mut store, day, &[], &[("A", &both), ("B", &both)], &all).await;
    assert_counted(&mut store, 4, 2).await;
    // Further series of the same file.
    let five = [bar(Timeframe::M5, T, 10.0)];
    let more = commit("5m", &[], vec![file(FileKind::Minute, "1", 1)]);
    put(&mut store, day, &[], &[("A", &five)], &more).await;
    assert_counted(&mut store, 5, 2).await;
    // Some symbols again, by force, with other counts than before.
    let again = commit("", &[("A", "1m,5m,day_official")], read(3, 0));
    let of_a = replace("1m,5m,15m,1h,4h,day,day_official", Some(&["A", "ABSENT"]));
    assert_eq!(put(&mut store, day, &[of_a], &[("A", &minutes)], &again).await, 4);
    assert_counted(&mut store, 5, 1).await;
    // Begun, and left.
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.replace(&everything()).await.unwrap();
    store.write(&batch(&[("A", &minutes)])).await.unwrap();
    store.abandon_day().await.unwrap();
    assert_counted(&mut store, 5, 1).await;
    put(&mut store, day, &[], &[], &commit("", &[], vec![])).await;
    assert_counted(&mut store, 5, 1).await;
    // Some bars of a file that is not read again.
    put(&mut store, day, &[replace("5m", Some(&["B"])), replace("1m", Some(&["B"]))], &[], &commit("", &[], vec![]))
        .await;
    assert_counted(&mut store, 3, 1).await;
    // All of both files, of which one is not read again.
    let minute = commit("1m", &[], vec![file(FileKind::Minute, "1", 2)]);
    assert_eq!(put(&mut store, day, &[everything()], &[("B", &minutes[..2])], &minute).await, 4);
    assert_counted(&mut store, 2, 0).await;
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.forget_day().await.unwrap();
    store.write(&batch(&[("A", &both)])).await.unwrap();
    store.commit_day(&commit("1m", &[], read(2, 1))).await.unwrap();
    assert_counted(&mut store, 2, 1).await;
}
