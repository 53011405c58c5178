//! What a run is about to do, for people and for `--dry-run`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::format::{about, bytes, count, counted};
use super::{Align, Body, Exit, Table, print_json};
use crate::config::DatabaseUrl;
use crate::ingest::{DatasetPlan, DayJob, DayPlan, Outcome};
use crate::model::{Dataset, Timeframe};
use crate::store::LoadRate;

/// Bytes of a database a bar takes, its part of the key's index included, measured over full-market days.
const fn bytes_per_bar(database: &DatabaseUrl) -> u64 {
    match database {
        DatabaseUrl::Sqlite(_) => 92,
        DatabaseUrl::Postgres(_) => 186,
    }
}

/// Bars a full-market file gives per packed byte, where no run has told otherwise: 920,000 from 25 MB.
const BARS_PER_FILE_BYTE: f64 = 0.037;

/// What a plan will take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Forecast {
    /// Days to load.
    pub days: u64,
    /// Files to read.
    pub files: u64,
    /// Their packed size.
    pub file_bytes: u64,
    /// What the database will grow by, at most, roughly.
    pub database_bytes: u64,
    /// How long it will take, at the rate of the last such run.
    pub seconds: Option<f64>,
}

impl Forecast {
    /// What a plan will take, going by the last run of its kind.
    pub fn of(plan: &DatasetPlan, rate: Option<LoadRate>, database: &DatabaseUrl) -> Self {
        let days = plan.jobs().count() as u64;
        let files = plan.jobs().map(|job| u64::from(job.minute.is_some()) + u64::from(job.day.is_some())).sum();
        let file_bytes: u64 = plan.jobs().map(DayJob::bytes).sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a forecast"
        )]
        let bars = if let Some(symbols) = &plan.request.symbols {
            let minutes = plan.request.dataset.trading_minutes();
            let timeframes = plan.request.timeframes.iter();
            let per_day: u64 = timeframes.map(|timeframe| most_bars(timeframe, minutes)).sum();
            days * symbols.len() as u64 * (per_day + u64::from(plan.request.official_day))
        } else {
            let per_byte = rate.map_or(BARS_PER_FILE_BYTE, |rate| rate.bars as f64 / rate.file_bytes.max(1) as f64);
            (file_bytes as f64 * per_byte) as u64
        };
        #[expect(clippy::cast_precision_loss, reason = "a forecast")]
        let seconds = rate.map(|rate| file_bytes as f64 * rate.seconds / rate.file_bytes.max(1) as f64);
        Self { days, files, file_bytes, database_bytes: bars * bytes_per_bar(database), seconds }
    }
}

fn most_bars(timeframe: Timeframe, minutes: u64) -> u64 {
    timeframe.minutes().map_or(1, |length| minutes.div_ceil(u64::from(length)))
}

/// The plan in a few lines.
pub fn plan_text(plans: &[DatasetPlan], forecasts: &[Forecast]) -> String {
    let mut text = String::new();
    for (plan, forecast) in plans.iter().zip(forecasts) {
        let request = &plan.request;
        let symbols =
            request.symbols.as_ref().map_or_else(|| "every symbol".to_owned(), |s| counted(s.len() as u64, "symbol"));
        let (from, to) = (request.range.start(), request.range.end());
        text.push_str(&format!("{} {from} to {to}, {symbols}, {}: ", request.dataset, request.timeframes));
        if forecast.days == 0 {
            text.push_str("nothing to load");
        } else {
            text.push_str(&format!(
                "{} to load from {} ({}), about {} of database",
                counted(forecast.days, "day"),
                counted(forecast.files, "file"),
                bytes(forecast.file_bytes),
                bytes(forecast.database_bytes),
            ));
            if let Some(seconds) = forecast.seconds {
                text.push_str(&format!(", about {} at the last run's rate", about(seconds)));
            }
        }
        let others: Vec<_> = settled(plan).iter().map(|(outcome, days)| format!("{days} {outcome}")).collect();
        if !others.is_empty() {
            text.push_str(&format!("; {}", others.join(", ")));
        }
        text.push('\n');
    }
    text
}

fn settled(plan: &DatasetPlan) -> BTreeMap<Outcome, u64> {
    let mut outcomes = BTreeMap::new();
    for day in &plan.days {
        if let DayPlan::Settled { outcome, .. } = day {
            *outcomes.entry(*outcome).or_default() += 1;
        }
    }
    outcomes
}

/// A planned day, as `--json` has it.
#[derive(Serialize)]
struct PlannedDay<'a> {
    dataset: Dataset,
    date: jiff::civil::Date,
    /// `load`, or the outcome that is known without loading.
    action: &'static str,
    files: Vec<&'a str>,
    bytes: u64,
}

fn planned_days(plan: &DatasetPlan) -> impl Iterator<Item = PlannedDay<'_>> {
    plan.days.iter().rev().map(|day| match day {
        DayPlan::Load(job) => PlannedDay {
            dataset: plan.request.dataset,
            date: job.date,
            action: "load",
            files: job.minute.iter().chain(&job.day).map(|file| file.key.as_str()).collect(),
            bytes: job.bytes(),
        },
        DayPlan::Settled { date, outcome, .. } => PlannedDay {
            dataset: plan.request.dataset,
            date: *date,
            action: outcome.as_str(),
            files: Vec::new(),
            bytes: 0,
        },
    })
}

/// Prints the plan and every day of it: what `--dry-run` is for.
pub fn print_plan(
    out: &mut impl Write,
    plans: &[DatasetPlan],
    forecasts: &[Forecast],
    settings: &Value,
    json: bool,
) -> io::Result<()> {
    let days: Vec<_> = plans.iter().flat_map(planned_days).collect();
    if json {
        return print_json(out, "s3", settings, Body::Days(&days), &forecasts, Exit::Done);
    }
    let mut table = Table::new([
        ("date", Align::Left),
        ("dataset", Align::Left),
        ("plan", Align::Left),
        ("bytes", Align::Right),
        ("files", Align::Left),
    ]);
    for day in &days {
        let size = if day.bytes > 0 { count(day.bytes) } else { String::new() };
        table.row([day.date.to_string(), day.dataset.to_string(), day.action.to_owned(), size, day.files.join(" ")]);
    }
    writeln!(out, "{table}")?;
    write!(out, "{}", plan_text(plans, forecasts))
}
