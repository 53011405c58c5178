//! Exits, by rule.

use super::super::{
    Counters, EngineSettings, ExitDecision, ExitPlan, ExitReason, Signal, TargetFill, TargetGap, TargetRule, Trade,
    TradeRules,
};
use super::fixture::{EARLY_CLOSE, Market, flat, long, rules, short};
use crate::model::Timeframe;

fn quarter_hours() -> Market {
    Market::new(Timeframe::M15)
}

fn within(bars: u32, signal: Signal) -> Signal {
    Signal { plan: ExitPlan { max_bars: Some(bars), ..signal.plan }, ..signal }
}

/// What a trade from 100 with a stop at 95 and a target at 105 meets after its entry bar; the mirrored trade meets the same.
fn meets(bars: &[[f64; 4]], settings: &EngineSettings) -> (Trade, Counters) {
    let run = |sign: f64| {
        let mut market = quarter_hours();
        let mirror = |[open, high, low, close]: [f64; 4]| {
            let at = |price: f64| 100.0 + sign * (price - 100.0);
            let (high, low) = if sign > 0.0 { (high, low) } else { (low, high) };
            [at(open), at(high), at(low), at(close)]
        };
        let all: Vec<_> = [flat(100.0), flat(100.0)].into_iter().chain(bars.iter().copied().map(mirror)).collect();
        market.bars(0, 0, &all);
        let signal = if sign > 0.0 { long(0, 5.0, 5.0) } else { short(0, 5.0, 5.0) };
        let (mut trades, counters) = market.trade(&[signal], &rules(), settings);
        (trades.remove(0), counters)
    };
    let (long, counters) = run(1.0);
    let (short, mirrored) = run(-1.0);
    assert_eq!(long.raw_exit, 200.0 - short.raw_exit);
    assert_eq!((long.r_multiple, long.mae_r, long.mfe_r), (short.r_multiple, short.mae_r, short.mfe_r));
    assert_eq!((long.reason, long.decision, long.gap_exit), (short.reason, short.decision, short.gap_exit));
    assert_eq!((long.best.is_some(), long.worst.is_some()), (short.best.is_some(), short.worst.is_some()));
    assert_eq!(counters, mirrored);
    (long, counters)
}

fn ends(bars: &[[f64; 4]], settings: &EngineSettings) -> (f64, ExitReason, bool) {
    let (trade, _) = meets(bars, settings);
    (trade.raw_exit, trade.reason, trade.gap_exit)
}

const TOUCH: EngineSettings = EngineSettings {
    session: super::super::SessionScope::Regular,
    fill_mode: super::super::FillMode::NextOpen,
    entry_valid_bars: 1,
    target_gap: TargetGap::Open,
    target_fill: TargetFill::Touch,
    hold_overnight: false,
};

/// B-13
#[test]
fn the_entry_bar_is_tested_for_exits() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), [100.0, 101.0, 94.0, 100.0], flat(100.0)]);
    let (trade, _) = market.one(long(0, 5.0, 5.0), &rules());
    assert_eq!((trade.raw_exit, trade.exit_ms, trade.bars_held), (95.0, market.at(0, 15), 1));
}

/// B-14
#[test]
fn the_open_comes_before_the_inside_and_that_before_the_clock() {
    // Opens beyond the target and falls through the stop.
    assert_eq!(ends(&[[106.0, 107.0, 90.0, 91.0]], &TOUCH), (106.0, ExitReason::TargetHit, true));
    // The stop is touched in the bar at whose end the time is up.
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), flat(100.0), [100.0, 101.0, 95.0, 101.0]]);
    let (trade, _) = market.one(within(2, long(0, 5.0, 5.0)), &rules());
    assert_eq!((trade.raw_exit, trade.reason), (95.0, ExitReason::StopHit));
}

/// B-15
#[test]
fn a_gap_is_filled_at_the_open() {
    assert_eq!(ends(&[[93.0, 94.0, 92.0, 93.0]], &TOUCH), (93.0, ExitReason::StopHit, true));
    assert_eq!(ends(&[[95.0, 96.0, 95.0, 96.0]], &TOUCH), (95.0, ExitReason::StopHit, true));
    assert_eq!(ends(&[[107.0, 108.0, 107.0, 108.0]], &TOUCH), (107.0, ExitReason::TargetHit, true));
    let level = EngineSettings { target_gap: TargetGap::Level, ..TOUCH };
    assert_eq!(ends(&[[107.0, 108.0, 107.0, 108.0]], &level), (105.0, ExitReason::TargetHit, true));
    let (_, counters) = meets(&[[107.0, 108.0, 107.0, 108.0]], &level);
    assert_eq!((counters.gap_exits, counters.both_touched), (1, 0));
}

/// B-16
#[test]
fn a_level_that_is_just_touched_counts() {
    let target = [[104.0, 105.0, 103.0, 104.0], [104.0, 104.5, 103.0, 104.0], [104.0, 106.0, 104.0, 106.0]];
    assert_eq!(ends(&[[99.0, 100.0, 95.0, 97.0]], &TOUCH), (95.0, ExitReason::StopHit, false));
    assert_eq!(ends(&target, &TOUCH), (105.0, ExitReason::TargetHit, false));
    let through = EngineSettings { target_fill: TargetFill::Through, ..TOUCH };
    let (trade, _) = meets(&target, &through);
    assert_eq!((trade.raw_exit, trade.bars_held, trade.worst), (105.0, 4, None), "only the last one trades beyond it");
}

/// B-16
#[test]
fn a_target_that_is_only_touched_is_no_certain_gain() {
    let (trade, counters) = meets(&[[104.0, 105.0, 103.0, 104.0], [100.0, 100.0, 94.0, 94.0]], &TOUCH);
    let worst = trade.worst.clone().unwrap();
    assert_eq!((trade.r_multiple, worst.r_multiple, worst.raw_exit), (1.0, -1.0, 95.0));
    assert_eq!((trade.decision, trade.best, counters.ambiguous), (ExitDecision::Certain, None, 0));
    let (trade, _) = meets(&[[104.0, 105.1, 103.0, 104.0]], &TOUCH);
    assert_eq!(trade.worst, None, "it traded beyond it");
}

/// B-17
#[test]
fn of_two_levels_in_one_bar_the_stop_counts_first() {
    let (trade, counters) = meets(&[[100.0, 106.0, 94.0, 100.0]], &TOUCH);
    assert_eq!((trade.raw_exit, trade.reason, trade.decision), (95.0, ExitReason::StopHit, ExitDecision::Assumed));
    let best = trade.best.clone().unwrap();
    assert_eq!((best.raw_exit, best.r_multiple, trade.worst), (105.0, 1.0, None));
    assert_eq!((counters.both_touched, counters.ambiguous, counters.resolved_finer), (1, 1, 0));
}

/// The end of a long trade from 100 with 95 and 105 whose second bar touches both, in these minutes.
fn drilled(minutes: &[[f64; 4]]) -> (Trade, Counters, i64) {
    let mut market = quarter_hours();
    let high = minutes.iter().map(|bar| bar[1]).fold(f64::MIN, f64::max);
    let low = minutes.iter().map(|bar| bar[2]).fold(f64::MAX, f64::min);
    let bar = [minutes[0][0], high, low, minutes[minutes.len() - 1][3]];
    market.bars(0, 0, &[flat(100.0), flat(100.0), bar]).minutes(0, 30, minutes);
    let (trade, counters) = market.one(long(0, 5.0, 5.0), &rules());
    assert_eq!(counters.both_touched, 1);
    let minute = (trade.exit_ms - market.at(0, 30)) / 60_000;
    (trade, counters, minute)
}

/// B-17
#[test]
fn minutes_show_which_level_came_first() {
    let (trade, counters, minute) =
        drilled(&[[100.0, 103.0, 98.0, 103.0], [103.0, 105.0, 102.0, 104.0], [104.0, 104.0, 94.0, 94.0]]);
    assert_eq!((trade.raw_exit, trade.decision, minute), (105.0, ExitDecision::Drilled, 1));
    assert_eq!((trade.mae_r, trade.mfe_r), (-0.4, 1.0), "what came after the exit is not part of the trade");
    assert_eq!((counters.resolved_finer, counters.ambiguous, trade.gap_exit), (1, 0, false));
    let (trade, _, minute) = drilled(&[[100.0, 103.0, 95.0, 103.0], [103.0, 105.0, 102.0, 104.0]]);
    assert_eq!((trade.raw_exit, trade.reason, minute), (95.0, ExitReason::StopHit, 0));
}

/// B-17
#[test]
fn a_minute_that_opens_beyond_a_level_has_decided_for_it() {
    let (trade, ..) = drilled(&[flat(100.0), [106.0, 107.0, 94.0, 94.0]]);
    assert_eq!((trade.raw_exit, trade.decision), (105.0, ExitDecision::Drilled), "at its level, not at the open");
    let (trade, ..) = drilled(&[flat(100.0), [94.0, 106.0, 94.0, 106.0]]);
    assert_eq!((trade.raw_exit, trade.reason), (95.0, ExitReason::StopHit));
}

/// B-17
#[test]
fn of_two_levels_in_one_minute_the_stop_counts_first() {
    let (trade, counters, minute) = drilled(&[flat(100.0), [100.0, 106.0, 94.0, 94.0]]);
    assert_eq!((trade.raw_exit, trade.decision, minute), (95.0, ExitDecision::Assumed, 1));
    assert_eq!((counters.ambiguous, trade.best.as_ref().unwrap().raw_exit), (1, 105.0));
}

/// B-18
#[test]
fn time_is_up_at_the_close_of_the_last_bar() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), flat(100.0), flat(101.0), [102.0, 103.0, 102.0, 102.5], flat(103.0)]);
    let (trade, _) = market.one(within(3, long(0, 5.0, 5.0)), &rules());
    assert_eq!((trade.raw_exit, trade.reason, trade.bars_held), (102.5, ExitReason::MaxHold, 3));
    assert_eq!(trade.exit_ms, market.at(0, 60), "the end of the bar");
    assert_eq!((trade.mae_r, trade.mfe_r), (0.0, 0.6));
    let marks: Vec<_> = trade.marks.iter().map(|mark| (mark.end_ms, mark.close)).collect();
    assert_eq!(marks, [(market.at(0, 30), 100.0), (market.at(0, 45), 101.0), (market.at(0, 60), 102.5)]);
}

/// B-18
#[test]
fn positions_are_flat_by_the_minute_if_there_are_minutes() {
    let flat_early = TradeRules { flat_before_close_minutes: 5, ..rules() };
    let last = [101.0, 104.0, 101.0, 104.0];
    let mut market = quarter_hours();
    market.bars(0, 345, &[flat(100.0), flat(100.0), last]);
    let (trade, _) = market.one(long(0, 3.5, 3.5), &flat_early);
    assert_eq!((trade.raw_exit, trade.exit_ms), (100.0, market.at(0, 375)), "the last slot that ends by then");
    market.minutes(0, 375, &[flat(101.0), [102.0, 103.0, 101.5, 102.0]]).minutes(0, 386, &[[104.0; 4]]);
    let (trade, counters) = market.one(long(0, 3.5, 3.5), &flat_early);
    assert_eq!((trade.raw_exit, trade.exit_ms, trade.reason), (102.0, market.at(0, 377), ExitReason::Eod));
    assert_eq!((counters.late_flat, trade.mfe_r), (0, 3.0 / 3.5), "the target is reached only after that");
    let (trade, _) = market.one(long(0, 3.0, 3.0), &flat_early);
    assert_eq!((trade.raw_exit, trade.reason, trade.exit_ms), (103.0, ExitReason::TargetHit, market.at(0, 376)));
}

/// B-18
#[test]
fn an_early_close_ends_the_session() {
    let mut market = quarter_hours();
    market.bars(EARLY_CLOSE, 180, &[flat(100.0), flat(101.0)]).bars(EARLY_CLOSE + 1, 0, &[flat(120.0)]);
    let (trade, _) = market.one(long(0, 5.0, 5.0), &rules());
    assert_eq!((trade.raw_exit, trade.exit_ms), (101.0, market.at(EARLY_CLOSE, 210)));
    assert_eq!(market.data.sessions.get(EARLY_CLOSE).minutes(), 210);
}

/// B-19
#[test]
fn without_a_bar_at_the_time_the_first_later_price_counts() {
    let mut market = quarter_hours();
    // Nothing is traded in the last quarter of an hour.
    market.bars(0, 330, &[flat(100.0), flat(100.0), flat(101.0)]).bars(1, 15, &[flat(90.0), flat(90.0)]);
    let (trade, counters) = market.one(long(0, 5.0, 5.0), &rules());
    assert_eq!((trade.raw_exit, trade.reason, trade.exit_ms), (90.0, ExitReason::Eod, market.at(1, 15)));
    assert_eq!((counters.late_flat, counters.gap_exits, trade.flags.as_slice()), (1, 0, &["late_flat"][..]));
    assert_eq!((trade.session, trade.exit_session), (0, 1));
    // The last slot before the time is empty: the next one's open, not the close before.
    let mut market = quarter_hours();
    market.bars(0, 330, &[flat(100.0), flat(100.0)]).bars(0, 375, &[flat(102.0)]);
    let rules = TradeRules { flat_before_close_minutes: 5, ..rules() };
    let (trade, counters) = market.one(long(0, 5.0, 5.0), &rules);
    assert_eq!((trade.raw_exit, trade.exit_ms, counters.late_flat), (102.0, market.at(0, 375), 1));
    // Minutes are stored, but the first one of the bar is later than the time.
    market.minutes(0, 388, &[flat(102.0)]);
    let (trade, _) = market.one(long(0, 5.0, 5.0), &rules);
    assert_eq!((trade.raw_exit, trade.exit_ms), (102.0, market.at(0, 388)));
}

/// B-20
#[test]
fn break_even_acts_from_the_next_bar() {
    let rules = TradeRules { breakeven_at_r: Some(1.0), ..rules() };
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), [100.0, 105.0, 99.0, 104.0], [104.0, 104.0, 99.0, 99.0], flat(99.0)]);
    let (trade, _) = market.one(long(0, 5.0, 20.0), &rules);
    assert_eq!((trade.raw_exit, trade.reason, trade.bars_held), (100.0, ExitReason::BreakEven, 2));
    let (trade, _) = market.one(long(0, 5.01, 20.0), &rules);
    assert_eq!(trade.reason, ExitReason::DataEnd, "1 R was not reached");
}

/// B-20
#[test]
fn a_part_is_closed_at_the_next_open() {
    let rules = TradeRules { partial_at_r: Some(1.0), ..rules() };
    let mut market = quarter_hours();
    market.bars(
        0,
        0,
        &[flat(100.0), [100.0, 105.0, 100.0, 104.0], [103.0, 104.0, 103.0, 104.0], [104.0, 104.0, 94.0, 94.0]],
    );
    let (trade, _) = market.one(long(0, 5.0, 20.0), &rules);
    assert_eq!((trade.raw_exit, trade.reason, trade.flags.as_slice()), (99.0, ExitReason::StopHit, &["partial"][..]));
    assert!((trade.r_multiple + 0.2).abs() < 1e-12, "half won 3, half lost 5: {}", trade.r_multiple);
    assert_eq!(trade.marks[1].close, 103.5, "half is 103 for good, half is worth 104");
}

/// B-20
#[test]
fn the_stop_follows_from_the_next_bar() {
    let rules = TradeRules { trail_atr: Some(2.0), ..rules() };
    let mut market = quarter_hours();
    market.bars(
        0,
        0,
        &[flat(100.0), [100.0, 104.0, 100.0, 103.0], [103.0, 106.0, 103.0, 103.5], [105.0, 105.0, 104.0, 104.0]],
    );
    let (trade, _) = market.one(long(0, 5.0, 20.0), &rules);
    assert_eq!((trade.raw_exit, trade.reason, trade.bars_held), (104.0, ExitReason::Trail, 3));
    assert_eq!(trade.stop_price, 95.0, "where it lay at first");
}

/// B-21
#[test]
fn a_position_is_flat_at_the_close_unless_both_allow_the_night() {
    let mut market = quarter_hours();
    market.bars(0, 360, &[flat(100.0), flat(100.0)]).bars(1, 0, &[flat(93.0), flat(93.0)]);
    let run = |detector: bool, run: bool| {
        let rules = TradeRules { hold_overnight: detector, ..rules() };
        let settings = EngineSettings { hold_overnight: run, ..TOUCH };
        let (trades, _) = market.trade(&[long(0, 5.0, 5.0)], &rules, &settings);
        (trades[0].raw_exit, trades[0].reason, trades[0].gap_exit)
    };
    assert_eq!(run(false, true), (100.0, ExitReason::Eod, false));
    assert_eq!(run(true, false), (100.0, ExitReason::Eod, false));
    assert_eq!(run(true, true), (93.0, ExitReason::StopHit, true), "the night's gap is filled at the open");
}

/// B-07, B-21
#[test]
fn a_position_over_a_split_keeps_its_value() {
    let mut market = quarter_hours();
    market
        .bars(0, 360, &[flat(100.0), flat(100.0)])
        .bars(1, 0, &[flat(25.0), [25.0, 26.25, 25.0, 26.0]])
        .split(1, 1.0, 4.0);
    let rules = TradeRules { hold_overnight: true, ..rules() };
    let settings = EngineSettings { hold_overnight: true, ..TOUCH };
    let (trades, _) = market.trade(&[long(0, 5.0, 5.0)], &rules, &settings);
    let trade = &trades[0];
    assert_eq!((trade.raw_exit, trade.reason, trade.gap_exit), (105.0, ExitReason::TargetHit, false));
    assert_eq!((trade.r_multiple, trade.mae_r, trade.mfe_r), (1.0, 0.0, 1.0));
    assert_eq!((trade.flags.as_slice(), trade.marks[1].close), (&["over_split"][..], 100.0));
}

/// B-22
#[test]
fn a_position_at_the_end_of_the_data_is_marked() {
    let mut market = quarter_hours();
    market.bars(0, 0, &[flat(100.0), flat(100.0), [100.0, 103.0, 100.0, 102.0]]);
    let (trades, counters) = market.trade(&[long(0, 5.0, 5.0), long(2, 5.0, 5.0)], &rules(), &TOUCH);
    assert_eq!((trades[0].raw_exit, trades[0].reason), (102.0, ExitReason::DataEnd));
    assert_eq!((counters.open_at_end, counters.rejected.concurrency), (1, 1));
    let plan = ExitPlan { target: TargetRule::None, ..long(0, 5.0, 5.0).plan };
    let (trade, _) = market.one(Signal { plan, ..long(0, 5.0, 5.0) }, &rules());
    assert_eq!((trade.target_price, trade.mfe_r), (None, 0.6));
}
