//! What `backfill status --health` says, and the metrics of it: facts in, findings out. Pure.

mod days;
mod facts;
mod judge;
#[cfg(test)]
pub(super) mod testing;
mod words;

use serde::Serialize;

pub(super) use days::{due_dates, missing_of_market, missing_of_symbol};
pub(super) use facts::{DayFacts, DiskFacts, HealthFacts, MissingDays, NightlyFacts};
pub(super) use judge::judge;
pub(super) use words::{health_lines, health_table};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// There is nothing to judge.
    Info,
    /// It goes on, but somebody should know.
    Warn,
    /// The table falls behind, or will: somebody must do something.
    Stale,
}

impl Level {
    pub(super) const ALL: [Self; 4] = [Self::Ok, Self::Info, Self::Warn, Self::Stale];

    /// The word in tables; what must be seen is in capitals.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Stale => "STALE",
        }
    }
}

/// What was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) found: String,
    /// What to do; empty where there is nothing to do.
    pub(super) advice: String,
}
