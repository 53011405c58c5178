//! Trades to take statistics of.

use std::sync::LazyLock;

use barkeep::backtest::metrics::{DetectorStats, detector_stats};
use barkeep::backtest::{Counters, DetectorResult, ExitDecision, ExitReason, Sessions, Side, Trade};
use barkeep::model::{Dataset, Market};
use jiff::civil::date;

/// The sessions that trades of samples name: 2 September 2026, a Wednesday, and those after it; 6 months.
pub fn sessions() -> &'static Sessions {
    static SESSIONS: LazyLock<Sessions> =
        LazyLock::new(|| Sessions::of(Dataset::Stocks, date(2026, 9, 2)..=date(2027, 2, 26)));
    &SESSIONS
}

/// A long trade of 100 shares at 50 with a stop at 49, so that 1 R is 100; it gains `r` and costs nothing, and is in the
/// market for one bar of 15 minutes from the open of a session.
pub fn trade(session: u32, r: f64) -> Trade {
    let open_ms = sessions().get(session).open_ms;
    Trade {
        symbol: "SPY".into(),
        detector: "sample",
        side: Side::Long,
        signal_bar: 0,
        signal_ms: open_ms,
        entry_ms: open_ms,
        exit_ms: open_ms + 15 * 60_000,
        session,
        exit_session: session,
        raw_entry: 50.0,
        entry_price: 50.0,
        stop_price: 49.0,
        target_price: Some(52.0),
        raw_exit: 50.0 + r,
        exit_price: 50.0 + r,
        reason: if r > 0.0 { ExitReason::TargetHit } else { ExitReason::StopHit },
        decision: ExitDecision::Certain,
        gap_exit: false,
        quantity: 100.0,
        gross_pnl: 100.0 * r,
        costs: 0.0,
        pnl: 100.0 * r,
        pnl_pct: 2.0 * r,
        r_multiple: r,
        bars_held: 1,
        mae_r: r.min(0.0),
        mfe_r: r.max(0.0),
        score: 70.0,
        atr: None,
        regime: None,
        vix: None,
        best: None,
        worst: None,
        marks: Box::default(),
        entry_volume: None,
        flags: Vec::new(),
    }
}

pub fn result(detector: &'static str, trades: Vec<Trade>) -> DetectorResult {
    DetectorResult { detector, trades, counters: Counters::default(), symbols: Vec::new(), random_r: Vec::new() }
}

pub const SEED: u64 = 7;

pub fn stats_of(trades: Vec<Trade>) -> DetectorStats {
    let [stats] = detector_stats(&[result("sample", trades)], sessions(), Market::NewYork, SEED).try_into().unwrap();
    stats
}
