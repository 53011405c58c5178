//! Scores: weights of factors, and the factor functions several detectors share (detectors 5).

use super::Factors;
use super::view::View;
use crate::backtest::params::{ParamSpec, Values, number};
use crate::backtest::{Flow, Known, Regime, Side};

/// The weights of a score's factors as parameters `w_<factor>`.
macro_rules! weights {
    ($($factor:ident $weight:literal),+ $(,)?) => {
        [$($crate::backtest::detectors::score::weight(concat!("w_", stringify!($factor)), $weight)),+]
    };
}

pub(super) use weights;

pub(super) const fn weight(name: &'static str, default: f64) -> ParamSpec {
    number(default, "", 0.0, 1.0, 0.05).named(name, "weight of this factor in the score; all of them sum to 1")
}

/// The weights of a score, with the names of its factors.
#[derive(Debug, Clone)]
pub(super) struct Weights<const N: usize> {
    names: [&'static str; N],
    weights: [f64; N],
}

impl<const N: usize> Weights<N> {
    /// Their values.
    pub fn read(values: &Values, specs: &'static [ParamSpec; N]) -> Self {
        let name = |at: usize| specs[at].name.trim_start_matches("w_");
        Self { names: std::array::from_fn(name), weights: std::array::from_fn(|at| values.get(specs[at].name)) }
    }

    /// The score of factors, each clamped to 0 to 100.
    pub fn score(&self, values: [f64; N], factors: &mut Factors) -> f64 {
        for (at, value) in values.into_iter().enumerate() {
            factors.add(self.names[at], self.weights[at], value);
        }
        factors.sum()
    }
}

/// The value of the first step that is reached, from the top.
pub(super) fn at_least(value: f64, steps: &[(f64, f64)]) -> Option<f64> {
    steps.iter().find(|(edge, _)| value >= *edge).map(|(_, of_step)| *of_step)
}

/// The value of the first step that is not exceeded, from the top.
pub(super) fn at_most(value: f64, steps: &[(f64, f64)]) -> Option<f64> {
    steps.iter().find(|(edge, _)| value <= *edge).map(|(_, of_step)| *of_step)
}

/// `points` where something is so, else nothing.
pub(super) fn bonus(so: bool, points: f64) -> f64 {
    if so { points } else { 0.0 }
}

/// How far RSI has gone against the side.
pub(super) fn rsi_extreme(view: View<'_>) -> f64 {
    let rsi = view.rsi();
    at_most(rsi, &[(20.0, 100.0), (25.0, 85.0), (30.0, 70.0), (35.0, 55.0)])
        .unwrap_or_else(|| (100.0 - 2.0 * rsi).max(0.0))
}

/// How far the price is from VWAP. An unknown distance, possible outside regular hours only, speaks for nothing.
pub(super) fn vwap_deviation(view: View<'_>, slope: f64) -> f64 {
    let Ok(distance) = view.features.vwap_distance.map(f64::abs) else { return 0.0 };
    at_least(distance, &[(1.5, 100.0), (1.0, 85.0), (0.5, 70.0), (0.3, 55.0)]).unwrap_or(slope * distance)
}

/// How much is traded.
pub(super) fn volume_profile(rvol: Known) -> f64 {
    let rvol = rvol.unwrap_or(f64::NAN);
    at_least(rvol, &[(2.0, 100.0), (1.5, 80.0), (1.2, 65.0)]).unwrap_or(50.0 * rvol)
}

/// How well the kind of market suits a way back to the mean.
pub(super) fn regime_fit(view: View<'_>, against: f64, unknown: f64) -> f64 {
    match view.features.regime {
        Ok(Regime::Ranging) => 100.0,
        Ok(Regime::Choppy) => 90.0,
        Ok(Regime::Volatile) => 70.0,
        Ok(regime) if regime.is_trend_of(view.side) => 60.0,
        Ok(_) => against,
        Err(_) => unknown,
    }
}

/// The side that option buyers take; `None`: neither.
pub(super) fn bias(flow: &Flow) -> Option<Side> {
    if flow.buy_share >= 0.6 {
        Some(Side::Long)
    } else if flow.buy_share <= 0.4 {
        Some(Side::Short)
    } else {
        None
    }
}

/// How far the flow of option trades agrees.
pub(super) fn flow_alignment(view: View<'_>) -> f64 {
    let Some(flow) = view.features.flow else { return 50.0 };
    let bias = bias(&flow);
    if bias == Some(view.side.opposite()) {
        return 30.0;
    }
    let agrees = bias.is_some();
    let reasons = [
        (agrees && flow.score > 70.0, 100.0),
        (flow.sweeps > 3, 90.0),
        (agrees && flow.score > 60.0, 85.0),
        (flow.sweeps > 0, 70.0),
        (!agrees, 60.0),
    ];
    reasons.iter().find(|(so, _)| *so).map_or(50.0, |(_, points)| *points)
}
