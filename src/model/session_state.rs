//! What is known of a symbol's session.

use serde::Serialize;

/// What is known of a symbol's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// All of it that the vendor has is stored.
    Complete,
    /// Some of it.
    Partial,
    /// Nothing of it, and nobody has looked in vain.
    Missing,
    /// The vendor was asked twice and had nothing.
    VerifiedEmpty,
    /// The vendor does not have it yet.
    NotPublished,
    /// The plan does not include it.
    NotEntitled,
}

impl SessionState {
    /// All of them, best first.
    pub const ALL: [Self; 6] =
        [Self::Complete, Self::Partial, Self::Missing, Self::VerifiedEmpty, Self::NotPublished, Self::NotEntitled];

    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Missing => "missing",
            Self::VerifiedEmpty => "verified_empty",
            Self::NotPublished => "not_published",
            Self::NotEntitled => "not_entitled",
        }
    }

    /// Whether a symbol lacks something of a session that it should have.
    pub const fn is_gap(self) -> bool {
        matches!(self, Self::Partial | Self::Missing | Self::NotEntitled)
    }

    /// Whether all that was traded is there, so that a slot without a bar had no trade.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Complete | Self::VerifiedEmpty)
    }
}
