//! What kind of market it is.

use super::Directional;
use crate::backtest::Regime;

/// Bars before the current one whose mean ATR tells whether it is wild.
pub const ATR_MEAN_BARS: usize = 50;

/// What the regime is told from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegimeInputs {
    /// Trend.
    pub directional: Directional,
    /// Average true range of the bar, in price.
    pub atr: f64,
    /// Mean of it over the 50 bars before.
    pub atr_mean: f64,
    /// Close of the bar.
    pub close: f64,
}

/// The first that matches: a trend (ADX above 25) in the direction of the larger DI, volatile (ATR above twice its mean),
/// choppy (ADX below 20 and ATR above 1.5 % of the price), else ranging. All comparisons are strict.
pub fn regime(inputs: &RegimeInputs) -> Regime {
    let Directional { adx, plus, minus } = inputs.directional;
    if adx > 25.0 && plus > minus {
        Regime::TrendingUp
    } else if adx > 25.0 && plus < minus {
        Regime::TrendingDown
    } else if inputs.atr > 2.0 * inputs.atr_mean {
        Regime::Volatile
    } else if adx < 20.0 && 100.0 * inputs.atr / inputs.close > 1.5 {
        Regime::Choppy
    } else {
        Regime::Ranging
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_match_counts_and_edges_do_not_match() {
        let of = |adx, plus, minus, atr, close| {
            regime(&RegimeInputs { directional: Directional { adx, plus, minus }, atr, atr_mean: 1.0, close })
        };
        assert_eq!(of(25.1, 2.0, 1.0, 9.0, 10.0), Regime::TrendingUp, "before volatile");
        assert_eq!(of(25.1, 1.0, 2.0, 1.0, 1000.0), Regime::TrendingDown);
        assert_eq!(of(25.1, 2.0, 2.0, 1.0, 1000.0), Regime::Ranging, "no direction");
        assert_eq!(of(25.0, 2.0, 1.0, 1.0, 1000.0), Regime::Ranging);
        assert_eq!(of(19.9, 2.0, 1.0, 2.1, 10.0), Regime::Volatile, "before choppy");
        assert_eq!(of(19.9, 2.0, 1.0, 2.0, 100.0), Regime::Choppy);
        assert_eq!(of(20.0, 2.0, 1.0, 2.0, 100.0), Regime::Ranging);
        assert_eq!(of(19.9, 2.0, 1.0, 1.5, 100.0), Regime::Ranging);
    }
}
