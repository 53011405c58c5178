//! `backfill s3`.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::{Context, store_error, warn};
use crate::cli::plan::{Forecast, plan_text, print_plan};
use crate::cli::{
    CliError, Exit, IngestArgs, Request, Selection, Signals, Wanted, effective_settings, exit_code, print_run, reporter,
};
use crate::config::{Credentials, Settings, Sourced};
use crate::ingest::source::{
    Cache, CacheKeep, LocalSource, S3Credentials, S3Options, S3Profile, S3Source, Source, SourceError,
};
use crate::ingest::{self, Concurrency, DatasetPlan, Outcome, Reporter, RunError, RunReport, make_plan};
use crate::model::{Dataset, Symbol};
use crate::store::sqlite::SqliteStore;
use crate::store::{BarReader, Ledger, Watchlist};

/// Loads day files.
pub(super) async fn run(args: &IngestArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let settings = &context.settings;
    let request = Request::new(&args.selection, settings.now.value)?;
    let keep: CacheKeep = settings.cache_keep.value.parse().map_err(CliError::usage)?;
    let dataset = args.selection.dataset.unwrap_or(Dataset::Stocks);
    let mut store = context.store().await?;
    let watched: Vec<Symbol> = store.watchlist().await.map_err(store_error)?.into_iter().map(|e| e.symbol).collect();
    let (selections, said_first) = request.selections(&watched)?;
    if let Some(line) = said_first.filter(|_| !context.quiet) {
        warn(&line);
    }
    let source = open_source(settings, dataset, keep).await.map_err(run_error)?;
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), settings.color.value);

    let mut plans = Vec::new();
    let mut forecasts = Vec::new();
    for selection in &selections {
        let asked = asked(&request, selection);
        let plan = make_plan(&source, &mut store, asked, reporter.as_ref()).await.map_err(run_error)?;
        let everyone = plan.request.symbols.is_none();
        let rate = store.load_rate(everyone).await.map_err(store_error)?;
        forecasts.push(Forecast::of(&plan, rate));
        plans.push(plan);
    }
    let effective = effective_settings(&request, &selections, settings);
    if request.dry_run {
        print_plan(&mut io::stdout().lock(), &plans, &forecasts, &effective, context.json)?;
        return Ok(Exit::Done);
    }
    if !context.quiet {
        warn(&format!("from {} into {}", source.describe(), context.database_file().display()));
        warn(plan_text(&plans, &forecasts).trim_end());
    }
    let (mut report, failure) = load(plans, source, &mut store, settings, &reporter, signals).await;
    find_absent(&mut report, &selections, &mut store).await?;
    store.close().await.map_err(store_error)?;
    end(&report, failure, &effective, context, signals)
}

async fn load(
    plans: Vec<DatasetPlan>,
    source: Source,
    store: &mut SqliteStore,
    settings: &Settings,
    reporter: &Arc<dyn Reporter>,
    signals: &Signals,
) -> (RunReport, Option<RunError>) {
    let concurrency = Concurrency { downloads: settings.downloads.value, decoders: settings.decoders.value };
    ingest::run(plans, Arc::new(source), store, concurrency, Arc::clone(reporter), signals.stop().clone()).await
}

fn end(
    report: &RunReport,
    failure: Option<RunError>,
    effective: &Value,
    context: &Context,
    signals: &Signals,
) -> Result<Exit, CliError> {
    let modes = (context.json, context.quiet);
    let streams = (&mut io::stdout().lock(), &mut io::stderr().lock());
    let exit = if failure.is_some() { Exit::Failed } else { exit_code(report, signals.exit()) };
    print_run(report, exit, "s3", effective, modes, streams)?;
    failure.map_or(Ok(exit), |error| Err(run_error(error)))
}

/// The bucket or folder that the settings name, with old files of the cache removed.
async fn open_source(settings: &Settings, dataset: Dataset, keep: CacheKeep) -> Result<Source, RunError> {
    if let Some(folder) = &settings.source {
        return Ok(Source::Local(LocalSource::open(&folder.value, dataset)?));
    }
    let s3 = &settings.s3;
    let credentials = match &s3.credentials {
        Some(named) => Some(credentials(named).await?),
        None => None,
    };
    let (endpoint, bucket) = (s3.endpoint.value.clone(), s3.bucket.value.clone());
    let bucket = S3Source::connect(S3Options { endpoint, bucket, credentials, ..S3Options::default() })?;
    let cache = Cache::open(&settings.cache_dir.value, keep)?;
    cache.sweep()?;
    Ok(Source::S3 { bucket, cache })
}

async fn credentials(named: &Credentials) -> Result<S3Credentials, SourceError> {
    match named {
        Credentials::Key(key) => Ok(S3Credentials {
            access_key_id: key.id.value.clone(),
            secret_access_key: key.secret.value.expose().to_owned(),
            session_token: key.session_token.as_ref().map(|token| token.value.expose().to_owned()),
        }),
        Credentials::Profile(profile) => {
            let file = |file: &Option<Sourced<PathBuf>>| file.as_ref().map(|file| file.value.clone());
            let profile = S3Profile {
                name: profile.name.value.clone(),
                credentials_file: file(&profile.credentials_file),
                config_file: file(&profile.config_file),
            };
            S3Credentials::of_profile(&profile).await
        }
    }
}

fn asked(request: &Request, selection: &Selection) -> ingest::Request {
    let symbols = match &selection.wanted {
        Wanted::All => None,
        Wanted::Symbols(symbols) => Some(symbols.iter().map(|symbol| symbol.as_str().to_owned()).collect()),
    };
    ingest::Request {
        dataset: selection.dataset,
        range: selection.dates.clone(),
        symbols,
        timeframes: request.timeframes,
        official_day: request.official_day,
        force: request.force,
        accept: request.accept.clone(),
        now: request.now,
    }
}

/// Says of unchanged days, too, which wanted symbols they have never had: those without a single bar.
async fn find_absent(
    report: &mut RunReport,
    selections: &[Selection],
    store: &mut SqliteStore,
) -> Result<(), CliError> {
    for selection in selections {
        let Wanted::Symbols(symbols) = &selection.wanted else { continue };
        let series = store.series(Some(symbols)).await.map_err(store_error)?;
        let stored: BTreeSet<&str> = series.iter().map(|series| series.symbol.as_str()).collect();
        let absent = || symbols.iter().map(Symbol::as_str).filter(|symbol| !stored.contains(symbol)).map(str::to_owned);
        let unchanged =
            |day: &&mut ingest::DayReport| day.dataset == selection.dataset && day.outcome == Outcome::Unchanged;
        report.days.iter_mut().filter(unchanged).for_each(|day| day.absent_symbols = absent().collect());
    }
    Ok(())
}

fn run_error(error: RunError) -> CliError {
    CliError::failed(error)
}
