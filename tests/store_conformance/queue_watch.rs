//! Watches: how soon somebody who waits hears of a request.

use std::time::{Duration, Instant};

use barkeep::store::RequestEnd::{Ended, GivenBack};
use barkeep::store::{Queue, QueueWatch, QueueWatching, RequestOutcome};

use crate::Bench;
use crate::queue::ask;

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_mins(10);
/// No watch takes so long, not even on a busy machine.
const SOON: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(300);

/// A watch that has nothing to tell.
async fn watch<B: Bench>(bench: &B) -> <B::Store as QueueWatching>::Watch {
    let mut watch = bench.open().await.queue_watch();
    // The first wait may end at once.
    watch.wait(MOMENT).await;
    watch
}

#[track_caller]
fn assert_soon(since: Instant) {
    assert!(since.elapsed() < SOON, "nothing was heard for {:?}", since.elapsed());
}

pub async fn a_watch_wakes_when_a_request_is_added<B: Bench>(bench: &B) {
    let mut watch = watch(bench).await;
    let since = Instant::now();
    let waiting = tokio::spawn(async move {
        watch.wait(LONG).await;
        watch
    });
    tokio::time::sleep(MOMENT).await;
    assert!(!waiting.is_finished(), "there is nothing yet");
    // As another program adds one.
    bench.execute("INSERT INTO watchlist (symbol) VALUES ('AAPL')").await;
    let mut watch = waiting.await.unwrap();
    assert_soon(since);
    let mut queue = bench.open().await;
    assert_eq!(queue.claim_requests("p", LONG, 9).await.unwrap().len(), 1, "what is heard of can be claimed");
    for symbol in ["MSFT", "IBM"] {
        queue.enqueue(&[ask(symbol, 90, 0)]).await.unwrap();
        watch.wait(LONG).await;
    }
    assert_soon(since);
}

pub async fn what_is_added_between_two_waits_is_not_missed(bench: &impl Bench) {
    let mut watch = watch(bench).await;
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 0), ask("B", 90, 0)]).await.unwrap();
    queue.enqueue(&[ask("C", 90, 0)]).await.unwrap();
    let since = Instant::now();
    watch.wait(LONG).await;
    assert_soon(since);
    // A wait that was given up has missed nothing either.
    let _ = tokio::time::timeout(Duration::from_millis(20), watch.wait(LONG)).await;
    queue.enqueue(&[ask("D", 90, 0)]).await.unwrap();
    let since = Instant::now();
    watch.wait(LONG).await;
    assert_soon(since);
}

pub async fn a_watch_wakes_when_requests_wait_again(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 0), ask("B", 90, 0)]).await.unwrap();
    let claimed = queue.claim_requests("p", LONG, 9).await.unwrap();
    let mut watch = watch(bench).await;
    let since = Instant::now();
    queue.end_requests(&[(claimed[0].held, GivenBack)]).await.unwrap();
    watch.wait(LONG).await;
    let dead = Ended { outcome: RequestOutcome::Dead, message: None };
    queue.end_requests(&[(claimed[1].held, dead)]).await.unwrap();
    assert_eq!(queue.retry_requests(None).await.unwrap(), 1);
    watch.wait(LONG).await;
    assert_soon(since);
}

pub async fn a_watch_that_hears_nothing_waits_so_long(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    let mut watch = watch(bench).await;
    let since = Instant::now();
    for _ in 0..2 {
        // Neither a claim nor its renewal is a request.
        let held: Vec<_> = queue.claim_requests("p", LONG, 9).await.unwrap().iter().map(|one| one.held).collect();
        queue.renew_requests(&held, LONG).await.unwrap();
        watch.wait(MOMENT).await;
    }
    assert!(since.elapsed() >= MOMENT * 2, "it waited for {:?}", since.elapsed());
    assert_soon(since);
}
