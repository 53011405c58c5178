//! Whether a higher score is worth more.

use serde::Serialize;

/// Trades of a tenth of the scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decile {
    /// 1 holds the lowest scores, 10 the highest.
    pub decile: u32,
    /// Lowest score in it.
    pub score_low: f64,
    /// Highest score in it.
    pub score_high: f64,
    /// How many trades.
    pub trades: u64,
    /// Their mean R.
    pub mean_r: f64,
}

/// Mean R by score decile, of pairs of score and R. Of n trades, one at rank i (1 to n, equal scores sharing the mean of
/// theirs) is in decile ⌊10·(i − ½)/n⌋ + 1: equal scores are never torn apart, and deciles that nothing falls into are
/// left out.
pub(super) fn calibration(mut trades: Vec<(f64, f64)>) -> Vec<Decile> {
    trades.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut deciles = Vec::<Decile>::new();
    let mut before = 0;
    for equal in trades.chunk_by(|a, b| a.0 == b.0) {
        let middle = before as f64 + equal.len() as f64 / 2.0;
        let place = ((10.0 * middle / trades.len() as f64) as u32).min(9) + 1;
        let score = equal[0].0;
        if deciles.last().is_none_or(|last| last.decile != place) {
            deciles.push(Decile { decile: place, score_low: score, score_high: score, trades: 0, mean_r: 0.0 });
        }
        let decile = deciles.last_mut().expect("Invariant: one was pushed");
        decile.score_high = score;
        decile.trades += equal.len() as u64;
        // A sum until all are counted.
        decile.mean_r += equal.iter().map(|(_, r)| r).sum::<f64>();
        before += equal.len();
    }
    for decile in &mut deciles {
        decile.mean_r /= decile.trades as f64;
    }
    deciles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_scores_are_ten_deciles() {
        let found = calibration((0..20).map(|place| (f64::from(place / 2 + 60), f64::from(place))).collect());
        assert_eq!(found.len(), 10);
        for (place, decile) in found.iter().enumerate() {
            let mean = 2.0 * place as f64 + 0.5;
            assert_eq!((decile.decile, decile.trades, decile.mean_r), (place as u32 + 1, 2, mean));
            assert_eq!((decile.score_low, decile.score_high), (place as f64 + 60.0, place as f64 + 60.0));
        }
    }

    #[test]
    fn equal_scores_stay_together() {
        // Ranks 1 to 8 share 4.5: of ten trades they are in decile ⌊10·4/10⌋ + 1.
        let mut trades = vec![(70.0, 1.0); 8];
        trades.extend([(80.0, -1.0), (90.0, 3.0)]);
        let found = calibration(trades);
        let deciles: Vec<_> = found.iter().map(|decile| (decile.decile, decile.trades, decile.mean_r)).collect();
        assert_eq!(deciles, [(5, 8, 1.0), (9, 1, -1.0), (10, 1, 3.0)]);
        assert_eq!(calibration(vec![(70.0, 1.0); 3]).len(), 1);
        assert!(calibration(Vec::new()).is_empty());
    }
}
