//! What trading costs, and what it may cost.

use serde::Serialize;

use crate::backtest::Trade;

/// Mean R if each side cost so much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostPoint {
    /// Cost per side in hundredths of a percent of the value traded.
    pub bps_per_side: u32,
    /// Mean R after it.
    pub expectancy: f64,
}

/// Costs of trades, and how their mean R depends on them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Costs {
    /// Σ costs in money.
    pub total: f64,
    /// Σ costs ÷ Σ P&L before costs; `None` where nothing was gained before costs.
    pub share_of_gross: Option<f64>,
    /// Σ costs ÷ Σ value traded on both sides, in hundredths of a percent (B-31).
    pub bps_per_side: f64,
    /// Mean cost of a trade in R (B-31).
    pub r: f64,
    /// Mean R before costs.
    pub gross_expectancy: f64,
    /// Mean R at costs of 0 to 20 bps per side in place of those of the run.
    pub frontier: Vec<CostPoint>,
    /// Cost per side in hundredths of a percent at which mean R is 0; `None` where nothing was gained before costs.
    pub break_even_bps: Option<f64>,
}

/// Highest cost of the frontier.
const MOST_BPS: u32 = 20;
const BPS: f64 = 1e-4;

impl Costs {
    /// A trade risked q·d (quantity · initial stop distance), gained g before costs and traded v = entry value + exit value.
    /// At c bps per side its R is (g − c·1e-4·v) ÷ (q·d); so mean R is a line, A − c·B, with A the mean of g/(q·d) and B
    /// that of 1e-4·v/(q·d), and meets 0 at A ÷ B. Exits stay where they are: a cost changes no fill.
    /// `None` without trades.
    pub(super) fn of(trades: &[&Trade]) -> Option<Self> {
        if trades.is_empty() {
            return None;
        }
        let count = trades.len() as f64;
        let (mut costs, mut gross, mut traded) = (0.0, 0.0, 0.0);
        let (mut cost_r, mut gross_r, mut traded_r) = (0.0, 0.0, 0.0);
        for trade in trades {
            let risk = risk(trade);
            let value = value_traded(trade);
            costs += trade.costs;
            gross += trade.gross_pnl;
            traded += value;
            cost_r += trade.costs / risk;
            gross_r += trade.gross_pnl / risk;
            traded_r += value / risk;
        }
        let (gross_expectancy, per_bp) = (gross_r / count, BPS * traded_r / count);
        let frontier = (0..=MOST_BPS)
            .map(|bps| CostPoint { bps_per_side: bps, expectancy: gross_expectancy - f64::from(bps) * per_bp })
            .collect();
        Some(Self {
            total: costs,
            share_of_gross: (gross > 0.0).then(|| costs / gross),
            bps_per_side: costs / (BPS * traded),
            r: cost_r / count,
            gross_expectancy,
            frontier,
            break_even_bps: (gross_expectancy > 0.0).then(|| gross_expectancy / per_bp),
        })
    }
}

/// Quantity · initial stop distance, in money: what R is measured in.
fn risk(trade: &Trade) -> f64 {
    (trade.raw_entry - trade.stop_price).abs() * trade.quantity
}

/// Entry value and exit value, from the entry and the gain: a split in between changes shares and price, but not these.
fn value_traded(trade: &Trade) -> f64 {
    2.0 * trade.raw_entry * trade.quantity + trade.side.sign() * trade.gross_pnl
}
