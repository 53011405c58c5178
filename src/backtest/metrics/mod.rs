//! What trades and equity say, and how little: each statistic with its uncertainty.
//!
//! One statistic per file, with its formula and source. Everything is net of costs unless it says gross. What is not
//! defined is `None` and has a [`Flag`] that says why; it is never 0, a large number or infinity (backtest-semantics §8).
//! Trades that the end of the data ended are left out (B-22).
//!
//! Rates are fractions, 0 to 1; percent where the name says so.

mod bootstrap;
mod bounds;
mod breakdown;
mod calibration;
mod clustered;
mod control;
mod costs;
mod detector;
mod drawdown;
mod effective;
mod excursion;
mod flag;
mod histogram;
mod normal;
mod portfolio;
mod quantile;
mod ratios;
mod sharpe;
mod summary;
mod tally;
mod wilson;

pub use bounds::{Bounds, Headline};
pub use breakdown::{Breakdown, Group};
pub use calibration::Decile;
pub use clustered::ClusteredT;
pub use control::RandomControl;
pub use costs::{CostPoint, Costs};
pub use detector::{DetectorStats, detector_stats};
pub use drawdown::RDrawdown;
pub use effective::EffectiveBets;
pub use excursion::{Excursion, Spread};
pub use flag::Flag;
pub use histogram::Bin;
pub use portfolio::{MonthReturn, PortfolioStats, SessionReturn, portfolio_stats};
pub use summary::{Summary, summary};
pub use wilson::Interval;
