//! Tickers of option contracts.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use super::Dataset;

/// What a contract gives the right to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OptionRight {
    /// To buy.
    Call,
    /// To sell.
    Put,
}

impl OptionRight {
    /// The vendor's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Put => "put",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Call => 'C',
            Self::Put => 'P',
        }
    }
}

/// What the ticker of a contract says: `O:SPY251219C00600000` is the call on SPY that ends on 2025-12-19 at 600.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OptionTicker {
    root: Box<str>,
    expiry: Date,
    right: OptionRight,
    strike_thousandths: u32,
}

/// A text that is no ticker of a contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the ticker of an option contract, such as O:SPY251219C00600000")]
pub struct OptionTickerError(pub String);

/// Roots whose contracts are on an index, and its name. Several may be on one.
const INDEX_ROOTS: [(&str, &str); 12] = [
    ("SPX", "SPX"),
    ("SPXW", "SPX"),
    ("NDX", "NDX"),
    ("NDXP", "NDX"),
    ("RUT", "RUT"),
    ("RUTW", "RUT"),
    ("VIX", "VIX"),
    ("VIXW", "VIX"),
    ("DJX", "DJX"),
    ("XSP", "XSP"),
    ("XND", "XND"),
    ("OEX", "OEX"),
];

impl OptionTicker {
    /// Longest root, in letters and digits.
    const MOST_ROOT: usize = 6;
    /// Most that eight digits of thousandths can say.
    const MOST_STRIKE: u32 = 99_999_999;

    /// The ticker of a contract; `None` where no ticker could say it. Two digits tell the year, from 2000 on.
    pub fn new(root: &str, expiry: Date, right: OptionRight, strike_thousandths: u32) -> Option<Self> {
        let is_root = (1..=Self::MOST_ROOT).contains(&root.len())
            && root.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let is_said = (2000..2100).contains(&expiry.year()) && strike_thousandths <= Self::MOST_STRIKE;
        (is_root && is_said).then(|| Self { root: root.into(), expiry, right, strike_thousandths })
    }

    /// What the exchanges call the series: `SPXW` is another one than `SPX`, `AAPL1` one whose terms a split has changed.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Last date on which it is traded.
    pub const fn expiry(&self) -> Date {
        self.expiry
    }

    /// Call or put.
    pub const fn right(&self) -> OptionRight {
        self.right
    }

    /// Strike, in thousandths of a dollar or point.
    pub const fn strike_thousandths(&self) -> u32 {
        self.strike_thousandths
    }

    /// Ticker of what it most likely is on: the root without the digit of adjusted contracts, the index for roots of indices.
    /// The root does not tell everything: `BRKB` is on BRK.B.
    pub fn likely_underlying(&self) -> String {
        // Flexible contracts have the digit in front.
        let plain = self.root.trim_matches(|c: char| c.is_ascii_digit());
        let index = INDEX_ROOTS.iter().find(|(root, _)| *root == plain);
        match index {
            Some((_, index)) => format!("{}{index}", Dataset::Indices.ticker_prefix()),
            None if plain.is_empty() => self.root.to_string(),
            None => plain.to_owned(),
        }
    }
}

impl FromStr for OptionTicker {
    type Err = OptionTickerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| OptionTickerError(text.to_owned()))
    }
}

/// Read from its end: a root may itself have digits.
fn parse(text: &str) -> Option<OptionTicker> {
    let bare = text.strip_prefix(Dataset::Options.ticker_prefix()).filter(|bare| bare.is_ascii())?;
    let (root, rest) = bare.split_at_checked(bare.len().checked_sub(15)?)?;
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok());
    let date = number(&rest[..6])??;
    let part = |hundreds: u32| i8::try_from(date / hundreds % 100).ok();
    let expiry = Date::new(2000 + i16::from(part(10_000)?), part(100)?, part(1)?).ok()?;
    let right = match &rest[6..7] {
        "C" => OptionRight::Call,
        "P" => OptionRight::Put,
        _ => return None,
    };
    OptionTicker::new(root, expiry, right, number(&rest[7..])??)
}

impl fmt::Display for OptionTicker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, expiry, right, strike_thousandths } = self;
        let prefix = Dataset::Options.ticker_prefix();
        let (year, month, day) = (expiry.year() % 100, expiry.month(), expiry.day());
        write!(f, "{prefix}{root}{year:02}{month:02}{day:02}{}{strike_thousandths:08}", right.letter())
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn ticker(text: &str) -> OptionTicker {
        text.parse().unwrap()
    }

    #[test]
    fn a_ticker_says_root_expiry_right_and_strike() {
        let call = ticker("O:SPY251219C00600000");
        assert_eq!((call.root(), call.expiry(), call.right()), ("SPY", date(2025, 12, 19), OptionRight::Call));
        assert_eq!(call.strike_thousandths(), 600_000);
        let adjusted = ticker("O:AAPL1251219P00037365");
        assert_eq!((adjusted.root(), adjusted.right()), ("AAPL1", OptionRight::Put));
        assert_eq!((adjusted.expiry(), adjusted.strike_thousandths()), (date(2025, 12, 19), 37_365));
        assert_eq!(ticker("O:F260116C00000500").root(), "F");
    }

    #[test]
    fn roots_tell_what_a_contract_is_on() {
        for (text, underlying) in [
            ("O:SPX251219C06000000", "I:SPX"),
            ("O:SPXW251219C06000000", "I:SPX"),
            ("O:NDXP251219C20000000", "I:NDX"),
            ("O:SPY251219C00600000", "SPY"),
            ("O:AAPL1251219C00150000", "AAPL"),
            ("O:2SPX251219C06000000", "I:SPX"),
            ("O:SPXL251219C00150000", "SPXL"),
        ] {
            assert_eq!(ticker(text).likely_underlying(), underlying, "{text}");
        }
        assert_ne!(ticker("O:SPX251219C06000000").root(), ticker("O:SPXW251219C06000000").root());
    }

    #[test]
    fn what_is_no_contract_is_refused() {
        for text in [
            "",
            "O:",
            "SPY251219C00600000",
            "O:251219C00600000",
            "O:SPY251219X00600000",
            "O:SPY251319C00600000",
            "O:SPY250229C00600000",
            "O:SPY251219C0060000",
            "O:SPY251219C0060000x",
            "O:SPY+51219C00600000",
            "O:SPY251219C+0600000",
            "O:spy251219C00600000",
            "O:TOOLONG251219C00600000",
            "O:SPY251219C00600000 ",
            "O:SPÜ251219C00600000",
            "O:SPY251219Ç0600000",
        ] {
            assert_eq!(text.parse::<OptionTicker>(), Err(OptionTickerError(text.to_owned())));
        }
        assert_eq!(OptionTicker::new("SPY", date(2100, 1, 15), OptionRight::Put, 1), None);
        assert_eq!(OptionTicker::new("SPY", date(2026, 1, 15), OptionRight::Put, 100_000_000), None);
    }

    proptest! {
        #[test]
        fn what_is_made_is_read_back(
            root in "[A-Z0-9]{1,6}", days in 0..36_524_i32, is_call in any::<bool>(), strike in 0..100_000_000_u32,
        ) {
            let right = if is_call { OptionRight::Call } else { OptionRight::Put };
            let made = OptionTicker::new(&root, date(2000, 1, 1) + days.days(), right, strike).unwrap();
            prop_assert_eq!(made.to_string().parse(), Ok(made));
        }

        #[test]
        fn what_is_read_is_made_again(text in "\\PC{0,4}|O:[A-Z0-9]{0,7}[0-9]{6}[CPcp][0-9]{7,9}") {
            if let Ok(read) = text.parse::<OptionTicker>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}
