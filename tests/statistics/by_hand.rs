//! Statistics of a detector, worked out by hand.

use barkeep::backtest::metrics::{Flag, Headline, detector_stats, summary};
use barkeep::backtest::{ExitDecision, ExitReason, Outcome, Regime, Sessions, Side, Trade};
use barkeep::model::{Dataset, Market};
use jiff::civil::date;
use serde_json::{Value, json};

use super::sample::{SEED, result, sessions, stats_of, trade};

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// A trade whose exit nothing showed: ±R by what is taken to come first.
fn assumed(session: u32, worst: f64, best: f64) -> Trade {
    let outcome = |r: f64| Outcome { raw_exit: 50.0 + r, r_multiple: r, pnl: 100.0 * r };
    Trade {
        decision: ExitDecision::Assumed,
        worst: Some(Box::new(outcome(worst))),
        best: Some(Box::new(outcome(best))),
        ..trade(session, worst)
    }
}

#[test]
fn winners_losers_and_their_sums() {
    // Below half of 1e-9 nothing was won or lost.
    let even = Trade { pnl: -4e-10, ..trade(3, 0.0) };
    let stats = stats_of(vec![trade(0, 2.0), trade(0, -1.0), trade(1, 1.0), trade(2, -1.0), even]);
    assert_eq!((stats.total_trades, stats.winners, stats.losers, stats.breakeven), (5, 2, 2, 1));
    assert_eq!(stats.win_rate, Some(0.4));
    assert_eq!(stats.profit_factor, Some(1.5));
    assert_eq!((stats.total_pnl, stats.total_pnl_percent), (100.0, 2.0));
    assert_eq!((stats.avg_win, stats.largest_win), (Some(3.0), Some(4.0)));
    assert_eq!((stats.avg_loss, stats.largest_loss), (Some(-2.0), Some(-2.0)));
    assert!(near(stats.expectancy.unwrap(), 0.2) && stats.avg_r_multiple == stats.expectancy);
    assert_eq!(stats.flags, [Flag::SmallSample]);
}

/// B-22.
#[test]
fn trades_that_the_data_ended_are_left_out() {
    let open = Trade { reason: ExitReason::DataEnd, ..trade(9, 40.0) };
    let with = stats_of(vec![trade(0, 2.0), trade(1, -1.0), open]);
    assert_eq!(with.open_at_end, 1);
    let mut without = stats_of(vec![trade(0, 2.0), trade(1, -1.0)]);
    without.open_at_end = 1;
    assert_eq!(with, without);
}

#[test]
fn no_trades_are_null_and_a_flag() {
    let stats = stats_of(Vec::new());
    assert_eq!(stats.flags, [Flag::NoTrades, Flag::SmallSample]);
    let json = serde_json::to_value(&stats).unwrap();
    for name in [
        "winRate",
        "winRateInterval",
        "avgWin",
        "avgLoss",
        "largestWin",
        "largestLoss",
        "profitFactor",
        "expectancy",
        "expectancyInterval",
        "avgRMultiple",
        "avgBarsHeld",
        "avgWinBars",
        "avgLossBars",
        "clusteredT",
        "effectiveBets",
        "assumedShare",
        "randomControl",
        "drawdown",
        "costs",
    ] {
        assert_eq!(json.get(name), Some(&Value::Null), "{name}");
    }
    assert_eq!(json["bounds"]["stopFirst"], json!({"winRate": null, "expectancy": null, "profitFactor": null}));
    assert_eq!((json["totalTrades"].as_u64(), json["totalPnl"].as_f64()), (Some(0), Some(0.0)));
    assert_eq!(json["totalPnlPercent"].to_string(), "0.0", "no negative zero");
}

#[test]
fn nothing_lost_is_no_profit_factor_and_a_flag() {
    let stats = stats_of(vec![trade(0, 1.0), trade(1, 2.0)]);
    assert_eq!(
        (stats.profit_factor, stats.avg_loss, stats.largest_loss, stats.avg_loss_bars),
        (None, None, None, None)
    );
    assert_eq!(stats.flags, [Flag::SmallSample, Flag::NoLosses]);
    let stats = stats_of(vec![trade(0, -1.0), trade(1, -0.5)]);
    assert_eq!((stats.profit_factor, stats.avg_win), (Some(0.0), None), "a profit factor of nothing won is zero");
    assert_eq!(stats.flags, [Flag::SmallSample, Flag::NoWins, Flag::NoGrossGain]);
}

#[test]
fn one_session_says_nothing_about_sessions() {
    let stats = stats_of(vec![trade(4, 1.0), trade(4, -1.0)]);
    assert_eq!(stats.flags, [Flag::SmallSample, Flag::OneSession, Flag::NoGrossGain]);
    assert_eq!((stats.expectancy_interval, stats.clustered_t, stats.effective_bets), (None, None, None));
    let equal = stats_of(vec![trade(4, -0.1), trade(5, -0.1), trade(6, -0.1)]);
    assert!(equal.flags.contains(&Flag::NoSpread) && equal.clustered_t.is_none() && equal.effective_bets.is_none());
}

/// B-16, B-17.
#[test]
fn bounds_take_every_unknown_exit_one_way() {
    let stats = stats_of(vec![trade(0, 2.0), trade(1, -1.0), assumed(2, -1.0, 2.0), assumed(3, -1.0, 2.0)]);
    let headline = |win_rate, expectancy, factor| Headline {
        win_rate: Some(win_rate),
        expectancy: Some(expectancy),
        profit_factor: Some(factor),
    };
    assert_eq!(stats.bounds.stop_first, headline(0.25, -0.25, 2.0 / 3.0));
    assert_eq!(stats.bounds.target_first, headline(0.75, 1.25, 6.0));
    assert_eq!((stats.assumed_exits, stats.assumed_share), (2, Some(0.5)));
}

/// B-31: costs in bps and in R.
#[test]
fn the_cost_frontier_meets_zero_at_the_break_even_cost() {
    // Each gains 0.5 R = 50 before costs and trades 5,000 + 5,050.
    let paid = |session| Trade { costs: 20.0, pnl: 30.0, r_multiple: 0.3, ..trade(session, 0.5) };
    let stats = stats_of(vec![paid(0), paid(1)]);
    let costs = stats.costs.unwrap();
    assert_eq!((costs.total, costs.share_of_gross, costs.r), (40.0, Some(0.4), 0.2));
    assert!(near(costs.bps_per_side, 20.0 / 1.005));
    assert_eq!(costs.frontier.len(), 21);
    assert!(near(costs.frontier[0].expectancy, 0.5) && costs.frontier[0].expectancy == costs.gross_expectancy);
    assert!(near(costs.frontier[20].expectancy, 0.5 - 20.0 * 0.01005));
    assert!(near(costs.break_even_bps.unwrap(), 0.5 / 0.01005));

    let short = Trade { side: Side::Short, stop_price: 51.0, ..trade(0, 0.5) };
    assert!(near(stats_of(vec![short]).costs.unwrap().break_even_bps.unwrap(), 0.5 / 0.00995), "bought back at 49.50");
}

#[test]
fn the_drawdown_is_counted_in_order_of_exits() {
    // Sums of R: 2, 1, -1, 0, 3; a fall of 3 from session 1 that session 9 makes good.
    let rs = [(1, 2.0), (2, -1.0), (4, -2.0), (6, 1.0), (9, 3.0)];
    let mut trades: Vec<_> = rs.iter().map(|(session, r)| trade(*session, *r)).collect();
    trades.reverse();
    let drawdown = stats_of(trades.clone()).drawdown.unwrap();
    assert_eq!((drawdown.r, drawdown.sessions, drawdown.recovered), (3.0, 8, true));
    assert!(near(drawdown.percent, 100.0 * (1.0 - 0.99 * 0.98)));
    trades.remove(0);
    let drawdown = stats_of(trades).drawdown.unwrap();
    assert_eq!((drawdown.r, drawdown.sessions, drawdown.recovered), (3.0, 5, false), "until the last exit");
    let drawdown = stats_of(vec![trade(1, 1.0), trade(2, 0.5)]).drawdown.unwrap();
    assert_eq!((drawdown.r, drawdown.percent, drawdown.sessions, drawdown.recovered), (0.0, 0.0, 0, true));
    let drawdown = stats_of(vec![trade(3, -1.0), trade(5, -1.0)]).drawdown.unwrap();
    assert_eq!((drawdown.r, drawdown.sessions), (2.0, 2), "a fall from the start");
}

fn words(of: &barkeep::backtest::metrics::Breakdown) -> Vec<(&str, u64)> {
    of.0.iter().map(|(words, group)| (words.as_str(), group.total_trades)).collect()
}

#[test]
fn breakdowns_follow_the_clock_and_the_calendar() {
    let minutes = 60_000;
    let late = |session, after: i64| Trade {
        entry_ms: trade(session, 0.0).entry_ms + after * minutes,
        ..trade(session, -1.0)
    };
    let place = |date| sessions().index_of(date).unwrap();
    let (summer, winter) = (place(date(2026, 10, 29)), place(date(2026, 11, 6)));
    let trades = vec![
        Trade { regime: Some(Regime::Choppy), ..trade(0, 1.0) },
        Trade { regime: Some(Regime::TrendingUp), symbol: "QQQ".into(), ..late(0, 29) },
        Trade { side: Side::Short, reason: ExitReason::Eod, ..late(summer, 30) },
        late(winter, 30),
        late(winter, -90),
        late(winter, 375),
    ];
    let stats = stats_of(trades);
    assert_eq!(words(&stats.by_time_of_day), [("08:00", 1), ("09:30", 2), ("10:00", 2), ("15:30", 1)]);
    assert_eq!(words(&stats.by_weekday), [("Wednesday", 2), ("Thursday", 1), ("Friday", 3)]);
    assert_eq!(words(&stats.by_month), [("2026-09", 2), ("2026-10", 1), ("2026-11", 3)]);
    assert_eq!(words(&stats.by_regime), [("trending_up", 1), ("choppy", 1), ("unknown", 4)]);
    assert_eq!(words(&stats.by_symbol), [("QQQ", 1), ("SPY", 5)]);
    assert_eq!(words(&stats.by_side), [("LONG", 5), ("SHORT", 1)]);
    assert_eq!(words(&stats.by_exit_reason), [("TARGET_HIT", 1), ("STOP_HIT", 4), ("EOD", 1)]);
    let first = stats.by_time_of_day.get("09:30").unwrap();
    assert_eq!((first.winners, first.losers, first.win_rate, first.expectancy), (1, 1, 0.5, 0.0));
    assert_eq!((first.profit_factor, first.small_sample), (Some(1.0), true));
    let json = serde_json::to_string(&stats.by_regime).unwrap();
    assert!(json.starts_with(r#"{"trending_up":{"totalTrades":1,"#), "an object, in order: {json}");
}

#[test]
fn markets_round_the_clock_have_half_hours_of_utc() {
    let sessions = Sessions::of(Dataset::Crypto, date(2026, 11, 1)..=date(2026, 11, 2));
    let at = |session, after_minutes: i64| Trade {
        entry_ms: sessions.get(session).open_ms + after_minutes * 60_000,
        ..trade(session, 1.0)
    };
    let results = [result("sample", vec![at(0, 0), at(1, 1439)])];
    let [stats] = detector_stats(&results, &sessions, Market::RoundTheClock, SEED).try_into().unwrap();
    assert_eq!(words(&stats.by_time_of_day), [("00:00", 1), ("23:30", 1)]);
    assert_eq!(words(&stats.by_weekday), [("Monday", 1), ("Sunday", 1)]);
}

#[test]
fn thirty_trades_are_no_small_sample() {
    let stats = |count: u32| stats_of((0..count).map(|session| trade(session, 1.0)).collect());
    assert!(stats(29).small_sample && stats(29).flags.contains(&Flag::SmallSample));
    assert!(!stats(30).small_sample && !stats(30).flags.contains(&Flag::SmallSample));
}

#[test]
fn the_summary_counts_each_detector_the_same_and_skips_what_is_undefined() {
    let many = |r: f64, count: u32| {
        (0..count).map(|session| trade(session, if session % 2 == 0 { r } else { -1.0 })).collect()
    };
    let results = [
        result("few", many(9.0, 9)),
        result("good", many(2.0, 10)),
        result("none", Vec::new()),
        result("bad", many(0.5, 10)),
        result("twin", many(2.0, 10)),
    ];
    let stats = detector_stats(&results, sessions(), Market::NewYork, SEED);
    let summary = summary(&stats);
    assert_eq!((summary.total_detectors, summary.total_trades), (5, 39));
    assert!(near(summary.overall_win_rate.unwrap(), 20.0 / 39.0));
    assert_eq!((summary.best_detector, summary.worst_detector), (Some("good"), Some("bad")));
    assert!(near(summary.avg_profit_factor.unwrap(), (45.0 / 4.0 + 2.0 + 0.5 + 2.0) / 4.0));
    assert!(near(summary.avg_expectancy.unwrap(), (41.0 / 9.0 + 0.5 - 0.25 + 0.5) / 4.0));
    assert_eq!((summary.undefined_profit_factors, summary.undefined_expectancies), (1, 1));
    let json = serde_json::to_value(&summary).unwrap();
    for name in [
        "totalDetectors",
        "totalTrades",
        "overallWinRate",
        "bestDetector",
        "worstDetector",
        "avgProfitFactor",
        "avgExpectancy",
    ] {
        assert!(json.get(name).is_some(), "{name}");
    }
    let nobody = barkeep::backtest::metrics::summary(&stats[..1]);
    assert_eq!((nobody.best_detector, nobody.worst_detector), (None, None), "nine trades have no rank");
}

#[test]
fn reports_keep_the_names_of_statistics() {
    let json = serde_json::to_value(stats_of(vec![trade(0, 1.0)])).unwrap();
    for name in [
        "totalTrades",
        "winners",
        "losers",
        "breakeven",
        "winRate",
        "totalPnl",
        "totalPnlPercent",
        "avgWin",
        "avgLoss",
        "largestWin",
        "largestLoss",
        "profitFactor",
        "expectancy",
        "avgRMultiple",
        "avgBarsHeld",
        "avgWinBars",
        "avgLossBars",
        "byRegime",
        "byTimeOfDay",
        "bySymbol",
    ] {
        assert!(json.get(name).is_some(), "{name}");
    }
    assert_eq!(json["flags"], json!(["small_sample", "no_losses", "one_session"]));
}
