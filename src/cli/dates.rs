//! Which dates are meant.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{Calendar, Dataset, days_until, last_finished_session, session_under_way};

/// Calendar days loaded when neither `--days` nor `--from` is given.
const DEFAULT_DAYS: u32 = 90;

/// Which dates are meant, before it is known for which dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateRule {
    /// This many calendar days, up to and with the last finished session.
    Days(u32),
    /// From a date on, up to and with another or the last finished session.
    From {
        /// First date.
        from: Date,
        /// Last date.
        to: Option<Date>,
    },
}

/// Dates that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// `--days=0`.
    #[error("--days=0: there is nothing to load in 0 days; give 1 or more")]
    NoDays,
    /// From after to.
    #[error("--from={from} lies after --to={to}: exchange them")]
    Backwards {
        /// First date.
        from: Date,
        /// Last date.
        to: Date,
    },
    /// Not traded yet.
    #[error("{flag}={date} lies in the future: for {dataset} it is {today}")]
    Future {
        /// The flag.
        flag: &'static str,
        /// Its date.
        date: Date,
        /// The dataset whose clock says so.
        dataset: Dataset,
        /// The date there.
        today: Date,
    },
    /// Not in the trading calendar.
    #[error("{flag}={date} is outside the trading calendar, which covers {first} to {last}", first = Calendar::FIRST, last = Calendar::LAST)]
    OutsideCalendar {
        /// The flag.
        flag: &'static str,
        /// Its date.
        date: Date,
    },
    /// Before the vendor's first file.
    #[error(
        "--from={from} lies before the vendor's first file of {dataset}: give --from={first} or later{}",
        if *dataset == Dataset::Stocks { "" } else { " (load datasets that begin earlier in a run of their own)" }
    )]
    BeforeFirst {
        /// The date.
        from: Date,
        /// The dataset.
        dataset: Dataset,
        /// Its first date.
        first: Date,
    },
    /// The program is older than its data.
    #[error(
        "today, {today}, is outside the trading calendar of this build, which ends {last}: install a newer one",
        last = Calendar::LAST
    )]
    CalendarEnded {
        /// The date on the exchange's clock.
        today: Date,
    },
}

impl DateRule {
    /// The rule given by `--days`, `--from` and `--to`, checked as far as it can be without a dataset.
    pub fn of(days: Option<u32>, from: Option<Date>, to: Option<Date>) -> Result<Self, DateError> {
        for (flag, date) in [("--from", from), ("--to", to)] {
            if let Some(date) = date.filter(|date| Calendar::check(*date).is_err()) {
                return Err(DateError::OutsideCalendar { flag, date });
            }
        }
        match (days, from, to) {
            (Some(0), _, _) => Err(DateError::NoDays),
            (_, Some(from), Some(to)) if from > to => Err(DateError::Backwards { from, to }),
            (_, Some(from), to) => Ok(Self::From { from, to }),
            (days, None, _) => Ok(Self::Days(days.unwrap_or(DEFAULT_DAYS))),
        }
    }

    /// The same with the session that is under way, unless a last date is named.
    pub fn dates_so_far(self, dataset: Dataset, now: Timestamp) -> Result<RangeInclusive<Date>, DateError> {
        let dates = self.dates(dataset, now)?;
        let is_named = matches!(self, Self::From { to: Some(_), .. });
        let today = session_under_way(dataset, now).filter(|_| !is_named);
        Ok(*dates.start()..=today.unwrap_or(*dates.end()).max(*dates.end()))
    }

    /// The dates meant for a dataset, both ends included.
    pub fn dates(self, dataset: Dataset, now: Timestamp) -> Result<RangeInclusive<Date>, DateError> {
        let today = dataset.market().date_of(now);
        if Calendar::check(today).is_err() {
            return Err(DateError::CalendarEnded { today });
        }
        let finished = last_finished_session(dataset, now);
        let first = dataset.first_date();
        match self {
            Self::Days(days) => Ok(days_until(dataset, days, finished)),
            Self::From { from, to } => {
                for (flag, date) in [("--from", Some(from)), ("--to", to)] {
                    if let Some(date) = date.filter(|date| *date > today) {
                        return Err(DateError::Future { flag, date, dataset, today });
                    }
                }
                if from < first {
                    return Err(DateError::BeforeFirst { from, dataset, first });
                }
                // A start after the last finished session (on a weekend, say) has nothing to load yet; it is no mistake.
                Ok(from..=to.unwrap_or(finished.max(from)))
            }
        }
    }
}

/// Reads a date as people and programs write it, and nothing that merely begins like one.
pub(super) fn parse_date(text: &str) -> Result<Date, String> {
    let date: Option<Date> = text.parse().ok();
    date.filter(|date| date.to_string() == text)
        .ok_or_else(|| "not a date of the form YYYY-MM-DD, such as 2024-07-31".to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// A Friday, 11:00 in New York.
    const NOW: &str = "2024-07-12T15:00:00Z";

    fn dates(
        dataset: Dataset,
        days: Option<u32>,
        from: Option<Date>,
        to: Option<Date>,
    ) -> Result<(Date, Date), String> {
        DateRule::of(days, from, to)
            .and_then(|rule| rule.dates(dataset, NOW.parse().unwrap()))
            .map(RangeInclusive::into_inner)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn days_count_back_from_the_last_finished_session() {
        let thursday = date(2024, 7, 11);
        assert_eq!(dates(Dataset::Stocks, Some(1), None, None), Ok((thursday, thursday)));
        assert_eq!(dates(Dataset::Crypto, Some(2), None, None), Ok((date(2024, 7, 10), thursday)));
        assert_eq!(dates(Dataset::Stocks, None, None, None), Ok((date(2024, 4, 13), thursday)), "90 days");
        assert_eq!(dates(Dataset::Indices, Some(9999), None, None), Ok((date(2023, 2, 14), thursday)), "clamped");
        assert_eq!(dates(Dataset::Stocks, Some(u32::MAX), None, None), Ok((date(2003, 9, 10), thursday)));
    }

    #[test]
    fn from_and_to_are_inclusive_and_today_is_allowed() {
        let today = date(2024, 7, 12);
        let monday = date(2024, 7, 8);
        assert_eq!(dates(Dataset::Stocks, None, Some(monday), None), Ok((monday, date(2024, 7, 11))));
        assert_eq!(dates(Dataset::Stocks, None, Some(monday), Some(today)), Ok((monday, today)));
        assert_eq!(dates(Dataset::Stocks, None, Some(today), None), Ok((today, today)), "nothing yet, and no mistake");
    }

    #[test]
    fn dates_that_cannot_be_meant_are_refused() {
        let stocks = Dataset::Stocks;
        let some = |y, m, d| Some(date(y, m, d));
        for (found, message) in [
            (dates(stocks, Some(0), None, None), "--days=0: there is nothing to load in 0 days; give 1 or more"),
            (
                dates(stocks, None, some(2024, 7, 2), some(2024, 7, 1)),
                "--from=2024-07-02 lies after --to=2024-07-01: exchange them",
            ),
            (
                dates(stocks, None, some(2024, 7, 1), some(2024, 7, 13)),
                "--to=2024-07-13 lies in the future: for stocks it is 2024-07-12",
            ),
            (
                dates(stocks, None, some(2024, 8, 1), None),
                "--from=2024-08-01 lies in the future: for stocks it is 2024-07-12",
            ),
            (
                dates(stocks, None, some(1999, 1, 4), None),
                "--from=1999-01-04 is outside the trading calendar, which covers 2003-09-10 to 2028-12-31",
            ),
            (
                dates(stocks, None, some(2024, 1, 4), some(2029, 1, 1)),
                "--to=2029-01-01 is outside the trading calendar, which covers 2003-09-10 to 2028-12-31",
            ),
            (
                dates(Dataset::Indices, None, some(2020, 1, 2), None),
                "--from=2020-01-02 lies before the vendor's first file of indices: give --from=2023-02-14 or later \
                 (load datasets that begin earlier in a run of their own)",
            ),
        ] {
            assert_eq!(found, Err(message.to_owned()));
        }
        let late = DateRule::Days(1).dates(stocks, "2029-01-03T00:00:00Z".parse().unwrap()).unwrap_err();
        assert_eq!(
            late.to_string(),
            "today, 2029-01-02, is outside the trading calendar of this build, which ends 2028-12-31: install a newer one"
        );
    }

    #[test]
    fn today_is_the_datasets_own() {
        let evening = "2024-07-13T01:00:00Z".parse().unwrap();
        let rule = DateRule::From { from: date(2024, 7, 13), to: None };
        assert!(rule.dates(Dataset::Crypto, evening).is_ok());
        assert!(rule.dates(Dataset::Stocks, evening).is_err(), "still the 12th in New York");
    }

    #[test]
    fn dates_are_written_one_way() {
        assert_eq!(parse_date("2024-07-01"), Ok(date(2024, 7, 1)));
        for text in ["20240701", "2024-7-1", "2024-07-01T00:00", "2024-02-30", "today", ""] {
            assert!(parse_date(text).is_err(), "{text}");
        }
    }
}
