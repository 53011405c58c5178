//! The list itself: adding to it, removing from it, showing it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::{Context, store_error};
use crate::cli::format::counted;
use crate::cli::{
    Align, Body, CliError, Exit, Table, WatchlistAddArgs, WatchlistRemoveArgs, print_json, watchlist_symbols,
};
use crate::model::{Dataset, Symbol};
use crate::store::{AnyStore, Watchlist, WatchlistEntry};

#[derive(Serialize)]
struct Row<'a> {
    symbol: &'a str,
    dataset: Dataset,
    days_to_backfill: u32,
    priority: i32,
    active: bool,
    added_at: String,
}

/// Puts symbols on the watchlist.
pub(super) async fn add(add: &WatchlistAddArgs, context: &Context) -> Result<Exit, CliError> {
    let mut store = context.store().await?;
    let entries: Vec<WatchlistEntry> = watchlist_symbols(&add.symbols)?
        .into_iter()
        .map(|symbol| WatchlistEntry {
            symbol,
            days_to_backfill: add.days_to_backfill,
            active: true,
            priority: add.priority,
            added_at: context.settings.now.value,
        })
        .collect();
    let added = store.watch(&entries).await.map_err(store_error)?;
    let known = entries.len() as u64 - added;
    let known = if known > 0 { format!(", {known} on the list already") } else { String::new() };
    finish(store, Some(format!("{} added{known}", counted(added, "symbol"))), Exit::Done, context).await
}

/// Takes symbols off the watchlist.
pub(super) async fn remove(remove: &WatchlistRemoveArgs, context: &Context) -> Result<Exit, CliError> {
    let mut store = context.store().await?;
    let asked = watchlist_symbols(&remove.symbols)?;
    let removed = store.unwatch(&asked).await.map_err(store_error)?;
    let unknown: Vec<_> = asked.iter().filter(|s| !removed.contains(s)).map(Symbol::as_str).collect();
    let (not_there, exit) = if unknown.is_empty() {
        (String::new(), Exit::Done)
    } else {
        (format!("; not on the list: {}", unknown.join(" ")), Exit::Gaps)
    };
    let said = format!("{} removed (bars stay){not_there}", counted(removed.len() as u64, "symbol"));
    finish(store, Some(said), exit, context).await
}

/// Shows the watchlist.
pub(super) async fn show(context: &Context) -> Result<Exit, CliError> {
    let store = context.store().await?;
    finish(store, None, Exit::Done, context).await
}

/// Says what was done, or else what is on the list now.
async fn finish(mut store: AnyStore, said: Option<String>, exit: Exit, context: &Context) -> Result<Exit, CliError> {
    let entries = store.watchlist().await.map_err(store_error)?;
    store.close().await.map_err(store_error)?;
    let out = &mut io::stdout().lock();
    if context.json {
        let rows: Vec<Row<'_>> = entries.iter().map(row).collect();
        let totals = json!({ "symbols": rows.len() });
        print_json(out, "watchlist", &json!({}), Body::Rows(&rows), &totals, exit)?;
    } else if let Some(line) = said {
        writeln!(out, "{line}; {} on the watchlist", entries.len())?;
    } else if entries.is_empty() {
        writeln!(out, "the watchlist is empty: put symbols on it with `backfill watchlist add SPY QQQ`")?;
    } else {
        write!(out, "{}", table(&entries))?;
    }
    Ok(exit)
}

fn row(entry: &WatchlistEntry) -> Row<'_> {
    Row {
        symbol: entry.symbol.as_str(),
        dataset: entry.symbol.dataset(),
        days_to_backfill: entry.days_to_backfill,
        priority: entry.priority,
        active: entry.active,
        added_at: entry.added_at.to_string(),
    }
}

fn table(entries: &[WatchlistEntry]) -> Table {
    let mut table = Table::new([
        ("symbol", Align::Left),
        ("dataset", Align::Left),
        ("days", Align::Right),
        ("priority", Align::Right),
        ("active", Align::Left),
        ("added", Align::Left),
    ]);
    for entry in entries {
        table.row([
            entry.symbol.to_string(),
            entry.symbol.dataset().to_string(),
            entry.days_to_backfill.to_string(),
            entry.priority.to_string(),
            if entry.active { "yes" } else { "no" }.to_owned(),
            entry.added_at.strftime("%Y-%m-%d").to_string(),
        ]);
    }
    table
}
