use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::cli::health::testing::fine;
use crate::cli::health::{Level, judge};
use crate::cli::summary::testing::day;
use crate::ingest::rest::SymbolDayReport;
use crate::ingest::{ObjectReport, Outcome, RejectReason};
use crate::store::{NewRequest, RequestOutcome};

/// Status line, head and body of an answer.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

/// The value of a metric with its labels.
#[track_caller]
fn value(text: &str, metric: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {metric} in {text}")).parse().unwrap()
}

#[test]
fn what_a_run_tells_is_counted_and_handed_on() {
    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);
    impl Heard {
        fn hear(&self, what: String) {
            self.0.lock().unwrap().push(what);
        }
    }
    impl Reporter for Heard {
        fn start(&self, days: u64, bytes: u64) {
            self.hear(format!("start {days} {bytes}"));
        }
        fn fetched(&self, bytes: u64) {
            self.hear(format!("fetched {bytes}"));
        }
        fn decoded(&self, rows: u64) {
            self.hear(format!("decoded {rows}"));
        }
        fn day_done(&self, day: &crate::ingest::DayReport) {
            self.hear(format!("day {}", day.outcome));
        }
        fn symbol_day_done(&self, day: &SymbolDayReport) {
            self.hear(format!("symbol {}", day.symbol));
        }
        fn requests(&self, done: u64, of: u64, _left: Duration) {
            self.hear(format!("requests {done} {of}"));
        }
        fn note(&self, message: &str) {
            self.hear(message.to_owned());
        }
    }
    let (metrics, heard) = (Metrics::new(), Arc::new(Heard::default()));
    let reporter = metrics.reporter(Arc::clone(&heard) as Arc<_>);
    reporter.start(2, 10);
    reporter.fetched(10);
    reporter.decoded(5);
    let mut loaded = day("2026-10-02", Outcome::Loaded);
    loaded.bars = 7;
    let mut file = ObjectReport::default();
    file.rejects.counts.insert(RejectReason::Number, 3);
    loaded.minute_file = Some(file);
    reporter.day_done(&loaded);
    reporter.day_done(&day("2026-10-01", Outcome::Missing));
    let mut fetched = SymbolDayReport::new(loaded.dataset, "ABC", loaded.date, Outcome::Loaded, None);
    fetched.bars = 2;
    reporter.symbol_day_done(&fetched);
    for done in [1, 3, 0, 2] {
        reporter.requests(done, 4, Duration::ZERO);
    }
    reporter.note("waiting");
    let heard = heard.0.lock().unwrap().join(", ");
    assert_eq!(
        heard,
        "start 2 10, fetched 10, decoded 5, day loaded, day missing, symbol ABC, requests 1 4, requests 3 4, requests 0 4, \
         requests 2 4, waiting"
    );

    let request = NewRequest {
        symbol: "ABC".to_owned(),
        days_to_backfill: 5,
        from: None,
        to: None,
        timeframes: "day".to_owned(),
        priority: 0,
    };
    let ended = RequestEnd::Ended { outcome: RequestOutcome::NoData, message: None };
    let retry = RequestEnd::Retry { pause: Duration::ZERO, message: "busy".to_owned(), counts: true };
    for end in [ended, retry, RequestEnd::GivenBack] {
        let (request, elapsed) = (request.clone(), Duration::from_secs(2));
        let dataset = Some(loaded.dataset);
        metrics.served(&ServedRequest { id: 1, request, dataset, end, days_total: 5, days_done: 0, elapsed });
    }
    let text = metrics.0.text();
    for (metric, expected) in [
        ("barkeep_days_total{dataset=\"stocks\",outcome=\"loaded\",source=\"files\"}", 1.0),
        ("barkeep_days_total{dataset=\"stocks\",outcome=\"missing\",source=\"files\"}", 1.0),
        ("barkeep_days_total{dataset=\"stocks\",outcome=\"loaded\",source=\"rest\"}", 1.0),
        ("barkeep_bars_written_total{source=\"files\"}", 7.0),
        ("barkeep_bars_written_total{source=\"rest\"}", 2.0),
        ("barkeep_fetched_bytes_total", 10.0),
        ("barkeep_rows_decoded_total", 5.0),
        ("barkeep_rows_rejected_total{reason=\"number\"}", 3.0),
        ("barkeep_rest_requests_done_total", 5.0),
        ("barkeep_queue_requests_ended_total{outcome=\"no_data\"}", 1.0),
        ("barkeep_queue_requests_retried_total", 1.0),
        ("barkeep_queue_request_seconds_count", 1.0),
        (concat!("barkeep_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(value(&text, metric), expected, "{metric}");
    }
}

#[tokio::test]
async fn metrics_are_served_with_what_the_database_says() {
    let metrics = Metrics::new();
    let address = metrics.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (status, head, text) = ask(address, "GET", "/metrics").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(value(&text, "process_resident_memory_bytes") > 1e6 && value(&text, "process_open_fds") > 1.0);
    assert!(!text.contains("barkeep_database_up"), "nothing is known yet");
    assert_eq!(ask(address, "GET", "/healthz").await.0, 503);

    let mut facts = fine();
    metrics.looked(facts.now, Ok((&facts, &judge(&facts, None))));
    let (_, _, text) = ask(address, "GET", "/metrics").await;
    for (metric, expected) in [
        ("barkeep_database_up", 1.0),
        ("barkeep_health{check=\"queue\"}", 0.0),
        ("barkeep_nightly_last_exit_code", 0.0),
        ("barkeep_nightly_complete_to_timestamp_seconds", 1_791_172_800.0),
        ("barkeep_queue_requests{state=\"pending\"}", 0.0),
        ("barkeep_quota_requests{state=\"free\"}", 3.0),
        ("barkeep_disk_free_bytes{of=\"cache\"}", 5e10),
        ("barkeep_days_missing", 0.0),
    ] {
        assert_eq!(value(&text, metric), expected, "{metric}");
    }
    let (status, _, body) = ask(address, "GET", "/healthz").await;
    assert_eq!((status, &*body), (200, "ok\n"));

    facts.nightly.runs.clear();
    facts.queue.pending = 2;
    facts.queue.oldest_pending = Some(facts.now - jiff::SignedDuration::from_mins(20));
    let findings = judge(&facts, None);
    assert!(findings.iter().any(|finding| finding.level == Level::Stale));
    metrics.looked(facts.now, Ok((&facts, &findings)));
    let (_, _, text) = ask(address, "GET", "/metrics").await;
    assert_eq!(value(&text, "barkeep_health{check=\"queue\"}"), 2.0);
    assert_eq!(value(&text, "barkeep_queue_oldest_age_seconds"), 1200.0);
    assert!(!text.contains("barkeep_nightly_last_exit_code"), "it has never run");
    let (status, _, body) = ask(address, "GET", "/healthz").await;
    assert!(status == 503 && body.starts_with("queue STALE: 2 waiting"), "{body}");

    metrics.looked(facts.now, Err(&CliError::failed(anyhow::anyhow!("no route"))));
    let (_, _, text) = ask(address, "GET", "/metrics").await;
    assert_eq!(value(&text, "barkeep_database_up"), 0.0);
    assert!(!text.contains("barkeep_queue_requests{"), "what is not known is not told");
    assert_eq!(ask(address, "GET", "/healthz").await.2, "database: no route\n");
    assert_eq!(ask(address, "GET", "/").await.0, 404);
    assert_eq!(ask(address, "POST", "/metrics").await.0, 405);
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let (one, other) = (Metrics::new(), Metrics::new());
    let address = one.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = other.serve(address).await.unwrap_err();
    assert_eq!(error.exit().code(), 1);
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("hint: another program listens there"), "{text}");
}
