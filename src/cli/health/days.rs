//! Which of the latest sessions are missing.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::model::{Dataset, Expectation, file_due_at};
use crate::store::{DayState, WatchlistEntry};

/// Sessions that are looked at: as many as a nightly run looks at.
const SESSIONS: usize = 10;

/// How long after its file is due a session must be there: a nightly run waits half an hour for a late file, and then has to
/// load.
pub(super) const GRACE: SignedDuration = SignedDuration::from_hours(2);

/// The latest trading dates of a market that must be there, ascending.
pub(in crate::cli) fn due_dates(dataset: Dataset, now: Timestamp) -> Vec<Date> {
    let today = dataset.market().date_of(now);
    let backwards = std::iter::successors(Some(today), |date| date.yesterday().ok());
    let backwards = backwards.take_while(|date| *date >= dataset.first_date());
    let is_due = |date: &Date| dataset.expectation(*date) == Expectation::Due && file_due_at(*date) + GRACE <= now;
    let mut dates: Vec<Date> = backwards.filter(is_due).take(SESSIONS).collect();
    dates.reverse();
    dates
}

/// Which of some dates nothing is loaded of for a symbol on the watchlist. What was wanted before it was on the list is
/// counted from that day back.
pub(in crate::cli) fn missing_of_symbol(
    entry: &WatchlistEntry,
    dates: &[Date],
    states: &BTreeMap<Date, DayState>,
) -> Vec<Date> {
    let added = entry.symbol.dataset().market().date_of(entry.added_at);
    let first = added.saturating_sub(i64::from(entry.days_to_backfill.min(36_500)).days());
    let is_there = |date: &Date| states.get(date).is_some_and(|day| !day.covered(entry.symbol.as_str()).is_empty());
    dates.iter().copied().filter(|date| *date >= first && !is_there(date)).collect()
}

/// Which of some dates are not loaded for everyone; nothing of a market of which none of them is.
pub(in crate::cli) fn missing_of_market(dates: &[Date], states: &BTreeMap<Date, DayState>) -> Option<Vec<Date>> {
    let is_whole = |date: &Date| states.get(date).is_some_and(|day| !day.everyone.is_empty());
    let missing: Vec<Date> = dates.iter().copied().filter(|date| !is_whole(date)).collect();
    (missing.len() < dates.len()).then_some(missing)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::model::{Symbol, Timeframe, TimeframeSet};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_session_must_be_there_two_hours_after_its_file_is_due() {
        let last = |dataset, now: &str| due_dates(dataset, at(now)).last().copied().unwrap();
        // Friday's file is due on Saturday at 11:00 in New York.
        assert_eq!(last(Dataset::Stocks, "2026-10-03T16:59:59Z"), date(2026, 10, 1));
        assert_eq!(last(Dataset::Stocks, "2026-10-03T17:00:00Z"), date(2026, 10, 2));
        assert_eq!(last(Dataset::Stocks, "2026-10-06T16:59:59Z"), date(2026, 10, 2), "over the weekend");
        assert_eq!(last(Dataset::Crypto, "2026-10-05T17:00:00Z"), date(2026, 10, 4), "a Sunday");
        let dates = due_dates(Dataset::Stocks, at("2026-09-12T17:00:00Z"));
        assert_eq!((dates.len(), dates[0], dates[9]), (10, date(2026, 8, 28), date(2026, 9, 11)), "without Labor Day");
    }

    fn states(of: &[(Date, TimeframeSet, &[&str])]) -> BTreeMap<Date, DayState> {
        let day = |(date, everyone, named): &(Date, TimeframeSet, &[&str])| {
            let named =
                named.iter().map(|symbol| ((*symbol).to_owned(), TimeframeSet::of(Timeframe::ROLLED))).collect();
            (*date, DayState { everyone: *everyone, named, ..DayState::default() })
        };
        of.iter().map(day).collect()
    }

    #[test]
    fn days_are_missing_of_what_was_wanted() {
        let dates = [date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 2)];
        let day = TimeframeSet::of([Timeframe::Day]);
        let states = states(&[(dates[0], day, &[]), (dates[1], TimeframeSet::EMPTY, &["A"])]);
        let entry = |ticker: &str, added_at: &str, days_to_backfill| WatchlistEntry {
            symbol: Symbol::from_ticker(ticker).unwrap(),
            days_to_backfill,
            active: true,
            priority: 0,
            added_at: at(added_at),
        };
        let missing = |entry| missing_of_symbol(&entry, &dates, &states);
        assert_eq!(missing(entry("A", "2026-01-01T12:00:00Z", 90)), [dates[2]], "everyone's bars are its, too");
        assert_eq!(missing(entry("B", "2026-01-01T12:00:00Z", 90)), [dates[1], dates[2]]);
        assert_eq!(missing(entry("B", "2026-10-03T12:00:00Z", 1)), [dates[2]], "no more was wanted");
        assert_eq!(missing_of_market(&dates, &states), Some(vec![dates[1], dates[2]]));
        assert_eq!(missing_of_market(&dates[1..], &states), None, "nobody loads all of it");
    }
}
