//! What the vendor has refused lately, so that it is not asked again and again.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// How long a refusal is believed without asking again.
const REMEMBERED_HOURS: i64 = 24;

/// Dates of a dataset that the vendor's plan does not include.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// First date; `None`: however far back.
    pub from: Option<Date>,
    /// Last date; `None`: all there are.
    pub to: Option<Date>,
    /// When the vendor said so.
    pub at: Timestamp,
    /// What it said.
    pub detail: String,
}

impl Refusal {
    fn covers(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date <= to)
    }

    /// What a day is told that was not asked for because of this.
    pub fn remembered(&self) -> String {
        format!("{} (refused {}; --force asks again)", self.detail, self.at.strftime("%Y-%m-%d %H:%M UTC"))
    }
}

/// The refusals of one dataset. As a text ([`serde_json`]) they are kept in a note.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// The name of the note that keeps them.
    pub fn note(dataset: crate::model::Dataset) -> String {
        format!("rest refusals {dataset}")
    }

    /// What a note says; nothing where it makes no sense, as it only saves requests.
    pub fn read(note: Option<&str>) -> Self {
        note.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The refusal of a date that is still believed.
    pub fn of(&self, date: Date, now: Timestamp) -> Option<&Refusal> {
        self.0.iter().rev().find(|refusal| refusal.covers(date) && is_believed(refusal, now))
    }

    /// Adds one, and forgets those that are believed no longer.
    pub fn add(&mut self, refusal: Refusal, now: Timestamp) {
        self.0.retain(|old| is_believed(old, now) && (old.from, old.to) != (refusal.from, refusal.to));
        self.0.push(refusal);
    }
}

fn is_believed(refusal: &Refusal, now: Timestamp) -> bool {
    refusal.at + REMEMBERED_HOURS.hours() > now
}
