//! Costs, by rule. B-33 is a property.

use super::super::{Commission, CostSettings, EngineSettings, ExitPlan, Signal, Slippage, TargetRule, TradeRules};
use super::costs::{Costs, Order};
use super::fixture::{Market, flat, free, long, rules, short};
use crate::model::Timeframe;

/// A price where half a tick, 0.5 bps and 1 bp are 0.005, 0.05 and 0.1.
fn market(exit: [f64; 4]) -> Market {
    let mut market = Market::new(Timeframe::M15);
    market.bars(0, 0, &[flat(1000.0), flat(1000.0), exit, flat(1000.0)]);
    market
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// B-30, B-31
#[test]
fn costs_apply_on_both_sides_and_against_the_trader() {
    let costs = CostSettings::default();
    let settings = EngineSettings::default();
    let stopped = [1000.0, 1000.0, 990.0, 990.0];
    let (trades, _) = market(stopped).trade_at(&[long(0, 10.0, 10.0)], &rules(), &settings, &costs);
    let trade = &trades[0];
    // Half spread 0.05 and slippage 0.1 at 1000; 0.0495 and 0.099 at 990, and up to the tick.
    assert_eq!((trade.entry_price, trade.exit_price, trade.quantity), (1000.15, 989.85, 10.0));
    assert!(close(trade.pnl, -103.0 - 0.1) && close(trade.gross_pnl, -100.0) && close(trade.costs, 3.1));
    assert!(close(trade.r_multiple, -1.031) && close(trade.pnl_pct, -1.031));
    let reached = [1000.0, 1000.0, 989.0, 989.0];
    let (trades, _) = market(reached).trade_at(&[short(0, 11.0, 10.0)], &rules(), &settings, &costs);
    let trade = &trades[0];
    assert_eq!((trade.entry_price, trade.exit_price), (999.85, 990.05), "a limit order pays half the spread only");
    let slips = CostSettings { slip_on_limit: true, ..costs };
    let (trades, _) = market(reached).trade_at(&[short(0, 11.0, 10.0)], &rules(), &settings, &slips);
    assert_eq!(trades[0].exit_price, 990.15);
}

/// B-31
#[test]
fn the_half_spread_is_at_least_half_a_tick() {
    let costs = Costs::new(&CostSettings { slippage: Slippage::Bps { bps: 0.0 }, ..CostSettings::default() }, 0.01);
    assert_eq!(costs.price(10.005, true, Order::Market, None), 10.01);
    assert_eq!(costs.price(10.0, false, Order::Limit, None), 9.99, "9.995, down");
    assert_eq!(costs.price(1000.0, true, Order::Market, None), 1000.05);
}

/// B-30
#[test]
fn slippage_may_be_a_share_of_atr() {
    let slippage = Slippage::Atr { share: 0.1 };
    let costs = Costs::new(&CostSettings { slippage, ..CostSettings::default() }, 0.01);
    assert_eq!(costs.price(1000.0, true, Order::Market, Some(2.0)), 1000.25);
    assert_eq!(costs.price(1000.0, true, Order::Limit, Some(2.0)), 1000.05);
}

/// B-30
#[test]
fn commissions_are_by_share_with_a_minimum_or_by_value() {
    let of = |commission: Commission| Costs::new(&CostSettings { commission, ..CostSettings::default() }, 0.01);
    let shares = of(Commission::PerShare { amount: 0.005, minimum: 1.0 });
    assert_eq!((shares.commission(100.0, 50.0), shares.commission(1000.0, 50.0)), (1.0, 5.0));
    assert!(close(of(Commission::Bps { bps: 2.0 }).commission(100.0, 50.0), 1.0));
}

/// B-30
#[test]
fn shorts_pay_for_each_night_they_are_held() {
    let mut market = Market::new(Timeframe::M15);
    // Over the weekend that follows Thanksgiving: three nights.
    market.bars(3, 180, &[flat(1000.0), flat(1000.0)]).bars(4, 0, &[flat(1000.0)]);
    market.bars(4, 15, &[[1000.0, 1000.0, 980.0, 980.0]]);
    let nothing = CostSettings {
        commission: Commission::Bps { bps: 0.0 },
        half_spread_bps: 0.0,
        slippage: Slippage::Bps { bps: 0.0 },
        borrow_bps_per_day: 1.0,
        ..CostSettings::default()
    };
    let rules = TradeRules { hold_overnight: true, ..rules() };
    let settings = EngineSettings { hold_overnight: true, ..EngineSettings::default() };
    let night = |signal: Signal| {
        let (trades, _) = market.trade_at(&[signal], &rules, &settings, &nothing);
        trades[0].costs - 2.0 * 0.01 * 10.0
    };
    assert!(close(night(short(0, 20.0, 20.0)), 3.0 * 1.0), "{}", night(short(0, 20.0, 20.0)));
    assert!(close(night(long(0, 20.0, 20.0)), 0.0));
}

/// B-32
#[test]
fn prices_and_quantities_are_rounded_against_the_trader() {
    let costs = Costs::new(
        &CostSettings {
            slippage: Slippage::Bps { bps: 0.0 },
            half_spread_bps: 0.0,
            lot: 5.0,
            ..CostSettings::default()
        },
        0.05,
    );
    assert_eq!(costs.price(10.01, true, Order::Market, None), 10.05);
    assert_eq!(costs.price(10.04, false, Order::Market, None), 10.0);
    // Half a tick is 0.025: 10.055 and 9.995, whose nearest ticks would favour the trader.
    assert_eq!(costs.price(10.03, true, Order::Market, None), 10.1);
    assert_eq!(costs.price(10.02, false, Order::Market, None), 9.95);
    assert_eq!(costs.price(10.025, true, Order::Market, None), 10.05, "a whole tick stays one");
    assert_eq!((costs.lots(14.9), costs.lots(15.0), costs.lots(4.9)), (10.0, 15.0, 0.0));
    assert_eq!(
        (costs.worth(10_000.0, 99.0), costs.worth(10_000.0, 1e6), costs.worth(10_000.0, 0.0)),
        (100.0, 5.0, 0.0)
    );
}

/// B-32
#[test]
fn without_costs_nothing_is_rounded() {
    let market = market([1000.0, 1020.0, 1000.0, 1020.0]);
    let target = TargetRule::Distance(1.0 / 3.0);
    let signal =
        Signal { plan: ExitPlan { target, ..long(0, 1.0, 1.0).plan }, quantity: Some(0.123), ..long(0, 1.0, 1.0) };
    let (trades, _) = market.trade_at(&[signal], &rules(), &EngineSettings::default(), &free());
    let trade = &trades[0];
    assert_eq!((trade.entry_price, trade.exit_price), (trade.raw_entry, trade.raw_exit));
    assert_eq!((trade.exit_price, trade.quantity, trade.costs), (1000.0 + 1.0 / 3.0, 0.123, 0.0));
}

/// B-07: costs per share and ticks are those of the shares of their day.
#[test]
fn after_a_split_costs_are_those_of_the_new_shares() {
    let mut market = Market::new(Timeframe::M15);
    market
        .bars(0, 360, &[flat(1000.0), flat(1000.0)])
        .bars(1, 0, &[flat(10.0), [10.0, 10.5, 10.0, 10.5]])
        .split(1, 1.0, 100.0);
    let costs = CostSettings { slippage: Slippage::Bps { bps: 0.0 }, half_spread_bps: 0.0, ..CostSettings::default() };
    let rules = TradeRules { hold_overnight: true, ..rules() };
    let settings = EngineSettings { hold_overnight: true, ..EngineSettings::default() };
    let (trades, _) = market.trade_at(&[long(0, 50.0, 50.0)], &rules, &settings, &costs);
    let trade = &trades[0];
    assert!(close(trade.exit_price, 1049.0), "10.50 less half a tick, down to 10.49: {}", trade.exit_price);
    assert!(close(trade.costs, 10.0 * (0.01 + 1.0) + 0.005 * 10.0 + 0.005 * 1000.0), "{}", trade.costs);
}
