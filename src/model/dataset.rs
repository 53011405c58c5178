//! The vendor's markets.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday, date};

use super::{Market, Timeframe, TimeframeSet, xnys};

/// A market the vendor publishes minute files for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dataset {
    /// US stocks and ETFs, consolidated tape.
    Stocks,
    /// US options.
    Options,
    /// US indices: prices without volume.
    Indices,
    /// Currency pairs; volume counts quotes.
    Forex,
    /// Crypto pairs.
    Crypto,
}

/// The two kinds of aggregate file the vendor publishes per dataset and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// `minute_aggs_v1`: minute bars of the whole market.
    Minute,
    /// `day_aggs_v1`: the vendor's own day bars.
    Day,
}

impl FileKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Day];

    /// Second part of the vendor's object keys.
    pub const fn vendor_name(self) -> &'static str {
        match self {
            Self::Minute => "minute_aggs_v1",
            Self::Day => "day_aggs_v1",
        }
    }

    /// The word the ledger has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
        }
    }

    /// The timeframes of the bars that come from it.
    pub fn timeframes(self) -> TimeframeSet {
        match self {
            Self::Minute => TimeframeSet::of(Timeframe::ROLLED),
            Self::Day => TimeframeSet::of([Timeframe::DayOfficial]),
        }
    }
}

/// A word that is no kind of file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of file (known: minute day)")]
pub struct FileKindError(pub String);

impl FromStr for FileKind {
    type Err = FileKindError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| FileKindError(word.to_owned()))
    }
}

/// Whether the vendor publishes a file for a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// A trading day: its file must come.
    Due,
    /// No trading day, yet files of such dates exist (index files on US holidays): taken when there.
    Possible,
    /// No trading day.
    Closed,
}

impl Dataset {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Stocks, Self::Options, Self::Indices, Self::Forex, Self::Crypto];

    /// The word typed on the command line and stored beside symbols.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stocks => "stocks",
            Self::Options => "options",
            Self::Indices => "indices",
            Self::Forex => "forex",
            Self::Crypto => "crypto",
        }
    }

    /// First part of the vendor's object keys.
    pub const fn vendor_prefix(self) -> &'static str {
        match self {
            Self::Stocks => "us_stocks_sip",
            Self::Options => "us_options_opra",
            Self::Indices => "us_indices",
            Self::Forex => "global_forex",
            Self::Crypto => "global_crypto",
        }
    }

    /// What the vendor's tickers of this market start with; nothing for stocks.
    pub const fn ticker_prefix(self) -> &'static str {
        match self {
            Self::Stocks => "",
            Self::Options => "O:",
            Self::Indices => "I:",
            Self::Forex => "C:",
            Self::Crypto => "X:",
        }
    }

    /// Date of the vendor's first file.
    pub const fn first_date(self) -> Date {
        match self {
            Self::Stocks => date(2003, 9, 10),
            Self::Options => date(2014, 6, 2),
            Self::Indices => date(2023, 2, 14),
            Self::Forex => date(2009, 9, 25),
            Self::Crypto => date(2013, 11, 1),
        }
    }

    /// Which clock cuts its days.
    pub const fn market(self) -> Market {
        match self {
            Self::Stocks | Self::Options | Self::Indices => Market::NewYork,
            Self::Forex | Self::Crypto => Market::RoundTheClock,
        }
    }

    /// Most minutes of a date in which it usually trades: 04:00–20:00, the regular session, or the whole day.
    pub const fn trading_minutes(self) -> u64 {
        match self {
            Self::Stocks => 16 * 60,
            Self::Options | Self::Indices => 7 * 60,
            Self::Forex | Self::Crypto => 24 * 60,
        }
    }

    /// Whether its files carry volume and transactions.
    pub const fn has_volume(self) -> bool {
        !matches!(self, Self::Indices)
    }

    /// Whether its volume is traded quantity, so that a VWAP means something. (Forex volume counts quotes.)
    pub const fn has_vwap(self) -> bool {
        matches!(self, Self::Stocks | Self::Options | Self::Crypto)
    }

    /// Whether a price must be above zero. Some indices (breadth, tick) go to zero and below.
    pub const fn prices_are_positive(self) -> bool {
        !matches!(self, Self::Indices)
    }

    /// Whether the vendor publishes a file for this date.
    pub fn expectation(self, date: Date) -> Expectation {
        let traded = match self {
            Self::Stocks | Self::Options | Self::Indices => xnys().session(date).is_some(),
            Self::Forex => date.weekday() != Weekday::Saturday,
            Self::Crypto => true,
        };
        let weekday = !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        match self {
            _ if date < self.first_date() => Expectation::Closed,
            _ if traded => Expectation::Due,
            Self::Indices if weekday => Expectation::Possible,
            _ => Expectation::Closed,
        }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no dataset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a dataset (known: stocks options indices forex crypto)")]
pub struct DatasetError(pub String);

impl FromStr for Dataset {
    type Err = DatasetError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|dataset| dataset.as_str() == word).ok_or_else(|| DatasetError(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_expected_by_the_calendar_of_their_market() {
        let friday_holiday = date(2023, 4, 7);
        assert_eq!(Dataset::Stocks.expectation(friday_holiday), Expectation::Closed);
        assert_eq!(Dataset::Indices.expectation(friday_holiday), Expectation::Possible);
        assert_eq!(Dataset::Forex.expectation(friday_holiday), Expectation::Due);
        let saturday = date(2023, 4, 8);
        assert_eq!(Dataset::Indices.expectation(saturday), Expectation::Closed);
        assert_eq!(Dataset::Forex.expectation(saturday), Expectation::Closed);
        assert_eq!(Dataset::Forex.expectation(date(2023, 4, 9)), Expectation::Due, "a Sunday");
        assert_eq!(Dataset::Crypto.expectation(saturday), Expectation::Due);
        assert_eq!(Dataset::Crypto.expectation(date(2013, 10, 31)), Expectation::Closed, "before the first file");
    }
}
