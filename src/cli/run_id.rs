//! The name of a run, by which its lines of log and its record are found again.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The name of a run: when it began (UTC) and four random digits, such as `20261005T213002Z-7f3a`. Names sort by time, and
/// runs that begin in the same second are told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// A new name for a run that begins now.
    pub fn new(now: Timestamp) -> Self {
        Self::of(now, fastrand::u16(..))
    }

    fn of(now: Timestamp, digits: u16) -> Self {
        Self(format!("{}-{digits:04x}", now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ")))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_sort_by_time_and_differ() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let name = RunId::of(at("2026-10-05T21:30:02.9Z"), 0x7f3a);
        assert_eq!(name.to_string(), "20261005T213002Z-7f3a");
        assert!(name < RunId::of(at("2026-10-05T21:30:03Z"), 0), "{name}");
        assert_eq!(RunId::of(at("2026-10-05T21:30:03Z"), 5).as_str(), "20261005T213003Z-0005");
        let same_second: std::collections::BTreeSet<_> =
            (0..8).map(|_| RunId::new(at("2026-10-05T21:30:02Z"))).collect();
        assert!(same_second.len() > 1);
    }
}
