//! What becomes visible with a day's bars: coverage, ledger, restatements.

use sqlx::{AssertSqlSafe, Row};

use super::SqliteStore;
use super::sink::{condition, ids, scope};
use crate::model::{FileKind, TimeframeSet};
use crate::store::values::stored;
use crate::store::{BarChange, DayCommit, FileVersion, LoadedFile, StoreError};

impl SqliteStore {
    pub(super) async fn write_commit(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        // First, while coverage and ledger still tell of the load before.
        self.write_restatements(commit).await?;
        crash_point!("restatements-written");
        self.write_coverage(commit).await?;
        crash_point!("coverage-written");
        self.write_ledger(commit).await?;
        crash_point!("ledger-written");
        self.write_kept(commit).await
    }

    async fn write_restatements(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        if self.day().restated.is_empty() {
            return Ok(());
        }
        for file in &commit.files {
            let replaced =
                self.day().restated.iter().any(|what| !what.timeframes.and(file.kind.timeframes()).is_empty());
            let old = self.day().state.loaded(file.kind).filter(|old| !old.is_same_content(&file.version)).cloned();
            if let (true, Some(old)) = (replaced, old) {
                let change = self.compare(file.kind).await?;
                self.write_restatement(commit, file, &old, change).await?;
            }
        }
        self.remove_aside().await
    }

    /// Holds the bars that were set aside against those that took their place.
    async fn compare(&mut self, kind: FileKind) -> Result<BarChange, StoreError> {
        let mut change = BarChange::default();
        for what in self.day().restated.clone() {
            let timeframes = what.timeframes.and(kind.timeframes());
            for symbol in scope(&what) {
                let before = self.count_aside(timeframes, symbol).await?;
                let (added, same_place, changed) = self.compare_with_aside(timeframes, symbol).await?;
                change.added += added;
                change.changed += changed;
                change.removed += before.saturating_sub(same_place);
            }
        }
        Ok(change)
    }

    async fn count_aside(&mut self, timeframes: TimeframeSet, symbol: Option<&str>) -> Result<u64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM bars WHERE {}", condition("", timeframes, symbol));
        let count = sqlx::query_scalar(AssertSqlSafe(sql)).bind(self.day().aside).bind(symbol);
        let bars: i64 = count.fetch_one(&mut self.connection).await.map_err(self.error("compare bars"))?;
        Ok(bars.unsigned_abs())
    }

    /// How many bars stand where none was set aside, how many where one was, and how many of these differ from it. One
    /// pass over the new bars, with a seek for each. What was not covered before is loaded for the first time, and tells
    /// nothing about the vendor.
    async fn compare_with_aside(
        &mut self,
        timeframes: TimeframeSet,
        symbol: Option<&str>,
    ) -> Result<(u64, u64, u64), StoreError> {
        let day = self.day();
        let sql = format!(
            "SELECT COUNT(*) FILTER (WHERE o.symbol IS NULL AND (n.timeframe_id IN ({everyone}) OR EXISTS (
                        SELECT 1 FROM coverage c JOIN timeframes t ON t.timeframe_id = n.timeframe_id
                        WHERE c.dataset = ?4 AND c.session_date = ?5 AND c.symbol = n.symbol
                          AND INSTR(',' || c.timeframes || ',', ',' || t.timeframe || ',') > 0))),
                    COUNT(o.symbol),
                    COUNT(*) FILTER (WHERE o.symbol IS NOT NULL
                        AND (n.open, n.high, n.low, n.close, n.volume, n.vwap, n.trades, n.shape_id, n.minutes)
                        IS NOT (o.open, o.high, o.low, o.close, o.volume, o.vwap, o.trades, o.shape_id, o.minutes))
             FROM bars n LEFT JOIN bars o ON o.day_id = ?3 AND o.symbol = n.symbol
                 AND o.timeframe_id = n.timeframe_id AND o.timestamp = n.timestamp
             WHERE {condition}",
            everyone = ids(day.state.everyone),
            condition = condition("n.", timeframes, symbol),
        );
        let compare = sqlx::query(AssertSqlSafe(sql))
            .bind(day.day_id)
            .bind(symbol)
            .bind(day.aside)
            .bind(day.dataset.as_str())
            .bind(day.date.clone());
        let row = compare.fetch_one(&mut self.connection).await.map_err(self.error("compare bars"))?;
        let count = |at: usize| row.get::<i64, _>(at).unsigned_abs();
        Ok((count(0), count(1), count(2)))
    }

    async fn write_restatement(
        &mut self,
        commit: &DayCommit,
        file: &LoadedFile,
        old: &FileVersion,
        change: BarChange,
    ) -> Result<(), StoreError> {
        let mut insert = sqlx::query(
            "INSERT INTO restatements (dataset, session_date, file, loaded_at, old_object_key, old_etag,
                 old_size_bytes, old_last_modified, new_object_key, new_etag, new_size_bytes, new_last_modified,
                 bars_added, bars_changed, bars_removed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )
        .bind(self.day().dataset.as_str())
        .bind(self.day().date.clone())
        .bind(file.kind.as_str())
        .bind(commit.finished_at.as_millisecond());
        for version in [old, &file.version] {
            insert = insert
                .bind(&version.key)
                .bind(&version.etag)
                .bind(stored(version.size_bytes))
                .bind(version.last_modified.map(jiff::Timestamp::as_millisecond));
        }
        insert
            .bind(stored(change.added))
            .bind(stored(change.changed))
            .bind(stored(change.removed))
            .execute(&mut self.connection)
            .await
            .map_err(self.error("write a restatement"))?;
        Ok(())
    }

    async fn write_coverage(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        let day = self.day();
        let (dataset, date, state) = (day.dataset.as_str(), day.date.clone(), day.state.clone());
        let everyone = ("*".to_owned(), commit.everyone, state.everyone);
        let named = commit
            .named
            .iter()
            .map(|(symbol, added)| (symbol.clone(), *added, state.named.get(symbol).copied().unwrap_or_default()));
        for (symbol, added, before) in std::iter::once(everyone).chain(named) {
            let now = before.union(added);
            if now == before {
                continue;
            }
            sqlx::query(
                "INSERT INTO coverage (dataset, session_date, symbol, timeframes) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET timeframes = excluded.timeframes",
            )
            .bind(dataset)
            .bind(&date)
            .bind(symbol)
            .bind(now.to_string())
            .execute(&mut self.connection)
            .await
            .map_err(self.error("write the coverage"))?;
        }
        Ok(())
    }

    async fn write_ledger(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        let day = self.day();
        let (dataset, date) = (day.dataset.as_str(), day.date.clone());
        let all = !day.state.everyone.union(commit.everyone).is_empty();
        for file in &commit.files {
            let version = &file.version;
            let bars = self.day().kept[file.kind as usize] + file.bars_written;
            sqlx::query(
                "INSERT INTO ingest_ledger (dataset, session_date, file, scope, object_key, etag, size_bytes,
                     last_modified, rows_read, rows_rejected, symbols_seen, bars_written, outcome, detail, started_at,
                     finished_at, content_hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'loaded', ?16, ?13, ?14, ?15)
                 ON CONFLICT DO UPDATE SET scope = excluded.scope, object_key = excluded.object_key,
                     etag = excluded.etag, size_bytes = excluded.size_bytes, last_modified = excluded.last_modified,
                     rows_read = excluded.rows_read, rows_rejected = excluded.rows_rejected,
                     symbols_seen = excluded.symbols_seen, bars_written = excluded.bars_written,
                     outcome = excluded.outcome, detail = excluded.detail, started_at = excluded.started_at,
                     finished_at = excluded.finished_at, content_hash = excluded.content_hash",
            )
            .bind(dataset)
            .bind(&date)
            .bind(file.kind.as_str())
            .bind(if all { "all" } else { "symbols" })
            .bind(&version.key)
            .bind(&version.etag)
            .bind(stored(version.size_bytes))
            .bind(version.last_modified.map(jiff::Timestamp::as_millisecond))
            .bind(stored(file.rows_read))
            .bind(stored(file.rows_rejected))
            .bind(stored(file.symbols_seen))
            .bind(stored(bars))
            .bind(commit.started_at.as_millisecond())
            .bind(commit.finished_at.as_millisecond())
            .bind(file.content.map(|content| content.to_string()))
            .bind(&file.accepted)
            .execute(&mut self.connection)
            .await
            .map_err(self.error("write the ledger"))?;
        }
        Ok(())
    }

    /// Counts what is left of a file that was not read now, but whose bars were removed.
    async fn write_kept(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        for kind in FileKind::ALL {
            let day = self.day();
            let kept = day.kept[kind as usize];
            let is_read = commit.files.iter().any(|file| file.kind == kind);
            if is_read || day.state.file(kind).is_none_or(|file| file.bars == kept) {
                continue;
            }
            let sql =
                "UPDATE ingest_ledger SET bars_written = ?4 WHERE dataset = ?1 AND session_date = ?2 AND file = ?3";
            sqlx::query(sql)
                .bind(day.dataset.as_str())
                .bind(day.date.clone())
                .bind(kind.as_str())
                .bind(stored(kept))
                .execute(&mut self.connection)
                .await
                .map_err(self.error("write the ledger"))?;
        }
        Ok(())
    }
}
