//! What an error of the API means for the days that were asked for.

use super::{Entitlement, RestError};
use crate::model::Outcome;

/// What becomes of the days of a window that could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum Verdict {
    /// All other requests would end the same way.
    EndsTheRun,
    /// The vendor's plan does not include them.
    Refused(Entitlement),
    /// This.
    Day(Outcome),
}

impl RestError {
    /// What a refusal says of every symbol that is asked for.
    pub(in crate::ingest) fn refusal(&self, why: Entitlement) -> String {
        match self {
            Self::NotEntitled { message, .. } => format!("{} ({message})", why.words()),
            other => other.to_string(),
        }
    }

    pub(in crate::ingest) fn verdict(&self) -> Verdict {
        match self {
            _ if self.is_common_cause() => Verdict::EndsTheRun,
            Self::NotEntitled { why, .. } => Verdict::Refused(*why),
            Self::NotFound { .. } => Verdict::Day(Outcome::Missing),
            Self::Damaged { .. } | Self::Endless { .. } => Verdict::Day(Outcome::Damaged),
            _ => Verdict::Day(Outcome::Failed),
        }
    }
}
