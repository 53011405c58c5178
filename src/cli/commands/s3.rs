//! `backfill s3`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::loading::load_files;
use super::{Context, store_error, to_write, warn};
use crate::cli::log::stderr;
use crate::cli::plan::{Forecast, plan_text, print_plan};
use crate::cli::{
    CliError, Exit, IngestArgs, Request, Selection, Signals, Wanted, effective_settings, exit_code, print_run, reporter,
};
use crate::config::{Credentials, DatabaseUrl, Settings, Sourced};
use crate::ingest::source::{
    Cache, CacheKeep, LocalSource, S3Credentials, S3Options, S3Profile, S3Source, Source, SourceError,
};
use crate::ingest::{self, DatasetPlan, Outcome, Reporter, RunError, RunReport, make_plan};
use crate::model::{Dataset, Symbol};
use crate::store::{AnyStore, BarReader, Ledger};

/// Loads day files.
pub(super) async fn run(args: &IngestArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let settings = &context.settings;
    let request = Request::new(&args.selection, &args.files, settings.now.value)?;
    let dataset = args.selection.dataset.unwrap_or(Dataset::Stocks);
    // Before the database, so that a wrong folder or missing keys leave no empty one behind.
    let source = open_source(settings, dataset).await?;
    let mut store = context.store_of(&request).await?;
    let selections = context.selections(&request, store.as_mut()).await?;
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), settings.color.value);

    let effective = effective_settings(&request, &selections, settings);
    let planning = async {
        let requests = selections.iter().map(|selection| asked(&request, selection));
        plan_all(&source, store.as_mut(), requests, &settings.database.value, reporter.as_ref()).await
    };
    let planned = tokio::select! {
        biased;
        () = signals.stop().cancelled() => Ok(None),
        planned = planning => planned.map(Some),
    };
    let (plans, forecasts) = match planned {
        Ok(Some(planned)) => planned,
        Ok(None) => {
            let stopped = RunReport { interrupted: true, ..RunReport::default() };
            return end(&stopped, None, &effective, context, signals);
        }
        Err(error) => return end_before(error, &effective, context, signals),
    };
    let Some(mut store) = to_write(store, request.dry_run).await? else {
        print_plan(&mut io::stdout().lock(), &plans, &forecasts, &effective, context.json)?;
        return Ok(Exit::Done);
    };
    if !context.quiet {
        warn(&format!("from {} into {}", source.describe(), context.settings.database.value));
        warn(plan_text(&plans, &forecasts).trim_end());
    }
    let loaded = load_files(plans, Arc::new(source), &mut store, context, reporter, signals.stop()).await;
    let (mut report, failure) = match loaded {
        Ok(ended) => ended,
        Err(error) => return end_before(error, &effective, context, signals),
    };
    let found = find_absent(&mut report, &selections, &mut store).await;
    let closed = store.close().await.map_err(store_error);
    // The first error is the one to tell.
    let failure = failure.map(run_error).or(found.err()).or(closed.err());
    end(&report, failure, &effective, context, signals)
}

async fn plan_all(
    source: &Source,
    mut ledger: Option<&mut AnyStore>,
    requests: impl Iterator<Item = ingest::Request>,
    database: &DatabaseUrl,
    reporter: &dyn Reporter,
) -> Result<(Vec<DatasetPlan>, Vec<Forecast>), CliError> {
    let (mut plans, mut forecasts) = (Vec::new(), Vec::new());
    for request in requests {
        let plan = make_plan(source, ledger.as_deref_mut(), request, reporter).await.map_err(run_error)?;
        let rate = match &mut ledger {
            Some(ledger) => ledger.load_rate(plan.request.symbols.is_none()).await.map_err(store_error)?,
            None => None,
        };
        forecasts.push(Forecast::of(&plan, rate, database));
        plans.push(plan);
    }
    Ok((plans, forecasts))
}

/// Ends a command that failed before it had days to speak of.
fn end_before(error: CliError, effective: &Value, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    if context.json { end(&RunReport::default(), Some(error), effective, context, signals) } else { Err(error) }
}

fn end(
    report: &RunReport,
    failure: Option<CliError>,
    effective: &Value,
    context: &Context,
    signals: &Signals,
) -> Result<Exit, CliError> {
    let modes = (context.json, context.quiet);
    let streams = (&mut io::stdout().lock(), &mut stderr());
    let exit = if failure.is_some() { Exit::Failed } else { exit_code(report, signals.exit()) };
    print_run(report, exit, "s3", effective, modes, streams)?;
    failure.map_or(Ok(exit), Err)
}

/// The bucket or folder that the settings name, with old files of the cache removed.
pub(super) async fn open_source(settings: &Settings, dataset: Dataset) -> Result<Source, CliError> {
    let Sourced { value: keep, origin } = &settings.cache_keep;
    let keep: CacheKeep = keep.parse().map_err(|error| CliError::usage(anyhow::anyhow!("{origin}: {error}")))?;
    open(settings, dataset, keep).await.map_err(run_error)
}

async fn open(settings: &Settings, dataset: Dataset, keep: CacheKeep) -> Result<Source, RunError> {
    if let Some(folder) = &settings.source {
        return Ok(Source::Local(LocalSource::open(&folder.value, dataset)?));
    }
    let bucket = connect(settings, S3Options::default()).await?;
    let cache = Cache::open(&settings.cache_dir.value, keep)?;
    cache.sweep()?;
    Ok(Source::S3 { bucket, cache })
}

/// The bucket that the settings name, asked as patiently as the options say.
pub(super) async fn connect(settings: &Settings, options: S3Options) -> Result<S3Source, SourceError> {
    let s3 = &settings.s3;
    let credentials = match &s3.credentials {
        Some(named) => Some(credentials(named).await?),
        None => None,
    };
    let (endpoint, bucket) = (s3.endpoint.value.clone(), s3.bucket.value.clone());
    let options = S3Options { endpoint, bucket, credentials, ..options };
    #[cfg(feature = "sandbox")]
    let options = as_tested(options, settings);
    S3Source::connect(options)
}

/// The same with the sizes and waits that a test has set.
#[cfg(feature = "sandbox")]
fn as_tested(options: S3Options, settings: &Settings) -> S3Options {
    let part_size = settings.s3.part_size_bytes.unwrap_or(options.part_size);
    let wait = |usual| settings.patience.unwrap_or(usual);
    S3Options {
        part_size,
        connect_timeout: wait(options.connect_timeout),
        answer_timeout: wait(options.answer_timeout),
        stall_timeout: wait(options.stall_timeout),
        ..options
    }
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

pub(super) fn asked(request: &Request, selection: &Selection) -> ingest::Request {
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
        rest_counts: ingest::WhenRestCounts::Never,
        now: request.now,
    }
}

/// Says of unchanged days, too, which wanted symbols they have never had: those without a single bar.
pub(super) async fn find_absent(
    report: &mut RunReport,
    selections: &[Selection],
    store: &mut AnyStore,
) -> Result<(), CliError> {
    for selection in selections {
        let Wanted::Symbols(symbols) = &selection.wanted else { continue };
        let known = store.known(symbols).await.map_err(store_error)?;
        let absent = || symbols.iter().filter(|symbol| !known.contains(symbol)).map(Symbol::to_string);
        let unchanged =
            |day: &&mut ingest::DayReport| day.dataset == selection.dataset && day.outcome == Outcome::Unchanged;
        report.days.iter_mut().filter(unchanged).for_each(|day| day.absent_symbols = absent().collect());
    }
    Ok(())
}

pub(super) fn run_error(error: RunError) -> CliError {
    CliError::failed(error)
}
