//! What is known of sessions of many symbols.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;

use super::Origin;
use crate::model::{Outcome, SessionState, Symbol, Timeframe, TimeframeSet, file_due_at};
use crate::store::{DayState, RestState};

/// A symbol's session: what is known of it, and what brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What is known of it.
    pub state: SessionState,
    /// Where its bars are from; [`Origin::Missing`] where there are none.
    pub origin: Origin,
    /// Timeframes that are from there, too: their bars are made of the same minutes.
    pub alike: TimeframeSet,
}

impl Held {
    /// Nothing is known of it, and nothing is there.
    pub const MISSING: Self =
        Self { state: SessionState::Missing, origin: Origin::Missing, alike: TimeframeSet::EMPTY };

    /// Whether the API is to be asked for it.
    const fn is_wanted(self) -> bool {
        self.state.is_gap() || matches!(self.state, SessionState::NotPublished)
    }

    /// What the ledger says of a timeframe of a symbol's day.
    fn of(state: &DayState, ticker: &str, timeframe: Timeframe, date: Date, now: Timestamp) -> Self {
        let of_files = state.covered_by_files(ticker);
        if of_files.contains(timeframe) {
            return Self { state: SessionState::Complete, origin: Origin::File, alike: of_files };
        }
        let is_due = file_due_at(date) <= now;
        let rest = state.rest.get(ticker);
        if let Some(rest) = rest.filter(|rest| rest.timeframes.contains(timeframe)) {
            // Requests of different days bring timeframes of their own, and the vendor corrects minutes in between.
            let alike = TimeframeSet::EMPTY;
            return Self { state: of_rest(rest, date, is_due), origin: Origin::Rest, alike };
        }
        let refused = |outcome| outcome == Outcome::NotEntitled;
        let refused = rest.is_some_and(|rest| refused(rest.outcome))
            || state.minute.as_ref().is_some_and(|file| refused(file.outcome));
        let state = match (refused, is_due) {
            (true, _) => SessionState::NotEntitled,
            (false, true) => SessionState::Missing,
            (false, false) => SessionState::NotPublished,
        };
        Self { state, ..Self::MISSING }
    }
}

fn of_rest(rest: &RestState, date: Date, is_due: bool) -> SessionState {
    if rest.is_provisional {
        return SessionState::Partial;
    }
    let was_due = rest.fetched_at.is_some_and(|fetched| fetched >= file_due_at(date));
    match (rest.bars, was_due, is_due) {
        (1.., ..) => SessionState::Complete,
        (0, true, _) => SessionState::VerifiedEmpty,
        // A vendor that is late with the file is late with the answer, too.
        (0, false, true) => SessionState::Missing,
        (0, false, false) => SessionState::NotPublished,
    }
}

/// Sessions in a row that a symbol lacks for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Place of the symbol.
    pub symbol: usize,
    /// First trading date.
    pub from: Date,
    /// Last trading date.
    pub to: Date,
    /// Sessions from the one to the other.
    pub sessions: u64,
    /// What is known of them.
    pub state: SessionState,
    /// Why, where more than that is known.
    pub reason: Option<String>,
}

/// What is known of sessions of symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    sessions: Vec<Date>,
    /// A symbol's sessions together.
    held: Vec<Held>,
    reasons: BTreeMap<(usize, usize), String>,
}

impl Coverage {
    /// Nothing is there.
    pub fn missing(symbols: usize, sessions: Vec<Date>) -> Self {
        let held = vec![Held::MISSING; symbols * sessions.len()];
        Self { sessions, held, reasons: BTreeMap::new() }
    }

    /// Takes in what the ledger says.
    pub(super) fn learn(
        &mut self,
        symbol: (usize, &Symbol),
        timeframe: Timeframe,
        states: &BTreeMap<Date, DayState>,
        now: Timestamp,
    ) {
        let none = DayState::default();
        for session in 0..self.sessions.len() {
            let date = self.sessions[session];
            let state = states.get(&date).unwrap_or(&none);
            let held = Held::of(state, symbol.1.as_str(), timeframe, date, now);
            let detail = state.rest.get(symbol.1.as_str()).and_then(|rest| rest.detail.clone());
            self.set(symbol.0, session, held, detail.filter(|_| held.state.is_gap()));
        }
    }

    pub(super) fn set(&mut self, symbol: usize, session: usize, held: Held, reason: Option<String>) {
        let place = symbol * self.sessions.len() + session;
        self.held[place] = held;
        match reason {
            Some(reason) => self.reasons.insert((symbol, session), reason),
            None => self.reasons.remove(&(symbol, session)),
        };
    }

    /// The trading dates, ascending.
    pub fn sessions(&self) -> &[Date] {
        &self.sessions
    }

    pub(super) fn session(&self, date: Date) -> Option<usize> {
        self.sessions.binary_search(&date).ok()
    }

    /// What is known of the sessions of a symbol, by their places.
    pub fn of(&self, symbol: usize) -> &[Held] {
        let sessions = self.sessions.len();
        &self.held[symbol * sessions..(symbol + 1) * sessions]
    }

    /// Dates the API is to be asked for, among some sessions of a symbol.
    pub(super) fn wanted(&self, symbol: usize, sessions: Range<usize>) -> Vec<Date> {
        let held = self.of(symbol);
        sessions.filter(|session| held[*session].is_wanted()).map(|session| self.sessions[session]).collect()
    }

    /// Whether the API has to be asked for some sessions of a symbol.
    pub fn lacks(&self, symbol: usize, mut sessions: Range<usize>) -> bool {
        let held = self.of(symbol);
        sessions.any(|session| held[session].is_wanted())
    }

    /// What a symbol lacks among some sessions, by date.
    pub fn gaps(&self, symbol: usize, sessions: Range<usize>) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut last = None;
        for session in sessions {
            let state = self.of(symbol)[session].state;
            if !state.is_gap() {
                continue;
            }
            let (date, reason) = (self.sessions[session], self.reasons.get(&(symbol, session)).cloned());
            match gaps.last_mut() {
                Some(gap) if last == session.checked_sub(1) && gap.state == state && gap.reason == reason => {
                    (gap.to, gap.sessions) = (date, gap.sessions + 1);
                }
                _ => gaps.push(Gap { symbol, from: date, to: date, sessions: 1, state, reason }),
            }
            last = Some(session);
        }
        gaps
    }
}
