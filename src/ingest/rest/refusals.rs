//! What the vendor has refused lately, so that it is not asked again and again.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::{Entitlement, RestError, Window};
use crate::model::{Outcome, file_due_at};

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
    /// Whether the dates will be had when they are over.
    #[serde(skip)]
    pub is_early: bool,
}

impl Refusal {
    fn covers(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date <= to)
    }

    fn includes(&self, other: &Self) -> bool {
        let begins = self.from.is_none() || self.from <= other.from && other.from.is_some();
        begins && (self.to.is_none() || self.to >= other.to && other.to.is_some())
    }

    /// What becomes of a date that was not asked for because of this.
    pub fn outcome(&self) -> Outcome {
        if self.is_early { Outcome::NotDue } else { Outcome::NotEntitled }
    }

    /// Whether it may be another answer tomorrow: it is about days whose files were not due.
    pub(super) fn is_passing(&self) -> bool {
        self.from.is_some_and(|from| self.at < file_due_at(from))
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
    /// What is not asked for again; none if it is not known yet what was refused.
    pub(super) refusal: Option<Refusal>,
    /// Dates of the window that it is about.
    pub(super) dates: Vec<Date>,
    /// What may be had all the same.
    pub(super) left: Option<Window>,
}

impl Window {
    /// What it tells that this window was refused.
    pub(super) fn refused(&self, why: Entitlement, error: &RestError, at: Timestamp) -> Refused {
        let refusal = |from, to| Refusal { from, to, at, detail: error.refusal(why), is_early: false };
        let all = |refusal| Refused { refusal: Some(refusal), dates: self.dates.clone(), left: None };
        let (first, last) = (Some(self.first()), Some(self.last()));
        match (self.fresh_from(at), why) {
            // Some plans have a day when it is over, and are told so in words that may mean anything.
            (0, _) => {
                let is_early = matches!(why, Entitlement::History | Entitlement::EndOfDay);
                let why = if is_early { Entitlement::EndOfDay } else { why };
                all(Refusal { is_early, detail: error.refusal(why), ..refusal(first, last) })
            }
            // It may be about these days alone.
            (fresh, _) if fresh < self.dates.len() => {
                Refused { refusal: None, dates: Vec::new(), left: Some(self.clone()) }
            }
            // The vendor refuses a request that begins too early, wherever it ends.
            (_, Entitlement::History) => {
                let dates = self.dates[1..].to_vec();
                let left = (!dates.is_empty()).then(|| Self { symbol: self.symbol.clone(), dates });
                Refused { refusal: Some(refusal(None, first)), dates: vec![self.first()], left }
            }
            (_, Entitlement::Plan) => all(refusal(None, None)),
            (_, Entitlement::EndOfDay | Entitlement::Unknown) => all(refusal(first, last)),
        }
    }

    /// Two windows, newer and older: days whose files are not due and others, else halves. A window of one date is one.
    pub(super) fn parts(&self, at: Timestamp) -> Vec<Self> {
        let fresh = self.fresh_from(at);
        let middle = if (1..self.dates.len()).contains(&fresh) { fresh } else { self.dates.len() / 2 };
        let (older, newer) = self.dates.split_at(middle);
        let parts = [newer, older].into_iter().filter(|dates| !dates.is_empty());
        parts.map(|dates| Self { symbol: self.symbol.clone(), dates: dates.to_vec() }).collect()
    }

    /// Where the days begin whose files are not due.
    fn fresh_from(&self, at: Timestamp) -> usize {
        self.dates.partition_point(|date| file_due_at(*date) <= at)
    }
}

fn is_believed(refusal: &Refusal, now: Timestamp) -> bool {
    refusal.at + REMEMBERED_HOURS.hours() > now
}
