//! The report for programs.

use barkeep::backtest::report::{Inputs, Report, config_hash, run_id, same_but_for_time};
use serde_json::{Value, json};

use crate::sample::{Sample, sample};
use crate::{inputs, written};

fn json(sample: &Sample) -> Vec<u8> {
    written(&Report::new(inputs(sample)))
}

fn parsed(sample: &Sample) -> Value {
    serde_json::from_slice(&json(sample)).unwrap()
}

/// Keys of the object at the start of a JSON text, in their order.
fn keys(json: &str) -> Vec<String> {
    let (mut keys, mut depth, mut text, mut rest) = (Vec::new(), 0, None, json.char_indices().peekable());
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' if text.is_some() => {
                rest.next();
            }
            '"' => match text.take() {
                None => text = Some(at + 1),
                Some(start) if depth == 1 && rest.peek().is_some_and(|(_, next)| *next == ':') => {
                    keys.push(json[start..at].to_owned());
                }
                Some(_) => {}
            },
            '{' | '[' if text.is_none() => depth += 1,
            '}' | ']' if text.is_none() => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    keys
}

fn keys_after(json: &str, place: &str) -> Vec<String> {
    let at = json.find(place).unwrap_or_else(|| panic!("{place} is not there")) + place.len();
    keys(&json[at..])
}

/// B §7: names are kept, in their order, and added ones come after.
#[test]
fn fields_keep_their_names_and_order() {
    let json = String::from_utf8(json(&sample())).unwrap();
    assert_eq!(
        keys(&json),
        [
            "timestamp",
            "config",
            "results",
            "summary",
            "schemaVersion",
            "runId",
            "configHash",
            "dataSnapshot",
            "seed",
            "labels",
            "counters",
            "statuses",
            "equity",
            "portfolio",
            "data",
            "symbols",
            "bars",
            "configurations",
            "statement"
        ]
    );
    let result = keys_after(&json, "\"results\":[");
    let kept: Vec<_> = [
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
    ]
    .into();
    let among: Vec<_> = result.iter().map(String::as_str).filter(|name| kept.contains(name)).collect();
    assert_eq!(among, kept);
    assert_eq!(result.first().unwrap(), "detector");
    assert_eq!(result[result.len() - 3..], ["status", "counters", "trades"]);
    assert_eq!(
        keys_after(&json, "\"trades\":["),
        [
            "timestamp",
            "symbol",
            "detector",
            "direction",
            "entryPrice",
            "targetPrice",
            "stopPrice",
            "exitPrice",
            "exitTimestamp",
            "exitReason",
            "pnl",
            "pnlPercent",
            "rMultiple",
            "barsHeld",
            "marketRegime",
            "tradeId",
            "signalTimestamp",
            "score",
            "quantity",
            "rawEntry",
            "rawExit",
            "grossPnl",
            "costs",
            "maeR",
            "mfeR",
            "ambiguous",
            "gapExit",
            "oiProxy",
            "flags",
            "exitDecision",
            "stopFirstR",
            "targetFirstR"
        ]
    );
    let summary = keys_after(&json, "\"summary\":");
    assert_eq!(summary[..5], ["totalDetectors", "totalTrades", "overallWinRate", "bestDetector", "worstDetector"]);
    assert!(summary.contains(&"avgProfitFactor".to_owned()) && summary.contains(&"avgExpectancy".to_owned()));
    // The first counters belong to a detector, the last ones to the run.
    let run = json.rfind("\"counters\":").unwrap();
    assert_eq!(
        keys_after(&json[run..], "\"counters\":"),
        [
            "signals",
            "accepted",
            "rejected",
            "unfilled",
            "invalid_at_open",
            "gap_exits",
            "both_touched",
            "resolved_finer",
            "ambiguous",
            "late_flat",
            "open_at_end",
            "bars_total",
            "bars_evaluable",
            "not_evaluable",
            "conflicting_duplicates",
            "data_gaps"
        ]
    );
    assert!(json.ends_with("}\n"));
}

#[test]
fn figures_are_fractions_and_undefined_ones_null() {
    let json = parsed(&sample());
    for result in json["results"].as_array().unwrap() {
        if let Some(rate) = result["winRate"].as_f64() {
            assert!((0.0..=1.0).contains(&rate));
        }
    }
    let gamma = &json["results"][5];
    assert_eq!(gamma["detector"], "gamma_squeeze_bullish");
    assert_eq!(gamma["status"], "not evaluable: open interest", "B-61: not the same as no trades");
    assert!(gamma["winRate"].is_null() && gamma["expectancy"].is_null() && gamma["profitFactor"].is_null());
    assert_eq!(gamma["trades"].as_array().unwrap().len(), 0);
}

/// The statuses name every symbol of every detector once.
#[test]
fn statuses_are_grouped_and_complete() {
    let sample = sample();
    let json = parsed(&sample);
    for result in &sample.study.results {
        let groups = json["statuses"].as_array().unwrap().iter().filter(|group| group["detector"] == result.detector);
        let mut symbols: Vec<_> = groups
            .flat_map(|group| group["symbols"].as_array().unwrap())
            .map(|symbol| symbol.as_str().unwrap())
            .collect();
        symbols.sort_unstable();
        let mut expected: Vec<_> = result.symbols.iter().map(|symbol| &*symbol.symbol).collect();
        expected.sort_unstable();
        assert_eq!(symbols, expected);
    }
    assert_eq!(json["counters"]["data_gaps"]["missing"], 2);
    assert_eq!(json["counters"]["data_gaps"]["not_entitled"], 3);
    let turned_away = sample.portfolio.rejected.max_open + sample.portfolio.rejected.volume;
    assert_eq!(json["counters"]["rejected"]["portfolio"], turned_away);
}

/// All rows of a file of signals that were not traded are listed, with their reasons.
#[test]
fn untraded_signals_are_listed() {
    let listed = &parsed(&sample())["data"]["unmatchedSignals"];
    let reason = "no bar of the signal timeframe ends at its timestamp: a timestamp is the END of a bar";
    assert_eq!(listed[0], json!({ "line": 2, "symbol": "AAPL", "reason": reason }));
    assert!(listed[1]["reason"].as_str().unwrap().starts_with("its stop would lie at or below zero"));
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

/// B-60
#[test]
fn equal_runs_are_equal_bytes_but_for_their_time() {
    let (one, other) = (sample(), sample());
    assert_eq!(json(&one), json(&other));
    let later = written(&Report::new(Inputs { generated: "2026-12-01T10:00:00Z".parse().unwrap(), ..inputs(&other) }));
    assert_ne!(json(&one), later);
    assert!(same_but_for_time(&*json(&one), &*later).unwrap());
    assert_eq!(Report::new(inputs(&one)).csv(), Report::new(inputs(&other)).csv());
    let mut different = sample();
    different.study.results[0].trades[0].r_multiple += 1e-9;
    assert!(!same_but_for_time(&*json(&one), &*json(&different)).unwrap());
}

/// B-60: a run that fetches what another finds stored is the same run.
#[test]
fn how_a_run_came_by_its_bars_makes_no_other_run_of_it() {
    let (fetched, mut stored) = (sample(), sample());
    stored.data.store = "none".to_owned();
    stored.data.conflicting_duplicates = fetched.data.conflicting_duplicates + 10;
    assert_ne!(json(&fetched), json(&stored));
    assert!(same_but_for_time(&*json(&fetched), &*json(&stored)).unwrap());
    stored.data.mixed_vwap_sessions += 1;
    assert!(!same_but_for_time(&*json(&fetched), &*json(&stored)).unwrap());
    // What merely reads like such a field is compared.
    let named = |name: &str| {
        let mut run = sample();
        run.config.universe = format!("\"store\":{name}");
        json(&run)
    };
    assert!(!same_but_for_time(&*named("a"), &*named("b")).unwrap());
}

/// The run's name is made of configuration and data, and of nothing else.
#[test]
fn a_run_is_named_by_what_it_was_asked_for_and_the_data() {
    let sample = sample();
    let snapshot = sample.study.snapshot;
    let id = run_id(&sample.config, snapshot);
    assert!(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(config_hash(&sample.config).len(), 64);
    assert_ne!(run_id(&sample.config, snapshot + 1), id);
    let mut config = sample.config.clone();
    config.seed += 1;
    assert_ne!(run_id(&config, snapshot), id);
    assert_ne!(config_hash(&config), config_hash(&sample.config));
    let mut config = sample.config.clone();
    config.detectors[0].parameters.insert("min_score".to_owned(), 61.0.into());
    assert_ne!(run_id(&config, snapshot), id);
    let report = Report::new(inputs(&sample));
    let mut later = inputs(&sample);
    later.generated = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(Report::new(later).run_id, report.run_id);
}

/// Trades that the data's end ended are shown, and are no part of the statistics (B-22).
#[test]
fn trades_name_themselves_and_their_bounds() {
    let json = parsed(&sample());
    let trades: Vec<_> =
        json["results"].as_array().unwrap().iter().flat_map(|result| result["trades"].as_array().unwrap()).collect();
    let mut ids: Vec<_> = trades.iter().map(|trade| trade["tradeId"].as_str().unwrap()).collect();
    let first = ids[0].to_owned();
    assert!(first.starts_with("breakout_bullish:") && first.ends_with('Z'), "{first}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), trades.len());
    for trade in trades {
        let r = |name: &str| trade[name].as_f64().unwrap();
        assert!(r("stopFirstR") <= r("rMultiple") && r("rMultiple") <= r("targetFirstR"), "{trade}");
        assert_eq!(trade["ambiguous"].as_bool().unwrap(), trade["exitDecision"] == "assumed");
    }
}
