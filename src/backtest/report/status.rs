//! Whether detectors could be evaluated, by symbol and in all.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::backtest::{DetectorResult, Input, Status};

/// Symbols on which a detector has the same status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusGroup<'a> {
    /// The detector's identifier.
    pub detector: &'static str,
    /// The status.
    pub status: Status,
    /// Symbols that have it, sorted.
    pub symbols: Vec<&'a str>,
    /// Their signal bars.
    pub bars: u64,
    /// Those that lack a required input, by the first that is missing.
    pub not_evaluable: BTreeMap<Input, u64>,
}

/// A detector's symbols by status, best status first.
pub fn status_groups(result: &DetectorResult) -> Vec<StatusGroup<'_>> {
    let mut groups = BTreeMap::<Status, StatusGroup<'_>>::new();
    for symbol in &result.symbols {
        let group = groups.entry(symbol.status).or_insert_with(|| StatusGroup {
            detector: result.detector,
            status: symbol.status,
            symbols: Vec::new(),
            bars: 0,
            not_evaluable: BTreeMap::new(),
        });
        group.symbols.push(&symbol.symbol);
        group.bars += symbol.bars;
        for (input, bars) in &symbol.missing {
            *group.not_evaluable.entry(*input).or_default() += bars;
        }
    }
    groups
        .into_values()
        .map(|mut group| {
            group.symbols.sort_unstable();
            group
        })
        .collect()
}

/// A detector's status over all symbols: that of the symbols it is made for. Evaluated on all of them, or partial if on some
/// bars or symbols, or what the first in the order of statuses says that was on none. Symbols of another class count only
/// where there are no others.
pub fn overall_status(result: &DetectorResult) -> Status {
    let gated = |status: &Status| matches!(status, Status::AssetClass | Status::NotTradable);
    let all = || result.symbols.iter().map(|symbol| symbol.status);
    let mut own: Vec<_> = all().filter(|status| !gated(status)).collect();
    own.sort_unstable();
    match (own.first(), own.last()) {
        (Some(Status::Evaluated), Some(Status::Evaluated)) => Status::Evaluated,
        (Some(Status::Evaluated | Status::Partial), _) => Status::Partial,
        (Some(first), _) => *first,
        (None, _) => all().min().unwrap_or(Status::NoData),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::{Counters, SymbolStatus};

    fn result(statuses: &[(&str, Status)]) -> DetectorResult {
        let symbol = |(symbol, status): &(&str, Status)| SymbolStatus {
            symbol: (*symbol).into(),
            status: *status,
            bars: 10,
            missing: BTreeMap::from([(Input::WarmUp, 3)]),
        };
        DetectorResult {
            detector: "breakout_bullish",
            trades: Vec::new(),
            counters: Counters::default(),
            symbols: statuses.iter().map(symbol).collect(),
            random_r: Vec::new(),
        }
    }

    /// B-61, B-62: symbols of another class say nothing of a detector that ran on its own.
    #[test]
    fn a_detector_has_the_status_of_the_symbols_it_is_made_for() {
        use Status::{AssetClass, Evaluated, InsufficientData, NoData, NotEvaluable, NotTradable, Partial};
        let oi = NotEvaluable(Input::OpenInterest);
        for (statuses, overall) in [
            (&[Evaluated, AssetClass][..], Evaluated),
            (&[Evaluated, NoData], Partial),
            (&[Partial, Evaluated], Partial),
            (&[AssetClass, oi, NotTradable], oi),
            (&[InsufficientData, oi], oi),
            (&[NotTradable, AssetClass], AssetClass),
            (&[], NoData),
        ] {
            let named: Vec<_> = statuses.iter().map(|status| ("SPY", *status)).collect();
            assert_eq!(overall_status(&result(&named)), overall, "{statuses:?}");
        }
    }

    #[test]
    fn symbols_of_one_status_are_one_group() {
        let result = result(&[("SPY", Status::Partial), ("I:SPX", Status::AssetClass), ("AAPL", Status::Partial)]);
        let groups = status_groups(&result);
        let symbols: Vec<_> = groups.iter().map(|group| (group.status, group.symbols.as_slice())).collect();
        assert_eq!(symbols, [(Status::Partial, &["AAPL", "SPY"][..]), (Status::AssetClass, &["I:SPX"])]);
        assert_eq!((groups[0].bars, groups[0].not_evaluable[&Input::WarmUp]), (20, 6));
    }
}
