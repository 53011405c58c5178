//! Whether the ledger and the coverage of a day agree with each other and with the number of its bars. Pure.

use jiff::civil::Date;

use super::finding::{Finding, Kind};
use crate::model::{Dataset, Expectation, FileKind, Symbol, Timeframe, TimeframeSet};
use crate::store::{DayState, FileState};

/// Bars of a day that came by files, by the kind of file.
pub(super) type Counts = [u64; FileKind::ALL.len()];

/// Whether bars of a day are loaded, by its books.
pub(super) fn is_loaded(state: &DayState) -> bool {
    let has_file = FileKind::ALL.iter().any(|kind| state.loaded(*kind).is_some());
    let has_fetched = || state.rest.values().any(|rest| !rest.covered().is_empty());
    has_file || !state.everyone.is_empty() || !state.named.is_empty() || has_fetched()
}

/// Calls back with everything that is wrong with what the ledger says of what the REST API has brought of a symbol, of whose
/// bars there are so many.
pub(super) fn check_fetched(
    (dataset, date, symbol): (Dataset, Date, &str),
    state: &DayState,
    bars: u64,
    found: &mut impl FnMut(Finding),
) {
    let Some(rest) = state.rest.get(symbol) else { return };
    let about = |kind, what: String| Finding::of_day(kind, dataset, date, what).of_symbol(symbol);
    let files = state.covered_by_files(symbol);
    let (twice, of_no_file) = (rest.timeframes.and(files), rest.exact_vwap.minus(files));
    if !twice.is_empty() {
        found(about(Kind::SourceConflict, format!("{twice} came by a file, too")));
    }
    if !of_no_file.is_empty() {
        found(about(
            Kind::SourceConflict,
            format!("VWAPs of {of_no_file} are said to be exact, and no file brought them"),
        ));
    }
    if bars != rest.bars {
        found(about(Kind::CountDiffers, "bars from the REST API".to_owned()).differing(rest.bars, bars));
    }
}

/// Whether a ticker is stored as one of a market.
pub(super) fn is_of(dataset: Dataset, ticker: &str) -> bool {
    Symbol::from_ticker(ticker).is_ok_and(|symbol| symbol.dataset() == dataset && symbol.as_str() == ticker)
}

/// The books of a day, and how many bars are stored.
#[derive(Debug)]
pub(super) struct Books<'a> {
    pub(super) dataset: Dataset,
    pub(super) date: Date,
    pub(super) state: &'a DayState,
    pub(super) counts: Counts,
}

impl Books<'_> {
    /// Calls back with everything that is wrong.
    pub(super) fn check(&self, found: &mut impl FnMut(Finding)) {
        let symbols = self.state.named.keys().chain(self.state.rest.keys());
        for symbol in symbols.filter(|symbol| !is_of(self.dataset, symbol)) {
            let what = format!("no symbol of {}", self.dataset);
            found(self.about(Kind::ScopeConflict, what).of_symbol(symbol));
        }
        let covered = self.state.named.values().fold(self.state.everyone, |all, one| all.union(*one));
        for kind in FileKind::ALL {
            let file = kind.as_str();
            let is_covered = !covered.and(kind.timeframes()).is_empty();
            match self.state.file(kind).filter(|file| file.loaded.is_some()) {
                None if is_covered => {
                    found(self.about(Kind::OrphanCoverage, format!("no version of the {file} file in the ledger")));
                }
                None => {}
                Some(ledger) => {
                    if !is_covered {
                        let what = format!("the {file} file is loaded, and no timeframe of it");
                        found(self.about(Kind::LedgerWithoutCoverage, what));
                    }
                    let bars = self.counts[kind as usize];
                    if let Some(wrong) = self.count(kind, ledger) {
                        found(self.about(wrong, format!("bars from the {file} file")).differing(ledger.bars, bars));
                    }
                }
            }
        }
    }

    /// Whether the ledger knows exactly the bars that are stored: by kind of file.
    pub(super) fn miscounted(&self) -> [bool; FileKind::ALL.len()] {
        FileKind::ALL.map(|kind| self.state.file(kind).is_some_and(|ledger| self.count(kind, ledger).is_some()))
    }

    /// What is wrong with the number of bars made from a file.
    fn count(&self, kind: FileKind, ledger: &FileState) -> Option<Kind> {
        ledger.loaded.as_ref()?;
        let bars = self.counts[kind as usize];
        // A file has a row, and a row makes a bar in any timeframe but the day, which has the regular session alone.
        let of_any_row = kind.timeframes().minus(TimeframeSet::of([Timeframe::Day, Timeframe::DayOfficial]));
        let is_due = self.dataset.expectation(self.date) == Expectation::Due;
        let must_have = is_due && !self.state.everyone.and(of_any_row).is_empty();
        if bars == 0 && (ledger.bars > 0 || must_have) {
            Some(Kind::DayEmpty)
        } else {
            (bars != ledger.bars).then_some(Kind::CountDiffers)
        }
    }

    fn about(&self, kind: Kind, what: String) -> Finding {
        Finding::of_day(kind, self.dataset, self.date, what)
    }
}
