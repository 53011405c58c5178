//! Findings, gathered: counted in full, kept up to a cap.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::finding::{Finding, Kind};
use crate::model::{Dataset, FileKind, TimeframeSet};

/// Findings kept of one kind and day, and of one kind.
const KEPT_OF_A_DAY: u64 = 20;
const KEPT_OF_A_KIND: u64 = 1000;

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

impl Dirt {
    fn merge(&mut self, other: Self) {
        self.books |= other.books;
        self.is_explained |= other.is_explained;
        self.stored |= other.stored;
        for (miscounted, other) in self.miscounted.iter_mut().zip(other.miscounted) {
            *miscounted |= other;
        }
        self.symbols.extend(other.symbols);
        self.uncovered.extend(other.uncovered);
        self.lacking.extend(other.lacking);
        self.present = self.present.union(other.present);
        self.missing.extend(other.missing);
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    kept: BTreeMap<Kind, Vec<Finding>>,
    counts: BTreeMap<(Kind, Option<Dataset>, Option<Date>), u64>,
    dirt: BTreeMap<(Dataset, Date), Dirt>,
}

impl Findings {
    /// Takes one more.
    pub fn add(&mut self, finding: Finding) {
        self.soil(&finding);
        self.keep(finding);
    }

    /// Takes one more, of a symbol's bars that the REST API has brought: whatever is wrong with them, it is that symbol alone.
    pub(super) fn add_of_symbol(&mut self, finding: Finding) {
        if let (Some(dataset), Some(date), Some(symbol)) = (finding.dataset, finding.date, &finding.symbol) {
            self.day(dataset, date).symbols.insert(symbol.clone());
        }
        self.keep(finding);
    }

    fn keep(&mut self, finding: Finding) {
        let count = self.counts.entry((finding.kind, finding.dataset, finding.date)).or_default();
        *count += 1;
        let kept = self.kept.entry(finding.kind).or_default();
        if *count <= KEPT_OF_A_DAY && (kept.len() as u64) < KEPT_OF_A_KIND {
            kept.push(finding);
        }
    }

    /// Takes what others have found, of other days or other kinds.
    pub(super) fn absorb(&mut self, other: Self) {
        for (kind, more) in other.kept {
            let kept = self.kept.entry(kind).or_default();
            let room = (KEPT_OF_A_KIND as usize).saturating_sub(kept.len());
            kept.extend(more.into_iter().take(room));
        }
        for (of, count) in other.counts {
            *self.counts.entry(of).or_default() += count;
        }
        for (day, dirt) in other.dirt {
            self.dirt.entry(day).or_default().merge(dirt);
        }
    }

    /// Forgets what was found of a day.
    pub(super) fn forget(&mut self, dataset: Dataset, date: Date) {
        let of_day = |of: (Option<Dataset>, Option<Date>)| of == (Some(dataset), Some(date));
        self.dirt.remove(&(dataset, date));
        self.counts.retain(|(_, dataset, date), _| !of_day((*dataset, *date)));
        self.kept.values_mut().for_each(|kept| kept.retain(|finding| !of_day((finding.dataset, finding.date))));
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
        let mut kept: Vec<_> = self.kept.values().flatten().collect();
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
