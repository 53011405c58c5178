//! Bars with where they came from.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::store::StoredBar;

/// Where a day's bars came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// They were stored, from a day file.
    File,
    /// They were stored, from the REST API.
    Rest,
    /// They were fetched now, and stored.
    Fetched,
    /// They were fetched now, and not stored.
    FetchedNotKept,
    /// They could not be had. What is stored of a session that was not over when it was fetched is there all the same.
    Missing,
}

impl Origin {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "stored, from a file",
            Self::Rest => "stored, from REST",
            Self::Fetched => "fetched and stored",
            Self::FetchedNotKept => "fetched, not stored",
            Self::Missing => "missing",
        }
    }
}

/// Trading days that follow each other and came from the same place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// First of them.
    pub from: Date,
    /// Last of them.
    pub to: Date,
    /// How many.
    pub days: u64,
    /// Where from.
    pub origin: Origin,
    /// Why they are missing, or what else is to be said.
    pub detail: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Bars, ascending.
    pub bars: Vec<StoredBar>,
    days: BTreeMap<Date, (Origin, Option<String>)>,
}

impl Answer {
    pub(super) fn day(&mut self, date: Date, origin: Origin, detail: Option<String>) {
        self.days.insert(date, (origin, detail));
    }

    /// Where each stretch of trading days came from, ascending.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (date, (origin, detail)) in &self.days {
            match parts.last_mut() {
                Some(part) if (part.origin, &part.detail) == (*origin, detail) => {
                    (part.to, part.days) = (*date, part.days + 1);
                }
                _ => parts.push(Part { from: *date, to: *date, days: 1, origin: *origin, detail: detail.clone() }),
            }
        }
        parts
    }

    /// Whether a day could not be had.
    pub fn has_gaps(&self) -> bool {
        self.days.values().any(|(origin, _)| *origin == Origin::Missing)
    }
}
