//! Trades by something they have in common.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::detector::SMALL_SAMPLE;
use super::tally::Tally;
use super::wilson::{Interval, wilson};
use crate::backtest::Trade;

/// Statistics of some of the trades.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// How many.
    pub total_trades: u64,
    /// Those with a gain after costs.
    pub winners: u64,
    /// Those with a loss after costs.
    pub losers: u64,
    /// Winners ÷ trades.
    pub win_rate: f64,
    /// Its Wilson 95 % interval.
    pub win_rate_interval: Interval,
    /// Σ P&L in money.
    pub total_pnl: f64,
    /// Σ wins ÷ |Σ losses|; `None` where nothing was lost.
    pub profit_factor: Option<f64>,
    /// Mean R.
    pub expectancy: f64,
    /// Fewer than 30 trades.
    pub small_sample: bool,
}

impl Group {
    /// `None` without trades.
    fn of(tally: &Tally) -> Option<Self> {
        Some(Self {
            total_trades: tally.trades(),
            winners: tally.winners,
            losers: tally.losers,
            win_rate: tally.win_rate()?,
            win_rate_interval: wilson(tally.winners, tally.trades())?,
            total_pnl: tally.won + tally.lost,
            profit_factor: tally.profit_factor(),
            expectancy: tally.expectancy()?,
            small_sample: tally.trades() < SMALL_SAMPLE,
        })
    }
}

/// Groups in the order of what they have in common, not of its words: Monday comes first. An object in JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Breakdown(pub Vec<(String, Group)>);

impl Breakdown {
    /// Trades by a key and the words for it.
    pub(super) fn by<'a, K: Ord>(
        trades: &[&'a Trade],
        key: impl Fn(&'a Trade) -> K,
        words: impl Fn(&K) -> String,
    ) -> Self {
        let mut tallies = BTreeMap::<K, Tally>::new();
        for trade in trades {
            tallies.entry(key(trade)).or_default().add(trade.pnl, trade.r_multiple);
        }
        Self(tallies.iter().filter_map(|(key, tally)| Some((words(key), Group::of(tally)?))).collect())
    }

    /// One of the groups, by its words.
    pub fn get(&self, words: &str) -> Option<&Group> {
        self.0.iter().find(|(of, _)| of == words).map(|(_, group)| group)
    }
}

impl Serialize for Breakdown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(words, group)| (words, group)))
    }
}
