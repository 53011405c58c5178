//! `backfill watchlist`.

use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};

use super::span::parse_interval;
use super::{MetricsArgs, SourceArgs, help};

/// `watchlist` and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct WatchlistArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: WatchlistCommand,
}

/// What to do with the watchlist.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum WatchlistCommand {
    /// Put symbols on the watchlist, or change how they are kept.
    #[command(after_help = help::WATCHLIST_ADD)]
    Add(WatchlistAddArgs),
    /// Take symbols off the watchlist. Their bars stay.
    Remove(WatchlistRemoveArgs),
    /// Show the watchlist.
    List,
    /// Load what the queue asks for: symbols that were added to the watchlist, and requests of other programs.
    ///
    /// Works until it is stopped. Several may run at once, on several machines; what one leaves behind when it dies, another
    /// takes over within half a minute.
    #[command(after_help = help::WATCHLIST_RUN)]
    Run(WatchlistRunArgs),
    /// Show requests to load symbols: those that wait or are worked on, then those that have ended.
    #[command(after_help = help::WATCHLIST_QUEUE)]
    Queue(WatchlistQueueArgs),
    /// Queue failed requests again.
    #[command(after_help = help::WATCHLIST_RETRY)]
    Retry(WatchlistRetryArgs),
}

/// Flags of `watchlist add`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct WatchlistAddArgs {
    /// The symbols. Case matters.
    #[arg(required = true, value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// How many calendar days of bars each is to have. Kept on the list; `s3` goes by its own --days.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days_to_backfill: u32,
    /// Which symbols matter more: higher numbers. Kept on the list; `s3` loads all of them together.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub priority: i32,
}

/// Flags of `watchlist run`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct WatchlistRunArgs {
    /// Load what the queue asks for now, and end.
    #[arg(long)]
    pub once: bool,
    /// Look for requests this often where the database does not tell of them: 500ms, 60s, 5m. What other processes have left
    /// behind is looked for every 5 seconds in any case.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_interval)]
    pub interval: Duration,
    /// Requests that may be made of the REST API: 5/min, 100/s, or auto [default: auto].
    #[arg(long, value_name = "N/min|N/s|auto")]
    pub rate: Option<String>,
    /// Where files come from.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Who watches it.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}

/// Flags of `watchlist remove`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct WatchlistRemoveArgs {
    /// The symbols. Case matters.
    #[arg(required = true, value_name = "SYMBOL")]
    pub symbols: Vec<String>,
}

/// Flags of `watchlist queue`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct WatchlistQueueArgs {
    /// Only requests of this symbol. Case matters.
    #[arg(long, value_name = "S")]
    pub symbol: Option<String>,
    /// How many requests to show at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

/// Flags of `watchlist retry`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct WatchlistRetryArgs {
    /// Numbers of failed requests, as `watchlist queue` shows them.
    #[arg(value_name = "ID", required_unless_present = "dead")]
    pub ids: Vec<i64>,
    /// All requests that are dead: tried in vain too often.
    #[arg(long, conflicts_with = "ids")]
    pub dead: bool,
}
