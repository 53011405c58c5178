//! Stored bars as files that other programs read: a tree of Parquet or CSV files, and a manifest of them.
//!
//! One pass over the store per market and month writes that month's files, one per timeframe. The tree is made aside and
//! takes its place when it is whole.

mod check;
mod csv;
mod error;
mod file;
mod manifest;
mod output;
mod parquet;
mod run;

pub use error::ExportError;
pub use file::Format;
pub use manifest::{ExportedFile, Manifest};
pub use output::Output;
pub use run::{Exported, Progress, Request, export};
