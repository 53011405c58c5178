//! All detectors of a run together.

use serde::Serialize;

use super::detector::DetectorStats;

/// All detectors of a run together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Detectors of the run, with and without trades.
    pub total_detectors: u64,
    /// Trades of all of them.
    pub total_trades: u64,
    /// Winners of all ÷ trades of all; `None` without trades.
    pub overall_win_rate: Option<f64>,
    /// The detector with the highest lower bound of expectancy among those with 10 trades or more; the first of equal ones.
    pub best_detector: Option<&'static str>,
    /// The one with the lowest.
    pub worst_detector: Option<&'static str>,
    /// Mean profit factor of the detectors that have one, each counting the same.
    pub avg_profit_factor: Option<f64>,
    /// Detectors without a profit factor.
    pub undefined_profit_factors: u64,
    /// Mean expectancy of the detectors that have one, each counting the same.
    pub avg_expectancy: Option<f64>,
    /// Detectors without an expectancy.
    pub undefined_expectancies: u64,
}

/// Sums up the statistics of a run's detectors.
pub fn summary(detectors: &[DetectorStats]) -> Summary {
    let total_trades = detectors.iter().map(|stats| stats.total_trades).sum::<u64>();
    let winners = detectors.iter().map(|stats| stats.winners).sum::<u64>();
    let (avg_profit_factor, undefined_profit_factors) = mean(detectors.iter().map(|stats| stats.profit_factor));
    let (avg_expectancy, undefined_expectancies) = mean(detectors.iter().map(|stats| stats.expectancy));
    let ranked = || detectors.iter().filter_map(|stats| Some((stats.detector, stats.rank()?)));
    Summary {
        total_detectors: detectors.len() as u64,
        total_trades,
        overall_win_rate: (total_trades > 0).then(|| winners as f64 / total_trades as f64),
        // Of equal ones `max_by` takes the last: so the other way round.
        best_detector: ranked().rev().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(detector, _)| detector),
        worst_detector: ranked().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(detector, _)| detector),
        avg_profit_factor,
        undefined_profit_factors,
        avg_expectancy,
        undefined_expectancies,
    }
}

/// The mean of the values that are there, and how many are not.
fn mean(values: impl Iterator<Item = Option<f64>>) -> (Option<f64>, u64) {
    let (mut sum, mut defined, mut undefined) = (0.0, 0_u64, 0);
    for value in values {
        match value {
            Some(value) => (sum, defined) = (sum + value, defined + 1),
            None => undefined += 1,
        }
    }
    ((defined > 0).then(|| sum / defined as f64), undefined)
}
