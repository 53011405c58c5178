//! Why a statistic is not there.

use serde::Serialize;

/// Why a statistic is not there, or is to be read with care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// There are no trades: nothing per trade is defined.
    NoTrades,
    /// Fewer than 30 trades.
    SmallSample,
    /// No trade won: the average and largest win are not defined.
    NoWins,
    /// No trade lost: the profit factor, the average and largest loss are not defined.
    NoLosses,
    /// All trades were entered in one session: nothing tells how sessions differ.
    OneSession,
    /// All values are equal: nothing can be divided by their spread.
    NoSpread,
    /// Nothing was gained before costs: no share of it is defined, and no cost would break even.
    NoGrossGain,
    /// Fewer than 20 sessions: nothing is annualised.
    FewDays,
    /// No session lost: the Sortino ratio is not defined.
    NoLosingDays,
    /// Equity never fell: the Calmar ratio is not defined.
    NoDrawdown,
    /// One configuration only: there is nothing to deflate the Sharpe ratio for.
    OneTrial,
    /// Equity came to nothing or less: returns are not defined.
    CapitalLost,
}
