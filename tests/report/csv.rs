//! A line for each detector.

use barkeep::backtest::report::Report;

use crate::inputs;
use crate::sample::sample;

/// B §7: thirteen columns in their old order, then the added ones.
#[test]
fn columns_keep_their_names_and_order() {
    let sample = sample();
    let report = Report::new(inputs(&sample));
    let csv = String::from_utf8(report.csv()).unwrap();
    assert_eq!(
        csv.lines().next().unwrap(),
        "Detector,Total Trades,Winners,Losers,Win Rate %,Profit Factor,Expectancy (R),Avg Win %,Avg Loss %,Largest Win %,\
         Largest Loss %,Total P&L %,Avg Bars Held,Status,Win Rate Low %,Win Rate High %,Max Drawdown %,Ambiguous,OI Proxy,\
         Run Id"
    );
    assert_eq!(csv.lines().count(), 1 + sample.study.results.len());
    let first: Vec<_> = csv.lines().nth(1).unwrap().split(',').collect();
    let stats = &report.detectors[0];
    assert_eq!(first[0], "breakout_bullish");
    assert_eq!(first[1].parse::<u64>().unwrap(), stats.total_trades);
    assert!((first[4].parse::<f64>().unwrap() - 100.0 * stats.win_rate.unwrap()).abs() < 1e-6, "percent, as it says");
    assert!((first[6].parse::<f64>().unwrap() - stats.expectancy.unwrap()).abs() < 1e-6);
    assert_eq!(first[13], "partial");
    assert_eq!((first[18], first[19]), ("none", report.run_id.as_str()));
}

/// What is not defined is an empty cell, not 0 or 999.
#[test]
fn undefined_figures_are_empty() {
    let sample = sample();
    let csv = String::from_utf8(Report::new(inputs(&sample)).csv()).unwrap();
    let gamma = csv.lines().last().unwrap();
    let run = Report::new(inputs(&sample)).run_id;
    assert_eq!(gamma, format!("gamma_squeeze_bullish,0,0,0,,,,,,,,0,,not evaluable: open interest,,,,0,none,{run}"));
}
