//! The bulk path of SQLite: rows bound straight into a prepared multi-row `INSERT`.
//!
//! The single writer decides how fast a whole market loads, and binding through the driver's argument lists took twice
//! as long as SQLite's own work (1.15 s against 0.45 s for a million rows).

use std::ffi::c_int;

use sqlx::sqlite::LockedSqliteHandle;

use super::shape::PriceScale;
use super::statement::{Connection, Statement, StatementError};
use crate::store::BarBatch;

/// Rows of one statement; far below SQLite's limit of 32,766 parameters.
const ROWS: usize = 100;

/// Parameters of a row. The day is the same in all, and part of the text.
const COLUMNS: usize = 12;

/// `OR FAIL`, because the day's transaction is rolled back whole on any error: without it SQLite would keep a copy of every
/// page a statement touches, to undo that statement alone.
const INSERT: &str = "INSERT OR FAIL INTO bars (day_id, symbol, timeframe_id, timestamp, open, high, low, close, volume, \
                      vwap, trades, shape_id, minutes) VALUES ";

/// Inserts a batch of bars into an open transaction. `shapes` has the stored shape of each, and how its prices are kept.
pub(super) fn insert(
    mut handle: LockedSqliteHandle<'_>,
    day_id: i64,
    batch: &BarBatch,
    shapes: &[(i64, PriceScale)],
) -> Result<(), StatementError> {
    let connection = Connection::of(&mut handle);
    let whole = batch.bars.len() / ROWS;
    let rest = batch.bars.len() % ROWS;
    let mut many = if whole > 0 { Some(prepare(connection, day_id, ROWS)?) } else { None };
    let mut few = if rest > 0 { Some(prepare(connection, day_id, rest)?) } else { None };
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
            bind_price(statement, column(3), *scale, bar.prices.open)?;
            bind_price(statement, column(4), *scale, bar.prices.high)?;
            bind_price(statement, column(5), *scale, bar.prices.low)?;
            bind_price(statement, column(6), *scale, bar.prices.close)?;
            bind_real(statement, column(7), bar.volume)?;
            bind_real(statement, column(8), bar.vwap)?;
            match bar.trades {
                // A day's count of trades never comes near 2^63.
                Some(trades) => statement.bind_int(column(9), i64::try_from(trades).unwrap_or(i64::MAX))?,
                None => statement.bind_null(column(9))?,
            }
            statement.bind_int(column(10), *shape_id)?;
            statement.bind_int(column(11), i64::from(bar.minutes))?;
            row += 1;
            if row % ROWS == 0 || row == batch.bars.len() {
                let stepped = statement.step();
                statement.reset();
                stepped?;
            }
        }
    }
    Ok(())
}

/// An `INSERT` of so many rows.
fn prepare(connection: Connection<'_>, day_id: i64, rows: usize) -> Result<Statement<'_>, StatementError> {
    let row = format!("({day_id},{})", ["?"; COLUMNS].join(","));
    Statement::prepare(connection, &(INSERT.to_owned() + &vec![row; rows].join(",")))
}

#[inline]
fn bind_real(statement: &mut Statement<'_>, place: c_int, value: Option<f64>) -> Result<(), StatementError> {
    match value {
        Some(value) => statement.bind_real(place, value),
        None => statement.bind_null(place),
    }
}

#[inline]
fn bind_price(
    statement: &mut Statement<'_>,
    place: c_int,
    scale: PriceScale,
    price: f64,
) -> Result<(), StatementError> {
    match scale.scaled(price) {
        Some(whole) => statement.bind_int(place, whole),
        None => statement.bind_real(place, price),
    }
}
