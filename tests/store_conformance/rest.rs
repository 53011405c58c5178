//! What the REST API brings, beside what files bring.

use barkeep::model::Dataset::Stocks;
use barkeep::model::{Bar, FileKind, Outcome, Symbol, Timeframe, TimeframeSet, VwapMethod};
use barkeep::store::{Attempt, BarReader, BarSink, Ledger, SymbolDay, SymbolDayStored, SymbolDays, SymbolSink};
use jiff::civil::Date;

use crate::Bench;
use crate::fixtures::*;

const A_DAY: i64 = 24 * 60 * MINUTE;

/// A bar with the vendor's VWAP.
fn exact(timeframe: Timeframe, timestamp_ms: i64, open: f64) -> Bar {
    Bar { vwap: Some(open + 0.25), vwap_method: Some(VwapMethod::Vendor), ..bar(timeframe, timestamp_ms, open) }
}

fn day(date: Date, timeframes: &str, bars: &[Bar]) -> SymbolDay {
    SymbolDay {
        date,
        timeframes: frames(timeframes),
        bars: bars.to_vec(),
        is_provisional: false,
        rows_read: 390,
        rows_rejected: 2,
    }
}

fn page(symbol: &str, days: Vec<SymbolDay>) -> SymbolDays {
    SymbolDays {
        dataset: Stocks,
        symbol: symbol.to_owned(),
        request: format!("/v2/aggs/ticker/{symbol}/range/1/minute/2026-10-01/2026-10-02"),
        days,
        exact_vwap: false,
        started_at: at("2026-10-03T15:00:00Z"),
        finished_at: at("2026-10-03T15:00:01Z"),
    }
}

fn symbol(ticker: &str) -> Symbol {
    Symbol::from_ticker(ticker).unwrap()
}

pub async fn days_of_a_symbol_are_stored_with_their_ledger(bench: &impl Bench) {
    let mut store = bench.open().await;
    let two = [exact(Timeframe::M1, T, 10.0), exact(Timeframe::M5, T, 11.0)];
    let next = [exact(Timeframe::M1, T + A_DAY, 12.0)];
    let days = page("A", vec![day(DAY, "1m,5m", &two), day(NEXT, "1m", &next)]);
    let stored = store.store_symbol(&days).await.unwrap();
    let of =
        |date, bars| SymbolDayStored { date, of_files: TimeframeSet::EMPTY, bars, made_exact: 0, left_estimated: 0 };
    assert_eq!(stored, [of(DAY, 2), of(NEXT, 1)]);
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0, 12.0]);
    let bar = &store.bars("A", Timeframe::M5, ANY).await.unwrap()[0];
    assert_eq!((bar.bar, bar.session_date), (two[1], DAY));
    let states = store.day_states(Stocks, DAY..=NEXT).await.unwrap();
    let rest = &states[&DAY].rest["A"];
    assert_eq!((rest.timeframes, rest.bars, rest.is_provisional), (frames("1m,5m"), 2, false));
    assert_eq!(
        (rest.outcome, rest.fetched_at, rest.attempted_at),
        (Outcome::Loaded, Some(days.finished_at), days.finished_at)
    );
    assert_eq!((states[&DAY].covered("A"), states[&NEXT].covered("A")), (frames("1m,5m"), frames("1m")));
    assert_eq!(states[&DAY].covered_by_files("A"), TimeframeSet::EMPTY);
    assert_eq!(store.symbol_states(&symbol("A"), DAY..=NEXT).await.unwrap(), states);
    let begun = store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.abandon_day().await.unwrap();
    assert_eq!(begun, states[&DAY], "a day that is begun tells the same");
    assert!(store.store_symbol(&page("A", vec![])).await.unwrap().is_empty());
}
