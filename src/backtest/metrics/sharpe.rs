//! Whether a Sharpe ratio is more than chance, and more than the best of many tries.

use std::f64::consts::E;

use super::normal::{normal_below, normal_quantile};
use super::ratios::Moments;

/// Euler–Mascheroni.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// The probability that the true Sharpe ratio is above `benchmark` (both per session):
/// Φ((s − s*)·√(n − 1) ÷ √(1 − γ₃·s + (γ₄ − 1)/4·s²)), γ₃ the skewness and γ₄ the kurtosis. `None` if that root is 0.
///
/// D. H. Bailey and M. López de Prado, "The Sharpe ratio efficient frontier", Journal of Risk 15 (2012).
pub(super) fn probabilistic_sharpe(moments: &Moments, benchmark: f64) -> Option<f64> {
    let s = moments.sharpe();
    let spread = (1.0 - moments.skewness * s + (moments.kurtosis - 1.0) / 4.0 * s * s).max(0.0).sqrt();
    (spread > 0.0).then(|| normal_below((s - benchmark) * (moments.count - 1.0).sqrt() / spread))
}

/// The Sharpe ratio per session that the best of `trials` without any skill is expected to show:
/// σ·((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))), γ of Euler–Mascheroni. `None` for a single trial.
///
/// D. H. Bailey and M. López de Prado, "The deflated Sharpe ratio", Journal of Portfolio Management 40 (2014), with
/// σ = 1/√(n − 1): one portfolio shows no spread between trials, so that of the estimate of a ratio of 0 is taken. Trials
/// that resemble one another spread less, and the figure errs on the careful side.
pub(super) fn expected_best_sharpe(trials: u64, sessions: f64) -> Option<f64> {
    if trials < 2 {
        return None;
    }
    let n = trials as f64;
    let best = (1.0 - GAMMA) * normal_quantile(1.0 - 1.0 / n) + GAMMA * normal_quantile(1.0 - 1.0 / (n * E));
    Some(best / (sessions - 1.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_many_tries_looks_better() {
        assert_eq!(expected_best_sharpe(1, 100.0), None);
        assert_eq!(expected_best_sharpe(0, 100.0), None);
        // Of two, Φ⁻¹(½) is 0: γ·Φ⁻¹(1 − 1/(2e)) ÷ √100.
        let two = expected_best_sharpe(2, 101.0).unwrap();
        assert!((two - GAMMA * normal_quantile(1.0 - 1.0 / (2.0 * E)) / 10.0).abs() < 1e-12);
        let (ten, thousand) = (expected_best_sharpe(10, 101.0).unwrap(), expected_best_sharpe(1000, 101.0).unwrap());
        assert!(two < ten && ten < thousand);
        // The mean of the largest of ten normal values is 1.5388.
        assert!((10.0 * ten - 1.5388).abs() < 0.05);
    }

    /// The example of the paper of 2014: 1250 daily returns with a Sharpe ratio of 2.5 a year (250 days), skewness −3, kurtosis
    /// 10, and a best of 100 tries of 0.1132 a day give 0.9004.
    #[test]
    fn the_papers_example_comes_out() {
        let sharpe = 2.5 / 250.0_f64.sqrt();
        let moments = Moments { count: 1250.0, mean: sharpe, sd: 1.0, skewness: -3.0, kurtosis: 10.0 };
        assert!((probabilistic_sharpe(&moments, 0.1132).unwrap() - 0.9004).abs() < 5e-4);
        // Its tries have a variance of ½ a year, 1/500 a day.
        let best = expected_best_sharpe(100, 501.0).unwrap();
        assert!((best - 0.1132).abs() < 1e-4);
    }
}
