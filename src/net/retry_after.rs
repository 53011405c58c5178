//! Times in headers: `Retry-After`, and dates.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// How long a server asks to wait: a number of seconds, or an HTTP date (which means no wait once it has passed).
/// `None` if it is neither.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit is a very long time; whoever asks cuts it anyway.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let at = parse_http_date(value)?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// A time as HTTP writes it in headers, to the second.
pub fn parse_http_date(value: &str) -> Option<Timestamp> {
    Some(rfc2822::parse(value.trim()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_nothing_else() {
        let now: Timestamp = "2026-10-02T08:49:07Z".parse().unwrap();
        for (value, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::from(u32::MAX))),
            ("Fri, 02 Oct 2026 08:49:37 GMT", Some(30)),
            ("Fri, 02 Oct 2026 08:00:00 GMT", Some(0)),
            ("", None),
            ("-3", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(parse_retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }
}
