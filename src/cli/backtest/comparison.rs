//! Two runs beside each other, for people.

use std::fmt::Write;

use serde_json::Value;

use crate::backtest::report::{Comparison, DetectorDifference, TradeLine};
use crate::cli::format::{count, counted, printable};
use crate::cli::table::{Align, Table};

/// Trades that are listed of each kind; more are counted.
const TRADES_SHOWN: usize = 10;

/// Two runs beside each other: what they were asked for, what came of each detector, and which trades only one has.
pub fn comparison(comparison: &Comparison) -> String {
    let mut text = String::new();
    let mut runs = Table::new([("run", Align::Left), ("made", Align::Left), ("labels", Align::Left)]);
    for (letter, run) in [("A", &comparison.a), ("B", &comparison.b)] {
        let labels = if run.labels.is_empty() { "none".to_owned() } else { run.labels.join(", ") };
        runs.row([format!("{letter}  {}", printable(&run.run_id)), printable(&run.timestamp), printable(&labels)]);
    }
    push(&mut text, format_args!("{runs}data: {}\n", if comparison.same_data { "the same" } else { "different bars" }));
    if comparison.config.is_empty() {
        text.push_str("configuration: the same\n");
    } else {
        let mut config = Table::new([("configuration", Align::Left), ("A", Align::Left), ("B", Align::Left)]);
        for field in &comparison.config {
            config.row([printable(&field.field), value(field.a.as_ref()), value(field.b.as_ref())]);
        }
        push(&mut text, format_args!("\n{config}"));
    }
    push(&mut text, format_args!("\n{}", figures(comparison)));
    for detector in &comparison.detectors {
        differences(&mut text, detector);
    }
    text
}

/// The figures that are read first; `--json` has all.
fn figures(comparison: &Comparison) -> String {
    let mut table = Table::new([
        ("detector", Align::Left),
        ("trades A", Align::Right),
        ("B", Align::Right),
        ("win rate A", Align::Right),
        ("B", Align::Right),
        ("B - A", Align::Right),
        ("expectancy A", Align::Right),
        ("B", Align::Right),
        ("B - A", Align::Right),
        ("PF A", Align::Right),
        ("B", Align::Right),
    ]);
    for detector in &comparison.detectors {
        let figure = |name: &str| detector.figures.iter().find(|figure| figure.name == name);
        let shown = |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "-".to_owned(), show);
        let a = |name: &str, show| shown(figure(name).and_then(|figure| figure.a), show);
        let b = |name: &str, show| shown(figure(name).and_then(|figure| figure.b), show);
        let difference = |name: &str, show| shown(figure(name).and_then(|figure| figure.difference), show);
        let whole = |number: f64| count(number as u64);
        table.row([
            printable(&detector.detector),
            a("totalTrades", whole),
            b("totalTrades", whole),
            a("winRate", |rate| format!("{:.1} %", 100.0 * rate)),
            b("winRate", |rate| format!("{:.1} %", 100.0 * rate)),
            difference("winRate", |rate| format!("{:+.1}", 100.0 * rate)),
            a("expectancy", |r| format!("{r:+.3} R")),
            b("expectancy", |r| format!("{r:+.3} R")),
            difference("expectancy", |r| format!("{r:+.3}")),
            a("profitFactor", |factor| format!("{factor:.2}")),
            b("profitFactor", |factor| format!("{factor:.2}")),
        ]);
    }
    table.to_string()
}

/// Nothing of a detector whose status and trades are the same.
fn differences(text: &mut String, detector: &DetectorDifference) {
    let (changed, only_a, only_b) = (&detector.changed, &detector.only_a, &detector.only_b);
    if detector.status_a == detector.status_b && changed.is_empty() && only_a.is_empty() && only_b.is_empty() {
        return;
    }
    push(text, format_args!("\n{}: ", printable(&detector.detector)));
    if detector.status_a != detector.status_b {
        let status = |status: &Option<String>| status.as_deref().map_or_else(|| "not in it".to_owned(), printable);
        push(text, format_args!("A {}, B {}; ", status(&detector.status_a), status(&detector.status_b)));
    }
    push(
        text,
        format_args!(
            "{} the same, {} with another end, {} only in A, {} only in B\n",
            counted(detector.same_trades, "trade"),
            count(changed.len() as u64),
            count(only_a.len() as u64),
            count(only_b.len() as u64)
        ),
    );
    for (what, trades) in [("another end", changed), ("only in A", only_a), ("only in B", only_b)] {
        list(text, what, trades);
    }
}

fn list(text: &mut String, what: &str, trades: &[TradeLine]) {
    if trades.is_empty() {
        return;
    }
    let mut table = Table::new([(format!("  {what}").as_str(), Align::Left), ("A", Align::Right), ("B", Align::Right)]);
    let r = |r: Option<f64>| r.map_or_else(|| "-".to_owned(), |r| format!("{r:+.2} R"));
    for trade in trades.iter().take(TRADES_SHOWN) {
        table.row([
            format!("  {} {}", printable(&trade.trade_id), printable(&trade.direction)),
            r(trade.a),
            r(trade.b),
        ]);
    }
    push(text, format_args!("{table}"));
    if trades.len() > TRADES_SHOWN {
        let more = counted((trades.len() - TRADES_SHOWN) as u64, "more trade");
        push(text, format_args!("  {more}: --json has all of them\n"));
    }
}

/// A value in at most so many characters as stand beside another on a screen; `--json` has all of it.
fn value(value: Option<&Value>) -> String {
    const WIDEST: usize = 48;
    let text = value.map_or_else(|| "-".to_owned(), |value| printable(&value.to_string()));
    if text.chars().count() <= WIDEST { text } else { text.chars().take(WIDEST - 1).chain(['…']).collect() }
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("Invariant: writing to a string does not fail");
}
