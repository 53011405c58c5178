//! A way back to VWAP after a one-sided move: what the detectors for equities and for indices share (detectors 7.2, 7.6).

use super::Checks;
use super::common::{Core, OFF_HOURS, STRUCTURAL};
use super::view::View;
use crate::backtest::params::{Values, number, number_off, params};
use crate::backtest::{Side, StopRule, TargetRule};

params! {
    /// Of the long side.
    pub(super) struct Oversold {
        /// RSI must be below this
        rsi_max: f64 = number(35.0, "", 1.0, 99.0, 1.0),
        /// the same outside regular hours
        off_hours_rsi_max: f64 = number(40.0, "", 1.0, 99.0, 1.0).needs(OFF_HOURS),
    }
}

params! {
    /// Of the short side.
    pub(super) struct Overbought {
        /// RSI must be above this
        rsi_min: f64 = number(65.0, "", 1.0, 99.0, 1.0),
        /// the same outside regular hours
        off_hours_rsi_min: f64 = number(60.0, "", 1.0, 99.0, 1.0).needs(OFF_HOURS),
    }
}

params! {
    /// Of both sides.
    pub(super) struct Own {
        /// the price must be farther than this from VWAP, against the trade
        vd_limit: f64 = number(0.3, "%", 0.0, 10.0, 0.1),
        /// the same outside regular hours, against the last regular session's VWAP
        off_hours_vd_limit: f64 = number(0.2, "%", 0.0, 10.0, 0.1).needs(OFF_HOURS),
        /// stricter variant: relative volume must be at least this; usual: 1.2
        rvol_min: Option<f64> = number_off("x", 0.0, 20.0, 0.1),
        /// stricter variant: the price must be at least this far from EMA21, against the trade; usual: 1.8 to 2
        ema21_gap_atr: Option<f64> = number_off("ATR", 0.0, 20.0, 0.1),
        /// nearest stop
        stop_atr: f64 = number(1.0, "ATR", 0.05, 10.0, 0.05).needs(STRUCTURAL),
        /// farthest stop
        stop_cap_atr: f64 = number(1.5, "ATR", 0.05, 20.0, 0.05).needs(STRUCTURAL),
        /// how far behind the bar's extreme the stop lies
        extreme_buffer_atr: f64 = number(0.25, "ATR", 0.0, 10.0, 0.05).needs(STRUCTURAL),
        /// farthest target
        target_cap_atr: f64 = number(1.5, "ATR", 0.05, 50.0, 0.05).needs(STRUCTURAL),
    }
}

/// Conditions and exits of both.
#[derive(Debug)]
pub(super) struct Reversion {
    rsi_limit: f64,
    off_hours_rsi_limit: f64,
    own: Own,
}

impl Reversion {
    /// With the limits of a side.
    pub fn read(values: &Values, side: Side) -> Self {
        let (rsi_limit, off_hours_rsi_limit) = match side {
            Side::Long => {
                let Oversold { rsi_max, off_hours_rsi_max } = Oversold::read(values);
                (rsi_max, off_hours_rsi_max)
            }
            Side::Short => {
                let Overbought { rsi_min, off_hours_rsi_min } = Overbought::read(values);
                (rsi_min, off_hours_rsi_min)
            }
        };
        Self { rsi_limit, off_hours_rsi_limit, own: Own::read(values) }
    }

    /// RSI and VWAP far enough against the trade, and no trend against it.
    pub fn conditions(&self, view: View<'_>, core: &Core, checks: &mut Checks) -> Option<()> {
        let View { features, side } = view;
        let Own { vd_limit, off_hours_vd_limit, rvol_min, ema21_gap_atr, .. } = self.own;
        let rsi = checks.input(features.rsi);
        let vwap_distance = core.vwap_distance(features, checks);
        let rvol = checks.input(features.rvol);
        let regime = checks.need(features.regime);
        let ema21 = if ema21_gap_atr.is_some() { checks.input(features.ema21) } else { f64::NAN };
        checks.given()?;
        let (rsi_limit, vd_limit) = if core.is_off_hours(features) {
            (self.off_hours_rsi_limit, off_hours_vd_limit)
        } else {
            (self.rsi_limit, vd_limit)
        };
        let against = side.opposite();
        checks.beyond(against, "RSI", rsi, rsi_limit)?;
        if let Some(distance) = vwap_distance {
            checks.beyond(against, "distance from VWAP, %", distance, view.gain(-vd_limit))?;
        }
        checks.holds("no trend against the trade", regime.is_some_and(|regime| !regime.is_trend_of(against)))?;
        if let Some(min) = rvol_min {
            checks.at_least("relative volume", rvol, min)?;
        }
        if let Some(gap) = ema21_gap_atr {
            let atr = features.atr.unwrap_or(f64::NAN);
            checks.at_least("distance from EMA21, ATR", view.gain(ema21 - features.close) / atr, gap)?;
        }
        Some(())
    }

    /// Stop behind the bar's extreme, target at VWAP; at its farthest where VWAP is absent outside regular hours.
    pub fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule) {
        let features = view.features;
        let level = view.behind(view.pick(features.low, features.high), self.own.extreme_buffer_atr * atr);
        let stop = StopRule::Level { level, min: self.own.stop_atr * atr, max: self.own.stop_cap_atr * atr };
        let cap = self.own.target_cap_atr * atr;
        (stop, features.vwap.map_or(TargetRule::Distance(cap), |level| TargetRule::Level { level, cap }))
    }
}
