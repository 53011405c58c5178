//! What verifying finds.

use jiff::civil::Date;

use crate::model::{Dataset, Timeframe};
use crate::store::Defect;

macro_rules! kinds {
    ($($kind:ident $word:literal $meaning:literal)+) => {
        /// What is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $meaning] $kind,)+
            /// Something else that only the store can see, by its own word.
            Store(&'static str),
        }

        impl Kind {
            /// Every kind but the stores' own.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The word in `--json` and tables.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                    Self::Store(word) => word,
                }
            }

            /// What it means, for people.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$kind => $meaning,)+
                    Self::Store(_) => "something in the tables that no load could have left there",
                }
            }
        }
    };
}

kinds! {
    DayMissing "day_missing" "a trading day between others is not loaded"
    DayEmpty "day_empty" "a loaded day has no bars"
    NotASession "not_a_session" "bars on a date that is no trading day and was not loaded"
    CountDiffers "count_differs" "the ledger knows of another number of bars than are stored"
    OrphanCoverage "orphan_coverage" "bars are said to be loaded, and the ledger does not know from which file"
    LedgerWithoutCoverage "ledger_without_coverage" "a file is said to be loaded, and for nobody"
    UncoveredBars "uncovered_bars" "bars that nobody is said to have loaded"
    ScopeConflict "scope_conflict" "coverage of a symbol of another market, or a ledger that says other than the coverage for whom a file is loaded"
    SourceConflict "source_conflict" "what a file has brought is said to have come by the REST API, or VWAPs to be exact that no file has brought"
    TimeframeMissing "timeframe_missing" "a symbol has no bar of a loaded timeframe, though others prove there must be some"
    PriceInvalid "price_invalid" "a price that is no number, or not above zero in a market where it must be"
    PriceOrder "price_order" "the high is not the highest or the low not the lowest price"
    VolumeInvalid "volume_invalid" "a volume that is no number, below zero, or there in a market that has none"
    TradesInvalid "trades_invalid" "a number of transactions below zero, missing, or there in a market that has none"
    OffGrid "off_grid" "a bar does not start where bars of its timeframe do"
    Duplicate "duplicate" "two bars of the same symbol, timeframe and start"
    WrongEnd "wrong_end" "end_timestamp is not when the bar is known"
    WrongSession "wrong_session" "session is not the one the bar lies in"
    WrongDate "wrong_date" "session_date is not the trading date of the bar's start"
    MinutesInvalid "minutes_invalid" "a bar of no minutes, or of more than it has room for"
    VwapMissing "vwap_missing" "a bar has volume and no VWAP"
    VwapUnexpected "vwap_unexpected" "a VWAP where there is no volume to weigh with"
    VwapMethod "vwap_method" "vwap_method does not say how the VWAP was made"
    VwapBounds "vwap_bounds" "an estimated VWAP outside low to high"
    VwapDiffers "vwap_differs" "the estimated VWAP of a single minute is not the middle of its range"
    CoarseDiffers "coarse_differs" "a bar is not what its finer bars make"
    CoarseMissing "coarse_missing" "finer bars are there, and not the bar they make"
    FinerMissing "finer_missing" "a bar is there, and none of the finer bars it was made of"
    MinutesMissing "minutes_missing" "a liquid symbol lacks more than 5 % of a regular session's minutes"
    MinutesExtra "minutes_extra" "a symbol has more minutes than its regular session"
    OrphanBars "orphan_bars" "bars that no reader sees, because what they refer to is not there"
    DayWithoutLedger "day_without_ledger" "bars of a day of which the ledger has neither a file nor an answer of the REST API"
    UnknownWord "unknown_word" "a word in the tables that means nothing"
    MissingKey "missing_key" "the table of bars lacks its primary key: a bar can be there twice, and a series is slow to read"
    DamagedFile "damaged_file" "the database's own check fails"
    Restated "restated" "the vendor has replaced the file since it was loaded"
    SourceMissing "source_missing" "the source has a bar that is not stored"
    SourceExtra "source_extra" "a stored bar that the source does not have"
    SourceDiffers "source_differs" "a stored bar differs from what the source makes of it"
}

impl Kind {
    /// Whether rows belong to nothing, so that they are removed before days are loaded again.
    pub(super) const fn leaves_orphans(self) -> bool {
        matches!(self, Self::OrphanBars | Self::OrphanCoverage | Self::UnknownWord | Self::Store(_))
    }

    /// Whether the symbol's bars are wrong and the day's books are not: how many bars there are, and for whom.
    pub(super) const fn is_about_values(self) -> bool {
        matches!(
            self,
            Self::PriceInvalid
                | Self::PriceOrder
                | Self::VolumeInvalid
                | Self::TradesInvalid
                | Self::OffGrid
                | Self::WrongEnd
                | Self::WrongSession
                | Self::MinutesInvalid
                | Self::VwapMissing
                | Self::VwapUnexpected
                | Self::VwapMethod
                | Self::VwapBounds
                | Self::VwapDiffers
                | Self::CoarseDiffers
                | Self::SourceDiffers
        )
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind of wrong.
    pub kind: Kind,
    /// Market, where it is known.
    pub dataset: Option<Dataset>,
    /// Trading date, where it has one.
    pub date: Option<Date>,
    /// Symbol, where it is about one.
    pub symbol: Option<String>,
    /// Timeframe, where it is about one.
    pub timeframe: Option<Timeframe>,
    /// Start of the bar, where it is about one: milliseconds since the Unix epoch, UTC.
    pub timestamp_ms: Option<i64>,
    /// What was looked at, or the whole of what there is to say.
    pub what: String,
    /// What it should be.
    pub expected: Option<String>,
    /// What it is.
    pub found: Option<String>,
}

impl Finding {
    /// Something about a whole day.
    pub fn of_day(kind: Kind, dataset: Dataset, date: Date, what: impl Into<String>) -> Self {
        Self {
            kind,
            dataset: Some(dataset),
            date: Some(date),
            symbol: None,
            timeframe: None,
            timestamp_ms: None,
            what: what.into(),
            expected: None,
            found: None,
        }
    }

    /// The same with what it should be and what it is.
    #[must_use]
    pub fn differing(self, expected: impl ToString, found: impl ToString) -> Self {
        Self { expected: Some(expected.to_string()), found: Some(found.to_string()), ..self }
    }

    /// The same about a symbol.
    #[must_use]
    pub fn of_symbol(self, symbol: &str) -> Self {
        Self { symbol: Some(symbol.to_owned()), ..self }
    }
}

impl From<Defect> for Finding {
    fn from(defect: Defect) -> Self {
        let Defect { kind, day, symbol, detail } = defect;
        let (dataset, date) = day.unzip();
        Self {
            kind: Kind::ALL.iter().copied().find(|known| known.as_str() == kind).unwrap_or(Kind::Store(kind)),
            dataset,
            date,
            symbol,
            timeframe: None,
            timestamp_ms: None,
            what: detail,
            expected: None,
            found: None,
        }
    }
}
