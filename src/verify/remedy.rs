//! What makes a day right again. Pure.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::audit::Checked;
use super::books::{is_loaded, is_of};
use super::finding::Kind;
use super::findings::{Dirt, Findings};
use crate::ingest::Reload;
use crate::model::{Expectation, FileKind, TimeframeSet};
use crate::store::DayState;

/// What makes a day right again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Bars are made again from the source.
    Reload(Reload),
    /// Nothing should be stored of it.
    Forget,
}

/// Who is loaded in which timeframes: everyone, and named symbols beyond that.
#[derive(Debug, Clone, Default)]
struct Covered {
    everyone: TimeframeSet,
    named: BTreeMap<String, TimeframeSet>,
}

impl Covered {
    fn of(state: &DayState) -> Self {
        Self { everyone: state.everyone, named: state.by_name() }
    }

    fn is_empty(&self) -> bool {
        self.everyone.is_empty() && self.named.is_empty()
    }

    fn add(&mut self, symbol: &str, timeframes: TimeframeSet) {
        if !timeframes.is_empty() {
            let named = self.named.entry(symbol.to_owned()).or_default();
            *named = named.union(timeframes);
        }
    }
}

/// What makes the days of a market right again.
pub fn remedies(checked: &Checked, findings: &Findings) -> BTreeMap<Date, Remedy> {
    let dirt = findings.dirt().range((checked.dataset, Date::MIN)..=(checked.dataset, Date::MAX));
    let days = Days { checked, findings };
    dirt.filter_map(|((_, date), dirt)| Some((*date, days.remedy(*date, dirt)?))).collect()
}

struct Days<'a> {
    checked: &'a Checked,
    findings: &'a Findings,
}

impl Days<'_> {
    fn remedy(&self, date: Date, dirt: &Dirt) -> Option<Remedy> {
        let state = self.checked.states.get(&date).filter(|state| is_loaded(state));
        if let Some(state) = state {
            if !dirt.books {
                return Some(Remedy::Reload(Reload::Symbols(dirt.symbols.clone())));
            }
            // A day that was loaded is never forgotten; one of which nothing tells for whom stays a finding.
            let covered = self.covered(date, state, dirt);
            return (!covered.is_empty()).then(|| reload(covered));
        }
        let has = |kind| self.findings.has(kind, Some(self.checked.dataset), Some(date));
        if !dirt.missing.is_empty() || has(Kind::DayMissing) {
            return Some(reload(self.lost(date, dirt)));
        }
        // Bars of a day that was never loaded, or whose books are lost as a whole.
        let may_be_loaded = self.checked.dataset.expectation(date) != Expectation::Closed;
        if !dirt.uncovered.is_empty() && may_be_loaded {
            return Some(reload(self.lost(date, dirt)));
        }
        dirt.stored.then_some(Remedy::Forget)
    }

    /// What was loaded of a day whose books are not to be trusted as they are.
    fn covered(&self, date: Date, state: &DayState, dirt: &Dirt) -> Covered {
        let mut covered = Covered::of(state);
        if covered.is_empty() {
            return self.lost(date, dirt);
        }
        self.adopt_fetched(date, &mut covered, dirt);
        for kind in FileKind::ALL {
            let of_file = |timeframes: &TimeframeSet| timeframes.and(kind.timeframes());
            if dirt.miscounted[kind as usize] {
                continue;
            }
            // The ledger knows exactly the bars there are: bars nobody has loaded are those of a lost row, and timeframes
            // without bars were never loaded.
            let uncovered = dirt.uncovered.iter().map(|(symbol, timeframes)| (symbol, of_file(timeframes)));
            self.adopt(date, &mut covered, uncovered.filter(|(_, timeframes)| !timeframes.is_empty()));
            if state.loaded(kind).is_some() {
                let lacking = dirt.lacking.iter().map(|(symbol, timeframes)| (symbol, of_file(timeframes)));
                for (symbol, timeframes) in lacking {
                    covered.everyone = covered.everyone.minus(timeframes.minus(dirt.present));
                    if let Some(named) = covered.named.get_mut(symbol) {
                        *named = named.minus(timeframes);
                    }
                }
            }
        }
        if dirt.miscounted.contains(&true) && !dirt.is_explained {
            self.add_vanished(date, &mut covered);
        }
        for symbol in &dirt.missing {
            covered.add(symbol, self.near(date, |state| !state.covered(symbol).is_empty()).covered(symbol));
        }
        covered.named.retain(|symbol, timeframes| !timeframes.is_empty() && is_of(self.checked.dataset, symbol));
        covered
    }

    /// What was loaded of a day whose books say nothing: what is loaded of the nearest day, and what bars there are.
    fn lost(&self, date: Date, dirt: &Dirt) -> Covered {
        let mut covered = Covered::default();
        if dirt.missing.is_empty() {
            covered = Covered::of(&self.near(date, |_| true));
        }
        for symbol in &dirt.missing {
            covered.add(symbol, self.near(date, |state| !state.covered(symbol).is_empty()).covered(symbol));
        }
        self.adopt(date, &mut covered, dirt.uncovered.iter().map(|(symbol, timeframes)| (symbol, *timeframes)));
        covered
    }

    /// Adds bars' symbols and timeframes in the way the nearest day has them.
    fn adopt<'b>(
        &self,
        date: Date,
        covered: &mut Covered,
        uncovered: impl Iterator<Item = (&'b String, TimeframeSet)>,
    ) {
        let near = self.near(date, |_| true);
        for (symbol, timeframes) in uncovered {
            let named = near.named.get(symbol).copied().unwrap_or_default();
            covered.everyone = covered.everyone.union(timeframes.minus(named).and(near.everyone));
            let known = covered.everyone.union(covered.named.get(symbol).copied().unwrap_or_default());
            let lost = timeframes.minus(known);
            if !lost.is_empty() {
                covered.add(symbol, lost.union(named));
            }
        }
    }

    /// Adds bars that came by the REST API, and whose row in the ledger is lost: the nearest day of the symbol has them so.
    fn adopt_fetched(&self, date: Date, covered: &mut Covered, dirt: &Dirt) {
        for (symbol, timeframes) in &dirt.uncovered {
            let near = self.near(date, |state| state.rest.contains_key(symbol));
            covered.add(symbol, timeframes.and(near.covered_by_rest(symbol)));
        }
    }

    /// Symbols that are loaded by name on the days before and after, and have vanished from this one with their bars.
    fn add_vanished(&self, date: Date, covered: &mut Covered) {
        let is_known = |state: &&DayState| !state.named.is_empty();
        let before = self.clean().filter(|(other, _)| *other < date).map(|(_, state)| state).last();
        let after = self.clean().find(|(other, _)| *other > date).map(|(_, state)| state);
        let (before, after) = (before.filter(is_known), after.filter(is_known));
        let (Some(one), other) = (before.or(after), after) else { return };
        for (symbol, timeframes) in &one.named {
            let is_everywhere = other.is_none_or(|other| other.named.contains_key(symbol));
            if is_everywhere && !covered.named.contains_key(symbol) {
                covered.add(symbol, *timeframes);
            }
        }
    }

    /// Loaded days whose books are right.
    fn clean(&self) -> impl Iterator<Item = (Date, &DayState)> {
        let has_books =
            |date: Date| self.findings.dirt().get(&(self.checked.dataset, date)).is_some_and(|dirt| dirt.books);
        let states = self.checked.states.iter().map(|(date, state)| (*date, state));
        states.filter(move |(date, state)| is_loaded(state) && !has_books(*date))
    }

    /// The nearest of these days.
    fn near(&self, date: Date, is_wanted: impl Fn(&DayState) -> bool) -> DayState {
        let distance = |other: &Date| other.duration_since(date).abs();
        let wanted = self.clean().filter(|(_, state)| is_wanted(state));
        wanted.min_by_key(|(other, _)| distance(other)).map(|(_, state)| state.clone()).unwrap_or_default()
    }
}

fn reload(covered: Covered) -> Remedy {
    let Covered { everyone, named } = covered;
    Remedy::Reload(Reload::Day { everyone, named })
}
