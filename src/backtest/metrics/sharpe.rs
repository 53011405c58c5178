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
