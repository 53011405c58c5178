//! How R is distributed.

use serde::Serialize;

/// Trades with R in [low, high).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bin {
    /// Lower end, in it; `None`: no end.
    pub low: Option<f64>,
    /// Upper end, not in it; `None`: no end.
    pub high: Option<f64>,
    /// How many trades.
    pub trades: u64,
}

const LOWEST: f64 = -3.25;
const WIDTH: f64 = 0.5;
/// Bins with two ends, up to 5.25.
const CLOSED: usize = 17;

/// Counts R in fixed bins half an R wide, with open ones at both ends. Multiples of half an R are in their middles, so that
/// a full stop (−1) or target (2) does not fall into either of two by its last bit.
pub(super) fn histogram(r: impl Iterator<Item = f64>) -> Vec<Bin> {
    let edge = |index: usize| LOWEST + WIDTH * index as f64;
    let mut bins: Vec<Bin> = (0..CLOSED + 2)
        .map(|index| Bin {
            low: index.checked_sub(1).map(edge),
            high: (index <= CLOSED).then(|| edge(index)),
            trades: 0,
        })
        .collect();
    for r in r {
        let place = ((r - LOWEST) / WIDTH).floor() + 1.0;
        bins[place.clamp(0.0, (CLOSED + 1) as f64) as usize].trades += 1;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_and_targets_fall_into_the_middle_of_a_bin() {
        let near = [-1.0, -1.0 - 1e-12, -1.0 + 1e-12, 2.0, -40.0, 5.25, f64::from(f32::MAX), -3.25, -0.75];
        let bins = histogram(near.into_iter());
        let of = |low: Option<f64>| bins.iter().find(|bin| bin.low == low).unwrap();
        assert_eq!((of(Some(-1.25)).high, of(Some(-1.25)).trades), (Some(-0.75), 3));
        assert_eq!((of(Some(1.75)).high, of(Some(1.75)).trades), (Some(2.25), 1));
        assert_eq!((of(None).high, of(None).trades), (Some(-3.25), 1));
        assert_eq!((of(Some(5.25)).high, of(Some(5.25)).trades), (None, 2), "an end belongs to the bin above");
        assert_eq!((of(Some(-3.25)).trades, of(Some(-0.75)).trades), (1, 1));
        assert!(bins.windows(2).all(|pair| pair[0].high == pair[1].low) && bins.len() == 19);
    }
}
