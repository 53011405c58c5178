//! Notes: texts by which processes agree.

use std::time::{Duration, Instant};

use barkeep::model::Dataset::Stocks;
use barkeep::store::{BarSink, Notes, Noting};

use crate::Bench;
use crate::fixtures::*;

pub async fn a_note_is_what_was_made_of_it_last(bench: &impl Bench) {
    let store = bench.open().await;
    let (mut one, mut other) = (store.notes().await.unwrap(), store.notes().await.unwrap());
    let put = |text: &'static str| move |before: Option<&str>| (Some(text.to_owned()), before.map(str::to_owned));
    assert_eq!(one.change_note("quota", put("3 left, 'of' 5")).await.unwrap(), None);
    assert_eq!(other.change_note("quota", put("2 left")).await.unwrap().as_deref(), Some("3 left, 'of' 5"));
    assert_eq!(other.change_note("Quota", put("")).await.unwrap(), None, "another name");
    assert_eq!(one.change_note("Quota", put("0")).await.unwrap().as_deref(), Some(""), "an empty text is a text");
    drop((one, other));
    let mut again = bench.open().await.notes().await.unwrap();
    let remove = |before: Option<&str>| (None, before.map(str::to_owned));
    assert_eq!(again.change_note("quota", remove).await.unwrap().as_deref(), Some("2 left"));
    assert_eq!(again.change_note("quota", remove).await.unwrap(), None);
    assert_eq!(again.change_note("quota", put("1")).await.unwrap(), None);
}

pub async fn who_only_looks_at_a_note_changes_nothing(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.look_at_note("quota").await.unwrap(), None);
    let mut notes = store.notes().await.unwrap();
    assert_eq!(store.look_at_note("quota").await.unwrap(), None);
    notes.change_note("quota", |_| (Some("3 left".to_owned()), ())).await.unwrap();
    assert_eq!(store.look_at_note("quota").await.unwrap().as_deref(), Some("3 left"));
    assert_eq!(store.look_at_note("other").await.unwrap(), None);
    let before = notes.change_note("quota", |text| (None, text.map(str::to_owned))).await.unwrap();
    assert_eq!(before.as_deref(), Some("3 left"), "it is as it was");
}

/// From no note at all, so that they meet at the first text, too.
pub async fn changes_at_once_lose_nothing(bench: &impl Bench) {
    const WRITERS: u32 = 8;
    const EACH: u32 = 25;
    let count = |before: Option<&str>| {
        let next = before.map_or(0, |text| text.parse::<u32>().unwrap()) + 1;
        (Some(next.to_string()), next)
    };
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let mut notes = bench.open().await.notes().await.unwrap();
        writers.spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..EACH {
                seen.push(notes.change_note("count", count).await.unwrap());
            }
            seen
        });
    }
    let mut seen: Vec<u32> = writers.join_all().await.concat();
    seen.sort_unstable();
    assert_eq!(seen, (1..=WRITERS * EACH).collect::<Vec<_>>());
}

pub async fn who_changes_a_note_does_not_wait_for_who_writes_bars(bench: &impl Bench) {
    let mut writer = bench.open().await;
    let mut notes = bench.open().await.notes().await.unwrap();
    writer.begin_day(Stocks, DAY, || ()).await.unwrap();
    let bars = [bar(barkeep::model::Timeframe::M1, T, 10.0)];
    writer.write(&batch(&[("A", &bars)])).await.unwrap();
    let since = Instant::now();
    notes.change_note("quota", |_| (Some("1".to_owned()), ())).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(30), "it waited for {:?}", since.elapsed());
    writer.abandon_day().await.unwrap();
    let text = notes.change_note("quota", |text| (None, text.map(str::to_owned))).await.unwrap();
    assert_eq!(text.as_deref(), Some("1"), "it is no part of what was abandoned");
}
