//! Taking the bars of a day.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use sqlx::{AssertSqlSafe, Executor};

use super::shape::{PriceScale, Shape, Shapes};
use super::statement::StatementError;
use super::{LONGEST_WAIT, OpenDay, SqliteStore, bulk, by_code, is_busy, ledger, named};
use crate::model::{Dataset, FileKind, Timeframe, TimeframeSet, VwapMethod};
use crate::store::values::stored;
use crate::store::{BarBatch, BarSink, DayCommit, DayState, Replace, RestState, StoreError};

/// After how long a wait is said.
const SAID_AFTER: Duration = Duration::from_secs(2);

impl BarSink for SqliteStore {
    async fn begin_day(
        &mut self,
        dataset: Dataset,
        date: Date,
        waiting: impl FnOnce() + Send,
    ) -> Result<DayState, StoreError> {
        self.begin_write(waiting).await?;
        let opened = self.begin_read_day(dataset, date).await;
        if opened.is_err() {
            self.roll_back().await;
        }
        opened
    }

    async fn replace(&mut self, what: &Replace) -> Result<u64, StoreError> {
        let mut removed = 0;
        for kind in FileKind::ALL {
            let timeframes = what.timeframes.and(kind.timeframes());
            let mut of_kind = 0;
            for symbol in scope(what) {
                if what.restated {
                    self.set_aside(timeframes, symbol).await?;
                }
                of_kind += self.remove(timeframes, symbol).await?;
            }
            let whole = what.symbols.is_none() && timeframes == kind.timeframes();
            let kept = &mut self.day_mut().kept[kind as usize];
            *kept = if whole { 0 } else { kept.saturating_sub(of_kind) };
            removed += of_kind;
        }
        for (symbol, rest) in self.day().state.less_exact(what) {
            self.write_left(&symbol, rest).await?;
        }
        if what.restated {
            self.day_mut().restated.push(what.clone());
        }
        let everything = TimeframeSet::of(Timeframe::ALL).minus(what.timeframes).is_empty();
        if everything && what.symbols.is_none() {
            self.renumber().await?;
        }
        Ok(removed)
    }

    async fn replace_rest(&mut self, symbols: &[String]) -> Result<u64, StoreError> {
        let mut removed = 0;
        for symbol in symbols {
            let day = self.day_mut();
            let Some(rest) = day.state.rest.remove(symbol) else { continue };
            let timeframes = rest.timeframes.minus(day.state.covered_by_files(symbol));
            removed += self.remove(timeframes, Some(symbol)).await?;
            self.write_left(symbol, rest.without_bars()).await?;
        }
        Ok(removed)
    }

    async fn forget_day(&mut self) -> Result<u64, StoreError> {
        let everything = Replace { timeframes: TimeframeSet::of(Timeframe::ALL), symbols: None, restated: false };
        let removed = self.replace(&everything).await?;
        self.remove_aside().await?;
        let (dataset, date) = (self.day().dataset, self.day().date.clone());
        for table in ["coverage", "ingest_ledger", "rest_ledger"] {
            let sql = format!("DELETE FROM {table} WHERE dataset = ?1 AND session_date = ?2");
            let delete = sqlx::query(AssertSqlSafe(sql)).bind(dataset.as_str()).bind(&date);
            delete.execute(&mut self.connection).await.map_err(self.error("forget a day"))?;
        }
        let day = self.day_mut();
        day.state = DayState::default();
        day.restated.clear();
        Ok(removed)
    }

    async fn write(&mut self, batch: &BarBatch) -> Result<(), StoreError> {
        self.store_symbols(batch).await?;
        let shapes = self.shapes_of(batch).await?;
        let day_id = self.day().day_id;
        let handle = self.connection.lock_handle().await.map_err(|e| named(&self.path, "write bars", e))?;
        // The insert computes and writes for tens of milliseconds: other tasks of this thread move elsewhere.
        let inserted = tokio::task::block_in_place(|| bulk::insert(handle, day_id, batch, &shapes));
        self.log_flush.after(batch.bars.len());
        inserted.map_err(|error| self.bulk_error(error))
    }

    async fn commit_day(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        let written = self.write_commit(commit).await;
        let ended = self.end_write(written, "commit a day").await;
        self.open_day = None;
        ended
    }

    async fn abandon_day(&mut self) -> Result<(), StoreError> {
        self.roll_back().await;
        Ok(())
    }
}

impl SqliteStore {
    /// Opens a transaction that writes, waiting while another process does.
    pub(super) async fn begin_write(&mut self, waiting: impl FnOnce() + Send) -> Result<(), StoreError> {
        self.undo_in_memory().await?;
        let since = Instant::now();
        let mut waiting = Some(waiting);
        loop {
            match self.connection.execute("BEGIN IMMEDIATE").await {
                Ok(_) => return Ok(()),
                Err(error) if is_busy(&error) => {
                    if since.elapsed() > LONGEST_WAIT {
                        let waited_seconds = LONGEST_WAIT.as_secs();
                        return Err(StoreError::Busy { database: self.path.display().to_string(), waited_seconds });
                    }
                    if since.elapsed() > SAID_AFTER
                        && let Some(say) = waiting.take()
                    {
                        say();
                    }
                }
                Err(error) => return Err(named(&self.path, "begin to write", error)),
            }
        }
    }

    /// Ends it: commits what was written, or leaves no trace of what failed.
    pub(super) async fn end_write<T>(
        &mut self,
        written: Result<T, StoreError>,
        doing: &'static str,
    ) -> Result<T, StoreError> {
        let ended = match written {
            Ok(value) => self.connection.execute("COMMIT").await.map(|_| value).map_err(self.error(doing)),
            Err(error) => Err(error),
        };
        if ended.is_err() {
            self.roll_back().await;
        }
        ended
    }

    pub(super) fn day(&self) -> &OpenDay {
        self.open_day.as_ref().expect("Invariant: bars are written between `begin_day` and its end")
    }

    fn day_mut(&mut self) -> &mut OpenDay {
        self.open_day.as_mut().expect("Invariant: bars are written between `begin_day` and its end")
    }

    /// Removes bars of the day.
    pub(super) async fn remove(&mut self, timeframes: TimeframeSet, symbol: Option<&str>) -> Result<u64, StoreError> {
        let sql = format!("DELETE FROM bars WHERE {}", condition("", timeframes, symbol));
        let remove = sqlx::query(AssertSqlSafe(sql)).bind(self.day().day_id).bind(symbol);
        Ok(remove.execute(&mut self.connection).await.map_err(self.error("remove bars"))?.rows_affected())
    }

    /// Writes what is left of what the REST API has brought of a symbol.
    async fn write_left(&mut self, symbol: &str, rest: RestState) -> Result<(), StoreError> {
        let day = self.day_mut();
        day.state.rest.remove(symbol);
        let sql = if rest.is_nothing() {
            "DELETE FROM rest_ledger WHERE dataset = ?1 AND session_date = ?2 AND symbol = ?3"
        } else {
            "UPDATE rest_ledger SET timeframes = ?4, provisional = ?5, bars_written = ?6, exact_vwap = ?7
             WHERE dataset = ?1 AND session_date = ?2 AND symbol = ?3"
        };
        let mut write = sqlx::query(sql).bind(day.dataset.as_str()).bind(day.date.clone()).bind(symbol);
        if !rest.is_nothing() {
            write = write
                .bind(rest.timeframes.to_string())
                .bind(rest.is_provisional)
                .bind(stored(rest.bars))
                .bind(rest.exact_vwap.to_string());
            day.state.rest.insert(symbol.to_owned(), rest);
        }
        write.execute(&mut self.connection).await.map_err(self.error("write the ledger"))?;
        Ok(())
    }

    /// Keeps a copy of bars that are about to be removed, to be compared with what takes their place.
    async fn set_aside(&mut self, timeframes: TimeframeSet, symbol: Option<&str>) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO bars
             SELECT ?3, symbol, timeframe_id, timestamp, open, high, low, close, volume, vwap, trades, shape_id, minutes
             FROM bars WHERE {}",
            condition("", timeframes, symbol)
        );
        let copy = sqlx::query(AssertSqlSafe(sql)).bind(self.day().day_id).bind(symbol).bind(self.day().aside);
        copy.execute(&mut self.connection).await.map_err(self.error("set bars aside"))?;
        Ok(())
    }

    /// Removes the copies.
    pub(super) async fn remove_aside(&mut self) -> Result<(), StoreError> {
        let remove = sqlx::query("DELETE FROM bars WHERE day_id = ?1").bind(self.day().aside);
        remove.execute(&mut self.connection).await.map_err(self.error("remove bars"))?;
        Ok(())
    }

    async fn begin_read_day(&mut self, dataset: Dataset, date: Date) -> Result<DayState, StoreError> {
        let rows = ledger::Rows::read(&mut self.connection, dataset, date..=date, None).await;
        let state = ledger::states(rows.map_err(self.error("read the ledger"))?)?.remove(&date).unwrap_or_default();
        self.open_day(dataset, date, state.clone()).await?;
        Ok(state)
    }

    /// Makes a day the one that is written, in the open transaction.
    pub(super) async fn open_day(&mut self, dataset: Dataset, date: Date, state: DayState) -> Result<(), StoreError> {
        let date = date.to_string();
        let found: Option<i64> = sqlx::query_scalar("SELECT day_id FROM days WHERE dataset = ?1 AND session_date = ?2")
            .bind(dataset.as_str())
            .bind(&date)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(self.error("look up a day"))?;
        let day_id = match found {
            Some(day_id) => day_id,
            None => self.number(dataset, &date).await?,
        };
        let kept = FileKind::ALL.map(|kind| state.file(kind).map_or(0, |file| file.bars));
        self.open_day = Some(OpenDay { dataset, date, day_id, state, kept, restated: Vec::new(), aside: -day_id });
        Ok(())
    }

    async fn number(&mut self, dataset: Dataset, date: &str) -> Result<i64, StoreError> {
        sqlx::query_scalar("INSERT INTO days (dataset, session_date) VALUES (?1, ?2) RETURNING day_id")
            .bind(dataset.as_str())
            .bind(date)
            .fetch_one(&mut self.connection)
            .await
            .map_err(self.error("add a day"))
    }

    /// Gives an emptied day a new number, so that its bars are appended like those of a new day.
    async fn renumber(&mut self) -> Result<(), StoreError> {
        let (dataset, date, old) = (self.day().dataset, self.day().date.clone(), self.day().day_id);
        let deleted = sqlx::query("DELETE FROM days WHERE day_id = ?1").bind(old);
        deleted.execute(&mut self.connection).await.map_err(self.error("renumber a day"))?;
        let day_id = self.number(dataset, &date).await?;
        if let Some(day) = &mut self.open_day {
            day.day_id = day_id;
        }
        Ok(())
    }

    async fn store_symbols(&mut self, batch: &BarBatch) -> Result<(), StoreError> {
        let dataset = self.day().dataset.as_str();
        for some in batch.symbols.chunks(200) {
            let rows = vec!["(?,?)"; some.len()].join(",");
            let sql = format!("INSERT OR IGNORE INTO symbols (symbol, dataset) VALUES {rows}");
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for (symbol, _) in some {
                insert = insert.bind(&**symbol).bind(dataset);
            }
            insert.execute(&mut self.connection).await.map_err(self.error("add symbols"))?;
        }
        Ok(())
    }

    /// The stored shape of every bar of a batch, and how its prices are kept.
    async fn shapes_of(&mut self, batch: &BarBatch) -> Result<Vec<(i64, PriceScale)>, StoreError> {
        let mut shapes = Vec::with_capacity(batch.bars.len());
        for bar in &batch.bars {
            let shape = Shape::of(bar);
            let shape_id = match self.shapes.find(&shape) {
                Some(shape_id) => shape_id,
                None => self.store_shape(shape).await?,
            };
            shapes.push((shape_id, shape.scale));
        }
        Ok(shapes)
    }

    async fn store_shape(&mut self, shape: Shape) -> Result<i64, StoreError> {
        let (session, method) = (shape.session.as_str(), shape.vwap_method.map(VwapMethod::as_str));
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT shape_id FROM shapes
                 WHERE session = ?1 AND vwap_method IS ?2 AND duration_ms = ?3 AND price_divisor = ?4",
        )
        .bind(session)
        .bind(method)
        .bind(shape.duration_ms)
        .bind(shape.scale.divisor())
        .fetch_optional(&mut self.connection)
        .await
        .map_err(self.error("look up a shape"))?;
        let shape_id = match found {
            Some(shape_id) => shape_id,
            None => sqlx::query_scalar(
                "INSERT INTO shapes (session, vwap_method, duration_ms, price_divisor) VALUES (?1, ?2, ?3, ?4)
                     RETURNING shape_id",
            )
            .bind(session)
            .bind(method)
            .bind(shape.duration_ms)
            .bind(shape.scale.divisor())
            .fetch_one(&mut self.connection)
            .await
            .map_err(self.error("add a shape"))?,
        };
        self.shapes.add(shape, shape_id);
        Ok(shape_id)
    }

    /// Ends the transaction without a trace. An error here means that there is none to end.
    async fn roll_back(&mut self) {
        let _ = self.connection.execute("ROLLBACK").await;
        self.open_day = None;
        // Shapes added in the transaction are gone with it.
        self.shapes = Shapes::default();
    }

    fn bulk_error(&self, error: StatementError) -> StoreError {
        by_code(&self.path, error.code, &error.message).unwrap_or_else(|| {
            let (database, source) = (self.path.display().to_string(), sqlx::Error::Protocol(error.message));
            StoreError::Other { database, doing: "write bars", source }
        })
    }
}

/// The symbols of a replacement, each once; `None` stands for all.
pub(super) fn scope(what: &Replace) -> BTreeSet<Option<&str>> {
    match &what.symbols {
        None => BTreeSet::from([None]),
        Some(symbols) => symbols.iter().map(|symbol| Some(symbol.as_str())).collect(),
    }
}

/// The condition for bars of a day (?1) in some timeframes, of one symbol (?2) or of all.
pub(super) fn condition(table: &str, timeframes: TimeframeSet, symbol: Option<&str>) -> String {
    // Without a symbol the parameter still stands there, so that what is bound is always the same.
    let of_symbol = if symbol.is_some() { format!("{table}symbol = ?2") } else { "?2 IS NULL".to_owned() };
    format!("{table}day_id = ?1 AND {table}timeframe_id IN ({}) AND {of_symbol}", ids(timeframes))
}

/// Timeframes as SQL lists them.
pub(super) fn ids(timeframes: TimeframeSet) -> String {
    timeframes.iter().map(|timeframe| (timeframe as u8).to_string()).collect::<Vec<_>>().join(",")
}
