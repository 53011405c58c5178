//! `backfill status --restatements`.

use std::io::{self, Write};
use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::json;

use super::{Context, store_error};
use crate::cli::format::{count, counted};
use crate::cli::{Align, Body, CliError, Exit, Table, print_json};
use crate::model::Dataset;
use crate::store::{FileVersion, Ledger, Restatement};

#[derive(Serialize)]
struct Row<'a> {
    dataset: Dataset,
    date: Date,
    file: &'static str,
    loaded_at: Timestamp,
    old: Version<'a>,
    new: Version<'a>,
    bars_added: u64,
    bars_changed: u64,
    bars_removed: u64,
}

#[derive(Serialize)]
struct Version<'a> {
    key: &'a str,
    etag: &'a str,
    size_bytes: u64,
    last_modified: Option<Timestamp>,
}

/// Shows what the vendor replaced after it was loaded.
pub(super) async fn show(
    dates: RangeInclusive<Date>,
    dataset: Option<Dataset>,
    context: &Context,
) -> Result<Exit, CliError> {
    let mut found = Vec::new();
    if let Some(mut store) = context.existing_store().await? {
        found = store.restatements(dates).await.map_err(store_error)?;
        store.close().await.map_err(store_error)?;
    }
    found.retain(|restatement| dataset.is_none_or(|dataset| dataset == restatement.dataset));
    let rows: Vec<Row<'_>> = found.iter().map(row).collect();
    let sum = |of: fn(&Row<'_>) -> u64| rows.iter().map(of).sum::<u64>();
    let (added, changed, removed) =
        (sum(|row| row.bars_added), sum(|row| row.bars_changed), sum(|row| row.bars_removed));
    let out = &mut io::stdout().lock();
    if context.json {
        let settings = json!({ "database_url": context.settings.database.value.to_string() });
        let totals = json!({
            "restatements": rows.len(),
            "bars_added": added,
            "bars_changed": changed,
            "bars_removed": removed,
        });
        print_json(out, "status", &settings, Body::Rows(&rows), &totals, Exit::Done)?;
    } else if rows.is_empty() {
        writeln!(out, "the vendor has replaced no file that was loaded")?;
    } else {
        write!(out, "{}", table(&rows))?;
        let files = counted(rows.len() as u64, "file");
        let bars = [added, changed, removed].map(count);
        writeln!(out, "{files} replaced: {} bars added, {} changed, {} removed", bars[0], bars[1], bars[2])?;
    }
    Ok(Exit::Done)
}

fn row(restatement: &Restatement) -> Row<'_> {
    let Restatement { dataset, date, file, loaded_at, old, new, change } = restatement;
    Row {
        dataset: *dataset,
        date: *date,
        file: file.as_str(),
        loaded_at: *loaded_at,
        old: version(old),
        new: version(new),
        bars_added: change.added,
        bars_changed: change.changed,
        bars_removed: change.removed,
    }
}

fn version(version: &FileVersion) -> Version<'_> {
    let FileVersion { key, etag, size_bytes, last_modified } = version;
    Version { key, etag, size_bytes: *size_bytes, last_modified: *last_modified }
}

fn table(rows: &[Row<'_>]) -> Table {
    let mut table = Table::new([
        ("date", Align::Left),
        ("dataset", Align::Left),
        ("file", Align::Left),
        ("replaced (UTC)", Align::Left),
        ("loaded (UTC)", Align::Left),
        ("added", Align::Right),
        ("changed", Align::Right),
        ("removed", Align::Right),
    ]);
    let minute = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M").to_string();
    for row in rows {
        table.row([
            row.date.to_string(),
            row.dataset.to_string(),
            row.file.to_owned(),
            row.new.last_modified.map_or_else(String::new, minute),
            minute(row.loaded_at),
            count(row.bars_added),
            count(row.bars_changed),
            count(row.bars_removed),
        ]);
    }
    table
}
