//! barkeep keeps your bars: it bulk-loads a vendor's flat files of minute aggregates, rolls them up to longer bars with
//! a volume-weighted VWAP, and keeps them in one SQL table, `historical_bars`.
//!
//! `ARCHITECTURE.md` has the map of the modules and who may import whom.

pub mod ingest;
pub mod model;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;
