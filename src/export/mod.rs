//! Stored bars as files that other programs read: a tree of Parquet or CSV files, and a manifest of them.
//!
//! Option chains make a tree of the same kind. One pass over the store per market and month writes that month's files, one per timeframe. The tree is made aside and
//! takes its place when it is whole.

mod chain;
mod chain_file;
mod check;
mod columns;
mod csv;
mod error;
mod file;
mod manifest;
mod output;
mod parquet;
mod run;

pub use chain::{ExportedChains, export_chains};
pub use chain_file::ExportedChainFile;
pub use error::ExportError;
pub use file::Format;
pub use manifest::{ExportedFile, Listed, Manifest, Prices};
pub use output::{Content, Output};
pub use run::{Exported, Progress, Request, export};
