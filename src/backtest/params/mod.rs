//! Parameters of detectors. Each is declared once, in a `params!` block, which makes both the struct a run reads and the
//! list that `detectors --list`, files and flags go by.

mod error;
mod nearest;

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use error::ParamError;
pub use nearest::nearest;

/// A value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamValue {
    /// A number.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Switch(bool),
    /// One of several words.
    Choice(&'static str),
    /// Not asked for: the rule does not apply.
    Off,
}

impl ParamValue {
    /// As in reports and files: `off` is a word.
    pub fn to_json(self) -> serde_json::Value {
        match self {
            Self::Number(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Switch(value) => value.into(),
            Self::Choice(word) => word.into(),
            Self::Off => "off".into(),
        }
    }

    /// As typed in a flag.
    pub fn words(self) -> String {
        match self {
            Self::Number(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Switch(value) => value.to_string(),
            Self::Choice(word) => word.to_owned(),
            Self::Off => "off".to_owned(),
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(value),
            Self::Integer(value) => Some(value as f64),
            Self::Switch(_) | Self::Choice(_) | Self::Off => None,
        }
    }
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamKind {
    /// A number of a range, both ends included.
    Number {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
        /// What an optimiser steps by; other values are taken, too.
        step: f64,
    },
    /// A whole number of a range, both ends included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// What an optimiser steps by; other values are taken, too.
        step: i64,
    },
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl ParamKind {
    /// The word in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number { .. } => "number",
            Self::Integer { .. } => "integer",
            Self::Switch => "switch",
            Self::Choice(_) => "choice",
        }
    }
}

/// A parameter matters only while another has one of these values.
pub type Need = (&'static str, &'static [&'static str]);

/// One parameter of a detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamSpec {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: ParamKind,
    /// Whether it also takes `off`.
    pub optional: bool,
    /// Unit of its values; empty where there is none.
    pub unit: &'static str,
    /// Its value where none is given.
    pub default: ParamValue,
    /// While all of these hold, it matters; a value for one that does not matter is refused (B-66).
    pub needs: &'static [Need],
    /// What it does, in a line.
    pub help: &'static str,
}

impl ParamSpec {
    const fn of(kind: ParamKind, unit: &'static str, default: ParamValue) -> Self {
        let optional = matches!(default, ParamValue::Off);
        Self { name: "", kind, optional, unit, default, needs: &[], help: "" }
    }

    /// With a name and a line of help.
    pub(crate) const fn named(self, name: &'static str, help: &'static str) -> Self {
        Self { name, help: help.trim_ascii(), ..self }
    }

    /// One that matters only while others have certain values.
    pub(crate) const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    /// One that can be switched off, too.
    pub(crate) const fn or_off(self) -> Self {
        Self { optional: true, ..self }
    }

    /// Its values in words: `0 to 100`, `structural, atr_fixed`, `1 to 500 or off`.
    pub fn range(&self) -> String {
        let mut words = match self.kind {
            ParamKind::Number { min, max, .. } => format!("{min} to {max}"),
            ParamKind::Integer { min, max, .. } => format!("{min} to {max}"),
            ParamKind::Switch => "true, false".to_owned(),
            ParamKind::Choice(of) => of.join(", "),
        };
        if self.optional {
            words.push_str(" or off");
        }
        words
    }

    fn parse(&self, detector: &'static str, text: &str) -> Result<ParamValue, ParamError> {
        if self.optional && text == "off" {
            return Ok(ParamValue::Off);
        }
        let malformed = || ParamError::Malformed {
            detector,
            param: self.name,
            value: text.to_owned(),
            kind: self.kind.as_str(),
            range: self.range(),
        };
        let value = match self.kind {
            ParamKind::Number { .. } => {
                ParamValue::Number(text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(malformed)?)
            }
            ParamKind::Integer { .. } => ParamValue::Integer(text.parse().map_err(|_| malformed())?),
            ParamKind::Switch => ParamValue::Switch(text.parse().map_err(|_| malformed())?),
            ParamKind::Choice(of) => {
                ParamValue::Choice(of.iter().find(|word| **word == text).copied().ok_or_else(malformed)?)
            }
        };
        if self.admits(value) { Ok(value) } else { Err(self.out_of_range(detector, text)) }
    }

    fn out_of_range(&self, detector: &'static str, text: &str) -> ParamError {
        let mut range = self.range();
        if !self.unit.is_empty() {
            let _ = write!(range, " ({})", self.unit);
        }
        ParamError::OutOfRange { detector, param: self.name, value: text.to_owned(), range }
    }

    /// Whether a value is of its kind and range.
    pub fn admits(&self, value: ParamValue) -> bool {
        match (self.kind, value) {
            (ParamKind::Number { min, max, .. }, ParamValue::Number(value)) => min <= value && value <= max,
            (ParamKind::Integer { min, max, .. }, ParamValue::Integer(value)) => min <= value && value <= max,
            (ParamKind::Switch, ParamValue::Switch(_)) => true,
            (ParamKind::Choice(of), ParamValue::Choice(word)) => of.contains(&word),
            (_, ParamValue::Off) => self.optional,
            _ => false,
        }
    }
}

/// A number.
pub(crate) const fn number(default: f64, unit: &'static str, min: f64, max: f64, step: f64) -> ParamSpec {
    ParamSpec::of(ParamKind::Number { min, max, step }, unit, ParamValue::Number(default))
}

/// A number that is off unless given.
pub(crate) const fn number_off(unit: &'static str, min: f64, max: f64, step: f64) -> ParamSpec {
    ParamSpec::of(ParamKind::Number { min, max, step }, unit, ParamValue::Off)
}

/// A whole number.
pub(crate) const fn integer(default: i64, unit: &'static str, min: i64, max: i64, step: i64) -> ParamSpec {
    ParamSpec::of(ParamKind::Integer { min, max, step }, unit, ParamValue::Integer(default))
}

/// A whole number that is off unless given.
pub(crate) const fn integer_off(unit: &'static str, min: i64, max: i64, step: i64) -> ParamSpec {
    ParamSpec::of(ParamKind::Integer { min, max, step }, unit, ParamValue::Off)
}

/// A switch.
pub(crate) const fn switch(default: bool) -> ParamSpec {
    ParamSpec::of(ParamKind::Switch, "", ParamValue::Switch(default))
}

/// The first of several words, or another.
pub(crate) const fn choice(of: &'static [&'static str]) -> ParamSpec {
    ParamSpec::of(ParamKind::Choice(of), "", ParamValue::Choice(of[0]))
}

/// The length of groups of parameters together.
pub(crate) const fn count(groups: &[&[ParamSpec]]) -> usize {
    let (mut count, mut group) = (0, 0);
    while group < groups.len() {
        count += groups[group].len();
        group += 1;
    }
    count
}

/// Groups of parameters as one list, some with defaults of this detector's own.
pub(crate) const fn join<const N: usize>(groups: &[&[ParamSpec]], defaults: &[(&str, ParamValue)]) -> [ParamSpec; N] {
    let mut list = [switch(false); N];
    let (mut at, mut group) = (0, 0);
    while group < groups.len() {
        let mut of_group = 0;
        while of_group < groups[group].len() {
            list[at] = groups[group][of_group];
            at += 1;
            of_group += 1;
        }
        group += 1;
    }
    let mut default = 0;
    while default < defaults.len() {
        let (name, value) = defaults[default];
        let mut of_list = 0;
        while !is_same(list[of_list].name, name) {
            of_list += 1;
        }
        list[of_list].default = value;
        default += 1;
    }
    list
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Declares parameters: the line of documentation is their help, the field their name.
macro_rules! params {
    (
        $(#[$about:meta])*
        $visible:vis struct $name:ident { $(#[doc = $help:literal] $field:ident: $type:ty = $spec:expr),* $(,)? }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        $visible struct $name { $(#[doc = $help] pub $field: $type),* }

        impl $name {
            /// The list of them.
            pub const SPECS: &'static [$crate::backtest::params::ParamSpec] =
                &[$($spec.named(stringify!($field), $help)),*];

            /// Their values.
            pub fn read(values: &$crate::backtest::params::Values) -> Self {
                Self { $($field: values.get(stringify!($field))),* }
            }
        }
    };
}

/// Declares a choice: an enum, its words, and how it is read.
macro_rules! choices {
    (
        $(#[$about:meta])*
        $visible:vis enum $name:ident { $(#[doc = $help:literal] $case:ident = $word:literal),* $(,)? }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visible enum $name { $(#[doc = $help] $case),* }

        impl $name {
            /// The words for them; the first is the default.
            pub const WORDS: &'static [&'static str] = &[$($word),*];
        }

        impl $crate::backtest::params::FromParam for $name {
            fn from_param(value: $crate::backtest::params::ParamValue) -> Option<Self> {
                match value {
                    $($crate::backtest::params::ParamValue::Choice($word) => Some(Self::$case),)*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use {choices, params};

/// What a parameter is read as.
pub(crate) trait FromParam: Sized {
    /// `None`: of another kind.
    fn from_param(value: ParamValue) -> Option<Self>;
}

impl FromParam for f64 {
    fn from_param(value: ParamValue) -> Option<Self> {
        if let ParamValue::Number(value) = value { Some(value) } else { None }
    }
}

impl FromParam for bool {
    fn from_param(value: ParamValue) -> Option<Self> {
        if let ParamValue::Switch(value) = value { Some(value) } else { None }
    }
}

macro_rules! from_integer {
    ($($type:ty),*) => {$(
        impl FromParam for $type {
            fn from_param(value: ParamValue) -> Option<Self> {
                if let ParamValue::Integer(value) = value { value.try_into().ok() } else { None }
            }
        }
    )*};
}

from_integer!(i32, u32, usize);

impl<T: FromParam> FromParam for Option<T> {
    fn from_param(value: ParamValue) -> Option<Self> {
        if value == ParamValue::Off { Some(None) } else { T::from_param(value).map(Some) }
    }
}

/// Two parameters of which the first must not be larger than the second, wherever a detector has both and neither is off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// The smaller.
    pub low: &'static str,
    /// The larger.
    pub high: &'static str,
    /// Whether they may be equal.
    pub may_be_equal: bool,
}

/// The values of all parameters of one detector: defaults, and what was given.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    detector: &'static str,
    specs: &'static [ParamSpec],
    values: Vec<ParamValue>,
}

impl Values {
    /// Puts what was given over the defaults. Every parameter changes the run or is refused (B-66).
    pub fn resolve(
        detector: &'static str,
        specs: &'static [ParamSpec],
        given: &BTreeMap<String, String>,
    ) -> Result<Self, ParamError> {
        let mut values: Vec<_> = specs.iter().map(|spec| spec.default).collect();
        for (name, text) in given {
            let Some(at) = specs.iter().position(|spec| spec.name == name) else {
                let nearest = nearest(name, specs.iter().map(|spec| spec.name));
                return Err(ParamError::Unknown { detector, param: name.clone(), nearest });
            };
            values[at] = specs[at].parse(detector, text.trim())?;
        }
        let values = Self { detector, specs, values };
        values.refuse_idle()?;
        values.weigh()?;
        Ok(values)
    }

    /// The value of a parameter, if the detector has it.
    pub fn find(&self, name: &str) -> Option<ParamValue> {
        self.specs.iter().position(|spec| spec.name == name).map(|at| self.values[at])
    }

    /// The value of a parameter the detector has.
    pub fn get<T: FromParam>(&self, name: &str) -> T {
        self.find(name).and_then(T::from_param).expect("Invariant: a detector declares what it reads")
    }

    /// The value of a parameter, or what stands for it in detectors that do not have it.
    pub fn get_or<T: FromParam>(&self, name: &str, otherwise: T) -> T {
        if self.find(name).is_some() { self.get(name) } else { otherwise }
    }

    /// The number of a parameter that matters and is not off.
    pub fn live_number(&self, name: &str) -> Option<f64> {
        let at = self.specs.iter().position(|spec| spec.name == name)?;
        if self.idle_for(&self.specs[at]).is_some() { None } else { self.values[at].number() }
    }

    /// All of them, by name.
    pub fn to_json(&self) -> BTreeMap<String, serde_json::Value> {
        self.specs.iter().zip(&self.values).map(|(spec, value)| (spec.name.to_owned(), value.to_json())).collect()
    }

    /// Refuses pairs in the wrong order.
    pub fn check(&self, orders: &[Order]) -> Result<(), ParamError> {
        for order in orders {
            if let (Some(low), Some(high)) = (self.live_number(order.low), self.live_number(order.high))
                && (low > high || (low == high && !order.may_be_equal))
            {
                let rule = if order.may_be_equal { "at most" } else { "below" };
                return Err(self.contradiction(order.low, low, rule, order.high, high));
            }
        }
        Ok(())
    }

    /// The error of a parameter that contradicts another value.
    pub fn contradiction(
        &self,
        param: &'static str,
        value: f64,
        rule: &'static str,
        other: &'static str,
        other_value: f64,
    ) -> ParamError {
        ParamError::Contradiction { detector: self.detector, param, value, rule, other, other_value }
    }

    /// The need of a parameter that does not hold.
    fn idle_for(&self, spec: &ParamSpec) -> Option<&'static Need> {
        let unmet = |(name, words): &&Need| self.find(name).is_some_and(|is| !words.contains(&is.words().as_str()));
        spec.needs.iter().find(unmet)
    }

    fn refuse_idle(&self) -> Result<(), ParamError> {
        for (spec, value) in self.specs.iter().zip(&self.values) {
            if *value == spec.default {
                continue;
            }
            if let Some((other, words)) = self.idle_for(spec) {
                return Err(ParamError::Idle {
                    detector: self.detector,
                    param: spec.name,
                    value: value.words(),
                    other,
                    is: self.find(other).unwrap_or(ParamValue::Off).words(),
                    needs: words.join(" or "),
                });
            }
        }
        Ok(())
    }

    /// Weights of factors sum to 1 (detectors 5).
    fn weigh(&self) -> Result<(), ParamError> {
        let weights = self.specs.iter().zip(&self.values).filter(|(spec, _)| spec.name.starts_with("w_"));
        let sum: f64 = weights.filter_map(|(_, value)| value.number()).sum();
        if (sum - 1.0).abs() > 1e-9 {
            let sum = (sum * 1e9).round() / 1e9;
            return Err(ParamError::Weights { detector: self.detector, sum });
        }
        Ok(())
    }
}
