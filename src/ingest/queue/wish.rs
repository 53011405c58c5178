//! What a row of the queue asks for, if it makes sense.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{
    Calendar, Dataset, Symbol, SymbolError, Timeframe, TimeframeError, TimeframeSet, days_until, last_finished_session,
    session_under_way,
};
use crate::store::NewRequest;

/// Bars of a symbol that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The symbol.
    pub symbol: Symbol,
    /// First and last trading date. The last may be of a session that is under way.
    pub dates: RangeInclusive<Date>,
    /// Lengths of bars; never empty.
    pub timeframes: TimeframeSet,
}

/// A request that cannot be meant. Other programs write them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// No symbol.
    #[error("symbol: {0}")]
    Symbol(#[from] SymbolError),
    /// A timeframe that does not exist.
    #[error("timeframes: {0}")]
    Timeframe(#[from] TimeframeError),
    /// No timeframes.
    #[error("timeframes: the list is empty; name some of 1m 5m 15m 1h 4h day")]
    NoTimeframes,
    /// The vendor's day bars among the timeframes.
    #[error(
        "timeframes: day_official is the vendor's own day bar and comes beside the others: leave it out of the list"
    )]
    OfficialDay,
    /// Zero days.
    #[error("days_to_backfill: there is nothing to load in 0 days; give 1 or more")]
    NoDays,
    /// From after to.
    #[error("from_date {from} lies after to_date {to}")]
    Backwards {
        /// First date.
        from: Date,
        /// Last date.
        to: Date,
    },
    /// Not traded yet.
    #[error("from_date {from} lies in the future: for {dataset} it is {today}")]
    Future {
        /// First date.
        from: Date,
        /// Market.
        dataset: Dataset,
        /// The date there.
        today: Date,
    },
    /// Before the vendor's first file.
    #[error("to_date {to} lies before the vendor's first file of {dataset}, which is of {first}")]
    BeforeFirst {
        /// Last date.
        to: Date,
        /// Market.
        dataset: Dataset,
        /// Its first date.
        first: Date,
    },
    /// The program is older than its data. This is no fault of the request.
    #[error(
        "today, {today}, is outside the trading calendar of this build, which ends {last}: install a newer one",
        last = Calendar::LAST
    )]
    CalendarEnded {
        /// The date on the market's clock.
        today: Date,
    },
}

impl Wish {
    /// What a request asks for now. Dates that nobody can load stand for the nearest that can be: programs ask for everything
    /// since a year, and up to the end of this one.
    pub fn of(request: &NewRequest, now: Timestamp) -> Result<Self, WishError> {
        let symbol = Symbol::from_ticker(&request.symbol)?;
        let timeframes: TimeframeSet = request.timeframes.parse()?;
        if timeframes.contains(Timeframe::DayOfficial) {
            return Err(WishError::OfficialDay);
        }
        if timeframes.is_empty() {
            return Err(WishError::NoTimeframes);
        }
        let dates = dates(request, symbol.dataset(), now)?;
        Ok(Self { symbol, dates, timeframes })
    }
}

fn dates(request: &NewRequest, dataset: Dataset, now: Timestamp) -> Result<RangeInclusive<Date>, WishError> {
    let (first, today) = (dataset.first_date(), dataset.market().date_of(now));
    if Calendar::check(today).is_err() {
        return Err(WishError::CalendarEnded { today });
    }
    match (request.from, request.to) {
        (Some(from), Some(to)) if from > to => return Err(WishError::Backwards { from, to }),
        (Some(from), _) if from > today => return Err(WishError::Future { from, dataset, today }),
        (_, Some(to)) if to < first => return Err(WishError::BeforeFirst { to, dataset, first }),
        (None, _) if request.days_to_backfill == 0 => return Err(WishError::NoDays),
        _ => {}
    }
    let finished = last_finished_session(dataset, now);
    let newest = session_under_way(dataset, now).unwrap_or(finished);
    let to = request.to.map_or(newest, |to| to.min(newest));
    let from = match request.from {
        Some(from) => from.max(first),
        None => *days_until(dataset, request.days_to_backfill, to.min(finished)).start(),
    };
    // A start after the newest session (on a weekend, say) has nothing to load yet; it is no mistake.
    Ok(from..=to.max(from))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// Monday noon in New York.
    const NOON: &str = "2026-10-05T16:00:00Z";
    /// Sunday.
    const SUNDAY: &str = "2026-10-04T16:00:00Z";

    fn request(symbol: &str) -> NewRequest {
        NewRequest {
            symbol: symbol.to_owned(),
            days_to_backfill: 5,
            from: None,
            to: None,
            timeframes: "1m,day".to_owned(),
            priority: 0,
        }
    }

    fn wish(change: impl FnOnce(&mut NewRequest), now: &str) -> Result<(Date, Date), String> {
        let mut request = request("SPY");
        change(&mut request);
        let wish = Wish::of(&request, now.parse().unwrap()).map_err(|error| error.to_string())?;
        Ok(wish.dates.into_inner())
    }

    #[test]
    fn days_count_back_from_the_last_finished_session_or_the_last_date() {
        let (monday, friday) = (date(2026, 10, 5), date(2026, 10, 2));
        assert_eq!(wish(|_| {}, NOON), Ok((date(2026, 9, 28), monday)), "with the session under way");
        assert_eq!(wish(|_| {}, SUNDAY), Ok((date(2026, 9, 28), friday)));
        assert_eq!(
            wish(|request| request.to = Some(date(2026, 9, 4)), NOON),
            Ok((date(2026, 8, 31), date(2026, 9, 4)))
        );
        assert_eq!(wish(|request| request.days_to_backfill = u32::MAX, NOON), Ok((date(2003, 9, 10), monday)));
    }

    #[test]
    fn dates_nobody_can_load_stand_for_the_nearest_that_can_be() {
        let since = |from, to| move |request: &mut NewRequest| (request.from, request.to) = (Some(from), to);
        let end_of_year = Some(date(2026, 12, 31));
        assert_eq!(wish(since(date(1990, 1, 1), end_of_year), NOON), Ok((date(2003, 9, 10), date(2026, 10, 5))));
        assert_eq!(wish(since(date(2026, 10, 3), None), SUNDAY), Ok((date(2026, 10, 3), date(2026, 10, 3))));
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (change, message) in [
            (
                (|request| request.symbol = "A B".to_owned()) as fn(&mut NewRequest),
                "symbol: `A B` is not a ticker: it is empty or `*`, longer than 64 bytes, or has spaces, commas or control characters",
            ),
            (|request| request.symbol = "F:ESZ6".to_owned(), "symbol: `F:ESZ6`: futures are not supported"),
            (
                |request| request.timeframes = "1m,2m".to_owned(),
                "timeframes: `2m` is not a timeframe (known: 1m 5m 15m 1h 4h day)",
            ),
            (|request| request.timeframes.clear(), "timeframes: the list is empty; name some of 1m 5m 15m 1h 4h day"),
            (
                |request| request.timeframes = "day_official".to_owned(),
                "timeframes: day_official is the vendor's own day bar and comes beside the others: leave it out of the list",
            ),
            (
                |request| request.days_to_backfill = 0,
                "days_to_backfill: there is nothing to load in 0 days; give 1 or more",
            ),
            (
                |request| (request.from, request.to) = (Some(date(2026, 9, 2)), Some(date(2026, 9, 1))),
                "from_date 2026-09-02 lies after to_date 2026-09-01",
            ),
            (
                |request| request.from = Some(date(2026, 10, 6)),
                "from_date 2026-10-06 lies in the future: for stocks it is 2026-10-05",
            ),
            (
                |request| request.to = Some(date(1999, 1, 4)),
                "to_date 1999-01-04 lies before the vendor's first file of stocks, which is of 2003-09-10",
            ),
        ] {
            assert_eq!(wish(change, NOON), Err(message.to_owned()));
        }
        assert!(matches!(
            Wish::of(&request("SPY"), "2029-01-03T00:00:00Z".parse().unwrap()),
            Err(WishError::CalendarEnded { .. })
        ));
    }
}
