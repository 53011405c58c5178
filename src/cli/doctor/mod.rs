//! What `backfill doctor` says: facts in, rows out.

mod api;
mod bucket;
mod clock;
mod database;
mod disk;
mod sources;
mod table;

use serde::Serialize;

pub(super) use api::api_checks;
pub(super) use bucket::{bucket_checks, folder_check};
pub(super) use clock::clock_check;
pub(super) use database::{DatabaseFacts, database_checks};
pub(super) use disk::{LOW_BYTES, Room, cache_check};
pub(super) use sources::{settings_check, sources_check};
pub(super) use table::{lines, row_line, rows_table, table};

use super::format::printable;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It works.
    Ok,
    /// It works, but somebody should know.
    Warn,
    /// It does not work.
    Fails,
    /// Nobody has asked for it, or the plan does not include it.
    NotSetUp,
    /// It was not looked at.
    NotAsked,
}

impl State {
    pub(super) const ALL: [Self; 5] = [Self::Ok, Self::Warn, Self::Fails, Self::NotSetUp, Self::NotAsked];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fails => "fails",
            Self::NotSetUp => "not set up",
            Self::NotAsked => "not asked",
        }
    }
}

/// A row: what was checked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) check: String,
    pub(super) state: State,
    pub(super) found: String,
    /// What to do; empty where there is nothing to do.
    pub(super) advice: String,
}

impl Check {
    fn new(check: impl Into<String>, state: State, found: impl Into<String>) -> Self {
        Self { check: check.into(), state, found: found.into(), advice: String::new() }
    }

    /// A failure, in the words of its error: ours end with what to do, behind the last semicolon.
    fn fails(check: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let words = printable(&error.to_string());
        let (found, advice) = words.rsplit_once("; ").unwrap_or((&words, ""));
        Self::new(check, State::Fails, found).advising(advice)
    }

    fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }
}
