//! barkeep keeps your bars: it bulk-loads a vendor's flat files of minute aggregates, rolls them up to longer bars with
//! a volume-weighted VWAP, and keeps them in one SQL table, `historical_bars`.
//!
//! `ARCHITECTURE.md` has the map of the modules and who may import whom.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

#[macro_use]
pub mod crash;

pub mod aggregate;
pub mod backtest;
pub mod cli;
pub mod config;
pub mod export;
pub mod history;
pub mod ingest;
pub mod model;
pub mod net;
pub mod notify;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;
pub mod verify;
