//! The bulk path out of SQLite: columns of one prepared `SELECT` read straight from it.
//!
//! A backtest of a market reads tens of millions of rows; the driver makes values and a row of each, on another thread, which
//! takes many times as long as SQLite's own work. So this one statement talks to SQLite's C interface as [`super::bulk`] does.
#![expect(unsafe_code, reason = "one of two places that call SQLite's C interface; see the module's text")]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use libsqlite3_sys as ffi;

use super::bulk::{BulkError, error};
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
    mut handle: sqlx::sqlite::LockedSqliteHandle<'_>,
    days: &[i64],
    tickers: &[String],
    timeframes: TimeframeSet,
    mut each: impl FnMut(usize, usize, &StoredRow) -> Result<(), E>,
) -> Result<Result<(), E>, BulkError> {
    let mut ids = timeframes.iter().map(|timeframe| timeframe as i64);
    let Some(first) = ids.next() else { return Ok(Ok(())) };
    let last = ids.last().unwrap_or(first);
    let mut select = Select::prepare(handle.as_raw_handle(), first, last)?;
    for (day, day_id) in days.iter().enumerate() {
        for (place, ticker) in tickers.iter().enumerate() {
            select.begin(*day_id, ticker)?;
            while let Some(row) = select.next()? {
                if let Err(error) = each(day, place, &row) {
                    return Ok(Err(error));
                }
            }
        }
    }
    Ok(Ok(()))
}

/// The prepared statement. A text bound to it must outlive its next [`Select::begin`], which `read` above sees to: the
/// tickers are lent to it for as long.
struct Select {
    connection: NonNull<ffi::sqlite3>,
    statement: NonNull<ffi::sqlite3_stmt>,
}

impl Select {
    fn prepare(connection: NonNull<ffi::sqlite3>, first: i64, last: i64) -> Result<Self, BulkError> {
        // A range of timeframes is one seek; what is not wanted between its ends are a few rows of a day.
        let sql = format!(
            "SELECT timeframe_id, timestamp, open, high, low, close, volume, vwap, trades, shape_id, minutes FROM bars
             WHERE day_id = ?1 AND symbol = ?2 AND timeframe_id BETWEEN {first} AND {last}
             ORDER BY timeframe_id, timestamp"
        );
        let mut statement = ptr::null_mut();
        let length = c_int::try_from(sql.len()).expect("Invariant: the statement has some hundred bytes");
        // SAFETY: the connection is lent to us and alive; `sql` is `length` bytes long.
        let code = unsafe {
            ffi::sqlite3_prepare_v2(
                connection.as_ptr(),
                sql.as_ptr().cast(),
                length,
                &raw mut statement,
                ptr::null_mut(),
            )
        };
        match NonNull::new(statement) {
            Some(statement) if code == ffi::SQLITE_OK => Ok(Self { connection, statement }),
            _ => Err(error(connection, code)),
        }
    }

    fn check(&self, code: c_int) -> Result<(), BulkError> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(error(self.connection, code)) }
    }

    /// Starts with the bars of a ticker on a day.
    fn begin(&mut self, day_id: i64, ticker: &str) -> Result<(), BulkError> {
        let statement = self.statement.as_ptr();
        let length = c_int::try_from(ticker.len()).unwrap_or(c_int::MAX);
        // SAFETY: the statement is alive. An error of the last step was told then.
        unsafe { ffi::sqlite3_reset(statement) };
        // SAFETY: the statement is alive and reset; SQLite checks the place.
        self.check(unsafe { ffi::sqlite3_bind_int64(statement, 1, day_id) })?;
        // SAFETY: as above; the ticker outlives the steps, so SQLite need not copy it (no destructor means SQLITE_STATIC).
        self.check(unsafe { ffi::sqlite3_bind_text(statement, 2, ticker.as_ptr().cast(), length, None) })
    }

    #[inline]
    fn next(&mut self) -> Result<Option<StoredRow>, BulkError> {
        let statement = self.statement.as_ptr();
        // SAFETY: the statement is alive and its parameters are bound.
        match unsafe { ffi::sqlite3_step(statement) } {
            ffi::SQLITE_ROW => Ok(Some(StoredRow {
                timeframe_id: self.int(0),
                timestamp_ms: self.int(1),
                prices: [self.real(2), self.real(3), self.real(4), self.real(5)],
                volume: self.real_or_null(6),
                vwap: self.real_or_null(7),
                trades: self.int_or_null(8),
                shape_id: self.int(9),
                minutes: self.int(10),
            })),
            ffi::SQLITE_DONE => Ok(None),
            code => Err(error(self.connection, code)),
        }
    }

    fn is_null(&self, column: c_int) -> bool {
        // SAFETY: the statement stands on a row, and has that column.
        unsafe { ffi::sqlite3_column_type(self.statement.as_ptr(), column) == ffi::SQLITE_NULL }
    }

    fn int(&self, column: c_int) -> i64 {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_column_int64(self.statement.as_ptr(), column) }
    }

    /// Whole numbers, too, as a double.
    fn real(&self, column: c_int) -> f64 {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_column_double(self.statement.as_ptr(), column) }
    }

    fn int_or_null(&self, column: c_int) -> Option<i64> {
        (!self.is_null(column)).then(|| self.int(column))
    }

    fn real_or_null(&self, column: c_int) -> Option<f64> {
        (!self.is_null(column)).then(|| self.real(column))
    }
}

impl Drop for Select {
    fn drop(&mut self) {
        // SAFETY: the statement is alive and used by nobody after this.
        unsafe { ffi::sqlite3_finalize(self.statement.as_ptr()) };
    }
}
