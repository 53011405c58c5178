//! Closures and early closes that were announced after this program's calendar was made.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

use jiff::civil::Date;

use super::SessionKind;

/// What was announced of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnouncedKind {
    /// The exchange stays closed.
    Closed,
    /// It closes at 13:00 New York.
    EarlyClose,
    /// It is open as on any other day.
    Full,
}

impl AnnouncedKind {
    const ALL: [Self; 3] = [Self::Closed, Self::EarlyClose, Self::Full];

    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::EarlyClose => "early_close",
            Self::Full => "full",
        }
    }

    /// The session it makes of a date.
    pub const fn session(self) -> Option<SessionKind> {
        match self {
            Self::Closed => None,
            Self::EarlyClose => Some(SessionKind::EarlyClose),
            Self::Full => Some(SessionKind::Full),
        }
    }
}

/// A word that is no kind of announcement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing that can be announced of a session")]
pub struct AnnouncedKindError(pub String);

impl FromStr for AnnouncedKind {
    type Err = AnnouncedKindError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| AnnouncedKindError(word.to_owned()))
    }
}

/// What was announced of a date, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedSession {
    /// The date.
    pub date: Date,
    /// What it is.
    pub kind: AnnouncedKind,
    /// The vendor's name of the day.
    pub name: Option<String>,
}

static HEEDED: RwLock<BTreeMap<Date, AnnouncedKind>> = RwLock::new(BTreeMap::new());

/// From here on the calendar of this process goes by these announcements where they differ from it, and by no earlier ones.
pub fn heed_announced(sessions: &[AnnouncedSession]) {
    let heeded = sessions.iter().map(|session| (session.date, session.kind)).collect();
    *HEEDED.write().unwrap_or_else(PoisonError::into_inner) = heeded;
}

/// What was announced of a date, if anything.
pub(super) fn heeded(date: Date) -> Option<AnnouncedKind> {
    HEEDED.read().unwrap_or_else(PoisonError::into_inner).get(&date).copied()
}
