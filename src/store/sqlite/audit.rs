//! Looking at what is stored as it is.

use std::ops::ControlFlow;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection, Row};

use super::{SqliteStore, defects, named};
use crate::model::{Session, VwapMethod};
use crate::store::values::{unknown, word};
use crate::store::{Audit, Defect, RawBar, Scan, StoreError};

impl Audit for SqliteStore {
    async fn freeze(&mut self) -> Result<(), StoreError> {
        let path = &self.path;
        let mut reading = self.connection.begin().await.map_err(|error| named(path, "begin to read", error))?;
        // A transaction sees the state at its first read, not at its beginning.
        let read = sqlx::query("SELECT 1 FROM days LIMIT 1").execute(&mut *reading).await;
        read.map_err(|error| named(path, "begin to read", error))?;
        // It ends with the connection, not with this function; transactions of other queries are part of it.
        std::mem::forget(reading);
        Ok(())
    }

    async fn scan(
        &mut self,
        what: &Scan,
        mut each: impl FnMut(&str, &[RawBar]) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        let symbols = match &what.symbols {
            Some(symbols) => {
                let mut symbols = symbols.clone();
                symbols.sort_unstable();
                symbols.dedup();
                symbols
            }
            None => sqlx::query_scalar("SELECT symbol FROM symbols WHERE dataset = ?1 ORDER BY symbol")
                .bind(what.dataset.as_str())
                .fetch_all(&mut self.connection)
                .await
                .map_err(self.error("read the symbols"))?,
        };
        let timeframes: Vec<_> = what.timeframes.iter().map(|timeframe| format!("'{timeframe}'")).collect();
        // Every day is a seek, so that a month out of years must not look into all of them.
        let dates = what.dates.as_ref().map_or_else(String::new, |dates| {
            format!("AND session_date BETWEEN '{}' AND '{}'", dates.start(), dates.end())
        });
        // No order is asked for: with one seek per day the rows come day by day, and sorting a symbol's is cheaper here.
        let sql = format!(
            "SELECT timeframe, timestamp, end_timestamp, open, high, low, close, volume, vwap, trades, session,
                    vwap_method, session_date, minutes
             FROM historical_bars WHERE symbol = ?1 AND timeframe IN ({}) AND timestamp BETWEEN ?2 AND ?3
               AND EXISTS (SELECT 1 FROM symbols WHERE symbol = ?1 AND dataset = ?4) {dates}",
            timeframes.join(",")
        );
        let mut bars = Vec::new();
        for symbol in symbols {
            bars.clear();
            let path = self.path.clone();
            let mut rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(&symbol)
                .bind(*what.range_ms.start())
                .bind(*what.range_ms.end())
                .bind(what.dataset.as_str())
                .fetch(&mut self.connection);
            while let Some(row) = rows.try_next().await.map_err(|error| named(&path, "read bars", error))? {
                bars.push(raw_bar(&row)?);
            }
            drop(rows);
            bars.sort_unstable_by_key(|bar: &RawBar| (bar.timeframe, bar.timestamp_ms));
            if !bars.is_empty() && each(&symbol, &bars).is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn defects(&mut self) -> Result<Vec<Defect>, StoreError> {
        // One transaction, because a day that is committed meanwhile must not look like half of one.
        let mut reading = match self.connection.begin().await {
            Ok(reading) => reading,
            Err(error) => return Err(named(&self.path, "look for defects", error)),
        };
        let found = defects::find(&mut reading).await;
        drop(reading);
        found.map_err(self.error("look for defects"))
    }

    async fn remove_orphans(&mut self) -> Result<u64, StoreError> {
        self.begin_write(|| ()).await?;
        let removed = defects::remove_orphans(&mut self.connection).await.map_err(self.error("remove orphans"));
        self.end_write(removed, "remove orphans").await
    }
}

fn raw_bar(row: &SqliteRow) -> Result<RawBar, StoreError> {
    // Null where the shape's divisor is 0.
    let number = |at: usize| row.try_get::<Option<f64>, _>(at).ok().flatten().unwrap_or(f64::NAN);
    Ok(RawBar {
        timeframe: row.get::<&str, _>(0).parse().map_err(unknown)?,
        timestamp_ms: row.get(1),
        // A sum that SQLite turns into a double where it leaves the range of integers.
        end_timestamp_ms: row.try_get_unchecked(2).unwrap_or(i64::MAX),
        open: number(3),
        high: number(4),
        low: number(5),
        close: number(6),
        volume: row.get(7),
        vwap: row.get(8),
        trades: row.get(9),
        session: word(row.get(10), Session::of_word),
        vwap_method: row.get::<Option<&str>, _>(11).map(|method| word(method, VwapMethod::of_word)),
        session_date: row.get::<&str, _>(12).parse().ok(),
        minutes: row.get(13),
    })
}
