//! What `backtest` prints and writes.

pub mod console;
pub mod files;
