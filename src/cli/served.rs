//! What a queue processor tells, for people and for programs.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::Exit;
use super::format::{about, counted, printable};
use crate::ingest::queue::{Event, ServedRequest};
use crate::model::Dataset;
use crate::store::{ClaimedRequest, NewRequest, RequestEnd, RequestOutcome};

/// A request that was served, as programs see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServedRow {
    pub(super) id: i64,
    pub(super) symbol: String,
    pub(super) dataset: Option<Dataset>,
    days_to_backfill: u32,
    from: Option<Date>,
    to: Option<Date>,
    timeframes: String,
    /// The word of the outcome, or `retry`.
    pub outcome: &'static str,
    message: Option<String>,
    retry_in_seconds: Option<u64>,
    pub(super) days_total: u32,
    pub(super) days_done: u32,
    pub(super) seconds: f64,
}

/// The word for a request that is to be tried again.
const RETRY: &str = "retry";

impl ServedRow {
    /// What became of a request.
    pub fn of(served: &ServedRequest) -> Self {
        let (outcome, message, retry_in) = match &served.end {
            RequestEnd::Ended { outcome, message } => (outcome.as_str(), message.clone(), None),
            RequestEnd::Retry { pause, message, .. } => (RETRY, Some(message.clone()), Some(pause.as_secs())),
            RequestEnd::GivenBack => ("pending", None, None),
        };
        let NewRequest { symbol, days_to_backfill, from, to, timeframes, .. } = served.request.clone();
        Self {
            id: served.id,
            symbol,
            dataset: served.dataset,
            days_to_backfill,
            from,
            to,
            timeframes,
            outcome,
            message,
            retry_in_seconds: retry_in,
            days_total: served.days_total,
            days_done: served.days_done,
            seconds: (served.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }

    /// Whether all of it is there.
    pub fn is_loaded(&self) -> bool {
        self.outcome == RequestOutcome::Loaded.as_str()
    }

    /// In one line.
    pub fn line(&self) -> String {
        let what = match (self.from, self.to) {
            (None, None) => counted(self.days_to_backfill.into(), "day"),
            (None, Some(to)) => format!("{} to {to}", counted(self.days_to_backfill.into(), "day")),
            (Some(from), to) => format!("{from} to {}", to.map_or("now".to_owned(), |to| to.to_string())),
        };
        let done = match self.days_total {
            0 => String::new(),
            total => format!(", {} of {} there", self.days_done, counted(total.into(), "session")),
        };
        let again = self.retry_in_seconds.map(|seconds| format!(" in {}", about(seconds as f64)));
        let why = self.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        let line = format!("{} ({what}{done}) {}{}{why}", self.symbol, self.outcome, again.unwrap_or_default());
        printable(&line)
    }
}

/// An event as a JSON object, one of many.
pub fn event_json(event: &Event) -> Value {
    match event {
        Event::Claimed(claimed) => {
            let one = |claimed: &ClaimedRequest| json!({ "id": claimed.held.id, "symbol": claimed.request.symbol });
            json!({ "event": "claimed", "rows": claimed.iter().map(one).collect::<Vec<_>>() })
        }
        Event::Served(report) => {
            json!({ "event": "served", "rows": report.requests.iter().map(ServedRow::of).collect::<Vec<_>>() })
        }
        Event::Note(message) => json!({ "event": "note", "message": message }),
    }
}

/// How many requests ended how.
pub fn outcomes(rows: &[ServedRow]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.outcome).or_default() += 1;
    }
    counts
}

/// The same for people.
pub fn outcomes_line(rows: &[ServedRow]) -> String {
    let words: Vec<_> = outcomes(rows).into_iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    match &words[..] {
        [] => "nothing waits in the queue".to_owned(),
        words => format!("{}: {}", counted(rows.len() as u64, "request"), words.join(", ")),
    }
}

/// How a processor ends that served these and was not stopped.
pub fn served_exit(rows: &[ServedRow]) -> Exit {
    if rows.iter().all(ServedRow::is_loaded) {
        Exit::Done
    } else if rows.iter().all(|row| row.outcome == RETRY) {
        Exit::Failed
    } else {
        Exit::Gaps
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(end: RequestEnd) -> ServedRow {
        let request = NewRequest {
            symbol: "AAPL".to_owned(),
            days_to_backfill: 90,
            from: None,
            to: None,
            timeframes: "1m".to_owned(),
            priority: 0,
        };
        let (days_total, days_done, elapsed) = (63, 60, Duration::from_secs(2));
        ServedRow::of(&ServedRequest { id: 7, request, dataset: None, end, days_total, days_done, elapsed })
    }

    fn ended(outcome: RequestOutcome, message: Option<&str>) -> ServedRow {
        row(RequestEnd::Ended { outcome, message: message.map(str::to_owned) })
    }

    fn retry() -> ServedRow {
        row(RequestEnd::Retry { pause: Duration::from_secs(70), message: "no\nnetwork".to_owned(), counts: true })
    }

    #[test]
    fn requests_are_told_in_a_line() {
        let loaded = ended(RequestOutcome::Loaded, None);
        assert_eq!(loaded.line(), "AAPL (90 days, 60 of 63 sessions there) loaded");
        assert_eq!(
            retry().line(),
            "AAPL (90 days, 60 of 63 sessions there) retry in 1m 10s: no\\nnetwork",
            "nothing a terminal obeys"
        );
    }

    #[test]
    fn how_requests_ended_is_how_the_command_ends() {
        let (loaded, partial) = (ended(RequestOutcome::Loaded, None), ended(RequestOutcome::Partial, Some("x")));
        for (rows, exit, line) in [
            (vec![], Exit::Done, "nothing waits in the queue"),
            (vec![loaded.clone()], Exit::Done, "1 request: 1 loaded"),
            (vec![loaded.clone(), partial], Exit::Gaps, "2 requests: 1 loaded, 1 partial"),
            (vec![loaded, retry()], Exit::Gaps, "2 requests: 1 loaded, 1 retry"),
            (vec![retry()], Exit::Failed, "1 request: 1 retry"),
        ] {
            assert_eq!((served_exit(&rows), outcomes_line(&rows)), (exit, line.to_owned()));
        }
    }
}
