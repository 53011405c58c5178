//! Rows of the table of splits: what is listed and what became of it.

use jiff::civil::Date;

use super::Ratio;

/// Defines an enum of words that are stored and printed.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// What a stored word means, if anything.
            pub fn of_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The word in tables and `--json`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

words! {
    /// What the vendor calls a split.
    SplitKind {
        /// More shares for the same company.
        ForwardSplit = "forward_split",
        /// Fewer.
        ReverseSplit = "reverse_split",
        /// Shares as a dividend: a forward split by another name.
        StockDividend = "stock_dividend",
    }
}

words! {
    /// Who says so.
    SplitSource {
        /// The vendor's list.
        Vendor = "vendor",
        /// The user's file of overrides.
        Override = "override",
    }
}

words! {
    /// What became of a row.
    SplitStatus {
        /// Bars are adjusted by it from its date on. Until then it is announced.
        Used = "used",
        /// It is kept and shown, and adjusts nothing.
        Unused = "unused",
        /// No split: from this date on the ticker is another company's.
        Reused = "reused",
    }
}

words! {
    /// What there is to say about a row.
    SplitFlag {
        /// The vendor lists it several times.
        Duplicate = "duplicate",
        /// The vendor lists other ratios for the same date.
        Conflict = "conflict",
        /// The vendor lists what undoes it within a few days.
        Opposite = "opposite",
        /// Its numbers are no ratio of a split.
        NotARatio = "not_a_ratio",
        /// The vendor calls it something that may not be a split.
        UnknownKind = "unknown_kind",
        /// Its ticker is not a stock's. Others are not rescaled.
        NotAStock = "not_a_stock",
        /// The stored prices of these days say that there was none like it.
        Implausible = "implausible",
        /// The vendor's own cumulative factor is another than the product of the ratios.
        FactorDiffers = "factor_differs",
        /// An override decided.
        Override = "override",
    }
}

/// A row of the table of splits.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitRecord {
    /// Ticker, case-sensitive.
    pub ticker: String,
    /// The first trading date (New York) with prices after it.
    pub execution_date: Date,
    /// Shares before, as listed, whatever that is; `None` where the row is no split.
    pub split_from: Option<f64>,
    /// Shares after.
    pub split_to: Option<f64>,
    /// What the vendor calls it.
    pub kind: Option<SplitKind>,
    /// The vendor's factor for prices before it, up to the present.
    pub vendor_factor: Option<f64>,
    /// Who says so.
    pub source: SplitSource,
    /// What became of it.
    pub status: SplitStatus,
    /// What there is to say about it, in a word each.
    pub flags: Vec<SplitFlag>,
    /// The same for people.
    pub reason: Option<String>,
}

impl SplitRecord {
    /// What becomes of shares, if its numbers are a ratio.
    pub fn ratio(&self) -> Option<Ratio> {
        Ratio::checked(self.split_from?, self.split_to?).ok()
    }

    /// Whether it is used, and not yet.
    pub fn is_announced(&self, today: Date) -> bool {
        self.status == SplitStatus::Used && self.execution_date > today
    }

    pub(super) fn note(&mut self, flag: SplitFlag, reason: &str) {
        self.flags.push(flag);
        self.reason = Some(match self.reason.take() {
            Some(before) => format!("{before}; {reason}"),
            None => reason.to_owned(),
        });
    }

    pub(super) fn drop_it(&mut self, flag: SplitFlag, reason: &str) {
        self.status = SplitStatus::Unused;
        self.note(flag, reason);
    }
}
