//! The bars around a trade, as its chart shows them.

use serde::{Serialize, Serializer};

use super::trade_id;
use crate::backtest::{SessionScope, Study, SymbolData, Trade};
use crate::model::Session;
use crate::model::splits::Factor;

/// Trades whose charts a page holds at most: about 3 MB of bars.
pub const CHARTS_MAX: usize = 1000;

/// Signal bars before the signal.
const BEFORE: usize = 40;
/// Signal bars after the exit.
const AFTER: usize = 16;
/// Signal bars in all; what is held longer is cut at its end.
const BARS_MAX: usize = 400;

/// One value that a signal was made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignalInput {
    /// Its name.
    pub name: String,
    /// Its value, as text that is to be read.
    pub value: String,
}

/// The bars around a trade and the inputs of its signal. Stop, target, entry and exit are those of the trade's record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TradeChart {
    /// Which trade's.
    pub trade_id: String,
    /// Bars by time. Prices and volumes are in the shares of the entry's session.
    pub bars: Vec<ChartBar>,
    /// What the signal was made of.
    pub inputs: Vec<SignalInput>,
}

/// One bar of a chart; written as `[start in seconds, open, high, low, close, volume]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartBar {
    /// Start, seconds since the Unix epoch.
    pub start_s: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Volume; `None` where the market has none.
    pub volume: Option<f64>,
}

impl Serialize for ChartBar {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (self.start_s, self.open, self.high, self.low, self.close, self.volume).serialize(to)
    }
}

impl TradeChart {
    /// The bars around a trade out of all that is known of its symbol.
    pub fn of(data: &SymbolData, trade: &Trade, scope: SessionScope, inputs: Vec<SignalInput>) -> Self {
        let bars = data.signal_bars();
        let shown = |bar: &usize| scope == SessionScope::All || bars.hours[*bar] == Session::Regular;
        let exit = bars.first_from(trade.exit_ms).max(trade.signal_bar + 1);
        let before = (0..=trade.signal_bar.min(bars.len().saturating_sub(1))).rev().filter(shown).take(BEFORE + 1);
        let mut places: Vec<_> = before.collect();
        places.reverse();
        let held = (trade.signal_bar + 1..exit.min(bars.len())).filter(shown);
        let after = (exit..bars.len()).filter(shown).take(AFTER);
        places.extend(held.chain(after));
        places.truncate(BARS_MAX);
        let bar = |bar: usize| {
            let in_shares = |value, apply| in_shares(data, value, bars.session[bar], trade.session, apply);
            let price = |price| in_shares(price, Factor::price);
            ChartBar {
                start_s: bars.start_ms[bar].div_euclid(1000),
                open: price(bars.open[bar]),
                high: price(bars.high[bar]),
                low: price(bars.low[bar]),
                close: price(bars.close[bar]),
                volume: bars.volume(bar).map(|volume| in_shares(volume, Factor::volume)),
            }
        };
        Self { trade_id: trade_id(trade), bars: places.into_iter().map(bar).collect(), inputs }
    }
}

/// A value of one session in the shares of another, before or after; `apply` is what a split does to it.
fn in_shares(data: &SymbolData, value: f64, from: u32, to: u32, apply: fn(Factor, f64) -> f64) -> f64 {
    let forward = data.splits.iter().filter(|split| from < split.session && split.session <= to);
    let back = data.splits.iter().filter(|split| to < split.session && split.session <= from);
    let factors = forward.map(|split| split.factor).chain(back.map(|split| split.factor.inverse()));
    factors.fold(value, |value, factor| apply(factor, value))
}

/// Which trades get charts, as places of detectors and of their trades: all, if there are no more than [`CHARTS_MAX`], else as
/// many of each detector, spread evenly over its trades.
pub fn charted(study: &Study) -> Vec<(usize, usize)> {
    let mut room = CHARTS_MAX;
    let mut counts: Vec<(usize, usize)> =
        study.results.iter().enumerate().map(|(detector, result)| (result.trades.len(), detector)).collect();
    counts.sort_unstable();
    let mut chosen = Vec::new();
    for (place, &(trades, detector)) in counts.iter().enumerate() {
        // Those with fewer trades come first, and leave what they do not need to the others.
        let share = (room / (counts.len() - place)).min(trades);
        chosen.extend((0..share).map(|nth| (detector, nth * trades / share)));
        room -= share;
    }
    chosen.sort_unstable();
    chosen
}
