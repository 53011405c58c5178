//! `backfill watchlist`.

mod list;
mod queue;
mod run;
mod telling;

use super::{Context, store_error, warn};
use crate::cli::{CliError, Exit, Signals, WatchlistCommand};

/// Changes or shows the watchlist.
pub(super) async fn run(command: &WatchlistCommand, context: &Context) -> Result<Exit, CliError> {
    match command {
        WatchlistCommand::Add(add) => list::add(add, context).await,
        WatchlistCommand::Remove(remove) => list::remove(remove, context).await,
        WatchlistCommand::List => list::show(context).await,
        WatchlistCommand::Queue(queue) => queue::show(queue, context).await,
        WatchlistCommand::Retry(retry) => queue::retry(retry, context).await,
        WatchlistCommand::Run(args) => {
            let signals = Signals::listen(warn)?;
            signals.run(run::run(args, context, &signals)).await.unwrap_or_else(Ok)
        }
    }
}
