//! A few minutes of a symbol, to see whether they may be had and how soon they come.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::de::IgnoredAny;

use super::{RestClient, RestError, Timeliness};
use crate::model::Symbol;

/// What came of a request for minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinutesProbe {
    /// Rows of the answer.
    pub rows: usize,
    /// Whether the vendor calls them late.
    pub timeliness: Timeliness,
    /// From asking to the answer's end, without the wait for the quota.
    pub elapsed: Duration,
    /// How far the vendor's clock is ahead of this machine's, in milliseconds; to about a second, which is how it is told.
    pub clock_ahead_ms: Option<i64>,
}

impl RestClient {
    /// Asks once for minutes that start in a range of milliseconds since the Unix epoch. A failure is not tried again; one that
    /// says "too many requests" is heeded.
    pub async fn probe(&self, symbol: &Symbol, range_ms: &RangeInclusive<i64>) -> Result<MinutesProbe, RestError> {
        let (what, url) = (format!("minutes of {symbol}"), self.minutes_url(symbol, range_ms));
        let permit = self.quota().acquire().await;
        let (sent_at, began) = (permit.rate(), Instant::now());
        let answer = self.send(&what, &url, permit).await?;
        let elapsed = began.elapsed();
        let now = Timestamp::now().as_millisecond();
        let clock_ahead_ms = answer.sent_at.map(|at| at.as_millisecond() - now);
        match answer.read::<IgnoredAny>(&what, &self.key) {
            Ok(envelope) => {
                let timeliness = envelope.timeliness();
                let rows = envelope.results.map_or(0, |rows| rows.len());
                Ok(MinutesProbe { rows, timeliness, elapsed, clock_ahead_ms })
            }
            Err(error) => {
                self.heed(&error, sent_at).await;
                Err(error)
            }
        }
    }
}
