//! `backtest compare`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::comparison;
use super::request::OUTPUT;
use crate::backtest::report::{RunFile, compare};
use crate::cli::args::CompareArgs;
use crate::cli::commands::Context;
use crate::cli::{Body, CliError, Exit, print_json};

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
        out.write_all(comparison::comparison(&comparison).as_bytes())?;
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
