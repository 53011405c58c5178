//! `backfill chain`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::api::{Api, key};
use super::{Context, store_error, warn};
use crate::cli::format::{count, counted, printable};
use crate::cli::{
    Align, Body, ChainArgs, ChainCommand, ChainTakeArgs, CliError, Exit, Signals, Table, chain_underlyings, print_json,
    reporter,
};
use crate::ingest::chain::{
    ChainFileError, ChainReport, ChainTools, UnderlyingReport, default_underlyings, read_chain_file, settled, take,
};
use crate::model::{Outcome, Symbol, options_session};
use crate::store::{AnyStore, ChainImported, ChainState, OptionChains, StoredChain, Watchlist};

/// Takes, shows or imports option chains.
pub(super) async fn run(args: &ChainArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    match &args.command {
        None => run_take(&args.take, context, signals).await,
        Some(ChainCommand::Show(show)) => run_show(chain_underlyings(&show.underlyings, &[])?, context).await,
        Some(ChainCommand::Import(import)) => run_import(&import.file, context).await,
    }
}

#[derive(Serialize)]
struct Totals {
    underlyings: usize,
    contracts: u64,
    rows: u64,
    rejected: u64,
    requests: u64,
    interrupted: bool,
}

impl Totals {
    fn of(report: &ChainReport) -> Self {
        let sum = |of: fn(&UnderlyingReport) -> u64| report.underlyings.iter().map(of).sum();
        Self {
            underlyings: report.underlyings.len(),
            contracts: sum(|one| one.contracts),
            rows: sum(|one| one.rows),
            rejected: sum(|one| one.rejects.total()),
            requests: report.requests,
            interrupted: report.interrupted,
        }
    }
}

async fn run_take(args: &ChainTakeArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let typed = [&args.underlyings[..], &args.symbol].concat();
    let named = chain_underlyings(&typed, &args.symbols)?;
    let settings = &context.settings;
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), settings.color.value);
    key(context)?;
    let mut store = if args.dry_run { context.existing_store().await? } else { Some(context.store().await?) };
    let underlyings = match &named {
        Some(named) => named.clone(),
        None => default_underlyings(&watched(store.as_mut()).await?),
    };
    let names: Vec<_> = underlyings.iter().map(|underlying| underlying.as_str().to_owned()).collect();
    let clock = context.clock();
    let (session_date, is_provisional) = options_session(clock.now());
    let effective = json!({
        "database_url": settings.database.value.to_string(),
        "underlyings": names,
        "session_date": session_date,
        "is_provisional": is_provisional,
        "force": args.force,
        "dry_run": args.dry_run,
    });
    let mut store = match store {
        Some(store) if !args.dry_run => store,
        store => return dry_run(store, &underlyings, args.force, &effective, context).await,
    };
    let api = Api::open(context, Some(&store), &reporter).await?;
    let tools = ChainTools { client: &api.client, clock: &clock, reporter: &*reporter, stop: signals.stop() };
    let (report, failure) = take(tools, &mut store, &underlyings, args.force).await;
    drop(reporter);
    let closed = store.close().await.map_err(store_error);
    let failure = failure.map(CliError::failed).or(closed.err());
    let exit = if failure.is_some() { Exit::Failed } else { exit_code(&report, named.is_some(), signals.exit()) };
    print_report(&report, named.is_some(), exit, &effective, context)?;
    failure.map_or(Ok(exit), Err)
}

/// The active symbols of the watchlist.
pub(super) async fn watched(store: Option<&mut AnyStore>) -> Result<Vec<Symbol>, CliError> {
    let Some(store) = store else { return Ok(Vec::new()) };
    let entries = store.watchlist().await.map_err(store_error)?;
    Ok(entries.into_iter().filter(|entry| entry.active).map(|entry| entry.symbol).collect())
}

/// Whether something could not be had. That a symbol of the watchlist has no options is no gap; of one that was named it is.
fn is_gap(outcome: Outcome, is_named: bool) -> bool {
    outcome.leaves_a_gap() && (is_named || outcome != Outcome::Empty)
}

fn exit_code(report: &ChainReport, is_named: bool, signal: Option<Exit>) -> Exit {
    let outcomes = || report.underlyings.iter().map(|one| one.outcome);
    match () {
        () if report.interrupted => signal.unwrap_or(Exit::Interrupted),
        () if !outcomes().any(|outcome| is_gap(outcome, is_named)) => Exit::Done,
        () if outcomes().all(Outcome::leaves_a_gap) => Exit::Failed,
        () => Exit::Gaps,
    }
}

/// What would become of an underlying.
#[derive(Serialize)]
struct Planned<'a> {
    underlying: &'a str,
    /// None: it would be asked for.
    outcome: Option<Outcome>,
    detail: Option<String>,
}

async fn dry_run(
    store: Option<AnyStore>,
    underlyings: &[Symbol],
    force: bool,
    effective: &Value,
    context: &Context,
) -> Result<Exit, CliError> {
    let now = context.clock().now();
    let (session, is_provisional) = options_session(now);
    let names: Vec<_> = underlyings.iter().map(|underlying| underlying.as_str().to_owned()).collect();
    let mut states = BTreeMap::new();
    if let Some(mut store) = store {
        states = store.chain_states(&names).await.map_err(store_error)?;
        store.close().await.map_err(store_error)?;
    }
    let rows: Vec<_> = names
        .iter()
        .map(|name| {
            let state: Option<&ChainState> = states.get(name).filter(|_| !force);
            let (outcome, detail) = settled(state, session, !is_provisional, now).unzip();
            Planned { underlying: name, outcome, detail: detail.flatten() }
        })
        .collect();
    let asked = rows.iter().filter(|row| row.outcome.is_none()).count();
    let out = &mut io::stdout().lock();
    if context.json {
        print_json(out, "chain", effective, Body::Rows(&rows), &json!({ "asked": asked }), Exit::Done)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new([("underlying", Align::Left), ("plan", Align::Left), ("detail", Align::Left)]);
    for row in &rows {
        let plan = row.outcome.map_or_else(|| "ask".to_owned(), |outcome| outcome.to_string());
        table.row([row.underlying.to_owned(), plan, printable(row.detail.as_deref().unwrap_or_default())]);
    }
    let whose = if is_provisional { ", which is not over" } else { "" };
    write!(out, "{table}")?;
    writeln!(out, "{} to ask for, of session {session}{whose}", counted(asked as u64, "underlying"))?;
    Ok(Exit::Done)
}

fn print_report(
    report: &ChainReport,
    is_named: bool,
    exit: Exit,
    effective: &Value,
    context: &Context,
) -> Result<(), CliError> {
    let totals = Totals::of(report);
    let out = &mut io::stdout().lock();
    if context.json {
        print_json(out, "chain", effective, Body::Rows(&report.underlyings), &totals, exit)?;
        return Ok(());
    }
    if context.quiet {
        for one in report.underlyings.iter().filter(|one| is_gap(one.outcome, is_named)) {
            let why = one.detail.as_deref().unwrap_or_default();
            warn(&printable(&format!("option chain of {}: {}: {why}", one.underlying, one.outcome)));
        }
        return Ok(());
    }
    let mut table = Table::new([
        ("underlying", Align::Left),
        ("outcome", Align::Left),
        ("contracts", Align::Right),
        ("rejected", Align::Right),
        ("detail", Align::Left),
    ]);
    for one in &report.underlyings {
        let detail = match (&one.detail, one.without_open_interest) {
            (Some(detail), _) => printable(detail),
            (None, 0) => String::new(),
            (None, without) => format!("{} without open interest", count(without)),
        };
        let (contracts, rejected) = (count(one.contracts), count(one.rejects.total()));
        table.row([one.underlying.clone(), one.outcome.to_string(), contracts, rejected, detail]);
    }
    write!(out, "{table}")?;
    for one in &report.underlyings {
        for row in &one.rejects.first {
            writeln!(out, "  rejected of {}: {}: {}", one.underlying, row.reason.as_str(), printable(&row.text))?;
        }
    }
    let whose = if report.is_provisional { ", provisional until it is over" } else { "" };
    let (contracts, requests) = (counted(totals.contracts, "contract"), counted(totals.requests, "request"));
    writeln!(out, "{contracts} of session {}{whose}; {requests}", report.session_date)?;
    if report.interrupted {
        writeln!(out, "interrupted; run the same command again to go on")?;
    }
    Ok(())
}

/// What is stored of an underlying, and the last snapshot.
#[derive(Serialize)]
struct Shown<'a> {
    underlying: &'a str,
    sessions: u64,
    first: Date,
    last: Date,
    rows: u64,
    last_snapshot: Option<Date>,
    last_outcome: Option<Outcome>,
}

async fn run_show(named: Option<Vec<Symbol>>, context: &Context) -> Result<Exit, CliError> {
    let names: Option<Vec<String>> = named.map(|named| named.iter().map(|symbol| symbol.as_str().to_owned()).collect());
    let (mut stored, mut states) = (Vec::new(), BTreeMap::new());
    if let Some(mut store) = context.existing_store().await? {
        stored = store.stored_chains(names.as_deref()).await.map_err(store_error)?;
        let underlyings: Vec<_> = stored.iter().map(|chain| chain.underlying.clone()).collect();
        states = store.chain_states(&underlyings).await.map_err(store_error)?;
        store.close().await.map_err(store_error)?;
    }
    let shown = |chain: &'_ StoredChain| {
        let state: Option<&ChainState> = states.get(&chain.underlying);
        (state.map(|state| state.session_date), state.map(|state| state.outcome))
    };
    let rows: Vec<_> = stored
        .iter()
        .map(|chain| {
            let (last_snapshot, last_outcome) = shown(chain);
            let StoredChain { underlying, sessions, first, last, rows } = chain;
            let (sessions, first, last, rows) = (*sessions, *first, *last, *rows);
            Shown { underlying, sessions, first, last, rows, last_snapshot, last_outcome }
        })
        .collect();
    let out = &mut io::stdout().lock();
    if context.json {
        let settings = json!({ "database_url": context.settings.database.value.to_string(), "underlyings": names });
        let totals = json!({ "underlyings": rows.len(), "rows": rows.iter().map(|row| row.rows).sum::<u64>() });
        print_json(out, "chain show", &settings, Body::Rows(&rows), &totals, Exit::Done)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        writeln!(out, "no option chains are stored; `backfill chain` takes those of now")?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new([
        ("underlying", Align::Left),
        ("sessions", Align::Right),
        ("first", Align::Left),
        ("last", Align::Left),
        ("rows", Align::Right),
        ("last snapshot", Align::Left),
    ]);
    for row in rows {
        let last = row.last_snapshot.zip(row.last_outcome);
        let last = last.map_or_else(String::new, |(date, outcome)| format!("{date} {outcome}"));
        let (first, until) = (row.first.to_string(), row.last.to_string());
        table.row([row.underlying.to_owned(), count(row.sessions), first, until, count(row.rows), last]);
    }
    write!(out, "{table}")?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct ImportTotals {
    rows: usize,
    repeated: u64,
    #[serde(flatten)]
    imported: ChainImported,
}

async fn run_import(path: &Path, context: &Context) -> Result<Exit, CliError> {
    let is_piped = path == Path::new("-");
    let name = if is_piped { "the file piped in".to_owned() } else { path.display().to_string() };
    let unread = |error| CliError::failed(anyhow::Error::new(error).context(format!("cannot read {name}")));
    let input: Box<dyn Read> =
        if is_piped { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(unread)?) };
    let file = read_chain_file(input, context.settings.now.value).map_err(|error| {
        if let ChainFileError::Lines { count: all, first } = &error {
            for line in first {
                warn(&printable(&format!("{name}, {line}")));
            }
            let more = all - first.len() as u64;
            if more > 0 {
                warn(&format!("and {} more", count(more)));
            }
        }
        CliError::failed(anyhow::anyhow!("{name}: {error}"))
    })?;
    let (rows, repeated) = (file.len(), file.repeated);
    let mut store = context.store().await?;
    let imported = store.import_chain(file.into_rows()).await.map_err(store_error)?;
    store.close().await.map_err(store_error)?;
    let out = &mut io::stdout().lock();
    if context.json {
        let settings = json!({ "database_url": context.settings.database.value.to_string(), "file": path });
        let totals = ImportTotals { rows, repeated, imported };
        print_json::<(), _>(out, "chain import", &settings, Body::Rows(&[]), &totals, Exit::Done)?;
    } else if !context.quiet {
        let ChainImported { added, changed, unchanged, kept } = imported;
        let [added, changed, unchanged] = [added, changed, unchanged].map(count);
        write!(out, "{}: {added} added, {changed} changed, {unchanged} unchanged", counted(rows as u64, "row"))?;
        for (number, what) in [(kept, "left as the vendor's snapshots have them"), (repeated, "said twice")] {
            if number > 0 {
                write!(out, "; {} {what}", count(number))?;
            }
        }
        writeln!(out)?;
    }
    Ok(Exit::Done)
}
