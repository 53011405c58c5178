//! Which days are compared with the source. Pure.

use std::collections::BTreeSet;
use std::str::FromStr;

use jiff::civil::Date;

/// How many days are compared with the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// So many: the newest, the oldest, and the others evenly between.
    Days(usize),
    /// All.
    All,
}

impl Default for Sample {
    fn default() -> Self {
        Self::Days(5)
    }
}

/// A text that is no sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a number of days, 1 or more, nor `all`")]
pub struct SampleError(pub String);

impl FromStr for Sample {
    type Err = SampleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse::<usize>()) {
            ("all", _) => Ok(Self::All),
            (_, Ok(days)) if days > 0 => Ok(Self::Days(days)),
            _ => Err(SampleError(text.to_owned())),
        }
    }
}

impl Sample {
    /// The sample of ascending days. The same days give the same sample.
    pub fn of(self, days: &[Date]) -> BTreeSet<Date> {
        match self {
            Self::Days(1) => days.last().copied().into_iter().collect(),
            Self::Days(wanted) if wanted < days.len() => {
                (0..wanted).map(|place| days[place * (days.len() - 1) / (wanted - 1)]).collect()
            }
            _ => days.iter().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn samples_have_both_ends_and_are_spread() {
        let days: Vec<Date> = (1..=9).map(|day| date(2026, 10, day)).collect();
        let sampled = |sample: Sample| sample.of(&days).into_iter().map(Date::day).collect::<Vec<_>>();
        assert_eq!(sampled(Sample::Days(1)), [9]);
        assert_eq!(sampled(Sample::Days(2)), [1, 9]);
        assert_eq!(sampled(Sample::Days(5)), [1, 3, 5, 7, 9]);
        assert_eq!(sampled(Sample::Days(100)).len(), 9);
        assert_eq!(sampled(Sample::All).len(), 9);
        assert!(Sample::Days(3).of(&[]).is_empty());
        assert_eq!("all".parse(), Ok(Sample::All));
        for wrong in ["0", "-1", "some", ""] {
            assert!(wrong.parse::<Sample>().is_err(), "{wrong}");
        }
    }
}
