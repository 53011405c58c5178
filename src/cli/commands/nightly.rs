//! `backfill nightly`.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::chores::NightlyChores;
use super::loading::Loader;
use super::notify::notifier;
use super::telling::{self, tell_without_database};
use super::{Context, metrics, store_error, warn};
use crate::cli::metrics::Metrics;
use crate::cli::{
    Body, CliError, Exit, IfRunning, Log, NightlyArgs, RequestError, RunId, STARTER_SET, Signals, named_timeframes,
    print_json, reporter,
};
use crate::ingest::Clock;
use crate::ingest::nightly::{Ending, Lock, Nightly, NightlyOptions, NightlyReport, patiently, take_lock};
use crate::model::{Dataset, Symbol};
use crate::notify::Notifier;
use crate::store::{AnyStore, Noting, Runs, StoreError};

/// A run that has not renewed its lock for so long is dead.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

/// Keeps the table filled.
pub(super) async fn run(args: &NightlyArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let clock = context.clock();
    let run_id = &context.run;
    let options = options(args, run_id, context)?;
    let name = options.name();
    let notifier = notifier(context)?;
    let metrics = metrics::start(&args.metrics, &clock, context).await?;
    let untold = async |error: CliError| {
        tell_without_database(&error, &name, &notifier, clock.now()).await;
        error
    };
    let opened = async {
        let store = context.store().await?;
        let notes = store.notes().await.map_err(store_error)?;
        Ok((store, notes))
    };
    let (mut store, notes) = match opened.await {
        Ok(opened) => opened,
        Err(error) => return Err(untold(error).await),
    };
    let patience = LOCK_PATIENCE.min(context.settings.lease.value);
    let waiting = || {
        if !context.quiet {
            warn("another nightly run has not said that it ended: looking whether it is alive");
        }
    };
    let lock = tokio::select! {
        biased;
        () = signals.stop().cancelled() => return Ok(signals.exit().unwrap_or(Exit::Interrupted)),
        lock = take_lock(notes, &name, run_id.as_str(), patience, waiting) => lock.map_err(store_error),
    };
    let lock = match lock {
        Ok(lock) => lock,
        Err(error) => return Err(untold(error).await),
    };
    let Some(lock) = lock else { return already_running(args.if_running, context) };
    telling::send(&notifier, &mut store, telling::LEFT_OVER, &metrics, signals.stop()).await;
    let ended = night(options, &clock, &lock, (&mut store, &notifier), &metrics, context, signals).await;
    lock.release().await;
    let closed = store.close().await.map_err(store_error);
    let exit = ended?;
    closed.map(|()| exit)
}

async fn night(
    options: NightlyOptions,
    clock: &Clock,
    lock: &Lock,
    (store, notifier): (&mut AnyStore, &Notifier),
    metrics: &Metrics,
    context: &Context,
    signals: &Signals,
) -> Result<Exit, CliError> {
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), context.settings.color.value);
    let reporter = metrics.reporter(reporter);
    let stop = signals.stop().child_token();
    let (mut loads, mut chores) = (
        Loader::new(context, Arc::clone(&reporter), stop.clone()),
        NightlyChores { context, clock, reporter: Arc::clone(&reporter), stop: stop.clone() },
    );
    let effective = effective(&options, context);
    let nightly = Nightly {
        options,
        store: &mut *store,
        loads: &mut loads,
        chores: &mut chores,
        clock,
        reporter: &*reporter,
        stop: &stop,
    };
    let mut report = {
        let running = Box::pin(nightly.run());
        let lost = async {
            lock.lost().cancelled().await;
            stop.cancel();
            std::future::pending::<NightlyReport>().await
        };
        tokio::select! {
            report = running => report,
            report = lost => report,
        }
    };
    if lock.lost().is_cancelled() {
        report.ending = Ending::Failed;
        report.failure = Some(
            "another nightly run has taken over, as nothing was heard of this one for too long (a machine that slept?)"
                .to_owned(),
        );
    }
    let exit = match report.ending {
        Ending::Done => Exit::Done,
        Ending::Gaps => Exit::Gaps,
        Ending::Failed => Exit::Failed,
        Ending::Stopped => signals.exit().unwrap_or(Exit::Interrupted),
    };
    // A run that lost its lock knows nothing that the other does not know better.
    let is_news = !lock.lost().is_cancelled();
    let patience = (context.settings.lease.value, signals.stop());
    let written = remember(&report, exit, notifier, store, is_news, patience).await.map_err(store_error);
    if let Err(error) = &written {
        tell_without_database(error, &report.name, notifier, clock.now()).await;
    }
    telling::send(notifier, store, telling::NEWS, metrics, signals.stop()).await;
    print(&report, exit, &effective, context)?;
    // Of two errors the first is the one to tell.
    match report.failure {
        Some(failure) => Err(CliError::failed(anyhow::anyhow!(failure))),
        None => written.map(|()| exit),
    }
}

/// Remembers how a run ended and, with that, what is to be told of it.
async fn remember(
    report: &NightlyReport,
    exit: Exit,
    notifier: &Notifier,
    store: &mut AnyStore,
    is_news: bool,
    (patience, stop): (Duration, &CancellationToken),
) -> Result<(), StoreError> {
    let end = report.run_end(exit.code());
    patiently(store, patience, stop, async |store: &mut AnyStore| {
        let change = if is_news { telling::change(report, notifier, store).await? } else { None };
        store.end_run(&end, change.as_ref()).await
    })
    .await
}

fn options(args: &NightlyArgs, run_id: &RunId, context: &Context) -> Result<NightlyOptions, CliError> {
    let timeframes = args.timeframes.as_deref().map(named_timeframes).transpose()?;
    let starter_set = STARTER_SET.into_iter().map(Symbol::from_ticker).collect::<Result<_, _>>();
    Ok(NightlyOptions {
        run_id: run_id.to_string(),
        all: args.all.then(|| args.dataset.unwrap_or(Dataset::Stocks)),
        timeframes,
        official_day: !args.no_official_day,
        lookback: args.lookback,
        poll: args.poll,
        wait_until: args.wait_until.0,
        recheck: args.recheck,
        starter_set: starter_set.map_err(RequestError::from)?,
        patience: context.settings.lease.value,
    })
}

fn already_running(if_running: IfRunning, context: &Context) -> Result<Exit, CliError> {
    let said = "another nightly run is alive: it does the work";
    match if_running {
        IfRunning::Fail => Err(CliError::failed(anyhow::anyhow!(said))),
        IfRunning::Ok => {
            let out = &mut io::stdout().lock();
            if context.json {
                let totals = json!({ "already_running": true });
                print_json(out, "nightly", &json!({}), Body::Days::<()>(&[]), &totals, Exit::Done)?;
            } else if !context.quiet {
                writeln!(out, "nightly: {said}")?;
            }
            Ok(Exit::Done)
        }
    }
}

fn print(report: &NightlyReport, exit: Exit, effective: &Value, context: &Context) -> io::Result<()> {
    if let Some(problem) = report.problem().filter(|_| report.failure.is_none()) {
        for line in problem.details {
            warn(&crate::cli::format::printable(&line));
        }
    }
    if let Some(log) = Log::current() {
        log.note(&report.summary());
    }
    let out = &mut io::stdout().lock();
    if context.json {
        print_json(out, "nightly", effective, Body::Days(&report.days), report, exit)
    } else if context.quiet {
        Ok(())
    } else {
        writeln!(out, "{}", report.summary())
    }
}

fn effective(options: &NightlyOptions, context: &Context) -> Value {
    let settings = &context.settings;
    json!({
        "database_url": settings.database.value.to_string(),
        "source": settings.source.as_ref().map_or_else(
            || format!("{}/{}", settings.s3.endpoint.value, settings.s3.bucket.value),
            |source| source.value.display().to_string(),
        ),
        "api_url": settings.api.url.value,
        "rate": settings.api.rate.value,
        "all": options.all,
        "official_day": options.official_day,
        "lookback": options.lookback,
        "poll_seconds": options.poll.as_secs(),
        "wait_until": options.wait_until.map(|time| time.to_string()),
        "recheck": options.recheck,
    })
}
