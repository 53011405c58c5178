//! The queue that the watchlist feeds: showing it, and trying again what failed.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Context, store_error};
use crate::cli::format::{count, counted, duration, printable};
use crate::cli::{Align, Body, CliError, Exit, Table, WatchlistQueueArgs, WatchlistRetryArgs, print_json};
use crate::model::Symbol;
use crate::store::{Queue, QueueDepth, QueuedRequest, RequestOutcome};

#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    symbol: &'a str,
    status: &'static str,
    outcome: Option<&'static str>,
    days_to_backfill: u32,
    from: Option<Date>,
    to: Option<Date>,
    timeframes: &'a str,
    priority: i32,
    requested_at: Timestamp,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    lease_owner: Option<&'a str>,
    days_total: Option<u32>,
    days_done: u32,
    retry_count: u32,
    error_message: Option<&'a str>,
}

/// Shows requests, open ones first.
pub(super) async fn show(args: &WatchlistQueueArgs, context: &Context) -> Result<Exit, CliError> {
    // A row may hold what is no symbol; it can be asked for as it stands there.
    let named = |text: &str| Symbol::from_command_line(text).map_or(text.to_owned(), |symbol| symbol.to_string());
    let symbol = args.symbol.as_deref().map(named);
    let (mut requests, mut depth) = (Vec::new(), QueueDepth::default());
    if let Some(mut store) = context.existing_store().await? {
        requests = store.requests(symbol.as_deref(), args.limit).await.map_err(store_error)?;
        depth = store.queue_depth().await.map_err(store_error)?;
        store.close().await.map_err(store_error)?;
    }
    requests.truncate(args.limit as usize);
    let out = &mut io::stdout().lock();
    if context.json {
        print(out, "watchlist queue", &requests, &totals(&requests, &depth), Exit::Done)?;
    } else {
        // The times of the queue are the database's own, whatever a test calls now.
        write!(out, "{}", text(&requests, &depth, Timestamp::now()))?;
    }
    Ok(Exit::Done)
}

/// Makes failed requests wait again.
pub(super) async fn retry(args: &WatchlistRetryArgs, context: &Context) -> Result<Exit, CliError> {
    let mut ids = args.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let (mut again, mut requests, mut depth) = (0, Vec::new(), QueueDepth::default());
    if let Some(mut store) = context.existing_store().await? {
        let named = (!args.dead).then_some(&ids[..]);
        again = store.retry_requests(named).await.map_err(store_error)?;
        requests = store.requests(None, 0).await.map_err(store_error)?;
        depth = store.queue_depth().await.map_err(store_error)?;
        store.close().await.map_err(store_error)?;
    }
    let left = (ids.len() as u64).saturating_sub(again);
    let exit = if left > 0 { Exit::Gaps } else { Exit::Done };
    let out = &mut io::stdout().lock();
    if context.json {
        let mut totals = totals(&requests, &depth);
        totals["queued_again"] = again.into();
        print(out, "watchlist retry", &requests, &totals, exit)?;
    } else {
        let left = match left {
            0 => String::new(),
            left => format!("; {} not: not there, not failed, or equal to one that is open", count(left)),
        };
        writeln!(out, "{} queued again{left}", counted(again, "request"))?;
    }
    Ok(exit)
}

fn print(
    out: &mut impl Write,
    command: &str,
    requests: &[QueuedRequest],
    totals: &Value,
    exit: Exit,
) -> io::Result<()> {
    let rows: Vec<Row<'_>> = requests.iter().map(row).collect();
    print_json(out, command, &json!({}), Body::Rows(&rows), totals, exit)
}

fn totals(requests: &[QueuedRequest], depth: &QueueDepth) -> Value {
    json!({
        "requests": requests.len(),
        "pending": depth.pending,
        "processing": depth.processing,
        "abandoned": depth.abandoned,
        "dead": depth.dead,
        "oldest_pending": depth.oldest_pending,
    })
}

fn row(queued: &QueuedRequest) -> Row<'_> {
    Row {
        id: queued.id,
        symbol: &queued.request.symbol,
        status: queued.status.as_str(),
        outcome: queued.outcome.map(RequestOutcome::as_str),
        days_to_backfill: queued.request.days_to_backfill,
        from: queued.request.from,
        to: queued.request.to,
        timeframes: &queued.request.timeframes,
        priority: queued.request.priority,
        requested_at: queued.requested_at,
        started_at: queued.started_at,
        completed_at: queued.completed_at,
        not_before: queued.not_before,
        lease_owner: queued.lease_owner.as_deref(),
        days_total: queued.days_total,
        days_done: queued.days_done,
        retry_count: queued.retry_count,
        error_message: queued.error_message.as_deref(),
    }
}

fn text(requests: &[QueuedRequest], depth: &QueueDepth, now: Timestamp) -> String {
    let totals = line(depth, now);
    if requests.is_empty() {
        return format!("no requests to show; {totals}\n");
    }
    let mut table = Table::new([
        ("id", Align::Right),
        ("symbol", Align::Left),
        ("status", Align::Left),
        ("outcome", Align::Left),
        ("days", Align::Right),
        ("priority", Align::Right),
        ("requested", Align::Left),
        ("started", Align::Left),
        ("completed", Align::Left),
        ("progress", Align::Right),
        ("retries", Align::Right),
        ("message", Align::Left),
    ]);
    for queued in requests {
        let minute = |at: Option<Timestamp>| at.map_or("-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string());
        table.row([
            queued.id.to_string(),
            printable(&queued.request.symbol),
            queued.status.as_str().to_owned(),
            queued.outcome.map_or("-", RequestOutcome::as_str).to_owned(),
            days(queued),
            queued.request.priority.to_string(),
            minute(Some(queued.requested_at)),
            minute(queued.started_at),
            minute(queued.completed_at),
            queued.days_total.map_or("-".to_owned(), |total| format!("{}/{total}", queued.days_done)),
            queued.retry_count.to_string(),
            printable(queued.error_message.as_deref().unwrap_or_default()),
        ]);
    }
    format!("{table}{totals}\n")
}

/// The days a request asks for: how many, or from when to when.
fn days(queued: &QueuedRequest) -> String {
    let request = &queued.request;
    match (request.from, request.to) {
        (None, None) => request.days_to_backfill.to_string(),
        (from, to) => {
            let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
            let first = if from.is_none() { request.days_to_backfill.to_string() } else { date(from) };
            format!("{first}..{}", date(to))
        }
    }
}

fn line(depth: &QueueDepth, now: Timestamp) -> String {
    let abandoned = match depth.abandoned {
        0 => String::new(),
        abandoned => format!(" ({} of processors that are gone)", count(abandoned)),
    };
    let oldest = depth.oldest_pending.and_then(|oldest| now.duration_since(oldest).try_into().ok());
    let oldest = oldest.map_or(String::new(), |age| format!("; the oldest could have begun {} ago", duration(age)));
    let [pending, processing, dead] = [depth.pending, depth.processing, depth.dead].map(count);
    format!("in the queue: {pending} waiting, {processing} being processed{abandoned}, {dead} dead{oldest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewRequest, RequestStatus};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_queue_is_a_table_with_a_line_of_totals() {
        let waiting = QueuedRequest {
            id: 7,
            request: NewRequest {
                symbol: "aapl\t".to_owned(),
                days_to_backfill: 90,
                from: None,
                to: None,
                timeframes: "1m".to_owned(),
                priority: -1,
            },
            status: RequestStatus::Pending,
            outcome: None,
            requested_at: at("2026-10-02T14:00:59Z"),
            started_at: None,
            completed_at: None,
            error_message: None,
            retry_count: 0,
            not_before: None,
            lease_owner: None,
            days_total: None,
            days_done: 0,
        };
        let dates = NewRequest { from: Some("2026-01-02".parse().unwrap()), to: None, ..waiting.request.clone() };
        let failed = QueuedRequest {
            id: 12,
            request: NewRequest { symbol: "MSFT".to_owned(), ..dates },
            status: RequestStatus::Failed,
            outcome: Some(RequestOutcome::NoData),
            started_at: Some(at("2026-10-02T14:01:00Z")),
            completed_at: Some(at("2026-10-02T14:03:00Z")),
            error_message: Some("no_data: nobody\nknows it".to_owned()),
            retry_count: 2,
            days_total: Some(60),
            days_done: 3,
            ..waiting.clone()
        };
        let oldest_pending = Some(waiting.requested_at);
        let depth = QueueDepth { pending: 1, processing: 2, abandoned: 1, dead: 1200, oldest_pending };
        assert_eq!(
            text(&[waiting, failed], &depth, at("2026-10-02T15:03:00Z")),
            "\
id  symbol  status   outcome          days  priority  requested         started           completed         progress  retries  message
 7  aapl\\t  pending  -                  90        -1  2026-10-02 14:00  -                 -                        -        0
12  MSFT    failed   no_data  2026-01-02..        -1  2026-10-02 14:00  2026-10-02 14:01  2026-10-02 14:03      3/60        2  no_data: nobody\\nknows it
in the queue: 1 waiting, 2 being processed (1 of processors that are gone), 1,200 dead; the oldest could have begun 1h 02m ago
"
        );
        let nothing = text(&[], &QueueDepth::default(), at("2026-10-02T15:03:00Z"));
        assert_eq!(nothing, "no requests to show; in the queue: 0 waiting, 0 being processed, 0 dead\n");
    }
}
