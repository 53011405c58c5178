//! When a market trades on a date, and how busily.

use jiff::civil::{Date, Weekday, time};

use crate::model::{Dataset, Market as Clock, SessionKind, midnight, xnys};

/// Minutes with the same business.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// First minute, counted from the date's midnight.
    pub from: u16,
    /// Minute after the last.
    pub to: u16,
    /// Business compared with an average regular minute.
    pub pace: f64,
    /// What the prices of these minutes do.
    pub phase: Phase,
}

/// What prices do in a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// On their way from the previous close to the open.
    Pre,
    /// On their way from the open to the close.
    Regular,
    /// Around the close.
    Post,
}

/// A market's trading hours on a date.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hours {
    /// Midnight of the date on its market's clock, nanoseconds since the Unix epoch.
    pub midnight_ns: i64,
    /// Stamp of the date's rows in the day file, nanoseconds since the Unix epoch.
    pub day_stamp_ns: i64,
    /// Ascending and without overlap.
    pub spans: Vec<Span>,
    /// The minute the closing auction prints in.
    pub auction: Option<u16>,
}

impl Hours {
    /// The minute after the last of a phase; `None` if the date has no such phase.
    pub(super) fn end_of(&self, phase: Phase) -> Option<u16> {
        self.spans.iter().filter(|span| span.phase == phase).map(|span| span.to).max()
    }

    /// The hours of a date the market publishes a file for.
    pub(super) fn of(dataset: Dataset, date: Date) -> Self {
        let midnight_ns = nanoseconds(midnight(dataset.market(), date));
        let day_stamp_ns = match dataset {
            Dataset::Indices => nanoseconds(Clock::NewYork.instant(date, time(1, 0, 0, 0))),
            _ => midnight_ns,
        };
        let close = match xnys().session(date) {
            Some(SessionKind::EarlyClose) => 13 * 60,
            _ => 16 * 60,
        };
        let (spans, auction) = match dataset {
            Dataset::Stocks => (stock_spans(close), Some(close)),
            Dataset::Options => (day_spans(close), None),
            Dataset::Indices if xnys().session(date).is_some() => (day_spans(close), None),
            // On US holidays only the indices of other countries' markets move.
            Dataset::Indices => (vec![span(3 * 60, 12 * 60, 0.02)], None),
            Dataset::Forex => (vec![forex_span(date)], None),
            Dataset::Crypto => {
                (vec![span(0, 13 * 60, 0.8), span(13 * 60, 21 * 60, 1.5), span(21 * 60, 24 * 60, 0.7)], None)
            }
        };
        Self { midnight_ns, day_stamp_ns, spans, auction }
    }
}

fn nanoseconds(instant: jiff::Timestamp) -> i64 {
    instant.as_second() * 1_000_000_000
}

fn span(from: u16, to: u16, pace: f64) -> Span {
    Span { from, to, pace, phase: Phase::Regular }
}

/// Busy at the open and the close, quiet at noon.
fn day_spans(close: u16) -> Vec<Span> {
    let noon = u16::midpoint(570, close);
    vec![
        span(570, 585, 2.5),
        span(585, 630, 1.5),
        span(630, noon, 0.8),
        span(noon, close - 60, 0.6),
        span(close - 60, close - 10, 1.1),
        span(close - 10, close, 2.5),
    ]
}

/// Pre-market from 04:00, post-market four hours from the close (to 20:00 or 17:00), a handful of prints outside both.
fn stock_spans(close: u16) -> Vec<Span> {
    let pre = |from, to, pace| Span { from, to, pace, phase: Phase::Pre };
    let post = |from, to, pace| Span { from, to, pace, phase: Phase::Post };
    let mut spans = vec![pre(230, 240, 0.0001), pre(240, 420, 0.003), pre(420, 480, 0.006), pre(480, 570, 0.02)];
    spans.extend(day_spans(close));
    spans.extend([
        // The minute of the closing auction belongs to the auction.
        post(close + 1, close + 30, 0.05),
        post(close + 30, close + 120, 0.012),
        post(close + 120, close + 240, 0.005),
        post(close + 240, close + 250, 0.0001),
    ]);
    spans
}

/// From Sunday 17:00 to Friday 17:00 New York, in UTC minutes.
fn forex_span(date: Date) -> Span {
    let five = Clock::NewYork.instant(date, time(17, 0, 0, 0));
    let minute = ((nanoseconds(five) - nanoseconds(midnight(Clock::RoundTheClock, date))) / 60_000_000_000) as u16;
    match date.weekday() {
        Weekday::Sunday => span(minute, 24 * 60, 0.5),
        Weekday::Friday => span(0, minute, 1.0),
        _ => span(0, 24 * 60, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn stamps_are_the_vendors_own() {
        // From the vendor's files: 2023-03-13 and, for indices, 2023-12-05.
        assert_eq!(Hours::of(Dataset::Stocks, date(2023, 3, 13)).day_stamp_ns, 1_678_680_000_000_000_000);
        assert_eq!(Hours::of(Dataset::Indices, date(2023, 12, 5)).day_stamp_ns, 1_701_756_000_000_000_000);
    }

    #[test]
    fn early_closes_end_the_post_market_early() {
        let hours = Hours::of(Dataset::Stocks, date(2025, 11, 28));
        assert_eq!((hours.auction, hours.end_of(Phase::Regular)), (Some(780), Some(780)));
        assert_eq!(hours.end_of(Phase::Post), Some(17 * 60 + 10), "ten stray minutes after 17:00");
    }

    #[test]
    fn currencies_rest_from_friday_to_sunday_evening_in_new_york() {
        assert_eq!(Hours::of(Dataset::Forex, date(2026, 7, 10)).spans[0].to, 21 * 60);
        assert_eq!(Hours::of(Dataset::Forex, date(2026, 1, 11)).spans[0].from, 22 * 60);
    }

    #[test]
    fn spans_ascend_without_overlap() {
        for dataset in Dataset::ALL {
            for day in [date(2026, 10, 1), date(2025, 11, 28)] {
                let hours = Hours::of(dataset, day);
                assert!(hours.spans.windows(2).all(|pair| pair[0].to <= pair[1].from), "{dataset} {day}");
                assert!(hours.spans.iter().all(|span| span.from < span.to && span.to <= 1440));
            }
        }
    }
}
