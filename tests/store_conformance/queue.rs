//! The queue: who gets which request, and what becomes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use barkeep::store::RequestEnd::{Ended, GivenBack, Retry};
use barkeep::store::{
    ClaimedRequest, Held, MOST_RETRIES, NewRequest, Queue, QueuedRequest, RequestEnd, RequestOutcome, RequestProgress,
    RequestStatus,
};
use jiff::civil::date;

use crate::Bench;

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_mins(10);
/// The leases of everybody are over.
const EXPIRE: &str = "UPDATE historical_ingestion_queue SET lease_until = 1 WHERE status = 'processing'";
/// The pauses of everybody are over.
const RESUME: &str = "UPDATE historical_ingestion_queue SET not_before = 1 WHERE not_before IS NOT NULL";

pub fn ask(symbol: &str, days: u32, priority: i32) -> NewRequest {
    let (symbol, timeframes) = (symbol.to_owned(), "1m,5m,15m,1h,4h,day".to_owned());
    NewRequest { symbol, days_to_backfill: days, from: None, to: None, timeframes, priority }
}

fn names(claimed: &[ClaimedRequest]) -> Vec<&str> {
    claimed.iter().map(|one| one.request.symbol.as_str()).collect()
}

fn held(claimed: &[ClaimedRequest]) -> Vec<Held> {
    claimed.iter().map(|one| one.held).collect()
}

fn loaded() -> RequestEnd {
    Ended { outcome: RequestOutcome::Loaded, message: None }
}

fn ended(outcome: RequestOutcome, message: &str) -> RequestEnd {
    Ended { outcome, message: Some(message.to_owned()) }
}

fn retry(pause: Duration) -> RequestEnd {
    Retry { pause, message: "a server fell silent".to_owned(), counts: true }
}

/// What a processor does that takes over what dead ones have left.
async fn claim(queue: &mut impl Queue, owner: &str, most: u32) -> Vec<ClaimedRequest> {
    queue.rescue_requests(owner).await.unwrap();
    queue.claim_requests(owner, LONG, most).await.unwrap()
}

/// The only request of a symbol.
async fn the(queue: &mut impl Queue, symbol: &str) -> QueuedRequest {
    let mut found = queue.requests(Some(symbol), 9).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

pub async fn requests_are_claimed_by_priority_and_age(bench: &impl Bench) {
    let mut queue = bench.open().await;
    let dated = NewRequest { from: Some(date(2026, 1, 2)), to: Some(date(2026, 1, 30)), ..ask("C", 7, 5) };
    for one in [ask("A", 90, 0), ask("B", 90, 0), dated.clone(), ask("D", 30, -3), ask("E", 90, 5)] {
        assert_eq!(queue.enqueue(&[one]).await.unwrap(), 1);
        // Ages are told in milliseconds.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let first = claim(&mut queue, "p", 2).await;
    assert_eq!(names(&first), ["C", "E"]);
    assert_eq!(first[0].request, dated);
    assert_eq!((first[0].retry_count, first[0].held.token), (0, 1));
    assert_eq!(names(&claim(&mut queue, "p", 2).await), ["A", "B"]);
    let last = claim(&mut queue, "p", 2).await;
    assert_eq!(last.iter().map(|one| &one.request).collect::<Vec<_>>(), [&ask("D", 30, -3)]);
    assert_eq!(claim(&mut queue, "p", 2).await, []);
}

pub async fn equal_requests_are_queued_once(bench: &impl Bench) {
    let mut queue = bench.open().await;
    let dated = NewRequest { from: Some(date(2026, 1, 2)), ..ask("A", 90, 0) };
    let all = [ask("A", 90, 0), ask("A", 90, 7), ask("A", 91, 0), dated, ask("a", 90, 0)];
    assert_eq!(queue.enqueue(&all).await.unwrap(), 4, "priority makes no difference");
    assert_eq!(queue.enqueue(&all).await.unwrap(), 0);
    let claimed = claim(&mut queue, "p", 9).await;
    assert_eq!(queue.enqueue(&all).await.unwrap(), 0, "they are worked on");
    let ends: Vec<_> = held(&claimed).into_iter().map(|held| (held, loaded())).collect();
    assert_eq!(queue.end_requests(&ends).await.unwrap(), held(&claimed));
    assert_eq!(queue.enqueue(&all).await.unwrap(), 4, "they have ended");
    assert_eq!(queue.enqueue(&[]).await.unwrap(), 0);
}

pub async fn requests_of_a_symbol_are_claimed_by_one_at_a_time(bench: &impl Bench) {
    let (mut one, mut other) = (bench.open().await, bench.open().await);
    let asked = [ask("A", 10, 9), ask("B", 10, 5), ask("A", 20, 0), ask("A", 30, 0)];
    one.enqueue(&asked).await.unwrap();
    let first = claim(&mut one, "one", 1).await;
    assert_eq!(names(&first), ["A"], "no more than asked for");
    one.enqueue(&[ask("A", 40, 9)]).await.unwrap();
    assert_eq!(names(&claim(&mut other, "other", 9).await), ["B"], "A is somebody else's");
    let rest = claim(&mut one, "one", 9).await;
    assert_eq!(names(&rest), ["A", "A", "A"], "the rest of A is for who has some");
    let ends: Vec<_> = held(&rest).into_iter().map(|held| (held, loaded())).collect();
    one.end_requests(&ends).await.unwrap();
    one.enqueue(&[ask("A", 20, 9)]).await.unwrap();
    assert_eq!(claim(&mut other, "other", 9).await, [], "one request of A is still held");
    assert_eq!(names(&claim(&mut one, "one", 9).await), ["A"], "by whom it can be claimed");
    bench.execute(EXPIRE).await;
    let rescued = claim(&mut other, "other", 9).await;
    assert_eq!(names(&rescued), ["A", "A", "B"]);
}

/// Requests of few symbols are added while eight processors claim them, work for a moment and end them.
pub async fn many_processors_never_meet_at_a_symbol<B: Bench>(bench: &B) {
    const REQUESTS: u32 = 160;
    let mut feeder = bench.open().await;
    feeder
        .enqueue(&(0..REQUESTS / 2).map(|n| ask(&format!("S{}", n % 7), n + 1, 0)).collect::<Vec<_>>())
        .await
        .unwrap();
    let at_work: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let mut processors = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (mut queue, at_work) = (bench.open().await, at_work.clone());
        processors.spawn(async move {
            let (owner, mut done, mut idle) = (format!("processor {n}"), 0, 0);
            while idle < 40 {
                let claimed = claim(&mut queue, &owner, 1 + n % 3).await;
                if claimed.is_empty() {
                    idle += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
                idle = 0;
                for name in names(&claimed) {
                    let before = at_work.lock().unwrap().insert(name.to_owned(), n);
                    assert!(before.is_none_or(|by| by == n), "{name} is claimed by two at once: {before:?} and {n}");
                }
                tokio::time::sleep(Duration::from_millis(3)).await;
                at_work.lock().unwrap().retain(|_, by| *by != n);
                let ends: Vec<_> = held(&claimed).into_iter().map(|held| (held, loaded())).collect();
                assert_eq!(queue.end_requests(&ends).await.unwrap().len(), claimed.len());
                done += u32::try_from(claimed.len()).unwrap();
            }
            done
        });
    }
    for n in REQUESTS / 2..REQUESTS {
        feeder.enqueue(&[ask(&format!("S{}", n % 7), n + 1, 0)]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let done: u32 = processors.join_all().await.into_iter().sum();
    assert_eq!(done, REQUESTS, "each once");
    let rows = feeder.requests(None, REQUESTS * 2).await.unwrap();
    assert!(rows.iter().all(|row| row.outcome == Some(RequestOutcome::Loaded) && row.retry_count == 0), "{rows:?}");
}

pub async fn a_dead_processor_loses_its_requests_when_its_lease_ends(bench: &impl Bench) {
    let (mut dead, mut heir) = (bench.open().await, bench.open().await);
    dead.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    let (since, lease) = (Instant::now(), Duration::from_millis(400));
    let lost = dead.claim_requests("dead", lease, 9).await.unwrap();
    assert_eq!(heir.claim_requests("heir", LONG, 9).await.unwrap(), [], "somebody holds it");
    let taken = loop {
        let taken = claim(&mut heir, "heir", 9).await;
        if !taken.is_empty() {
            break taken;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "the lease does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(since.elapsed() >= lease, "it was taken after {:?}", since.elapsed());
    assert_eq!((taken[0].held.id, taken[0].retry_count), (lost[0].held.id, 1), "a try in vain");
    assert!(taken[0].held.token > lost[0].held.token);
    let row = the(&mut heir, "A").await;
    assert_eq!((row.status, row.lease_owner.as_deref()), (RequestStatus::Processing, Some("heir")));
    assert!(row.error_message.unwrap().contains("vanished"));
    assert_eq!(claim(&mut dead, "dead", 9).await, []);
}

pub async fn a_lease_that_is_renewed_goes_on(bench: &impl Bench) {
    let (mut one, mut other) = (bench.open().await, bench.open().await);
    one.enqueue(&[ask("A", 90, 0), ask("B", 90, 0)]).await.unwrap();
    let claimed = held(&one.claim_requests("one", Duration::from_millis(1), 9).await.unwrap());
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(one.renew_requests(&claimed, LONG).await.unwrap(), claimed, "over, but nobody has noticed");
    assert_eq!(claim(&mut other, "other", 9).await, []);
    bench.execute(&format!("{EXPIRE} AND symbol = 'A'")).await;
    let lost = held(&claim(&mut other, "other", 9).await);
    assert_eq!(lost.len(), 1);
    let still: Vec<Held> = claimed.iter().filter(|held| held.id != lost[0].id).copied().collect();
    assert_eq!(one.renew_requests(&claimed, LONG).await.unwrap(), still);
    assert_eq!(one.renew_requests(&[], LONG).await.unwrap(), []);
}

pub async fn what_comes_late_changes_nothing(bench: &impl Bench) {
    let (mut late, mut heir) = (bench.open().await, bench.open().await);
    late.enqueue(&[ask("A", 90, 0), ask("B", 90, 0)]).await.unwrap();
    let lost = held(&claim(&mut late, "late", 9).await);
    bench.execute(EXPIRE).await;
    let taken = held(&claim(&mut heir, "heir", 9).await);
    assert_eq!(taken.len(), 2);
    let progress = |held: &[Held], days_done| {
        held.iter().map(|&held| RequestProgress { held, days_total: 60, days_done }).collect()
    };
    let (early, behind): (Vec<_>, Vec<_>) = (progress(&taken, 40), progress(&lost, 3));
    heir.note_progress(&early).await.unwrap();
    late.note_progress(&behind).await.unwrap();
    assert_eq!(late.renew_requests(&lost, LONG).await.unwrap(), []);
    for end in [loaded(), retry(LONG), GivenBack, ended(RequestOutcome::Dead, "late")] {
        let ends = lost.iter().map(|held| (*held, end.clone())).collect::<Vec<_>>();
        assert_eq!(late.end_requests(&ends).await.unwrap(), []);
    }
    let row = the(&mut heir, "A").await;
    assert_eq!((row.status, row.days_total, row.days_done), (RequestStatus::Processing, Some(60), 40));
    // What holds and what does not, in one call.
    let mixed = [(taken[0], loaded()), (lost[1], loaded())];
    assert_eq!(heir.end_requests(&mixed).await.unwrap(), [taken[0]]);
    assert_eq!(heir.end_requests(&mixed).await.unwrap(), [], "it has ended");
    heir.note_progress(&progress(&taken, 60)).await.unwrap();
    let done = heir.requests(None, 9).await.unwrap();
    let days: Vec<_> = done.iter().map(|row| (row.status, row.days_done)).collect();
    assert_eq!(days, [(RequestStatus::Processing, 60), (RequestStatus::Completed, 40)]);
}

pub async fn a_request_that_fails_waits_and_dies_in_the_end(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    let pause = Duration::from_millis(300);
    let first = claim(&mut queue, "p", 9).await;
    let since = Instant::now();
    queue.end_requests(&[(first[0].held, retry(pause))]).await.unwrap();
    let row = the(&mut queue, "A").await;
    assert_eq!((row.status, row.retry_count, row.lease_owner), (RequestStatus::Pending, 1, None));
    assert_eq!(row.error_message.as_deref(), Some("a server fell silent"));
    assert!(row.not_before.is_some() && row.completed_at.is_none());
    while claim(&mut queue, "p", 9).await.is_empty() {
        assert!(since.elapsed() < Duration::from_secs(30), "the pause does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(since.elapsed() >= pause, "it waited for {:?}", since.elapsed());
    for tries in 2..=MOST_RETRIES {
        let row = the(&mut queue, "A").await;
        assert_eq!((row.status, row.retry_count), (RequestStatus::Processing, tries - 1));
        let held = Held { id: row.id, token: tries.into() };
        assert_eq!(queue.end_requests(&[(held, retry(LONG))]).await.unwrap(), [held]);
        assert_eq!(claim(&mut queue, "p", 9).await, [], "it waits, or is dead");
        bench.execute(RESUME).await;
        assert_eq!(claim(&mut queue, "p", 9).await.len(), usize::from(tries < MOST_RETRIES));
    }
    let row = the(&mut queue, "A").await;
    assert_eq!((row.status, row.outcome), (RequestStatus::Failed, Some(RequestOutcome::Dead)));
    assert_eq!((row.retry_count, row.not_before), (MOST_RETRIES, None));
    assert_eq!(row.error_message.as_deref(), Some("a server fell silent"));
    assert!(row.completed_at.is_some());
}

pub async fn an_outage_that_lasts_ends_no_request(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    let message = "the vendor is down".to_owned();
    for _ in 0..=MOST_RETRIES {
        let claimed = claim(&mut queue, "p", 9).await;
        assert_eq!(claimed[0].retry_count, 0);
        let end = Retry { pause: LONG, message: message.clone(), counts: false };
        queue.end_requests(&[(claimed[0].held, end)]).await.unwrap();
        assert_eq!(claim(&mut queue, "p", 9).await, [], "it waits");
        bench.execute(RESUME).await;
    }
    let row = the(&mut queue, "A").await;
    assert_eq!((row.status, row.outcome, row.error_message), (RequestStatus::Pending, None, Some(message)));
}

pub async fn a_request_whose_processors_vanish_dies_in_the_end(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    for tries in 0..MOST_RETRIES {
        let claimed = claim(&mut queue, &format!("p{tries}"), 9).await;
        assert!(claimed.iter().all(|one| one.retry_count == tries) && claimed.len() == 1, "{claimed:?}");
        bench.execute(EXPIRE).await;
    }
    assert_eq!(claim(&mut queue, "p", 9).await, []);
    let row = the(&mut queue, "A").await;
    assert_eq!((row.status, row.outcome), (RequestStatus::Failed, Some(RequestOutcome::Dead)));
    assert!(row.error_message.unwrap().contains("vanished"));
    assert!(row.completed_at.is_some() && row.lease_owner.is_none());
}

/// All that were claimed with it died with it.
pub async fn only_the_request_that_kills_its_processors_dies(bench: &impl Bench) {
    let mut queue = bench.open().await;
    let killer = ask("B", 90, 0);
    queue.enqueue(&[ask("A", 90, 0), killer.clone(), ask("B", 30, 0), ask("C", 90, 9)]).await.unwrap();
    for life in 0.. {
        let owner = format!("life {life}");
        let mut claimed = claim(&mut queue, &owner, 9).await;
        if claimed.is_empty() {
            break;
        }
        // A life goes on until it meets the one that ends it.
        while !claimed.is_empty() && !claimed.iter().any(|one| one.request == killer) {
            let ends: Vec<_> = held(&claimed).into_iter().map(|held| (held, loaded())).collect();
            queue.end_requests(&ends).await.unwrap();
            claimed = claim(&mut queue, &owner, 9).await;
        }
        bench.execute(EXPIRE).await;
        assert!(life < 100, "it does not end");
    }
    let rows = queue.requests(None, 9).await.unwrap();
    let mut ended: Vec<_> = rows.iter().map(|row| (row.request.clone(), row.outcome.unwrap())).collect();
    ended.sort_by(|(a, _), (b, _)| (&a.symbol, a.days_to_backfill).cmp(&(&b.symbol, b.days_to_backfill)));
    let ended: Vec<_> = ended.iter().map(|(ask, outcome)| (&ask.symbol[..], ask.days_to_backfill, *outcome)).collect();
    let (loaded, dead) = (RequestOutcome::Loaded, RequestOutcome::Dead);
    assert_eq!(ended, [("A", 90, loaded), ("B", 30, loaded), ("B", 90, dead), ("C", 90, loaded)]);
}

pub async fn requests_over_which_processors_vanish_are_claimed_by_fewer_and_fewer(bench: &impl Bench) {
    let (mut one, mut other) = (bench.open().await, bench.open().await);
    let many: Vec<_> = (0..700).map(|n| ask(&format!("S{n:03}"), 90, 0)).collect();
    one.enqueue(&many).await.unwrap();
    // Trusted for a while; then those that come first go first.
    for (losses, most) in [(0, 700), (1, 700), (2, 700), (3, 700), (4, 700), (5, 600), (6, 60), (7, 8), (8, 1), (9, 1)]
    {
        let claimed = claim(&mut one, &format!("life {losses}"), 5000).await;
        assert_eq!((claimed[0].retry_count, claimed.len()), (losses, most));
        assert_eq!(claimed[0].request.symbol, "S000");
        bench.execute(EXPIRE).await;
    }
    one.rescue_requests("one").await.unwrap();
    let row = the(&mut one, "S000").await;
    assert_eq!((row.status, row.outcome), (RequestStatus::Failed, Some(RequestOutcome::Dead)));
    assert!(row.error_message.unwrap().contains("vanished"));
    // Those that died with it at its end have come as far; whoever brings something with them takes the suspicion away.
    let suspects = claim(&mut one, "one", 5000).await;
    assert_eq!((names(&suspects), suspects[0].retry_count), (vec!["S001"], 8));
    one.note_progress(&[RequestProgress { held: suspects[0].held, days_total: 60, days_done: 7 }]).await.unwrap();
    let next = claim(&mut other, "other", 2).await;
    assert_eq!((names(&next), next[0].retry_count), (vec!["S002"], 8));
}

/// Nine failures and a killed processor made a request dead that kills none.
pub async fn only_processors_that_are_lost_in_a_row_make_a_request_suspect(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 9), ask("B", 90, 0)]).await.unwrap();
    for _ in 1..MOST_RETRIES {
        let claimed = claim(&mut queue, "p", 1).await;
        queue.end_requests(&[(claimed[0].held, retry(Duration::ZERO))]).await.unwrap();
    }
    for life in 0..4 {
        assert_eq!(names(&claim(&mut queue, &format!("life {life}"), 9).await), ["A", "B"], "beside others");
        bench.execute(EXPIRE).await;
    }
    queue.rescue_requests("p").await.unwrap();
    assert_eq!(the(&mut queue, "A").await.outcome, None);
    // Whoever says that it failed has not died of it.
    let claimed = claim(&mut queue, "p", 9).await;
    let failed: Vec<_> = held(&claimed).into_iter().map(|held| (held, retry(Duration::ZERO))).collect();
    queue.end_requests(&failed).await.unwrap();
    assert_eq!(the(&mut queue, "A").await.outcome, Some(RequestOutcome::Dead), "tried in vain more than ten times");
    for life in 0..4 {
        assert_eq!(names(&claim(&mut queue, &format!("another life {life}"), 9).await), ["B"]);
        bench.execute(EXPIRE).await;
    }
    queue.rescue_requests("p").await.unwrap();
    queue.enqueue(&[ask("C", 90, 0)]).await.unwrap();
    assert_eq!(names(&claim(&mut queue, "p", 9).await), ["B", "C"], "four in a row");
}

pub async fn nothing_is_claimed_beside_a_request_that_is_suspected(bench: &impl Bench) {
    let (mut one, mut other) = (bench.open().await, bench.open().await);
    one.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    for life in 0..5 {
        assert_eq!(claim(&mut one, &format!("life {life}"), 9).await.len(), 1);
        bench.execute(EXPIRE).await;
    }
    one.rescue_requests("one").await.unwrap();
    one.enqueue(&[ask("B", 90, 0), ask("C", 90, 9)]).await.unwrap();
    assert_eq!(names(&claim(&mut one, "one", 1).await), ["C"], "what comes first");
    assert_eq!(claim(&mut one, "one", 9).await, [], "neither it beside others, nor others before it");
    let suspect = claim(&mut other, "other", 9).await;
    assert_eq!((names(&suspect), suspect[0].retry_count), (vec!["A"], 5));
    assert_eq!(claim(&mut other, "other", 9).await, [], "nothing beside it");
    assert_eq!(names(&claim(&mut one, "one", 9).await), ["B"], "it is somebody else's");
    // It has brought something this time, and is like all others.
    other.note_progress(&[RequestProgress { held: suspect[0].held, days_total: 60, days_done: 7 }]).await.unwrap();
    other.enqueue(&[ask("D", 90, 0)]).await.unwrap();
    assert_eq!(names(&claim(&mut other, "other", 9).await), ["D"]);
}

/// The answer to its claim was lost with the connection; that is no fault of the requests.
pub async fn what_a_processor_holds_and_does_not_know_of_is_not_tried_in_vain(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    for _ in 0..=MOST_RETRIES {
        assert_eq!(claim(&mut queue, "p", 9).await[0].retry_count, 0);
        assert_eq!(queue.rescue_requests("p").await.unwrap(), 0, "its lease is not over");
        bench.execute(EXPIRE).await;
    }
    assert_eq!(queue.rescue_requests("other").await.unwrap(), 1);
    assert_eq!(the(&mut queue, "A").await.retry_count, 1, "of one that has died");
}

pub async fn tries_that_brought_something_are_not_counted(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    let show = |held, days_done| [RequestProgress { held, days_total: 60, days_done }];
    for (life, (days_done, counted)) in [(0, 0), (0, 1), (7, 2), (7, 1), (3, 2), (8, 3), (8, 1)].into_iter().enumerate()
    {
        let claimed = claim(&mut queue, &format!("life {life}"), 9).await;
        assert_eq!(claimed[0].retry_count, counted, "before {days_done} days are there");
        queue.note_progress(&show(claimed[0].held, days_done)).await.unwrap();
        bench.execute(EXPIRE).await;
    }
    assert_eq!(the(&mut queue, "A").await.days_done, 8, "what was there once is not taken back");
}

pub async fn what_is_given_back_is_as_it_was(bench: &impl Bench) {
    let (mut one, mut other) = (bench.open().await, bench.open().await);
    one.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    let first = claim(&mut one, "one", 9).await;
    one.end_requests(&[(first[0].held, retry(Duration::ZERO))]).await.unwrap();
    let second = claim(&mut one, "one", 9).await;
    one.end_requests(&[(second[0].held, GivenBack)]).await.unwrap();
    let row = the(&mut one, "A").await;
    assert_eq!((row.status, row.retry_count, row.not_before), (RequestStatus::Pending, 1, None));
    assert_eq!(row.error_message.as_deref(), Some("a server fell silent"), "why it was tried in vain before");
    assert_eq!(names(&claim(&mut other, "other", 9).await), ["A"]);
}

pub async fn ends_are_kept_with_outcome_and_message(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&["A", "B", "C", "D", "E", "F"].map(|symbol| ask(symbol, 90, 0))).await.unwrap();
    let claimed = claim(&mut queue, "p", 9).await;
    let ends = [
        loaded(),
        ended(RequestOutcome::Partial, "2 of 60 days are missing"),
        ended(RequestOutcome::NoData, "the vendor does not list C"),
        ended(RequestOutcome::NotEntitled, "not_entitled to stocks"),
        Ended { outcome: RequestOutcome::Invalid, message: None },
        ended(RequestOutcome::Dead, "it's \"odd\""),
    ];
    let ends: Vec<_> = held(&claimed).into_iter().zip(ends).collect();
    assert_eq!(queue.end_requests(&ends).await.unwrap().len(), 6);
    let is = |what: &str| format!("cast(CASE WHEN {what} THEN 1 ELSE 0 END AS BIGINT)");
    let words = format!(
        "SELECT symbol, status || ' ' || outcome || ' ' || coalesce(error_message, '-'), {}, {}, {}
         FROM historical_ingestion_queue ORDER BY symbol",
        is("completed_at >= started_at AND completed_at = updated_at"),
        is("started_at >= requested_at"),
        is("lease_until IS NULL AND lease_owner IS NULL")
    );
    let rows = bench.counts(&words).await;
    let expected = [
        ("A", "completed loaded -"),
        ("B", "completed partial 2 of 60 days are missing"),
        ("C", "failed no_data no_data: the vendor does not list C"),
        ("D", "failed not_entitled not_entitled to stocks"),
        ("E", "failed invalid invalid"),
        ("F", "failed dead it's \"odd\""),
    ];
    let expected = expected.map(|(symbol, words)| (symbol.to_owned(), words.to_owned(), 1, 1, 1));
    assert_eq!(rows, expected);
}

/// Rows that another program may write, each column as odd as the table takes it.
pub async fn nonsense_of_other_programs_is_handed_out_with_the_rest(bench: &impl Bench) {
    let mut queue = bench.open().await;
    bench.execute("INSERT INTO historical_ingestion_queue (symbol) VALUES ('')").await;
    bench
        .execute(
            "INSERT INTO historical_ingestion_queue (symbol, timeframes, priority, requested_at, retry_count, days_done)
             VALUES ('aapl ', 'xyz', -2147483648, -9223372036854775807, 2147483647, -1), ('GOOD', 'day', 9, 0, 0, 0);
             INSERT INTO historical_ingestion_queue (symbol, days_to_backfill, from_date, to_date)
             VALUES ('turned', 2147483647, '2026-10-02', '2026-10-01');
             INSERT INTO historical_ingestion_queue (symbol, status, outcome, completed_at)
             VALUES ('done', 'failed', 'whatever', 9223372036854775807), ('odd', 'processing', NULL, NULL)",
        )
        .await;
    let claimed = claim(&mut queue, "p", 9).await;
    assert_eq!(names(&claimed)[0], "GOOD");
    let of = |symbol: &str| claimed.iter().find(|one| one.request.symbol == symbol).unwrap();
    assert_eq!(claimed.len(), 5, "{claimed:?}");
    assert_eq!(of("").request, ask("", 90, 0));
    assert_eq!(of("aapl ").request.timeframes, "xyz");
    assert_eq!(of("turned").request.from.zip(of("turned").request.to), Some((date(2026, 10, 2), date(2026, 10, 1))));
    assert_eq!(of("odd").retry_count, 1, "nobody held it");
    let rows = queue.requests(None, 9).await.unwrap();
    assert_eq!((rows.len(), rows[5].outcome), (6, None));
    let ends: Vec<_> = held(&claimed).into_iter().map(|held| (held, retry(LONG))).collect();
    assert_eq!(queue.end_requests(&ends).await.unwrap().len(), 5);
    assert_eq!(the(&mut queue, "aapl ").await.outcome, Some(RequestOutcome::Dead));
    queue.queue_depth().await.unwrap();
}

async fn shown(queue: &mut impl Queue, symbol: Option<&str>, ended: u32) -> Vec<String> {
    let rows = queue.requests(symbol, ended).await.unwrap();
    rows.into_iter().map(|row| row.request.symbol).collect()
}

pub async fn the_queue_is_shown_open_ones_first(bench: &impl Bench) {
    let mut queue = bench.open().await;
    for symbol in ["A", "B", "C"] {
        queue.enqueue(&[ask(symbol, 90, 0)]).await.unwrap();
        let one = claim(&mut queue, "p", 9).await[0].held;
        queue.end_requests(&[(one, loaded())]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    queue.enqueue(&[ask("D", 90, -1), ask("E", 90, 1), ask("F", 90, 9), ask("A", 5, 0)]).await.unwrap();
    claim(&mut queue, "p", 1).await;
    queue.enqueue(&[ask("G", 90, 99)]).await.unwrap();
    assert_eq!(shown(&mut queue, None, 2).await, ["F", "G", "E", "A", "D", "C", "B"]);
    assert_eq!(shown(&mut queue, None, 0).await, ["F", "G", "E", "A", "D"]);
    assert_eq!(shown(&mut queue, Some("A"), 9).await, ["A", "A"]);
    assert_eq!(queue.requests(Some("a"), 9).await.unwrap(), []);
}

pub async fn depth_counts_what_waits(bench: &impl Bench) {
    let mut queue = bench.open().await;
    assert_eq!(queue.queue_depth().await.unwrap(), Default::default());
    queue.enqueue(&["A", "B", "C", "D", "E"].map(|symbol| ask(symbol, 90, 0))).await.unwrap();
    let ends = [retry(LONG), ended(RequestOutcome::Dead, "x"), ended(RequestOutcome::NoData, "x"), loaded()];
    let claimed = claim(&mut queue, "p", 9).await;
    queue.end_requests(&held(&claimed).into_iter().zip(ends).collect::<Vec<_>>()).await.unwrap();
    let depth = queue.queue_depth().await.unwrap();
    let counts = (depth.pending, depth.processing, depth.abandoned, depth.dead, depth.oldest_pending);
    assert_eq!(counts, (1, 1, 0, 1, None), "one has a pause to pass");
    queue.enqueue(&[ask("E", 5, 0), ask("F", 90, 0)]).await.unwrap();
    bench.execute(EXPIRE).await;
    bench.execute("UPDATE historical_ingestion_queue SET requested_at = 7000 WHERE symbol = 'F'").await;
    bench
        .execute(
            "UPDATE historical_ingestion_queue SET requested_at = 1000 WHERE symbol = 'E' AND days_to_backfill = 5",
        )
        .await;
    let depth = queue.queue_depth().await.unwrap();
    assert_eq!((depth.pending, depth.processing, depth.abandoned, depth.dead), (3, 1, 1, 1));
    assert_eq!(depth.oldest_pending.unwrap().as_millisecond(), 7000, "E is somebody's");
    bench.execute("UPDATE historical_ingestion_queue SET not_before = 9000 WHERE symbol = 'F'").await;
    let since = queue.queue_depth().await.unwrap().oldest_pending;
    assert_eq!(since.unwrap().as_millisecond(), 9000, "it could not be claimed before");
}

pub async fn failed_requests_are_queued_again(bench: &impl Bench) {
    let mut queue = bench.open().await;
    let asked = ["A", "B", "C", "D"].map(|symbol| ask(symbol, 90, 0));
    queue.enqueue(&asked).await.unwrap();
    let claimed = held(&claim(&mut queue, "p", 9).await);
    let dead = || ended(RequestOutcome::Dead, "x");
    let ends = [dead(), dead(), ended(RequestOutcome::NoData, "x"), loaded()];
    queue.end_requests(&claimed.iter().copied().zip(ends).collect::<Vec<_>>()).await.unwrap();
    // Another dead one equal to the first; one of B is open.
    queue.enqueue(&[ask("A", 90, 0)]).await.unwrap();
    let again = claim(&mut queue, "p", 9).await[0].held;
    queue.end_requests(&[(again, dead())]).await.unwrap();
    queue.enqueue(&[ask("B", 90, 0)]).await.unwrap();
    let ids: Vec<i64> = claimed.iter().map(|held| held.id).collect();
    assert_eq!(queue.retry_requests(Some(&[ids[3], 999_999])).await.unwrap(), 0, "loaded, and unknown");
    assert_eq!(queue.retry_requests(None).await.unwrap(), 1, "of A's one, of B's none");
    assert_eq!(queue.retry_requests(Some(&ids)).await.unwrap(), 1, "C");
    let open = queue.requests(None, 0).await.unwrap();
    let mut symbols: Vec<_> = open.iter().map(|row| (row.request.symbol.as_str(), row.retry_count)).collect();
    symbols.sort_unstable();
    assert_eq!(symbols, [("A", 0), ("B", 0), ("C", 0)]);
    let row = open.iter().find(|row| row.id == again.id).expect("of equal ones the latest");
    assert_eq!((row.status, row.outcome, row.completed_at), (RequestStatus::Pending, None, None));
    assert_eq!((&row.error_message, row.days_done), (&None, 0));
    assert_eq!(claim(&mut queue, "p", 9).await.len(), 3);
}

pub async fn old_requests_are_removed(bench: &impl Bench) {
    let mut queue = bench.open().await;
    queue.enqueue(&["A", "B", "C"].map(|symbol| ask(symbol, 90, 0))).await.unwrap();
    let claimed = held(&claim(&mut queue, "p", 9).await);
    let ends = [(claimed[0], loaded()), (claimed[1], ended(RequestOutcome::Dead, "x"))];
    queue.end_requests(&ends).await.unwrap();
    bench.execute("UPDATE historical_ingestion_queue SET requested_at = 0, created_at = 0, started_at = 0").await;
    assert_eq!(queue.prune_requests(LONG).await.unwrap(), 0, "ended just now");
    bench
        .execute("UPDATE historical_ingestion_queue SET completed_at = completed_at - 700000 WHERE symbol = 'A'")
        .await;
    assert_eq!(queue.prune_requests(LONG).await.unwrap(), 1);
    tokio::time::sleep(Duration::from_millis(3)).await;
    assert_eq!(queue.prune_requests(Duration::ZERO).await.unwrap(), 0, "what is dead stays");
    assert_eq!(the(&mut queue, "C").await.status, RequestStatus::Processing);
}
