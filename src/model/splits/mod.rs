//! Splits: what the vendor lists, what the user says, which of it is used, and what it does to bars.

mod adjust;
mod overrides;
mod record;
mod resolve;

pub use adjust::{Adjustment, Factor, Stretch};
pub use overrides::{Override, OverrideAction, OverrideError, parse_overrides};
pub use record::{SplitFlag, SplitKind, SplitRecord, SplitSource, SplitStatus};
pub use resolve::{JUMP_DAYS, ListedSplit, PriceJump, Resolution, resolve_splits};

use jiff::civil::Date;

/// A ratio, as the vendor or the user gives it: so many shares before become so many after.
///
/// The two numbers are kept as `f64`. A fifth of the vendor's are fractional (`1.05`); the `f64` nearest to a decimal of up to
/// 15 digits stands for this decimal alone and prints as it, so nothing of what was given is lost, and equal decimals are
/// equal. Only what is computed from them rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Shares before.
    from: f64,
    /// Shares after.
    to: f64,
}

/// Numbers that are no ratio of a split.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum RatioError {
    /// Zero, negative, not a number, or so far from 1 that products of some of them would not fit into a double.
    #[error("{0} is not a number of shares between 0.000000001 and 1000000000")]
    Number(f64),
    /// As many shares after as before.
    #[error("{0}:{0} changes nothing")]
    Same(f64),
}

impl Ratio {
    const LEAST: f64 = 1e-9;
    const MOST: f64 = 1e9;

    /// Checks the two numbers.
    pub fn checked(from: f64, to: f64) -> Result<Self, RatioError> {
        for number in [from, to] {
            if !(Self::LEAST..=Self::MOST).contains(&number) {
                return Err(RatioError::Number(number));
            }
        }
        if from == to { Err(RatioError::Same(from)) } else { Ok(Self { from, to }) }
    }

    /// Shares before.
    pub const fn from(self) -> f64 {
        self.from
    }

    /// Shares after.
    pub const fn to(self) -> f64 {
        self.to
    }

    /// Whether it does the same as another: 2:1 and 4:2. Compares products, which are exact for whole numbers.
    pub fn is_same(self, other: Self) -> bool {
        self.from * other.to == other.from * self.to
    }

    /// Whether it undoes another: 1:2 and 4:2.
    pub fn is_opposite(self, other: Self) -> bool {
        self.from * other.from == self.to * other.to
    }

    /// The logarithm of what it does to prices.
    fn log(self) -> f64 {
        (self.from / self.to).ln()
    }
}

/// Written as people say it, shares after first: 4:1 for four new shares in the place of an old one.
impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.to, self.from)
    }
}

/// A split that is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// The first trading date (New York) with prices after it.
    pub execution_date: Date,
    /// What becomes of shares.
    pub ratio: Ratio,
}
