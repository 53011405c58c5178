//! What both stores do with splits in the same way, and reading them for adjusting bars.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Splits, StoreError, StoredBar};
use crate::model::splits::{Adjustment, PriceJump, SplitFlag, SplitRecord, Stretch};
use crate::model::{Dataset, Market, Symbol, Timeframe};

/// For whom splits were fetched, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitLoads {
    /// For every ticker.
    pub everyone: Option<Timestamp>,
    /// For single ones, beside that.
    pub named: BTreeMap<String, Timestamp>,
}

impl SplitLoads {
    /// Whether the splits of a symbol are known. Only stocks have any.
    pub fn knows(&self, symbol: &Symbol) -> bool {
        symbol.dataset() != Dataset::Stocks || self.everyone.is_some() || self.named.contains_key(symbol.as_str())
    }
}

/// The adjustment of each ticker that has splits.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustments {
    as_of: Date,
    by_ticker: BTreeMap<String, Adjustment>,
}

/// Why bars cannot be adjusted.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is known of splits.
    #[error("splits not loaded: bars cannot be adjusted{}", if .0.is_empty() { String::new() } else { format!(" of {}", .0.join(" ")) })]
    NotLoaded(Vec<String>),
}

impl Adjustments {
    /// Reads what is known of the splits of some symbols, or of all stocks (`None`), as of a date.
    pub async fn read(store: &mut impl Splits, symbols: Option<&[Symbol]>, as_of: Date) -> Result<Self, AdjustError> {
        let loads = store.split_loads().await?;
        match symbols {
            None if loads.everyone.is_none() => return Err(AdjustError::NotLoaded(Vec::new())),
            None => {}
            Some(symbols) => {
                let unknown: Vec<_> = symbols.iter().filter(|symbol| !loads.knows(symbol)).collect();
                if !unknown.is_empty() {
                    return Err(AdjustError::NotLoaded(unknown.into_iter().map(ToString::to_string).collect()));
                }
            }
        }
        let records = store.splits(symbols).await?;
        let by_ticker = records
            .chunk_by(|a, b| a.ticker == b.ticker)
            .map(|records| (records[0].ticker.clone(), Adjustment::of(records, as_of)))
            .collect();
        Ok(Self { as_of, by_ticker })
    }

    /// The date to which bars are adjusted.
    pub const fn as_of(&self) -> Date {
        self.as_of
    }

    /// Adjusts bars of a ticker.
    pub fn adjust(&self, ticker: &str, bars: &mut [StoredBar]) {
        if let Some(adjustment) = self.by_ticker.get(ticker) {
            for StoredBar { bar, session_date } in bars {
                adjustment.adjust(*session_date, bar);
            }
        }
    }
}

/// What the view `historical_bars_adjusted` is to know of sorted records, from now on.
pub(super) fn stretches(records: &[SplitRecord], now: Timestamp) -> Vec<(&str, Stretch)> {
    let today = Market::NewYork.date_of(now);
    let of_ticker = |records: &'_ [SplitRecord]| Adjustment::of(records, today).stretches();
    records
        .chunk_by(|a, b| a.ticker == b.ticker)
        .flat_map(|records| of_ticker(records).into_iter().map(|stretch| (records[0].ticker.as_str(), stretch)))
        .collect()
}

/// The jump at a date, from day bars as (timeframe, trading date, open, close): of the vendor's own where they reach over it,
/// else of those made from minutes.
pub(super) fn price_jump(date: Date, bars: &[(Timeframe, Date, f64, f64)]) -> Option<PriceJump> {
    let of = |timeframe| {
        let bars = bars.iter().filter(move |bar| bar.0 == timeframe);
        PriceJump::at(date, bars.map(|&(_, day, open, close)| (day, open, close)))
    };
    of(Timeframe::DayOfficial).or_else(|| of(Timeframe::Day))
}

/// Flags as they are stored: words with commas between.
pub(super) fn flag_words(flags: &[SplitFlag]) -> String {
    flags.iter().map(|flag| flag.as_str()).collect::<Vec<_>>().join(",")
}

/// Stored flags.
pub(super) fn flags(words: &str) -> Result<Vec<SplitFlag>, StoreError> {
    let words = words.split(',').filter(|word| !word.is_empty());
    words.map(|word| super::values::known(word, "flag of a split", SplitFlag::of_word)).collect()
}
