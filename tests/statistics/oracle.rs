//! Against numpy, scipy and statsmodels: `tests/data/statistics.json`, made by `scripts/statistics_oracle.py`.

use barkeep::backtest::metrics::{detector_stats, portfolio_stats};
use barkeep::backtest::{EquityPoint, Portfolio, SessionEquity, Side, Trade};
use barkeep::model::Market;
use jiff::ToSpan;
use jiff::civil::date;
use serde_json::Value;

use super::sample::{SEED, result, sessions, stats_of, trade};

fn oracle() -> Value {
    serde_json::from_str(include_str!("../data/statistics.json")).unwrap()
}

/// Everything that is expected is there, to nine digits; names are those of the reports.
fn assert_holds(expected: &Value, found: &Value, path: &str) {
    match expected {
        Value::Object(fields) => {
            for (name, expected) in fields {
                let found = found.get(name).unwrap_or_else(|| panic!("{path}.{name} is missing"));
                assert_holds(expected, found, &format!("{path}.{name}"));
            }
        }
        Value::Array(items) => {
            assert_eq!(items.len(), found.as_array().unwrap().len(), "{path}");
            for (index, expected) in items.iter().enumerate() {
                assert_holds(expected, &found[index], &format!("{path}[{index}]"));
            }
        }
        Value::Number(expected) => {
            let found = found.as_f64().unwrap_or_else(|| panic!("{path} is {found}, expected {expected}"));
            assert_near(expected.as_f64().unwrap(), found, 1e-9, path);
        }
        _ => assert_eq!(expected, found, "{path}"),
    }
}

fn assert_near(expected: f64, found: f64, tolerance: f64, path: &str) {
    assert!((expected - found).abs() <= tolerance * expected.abs().max(1.0), "{path} is {found}, expected {expected}");
}

fn trade_of(row: &Value) -> Trade {
    let number = |name: &str| row[name].as_f64().unwrap();
    let session = row["session"].as_u64().unwrap() as u32;
    let (entry, quantity, gross, costs) = (number("entry"), number("quantity"), number("gross"), number("costs"));
    let pnl = gross - costs;
    Trade {
        side: if number("side") > 0.0 { Side::Long } else { Side::Short },
        raw_entry: entry,
        stop_price: number("stop"),
        quantity,
        gross_pnl: gross,
        costs,
        pnl,
        pnl_pct: 100.0 * pnl / (entry * quantity),
        r_multiple: pnl / (quantity * (entry - number("stop")).abs()),
        mae_r: number("mae"),
        mfe_r: number("mfe"),
        score: number("score"),
        bars_held: row["bars"].as_u64().unwrap() as u32,
        ..trade(session, 0.0)
    }
}

/// Trades of a sample end in the order they are listed in.
fn trades_of(rows: &Value) -> Vec<Trade> {
    let mut trades: Vec<_> = rows.as_array().unwrap().iter().map(trade_of).collect();
    for (place, trade) in trades.iter_mut().enumerate() {
        trade.exit_ms += place as i64;
    }
    trades
}

#[test]
fn detectors_have_the_statistics_that_other_packages_find() {
    for (index, case) in oracle()["detectors"].as_array().unwrap().iter().enumerate() {
        let stats = stats_of(trades_of(&case["trades"]));
        let found = serde_json::to_value(&stats).unwrap();
        let path = format!("detectors[{index}]");
        assert_holds(&case["expected"], &found, &path);
        for (bps, point) in case["frontier"].as_array().unwrap().iter().enumerate() {
            let found = stats.costs.as_ref().unwrap().frontier[bps];
            assert_eq!(found.bps_per_side, bps as u32);
            assert_near(point.as_f64().unwrap(), found.expectancy, 1e-9, &format!("{path}.frontier[{bps}]"));
        }
        let interval = stats.expectancy_interval.unwrap();
        // 10,000 resamples tell a quantile of 2.5 % to a few hundredths of the interval.
        let (low, high) = (case["bootstrap"]["low"].as_f64().unwrap(), case["bootstrap"]["high"].as_f64().unwrap());
        let noise = 0.04 * (high - low);
        assert!((interval.low - low).abs() < noise && (interval.high - high).abs() < noise, "{path}: {interval:?}");
    }
}

#[test]
fn portfolios_have_the_statistics_that_other_packages_find() {
    for (index, case) in oracle()["portfolios"].as_array().unwrap().iter().enumerate() {
        let equities = case["equity"].as_array().unwrap().iter().map(|equity| equity.as_f64().unwrap());
        let points: Vec<_> = equities
            .enumerate()
            .map(|(day, equity)| SessionEquity { date: date(2026, 1, 1) + (day as i64).days(), equity })
            .collect();
        let instant = |date| Market::NewYork.instant(date, jiff::civil::time(16, 0, 0, 0)).as_millisecond();
        let portfolio = Portfolio {
            equity: points.iter().map(|p| EquityPoint { timestamp: instant(p.date), equity: p.equity }).collect(),
            sessions: points,
            ..Portfolio::default()
        };
        let market = if case["periods"] == 365 { Market::RoundTheClock } else { Market::NewYork };
        let trials = case["expected"]["trials"].as_u64().unwrap();
        let stats = portfolio_stats(&portfolio, 100_000.0, market, trials);
        assert_holds(&case["expected"], &serde_json::to_value(&stats).unwrap(), &format!("portfolios[{index}]"));
    }
}

#[test]
fn p_values_are_adjusted_as_statsmodels_does_it() {
    let oracle = &oracle()["falseDiscovery"];
    let ranks: Vec<_> = oracle["asGood"].as_array().unwrap().iter().map(|rank| rank.as_f64().unwrap()).collect();
    // Draws of 0.5, 1.5, … 199.5 R: so many of them are above 200 − rank.
    let results: Vec<_> = ranks
        .iter()
        .map(|rank| {
            let mut result = result("sample", vec![trade(0, 200.0 - rank)]);
            result.random_r = (0..200).map(|draw| f64::from(draw) + 0.5).collect();
            result
        })
        .collect();
    let stats = detector_stats(&results, sessions(), Market::NewYork, SEED);
    for (index, stats) in stats.iter().enumerate() {
        let control = stats.random_control.unwrap();
        assert_near(oracle["pValue"][index].as_f64().unwrap(), control.p_value, 1e-12, "p");
        assert_near(oracle["adjustedPValue"][index].as_f64().unwrap(), control.adjusted_p_value, 1e-12, "adjusted");
        assert_near(1.0 - ranks[index] / 200.0, control.percentile, 1e-12, "percentile");
    }
}
