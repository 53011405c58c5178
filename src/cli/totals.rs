//! A run in numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::ingest::{DayReport, ObjectReport, Outcome, RejectReason, RunReport};
use crate::model::Dataset;

/// A wanted symbol that none of the run's files has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MissingSymbol {
    /// The dataset.
    pub dataset: Dataset,
    /// The symbol.
    pub symbol: String,
    /// In how many days it was looked for.
    pub days: u64,
}

/// A run in numbers: the `totals` of `--json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Days by outcome.
    pub days: BTreeMap<Outcome, u64>,
    /// Days whose bars were replaced because the vendor had replaced the file.
    pub days_replaced: u64,
    /// Rows read, rejected ones included, of all symbols.
    pub rows: u64,
    /// Rejected rows.
    pub rejected: u64,
    /// Rejected rows by reason.
    pub rejected_by_reason: BTreeMap<RejectReason, u64>,
    /// Rows that repeated another one exactly.
    pub duplicates_identical: u64,
    /// Rows that disagreed with another one of the same symbol and minute and lost to it.
    pub duplicates_conflicting: u64,
    /// Bars written.
    pub bars: u64,
    /// Bytes that came over the network.
    pub bytes_fetched: u64,
    /// From the first listing to the last commit.
    pub seconds: f64,
    /// Stopped on request before all days were done.
    pub interrupted: bool,
    /// Wanted symbols that no day has.
    pub missing_symbols: Vec<MissingSymbol>,
}

/// The files of a day that were read.
pub(super) fn files(day: &DayReport) -> impl Iterator<Item = &ObjectReport> {
    day.minute_file.iter().chain(&day.day_file)
}

impl Totals {
    /// Adds up a run.
    pub fn of(run: &RunReport) -> Self {
        let mut totals = Self {
            bytes_fetched: run.bytes_fetched,
            seconds: (run.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            interrupted: run.interrupted,
            missing_symbols: missing_symbols(&run.days),
            ..Self::default()
        };
        for day in &run.days {
            *totals.days.entry(day.outcome).or_default() += 1;
            totals.days_replaced += u64::from(day.replaced);
            totals.bars += day.bars;
            for file in files(day) {
                totals.rows += file.rows;
                totals.rejected += file.rejects.total();
                totals.duplicates_identical += file.duplicates_identical;
                totals.duplicates_conflicting += file.duplicates_conflicting;
                for (reason, count) in &file.rejects.counts {
                    *totals.rejected_by_reason.entry(*reason).or_default() += count;
                }
            }
        }
        totals
    }

    /// Days with this outcome.
    pub fn days_with(&self, outcome: Outcome) -> u64 {
        self.days.get(&outcome).copied().unwrap_or_default()
    }

    /// Whether a day or symbol that should be there is not.
    pub fn has_gaps(&self) -> bool {
        !self.missing_symbols.is_empty() || self.days.iter().any(|(outcome, days)| outcome.leaves_a_gap() && *days > 0)
    }
}

/// Symbols that every day of their dataset lacks, loaded now or before. A symbol that some day has is real: that it did not
/// trade on others is no gap.
fn missing_symbols(days: &[DayReport]) -> Vec<MissingSymbol> {
    let mut absent: BTreeMap<Dataset, (u64, BTreeSet<&str>)> = BTreeMap::new();
    for day in days.iter().filter(|day| matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged)) {
        let of_day = || day.absent_symbols.iter().map(String::as_str);
        absent
            .entry(day.dataset)
            .and_modify(|(days, symbols)| {
                let of_day: BTreeSet<_> = of_day().collect();
                symbols.retain(|symbol| of_day.contains(symbol));
                *days += 1;
            })
            .or_insert_with(|| (1, of_day().collect()));
    }
    let mut missing = Vec::new();
    for (dataset, (days, symbols)) in absent {
        missing.extend(symbols.into_iter().map(|symbol| MissingSymbol { dataset, symbol: symbol.to_owned(), days }));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::summary::testing::{day, run};

    #[test]
    fn a_symbol_is_missing_when_no_day_has_it() {
        let mut days = vec![
            day("2024-07-08", Outcome::Loaded),
            day("2024-07-09", Outcome::Unchanged),
            day("2024-07-10", Outcome::Missing),
            day("2024-07-11", Outcome::Loaded),
        ];
        days[0].absent_symbols = vec!["NEW".into(), "SPYY".into()];
        days[1].absent_symbols = vec!["SPYY".into()];
        days[3].absent_symbols = vec!["SPYY".into(), "GONE".into()];
        let missing = MissingSymbol { dataset: Dataset::Stocks, symbol: "SPYY".into(), days: 3 };
        assert_eq!(Totals::of(&run(days)).missing_symbols, [missing]);
    }
}
