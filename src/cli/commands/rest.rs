//! `backfill rest`.

use std::collections::BTreeSet;
use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::api::{Api, key};
use super::loading::load_by_requests;
use super::{Context, store_error, to_write, warn};
use crate::cli::format::{about, counted};
use crate::cli::log::stderr;
use crate::cli::rest::{RestTotals, rest_exit_code, rest_gaps, rest_summary};
use crate::cli::{
    Align, Body, CliError, Exit, FileArgs, Named, Request, RequestError, RestArgs, Selection, Signals, Table, Wanted,
    print_json, reporter,
};
use crate::config::Settings;
use crate::ingest::rest::{self, Asked, DatasetPlan, RestClient, RestReport};
use crate::model::{Dataset, Symbol, Timeframe};
use crate::store::AnyStore;

/// Loads bars by requests.
pub(super) async fn run(args: &RestArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let settings = &context.settings;
    let request = Request::new(&args.selection, &FileArgs::default(), settings.now.value)?;
    if let Named::All(_) = request.named {
        return Err(RequestError::RestOfAll.into());
    }
    key(context)?;
    let mut store = context.store_of(&request).await?;
    let selections = context.selections(&request, store.as_mut()).await?;
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), settings.color.value);
    let mut api = Api::open(context, store.as_ref(), &reporter).await?;
    let effective = settings_of(&request, &selections, args.api.exact_vwap, settings);
    let plans =
        plan_all(&request, &selections, args.api.exact_vwap, &BTreeSet::new(), store.as_mut(), &mut api).await?;
    let forecast = forecast(&plans, &api.client);
    let Some(mut store) = to_write(store, request.dry_run).await? else {
        return print_plan(&plans, &forecast, &effective, context.json);
    };
    if !context.quiet {
        warn(&format!("from {} into {}", settings.api.url.value, settings.database.value));
        warn(&forecast);
    }
    let (report, failure) = load_by_requests(plans, api, &mut store, context, reporter, signals.stop()).await?;
    let closed = store.close().await.map_err(store_error);
    let failure = failure.map(CliError::failed).or(closed.err());
    let exit = if failure.is_some() { Exit::Failed } else { rest_exit_code(&report, signals.exit()) };
    print(&report, exit, &effective, context)?;
    failure.map_or(Ok(exit), Err)
}

/// Plans of all selections, with the session under way unless a last date was named.
pub(super) async fn plan_all(
    request: &Request,
    selections: &[Selection],
    exact_vwap: bool,
    absent: &BTreeSet<(String, Date)>,
    mut ledger: Option<&mut AnyStore>,
    api: &mut Api,
) -> Result<Vec<DatasetPlan>, CliError> {
    let mut plans = Vec::new();
    for selection in selections {
        let Wanted::Symbols(symbols) = &selection.wanted else { continue };
        let asked = Asked {
            dataset: selection.dataset,
            range: request.dates.dates_so_far(selection.dataset, request.now).map_err(RequestError::from)?,
            timeframes: request.timeframes,
            exact_vwap,
            absent: absent.clone(),
            force: request.force,
            now: request.now,
        };
        let plan = rest::make_plan(asked, symbols, ledger.as_deref_mut(), api.notes.as_mut()).await;
        plans.push(plan.map_err(store_error)?);
    }
    Ok(plans)
}

/// What the requests of some plans will take, in a line.
pub(super) fn forecast(plans: &[DatasetPlan], client: &RestClient) -> String {
    let requests: u64 = plans.iter().map(DatasetPlan::requests).sum();
    let symbols = plans.iter().flat_map(|plan| &plan.symbols).filter(|symbol| !symbol.windows.is_empty()).count();
    if requests == 0 {
        return "nothing to ask the REST API for".to_owned();
    }
    format!(
        "{} for {}, about {} at {}",
        counted(requests, "request"),
        counted(symbols as u64, "symbol"),
        about(client.seconds_for(requests)),
        client.quota().describe()
    )
}

#[derive(Serialize)]
struct PlannedWindow<'a> {
    dataset: Dataset,
    symbol: &'a str,
    from: Date,
    to: Date,
    days: usize,
}

fn print_plan(plans: &[DatasetPlan], forecast: &str, effective: &Value, json: bool) -> Result<Exit, CliError> {
    let out = &mut io::stdout().lock();
    let windows = plans.iter().flat_map(|plan| &plan.symbols).flat_map(|symbol| &symbol.windows);
    let rows: Vec<_> = windows
        .map(|window| PlannedWindow {
            dataset: window.symbol.dataset(),
            symbol: window.symbol.as_str(),
            from: window.first(),
            to: window.last(),
            days: window.dates.len(),
        })
        .collect();
    if json {
        let totals = json!({ "requests": rows.len() });
        print_json(out, "rest", effective, Body::Rows(&rows), &totals, Exit::Done)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new([
        ("symbol", Align::Left),
        ("from", Align::Left),
        ("to", Align::Left),
        ("days missing", Align::Right),
    ]);
    for row in rows {
        table.row([row.symbol.to_owned(), row.from.to_string(), row.to.to_string(), row.days.to_string()]);
    }
    writeln!(out, "{table}\n{forecast}")?;
    Ok(Exit::Done)
}

fn print(report: &RestReport, exit: Exit, effective: &Value, context: &Context) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    if context.json {
        let totals = RestTotals::of(report);
        print_json(out, "rest", effective, Body::Days(&report.days), &totals_of(report, &totals), exit)
    } else if context.quiet {
        write!(stderr(), "{}", rest_gaps(report).trim_start())
    } else {
        write!(out, "{}", rest_summary(report))
    }
}

/// The numbers of a run, for `--json`.
pub(super) fn totals_of(report: &RestReport, totals: &RestTotals) -> Value {
    json!({
        "requests": report.requests,
        "requests_planned": report.requests_planned,
        "requests_refused": report.refused,
        "bytes_fetched": report.bytes_fetched,
        "rows": report.rows,
        "rejected": report.rejects.total(),
        "rejected_by_reason": report.rejects.counts,
        "duplicates_conflicting": report.duplicates_conflicting,
        "seconds": report.elapsed.as_secs_f64(),
        "interrupted": report.interrupted,
        "days_of_symbols": totals.symbol_days,
        "bars": totals.bars,
        "vwaps_made_exact": totals.made_exact,
        "vwaps_left_estimated": totals.left_estimated,
        "missing_symbols": totals.missing_symbols,
        "silent_days": totals.silent_days,
    })
}

fn settings_of(request: &Request, selections: &[Selection], exact_vwap: bool, settings: &Settings) -> Value {
    let selections: Vec<_> = selections
        .iter()
        .map(|Selection { dataset, wanted, .. }| {
            let symbols: Vec<&str> = match wanted {
                Wanted::All => Vec::new(),
                Wanted::Symbols(symbols) => symbols.iter().map(Symbol::as_str).collect(),
            };
            let dates = request.dates.dates_so_far(*dataset, request.now).ok();
            let (from, to) = dates.map(|dates| (*dates.start(), *dates.end())).unzip();
            json!({ "dataset": dataset, "symbols": symbols, "from": from, "to": to })
        })
        .collect();
    json!({
        "database_url": settings.database.value.to_string(),
        "api_url": settings.api.url.value,
        "rate": settings.api.rate.value,
        "selections": selections,
        "timeframes": request.timeframes.iter().map(Timeframe::as_str).collect::<Vec<_>>(),
        "exact_vwap": exact_vwap,
        "force": request.force,
        "dry_run": request.dry_run,
    })
}
