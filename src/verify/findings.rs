//! Findings, gathered: counted in full, kept up to a cap.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::finding::{Finding, Kind};
use crate::model::{Dataset, FileKind, TimeframeSet};

/// Findings kept of one kind and day.
const KEPT_OF_A_DAY: u64 = 20;

/// What is wrong with a day, as far as making it right needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dirt {
    /// More is wrong than values of single symbols, or the vendor's file.
    pub books: bool,
    /// Something of it is found in bars of a symbol.
    pub is_explained: bool,
    /// Bars are stored under this date that should not be.
    pub stored: bool,
    /// Whether the ledger knows of another number of bars than are stored: by kind of file.
    pub miscounted: [bool; FileKind::ALL.len()],
    /// Symbols with wrong values.
    pub symbols: BTreeSet<String>,
    /// Symbols with bars that are not covered, and the timeframes of these.
    pub uncovered: BTreeMap<String, TimeframeSet>,
    /// Symbols without a bar of timeframes that are covered.
    pub lacking: BTreeMap<String, TimeframeSet>,
    /// Timeframes in which symbols have bars that are loaded with everyone.
    pub present: TimeframeSet,
    /// Symbols that are loaded before and after the day, and not on it.
    pub missing: BTreeSet<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    counts: BTreeMap<(Kind, Option<Dataset>, Option<Date>), u64>,
    dirt: BTreeMap<(Dataset, Date), Dirt>,
}

impl Findings {
    /// Most findings that are kept in all.
    pub const MOST_KEPT: usize = 10_000;

    /// Takes one more.
    pub fn add(&mut self, finding: Finding) {
        self.soil(&finding);
        let count = self.counts.entry((finding.kind, finding.dataset, finding.date)).or_default();
        *count += 1;
        if *count <= KEPT_OF_A_DAY && self.kept.len() < Self::MOST_KEPT {
            self.kept.push(finding);
        }
    }

    fn soil(&mut self, finding: &Finding) {
        let (Some(dataset), Some(date)) = (finding.dataset, finding.date) else { return };
        let dirt = self.dirt.entry((dataset, date)).or_default();
        dirt.is_explained |= finding.symbol.is_some();
        match &finding.symbol {
            _ if finding.kind == Kind::Restated => {}
            Some(symbol) if finding.kind.is_about_values() => {
                if !dirt.symbols.contains(symbol) {
                    dirt.symbols.insert(symbol.clone());
                }
            }
            _ => dirt.books = true,
        }
    }

    /// What is wrong with a day, to take note of more.
    pub(super) fn day(&mut self, dataset: Dataset, date: Date) -> &mut Dirt {
        self.dirt.entry((dataset, date)).or_default()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many there are of each kind.
    pub fn by_kind(&self) -> BTreeMap<Kind, u64> {
        let mut kinds = BTreeMap::new();
        for ((kind, ..), count) in &self.counts {
            *kinds.entry(*kind).or_default() += count;
        }
        kinds
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether there is one of a kind on a day.
    pub fn has(&self, kind: Kind, dataset: Option<Dataset>, date: Option<Date>) -> bool {
        self.counts.contains_key(&(kind, dataset, date))
    }

    /// Those that were kept: by market, date, symbol, timeframe and time.
    pub fn kept(&self) -> Vec<&Finding> {
        let mut kept: Vec<_> = self.kept.iter().collect();
        kept.sort_by(|a, b| key(a).cmp(&key(b)));
        kept
    }

    /// Days that are not as they should be.
    pub const fn dirt(&self) -> &BTreeMap<(Dataset, Date), Dirt> {
        &self.dirt
    }
}

fn key(finding: &Finding) -> impl Ord + '_ {
    (finding.dataset, finding.date, &finding.symbol, finding.timeframe, finding.timestamp_ms, finding.kind)
}
