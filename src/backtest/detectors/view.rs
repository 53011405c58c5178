//! The features of a bar as one side sees them, so that a formula is written once for both (B-68).

use crate::backtest::{Features, Known, Side};

/// The features of a bar as one side sees them: up is its gain.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// The features.
    pub features: &'a Features,
    /// Who looks.
    pub side: Side,
}

impl View<'_> {
    /// The long side's value, or that of the short.
    pub fn pick<T>(self, long: T, short: T) -> T {
        match self.side {
            Side::Long => long,
            Side::Short => short,
        }
    }

    /// RSI; for short, as far from the other end. NaN where it is missing.
    pub fn rsi(self) -> f64 {
        self.features.rsi.map_or(f64::NAN, |rsi| self.pick(rsi, 100.0 - rsi))
    }

    /// Distance from VWAP in percent, positive on the side's own side. NaN where it is missing.
    pub fn vwap_distance(self) -> f64 {
        self.gain(self.features.vwap_distance.unwrap_or(f64::NAN))
    }

    /// A move, positive if it is the side's gain.
    pub fn gain(self, up: f64) -> f64 {
        self.side.sign() * up
    }

    /// How far a price lies beyond a level, in percent of the level.
    pub fn beyond_pct(self, price: f64, level: f64) -> f64 {
        self.gain(100.0 * (price - level) / level)
    }

    /// How far a level lies from the price, in percent of the price.
    pub fn distance_pct(self, level: f64) -> f64 {
        100.0 * (level - self.features.close).abs() / self.features.close
    }

    /// Whether a level is known and lies within some percent of the price (detectors 4, Near).
    pub fn is_near(self, level: Known, near_pct: f64) -> bool {
        level.is_ok_and(|level| self.distance_pct(level) <= near_pct)
    }

    /// A level farther out on the losing side.
    pub fn behind(self, level: f64, by: f64) -> f64 {
        level - self.gain(by)
    }
}
