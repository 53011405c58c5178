//! Folding a symbol's minutes of one date into bars.

use super::grid::{Bucket, DayGrid};
use crate::model::{Bar, Dataset, Minute, Prices, Timeframe, TimeframeSet, VwapMethod};

/// A bar in the making.
struct Fold {
    bucket: Bucket,
    prices: Prices,
    volume: f64,
    trades: u64,
    minutes: u16,
    /// Minutes with volume: those the VWAP is made of.
    weighed: u16,
    /// Σ pᵢ·vᵢ over them.
    turnover: f64,
    /// Price of the first of them, which is the VWAP if it stays the only one.
    first_price: f64,
    /// Whether all of them had the vendor's own VWAP.
    exact: bool,
}

impl Fold {
    fn start(bucket: Bucket, minute: &Minute) -> Self {
        let mut fold = Self {
            bucket,
            prices: minute.prices,
            volume: 0.0,
            trades: 0,
            minutes: 0,
            weighed: 0,
            turnover: 0.0,
            first_price: 0.0,
            exact: true,
        };
        fold.count(minute);
        fold
    }

    #[inline]
    fn add(&mut self, minute: &Minute) {
        let prices = &minute.prices;
        self.prices.high = if prices.high > self.prices.high { prices.high } else { self.prices.high };
        self.prices.low = if prices.low < self.prices.low { prices.low } else { self.prices.low };
        self.prices.close = prices.close;
        self.count(minute);
    }

    #[inline]
    fn count(&mut self, minute: &Minute) {
        self.volume += minute.volume;
        self.trades += minute.trades;
        self.minutes += 1;
        if minute.volume > 0.0 {
            // Without the vendor's VWAP the middle of the minute's range is the best estimate there is.
            let price = minute.vwap.unwrap_or_else(|| f64::midpoint(minute.prices.high, minute.prices.low));
            self.exact &= minute.vwap.is_some();
            if self.weighed == 0 {
                self.first_price = price;
            }
            self.weighed += 1;
            self.turnover += price * minute.volume;
        }
    }

    #[inline]
    fn finish(&self, grid: &DayGrid, timeframe: Timeframe, dataset: Dataset) -> Bar {
        let vwap = match self.weighed {
            _ if !dataset.has_vwap() => None,
            0 => None,
            // One price needs no arithmetic: (p·v)/v can miss p by a rounding.
            1 => Some(self.first_price),
            _ => Some(self.turnover / self.volume),
        };
        let method = if self.exact { VwapMethod::Vendor } else { VwapMethod::Estimate };
        Bar {
            timeframe,
            timestamp_ms: grid.instant_ms(self.bucket.start),
            end_timestamp_ms: grid.instant_ms(self.bucket.end),
            prices: self.prices,
            volume: dataset.has_volume().then_some(self.volume),
            vwap,
            vwap_method: vwap.map(|_| method),
            trades: dataset.has_volume().then_some(self.trades),
            session: self.bucket.session,
            minutes: self.minutes,
        }
    }
}

/// Rolls one symbol's minutes of one date up to bars and appends them to `bars`, finest timeframe first, each ascending.
///
/// `minutes` must be strictly ascending and lie on the grid's date. Open is the first minute's, close the last's, high and
/// low the extremes, volume and trades the sums. VWAP is Σ pᵢ·vᵢ / Σ vᵢ over the minutes with volume, pᵢ being the
/// vendor's VWAP of the minute or else (high + low) / 2; it is never clamped to the bar's range. A bucket without
/// minutes has no bar. The bars of a timeframe do not depend on which others are asked for.
///
/// The estimate of pᵢ: on minutes with a known VWAP the middle of the range had the smallest mean error of the usual
/// candidates (close, typical price, ohlc/4). It has a heavy tail, as one stray print sets the high or the low.
pub fn roll_up(grid: &DayGrid, dataset: Dataset, timeframes: TimeframeSet, minutes: &[Minute], bars: &mut Vec<Bar>) {
    debug_assert!(minutes.is_sorted_by(|a, b| a.minute < b.minute), "Invariant: minutes ascend strictly");
    for timeframe in timeframes.iter().filter(|timeframe| Timeframe::ROLLED.contains(timeframe)) {
        let mut open: Option<Fold> = None;
        for minute in minutes {
            match &mut open {
                Some(fold) if minute.minute < fold.bucket.end => fold.add(minute),
                _ => {
                    bars.extend(open.take().map(|fold| fold.finish(grid, timeframe, dataset)));
                    open = grid.bucket(timeframe, minute.minute).map(|bucket| Fold::start(bucket, minute));
                }
            }
        }
        bars.extend(open.map(|fold| fold.finish(grid, timeframe, dataset)));
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::model::Session;

    fn minute(hour: u16, min: u16, low: f64, high: f64, volume: f64) -> Minute {
        let prices = Prices::checked(low, high, low, high).unwrap();
        Minute { minute: hour * 60 + min, prices, volume, vwap: None, trades: 1 }
    }

    fn bars_of(dataset: Dataset, timeframe: Timeframe, minutes: &[Minute]) -> Vec<Bar> {
        let grid = DayGrid::new(dataset, date(2026, 10, 2));
        let mut bars = Vec::new();
        roll_up(&grid, dataset, TimeframeSet::of([timeframe]), minutes, &mut bars);
        bars
    }

    #[test]
    fn sessions_never_share_a_bar() {
        // B-03
        let minutes = [minute(9, 29, 1.0, 2.0, 10.0), minute(9, 30, 3.0, 4.0, 10.0), minute(16, 0, 5.0, 6.0, 10.0)];
        let hours = bars_of(Dataset::Stocks, Timeframe::H1, &minutes);
        let sessions: Vec<_> = hours.iter().map(|bar| (bar.session, bar.prices.open, bar.minutes)).collect();
        assert_eq!(sessions, [(Session::Pre, 1.0, 1), (Session::Regular, 3.0, 1), (Session::Post, 5.0, 1)]);
        let day = bars_of(Dataset::Stocks, Timeframe::Day, &minutes);
        assert_eq!(day.len(), 1);
        assert_eq!((day[0].prices.open, day[0].prices.close, day[0].minutes), (3.0, 4.0, 1));
    }

    #[test]
    fn vwap_is_weighted_by_volume_and_absent_without_it() {
        let bars = bars_of(
            Dataset::Stocks,
            Timeframe::M5,
            &[minute(10, 0, 10.0, 12.0, 300.0), minute(10, 1, 20.0, 20.0, 100.0)],
        );
        assert_eq!(bars[0].vwap, Some((11.0 * 300.0 + 20.0 * 100.0) / 400.0));
        assert_eq!(bars[0].vwap_method, Some(VwapMethod::Estimate));
        let none = bars_of(Dataset::Stocks, Timeframe::M5, &[minute(10, 0, 10.0, 12.0, 0.0)]);
        assert_eq!((none[0].vwap, none[0].vwap_method, none[0].volume), (None, None, Some(0.0)));
    }

    #[test]
    fn exact_vwap_needs_every_minute_and_is_not_clamped() {
        // B-57
        let exact = |vwap| Minute { vwap: Some(vwap), ..minute(10, 0, 247.02, 247.15, 100.0) };
        let one = bars_of(Dataset::Stocks, Timeframe::M5, &[exact(246.9297)]);
        assert_eq!((one[0].vwap, one[0].vwap_method), (Some(246.9297), Some(VwapMethod::Vendor)));
        let mixed = bars_of(Dataset::Stocks, Timeframe::M5, &[exact(247.1), minute(10, 1, 247.0, 247.2, 1.0)]);
        assert_eq!(mixed[0].vwap_method, Some(VwapMethod::Estimate));
        let weightless = bars_of(Dataset::Stocks, Timeframe::M5, &[exact(247.1), minute(10, 1, 247.0, 247.2, 0.0)]);
        assert_eq!(weightless[0].vwap_method, Some(VwapMethod::Vendor), "a minute without volume contributes nothing");
    }

    #[test]
    fn markets_without_volume_have_none_and_quotes_are_no_weight() {
        let index = bars_of(Dataset::Indices, Timeframe::M5, &[minute(10, 0, 10.0, 12.0, 0.0)]);
        assert_eq!((index[0].volume, index[0].trades, index[0].vwap), (None, None, None));
        let forex = bars_of(Dataset::Forex, Timeframe::M5, &[minute(10, 0, 10.0, 12.0, 7.0)]);
        assert_eq!((forex[0].volume, forex[0].vwap), (Some(7.0), None));
    }
}
