//! The bulk path of SQLite: rows bound straight into a prepared multi-row `INSERT`.
//!
//! The single writer decides how fast a whole market loads, and binding through the driver's argument lists took twice
//! as long as SQLite's own work (1.15 s against 0.45 s for a million rows). So this one statement talks to SQLite's C
//! interface, on the driver's own connection, while the driver has lent its handle.
#![expect(unsafe_code, reason = "the one place that calls SQLite's C interface; see the module's text")]

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};

use libsqlite3_sys as ffi;

use super::shape::PriceScale;
use crate::store::BarBatch;

/// Rows of one statement; far below SQLite's limit of 32,766 parameters.
const ROWS: usize = 100;

/// Parameters of a row. The day is the same in all, and part of the text.
const COLUMNS: usize = 12;

/// `OR FAIL`, because the day's transaction is rolled back whole on any error: without it SQLite would keep a copy of every
/// page a statement touches, to undo that statement alone.
const INSERT: &str = "INSERT OR FAIL INTO bars (day_id, symbol, timeframe_id, timestamp, open, high, low, close, volume, \
                      vwap, trades, shape_id, minutes) VALUES ";

/// An error code of SQLite's with its message.
#[derive(Debug)]
pub(super) struct BulkError {
    pub(super) code: i32,
    pub(super) message: String,
}

/// Inserts a batch of bars into an open transaction. `shapes` has the stored shape of each, and how its prices are kept.
pub(super) fn insert(
    mut handle: sqlx::sqlite::LockedSqliteHandle<'_>,
    day_id: i64,
    batch: &BarBatch,
    shapes: &[(i64, PriceScale)],
) -> Result<(), BulkError> {
    let connection = handle.as_raw_handle();
    let whole = batch.bars.len() / ROWS;
    let rest = batch.bars.len() % ROWS;
    let mut many = if whole > 0 { Some(Insert::prepare(connection, day_id, ROWS)?) } else { None };
    let mut few = if rest > 0 { Some(Insert::prepare(connection, day_id, rest)?) } else { None };
    let mut row = 0;
    for (symbol, range) in &batch.symbols {
        for (bar, (shape_id, scale)) in batch.bars[range.clone()].iter().zip(&shapes[range.clone()]) {
            let statement = match (&mut many, &mut few) {
                (Some(many), _) if row < whole * ROWS => many,
                (_, Some(few)) => few,
                _ => unreachable!("Invariant: every row has a statement"),
            };
            #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "at most ROWS × COLUMNS")]
            let column = |place: usize| (row % ROWS * COLUMNS + place + 1) as c_int;
            statement.bind_text(column(0), symbol)?;
            statement.bind_int(column(1), bar.timeframe as i64)?;
            statement.bind_int(column(2), bar.timestamp_ms)?;
            statement.bind_price(column(3), *scale, bar.prices.open)?;
            statement.bind_price(column(4), *scale, bar.prices.high)?;
            statement.bind_price(column(5), *scale, bar.prices.low)?;
            statement.bind_price(column(6), *scale, bar.prices.close)?;
            statement.bind_real(column(7), bar.volume)?;
            statement.bind_real(column(8), bar.vwap)?;
            match bar.trades {
                // A day's count of trades never comes near 2^63.
                Some(trades) => statement.bind_int(column(9), i64::try_from(trades).unwrap_or(i64::MAX))?,
                None => statement.bind_null(column(9))?,
            }
            statement.bind_int(column(10), *shape_id)?;
            statement.bind_int(column(11), i64::from(bar.minutes))?;
            row += 1;
            if row % ROWS == 0 || row == batch.bars.len() {
                statement.run()?;
            }
        }
    }
    Ok(())
}

/// A prepared `INSERT` of so many rows. Texts bound to it must outlive its next [`Insert::run`], which `insert` above
/// sees to: they are parts of the batch.
struct Insert {
    connection: NonNull<ffi::sqlite3>,
    statement: NonNull<ffi::sqlite3_stmt>,
}

impl Insert {
    fn prepare(connection: NonNull<ffi::sqlite3>, day_id: i64, rows: usize) -> Result<Self, BulkError> {
        let row = format!("({day_id},{})", ["?"; COLUMNS].join(","));
        let sql = INSERT.to_owned() + &vec![row; rows].join(",");
        let mut statement = ptr::null_mut();
        let length = c_int::try_from(sql.len()).expect("Invariant: the statement has a few kilobytes");
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

    #[inline]
    fn bind_int(&mut self, place: c_int, value: i64) -> Result<(), BulkError> {
        // SAFETY: the statement is alive; SQLite checks `place`.
        self.check(unsafe { ffi::sqlite3_bind_int64(self.statement.as_ptr(), place, value) })
    }

    #[inline]
    fn bind_real(&mut self, place: c_int, value: Option<f64>) -> Result<(), BulkError> {
        match value {
            // SAFETY: as above.
            Some(value) => self.check(unsafe { ffi::sqlite3_bind_double(self.statement.as_ptr(), place, value) }),
            None => self.bind_null(place),
        }
    }

    #[inline]
    fn bind_price(&mut self, place: c_int, scale: PriceScale, price: f64) -> Result<(), BulkError> {
        match scale.scaled(price) {
            Some(whole) => self.bind_int(place, whole),
            None => self.bind_real(place, Some(price)),
        }
    }

    #[inline]
    fn bind_null(&mut self, place: c_int) -> Result<(), BulkError> {
        // SAFETY: as above.
        self.check(unsafe { ffi::sqlite3_bind_null(self.statement.as_ptr(), place) })
    }

    #[inline]
    fn bind_text(&mut self, place: c_int, text: &str) -> Result<(), BulkError> {
        let length = c_int::try_from(text.len()).unwrap_or(c_int::MAX);
        // SAFETY: as above; the text is part of the batch and outlives `run`, so SQLite need not copy it (no destructor
        // means SQLITE_STATIC).
        self.check(unsafe {
            ffi::sqlite3_bind_text(self.statement.as_ptr(), place, text.as_ptr().cast(), length, None)
        })
    }

    fn run(&mut self) -> Result<(), BulkError> {
        // SAFETY: the statement is alive and all its parameters are bound.
        let stepped = unsafe { ffi::sqlite3_step(self.statement.as_ptr()) };
        let failed = (stepped != ffi::SQLITE_DONE).then(|| error(self.connection, stepped));
        // SAFETY: as above. A reset repeats the error of the step, which is kept already.
        unsafe { ffi::sqlite3_reset(self.statement.as_ptr()) };
        failed.map_or(Ok(()), Err)
    }
}

impl Drop for Insert {
    fn drop(&mut self) {
        // SAFETY: the statement is alive and used by nobody after this.
        unsafe { ffi::sqlite3_finalize(self.statement.as_ptr()) };
    }
}

pub(super) fn error(connection: NonNull<ffi::sqlite3>, code: c_int) -> BulkError {
    // SAFETY: the connection is alive; the message is valid until the next call on it, and copied at once.
    let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(connection.as_ptr())) };
    BulkError { code: code & 0xff, message: message.to_string_lossy().into_owned() }
}
