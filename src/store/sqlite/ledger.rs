//! Reading the ledger and coverage; attempts that brought nothing; load rates.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::{SqliteStore, named};
use crate::model::{Dataset, FileKind, Symbol, TimeframeSet};
use crate::store::values::{RestRow, date, instant, rest_state, unknown};
use crate::store::{Attempt, BarChange, DayState, FileState, FileVersion, Ledger, LoadRate, Restatement, StoreError};

impl Ledger for SqliteStore {
    async fn day_states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        self.read_states(dataset, range, None).await
    }

    async fn symbol_states(
        &mut self,
        symbol: &Symbol,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        self.read_states(symbol.dataset(), range, Some(symbol.as_str())).await
    }

    async fn record_attempt(
        &mut self,
        dataset: Dataset,
        date: Date,
        file: FileKind,
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        let written = sqlx::query(
            "INSERT INTO ingest_ledger (dataset, session_date, file, outcome, detail, started_at, finished_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET outcome = excluded.outcome, detail = excluded.detail,
                 started_at = excluded.started_at, finished_at = excluded.finished_at",
        )
        .bind(dataset.as_str())
        .bind(date.to_string())
        .bind(file.as_str())
        .bind(attempt.outcome.as_str())
        .bind(&attempt.detail)
        .bind(attempt.started_at.as_millisecond())
        .bind(attempt.finished_at.as_millisecond())
        .execute(&mut self.connection)
        .await
        .map_err(self.error("write the ledger"));
        self.end_write(written, "write the ledger").await.map(drop)
    }

    async fn record_same_content(
        &mut self,
        dataset: Dataset,
        date: Date,
        file: FileKind,
        version: &FileVersion,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        let written = sqlx::query(
            "UPDATE ingest_ledger SET object_key = ?4, etag = ?5, size_bytes = ?6, last_modified = ?7,
                 detail = CASE outcome WHEN 'loaded' THEN detail END, outcome = 'loaded', finished_at = ?8
             WHERE dataset = ?1 AND session_date = ?2 AND file = ?3 AND etag IS NOT NULL",
        )
        .bind(dataset.as_str())
        .bind(date.to_string())
        .bind(file.as_str())
        .bind(&version.key)
        .bind(&version.etag)
        .bind(i64::try_from(version.size_bytes).unwrap_or(i64::MAX))
        .bind(version.last_modified.map(Timestamp::as_millisecond))
        .bind(at.as_millisecond())
        .execute(&mut self.connection)
        .await
        .map_err(self.error("write the ledger"));
        self.end_write(written, "write the ledger").await.map(drop)
    }

    async fn restatements(&mut self, range: RangeInclusive<Date>) -> Result<Vec<Restatement>, StoreError> {
        let rows = sqlx::query(
            "SELECT dataset, session_date, file, loaded_at, old_object_key, old_etag, old_size_bytes,
                    old_last_modified, new_object_key, new_etag, new_size_bytes, new_last_modified, bars_added,
                    bars_changed, bars_removed
             FROM restatements WHERE session_date BETWEEN ?1 AND ?2
             ORDER BY dataset, session_date, loaded_at, restatement_id",
        )
        .bind(range.start().to_string())
        .bind(range.end().to_string())
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.error("read the restatements"))?;
        rows.iter().map(restatement).collect()
    }

    async fn load_rate(&mut self, everyone: bool) -> Result<Option<LoadRate>, StoreError> {
        let row = sqlx::query("SELECT file_bytes, bars, seconds, measured_at FROM load_rates WHERE scope = ?1")
            .bind(scope(everyone))
            .fetch_optional(&mut self.connection)
            .await
            .map_err(self.error("read the load rate"))?;
        row.map(|row| {
            Ok(LoadRate {
                file_bytes: row.get::<i64, _>(0).try_into().unwrap_or(0),
                bars: row.get::<i64, _>(1).try_into().unwrap_or(0),
                seconds: row.get(2),
                measured_at: instant(row.get(3))?,
            })
        })
        .transpose()
    }

    async fn record_load_rate(&mut self, everyone: bool, rate: LoadRate) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        let written = sqlx::query(
            "INSERT INTO load_rates (scope, file_bytes, bars, seconds, measured_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET file_bytes = excluded.file_bytes, bars = excluded.bars,
                 seconds = excluded.seconds, measured_at = excluded.measured_at",
        )
        .bind(scope(everyone))
        .bind(i64::try_from(rate.file_bytes).unwrap_or(i64::MAX))
        .bind(i64::try_from(rate.bars).unwrap_or(i64::MAX))
        .bind(rate.seconds)
        .bind(rate.measured_at.as_millisecond())
        .execute(&mut self.connection)
        .await
        .map_err(self.error("write the load rate"));
        self.end_write(written, "write the load rate").await.map(drop)
    }
}

impl SqliteStore {
    async fn read_states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
        symbol: Option<&str>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        // One transaction: a day that is committed meanwhile is there with both its ledger and its coverage, or with neither.
        let mut reading = match self.connection.begin().await {
            Ok(reading) => reading,
            Err(error) => return Err(named(&self.path, "read the ledger", error)),
        };
        let rows = Rows::read(&mut reading, dataset, range, symbol).await;
        drop(reading);
        states(rows.map_err(self.error("read the ledger"))?)
    }
}

const fn scope(everyone: bool) -> &'static str {
    if everyone { "all" } else { "symbols" }
}

/// What the tables say of some days.
pub(super) struct Rows {
    ledger: Vec<SqliteRow>,
    coverage: Vec<SqliteRow>,
    rest: Vec<RestRow>,
}

impl Rows {
    /// Reads them; of what is loaded by name, only what is loaded of a symbol, if one is given.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        dataset: Dataset,
        range: RangeInclusive<Date>,
        symbol: Option<&str>,
    ) -> Result<Self, sqlx::Error> {
        let (from, to) = (range.start().to_string(), range.end().to_string());
        let ledger = sqlx::query(
            "SELECT session_date, file, object_key, etag, size_bytes, last_modified, outcome, finished_at, content_hash,
                    bars_written, detail
             FROM ingest_ledger WHERE dataset = ?1 AND session_date BETWEEN ?2 AND ?3",
        )
        .bind(dataset.as_str())
        .bind(&from)
        .bind(&to)
        .fetch_all(&mut *connection)
        .await?;
        let of = if symbol.is_some() { "AND symbol IN ('*', ?4)" } else { "" };
        let select = format!(
            "SELECT session_date, symbol, timeframes FROM coverage
             WHERE dataset = ?1 AND session_date BETWEEN ?2 AND ?3 {of}"
        );
        let coverage = sqlx::query(AssertSqlSafe(select)).bind(dataset.as_str()).bind(&from).bind(&to);
        let coverage = symbol.into_iter().fold(coverage, Query::bind).fetch_all(&mut *connection).await?;
        let of = if symbol.is_some() { "AND symbol = ?4" } else { "" };
        let select = format!(
            "SELECT session_date, symbol, timeframes, provisional, exact_vwap, bars_written, fetched_at, outcome, detail,
                    finished_at
             FROM rest_ledger WHERE dataset = ?1 AND session_date BETWEEN ?2 AND ?3 {of}"
        );
        let rest = sqlx::query_as(AssertSqlSafe(select)).bind(dataset.as_str()).bind(&from).bind(&to);
        let rest = symbol.into_iter().fold(rest, QueryAs::bind).fetch_all(connection).await?;
        Ok(Self { ledger, coverage, rest })
    }
}

pub(super) fn states(rows: Rows) -> Result<BTreeMap<Date, DayState>, StoreError> {
    let mut states: BTreeMap<Date, DayState> = BTreeMap::new();
    for row in &rows.ledger {
        let state = states.entry(date(row.get(0))?).or_default();
        let file = Some(file_state(row)?);
        match row.get::<&str, _>(1).parse().map_err(unknown)? {
            FileKind::Minute => state.minute = file,
            FileKind::Day => state.day = file,
        }
    }
    for row in &rows.coverage {
        let state = states.entry(date(row.get(0))?).or_default();
        let timeframes: TimeframeSet = row.get::<&str, _>(2).parse().map_err(unknown)?;
        match row.get::<&str, _>(1) {
            "*" => state.everyone = timeframes,
            symbol => {
                state.named.insert(symbol.to_owned(), timeframes);
            }
        }
    }
    for row in rows.rest {
        let (date, symbol, rest) = rest_state(row)?;
        states.entry(date).or_default().rest.insert(symbol, rest);
    }
    Ok(states)
}

fn file_state(row: &SqliteRow) -> Result<FileState, StoreError> {
    let loaded = match (row.get::<Option<String>, _>(2), row.get::<Option<String>, _>(3), row.get::<Option<i64>, _>(4))
    {
        (Some(key), Some(etag), Some(size)) => Some(FileVersion {
            key,
            etag,
            size_bytes: size.try_into().unwrap_or(0),
            last_modified: row.get::<Option<i64>, _>(5).map(instant).transpose()?,
        }),
        _ => None,
    };
    let outcome = row.get::<&str, _>(6).parse().map_err(unknown)?;
    let content = row.get::<Option<&str>, _>(8).map(str::parse).transpose().map_err(unknown)?;
    let bars = row.get::<i64, _>(9).try_into().unwrap_or(0);
    Ok(FileState { loaded, content, bars, outcome, detail: row.get(10), attempted_at: instant(row.get(7))? })
}

fn restatement(row: &SqliteRow) -> Result<Restatement, StoreError> {
    let version = |at: usize| {
        Ok(FileVersion {
            key: row.get(at),
            etag: row.get(at + 1),
            size_bytes: row.get::<i64, _>(at + 2).try_into().unwrap_or(0),
            last_modified: row.get::<Option<i64>, _>(at + 3).map(instant).transpose()?,
        })
    };
    let bars = |at: usize| row.get::<i64, _>(at).try_into().unwrap_or(0);
    Ok(Restatement {
        dataset: row.get::<&str, _>(0).parse().map_err(unknown)?,
        date: date(row.get(1))?,
        file: row.get::<&str, _>(2).parse().map_err(unknown)?,
        loaded_at: instant(row.get(3))?,
        old: version(4)?,
        new: version(8)?,
        change: BarChange { added: bars(12), changed: bars(13), removed: bars(14) },
    })
}
