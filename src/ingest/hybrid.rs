//! Which days are had sooner from files, and which from the REST API.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::pipeline::DatasetPlan;
use super::plan::{DayJob, DayPlan};
use crate::model::FileKind;

/// What the two ways cost here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Packed bytes of day files that are fetched and loaded in a second.
    pub file_bytes_per_second: f64,
    /// Seconds a request takes, its wait for the quota included.
    pub seconds_per_request: f64,
}

/// What it takes to load days one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Packed bytes of minute files.
    pub file_bytes: u64,
    /// Requests.
    pub requests: u64,
    /// Time.
    pub seconds: f64,
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.file_bytes += other.file_bytes;
        self.requests += other.requests;
        self.seconds += other.seconds;
    }
}

/// What was chosen, and what the choice was between.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Choice {
    /// If all days that could be had either way came from files.
    pub all_by_files: Cost,
    /// If all of them came by requests.
    pub all_by_rest: Cost,
    /// The days whose minutes are left to requests.
    pub by_rest: BTreeSet<Date>,
}

/// Calendar days that one request of a symbol can bring.
const STRETCH_DAYS: i64 = 31;

/// Chooses for each stretch of days that one request per symbol can bring. Days whose files have something to replace are
/// no choice: that only a file can do. With `exact_vwap` the requests are made in any case, and bring the bars, too.
pub fn choose(plan: &DatasetPlan, rates: Rates, exact_vwap: bool) -> Choice {
    let mut choice = Choice::default();
    let mut jobs: Vec<&DayJob> = plan.jobs().filter(|job| is_either(job)).collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.date));
    while let Some(newest) = jobs.first().map(|job| job.date) {
        let oldest = newest.saturating_sub((STRETCH_DAYS - 1).days());
        let length = jobs.partition_point(|job| job.date >= oldest);
        let stretch: Vec<&DayJob> = jobs.drain(..length).collect();
        let file_bytes = stretch.iter().filter_map(|job| job.minute.as_ref()).map(|file| file.size_bytes).sum();
        let symbols: BTreeSet<&String> = stretch.iter().flat_map(|job| lacking(job)).collect();
        let requests = symbols.len() as u64;
        let files = Cost { file_bytes, requests: 0, seconds: file_bytes as f64 / rates.file_bytes_per_second };
        let rest = Cost { file_bytes: 0, requests, seconds: requests as f64 * rates.seconds_per_request };
        if exact_vwap || rest.seconds < files.seconds {
            choice.by_rest.extend(stretch.iter().map(|job| job.date));
        }
        choice.all_by_files.add(files);
        choice.all_by_rest.add(rest);
    }
    choice
}

impl DatasetPlan {
    /// Dates on which a file is to take the place of bars that came by one. Only a file can do that.
    pub fn renewed(&self) -> impl Iterator<Item = Date> {
        self.jobs().filter(|job| job.restated || !job.replace.is_empty()).map(|job| job.date)
    }

    /// The plan without the minutes of some days.
    #[must_use]
    pub fn without_minutes(mut self, dates: &BTreeSet<Date>) -> Self {
        let keep = |day: DayPlan| match day {
            DayPlan::Load(job) if dates.contains(&job.date) => {
                job.only_day_file().map(|job| DayPlan::Load(Box::new(job)))
            }
            day => Some(day),
        };
        self.days = self.days.into_iter().filter_map(keep).collect();
        self
    }
}

/// Whether requests could bring what a job is to load of the minute file.
fn is_either(job: &DayJob) -> bool {
    let replaces = job.restated || !job.replace.is_empty() || !job.replace_rest.is_empty();
    job.request.symbols.is_some() && job.minute.is_some() && !replaces && lacking(job).next().is_some()
}

/// The symbols of which a job is to load bars made from minutes.
fn lacking(job: &DayJob) -> impl Iterator<Item = &String> {
    let of_minutes = FileKind::Minute.timeframes();
    let lacks = move |symbol: &&String| !job.wanted.of(symbol).and(of_minutes).is_empty();
    job.request.symbols.iter().flatten().filter(lacks)
}

#[cfg(test)]
#[path = "hybrid_tests.rs"]
mod tests;
