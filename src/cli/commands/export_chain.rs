//! `backfill export --chain`.

use std::io::{self, Write};
use std::time::Instant;

use serde_json::json;

use super::export::{export_error, kind_of_database};
use super::{Context, store_error, warn};
use crate::cli::format::{bytes, counted, duration};
use crate::cli::{Body, CliError, Exit, ExportArgs, ExportChainRequest, Signals, print_json};
use crate::export::{Content, ExportedChains, Manifest, Output, export_chains};
use crate::model::Symbol;

/// Writes option chains into files.
pub(super) async fn run(args: &ExportArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let started = Instant::now();
    let request = ExportChainRequest::new(args, context.settings.now.value)?;
    let nothing = || {
        let folder = args.output.display();
        CliError::failed(anyhow::anyhow!("no option chain is stored of what was asked for; {folder} is as it was"))
            .with_hint("`backfill chain show` shows what is there, `backfill chain` takes those of now")
    };
    let names: Option<Vec<String>> =
        request.underlyings.as_ref().map(|named| named.iter().map(Symbol::to_string).collect());
    let Some(mut store) = context.existing_store().await? else { return Err(nothing()) };
    let output = Output::open(&args.output, Content::OptionChain).map_err(export_error)?;
    let to = (args.format, &output);
    let exported = export_chains(&mut store, names.as_deref(), request.dates, to, signals.stop()).await;
    let ExportedChains { files, missing, stopped } = exported.map_err(export_error)?;
    store.close().await.map_err(store_error)?;
    if stopped {
        drop(output);
        warn(&format!("interrupted: {} is as it was", args.output.display()));
        return Ok(signals.exit().unwrap_or(Exit::Interrupted));
    }
    if files.is_empty() {
        return Err(nothing());
    }
    let exit = if missing.is_empty() { Exit::Done } else { Exit::Gaps };
    let selection = json!({ "underlyings": names, "days": args.days, "from": args.from, "to": args.to });
    let database = kind_of_database(context);
    let now = context.settings.now.value;
    output.publish(&Manifest::new(now, &database, args.format, None, &selection, &files)).map_err(export_error)?;

    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let size: u64 = files.iter().map(|file| file.bytes).sum();
    if context.json {
        let effective = json!({
            "database_url": context.settings.database.value.to_string(),
            "output": args.output,
            "format": args.format,
            "selection": selection,
        });
        let totals = json!({ "files": files.len(), "rows": rows, "bytes": size, "missing_underlyings": missing });
        print_json(&mut io::stdout().lock(), "export", &effective, Body::Rows(&files), &totals, exit)?;
    } else if !context.quiet {
        writeln!(
            io::stdout().lock(),
            "{} in {}, {}, in {}: {}",
            counted(rows, "row"),
            counted(files.len() as u64, "file"),
            bytes(size),
            duration(started.elapsed()),
            args.output.join(Content::OptionChain.folder()).display(),
        )?;
    }
    if !missing.is_empty() && !context.json {
        warn(&format!("no option chain of: {}", missing.into_iter().collect::<Vec<_>>().join(" ")));
    }
    Ok(exit)
}
