//! What this process has done.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, core::Collector};

/// Bounds of how long a request of the queue takes, in seconds: from one that is there already to hours.
const REQUEST_SECONDS: [f64; 9] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0];

/// What this process has done.
pub(super) struct Counters {
    pub(super) registry: Registry,
    pub(super) days: IntCounterVec,
    pub(super) bars: IntCounterVec,
    pub(super) fetched_bytes: IntCounter,
    pub(super) rows: IntCounter,
    pub(super) rejected: IntCounterVec,
    pub(super) rest_requests: IntCounter,
    pub(super) requests_ended: IntCounterVec,
    pub(super) requests_retried: IntCounter,
    pub(super) request_seconds: Histogram,
    pub(super) messages: IntCounterVec,
}

impl Counters {
    pub(super) fn new() -> Self {
        let registry = Registry::new();
        let build =
            vec(&registry, IntGaugeVec::new, "barkeep_build_info", "Version of this program; always 1.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let counters = |name: &str, help: &str, labels: &[&str]| vec(&registry, IntCounterVec::new, name, help, labels);
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).expect("Invariant: a counter's name is one");
            registered(&registry, counter)
        };
        let took = HistogramOpts::new(
            "barkeep_queue_request_seconds",
            "How long requests of the queue took that ended, from being claimed.",
        );
        let took = Histogram::with_opts(took.buckets(REQUEST_SECONDS.into()));
        let request_seconds = registered(&registry, took.expect("Invariant: a histogram's name is one"));
        Self {
            days: counters(
                "barkeep_days_total",
                "Days that ended, by outcome: of files a market's, by requests a symbol's.",
                &["source", "dataset", "outcome"],
            ),
            bars: counters("barkeep_bars_written_total", "Bars written.", &["source"]),
            fetched_bytes: counter("barkeep_fetched_bytes_total", "Bytes of files that came over the network."),
            rows: counter("barkeep_rows_decoded_total", "Rows of files that were decoded."),
            rejected: counters("barkeep_rows_rejected_total", "Rows of files that cannot be a bar.", &["reason"]),
            rest_requests: counter(
                "barkeep_rest_requests_done_total",
                "Requests of the REST API that are done; of several pages one.",
            ),
            requests_ended: counters(
                "barkeep_queue_requests_ended_total",
                "Requests of the queue that ended.",
                &["outcome"],
            ),
            requests_retried: counter(
                "barkeep_queue_requests_retried_total",
                "Requests of the queue that failed and are to be tried again.",
            ),
            request_seconds,
            messages: counters(
                "barkeep_messages_total",
                "Messages to people that were sent, failed this time, or were given up.",
                &["result"],
            ),
            registry,
        }
    }
}

fn vec<T: Collector + Clone + 'static>(
    registry: &Registry,
    make: fn(Opts, &[&str]) -> prometheus::Result<T>,
    name: &str,
    help: &str,
    labels: &[&str],
) -> T {
    registered(registry, make(Opts::new(name, help), labels).expect("Invariant: a metric's name and labels are such"))
}

fn registered<T: Collector + Clone + 'static>(registry: &Registry, metric: T) -> T {
    registry.register(Box::new(metric.clone())).expect("Invariant: a metric is registered once");
    metric
}
