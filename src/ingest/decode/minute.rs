//! Minute files: rows of one symbol brought together, ordered, and free of duplicates.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;

use super::census::{Census, CensusTaker, MinuteBits};
use super::number::nanoseconds;
use super::rows::{Row, Rows, canonical_ticker};
use super::{DecodeError, gunzip};
use crate::aggregate::DayGrid;
use crate::ingest::Wanted;
use crate::ingest::minutes::put_in_order;
use crate::ingest::report::{RejectReason, Rejects};
use crate::model::{Dataset, Minute, TimeframeSet};
use crate::store::ContentHash;

/// How the rows of a ticker stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Together, as the vendor writes them: each symbol is handed on when the next one begins, and little is kept. Ends
    /// with [`DecodeError::Scattered`] where that is not so.
    Together,
    /// Anywhere: wanted symbols are kept until the end of the file.
    Any,
}

/// A wanted symbol's minutes, strictly ascending.
#[derive(Debug)]
pub struct SymbolMinutes<'a> {
    /// Ticker as stored.
    pub ticker: &'a str,
    /// Which bars are wanted of it.
    pub timeframes: TimeframeSet,
    /// Its minutes; at least one.
    pub minutes: &'a [Minute],
}

/// What was read of a minute file.
#[derive(Debug, Default)]
pub struct MinuteRows {
    /// Rows, rejected ones included.
    pub rows: u64,
    /// Rejected rows. Of symbols that are not wanted only the ticker, the time and the number of fields are looked at.
    pub rejects: Rejects,
    /// Wanted rows that repeated another one exactly.
    pub duplicates_identical: u64,
    /// Wanted rows that disagreed with another one of the same symbol and minute.
    pub duplicates_conflicting: u64,
    /// Spellings that mean the same symbol (`X:BTC-USD` and `X:BTCUSD`), whose rows were merged.
    pub merged_spellings: Vec<String>,
    /// What the file holds of the whole market.
    pub census: Census,
    /// The hash of the file's content; there is one when all of it was read.
    pub content: Option<ContentHash>,
}

/// Rows between two calls of the progress function.
const PROGRESS_ROWS: u64 = 50_000;

/// Decodes a gzipped minute file and hands on each wanted symbol.
///
/// Of rows of the same symbol and minute one is taken, whatever the order they come in. `progress` hears how many rows came
/// since its last call.
pub fn decode_minutes(
    packed: impl Read,
    dataset: Dataset,
    grid: &DayGrid,
    wanted: &Wanted,
    grouping: Grouping,
    mut progress: impl FnMut(u64),
    mut take: impl FnMut(SymbolMinutes<'_>) -> ControlFlow<()>,
) -> Result<MinuteRows, DecodeError> {
    let mut rows = Rows::open(gunzip(packed), dataset)?;
    let columns = rows.columns.clone();
    let mut gathering = Gathering {
        dataset,
        wanted,
        grouping,
        census: CensusTaker::new(grid, grouping == Grouping::Any),
        run: Run::default(),
        kept: BTreeMap::new(),
        found: MinuteRows::default(),
    };
    let mut reported = 0;
    while let Some(row) = rows.next()? {
        let ticker = row.field(columns.ticker);
        if ticker != gathering.run.raw.as_slice() {
            gathering.end_run(&mut take)?;
            gathering.start_run(ticker)?;
        }
        if let Err(reason) = gathering.run.read(&row, &columns, dataset, grid) {
            rows.reject(reason);
        }
        if rows.count() - reported >= PROGRESS_ROWS {
            progress(rows.count() - reported);
            reported = rows.count();
        }
    }
    gathering.end_run(&mut take)?;
    progress(rows.count() - reported);
    let (count, rejects, content) = rows.finish()?;
    let mut found = gathering.finish(&mut take)?;
    (found.rows, found.rejects, found.content) = (count, rejects, Some(content));
    Ok(found)
}

/// Rows of one ticker that stand together.
#[derive(Default)]
struct Run {
    raw: Vec<u8>,
    /// Empty where the ticker is none of the dataset's.
    ticker: String,
    timeframes: TimeframeSet,
    seen: Option<MinuteBits>,
    minutes: Vec<Minute>,
}

impl Run {
    #[inline]
    fn read(
        &mut self,
        row: &Row<'_>,
        columns: &super::header::Columns,
        dataset: Dataset,
        grid: &DayGrid,
    ) -> Result<(), RejectReason> {
        let Some(seen) = &mut self.seen else { return Err(RejectReason::Ticker) };
        let stamp = nanoseconds(row.field(columns.window_start)).ok_or(RejectReason::StampMagnitude)?;
        const MINUTE_NS: i64 = 60_000_000_000;
        if stamp % MINUTE_NS != 0 {
            return Err(RejectReason::StampOffMinute);
        }
        let minute = grid.minute_at(stamp / 1_000_000).ok_or(RejectReason::StampOtherDate)?;
        // Before the values are looked at: the census must not depend on which symbols are wanted.
        seen.set(minute);
        if !self.timeframes.is_empty() {
            let values = row.values(columns, dataset)?;
            let (prices, volume, trades) = (values.prices, values.volume, values.trades);
            self.minutes.push(Minute { minute, prices, volume, vwap: None, trades });
        }
        Ok(())
    }
}

struct Gathering<'a> {
    dataset: Dataset,
    wanted: &'a Wanted,
    grouping: Grouping,
    census: CensusTaker,
    run: Run,
    /// With [`Grouping::Any`], the wanted symbols until the end, each with the spelling it came under first.
    kept: BTreeMap<String, (Vec<u8>, TimeframeSet, Vec<Minute>)>,
    found: MinuteRows,
}

impl Gathering<'_> {
    fn start_run(&mut self, raw: &[u8]) -> Result<(), DecodeError> {
        let run = &mut self.run;
        run.raw.clear();
        run.raw.extend_from_slice(raw);
        run.ticker.clear();
        run.minutes.clear();
        run.seen = None;
        run.timeframes = TimeframeSet::EMPTY;
        let Some(symbol) = canonical_ticker(raw, self.dataset) else { return Ok(()) };
        run.ticker.push_str(symbol.as_str());
        run.seen = Some(MinuteBits::EMPTY);
        run.timeframes = self.wanted.rolled_of(symbol.as_str());
        if !self.census.meet(symbol.as_str()) && self.grouping == Grouping::Together {
            return Err(DecodeError::Scattered);
        }
        Ok(())
    }

    fn end_run(&mut self, take: &mut impl FnMut(SymbolMinutes<'_>) -> ControlFlow<()>) -> Result<(), DecodeError> {
        let Some(seen) = self.run.seen.take() else { return Ok(()) };
        self.census.take(&self.run.ticker, &seen);
        if self.run.minutes.is_empty() {
            return Ok(());
        }
        match self.grouping {
            Grouping::Together => {
                let mut minutes = std::mem::take(&mut self.run.minutes);
                let stopped = hand_on(&self.run.ticker, self.run.timeframes, &mut minutes, &mut self.found, take);
                self.run.minutes = minutes;
                stopped
            }
            Grouping::Any => {
                let run = &mut self.run;
                let (raw, _, minutes) = self
                    .kept
                    .entry(run.ticker.clone())
                    .or_insert_with(|| (run.raw.clone(), run.timeframes, Vec::new()));
                if *raw != run.raw {
                    let note = format!("{} and {}", String::from_utf8_lossy(raw), String::from_utf8_lossy(&run.raw));
                    if !self.found.merged_spellings.contains(&note) {
                        self.found.merged_spellings.push(note);
                    }
                }
                minutes.append(&mut run.minutes);
                Ok(())
            }
        }
    }

    fn finish(
        mut self,
        take: &mut impl FnMut(SymbolMinutes<'_>) -> ControlFlow<()>,
    ) -> Result<MinuteRows, DecodeError> {
        for (ticker, (_, timeframes, mut minutes)) in std::mem::take(&mut self.kept) {
            hand_on(&ticker, timeframes, &mut minutes, &mut self.found, take)?;
        }
        self.found.census = self.census.finish();
        Ok(self.found)
    }
}

fn hand_on(
    ticker: &str,
    timeframes: TimeframeSet,
    minutes: &mut Vec<Minute>,
    found: &mut MinuteRows,
    take: &mut impl FnMut(SymbolMinutes<'_>) -> ControlFlow<()>,
) -> Result<(), DecodeError> {
    if !minutes.is_sorted_by(|a, b| a.minute < b.minute) {
        let lost = put_in_order(minutes);
        found.duplicates_identical += lost.identical;
        found.duplicates_conflicting += lost.conflicting;
    }
    match take(SymbolMinutes { ticker, timeframes, minutes }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(DecodeError::Stopped),
    }
}
