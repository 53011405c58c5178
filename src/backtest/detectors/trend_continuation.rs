//! A pause within a trend (detectors 7.3).

use super::common::{Core, HOURS, Near, OVERNIGHT, PIVOTS, RELATIVE_VOLUME, STRUCTURAL, param_list};
use super::score::{bonus, flow_alignment, weights};
use super::twin::{Idea, twin};
use super::view::View;
use super::{Checks, DetectorSpec};
use crate::backtest::params::{ParamSpec, Values, number, number_off, params, switch};
use crate::backtest::{ClassGate, Side, StopRule, TargetRule};

params! {
    struct Own {
        /// RSI must be at least this
        rsi_low: f64 = number(40.0, "", 0.0, 100.0, 1.0),
        /// RSI must be at most this
        rsi_high: f64 = number(70.0, "", 0.0, 100.0, 1.0),
        /// filter: the price must be beyond EMA200
        ema200_filter: bool = switch(false),
        /// filter: the price must be within this of EMA21; usual: 1
        ema21_near_pct: Option<f64> = number_off("%", 0.0, 50.0, 0.1),
        /// filter: the price must not be farther than this beyond EMA21; usual: 2
        ema21_gap_max_atr: Option<f64> = number_off("ATR", 0.0, 50.0, 0.1),
        /// nearest stop
        stop_min_atr: f64 = number(0.5, "ATR", 0.05, 10.0, 0.05).needs(STRUCTURAL),
        /// farthest stop
        stop_max_atr: f64 = number(1.5, "ATR", 0.05, 20.0, 0.05).needs(STRUCTURAL),
        /// how far behind the last swing the stop lies
        swing_buffer_atr: f64 = number(0.1, "ATR", 0.0, 10.0, 0.05).needs(STRUCTURAL),
        /// target in stop distances
        target_r: f64 = number(2.0, "R", 0.1, 20.0, 0.1).needs(STRUCTURAL),
    }
}

// The sixth factor is optional: its usual weights are .25 .20 .15 .15 .10 .15.
const LONG_WEIGHTS: [ParamSpec; 6] = weights![
    ema_alignment 0.30, pullback_quality 0.25, volume_confirmation 0.20, higher_lows_pattern 0.15,
    mtf_trend_strength 0.10, flow_alignment 0.0,
];
const SHORT_WEIGHTS: [ParamSpec; 6] = weights![
    ema_alignment 0.30, pullback_quality 0.25, volume_confirmation 0.20, lower_highs_pattern 0.15,
    mtf_trend_strength 0.10, flow_alignment 0.0,
];

macro_rules! list {
    ($weights:expr, $rsi_low:literal, $rsi_high:literal) => {
        param_list!(
            [
                Own::SPECS,
                &$weights,
                OVERNIGHT,
                HOURS,
                RELATIVE_VOLUME,
                PIVOTS,
                Near::SPECS
            ],
            {
                "rsi_low": Number($rsi_low), "rsi_high": Number($rsi_high),
                "cooldown_minutes": Integer(15), "max_trades_per_session": Integer(2), "max_bars": Integer(20),
            }
        )
    };
}

/// Upwards.
pub(super) const LONG: DetectorSpec = DetectorSpec {
    id: "trend_continuation_long",
    help: "an uptrend above rising means whose RSI is not stretched: on with it",
    class: ClassGate::Equity,
    side: Some(Side::Long),
    params: list!(LONG_WEIGHTS, 40.0, 70.0),
    build: |values| twin(values, Side::Long, &LONG_WEIGHTS, TrendContinuation::read(values)),
};

/// Downwards.
pub(super) const SHORT: DetectorSpec = DetectorSpec {
    id: "trend_continuation_short",
    help: "a downtrend below falling means whose RSI is not stretched: on with it",
    class: ClassGate::Equity,
    side: Some(Side::Short),
    params: list!(SHORT_WEIGHTS, 30.0, 60.0),
    build: |values| twin(values, Side::Short, &SHORT_WEIGHTS, TrendContinuation::read(values)),
};

#[derive(Debug)]
struct TrendContinuation {
    own: Own,
    near_pct: f64,
}

impl TrendContinuation {
    fn read(values: &Values) -> Self {
        Self { own: Own::read(values), near_pct: Near::read(values).near_pct }
    }
}

impl Idea<6> for TrendContinuation {
    fn conditions(&self, view: View<'_>, core: &Core, checks: &mut Checks) -> Option<()> {
        let View { features, side } = view;
        let regime = checks.need(features.regime);
        let ema21 = checks.input(features.ema21);
        let ema50 = checks.input(features.ema50);
        let rsi = checks.input(features.rsi);
        checks.need(features.rvol);
        core.vwap_distance(features, checks);
        checks.need(view.pick(features.swing_low, features.swing_high));
        let ema200 = if self.own.ema200_filter { checks.input(features.ema200) } else { f64::NAN };
        checks.given()?;
        checks.holds("a trend of its own", regime.is_some_and(|regime| regime.is_trend_of(side)))?;
        checks.reaches(side, "close against EMA21", features.close, ema21)?;
        checks.reaches(side, "close against EMA50", features.close, ema50)?;
        checks.reaches(side, "EMA21 against EMA50", ema21, ema50)?;
        checks.at_least("RSI", rsi, self.own.rsi_low)?;
        checks.at_most("RSI", rsi, self.own.rsi_high)?;
        if self.own.ema200_filter {
            checks.beyond(side, "close against EMA200", features.close, ema200)?;
        }
        if let Some(near) = self.own.ema21_near_pct {
            checks.at_most("distance from EMA21, %", view.beyond_pct(features.close, ema21).abs(), near)?;
        }
        if let Some(gap) = self.own.ema21_gap_max_atr {
            let atr = features.atr.unwrap_or(f64::NAN);
            checks.at_most("distance beyond EMA21, ATR", view.gain(features.close - ema21) / atr, gap)?;
        }
        Some(())
    }

    fn factors(&self, view: View<'_>) -> [f64; 6] {
        let features = view.features;
        let (ema21, ema50) = (features.ema21.unwrap_or(f64::NAN), features.ema50.unwrap_or(f64::NAN));
        let beyond21 = view.beyond_pct(features.close, ema21);
        let beyond50 = view.beyond_pct(ema21, ema50);
        let is_beyond200 = features.ema200.is_ok_and(|ema200| view.gain(ema21) > view.gain(ema200));
        let two_steps = |value: f64, far: f64, near: f64| {
            if value > far {
                20.0
            } else if value > near {
                10.0
            } else {
                0.0
            }
        };
        let rsi = view.rsi();
        let pullback = if (45.0..=60.0).contains(&rsi) { 30.0 } else { bonus((40.0..=65.0).contains(&rsi), 15.0) };
        let volume = match features.rvol.unwrap_or(f64::NAN) {
            0.8..=1.5 => 100.0,
            0.6..=2.0 => 75.0,
            0.5..=2.5 => 60.0,
            _ => 40.0,
        };
        let swing = view.pick(features.swing_low, features.swing_high);
        [
            50.0 + two_steps(beyond21, 1.0, 0.5) + two_steps(beyond50, 2.0, 1.0) + bonus(is_beyond200, 10.0),
            50.0 + pullback + bonus((-0.2..=0.5).contains(&view.vwap_distance()), 20.0),
            volume,
            50.0 + bonus(view.pick(features.higher_lows, features.lower_highs), 40.0)
                + bonus(view.is_near(swing, self.near_pct), 10.0),
            view.pick(features.mtf_ema_long, features.mtf_ema_short),
            flow_alignment(view),
        ]
    }

    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        let swing = view.pick(view.features.swing_low, view.features.swing_high).unwrap_or(f64::NAN);
        let stop = StopRule::Level {
            level: view.behind(swing, self.own.swing_buffer_atr * atr),
            min: self.own.stop_min_atr * atr,
            max: self.own.stop_max_atr * atr,
        };
        (stop, TargetRule::R(self.own.target_r))
    }
}
