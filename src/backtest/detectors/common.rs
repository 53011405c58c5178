//! What all detectors share: parameters of trading, filters and features.

use super::Checks;
use crate::backtest::params::{
    Need, Order, ParamError, ParamSpec, Values, choice, choices, integer, integer_off, number, number_off, params,
    switch,
};
use crate::backtest::{ExitPlan, FeatureSettings, Features, Input, StopRule, TargetRule, TradeRules};

choices! {
    /// Where stop and target lie.
    pub(super) enum ExitProfile {
        /// Where the detector says.
        Structural = "structural",
        /// At fixed multiples of ATR, to compare detectors with.
        AtrFixed = "atr_fixed",
    }
}

choices! {
    /// Which formulas factors use that have two.
    pub(super) enum ScoreProfile {
        /// Those of this specification.
        Standard = "standard",
        /// Those inherited, for comparison.
        Compat = "compat",
    }
}

choices! {
    /// Which mean ATR is.
    pub(super) enum AtrMode {
        /// Wilder's.
        Wilder = "wilder",
        /// The simple mean.
        Simple = "sma",
    }
}

/// Exits of the detector's own matter only with its own exit profile.
pub(super) const STRUCTURAL: &[Need] = &[("exit_profile", &["structural"])];
const ATR_FIXED: &[Need] = &[("exit_profile", &["atr_fixed"])];
/// What holds outside regular hours matters only if signals are taken there.
pub(super) const OFF_HOURS: &[Need] = &[("rth_only", &["false"])];

params! {
    /// How signals are traded: of every detector.
    pub(super) struct Trading {
        /// lowest score that is traded
        min_score: f64 = number(55.0, "points", 0.0, 100.0, 1.0),
        /// lowest target distance over stop distance that is traded, with the signal's close as entry
        min_rr: f64 = number(1.0, "R", 0.0, 10.0, 0.1),
        /// time after an exit in which no signal is traded
        cooldown_minutes: u32 = integer(15, "minutes", 0, 1440, 5),
        /// trades per session
        max_trades_per_session: u32 = integer(2, "trades", 1, 50, 1),
        /// how long before the close positions are closed; 0: at the close
        flat_by: u32 = integer(0, "minutes before the close", 0, 385, 5).needs(&[("hold_overnight", &["false"])]),
        /// gain that moves the stop to the entry; usual: 1.0
        breakeven_at_r: Option<f64> = number_off("R", 0.1, 10.0, 0.1),
        /// gain at which half of the position is closed; usual: 1.2
        partial_at_r: Option<f64> = number_off("R", 0.1, 10.0, 0.1),
        /// distance at which the stop follows the best price after a gain of 1 R; usual: 1.5
        trail_atr: Option<f64> = number_off("ATR", 0.1, 10.0, 0.1),
        /// where stop and target lie: as this detector says, or at fixed multiples of ATR
        exit_profile: ExitProfile = choice(ExitProfile::WORDS),
        /// stop of the fixed profile
        fixed_stop_atr: f64 = number(1.0, "ATR", 0.05, 20.0, 0.05).needs(ATR_FIXED),
        /// target of the fixed profile
        fixed_target_atr: f64 = number(1.5, "ATR", 0.05, 50.0, 0.05).needs(ATR_FIXED),
        /// bars after which a trade of the fixed profile is closed; entry bar = 1
        fixed_max_bars: u32 = integer(20, "bars", 1, 1000, 1).needs(ATR_FIXED),
        /// bars after which a trade is closed; entry bar = 1
        max_bars: Option<u32> = integer_off("bars", 1, 1000, 1).needs(STRUCTURAL),
    }
}

params! {
    /// Filters that are off unless given: of every detector.
    pub(super) struct Filters {
        /// lowest relative volume; usual: 0.8
        rvol_floor: Option<f64> = number_off("x", 0.0, 20.0, 0.1),
        /// widest spread; needs quotes; usual: 0.5
        spread_max_pct: Option<f64> = number_off("%", 0.0, 100.0, 0.05),
        /// lowest level of VIX
        vix_min: Option<f64> = number_off("points", 0.0, 200.0, 1.0),
        /// highest level of VIX
        vix_max: Option<f64> = number_off("points", 0.0, 200.0, 1.0),
        /// earliest end of a signal bar
        clock_from: Option<i32> = integer_off("minutes from the open", 0, 390, 5),
        /// latest end of a signal bar
        clock_to: Option<i32> = integer_off("minutes from the open", 0, 390, 5),
    }
}

/// How ATR is taken: of every detector.
pub(super) const RANGES: &[ParamSpec] = &[
    choice(AtrMode::WORDS).named("atr_mode", "mean that ATR is"),
    switch(false).named("tr_gaps", "whether the true range of a session's first bar reaches back to the close before"),
];

/// How volume is compared.
pub(super) const RELATIVE_VOLUME: &[ParamSpec] = &[
    integer(14, "sessions", 1, 60, 1).named("rvol_sessions", "sessions whose same slot volume is compared with"),
    integer(10, "sessions", 1, 60, 1).named("rvol_min_sessions", "how many of these sessions must be there"),
];

/// The range of the bars before.
pub(super) const DONCHIAN: &[ParamSpec] =
    &[integer(20, "bars", 2, 500, 1).named("donchian_bars", "bars of the Donchian level, before the signal bar")];

/// The way a price came.
pub(super) const APPROACH: &[ParamSpec] = &[integer(15, "minutes", 5, 390, 5)
    .named("approach_minutes", "how far back the close lies that the price must have moved from, toward the wall")];

/// Swings.
pub(super) const PIVOTS: &[ParamSpec] =
    &[integer(2, "bars", 1, 10, 1).named("pivot_side", "bars on each side of a swing")];

/// Divergence of price and RSI; where a detector can do without, only if it does not.
pub(super) const DIVERGENCE: &[ParamSpec] = {
    const ASKED: &[Need] = &[("confirm", &["either", "divergence", "both"])];
    &[
        integer(10, "bars", 1, 200, 1)
            .needs(ASKED)
            .named("div_min_bars", "fewest bars between the swings of a divergence"),
        integer(20, "bars", 1, 200, 1)
            .needs(ASKED)
            .named("div_max_bars", "most bars between the swings of a divergence"),
    ]
};

/// The first minutes of a session.
pub(super) const OPENING_RANGE: &[ParamSpec] =
    &[integer(5, "minutes", 1, 120, 5).named("opening_range_minutes", "minutes of the opening range")];

/// Regular hours.
pub(super) const HOURS: &[ParamSpec] =
    &[switch(true).named("rth_only", "whether signals are taken in regular hours only")];

/// Holding over the close.
pub(super) const OVERNIGHT: &[ParamSpec] =
    &[switch(false)
        .named("hold_overnight", "whether positions may be held over the close; the run must allow it, too")];

params! {
    /// What counts as near a level.
    pub(super) struct Near {
        /// distance from the price within which a level is near
        near_pct: f64 = number(0.3, "%", 0.0, 10.0, 0.05),
    }
}

params! {
    /// Formulas of the score, where there are two.
    pub(super) struct Scoring {
        /// formulas of factors that have two: of this specification, or inherited
        score_profile: ScoreProfile = choice(ScoreProfile::WORDS),
    }
}

/// Groups of every detector.
pub(super) const ALL: [&[ParamSpec]; 3] = [Trading::SPECS, Filters::SPECS, RANGES];

/// The list of a detector's parameters: those of all, groups, and defaults that are its own.
macro_rules! param_list {
    ([$($group:expr),* $(,)?], {$($name:literal: $value:expr),* $(,)?}) => {{
        const LIST: &[&[$crate::backtest::params::ParamSpec]] = {
            use $crate::backtest::detectors::common::ALL;
            &[$($group,)* ALL[0], ALL[1], ALL[2]]
        };
        const PARAMS: [$crate::backtest::params::ParamSpec; $crate::backtest::params::count(LIST)] = {
            use $crate::backtest::params::ParamValue::*;
            $crate::backtest::params::join(LIST, &[$(($name, $value)),*])
        };
        &PARAMS
    }};
}

pub(super) use param_list;

/// Pairs that must be in order, wherever a detector has both.
const ORDERS: [Order; 12] = {
    const fn up_to(low: &'static str, high: &'static str) -> Order {
        Order { low, high, may_be_equal: true }
    }
    const fn below(low: &'static str, high: &'static str) -> Order {
        Order { low, high, may_be_equal: false }
    }
    [
        up_to("rvol_min_sessions", "rvol_sessions"),
        up_to("div_min_bars", "div_max_bars"),
        up_to("vix_min", "vix_max"),
        up_to("clock_from", "clock_to"),
        up_to("stop_min_atr", "stop_atr"),
        up_to("stop_min_atr", "stop_max_atr"),
        up_to("stop_atr", "stop_cap_atr"),
        up_to("rsi_low", "rsi_high"),
        up_to("minute_min", "minute_max"),
        below("opening_range_minutes", "minute_max"),
        below("distance_min_pct", "distance_max_pct"),
        up_to("min_rr", "target_r"),
    ]
};

/// What every detector has: how it is traded, filtered and fed.
#[derive(Debug, Clone)]
pub(super) struct Core {
    rules: TradeRules,
    trading: Trading,
    filters: Filters,
    features: FeatureSettings,
    rth_only: bool,
}

impl Core {
    /// Reads them, and refuses values that contradict each other.
    pub fn read(values: &Values) -> Result<Self, ParamError> {
        values.check(&ORDERS)?;
        let trading = Trading::read(values);
        refuse_unreachable(values, &trading)?;
        let rules = TradeRules {
            min_score: trading.min_score,
            min_rr: trading.min_rr,
            cooldown_minutes: trading.cooldown_minutes,
            max_trades_per_session: trading.max_trades_per_session,
            flat_before_close_minutes: trading.flat_by,
            hold_overnight: values.get_or("hold_overnight", false),
            breakeven_at_r: trading.breakeven_at_r,
            partial_at_r: trading.partial_at_r,
            trail_atr: trading.trail_atr,
        };
        let filters = Filters::read(values);
        let features = feature_settings(values);
        Ok(Self { rules, trading, filters, features, rth_only: values.get_or("rth_only", true) })
    }

    /// What features depend on.
    pub const fn features(&self) -> FeatureSettings {
        self.features
    }

    /// How signals are traded.
    pub const fn rules(&self) -> &TradeRules {
        &self.rules
    }

    /// Whether exits need ATR even if the detector's own do not.
    pub fn needs_atr(&self) -> bool {
        self.is_atr_fixed() || self.trading.trail_atr.is_some()
    }

    fn is_atr_fixed(&self) -> bool {
        self.trading.exit_profile == ExitProfile::AtrFixed
    }

    /// Whether the bar lies outside regular hours and may be traded all the same.
    pub const fn is_off_hours(&self, features: &Features) -> bool {
        !self.rth_only && features.minute.is_none()
    }

    /// Asks for the inputs of filters.
    pub fn filter_inputs(&self, features: &Features, checks: &mut Checks) {
        let Filters { rvol_floor, spread_max_pct, vix_min, vix_max, .. } = self.filters;
        if rvol_floor.is_some() {
            checks.need(features.rvol);
        }
        if spread_max_pct.is_some() {
            checks.need::<f64>(Err(Input::Quotes));
        }
        if vix_min.or(vix_max).is_some() {
            checks.need(features.vix);
        }
    }

    /// Regular hours, and the filters.
    pub fn filter(&self, features: &Features, checks: &mut Checks) -> Option<()> {
        let minute = features.minute.map_or(f64::NAN, f64::from);
        if self.rth_only {
            checks.holds("regular hours", features.minute.is_some())?;
        }
        if let Some(floor) = self.filters.rvol_floor {
            checks.at_least("relative volume", features.rvol.unwrap_or(f64::NAN), floor)?;
        }
        if let Some(min) = self.filters.vix_min {
            checks.at_least("VIX", features.vix.unwrap_or(f64::NAN), min)?;
        }
        if let Some(max) = self.filters.vix_max {
            checks.at_most("VIX", features.vix.unwrap_or(f64::NAN), max)?;
        }
        if let Some(from) = self.filters.clock_from {
            checks.at_least("minute", minute, from.into())?;
        }
        if let Some(to) = self.filters.clock_to {
            checks.at_most("minute", minute, to.into())?;
        }
        Some(())
    }

    /// Distance from VWAP in percent, a required input in regular hours. `None`: outside them and absent, which leaves
    /// its condition out (detectors 5, `rth_only`).
    pub fn vwap_distance(&self, features: &Features, checks: &mut Checks) -> Option<f64> {
        if self.is_off_hours(features) {
            features.vwap_distance.ok()
        } else {
            Some(checks.input(features.vwap_distance))
        }
    }

    /// The plan of a trade: the detector's own stop and target, or those of the fixed profile.
    pub fn plan(&self, atr: f64, structural: impl FnOnce() -> (StopRule, TargetRule)) -> ExitPlan {
        let Trading { fixed_stop_atr, fixed_target_atr, fixed_max_bars, max_bars, .. } = self.trading;
        if self.is_atr_fixed() {
            let (stop, target) =
                (StopRule::Distance(fixed_stop_atr * atr), TargetRule::Distance(fixed_target_atr * atr));
            return ExitPlan { stop, target, max_bars: Some(fixed_max_bars) };
        }
        let (stop, target) = structural();
        ExitPlan { stop, target, max_bars }
    }
}

/// Refuses gains in R that lie at or beyond the target: they would never come, or no signal would pass the gate.
fn refuse_unreachable(values: &Values, trading: &Trading) -> Result<(), ParamError> {
    let (target, target_r) = if trading.exit_profile == ExitProfile::AtrFixed {
        let fixed_r = trading.fixed_target_atr / trading.fixed_stop_atr;
        if trading.min_rr > fixed_r + 1e-9 {
            return Err(values.contradiction(
                "min_rr",
                trading.min_rr,
                "at most",
                "fixed_target_atr / fixed_stop_atr",
                fixed_r,
            ));
        }
        ("fixed_target_atr / fixed_stop_atr", fixed_r)
    } else if let Some(target_r) = values.live_number("target_r") {
        ("target_r", target_r)
    } else {
        return Ok(());
    };
    let early = [("breakeven_at_r", trading.breakeven_at_r), ("partial_at_r", trading.partial_at_r)];
    for (param, at) in early {
        if let Some(at) = at.filter(|at| *at >= target_r) {
            return Err(values.contradiction(param, at, "below", target, target_r));
        }
    }
    Ok(())
}

fn feature_settings(values: &Values) -> FeatureSettings {
    let usual = FeatureSettings::default();
    FeatureSettings {
        donchian_bars: values.get_or("donchian_bars", usual.donchian_bars),
        rvol_sessions: values.get_or("rvol_sessions", usual.rvol_sessions),
        rvol_min_sessions: values.get_or("rvol_min_sessions", usual.rvol_min_sessions),
        opening_range_minutes: values.get_or("opening_range_minutes", usual.opening_range_minutes),
        pivot_side: values.get_or("pivot_side", usual.pivot_side),
        div_min_bars: values.get_or("div_min_bars", usual.div_min_bars),
        div_max_bars: values.get_or("div_max_bars", usual.div_max_bars),
        approach_minutes: values.get_or("approach_minutes", usual.approach_minutes),
        tr_gaps: values.get("tr_gaps"),
        atr_simple: values.get::<AtrMode>("atr_mode") == AtrMode::Simple,
    }
}
