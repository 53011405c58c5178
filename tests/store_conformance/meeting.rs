//! Several connections at once.

use std::time::{Duration, Instant};

use barkeep::model::Dataset::Stocks;
use barkeep::model::{Bar, FileKind, Outcome, Symbol, Timeframe};
use barkeep::store::{Attempt, BarReader, BarSink, Ledger, Watchlist, WatchlistEntry};
use jiff::civil::Date;

use crate::Bench;
use crate::fixtures::*;

pub async fn a_second_writer_waits_and_sees_what_the_first_did<B: Bench>(bench: &B) {
    let held = Duration::from_secs(1);
    let mut first = bench.open().await;
    first.begin_day(Stocks, DAY, || ()).await.unwrap();
    // Opened while the other writes: opening needs no lock.
    let (mut second, mut third, mut fourth) = (bench.open().await, bench.open().await, bench.open().await);
    let since = Instant::now();
    let holder = tokio::spawn(async move {
        tokio::time::sleep(held).await;
        first.write(&batch(&[("A", &[bar(Timeframe::M1, T, 10.0)])])).await.unwrap();
        first.commit_day(&commit("1m", &[], vec![file(FileKind::Minute, "1", 1)])).await.unwrap();
    });
    // Rows of a single statement must wait as well: another day's load can take longer than any short patience.
    let attempt = Attempt {
        outcome: Outcome::Missing,
        detail: None,
        started_at: at("2026-10-02T14:00:00Z"),
        finished_at: at("2026-10-02T14:00:00Z"),
    };
    let entry = WatchlistEntry {
        symbol: Symbol::from_ticker("A").unwrap(),
        days_to_backfill: 90,
        active: true,
        priority: 0,
        added_at: attempt.started_at,
    };
    let begins = async {
        let state = second.begin_day(Stocks, DAY, || ()).await.unwrap();
        assert!(since.elapsed() >= held, "it did not wait");
        second.abandon_day().await.unwrap();
        state
    };
    let records = third.record_attempt(Stocks, NEXT, FileKind::Minute, &attempt);
    let watched = [entry];
    let watches = fourth.watch(&watched);
    let (state, recorded, watched) = futures_util::future::join3(begins, records, watches).await;
    holder.await.unwrap();
    recorded.unwrap();
    assert_eq!(watched.unwrap(), 1);
    assert_eq!((state.everyone, state.loaded(FileKind::Minute)), (frames("1m"), Some(&version("1"))));
    assert_eq!(opens(&mut second, "A", Timeframe::M1).await, [10.0]);
}

/// Two writers load and replace a day each, in batches; whoever reads meanwhile sees all of a version or nothing of it.
/// (The ledger and the coverage of a day were once read one after the other, and could be of two versions.)
pub async fn a_reader_never_sees_half_a_day<B: Bench>(bench: &B) {
    const BARS: usize = 300;
    const VERSIONS: u32 = 3;
    let (first, second) = (bench.open().await, bench.open().await);
    let mut reader = bench.open().await;
    let writers = [
        tokio::spawn(write_versions(first, DAY, BARS, VERSIONS)),
        tokio::spawn(write_versions(second, NEXT, BARS, VERSIONS)),
    ];
    let mut seen = 0;
    loop {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let bars = reader.bars("A", Timeframe::M1, ANY).await.unwrap();
        for day in [DAY, NEXT] {
            let of_day: Vec<f64> =
                bars.iter().filter(|bar| bar.session_date == day).map(|bar| bar.bar.prices.open).collect();
            let Some(version) = of_day.first() else { continue };
            seen += 1;
            assert_eq!(of_day.len(), BARS, "{day}");
            assert!(of_day.iter().all(|open| open == version), "{day}: two versions");
        }
        let states = reader.day_states(Stocks, DAY..=NEXT).await.unwrap();
        for (day, state) in states {
            assert_eq!(state.minute.unwrap().bars, BARS as u64, "{day}");
        }
        if done {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(seen >= 2);
    assert_eq!(opens(&mut reader, "A", Timeframe::M1).await, [f64::from(VERSIONS); 2 * BARS]);
}

async fn write_versions(mut store: impl BarSink, date: Date, bars: usize, versions: u32) {
    let start = if date == DAY { T } else { T + 24 * 60 * MINUTE };
    for version in 1..=versions {
        let all: Vec<Bar> =
            (0..).take(bars).map(|n| bar(Timeframe::M1, start + n * MINUTE, f64::from(version))).collect();
        store.begin_day(Stocks, date, || ()).await.unwrap();
        store.replace(&everything()).await.unwrap();
        for some in all.chunks(bars / 10) {
            store.write(&batch(&[("A", some)])).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let files = vec![file(FileKind::Minute, &version.to_string(), bars as u64)];
        store.commit_day(&commit("1m", &[], files)).await.unwrap();
    }
}
