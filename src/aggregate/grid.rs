//! The buckets of one trading date.

use jiff::civil::{Date, time};

use crate::model::{Dataset, Market, Session, SessionKind, Timeframe, midnight, session_finished_at, xnys};

/// A bucket of a timeframe: the bar that starts at `start` is made of the minutes in `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// First minute, counted from the date's midnight in elapsed time.
    pub start: u16,
    /// Minute after the last: when the bar is known.
    pub end: u16,
    /// The session all its minutes belong to.
    pub session: Session,
}

/// A stretch of one session; its buckets are counted from `anchor`.
#[derive(Debug, Clone, Copy)]
struct Segment {
    session: Session,
    start: u16,
    anchor: u16,
    end: u16,
}

/// The sessions of one trading date as instants, and the bucket of every minute of it.
///
/// New York dates have three segments: pre-market up to 09:30 with buckets counted from 04:00, regular hours from 09:30
/// to the close (16:00; 13:00 on early closes; 16:00 also on a date that is no session), and post-market from the close.
/// Minutes before 04:00 and from 20:00 on stay on their segment's grid. 24-hour markets have one segment per UTC date.
/// Clock changes are resolved here, once per date: everything after is counted in elapsed minutes.
#[derive(Debug, Clone)]
pub struct DayGrid {
    date: Date,
    midnight_ms: i64,
    official_end_ms: i64,
    length: u16,
    segments: Vec<Segment>,
}

const MINUTE_MS: i64 = 60_000;

impl DayGrid {
    /// Most minutes a date can have: 25 hours, when clocks go back.
    pub const MAX_MINUTES: usize = 25 * 60;

    /// The grid of a dataset's date.
    pub fn new(dataset: Dataset, date: Date) -> Self {
        let market = dataset.market();
        let midnight_ms = midnight(market, date).as_millisecond();
        let minute_of = |instant: jiff::Timestamp| {
            let minutes = (instant.as_millisecond() - midnight_ms) / MINUTE_MS;
            u16::try_from(minutes).expect("Invariant: an instant of a date lies within 25 hours of its midnight")
        };
        let next_midnight =
            date.tomorrow().map_or(midnight_ms + 1440 * MINUTE_MS, |d| midnight(market, d).as_millisecond());
        let length =
            u16::try_from((next_midnight - midnight_ms) / MINUTE_MS).expect("Invariant: a date has at most 25 hours");
        let segments = match market {
            Market::RoundTheClock => {
                vec![Segment { session: Session::Regular, start: 0, anchor: 0, end: length }]
            }
            Market::NewYork => {
                let early = xnys().session(date) == Some(SessionKind::EarlyClose);
                let at = |hour, minute| minute_of(market.instant(date, time(hour, minute, 0, 0)));
                let (open, close) = (at(9, 30), at(if early { 13 } else { 16 }, 0));
                vec![
                    Segment { session: Session::Pre, start: 0, anchor: at(4, 0), end: open },
                    Segment { session: Session::Regular, start: open, anchor: open, end: close },
                    Segment { session: Session::Post, start: close, anchor: close, end: length },
                ]
            }
        };
        let official_end_ms = session_finished_at(dataset, date).as_millisecond();
        Self { date, midnight_ms, official_end_ms, length, segments }
    }

    /// The trading date.
    pub const fn date(&self) -> Date {
        self.date
    }

    /// Minutes of the date: 1440, or an hour less or more when clocks change.
    pub const fn length(&self) -> u16 {
        self.length
    }

    /// The instant of a minute of this date, milliseconds since the Unix epoch.
    pub const fn instant_ms(&self, minute: u16) -> i64 {
        self.midnight_ms + minute as i64 * MINUTE_MS
    }

    /// When the vendor's own day bar is complete: after the post-market, whose volume it includes.
    pub const fn official_end_ms(&self) -> i64 {
        self.official_end_ms
    }

    /// The minute of an instant (milliseconds since the Unix epoch), if it lies on this date.
    pub fn minute_at(&self, instant_ms: i64) -> Option<u16> {
        let minute = instant_ms.checked_sub(self.midnight_ms)?.div_euclid(MINUTE_MS);
        u16::try_from(minute).ok().filter(|minute| *minute < self.length)
    }

    /// First minute of the regular session and the minute after its last.
    pub fn regular(&self) -> (u16, u16) {
        self.segments
            .iter()
            .find(|segment| segment.session == Session::Regular)
            .map_or((0, self.length), |segment| (segment.start, segment.end))
    }

    /// The bucket of a minute; `None` for a minute that belongs to no bar of that timeframe (`day` bars are made of the
    /// regular session only) or not to this date.
    pub fn bucket(&self, timeframe: Timeframe, minute: u16) -> Option<Bucket> {
        let segment = self.segments.iter().find(|segment| (segment.start..segment.end).contains(&minute))?;
        let session = segment.session;
        let Some(length) = timeframe.minutes() else {
            // The day bar carries midnight and is known at the regular close.
            return (session == Session::Regular).then_some(Bucket { start: 0, end: segment.end, session });
        };
        let (length, anchor) = (i32::from(length), i32::from(segment.anchor));
        let start = anchor + (i32::from(minute) - anchor).div_euclid(length) * length;
        let clip = |minute: i32| {
            u16::try_from(minute.clamp(i32::from(segment.start), i32::from(segment.end)))
                .expect("Invariant: a clipped minute lies in its segment")
        };
        Some(Bucket { start: clip(start), end: clip(start + length), session })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn clock(grid: &DayGrid, timeframe: Timeframe, hour: u16, minute: u16) -> Option<(u16, u16, Session)> {
        grid.bucket(timeframe, hour * 60 + minute).map(|b| (b.start, b.end, b.session))
    }

    const fn hm(hour: u16, minute: u16) -> u16 {
        hour * 60 + minute
    }

    #[test]
    fn hours_are_counted_from_the_start_of_their_session() {
        // B-03
        let grid = DayGrid::new(Dataset::Stocks, date(2026, 10, 2));
        let regular = Session::Regular;
        assert_eq!(clock(&grid, Timeframe::H1, 9, 30), Some((hm(9, 30), hm(10, 30), regular)));
        assert_eq!(clock(&grid, Timeframe::H1, 15, 59), Some((hm(15, 30), hm(16, 0), regular)), "the last is short");
        assert_eq!(clock(&grid, Timeframe::H4, 13, 29), Some((hm(9, 30), hm(13, 30), regular)));
        assert_eq!(clock(&grid, Timeframe::H4, 13, 30), Some((hm(13, 30), hm(16, 0), regular)));
        assert_eq!(clock(&grid, Timeframe::H1, 9, 29), Some((hm(9, 0), hm(9, 30), Session::Pre)));
        assert_eq!(clock(&grid, Timeframe::H4, 8, 0), Some((hm(8, 0), hm(9, 30), Session::Pre)));
        assert_eq!(clock(&grid, Timeframe::H1, 16, 0), Some((hm(16, 0), hm(17, 0), Session::Post)), "the auction");
        assert_eq!(clock(&grid, Timeframe::Day, 12, 0), Some((0, hm(16, 0), regular)));
        assert_eq!(clock(&grid, Timeframe::Day, 16, 0), None);
        assert_eq!(clock(&grid, Timeframe::Day, 9, 29), None);
    }

    #[test]
    fn minutes_outside_the_hours_stay_on_their_segments_grid() {
        let grid = DayGrid::new(Dataset::Stocks, date(2026, 10, 2));
        assert_eq!(clock(&grid, Timeframe::H4, 3, 59), Some((0, hm(4, 0), Session::Pre)));
        assert_eq!(clock(&grid, Timeframe::H4, 20, 0), Some((hm(20, 0), hm(24, 0), Session::Post)));
        assert_eq!(clock(&grid, Timeframe::M5, 23, 59), Some((hm(23, 55), hm(24, 0), Session::Post)));
        assert_eq!(clock(&grid, Timeframe::M5, 24, 0), None, "the next date");
    }

    #[test]
    fn early_closes_end_the_regular_session_at_one() {
        // B-03, B-05
        let grid = DayGrid::new(Dataset::Stocks, date(2026, 11, 27));
        assert_eq!(clock(&grid, Timeframe::H1, 12, 59), Some((hm(12, 30), hm(13, 0), Session::Regular)));
        assert_eq!(clock(&grid, Timeframe::H4, 13, 0), Some((hm(13, 0), hm(17, 0), Session::Post)));
        assert_eq!(clock(&grid, Timeframe::Day, 12, 59), Some((0, hm(13, 0), Session::Regular)));
        assert_eq!(grid.regular(), (hm(9, 30), hm(13, 0)));
    }

    #[test]
    fn a_holiday_of_an_index_is_cut_like_a_full_session() {
        let grid = DayGrid::new(Dataset::Indices, date(2023, 4, 7));
        assert_eq!(grid.regular(), (hm(9, 30), hm(16, 0)));
    }

    #[test]
    fn round_the_clock_markets_have_one_segment_per_utc_date() {
        let grid = DayGrid::new(Dataset::Crypto, date(2024, 3, 10));
        assert_eq!(clock(&grid, Timeframe::H4, 23, 59), Some((hm(20, 0), hm(24, 0), Session::Regular)));
        assert_eq!(clock(&grid, Timeframe::Day, 23, 59), Some((0, hm(24, 0), Session::Regular)));
        assert_eq!(grid.length(), 1440);
    }

    #[test]
    fn clock_changes_shift_the_sessions_in_elapsed_time_and_cross_no_midnight() {
        // B-02
        // Sundays: no session, but the grid must hold for any date.
        let spring = DayGrid::new(Dataset::Indices, date(2024, 3, 10));
        assert_eq!((spring.length(), spring.regular().0), (1380, hm(8, 30)));
        assert_eq!(spring.bucket(Timeframe::H4, 0).unwrap().start, 0, "cut at midnight");
        let autumn = DayGrid::new(Dataset::Indices, date(2024, 11, 3));
        assert_eq!((autumn.length(), autumn.regular().0), (1500, hm(10, 30)));
        assert_eq!(autumn.bucket(Timeframe::H4, 1499).unwrap().end, 1500);
    }

    #[test]
    fn instants_and_minutes_are_each_others_inverse() {
        // B-02
        let grid = DayGrid::new(Dataset::Stocks, date(2024, 3, 11));
        for minute in [0, 570, 1439] {
            assert_eq!(grid.minute_at(grid.instant_ms(minute)), Some(minute));
        }
        assert_eq!(grid.minute_at(grid.instant_ms(0) - 1), None);
        assert_eq!(grid.minute_at(grid.instant_ms(1439) + 60_000), None);
        assert_eq!(grid.minute_at(i64::MIN), None);
    }
}
