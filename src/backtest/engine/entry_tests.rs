//! Gates and fills, by rule.

use super::super::{
    EngineSettings, ExitPlan, FillMode, OnceLevel, SessionScope, Signal, StopRule, TargetRule, TradeRules,
};
use super::fixture::{EARLY_CLOSE, Market, flat, long, rules, short};
use crate::model::Timeframe;

fn quarter_hours() -> Market {
    Market::new(Timeframe::M15)
}

/// B-10
#[test]
fn a_signal_is_filled_at_the_next_open_of_its_session() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), [101.0, 102.0, 100.5, 101.5], flat(101.5)]);
    let (trade, _) = market.one(long(0, 5.0, 5.0), &rules());
    assert_eq!((trade.raw_entry, trade.entry_price, trade.entry_ms), (101.0, 101.0, market.at(0, 15)));
    assert_eq!((trade.signal_ms, trade.signal_bar), (market.at(0, 15), 0));
    assert_eq!((trade.stop_price, trade.target_price), (96.0, Some(106.0)));
}

/// B-10
#[test]
fn filling_at_the_signal_close_meets_the_next_open_as_a_gap() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), flat(90.0)]);
    let settings = EngineSettings { fill_mode: FillMode::SameClose, ..EngineSettings::default() };
    let (trades, _) = market.trade(&[long(0, 5.0, 5.0)], &rules(), &settings);
    let trade = &trades[0];
    assert_eq!((trade.raw_entry, trade.entry_ms, trade.raw_exit), (100.0, market.at(0, 15), 90.0));
    assert!(trade.gap_exit);
}

/// B-11
#[test]
fn signals_without_a_bar_to_enter_at_are_counted_by_what_is_missing() {
    let mut market = quarter_hours();
    market.bars(0, 375, &[flat(100.0)]).bars(1, 0, &[flat(100.0)]).bars(1, 45, &[flat(100.0)]).bars(
        1,
        60,
        &[flat(100.0)],
    );
    let count = |bar: usize, entry_valid_bars: u32| {
        let settings = EngineSettings { entry_valid_bars, ..EngineSettings::default() };
        let (trades, counters) = market.trade(&[long(bar, 5.0, 5.0)], &rules(), &settings);
        (trades.len(), counters.unfilled.session_end, counters.unfilled.data_end, counters.unfilled.no_bar)
    };
    assert_eq!(count(0, 1), (0, 1, 0, 0), "the session is over");
    assert_eq!(count(1, 1), (0, 0, 0, 1), "two slots are empty");
    assert_eq!(count(1, 2), (1, 0, 0, 0), "two may be");
    assert_eq!(count(2, 0), (1, 0, 0, 0), "none is");
    assert_eq!(count(3, 1), (0, 0, 1, 0), "the data ends within the session");
}

/// B-11
#[test]
fn a_signal_that_finds_a_position_open_is_rejected_even_if_the_next_open_ends_it() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), flat(100.0), flat(100.0), flat(90.0), flat(90.0), flat(90.0)]);
    let signals = [long(0, 5.0, 5.0), long(2, 5.0, 5.0), long(3, 5.0, 5.0)];
    let (trades, counters) = market.trade(&signals, &rules(), &EngineSettings::default());
    assert!(trades[0].gap_exit && trades[0].exit_ms == market.at(0, 45));
    assert_eq!((trades.len(), trades[1].signal_bar, counters.rejected.concurrency), (2, 3, 1));
}

#[test]
fn of_two_signals_on_one_bar_the_second_finds_the_first_one_open() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), flat(100.0)]);
    let (trades, counters) =
        market.trade(&[long(0, 5.0, 5.0), short(0, 5.0, 5.0)], &rules(), &EngineSettings::default());
    assert_eq!((trades.len(), counters.rejected.concurrency), (1, 1));
}

/// B-12
#[test]
fn an_open_at_or_beyond_a_level_is_no_entry() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), flat(101.0), flat(101.0)]);
    let at = |stop: f64, target: f64, mirrored: bool| {
        let signal = if mirrored { short(0, 0.0, 0.0) } else { long(0, 0.0, 0.0) };
        let plan = ExitPlan {
            stop: StopRule::Level { level: stop, min: 0.0, max: f64::INFINITY },
            target: TargetRule::Level { level: target, cap: f64::INFINITY },
            max_bars: None,
        };
        let (trades, counters) = market.trade(&[Signal { plan, ..signal }], &rules(), &EngineSettings::default());
        assert_eq!(trades.len() as u64 + counters.invalid_at_open, 1);
        trades.first().map(|trade| (trade.stop_price, trade.target_price))
    };
    assert_eq!(at(99.3, 102.7, false), Some((99.3, Some(102.7))), "levels stay to the last bit");
    assert_eq!(at(99.0, 101.0, false), None, "at the target");
    assert_eq!(at(101.0, 103.0, false), None, "at the stop");
    assert_eq!(at(99.0, 100.5, false), None, "beyond the target");
    assert_eq!(at(102.7, 99.3, true), Some((102.7, Some(99.3))));
    assert_eq!(at(102.0, 101.0, true), None);
    assert_eq!(at(100.5, 99.0, true), None);
}

/// B-12
#[test]
fn distances_are_taken_from_the_raw_entry_open() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), flat(103.0)]);
    let plan = ExitPlan {
        stop: StopRule::Level { level: 99.0, min: 0.5, max: 2.0 },
        target: TargetRule::R(1.5),
        max_bars: None,
    };
    let (trade, _) = market.one(Signal { plan, ..long(0, 1.0, 1.0) }, &rules());
    assert_eq!((trade.stop_price, trade.target_price), (101.0, Some(106.0)), "4 away is more than 2");
}

/// B-41
#[test]
fn the_first_gate_a_signal_fails_at_counts() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0); 12]).bars(1, 0, &[flat(100.0); 3]);
    let rules = TradeRules { min_score: 55.0, min_rr: 1.0, cooldown_minutes: 30, max_trades_per_session: 2, ..rules() };
    let short_lived = |bar: usize| {
        let signal = long(bar, 5.0, 5.0);
        Signal { plan: ExitPlan { max_bars: Some(1), ..signal.plan }, ..signal }
    };
    let barely = long(3, 5.0, 5.0 - 1e-10);
    let low = |signal: Signal| Signal { score: 54.9, ..signal };
    let signals = [
        low(long(0, 5.0, 4.0)),
        long(0, 5.0, 4.0),
        Signal { score: 55.0, ..short_lived(0) },
        long(1, 5.0, 5.0 - 1e-8),
        short_lived(2),
        Signal { plan: ExitPlan { max_bars: Some(2), ..barely.plan }, ..barely },
        low(long(4, 1.0, 1.0)),
        long(4, 5.0, 5.0),
        long(9, 5.0, 5.0),
        short_lived(12),
    ];
    let (trades, counters) = market.trade(&signals, &rules, &EngineSettings::default());
    let rejected = counters.rejected;
    let bars: Vec<_> = trades.iter().map(|trade| trade.signal_bar).collect();
    assert_eq!(
        bars,
        [0, 3, 12],
        "an exit at the end of bar 1 is 30 minutes before that of bar 3; a session starts anew"
    );
    assert_eq!((rejected.score, rejected.min_rr, rejected.cooldown), (2, 2, 1));
    assert_eq!((rejected.session_limit, rejected.concurrency), (2, 0), "the limit comes before the open position");
}

#[test]
fn a_level_is_traded_once_per_session() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0); 8]).bars(1, 0, &[flat(100.0); 3]);
    let at = |bar: usize, level: f64| {
        let signal = long(bar, 5.0, 5.0);
        let plan = ExitPlan { max_bars: Some(1), ..signal.plan };
        Signal { once: Some(OnceLevel { level, within: 0.25 }), plan, ..signal }
    };
    let signals = [at(0, 99.0), at(2, 99.25), at(3, 99.5), at(5, 98.7), at(8, 99.0)];
    let (trades, counters) = market.trade(&signals, &rules(), &EngineSettings::default());
    let bars: Vec<_> = trades.iter().map(|trade| trade.signal_bar).collect();
    assert_eq!((bars, counters.rejected.session_limit), (vec![0, 3, 5, 8], 1));
}

#[test]
fn nothing_is_entered_once_positions_are_closed_or_outside_the_run() {
    let mut market = quarter_hours();
    market.bars(0, 345, &[flat(100.0); 3]).bars(1, 0, &[flat(100.0); 3]);
    market.bar(Timeframe::M1, 0, 375, flat(100.0));
    market.data.tradable[1] = false;
    let rules = TradeRules { flat_before_close_minutes: 15, ..rules() };
    let (trades, counters) =
        market.trade(&[long(0, 5.0, 5.0), long(1, 5.0, 5.0), long(3, 5.0, 5.0)], &rules, &EngineSettings::default());
    assert_eq!((trades.len(), counters.unfilled.session_end, counters.signals), (1, 1, 2));
}

/// B-06
#[test]
fn bars_outside_regular_hours_exist_only_if_they_are_asked_for() {
    let mut market = quarter_hours();
    market.bars(EARLY_CLOSE, -30, &[flat(100.0), flat(100.0)]).bars(EARLY_CLOSE, 0, &[flat(101.0), flat(102.0)]);
    market.bars(EARLY_CLOSE, 210, &[flat(103.0)]);
    let exit = |bar: usize, session: SessionScope| {
        let settings = EngineSettings { session, ..EngineSettings::default() };
        let (trades, _) = market.trade(&[long(bar, 50.0, 50.0)], &rules(), &settings);
        trades.first().map(|trade| (trade.raw_entry, trade.raw_exit, trade.reason.as_str()))
    };
    assert_eq!(exit(0, SessionScope::All), Some((100.0, 103.0, "EOD")), "the first price from the close on");
    assert_eq!(exit(2, SessionScope::Regular), Some((102.0, 102.0, "DATA_END")), "what follows does not exist");
}

/// B-32
#[test]
fn a_size_below_the_lot_is_a_counted_rejection() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(30_000.0), flat(30_000.0)]);
    let size = |quantity: Option<f64>| {
        let costs = super::super::CostSettings { lot: 10.0, ..Default::default() };
        let signal = Signal { quantity, ..long(0, 5.0, 5.0) };
        let (trades, counters) = market.trade_at(&[signal], &rules(), &EngineSettings::default(), &costs);
        (trades.first().map(|trade| trade.quantity), counters.rejected.size)
    };
    assert_eq!(size(Some(9.9)), (None, 1));
    assert_eq!(size(Some(39.0)), (Some(30.0), 0));
    assert_eq!(size(None), (Some(10.0), 0), "the study trades one lot at least");
}
