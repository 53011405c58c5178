//! How many requests come, and how many may.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests allowed in any window of a length: `5/min`, `100/s`. Refused ones count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    requests: usize,
    window: Duration,
}

/// A text that is no quota.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a quota like 5/min or 100/s")]
pub struct QuotaError(String);

impl FromStr for Quota {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (requests, unit) = text.split_once('/')?;
            let window = match unit {
                "s" => Duration::from_secs(1),
                "min" => Duration::from_mins(1),
                _ => return None,
            };
            Some(Self { requests: requests.parse().ok().filter(|requests| *requests > 0)?, window })
        };
        parsed().ok_or_else(|| QuotaError(text.to_owned()))
    }
}

/// What the REST endpoints have been asked so far, and what they have answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct RestCounts {
    /// Requests by endpoint, refused ones included.
    pub requests: BTreeMap<&'static str, u64>,
    /// Answers other than 200, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Most requests that came in any second.
    pub most_in_1_s: usize,
    /// Most requests that came in any minute.
    pub most_in_60_s: usize,
    /// Whole pages answered with 200, by path and parameters, the cursor's included; the key is not among them.
    pub pages: BTreeMap<String, u64>,
}

impl RestCounts {
    /// Requests of all endpoints.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }
}

impl fmt::Display for RestCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} REST", self.total())?;
        for (endpoint, requests) in &self.requests {
            write!(f, ", {requests} {endpoint}")?;
        }
        for (status, answers) in &self.refused {
            write!(f, ", {answers} refused with {status}")?;
        }
        write!(f, "; at most {} in a second, {} in a minute", self.most_in_1_s, self.most_in_60_s)
    }
}

/// Whether a request is within the quota; the time to wait if it is one too many.
pub(super) type Arrival = Result<(), Duration>;

/// Keeps count.
#[derive(Debug)]
pub(super) struct Gate {
    quota: Option<Quota>,
    began: Instant,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When requests came, counted from the beginning; ascending.
    arrivals: Vec<Duration>,
    counts: RestCounts,
}

impl Gate {
    pub(super) fn new(quota: Option<Quota>) -> Self {
        Self { quota, began: Instant::now(), seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that comes now.
    pub(super) fn arrive(&self, endpoint: &'static str) -> Arrival {
        let mut seen = self.seen();
        // Read under the lock: the order of arrivals is that of their times.
        let now = self.began.elapsed();
        *seen.counts.requests.entry(endpoint).or_default() += 1;
        let refused = self.quota.and_then(|quota| wait(&seen.arrivals, now, quota));
        seen.arrivals.push(now);
        refused.map_or(Ok(()), Err)
    }

    /// Counts an answer; `page` names it if it is a whole page.
    pub(super) fn answered(&self, status: u16, page: Option<String>) {
        let counts = &mut self.seen().counts;
        if status != 200 {
            *counts.refused.entry(status).or_default() += 1;
        } else if let Some(page) = page {
            *counts.pages.entry(page).or_default() += 1;
        }
    }

    pub(super) fn counts(&self) -> RestCounts {
        let seen = self.seen();
        let most = |window| most_within(&seen.arrivals, window);
        RestCounts {
            most_in_1_s: most(Duration::from_secs(1)),
            most_in_60_s: most(Duration::from_mins(1)),
            ..seen.counts.clone()
        }
    }
}

/// How long a request that comes now is too early; `None` if it is not.
fn wait(arrivals: &[Duration], now: Duration, quota: Quota) -> Option<Duration> {
    let earlier = arrivals[arrivals.len().checked_sub(quota.requests)?];
    (earlier + quota.window).checked_sub(now).filter(|wait| !wait.is_zero())
}

/// Most arrivals in any half-open window of a length.
fn most_within(arrivals: &[Duration], window: Duration) -> usize {
    let (mut most, mut first) = (0, 0);
    for (last, at) in arrivals.iter().enumerate() {
        while arrivals[first] + window <= *at {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(ms: &[u64]) -> Vec<Duration> {
        ms.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn quotas_are_read_as_written() {
        assert_eq!("5/min".parse(), Ok(Quota { requests: 5, window: Duration::from_mins(1) }));
        assert_eq!("100/s".parse(), Ok(Quota { requests: 100, window: Duration::from_secs(1) }));
        for wrong in ["5", "0/s", "5/h", "x/s", "/min", "-1/s"] {
            assert!(wrong.parse::<Quota>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_request_waits_for_the_window_to_pass() {
        let quota = "2/s".parse().unwrap();
        let arrivals = times(&[0, 300]);
        assert_eq!(wait(&arrivals, Duration::from_millis(999), quota), Some(Duration::from_millis(1)));
        assert_eq!(wait(&arrivals, Duration::from_secs(1), quota), None);
        assert_eq!(wait(&arrivals[..1], Duration::from_millis(1), quota), None);
    }

    proptest! {
        #[test]
        fn windows_are_counted_as_by_hand(mut ms in prop::collection::vec(0_u64..4000, 0..60), length in 1_u64..2000) {
            ms.sort_unstable();
            let by_hand = ms.iter().map(|end| ms.iter().filter(|at| *at <= end && **at + length > *end).count()).max();
            prop_assert_eq!(most_within(&times(&ms), Duration::from_millis(length)), by_hand.unwrap_or(0));
        }
    }
}
