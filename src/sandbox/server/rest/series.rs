//! Symbols' days that were made already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;

use crate::model::Dataset;
use crate::sandbox::market::{Catalog, Market, SymbolDay};

/// A day of a symbol has some 50 kB.
const KEPT: usize = 2_000;

/// What was made is kept, so that pages of one request do not make the same days again.
#[derive(Debug, Default)]
pub(super) struct Series {
    catalog: Catalog,
    days: Mutex<HashMap<(String, Date, u8), Arc<SymbolDay>>>,
}

impl Series {
    /// The aggregates of a ticker on a date; none if there is no such ticker.
    pub(super) fn day(
        &self,
        market: &Market,
        dataset: Dataset,
        ticker: &str,
        date: Date,
        version: u8,
    ) -> Arc<SymbolDay> {
        let key = (ticker.to_owned(), date, version);
        let kept = || self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = kept().get(&key) {
            return day.clone();
        }
        let day = Arc::new(market.symbol_day(&self.catalog, dataset, ticker, date, version).unwrap_or_default());
        let mut kept = kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, day.clone());
        day
    }
}
