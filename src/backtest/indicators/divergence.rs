//! Divergence of price and RSI.

use std::collections::VecDeque;

use super::Pivot;
use crate::backtest::Side;
use crate::model::splits::Factor;

/// Bars, with the confirming one, in which a divergence counts.
const RECENT_BARS: u64 = 5;

/// Two swings `min` to `max` bars apart at which price and RSI moved apart: lower lows of the price over higher ones of RSI
/// (long), higher highs of the price under lower ones of RSI (short). The later swing was confirmed at most five bars ago,
/// the bar that confirmed it counted; the earlier one is any that lies at the right distance.
#[derive(Debug, Clone)]
pub struct Divergence {
    side: Side,
    min_bars: u64,
    max_bars: u64,
    swings: VecDeque<Pivot>,
    /// Bars since it was last confirmed.
    age: u64,
}

impl Divergence {
    /// That of swing lows (long) or swing highs (short).
    pub fn new(side: Side, min_bars: usize, max_bars: usize) -> Self {
        let (min_bars, max_bars) = (min_bars as u64, max_bars as u64);
        Self { side, min_bars, max_bars, swings: VecDeque::with_capacity(max_bars as usize), age: RECENT_BARS }
    }

    /// The next bar, with the swing it confirms.
    pub fn push(&mut self, confirmed: Option<Pivot>) {
        self.age = (self.age + 1).min(RECENT_BARS);
        let Some(later) = confirmed else { return };
        while self.swings.front().is_some_and(|swing| later.bar - swing.bar > self.max_bars) {
            self.swings.pop_front();
        }
        let sign = self.side.sign();
        let diverges = |earlier: &Pivot| {
            later.bar - earlier.bar >= self.min_bars
                && sign * later.price < sign * earlier.price
                && sign * later.rsi > sign * earlier.rsi
        };
        if self.swings.iter().any(diverges) {
            self.age = 0;
        }
        self.swings.push_back(later);
    }

    /// Whether there is one now.
    pub const fn holds(&self) -> bool {
        self.age < RECENT_BARS
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        for swing in &mut self.swings {
            swing.price = factor.price(swing.price);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(bar: u64, price: f64, rsi: f64) -> Option<Pivot> {
        Some(Pivot { bar, price, rsi })
    }

    #[test]
    fn it_counts_for_five_bars() {
        let mut bull = Divergence::new(Side::Long, 10, 20);
        bull.push(at(0, 10.0, 20.0));
        bull.push(at(10, 9.0, 25.0));
        for held in [true, true, true, true, true, false] {
            assert_eq!(bull.holds(), held);
            bull.push(None);
        }
    }

    #[test]
    fn distance_price_and_rsi_decide() {
        let holds = |side, later: Option<Pivot>| {
            let mut divergence = Divergence::new(side, 10, 20);
            divergence.push(at(0, 10.0, 50.0));
            divergence.push(at(4, 10.0, 50.0).filter(|_| false));
            divergence.push(later);
            divergence.holds()
        };
        assert!(holds(Side::Long, at(20, 9.0, 51.0)) && !holds(Side::Long, at(21, 9.0, 51.0)));
        assert!(!holds(Side::Long, at(9, 9.0, 51.0)), "too near");
        assert!(!holds(Side::Long, at(15, 10.0, 51.0)) && !holds(Side::Long, at(15, 9.0, 50.0)), "equal is neither");
        assert!(!holds(Side::Long, at(15, 9.0, f64::NAN)), "no RSI");
        assert!(holds(Side::Short, at(15, 11.0, 49.0)) && !holds(Side::Short, at(15, 9.0, 51.0)));
    }
}
