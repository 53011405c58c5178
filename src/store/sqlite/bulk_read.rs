//! The bulk path out of SQLite: columns of one prepared `SELECT` read straight from it.
//!
//! A backtest of a market reads tens of millions of rows; the driver makes values and a row of each, on another thread, which
//! takes many times as long as SQLite's own work.

use sqlx::sqlite::LockedSqliteHandle;

use super::statement::{Connection, Statement, StatementError};
use crate::model::TimeframeSet;

/// A row of the table of bars, as it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredRow {
    pub(super) timeframe_id: i64,
    pub(super) timestamp_ms: i64,
    /// Open, high, low and close: still to be divided by the divisor of the shape.
    pub(super) prices: [f64; 4],
    pub(super) volume: Option<f64>,
    pub(super) vwap: Option<f64>,
    pub(super) trades: Option<i64>,
    pub(super) shape_id: i64,
    pub(super) minutes: i64,
}

/// Hands out the bars of tickers on days, with the place of day and ticker: day by day, ticker by ticker, by timeframe, then
/// ascending. `each` stops the reading by an error.
pub(super) fn read<E>(
    mut handle: LockedSqliteHandle<'_>,
    days: &[i64],
    tickers: &[String],
    timeframes: TimeframeSet,
    mut each: impl FnMut(usize, usize, &StoredRow) -> Result<(), E>,
) -> Result<Result<(), E>, StatementError> {
    let mut ids = timeframes.iter().map(|timeframe| timeframe as i64);
    let Some(first) = ids.next() else { return Ok(Ok(())) };
    let last = ids.last().unwrap_or(first);
    let mut select = prepare(Connection::of(&mut handle), first, last)?;
    for (day, day_id) in days.iter().enumerate() {
        for (place, ticker) in tickers.iter().enumerate() {
            select.reset();
            select.bind_int(1, *day_id)?;
            select.bind_text(2, ticker)?;
            while select.step()? {
                if let Err(error) = each(day, place, &row(&select)) {
                    return Ok(Err(error));
                }
            }
        }
    }
    Ok(Ok(()))
}

fn prepare(connection: Connection<'_>, first: i64, last: i64) -> Result<Statement<'_>, StatementError> {
    // A range of timeframes is one seek; what is not wanted between its ends are a few rows of a day.
    let sql = format!(
        "SELECT timeframe_id, timestamp, open, high, low, close, volume, vwap, trades, shape_id, minutes FROM bars
         WHERE day_id = ?1 AND symbol = ?2 AND timeframe_id BETWEEN {first} AND {last}
         ORDER BY timeframe_id, timestamp"
    );
    Statement::prepare(connection, &sql)
}

#[inline]
fn row(select: &Statement<'_>) -> StoredRow {
    StoredRow {
        timeframe_id: select.int(0),
        timestamp_ms: select.int(1),
        prices: [select.real(2), select.real(3), select.real(4), select.real(5)],
        volume: select.real_or_null(6),
        vwap: select.real_or_null(7),
        trades: select.int_or_null(8),
        shape_id: select.int(9),
        minutes: select.int(10),
    }
}
