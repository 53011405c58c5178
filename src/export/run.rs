//! From the store into files, month by month.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};

use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use super::check::{Check, day_ms};
use super::file::BarFile;
use super::{ExportError, ExportedFile, Format, Output};
use crate::model::{Dataset, Symbol, Timeframe, TimeframeSet};
use crate::store::{Adjustments, Audit, Ledger, RawBar, Scan, Splits, StoredBar};

/// What to export of one market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The market.
    pub dataset: Dataset,
    /// Of which symbols; `None`: of all.
    pub symbols: Option<Vec<String>>,
    /// Which timeframes.
    pub timeframes: TimeframeSet,
    /// Trading dates, both ends included.
    pub dates: RangeInclusive<Date>,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Months of a market to write.
    pub months: u64,
    /// Written so far.
    pub months_done: u64,
    /// Bars written so far.
    pub bars: u64,
}

/// What an export came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// The files, by market, month and timeframe.
    pub files: Vec<ExportedFile>,
    /// Symbols that were named and have no bar in what was asked for.
    pub missing: BTreeSet<String>,
    /// Whether it was stopped before the end; then the files are not all.
    pub stopped: bool,
}

/// Writes what is asked for into files of the output, which is to be published then: as traded, or adjusted for splits as of
/// a date. All of it is of one moment, whatever is loaded meanwhile. At `stop` it ends early.
pub async fn export<S: Ledger + Audit + Splits>(
    store: &mut S,
    requests: &[Request],
    adjusted_as_of: Option<Date>,
    (format, output): (Format, &Output),
    mut progress: impl FnMut(Progress) + Send,
    stop: &CancellationToken,
) -> Result<Exported, ExportError> {
    store.freeze().await?;
    let adjustments = match adjusted_as_of {
        Some(as_of) => Some(Adjustments::read(store, stocks(requests).as_deref(), as_of).await?),
        None => None,
    };
    let mut months = Vec::new();
    let mut exported = Exported::default();
    for request in requests {
        exported.missing.extend(request.symbols.iter().flatten().cloned());
        months.extend(months_of(store, request).await?.into_iter().map(|dates| (request, dates)));
    }
    let mut now = Progress { months: months.len() as u64, ..Progress::default() };
    for (request, dates) in months {
        // The dates tell one store where to look, the times the other.
        let ms = day_ms(request.dataset.market(), &dates);
        let scan = Scan {
            dataset: request.dataset,
            symbols: request.symbols.clone(),
            timeframes: request.timeframes,
            dates: Some(dates.clone()),
            range_ms: ms.start..=ms.end - 1,
        };
        let mut month = Month::new(request.dataset, dates, adjustments.as_ref(), (format, output));
        let mut ended = Ok(());
        let each = |symbol: &str, bars: &[RawBar]| {
            exported.missing.remove(symbol);
            ended = month.write(symbol, bars);
            now.bars += bars.len() as u64;
            progress(now);
            if ended.is_err() || stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        store.scan(&scan, each).await?;
        ended?;
        if stop.is_cancelled() {
            return Ok(Exported { stopped: true, ..exported });
        }
        exported.files.extend(month.finish()?);
        now.months_done += 1;
        progress(now);
    }
    Ok(exported)
}

/// The stocks that are asked for; `None`: all. Others have no splits.
fn stocks(requests: &[Request]) -> Option<Vec<Symbol>> {
    let mut stocks = Vec::new();
    for request in requests.iter().filter(|request| request.dataset == Dataset::Stocks) {
        let symbols = request.symbols.as_ref()?.iter();
        stocks.extend(symbols.filter_map(|symbol| Symbol::from_ticker(symbol).ok()));
    }
    Some(stocks)
}

/// The months of the request in which something is stored, as those of their dates that were asked for.
async fn months_of(store: &mut impl Ledger, request: &Request) -> Result<Vec<RangeInclusive<Date>>, ExportError> {
    let days = store.day_states(request.dataset, request.dates.clone()).await?;
    let firsts: BTreeSet<Date> = days.keys().map(|date| date.first_of_month()).collect();
    let (from, to) = (*request.dates.start(), *request.dates.end());
    Ok(firsts.into_iter().map(|first| first.max(from)..=first.last_of_month().min(to)).collect())
}

/// The files of one market and month, one per timeframe that has bars.
struct Month<'a> {
    dataset: Dataset,
    name: String,
    adjustments: Option<&'a Adjustments>,
    format: Format,
    output: &'a Output,
    check: Check,
    files: BTreeMap<Timeframe, BarFile>,
    /// Bars of one series.
    series: Vec<StoredBar>,
}

impl<'a> Month<'a> {
    fn new(
        dataset: Dataset,
        dates: RangeInclusive<Date>,
        adjustments: Option<&'a Adjustments>,
        (format, output): (Format, &'a Output),
    ) -> Self {
        Self {
            dataset,
            name: dates.start().strftime("%Y-%m").to_string(),
            adjustments,
            format,
            output,
            check: Check::new(dataset.market(), dates),
            files: BTreeMap::new(),
            series: Vec::new(),
        }
    }

    /// Adds all bars of a symbol, by timeframe, then ascending.
    fn write(&mut self, symbol: &str, bars: &[RawBar]) -> Result<(), ExportError> {
        for series in bars.chunk_by(|a, b| a.timeframe == b.timeframe) {
            self.series.clear();
            for raw in series {
                self.series.push(self.check.bar(raw).map_err(|reason| ExportError::Damaged {
                    symbol: symbol.to_owned(),
                    timeframe: raw.timeframe,
                    timestamp_ms: raw.timestamp_ms,
                    reason,
                })?);
            }
            if let Some(adjustments) = self.adjustments {
                adjustments.adjust(symbol, &mut self.series);
            }
            let file = match self.files.entry(series[0].timeframe) {
                Entry::Occupied(file) => file.into_mut(),
                Entry::Vacant(free) => {
                    let tree = self.output.unfinished();
                    free.insert(BarFile::create(&tree, self.format, self.dataset, series[0].timeframe, &self.name)?)
                }
            };
            file.write(symbol, &self.series)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<ExportedFile>, ExportError> {
        self.files.into_values().map(BarFile::finish).collect()
    }
}
