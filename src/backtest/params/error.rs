//! Why values of parameters are not taken, as users read it.

use thiserror::Error;

/// Why values of parameters are not taken.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// The detector has no such parameter.
    #[error(
        "{detector} has no parameter `{param}`{}; `backtest detectors --list` shows what it has",
        nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
    )]
    Unknown {
        /// The detector.
        detector: &'static str,
        /// What was asked for.
        param: String,
        /// The name that is most like it, if one is.
        nearest: Option<&'static str>,
    },
    /// The value is of another kind.
    #[error("{detector}.{param} = {value} is not a value for this {kind}: it takes {range}")]
    Malformed {
        /// The detector.
        detector: &'static str,
        /// The parameter.
        param: &'static str,
        /// What was given.
        value: String,
        /// What it takes.
        kind: &'static str,
        /// The same in words.
        range: String,
    },
    /// The value is too small or too large.
    #[error("{detector}.{param} = {value} is out of range: it takes {range}")]
    OutOfRange {
        /// The detector.
        detector: &'static str,
        /// The parameter.
        param: &'static str,
        /// What was given.
        value: String,
        /// What it takes, in words.
        range: String,
    },
    /// Two values cannot be meant together.
    #[error("{detector}.{param} = {value} must be {rule} {other} = {other_value}: change one of them")]
    Contradiction {
        /// The detector.
        detector: &'static str,
        /// A parameter.
        param: &'static str,
        /// Its value.
        value: f64,
        /// How it must compare.
        rule: &'static str,
        /// With what.
        other: &'static str,
        /// The value of that.
        other_value: f64,
    },
    /// The weights of a score do not sum to 1.
    #[error("the weights of {detector} (`w_…`) sum to {sum} and must sum to 1: change others of them, too")]
    Weights {
        /// The detector.
        detector: &'static str,
        /// Their sum.
        sum: f64,
    },
    /// The value would change nothing.
    #[error("{detector}.{param} = {value} changes nothing while {other} = {is}: it needs {other} = {needs}")]
    Idle {
        /// The detector.
        detector: &'static str,
        /// The parameter.
        param: &'static str,
        /// What was given.
        value: String,
        /// The parameter it depends on.
        other: &'static str,
        /// The value of that.
        is: String,
        /// The value it must have.
        needs: String,
    },
}
