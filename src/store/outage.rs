//! Waiting out an outage of a database: a server that restarts, a connection that broke.

use std::time::{Duration, Instant};

use super::StoreError;

/// First pause; each one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is known of an outage.
#[derive(Debug)]
pub struct Outage {
    patience: Duration,
    began: Option<(Instant, Duration)>,
}

impl Outage {
    /// None so far; one may last so long.
    pub const fn new(patience: Duration) -> Self {
        Self { patience, began: None }
    }

    /// Whether the database did not answer when it was asked last.
    pub const fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    /// The database has answered.
    pub const fn is_over(&mut self) {
        self.began = None;
    }

    /// How long to pause after an error before the same is tried again; `None` after one that will not pass, or has not for
    /// too long.
    pub fn pause(&mut self, error: &StoreError) -> Option<Duration> {
        let (since, pause) = self.began.unwrap_or((Instant::now(), FIRST_PAUSE));
        let may_pass = error.may_pass() && since.elapsed() <= self.patience;
        may_pass.then(|| {
            self.began = Some((since, (pause * 2).min(LONGEST_PAUSE)));
            pause
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> StoreError {
        StoreError::Unreachable { database: "db:5432/bars".to_owned(), detail: "refused".to_owned() }
    }

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_anew_after_an_answer() {
        let mut outage = Outage::new(Duration::MAX);
        let mut pauses = || outage.pause(&lost()).map(|pause| pause.as_millis());
        let grown = std::array::from_fn(|_| pauses());
        assert_eq!(grown, [100, 200, 400, 800, 1600, 3200, 5000, 5000].map(Some));
        outage.is_over();
        assert_eq!(outage.pause(&lost()), Some(FIRST_PAUSE));
    }

    #[test]
    fn what_will_not_pass_or_lasts_too_long_is_not_waited_for() {
        let mut outage = Outage::new(Duration::ZERO);
        assert_eq!(outage.pause(&StoreError::Unknown("x".to_owned())), None);
        assert!(!outage.has_begun());
        outage.pause(&lost());
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(outage.pause(&lost()), None);
    }
}
