//! Labels.

use barkeep::backtest::report::{Inputs, Report, Splits, UnrankedMonth};
use barkeep::backtest::{FillMode, Study};

use crate::sample::{Sample, sample};
use crate::{inputs, written};

fn labels(sample: &Sample) -> Vec<&'static str> {
    Report::new(inputs(sample)).labels
}

/// Each label comes with its cause, and goes with it (B-10, B-31, B-57, B-62).
#[test]
fn labels_say_what_must_be_known() {
    let mut plain = sample();
    plain.config.ignore_asset_class = false;
    plain.data.symbols.clear();
    plain.data.unmatched_signals.clear();
    for result in &mut plain.study.results {
        result.trades.retain(|trade| !trade.symbol.starts_with("I:"));
        result.trades.truncate(40);
        if result.trades.len() < 30 {
            result.trades.clear();
        }
    }
    assert_eq!(labels(&plain), [""; 0]);
    let with = |change: fn(&mut Sample)| {
        let mut changed = sample();
        (changed.config, changed.data, changed.study) = (plain.config.clone(), plain.data.clone(), plain.study.clone());
        change(&mut changed);
        labels(&changed)
    };
    assert_eq!(with(|run| run.config.costs.zero = true), ["no costs"]);
    assert_eq!(with(|run| run.config.engine.fill_mode = FillMode::SameClose), ["look-ahead fill"]);
    assert_eq!(with(|run| run.config.oi_proxy_volume = true), ["oi_proxy=volume"]);
    assert_eq!(with(|run| run.study.results[0].trades[0].symbol = "I:SPX".into()), ["synthetic_underlying"]);
    assert_eq!(with(|run| run.config.ignore_asset_class = true), ["asset class ignored"]);
    let compat = |run: &mut Sample| {
        run.config.detectors[0].parameters.insert("score_profile".to_owned(), "compat".into());
    };
    assert_eq!(with(compat), ["compat score"]);
    assert_eq!(with(|run| run.study.results[0].trades.truncate(29)), ["small sample"]);
    assert_eq!(with(|run| run.study.results[0].trades.clear()), [""; 0], "no trades are no sample");
    assert_eq!(with(|run| run.data.store_unusable = true), ["database not used"]);
    assert_eq!(with(|run| run.data.splits = Splits::NotLoaded), ["splits not loaded"]);
    assert_eq!(with(|run| run.data.mixed_vwap_sessions = 1), ["mixed vwap"]);
    assert_eq!(with(|run| run.data.symbols = sample().data.symbols), ["data gaps"]);
    let unmatched = |run: &mut Sample| run.data.unmatched_signals = sample().data.unmatched_signals;
    assert_eq!(with(unmatched), ["signals not traded"]);
    let unranked = |run: &mut Sample| {
        run.data.unranked = vec![UnrankedMonth { month: "2026-10".to_owned(), sessions: 3, of: 20 }];
    };
    assert_eq!(with(unranked), ["universe incomplete"]);
    assert_eq!(Report::new(Inputs { configurations: 2, ..inputs(&plain) }).labels, ["in-sample"]);
}

/// A run without anything has a report, too.
#[test]
fn an_empty_study_has_a_report() {
    let mut empty = sample();
    empty.study = Study { results: Vec::new(), snapshot: 0, symbols: 0, bars: 0 };
    let report = Report::new(Inputs { portfolio: None, ..inputs(&empty) });
    assert!(report.portfolio.is_none());
    let json: serde_json::Value = serde_json::from_slice(&written(&report)).unwrap();
    assert!(json["portfolio"].is_null() && json["summary"]["bestDetector"].is_null());
    assert!(report.html("backtest", &[]).contains("</html>"));
}
