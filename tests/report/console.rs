//! What a terminal shows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use barkeep::backtest::Status;
use barkeep::backtest::report::{Inputs, Report};
use barkeep::cli::backtest::console::{Order, summary};
use barkeep::cli::backtest::files::RunFiles;

use crate::inputs;
use crate::sample::sample;

fn files() -> RunFiles {
    let name = |ending: &str| PathBuf::from(format!("backtest-results/backtest-2026-11-30{ending}"));
    RunFiles {
        json: name("-0123456789ab.json"),
        csv: name("-0123456789ab.csv"),
        html: name("-0123456789ab.html"),
        latest_json: name(".json"),
        latest_csv: name(".csv"),
        kept: false,
    }
}

fn first_words(text: &str, heading: &str) -> Vec<String> {
    let rows = text.lines().skip_while(|line| !line.starts_with(heading)).skip(2).take_while(|line| !line.is_empty());
    rows.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// With what is missing (B-51, B-61), and that it is no advice (B-69).
#[test]
fn a_run_is_summed_up() {
    let sample = sample();
    let report = Report::new(inputs(&sample));
    let text = summary(&report, Order::Expectancy, Some(&files()));
    println!("{text}");
    let mut ranked: Vec<_> = report.detectors.iter().filter(|stats| stats.total_trades >= 10).collect();
    ranked.sort_by(|a, b| b.rank().unwrap().total_cmp(&a.rank().unwrap()));
    let expected: Vec<_> = ranked.iter().map(|stats| stats.detector).collect();
    assert_eq!(first_words(&text, "detectors by lower bound of net expectancy"), expected);
    for words in [
        "not evaluable: open interest",
        "labels: synthetic_underlying, asset class ignored, small sample, data gaps, signals not traded",
        "NVDA 2026-09-14 to 2026-09-15 (2 sessions) missing: not among the files of these days",
        "before 2026-08-05 (12 sessions), when another company had the ticker",
        "page    backtest-results/backtest-2026-11-30-0123456789ab.html",
        "no advice",
    ] {
        assert!(text.contains(words), "{words}");
    }
    assert!(text.lines().all(|line| line.trim_end() == line), "no line ends with a space");
}

/// Five from the top, three from the end, and the others only counted.
#[test]
fn best_and_worst_are_five_and_three() {
    let mut sample = sample();
    let results = sample.study.results.clone();
    for name in ["a", "b", "c", "d", "e"] {
        let mut result = results[name.len()].clone();
        result.detector = name;
        result.trades.truncate(40 - 2 * sample.study.results.len());
        sample.study.results.push(result);
    }
    let report = Report::new(inputs(&sample));
    let text = summary(&report, Order::WinRate, None);
    let mut ranked: Vec<_> = report.detectors.iter().filter(|stats| stats.total_trades >= 10).collect();
    assert_eq!(ranked.len(), 10);
    ranked.sort_by(|a, b| b.win_rate.unwrap().total_cmp(&a.win_rate.unwrap()));
    let names: Vec<_> = ranked.iter().map(|stats| stats.detector).collect();
    assert_eq!(first_words(&text, "best by win rate"), names[..5]);
    let worst = first_words(&text, "worst by win rate");
    assert_eq!(worst[..3], names[7..]);
    assert!(text.contains("2 detectors between them\n"));
}

#[test]
fn few_trades_have_no_place_in_an_order_and_no_marks() {
    let mut sample = sample();
    for result in &mut sample.study.results {
        result.trades.retain(|trade| trade.pnl > 0.0);
    }
    sample.study.results[0].trades.truncate(9);
    let report = Report::new(Inputs { portfolio: None, ..inputs(&sample) });
    let text = summary(&report, Order::Expectancy, None);
    assert!(text.contains("fewer than 10 trades, in no order: breakout_bullish (9)"), "{text}");
    assert!(text.contains("win rate at least 65 %") && !text.contains("portfolio:"));
    let marked = text.lines().filter(|line| line.contains("at least 65 %"));
    assert!(marked.clone().count() > 0 && marked.clone().all(|line| !line.starts_with("breakout_bullish")));
}

/// Eleven detectors of another class are one line, not eleven.
#[test]
fn detectors_that_ran_nowhere_share_a_line() {
    let mut sample = sample();
    for result in &mut sample.study.results[3..] {
        result.trades.clear();
        for symbol in &mut result.symbols {
            (symbol.status, symbol.missing) = (Status::AssetClass, BTreeMap::new());
        }
    }
    let text = summary(&Report::new(inputs(&sample)), Order::Expectancy, None);
    let line = "asset_class on every symbol:\n  mean_reversion_short, opening_drive_bullish, gamma_squeeze_bullish\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("mean_reversion_long  partial"), "{text}");
}
