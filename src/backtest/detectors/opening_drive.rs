//! A drive out of the opening range (detectors 7.7; Crabel 1990; Zarattini and Aziz 2023; Zarattini, Barbon and Aziz 2024).

use super::common::{Core, OPENING_RANGE, RELATIVE_VOLUME, STRUCTURAL, ScoreProfile, Scoring, param_list};
use super::score::{bias, weights};
use super::twin::{Idea, twin};
use super::view::View;
use super::{Checks, DetectorSpec};
use crate::backtest::params::{Need, ParamSpec, Values, choice, choices, integer, number, params};
use crate::backtest::{ClassGate, Side, StopRule, TargetRule};

choices! {
    /// Where the target lies.
    enum TargetMode {
        /// At a multiple of the stop distance.
        R = "r",
        /// Nowhere: the session's close ends the trade.
        Close = "close",
    }
}

const R_TARGET: &[Need] = &[STRUCTURAL[0], ("target_mode", &["r"])];

params! {
    struct Own {
        /// last minute of the window that starts after the opening range
        minute_max: i32 = integer(30, "minutes from the open", 1, 390, 5),
        /// smallest move from the day's open
        move_min_pct: f64 = number(0.3, "%", 0.0, 10.0, 0.1),
        /// relative volume of the proxy must be at least this
        rvol_min: f64 = number(1.5, "x", 0.0, 20.0, 0.1),
        /// nearest stop
        stop_min_atr: f64 = number(0.5, "ATR", 0.05, 10.0, 0.05).needs(STRUCTURAL),
        /// farthest stop
        stop_max_atr: f64 = number(1.5, "ATR", 0.05, 20.0, 0.05).needs(STRUCTURAL),
        /// where the target lies: at a multiple of the stop distance, or nowhere until the close
        target_mode: TargetMode = choice(TargetMode::WORDS).needs(STRUCTURAL),
        /// target in stop distances
        target_r: f64 = number(1.5, "R", 0.1, 20.0, 0.1).needs(R_TARGET),
    }
}

const WEIGHTS: [ParamSpec; 5] = weights![
    momentum_strength 0.30, volume_intensity 0.25, flow_alignment 0.20, overnight_gap 0.15, mtf_alignment 0.10,
];

const PARAMS: &[ParamSpec] = param_list!(
    [Own::SPECS, &WEIGHTS, Scoring::SPECS, OPENING_RANGE, RELATIVE_VOLUME],
    { "cooldown_minutes": Integer(10), "max_trades_per_session": Integer(1) }
);

/// Upwards.
pub(super) const BULLISH: DetectorSpec = DetectorSpec {
    id: "opening_drive_bullish",
    help: "the first close above an opening range that rose, on volume",
    class: ClassGate::Index,
    side: Some(Side::Long),
    params: PARAMS,
    build: |values| twin(values, Side::Long, &WEIGHTS, OpeningDrive::read(values)),
};

/// Downwards.
pub(super) const BEARISH: DetectorSpec = DetectorSpec {
    id: "opening_drive_bearish",
    help: "the first close below an opening range that fell, on volume",
    class: ClassGate::Index,
    side: Some(Side::Short),
    params: PARAMS,
    build: |values| twin(values, Side::Short, &WEIGHTS, OpeningDrive::read(values)),
};

#[derive(Debug)]
struct OpeningDrive {
    own: Own,
    opening_range_minutes: i32,
    is_compat: bool,
}

impl OpeningDrive {
    fn read(values: &Values) -> Self {
        Self {
            own: Own::read(values),
            opening_range_minutes: values.get("opening_range_minutes"),
            is_compat: Scoring::read(values).score_profile == ScoreProfile::Compat,
        }
    }

    /// Momentum by the move from the open in percent: from 0.3 % to 1 %; inherited: by the fraction.
    fn momentum(&self, moved_pct: f64) -> f64 {
        if self.is_compat {
            50.0 + (moved_pct / 100.0 - 0.003) * 10_000.0 / 7.0
        } else {
            50.0 + (moved_pct - 0.3) * 50.0 / 0.7
        }
    }

    /// The gap in the trade's direction in percent; inherited: as a fraction.
    fn gap(&self, gap_pct: f64) -> f64 {
        let gap = gap_pct.max(0.0);
        20.0 + if self.is_compat { gap } else { 100.0 * gap }
    }
}

fn flow_alignment(view: View<'_>) -> f64 {
    let Some(flow) = view.features.flow else { return 50.0 };
    match bias(&flow) {
        Some(side) if side != view.side => 50.0,
        Some(_) if flow.score > 60.0 => 100.0,
        _ if flow.sweeps > 3 => 90.0,
        Some(_) => 75.0,
        None => 50.0,
    }
}

impl Idea<5> for OpeningDrive {
    fn conditions(&self, view: View<'_>, _core: &Core, checks: &mut Checks) -> Option<()> {
        let View { features, side } = view;
        let range = checks.need(features.opening_range);
        let rvol = checks.input(features.rvol);
        checks.need(features.previous_close);
        checks.need(features.gap_pct);
        let moved = view.gain(checks.input(features.day_move_pct));
        checks.given()?;
        let minute = features.minute.map_or(f64::NAN, f64::from);
        checks.above("minute", minute, self.opening_range_minutes.into())?;
        checks.at_most("minute", minute, self.own.minute_max.into())?;
        let is_first = view.pick(features.first_above_range, features.first_below_range);
        checks.holds("first close of the session beyond the opening range", is_first)?;
        let (open, close) = range.map_or((f64::NAN, f64::NAN), |range| (range.open, range.close));
        checks.beyond(side, "close of the opening range against its open", close, open)?;
        checks.at_least("move from the day's open, %", moved, self.own.move_min_pct)?;
        checks.at_least("relative volume", rvol, self.own.rvol_min)?;
        Some(())
    }

    fn factors(&self, view: View<'_>) -> [f64; 5] {
        let features = view.features;
        let is_aligned = view.pick(features.mtf_flag_long, features.mtf_flag_short);
        [
            self.momentum(view.gain(features.day_move_pct.unwrap_or(f64::NAN))),
            50.0 + 25.0 * (features.rvol.unwrap_or(f64::NAN) - 2.0),
            flow_alignment(view),
            self.gap(view.gain(features.gap_pct.unwrap_or(f64::NAN))),
            if is_aligned { 100.0 } else { 50.0 },
        ]
    }

    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        let far_edge = view.features.opening_range.map_or(f64::NAN, |range| view.pick(range.low, range.high));
        let (min, max) = (self.own.stop_min_atr * atr, self.own.stop_max_atr * atr);
        let target = match self.own.target_mode {
            TargetMode::R => TargetRule::R(self.own.target_r),
            TargetMode::Close => TargetRule::None,
        };
        (StopRule::Level { level: far_edge, min, max }, target)
    }
}
