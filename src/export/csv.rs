//! Bars as comma-separated values.

use std::io;

use ::csv::{Writer, WriterBuilder};
use jiff::civil::Date;
use serde::Serialize;

use super::file::HashedFile;
use crate::model::{Timeframe, VwapMethod};
use crate::store::StoredBar;

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// The columns of `historical_bars`, in their order.
#[derive(Serialize)]
struct Row<'a> {
    symbol: &'a str,
    timeframe: Timeframe,
    timestamp: i64,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: Option<f64>,
    vwap: Option<f64>,
    trades: Option<u64>,
    session: &'static str,
    vwap_method: Option<&'static str>,
    session_date: Date,
    end_timestamp: i64,
    minutes: u16,
}

/// A CSV file of bars: a header, quotes where they are needed, numbers in the fewest digits that read back the same.
#[derive(Debug)]
pub(super) struct CsvBars {
    file: Writer<HashedFile>,
}

impl CsvBars {
    pub(super) fn new(file: HashedFile) -> Self {
        Self { file: WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(file) }
    }

    pub(super) fn write(&mut self, symbol: &str, bars: &[StoredBar]) -> io::Result<()> {
        for StoredBar { bar, session_date } in bars {
            self.file.serialize(Row {
                symbol,
                timeframe: bar.timeframe,
                timestamp: bar.timestamp_ms,
                open: bar.prices.open,
                high: bar.prices.high,
                low: bar.prices.low,
                close: bar.prices.close,
                volume: bar.volume,
                vwap: bar.vwap,
                trades: bar.trades,
                session: bar.session.as_str(),
                vwap_method: bar.vwap_method.map(VwapMethod::as_str),
                session_date: *session_date,
                end_timestamp: bar.end_timestamp_ms,
                minutes: bar.minutes,
            })?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<HashedFile> {
        self.file.into_inner().map_err(|error| io::Error::new(error.error().kind(), error.error().to_string()))
    }
}
