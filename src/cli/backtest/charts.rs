//! The bars around trades, for the report's page.

use std::collections::BTreeMap;

use super::load::Source;
use crate::backtest::explain::{Explanation, explain};
use crate::backtest::report::{SignalInput, TradeChart, charted};
use crate::backtest::run::{self, Setup};
use crate::backtest::{Study, SymbolData, Trade};
use crate::cli::CliError;
use crate::cli::format::figure;
use crate::model::Symbol;

/// Symbols that are read at a time.
const BATCH: usize = 32;

/// Reads the symbols of the trades that get a chart once more: which these are is known when all are.
pub(super) async fn charts(source: &mut Source, study: &Study, setup: &Setup) -> Result<Vec<TradeChart>, CliError> {
    let chosen = charted(study);
    let mut by_symbol: BTreeMap<Symbol, Vec<usize>> = BTreeMap::new();
    for (chart, (detector, trade)) in chosen.iter().enumerate() {
        let ticker = &study.results[*detector].trades[*trade].symbol;
        let symbol = Symbol::from_ticker(ticker).map_err(CliError::failed)?;
        by_symbol.entry(symbol).or_default().push(chart);
    }
    let mut charts: Vec<Option<TradeChart>> = vec![None; chosen.len()];
    let symbols: Vec<Symbol> = by_symbol.keys().cloned().collect();
    for batch in symbols.chunks(BATCH) {
        for data in source.read(batch).await? {
            let mut by_detector: BTreeMap<usize, Vec<(usize, &Trade)>> = BTreeMap::new();
            for chart in &by_symbol[&data.instrument.symbol] {
                let (detector, trade) = chosen[*chart];
                by_detector.entry(detector).or_default().push((*chart, &study.results[detector].trades[trade]));
            }
            for (detector, mut trades) in by_detector {
                trades.sort_by_key(|(_, trade)| trade.signal_bar);
                for ((chart, trade), inputs) in trades.iter().zip(inputs(&data, setup, detector, &trades)) {
                    charts[*chart] = Some(TradeChart::of(&data, trade, setup.engine.session, inputs));
                }
            }
        }
    }
    Ok(charts.into_iter().flatten().collect())
}

/// What the signals of trades, by bar, were made of.
fn inputs(data: &SymbolData, setup: &Setup, detector: usize, trades: &[(usize, &Trade)]) -> Vec<Vec<SignalInput>> {
    let run::Source::Detectors(detectors) = &setup.source else { return vec![Vec::new(); trades.len()] };
    let mut bars: Vec<usize> = trades.iter().map(|(_, trade)| trade.signal_bar).collect();
    bars.dedup();
    let explained = explain(data, &detectors[detector], setup.engine.session, &bars);
    let of_bar = |bar: usize| explained.iter().find(|explained| explained.features.bar == bar).map(listed);
    trades.iter().map(|(_, trade)| of_bar(trade.signal_bar).unwrap_or_default()).collect()
}

fn listed(explained: &Explanation) -> Vec<SignalInput> {
    let input = |name: &str, value: String| SignalInput { name: name.to_owned(), value };
    let checks = explained.checks.iter().map(|check| input(check.name, figure(check.value)));
    let factors = explained
        .setup
        .iter()
        .flat_map(|setup| &setup.factors)
        .map(|factor| input(factor.name, format!("{} × {}", figure(factor.value), figure(factor.weight))));
    checks.chain(factors).collect()
}
