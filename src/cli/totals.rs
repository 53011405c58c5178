//! A run in numbers.

use std::collections::BTreeMap;

use jiff::civil::Date;
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

/// A wanted symbol that some of the run's files have and others lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SometimesAbsent {
    /// The dataset.
    pub dataset: Dataset,
    /// The symbol.
    pub symbol: String,
    /// On how many days it is absent.
    pub days: u64,
    /// The first of them.
    pub first: Date,
    /// The last of them.
    pub last: Date,
}

/// A run in numbers: the `totals` of `--json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Days by outcome.
    pub days: BTreeMap<Outcome, u64>,
    /// Days whose bars were replaced because the vendor had replaced the file.
    pub days_replaced: u64,
    /// Bars that had come by REST and whose place the files' have taken.
    pub replaced_rest_bars: u64,
    /// Days that are there, but without the vendor's day bars: their file could not be read.
    pub days_without_official_bars: u64,
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
    /// Wanted symbols that some days have and others lack; `--json` has them with the days.
    #[serde(skip)]
    pub sometimes_absent: Vec<SometimesAbsent>,
}

/// The files of a day that were read.
pub(super) fn files(day: &DayReport) -> impl Iterator<Item = &ObjectReport> {
    day.minute_file.iter().chain(&day.day_file)
}

impl Totals {
    /// Adds up a run.
    pub fn of(run: &RunReport) -> Self {
        let (missing_symbols, sometimes_absent) = absent_symbols(&run.days);
        let mut totals = Self {
            bytes_fetched: run.bytes_fetched,
            seconds: (run.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            interrupted: run.interrupted,
            missing_symbols,
            sometimes_absent,
            ..Self::default()
        };
        for day in &run.days {
            *totals.days.entry(day.outcome).or_default() += 1;
            totals.days_without_official_bars += u64::from(day.lacks_its_day_bars());
            totals.days_replaced += u64::from(day.replaced);
            totals.bars += day.bars;
            totals.replaced_rest_bars += day.replaced_rest_bars;
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
        !self.missing_symbols.is_empty()
            || self.days_without_official_bars > 0
            || self.days.iter().any(|(outcome, days)| outcome.leaves_a_gap() && *days > 0)
    }
}

/// Wanted symbols that every day lacks, loaded now or before, and those that only some days lack: these are real, and that they
/// did not trade on others is no gap.
fn absent_symbols(days: &[DayReport]) -> (Vec<MissingSymbol>, Vec<SometimesAbsent>) {
    let mut looked_at: BTreeMap<Dataset, u64> = BTreeMap::new();
    let mut absent: BTreeMap<(Dataset, &str), SometimesAbsent> = BTreeMap::new();
    for day in days.iter().filter(|day| matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged)) {
        *looked_at.entry(day.dataset).or_default() += 1;
        for symbol in &day.absent_symbols {
            let entry = absent.entry((day.dataset, symbol)).or_insert_with(|| SometimesAbsent {
                dataset: day.dataset,
                symbol: symbol.clone(),
                days: 0,
                first: day.date,
                last: day.date,
            });
            entry.days += 1;
            entry.last = day.date;
        }
    }
    let (mut missing, mut sometimes) = (Vec::new(), Vec::new());
    for ((dataset, _), absent) in absent {
        if looked_at.get(&dataset) == Some(&absent.days) {
            missing.push(MissingSymbol { dataset, symbol: absent.symbol, days: absent.days });
        } else {
            sometimes.push(absent);
        }
    }
    (missing, sometimes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::summary::testing::{day, run};

    #[test]
    fn a_day_without_its_official_bars_is_a_gap() {
        let mut days = vec![day("2024-07-08", Outcome::Loaded)];
        assert!(!Totals::of(&run(days.clone())).has_gaps());
        days[0].day_file_outcome = Some(Outcome::NotEntitled);
        assert!(!Totals::of(&run(days.clone())).has_gaps(), "a plan without day files lacks nothing it has");
        days[0].day_file_outcome = Some(Outcome::Damaged);
        assert!(Totals::of(&run(days)).has_gaps());
    }

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
        let totals = Totals::of(&run(days));
        assert_eq!(totals.missing_symbols, [missing]);
        let sometimes: Vec<_> =
            totals.sometimes_absent.iter().map(|absent| (absent.symbol.as_str(), absent.days)).collect();
        assert_eq!(sometimes, [("GONE", 1), ("NEW", 1)]);
    }
}
