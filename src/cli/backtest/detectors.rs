//! `backtest detectors`.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::parameters::of_name;
use crate::backtest::ClassGate;
use crate::backtest::detectors::{DETECTORS, DetectorSpec};
use crate::backtest::params::{ParamKind, ParamSpec};
use crate::cli::args::DetectorsArgs;
use crate::cli::commands::Context;
use crate::cli::{Align, Body, CliError, Exit, Table, print_json};

/// Shows the detectors.
pub(super) fn run(args: &DetectorsArgs, context: &Context) -> Result<Exit, CliError> {
    let specs = match &args.id {
        Some(name) => of_name(name).map_err(CliError::usage)?,
        None => DETECTORS.iter().collect(),
    };
    let out = &mut io::stdout().lock();
    if context.json {
        let rows: Vec<Value> = specs.iter().map(|spec| object(spec)).collect();
        let totals = json!({ "detectors": rows.len() });
        print_json(out, "detectors", &json!({}), Body::Rows(&rows), &totals, Exit::Done)?;
    } else if args.list || args.id.is_some() {
        for (place, spec) in specs.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{} ({}, {})\n  {}", spec.id, side(spec), class(spec.class), spec.help)?;
            write!(out, "{}", parameters(spec.params()))?;
        }
    } else {
        let mut table = Table::new([
            ("detector", Align::Left),
            ("side", Align::Left),
            ("class", Align::Left),
            ("looks for", Align::Left),
        ]);
        for spec in specs {
            table.row([spec.id.to_owned(), side(spec).to_owned(), class(spec.class).to_owned(), spec.help.to_owned()]);
        }
        write!(out, "{table}")?;
        writeln!(
            out,
            "Detectors are hypotheses: no result is promised. `backtest detectors ID` shows the parameters of one."
        )?;
    }
    Ok(Exit::Done)
}

fn side(spec: &DetectorSpec) -> &'static str {
    spec.side.map_or("toward a level", |side| match side {
        crate::backtest::Side::Long => "long",
        crate::backtest::Side::Short => "short",
    })
}

const fn class(class: ClassGate) -> &'static str {
    match class {
        ClassGate::Equity => "equity",
        ClassGate::Index => "index",
    }
}

/// What an optimiser steps by; nothing where values are words.
fn step(param: &ParamSpec) -> Value {
    match param.kind {
        ParamKind::Number { step, .. } => step.into(),
        ParamKind::Integer { step, .. } => step.into(),
        ParamKind::Switch | ParamKind::Choice(_) => Value::Null,
    }
}

fn parameters(params: &[ParamSpec]) -> Table {
    let mut table = Table::new([
        ("  parameter", Align::Left),
        ("type", Align::Left),
        ("default", Align::Right),
        ("range", Align::Left),
        ("step", Align::Right),
        ("unit", Align::Left),
        ("meaning", Align::Left),
    ]);
    for param in params {
        let step = step(param);
        table.row([
            format!("  {}", param.name),
            param.kind.as_str().to_owned(),
            param.default.words(),
            param.range(),
            if step.is_null() { String::new() } else { step.to_string() },
            param.unit.to_owned(),
            param.help.to_owned(),
        ]);
    }
    table
}

fn object(spec: &DetectorSpec) -> Value {
    let params: Vec<Value> = spec
        .params()
        .iter()
        .map(|param| {
            json!({
                "name": param.name,
                "type": param.kind.as_str(),
                "unit": param.unit,
                "default": param.default.to_json(),
                "range": param.range(),
                "step": step(param),
                "help": param.help,
            })
        })
        .collect();
    json!({ "id": spec.id, "side": side(spec), "class": class(spec.class), "help": spec.help, "parameters": params })
}
