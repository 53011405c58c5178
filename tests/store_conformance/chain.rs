//! Option chains.

use std::ops::ControlFlow;

use barkeep::model::Outcome;
use barkeep::store::{Attempt, ChainImported, ChainRow, ChainSource, ChainState, OptionChains, StoredChain};
use jiff::civil::{Date, date};

use crate::Bench;
use crate::fixtures::*;

const MONDAY: Date = date(2026, 10, 5);
const TUESDAY: Date = date(2026, 10, 6);
const EVER: std::ops::RangeInclusive<Date> = date(1, 1, 1)..=Date::MAX;

/// A contract on SPY with a strike.
fn row(session_date: Date, strike: u32) -> ChainRow {
    ChainRow {
        session_date,
        underlying: "SPY".to_owned(),
        contract: format!("O:SPY261016C{:08}", strike * 1000),
        open_interest: Some(u64::from(strike) * 7),
        implied_volatility: Some(0.1 + 0.2),
        delta: Some(-1.0),
        gamma: Some(1e-300),
        theta: Some(-0.25),
        vega: Some(f64::MAX),
        day_volume: Some(12.5),
        known_at: at("2026-10-06T00:30:00.123Z"),
        source: ChainSource::Snapshot,
    }
}

fn imported(session_date: Date, strike: u32, open_interest: u64) -> ChainRow {
    ChainRow {
        open_interest: Some(open_interest),
        implied_volatility: None,
        delta: None,
        gamma: None,
        theta: None,
        vega: None,
        day_volume: None,
        known_at: at("2026-10-06T13:30:00Z"),
        source: ChainSource::Import,
        ..row(session_date, strike)
    }
}

fn attempt(outcome: Outcome, finished_at: &str) -> Attempt {
    let finished_at = at(finished_at);
    Attempt { outcome, detail: Some("so".to_owned()), started_at: finished_at, finished_at }
}

async fn all(store: &mut impl OptionChains) -> Vec<ChainRow> {
    let mut found = Vec::new();
    let each = |rows: &[ChainRow]| {
        found.extend_from_slice(rows);
        ControlFlow::Continue(())
    };
    store.scan_chain(None, EVER, each).await.unwrap();
    found
}

async fn state(store: &mut impl OptionChains) -> ChainState {
    store.chain_states(&["SPY".to_owned(), "NONE".to_owned()]).await.unwrap().remove("SPY").unwrap()
}

pub async fn a_snapshot_comes_back_as_it_went_in(bench: &impl Bench) {
    let mut store = bench.open().await;
    let bare = ChainRow {
        open_interest: None,
        implied_volatility: None,
        delta: None,
        gamma: None,
        theta: None,
        vega: None,
        day_volume: None,
        ..row(MONDAY, 600)
    };
    let rows = [bare, row(MONDAY, 700)];
    let loaded = attempt(Outcome::Loaded, "2026-10-06T00:30:01Z");
    assert!(store.store_chain("SPY", MONDAY, &rows, &loaded).await.unwrap());
    let mut other = bench.open().await;
    assert_eq!(all(&mut other).await, rows);
    let expected = ChainState {
        session_date: MONDAY,
        outcome: Outcome::Loaded,
        detail: Some("so".to_owned()),
        contracts: 2,
        attempted_at: loaded.finished_at,
        last_stored: Some(MONDAY),
    };
    let states = other.chain_states(&["NONE".to_owned(), "SPY".to_owned()]).await.unwrap();
    assert_eq!(states.into_iter().collect::<Vec<_>>(), [("SPY".to_owned(), expected)]);
    let sql = "SELECT underlying, contract, open_interest, known_at, 0 FROM option_chain_daily WHERE open_interest > 0";
    let seen = bench.counts(&sql.replace(", 0 ", ", CAST(0 AS BIGINT) ")).await;
    assert_eq!(seen, [("SPY".to_owned(), rows[1].contract.clone(), 4900, rows[1].known_at.as_millisecond(), 0)]);
}

pub async fn a_snapshot_replaces_the_one_before_it(bench: &impl Bench) {
    let mut store = bench.open().await;
    let provisional = attempt(Outcome::Provisional, "2026-10-05T18:00:00Z");
    assert!(store.store_chain("SPY", MONDAY, &[row(MONDAY, 600), row(MONDAY, 610)], &provisional).await.unwrap());
    assert!(store.store_chain("SPY", TUESDAY, &[row(TUESDAY, 600)], &provisional).await.unwrap());
    let later = ChainRow { open_interest: Some(1), ..row(MONDAY, 600) };
    let loaded = attempt(Outcome::Loaded, "2026-10-06T00:30:00Z");
    assert!(store.store_chain("SPY", MONDAY, std::slice::from_ref(&later), &loaded).await.unwrap());
    assert_eq!(all(&mut store).await, [later.clone(), row(TUESDAY, 600)], "other sessions stay");
    // One that began before the close and came in after it.
    assert!(!store.store_chain("SPY", MONDAY, &[row(MONDAY, 700)], &provisional).await.unwrap());
    assert_eq!(all(&mut store).await, [later, row(TUESDAY, 600)]);
}

pub async fn an_attempt_in_vain_leaves_what_is_stored(bench: &impl Bench) {
    let mut store = bench.open().await;
    store.record_chain_attempt("SPY", MONDAY, &attempt(Outcome::Failed, "2026-10-06T00:10:00Z")).await.unwrap();
    let failed = state(&mut store).await;
    assert_eq!((failed.outcome, failed.contracts, failed.last_stored), (Outcome::Failed, 0, None));
    store.record_chain_attempt("SPY", MONDAY, &attempt(Outcome::Empty, "2026-10-06T00:20:00Z")).await.unwrap();
    assert_eq!(state(&mut store).await.outcome, Outcome::Empty);
    let provisional = attempt(Outcome::Provisional, "2026-10-06T00:30:00Z");
    store.store_chain("SPY", MONDAY, &[row(MONDAY, 600)], &provisional).await.unwrap();
    store.record_chain_attempt("SPY", MONDAY, &attempt(Outcome::Failed, "2026-10-06T00:40:00Z")).await.unwrap();
    let kept = state(&mut store).await;
    assert_eq!((kept.outcome, kept.contracts, kept.attempted_at), (Outcome::Provisional, 1, provisional.finished_at));
    assert_eq!(all(&mut store).await.len(), 1);
    store.record_chain_attempt("SPY", TUESDAY, &attempt(Outcome::NotEntitled, "2026-10-07T00:40:00Z")).await.unwrap();
    let refused = state(&mut store).await;
    assert_eq!(
        (refused.session_date, refused.outcome, refused.last_stored),
        (TUESDAY, Outcome::NotEntitled, Some(MONDAY))
    );
}

pub async fn a_snapshot_that_cannot_be_written_leaves_nothing(bench: &impl Bench) {
    let mut store = bench.open().await;
    let loaded = attempt(Outcome::Loaded, "2026-10-06T00:30:00Z");
    let rows = [row(MONDAY, 600), row(MONDAY, 610)];
    store.store_chain("SPY", MONDAY, &rows, &loaded).await.unwrap();
    bench.execute("ALTER TABLE option_chain_daily RENAME COLUMN vega TO bega").await;
    store.store_chain("SPY", MONDAY, &[row(MONDAY, 700)], &loaded).await.unwrap_err();
    store.store_chain("SPY", TUESDAY, &[row(TUESDAY, 700)], &loaded).await.unwrap_err();
    bench.execute("ALTER TABLE option_chain_daily RENAME COLUMN bega TO vega").await;
    let mut store = bench.open().await;
    assert_eq!(all(&mut store).await, rows);
    assert_eq!(state(&mut store).await.session_date, MONDAY);
}

pub async fn a_chain_may_be_long(bench: &impl Bench) {
    let mut store = bench.open().await;
    let rows: Vec<_> = (1..=12_345).map(|strike| row(MONDAY, strike)).collect();
    let loaded = attempt(Outcome::Loaded, "2026-10-06T00:30:00Z");
    store.store_chain("SPY", MONDAY, &rows, &loaded).await.unwrap();
    assert!(all(&mut store).await == rows);
    let mut handed_on = Vec::new();
    let each = |rows: &[ChainRow]| {
        handed_on.push(rows.len());
        if handed_on.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.scan_chain(None, EVER, each).await.unwrap();
    assert!(handed_on.len() == 2 && handed_on.iter().sum::<usize>() < rows.len(), "{handed_on:?}");
    let again: Vec<_> = rows.iter().map(|row| ChainRow { source: ChainSource::Import, ..row.clone() }).collect();
    let done = store.import_chain(again.into_iter()).await.unwrap();
    assert_eq!(done, ChainImported { kept: 12_345, ..ChainImported::default() });
}

pub async fn scans_stay_within_what_is_asked_for(bench: &impl Bench) {
    let mut store = bench.open().await;
    let loaded = attempt(Outcome::Loaded, "2026-10-06T00:30:00Z");
    for underlying in ["SPY", "I:SPX", "BCpC", "BCPC"] {
        for session in [TUESDAY, MONDAY] {
            let rows = [ChainRow { underlying: underlying.to_owned(), ..row(session, 600) }];
            store.store_chain(underlying, session, &rows, &loaded).await.unwrap();
        }
    }
    let mut found = Vec::new();
    let each = |rows: &[ChainRow]| {
        found.extend(rows.iter().map(|row| (row.underlying.clone(), row.session_date)));
        ControlFlow::Continue(())
    };
    let named = ["SPY", "BCpC", "NONE", "SPY"].map(str::to_owned);
    store.scan_chain(Some(&named), EVER, each).await.unwrap();
    let expected = [("BCpC", MONDAY), ("BCpC", TUESDAY), ("SPY", MONDAY), ("SPY", TUESDAY)];
    assert_eq!(found, expected.map(|(name, session)| (name.to_owned(), session)));
    let mut found = Vec::new();
    let each = |rows: &[ChainRow]| {
        found.extend(rows.iter().map(|row| row.underlying.clone()));
        ControlFlow::Continue(())
    };
    store.scan_chain(None, TUESDAY..=TUESDAY, each).await.unwrap();
    assert_eq!(found, ["BCPC", "BCpC", "I:SPX", "SPY"], "by bytes");
    let chain = |underlying: &str| StoredChain {
        underlying: underlying.to_owned(),
        sessions: 2,
        first: MONDAY,
        last: TUESDAY,
        rows: 2,
    };
    let stored = store.stored_chains(None).await.unwrap();
    assert_eq!(stored, ["BCPC", "BCpC", "I:SPX", "SPY"].map(chain));
    assert_eq!(store.stored_chains(Some(&named)).await.unwrap(), ["BCpC", "SPY"].map(chain));
}

pub async fn imports_and_snapshots_stand_beside_each_other(bench: &impl Bench) {
    let mut store = bench.open().await;
    let first = [imported(MONDAY, 600, 5), imported(MONDAY, 610, 6)];
    let done = store.import_chain(first.clone().into_iter()).await.unwrap();
    assert_eq!(done, ChainImported { added: 2, ..ChainImported::default() });
    assert_eq!(all(&mut store).await, first);
    assert!(store.chain_states(&["SPY".to_owned()]).await.unwrap().is_empty(), "no snapshot was attempted");
    // A snapshot takes the place of those that it has.
    let loaded = attempt(Outcome::Loaded, "2026-10-06T00:30:00Z");
    store.store_chain("SPY", MONDAY, &[row(MONDAY, 610), row(MONDAY, 620)], &loaded).await.unwrap();
    assert_eq!(all(&mut store).await, [first[0].clone(), row(MONDAY, 610), row(MONDAY, 620)]);
    let later =
        [imported(MONDAY, 600, 5), imported(MONDAY, 610, 9), imported(MONDAY, 630, 1), imported(TUESDAY, 600, 2)];
    let done = store.import_chain(later.clone().into_iter()).await.unwrap();
    assert_eq!(done, ChainImported { added: 2, changed: 0, unchanged: 1, kept: 1 });
    let changed = [imported(MONDAY, 600, 8)];
    let done = store.import_chain(changed.clone().into_iter()).await.unwrap();
    assert_eq!(done, ChainImported { changed: 1, ..ChainImported::default() });
    let [_, _, new, tuesday] = later;
    let [changed] = changed;
    assert_eq!(all(&mut store).await, [changed, row(MONDAY, 610), row(MONDAY, 620), new, tuesday]);
    // A snapshot that replaces another one leaves imports of contracts which it lacks.
    store.store_chain("SPY", MONDAY, &[row(MONDAY, 640)], &loaded).await.unwrap();
    let strikes: Vec<_> = all(&mut store).await.into_iter().map(|row| (row.contract, row.source)).collect();
    let expected = [(600, ChainSource::Import), (630, ChainSource::Import), (640, ChainSource::Snapshot)];
    assert_eq!(strikes[..3], expected.map(|(strike, source)| (row(MONDAY, strike).contract, source)));
}
