//! When trading dates begin and sessions end, as instants.

use std::ops::RangeInclusive;

use jiff::civil::{Date, Time, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::{Dataset, Expectation, SessionKind, xnys};

/// Name of the exchange's time zone.
pub const NEW_YORK: &str = "America/New_York";

/// Which clock cuts a market's days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Market {
    /// New York dates with pre-market, regular and post-market sessions.
    NewYork,
    /// UTC dates without sessions.
    RoundTheClock,
}

impl Market {
    fn zone(self) -> TimeZone {
        match self {
            Self::NewYork => TimeZone::get(NEW_YORK).expect("Invariant: the time zone table is compiled in"),
            Self::RoundTheClock => TimeZone::UTC,
        }
    }

    /// The instant of a wall-clock time on a trading date.
    pub fn instant(self, date: Date, time: Time) -> Timestamp {
        date.to_datetime(time)
            .to_zoned(self.zone())
            .expect("Invariant: a date of the trading calendar has instants")
            .timestamp()
    }

    /// The trading date an instant falls on.
    pub fn date_of(self, instant: Timestamp) -> Date {
        Zoned::new(instant, self.zone()).date()
    }
}

/// 00:00 of a trading date on its market's clock: the `timestamp` of its `day` bar.
pub fn midnight(market: Market, date: Date) -> Timestamp {
    market.instant(date, Time::midnight())
}

/// When the last minute of a date has been traded: 20:00 New York, 17:00 after an early close, the next 00:00 UTC in
/// 24-hour markets.
pub fn session_finished_at(dataset: Dataset, date: Date) -> Timestamp {
    match dataset.market() {
        Market::NewYork => {
            let early = xnys().session(date) == Some(SessionKind::EarlyClose);
            Market::NewYork.instant(date, if early { time(17, 0, 0, 0) } else { time(20, 0, 0, 0) })
        }
        Market::RoundTheClock => midnight(Market::RoundTheClock, date.saturating_add(1.day())),
    }
}

/// When the vendor's file of a date should be there: 11:00 New York of the next day. Before, its absence is no gap.
pub fn file_due_at(date: Date) -> Timestamp {
    Market::NewYork.instant(date.saturating_add(1.day()), time(11, 0, 0, 0))
}

/// The latest date with a file to come whose trading is over.
pub fn last_finished_session(dataset: Dataset, now: Timestamp) -> Date {
    let mut date = dataset.market().date_of(now);
    while dataset.expectation(date) != Expectation::Due || session_finished_at(dataset, date) > now {
        match date.yesterday() {
            Ok(day_before) if day_before >= dataset.first_date() => date = day_before,
            _ => return dataset.first_date(),
        }
    }
    date
}

/// So many calendar days up to and with a date, none before the vendor's first file.
pub fn days_until(dataset: Dataset, days: u32, last: Date) -> RangeInclusive<Date> {
    let first = last.saturating_sub((i64::from(days.max(1)) - 1).min(MOST_DAYS).days());
    first.max(dataset.first_date())..=last
}

/// More days than any dataset has, and few enough for a span.
const MOST_DAYS: i64 = 100_000;

/// The trading date whose session has begun and is not finished; in New York sessions begin at 04:00.
pub fn session_under_way(dataset: Dataset, now: Timestamp) -> Option<Date> {
    let date = dataset.market().date_of(now);
    let begins_at = match dataset.market() {
        Market::NewYork => Market::NewYork.instant(date, time(4, 0, 0, 0)),
        Market::RoundTheClock => midnight(Market::RoundTheClock, date),
    };
    let is_open = begins_at <= now && now < session_finished_at(dataset, date);
    (is_open && dataset.expectation(date) == Expectation::Due).then_some(date)
}

/// When the regular session of a New York date begins: 09:30.
pub fn regular_open(date: Date) -> Timestamp {
    Market::NewYork.instant(date, time(9, 30, 0, 0))
}

/// The session that a picture of the options market belongs to, and whether that is still going on. Before the regular open no
/// option is traded, so that the picture is still that of the session before.
pub fn options_session(now: Timestamp) -> (Date, bool) {
    match session_under_way(Dataset::Options, now).filter(|date| regular_open(*date) <= now) {
        Some(date) => (date, true),
        None => (last_finished_session(Dataset::Options, now), false),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn midnight_follows_the_exchange_over_clock_changes() {
        assert_eq!(midnight(Market::NewYork, date(2024, 3, 8)), at("2024-03-08T05:00:00Z"));
        assert_eq!(midnight(Market::NewYork, date(2024, 3, 11)), at("2024-03-11T04:00:00Z"));
        assert_eq!(midnight(Market::RoundTheClock, date(2024, 3, 11)), at("2024-03-11T00:00:00Z"));
    }

    #[test]
    fn a_session_is_finished_after_its_post_market() {
        let thursday = date(2024, 7, 11);
        assert_eq!(last_finished_session(Dataset::Stocks, at("2024-07-11T23:59:59Z")), date(2024, 7, 10));
        assert_eq!(last_finished_session(Dataset::Stocks, at("2024-07-12T00:00:00Z")), thursday);
        assert_eq!(session_finished_at(Dataset::Stocks, date(2024, 7, 3)), at("2024-07-03T21:00:00Z"));
        assert_eq!(last_finished_session(Dataset::Crypto, at("2024-07-12T00:00:00Z")), thursday);
        assert_eq!(last_finished_session(Dataset::Stocks, at("2024-07-07T12:00:00Z")), date(2024, 7, 5), "on a Sunday");
    }

    #[test]
    fn a_session_is_under_way_from_its_pre_market_to_the_end_of_its_post_market() {
        let under_way = |dataset, now| session_under_way(dataset, at(now));
        assert_eq!(under_way(Dataset::Stocks, "2024-07-11T07:59:59Z"), None);
        assert_eq!(under_way(Dataset::Stocks, "2024-07-11T08:00:00Z"), Some(date(2024, 7, 11)));
        assert_eq!(under_way(Dataset::Stocks, "2024-07-12T00:00:00Z"), None);
        assert_eq!(under_way(Dataset::Stocks, "2024-07-13T15:00:00Z"), None, "a Saturday");
        assert_eq!(under_way(Dataset::Crypto, "2024-07-13T00:00:00Z"), Some(date(2024, 7, 13)));
    }

    #[test]
    fn an_option_chain_belongs_to_the_session_that_its_market_has_opened() {
        let (thursday, friday) = (date(2024, 7, 11), date(2024, 7, 12));
        for (now, session) in [
            ("2024-07-11T23:59:59Z", (thursday, true)),
            ("2024-07-12T00:00:00Z", (thursday, false)),
            ("2024-07-12T13:29:59Z", (thursday, false)),
            ("2024-07-12T13:30:00Z", (friday, true)),
            ("2024-07-13T16:00:00Z", (friday, false)),
            ("2024-07-03T21:00:00Z", (date(2024, 7, 3), false)),
            ("2024-07-04T15:00:00Z", (date(2024, 7, 3), false)),
        ] {
            assert_eq!(options_session(at(now)), session, "{now}");
        }
    }

    #[test]
    fn files_are_due_the_morning_after() {
        assert_eq!(file_due_at(date(2024, 3, 8)), at("2024-03-09T16:00:00Z"));
        assert_eq!(file_due_at(date(2024, 3, 11)), at("2024-03-12T15:00:00Z"));
    }
}
