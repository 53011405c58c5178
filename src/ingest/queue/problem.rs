//! What people are to be told of the queue.

use crate::model::Problem;
use crate::store::{QueuedRequest, RequestOutcome};

/// Requests that are named; more are counted.
const NAMED: usize = 10;

/// Requests that were given up, if there are any among these.
pub fn problem_of(requests: &[QueuedRequest]) -> Option<Problem> {
    let dead: Vec<_> = requests.iter().filter(|request| request.outcome == Some(RequestOutcome::Dead)).collect();
    let told = |request: &&QueuedRequest| {
        let why = request.error_message.as_deref().unwrap_or("no reason is known");
        format!("{} (request {}): {why}", request.request.symbol, request.id)
    };
    let mut details: Vec<_> = dead.iter().take(NAMED).map(told).collect();
    match dead.len() {
        0 => return None,
        count if count > NAMED => details.push(format!("and {} more", count - NAMED)),
        _ => {}
    }
    details
        .push("`backfill watchlist queue` shows them, `backfill watchlist retry --dead` queues them again".to_owned());
    let requests = if dead.len() == 1 { "request was" } else { "requests were" };
    Some(Problem {
        essence: dead.iter().map(|request| request.id.to_string()).collect(),
        headline: format!("{} {requests} given up", dead.len()),
        details,
    })
}
