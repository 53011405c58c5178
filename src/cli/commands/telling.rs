//! What people are told of nightly runs, and sending it.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::warn;
use crate::cli::CliError;
use crate::cli::format::printable;
use crate::cli::metrics::Metrics;
use crate::ingest::nightly::{Ending, NIGHTLY, NightlyReport};
use crate::model::Problem;
use crate::notify::{Notifier, Situation};
use crate::store::{AnyStore, ConditionChange, Outbox, StoreError};

/// How long sending is tried: at the start, what an earlier run left; at the end, what this one has to tell.
pub(super) const LEFT_OVER: Duration = Duration::from_secs(10);
pub(super) const NEWS: Duration = Duration::from_mins(1);

/// What is to be told of a run, if anything. A run that was told to stop says nothing about how things are.
pub(super) async fn change(
    report: &NightlyReport,
    notifier: &Notifier,
    store: &mut AnyStore,
) -> Result<Option<ConditionChange>, StoreError> {
    if report.ending == Ending::Stopped {
        return Ok(None);
    }
    let last = store.condition(&report.name).await?;
    Ok(notifier.change(last, &situation(report), report.finished_at))
}

fn situation(report: &NightlyReport) -> Situation {
    let summary = report.summary();
    let summary = summary.strip_prefix(NIGHTLY).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&summary);
    Situation { source: report.name.clone(), problem: report.problem(), summary: summary.to_owned() }
}

/// Sends what waits. What could not be sent waits for the next run.
pub(super) async fn send(
    notifier: &Notifier,
    store: &mut AnyStore,
    longest: Duration,
    metrics: &Metrics,
    stop: &CancellationToken,
) {
    let flushed = notifier.flush(store, longest, stop).await;
    metrics.flushed(&flushed);
    for line in flushed.retried.iter().chain(&flushed.dead) {
        warn(&printable(&format!("message not sent: {line}")));
    }
    if let Some(error) = flushed.trouble {
        warn(&printable(&format!("messages not sent: {error}")));
    }
}

/// Tells that there is no database for a run of some name: then there is no outbox either, and nothing remembers that it was
/// told.
pub(super) async fn tell_without_database(error: &CliError, name: &str, notifier: &Notifier, at: Timestamp) {
    let why = error.reason();
    let problem =
        Problem { essence: vec!["database".to_owned()], headline: "no database".to_owned(), details: vec![why] };
    let now = Situation { source: name.to_owned(), problem: Some(problem), summary: String::new() };
    for tried in notifier.tell_now(&now, at).await {
        if let Err(why) = tried.result {
            warn(&printable(&format!("message not sent: {}: {why}", tried.channel)));
        }
    }
}
