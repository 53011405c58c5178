//! How far a win rate may be off.

use serde::Serialize;

/// From low to high, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The two-sided 95 % quantile of the normal distribution, as backtest-semantics §8 fixes it.
const Z: f64 = 1.959964;

/// The 95 % interval of a share of `count` in `of`: (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) ÷ (1 + z²/n) with p = count ÷ n.
/// `None` of nothing.
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). It takes trades for
/// independent; see [`super::EffectiveBets`] for how far they are.
pub(super) fn wilson(count: u64, of: u64) -> Option<Interval> {
    if of == 0 {
        return None;
    }
    let (n, p) = (of as f64, count as f64 / of as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some(Interval { low: ((centre - half) / scale).max(0.0), high: ((centre + half) / scale).min(1.0) })
}
