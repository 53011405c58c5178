//! Trades as records of a report.

use jiff::Timestamp;
use serde::Serialize;

use crate::backtest::{ExitDecision, ExitReason, Regime, Side, Trade};

/// A trade with the names of the report, in their order. Prices are in the shares of the entry's session. What was not known
/// at the signal is left out; so is `ivPercentile` always, as no detector asks for implied volatilities of other sessions and
/// no run has them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TradeRecord<'a> {
    /// Start of the entry bar, milliseconds since the Unix epoch.
    timestamp: i64,
    symbol: &'a str,
    detector: &'a str,
    direction: Side,
    entry_price: f64,
    target_price: Option<f64>,
    stop_price: f64,
    exit_price: f64,
    exit_timestamp: i64,
    exit_reason: ExitReason,
    pnl: f64,
    pnl_percent: f64,
    r_multiple: f64,
    bars_held: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    market_regime: Option<Regime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vix_level: Option<f64>,
    trade_id: String,
    signal_timestamp: i64,
    score: f64,
    quantity: f64,
    raw_entry: f64,
    raw_exit: f64,
    gross_pnl: f64,
    costs: f64,
    mae_r: f64,
    mfe_r: f64,
    /// Whether nothing showed which of two levels came first, or whether a target was reached at all.
    ambiguous: bool,
    gap_exit: bool,
    oi_proxy: bool,
    flags: &'a [&'static str],
    exit_decision: ExitDecision,
    /// R if the stop came first wherever it is not known.
    stop_first_r: f64,
    /// R if the target came first wherever it is not known.
    target_first_r: f64,
}

impl<'a> TradeRecord<'a> {
    /// `oi_proxy`: whether its detector took the day's volume for open interest.
    pub(super) fn of(trade: &'a Trade, oi_proxy: bool) -> Self {
        Self {
            timestamp: trade.entry_ms,
            symbol: &trade.symbol,
            detector: trade.detector,
            direction: trade.side,
            entry_price: trade.entry_price,
            target_price: trade.target_price,
            stop_price: trade.stop_price,
            exit_price: trade.exit_price,
            exit_timestamp: trade.exit_ms,
            exit_reason: trade.reason,
            pnl: trade.pnl,
            pnl_percent: trade.pnl_pct,
            r_multiple: trade.r_multiple,
            bars_held: trade.bars_held,
            market_regime: trade.regime,
            vix_level: trade.vix,
            trade_id: trade_id(trade),
            signal_timestamp: trade.signal_ms,
            score: trade.score,
            quantity: trade.quantity,
            raw_entry: trade.raw_entry,
            raw_exit: trade.raw_exit,
            gross_pnl: trade.gross_pnl,
            costs: trade.costs,
            mae_r: trade.mae_r,
            mfe_r: trade.mfe_r,
            ambiguous: trade.decision == ExitDecision::Assumed,
            gap_exit: trade.gap_exit,
            oi_proxy,
            flags: &trade.flags,
            exit_decision: trade.decision,
            stop_first_r: trade.worst.as_ref().map_or(trade.r_multiple, |outcome| outcome.r_multiple),
            target_first_r: trade.best.as_ref().map_or(trade.r_multiple, |outcome| outcome.r_multiple),
        }
    }
}

/// What names a trade within a run and across runs: detector, symbol, and the UTC minute its signal was known at. A detector
/// holds one position of a symbol at a time, so there are no two.
pub fn trade_id(trade: &Trade) -> String {
    let known = Timestamp::from_millisecond(trade.signal_ms).expect("Invariant: bars lie within the calendar");
    format!("{}:{}:{}", trade.detector, trade.symbol, known.strftime("%Y-%m-%dT%H:%MZ"))
}
