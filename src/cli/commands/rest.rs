//! `backfill rest`.

use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Context, store_error, warn};
use crate::cli::format::{counted, duration};
use crate::cli::rest::{RestTotals, rest_exit_code, rest_gaps, rest_summary};
use crate::cli::{
    Body, CliError, Exit, FileArgs, Named, Request, RequestError, RestArgs, Selection, Signals, Wanted, print_json,
    reporter,
};
use crate::config::Settings;
use crate::ingest::Reporter;
use crate::ingest::rest::{self, Asked, DatasetPlan, RestClient, RestReport, RestRunError, Tools};
use crate::model::{Symbol, Timeframe};
use crate::store::{AnyNotes, AnyStore, Noting, Watchlist};

/// Loads bars by requests.
pub(super) async fn run(args: &RestArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let settings = &context.settings;
    let request = Request::new(&args.selection, &FileArgs::default(), settings.now.value)?;
    if let Named::All(_) = request.named {
        return Err(RequestError::RestOfAll.into());
    }
    let mut store = if request.dry_run { context.existing_store().await? } else { Some(context.store().await?) };
    let watched = match &mut store {
        Some(store) => store.watchlist().await.map_err(store_error)?.into_iter().map(|entry| entry.symbol).collect(),
        None => Vec::new(),
    };
    let (selections, said_first) = request.selections(&watched)?;
    if let Some(line) = said_first.filter(|_| !context.quiet) {
        warn(&line);
    }
    let api = Api::open(settings, store.as_ref()).await?;
    let effective = settings_of(&request, &selections, args, settings);
    let plans = plan_all(&request, &selections, args.api.exact_vwap, store.as_mut(), &api).await?;
    let forecast = forecast(&plans, &api.client);
    let Some(mut store) = store.filter(|_| !request.dry_run) else {
        return print_plan(&plans, &forecast, &effective, context.json);
    };
    if !context.quiet {
        warn(&format!("from {} into {}", settings.api.url.value, settings.database.value));
        warn(&forecast);
    }
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), settings.color.value);
    let (report, failure) = carry_out(plans, &mut store, api, context, reporter, signals).await?;
    let closed = store.close().await.map_err(store_error);
    let failure = failure.map(CliError::failed).or(closed.err());
    let exit = if failure.is_some() { Exit::Failed } else { rest_exit_code(&report, signals.exit()) };
    print(&report, exit, &effective, context)?;
    failure.map_or(Ok(exit), Err)
}

/// What it takes to ask the vendor.
pub(super) struct Api {
    pub(super) client: Arc<RestClient>,
    notes: Option<AnyNotes>,
}

impl Api {
    /// The API that the settings name, under the quota of everyone who uses the database.
    pub(super) async fn open(settings: &Settings, store: Option<&AnyStore>) -> Result<Self, CliError> {
        let notes = match store {
            Some(store) => Some(store.notes().await.map_err(store_error)?),
            None => None,
        };
        let client = super::api::client(settings, store).await?;
        Ok(Self { client: Arc::new(client), notes })
    }
}

/// Plans of all selections, with the session under way unless a last date was named.
pub(super) async fn plan_all(
    request: &Request,
    selections: &[Selection],
    exact_vwap: bool,
    mut ledger: Option<&mut AnyStore>,
    api: &Api,
) -> Result<Vec<DatasetPlan>, CliError> {
    let mut plans = Vec::new();
    for selection in selections {
        let Wanted::Symbols(symbols) = &selection.wanted else { continue };
        let asked = Asked {
            dataset: selection.dataset,
            range: request.dates.dates_so_far(selection.dataset, request.now).map_err(RequestError::from)?,
            timeframes: request.timeframes,
            exact_vwap,
            force: request.force,
            now: request.now,
        };
        let notes = api.notes.clone();
        let plan = rest::make_plan(asked, symbols, ledger.as_deref_mut(), notes.as_mut()).await;
        plans.push(plan.map_err(store_error)?);
    }
    Ok(plans)
}
