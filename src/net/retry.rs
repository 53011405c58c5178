//! Trying again: full-jitter exponential back-off per operation, under one budget per run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

/// What an error says about trying again. Only this is asked: nobody else looks at status codes.
pub trait Retryable: fmt::Display {
    /// Whether the same request may succeed later.
    fn is_transient(&self) -> bool;
    /// How long the other side asked to wait.
    fn retry_after(&self) -> Option<Duration>;
}

/// Hears about waits a person would notice.
pub type Note<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Waits longer than this are told.
const NOTED_WAIT: Duration = Duration::from_secs(2);

/// How often one operation is tried, and how long the waits between are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts per operation, the first included.
    pub attempts: u32,
    /// Longest first wait; it doubles from attempt to attempt.
    pub base: Duration,
    /// Longest wait of our own choosing.
    pub cap: Duration,
    /// Longest wait a server can ask for.
    pub retry_after_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(20),
            retry_after_cap: Duration::from_mins(2),
        }
    }
}

impl RetryPolicy {
    /// The longest wait after this many failed attempts.
    fn ceiling(&self, failures: u32) -> Duration {
        let factor = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

/// What all operations of a run may spend on retries together. Each retry takes one; each success gives half of one
/// back. Once it is spent a failure is final, so a vendor that is down is not hammered by everything still to do.
#[derive(Debug)]
pub struct RetryBudget {
    halves: Mutex<u32>,
    capacity: u32,
}

impl RetryBudget {
    /// Retries a run can spend without a success between them.
    pub const DEFAULT: u32 = 100;

    /// A full budget of so many retries.
    pub fn new(retries: u32) -> Self {
        let capacity = retries.saturating_mul(2);
        Self { halves: Mutex::new(capacity), capacity }
    }

    fn halves(&self) -> std::sync::MutexGuard<'_, u32> {
        // A number cannot be left half-written, so a panic elsewhere does not spoil it.
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> bool {
        let mut left = self.halves();
        let enough = *left >= 2;
        if enough {
            *left -= 2;
        }
        enough
    }

    fn refill(&self) {
        let mut left = self.halves();
        *left = (*left + 1).min(self.capacity);
    }

    /// Whole retries left.
    pub fn left(&self) -> u32 {
        *self.halves() / 2
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

/// Why an operation was not tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// The error is of a kind that stays.
    Permanent,
    /// All attempts were used.
    Attempts,
    /// The run's budget is spent.
    Budget,
}

/// The last error of an operation and the story of its attempts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error} ({attempts} attempt{s} in {seconds:.1} s)", s = if *attempts == 1 { "" } else { "s" }, seconds = elapsed.as_secs_f64())]
pub struct RetryError<E: std::error::Error + 'static> {
    /// Attempts made.
    pub attempts: u32,
    /// From the first attempt to giving up.
    pub elapsed: Duration,
    /// Why there was no further attempt.
    pub gave_up: GaveUp,
    /// The last error.
    pub error: E,
}

type Random = Box<dyn FnMut() -> f64 + Send>;
type Sleep = Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// A policy, a run's budget, and the dice. Clones share the budget.
#[derive(Clone)]
pub struct Retry {
    policy: RetryPolicy,
    budget: Arc<RetryBudget>,
    random: Arc<Mutex<Random>>,
    sleep: Arc<Sleep>,
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("policy", &self.policy).field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::new(RetryPolicy::default(), Arc::default())
    }
}

impl Retry {
    /// Retries after a policy, as long as the budget lasts.
    pub fn new(policy: RetryPolicy, budget: Arc<RetryBudget>) -> Self {
        let mut dice = fastrand::Rng::new();
        Self {
            policy,
            budget,
            random: Arc::new(Mutex::new(Box::new(move || dice.f64()))),
            sleep: Arc::new(Box::new(|wait| Box::pin(tokio::time::sleep(wait)))),
        }
    }

    /// The same with other dice: a source of numbers from 0 to 1, by which each wait's ceiling is multiplied.
    #[must_use]
    pub fn with_random(mut self, random: impl FnMut() -> f64 + Send + 'static) -> Self {
        self.random = Arc::new(Mutex::new(Box::new(random)));
        self
    }

    /// The same with another way to wait.
    #[must_use]
    pub fn with_sleep(mut self, sleep: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.sleep = Arc::new(Box::new(sleep));
        self
    }

    /// The budget shared with every other operation of the run.
    pub fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// Begins an operation that keeps its own state between attempts (a download that resumes).
    pub fn begin<'a>(&'a self, note: Note<'a>) -> Attempts<'a> {
        Attempts { retry: self, note, made: 0, started: Instant::now() }
    }

    /// Runs an operation that starts over with each attempt.
    pub async fn run<T, E, F, Fut>(&self, note: Note<'_>, mut operation: F) -> Result<T, RetryError<E>>
    where
        E: Retryable + std::error::Error + 'static,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut attempts = self.begin(note);
        loop {
            match operation().await {
                Ok(value) => {
                    attempts.succeeded();
                    return Ok(value);
                }
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    fn random(&self) -> f64 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random().clamp(0.0, 1.0)
    }

    fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        match asked {
            // Everybody who was told the same second must not come back in the same millisecond.
            Some(asked) => asked.min(self.policy.retry_after_cap) + self.policy.base.mul_f64(self.random()),
            None => self.policy.ceiling(failures).mul_f64(self.random()),
        }
    }
}

/// An operation under way.
pub struct Attempts<'a> {
    retry: &'a Retry,
    note: Note<'a>,
    made: u32,
    started: Instant,
}

impl fmt::Debug for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").field("made", &self.made).field("started", &self.started).finish_non_exhaustive()
    }
}

impl Attempts<'_> {
    /// It worked.
    pub fn succeeded(self) {
        self.retry.budget.refill();
    }

    /// An attempt failed: waits until the next one is due, or gives the error back for good.
    pub async fn failed<E>(&mut self, error: E) -> Result<(), RetryError<E>>
    where
        E: Retryable + std::error::Error + 'static,
    {
        self.made += 1;
        let policy = &self.retry.policy;
        let gave_up = if !error.is_transient() {
            Some(GaveUp::Permanent)
        } else if self.made >= policy.attempts {
            Some(GaveUp::Attempts)
        } else if !self.retry.budget.draw() {
            Some(GaveUp::Budget)
        } else {
            None
        };
        if let Some(gave_up) = gave_up {
            return Err(RetryError { attempts: self.made, elapsed: self.started.elapsed(), gave_up, error });
        }
        let wait = self.retry.wait(self.made, error.retry_after());
        if wait > NOTED_WAIT {
            let next = self.made + 1;
            (self.note)(&format!(
                "{error}; trying again in {:.0} s (attempt {next} of {})",
                wait.as_secs_f64(),
                policy.attempts
            ));
        }
        (self.retry.sleep)(wait).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    #[error("no luck")]
    struct NoLuck {
        transient: bool,
        retry_after: Option<Duration>,
    }

    impl Retryable for NoLuck {
        fn is_transient(&self) -> bool {
            self.transient
        }
        fn retry_after(&self) -> Option<Duration> {
            self.retry_after
        }
    }

    const BUSY: NoLuck = NoLuck { transient: true, retry_after: None };

    /// A retry whose waits take no time and are written down.
    struct Bench {
        retry: Retry,
        waits: Arc<Mutex<Vec<u128>>>,
    }

    impl Bench {
        fn new(policy: RetryPolicy, random: f64, budget: u32) -> Self {
            let waits: Arc<Mutex<Vec<u128>>> = Arc::default();
            let log = Arc::clone(&waits);
            let retry = Retry::new(policy, Arc::new(RetryBudget::new(budget))).with_random(move || random);
            let retry = retry.with_sleep(move |wait| {
                log.lock().unwrap().push(wait.as_millis());
                Box::pin(std::future::ready(()))
            });
            Self { retry, waits }
        }

        /// The error, the waits in milliseconds, and what was said about them.
        async fn fail(&self, error: NoLuck) -> (RetryError<NoLuck>, Vec<u128>, Vec<String>) {
            let said = Mutex::new(Vec::new());
            let note = |text: &str| said.lock().unwrap().push(text.to_owned());
            let result: Result<(), _> = self.retry.run(&note, || std::future::ready(Err(error.clone()))).await;
            let waits = std::mem::take(&mut *self.waits.lock().unwrap());
            (result.unwrap_err(), waits, said.into_inner().unwrap())
        }
    }

    fn usual(random: f64, budget: u32) -> Bench {
        Bench::new(RetryPolicy::default(), random, budget)
    }

    #[tokio::test]
    async fn waits_double_and_the_error_tells_the_story() {
        let (error, waits, said) = usual(1.0, 100).fail(BUSY).await;
        assert_eq!(waits, [250, 500, 1000, 2000, 4000]);
        assert_eq!((error.attempts, error.gave_up), (6, GaveUp::Attempts));
        assert_eq!(said, ["no luck; trying again in 4 s (attempt 6 of 6)"], "only waits a person notices are told");
        let error = RetryError { elapsed: Duration::from_millis(7750), ..error };
        assert_eq!(error.to_string(), "no luck (6 attempts in 7.8 s)");
    }

    #[tokio::test]
    async fn waits_are_capped_and_scaled_by_the_dice() {
        let policy = RetryPolicy { attempts: 40, ..RetryPolicy::default() };
        let (_, waits, _) = Bench::new(policy, 0.5, 100).fail(BUSY).await;
        assert_eq!(waits[..8], [125, 250, 500, 1000, 2000, 4000, 8000, 10_000]);
        assert!(waits.len() == 39 && waits[8..].iter().all(|wait| *wait == 10_000), "{waits:?}");
    }

    #[tokio::test]
    async fn what_stays_is_not_tried_again() {
        let (error, waits, _) = usual(1.0, 100).fail(NoLuck { transient: false, retry_after: None }).await;
        assert_eq!((error.attempts, error.gave_up, waits.len()), (1, GaveUp::Permanent, 0));
    }

    #[tokio::test]
    async fn a_server_says_how_long_within_reason() {
        let asks = |seconds| NoLuck { transient: true, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(usual(0.0, 100).fail(asks(7)).await.1, [7000; 5]);
        assert_eq!(usual(0.0, 100).fail(asks(9999)).await.1, [120_000; 5]);
        assert_eq!(usual(1.0, 100).fail(asks(0)).await.1, [250; 5], "not all in the same millisecond");
    }

    #[tokio::test]
    async fn the_budget_is_shared_and_successes_refill_it() {
        let first = usual(1.0, 7);
        let second = Bench { retry: first.retry.clone(), waits: Arc::clone(&first.waits) };
        assert_eq!(first.fail(BUSY).await.0.gave_up, GaveUp::Attempts);
        let (error, waits, _) = second.fail(BUSY).await;
        assert_eq!((error.gave_up, error.attempts, waits.len()), (GaveUp::Budget, 3, 2));
        let (error, waits, _) = first.fail(BUSY).await;
        assert_eq!((error.gave_up, error.attempts, waits.len()), (GaveUp::Budget, 1, 0));
        let succeed = |times| (0..times).for_each(|_| first.retry.begin(&|_| ()).succeeded());
        succeed(2);
        assert_eq!(second.fail(BUSY).await.0.attempts, 2, "two successes are worth one retry");
        succeed(100);
        assert_eq!(first.retry.budget().left(), 7, "never above its capacity");
    }
}
