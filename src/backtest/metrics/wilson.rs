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
    // At 0 and 1 the share is an end of its interval, whatever rounding makes of it.
    Some(Interval { low: ((centre - half) / scale).clamp(0.0, p), high: ((centre + half) / scale).clamp(p, 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // 1 of 2: (½ + z²/4 ± z·√(1/8 + z²/16)) ÷ (1 + z²/2).
        let half = wilson(1, 2).unwrap();
        assert!((half.low - 0.09453120).abs() < 1e-7 && (half.high - 0.90546880).abs() < 1e-7);
        let none = wilson(0, 10).unwrap();
        assert!(none.low == 0.0 && (none.high - Z * Z / (10.0 + Z * Z)).abs() < 1e-12, "z²/(n + z²) of no winner");
        assert_eq!(wilson(10, 10).unwrap().high, 1.0);
        assert_eq!(wilson(0, 0), None);
    }
}
