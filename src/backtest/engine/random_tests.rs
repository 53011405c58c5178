//! The random control.

use super::super::{EngineSettings, Signal, TradeRules};
use super::fixture::{Market, free, long, rules, short};
use super::{RandomControl, random_control};
use crate::model::Timeframe;

/// Sessions on which the price rises by 1 with every bar of an hour; ATR is 1.
fn rising() -> (Market, Vec<f64>) {
    let mut market = Market::new(Timeframe::M15);
    for session in 0..6 {
        let bars: Vec<_> = (0..5).map(|bar| 100.0 + f64::from(bar)).map(|p| [p, p + 1.0, p, p + 1.0]).collect();
        market.bars(session, 0, &bars);
        let close = i64::from(market.data.sessions.get(session).minutes());
        market.bars(session, close - 15, &[[105.0, 105.0, 105.0, 105.0]]);
    }
    let atr = vec![1.0; market.data.signal_bars().len()];
    (market, atr)
}

fn control(market: &Market, atr: &[f64], signals: &[Signal], seed: u64, draws: u32) -> Vec<f64> {
    let rules = rules();
    let settings = EngineSettings::default();
    let (trades, _) = market.trade(signals, &rules, &settings);
    random_control(
        &market.data,
        &RandomControl { signals, trades: &trades, atr, seed, draws },
        &rules,
        &settings,
        &free(),
    )
}

#[test]
fn draws_have_the_side_the_slot_and_the_exits_of_their_trade() {
    let (market, atr) = rising();
    // Whatever bar is drawn: up 2 is reached before down 1, and from the second bar on a short loses 1 R.
    assert_eq!(control(&market, &atr, &[long(0, 1.0, 2.0)], 7, 50), vec![2.0; 50]);
    assert_eq!(control(&market, &atr, &[short(0, 1.0, 2.0), short(6, 1.0, 2.0)], 7, 50), vec![-2.0; 50]);
    // The last bar but one of an hour rises by 1, what follows does not.
    let late = long(3, 2.0, 4.0);
    assert_eq!(control(&market, &atr, &[late], 7, 50), vec![0.5; 50]);
}

#[test]
fn distances_are_those_in_atr() {
    let (market, mut atr) = rising();
    // On all other sessions ATR is twice as high, and a target at four times it is not reached.
    for atr in &mut atr[6..] {
        *atr = 2.0;
    }
    let sums = control(&market, &atr, &[long(0, 1.0, 3.0)], 3, 400);
    let reached = sums.iter().filter(|sum| **sum == 3.0).count();
    let others = sums.iter().filter(|sum| **sum == 2.0).count();
    assert_eq!(reached + others, 400);
    assert!((40..100).contains(&reached), "one of six sessions is the trade's own: {reached}");
}

#[test]
fn draws_depend_on_seed_detector_and_trade_alone() {
    let (market, mut atr) = rising();
    for (place, atr) in atr.iter_mut().enumerate() {
        *atr = 1.0 + (place % 7) as f64;
    }
    let signals = [long(0, 1.0, 3.0), long(6, 1.0, 3.0), short(12, 1.0, 3.0)];
    let sums = control(&market, &atr, &signals, 1, 100);
    assert_eq!(sums, control(&market, &atr, &signals, 1, 100));
    assert_eq!(sums[..50], control(&market, &atr, &signals, 1, 50), "more draws are further ones");
    assert_ne!(sums, control(&market, &atr, &signals, 2, 100));
    assert!(sums.chunks(2).any(|pair| pair[0] != pair[1]), "each draw is another one");
    // Two trades that ask for the same are drawn apart.
    let [one, same] = [0, 6].map(|bar| long(bar, atr[bar], 3.0 * atr[bar]));
    let twice: Vec<_> = control(&market, &atr, &[one], 1, 100).iter().map(|sum| 2.0 * sum).collect();
    assert_ne!(control(&market, &atr, &[one, same], 1, 100), twice);
}

#[test]
fn only_sessions_of_the_run_are_drawn_from() {
    let (mut market, mut atr) = rising();
    market.data.tradable = vec![true, false, false, false, false, false];
    for atr in &mut atr[6..] {
        *atr = 2.0;
    }
    assert_eq!(control(&market, &atr, &[long(0, 1.0, 3.0)], 3, 100), vec![3.0; 100]);
    let rules = TradeRules { flat_before_close_minutes: 0, ..rules() };
    let none = RandomControl { signals: &[], trades: &[], atr: &atr, seed: 1, draws: 3 };
    assert_eq!(random_control(&market.data, &none, &rules, &EngineSettings::default(), &free()), vec![0.0; 3]);
}
