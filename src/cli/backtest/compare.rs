//! `backtest compare`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use super::request::OUTPUT;
use crate::backtest::report::{Comparison, DetectorDifference, RunFile, compare};
use crate::cli::args::CompareArgs;
use crate::cli::commands::Context;
use crate::cli::format::{counted, figure, printable};
use crate::cli::{Align, Body, CliError, Exit, Table, print_json};

/// Trades of a kind that are listed for a detector.
const TRADES_NAMED: usize = 10;

/// Puts two runs side by side.
pub(super) fn run(args: &CompareArgs, context: &Context) -> Result<Exit, CliError> {
    let folder = args.output.clone().unwrap_or_else(|| OUTPUT.into());
    let (a, b) = (read(&folder, &args.a)?, read(&folder, &args.b)?);
    let comparison = compare(&a, &b);
    let out = &mut io::stdout().lock();
    if context.json {
        let totals = json!({ "same_data": comparison.same_data, "config": comparison.config });
        let settings = json!({ "a": comparison.a, "b": comparison.b });
        print_json(out, "compare", &settings, Body::Rows(&comparison.detectors), &totals, Exit::Done)?;
    } else {
        print(out, &comparison)?;
    }
    Ok(Exit::Done)
}

/// The run of a file, or of a name in a folder of reports.
fn read(folder: &Path, name: &str) -> Result<RunFile, CliError> {
    let path = find(folder, name)?;
    let bytes = fs::read(&path).with_context(|| format!("cannot read the run {}", path.display()));
    RunFile::parse(&bytes.map_err(CliError::failed)?)
        .with_context(|| format!("{} is not the JSON of a run of this version", path.display()))
        .map_err(CliError::failed)
}

fn find(folder: &Path, name: &str) -> Result<PathBuf, CliError> {
    let path = PathBuf::from(name);
    if path.is_file() {
        return Ok(path);
    }
    let named = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.starts_with("backtest-")
            && file.strip_suffix(".json").is_some_and(|stem| stem.ends_with(&format!("-{name}")))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> = entries.filter(named).collect();
    found.sort_unstable();
    found.pop().ok_or_else(|| {
        CliError::usage(anyhow!(
            "there is no run `{name}`: it is neither a file nor the name of one in {}",
            folder.display()
        ))
        .with_hint(
            "name a run by its JSON file, or by the last part of its name, as in backtest-2026-11-30-0123456789ab.json",
        )
    })
}

fn print(out: &mut impl Write, comparison: &Comparison) -> io::Result<()> {
    let Comparison { a, b, same_data, config, detectors } = comparison;
    for (letter, run) in [("a", a), ("b", b)] {
        let labels = if run.labels.is_empty() { "none".to_owned() } else { run.labels.join(", ") };
        writeln!(out, "{letter}: run {} of {}, labels: {}", run.run_id, run.timestamp, printable(&labels))?;
    }
    writeln!(out, "{}", if *same_data { "both on the same bars" } else { "on different bars" })?;
    if !config.is_empty() {
        let mut table = Table::new([("setting", Align::Left), ("a", Align::Left), ("b", Align::Left)]);
        let words = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "-".to_owned(), |value| printable(&value.to_string()))
        };
        for difference in config {
            table.row([difference.field.clone(), words(&difference.a), words(&difference.b)]);
        }
        write!(out, "\n{table}")?;
    }
    for detector in detectors {
        print_detector(out, detector)?;
    }
    Ok(())
}

fn print_detector(out: &mut impl Write, detector: &DetectorDifference) -> io::Result<()> {
    let status = |status: &Option<String>| status.clone().unwrap_or_else(|| "not asked for".to_owned());
    writeln!(
        out,
        "\n{}: {} | {}",
        printable(&detector.detector),
        status(&detector.status_a),
        status(&detector.status_b)
    )?;
    let mut table =
        Table::new([("figure", Align::Left), ("a", Align::Right), ("b", Align::Right), ("b - a", Align::Right)]);
    let value = |value: Option<f64>| figure(value.unwrap_or(f64::NAN));
    for row in &detector.figures {
        table.row([row.name.to_owned(), value(row.a), value(row.b), value(row.difference)]);
    }
    write!(out, "{table}")?;
    writeln!(
        out,
        "trades: {} the same, {} that ended differently, {} of a alone, {} of b alone",
        detector.same_trades,
        detector.changed.len(),
        detector.only_a.len(),
        detector.only_b.len()
    )?;
    let kinds = [("changed", &detector.changed), ("a alone", &detector.only_a), ("b alone", &detector.only_b)];
    for (kind, trades) in kinds {
        for trade in trades.iter().take(TRADES_NAMED) {
            let at = jiff::Timestamp::from_millisecond(trade.timestamp).map(|at| at.to_string()).unwrap_or_default();
            writeln!(
                out,
                "  {kind}: {} {} {at}: {} R | {} R",
                printable(&trade.symbol),
                trade.direction,
                value(trade.a),
                value(trade.b)
            )?;
        }
        if trades.len() > TRADES_NAMED {
            writeln!(out, "  {kind}: and {}", counted((trades.len() - TRADES_NAMED) as u64, "more trade"))?;
        }
    }
    Ok(())
}
