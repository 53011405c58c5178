//! `backfill export`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Context, adjust_error, store_error, warn};
use crate::cli::format::{bytes, count, counted, duration};
use crate::cli::{
    Align, BarsProgress, Body, CliError, Exit, ExportArgs, ExportRequest, Signals, Steps, Table, print_json,
};
use crate::export::{self, Content, ExportError, Exported, ExportedFile, Manifest, Output, Prices};
use crate::model::Timeframe;

#[derive(Serialize)]
struct Totals<'a> {
    files: usize,
    bars: u64,
    bytes: u64,
    seconds: f64,
    interrupted: bool,
    missing_symbols: Vec<&'a str>,
}

/// Writes bars, or option chains, into files.
pub(super) async fn run(args: &ExportArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    if args.chain {
        return super::export_chain::run(args, context, signals).await;
    }
    let started = Instant::now();
    let settings = &context.settings;
    let request = ExportRequest::new(args, settings.now.value)?;
    let as_of = args.adjust.date(settings.now.value);
    let nothing = || {
        CliError::failed(anyhow::anyhow!(
            "nothing is stored of what was asked for; {} is as it was",
            args.output.display()
        ))
        .with_hint("`backfill status` shows what is there, `backfill s3` loads more")
    };
    let Some(mut store) = context.existing_store().await? else { return Err(nothing()) };
    let output = Output::open(&args.output, Content::Bars).map_err(export_error)?;
    if request.everything_by_default && !context.quiet {
        warn("No symbol, market or date named: exporting everything that is stored.");
    }
    let what = ("export", "months");
    let mut progress =
        BarsProgress::new(what, context.quiet, context.json, Context::has_terminal(), settings.color.value);
    let tell = |now: export::Progress| progress.tell(Steps { of: now.months, done: now.months_done, bars: now.bars });
    let exported = export::export(&mut store, &request.markets, as_of, (args.format, &output), tell, signals.stop())
        .await
        .map_err(export_error)?;
    drop(progress);
    store.close().await.map_err(store_error)?;

    let exit = match signals.exit() {
        Some(exit) if exported.stopped => exit,
        _ if exported.files.is_empty() => return Err(nothing()),
        _ if exported.missing.is_empty() => Exit::Done,
        _ => Exit::Gaps,
    };
    let selection = selection(args, &request);
    let Exported { mut files, missing, stopped } = exported;
    if stopped {
        drop(output);
        files.clear();
    } else {
        let (database, prices) = (kind_of_database(context), Some(Prices::adjusted_to(as_of)));
        let manifest = Manifest::new(settings.now.value, &database, args.format, prices, &selection, &files);
        output.publish(&manifest).map_err(export_error)?;
    }
    let elapsed = started.elapsed();
    let totals = Totals {
        files: files.len(),
        bars: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        seconds: (elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        interrupted: stopped,
        missing_symbols: missing.iter().map(String::as_str).collect(),
    };
    if context.json {
        let effective = json!({
            "database_url": settings.database.value.to_string(),
            "output": args.output,
            "format": args.format,
            "adjusted_as_of": as_of,
            "selection": selection,
        });
        print_json(&mut io::stdout().lock(), "export", &effective, Body::Rows(&files), &totals, exit)?;
        return Ok(exit);
    }
    if stopped {
        warn(&format!("interrupted: {} is as it was", args.output.display()));
    } else if !context.quiet {
        print(&mut io::stdout().lock(), &files, &totals, &args.output, as_of, duration(elapsed))?;
    }
    if !missing.is_empty() && !stopped {
        warn(&format!("no bars of: {}", totals.missing_symbols.join(" ")));
    }
    Ok(exit)
}

/// The kind of database; the rest of its address may be private.
pub(super) fn kind_of_database(context: &Context) -> String {
    let address = context.settings.database.value.to_string();
    address.split(':').next().unwrap_or_default().to_owned()
}

/// What was asked for, for `settings` of the JSON object and for the manifest.
fn selection(args: &ExportArgs, request: &ExportRequest) -> Value {
    let markets: BTreeMap<&str, Value> = request
        .markets
        .iter()
        .map(|market| (market.dataset.as_str(), market.symbols.as_ref().map_or(json!("all"), |symbols| json!(symbols))))
        .collect();
    let timeframes = request.markets.first().map(|market| market.timeframes).unwrap_or_default();
    json!({
        "symbols": markets,
        "timeframes": timeframes.iter().map(Timeframe::as_str).collect::<Vec<_>>(),
        "days": args.days,
        "from": args.from,
        "to": args.to,
    })
}

/// Files of one timeframe.
#[derive(Default)]
struct Sum {
    files: u64,
    rows: u64,
    bytes: u64,
    dates: Option<(Date, Date)>,
}

fn print(
    out: &mut impl Write,
    files: &[ExportedFile],
    totals: &Totals<'_>,
    folder: &Path,
    as_of: Option<Date>,
    lasted: String,
) -> io::Result<()> {
    let mut sums: BTreeMap<Timeframe, Sum> = BTreeMap::new();
    for file in files {
        let sum = sums.entry(file.timeframe).or_default();
        sum.files += 1;
        sum.rows += file.rows;
        sum.bytes += file.bytes;
        let date = |ms| Timestamp::from_millisecond(ms).map(|at| file.dataset.market().date_of(at)).ok();
        let (first, last) = (date(file.first_timestamp), date(file.last_timestamp));
        sum.dates = match (sum.dates, first.zip(last)) {
            (Some((from, to)), Some((first, last))) => Some((from.min(first), to.max(last))),
            (known, new) => known.or(new),
        };
    }
    let mut table = Table::new([
        ("timeframe", Align::Left),
        ("files", Align::Right),
        ("bars", Align::Right),
        ("size", Align::Right),
        ("first", Align::Left),
        ("last", Align::Left),
    ]);
    for (timeframe, sum) in sums {
        let (first, last) = sum.dates.map_or_else(Default::default, |(a, b)| (a.to_string(), b.to_string()));
        table.row([timeframe.to_string(), count(sum.files), count(sum.rows), bytes(sum.bytes), first, last]);
    }
    write!(out, "{table}")?;
    writeln!(
        out,
        "{} in {}, {}{}, in {lasted}: {}",
        counted(totals.bars, "bar"),
        counted(totals.files as u64, "file"),
        bytes(totals.bytes),
        as_of.map_or_else(String::new, |as_of| format!(", adjusted for splits as of {as_of}")),
        folder.join("bars").display(),
    )
}

pub(super) fn export_error(error: ExportError) -> CliError {
    match error {
        ExportError::Adjust(error) => adjust_error(error),
        other => CliError::failed(other),
    }
}
