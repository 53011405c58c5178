//! What people are to be told of the queue.

use crate::model::Problem;
use crate::store::QueuedRequest;

/// Dead requests, if there are any: how many, and the latest of them. People are told when there is one, and when there are twice
/// as many as they were told of: an outage ends hundreds, one after the other.
pub fn problem_of((count, latest): &(u64, Vec<QueuedRequest>)) -> Option<Problem> {
    let doublings = count.checked_ilog2()?;
    let told = |request: &QueuedRequest| {
        let why = request.error_message.as_deref().unwrap_or("no reason is known");
        format!("{} (request {}): {why}", request.request.symbol, request.id)
    };
    let mut details: Vec<_> = latest.iter().map(told).collect();
    match count.saturating_sub(latest.len() as u64) {
        0 => {}
        more => details.push(format!("and {more} more")),
    }
    details
        .push("`backfill watchlist queue` shows them, `backfill watchlist retry --dead` queues them again".to_owned());
    let requests = if *count == 1 { "request is" } else { "requests are" };
    Some(Problem { essence: vec![doublings.to_string()], headline: format!("{count} {requests} given up"), details })
}
