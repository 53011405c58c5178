//! Which detectors are meant, and with which parameters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};

use crate::backtest::detectors::{self, Configured, DETECTORS, DetectorSpec, GROUPS};
use crate::backtest::params::nearest;
use crate::cli::CliError;
use crate::cli::args::DetectorArgs;

/// The parameter that lets detectors look outside regular hours, and its value then.
const OFF_HOURS: (&str, bool) = ("rth_only", false);

/// The parameter that lets detectors hold positions over the close, and its value then.
const OVERNIGHT: (&str, bool) = ("hold_overnight", true);

/// What a run has for detectors that ask for it: without it parameters that do would change nothing, and are refused (B-66).
#[derive(Debug, Clone, Copy)]
pub(super) struct Offers {
    /// Bars outside regular hours.
    pub(super) off_hours: bool,
    /// Nights that positions may be held over.
    pub(super) overnight: bool,
}

/// Values by detector and parameter, as typed.
type Given = BTreeMap<&'static str, BTreeMap<String, String>>;

/// The detectors that are named, or all, each once, with their parameters. With `off_hours` those that can look outside regular
/// hours do where the run has bars of these, unless it is set for them.
pub(super) fn configured(args: &DetectorArgs, off_hours: bool, offers: Offers) -> Result<Vec<Configured>, CliError> {
    configure(args, off_hours && offers.off_hours, offers).map_err(CliError::usage)
}

/// Whether a detector takes signals outside regular hours.
pub(super) fn looks_off_hours(detector: &Configured) -> bool {
    asks(detector, OFF_HOURS)
}

/// Whether a detector holds positions over the close.
pub(super) fn holds_overnight(detector: &Configured) -> bool {
    asks(detector, OVERNIGHT)
}

fn asks(detector: &Configured, (param, value): (&str, bool)) -> bool {
    detector.config.parameters.get(param).is_some_and(|is| *is == value)
}

/// What to know of a run whose hours and whose detectors do not fit each other, and which can be meant so all the same.
pub(super) fn note(detectors: &[Configured], off_hours: bool, offers: Offers) -> Option<&'static str> {
    match offers.off_hours {
        true if !detectors.iter().any(looks_off_hours) => Some(
            "--session=all: no detector of this run takes signals outside regular hours; rth_only=false lets one that can, as in \
             --set=breakout_bullish.rth_only=false, and ALLOW_WEEKEND_SIGNALS=true all of them",
        ),
        false if off_hours => Some(
            "ALLOW_WEEKEND_SIGNALS=true changes nothing in this run, which has bars of regular hours only: --session=all adds the \
             others",
        ),
        _ => None,
    }
}

fn configure(args: &DetectorArgs, off_hours: bool, offers: Offers) -> anyhow::Result<Vec<Configured>> {
    let mut specs: Vec<&'static DetectorSpec> = Vec::new();
    let default = ["all".to_owned()];
    for name in if args.detector.is_empty() { &default[..] } else { &args.detector } {
        for spec in of_name(name)? {
            if specs.iter().all(|known| known.id != spec.id) {
                specs.push(spec);
            }
        }
    }
    let mut given = Given::new();
    if let Some(path) = &args.params {
        read(path, &mut given)?;
    }
    for text in &args.set {
        let (name, value) = text.split_once('=').ok_or_else(|| no_setting(text))?;
        let (detector, param) = name.split_once('.').ok_or_else(|| no_setting(text))?;
        let spec = to_set(detector.trim()).with_context(|| format!("--set={text}"))?;
        given.entry(spec.id).or_default().insert(param.trim().to_owned(), value.trim().to_owned());
    }
    if let Some(other) = given.keys().find(|id| specs.iter().all(|spec| spec.id != **id)) {
        bail!(
            "a parameter of {other} is set, which is not among the detectors of this run: add --detector={other}, or leave the parameter out"
        );
    }
    if off_hours {
        for spec in specs.iter().filter(|spec| spec.params().iter().any(|param| param.name == OFF_HOURS.0)) {
            let of_detector = given.entry(spec.id).or_default();
            of_detector.entry(OFF_HOURS.0.to_owned()).or_insert_with(|| OFF_HOURS.1.to_string());
        }
    }
    let none = BTreeMap::new();
    let configure = |spec: &'static DetectorSpec| {
        let detector = spec.configure(given.get(spec.id).unwrap_or(&none))?;
        refuse_idle(&detector, offers)?;
        Ok(detector)
    };
    specs.into_iter().map(configure).collect()
}

/// Refuses what a run without the flag for it would not do.
fn refuse_idle(detector: &Configured, offers: Offers) -> anyhow::Result<()> {
    let needs = [(OFF_HOURS, offers.off_hours, "--session=all"), (OVERNIGHT, offers.overnight, "--hold-overnight")];
    for (asked, offered, flag) in needs {
        if !offered && asks(detector, asked) {
            bail!(
                "{}.{} = {} changes nothing without {flag}: add {flag}, or leave the parameter out",
                detector.spec.id,
                asked.0,
                asked.1
            );
        }
    }
    Ok(())
}

fn no_setting(text: &str) -> anyhow::Error {
    anyhow!("--set={text}: a parameter is set as DETECTOR.PARAM=VALUE, such as breakout_bullish.rvol_min=2")
}

/// The detectors of a name or of a group.
pub(super) fn of_name(name: &str) -> anyhow::Result<Vec<&'static DetectorSpec>> {
    match detectors::group(name) {
        Some(group) => Ok(group),
        None => of_id(name, &GROUPS).map(|spec| vec![spec]),
    }
}

/// The detector whose parameters are set.
fn to_set(id: &str) -> anyhow::Result<&'static DetectorSpec> {
    if detectors::group(id).is_some() {
        bail!(
            "`{id}` is a group, and parameters are set for one detector at a time: name each of them; \
             `backtest detectors {id}` shows them"
        );
    }
    of_id(id, &[])
}

/// A detector; `others` are names that may be meant as well.
fn of_id(id: &str, others: &[&'static str]) -> anyhow::Result<&'static DetectorSpec> {
    detectors::find(id).ok_or_else(|| {
        let names = DETECTORS.iter().map(|spec| spec.id).chain(others.iter().copied());
        let hint = nearest(id, names).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
        let groups = if others.is_empty() { String::new() } else { format!("; {} are groups", others.join(", ")) };
        anyhow!("there is no detector `{id}`{hint}: `backtest detectors` shows them{groups}")
    })
}

/// Reads a file of parameters: a table for each detector.
fn read(path: &Path, given: &mut Given) -> anyhow::Result<()> {
    let doing = || format!("--params={}", path.display());
    let text = fs::read_to_string(path).with_context(|| format!("{}: cannot read the file", doing()))?;
    let file: toml::Table = text.parse().with_context(|| format!("{}: it is not TOML", doing()))?;
    for (detector, table) in file {
        let spec = to_set(&detector).with_context(doing)?;
        let toml::Value::Table(table) = table else {
            bail!(
                "{}: `{detector}` is no table: write [{detector}], and a line `name = value` for each parameter",
                doing()
            );
        };
        for (param, value) in table {
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                // 2.0 stays 2.0: where a whole number is wanted it is refused.
                toml::Value::Float(number) => format!("{number:?}"),
                toml::Value::Boolean(is) => is.to_string(),
                _ => bail!("{}: {detector}.{param} is no number, word or true or false", doing()),
            };
            given.entry(spec.id).or_default().insert(param, value);
        }
    }
    Ok(())
}
