//! A close beyond the range of the bars before, on volume (detectors 7.1).

use super::common::{Core, DONCHIAN, HOURS, Near, OPENING_RANGE, PIVOTS, RELATIVE_VOLUME, STRUCTURAL, param_list};
use super::score::{at_least, bonus, flow_alignment, weights};
use super::twin::{Idea, twin};
use super::view::View;
use super::{Checks, DetectorSpec};
use crate::backtest::params::{ParamSpec, Values, number, params};
use crate::backtest::{ClassGate, OnceLevel, Side, StopRule, TargetRule};

params! {
    struct Own {
        /// relative volume must be above this
        rvol_min: f64 = number(1.5, "x", 0.0, 20.0, 0.1),
        /// the price must be farther than this from VWAP, on the trade's side
        vd_min: f64 = number(0.0, "%", 0.0, 10.0, 0.1),
        /// nearest stop
        stop_min_atr: f64 = number(0.5, "ATR", 0.05, 10.0, 0.05).needs(STRUCTURAL),
        /// farthest stop
        stop_atr: f64 = number(1.0, "ATR", 0.05, 10.0, 0.05).needs(STRUCTURAL),
        /// how far behind the broken level the stop lies
        level_buffer_atr: f64 = number(0.25, "ATR", 0.0, 10.0, 0.05).needs(STRUCTURAL),
        /// target in stop distances; alternative: 2
        target_r: f64 = number(1.5, "R", 0.1, 20.0, 0.1).needs(STRUCTURAL),
        /// a level this near to a traded one of the session is not traded again
        same_level_atr: f64 = number(0.25, "ATR", 0.0, 10.0, 0.05),
    }
}

const LONG_WEIGHTS: [ParamSpec; 5] = weights![
    volume_intensity 0.30, flow_alignment 0.25, vwap_strength 0.20, breakout_strength 0.15, mtf_alignment 0.10,
];
const SHORT_WEIGHTS: [ParamSpec; 5] = weights![
    volume_intensity 0.30, flow_alignment 0.25, vwap_weakness 0.20, breakdown_strength 0.15, mtf_alignment 0.10,
];

macro_rules! list {
    ($weights:expr) => {
        param_list!(
            [
                Own::SPECS,
                &$weights,
                HOURS,
                DONCHIAN,
                RELATIVE_VOLUME,
                PIVOTS,
                OPENING_RANGE,
                Near::SPECS
            ],
            { "cooldown_minutes": Integer(15), "max_trades_per_session": Integer(2), "max_bars": Integer(20) }
        )
    };
}

/// Upwards.
pub(super) const BULLISH: DetectorSpec = DetectorSpec {
    id: "breakout_bullish",
    help: "a close above the highs of the bars before, above VWAP, on volume",
    class: ClassGate::Equity,
    side: Some(Side::Long),
    params: list!(LONG_WEIGHTS),
    build: |values| twin(values, Side::Long, &LONG_WEIGHTS, Breakout::read(values)),
};

/// Downwards.
pub(super) const BEARISH: DetectorSpec = DetectorSpec {
    id: "breakout_bearish",
    help: "a close below the lows of the bars before, below VWAP, on volume",
    class: ClassGate::Equity,
    side: Some(Side::Short),
    params: list!(SHORT_WEIGHTS),
    build: |values| twin(values, Side::Short, &SHORT_WEIGHTS, Breakout::read(values)),
};

#[derive(Debug)]
struct Breakout {
    own: Own,
    near_pct: f64,
}

impl Breakout {
    fn read(values: &Values) -> Self {
        Self { own: Own::read(values), near_pct: Near::read(values).near_pct }
    }

    /// The level a breakout closes beyond; NaN where it is missing.
    fn level(view: View<'_>) -> f64 {
        view.pick(view.features.donchian_high, view.features.donchian_low).unwrap_or(f64::NAN)
    }
}

impl Idea<5> for Breakout {
    fn conditions(&self, view: View<'_>, core: &Core, checks: &mut Checks) -> Option<()> {
        let View { features, side } = view;
        let level = checks.input(view.pick(features.donchian_high, features.donchian_low));
        let rvol = checks.input(features.rvol);
        let vwap_distance = core.vwap_distance(features, checks);
        checks.given()?;
        checks.beyond(side, "close against the Donchian level", features.close, level)?;
        checks.above("relative volume", rvol, self.own.rvol_min)?;
        if let Some(distance) = vwap_distance {
            checks.beyond(side, "distance from VWAP, %", distance, view.gain(self.own.vd_min))?;
        }
        Some(())
    }

    fn factors(&self, view: View<'_>) -> [f64; 5] {
        let features = view.features;
        let rvol = features.rvol.unwrap_or(f64::NAN);
        let edge = features.opening_range.map(|range| view.pick(range.high, range.low));
        let swing = view.pick(features.swing_high, features.swing_low);
        let is_broken = view.gain(features.close) > view.gain(Self::level(view));
        [
            at_least(rvol, &[(4.0, 100.0), (2.5, 75.0), (1.5, 50.0)]).unwrap_or(33.0 * (rvol - 1.0)),
            flow_alignment(view),
            at_least(view.vwap_distance(), &[(1.5, 100.0), (1.0, 85.0), (0.5, 70.0), (0.2, 60.0), (0.0, 50.0)])
                .unwrap_or(0.0),
            50.0 + bonus(is_broken, 30.0)
                + bonus(view.is_near(edge, self.near_pct), 10.0)
                + bonus(view.is_near(swing, self.near_pct), 10.0),
            view.pick(features.mtf_rsi_long, features.mtf_rsi_short),
        ]
    }

    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        let level = view.behind(Self::level(view), self.own.level_buffer_atr * atr);
        let stop = StopRule::Level { level, min: self.own.stop_min_atr * atr, max: self.own.stop_atr * atr };
        (stop, TargetRule::R(self.own.target_r))
    }

    fn once(&self, view: View<'_>, atr: f64) -> Option<OnceLevel> {
        Some(OnceLevel { level: Self::level(view), within: self.own.same_level_atr * atr })
    }
}
