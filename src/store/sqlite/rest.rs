//! Taking what the REST API brings.

use jiff::civil::Date;
use sqlx::AssertSqlSafe;

use super::sink::{condition, ids};
use super::{SqliteStore, ledger};
use crate::model::{Bar, Outcome, Symbol};
use crate::store::rest::Placing;
use crate::store::values::{count, stored};
use crate::store::{Attempt, BarSink, DayState, StoreError, SymbolDay, SymbolDayStored, SymbolDays, SymbolSink};

/// What is said of an attempt.
const ATTEMPT: &str = "
INSERT INTO rest_ledger (dataset, session_date, symbol, outcome, detail, started_at, finished_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT DO UPDATE SET outcome = excluded.outcome, detail = excluded.detail, started_at = excluded.started_at,
    finished_at = excluded.finished_at";

/// What is said of a day that is stored.
const STORED: &str = "
INSERT INTO rest_ledger (dataset, session_date, symbol, timeframes, provisional, exact_vwap, request, rows_read,
    bars_written, fetched_at, outcome, started_at, finished_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?10)
ON CONFLICT DO UPDATE SET timeframes = excluded.timeframes, provisional = excluded.provisional,
    exact_vwap = excluded.exact_vwap, request = excluded.request, rows_read = excluded.rows_read,
    bars_written = excluded.bars_written, fetched_at = excluded.fetched_at,
    outcome = excluded.outcome, detail = NULL, started_at = excluded.started_at, finished_at = excluded.finished_at";

/// Every shape of an estimated VWAP gets a twin of an exact one.
const TWINS: &str = "
INSERT INTO shapes (session, vwap_method, duration_ms, price_divisor)
SELECT DISTINCT session, 'vendor', duration_ms, price_divisor FROM shapes o WHERE vwap_method = 'estimate' AND NOT EXISTS (
    SELECT 1 FROM shapes v WHERE v.vwap_method = 'vendor' AND v.session = o.session AND v.duration_ms = o.duration_ms
        AND v.price_divisor = o.price_divisor)";

/// Rows of one statement that makes VWAPs exact.
const ROWS: usize = 200;

impl SymbolSink for SqliteStore {
    async fn store_symbol(&mut self, days: &SymbolDays) -> Result<Vec<SymbolDayStored>, StoreError> {
        self.begin_write(|| ()).await?;
        let placed = self.place(days).await;
        let stored = self.end_write(placed, "store days of a symbol").await;
        self.open_day = None;
        let stored = stored?;
        crash_point!("rest-committed");
        Ok(stored)
    }

    async fn record_symbol_attempt(
        &mut self,
        symbol: &Symbol,
        dates: &[Date],
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        let written = self.write_attempts(symbol, dates, attempt).await;
        self.end_write(written, "write the ledger").await
    }
}

impl SqliteStore {
    async fn write_attempts(&mut self, symbol: &Symbol, dates: &[Date], attempt: &Attempt) -> Result<(), StoreError> {
        for date in dates {
            sqlx::query(ATTEMPT)
                .bind(symbol.dataset().as_str())
                .bind(date.to_string())
                .bind(symbol.as_str())
                .bind(attempt.outcome.as_str())
                .bind(&attempt.detail)
                .bind(attempt.started_at.as_millisecond())
                .bind(attempt.finished_at.as_millisecond())
                .execute(&mut self.connection)
                .await
                .map_err(self.error("write the ledger"))?;
        }
        Ok(())
    }

    async fn place(&mut self, days: &SymbolDays) -> Result<Vec<SymbolDayStored>, StoreError> {
        let (Some(first), Some(last)) = (days.days.first(), days.days.last()) else { return Ok(Vec::new()) };
        let range = first.date..=last.date;
        let rows = ledger::Rows::read(&mut self.connection, days.dataset, range, Some(&days.symbol)).await;
        let mut states = ledger::states(rows.map_err(self.error("read the ledger"))?)?;
        let mut placed = Vec::with_capacity(days.days.len());
        for day in &days.days {
            let mut state = states.remove(&day.date);
            if let Some(state) = state.as_mut().filter(|_| day.is_absent_in_file && !day.bars.is_empty()) {
                self.give_up_absence(days, day, state).await?;
            }
            let placing = Placing::of(days, day, state.as_ref());
            if !placing.changes_anything() {
                placed.push(placing.stored(0, 0, 0));
                continue;
            }
            self.open_day(days.dataset, day.date, state.unwrap_or_default()).await?;
            let removed = self.remove(placing.removed, Some(&days.symbol)).await?;
            let batch = placing.batch();
            self.write(&batch).await?;
            let (made_exact, left_estimated) = self.make_exact(days, &placing).await?;
            let written = batch.bars.len() as u64;
            self.write_rest(days, &placing, placing.outcome(removed, written)).await?;
            crash_point!("rest-day-written");
            placed.push(placing.stored(written, made_exact, left_estimated));
        }
        Ok(placed)
    }

    /// Forgets that a file was loaded for a symbol which it lacks.
    async fn give_up_absence(
        &mut self,
        days: &SymbolDays,
        day: &SymbolDay,
        state: &mut DayState,
    ) -> Result<(), StoreError> {
        let Some(given_up) = state.absence(&days.symbol, day.timeframes) else { return Ok(()) };
        let sql = format!(
            "SELECT COUNT(*) FROM bars b JOIN days d USING (day_id)
             WHERE d.dataset = ?1 AND d.session_date = ?2 AND b.symbol = ?3 AND b.timeframe_id IN ({})",
            ids(given_up.timeframes)
        );
        let (dataset, date) = (days.dataset.as_str(), day.date.to_string());
        let bars = sqlx::query_scalar(AssertSqlSafe(sql)).bind(dataset).bind(&date).bind(&days.symbol);
        let bars: i64 = bars.fetch_one(&mut self.connection).await.map_err(self.error("look for bars"))?;
        if bars > 0 {
            return Ok(());
        }
        let sql = if given_up.left.is_empty() {
            "DELETE FROM coverage WHERE dataset = ?1 AND session_date = ?2 AND symbol = ?3 AND ?4 = ''"
        } else {
            "UPDATE coverage SET timeframes = ?4 WHERE dataset = ?1 AND session_date = ?2 AND symbol = ?3"
        };
        let update = sqlx::query(sql).bind(dataset).bind(&date).bind(&days.symbol).bind(given_up.left.to_string());
        update.execute(&mut self.connection).await.map_err(self.error("write the coverage"))?;
        given_up.apply(state, &days.symbol);
        Ok(())
    }

    /// Makes VWAPs of files' bars exact; says of how many, and how many estimates are left.
    async fn make_exact(&mut self, days: &SymbolDays, placing: &Placing<'_>) -> Result<(u64, u64), StoreError> {
        if placing.exact.is_empty() {
            return Ok((0, 0));
        }
        let twins = sqlx::query(TWINS).execute(&mut self.connection).await;
        twins.map_err(self.error("add a shape"))?;
        let bars: Vec<&Bar> = placing.exact_bars().collect();
        let mut made = 0;
        for some in bars.chunks(ROWS) {
            let sql = format!(
                "WITH f (timeframe_id, timestamp, volume, trades, vwap) AS (VALUES {})
                 UPDATE bars SET vwap = f.vwap, shape_id = v.shape_id FROM f, shapes o, shapes v
                 WHERE bars.day_id = ? AND bars.symbol = ? AND bars.timeframe_id = f.timeframe_id
                   AND bars.timestamp = f.timestamp AND bars.volume IS f.volume AND bars.trades IS f.trades
                   AND o.shape_id = bars.shape_id AND o.vwap_method IS NOT NULL
                   AND v.vwap_method = 'vendor' AND v.session = o.session AND v.duration_ms = o.duration_ms
                   AND v.price_divisor = o.price_divisor",
                vec!["(?,?,?,?,?)"; some.len()].join(",")
            );
            let mut update = sqlx::query(AssertSqlSafe(sql));
            for bar in some {
                update = update
                    .bind(bar.timeframe as i64)
                    .bind(bar.timestamp_ms)
                    .bind(bar.volume)
                    .bind(bar.trades.map(stored))
                    .bind(bar.vwap);
            }
            let update = update.bind(self.day().day_id).bind(&days.symbol).execute(&mut self.connection).await;
            made += update.map_err(self.error("make VWAPs exact"))?.rows_affected();
        }
        let sql = format!(
            "SELECT COUNT(*) FROM bars JOIN shapes USING (shape_id) WHERE vwap_method = 'estimate' AND {}",
            condition("", placing.exact, Some(&days.symbol))
        );
        let left = sqlx::query_scalar(AssertSqlSafe(sql)).bind(self.day().day_id).bind(&days.symbol);
        let left: i64 = left.fetch_one(&mut self.connection).await.map_err(self.error("make VWAPs exact"))?;
        Ok((made, count(left)))
    }

    async fn write_rest(
        &mut self,
        days: &SymbolDays,
        placing: &Placing<'_>,
        (bars, outcome): (u64, Outcome),
    ) -> Result<(), StoreError> {
        sqlx::query(STORED)
            .bind(days.dataset.as_str())
            .bind(placing.day.date.to_string())
            .bind(&days.symbol)
            .bind(placing.timeframes.to_string())
            .bind(placing.day.is_provisional)
            .bind(placing.exact_vwap.to_string())
            .bind(&days.request)
            .bind(stored(placing.day.rows_read))
            .bind(stored(bars))
            .bind(days.finished_at.as_millisecond())
            .bind(outcome.as_str())
            .bind(days.started_at.as_millisecond())
            .execute(&mut self.connection)
            .await
            .map_err(self.error("write the ledger"))?;
        Ok(())
    }
}
