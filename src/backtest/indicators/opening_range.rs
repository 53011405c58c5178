//! The first minutes of a session.

use crate::backtest::{Bars, OpeningRange, SessionClock};

/// High, low, open and close of the bars in the first minutes of a session; `None` without any. Bars must be no longer than
/// `minutes`, which must be a multiple of their length.
pub fn opening_range(bars: &Bars, clock: &SessionClock, minutes: i32) -> Option<OpeningRange> {
    let end_ms = clock.open_ms + i64::from(minutes) * 60_000;
    let first = bars.first_from(clock.open_ms);
    let last = first + bars.end_ms[first..].iter().take_while(|end| **end <= end_ms).count();
    (first < last).then(|| OpeningRange {
        open: bars.open[first],
        high: bars.high[first..last].iter().copied().fold(f64::NEG_INFINITY, f64::max),
        low: bars.low[first..last].iter().copied().fold(f64::INFINITY, f64::min),
        close: bars.close[last - 1],
    })
}
