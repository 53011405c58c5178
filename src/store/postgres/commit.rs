//! What makes a day visible: coverage, the ledger, and what a replaced file has changed.

use sqlx::{AssertSqlSafe, Row};

use super::sink::counted;
use super::{PostgresStore, StoreError, sql};
use crate::model::TimeframeSet;
use crate::store::values::{count, stored};
use crate::store::{BarChange, DayCommit, LoadedFile};

impl PostgresStore {
    pub(super) async fn write_coverage(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        let (dataset, date, state) = (self.day().dataset, self.day().date, self.day().state.clone());
        let everyone = ("*", commit.everyone, state.everyone);
        let named = commit
            .named
            .iter()
            .map(|(symbol, added)| (symbol.as_str(), *added, state.named.get(symbol).copied().unwrap_or_default()));
        let (symbols, timeframes): (Vec<&str>, Vec<String>) = std::iter::once(everyone)
            .chain(named)
            .map(|(symbol, added, before)| (symbol, before.union(added), before))
            .filter(|(_, now, before)| now != before)
            .map(|(symbol, now, _)| (symbol, now.to_string()))
            .unzip();
        if symbols.is_empty() {
            return Ok(());
        }
        let insert = sqlx::query(
            "INSERT INTO coverage (dataset, session_date, symbol, timeframes)
             SELECT $1, $2::date, symbol, timeframes FROM unnest($3::text[], $4::text[]) AS c (symbol, timeframes)
             ON CONFLICT (dataset, session_date, symbol) DO UPDATE SET timeframes = excluded.timeframes",
        );
        let insert = insert.bind(dataset.as_str()).bind(date.to_string()).bind(symbols).bind(timeframes);
        self.work("write the coverage").execute(insert).await.map(drop)
    }

    pub(super) async fn write_ledger(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        let (dataset, date) = (self.day().dataset, self.day().date);
        let all = !self.day().state.everyone.union(commit.everyone).is_empty();
        for file in &commit.files {
            let version = &file.version;
            let before = self.day().state.file(file.kind).map_or(0, |file| file.bars);
            let bars = before.saturating_sub(self.day().removed[file.kind as usize]) + file.bars_written;
            let insert = sqlx::query(
                "INSERT INTO ingest_ledger AS l (dataset, session_date, file, scope, object_key, etag, size_bytes,
                     last_modified, rows_read, rows_rejected, symbols_seen, bars_written, outcome, detail, started_at,
                     finished_at, content_hash)
                 VALUES ($1, $2::date, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'loaded', NULL, $13, $14, $15)
                 ON CONFLICT (dataset, session_date, file) DO UPDATE SET scope = excluded.scope,
                     object_key = excluded.object_key, etag = excluded.etag, size_bytes = excluded.size_bytes,
                     last_modified = excluded.last_modified, rows_read = excluded.rows_read,
                     rows_rejected = excluded.rows_rejected, symbols_seen = excluded.symbols_seen,
                     bars_written = excluded.bars_written, outcome = excluded.outcome, detail = NULL,
                     started_at = excluded.started_at, finished_at = excluded.finished_at,
                     content_hash = excluded.content_hash",
            )
            .bind(dataset.as_str())
            .bind(date.to_string())
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
            .bind(file.content.map(|content| content.to_string()));
            self.work("write the ledger").execute(insert).await?;
        }
        Ok(())
    }

    /// Remembers which files have replaced others, and how the bars differ.
    pub(super) async fn write_restatements(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        for file in &commit.files {
            let old = self.day().state.loaded(file.kind).filter(|old| !old.is_same_content(&file.version)).cloned();
            let compared = self.day().kept.and(file.kind.timeframes());
            let Some(old) = old.filter(|_| !compared.is_empty()) else { continue };
            let change = self.compare(compared, file).await?;
            let (dataset, date, new) = (self.day().dataset, self.day().date, &file.version);
            let insert = sqlx::query(
                "INSERT INTO restatements (dataset, session_date, file, loaded_at, old_object_key, old_etag,
                     old_size_bytes, old_last_modified, new_object_key, new_etag, new_size_bytes, new_last_modified,
                     bars_added, bars_changed, bars_removed)
                 VALUES ($1, $2::date, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            )
            .bind(dataset.as_str())
            .bind(date.to_string())
            .bind(file.kind.as_str())
            .bind(commit.finished_at.as_millisecond())
            .bind(&old.key)
            .bind(&old.etag)
            .bind(stored(old.size_bytes))
            .bind(old.last_modified.map(jiff::Timestamp::as_millisecond))
            .bind(&new.key)
            .bind(&new.etag)
            .bind(stored(new.size_bytes))
            .bind(new.last_modified.map(jiff::Timestamp::as_millisecond))
            .bind(stored(change.added))
            .bind(stored(change.changed))
            .bind(stored(change.removed));
            self.work("write the restatements").execute(insert).await?;
        }
        Ok(())
    }

    /// How the day's bars of some timeframes differ from those that were removed.
    async fn compare(&mut self, timeframes: TimeframeSet, file: &LoadedFile) -> Result<BarChange, StoreError> {
        let (frames, range) = (sql::words(timeframes), sql::within(&self.day().range_ms));
        let mut work = self.work("compare bars");
        work.script("ANALYZE barkeep_replaced").await?;
        let removed = format!("SELECT COUNT(*) FROM barkeep_replaced WHERE timeframe IN ({frames})");
        let removed = counted(&work.rows(sqlx::query(AssertSqlSafe(removed))).await?);
        let both = format!(
            "SELECT COUNT(*), COUNT(*) FILTER (WHERE r IS DISTINCT FROM b)
             FROM barkeep_replaced r JOIN historical_bars b USING (symbol, timeframe, timestamp)
             WHERE r.timeframe IN ({frames}) AND {range}"
        );
        let rows = work.rows(sqlx::query(AssertSqlSafe(both))).await?;
        let at = |place: usize| rows.first().map_or(0, |row| count(row.get(place)));
        let (matched, changed) = (at(0), at(1));
        Ok(BarChange { added: file.bars_written.saturating_sub(matched), changed, removed: removed - matched })
    }
}
