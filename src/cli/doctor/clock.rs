//! Whether this machine's clock agrees with the vendor's.

use super::{Check, State};
use crate::cli::format::duration_of;

/// More than this is told: what is due, and quotas shared with other machines, go by the clock.
const WORTH_TELLING_MS: u64 = 60_000;
/// From about here on the vendor refuses requests for files.
const TOO_FAR_MS: u64 = 10 * 60_000;

/// How far the vendor's clock is ahead of this machine's, in milliseconds, if anybody has answered.
pub(in crate::cli) fn clock_check(ahead_ms: Option<i64>) -> Check {
    let Some(ahead_ms) = ahead_ms else {
        return Check::new("clock", State::NotAsked, "nobody has answered to compare it with");
    };
    let off_ms = ahead_ms.unsigned_abs();
    if off_ms < WORTH_TELLING_MS {
        // Headers tell it in whole seconds.
        return Check::new("clock", State::Ok, format!("within {} s of the vendor's", off_ms.div_ceil(1000).max(1)));
    }
    let state = if off_ms < TOO_FAR_MS { State::Warn } else { State::Fails };
    let side = if ahead_ms > 0 { "behind" } else { "ahead of" };
    let found = format!("this machine's clock is {} {side} the vendor's", duration_of(off_ms as f64 / 1000.0));
    Check::new("clock", state, found).advising("set the clock (NTP)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told() {
        for (ahead_ms, state, words) in [
            (None, State::NotAsked, "nobody"),
            (Some(-700), State::Ok, "within 1 s"),
            (Some(2_300), State::Ok, "within 3 s"),
            (Some(90_000), State::Warn, "1m 30s behind"),
            (Some(-3_600_000), State::Fails, "1h 00m ahead of"),
            (Some(i64::MIN), State::Fails, "ahead of"),
        ] {
            let check = clock_check(ahead_ms);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
        }
    }
}
