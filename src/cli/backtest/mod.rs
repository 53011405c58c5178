//! What `backtest` prints and writes.

pub mod comparison;
pub mod console;
pub mod files;
