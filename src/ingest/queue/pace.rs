//! How long a processor waits for what.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::judge::Wait;

/// How long a processor waits for what. Everything but `interval` follows from the lease, so that a test with short leases is
/// short throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a request stays claimed by a processor that has died.
    pub lease: Duration,
    /// How often new requests are looked for at least where the database cannot tell of them.
    pub interval: Duration,
}

/// Longest lease: with the ticks of processors that wait, a dead one's requests are worked on again within 30 s.
const LONGEST_LEASE: Duration = Duration::from_secs(20);

/// A busy machine must be able to renew leases of days in time.
const SHORTEST_DAY_LEASE: Duration = Duration::from_secs(1);

/// Ticks within a lease: several renewals may fail to come in time before a request is lost.
pub(super) const TICKS_PER_LEASE: u32 = 4;

impl Pace {
    /// Leases are not longer than 20 s.
    pub fn new(lease: Duration, interval: Duration) -> Self {
        Self { lease: lease.min(LONGEST_LEASE), interval }
    }

    /// How often leases are renewed, and requests of dead processors looked for.
    pub(super) fn tick(self) -> Duration {
        self.lease / TICKS_PER_LEASE
    }

    /// How long a day stays claimed by a processor that has died: the others wait for the days it was loading. Short, as nothing
    /// is wrong with a day that is loaded by two.
    pub fn day_lease(self) -> Duration {
        self.tick().max(SHORTEST_DAY_LEASE)
    }

    /// How long a processor with nothing to do waits to be woken: requests of dead processors are not to wait for more than a
    /// tick.
    pub(super) fn idle(self) -> Duration {
        self.interval.min(self.tick())
    }

    /// How long a wait for more requests that can be served together is, and how long all such waits together: 0.3 s and 3 s.
    pub(super) fn gathering(self) -> (Duration, Duration) {
        (self.lease * 3 / 200, self.lease * 3 / 20)
    }

    /// How long a request waits that failed so often before: 1, 2, 4 minutes and so on up to an hour, a quarter more or less, so
    /// that not all come back at once. `closed` is how long nothing can be loaded by now; `random` is from 0 to 1.
    pub(super) fn pause(
        self,
        wait: Wait,
        failed_before: u32,
        closed: Duration,
        now: Timestamp,
        random: f64,
    ) -> Duration {
        let (first, longest) = (self.lease * 3, self.lease * 180);
        let factor = 2_u32.checked_pow(failed_before).unwrap_or(u32::MAX);
        match wait {
            Wait::Soon => first.saturating_mul(factor).min(longest).mul_f64(0.75 + random / 2.0),
            Wait::Closed => closed.clamp(first, longest).mul_f64(0.75 + random / 2.0),
            Wait::Long => longest.mul_f64(0.75 + random / 2.0),
            Wait::Until(then) => {
                let left = then.duration_since(now).max(SignedDuration::ZERO).unsigned_abs();
                left + first.mul_f64(random)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_vary_by_a_quarter() {
        let pace = Pace::new(Duration::from_mins(1), Duration::from_mins(1));
        let now: Timestamp = "2026-10-05T16:00:00Z".parse().unwrap();
        let minutes = |failed| pace.pause(Wait::Soon, failed, Duration::ZERO, now, 0.5).as_secs() / 60;
        assert_eq!([0, 1, 2, 5, 6, 60].map(minutes), [1, 2, 4, 32, 60, 60]);
        let spread = [0.0, 1.0].map(|random| pace.pause(Wait::Soon, 2, Duration::ZERO, now, random).as_secs());
        assert_eq!(spread, [180, 300]);
        assert_eq!(pace.pause(Wait::Long, 0, Duration::ZERO, now, 0.5), Duration::from_hours(1));
        let closed = |minutes| pace.pause(Wait::Closed, 60, Duration::from_mins(minutes), now, 0.5).as_secs() / 60;
        assert_eq!([0, 1, 7, 600].map(closed), [1, 1, 7, 60], "as long again as the outage has lasted");
        let then = now + SignedDuration::from_mins(10);
        assert_eq!(pace.pause(Wait::Until(then), 0, Duration::ZERO, now, 0.0), Duration::from_mins(10));
    }

    #[test]
    fn dead_processors_are_noticed_in_time_whatever_the_interval() {
        let pace = Pace::new(Duration::from_mins(1), Duration::from_hours(1));
        assert!(pace.lease + pace.idle() <= Duration::from_secs(25));
        assert_eq!(pace.gathering(), (Duration::from_millis(300), Duration::from_secs(3)));
    }
}
