//! What becomes of a symbol's day that the REST API brings, by what is stored of it already. Pure: both stores do as it says.

use super::{DayState, SymbolDay, SymbolDayStored, SymbolDays};
use crate::model::{Bar, Outcome, TimeframeSet, VwapMethod};
use crate::store::BarBatch;

/// Timeframes that a file was loaded for by name of a symbol it lacks, and those that stay so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absence {
    pub(super) timeframes: TimeframeSet,
    pub(super) left: TimeframeSet,
}

impl DayState {
    /// What is given up of a symbol's coverage by name for timeframes that the REST API has; `None` if it is nothing.
    pub(super) fn absence(&self, ticker: &str, timeframes: TimeframeSet) -> Option<Absence> {
        let named = *self.named.get(ticker)?;
        let given_up = named.and(timeframes).minus(self.everyone);
        (!given_up.is_empty()).then(|| Absence { timeframes: given_up, left: named.minus(given_up) })
    }
}

impl Absence {
    /// The state of the day without it.
    pub(super) fn apply(self, state: &mut DayState, ticker: &str) {
        if self.left.is_empty() {
            state.named.remove(ticker);
        } else {
            state.named.insert(ticker.to_owned(), self.left);
        }
    }
}

/// What is to be done with one day of a symbol.
#[derive(Debug)]
pub(super) struct Placing<'a> {
    pub(super) day: &'a SymbolDay,
    symbol: &'a str,
    /// Timeframes that are left as files have brought them.
    of_files: TimeframeSet,
    /// Those of them whose VWAPs are to be made exact.
    pub(super) exact: TimeframeSet,
    /// Timeframes whose bars are removed, if there are any.
    pub(super) removed: TimeframeSet,
    /// Timeframes that the ledger says the REST API has brought, after.
    pub(super) timeframes: TimeframeSet,
    /// Timeframes of files that the ledger says have exact VWAPs, after.
    pub(super) exact_vwap: TimeframeSet,
    /// Bars that the ledger counts now, if any of them may stay.
    bars_before: u64,
}

impl<'a> Placing<'a> {
    /// One day among others, stored beside what its state tells.
    pub(super) fn of(days: &'a SymbolDays, day: &'a SymbolDay, state: Option<&DayState>) -> Self {
        let files = state.map(|state| state.covered_by_files(&days.symbol)).unwrap_or_default();
        let before = state.and_then(|state| state.rest.get(&days.symbol));
        // What was fetched before the session was over makes room whole: bars of two moments would contradict each other.
        let stays = before.filter(|before| !before.is_provisional).map(|before| before.timeframes).unwrap_or_default();
        let fetched = day.timeframes.minus(files);
        let stays = stays.minus(fetched);
        let exact =
            if days.exact_vwap && !day.is_provisional { day.timeframes.and(files) } else { TimeframeSet::EMPTY };
        let brought = before.map(|before| before.timeframes).unwrap_or_default();
        Self {
            day,
            symbol: &days.symbol,
            of_files: day.timeframes.and(files),
            exact,
            removed: fetched.union(brought).minus(stays).minus(files),
            timeframes: fetched.union(stays),
            exact_vwap: before.map(|before| before.exact_vwap).unwrap_or_default().union(exact).and(files),
            bars_before: before.filter(|_| !stays.is_empty()).map_or(0, |before| before.bars),
        }
    }

    /// Whether there is anything to write. Where files cover everything, there is not.
    pub(super) fn changes_anything(&self) -> bool {
        // That a symbol its file lacks was asked for in vain is remembered, too.
        self.of_files != self.day.timeframes || !self.exact.is_empty() || self.day.is_absent_in_file
    }

    /// The bars to write.
    pub(super) fn batch(&self) -> BarBatch {
        let bars: Vec<Bar> =
            self.day.bars.iter().filter(|bar| !self.of_files.contains(bar.timeframe)).copied().collect();
        if bars.is_empty() {
            return BarBatch::default();
        }
        BarBatch { symbols: vec![(self.symbol.into(), 0..bars.len())], bars }
    }

    /// The bars whose VWAPs are to take the place of estimates.
    pub(super) fn exact_bars(&self) -> impl Iterator<Item = &'a Bar> {
        let (day, exact) = (self.day, self.exact);
        day.bars.iter().filter(move |bar| exact.contains(bar.timeframe) && bar.vwap_method == Some(VwapMethod::Vendor))
    }

    /// How many bars the ledger counts, and how it says that this ended, when so many were removed and written.
    pub(super) fn outcome(&self, removed: u64, written: u64) -> (u64, Outcome) {
        let bars = self.bars_before.saturating_sub(removed) + written;
        let outcome = match () {
            () if self.day.is_provisional => Outcome::Provisional,
            () if self.day.bars.is_empty() && bars == 0 => Outcome::Empty,
            () => Outcome::Loaded,
        };
        (bars, outcome)
    }

    /// What became of it, when so many bars were written and so many VWAPs made exact or left.
    pub(super) fn stored(&self, bars: u64, made_exact: u64, left_estimated: u64) -> SymbolDayStored {
        SymbolDayStored { date: self.day.date, of_files: self.of_files, bars, made_exact, left_estimated }
    }
}
