//! Serving the queue.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::api::rate;
use super::super::loading::Loader;
use super::super::metrics;
use super::super::s3::open_source;
use super::telling::Telling;
use super::{Context, warn};
use crate::cli::log::stderr;
use crate::cli::metrics::Metrics;
use crate::cli::served::{ServedRow, event_json, outcomes, outcomes_line, served_exit};
use crate::cli::{Body, CliError, Exit, Log, Signals, WatchlistRunArgs, print_json, reporter};
use crate::config::{Settings, Sourced};
use crate::ingest::queue::{Event, Pace, Processor, Workplace};
use crate::ingest::{Loads, Reporter};
use crate::model::Dataset;
use crate::store::{AnyStore, StoreError, claimant_name};

/// Serves the queue until stopped, or until nothing waits.
pub(super) async fn run(args: &WatchlistRunArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let settings = &context.settings;
    rate(context)?;
    match open_source(settings, Dataset::Stocks).await {
        // A folder that was named is there; a bucket may be one that nobody here has keys for.
        Err(error) if settings.source.is_some() || error.exit() == Exit::Usage => return Err(error),
        _ => {}
    }
    let pace = Pace::new(settings.lease.value, args.interval);
    let lease = Sourced::new(pace.day_lease(), settings.lease.origin.clone());
    let settings = Settings { lease, ..settings.clone() };
    let context = &Context { settings, ..context.clone() };
    let clock = context.clock();
    let metrics = metrics::start(&args.metrics, &clock, context).await?;
    let telling = Telling::new(context, clock.clone(), &metrics)?;
    let desk = Desk {
        context,
        metrics: &metrics,
        once: args.once,
        served: Mutex::default(),
        has_served: tokio::sync::Notify::new(),
    };
    let stop = signals.stop().clone();
    let processor = Processor::new(&desk, claimant_name(), pace, clock.clone(), args.once, stop);
    let over = signals.stop().child_token();
    let processing = async {
        let ended = Box::pin(processor.run()).await;
        over.cancel();
        ended
    };
    let going_on = async {
        // What runs only once tells in the end.
        if !args.once {
            Box::pin(telling.go_on(&desk.has_served, &over)).await;
        }
    };
    // Not dropped with the other: a message may be on its way.
    let (ended, ()) = futures_util::future::join(processing, going_on).await;
    if args.once {
        telling.once(signals.stop()).await;
    }
    let failure = ended.err().map(CliError::failed);
    let served = desk.served.into_inner().unwrap_or_else(PoisonError::into_inner);
    let exit = match (&failure, signals.exit()) {
        (Some(_), _) => Exit::Failed,
        // A service that was asked to stop has done what it should.
        (None, Some(Exit::Terminated)) if !args.once => Exit::Done,
        (None, Some(signal)) => signal,
        (None, None) => served_exit(&served),
    };
    if args.once {
        print(&served, exit, context)?;
    }
    failure.map_or(Ok(exit), Err)
}

fn print(served: &[ServedRow], exit: Exit, context: &Context) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    if context.json {
        let settings = json!({ "database_url": context.settings.database.value.to_string() });
        let totals = json!({ "requests": outcomes(served) });
        print_json(out, "watchlist", &settings, Body::Rows(served), &totals, exit)
    } else if context.quiet {
        Ok(())
    } else {
        writeln!(out, "{}", outcomes_line(served))
    }
}

/// Where the processor works.
struct Desk<'a> {
    context: &'a Context,
    metrics: &'a Metrics,
    once: bool,
    /// What was served by one that runs only once.
    served: Mutex<Vec<ServedRow>>,
    /// Told whenever requests were served.
    has_served: tokio::sync::Notify,
}

impl Workplace for Desk<'_> {
    type Store = AnyStore;

    async fn store(&self) -> Result<AnyStore, StoreError> {
        self.context.open_store().await
    }

    fn reporter(&self) -> Arc<dyn Reporter> {
        let settings = &self.context.settings;
        // Bars that begin anew with every request would be nothing to look at.
        let has_terminal = self.once && Context::has_terminal();
        let reporter = reporter(self.context.quiet, self.context.json, has_terminal, settings.color.value);
        self.metrics.reporter(reporter)
    }

    fn loads(&self, reporter: Arc<dyn Reporter>, stop: CancellationToken) -> impl Loads {
        Loader::new(self.context, reporter, stop)
    }

    async fn hear(&self, event: Event) {
        // Whoever listened has gone away; the work goes on.
        let _ = self.tell(&event);
        let Event::Served(report) = &event else { return };
        self.has_served.notify_one();
        report.requests.iter().for_each(|request| self.metrics.served(request));
        if self.once {
            let rows = report.requests.iter().map(ServedRow::of);
            self.served.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
        }
    }
}

impl Desk<'_> {
    fn tell(&self, event: &Event) -> io::Result<()> {
        if let Event::Note(message) = event {
            warn(&crate::cli::format::printable(message));
        }
        if self.context.json {
            log_served(event);
            // One that runs only once prints one object in the end.
            return if self.once { Ok(()) } else { writeln!(io::stdout().lock(), "{}", event_json(event)) };
        }
        if log_served(event) {
            return Ok(());
        }
        let Event::Served(report) = event else { return Ok(()) };
        for row in report.requests.iter().map(ServedRow::of) {
            if !self.context.quiet {
                writeln!(io::stdout().lock(), "{}", row.line())?;
            } else if !row.is_loaded() {
                writeln!(stderr(), "{}", row.line())?;
            }
        }
        Ok(())
    }
}

/// Says in the log what became of requests, if there is a log.
fn log_served(event: &Event) -> bool {
    let (Some(log), Event::Served(report)) = (Log::current(), event) else { return Log::current().is_some() };
    report.requests.iter().map(ServedRow::of).for_each(|row| log.request(&row));
    true
}
