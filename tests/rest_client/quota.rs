//! How many requests go out.

use std::error::Error;
use std::sync::Mutex;
use std::time::Instant;

use barkeep::ingest::rest::{RestClient, SharedText};
use barkeep::net::Rate;
use futures_util::future::BoxFuture;

use super::*;

/// A text in memory that several quotas share, as processes share one in a database.
#[derive(Clone, Default)]
struct Memory {
    text: Arc<Mutex<Option<String>>>,
    is_gone: Arc<std::sync::atomic::AtomicBool>,
    changes: Arc<std::sync::atomic::AtomicUsize>,
}

impl SharedText for Memory {
    fn change<'a>(
        &'a mut self,
        change: &'a mut (dyn FnMut(Option<&str>) -> String + Send),
    ) -> BoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>> {
        use std::sync::atomic::Ordering::Relaxed;
        Box::pin(async move {
            self.changes.fetch_add(1, Relaxed);
            if self.is_gone.load(Relaxed) {
                return Err("the server has gone away".into());
            }
            let mut text = self.text.lock().unwrap();
            let new = change(text.as_deref());
            *text = Some(new);
            Ok(())
        })
    }
}

async fn quota(rate: &str, memory: &Memory) -> Quota {
    Quota::open(rate.parse().unwrap(), Some(Box::new(memory.clone())), Arc::new(SilentReporter)).await
}

/// A server that writes down when requests come, and answers after a while.
async fn counting() -> (Server, Arc<Mutex<Vec<Instant>>>) {
    let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let log = Arc::clone(&arrivals);
    let server = Server::start(move |_, _| {
        log.lock().unwrap().push(Instant::now());
        answer([row(0)], None)
    })
    .await;
    (server, arrivals)
}

/// The most arrivals in one window, wherever it begins.
fn most_within(arrivals: &[Instant], window: Duration) -> usize {
    let from =
        |first: &Instant| arrivals.iter().filter(|one| *one >= first && one.duration_since(*first) < window).count();
    arrivals.iter().map(from).max().unwrap_or_default()
}

async fn ask(client: &RestClient, times: usize) {
    let symbol = Symbol::from_ticker("SPY").unwrap();
    let one = || async { client.minutes(&symbol, OPEN_MS..=OPEN_MS).next().await.unwrap() };
    futures_util::future::join_all((0..times).map(|_| one())).await;
}

#[tokio::test]
async fn a_run_that_ends_leaves_its_slots_to_the_next_one() {
    let memory = Memory::default();
    let ending = quota("100/s", &memory).await;
    ending.acquire().await.answered();
    assert!(quota("100/s", &memory).await.free() < 99, "a block is in hand");
    ending.give_back().await;
    assert_eq!(quota("100/s", &memory).await.free(), 99, "all but the one that was used");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_that_share_a_quota_hold_it_together() {
    let (server, arrivals) = counting().await;
    let memory = Memory::default();
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(RestClient::new(options(&server.endpoint), quota("20/s", &memory).await).unwrap());
    }
    let began = Instant::now();
    tokio::join!(ask(&clients[0], 30), ask(&clients[1], 30));
    let arrivals = arrivals.lock().unwrap();
    assert_eq!(arrivals.len(), 60);
    let most = most_within(&arrivals, Duration::from_secs(1));
    assert!(most <= 20, "{most} in one second");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "and it is used, however busy the machine: {:?}",
        began.elapsed()
    );
    let changes = memory.changes.load(std::sync::atomic::Ordering::Relaxed);
    assert!(changes < 200, "not for each request: {changes}");
}

#[tokio::test]
async fn a_refusal_lowers_the_rate_for_all_who_share_it_and_is_no_failed_attempt() {
    let memory = Memory::default();
    let server = Server::start(|_, before| match before {
        0 => Reply::new(429, "").with("Retry-After", "1"),
        _ => answer([row(0)], None),
    })
    .await;
    let client = RestClient::new(options(&server.endpoint), quota("auto", &memory).await).unwrap();
    assert_eq!(client.quota().rate(), Rate::MODERATE);
    assert_eq!(client.quota().describe(), "10/s (auto: 5/min once the vendor refuses a request)");
    let symbol = Symbol::from_ticker("SPY").unwrap();
    let mut pages = client.minutes(&symbol, OPEN_MS..=OPEN_MS);
    // It now waits for a minute, which the test does not.
    assert!(tokio::time::timeout(Duration::from_millis(500), pages.next()).await.is_err());
    assert_eq!((server.requests().len(), client.counts().too_many), (1, 1));
    let other = quota("auto", &memory).await;
    assert_eq!((client.quota().rate(), other.rate()), (Rate::SLOW, Rate::SLOW));
    assert!(other.describe().starts_with("5/min (learned from a refusal on 2"), "{}", other.describe());
    assert!((59.0..61.0).contains(&other.seconds_for(1)), "{}", other.seconds_for(1));
    assert!((119.0..122.0).contains(&other.seconds_for(6)), "{}", other.seconds_for(6));
    let told = quota("100/s", &memory).await;
    assert_eq!((told.rate().to_string(), told.describe()), ("100/s".to_owned(), "100/s".to_owned()));
}

#[tokio::test]
async fn at_a_rate_that_was_set_refusals_count_as_failed_attempts_and_the_wait_is_kept() {
    for (retry_after, pause) in [(None, 1.0), (Some("2"), 2.0)] {
        let memory = Memory::default();
        let server = Server::start(move |_, before| match (before, retry_after) {
            (0, None) => Reply::new(429, ""),
            (0, Some(seconds)) => Reply::new(429, "").with("Retry-After", seconds),
            _ => answer([row(0)], None),
        })
        .await;
        let client = RestClient::new(options(&server.endpoint), quota("100/s", &memory).await).unwrap();
        let other = quota("100/s", &memory).await;
        let began = Instant::now();
        ask(&client, 1).await;
        assert!(began.elapsed().as_secs_f64() >= pause, "{:?}", began.elapsed());
        let counts = client.counts();
        assert_eq!((counts.requests, counts.too_many, counts.retries), (2, 1, 1));
        drop(other);
    }
}

#[tokio::test]
async fn a_quota_whose_memory_is_gone_goes_on_alone() {
    #[derive(Debug, Default)]
    struct Listener(Mutex<Vec<String>>);
    impl barkeep::ingest::Reporter for Listener {
        fn start(&self, _days: u64, _bytes: u64) {}
        fn fetched(&self, _bytes: u64) {}
        fn decoded(&self, _rows: u64) {}
        fn day_done(&self, _day: &barkeep::ingest::DayReport) {}
        fn symbol_day_done(&self, _day: &barkeep::ingest::rest::SymbolDayReport) {}
        fn requests(&self, _done: u64, _of: u64, _left: Duration) {}
        fn note(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }
    let (memory, heard) = (Memory::default(), Arc::new(Listener::default()));
    let shared: Box<dyn SharedText> = Box::new(memory.clone());
    let quota = Quota::open("3/s".parse().unwrap(), Some(shared), Arc::clone(&heard) as Arc<_>).await;
    quota.acquire().await.answered();
    memory.is_gone.store(true, std::sync::atomic::Ordering::Relaxed);
    let began = Instant::now();
    for _ in 0..6 {
        quota.acquire().await.answered();
    }
    assert!(began.elapsed() >= Duration::from_secs(2), "what was spent before counts: {:?}", began.elapsed());
    let notes = heard.0.lock().unwrap();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("(the server has gone away): this one counts its own requests only"), "{notes:?}");
}

#[tokio::test]
async fn leave_that_is_not_used_is_there_for_the_next_and_whoever_stops_waiting_takes_none() {
    let quota = own_quota("1/min").await;
    quota.acquire().await.unused();
    let permit = quota.acquire().await;
    assert!(tokio::time::timeout(Duration::from_millis(50), quota.acquire()).await.is_err());
    permit.unused();
    quota.acquire().await.answered();
    // The only one is spent for a minute.
    assert!(tokio::time::timeout(Duration::from_millis(50), quota.acquire()).await.is_err());
}
