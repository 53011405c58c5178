//! Looking at what is stored as it is.

use std::ops::ControlFlow;

use futures_util::FutureExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::copy::COLUMNS;
use super::transaction::{Access, Statement};
use super::{PostgresStore, StoreError, defects, sql};
use crate::model::{Session, VwapMethod};
use crate::store::values::{unknown, word};
use crate::store::{Audit, Defect, RawBar, Scan};

/// Rows that are fetched at a time.
const ROWS: u32 = 16 * 1024;

impl Audit for PostgresStore {
    async fn freeze(&mut self) -> Result<(), StoreError> {
        let mut work = self.begin(Access::Read, "begin to read").await?;
        // A transaction sees the state at its first query, not at its beginning.
        work.execute(sqlx::query("SELECT 1")).await?;
        self.frozen = true;
        Ok(())
    }

    async fn scan(
        &mut self,
        what: &Scan,
        mut each: impl FnMut(&str, &[RawBar]) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        let columns = COLUMNS.replace("session_date", "session_date::text");
        let mut work = self.begin(Access::Read, "read bars").await?;
        // Rows come in the order of the key by reading its index; sorting a month of a market would fill a disk.
        work.script("SET LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0").await?;
        let (mut symbol, mut bars) = (String::new(), Vec::new());
        let mut hand_on = |symbol: &str, bars: &mut Vec<RawBar>| {
            bars.sort_unstable_by_key(|bar| (bar.timeframe, bar.timestamp_ms));
            let step = if bars.is_empty() { ControlFlow::Continue(()) } else { each(symbol, bars) };
            bars.clear();
            step
        };
        let named = if what.symbols.is_some() { "AND b.symbol = ANY($1)" } else { "" };
        let dates = what.dates.as_ref().map_or_else(String::new, |dates| {
            format!("AND b.session_date BETWEEN '{}' AND '{}'", dates.start(), dates.end())
        });
        'all: for segment in sql::segments(what.dataset) {
            let select = format!(
                "DECLARE bars NO SCROLL CURSOR FOR SELECT {columns} FROM historical_bars b
                 WHERE {segment} AND {} AND b.timeframe IN ({}) {named} {dates}
                 ORDER BY b.symbol, b.timeframe, b.timestamp",
                sql::within(&what.range_ms),
                sql::words(what.timeframes)
            );
            let declare = sqlx::query(AssertSqlSafe(select));
            let declare = what.symbols.iter().fold(declare, Statement::bind);
            work.execute(declare).await?;
            loop {
                let rows = work.rows(sqlx::query(AssertSqlSafe(format!("FETCH {ROWS} FROM bars")))).await?;
                for row in &rows {
                    let of: &str = row.get(0);
                    if of != symbol {
                        if hand_on(&symbol, &mut bars).is_break() {
                            break 'all;
                        }
                        of.clone_into(&mut symbol);
                    }
                    bars.push(raw_bar(row)?);
                }
                if rows.is_empty() {
                    break;
                }
            }
            work.script("CLOSE bars").await?;
        }
        let _ = hand_on(&symbol, &mut bars);
        // A scan that ended early has left its cursor, and the transaction may go on.
        work.script("CLOSE ALL").await?;
        work.commit().await
    }

    async fn defects(&mut self) -> Result<Vec<Defect>, StoreError> {
        self.repeatable(Access::Read, "look for defects", &(), |work, ()| defects::find(work).boxed()).await
    }

    async fn remove_orphans(&mut self) -> Result<u64, StoreError> {
        let mut work = self.begin(Access::Write, "remove orphans").await?;
        let removed = defects::remove_orphans(&mut work).await?;
        work.done(removed).await
    }
}

/// A row as it is. A null where there should be none, because somebody has allowed it, becomes a value that cannot be right.
fn raw_bar(row: &PgRow) -> Result<RawBar, StoreError> {
    let number = |at: usize| row.try_get(at).unwrap_or(f64::NAN);
    Ok(RawBar {
        timeframe: row.get::<&str, _>(1).parse().map_err(unknown)?,
        timestamp_ms: row.get(2),
        open: number(3),
        high: number(4),
        low: number(5),
        close: number(6),
        volume: row.get(7),
        vwap: row.get(8),
        trades: row.get(9),
        session: word(row.try_get(10).unwrap_or_default(), Session::of_word),
        vwap_method: row.get::<Option<&str>, _>(11).map(|method| word(method, VwapMethod::of_word)),
        session_date: row.try_get(12).ok().and_then(|date: &str| date.parse().ok()),
        end_timestamp_ms: row.try_get(13).unwrap_or(i64::MAX),
        minutes: row.try_get::<i32, _>(14).unwrap_or_default().into(),
    })
}
