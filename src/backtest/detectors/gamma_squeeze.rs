//! A price drawn to a wall of gamma while dealers are short gamma (detectors 7.4; Baltussen, Da, Lammers, Martens 2021):
//! hedging amplifies the move. Both sides ask for negative gamma and differ in the approach.

use super::common::{APPROACH, Core, RELATIVE_VOLUME, STRUCTURAL, ScoreProfile, Scoring, param_list};
use super::score::{at_least, at_most, weights};
use super::twin::{Idea, twin};
use super::view::View;
use super::{Checks, DetectorSpec};
use crate::backtest::options::{ChainView, GammaView};
use crate::backtest::params::{Need, ParamSpec, Values, choice, choices, integer, number, params};
use crate::backtest::{ClassGate, Features, Input, Known, Side, StopRule, TargetRule};

choices! {
    /// Where the target lies.
    enum TargetMode {
        /// At a multiple of the stop distance.
        R = "r",
        /// Past the wall.
        Wall = "wall",
    }
}

const R_TARGET: &[Need] = &[STRUCTURAL[0], ("target_mode", &["r"])];
const WALL_TARGET: &[Need] = &[STRUCTURAL[0], ("target_mode", &["wall"])];

params! {
    struct Own {
        /// net gamma exposure must be below this
        net_gex_max: f64 = number(0.0, "dollars per 1 %", -1e12, 1e12, 1e8),
        /// the wall must be nearer than this
        wall_distance_max_pct: f64 = number(0.5, "%", 0.0, 20.0, 0.1),
        /// relative volume of the proxy must be at least this
        rvol_min: f64 = number(1.3, "x", 0.0, 20.0, 0.1),
        /// first minute of the window, on the scale of a full session
        minute_min: i32 = integer(300, "minutes from the open", 0, 390, 15),
        /// stop
        stop_atr: f64 = number(0.75, "ATR", 0.05, 10.0, 0.05).needs(STRUCTURAL),
        /// where the target lies: at a multiple of the stop distance, or past the wall
        target_mode: TargetMode = choice(TargetMode::WORDS).needs(STRUCTURAL),
        /// target in stop distances
        target_r: f64 = number(1.5, "R", 0.1, 20.0, 0.1).needs(R_TARGET),
        /// how far past the wall the target lies
        wall_overshoot_pct: f64 = number(0.25, "%", 0.0, 20.0, 0.05).needs(WALL_TARGET),
    }
}

const WEIGHTS: [ParamSpec; 5] = weights![
    gamma_wall_proximity 0.30, dealer_gamma_exposure 0.25, call_put_skew 0.20, time_decay_acceleration 0.15,
    volume_surge 0.10,
];

const PARAMS: &[ParamSpec] = param_list!(
    [Own::SPECS, &WEIGHTS, Scoring::SPECS, APPROACH, RELATIVE_VOLUME],
    { "cooldown_minutes": Integer(45), "max_trades_per_session": Integer(2), "flat_by": Integer(5) }
);

/// Upwards, to the call wall.
pub(super) const BULLISH: DetectorSpec = DetectorSpec {
    id: "gamma_squeeze_bullish",
    help: "a rise toward the call wall late in the day while net gamma exposure is negative",
    class: ClassGate::Index,
    side: Some(Side::Long),
    params: PARAMS,
    build: |values| twin(values, Side::Long, &WEIGHTS, GammaSqueeze::read(values)),
};

/// Downwards, to the put wall.
pub(super) const BEARISH: DetectorSpec = DetectorSpec {
    id: "gamma_squeeze_bearish",
    help: "a fall toward the put wall late in the day while net gamma exposure is negative",
    class: ClassGate::Index,
    side: Some(Side::Short),
    params: PARAMS,
    build: |values| twin(values, Side::Short, &WEIGHTS, GammaSqueeze::read(values)),
};

#[derive(Debug)]
struct GammaSqueeze {
    own: Own,
    is_compat: bool,
}

impl GammaSqueeze {
    fn read(values: &Values) -> Self {
        let is_compat = Scoring::read(values).score_profile == ScoreProfile::Compat;
        Self { own: Own::read(values), is_compat }
    }

    fn gamma(features: &Features) -> Known<GammaView> {
        features.chain.and_then(|chain| chain.gamma)
    }

    /// The wall in the trade's direction; NaN where there is none.
    fn wall(view: View<'_>) -> f64 {
        let wall = |gamma: GammaView| view.pick(gamma.call_wall, gamma.put_wall);
        Self::gamma(view.features).ok().and_then(wall).unwrap_or(f64::NAN)
    }

    fn call_volume_share(chain: ChainView) -> Known {
        chain.call_volume_share.ok_or(Input::OptionMinutes)
    }
}

impl Idea<5> for GammaSqueeze {
    fn first(&self, features: &Features) -> Known<()> {
        Self::gamma(features).map(|_| ())
    }

    fn conditions(&self, view: View<'_>, _core: &Core, checks: &mut Checks) -> Option<()> {
        let View { features, side } = view;
        let net_gex = checks.input(Self::gamma(features).map(|gamma| gamma.net_gex));
        checks.need(features.chain.and_then(Self::call_volume_share));
        let rvol = checks.input(features.rvol);
        let approach_close = checks.input(features.approach_close);
        checks.given()?;
        checks.below("net gamma exposure", net_gex, self.own.net_gex_max)?;
        let wall = Self::wall(view);
        checks.beyond(side, "wall against the close", wall, features.close)?;
        checks.below("distance from the wall, %", view.distance_pct(wall), self.own.wall_distance_max_pct)?;
        checks.beyond(side, "close against the close before the approach", features.close, approach_close)?;
        checks.at_least("relative volume", rvol, self.own.rvol_min)?;
        let late_minute = features.late_minute.map_or(f64::NAN, f64::from);
        checks.at_least("minute, counted from the close", late_minute, self.own.minute_min.into())
    }

    fn factors(&self, view: View<'_>) -> [f64; 5] {
        let features = view.features;
        let gamma = Self::gamma(features);
        let exposure = if self.is_compat {
            50.0 - view.gain(gamma.map_or(f64::NAN, |gamma| gamma.net_gex)) / 20.0
        } else {
            gamma.map_or(f64::NAN, |gamma| gamma.negative_gex_rank.percentile)
        };
        let calls = features.chain.and_then(Self::call_volume_share).unwrap_or(f64::NAN);
        let minutes_to_expiry = features.chain.map_or(f64::NAN, |chain| chain.minutes_to_expiry);
        let rvol = features.rvol.unwrap_or(f64::NAN);
        [
            100.0 - 200.0 * view.distance_pct(Self::wall(view)),
            exposure,
            at_least(view.pick(calls, 1.0 - calls), &[(0.60, 100.0), (0.55, 75.0), (0.50, 50.0)]).unwrap_or(30.0),
            at_most(minutes_to_expiry, &[(30.0, 100.0), (60.0, 85.0), (120.0, 70.0), (240.0, 55.0)])
                .unwrap_or(100.0 - minutes_to_expiry / 5.0),
            at_least(rvol, &[(3.0, 100.0), (2.0, 80.0), (1.5, 60.0)]).unwrap_or(40.0 * rvol),
        ]
    }

    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        let target = match self.own.target_mode {
            TargetMode::R => TargetRule::R(self.own.target_r),
            TargetMode::Wall => {
                let level = Self::wall(view) * (1.0 + view.gain(self.own.wall_overshoot_pct / 100.0));
                TargetRule::Level { level, cap: f64::INFINITY }
            }
        };
        (StopRule::Distance(self.own.stop_atr * atr), target)
    }
}
