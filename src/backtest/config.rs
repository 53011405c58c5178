//! What a run was asked for: all that its results depend on beside the data.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::{CostSettings, EngineSettings, PortfolioSettings};
use crate::model::Timeframe;

/// One detector of a run, with every parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DetectorConfig {
    /// Its identifier.
    pub detector: String,
    /// Its parameters as they are after defaults, files and flags.
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// What a run was asked for. Its hash, with that of the data, names the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunConfig {
    /// Detectors, in the order they were asked for; empty for a file of signals.
    pub detectors: Vec<DetectorConfig>,
    /// Hash of the file of signals, and how it was read.
    pub signals: Option<SignalsConfig>,
    /// Symbols, sorted.
    pub symbols: Vec<String>,
    /// How they were chosen, as typed: `--symbols`, `watchlist`, `all`, `top:500`.
    pub universe: String,
    /// Timeframe of the signals.
    pub timeframe: Timeframe,
    /// First trading date.
    pub from: Date,
    /// Last trading date.
    pub to: Date,
    /// How the engine fills.
    pub engine: EngineSettings,
    /// What trading costs.
    pub costs: CostSettings,
    /// How the portfolio takes trades; `None`: it is left out.
    pub portfolio: Option<PortfolioSettings>,
    /// Fewest signal bars a symbol must have.
    pub min_bars: u64,
    /// Whether detectors run on classes they are not made for.
    pub ignore_asset_class: bool,
    /// Further symbols that are ETFs.
    pub etfs: Vec<String>,
    /// Whether the day's volume stands in for open interest.
    pub oi_proxy_volume: bool,
    /// Seed of the bootstrap and of the random control.
    pub seed: u64,
    /// Draws of the random control; 0: none.
    pub random_draws: u32,
}

/// A file of signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalsConfig {
    /// Hash of its bytes.
    pub sha256: String,
    /// What stops and targets are: `price`, `distance`, `percent`, `atr`.
    pub levels: String,
}
