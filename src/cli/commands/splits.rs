//! `backfill splits`.

use std::fs;
use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::api::{Api, key};
use super::{Context, store_error, warn};
use crate::cli::format::{count, counted, printable};
use crate::cli::{Align, Body, CliError, Exit, SplitsArgs, Table, print_json, reporter, split_symbols};
use crate::ingest::{SplitsReport, SplitsRequest, load_splits};
use crate::model::splits::{
    Override, OverrideAction, SplitFlag, SplitKind, SplitRecord, SplitSource, SplitStatus, parse_overrides,
};
use crate::model::{Market, Symbol};
use crate::store::Splits;

/// Most rows of a table that nobody has asked to see whole.
const ROWS_SHOWN: usize = 40;

/// A split as other programs read it.
#[derive(Serialize)]
struct Row<'a> {
    symbol: &'a str,
    execution_date: Date,
    split_from: Option<f64>,
    split_to: Option<f64>,
    adjustment_type: Option<SplitKind>,
    vendor_factor: Option<f64>,
    source: SplitSource,
    status: SplitStatus,
    announced: bool,
    flags: &'a [SplitFlag],
    reason: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(record: &'a SplitRecord, today: Date) -> Self {
        Self {
            symbol: &record.ticker,
            execution_date: record.execution_date,
            split_from: record.split_from,
            split_to: record.split_to,
            adjustment_type: record.kind,
            vendor_factor: record.vendor_factor,
            source: record.source,
            status: record.status,
            announced: record.is_announced(today),
            flags: &record.flags,
            reason: record.reason.as_deref(),
        }
    }
}

/// How many there are of what.
#[derive(Default, Serialize)]
struct Totals {
    splits: u64,
    used: u64,
    announced: u64,
    flagged: u64,
    #[serde(flatten)]
    load: Option<LoadTotals>,
}

#[derive(Serialize)]
struct LoadTotals {
    rows_read: u64,
    rejected: u64,
    added: u64,
    changed: u64,
    removed: u64,
    unmatched_overrides: usize,
}

impl Totals {
    fn of(records: &[SplitRecord], today: Date) -> Self {
        let mut totals = Self::default();
        for record in records.iter().filter(|record| record.status != SplitStatus::Reused) {
            totals.splits += 1;
            totals.used += u64::from(record.status == SplitStatus::Used);
            totals.announced += u64::from(record.is_announced(today));
            totals.flagged += u64::from(!record.flags.is_empty());
        }
        totals
    }
}

/// Loads or shows splits.
pub(super) async fn run(args: &SplitsArgs, context: &Context) -> Result<Exit, CliError> {
    let symbols = split_symbols(args)?;
    if args.list { list(symbols, context).await } else { load(args, symbols, context).await }
}

async fn list(symbols: Option<Vec<Symbol>>, context: &Context) -> Result<Exit, CliError> {
    let (mut records, mut is_known) = (Vec::new(), false);
    if let Some(mut store) = context.existing_store().await? {
        let loads = store.split_loads().await.map_err(store_error)?;
        is_known = match &symbols {
            None => loads.everyone.is_some() || !loads.named.is_empty(),
            Some(symbols) => symbols.iter().all(|symbol| loads.knows(symbol)),
        };
        records = store.splits(symbols.as_deref()).await.map_err(store_error)?;
        store.close().await.map_err(store_error)?;
    }
    if !is_known {
        return Err(
            CliError::failed(anyhow::anyhow!("splits not loaded")).with_hint("load them with `backfill splits`")
        );
    }
    let today = Market::NewYork.date_of(context.settings.now.value);
    let out = &mut io::stdout().lock();
    if context.json {
        let rows: Vec<Row<'_>> = records.iter().map(|record| Row::of(record, today)).collect();
        let totals = Totals::of(&records, today);
        print_json(out, "splits", &settings(symbols.as_deref(), context), Body::Rows(&rows), &totals, Exit::Done)?;
    } else if records.is_empty() {
        writeln!(out, "no splits")?;
    } else {
        write!(out, "{}", table(records.iter(), today))?;
    }
    Ok(Exit::Done)
}

async fn load(args: &SplitsArgs, symbols: Option<Vec<Symbol>>, context: &Context) -> Result<Exit, CliError> {
    let now = context.settings.now.value;
    let request = SplitsRequest { symbols, overrides: overrides(context)?, now, dry_run: args.dry_run };
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), context.settings.color.value);
    key(context)?;
    let mut store = if args.dry_run { context.existing_store().await? } else { Some(context.store().await?) };
    let api = Api::open(context, store.as_ref(), &reporter).await?;
    let loaded = load_splits(&api.client, store.as_mut(), &request).await;
    if let Some(store) = store {
        store.close().await.map_err(store_error)?;
    }
    let report = loaded
        .map_err(|error| CliError::failed(error).with_hint("the splits that were loaded before are as they were"))?;

    let is_in_vain = |(decision, _): &(Override, &str)| matches!(decision.action, OverrideAction::Use(_));
    let exit = if report.resolution.unmatched.iter().any(is_in_vain) { Exit::Gaps } else { Exit::Done };
    let today = Market::NewYork.date_of(now);
    let notable: Vec<&SplitRecord> = report
        .resolution
        .records
        .iter()
        .filter(|record| !record.flags.is_empty() || record.is_announced(today))
        .collect();
    let totals = Totals { load: Some(load_totals(&report)), ..Totals::of(&report.resolution.records, today) };
    if context.json {
        let rows: Vec<Row<'_>> = notable.iter().map(|record| Row::of(record, today)).collect();
        let mut settings = settings(request.symbols.as_deref(), context);
        settings["dry_run"] = json!(args.dry_run);
        print_json(&mut io::stdout().lock(), "splits", &settings, Body::Rows(&rows), &totals, exit)?;
    } else if !context.quiet {
        print(&mut io::stdout().lock(), &notable, &totals, today, args.dry_run)?;
    }
    for (Override { ticker, execution_date, action }, why) in &report.resolution.unmatched {
        warn(&format!("override of {ticker} on {execution_date}, {}: {why}", action.as_str()));
    }
    if let Some(first) = &report.first_rejected {
        let rows = counted(report.rejected, "row");
        warn(&printable(&format!("{rows} of the vendor's list without a ticker or a date, such as {first}")));
    }
    Ok(exit)
}

/// The user's word on splits, from the file that the settings name.
pub(super) fn overrides(context: &Context) -> Result<Vec<Override>, CliError> {
    let Some(path) = &context.settings.split_overrides else { return Ok(Vec::new()) };
    let path = &path.value;
    let text = fs::read_to_string(path).map_err(|error| {
        CliError::usage(
            anyhow::Error::new(error).context(format!("cannot read the split overrides in {}", path.display())),
        )
    })?;
    parse_overrides(&text).map_err(|error| CliError::usage(anyhow::anyhow!("{}, {error}", path.display())))
}

fn settings(symbols: Option<&[Symbol]>, context: &Context) -> Value {
    json!({
        "database_url": context.settings.database.value.to_string(),
        "symbols": symbols.map_or_else(|| json!("all"), |symbols| symbols.iter().map(Symbol::as_str).collect()),
        "overrides": context.settings.split_overrides.as_ref().map(|path| path.value.display().to_string()),
    })
}

fn load_totals(report: &SplitsReport) -> LoadTotals {
    LoadTotals {
        rows_read: report.rows_read,
        rejected: report.rejected,
        added: report.added,
        changed: report.changed,
        removed: report.removed,
        unmatched_overrides: report.resolution.unmatched.len(),
    }
}

fn print(
    out: &mut impl Write,
    notable: &[&SplitRecord],
    totals: &Totals,
    today: Date,
    dry_run: bool,
) -> io::Result<()> {
    if !notable.is_empty() {
        // The latest matter most.
        let mut latest = notable.to_vec();
        latest.sort_by_key(|record| std::cmp::Reverse(record.execution_date));
        write!(out, "{}", table(latest.iter().take(ROWS_SHOWN).copied(), today))?;
        if latest.len() > ROWS_SHOWN {
            let more = count((latest.len() - ROWS_SHOWN) as u64);
            writeln!(out, "and {more} more: `backfill splits --list` shows all that is stored")?;
        }
        writeln!(out)?;
    }
    let Totals { splits, used, announced, flagged, load } = totals;
    let (splits, [used, announced, flagged]) =
        (counted(*splits, "split"), [used, announced, flagged].map(|n| count(*n)));
    write!(out, "{splits}: {used} used, of which {announced} announced; {flagged} flagged")?;
    if let Some(load) = load {
        let [added, changed, removed] = [load.added, load.changed, load.removed].map(count);
        write!(out, "; {added} new, {changed} changed, {removed} removed")?;
    }
    writeln!(out, "{}", if dry_run { "; nothing was stored" } else { "" })
}

fn table<'a>(records: impl Iterator<Item = &'a SplitRecord>, today: Date) -> Table {
    let mut table = Table::new([
        ("symbol", Align::Left),
        ("date", Align::Left),
        ("split", Align::Right),
        ("status", Align::Left),
        ("source", Align::Left),
        ("flags", Align::Left),
        ("reason", Align::Left),
    ]);
    for record in records {
        let number = |number: Option<f64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        let split = match record.status {
            SplitStatus::Reused => "-".to_owned(),
            SplitStatus::Used | SplitStatus::Unused => {
                format!("{}:{}", number(record.split_to), number(record.split_from))
            }
        };
        let status = if record.is_announced(today) { "announced" } else { record.status.as_str() };
        let flags: Vec<_> = record.flags.iter().map(|flag| flag.as_str()).collect();
        table.row([
            record.ticker.clone(),
            record.execution_date.to_string(),
            split,
            status.to_owned(),
            record.source.as_str().to_owned(),
            flags.join(","),
            printable(record.reason.as_deref().unwrap_or_default()),
        ]);
    }
    table
}
