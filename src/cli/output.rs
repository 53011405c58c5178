//! What goes to stdout: tables, and the one JSON object of `--json`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::Args;
use super::request::{Accept, Request, Selection, Wanted};
use super::table::{Align, Table};
use super::totals::Totals;
use super::{Exit, gaps, summary};
use crate::config::Settings;
use crate::ingest::RunReport;
use crate::model::{Symbol, Timeframe};

/// What a command's JSON object holds between `settings` and `totals`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body<'a, T> {
    /// What became of each day.
    Days(&'a [T]),
    /// Rows of any other kind.
    Rows(&'a [T]),
}

/// The object of `--json`.
#[derive(Serialize)]
struct Object<'a, B, T> {
    command: &'a str,
    settings: &'a Value,
    #[serde(flatten)]
    body: Body<'a, B>,
    totals: &'a T,
    exit_code: u8,
}

/// Prints the one object of `--json` and a line break.
pub fn print_json<B: Serialize, T: Serialize>(
    out: &mut impl Write,
    command: &str,
    settings: &Value,
    body: Body<'_, B>,
    totals: &T,
    exit: Exit,
) -> io::Result<()> {
    let object = Object { command, settings, body, totals, exit_code: exit.code() };
    serde_json::to_writer(&mut *out, &object)?;
    writeln!(out)
}

/// What a command to load bars was told in the end, for `settings` of its JSON object. Credentials are no part of it.
pub fn effective_settings(request: &Request, selections: &[Selection], settings: &Settings) -> Value {
    let selections: Vec<_> = selections
        .iter()
        .map(|Selection { dataset, wanted, dates }| {
            let symbols = match wanted {
                Wanted::All => json!("all"),
                Wanted::Symbols(symbols) => symbols.iter().map(Symbol::as_str).collect(),
            };
            json!({ "dataset": dataset, "symbols": symbols, "from": dates.start(), "to": dates.end() })
        })
        .collect();
    let accept = match &request.accept {
        Accept::None => json!([]),
        Accept::All => json!("all"),
        Accept::Dates(dates) => json!(dates),
    };
    json!({
        "database_url": settings.database.value.to_string(),
        "source": settings.source.as_ref().map_or_else(
            || format!("{}/{}", settings.s3.endpoint.value, settings.s3.bucket.value),
            |source| source.value.display().to_string(),
        ),
        "selections": selections,
        "timeframes": request.timeframes.iter().map(Timeframe::as_str).collect::<Vec<_>>(),
        "official_day": request.official_day,
        "force": request.force,
        "accept": accept,
        "dry_run": request.dry_run,
    })
}

/// Prints what a run came to: to `out` as text or as the object of `--json`, only what is missing and to `err` when quiet.
pub fn print_run(
    run: &RunReport,
    exit: Exit,
    command: &str,
    settings: &Value,
    (json, quiet): (bool, bool),
    (out, err): (&mut impl Write, &mut impl Write),
) -> io::Result<()> {
    if json {
        print_json(out, command, settings, Body::Days(&run.days), &Totals::of(run), exit)?;
    } else if quiet {
        write!(err, "{}", gaps(run).trim_start())?;
    } else {
        write!(out, "{}", summary(run))?;
    }
    Ok(())
}

/// Prints every setting, its value and where it came from; as one JSON object if asked to.
pub fn print_settings(out: &mut impl Write, settings: &Settings, json: bool) -> io::Result<()> {
    let rows = settings.rows();
    if json {
        let object: serde_json::Map<_, _> = rows
            .into_iter()
            .map(|row| (row.name.to_owned(), json!({ "value": row.value, "origin": row.origin })))
            .collect();
        serde_json::to_writer(&mut *out, &object)?;
        return writeln!(out);
    }
    let mut table = Table::new([("setting", Align::Left), ("value", Align::Left), ("from", Align::Left)]);
    for row in rows {
        table.row([row.name.to_owned(), row.value, row.origin]);
    }
    write!(out, "{table}")
}

/// Prints the completion script of a shell.
pub fn print_completions(out: &mut impl Write, shell: Shell) -> io::Result<()> {
    // The generator panics when it cannot write; a buffer always can.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "backfill", &mut script);
    out.write_all(&script)
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
