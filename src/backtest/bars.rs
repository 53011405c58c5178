//! A series of bars as columns.

use std::ops::Range;

use crate::model::{Bar, Session, VwapMethod};

/// Bars of one symbol and timeframe, ascending, as columns: what a run goes through millions of.
///
/// Prices and volumes are as traded. Columns hold NaN where there is no value; readers get an `Option`.
#[derive(Debug, Clone, Default)]
pub struct Bars {
    pub(crate) start_ms: Vec<i64>,
    pub(crate) end_ms: Vec<i64>,
    pub(crate) open: Vec<f64>,
    pub(crate) high: Vec<f64>,
    pub(crate) low: Vec<f64>,
    pub(crate) close: Vec<f64>,
    pub(crate) volume: Vec<f64>,
    pub(crate) vwap: Vec<f64>,
    pub(crate) session: Vec<u32>,
    pub(crate) hours: Vec<Session>,
    pub(crate) exact_vwap: Vec<bool>,
}

impl Bars {
    /// An empty series with room.
    pub fn with_capacity(bars: usize) -> Self {
        Self {
            start_ms: Vec::with_capacity(bars),
            end_ms: Vec::with_capacity(bars),
            open: Vec::with_capacity(bars),
            high: Vec::with_capacity(bars),
            low: Vec::with_capacity(bars),
            close: Vec::with_capacity(bars),
            volume: Vec::with_capacity(bars),
            vwap: Vec::with_capacity(bars),
            session: Vec::with_capacity(bars),
            hours: Vec::with_capacity(bars),
            exact_vwap: Vec::with_capacity(bars),
        }
    }

    /// Adds a bar that starts after all others; `session` is the place of its trading day in the run's
    /// [`super::Sessions`].
    pub fn push(&mut self, session: u32, bar: &Bar) {
        debug_assert!(self.start_ms.last().is_none_or(|last| *last < bar.timestamp_ms), "Invariant: bars ascend");
        self.start_ms.push(bar.timestamp_ms);
        self.end_ms.push(bar.end_timestamp_ms);
        self.open.push(bar.prices.open);
        self.high.push(bar.prices.high);
        self.low.push(bar.prices.low);
        self.close.push(bar.prices.close);
        self.volume.push(bar.volume.unwrap_or(f64::NAN));
        self.vwap.push(bar.vwap.unwrap_or(f64::NAN));
        self.session.push(session);
        self.hours.push(bar.session);
        self.exact_vwap.push(bar.vwap_method == Some(VwapMethod::Vendor));
    }

    /// How many.
    pub const fn len(&self) -> usize {
        self.start_ms.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.start_ms.is_empty()
    }

    /// Volume of a bar; `None` where the market has none.
    pub fn volume(&self, bar: usize) -> Option<f64> {
        Some(self.volume[bar]).filter(|volume| !volume.is_nan())
    }

    /// VWAP of a bar; `None` where nothing weighs.
    pub fn vwap(&self, bar: usize) -> Option<f64> {
        Some(self.vwap[bar]).filter(|vwap| !vwap.is_nan())
    }

    /// The first bar that starts at an instant or later; `len()` if none does.
    pub fn first_from(&self, start_ms: i64) -> usize {
        self.start_ms.partition_point(|start| *start < start_ms)
    }

    /// Bars up to (without) a place, for asking what was known then.
    #[must_use]
    pub fn truncated(&self, bars: usize) -> Self {
        self.part(0..bars)
    }

    /// Bars from a place on.
    #[must_use]
    pub fn since(&self, bar: usize) -> Self {
        self.part(bar..self.len())
    }

    fn part(&self, bars: Range<usize>) -> Self {
        Self {
            start_ms: self.start_ms[bars.clone()].to_vec(),
            end_ms: self.end_ms[bars.clone()].to_vec(),
            open: self.open[bars.clone()].to_vec(),
            high: self.high[bars.clone()].to_vec(),
            low: self.low[bars.clone()].to_vec(),
            close: self.close[bars.clone()].to_vec(),
            volume: self.volume[bars.clone()].to_vec(),
            vwap: self.vwap[bars.clone()].to_vec(),
            session: self.session[bars.clone()].to_vec(),
            hours: self.hours[bars.clone()].to_vec(),
            exact_vwap: self.exact_vwap[bars].to_vec(),
        }
    }
}
