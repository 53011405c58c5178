//! What a file that the vendor replaced has changed.

use barkeep::model::Dataset::{Indices, Stocks};
use barkeep::model::{Bar, FileKind, Prices, Session, Timeframe, VwapMethod};
use barkeep::store::{BarChange, BarSink, DayCommit, Ledger};
use jiff::civil::date;

use crate::Bench;
use crate::fixtures::*;

fn minute(n: i64) -> Bar {
    bar(Timeframe::M1, T + n * MINUTE, 100.25)
}

/// The changes that are remembered of `DAY`: of which file, from which version to which.
async fn changes(store: &mut impl Ledger) -> Vec<(FileKind, String, String, [u64; 3])> {
    let told = store.restatements(DAY..=DAY).await.unwrap();
    let each = told.into_iter().map(|one| {
        let BarChange { added, changed, removed } = one.change;
        (one.file, one.old.etag, one.new.etag, [added, changed, removed])
    });
    each.collect()
}

fn from_1_to_2(kind: FileKind, added_changed_removed: [u64; 3]) -> (FileKind, String, String, [u64; 3]) {
    (kind, "1".to_owned(), "2".to_owned(), added_changed_removed)
}

fn of_minutes(everyone: &str, etag: &str, bars: u64) -> DayCommit {
    commit(everyone, &[], vec![file(FileKind::Minute, etag, bars)])
}

pub async fn a_restated_file_is_held_against_what_it_replaces(bench: &impl Bench) {
    let mut store = bench.open().await;
    let five = bar(Timeframe::M5, T, 100.25);
    let official = bar(Timeframe::DayOfficial, T, 100.25);
    let before = [minute(0), minute(1), minute(2), five, official];
    let both = commit("1m,5m,day_official", &[], vec![file(FileKind::Minute, "1", 5), file(FileKind::Day, "1", 1)]);
    put(&mut store, (Stocks, DAY), &[], &[("A", &before), ("B", &[minute(0)])], &both).await;
    assert!(changes(&mut store).await.is_empty());

    // The smallest difference there is.
    let close = Bar { vwap: Some(100.25_f64.next_up()), ..minute(1) };
    let after = [minute(0), close, minute(3), five];
    let new = of_minutes("1m,5m", "2", 5);
    let minutes = restate(ROLLED, None);
    let removed = put(&mut store, (Stocks, DAY), &[minutes], &[("A", &after), ("C", &[minute(0)])], &new).await;
    assert_eq!(removed, 5);
    // Added: the fourth minute of A, and C. Changed: the second. Removed: the third, and B.
    assert_eq!(changes(&mut store).await, [from_1_to_2(FileKind::Minute, [2, 1, 2])]);
    let told = store.restatements(DAY..=DAY).await.unwrap().remove(0);
    assert_eq!((told.dataset, told.date, told.loaded_at), (Stocks, DAY, new.finished_at));
    assert_eq!((told.old, told.new), (version("1"), version("2")));

    // Nothing of the comparison stays, and everything else does.
    let rows: Vec<_> = bench.counts(COUNTS).await.into_iter().map(|row| (row.0, row.1, row.2)).collect();
    let expected = [("A", "1m", 3), ("A", "5m", 1), ("A", "day_official", 1), ("C", "1m", 1)];
    assert_eq!(rows, expected.map(|(symbol, timeframe, n)| (symbol.to_owned(), timeframe.to_owned(), n)));
    let now = state(&mut store, DAY).await;
    assert_eq!((now.minute.unwrap().bars, now.day.unwrap().bars), (5, 1));

    // The same content under yet another version changes nothing, and says so.
    let same = of_minutes("1m,5m", "3", 5);
    put(&mut store, (Stocks, DAY), &[restate(ROLLED, None)], &[("A", &after), ("C", &[minute(0)])], &same).await;
    let last = (FileKind::Minute, "2".to_owned(), "3".to_owned(), [0, 0, 0]);
    assert_eq!(changes(&mut store).await[1], last);

    // The day file is held against day bars only.
    let other = bar(Timeframe::DayOfficial, T, 100.5);
    let new = commit("day_official", &[], vec![file(FileKind::Day, "2", 2)]);
    let series: [(&str, &[Bar]); 2] = [("A", &[other]), ("B", &[official])];
    put(&mut store, (Stocks, DAY), &[restate(OFFICIAL, None)], &series, &new).await;
    assert_eq!(changes(&mut store).await[2], from_1_to_2(FileKind::Day, [1, 1, 0]));
}

pub async fn every_value_that_differs_is_a_change(bench: &impl Bench) {
    let mut store = bench.open().await;
    let plain = minute(0);
    let bare = Bar { volume: None, vwap: None, vwap_method: None, trades: None, ..plain };
    let Prices { open, high, low, close } = plain.prices;
    let prices = |open, high, low, close| Bar { prices: Prices::checked(open, high, low, close).unwrap(), ..plain };
    let pairs = [
        (plain, prices(open.next_up(), high, low, close)),
        (plain, prices(open, high.next_up(), low, close)),
        (plain, prices(open, high, low.next_down(), close)),
        (plain, prices(open, high, low, close + 0.01)),
        (plain, Bar { volume: Some(100.5), ..plain }),
        (plain, Bar { volume: None, ..plain }),
        (plain, Bar { vwap: plain.vwap.map(f64::next_down), ..plain }),
        (plain, Bar { vwap_method: Some(VwapMethod::Vendor), ..plain }),
        (plain, Bar { vwap: None, vwap_method: None, ..plain }),
        (plain, Bar { trades: Some(8), ..plain }),
        (plain, Bar { trades: None, ..plain }),
        (plain, Bar { session: Session::Post, ..plain }),
        (plain, Bar { end_timestamp_ms: plain.end_timestamp_ms + 1, ..plain }),
        (plain, Bar { minutes: 2, ..plain }),
        (bare, Bar { volume: Some(0.0), ..bare }),
        (bare, Bar { trades: Some(0), ..bare }),
        // Not this one, nor this.
        (plain, plain),
        (bare, bare),
    ];
    let side = |of: fn(&(Bar, Bar)) -> Bar| -> Vec<Bar> {
        pairs.iter().zip(0..).map(|(pair, n)| shifted(&of(pair), n * MINUTE)).collect()
    };
    let (before, after) = (side(|pair| pair.0), side(|pair| pair.1));
    put(&mut store, (Stocks, DAY), &[], &[("A", &before)], &of_minutes("1m", "1", 18)).await;
    put(&mut store, (Stocks, DAY), &[restate(ROLLED, None)], &[("A", &after)], &of_minutes("1m", "2", 18)).await;
    assert_eq!(changes(&mut store).await, [from_1_to_2(FileKind::Minute, [0, pairs.len() as u64 - 2, 0])]);
}

pub async fn only_what_was_loaded_before_and_replaced_is_compared(bench: &impl Bench) {
    let mut store = bench.open().await;
    let five = bar(Timeframe::M5, T, 100.25);
    let named = |list: &[(&str, &str)], etag: &str| commit("", list, vec![file(FileKind::Minute, etag, 0)]);
    let all: [(&str, &[Bar]); 2] = [("A", &[minute(0), minute(1)]), ("B", &[minute(0)])];
    put(&mut store, (Stocks, DAY), &[], &all, &named(&[("A", "1m"), ("B", "1m,15m"), ("ABSENT", "1m")], "1")).await;

    // Of B nothing is replaced. C, and A's five minutes, are loaded for the first time. ABSENT was looked for before.
    let new: [(&str, &[Bar]); 3] = [
        ("A", &[minute(0), minute(2), five]),
        ("ABSENT", &[minute(0), minute(1), minute(2)]),
        ("C", &[minute(0), five]),
    ];
    let only = restate("1m,5m", Some(&["A", "ABSENT", "C", "A"]));
    let now = named(&[("A", "1m,5m"), ("ABSENT", "1m"), ("C", "1m,5m")], "2");
    assert_eq!(put(&mut store, (Stocks, DAY), &[only], &new, &now).await, 2);
    assert_eq!(changes(&mut store).await, [from_1_to_2(FileKind::Minute, [4, 0, 1])]);

    // For everyone: one more timeframe is no change, one more symbol is.
    put(&mut store, (Stocks, NEXT), &[], &[("A", &[minute(1440)])], &of_minutes("1m", "1", 1)).await;
    let day_after = [minute(1440), shifted(&five, 1440 * MINUTE)];
    let new: [(&str, &[Bar]); 2] = [("A", &day_after), ("D", &day_after)];
    put(&mut store, (Stocks, NEXT), &[restate(ROLLED, None)], &new, &of_minutes("1m,5m", "2", 4)).await;
    let told = store.restatements(NEXT..=NEXT).await.unwrap();
    assert_eq!(told.iter().map(|one| one.change).collect::<Vec<_>>(), [BarChange { added: 1, changed: 0, removed: 0 }]);
}

pub async fn a_restatement_takes_a_new_version_a_replacement_and_the_file(bench: &impl Bench) {
    let mut store = bench.open().await;
    let (before, after) = ([minute(0)], [minute(0), minute(1)]);
    let load = |bars: &[Bar], etag: &str| of_minutes("1m", etag, bars.len() as u64);
    put(&mut store, (Stocks, DAY), &[], &[("A", &before)], &load(&before, "1")).await;
    let day = (Stocks, DAY);
    // By force, whatever the version.
    put(&mut store, day, &[replace(ROLLED, None)], &[("A", &after)], &load(&after, "2")).await;
    // The version that was loaded.
    put(&mut store, day, &[restate(ROLLED, None)], &[("A", &before)], &load(&before, "2")).await;
    // Another file's bars.
    put(&mut store, day, &[restate(OFFICIAL, None)], &[("A", &[minute(1)])], &load(&after, "3")).await;
    // The file was not read.
    put(&mut store, day, &[restate(ROLLED, None)], &[("A", &after)], &commit("1m", &[], vec![])).await;
    // Loaded for the first time.
    let official = commit("day_official", &[], vec![file(FileKind::Day, "1", 0)]);
    put(&mut store, day, &[restate(OFFICIAL, None)], &[], &official).await;
    // Forgotten.
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.replace(&restate(ROLLED, None)).await.unwrap();
    store.forget_day().await.unwrap();
    store.write(&batch(&[("A", &before)])).await.unwrap();
    store.commit_day(&load(&before, "4")).await.unwrap();
    assert!(changes(&mut store).await.is_empty());
    assert_eq!(bench.counts(COUNTS).await.len(), 1);
    // And this is one, with two files in one replacement.
    let official = bar(Timeframe::DayOfficial, T, 100.25);
    let two = |etag: &str| {
        commit("1m,day_official", &[], vec![file(FileKind::Minute, etag, 1), file(FileKind::Day, etag, 1)])
    };
    put(&mut store, day, &[everything()], &[("A", &[minute(0), official])], &two("1")).await;
    let again = restate("1m,5m,15m,1h,4h,day,day_official", None);
    put(&mut store, day, &[again], &[("A", &[minute(0)]), ("B", &[official])], &two("2")).await;
    let mut told = changes(&mut store).await;
    told.sort_by_key(|one| one.0);
    assert_eq!(told, [from_1_to_2(FileKind::Minute, [0, 0, 0]), from_1_to_2(FileKind::Day, [1, 0, 1])]);
}

pub async fn an_abandoned_restatement_leaves_no_trace(bench: &impl Bench) {
    let mut store = bench.open().await;
    let before = [minute(0), minute(1)];
    put(&mut store, (Stocks, DAY), &[], &[("A", &before)], &of_minutes("1m", "1", 2)).await;
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.replace(&restate(ROLLED, None)).await.unwrap();
    store.write(&batch(&[("A", &[minute(5)]), ("B", &[minute(6)])])).await.unwrap();
    store.abandon_day().await.unwrap();
    assert!(changes(&mut store).await.is_empty());
    assert_eq!(bench.counts(COUNTS).await, [("A".to_owned(), "1m".to_owned(), 2, T, T + MINUTE)]);
    // Another day must not inherit it.
    put(&mut store, (Stocks, NEXT), &[], &[("A", &[minute(1440)])], &of_minutes("1m", "1", 1)).await;
    let after = [minute(1), minute(2), minute(3)];
    put(&mut store, (Stocks, DAY), &[restate(ROLLED, None)], &[("A", &after)], &of_minutes("1m", "2", 3)).await;
    assert_eq!(changes(&mut store).await, [from_1_to_2(FileKind::Minute, [2, 0, 1])]);
    assert!(store.restatements(NEXT..=NEXT).await.unwrap().is_empty());
}

pub async fn restatements_are_told_by_dataset_date_and_time(bench: &impl Bench) {
    let mut store = bench.open().await;
    let earlier = date(2026, 9, 30);
    for (dataset, date, etag) in [
        (Stocks, NEXT, "1"),
        (Stocks, DAY, "1"),
        (Indices, NEXT, "1"),
        (Stocks, earlier, "1"),
        (Stocks, NEXT, "2"),
        (Stocks, DAY, "2"),
        (Stocks, earlier, "2"),
        (Indices, NEXT, "2"),
        (Stocks, DAY, "3"),
    ] {
        let finished_at = at(&format!("2026-10-0{}T15:00:00.125Z", etag.parse::<u8>().unwrap() + 2));
        let commit = DayCommit { finished_at, ..of_minutes("1m", etag, 0) };
        put(&mut store, (dataset, date), &[restate(ROLLED, None)], &[], &commit).await;
    }
    let told = store.restatements(DAY..=NEXT).await.unwrap();
    let told: Vec<_> = told.iter().map(|one| (one.dataset, one.date, one.new.etag.as_str(), one.loaded_at)).collect();
    let (second, third) = (at("2026-10-04T15:00:00.125Z"), at("2026-10-05T15:00:00.125Z"));
    assert_eq!(
        told,
        [
            (Indices, NEXT, "2", second),
            (Stocks, DAY, "2", second),
            (Stocks, DAY, "3", third),
            (Stocks, NEXT, "2", second),
        ]
    );
}
