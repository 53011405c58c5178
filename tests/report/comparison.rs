//! Two runs beside each other.

use barkeep::backtest::report::{Report, RunFile, compare};
use barkeep::cli::backtest::comparison::comparison;
use serde_json::json;

use crate::sample::{HOSTILE, Sample, sample};
use crate::{inputs, written};

fn file(sample: &Sample) -> RunFile {
    RunFile::parse(&written(&Report::new(inputs(sample)))).unwrap()
}

#[test]
fn a_run_is_like_itself() {
    let run = file(&sample());
    let same = compare(&run, &run);
    assert!(same.same_data && same.config.is_empty());
    assert_eq!(same.detectors.len(), 6);
    for detector in &same.detectors {
        assert!(detector.changed.is_empty() && detector.only_a.is_empty() && detector.only_b.is_empty());
        assert!(detector.figures.iter().all(|figure| figure.difference.unwrap_or(0.0) == 0.0));
    }
}

#[test]
fn differences_are_named() {
    let (one, mut other) = (sample(), sample());
    other.config.costs.half_spread_bps = 2.0;
    other.config.detectors[1].parameters.insert("min_score".to_owned(), 70.0.into());
    other.config.symbols.pop();
    other.study.snapshot += 1;
    let gone = other.study.results[0].trades.remove(3);
    other.study.results[0].trades[5].r_multiple += 0.5;
    let removed = other.study.results.pop().unwrap();
    other.config.detectors.pop();
    let found = compare(&file(&one), &file(&other));
    assert!(!found.same_data);
    let fields: Vec<_> = found.config.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "costs.half_spread_bps",
            "detectors.breakout_bearish.min_score",
            "detectors.gamma_squeeze_bullish.min_score",
            "detectors.gamma_squeeze_bullish.rvol_min",
            "detectors.gamma_squeeze_bullish.score_profile",
            "symbols"
        ]
    );
    let symbols = found.config.last().unwrap();
    assert_eq!((&symbols.a, &symbols.b), (&Some(json!([HOSTILE])), &Some(json!([]))), "what the other does not have");
    let first = &found.detectors[0];
    assert_eq!((first.only_a.len(), first.only_b.len(), first.changed.len()), (1, 0, 1));
    assert_eq!(first.only_a[0].timestamp, gone.entry_ms);
    assert_eq!(first.only_a[0].a, Some(gone.r_multiple));
    assert!((first.changed[0].b.unwrap() - first.changed[0].a.unwrap() - 0.5).abs() < 1e-12);
    assert_eq!(first.same_trades + 2, one.study.results[0].trades.len() as u64);
    assert_eq!(first.figures[0].difference, Some(-1.0));
    let last = found.detectors.last().unwrap();
    assert_eq!((last.detector.as_str(), last.status_b.as_deref()), (removed.detector, None));
    let text = comparison(&found);
    println!("{text}");
    assert!(text.contains("data: different bars") && text.contains("1 only in A, 0 only in B"));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["detectors"][0]["onlyA"].as_array().unwrap().len(), 1);
}

#[test]
fn other_files_are_refused() {
    let refused = |json: &str| RunFile::parse(json.as_bytes()).unwrap_err().to_string();
    assert!(refused("not JSON").starts_with("is not the JSON of a backtest run"));
    assert!(refused("{}").contains("schemaVersion"));
    assert!(refused("{\"schemaVersion\":2}").contains("schema version 2"));
    assert!(refused("{\"schemaVersion\":1}").starts_with("is not the JSON of a backtest run"));
}
