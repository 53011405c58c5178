//! Fills, by rule.

use super::super::{EngineSettings, ExitPlan, FillMode, Side, StopRule, TargetRule};
use super::fixture::{EARLY_CLOSE, Market, flat, long, rules, short};
use crate::model::Timeframe;

/// B-10
#[test]
fn a_signal_is_filled_at_the_next_open_of_its_session() {
    let mut market = Market::new(Timeframe::M15);
    market.bars(0, 0, &[flat(100.0), [101.0, 102.0, 100.5, 101.5], flat(101.5)]);
    let (trade, _) = market.one(long(0, 5.0, 5.0), &rules());
    assert_eq!((trade.raw_entry, trade.entry_price, trade.entry_ms), (101.0, 101.0, market.at(0, 15)));
    assert_eq!((trade.signal_ms, trade.signal_bar), (market.at(0, 15), 0));
    assert_eq!((trade.stop_price, trade.target_price), (96.0, Some(106.0)));
}
