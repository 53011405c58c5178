//! Flags of `nightly`.

use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use jiff::civil::Time;

use super::span::parse_pause;
use super::{MetricsArgs, SourceArgs, dataset_parser};
use crate::model::Dataset;

/// Flags of `nightly`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct NightlyArgs {
    /// Keep every symbol of a dataset filled, and the watchlist of the others.
    #[arg(long, help_heading = "What to load")]
    pub all: bool,
    /// The dataset of --all [default: stocks].
    #[arg(long, value_parser = dataset_parser(), requires = "all", help_heading = "What to load")]
    pub dataset: Option<Dataset>,
    /// Lengths of bars to make, with commas between: 1m 5m 15m 1h 4h day [default: all of them; without 1m with --all].
    #[arg(long, value_name = "LIST", help_heading = "What to load")]
    pub timeframes: Option<String>,
    /// Do not load the vendor's own day bars (day_official) beside the ones made from minutes.
    #[arg(long, help_heading = "What to load")]
    pub no_official_day: bool,
    /// Sessions to look back at least; what earlier runs have missed is looked at, however old.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=2500), help_heading = "What to load")]
    pub lookback: u32,
    /// Hold all that is stored against the vendor's listing now; without it once a week.
    #[arg(long, help_heading = "What to load")]
    pub recheck: bool,
    /// Wait for a late file until this time of the day after its session, New York; off: do not wait.
    #[arg(long, value_name = "HH:MM|off", default_value = "11:30", value_parser = wait_until, help_heading = "When")]
    pub wait_until: WaitUntil,
    /// How often to look for a late file.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_pause, help_heading = "When")]
    pub poll: Duration,
    /// What to do if another nightly run is alive: end with 0, or with 1.
    #[arg(long, value_enum, default_value_t = IfRunning::Ok, help_heading = "When")]
    pub if_running: IfRunning,
    /// Where files come from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Requests that may be made: 5/min, 100/s, or auto [default: auto].
    #[arg(long, value_name = "N/min|N/s|auto", help_heading = "How to load")]
    pub rate: Option<String>,
    /// Who watches it.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}

/// Until when a late file is waited for, New York time; `None`: it is not. (Not an `Option` itself, which has a meaning to the
/// parser.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitUntil(pub Option<Time>);

/// What a run does that finds another one alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IfRunning {
    /// End with 0.
    Ok,
    /// End with 1.
    Fail,
}

fn wait_until(text: &str) -> Result<WaitUntil, String> {
    if text == "off" {
        return Ok(WaitUntil(None));
    }
    let time = Time::strptime("%H:%M", text).map_err(|_| "a time of day like 11:30, or off".to_owned())?;
    Ok(WaitUntil(Some(time)))
}
