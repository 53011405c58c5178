//! Whether entries are better than random ones.

use serde::Serialize;

/// How trades compare with as many entries at random bars of the same symbol, clock slot and side, with the same exits and
/// costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RandomControl {
    /// How many times entries were drawn.
    pub draws: u64,
    /// Mean R of a trade over all draws.
    pub expectancy: f64,
    /// Share of draws whose Σ R is below that of the trades, equal ones counted by half; 0 to 1.
    pub percentile: f64,
    /// (1 + draws that did as well or better) ÷ (1 + draws): the chance to do as well with random entries.
    pub p_value: f64,
    /// The same after Benjamini–Hochberg over the detectors of the run: the smallest false discovery rate at which this
    /// one would count as found.
    pub adjusted_p_value: f64,
}

impl RandomControl {
    /// Of the Σ R of `trades` trades and that of each draw, not yet adjusted. `None` without draws or trades.
    ///
    /// p-value: A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application" (1997), §4.2; the trades count
    /// as one more draw, so that it is never 0.
    pub(super) fn of(sum_r: f64, trades: u64, draws: &[f64]) -> Option<Self> {
        if trades == 0 || draws.is_empty() {
            return None;
        }
        let count = draws.len() as f64;
        let below = draws.iter().filter(|draw| **draw < sum_r).count() as f64;
        let above = draws.iter().filter(|draw| **draw > sum_r).count() as f64;
        let equal = count - below - above;
        let p_value = (1.0 + above + equal) / (1.0 + count);
        Some(Self {
            draws: draws.len() as u64,
            expectancy: draws.iter().sum::<f64>() / count / trades as f64,
            percentile: (below + equal / 2.0) / count,
            p_value,
            adjusted_p_value: p_value,
        })
    }
}

/// Adjusts p-values of a run's detectors for their number: of m in ascending order, the i-th becomes the smallest
/// m·p₍ⱼ₎/j over j ≥ i, at most 1.
///
/// Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995).
pub(super) fn benjamini_hochberg<'a>(controls: impl Iterator<Item = &'a mut RandomControl>) {
    let mut controls: Vec<_> = controls.collect();
    controls.sort_by(|a, b| b.p_value.total_cmp(&a.p_value));
    let count = controls.len();
    let mut smallest: f64 = 1.0;
    for (place, control) in controls.into_iter().enumerate() {
        smallest = smallest.min(control.p_value * count as f64 / (count - place) as f64);
        control.adjusted_p_value = smallest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_are_ranked_among_the_draws() {
        let found = RandomControl::of(2.0, 4, &[0.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!((found.draws, found.expectancy), (4, 1.5 / 4.0));
        assert_eq!(found.percentile, 0.625, "two below and half of an equal one");
        assert_eq!(found.p_value, 0.6, "two as good or better, and the trades themselves");
        let best = RandomControl::of(9.0, 4, &[0.0; 199]).unwrap();
        assert_eq!((best.percentile, best.p_value), (1.0, 1.0 / 200.0));
        assert_eq!(RandomControl::of(0.0, 0, &[0.0]), None);
        assert_eq!(RandomControl::of(1.0, 1, &[]), None);
    }

    #[test]
    fn the_false_discovery_rate_grows_with_the_number_of_detectors() {
        let with = |p_value| RandomControl { p_value, ..RandomControl::of(1.0, 1, &[0.0]).unwrap() };
        let mut controls = [0.04, 0.01, 0.9, 0.03].map(with);
        benjamini_hochberg(controls.iter_mut());
        let adjusted = controls.map(|control| control.adjusted_p_value);
        // 0.01·4/1, then 0.03·4/2 = 0.06 which 0.04·4/3 undercuts.
        for (found, expected) in adjusted.into_iter().zip([0.16 / 3.0, 0.04, 0.9, 0.16 / 3.0]) {
            assert!((found - expected).abs() < 1e-12);
        }
    }
}
