//! What is still to be asked for of a dataset, and what need not be, as the vendor has refused the like.

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::civil::Date;

use super::plan::Window;
use super::refusals::{Refusals, Refused};
use crate::model::{Outcome, Symbol};

/// A day that is not asked for, and why.
pub(super) type RefusedDay = (Symbol, Date, Outcome, String);

/// The windows that are still to be fetched.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Window>,
    /// Windows by which it is found where the vendor's plan begins: one after the other and before all others, which would
    /// only be refused as well.
    search: VecDeque<Window>,
    /// The one of them that is under way.
    searching: Option<Window>,
    pub(super) refusals: Refusals,
}

impl Queue {
    /// Windows to fetch, newest first, so that where the vendor's plan begins is found once for all symbols.
    pub(super) fn new(mut windows: Vec<Window>, refusals: Refusals) -> Self {
        windows.sort_by(|a, b| b.last().cmp(&a.last()).then_with(|| a.symbol.cmp(&b.symbol)));
        Self { waiting: windows.into(), search: VecDeque::new(), searching: None, refusals }
    }

    /// The next window to fetch; those days of it that were refused meanwhile go to `refused`. None while the others have to
    /// wait, or if there is none.
    pub(super) fn next(&mut self, now: Timestamp, refused: &mut Vec<RefusedDay>) -> Option<Window> {
        while self.searching.is_none() {
            let (mut window, is_search) = match self.search.pop_front() {
                Some(window) => (window, true),
                None => (self.waiting.pop_front()?, false),
            };
            let symbol = window.symbol.clone();
            window.dates.retain(|date| match self.refusals.of(*date, now) {
                Some(refusal) => {
                    refused.push((symbol.clone(), *date, refusal.outcome(), refusal.detail.clone()));
                    false
                }
                None => true,
            });
            if !window.dates.is_empty() {
                self.searching = is_search.then(|| window.clone());
                return Some(window);
            }
        }
        None
    }

    /// A window that was given out could not be looked up: it is given out once more.
    pub(super) fn again(&mut self, window: Window) {
        match self.searching.take_if(|searching| *searching == window) {
            Some(searching) => self.search.push_front(searching),
            None => self.waiting.push_front(window),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> u64 {
        (self.waiting.len() + self.search.len()) as u64
    }

    /// A window that was given out is done.
    pub(super) fn done(&mut self, window: &Window) {
        self.searching.take_if(|searching| searching == window);
    }

    /// A window that was given out was refused: what is left of it is asked for.
    pub(super) fn refused(&mut self, window: &Window, refused: Refused, now: Timestamp) {
        if let Some(refusal) = refused.refusal {
            self.refusals.add(refusal, now);
        }
        let is_search = self.searching.as_ref() == Some(window);
        let begins_search = self.searching.is_none() && self.search.is_empty();
        self.done(window);
        match refused.left {
            None => {}
            Some(left) if is_search || begins_search => {
                left.parts(now).into_iter().rev().for_each(|part| self.search.push_front(part));
            }
            // Once it is found where the plan begins, this is had in one piece.
            Some(left) => self.waiting.push_front(left),
        }
    }
}
