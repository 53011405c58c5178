//! Runs signal detectors over stored bars.

use std::process::ExitCode;

fn main() -> ExitCode {
    barkeep::cli::backtest()
}
