//! What must hold of any trades.

use barkeep::backtest::metrics::{DetectorStats, Flag};
use barkeep::backtest::{Regime, Side, Trade};
use proptest::prelude::*;
use serde_json::Value;

use super::sample::{stats_of, trade};

fn trades() -> impl Strategy<Value = Vec<Trade>> {
    // R in steps, so that equal trades, even ones and sessions without spread come up.
    let one = (0u32..12, -8i32..13, 0u32..60, 0usize..4, 600u32..620);
    prop::collection::vec(one, 0..60).prop_map(|rows| {
        let trade = |(place, (session, steps, bars, symbol, score)): (usize, (u32, i32, u32, usize, u32))| {
            let whole = trade(session, f64::from(steps) / 4.0);
            Trade {
                symbol: ["A", "B", "C", "D"][symbol].into(),
                side: Side::BOTH[symbol % 2],
                stop_price: if symbol % 2 == 0 { 49.0 } else { 51.0 },
                exit_ms: whole.exit_ms + place as i64 * 1000,
                bars_held: bars,
                score: f64::from(score) / 10.0,
                regime: [None, Some(Regime::Choppy)][symbol / 2],
                ..whole
            }
        };
        rows.into_iter().enumerate().map(trade).collect()
    })
}

/// Equal but for the last bits, which depend on the order of sums.
fn assert_alike(a: &Value, b: &Value, path: &str) {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            assert!((x - y).abs() <= 1e-9 * x.abs().max(1.0), "{path}: {x} and {y}");
        }
        (Value::Object(x), Value::Object(y)) => {
            let names: Vec<_> = x.keys().collect();
            assert_eq!(names, y.keys().collect::<Vec<_>>(), "{path}");
            for name in names {
                assert_alike(&x[name], &y[name], &format!("{path}.{name}"));
            }
        }
        (Value::Array(x), Value::Array(y)) => {
            assert_eq!(x.len(), y.len(), "{path}");
            x.iter().zip(y).for_each(|(x, y)| assert_alike(x, y, path));
        }
        _ => assert_eq!(a, b, "{path}"),
    }
}

/// Names of statistics of all trades that are null.
fn undefined(stats: &DetectorStats) -> Vec<String> {
    let Value::Object(fields) = serde_json::to_value(stats).unwrap() else { unreachable!() };
    fields.into_iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_order_of_trades_does_not_matter(trades in trades(), seed in any::<u64>()) {
        let mut shuffled = trades.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let json = |trades| serde_json::to_value(stats_of(trades)).unwrap();
        assert_alike(&json(trades), &json(shuffled), "stats");
    }

    #[test]
    fn figures_lie_where_they_can(trades in trades()) {
        let stats = stats_of(trades.clone());
        prop_assert_eq!(stats.winners + stats.losers + stats.breakeven, stats.total_trades);
        if let (Some(rate), Some(interval)) = (stats.win_rate, stats.win_rate_interval) {
            prop_assert!(0.0 <= interval.low && interval.low <= rate && rate <= interval.high && interval.high <= 1.0);
            prop_assert!(interval.low < interval.high, "a sample is never certain");
        }
        if let (Some(mean), Some(interval)) = (stats.expectancy, stats.expectancy_interval) {
            prop_assert!(interval.low <= mean + 1e-9 && mean <= interval.high + 1e-9);
        }
        if let Some(effective) = stats.effective_bets {
            prop_assert!(effective.design_effect >= 1.0 && effective.bets <= stats.total_trades as f64 + 1e-9);
            prop_assert!(effective.correlation.is_none_or(|correlation| (0.0..=1.0).contains(&correlation)));
        }
        if let Some(drawdown) = stats.drawdown {
            let lost: f64 = trades.iter().map(|trade| -trade.r_multiple.min(0.0)).sum();
            prop_assert!((0.0..=lost + 1e-9).contains(&drawdown.r) && (0.0..=100.0).contains(&drawdown.percent));
        }
        for breakdown in [
            &stats.by_regime, &stats.by_time_of_day, &stats.by_symbol, &stats.by_weekday, &stats.by_exit_reason,
            &stats.by_side, &stats.by_month,
        ] {
            prop_assert_eq!(breakdown.0.iter().map(|(_, group)| group.total_trades).sum::<u64>(), stats.total_trades);
            prop_assert_eq!(breakdown.0.iter().map(|(_, group)| group.winners).sum::<u64>(), stats.winners);
        }
        prop_assert_eq!(stats.r_histogram.iter().map(|bin| bin.trades).sum::<u64>(), stats.total_trades);
        prop_assert_eq!(stats.calibration.iter().map(|decile| decile.trades).sum::<u64>(), stats.total_trades);
        prop_assert!(stats.calibration.windows(2).all(|pair| pair[0].score_high < pair[1].score_low));
    }

    /// Undefined is null and has a flag; nothing is infinite or no number (which JSON would make null).
    #[test]
    fn nothing_is_undefined_without_a_flag(trades in trades()) {
        let stats = stats_of(trades);
        for name in undefined(&stats) {
            let reasons: &[Flag] = match name.as_str() {
                "randomControl" => continue,
                "avgWin" | "largestWin" | "avgWinBars" => &[Flag::NoWins, Flag::NoTrades],
                "avgLoss" | "largestLoss" | "avgLossBars" | "profitFactor" => &[Flag::NoLosses, Flag::NoTrades],
                "expectancyInterval" => &[Flag::OneSession, Flag::NoTrades],
                "clusteredT" | "effectiveBets" => &[Flag::OneSession, Flag::NoSpread, Flag::NoTrades],
                _ => &[Flag::NoTrades],
            };
            prop_assert!(stats.flags.iter().any(|flag| reasons.contains(flag)), "{}: {:?}", name, stats.flags);
        }
        if let Some(costs) = &stats.costs {
            let undefined = costs.share_of_gross.is_none() || costs.break_even_bps.is_none();
            prop_assert_eq!(undefined, stats.flags.contains(&Flag::NoGrossGain));
        }
    }

    /// B-33.
    #[test]
    fn costs_lower_the_frontier(trades in trades()) {
        if let Some(costs) = stats_of(trades).costs {
            prop_assert!(costs.frontier.windows(2).all(|pair| pair[0].expectancy > pair[1].expectancy));
        }
    }
}
