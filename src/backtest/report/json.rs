//! The report for programs.

use std::io::{self, BufRead, Write};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::trades::TradeRecord;
use super::{DataSection, Inputs, Report, SessionState, StatusGroup, overall_status, status_groups};
use crate::backtest::metrics::{DetectorStats, PortfolioStats, Summary};
use crate::backtest::{Counters, EquityPoint, Portfolio, PortfolioRejected, RunConfig, SessionEquity, Status, Trade};

/// Version of the JSON's fields. Added fields leave it as it is; a field that is renamed, removed or changed raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// What every report says of itself (B-69).
pub const STATEMENT: &str = "Detectors are hypotheses, and this report is no advice. It says what trading rules would have done \
                             on past bars under the assumptions named here. No result is to be expected of it.";

/// The whole report. Its time comes first, and nothing else depends on when it was made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    /// To the second.
    timestamp: Timestamp,
    config: &'a RunConfig,
    pub(super) results: Vec<ResultRecord<'a>>,
    summary: &'a Summary,
    schema_version: u32,
    run_id: &'a str,
    config_hash: &'a str,
    data_snapshot: &'a str,
    seed: u64,
    labels: &'a [&'static str],
    counters: RunCounters,
    statuses: Vec<StatusGroup<'a>>,
    pub(super) equity: &'a [EquityPoint],
    portfolio: Option<PortfolioRecord<'a>>,
    data: &'a DataSection,
    symbols: u64,
    bars: u64,
    configurations: u64,
    statement: &'static str,
}

/// The statistics of one detector, its status, and its trades.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultRecord<'a> {
    #[serde(flatten)]
    stats: &'a DetectorStats,
    status: Status,
    counters: &'a Counters,
    pub(super) trades: Trades<'a>,
}

/// Trades that become records one by one as they are written: of a whole market there are a million.
pub(super) struct Trades<'a> {
    pub(super) trades: &'a [Trade],
    oi_proxy: bool,
}

impl Serialize for Trades<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.trades.iter().map(|trade| TradeRecord::of(trade, self.oi_proxy)))
    }
}

/// Counts over all detectors, and what the data lack.
#[derive(Serialize)]
struct RunCounters {
    #[serde(flatten)]
    counters: Counters,
    conflicting_duplicates: u64,
    data_gaps: DataGaps,
}

/// Sessions of symbols that are not there, by why.
#[derive(Serialize)]
struct DataGaps {
    missing: u64,
    partial: u64,
    not_entitled: u64,
}

/// Statistics of the portfolio, what it turned away, and equity at the end of sessions.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PortfolioRecord<'a> {
    #[serde(flatten)]
    stats: &'a PortfolioStats,
    rejected: PortfolioRejected,
    session_equity: &'a [SessionEquity],
}

pub(super) fn write_json(report: &Report<'_>, to: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *to, &Document::of(report))?;
    to.write_all(b"\n")
}

impl<'a> Document<'a> {
    pub(super) fn of(report: &'a Report<'_>) -> Self {
        let &Inputs { config, study, portfolio, data, configurations, generated, .. } = report.inputs();
        let oi_proxy = config.oi_proxy_volume;
        let results = study.results.iter().zip(&report.detectors).map(|(result, stats)| ResultRecord {
            stats,
            status: overall_status(result),
            counters: &result.counters,
            trades: Trades { trades: &result.trades, oi_proxy },
        });
        Self {
            timestamp: Timestamp::from_second(generated.as_second()).expect("Invariant: a timestamp's second is one"),
            config,
            results: results.collect(),
            summary: &report.summary,
            schema_version: SCHEMA_VERSION,
            run_id: &report.run_id,
            config_hash: &report.config_hash,
            data_snapshot: &report.snapshot,
            seed: config.seed,
            labels: &report.labels,
            counters: RunCounters {
                counters: report.counters(),
                conflicting_duplicates: data.conflicting_duplicates,
                data_gaps: DataGaps {
                    missing: data.sessions_in(SessionState::Missing),
                    partial: data.sessions_in(SessionState::Partial),
                    not_entitled: data.sessions_in(SessionState::NotEntitled),
                },
            },
            statuses: study.results.iter().flat_map(status_groups).collect(),
            equity: portfolio.map_or(&[], |portfolio| &portfolio.equity),
            portfolio: portfolio.zip(report.portfolio.as_ref()).map(|(portfolio, stats)| PortfolioRecord {
                stats,
                rejected: portfolio.rejected,
                session_equity: &portfolio.sessions,
            }),
            data,
            symbols: study.symbols,
            bars: study.bars,
            configurations,
            statement: STATEMENT,
        }
    }
}

/// Rejections of the portfolio in one number, for the counters of the run.
pub(super) const fn rejections(portfolio: &Portfolio) -> u64 {
    let PortfolioRejected { max_open, max_gross, volume, size } = portfolio.rejected;
    max_open + max_gross + volume + size
}

/// Fields that tell how a run came by its bars: whether they were stored before, or where, changes no bar.
const OF_THE_WAY: [&[u8]; 2] = [b"\"store\":", b"\"conflicting_duplicates\":"];

/// Whether two reports as JSON say the same, whenever each was made, and however it came by its bars: their time is the first
/// field and holds no comma. Reads no more of them at once than lies between two commas.
pub fn same_but_for_time(mut one: impl BufRead, mut other: impl BufRead) -> io::Result<bool> {
    let times = [one.skip_until(b',')?, other.skip_until(b',')?];
    if times.contains(&0) {
        return Ok(false);
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        one.read_until(b',', &mut left)?;
        other.read_until(b',', &mut right)?;
        if left != right && of_the_way(&left).is_none_or(|left| Some(left) != of_the_way(&right)) {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}

/// Text between two commas up to the value of a field of the way. Within a text, quotes are escaped: none is taken for a field.
fn of_the_way(text: &[u8]) -> Option<&[u8]> {
    let up_to = |field: &&[u8]| text.windows(field.len()).position(|part| part == *field).map(|at| at + field.len());
    OF_THE_WAY.iter().find_map(up_to).map(|end| &text[..end])
}
