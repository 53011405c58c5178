//! Two runs beside each other, from their JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SCHEMA_VERSION;

/// A run as its JSON tells it: what a comparison needs of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFile {
    /// When the report was made, RFC 3339.
    pub timestamp: String,
    /// What names the run.
    pub run_id: String,
    /// Version of the fields.
    pub schema_version: u32,
    /// Hash of the configuration.
    pub config_hash: String,
    /// Hash of all bars that were used.
    pub data_snapshot: String,
    /// What must be known before figures are read.
    pub labels: Vec<String>,
    config: Value,
    results: Vec<FileResult>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileResult {
    detector: String,
    status: String,
    trades: Vec<FileTrade>,
    #[serde(flatten)]
    fields: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileTrade {
    trade_id: String,
    symbol: String,
    direction: String,
    timestamp: i64,
    exit_reason: String,
    exit_timestamp: i64,
    r_multiple: f64,
}

/// Why a file is not the JSON of a run.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// It is no JSON, or lacks a field that a run has.
    #[error("is not the JSON of a backtest run: {0}")]
    Format(#[from] serde_json::Error),
    /// Another version of the program wrote it.
    #[error("has schema version {0}, and this program reads {SCHEMA_VERSION}: run it again with this version")]
    Version(u32),
}

impl RunFile {
    /// Reads the JSON of a run.
    pub fn parse(json: &[u8]) -> Result<Self, RunFileError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            schema_version: u32,
        }
        let Version { schema_version } = serde_json::from_slice(json)?;
        if schema_version != SCHEMA_VERSION {
            return Err(RunFileError::Version(schema_version));
        }
        Ok(serde_json::from_slice(json)?)
    }
}

/// A field that two runs have different values of; `None` where one lacks it. Of lists of texts, as of symbols, it is what the
/// other run does not have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldDifference {
    /// Its path in the configuration: `costs.half_spread_bps`.
    pub field: String,
    /// The first run's.
    pub a: Option<Value>,
    /// The second run's.
    pub b: Option<Value>,
}

/// One figure of a detector in both runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Its name in the JSON of a run.
    pub name: &'static str,
    /// The first run's; `None` where it is undefined.
    pub a: Option<f64>,
    /// The second run's.
    pub b: Option<f64>,
    /// The second less the first.
    pub difference: Option<f64>,
}

/// A trade that both runs have, or one of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TradeLine {
    /// What names it.
    pub trade_id: String,
    /// The symbol's ticker.
    pub symbol: String,
    /// `LONG` or `SHORT`.
    pub direction: String,
    /// Start of its entry bar, milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// R in the first run; `None` if it is not there.
    pub a: Option<f64>,
    /// R in the second run.
    pub b: Option<f64>,
}

/// A detector in both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DetectorDifference {
    /// Its identifier.
    pub detector: String,
    /// Its status in the first run; `None` if it was not asked for.
    pub status_a: Option<String>,
    /// The same in the second.
    pub status_b: Option<String>,
    /// Its figures.
    pub figures: Vec<Figure>,
    /// Trades that are the same in both.
    pub same_trades: u64,
    /// Trades of both that ended differently.
    pub changed: Vec<TradeLine>,
    /// Trades of the first run alone.
    pub only_a: Vec<TradeLine>,
    /// Trades of the second run alone.
    pub only_b: Vec<TradeLine>,
}

/// What a run is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunName {
    /// What names it.
    pub run_id: String,
    /// When its report was made, RFC 3339.
    pub timestamp: String,
    /// What must be known before its figures are read.
    pub labels: Vec<String>,
}

/// Two runs beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The first run.
    pub a: RunName,
    /// The second run.
    pub b: RunName,
    /// Whether both used the same bars.
    pub same_data: bool,
    /// Where their configurations differ, by path.
    pub config: Vec<FieldDifference>,
    /// Detectors of either: those of the first in its order, then those that only the second has.
    pub detectors: Vec<DetectorDifference>,
}

/// Figures that are compared, by their paths in the JSON of a run.
const FIGURES: [(&str, &[&str]); 11] = [
    ("totalTrades", &["totalTrades"]),
    ("winRate", &["winRate"]),
    ("expectancy", &["expectancy"]),
    ("expectancyLow", &["expectancyInterval", "low"]),
    ("expectancyHigh", &["expectancyInterval", "high"]),
    ("profitFactor", &["profitFactor"]),
    ("totalPnl", &["totalPnl"]),
    ("totalPnlPercent", &["totalPnlPercent"]),
    ("avgBarsHeld", &["avgBarsHeld"]),
    ("assumedShare", &["assumedShare"]),
    ("maxDrawdownPercent", &["drawdown", "percent"]),
];

/// Puts two runs beside each other.
pub fn compare(a: &RunFile, b: &RunFile) -> Comparison {
    let mut config = Vec::new();
    differences(&mut config, String::new(), Some(&a.config), Some(&b.config));
    let find = |run: &'_ RunFile, detector: &str| run.results.iter().position(|result| result.detector == detector);
    let names: Vec<&str> = a
        .results
        .iter()
        .chain(b.results.iter().filter(|result| find(a, &result.detector).is_none()))
        .map(|result| result.detector.as_str())
        .collect();
    let detectors = names
        .into_iter()
        .map(|name| detector(name, find(a, name).map(|at| &a.results[at]), find(b, name).map(|at| &b.results[at])));
    Comparison {
        a: name(a),
        b: name(b),
        same_data: a.data_snapshot == b.data_snapshot,
        config,
        detectors: detectors.collect(),
    }
}

fn name(run: &RunFile) -> RunName {
    RunName { run_id: run.run_id.clone(), timestamp: run.timestamp.clone(), labels: run.labels.clone() }
}

/// Objects are gone into; detectors' parameters are named by the detector.
fn differences(found: &mut Vec<FieldDifference>, path: String, a: Option<&Value>, b: Option<&Value>) {
    if a == b {
        return;
    }
    let (a_fields, b_fields) = (fields(a), fields(b));
    if a_fields.is_none() && b_fields.is_none() {
        let (a, b) = match (a.and_then(texts), b.and_then(texts)) {
            (Some(a), Some(b)) => (Some(without(&a, &b)), Some(without(&b, &a))),
            _ => (a.cloned(), b.cloned()),
        };
        found.push(FieldDifference { field: path, a, b });
        return;
    }
    let (a_fields, b_fields) = (a_fields.unwrap_or_default(), b_fields.unwrap_or_default());
    let names: BTreeSet<_> = a_fields.keys().chain(b_fields.keys()).copied().collect();
    for name in names {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        differences(found, path, a_fields.get(name).copied(), b_fields.get(name).copied());
    }
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn without(list: &[&str], other: &[&str]) -> Value {
    let other: BTreeSet<_> = other.iter().collect();
    list.iter().filter(|text| !other.contains(text)).copied().collect()
}

fn fields(value: Option<&Value>) -> Option<BTreeMap<&str, &Value>> {
    match value? {
        Value::Object(object) => Some(object.iter().map(|(name, value)| (name.as_str(), value)).collect()),
        Value::Array(list) => list
            .iter()
            .map(|entry| Some((entry.get("detector")?.as_str()?, entry.get("parameters")?)))
            .collect::<Option<BTreeMap<_, _>>>()
            .filter(|detectors| !detectors.is_empty()),
        _ => None,
    }
}

fn detector(name: &str, a: Option<&FileResult>, b: Option<&FileResult>) -> DetectorDifference {
    let figures = FIGURES.map(|(name, path)| {
        let value = |result: Option<&FileResult>| {
            let (first, rest) = path.split_first()?;
            rest.iter().try_fold(result?.fields.get(*first)?, |value, key| value.get(key))?.as_f64()
        };
        let (a, b) = (value(a), value(b));
        Figure { name, a, b, difference: a.zip(b).map(|(a, b)| b - a) }
    });
    let by_id = |result: Option<&'_ FileResult>| -> BTreeMap<(i64, String), FileTrade> {
        let trades = result.map_or(&[][..], |result| &result.trades);
        trades.iter().map(|trade| ((trade.timestamp, trade.trade_id.clone()), trade.clone())).collect()
    };
    let (a_trades, b_trades) = (by_id(a), by_id(b));
    let ended = |trade: &FileTrade| (trade.exit_reason.clone(), trade.exit_timestamp, trade.r_multiple.to_bits());
    let line = |a: Option<&FileTrade>, b: Option<&FileTrade>| {
        let trade = a.or(b).expect("Invariant: one of the runs has the trade");
        TradeLine {
            trade_id: trade.trade_id.clone(),
            symbol: trade.symbol.clone(),
            direction: trade.direction.clone(),
            timestamp: trade.timestamp,
            a: a.map(|trade| trade.r_multiple),
            b: b.map(|trade| trade.r_multiple),
        }
    };
    let only = |of: &BTreeMap<(i64, String), FileTrade>, without: &BTreeMap<(i64, String), FileTrade>, first: bool| {
        let alone = of.iter().filter(|(id, _)| !without.contains_key(*id)).map(|(_, trade)| trade);
        alone.map(|trade| if first { line(Some(trade), None) } else { line(None, Some(trade)) }).collect()
    };
    let both = || a_trades.iter().filter_map(|(id, a)| Some((a, b_trades.get(id)?)));
    DetectorDifference {
        detector: name.to_owned(),
        status_a: a.map(|result| result.status.clone()),
        status_b: b.map(|result| result.status.clone()),
        figures: figures.into(),
        same_trades: both().filter(|(a, b)| ended(a) == ended(b)).count() as u64,
        changed: both().filter(|(a, b)| ended(a) != ended(b)).map(|(a, b)| line(Some(a), Some(b))).collect(),
        only_a: only(&a_trades, &b_trades, true),
        only_b: only(&b_trades, &a_trades, false),
    }
}
