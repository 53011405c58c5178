//! How far trades went against and with the trader before they ended.

use std::cmp::Ordering;

use serde::Serialize;

use super::quantile::quantile;

/// A sample in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// A quarter lies below.
    pub p25: f64,
    /// Half lies below.
    pub median: f64,
    /// Three quarters lie below.
    pub p75: f64,
    /// Largest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
}

impl Spread {
    /// `None` of nothing.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        Some(Self {
            min: *values.first()?,
            p25: quantile(&values, 0.25)?,
            median: quantile(&values, 0.5)?,
            p75: quantile(&values, 0.75)?,
            max: *values.last()?,
            mean: values.iter().sum::<f64>() / values.len() as f64,
        })
    }
}

/// An excursion in R, of all trades and of those that won and lost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Excursion {
    /// Of all; `None` without trades.
    pub all: Option<Spread>,
    /// Of winners: how much room a stop must leave them.
    pub winners: Option<Spread>,
    /// Of losers: how much of a gain they had before.
    pub losers: Option<Spread>,
}

impl Excursion {
    /// Of pairs: whether a trade won or lost, and its excursion.
    pub(super) fn of(trades: impl Iterator<Item = (Ordering, f64)>) -> Self {
        let (mut all, mut winners, mut losers) = (Vec::new(), Vec::new(), Vec::new());
        for (won, excursion) in trades {
            all.push(excursion);
            match won {
                Ordering::Greater => winners.push(excursion),
                Ordering::Less => losers.push(excursion),
                Ordering::Equal => {}
            }
        }
        Self { all: Spread::of(all), winners: Spread::of(winners), losers: Spread::of(losers) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winners_and_losers_stand_apart_and_even_trades_count_in_all() {
        let found = Excursion::of(
            [(Ordering::Greater, -0.5), (Ordering::Less, -1.0), (Ordering::Equal, 0.0), (Ordering::Greater, -0.1)]
                .into_iter(),
        );
        let all = found.all.unwrap();
        assert_eq!((all.min, all.median, all.max, all.mean), (-1.0, -0.3, 0.0, -0.4));
        assert_eq!((found.winners.unwrap().min, found.losers.unwrap().max), (-0.5, -1.0));
        assert_eq!(Excursion::of(std::iter::empty()), Excursion { all: None, winners: None, losers: None });
    }
}
