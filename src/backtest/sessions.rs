//! The trading days a run looks at, as instants.

use std::ops::RangeInclusive;

use jiff::civil::Date;

use crate::aggregate::DayGrid;
use crate::model::{Dataset, Market, xnys};

/// Regular hours of one trading day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionClock {
    /// The trading date: New York's, or the UTC date in 24-hour markets.
    pub date: Date,
    /// First instant of the regular session, milliseconds since the Unix epoch.
    pub open_ms: i64,
    /// The instant after its last: 16:00, 13:00 on early closes; the next midnight UTC in 24-hour markets.
    pub close_ms: i64,
}

impl SessionClock {
    /// Length of a full session in New York, minutes.
    pub const FULL_MINUTES: i32 = 390;

    /// Minutes from the regular open to an instant; `None` outside (open, close].
    pub fn minute(&self, instant_ms: i64) -> Option<i32> {
        let inside = self.open_ms < instant_ms && instant_ms <= self.close_ms;
        inside.then(|| ((instant_ms - self.open_ms) / 60_000) as i32)
    }

    /// Length of the regular session, minutes.
    pub const fn minutes(&self) -> i32 {
        ((self.close_ms - self.open_ms) / 60_000) as i32
    }

    /// Whether it ends before its market's full session does.
    pub const fn closes_early(&self) -> bool {
        self.minutes() < Self::FULL_MINUTES
    }
}

/// Trading days, ascending. Bars name theirs by its place here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sessions(Vec<SessionClock>);

impl Sessions {
    /// The sessions of a dataset's market between two dates: those of the exchange's calendar, or every UTC date.
    pub fn of(dataset: Dataset, dates: RangeInclusive<Date>) -> Self {
        let clock = |date| {
            let grid = DayGrid::new(dataset, date);
            let (open, close) = grid.regular();
            SessionClock { date, open_ms: grid.instant_ms(open), close_ms: grid.instant_ms(close) }
        };
        Self(match dataset.market() {
            Market::NewYork => xnys().sessions(dates).map(|(date, _)| clock(date)).collect(),
            Market::RoundTheClock => {
                let (first, last) = dates.into_inner();
                first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last).map(clock).collect()
            }
        })
    }

    /// How many.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them, by its place.
    pub fn get(&self, index: u32) -> &SessionClock {
        &self.0[index as usize]
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SessionClock> {
        self.0.iter()
    }

    /// The place of a date, if it is a session.
    pub fn index_of(&self, date: Date) -> Option<u32> {
        self.0.binary_search_by_key(&date, |clock| clock.date).ok().map(|index| index as u32)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn early_closes_and_clock_changes_are_instants() {
        let sessions = Sessions::of(Dataset::Stocks, date(2026, 11, 25)..=date(2026, 11, 30));
        let dates: Vec<_> = sessions.iter().map(|clock| clock.date.day()).collect();
        assert_eq!(dates, [25, 27, 30], "Thanksgiving and the weekend are left out");
        let friday = sessions.get(1);
        assert!(friday.closes_early() && friday.minutes() == 210);
        assert_eq!(friday.minute(friday.open_ms), None, "nothing is known at the open");
        assert_eq!(friday.minute(friday.open_ms + 15 * 60_000), Some(15));
        assert_eq!(friday.minute(friday.close_ms), Some(210));
        assert_eq!(friday.minute(friday.close_ms + 1), None);
        assert_eq!(sessions.index_of(date(2026, 11, 26)), None);
        assert_eq!(sessions.index_of(date(2026, 11, 30)), Some(2));
    }

    #[test]
    fn markets_round_the_clock_have_a_session_every_date() {
        let sessions = Sessions::of(Dataset::Crypto, date(2026, 11, 26)..=date(2026, 11, 29));
        assert_eq!(sessions.len(), 4);
        assert_eq!(sessions.get(3).minutes(), 1440);
    }
}
