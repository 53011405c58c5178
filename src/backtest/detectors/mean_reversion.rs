//! A way back to VWAP in stocks and ETFs (detectors 7.2).

use super::common::{Core, DIVERGENCE, HOURS, PIVOTS, RELATIVE_VOLUME, param_list};
use super::reversion::{self, Overbought, Oversold, Reversion};
use super::score::{bias, bonus, regime_fit, rsi_extreme, volume_profile, vwap_deviation, weights};
use super::twin::{Idea, twin};
use super::view::View;
use super::{Checks, DetectorSpec};
use crate::backtest::params::{ParamSpec, Values, params, switch};
use crate::backtest::{ClassGate, Side, StopRule, TargetRule};

params! {
    struct Own {
        /// stricter variant: flow of option trades against the trade forbids it
        flow_veto: bool = switch(false),
    }
}

const WEIGHTS: [ParamSpec; 5] = weights![
    rsi_extreme 0.35, vwap_deviation 0.30, volume_profile 0.20, market_regime_suitability 0.10,
    reversal_confirmation 0.05,
];

macro_rules! list {
    ($limits:expr) => {
        param_list!(
            [
                $limits,
                reversion::Own::SPECS,
                Own::SPECS,
                &WEIGHTS,
                HOURS,
                RELATIVE_VOLUME,
                PIVOTS,
                DIVERGENCE
            ],
            { "cooldown_minutes": Integer(15), "max_trades_per_session": Integer(3), "max_bars": Integer(12) }
        )
    };
}

/// Up, after a fall.
pub(super) const LONG: DetectorSpec = DetectorSpec {
    id: "mean_reversion_long",
    help: "a low RSI far below VWAP, not in a downtrend: back to VWAP",
    class: ClassGate::Equity,
    side: Some(Side::Long),
    params: list!(Oversold::SPECS),
    build: |values| twin(values, Side::Long, &WEIGHTS, MeanReversion::read(values, Side::Long)),
};

/// Down, after a rise.
pub(super) const SHORT: DetectorSpec = DetectorSpec {
    id: "mean_reversion_short",
    help: "a high RSI far above VWAP, not in an uptrend: back to VWAP",
    class: ClassGate::Equity,
    side: Some(Side::Short),
    params: list!(Overbought::SPECS),
    build: |values| twin(values, Side::Short, &WEIGHTS, MeanReversion::read(values, Side::Short)),
};

#[derive(Debug)]
struct MeanReversion {
    reversion: Reversion,
    flow_veto: bool,
}

impl MeanReversion {
    fn read(values: &Values, side: Side) -> Self {
        Self { reversion: Reversion::read(values, side), flow_veto: Own::read(values).flow_veto }
    }
}

impl Idea<5> for MeanReversion {
    fn conditions(&self, view: View<'_>, core: &Core, checks: &mut Checks) -> Option<()> {
        self.reversion.conditions(view, core, checks)?;
        if self.flow_veto {
            let is_opposed = view.features.flow.is_some_and(|flow| bias(&flow) == Some(view.side.opposite()));
            checks.holds("flow not against the trade", !is_opposed)?;
        }
        Some(())
    }

    fn factors(&self, view: View<'_>) -> [f64; 5] {
        let features = view.features;
        let diverges = view.pick(features.bull_divergence, features.bear_divergence);
        [
            rsi_extreme(view),
            vwap_deviation(view, 40.0),
            volume_profile(features.rvol),
            regime_fit(view, 20.0, 50.0),
            50.0 + bonus(diverges, 30.0) + bonus(features.patient, 20.0),
        ]
    }

    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        self.reversion.levels(view, atr)
    }
}
