//! `backfill watchlist`.

use clap::{Args as ClapArgs, Subcommand};

use super::help;

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
