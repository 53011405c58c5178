//! Fills `historical_bars` from a vendor's bulk files.

use std::process::ExitCode;

fn main() -> ExitCode {
    barkeep::cli::backfill()
}
