//! The bulk path: bars in PostgreSQL's binary format, streamed while the server is at work on those before them.

use std::time::Duration;

use jiff::civil::Date;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connection::within;
use crate::model::{Bar, VwapMethod};
use crate::store::BarBatch;

/// Batches that may wait for the server. A batch has some three megabytes.
const BATCHES_AHEAD: usize = 2;

/// What the stream begins with: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What it ends with: a row of -1 columns.
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// The columns, in the order of the rows written here.
pub(super) const COLUMNS: &str = "symbol, timeframe, timestamp, open, high, low, close, volume, vwap, trades, session, \
                                  vwap_method, session_date, end_timestamp, minutes";

/// How many columns that are.
const COLUMN_COUNT: i16 = 15;

/// A stream of bars on its way; it has the connection until it ends.
#[derive(Debug)]
pub(super) struct CopyTask {
    to: mpsc::Sender<Vec<u8>>,
    task: JoinHandle<(Box<PgConnection>, Result<u64, sqlx::Error>)>,
}

impl CopyTask {
    /// Begins a stream into a table.
    pub(super) fn start(connection: Box<PgConnection>, table: &str, patience: Duration) -> Self {
        let statement = format!("COPY {table} ({COLUMNS}) FROM STDIN (FORMAT binary)");
        let (to, from) = mpsc::channel(BATCHES_AHEAD);
        Self { to, task: tokio::spawn(copy(connection, statement, from, patience)) }
    }

    /// Adds rows, waiting for the server where it is behind. Rows of a stream that has failed are thrown away: its end
    /// tells.
    pub(super) async fn send(&self, rows: Vec<u8>) {
        let _ = self.to.send(rows).await;
    }

    /// Ends the stream: the connection, and how many rows there were.
    pub(super) async fn finish(self) -> Result<(Box<PgConnection>, Result<u64, sqlx::Error>), tokio::task::JoinError> {
        drop(self.to);
        self.task.await
    }
}

async fn copy(
    mut connection: Box<PgConnection>,
    statement: String,
    mut from: mpsc::Receiver<Vec<u8>>,
    patience: Duration,
) -> (Box<PgConnection>, Result<u64, sqlx::Error>) {
    let copied = async {
        let mut copy = within(patience, connection.copy_in_raw(&statement)).await?;
        within(patience, copy.send(HEADER)).await?;
        while let Some(rows) = from.recv().await {
            within(patience, copy.send(rows)).await?;
        }
        within(patience, copy.send(TRAILER)).await?;
        within(patience, copy.finish()).await
    };
    let copied = copied.await;
    (connection, copied)
}

/// The rows of a batch of bars.
pub(super) fn encode(batch: &BarBatch, session_date: Date) -> Vec<u8> {
    let mut rows = Vec::with_capacity(batch.bars.len() * ROW_BYTES);
    let date = days_since_2000(session_date).to_be_bytes();
    for (symbol, range) in &batch.symbols {
        for bar in &batch.bars[range.clone()] {
            row(&mut rows, symbol, bar, date);
        }
    }
    rows
}

/// About what a row takes.
const ROW_BYTES: usize = 176;

fn row(to: &mut Vec<u8>, symbol: &str, bar: &Bar, session_date: [u8; 4]) {
    to.extend_from_slice(&COLUMN_COUNT.to_be_bytes());
    field(to, symbol.as_bytes());
    field(to, bar.timeframe.as_str().as_bytes());
    fixed(to, bar.timestamp_ms.to_be_bytes());
    for price in [bar.prices.open, bar.prices.high, bar.prices.low, bar.prices.close] {
        fixed(to, price.to_be_bytes());
    }
    optional(to, bar.volume.map(f64::to_be_bytes));
    optional(to, bar.vwap.map(f64::to_be_bytes));
    optional(to, bar.trades.map(|trades| i64::try_from(trades).unwrap_or(i64::MAX).to_be_bytes()));
    field(to, bar.session.as_str().as_bytes());
    match bar.vwap_method.map(VwapMethod::as_str) {
        Some(method) => field(to, method.as_bytes()),
        None => to.extend_from_slice(&NULL),
    }
    fixed(to, session_date);
    fixed(to, bar.end_timestamp_ms.to_be_bytes());
    fixed(to, i32::from(bar.minutes).to_be_bytes());
}

/// The length of a value that is null.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

fn field(to: &mut Vec<u8>, value: &[u8]) {
    to.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend_from_slice(value);
}

/// A value of a size that is known when this is compiled: length and value are stored together.
#[inline]
fn fixed<const SIZE: usize>(to: &mut Vec<u8>, value: [u8; SIZE]) {
    to.extend_from_slice(&(SIZE as u32).to_be_bytes());
    to.extend_from_slice(&value);
}

#[inline]
fn optional<const SIZE: usize>(to: &mut Vec<u8>, value: Option<[u8; SIZE]>) {
    match value {
        Some(value) => fixed(to, value),
        None => to.extend_from_slice(&NULL),
    }
}

fn days_since_2000(date: Date) -> i32 {
    let epoch = jiff::civil::date(2000, 1, 1);
    date.since(epoch).map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn dates_count_from_the_first_day_of_2000() {
        assert_eq!(days_since_2000(date(2000, 1, 1)), 0);
        assert_eq!(days_since_2000(date(2000, 3, 1)), 60);
        assert_eq!(days_since_2000(date(1999, 12, 31)), -1);
        assert_eq!(days_since_2000(date(2026, 11, 21)), 9821);
    }
}
