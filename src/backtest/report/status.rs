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
