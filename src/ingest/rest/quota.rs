//! Leave to ask: the quota that all processes share, and an even pace within this one.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use governor::{DefaultDirectRateLimiter, RateLimiter};
use jiff::Timestamp;

use crate::ingest::report::Reporter;
use crate::net::chain;
use crate::net::{Hands, QuotaLog, RENEWAL, Rate, RateRule, Refused, Visited};

/// A text that all processes of a quota read and replace, one at a time.
pub trait SharedText: Send {
    /// Replaces the text by what is made of it; `None` if there is none yet. What is made may be made again if somebody else
    /// came between.
    fn change<'a>(
        &'a mut self,
        change: &'a mut (dyn FnMut(Option<&str>) -> String + Send),
    ) -> BoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>>;
}

/// Waits longer than this are told.
const NOTED_WAIT_MS: i64 = 2_000;

/// The quota of an API key. Clones are the same quota.
#[derive(Clone)]
pub struct Quota(Arc<Inner>);

struct Inner {
    rule: RateRule,
    reporter: Arc<dyn Reporter>,
    /// Whoever has it is next to get a slot; the others stand in line.
    turn: tokio::sync::Mutex<()>,
    /// Where the log is kept; `None` is in this process.
    shared: tokio::sync::Mutex<Option<Box<dyn SharedText>>>,
    here: Mutex<Here>,
}

/// What this process has and knows.
struct Here {
    hands: Hands,
    /// Whether a task renews the hold on what is in hand.
    is_tended: bool,
    /// The log as it was seen last.
    log: QuotaLog,
    rate: Rate,
    pace: Option<Arc<DefaultDirectRateLimiter>>,
    has_told_wait: bool,
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Quota").field(&self.describe()).finish()
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Keeps requests apart; none where all of a window may go out at once, which the slots see to.
fn pace(rate: Rate) -> Option<Arc<DefaultDirectRateLimiter>> {
    let quota = governor::Quota::with_period(rate.spacing()).expect("Invariant: a rate has some time between requests");
    let burst = NonZeroU32::new(rate.burst()).expect("Invariant: a rate has at least one request");
    (rate.burst() < rate.requests()).then(|| Arc::new(RateLimiter::direct(quota.allow_burst(burst))))
}

impl Quota {
    /// The quota whose log is kept in a text that other processes use, too, or in this process alone. The reporter hears of
    /// long waits, of a rate that falls, and once if the text cannot be reached any more.
    pub async fn open(rule: RateRule, shared: Option<Box<dyn SharedText>>, reporter: Arc<dyn Reporter>) -> Self {
        let log = QuotaLog::default();
        let rate = log.rate(rule, now());
        let hands = Hands::new(fastrand::u64(..));
        let here = Here { hands, is_tended: false, log, rate, pace: pace(rate), has_told_wait: false };
        let (turn, shared) = (tokio::sync::Mutex::default(), tokio::sync::Mutex::new(shared));
        let quota = Self(Arc::new(Inner { rule, reporter, turn, shared, here: Mutex::new(here) }));
        quota.0.visit(0).await;
        quota
    }

    /// Waits until a request may be sent. Who asks first is first; dropping the future takes nothing.
    pub async fn acquire(&self) -> Permit {
        let inner = &self.0;
        let _turn = inner.turn.lock().await;
        let mut permit = loop {
            if inner.take() {
                break inner.permit();
            }
            let block = inner.here().rate.block();
            let (visited, taken) = inner.visit(block).await;
            if taken {
                break inner.permit();
            }
            let wait = visited.next_at.saturating_sub(now()).max(1);
            inner.tell_wait(wait);
            tokio::time::sleep(Duration::from_millis(wait as u64)).await;
        };
        let pace = inner.here().pace.clone();
        if let Some(pace) = pace {
            pace.until_ready().await;
        }
        permit.is_used = true;
        permit
    }

    /// Takes note of an answer that said "too many requests", to a request that was sent at a rate.
    pub async fn refused(&self, sent_at: Rate, retry_after: Option<Duration>) -> Refused {
        let inner = &self.0;
        let mut shared = inner.shared.lock().await;
        let change = |log: &mut QuotaLog| {
            let refused = log.refuse(inner.rule, now(), sent_at, retry_after);
            (refused, log.rate(inner.rule, now()))
        };
        let (refused, rate) = inner.change(&mut shared, change).await;
        let mut here = inner.here();
        here.hands.distrust();
        here.keep_to(rate);
        drop(here);
        if refused == Refused::Lowered {
            inner.reporter.note(&format!(
                "the vendor refuses requests at {sent_at} (HTTP 429): going on at {rate} after a minute; this is remembered for \
                 a week, and --rate overrules it"
            ));
        }
        refused
    }

    /// Gives back what is in hand and not in use, for whoever asks next.
    pub async fn give_back(&self) {
        self.0.visit(0).await;
    }

    /// The rate that counts now.
    pub fn rate(&self) -> Rate {
        self.0.here().rate
    }

    /// How many requests nobody has used of this window, when the log was last seen.
    pub fn free(&self) -> u64 {
        self.0.here().log.free(self.0.rule, now())
    }

    /// How many seconds it takes until the last of so many requests can be sent.
    pub fn seconds_for(&self, requests: u64) -> f64 {
        self.0.here().log.seconds_for(self.0.rule, now(), requests)
    }

    /// The rate and where it comes from, for people.
    pub fn describe(&self) -> String {
        let here = self.0.here();
        match (self.0.rule, here.log.learned_at(now())) {
            (RateRule::Fixed(rate), _) => rate.to_string(),
            (RateRule::Auto, Some(at)) => {
                let day = Timestamp::from_millisecond(at).unwrap_or_default().strftime("%Y-%m-%d").to_string();
                format!("{} (learned from a refusal on {day}; --rate overrules)", here.rate)
            }
            (RateRule::Auto, None) => format!("{} (auto: {} once the vendor refuses a request)", here.rate, Rate::SLOW),
        }
    }
}

impl Inner {
    fn here(&self) -> MutexGuard<'_, Here> {
        // Each change is a few numbers, so a panic elsewhere leaves none half done.
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> bool {
        self.here().hands.take(now())
    }

    /// Leave for a slot that was taken.
    fn permit(self: &Arc<Self>) -> Permit {
        let mut here = self.here();
        if !here.is_tended {
            here.is_tended = true;
            tokio::spawn(Arc::clone(self).tend());
        }
        Permit { quota: Arc::clone(self), rate: here.rate, is_used: false, is_answered: false }
    }

    /// Tells the log what is in hand, gives back what is not used, and takes so many slots; one of them is put to use at once
    /// if any was wanted.
    async fn visit(&self, wanted: u32) -> (Visited, bool) {
        let mut shared = self.shared.lock().await;
        let said = self.here().hands.visit(wanted);
        let visited = self.change(&mut shared, |log| log.visit(self.rule, now(), &said)).await;
        let mut here = self.here();
        here.hands.visited(&said, visited);
        here.keep_to(visited.rate);
        (visited, wanted > 0 && here.hands.take(now()))
    }

    async fn change<T: Send>(
        &self,
        shared: &mut Option<Box<dyn SharedText>>,
        mut change: impl FnMut(&mut QuotaLog) -> T + Send,
    ) -> T {
        if let Some(text) = shared {
            let mut made = None;
            let mut replace = |text: Option<&str>| {
                let mut log = QuotaLog::parse(text);
                let value = change(&mut log);
                let text = log.to_text();
                made = Some((log, value));
                text
            };
            let changed = text.change(&mut replace).await;
            match (changed, made) {
                (Ok(()), Some((log, value))) => {
                    self.here().log = log;
                    return value;
                }
                (changed, _) => {
                    let why =
                        changed.err().map_or_else(|| "nothing was read".to_owned(), |error| chain(error.as_ref()));
                    self.reporter.note(&format!(
                        "what is spent of the request quota cannot be shared with other processes any more ({why}): this one \
                         counts its own requests only"
                    ));
                    *shared = None;
                }
            }
        }
        change(&mut self.here().log)
    }

    /// Renews the hold on what is in hand until there is nothing.
    async fn tend(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            self.visit(0).await;
            let mut here = self.here();
            if here.hands.are_empty() {
                here.is_tended = false;
                return;
            }
        }
    }

    fn tell_wait(&self, wait_ms: i64) {
        let mut here = self.here();
        if wait_ms > NOTED_WAIT_MS && !std::mem::replace(&mut here.has_told_wait, true) {
            let (rate, seconds) = (here.rate, (wait_ms + 999) / 1000);
            drop(here);
            self.reporter.note(&format!("waiting {seconds} s: no more than {rate} requests are made"));
        }
    }
}

impl Here {
    fn keep_to(&mut self, rate: Rate) {
        if self.rate != rate {
            self.rate = rate;
            self.pace = pace(rate);
        }
    }
}

/// Leave to send one request. Dropped without a word, the request counts as one that the server may yet see.
pub struct Permit {
    quota: Arc<Inner>,
    rate: Rate,
    is_used: bool,
    is_answered: bool,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Permit {
    /// The rate it was given at.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// The answer is there.
    pub fn answered(mut self) {
        self.is_answered = true;
    }

    /// Nothing was sent.
    pub fn unused(mut self) {
        self.is_used = false;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut here = self.quota.here();
        match (self.is_used, self.is_answered) {
            (false, _) => here.hands.untake(),
            (true, true) => here.hands.answered(now()),
            (true, false) => here.hands.lost(now()),
        }
    }
}
