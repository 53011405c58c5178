//! A cross of the level at which net gamma exposure changes its sign (detectors 7.8). Above it dealers are usually taken to
//! be long gamma, which damps moves: the bullish half rests on weaker theory.

use super::common::{Core, RELATIVE_VOLUME, STRUCTURAL, ScoreProfile, Scoring, param_list};
use super::score::{at_most, weights};
use super::twin::{Idea, twin};
use super::view::View;
use super::{Checks, DetectorSpec};
use crate::backtest::options::FlipView;
use crate::backtest::params::{ParamSpec, Values, integer, number, params};
use crate::backtest::{ClassGate, Features, Known, Side, StopRule, TargetRule};

params! {
    struct Own {
        /// an expiry must be nearer than this, or today
        mte_max: f64 = number(480.0, "minutes", 1.0, 50_000.0, 30.0),
        /// how far on either side of the level the closes before and after the cross must lie
        cross_margin_pct: f64 = number(0.02, "%", 0.0, 10.0, 0.01),
        /// first minute of the window, on the scale of a full session
        minute_min: i32 = integer(210, "minutes from the open", 0, 390, 15),
        /// how far behind the level the stop lies
        level_stop_atr: f64 = number(0.5, "ATR", 0.0, 10.0, 0.05).needs(STRUCTURAL),
        /// nearest stop
        stop_min_atr: f64 = number(0.5, "ATR", 0.05, 10.0, 0.05).needs(STRUCTURAL),
        /// farthest stop
        stop_max_atr: f64 = number(1.5, "ATR", 0.05, 20.0, 0.05).needs(STRUCTURAL),
        /// target in stop distances
        target_r: f64 = number(2.0, "R", 0.1, 20.0, 0.1).needs(STRUCTURAL),
    }
}

const WEIGHTS: [ParamSpec; 5] = weights![
    gamma_flip_significance 0.35, time_to_expiry 0.25, dealer_hedging_pressure 0.20, options_volume 0.15,
    price_momentum 0.05,
];

const PARAMS: &[ParamSpec] = param_list!(
    [Own::SPECS, &WEIGHTS, Scoring::SPECS, RELATIVE_VOLUME],
    { "cooldown_minutes": Integer(60), "max_trades_per_session": Integer(1), "flat_by": Integer(5) }
);

/// Upwards.
pub(super) const BULLISH: DetectorSpec = DetectorSpec {
    id: "gamma_flip_bullish",
    help: "a cross of the gamma flip level from below, near an expiry",
    class: ClassGate::Index,
    side: Some(Side::Long),
    params: PARAMS,
    build: |values| twin(values, Side::Long, &WEIGHTS, GammaFlip::read(values)),
};

/// Downwards.
pub(super) const BEARISH: DetectorSpec = DetectorSpec {
    id: "gamma_flip_bearish",
    help: "a cross of the gamma flip level from above, near an expiry",
    class: ClassGate::Index,
    side: Some(Side::Short),
    params: PARAMS,
    build: |values| twin(values, Side::Short, &WEIGHTS, GammaFlip::read(values)),
};

#[derive(Debug)]
struct GammaFlip {
    own: Own,
    is_compat: bool,
}

impl GammaFlip {
    fn read(values: &Values) -> Self {
        let is_compat = Scoring::read(values).score_profile == ScoreProfile::Compat;
        Self { own: Own::read(values), is_compat }
    }

    fn flip(features: &Features) -> Known<Option<FlipView>> {
        features.chain.and_then(|chain| chain.flip)
    }
}

impl Idea<5> for GammaFlip {
    fn first(&self, features: &Features) -> Known<()> {
        Self::flip(features).map(|_| ())
    }

    fn conditions(&self, view: View<'_>, _core: &Core, checks: &mut Checks) -> Option<()> {
        let View { features, side } = view;
        let flip = checks.need(Self::flip(features)).flatten();
        checks.need(features.chain.and_then(|chain| chain.gamma));
        checks.need(features.chain.and_then(|chain| chain.volume_ratio));
        checks.need(features.rvol);
        let chain = checks.need(features.chain);
        checks.given()?;
        let is_near_expiry =
            chain.is_some_and(|chain| chain.expires_today || chain.minutes_to_expiry < self.own.mte_max);
        checks.holds("an expiry today or near", is_near_expiry)?;
        let (level, previous_close) = flip.map_or((f64::NAN, f64::NAN), |flip| (flip.level, flip.previous_close));
        let margin = view.gain(self.own.cross_margin_pct / 100.0);
        let (before, after) = (level * (1.0 - margin), level * (1.0 + margin));
        checks.reaches(side.opposite(), "previous close short of the flip level", previous_close, before)?;
        checks.reaches(side, "close beyond the flip level", features.close, after)?;
        let late_minute = features.late_minute.map_or(f64::NAN, f64::from);
        checks.at_least("minute, counted from the close", late_minute, self.own.minute_min.into())
    }

    fn factors(&self, view: View<'_>) -> [f64; 5] {
        let features = view.features;
        let flip = Self::flip(features).ok().flatten();
        let gamma = features.chain.and_then(|chain| chain.gamma);
        let (significance, pressure) = if self.is_compat {
            (
                flip.map_or(f64::NAN, |flip| 25.0 + flip.gex.abs() / 20.0),
                gamma.map_or(f64::NAN, |gamma| gamma.dealer_delta.abs() / 100.0),
            )
        } else {
            (
                flip.map_or(f64::NAN, |flip| flip.gex_rank.percentile),
                gamma.map_or(f64::NAN, |gamma| gamma.dealer_delta_rank.percentile),
            )
        };
        let minutes_to_expiry = features.chain.map_or(f64::NAN, |chain| chain.minutes_to_expiry);
        let volume_ratio = features.chain.and_then(|chain| chain.volume_ratio).unwrap_or(f64::NAN);
        [
            significance,
            at_most(minutes_to_expiry, &[(120.0, 100.0), (240.0, 75.0), (360.0, 50.0)]).unwrap_or(25.0),
            pressure,
            100.0 * (volume_ratio - 0.5),
            50.0 * (features.rvol.unwrap_or(f64::NAN) - 1.0),
        ]
    }

    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        let flip = Self::flip(view.features).ok().flatten();
        let level = view.behind(flip.map_or(f64::NAN, |flip| flip.level), self.own.level_stop_atr * atr);
        let stop = StopRule::Level { level, min: self.own.stop_min_atr * atr, max: self.own.stop_max_atr * atr };
        (stop, TargetRule::R(self.own.target_r))
    }
}
