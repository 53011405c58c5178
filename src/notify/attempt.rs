//! How one attempt to send a message went, and what that means for it.

use std::time::Duration;

use crate::net::tidy;
use crate::store::{ClaimedMessage, SendEnd};

/// A message is given up after so many attempts: a week of trying every hour.
const ATTEMPTS: u32 = 180;
/// The longest first pause; it doubles from attempt to attempt.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, whatever a server asks for.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How one attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The other side has taken the message.
    Taken {
        /// What was not as it should be all the same.
        but: Option<String>,
    },
    /// It will not take it, however often it is asked.
    Refused {
        /// Why.
        why: String,
    },
    /// It has not said that it took it.
    Failed {
        /// Why.
        why: String,
        /// How long it asked to wait.
        wait: Option<Duration>,
        /// Whether it may have taken it all the same.
        may_have_arrived: bool,
    },
}

impl Attempt {
    /// An attempt whose message certainly did not arrive.
    pub(super) fn unsent(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), wait: None, may_have_arrived: false }
    }

    /// An attempt of whose message nothing is known.
    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), wait: None, may_have_arrived: true }
    }

    /// An attempt that was refused for something that somebody is likely to put right: a token, a right, an address. It is
    /// tried again, slowly.
    pub(super) fn barred(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), wait: Some(LONGEST_PAUSE), may_have_arrived: false }
    }

    /// What becomes of the message. `random` is from 0 to 1.
    pub(super) fn end(self, claimed: &ClaimedMessage, random: f64) -> SendEnd {
        match self {
            Self::Taken { but } => SendEnd::Sent { but },
            Self::Refused { why } => SendEnd::Dead { message: why },
            Self::Failed { why, .. } if claimed.attempts + 1 >= ATTEMPTS => {
                SendEnd::Dead { message: format!("given up after {ATTEMPTS} attempts; the last one: {why}") }
            }
            Self::Failed { why, wait, may_have_arrived } => SendEnd::Retry {
                pause: pause(claimed.attempts, wait, random),
                message: why,
                // An earlier attempt may have brought it.
                may_have_arrived: may_have_arrived || claimed.may_have_arrived,
            },
        }
    }
}

/// How long a message waits after so many attempts before this one. What a server asks for may make that longer and not
/// shorter: one that asks for nothing at all would use up all attempts in seconds.
fn pause(attempts: u32, asked: Option<Duration>, random: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.checked_pow(attempts).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
    let own = doubled.mul_f64(0.5 + random / 2.0);
    // Everybody who was told the same second must not come back in the same millisecond.
    let asked = asked.map(|asked| asked.min(LONGEST_PAUSE) + FIRST_PAUSE.mul_f64(random / 4.0));
    own.max(asked.unwrap_or_default())
}

/// What an answer of an HTTP server means, by its status; `words` are what it says.
pub(super) fn judged(status: u16, wait: Option<Duration>, words: &str) -> Attempt {
    let said = tidy(words);
    let why = match &said[..] {
        "" => format!("HTTP {status}"),
        said => format!("HTTP {status}: {said}"),
    };
    match status {
        200..=299 => Attempt::Taken { but: None },
        300..=399 => Attempt::Refused {
            why: format!("HTTP {status}: a redirect, which is not followed; set the address that it leads to"),
        },
        401 | 403 | 404 => Attempt::barred(why),
        408 | 425 | 429 => Attempt::Failed { why, wait, may_have_arrived: false },
        // A gateway may say so of a request that was served.
        500.. => Attempt::Failed { why, wait, may_have_arrived: true },
        _ => Attempt::Refused { why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Held, NewMessage};

    fn claimed(attempts: u32, may_have_arrived: bool) -> ClaimedMessage {
        let message = NewMessage {
            dedup_key: "k".to_owned(),
            channel: "webhook".to_owned(),
            event: "failure".to_owned(),
            subject: "s".to_owned(),
            body: "b".to_owned(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        ClaimedMessage { held: Held { id: 1, token: 1 }, message, attempts, may_have_arrived }
    }

    #[test]
    fn pauses_grow_up_to_an_hour_and_heed_what_is_asked() {
        let second = Duration::from_secs(1);
        assert_eq!(pause(0, None, 1.0), second);
        assert_eq!(pause(0, None, 0.0), second / 2);
        assert_eq!(pause(3, None, 1.0), 8 * second);
        for attempts in [12, 31, 32, 99, u32::MAX] {
            assert_eq!(pause(attempts, None, 1.0), LONGEST_PAUSE);
        }
        assert_eq!(pause(0, Some(30 * second), 0.0), 30 * second);
        assert_eq!(pause(0, Some(1_000_000 * second), 0.0), LONGEST_PAUSE);
    }

    #[test]
    fn a_server_that_asks_for_no_pause_does_not_use_up_the_attempts() {
        let pauses = || (0..ATTEMPTS).map(|attempts| pause(attempts, Some(Duration::ZERO), 0.0));
        assert!(pauses().sum::<Duration>() > Duration::from_hours(3 * 24));
        assert!(pauses().zip(0..).all(|(asked, attempts)| asked == pause(attempts, None, 0.0)));
    }

    #[test]
    fn what_somebody_may_put_right_is_tried_every_hour_for_a_week() {
        let barred = |attempts| judged(403, Some(Duration::ZERO), "").end(&claimed(attempts, false), 0.0);
        let pauses = (0..ATTEMPTS).map_while(|attempts| match barred(attempts) {
            SendEnd::Retry { pause, may_have_arrived: false, .. } => Some(pause),
            _ => None,
        });
        let pauses: Vec<Duration> = pauses.collect();
        assert!(pauses.iter().all(|pause| *pause == LONGEST_PAUSE));
        assert!(pauses.iter().sum::<Duration>() > Duration::from_hours(7 * 24));
        assert!(matches!(barred(ATTEMPTS), SendEnd::Dead { .. }));
    }

    #[test]
    fn a_message_that_may_have_arrived_once_may_have_arrived_ever_after() {
        for (before, now, after) in [(false, false, false), (false, true, true), (true, false, true)] {
            let failed = Attempt::Failed { why: String::new(), wait: None, may_have_arrived: now };
            let SendEnd::Retry { may_have_arrived, .. } = failed.end(&claimed(1, before), 0.0) else { panic!() };
            assert_eq!(may_have_arrived, after);
        }
    }

    #[test]
    fn trying_ends_some_day() {
        assert!(matches!(Attempt::unsent("x").end(&claimed(ATTEMPTS - 2, false), 0.0), SendEnd::Retry { .. }));
        let SendEnd::Dead { message } = Attempt::unsent("x").end(&claimed(ATTEMPTS - 1, false), 0.0) else { panic!() };
        assert_eq!(message, "given up after 180 attempts; the last one: x");
    }

    #[test]
    fn a_status_says_whether_it_may_help_to_ask_again() {
        assert_eq!(judged(204, None, ""), Attempt::Taken { but: None });
        for status in [301, 308, 400, 410, 413] {
            assert!(matches!(judged(status, None, ""), Attempt::Refused { .. }), "{status}");
        }
        for status in [401, 403, 404] {
            assert_eq!(judged(status, None, ""), Attempt::barred(format!("HTTP {status}")));
        }
        for (status, uncertain) in [(429, false), (408, false), (500, true), (502, true), (503, true), (504, true)] {
            let wait = Some(Duration::from_secs(7));
            let expected = Attempt::Failed { why: format!("HTTP {status}: a b"), wait, may_have_arrived: uncertain };
            assert_eq!(judged(status, wait, "a\nb\n"), expected);
        }
    }
}
