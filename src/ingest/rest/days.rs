//! Rows of the REST API cut into trading days, and days rolled up into bars.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::RawMinute;
use super::plan::{SETTLING, is_provisional};
use crate::aggregate::{DayGrid, roll_up};
use crate::ingest::minutes::put_in_order;
use crate::model::{Bar, Dataset, Minute, TimeframeSet};
use crate::store::SymbolDay;

/// A day's minutes, strictly ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct DayMinutes {
    /// Trading date.
    pub date: Date,
    /// Its minutes; none if there was no trade.
    pub minutes: Vec<Minute>,
    /// Rows read, duplicates included.
    pub rows: u64,
    /// Rows that disagreed with another one of the same minute and lost to it.
    pub conflicting: u64,
}

/// Cuts the pages of one request into days. A day is whole once a row of a later one has come, or the last page has.
#[derive(Debug)]
pub struct DayCutter {
    dataset: Dataset,
    /// Dates asked for that have not been handed on, descending.
    waiting: Vec<Date>,
    /// The date of the last row, and its rows so far.
    open: Option<(DayGrid, DayMinutes)>,
}

impl DayCutter {
    /// For a request made for some dates, ascending.
    pub fn new(dataset: Dataset, dates: &[Date]) -> Self {
        Self { dataset, waiting: dates.iter().rev().copied().collect(), open: None }
    }

    /// Takes the rows of a page, ascending; gives the days that are whole now.
    pub fn add(&mut self, rows: &[RawMinute]) -> Vec<DayMinutes> {
        let mut whole = Vec::new();
        for row in rows {
            let is_open = |open: &(DayGrid, _)| open.0.minute_at(row.timestamp_ms).is_some();
            if !self.open.as_ref().is_some_and(is_open) {
                whole.extend(self.close());
                let Ok(instant) = Timestamp::from_millisecond(row.timestamp_ms) else { continue };
                let date = self.dataset.market().date_of(instant);
                // Days before this one have no row.
                while let Some(passed) = self.waiting.pop_if(|waiting| *waiting < date) {
                    whole.push(DayMinutes { date: passed, minutes: Vec::new(), rows: 0, conflicting: 0 });
                }
                let day = DayMinutes { date, minutes: Vec::new(), rows: 0, conflicting: 0 };
                self.open = Some((DayGrid::new(self.dataset, date), day));
            }
            if let Some((grid, day)) = &mut self.open
                && let Some(minute) = grid.minute_at(row.timestamp_ms)
            {
                day.rows += 1;
                let RawMinute { prices, vwap, .. } = *row;
                let (volume, trades) = (row.volume.unwrap_or(0.0), row.trades.unwrap_or(0));
                day.minutes.push(Minute { minute, prices, volume, vwap, trades });
            }
        }
        whole
    }

    /// The days that are left after the last page.
    pub fn finish(&mut self) -> Vec<DayMinutes> {
        let mut whole: Vec<_> = self.close().into_iter().collect();
        let empty = |date| DayMinutes { date, minutes: Vec::new(), rows: 0, conflicting: 0 };
        whole.extend(std::iter::from_fn(|| self.waiting.pop()).map(empty));
        whole
    }

    fn close(&mut self) -> Option<DayMinutes> {
        let (_, mut day) = self.open.take()?;
        // Between dates that are missing lie some that are there already.
        self.waiting.pop_if(|waiting| *waiting == day.date)?;
        if !day.minutes.is_sorted_by(|a, b| a.minute < b.minute) {
            day.conflicting = put_in_order(&mut day.minutes).conflicting;
        }
        Some(day)
    }
}

/// Rolls a day up. Of one whose session was not over when its minutes were asked for (`now`), the bars that were known then:
/// those whose last minute had ended, and can have been reported (`is_delayed`: a plan whose data lag).
pub fn roll_up_day(
    dataset: Dataset,
    day: &DayMinutes,
    timeframes: TimeframeSet,
    now: Timestamp,
    is_delayed: bool,
) -> SymbolDay {
    let grid = DayGrid::new(dataset, day.date);
    let mut bars: Vec<Bar> = Vec::new();
    roll_up(&grid, dataset, timeframes, &day.minutes, &mut bars);
    let is_provisional = is_provisional(dataset, day.date, now);
    if is_provisional {
        let lag = if is_delayed { SETTLING } else { SignedDuration::ZERO };
        let known_until = now.saturating_sub(lag).unwrap_or(now).as_millisecond();
        bars.retain(|bar| bar.end_timestamp_ms <= known_until);
    }
    SymbolDay { date: day.date, timeframes, bars, is_provisional, is_absent_in_file: false, rows_read: day.rows }
}

#[cfg(test)]
#[path = "days_tests.rs"]
mod tests;
