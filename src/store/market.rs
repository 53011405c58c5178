//! Reading the series of many symbols at once.

use std::future::Future;
use std::ops::RangeInclusive;

use jiff::civil::Date;

use super::StoreError;
use crate::model::{Bar, Dataset, TimeframeSet};

/// Which bars are read of many symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketSlice {
    /// Their market.
    pub dataset: Dataset,
    /// Their tickers, each once.
    pub tickers: Vec<String>,
    /// Lengths of bars; never empty.
    pub timeframes: TimeframeSet,
    /// First and last trading date.
    pub dates: RangeInclusive<Date>,
}

/// Reads the series of many symbols at once, as fast as the store can.
pub trait MarketReader: Send {
    /// Tickers of a dataset that have, or once had, a bar, in the order of bytes. Does not read bars.
    fn tickers(&mut self, dataset: Dataset) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Hands out bars with the place of their ticker in the slice and their trading date. Those of a series ascend; series may
    /// come in any order, and in turns.
    fn read_market(
        &mut self,
        slice: &MarketSlice,
        each: impl FnMut(usize, Date, &Bar) + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
