//! Facts for tests.

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};

use super::{DayFacts, DiskFacts, HealthFacts, NightlyFacts};
use crate::ingest::rest::QuotaUse;
use crate::store::{Facts, OutboxDepth, QueueDepth, RunEnd, RunRecord, RunStart, Schema};

/// Tuesday, 13:00 in New York: Monday's session must be there.
pub(in crate::cli) const NOW: &str = "2026-10-06T17:00:00Z";

pub(in crate::cli) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(in crate::cli) fn ago(minutes: i64) -> Timestamp {
    at(NOW) - SignedDuration::from_mins(minutes)
}

pub(in crate::cli) fn run(began: i64, ended: Option<(i64, u8)>) -> RunRecord {
    let run_id = format!("run-{began}");
    let end = ended.map(|(ended, exit_code)| RunEnd {
        run_id: run_id.clone(),
        finished_at: ago(ended),
        exit_code,
        complete_to: None,
        summary: "2 days loaded".to_owned(),
        record: "{}".to_owned(),
    });
    RunRecord { start: RunStart { run_id, command: "nightly".to_owned(), started_at: ago(began) }, end }
}

/// Facts about which there is nothing to say.
pub(in crate::cli) fn fine() -> HealthFacts {
    HealthFacts {
        now: at(NOW),
        database: Facts {
            engine: "SQLite 3.50".to_owned(),
            schema: Schema::Current { applied: 5 },
            is_writable: true,
            size_bytes: 1_200_000_000,
            file_days: 20,
        },
        nightly: NightlyFacts { runs: vec![run(700, Some((600, 0)))], complete_to: Some(date(2026, 10, 5)) },
        days: DayFacts { watched: 3, ..DayFacts::default() },
        queue: QueueDepth::default(),
        put_off: None,
        outbox: OutboxDepth::default(),
        quota: QuotaUse { rate: "5/min".to_owned(), requests: 5, free: 3, lowered_at: None },
        disks: ["database", "cache"].map(|of| DiskFacts { of, free_bytes: Ok(50_000_000_000) }).into(),
    }
}
