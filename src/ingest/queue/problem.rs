//! What people are to be told of the queue.

use jiff::{SignedDuration, Timestamp};

use super::Wish;
use crate::model::{Problem, file_due_at};
use crate::store::QueuedRequest;

/// So long a request may be put off again and again before people are told.
const PUT_OFF_HOURS: i64 = 6;

/// Most requests that are named.
const NAMED: usize = 10;

/// Dead requests, if there are any: how many, and the latest of them. People are told when there is one, and when there are twice
/// as many as they were told of: an outage ends hundreds, one after the other.
pub fn given_up((count, latest): &(u64, Vec<QueuedRequest>)) -> Option<Problem> {
    let doublings = count.checked_ilog2()?;
    let hint = "`backfill watchlist queue` shows them, `backfill watchlist retry --dead` queues them again";
    let requests = if *count == 1 { "request is" } else { "requests are" };
    let headline = format!("{count} {requests} given up");
    Some(Problem { essence: vec![doublings.to_string()], headline, details: details(latest.iter(), *count, hint) })
}

/// Open requests that have been put off for hours: nothing is wrong with them, and nothing comes of them. The time before the
/// file of their newest day was due does not count, nor do those that wait for their first turn.
pub fn put_off(open: &[QueuedRequest], now: Timestamp) -> Option<Problem> {
    let is_put_off = |request: &&QueuedRequest| {
        let due = Wish::of(&request.request, request.requested_at).map(|wish| file_due_at(*wish.dates.end()));
        let since = due.map_or(request.requested_at, |due| due.max(request.requested_at));
        request.error_message.is_some() && now.duration_since(since) >= SignedDuration::from_hours(PUT_OFF_HOURS)
    };
    let mut put_off: Vec<&QueuedRequest> = open.iter().filter(is_put_off).collect();
    put_off.sort_by_key(|request| (request.requested_at, request.id));
    let count = put_off.len() as u64;
    let hint = "they are tried again by themselves, and `backfill watchlist queue` shows when";
    let requests = if count == 1 { "request has been" } else { "requests have been" };
    let headline = format!("{count} {requests} put off for more than {PUT_OFF_HOURS} hours");
    let details = details(put_off.into_iter(), count, hint);
    (count > 0).then(|| Problem { essence: vec!["put off".to_owned()], headline, details })
}

/// The first of some requests and why each of them is where it is, how many more there are, and what to do.
fn details<'r>(requests: impl Iterator<Item = &'r QueuedRequest>, count: u64, hint: &str) -> Vec<String> {
    let told = |request: &QueuedRequest| {
        let why = request.error_message.as_deref().unwrap_or("no reason is known");
        format!("{} (request {}): {why}", request.request.symbol, request.id)
    };
    let mut details: Vec<_> = requests.take(NAMED).map(told).collect();
    match count.saturating_sub(details.len() as u64) {
        0 => {}
        more => details.push(format!("and {more} more")),
    }
    details.push(hint.to_owned());
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::queue::fakes::asks;
    use crate::store::RequestStatus;

    fn queued(symbol: &str, requested_at: &str, why: Option<&str>) -> QueuedRequest {
        QueuedRequest {
            id: 7,
            request: asks(symbol, 5),
            status: RequestStatus::Pending,
            outcome: None,
            requested_at: requested_at.parse().unwrap(),
            started_at: None,
            completed_at: None,
            error_message: why.map(str::to_owned),
            retry_count: 0,
            not_before: None,
            lease_owner: None,
            days_total: None,
            days_done: 0,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn requests_that_are_put_off_for_hours_are_told_with_the_reason() {
        // On a Sunday, when all files are there.
        let asked = "2026-10-04T02:00:00Z";
        let open = [queued("A", asked, Some("no keys")), queued("NEW", asked, None)];
        assert_eq!(put_off(&open, at("2026-10-04T07:59:59Z")), None);
        let problem = put_off(&open, at("2026-10-04T08:00:00Z")).unwrap();
        assert_eq!(problem.headline, "1 request has been put off for more than 6 hours");
        assert_eq!(problem.details[0], "A (request 7): no keys");
        assert_eq!(problem.details.len(), 2, "one that waits for its first turn is not among them");
        let more = put_off(&vec![open[0].clone(); 12], at("2026-10-05T08:00:00Z")).unwrap();
        assert_eq!(more.details[NAMED], "and 2 more");
        assert_eq!(more.essence, problem.essence, "the same trouble, however many");
    }

    #[test]
    fn the_hours_before_a_file_is_due_are_nobody_s_fault() {
        // Monday noon in New York; the file of Monday is due on Tuesday at 11:00.
        let open = [queued("A", "2026-10-05T16:00:00Z", Some("not due"))];
        assert_eq!(put_off(&open, at("2026-10-06T20:59:59Z")), None);
        assert!(put_off(&open, at("2026-10-06T21:00:00Z")).is_some());
    }

    #[test]
    fn what_makes_no_sense_is_put_off_since_it_was_asked_for() {
        let open = [queued("A B", "2026-10-05T16:00:00Z", Some("later"))];
        assert!(put_off(&open, at("2026-10-05T22:00:00Z")).is_some());
        assert_eq!(put_off(&[], at("2026-10-05T22:00:00Z")), None);
    }
}
