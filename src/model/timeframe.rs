//! Lengths of bars.

use std::fmt;
use std::str::FromStr;

/// Length of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Timeframe {
    /// One minute, as the vendor delivers it.
    M1 = 1,
    /// Five minutes.
    M5 = 2,
    /// Fifteen minutes.
    M15 = 3,
    /// One hour, from the start of its session.
    H1 = 4,
    /// Four hours, from the start of its session.
    H4 = 5,
    /// The regular session (the whole UTC date in 24-hour markets).
    Day = 6,
    /// The vendor's own day bar: official open and close, volume of all sessions. Never rolled up, never asked for by
    /// `--timeframes`.
    DayOfficial = 7,
}

impl Timeframe {
    /// Everything that can be rolled up from minutes, finest first.
    pub const ROLLED: [Self; 6] = [Self::M1, Self::M5, Self::M15, Self::H1, Self::H4, Self::Day];
    /// Everything that can be stored.
    pub const ALL: [Self; 7] = [Self::M1, Self::M5, Self::M15, Self::H1, Self::H4, Self::Day, Self::DayOfficial];

    /// The word stored in `historical_bars.timeframe` and typed on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::Day => "day",
            Self::DayOfficial => "day_official",
        }
    }

    /// Minutes of a full bucket; `None` where the session decides.
    pub const fn minutes(self) -> Option<u16> {
        match self {
            Self::M1 => Some(1),
            Self::M5 => Some(5),
            Self::M15 => Some(15),
            Self::H1 => Some(60),
            Self::H4 => Some(240),
            Self::Day | Self::DayOfficial => None,
        }
    }
}

impl serde::Serialize for Timeframe {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no timeframe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a timeframe (known: 1m 5m 15m 1h 4h day)")]
pub struct TimeframeError(pub String);

impl FromStr for Timeframe {
    type Err = TimeframeError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|timeframe| timeframe.as_str() == word)
            .ok_or_else(|| TimeframeError(word.to_owned()))
    }
}

/// A set of timeframes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct TimeframeSet(u8);

impl TimeframeSet {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// The set with these members.
    pub fn of(members: impl IntoIterator<Item = Timeframe>) -> Self {
        members.into_iter().fold(Self::EMPTY, Self::with)
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, timeframe: Timeframe) -> Self {
        Self(self.0 | 1 << timeframe as u8)
    }

    /// Whether it has this member.
    pub const fn contains(self, timeframe: Timeframe) -> bool {
        self.0 & 1 << timeframe as u8 != 0
    }

    /// Members of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Members of this one that the other lacks.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Members of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it has no members.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Members, finest first.
    pub fn iter(self) -> impl Iterator<Item = Timeframe> {
        Timeframe::ALL.into_iter().filter(move |timeframe| self.contains(*timeframe))
    }
}

impl fmt::Display for TimeframeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Timeframe::as_str).collect();
        f.pad(&words.join(","))
    }
}

impl fmt::Debug for TimeframeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl FromStr for TimeframeSet {
    type Err = TimeframeError;

    /// Reads the comma-separated form; the empty string is the empty set.
    fn from_str(list: &str) -> Result<Self, Self::Err> {
        list.split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .try_fold(Self::EMPTY, |set, word| Ok(set.with(word.parse()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_read_what_they_print() {
        let all = TimeframeSet::of(Timeframe::ROLLED);
        assert_eq!(all.to_string(), "1m,5m,15m,1h,4h,day");
        assert_eq!("day, 5m,1m".parse::<TimeframeSet>().unwrap().to_string(), "1m,5m,day");
        assert_eq!(all.minus("1m".parse().unwrap()).to_string(), "5m,15m,1h,4h,day");
        assert!("".parse::<TimeframeSet>().unwrap().is_empty());
        assert!("5m,2m".parse::<TimeframeSet>().is_err());
    }
}
