//! Swing pivots.

use crate::model::splits::Factor;

/// A swing: a bar whose high lies strictly above (low strictly below) those of so many bars on each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pivot {
    /// Number of its bar, counted from the first one pushed.
    pub bar: u64,
    /// Its high, or low.
    pub price: f64,
    /// RSI at its end; NaN where there was none.
    pub rsi: f64,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    high: f64,
    low: f64,
    rsi: f64,
}

/// Finds swings, each known `side` bars after its own, and holds the last two of each kind.
#[derive(Debug, Clone)]
pub struct Pivots {
    side: usize,
    /// The last 2·side + 1 bars, as a ring.
    ring: Vec<Seen>,
    seen: u64,
    highs: [Option<Pivot>; 2],
    lows: [Option<Pivot>; 2],
}

impl Pivots {
    /// Swings with so many bars on each side (at least 1).
    pub fn new(side: usize) -> Self {
        Self { side, ring: Vec::with_capacity(2 * side + 1), seen: 0, highs: [None; 2], lows: [None; 2] }
    }

    /// The next bar, with RSI at its end (NaN: none). The swing high and the swing low that it confirms.
    pub fn push(&mut self, high: f64, low: f64, rsi: f64) -> (Option<Pivot>, Option<Pivot>) {
        let width = 2 * self.side + 1;
        let seen = Seen { high, low, rsi };
        if self.ring.len() < width {
            self.ring.push(seen);
        } else {
            self.ring[(self.seen % width as u64) as usize] = seen;
        }
        self.seen += 1;
        if self.ring.len() < width {
            return (None, None);
        }
        let bar = self.seen - 1 - self.side as u64;
        let place = (bar % width as u64) as usize;
        let middle = self.ring[place];
        let mut others = self.ring[..place].iter().chain(&self.ring[place + 1..]);
        let top = others.clone().all(|other| other.high < middle.high);
        let bottom = others.all(|other| other.low > middle.low);
        let high = top.then_some(Pivot { bar, price: middle.high, rsi: middle.rsi });
        let low = bottom.then_some(Pivot { bar, price: middle.low, rsi: middle.rsi });
        if high.is_some() {
            self.highs = [high, self.highs[0]];
        }
        if low.is_some() {
            self.lows = [low, self.lows[0]];
        }
        (high, low)
    }

    /// The last confirmed swing high.
    pub const fn high(&self) -> Option<Pivot> {
        self.highs[0]
    }

    /// The last confirmed swing low.
    pub const fn low(&self) -> Option<Pivot> {
        self.lows[0]
    }

    /// Whether the last two confirmed swing lows rise.
    pub fn higher_lows(&self) -> bool {
        matches!(self.lows, [Some(last), Some(before)] if last.price > before.price)
    }

    /// Whether the last two confirmed swing highs fall.
    pub fn lower_highs(&self) -> bool {
        matches!(self.highs, [Some(last), Some(before)] if last.price < before.price)
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        for seen in &mut self.ring {
            (seen.high, seen.low) = (factor.price(seen.high), factor.price(seen.low));
        }
        for pivot in self.highs.iter_mut().chain(&mut self.lows).flatten() {
            pivot.price = factor.price(pivot.price);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swing_is_strict_and_known_later() {
        let mut pivots = Pivots::new(2);
        let highs = [1.0, 2.0, 5.0, 3.0, 4.0, 4.0, 3.0, 2.0];
        let found: Vec<_> = highs.map(|high| pivots.push(high, high - 1.0, 50.0 + high).0).into();
        assert_eq!(found[4], Some(Pivot { bar: 2, price: 5.0, rsi: 55.0 }));
        assert_eq!(found.iter().flatten().count(), 1, "two equal highs are no swing: {found:?}");
    }

    #[test]
    fn patterns_compare_the_last_two() {
        let mut pivots = Pivots::new(1);
        let mut higher = Vec::new();
        for low in [3.0, 1.0, 3.0, 2.0, 4.0, 1.5, 2.0] {
            pivots.push(10.0, low, f64::NAN);
            higher.push(pivots.higher_lows());
        }
        // Lows of 1, 2 and 1.5, each known one bar later.
        assert_eq!(higher, [false, false, false, false, true, true, false]);
        assert!(pivots.high().is_none());
    }
}
