//! What became of a day's file.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What became of a trading day (or of one of its files). The words are the ones in `--json`, tables and the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its bars are in the store now.
    Loaded,
    /// Its bars were there already.
    Unchanged,
    /// The file is not due before 11:00 New York of the next day, and is not there.
    NotDue,
    /// No trading day.
    NotASession,
    /// Due, and the vendor has no file.
    Missing,
    /// The vendor answers 403: the plan does not include it.
    NotEntitled,
    /// Wrong header, broken gzip, or too many bad rows.
    Damaged,
    /// A header and no rows.
    Empty,
    /// Far less than its neighbours or its day file promise; loaded only with `--accept`.
    Suspect,
    /// Could not be fetched or written, retries included.
    Failed,
    /// Its session is not over: what was traded so far is there, and is fetched again until it is.
    Provisional,
}

impl Outcome {
    /// Every outcome, in the order summaries list them.
    pub const ALL: [Self; 11] = [
        Self::Loaded,
        Self::Unchanged,
        Self::NotDue,
        Self::NotASession,
        Self::Missing,
        Self::NotEntitled,
        Self::Damaged,
        Self::Empty,
        Self::Suspect,
        Self::Failed,
        Self::Provisional,
    ];

    /// The word in `--json`, tables and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::NotDue => "not_due",
            Self::NotASession => "not_a_session",
            Self::Missing => "missing",
            Self::NotEntitled => "not_entitled",
            Self::Damaged => "damaged",
            Self::Empty => "empty",
            Self::Suspect => "suspect",
            Self::Failed => "failed",
            Self::Provisional => "provisional",
        }
    }

    /// Whether a finished run with such a day ends with exit code 3.
    pub const fn leaves_a_gap(self) -> bool {
        !matches!(self, Self::Loaded | Self::Unchanged | Self::NotDue | Self::NotASession | Self::Provisional)
    }
}

impl FromStr for Outcome {
    type Err = OutcomeError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word).ok_or_else(|| OutcomeError(word.to_owned()))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the outcome of a day")]
pub struct OutcomeError(pub String);
