//! What bars make when they are folded into coarser ones. Pure.
//!
//! Not [`crate::aggregate::roll_up`]: that one folds minutes, and a stored day need not have any.

use super::bars::is_same_sum;
use crate::aggregate::DayGrid;
use crate::model::{Dataset, Timeframe, VwapMethod};
use crate::store::{RawBar, Word};

const EXACT: Option<Word<VwapMethod>> = Some(Word::Known(VwapMethod::Vendor));
const ESTIMATE: Option<Word<VwapMethod>> = Some(Word::Known(VwapMethod::Estimate));

/// A bar as its finer bars make it.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    /// First minute of its bucket.
    pub(super) start: u16,
    end: u16,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    /// Σ vwap·volume.
    turnover: f64,
    trades: i64,
    minutes: i64,
    /// Whether any of them has the vendor's VWAP, and whether any has an estimate.
    has_exact: bool,
    has_estimate: bool,
}

impl Fold {
    /// What ascending bars of a date make; those that belong to no bar of the timeframe are left out.
    pub(super) fn all(grid: &DayGrid, timeframe: Timeframe, bars: &[RawBar]) -> Vec<Self> {
        let mut folds: Vec<Self> = Vec::new();
        for bar in bars {
            let Some(minute) = grid.minute_at(bar.timestamp_ms) else { continue };
            match folds.last_mut() {
                Some(fold) if minute < fold.end => fold.add(bar),
                _ => folds.extend(grid.bucket(timeframe, minute).map(|bucket| {
                    let mut fold = Self {
                        start: bucket.start,
                        end: bucket.end,
                        open: bar.open,
                        high: bar.high,
                        low: bar.low,
                        close: bar.close,
                        volume: 0.0,
                        turnover: 0.0,
                        trades: 0,
                        minutes: 0,
                        has_exact: false,
                        has_estimate: false,
                    };
                    fold.add(bar);
                    fold
                })),
            }
        }
        folds
    }

    fn add(&mut self, bar: &RawBar) {
        self.high = self.high.max(bar.high);
        self.low = self.low.min(bar.low);
        self.close = bar.close;
        let volume = bar.volume.unwrap_or_default();
        self.volume += volume;
        self.turnover += bar.vwap.unwrap_or_default() * volume;
        self.trades = self.trades.saturating_add(bar.trades.unwrap_or_default());
        self.minutes = self.minutes.saturating_add(bar.minutes);
        self.has_exact |= bar.vwap_method == EXACT;
        self.has_estimate |= bar.vwap_method == ESTIMATE;
    }

    /// Where a stored bar is not this one: what, as it should be, as it is. Where VWAPs were `exchanged` for exact ones bar by
    /// bar, those made in the same way are compared.
    pub(super) fn differences(
        &self,
        bar: &RawBar,
        dataset: Dataset,
        exchanged: bool,
    ) -> Vec<(&'static str, String, String)> {
        let mut found = Vec::new();
        let prices = [
            ("open", self.open, bar.open),
            ("high", self.high, bar.high),
            ("low", self.low, bar.low),
            ("close", self.close, bar.close),
        ];
        for (name, expected, stored) in prices.into_iter().filter(|(_, expected, stored)| expected != stored) {
            found.push((name, expected.to_string(), stored.to_string()));
        }
        if self.minutes != bar.minutes {
            found.push(("minutes", self.minutes.to_string(), bar.minutes.to_string()));
        }
        if let Some(trades) = bar.trades.filter(|trades| dataset.has_volume() && *trades != self.trades) {
            found.push(("trades", self.trades.to_string(), trades.to_string()));
        }
        if let Some(volume) = bar.volume.filter(|volume| dataset.has_volume() && !is_same_sum(*volume, self.volume)) {
            found.push(("volume", self.volume.to_string(), volume.to_string()));
        }
        let is_alike = (self.has_exact, self.has_estimate) == (bar.vwap_method == EXACT, bar.vwap_method == ESTIMATE);
        let is_comparable = dataset.has_vwap() && self.volume > 0.0 && (is_alike || !exchanged);
        if let Some(vwap) = bar.vwap.filter(|_| is_comparable) {
            let expected = self.turnover / self.volume;
            if !is_same_sum(vwap, expected) {
                found.push(("vwap", expected.to_string(), vwap.to_string()));
            }
        }
        found
    }
}
