//! What the vendor has refused lately, so that it is not asked again and again.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::{Entitlement, RestError, Window};

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

    fn includes(&self, other: &Self) -> bool {
        let begins = self.from.is_none() || self.from <= other.from && other.from.is_some();
        begins && (self.to.is_none() || self.to >= other.to && other.to.is_some())
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
        self.0.retain(|old| is_believed(old, now) && !refusal.includes(old));
        self.0.push(refusal);
    }
}

/// What a refused window tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// What is not asked for again.
    pub(super) refusal: Refusal,
    /// Dates of the window that it is about.
    pub(super) dates: Vec<Date>,
    /// What may be had all the same.
    pub(super) left: Option<Window>,
}

impl Window {
    /// What it tells that this window was refused.
    pub(super) fn refused(&self, why: Entitlement, error: &RestError, at: Timestamp) -> Refused {
        let refusal = |from, to| Refusal { from, to, at, detail: error.refusal() };
        let all = |refusal| Refused { refusal, dates: self.dates.clone(), left: None };
        match why {
            // The vendor refuses a request that begins too early, wherever it ends.
            Entitlement::History => {
                let dates = self.dates[1..].to_vec();
                let left = (!dates.is_empty()).then(|| Self { symbol: self.symbol.clone(), dates });
                Refused { refusal: refusal(None, Some(self.first())), dates: vec![self.first()], left }
            }
            Entitlement::Plan => all(refusal(None, None)),
            Entitlement::Unknown => all(refusal(Some(self.first()), Some(self.last()))),
        }
    }

    /// The newer and the older half; a window of one date is one.
    pub(super) fn halves(&self) -> Vec<Self> {
        let (older, newer) = self.dates.split_at(self.dates.len() / 2);
        let halves = [newer, older].into_iter().filter(|dates| !dates.is_empty());
        halves.map(|dates| Self { symbol: self.symbol.clone(), dates: dates.to_vec() }).collect()
    }
}

fn is_believed(refusal: &Refusal, now: Timestamp) -> bool {
    refusal.at + REMEMBERED_HOURS.hours() > now
}
