//! What a run found out, for people and programs: one report as JSON, CSV and a page, and two beside each other.
//!
//! Everything here makes text of values; the command writes the files. Equal inputs make equal bytes.

mod chart;
mod compare;
mod csv;
mod data;
mod html;
mod ids;
mod json;
mod labels;
mod status;
mod trades;

use std::io;

use jiff::Timestamp;

use super::metrics::{DetectorStats, PortfolioStats, Summary, detector_stats, portfolio_stats, summary};
use super::{Counters, Portfolio, RunConfig, Sessions, Study};
use crate::model::Market;

pub use chart::{CHARTS_MAX, ChartBar, SignalInput, TradeChart, charted};
pub use compare::{
    Comparison, DetectorDifference, FieldDifference, Figure, RunFile, RunFileError, RunName, TradeLine, compare,
};
pub use data::{DataGap, DataSection, ReusedTicker, SessionState, Splits, SymbolSessions, UnrankedMonth, WarmUpNote};
pub use ids::{config_hash, run_id};
pub use json::{SCHEMA_VERSION, STATEMENT, same_but_for_time};
pub use status::{StatusGroup, overall_status, status_groups};
pub use trades::trade_id;

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What the run was asked for.
    pub config: &'a RunConfig,
    /// What it found.
    pub study: &'a Study,
    /// What a portfolio of its trades would have done; `None`: left out.
    pub portfolio: Option<&'a Portfolio>,
    /// The trading days that trades refer to.
    pub sessions: &'a Sessions,
    /// Whose clock half-hours are read from.
    pub market: Market,
    /// What data were used.
    pub data: &'a DataSection,
    /// Configurations that were tried on these data, this one included.
    pub configurations: u64,
    /// When the report is made.
    pub generated: Timestamp,
}

/// A run with its statistics and names, ready to be written.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    inputs: Inputs<'a>,
    /// What names the run.
    pub run_id: String,
    /// SHA-256 of the configuration, in hex digits.
    pub config_hash: String,
    /// Hash of all bars that were used, in hex digits.
    pub snapshot: String,
    /// What must be known before figures are read.
    pub labels: Vec<&'static str>,
    /// Statistics of each detector, in the order they were asked for.
    pub detectors: Vec<DetectorStats>,
    /// All detectors together.
    pub summary: Summary,
    /// Statistics of the portfolio.
    pub portfolio: Option<PortfolioStats>,
}

impl<'a> Report<'a> {
    /// Computes statistics and names.
    pub fn new(inputs: Inputs<'a>) -> Self {
        let Inputs { config, study, sessions, market, configurations, .. } = inputs;
        let detectors = detector_stats(&study.results, sessions, market, config.seed);
        let trials = configurations * study.results.len() as u64;
        let portfolio = inputs.portfolio.zip(config.portfolio.as_ref());
        Self {
            run_id: run_id(config, study.snapshot),
            config_hash: config_hash(config),
            snapshot: ids::snapshot_hex(study.snapshot),
            labels: labels::labels(&inputs, &detectors),
            summary: summary(&detectors),
            portfolio: portfolio
                .map(|(portfolio, settings)| portfolio_stats(portfolio, settings.starting_capital, market, trials)),
            detectors,
            inputs,
        }
    }

    /// What it was made of.
    pub const fn inputs(&self) -> &Inputs<'a> {
        &self.inputs
    }

    /// Counts over all detectors; what the portfolio turned away is among the rejected.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        for result in &self.inputs.study.results {
            counters.add(&result.counters);
        }
        counters.rejected.portfolio += self.inputs.portfolio.map_or(0, json::rejections);
        counters
    }

    /// Writes the whole report as one line of JSON. Undefined figures are null, rates are fractions. Of a whole market it is
    /// hundreds of megabytes.
    pub fn write_json(&self, to: &mut dyn io::Write) -> io::Result<()> {
        json::write_json(self, to)
    }

    /// A line for each detector.
    pub fn csv(&self) -> Vec<u8> {
        csv::csv(self)
    }

    /// A page that needs nothing but itself. `command` is how the run was started, without secrets; `charts` are those of the
    /// trades in [`charted`].
    pub fn html(&self, command: &str, charts: &[TradeChart]) -> String {
        html::html(self, command, charts)
    }
}
