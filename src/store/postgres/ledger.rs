//! Reading the ledger and coverage; attempts that brought nothing; load rates.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use futures_util::FutureExt;
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::transaction::{Access, Statement, Work};
use super::{PostgresStore, StoreError};
use crate::model::{Dataset, FileKind, Symbol};
use crate::store::values::{count, date, instant, rest_state, stored, unknown};
use crate::store::{Attempt, BarChange, DayState, FileState, FileVersion, Ledger, LoadRate, Restatement};

impl Ledger for PostgresStore {
    async fn day_states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        self.states(dataset, range, None).await
    }

    async fn symbol_states(
        &mut self,
        symbol: &Symbol,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        self.states(symbol.dataset(), range, Some(symbol.as_str())).await
    }

    async fn record_attempt(
        &mut self,
        dataset: Dataset,
        date: Date,
        file: FileKind,
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        let write = || {
            sqlx::query(
                "INSERT INTO ingest_ledger (dataset, session_date, file, outcome, detail, started_at, finished_at)
                 VALUES ($1, $2::date, $3, $4, $5, $6, $7)
                 ON CONFLICT (dataset, session_date, file) DO UPDATE SET outcome = excluded.outcome,
                     detail = excluded.detail, started_at = excluded.started_at, finished_at = excluded.finished_at",
            )
            .bind(dataset.as_str())
            .bind(date.to_string())
            .bind(file.as_str())
            .bind(attempt.outcome.as_str())
            .bind(&attempt.detail)
            .bind(attempt.started_at.as_millisecond())
            .bind(attempt.finished_at.as_millisecond())
        };
        self.single(Access::Write, "write the ledger", write).await.map(drop)
    }

    async fn record_same_content(
        &mut self,
        dataset: Dataset,
        date: Date,
        file: FileKind,
        version: &FileVersion,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let write = || {
            sqlx::query(
                "UPDATE ingest_ledger SET object_key = $4, etag = $5, size_bytes = $6, last_modified = $7,
                     outcome = 'loaded', detail = NULL, finished_at = $8
                 WHERE dataset = $1 AND session_date = $2::date AND file = $3 AND etag IS NOT NULL",
            )
            .bind(dataset.as_str())
            .bind(date.to_string())
            .bind(file.as_str())
            .bind(&version.key)
            .bind(&version.etag)
            .bind(stored(version.size_bytes))
            .bind(version.last_modified.map(Timestamp::as_millisecond))
            .bind(at.as_millisecond())
        };
        self.single(Access::Write, "write the ledger", write).await.map(drop)
    }

    async fn restatements(&mut self, range: RangeInclusive<Date>) -> Result<Vec<Restatement>, StoreError> {
        let query = || {
            sqlx::query(
                "SELECT dataset, session_date::text, file, loaded_at, old_object_key, old_etag, old_size_bytes,
                        old_last_modified, new_object_key, new_etag, new_size_bytes, new_last_modified, bars_added,
                        bars_changed, bars_removed
                 FROM restatements WHERE session_date BETWEEN $1::date AND $2::date
                 ORDER BY dataset, session_date, loaded_at, restatement_id",
            )
            .bind(range.start().to_string())
            .bind(range.end().to_string())
        };
        let rows = self.single(Access::Read, "read the restatements", query).await?;
        rows.iter().map(restatement).collect()
    }

    async fn load_rate(&mut self, everyone: bool) -> Result<Option<LoadRate>, StoreError> {
        let query = "SELECT file_bytes, bars, seconds, measured_at FROM load_rates WHERE scope = $1";
        let query = || sqlx::query(query).bind(scope(everyone));
        let rows = self.single(Access::Read, "read the load rate", query).await?;
        let rate = rows.first().map(|row| {
            Ok(LoadRate {
                file_bytes: count(row.get(0)),
                bars: count(row.get(1)),
                seconds: row.get(2),
                measured_at: instant(row.get(3))?,
            })
        });
        rate.transpose()
    }

    async fn record_load_rate(&mut self, everyone: bool, rate: LoadRate) -> Result<(), StoreError> {
        let write = || {
            sqlx::query(
                "INSERT INTO load_rates (scope, file_bytes, bars, seconds, measured_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (scope) DO UPDATE SET file_bytes = excluded.file_bytes, bars = excluded.bars,
                     seconds = excluded.seconds, measured_at = excluded.measured_at",
            )
            .bind(scope(everyone))
            .bind(stored(rate.file_bytes))
            .bind(stored(rate.bars))
            .bind(rate.seconds)
            .bind(rate.measured_at.as_millisecond())
        };
        self.single(Access::Write, "write the load rate", write).await.map(drop)
    }
}

impl PostgresStore {
    async fn states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
        symbol: Option<&str>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        self.repeatable(Access::Read, "read the ledger", &(dataset, range, symbol), |work, (dataset, range, symbol)| {
            read_states(work, *dataset, range, *symbol).boxed()
        })
        .await
    }
}

const fn scope(everyone: bool) -> &'static str {
    if everyone { "all" } else { "symbols" }
}

/// The states of the days of a range, within a transaction; of what is loaded by name, only what is loaded of a symbol, if one
/// is given.
pub(super) async fn read_states(
    work: &mut Work<'_>,
    dataset: Dataset,
    range: &RangeInclusive<Date>,
    symbol: Option<&str>,
) -> Result<BTreeMap<Date, DayState>, StoreError> {
    let (from, to) = (range.start().to_string(), range.end().to_string());
    let files = sqlx::query(
        "SELECT session_date::text, file, object_key, etag, size_bytes, last_modified, outcome, finished_at,
                content_hash, bars_written, detail
         FROM ingest_ledger WHERE dataset = $1 AND session_date BETWEEN $2::date AND $3::date",
    );
    let files = work.rows(files.bind(dataset.as_str()).bind(&from).bind(&to)).await?;
    let mut states: BTreeMap<Date, DayState> = BTreeMap::new();
    for row in &files {
        let state = states.entry(date(row.get(0))?).or_default();
        let file = Some(file_state(row)?);
        match row.get::<&str, _>(1).parse().map_err(unknown)? {
            FileKind::Minute => state.minute = file,
            FileKind::Day => state.day = file,
        }
    }
    let of = if symbol.is_some() { "AND symbol IN ('*', $4)" } else { "" };
    let select = format!(
        "SELECT session_date::text, symbol, timeframes FROM coverage
         WHERE dataset = $1 AND session_date BETWEEN $2::date AND $3::date {of}"
    );
    let coverage = sqlx::query(AssertSqlSafe(select)).bind(dataset.as_str()).bind(&from).bind(&to);
    let coverage = work.rows(symbol.into_iter().fold(coverage, Statement::bind)).await?;
    for row in &coverage {
        let state = states.entry(date(row.get(0))?).or_default();
        let timeframes = row.get::<&str, _>(2).parse().map_err(unknown)?;
        match row.get::<&str, _>(1) {
            "*" => state.everyone = timeframes,
            symbol => {
                state.named.insert(symbol.to_owned(), timeframes);
            }
        }
    }
    let of = if symbol.is_some() { "AND symbol = $4" } else { "" };
    let select = format!(
        "SELECT session_date::text, symbol, timeframes, provisional, exact_vwap, bars_written, fetched_at, outcome,
                detail, finished_at
         FROM rest_ledger WHERE dataset = $1 AND session_date BETWEEN $2::date AND $3::date {of}"
    );
    let rest = sqlx::query(AssertSqlSafe(select)).bind(dataset.as_str()).bind(&from).bind(&to);
    for row in work.rows(symbol.into_iter().fold(rest, Statement::bind)).await? {
        let (date, symbol, rest) = rest_state(FromRow::from_row(&row).map_err(unknown)?)?;
        states.entry(date).or_default().rest.insert(symbol, rest);
    }
    Ok(states)
}

fn file_state(row: &PgRow) -> Result<FileState, StoreError> {
    let loaded = match (row.get::<Option<String>, _>(2), row.get::<Option<String>, _>(3), row.get::<Option<i64>, _>(4))
    {
        (Some(key), Some(etag), Some(size)) => Some(FileVersion {
            key,
            etag,
            size_bytes: count(size),
            last_modified: row.get::<Option<i64>, _>(5).map(instant).transpose()?,
        }),
        _ => None,
    };
    Ok(FileState {
        loaded,
        content: row.get::<Option<&str>, _>(8).map(str::parse).transpose().map_err(unknown)?,
        bars: count(row.get(9)),
        outcome: row.get::<&str, _>(6).parse().map_err(unknown)?,
        attempted_at: instant(row.get(7))?,
        detail: row.get(10),
    })
}

fn restatement(row: &PgRow) -> Result<Restatement, StoreError> {
    let version = |at: usize| {
        Ok(FileVersion {
            key: row.get(at),
            etag: row.get(at + 1),
            size_bytes: count(row.get(at + 2)),
            last_modified: row.get::<Option<i64>, _>(at + 3).map(instant).transpose()?,
        })
    };
    Ok(Restatement {
        dataset: row.get::<&str, _>(0).parse().map_err(unknown)?,
        date: date(row.get(1))?,
        file: row.get::<&str, _>(2).parse().map_err(unknown)?,
        loaded_at: instant(row.get(3))?,
        old: version(4)?,
        new: version(8)?,
        change: BarChange { added: count(row.get(12)), changed: count(row.get(13)), removed: count(row.get(14)) },
    })
}
