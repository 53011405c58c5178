//! A turn at the day's extreme in the last hour (detectors 7.5). On average the last half hour shows momentum, not reversal
//! (Gao, Han, Li, Zhou 2018), most when dealers are short gamma: hence the confirmation and the look at gamma exposure.

use super::common::{Core, DIVERGENCE, PIVOTS, RELATIVE_VOLUME, STRUCTURAL, param_list};
use super::score::{at_least, at_most, bias, bonus, weights};
use super::twin::{Idea, twin};
use super::view::View;
use super::{Checks, DetectorSpec};
use crate::backtest::params::{ParamSpec, Values, choice, choices, integer, number, params};
use crate::backtest::{ClassGate, Side, StopRule, TargetRule};

choices! {
    /// What confirms a turn.
    enum Confirm {
        /// One of the two.
        Either = "either",
        /// Divergence of price and RSI.
        Divergence = "divergence",
        /// A 5m bar beyond the range of the one before that closed back inside.
        FailedBreak = "failed_break",
        /// The two together.
        Both = "both",
    }
}

params! {
    struct Own {
        /// first minute of the window, on the scale of a full session
        minute_min: i32 = integer(330, "minutes from the open", 330, 390, 5),
        /// last minute of the window, on the scale of a full session
        minute_max: i32 = integer(390, "minutes from the open", 330, 390, 5),
        /// the price must be at most this far from the day's extreme, in percent of the extreme
        extreme_max_pct: f64 = number(0.5, "%", 0.0, 10.0, 0.1),
        /// relative volume of the proxy must be at least this
        rvol_min: f64 = number(1.2, "x", 0.0, 20.0, 0.1),
        /// what confirms the turn: RSI divergence, a failed break of a 5m bar's range, one of them or both
        confirm: Confirm = choice(Confirm::WORDS),
        /// where gamma exposure is known, it must be at least this
        net_gex_min: Option<f64> = number(0.0, "dollars per 1 %", -1e12, 1e12, 1e8).or_off(),
        /// nearest stop
        stop_min_atr: f64 = number(0.25, "ATR", 0.05, 10.0, 0.05).needs(STRUCTURAL),
        /// how far behind the day's extreme the stop lies
        extreme_buffer_atr: f64 = number(0.25, "ATR", 0.0, 10.0, 0.05).needs(STRUCTURAL),
        /// farthest target
        target_cap_atr: f64 = number(1.5, "ATR", 0.05, 50.0, 0.05).needs(STRUCTURAL),
    }
}

params! {
    struct Oversold {
        /// RSI must be at most this
        rsi_max: f64 = number(40.0, "", 0.0, 100.0, 1.0),
    }
}

params! {
    struct Overbought {
        /// RSI must be at least this
        rsi_min: f64 = number(60.0, "", 0.0, 100.0, 1.0),
    }
}

const WEIGHTS: [ParamSpec; 5] = weights![
    extreme_proximity 0.25, reversal_confirmation 0.25, power_hour_timing 0.20, institutional_flow 0.20,
    day_range_position 0.10,
];

macro_rules! list {
    ($limit:expr) => {
        param_list!(
            [$limit, Own::SPECS, &WEIGHTS, RELATIVE_VOLUME, PIVOTS, DIVERGENCE],
            { "cooldown_minutes": Integer(10), "max_trades_per_session": Integer(1) }
        )
    };
}

/// Up from the day's low.
pub(super) const BULLISH: DetectorSpec = DetectorSpec {
    id: "power_hour_reversal_bullish",
    help: "a confirmed turn at the day's low in the last hour: back to VWAP",
    class: ClassGate::Index,
    side: Some(Side::Long),
    params: list!(Oversold::SPECS),
    build: |values| twin(values, Side::Long, &WEIGHTS, PowerHourReversal::read(values, Oversold::read(values).rsi_max)),
};

/// Down from the day's high.
pub(super) const BEARISH: DetectorSpec = DetectorSpec {
    id: "power_hour_reversal_bearish",
    help: "a confirmed turn at the day's high in the last hour: back to VWAP",
    class: ClassGate::Index,
    side: Some(Side::Short),
    params: list!(Overbought::SPECS),
    build: |values| {
        twin(values, Side::Short, &WEIGHTS, PowerHourReversal::read(values, Overbought::read(values).rsi_min))
    },
};

#[derive(Debug)]
struct PowerHourReversal {
    own: Own,
    rsi_limit: f64,
}

impl PowerHourReversal {
    fn read(values: &Values, rsi_limit: f64) -> Self {
        Self { own: Own::read(values), rsi_limit }
    }

    /// The day's extreme that is turned from; NaN where it is missing.
    fn extreme(view: View<'_>) -> f64 {
        view.pick(view.features.day_low, view.features.day_high).unwrap_or(f64::NAN)
    }
}

impl Idea<5> for PowerHourReversal {
    fn conditions(&self, view: View<'_>, _core: &Core, checks: &mut Checks) -> Option<()> {
        let View { features, side } = view;
        let rsi = checks.input(features.rsi);
        checks.need(features.vwap);
        let rvol = checks.input(features.rvol);
        let extreme = checks.input(view.pick(features.day_low, features.day_high));
        checks.need(view.pick(features.day_high, features.day_low));
        let failed_break = view.pick(features.false_break_down, features.false_break_up);
        let is_failed_break =
            if self.own.confirm == Confirm::Divergence { None } else { checks.need(failed_break) } == Some(true);
        checks.given()?;
        let late_minute = features.late_minute.map_or(f64::NAN, f64::from);
        checks.at_least("minute, counted from the close", late_minute, self.own.minute_min.into())?;
        checks.at_most("minute, counted from the close", late_minute, self.own.minute_max.into())?;
        let distance = view.beyond_pct(features.close, extreme);
        checks.at_most("distance from the day's extreme, %", distance, self.own.extreme_max_pct)?;
        checks.reaches(side.opposite(), "RSI", rsi, self.rsi_limit)?;
        checks.at_least("relative volume", rvol, self.own.rvol_min)?;
        let diverges = view.pick(features.bull_divergence, features.bear_divergence);
        let is_confirmed = match self.own.confirm {
            Confirm::Either => diverges || is_failed_break,
            Confirm::Divergence => diverges,
            Confirm::FailedBreak => is_failed_break,
            Confirm::Both => diverges && is_failed_break,
        };
        checks.holds("the turn is confirmed", is_confirmed)?;
        if let (Some(min), Ok(gamma)) = (self.own.net_gex_min, features.chain.and_then(|chain| chain.gamma)) {
            checks.at_least("net gamma exposure", gamma.net_gex, min)?;
        }
        Some(())
    }

    fn factors(&self, view: View<'_>) -> [f64; 5] {
        let features = view.features;
        let range = features.day_high.unwrap_or(f64::NAN) - features.day_low.unwrap_or(f64::NAN);
        let proximity = if range == 0.0 {
            50.0
        } else {
            let distance = 100.0 * view.gain(features.close - Self::extreme(view)) / range;
            at_most(distance, &[(5.0, 100.0), (10.0, 85.0), (20.0, 70.0)]).unwrap_or(100.0 - 3.0 * distance)
        };
        let late_minute = features.late_minute.map_or(f64::NAN, f64::from);
        let flow = features.flow.map_or(50.0, |flow| {
            50.0 + bonus(bias(&flow) == Some(view.side), 30.0)
                + bonus(flow.blocks > 2, 10.0)
                + bonus(flow.sweeps > 2, 10.0)
        });
        let moved = features.day_move_pct.map_or(0.0, |pct| view.gain(pct));
        [
            proximity,
            at_most(view.rsi(), &[(25.0, 100.0), (30.0, 85.0), (35.0, 70.0), (40.0, 55.0)]).unwrap_or(40.0),
            at_least(late_minute, &[(360.0, 100.0), (345.0, 85.0), (330.0, 70.0)]).unwrap_or(0.0),
            flow,
            if moved < 0.0 { 40.0 + 40.0 * moved.abs() } else { 50.0 },
        ]
    }

    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        let stop = StopRule::Level {
            level: view.behind(Self::extreme(view), self.own.extreme_buffer_atr * atr),
            min: self.own.stop_min_atr * atr,
            max: f64::INFINITY,
        };
        let level = view.features.vwap.unwrap_or(f64::NAN);
        (stop, TargetRule::Level { level, cap: self.own.target_cap_atr * atr })
    }
}
