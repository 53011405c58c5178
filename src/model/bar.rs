//! Bars: what was traded in an interval.

use super::Timeframe;

/// Part of a trading day. Bars never mix two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Session {
    /// Before the regular open, 09:30 New York.
    Pre,
    /// From the open to the regular close (16:00, or 13:00 on early closes); the whole UTC date in 24-hour markets.
    Regular,
    /// From the regular close on. The closing auction prints here, in the first minute.
    Post,
}

impl Session {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pre, Self::Regular, Self::Post];

    /// What a stored word means, if anything.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// The word stored in `historical_bars.session`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Regular => "regular",
            Self::Post => "post",
        }
    }
}

/// Where a bar's VWAP comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VwapMethod {
    /// Exact: every contributing minute had the vendor's own VWAP.
    Vendor,
    /// At least one contributing minute was estimated as (high + low) / 2.
    Estimate,
}

impl VwapMethod {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Vendor, Self::Estimate];

    /// What a stored word means, if anything.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// The word stored in `historical_bars.vwap_method`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Estimate => "estimate",
        }
    }
}

/// Why four prices are not a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BarError {
    /// NaN or infinite.
    #[error("a price is not a finite number")]
    NotFinite,
    /// The high is below another price, or the low above one.
    #[error("high is not the highest or low not the lowest of the four prices")]
    Order,
}

/// Open, high, low and close of a bar: finite, `low` ≤ `open`, `close` ≤ `high`. As traded, never adjusted.
///
/// Negative and zero prices are possible (some indices have them); which markets may is the decoder's business.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

impl Prices {
    /// Checks the four prices against each other.
    #[inline]
    pub fn checked(open: f64, high: f64, low: f64, close: f64) -> Result<Self, BarError> {
        // One finite test is enough: if high and low are finite, what lies between them is.
        if !(high.is_finite() && low.is_finite()) || open.is_nan() || close.is_nan() {
            return Err(BarError::NotFinite);
        }
        if high < open || high < close || low > open || low > close {
            return Err(BarError::Order);
        }
        Ok(Self { open, high, low, close })
    }
}

/// One minute bar as a vendor delivers it, placed on its trading date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    /// Minutes since the trading date's midnight (New York, or UTC in 24-hour markets), counted in elapsed time.
    pub minute: u16,
    /// The minute's prices.
    pub prices: Prices,
    /// Shares (contracts, coins, quotes); fractional. 0 where the market has none.
    pub volume: f64,
    /// The vendor's exact VWAP of the minute, where the source carries it. May lie outside low..high.
    pub vwap: Option<f64>,
    /// Number of transactions; 0 where the source has none.
    pub trades: u64,
}

/// A row of `historical_bars`, less its symbol and session date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Length of the bar.
    pub timeframe: Timeframe,
    /// Start, milliseconds since the Unix epoch, UTC.
    pub timestamp_ms: i64,
    /// When the bar is known: its bucket's end, cut at the session's end. Milliseconds since the Unix epoch, UTC.
    pub end_timestamp_ms: i64,
    /// Prices as traded.
    pub prices: Prices,
    /// Traded volume; `None` where the market has none.
    pub volume: Option<f64>,
    /// Volume-weighted average price; `None` where there is no volume to weigh with.
    pub vwap: Option<f64>,
    /// How `vwap` was made; `None` exactly where `vwap` is.
    pub vwap_method: Option<VwapMethod>,
    /// Number of transactions; `None` where the source has none.
    pub trades: Option<u64>,
    /// The session all its minutes belong to.
    pub session: Session,
    /// Minute bars it was made of; 0 for a bar taken whole from the vendor.
    pub minutes: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_out_of_order_are_no_bar() {
        assert!(Prices::checked(10.0, 11.0, 9.0, 10.5).is_ok());
        assert!(Prices::checked(-3.0, 0.0, -5.0, -1.0).is_ok(), "index values may be negative");
        for (o, h, l, c) in
            [(10.0, 9.9, 9.0, 9.5), (10.0, 11.0, 10.1, 10.5), (10.0, 11.0, 9.0, 11.5), (8.9, 11.0, 9.0, 10.0)]
        {
            assert_eq!(Prices::checked(o, h, l, c), Err(BarError::Order));
        }
    }

    #[test]
    fn prices_that_are_not_numbers_are_no_bar() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for place in 0..4 {
                let mut p = [10.0; 4];
                p[place] = bad;
                assert!(Prices::checked(p[0], p[1], p[2], p[3]).is_err(), "{bad} at {place}");
            }
        }
    }
}
