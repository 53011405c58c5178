//! The trading calendar of the New York Stock Exchange (XNYS), as data.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday, date};

use super::announced::heeded;

/// How long a session's regular hours are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionKind {
    /// 09:30–16:00 New York.
    Full,
    /// 09:30–13:00 New York.
    EarlyClose,
}

/// A date the calendar does not cover.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{date} is outside the trading calendar ({first} to {last})")]
pub struct CalendarError {
    /// The date asked for.
    pub date: Date,
    /// First date covered.
    pub first: Date,
    /// Last date covered.
    pub last: Date,
}

/// Which dates are sessions: every weekday of the covered range but the closures.
#[derive(Debug)]
pub struct Calendar {
    closures: Vec<Date>,
    early_closes: Vec<Date>,
}

/// Sessions of the New York Stock Exchange. Made by `scripts/calendar`.
pub fn xnys() -> &'static Calendar {
    static XNYS: LazyLock<Calendar> = LazyLock::new(|| Calendar::parse(include_str!("xnys.csv")));
    &XNYS
}

impl Calendar {
    /// First date covered: the vendor's first stock file.
    pub const FIRST: Date = date(2003, 9, 10);
    /// Last date covered.
    pub const LAST: Date = date(2028, 12, 31);

    fn parse(table: &'static str) -> Self {
        let mut calendar = Self { closures: Vec::new(), early_closes: Vec::new() };
        for line in table.lines().filter(|line| !line.starts_with('#')).skip(1) {
            let (day, kind) = line.split_once(',').expect("Invariant: a calendar line is `date,kind`");
            let day: Date = day.parse().expect("Invariant: a calendar line starts with a date");
            match kind {
                "closed" => calendar.closures.push(day),
                "early_close" => calendar.early_closes.push(day),
                other => panic!("Invariant: {other} is a kind of calendar line"),
            }
        }
        calendar
    }

    /// The range of dates that can be asked for.
    pub const fn covers() -> RangeInclusive<Date> {
        Self::FIRST..=Self::LAST
    }

    /// Refuses a date outside the covered range.
    pub fn check(date: Date) -> Result<(), CalendarError> {
        if Self::covers().contains(&date) {
            Ok(())
        } else {
            Err(CalendarError { date, first: Self::FIRST, last: Self::LAST })
        }
    }

    /// The session of a date; `None` on weekends, closures, and outside the covered range. What was announced of it counts.
    pub fn session(&self, date: Date) -> Option<SessionKind> {
        let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        if let Some(announced) = heeded(date).filter(|_| !weekend && Self::covers().contains(&date)) {
            return announced.session();
        }
        self.session_foreseen(date)
    }

    /// The same without what was announced later.
    pub fn session_foreseen(&self, date: Date) -> Option<SessionKind> {
        let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        if weekend || !Self::covers().contains(&date) || self.closures.binary_search(&date).is_ok() {
            None
        } else if self.early_closes.binary_search(&date).is_ok() {
            Some(SessionKind::EarlyClose)
        } else {
            Some(SessionKind::Full)
        }
    }

    /// The sessions of a range, both ends included, ascending.
    pub fn sessions(&self, range: RangeInclusive<Date>) -> impl Iterator<Item = (Date, SessionKind)> + '_ {
        let mut next = (range.start() <= range.end()).then_some(*range.start());
        let last = *range.end();
        std::iter::from_fn(move || {
            while let Some(day) = next {
                next = day.tomorrow().ok().filter(|tomorrow| *tomorrow <= last);
                if let Some(kind) = self.session(day) {
                    return Some((day, kind));
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Held by whoever looks at dates about which a test announces something: announcements are heeded by the whole process.
    static DECEMBER_2028: std::sync::Mutex<()> = std::sync::Mutex::new(());

    fn count(to: Date) -> (usize, usize) {
        let all: Vec<_> = xnys().sessions(Calendar::FIRST..=to).collect();
        (all.len(), all.iter().filter(|(_, kind)| *kind == SessionKind::EarlyClose).count())
    }

    /// Counts from `exchange_calendars` 4.13.2, and the vendor's observed file count to 2026-08-31.
    #[test]
    fn counts_of_sessions_are_those_of_the_exchange() {
        let _alone = DECEMBER_2028.lock();
        assert_eq!(count(date(2026, 8, 31)), (5780, 49));
        assert_eq!(count(date(2026, 12, 31)), (5865, 51));
        assert_eq!(count(Calendar::LAST), (6367, 54));
    }

    #[test]
    fn closures_that_no_rule_gives_are_known() {
        for (y, m, d) in [(2004, 6, 11), (2007, 1, 2), (2012, 10, 29), (2012, 10, 30), (2018, 12, 5), (2025, 1, 9)] {
            assert_eq!(xnys().session(date(y, m, d)), None, "{y}-{m}-{d}");
        }
        for (y, m, d) in [(2024, 7, 3), (2024, 11, 29), (2025, 12, 24), (2026, 11, 27), (2026, 12, 24)] {
            assert_eq!(xnys().session(date(y, m, d)), Some(SessionKind::EarlyClose), "{y}-{m}-{d}");
        }
        assert_eq!(xnys().session(date(2026, 10, 2)), Some(SessionKind::Full));
        assert_eq!(xnys().session(date(2026, 10, 3)), None, "a Saturday");
    }

    #[test]
    fn dates_outside_the_table_are_refused_not_guessed() {
        assert!(Calendar::check(date(2029, 1, 2)).is_err());
        assert!(Calendar::check(date(2003, 9, 9)).is_err());
        assert_eq!(xnys().session(date(2029, 1, 2)), None);
    }

    #[test]
    fn what_was_announced_counts() {
        use super::super::{
            AnnouncedKind, AnnouncedSession, Dataset, Expectation, heed_announced, session_finished_at,
        };
        let _alone = DECEMBER_2028.lock();
        let announced = |day, kind| AnnouncedSession { date: date(2028, 12, day), kind, name: None };
        let (closed, early, open, saturday) = (date(2028, 12, 27), date(2028, 12, 28), date(2028, 12, 25), 30);
        heed_announced(&[
            announced(27, AnnouncedKind::Closed),
            announced(28, AnnouncedKind::EarlyClose),
            announced(25, AnnouncedKind::Full),
            announced(saturday, AnnouncedKind::Full),
        ]);
        assert_eq!(xnys().session(closed), None);
        assert_eq!(Dataset::Stocks.expectation(closed), Expectation::Closed);
        assert_eq!(xnys().session(early), Some(SessionKind::EarlyClose));
        assert_eq!(session_finished_at(Dataset::Stocks, early).to_string(), "2028-12-28T22:00:00Z");
        assert_eq!(xnys().session(open), Some(SessionKind::Full), "a holiday that is none");
        assert_eq!(xnys().session(date(2028, 12, saturday)), None);
        assert_eq!(xnys().session_foreseen(closed), Some(SessionKind::Full));
        heed_announced(&[]);
        assert_eq!(xnys().session(closed), Some(SessionKind::Full), "withdrawn");
    }

    #[test]
    fn an_empty_range_has_no_sessions() {
        assert_eq!(xnys().sessions(date(2024, 1, 10)..=date(2024, 1, 2)).count(), 0);
    }
}
