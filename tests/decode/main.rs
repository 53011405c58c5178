//! Decoding day files through the public interface: what the vendor sends, and what goes wrong with it.

#[path = "../common/mod.rs"]
mod common;

mod damage;
mod layouts;
mod order;
mod rejects;

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use barkeep::aggregate::DayGrid;
use barkeep::ingest::Wanted;
use barkeep::ingest::decode::{DecodeError, Grouping, MinuteRows, decode_minutes};
use barkeep::model::{Dataset, Minute};
use jiff::civil::{Date, date};

use common::rolled;

/// A Friday in summer time.
const DAY: Date = date(2026, 10, 2);

type Minutes = BTreeMap<String, Vec<Minute>>;

fn everything() -> Wanted {
    Wanted { others: rolled(), named: HashMap::new() }
}

fn only(tickers: &[&str]) -> Wanted {
    Wanted { named: tickers.iter().map(|&ticker| (ticker.to_owned(), rolled())).collect(), ..Wanted::default() }
}

/// Decodes a packed file in one way of reading.
fn decode(
    dataset: Dataset,
    date: Date,
    packed: &[u8],
    wanted: &Wanted,
    grouping: Grouping,
) -> Result<(MinuteRows, Minutes), DecodeError> {
    let mut minutes = Minutes::new();
    let grid = DayGrid::new(dataset, date);
    let read = decode_minutes(
        packed,
        dataset,
        &grid,
        wanted,
        grouping,
        |_| (),
        |symbol| {
            let before = minutes.insert(symbol.ticker.to_owned(), symbol.minutes.to_vec());
            assert!(before.is_none(), "{} was handed on twice", symbol.ticker);
            assert!(!symbol.minutes.is_empty());
            assert!(symbol.minutes.is_sorted_by(|a, b| a.minute < b.minute), "{} is out of order", symbol.ticker);
            ControlFlow::Continue(())
        },
    )?;
    Ok((read, minutes))
}

/// Decodes everything of a stock file.
fn stocks(packed: &[u8]) -> Result<(MinuteRows, Minutes), DecodeError> {
    decode(Dataset::Stocks, DAY, packed, &everything(), Grouping::Together)
}
