//! Detectors: what is looked for at the end of a bar. Each is a hypothesis; nothing is promised of any.
//!
//! Another detector is a file with its module here and a line in [`DETECTORS`]. Where their specification can be read in more
//! than one way, they read it like this:
//!
//! * A price so many percent above or below a level is measured in percent of that level; a relative distance, and what is
//!   near, in percent of the price.
//! * Outside regular hours (`rth_only = false`) the wider limits of RSI and VWAP stand in for those of the mean reversions;
//!   other detectors keep theirs. Where VWAP is absent there, its condition is left out, its factor is 0 (a trend's pullback
//!   goes without its points), and a target at VWAP lies at its cap. There is no minute, so no clock window holds.
//! * `score_profile` is a parameter only of detectors some of whose factors have two formulas.
//! * A trend's optional sixth factor is one of weight 0 until it is given another.
//! * The inherited formula of a gap counts a gap in the trade's direction only, as the other does; that of a squeeze takes net
//!   gamma exposure as it is.
//! * Max pain and the weight at it need no implied volatilities, so a pin does not need a covered chain.
//! * No zero of gamma exposure, no wall and nothing that expires at a close are answers: a condition that is not met. A chain
//!   that cannot be reckoned is a missing input.
//! * An optional input without a stated neutral value counts as none of its steps: without the day's open, half the points.

mod breakout;
mod common;
mod eod_pin;
mod gamma_flip;
mod gamma_squeeze;
mod index_mean_reversion;
mod mean_reversion;
mod opening_drive;
mod power_hour_reversal;
mod registry;
mod reversion;
mod score;
mod trend_continuation;
mod twin;
mod view;

use std::fmt;

pub use registry::{Configured, DETECTORS, DetectorSpec, GROUPS, find, group};

use super::{ExitPlan, FeatureSettings, Features, Input, Known, OnceLevel, Side, TradeRules};

/// One detector with its parameters, for both the run and the explanation of a bar.
pub trait Detector: fmt::Debug + Send + Sync {
    /// What its features depend on. Detectors with equal settings share them.
    fn features(&self) -> FeatureSettings;

    /// Which of its signals are traded, and how trades are ended beside stop and target.
    fn rules(&self) -> &TradeRules;

    /// Looks at the inputs it requires, then at its conditions. The side to trade if all are met; `None` if one is not, or an
    /// input is missing, as `checks` tells.
    fn detect(&self, features: &Features, checks: &mut Checks) -> Option<Side>;

    /// The score of a bar whose conditions are met: the sum of weight × factor over `factors`, 0 to 100.
    fn score(&self, features: &Features, side: Side, factors: &mut Factors) -> f64;

    /// Stop and target of a bar whose conditions are met.
    fn exits(&self, features: &Features, side: Side) -> ExitPlan;

    /// A level that is traded once per session.
    fn once(&self, _features: &Features, _side: Side) -> Option<OnceLevel> {
        None
    }
}

/// How a condition compares its value with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// value > limit
    Above,
    /// value ≥ limit
    AtLeast,
    /// value < limit
    Below,
    /// value ≤ limit
    AtMost,
    /// Neither number matters: it is so or not.
    Holds,
}

/// A condition that was looked at, for the explanation of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Check {
    /// What is compared, in words.
    pub name: &'static str,
    /// Its value; NaN where an input is missing.
    pub value: f64,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub limit: f64,
    /// Whether it is met; never with a missing value.
    pub met: bool,
}

/// Goes through inputs and conditions of a bar: up to the first that fails in a run, through all for an explanation.
#[derive(Debug, Default)]
pub struct Checks {
    missing: Option<Input>,
    failed: bool,
    explains: Option<Vec<Check>>,
}

impl Checks {
    /// One that goes through all conditions and remembers them.
    pub fn explaining() -> Self {
        Self { explains: Some(Vec::new()), ..Self::default() }
    }

    /// Starts with another bar.
    pub fn reset(&mut self) {
        (self.missing, self.failed) = (None, false);
        if let Some(checks) = &mut self.explains {
            checks.clear();
        }
    }

    /// The first required input that is missing: the bar is not evaluable.
    pub const fn missing(&self) -> Option<Input> {
        self.missing
    }

    /// Whether every input is there and every condition met.
    pub const fn all_met(&self) -> bool {
        self.missing.is_none() && !self.failed
    }

    /// The conditions that were looked at; empty unless explaining.
    pub fn list(&self) -> &[Check] {
        self.explains.as_deref().unwrap_or_default()
    }

    /// A required input. All of them are asked for before the first condition.
    pub fn need<T: Copy>(&mut self, input: Known<T>) -> Option<T> {
        if let Err(missing) = input {
            self.missing.get_or_insert(missing);
        }
        input.ok()
    }

    /// The same as a number: NaN, which meets no condition, where it is missing.
    pub fn input(&mut self, input: Known) -> f64 {
        self.need(input).unwrap_or(f64::NAN)
    }

    /// Asked between inputs and conditions: `None` ends a run's look at a bar that lacks an input; an explanation goes on.
    pub const fn given(&self) -> Option<()> {
        if self.missing.is_some() && self.explains.is_none() { None } else { Some(()) }
    }

    /// value > limit for long, < for short
    pub fn beyond(&mut self, side: Side, name: &'static str, value: f64, limit: f64) -> Option<()> {
        match side {
            Side::Long => self.above(name, value, limit),
            Side::Short => self.below(name, value, limit),
        }
    }

    /// value ≥ limit for long, ≤ for short
    pub fn reaches(&mut self, side: Side, name: &'static str, value: f64, limit: f64) -> Option<()> {
        match side {
            Side::Long => self.at_least(name, value, limit),
            Side::Short => self.at_most(name, value, limit),
        }
    }

    /// value > limit
    pub fn above(&mut self, name: &'static str, value: f64, limit: f64) -> Option<()> {
        self.check(name, value, Comparison::Above, limit, value > limit)
    }

    /// value ≥ limit
    pub fn at_least(&mut self, name: &'static str, value: f64, limit: f64) -> Option<()> {
        self.check(name, value, Comparison::AtLeast, limit, value >= limit)
    }

    /// value < limit
    pub fn below(&mut self, name: &'static str, value: f64, limit: f64) -> Option<()> {
        self.check(name, value, Comparison::Below, limit, value < limit)
    }

    /// value ≤ limit
    pub fn at_most(&mut self, name: &'static str, value: f64, limit: f64) -> Option<()> {
        self.check(name, value, Comparison::AtMost, limit, value <= limit)
    }

    /// Something that is so or not.
    pub fn holds(&mut self, name: &'static str, met: bool) -> Option<()> {
        self.check(name, f64::from(u8::from(met)), Comparison::Holds, 1.0, met)
    }

    /// `None` ends a run's look at the bar; an explanation goes on.
    fn check(&mut self, name: &'static str, value: f64, comparison: Comparison, limit: f64, met: bool) -> Option<()> {
        self.failed |= !met;
        match &mut self.explains {
            Some(checks) => checks.push(Check { name, value, comparison, limit, met }),
            None if !met => return None,
            None => {}
        }
        Some(())
    }
}

/// A part of a score, for the explanation of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor {
    /// Its name.
    pub name: &'static str,
    /// Its share of the score, 0 to 1.
    pub weight: f64,
    /// 0 to 100.
    pub value: f64,
}

/// Adds up a score, and remembers its parts for an explanation.
#[derive(Debug, Default)]
pub struct Factors {
    sum: f64,
    explains: Option<Vec<Factor>>,
}

impl Factors {
    /// One that remembers the parts.
    pub fn explaining() -> Self {
        Self { sum: 0.0, explains: Some(Vec::new()) }
    }

    /// Adds a part; its value is clamped to 0 to 100.
    pub fn add(&mut self, name: &'static str, weight: f64, value: f64) {
        let value = value.clamp(0.0, 100.0);
        self.sum += weight * value;
        if let Some(factors) = &mut self.explains {
            factors.push(Factor { name, weight, value });
        }
    }

    /// The score so far.
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// The parts; empty unless explaining.
    pub fn list(&self) -> &[Factor] {
        self.explains.as_deref().unwrap_or_default()
    }
}
