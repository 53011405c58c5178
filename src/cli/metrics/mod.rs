//! Metrics of a command that goes on for long, as Prometheus reads them.
//!
//! What this process does is counted as it happens; what the database tells is looked at every so often by the command. The
//! names are a promise: dashboards and alerts go by them.

mod counters;
mod health;
mod process;
mod reporter;
mod server;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, TextEncoder};

use self::counters::Counters;
use self::reporter::CountingReporter;
use super::CliError;
use super::health::{Finding, HealthFacts};
use crate::ingest::Reporter;
use crate::ingest::queue::ServedRequest;
use crate::notify::Flushed;
use crate::store::RequestEnd;

/// Counts what a process does. Clones count into the same.
#[derive(Clone)]
pub(super) struct Metrics(Arc<Inner>);

struct Inner {
    counters: Counters,
    /// What the last look at the database found.
    looked: Mutex<Looked>,
}

/// The last look at the database.
#[derive(Default)]
struct Looked {
    families: Vec<MetricFamily>,
    /// What is wrong, a line each; none before the first look.
    wrong: Option<String>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Counts, and tells nobody until it is served.
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner { counters: Counters::new(), looked: Mutex::default() }))
    }

    /// Serves them at an address for as long as the process runs; says where, as port 0 is any.
    pub(super) async fn serve(&self, address: SocketAddr) -> Result<SocketAddr, CliError> {
        server::serve(address, Arc::clone(&self.0)).await
    }

    /// A reporter that counts what it hears, and hands it on.
    pub(super) fn reporter(&self, inner: Arc<dyn Reporter>) -> Arc<dyn Reporter> {
        Arc::new(CountingReporter::new(self.clone(), inner))
    }

    /// A claim on a request of the queue has ended.
    pub(super) fn served(&self, request: &ServedRequest) {
        let counters = &self.0.counters;
        match &request.end {
            RequestEnd::Ended { outcome, .. } => {
                counters.requests_ended.with_label_values(&[outcome.as_str()]).inc();
                counters.request_seconds.observe(request.elapsed.as_secs_f64());
            }
            RequestEnd::Retry { .. } => counters.requests_retried.inc(),
            RequestEnd::GivenBack => {}
        }
    }

    /// Messages to people were sent, or could not be.
    pub(super) fn flushed(&self, flushed: &Flushed) {
        let count = |result, messages| self.0.counters.messages.with_label_values(&[result]).inc_by(messages);
        count("sent", flushed.sent.into());
        count("failed", flushed.retried.len() as u64);
        count("given_up", flushed.dead.len() as u64);
    }

    /// What a look at the database found at a moment, or that it could not be read.
    pub(super) fn looked(&self, at: Timestamp, found: Result<(&HealthFacts, &[Finding]), &CliError>) {
        let (families, wrong) = match found {
            Ok((facts, findings)) => (health::families(at, Some((facts, findings))), health::wrong(findings)),
            Err(error) => (health::families(at, None), format!("database: {}\n", error.in_a_line())),
        };
        *self.0.looked.lock().unwrap_or_else(PoisonError::into_inner) = Looked { families, wrong: Some(wrong) };
    }
}

impl Inner {
    /// All metrics as text.
    fn text(&self) -> String {
        let mut families = self.counters.registry.gather();
        families.extend(self.looked.lock().unwrap_or_else(PoisonError::into_inner).families.iter().cloned());
        families.extend(process::families());
        let mut text = Vec::new();
        // Written into memory; a family without a metric is the only error, and is left out.
        families.retain(|family| !family.get_metric().is_empty());
        let _ = TextEncoder::new().encode(&families, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// What is wrong, a line each; none before the first look.
    fn wrong(&self) -> Option<String> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).wrong.clone()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
