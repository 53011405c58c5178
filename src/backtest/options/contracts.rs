//! What is known of an option chain at the end of a bar: what a loader of option bars fills in.

use jiff::civil::Date;

use super::Right;
use crate::backtest::Known;

/// A price of a contract, with the underlying's at the same instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionPrice {
    /// Mid of the minute's last quote where quotes are loaded, else the close of the minute.
    pub price: f64,
    /// End of that minute, milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// The underlying's close of the same minute, if it has one.
    pub underlying: Option<f64>,
}

/// One contract at the end of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contract {
    /// Which way it pays.
    pub right: Right,
    /// Strike.
    pub strike: f64,
    /// Date it expires on.
    pub expiry: Date,
    /// The last instant it trades: the open of the expiry day for roots settled there; milliseconds since the Unix epoch.
    pub last_trading_ms: i64,
    /// Whether its root is settled at the open: it is never 0DTE and has no part in max pain.
    pub settles_at_open: bool,
    /// Its last price at or before the end of the bar.
    pub price: Option<OptionPrice>,
    /// Open interest known at the session's open; `None`: not known.
    pub open_interest: Option<f64>,
    /// Contracts traded in the session so far.
    pub volume: f64,
}

/// All contracts of an underlying at the end of a bar.
#[derive(Debug, Clone, Copy)]
pub struct ContractsAt<'a> {
    /// End of the bar, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Its session.
    pub session: Date,
    /// The underlying's price at the end of the bar.
    pub spot: Known,
    /// The contracts, in any order.
    pub contracts: &'a [Contract],
}

/// What contracts are weighed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightSource {
    /// Open interest.
    #[default]
    OpenInterest,
    /// The session's volume so far: a stand-in that every result made of it must name.
    Volume,
}

/// How contracts become a chain (detectors 6).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainSettings {
    /// Interest a year.
    pub rate: f64,
    /// Dividends a year as a share of the price.
    pub dividend_yield: f64,
    /// Shortest time to expiry that is reckoned with, minutes.
    pub t_min_minutes: f64,
    /// Oldest price that is used, minutes before the end of the bar.
    pub opt_stale_minutes: i64,
    /// Farthest expiry, days.
    pub chain_dte_max: i32,
    /// Farthest strike, percent of the price.
    pub strike_max_pct: f64,
    /// How far strikes count that a usable chain needs, percent of the price.
    pub coverage_pct: f64,
    /// How many strikes with a volatility a usable chain needs on each side of the price.
    pub coverage_strikes: usize,
    /// Share of the weight that must have a volatility, 0 to 1.
    pub coverage_weight: f64,
    /// What contracts are weighed with.
    pub weight: WeightSource,
}

impl Default for ChainSettings {
    fn default() -> Self {
        Self {
            rate: 0.04,
            dividend_yield: 0.0,
            t_min_minutes: 5.0,
            opt_stale_minutes: 15,
            chain_dte_max: 30,
            strike_max_pct: 20.0,
            coverage_pct: 5.0,
            coverage_strikes: 5,
            coverage_weight: 0.6,
            weight: WeightSource::OpenInterest,
        }
    }
}
