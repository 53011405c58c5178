//! Winners, losers, and what they sum to.

use std::cmp::Ordering;

/// Whether a net P&L is a gain, a loss, or neither, after rounding to 1e-9 (backtest-semantics §8).
pub(super) fn verdict(pnl: f64) -> Ordering {
    // Adding 0 makes a negative zero positive.
    ((pnl * 1e9).round() + 0.0).total_cmp(&0.0)
}

/// Adds up outcomes of trades.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) winners: u64,
    pub(super) losers: u64,
    pub(super) breakeven: u64,
    /// Σ net P&L of winners.
    pub(super) won: f64,
    /// Σ net P&L of losers, negative.
    pub(super) lost: f64,
    /// Σ R.
    pub(super) r: f64,
}

impl Tally {
    /// Adds one outcome: net P&L in money, and R.
    pub(super) fn add(&mut self, pnl: f64, r: f64) {
        match verdict(pnl) {
            Ordering::Greater => {
                self.winners += 1;
                self.won += pnl;
            }
            Ordering::Less => {
                self.losers += 1;
                self.lost += pnl;
            }
            Ordering::Equal => self.breakeven += 1,
        }
        self.r += r;
    }

    pub(super) const fn trades(&self) -> u64 {
        self.winners + self.losers + self.breakeven
    }

    /// Winners ÷ trades; `None` without trades.
    pub(super) fn win_rate(&self) -> Option<f64> {
        self.per_trade(self.winners as f64)
    }

    /// Mean R; `None` without trades.
    pub(super) fn expectancy(&self) -> Option<f64> {
        self.per_trade(self.r)
    }

    /// Σ wins ÷ |Σ losses|; `None` where nothing was lost.
    pub(super) fn profit_factor(&self) -> Option<f64> {
        (self.losers > 0).then(|| self.won / -self.lost)
    }

    fn per_trade(&self, sum: f64) -> Option<f64> {
        (self.trades() > 0).then(|| sum / self.trades() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_half_of_a_billionth_is_nothing() {
        let verdicts = [6e-10, 4e-10, 0.0, -0.0, -4e-10, -6e-10].map(verdict);
        assert_eq!(
            verdicts,
            [Ordering::Greater, Ordering::Equal, Ordering::Equal, Ordering::Equal, Ordering::Equal, Ordering::Less]
        );
    }
}
