//! What a look at the database found, as metrics.

use jiff::Timestamp;
use jiff::civil::Date;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use crate::cli::health::{Finding, HealthFacts, Level, health_lines};
use crate::model::{Market, midnight};

/// Gauges of a moment.
struct Gauges(Vec<MetricFamily>);

impl Gauges {
    fn add(&mut self, name: &str, help: &str, label: &str, values: &[(&str, f64)]) {
        let labels: &[&str] = if label.is_empty() { &[] } else { &[label] };
        let gauge =
            GaugeVec::new(Opts::new(name, help), labels).expect("Invariant: a metric's name and labels are such");
        for (of, value) in values {
            let of: &[&str] = if label.is_empty() { &[] } else { &[of] };
            gauge.with_label_values(of).set(*value);
        }
        self.0.extend(gauge.collect());
    }

    fn one(&mut self, name: &str, help: &str, value: impl Into<Option<f64>>) {
        let value = value.into();
        self.add(name, help, "", &value.map(|value| ("", value)).into_iter().collect::<Vec<_>>());
    }
}

/// The metrics of a look at a moment; of one that failed only that it did.
pub(super) fn families(at: Timestamp, found: Option<(&HealthFacts, &[Finding])>) -> Vec<MetricFamily> {
    let mut gauges = Gauges(Vec::new());
    gauges.one("barkeep_database_up", "Whether the database could be read.", f64::from(u8::from(found.is_some())));
    gauges.one("barkeep_looked_at_timestamp_seconds", "When the database was last looked at.", seconds(at));
    let Some((facts, findings)) = found else { return gauges.0 };

    let levels: Vec<_> = findings.iter().map(|finding| (finding.check, level(finding.level))).collect();
    gauges.add("barkeep_health", "Checks of status --health: 0 fine, 1 a warning, 2 stale.", "check", &levels);

    let nightly = &facts.nightly;
    let end = nightly.runs.iter().find_map(|run| run.end.as_ref());
    gauges.one(
        "barkeep_nightly_last_end_timestamp_seconds",
        "When the last nightly run that ended did so.",
        end.map(|end| seconds(end.finished_at)),
    );
    gauges.one(
        "barkeep_nightly_last_exit_code",
        "How the last nightly run that ended did so.",
        end.map(|end| f64::from(end.exit_code)),
    );
    gauges.one(
        "barkeep_nightly_complete_to_timestamp_seconds",
        "Midnight in New York of the last session up to which everything due was there.",
        nightly.complete_to.map(|date: Date| seconds(midnight(Market::NewYork, date))),
    );
    let missing: usize = facts.days.missing.iter().map(|missing| missing.dates.len()).sum();
    gauges.one("barkeep_days_missing", "Days of symbols missing among the latest sessions.", missing as f64);

    let queue = &facts.queue;
    gauges.add(
        "barkeep_queue_requests",
        "Requests in the queue; abandoned ones are among those that are processed.",
        "state",
        &[
            ("pending", queue.pending as f64),
            ("processing", queue.processing as f64),
            ("abandoned", queue.abandoned as f64),
            ("dead", queue.dead as f64),
        ],
    );
    let age =
        |since: Option<Timestamp>| since.map_or(0.0, |since| facts.now.duration_since(since).as_secs_f64().max(0.0));
    gauges.one(
        "barkeep_queue_oldest_age_seconds",
        "For how long the oldest request that could be claimed has been waiting; 0 if there is none.",
        age(queue.oldest_pending),
    );
    let outbox = &facts.outbox;
    gauges.add(
        "barkeep_outbox_messages",
        "Messages to people: not sent yet, and given up.",
        "state",
        &[("open", outbox.open as f64), ("dead", outbox.dead as f64)],
    );
    gauges.one(
        "barkeep_outbox_oldest_age_seconds",
        "For how long the oldest message that is not sent has been waiting; 0 if there is none.",
        age(outbox.oldest_open),
    );
    let quota = &facts.quota;
    gauges.add(
        "barkeep_quota_requests",
        "Requests of the REST API that may be made in a window of the quota, and those of them that nobody has used.",
        "state",
        &[("all", quota.requests as f64), ("free", quota.free as f64)],
    );
    let free = facts.disks.iter().filter_map(|disk| Some((disk.of, *disk.free_bytes.as_ref().ok()? as f64)));
    gauges.add("barkeep_disk_free_bytes", "Room on the disk.", "of", &free.collect::<Vec<_>>());
    gauges.one("barkeep_database_size_bytes", "Size of the database.", facts.database.size_bytes as f64);
    gauges.0
}

/// What is stale, a line each.
pub(super) fn wrong(findings: &[Finding]) -> String {
    let stale: Vec<Finding> = findings.iter().filter(|finding| finding.level == Level::Stale).cloned().collect();
    health_lines(&stale)
}

fn level(level: Level) -> f64 {
    match level {
        Level::Ok | Level::Info => 0.0,
        Level::Warn => 1.0,
        Level::Stale => 2.0,
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
