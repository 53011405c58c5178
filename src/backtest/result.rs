//! What a run finds out, before it is made into statistics and reports.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::{Counters, Input, Trade};

/// Whether a detector could be evaluated on a symbol. No trades is something else than no evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// On every bar of the period.
    Evaluated,
    /// On some of them.
    Partial,
    /// On none: this is missing.
    NotEvaluable(Input),
    /// The symbol is of another class than the detector is made for.
    AssetClass,
    /// Nobody can hold it.
    NotTradable,
    /// Too few signal bars.
    InsufficientData,
    /// No signal bars at all.
    NoData,
}

impl Status {
    /// In words, as in reports.
    pub fn words(self) -> String {
        match self {
            Self::Evaluated => "evaluated".to_owned(),
            Self::Partial => "partial".to_owned(),
            Self::NotEvaluable(input) => format!("not evaluable: {}", input.as_str()),
            Self::AssetClass => "asset_class".to_owned(),
            Self::NotTradable => "not_tradable".to_owned(),
            Self::InsufficientData => "insufficient data".to_owned(),
            Self::NoData => "no data".to_owned(),
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.words())
    }
}

/// What one detector did on one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorRun {
    /// Whether it could be evaluated.
    pub status: Status,
    /// Its trades, by time of entry.
    pub trades: Vec<Trade>,
    /// What became of bars and signals.
    pub counters: Counters,
    /// By draw of the random control: the sum of R of entries at random bars in place of its own. Empty without.
    pub random_r: Vec<f64>,
}

/// What a run did on one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolStudy {
    /// The symbol's ticker.
    pub symbol: Box<str>,
    /// One for each detector of the run, in its order.
    pub runs: Vec<DetectorRun>,
    /// Hash of every bar, split and official price that was read.
    pub snapshot: u128,
    /// Bars of the signal timeframe in the period.
    pub bars: u64,
}

/// What one detector did on all symbols.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorResult {
    /// Its identifier, or the name of the file of signals.
    pub detector: &'static str,
    /// Its trades: by time of the signal, then score descending, then symbol.
    pub trades: Vec<Trade>,
    /// Counts over all symbols.
    pub counters: Counters,
    /// By symbol: whether it could be evaluated, and on how many bars not.
    pub symbols: Vec<SymbolStatus>,
    /// By draw of the random control: the sum of R over all symbols. Empty without.
    pub random_r: Vec<f64>,
}

/// Whether a detector could be evaluated on a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolStatus {
    /// The symbol's ticker.
    pub symbol: Box<str>,
    /// Whether.
    pub status: Status,
    /// Signal bars of the period.
    pub bars: u64,
    /// Bars that lack a required input, by the first that is missing.
    pub missing: BTreeMap<Input, u64>,
}

/// What a run finds out: each detector on each symbol alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// One for each detector, in the order they were asked for.
    pub results: Vec<DetectorResult>,
    /// Hash of all that was read of all symbols, in their order.
    pub snapshot: u128,
    /// Symbols looked at.
    pub symbols: u64,
    /// Signal bars of the period, over all symbols.
    pub bars: u64,
}

/// Equity at the end of bars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EquityPoint {
    /// End of the bar, milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// Cash and positions, marked to the last close.
    pub equity: f64,
}

/// Equity at the end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionEquity {
    /// The trading date.
    pub date: Date,
    /// Equity at its end.
    pub equity: f64,
}

/// Candidates that a portfolio did not take, by what it lacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortfolioRejected {
    /// As many positions as may be were open.
    pub max_open: u64,
    /// The value of positions would be too high.
    pub max_gross: u64,
    /// The entry bar had too little volume.
    pub volume: u64,
    /// The quantity came to nothing.
    pub size: u64,
}

/// A trade as the portfolio took it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PortfolioTrade {
    /// Place of its detector in [`Study::results`].
    pub detector: usize,
    /// Place of the trade in that detector's trades.
    pub trade: usize,
    /// Shares, contracts or points.
    pub quantity: f64,
    /// Gain after costs.
    pub pnl: f64,
}

/// What a portfolio of all the study's trades would have done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Portfolio {
    /// Trades taken, by time of entry.
    pub trades: Vec<PortfolioTrade>,
    /// Candidates turned away.
    pub rejected: PortfolioRejected,
    /// Equity at the end of every bar a position was open at, and at each start and end of a session.
    pub equity: Vec<EquityPoint>,
    /// Equity at the end of every session of the period, without trades, too.
    pub sessions: Vec<SessionEquity>,
    /// Share of the regular hours of the period with an open position, 0 to 1.
    pub exposure: f64,
    /// Value traded over mean equity.
    pub turnover: f64,
}
