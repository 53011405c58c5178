//! Average true range.

use super::{RollingMean, WILDER, WILDER_WEIGHT};
use crate::model::splits::Factor;

/// True range: the range of a bar, reaching back to the close before (Wilder 1978). Without gaps the first bar of a session
/// stands alone: positions are flat at the close, and the night is no range they could have lived through.
#[derive(Debug, Clone)]
pub struct TrueRange {
    gaps: bool,
    previous: Option<f64>,
}

impl TrueRange {
    /// One that reaches over the night, or does not.
    pub const fn new(gaps: bool) -> Self {
        Self { gaps, previous: None }
    }

    /// The true range of the next bar; `opens_session` for the first of a session.
    pub fn next(&mut self, high: f64, low: f64, close: f64, opens_session: bool) -> f64 {
        match self.previous.replace(close) {
            Some(previous) if self.gaps || !opens_session => high.max(previous) - low.min(previous),
            _ => high - low,
        }
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        self.previous = self.previous.map(|close| factor.price(close));
    }
}

#[derive(Debug, Clone)]
enum Smoothing {
    Wilder { seen: u32, mean: f64 },
    Simple(RollingMean),
}

/// Average true range over 14 bars: the mean of the first 14 true ranges, then `mean + (TR − mean)/14` (Wilder 1978); or the
/// simple mean of the last 14. In price.
#[derive(Debug, Clone)]
pub struct Atr {
    range: TrueRange,
    smoothing: Smoothing,
}

impl Atr {
    /// Whether true ranges reach over the night, and whether the mean is a simple one.
    pub fn new(gaps: bool, simple: bool) -> Self {
        let smoothing =
            if simple { Smoothing::Simple(RollingMean::new(WILDER)) } else { Smoothing::Wilder { seen: 0, mean: 0.0 } };
        Self { range: TrueRange::new(gaps), smoothing }
    }

    /// The next bar; `opens_session` for the first of a session.
    pub fn update(&mut self, high: f64, low: f64, close: f64, opens_session: bool) {
        let range = self.range.next(high, low, close, opens_session);
        match &mut self.smoothing {
            Smoothing::Wilder { seen, mean } if (*seen as usize) < WILDER => {
                *seen += 1;
                *mean += range * WILDER_WEIGHT;
            }
            Smoothing::Wilder { mean, .. } => *mean += (range - *mean) * WILDER_WEIGHT,
            Smoothing::Simple(mean) => mean.update(range),
        }
    }

    /// In price; `None` before the 14th bar.
    pub fn value(&self) -> Option<f64> {
        match &self.smoothing {
            Smoothing::Wilder { seen, mean } => (*seen as usize >= WILDER).then_some(*mean),
            Smoothing::Simple(mean) => mean.value(),
        }
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        self.range.rescale(factor);
        match &mut self.smoothing {
            Smoothing::Wilder { mean, .. } => *mean = factor.price(*mean),
            Smoothing::Simple(mean) => mean.rescale(factor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bar_of_a_session_reaches_back_only_if_asked() {
        for (gaps, first_of_second) in [(false, 2.0), (true, 11.0)] {
            let mut range = TrueRange::new(gaps);
            assert_eq!(range.next(11.0, 9.0, 10.0, true), 2.0);
            assert_eq!(range.next(10.5, 10.25, 10.5, false), 0.5, "back to the close of 10");
            assert_eq!(range.next(21.5, 19.5, 20.0, true), first_of_second);
        }
    }

    #[test]
    fn the_mean_is_wilders_or_simple() {
        let after = |simple: bool, ranges: &[f64]| {
            let mut atr = Atr::new(false, simple);
            for range in ranges {
                atr.update(10.0 + range, 10.0, 10.0, false);
            }
            atr.value()
        };
        let mut ranges = [1.0; 14].to_vec();
        ranges[0] = 15.0;
        assert_eq!(after(false, &ranges[..13]), None);
        assert!((after(false, &ranges).unwrap() - 2.0).abs() < 1e-12);
        ranges.push(16.0);
        assert!((after(false, &ranges).unwrap() - 3.0).abs() < 1e-12);
        assert!((after(true, &ranges).unwrap() - 29.0 / 14.0).abs() < 1e-12);
    }
}
