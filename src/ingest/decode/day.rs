//! Day files: the vendor's own day bars.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::Read;

use super::census::ticker_key;
use super::number::nanoseconds;
use super::rows::{Rows, Values, canonical_ticker};
use super::{DecodeError, gunzip};
use crate::aggregate::DayGrid;
use crate::ingest::Wanted;
use crate::ingest::report::{RejectReason, Rejects};
use crate::model::{Bar, Dataset, Prices, Session, Symbol, Timeframe};
use crate::store::ContentHash;

/// A day bar of the vendor's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfficialBar {
    prices: Prices,
    volume: f64,
    trades: u64,
}

impl OfficialBar {
    /// The row of `historical_bars`. Its volume includes the post-market, so it is known only when that is over. A VWAP
    /// cannot be told from a day's prices, so there is none.
    pub fn bar(&self, dataset: Dataset, grid: &DayGrid) -> Bar {
        Bar {
            timeframe: Timeframe::DayOfficial,
            timestamp_ms: grid.instant_ms(0),
            end_timestamp_ms: grid.official_end_ms(),
            prices: self.prices,
            volume: dataset.has_volume().then_some(self.volume),
            vwap: None,
            vwap_method: None,
            trades: dataset.has_volume().then_some(self.trades),
            session: Session::Regular,
            minutes: 0,
        }
    }
}

/// What was read of a day file.
#[derive(Debug, Default)]
pub struct DayFileRows {
    /// Rows, rejected ones included.
    pub rows: u64,
    /// Rejected rows.
    pub rejects: Rejects,
    /// Repeated rows, counted once.
    pub duplicates_identical: u64,
    /// Rows that disagreed with another one of the same symbol: the one with more transactions was taken, then the one
    /// with more volume, then the one with the larger prices.
    pub duplicates_conflicting: u64,
    /// Rows stamped with another date than the file's. The file's date counts: stamps of day files are not reliable.
    pub odd_stamps: u64,
    /// The hash of the file's content; there is one when all of it was read.
    pub content: Option<ContentHash>,
    /// Day bars of the wanted symbols, by ticker, and whether they were taken.
    wanted: BTreeMap<String, (OfficialBar, bool)>,
    /// Every symbol of the file (as a key) with its transactions, 0 where the file has none.
    symbols: BTreeMap<u64, u64>,
}

impl DayFileRows {
    /// The day bar of a wanted symbol.
    pub fn take(&mut self, ticker: &str) -> Option<OfficialBar> {
        self.wanted.get_mut(ticker).map(|(bar, taken)| {
            *taken = true;
            *bar
        })
    }

    /// The wanted day bars that were not taken, by ticker.
    pub fn take_rest(&mut self) -> Vec<(String, OfficialBar)> {
        let rest = self.wanted.iter_mut().filter(|(_, (_, taken))| !*taken);
        rest.map(|(ticker, (bar, taken))| {
            *taken = true;
            (ticker.clone(), *bar)
        })
        .collect()
    }

    /// Forgets which were taken.
    pub fn untake(&mut self) {
        self.wanted.values_mut().for_each(|(_, taken)| *taken = false);
    }

    /// Distinct symbols.
    pub fn symbol_count(&self) -> u64 {
        self.symbols.len() as u64
    }

    /// Of the symbols with at least so many transactions: how many there are, and how many the minute file lacks.
    pub fn lacking(&self, minutes: &super::Census, transactions: u64) -> (u64, u64) {
        let traded = || self.symbols.iter().filter(|(_, count)| **count >= transactions).map(|(key, _)| *key);
        (traded().count() as u64, traded().filter(|key| !minutes.has_key(*key)).count() as u64)
    }
}

/// Decodes a gzipped day file. Rows are keyed by the file's date; their stamps are only checked against it.
pub fn decode_day(
    packed: impl Read,
    dataset: Dataset,
    grid: &DayGrid,
    wanted: &Wanted,
) -> Result<DayFileRows, DecodeError> {
    let mut rows = Rows::open(gunzip(packed), dataset)?;
    let columns = rows.columns.clone();
    let mut found = DayFileRows::default();
    let mut all: Vec<(Symbol, OfficialBar)> = Vec::new();
    while let Some(row) = rows.next()? {
        let read = canonical_ticker(row.field(columns.ticker), dataset)
            .ok_or(RejectReason::Ticker)
            .and_then(|symbol| row.values(&columns, dataset).map(|values| (symbol, values)));
        match read {
            Ok((symbol, Values { prices, volume, trades })) => {
                let stamp = nanoseconds(row.field(columns.window_start));
                let on_date = stamp.is_some_and(|ns| grid.minute_at(ns.div_euclid(1_000_000)).is_some());
                found.odd_stamps += u64::from(!on_date);
                all.push((symbol, OfficialBar { prices, volume, trades }));
            }
            Err(reason) => rows.reject(reason),
        }
    }
    let (count, rejects, content) = rows.finish()?;
    (found.rows, found.rejects, found.content) = (count, rejects, Some(content));
    // Only when all rows are there, so that neither the choice nor the counts depend on their order.
    all.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| best_first(&a.1, &b.1)));
    let before = all.len();
    all.dedup_by(|b, a| a.0 == b.0 && best_first(&a.1, &b.1).is_eq());
    found.duplicates_identical = (before - all.len()) as u64;
    let before = all.len();
    all.dedup_by(|b, a| a.0 == b.0);
    found.duplicates_conflicting = (before - all.len()) as u64;
    found.symbols = all.iter().map(|(symbol, bar)| (ticker_key(symbol.as_str()), bar.trades)).collect();
    all.retain(|(symbol, _)| wanted.official_of(symbol.as_str()));
    found.wanted = all.into_iter().map(|(symbol, bar)| (symbol.as_str().to_owned(), (bar, false))).collect();
    Ok(found)
}

/// A total order over everything a row says, the row to take first.
fn best_first(a: &OfficialBar, b: &OfficialBar) -> Ordering {
    b.trades
        .cmp(&a.trades)
        .then(b.volume.total_cmp(&a.volume))
        .then(b.prices.open.total_cmp(&a.prices.open))
        .then(b.prices.high.total_cmp(&a.prices.high))
        .then(b.prices.low.total_cmp(&a.prices.low))
        .then(b.prices.close.total_cmp(&a.prices.close))
}
