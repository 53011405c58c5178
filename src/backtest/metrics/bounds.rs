//! What the figures would be if everything that bars do not show had gone one way.

use serde::Serialize;

use super::tally::Tally;
use crate::backtest::{Outcome, Trade};

/// The headline figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Headline {
    /// Share of trades with a gain after costs.
    pub win_rate: Option<f64>,
    /// Mean R after costs.
    pub expectancy: Option<f64>,
    /// Σ wins ÷ |Σ losses|; `None` where nothing was lost.
    pub profit_factor: Option<f64>,
}

/// The headline figures at both ends of what bars leave open (B-16, B-17).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Where it is not known what came first, the stop did, and targets must be traded through.
    pub stop_first: Headline,
    /// Where it is not known what came first, the target did.
    pub target_first: Headline,
}

impl Bounds {
    /// Those of trades; of those without another outcome the one they had.
    pub(super) fn of(trades: &[&Trade]) -> Self {
        Self {
            stop_first: headline(trades, |trade| trade.worst.as_deref()),
            target_first: headline(trades, |trade| trade.best.as_deref()),
        }
    }
}

fn headline(trades: &[&Trade], other: impl Fn(&Trade) -> Option<&Outcome>) -> Headline {
    let mut tally = Tally::default();
    for trade in trades {
        match other(trade) {
            Some(outcome) => tally.add(outcome.pnl, outcome.r_multiple),
            None => tally.add(trade.pnl, trade.r_multiple),
        }
    }
    Headline { win_rate: tally.win_rate(), expectancy: tally.expectancy(), profit_factor: tally.profit_factor() }
}
