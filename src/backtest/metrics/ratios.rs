//! Gains over what they were risked for: Sharpe, Sortino, and the moments of returns.

/// Fewer sessions are not annualised.
pub(super) const FEWEST_SESSIONS: usize = 20;

/// Moments of a sample of returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    /// How many returns.
    pub(super) count: f64,
    /// Their mean.
    pub(super) mean: f64,
    /// Their standard deviation, divided by n − 1.
    pub(super) sd: f64,
    /// Third central moment ÷ (second)^1.5, divided by n.
    pub(super) skewness: f64,
    /// Fourth central moment ÷ (second)², divided by n; 3 for a normal distribution.
    pub(super) kurtosis: f64,
}

impl Moments {
    /// `None` under 20 returns, or if they are all equal.
    pub(super) fn of(returns: &[f64]) -> Option<Self> {
        if returns.len() < FEWEST_SESSIONS {
            return None;
        }
        let count = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / count;
        let central = |power| returns.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / count;
        let variance = central(2);
        let sd = (variance * count / (count - 1.0)).sqrt();
        // Rounding alone leaves a spread this small between equal returns.
        (sd > 1e-12 * mean.abs()).then(|| Self {
            count,
            mean,
            sd,
            skewness: central(3) / variance.powf(1.5),
            kurtosis: central(4) / variance.powi(2),
        })
    }

    /// Mean ÷ standard deviation, per session.
    pub(super) fn sharpe(&self) -> f64 {
        self.mean / self.sd
    }
}

/// The Sharpe ratio a year: mean ÷ standard deviation · √periods, above a risk-free return of 0.
///
/// W. F. Sharpe, "The Sharpe ratio", Journal of Portfolio Management 21 (1994).
pub(super) fn sharpe(moments: &Moments, periods_per_year: f64) -> f64 {
    moments.sharpe() * periods_per_year.sqrt()
}

/// The Sortino ratio a year: mean ÷ √mean(min(r, 0)²) · √periods, over all sessions. `None` under 20 of them, or if none
/// lost.
///
/// F. A. Sortino and L. N. Price, "Performance measurement in a downside risk framework", Journal of Investing 3 (1994),
/// with a target of 0.
pub(super) fn sortino(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    if returns.len() < FEWEST_SESSIONS {
        return None;
    }
    let count = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / count;
    let downside = (returns.iter().map(|value| value.min(0.0).powi(2)).sum::<f64>() / count).sqrt();
    (downside > 0.0).then(|| mean / downside * periods_per_year.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_of_two_values_in_turn() {
        // Mean 0.01, deviations ±0.02 of 20 sessions; half of them lose 0.01.
        let returns: Vec<f64> = (0..20).map(|day| if day % 2 == 0 { 0.03 } else { -0.01 }).collect();
        let moments = Moments::of(&returns).unwrap();
        assert!((moments.sd - 0.02 * (20.0_f64 / 19.0).sqrt()).abs() < 1e-15);
        assert!(moments.skewness.abs() < 1e-9 && (moments.kurtosis - 1.0).abs() < 1e-9);
        assert!((sharpe(&moments, 252.0) - 0.5 * (19.0_f64 / 20.0 * 252.0).sqrt()).abs() < 1e-9);
        assert!((sortino(&returns, 365.0).unwrap() - (2.0_f64 * 365.0).sqrt()).abs() < 1e-9);
        assert_eq!((Moments::of(&returns[..19]), sortino(&returns[..19], 252.0)), (None, None));
        assert_eq!((Moments::of(&[0.1; 25]), sortino(&[0.1; 25], 252.0)), (None, None));
    }
}
