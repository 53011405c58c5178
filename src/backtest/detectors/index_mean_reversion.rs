//! A way back to VWAP in cash indices, whose volume and VWAP are their proxy's (detectors 7.6).

use super::common::{Core, HOURS, RELATIVE_VOLUME, param_list};
use super::reversion::{self, Overbought, Oversold, Reversion};
use super::score::{regime_fit, rsi_extreme, volume_profile, vwap_deviation, weights};
use super::twin::{Idea, twin};
use super::view::View;
use super::{Checks, DetectorSpec};
use crate::backtest::params::ParamSpec;
use crate::backtest::{ClassGate, Side, StopRule, TargetRule};

const WEIGHTS: [ParamSpec; 5] = weights![
    vwap_deviation_magnitude 0.30, rsi_extreme 0.25, volume_profile 0.20, market_regime_suitability 0.15,
    time_based_probability 0.10,
];

macro_rules! list {
    ($limits:expr) => {
        param_list!(
            [$limits, reversion::Own::SPECS, &WEIGHTS, HOURS, RELATIVE_VOLUME],
            { "cooldown_minutes": Integer(10), "max_trades_per_session": Integer(3), "max_bars": Integer(12) }
        )
    };
}

/// Up, after a fall.
pub(super) const LONG: DetectorSpec = DetectorSpec {
    id: "index_mean_reversion_long",
    help: "an index with a low RSI whose proxy is far below VWAP, not in a downtrend: back to VWAP",
    class: ClassGate::Index,
    side: Some(Side::Long),
    params: list!(Oversold::SPECS),
    build: |values| twin(values, Side::Long, &WEIGHTS, IndexMeanReversion(Reversion::read(values, Side::Long))),
};

/// Down, after a rise.
pub(super) const SHORT: DetectorSpec = DetectorSpec {
    id: "index_mean_reversion_short",
    help: "an index with a high RSI whose proxy is far above VWAP, not in an uptrend: back to VWAP",
    class: ClassGate::Index,
    side: Some(Side::Short),
    params: list!(Overbought::SPECS),
    build: |values| twin(values, Side::Short, &WEIGHTS, IndexMeanReversion(Reversion::read(values, Side::Short))),
};

#[derive(Debug)]
struct IndexMeanReversion(Reversion);

impl Idea<5> for IndexMeanReversion {
    fn conditions(&self, view: View<'_>, core: &Core, checks: &mut Checks) -> Option<()> {
        self.0.conditions(view, core, checks)
    }

    fn factors(&self, view: View<'_>) -> [f64; 5] {
        // Outside regular hours there is no minute, and no window holds it.
        let time = match view.features.minute {
            Some(60..=240) => 100.0,
            Some(30..=300) => 80.0,
            _ => 60.0,
        };
        [
            vwap_deviation(view, 50.0),
            rsi_extreme(view),
            volume_profile(view.features.rvol),
            regime_fit(view, 40.0, 40.0),
            time,
        ]
    }

    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        self.0.levels(view, atr)
    }
}
