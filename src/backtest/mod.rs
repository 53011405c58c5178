//! Signals over bars, and what trading them would have brought. Pure and synchronous.
//!
//! Data flows one way: bars of a symbol ([`SymbolData`]) → what is known at the end of each ([`Features`]) → detectors →
//! [`Signal`]s → the engine → [`Trade`]s → statistics and reports. A bar is known at its end, and nothing acts on it before.

pub mod audit;
mod bars;
mod config;
mod counters;
mod data;
pub mod detectors;
pub mod engine;
pub mod explain;
mod features;
pub mod indicators;
mod instrument;
pub mod metrics;
pub mod options;
pub mod params;
pub mod portfolio;
pub mod report;
mod result;
mod rules;
pub mod run;
mod sessions;
mod side;
mod signal;
pub mod signals_file;
mod snapshot;
mod stream;
mod trade;

pub use bars::Bars;
pub use config::{DetectorConfig, RunConfig, SignalsConfig};
pub use counters::{Counters, Rejected, Unfilled};
pub use data::{OfficialDay, SplitAt, SymbolData};
pub use features::{FeatureSettings, Features, Flow, Input, Known, OpeningRange, Regime};
pub use instrument::{AssetClass, ClassGate, ETFS, Instrument};
pub use result::{
    DetectorResult, DetectorRun, EquityPoint, Portfolio, PortfolioRejected, PortfolioTrade, SessionEquity, Status,
    Study, SymbolStatus, SymbolStudy,
};
pub use rules::{
    Commission, CostSettings, EngineSettings, FillMode, PortfolioSettings, SessionScope, Slippage, TargetFill,
    TargetGap, TradeRules,
};
pub use sessions::{SessionClock, Sessions};
pub use side::Side;
pub use signal::{Distances, ExitPlan, OnceLevel, Signal, StopRule, TargetRule};
pub use stream::FeatureStream;
pub use trade::{ExitDecision, ExitReason, Mark, Outcome, Trade};
