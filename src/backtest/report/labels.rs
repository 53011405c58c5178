//! What must be known of a whole report before its figures are read.

use std::collections::BTreeSet;

use super::{Inputs, Splits};
use crate::backtest::metrics::DetectorStats;
use crate::backtest::{AssetClass, FillMode, Instrument};
use crate::model::Symbol;

/// What must be known of a whole report before its figures are read, in a fixed order.
pub(super) fn labels(inputs: &Inputs<'_>, stats: &[DetectorStats]) -> Vec<&'static str> {
    let Inputs { config, study, data, .. } = inputs;
    let index = |ticker: &str| {
        Symbol::from_ticker(ticker).is_ok_and(|symbol| Instrument::of(&symbol, &[]).class == AssetClass::Index)
    };
    let symbols: BTreeSet<&str> =
        study.results.iter().flat_map(|result| &result.trades).map(|trade| &*trade.symbol).collect();
    let compat = |value: &serde_json::Value| value == "compat";
    [
        (config.costs.zero, "no costs"),
        (config.engine.fill_mode == FillMode::SameClose, "look-ahead fill"),
        (config.oi_proxy_volume, "oi_proxy=volume"),
        (symbols.into_iter().any(index), "synthetic_underlying"),
        (config.ignore_asset_class, "asset class ignored"),
        (
            config.detectors.iter().any(|detector| detector.parameters.get("score_profile").is_some_and(compat)),
            "compat score",
        ),
        (stats.iter().any(|stats| stats.small_sample && stats.total_trades > 0), "small sample"),
        (inputs.configurations > 1, "in-sample"),
        (data.store_unusable, "database not used"),
        (data.splits == Splits::NotLoaded, "splits not loaded"),
        (data.has_mixed_vwap(), "mixed vwap"),
        (data.has_gaps(), "data gaps"),
        (!data.unmatched_signals.is_empty(), "signals not traded"),
        (!data.unranked.is_empty(), "universe incomplete"),
    ]
    .into_iter()
    .filter_map(|(applies, label)| applies.then_some(label))
    .collect()
}
