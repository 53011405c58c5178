//! What makes a day visible: coverage, ledger, restatements.

use sqlx::{AssertSqlSafe, Row};

use super::sink::counted;
use super::transaction::Statement;
use super::{PostgresStore, StoreError, sql};
use crate::model::{FileKind, TimeframeSet};
use crate::store::values::{count, stored};
use crate::store::{BarChange, DayCommit, FileVersion, LoadedFile};

impl PostgresStore {
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

    async fn write_coverage(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
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

    async fn write_ledger(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        let (dataset, date) = (self.day().dataset, self.day().date);
        let all = !self.day().state.everyone.union(commit.everyone).is_empty();
        for file in &commit.files {
            let version = &file.version;
            let bars = self.day().kept[file.kind as usize] + file.bars_written;
            let insert = sqlx::query(
                "INSERT INTO ingest_ledger AS l (dataset, session_date, file, scope, object_key, etag, size_bytes,
                     last_modified, rows_read, rows_rejected, symbols_seen, bars_written, outcome, detail, started_at,
                     finished_at, content_hash)
                 VALUES ($1, $2::date, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'loaded', $16, $13, $14, $15)
                 ON CONFLICT (dataset, session_date, file) DO UPDATE SET scope = excluded.scope,
                     object_key = excluded.object_key, etag = excluded.etag, size_bytes = excluded.size_bytes,
                     last_modified = excluded.last_modified, rows_read = excluded.rows_read,
                     rows_rejected = excluded.rows_rejected, symbols_seen = excluded.symbols_seen,
                     bars_written = excluded.bars_written, outcome = excluded.outcome, detail = excluded.detail,
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
            .bind(file.content.map(|content| content.to_string()))
            .bind(&file.accepted);
            self.work("write the ledger").execute(insert).await?;
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
            let update = sqlx::query(
                "UPDATE ingest_ledger SET bars_written = $4 WHERE dataset = $1 AND session_date = $2::date AND file = $3",
            );
            let update = update.bind(day.dataset.as_str()).bind(day.date.to_string()).bind(kind.as_str());
            self.work("write the ledger").execute(update.bind(stored(kept))).await?;
        }
        Ok(())
    }

    /// Remembers which files have replaced others, and how the bars differ.
    async fn write_restatements(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        if self.day().restated.is_empty() {
            return Ok(());
        }
        self.work("compare bars").script("ANALYZE barkeep_aside").await?;
        for file in &commit.files {
            let replaced =
                self.day().restated.iter().any(|what| !what.timeframes.and(file.kind.timeframes()).is_empty());
            let old = self.day().state.loaded(file.kind).filter(|old| !old.is_same_content(&file.version)).cloned();
            if let (true, Some(old)) = (replaced, old) {
                let change = self.compare(file.kind).await?;
                self.write_restatement(commit, file, &old, change).await?;
            }
        }
        Ok(())
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
             VALUES ($1, $2::date, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(self.day().dataset.as_str())
        .bind(self.day().date.to_string())
        .bind(file.kind.as_str())
        .bind(commit.finished_at.as_millisecond());
        for version in [old, &file.version] {
            insert = insert
                .bind(&version.key)
                .bind(&version.etag)
                .bind(stored(version.size_bytes))
                .bind(version.last_modified.map(jiff::Timestamp::as_millisecond));
        }
        let insert = insert.bind(stored(change.added)).bind(stored(change.changed)).bind(stored(change.removed));
        self.work("write a restatement").execute(insert).await.map(drop)
    }

    /// Holds the bars that were set aside against those that took their place.
    async fn compare(&mut self, kind: FileKind) -> Result<BarChange, StoreError> {
        let mut change = BarChange::default();
        for what in self.day().restated.clone() {
            let timeframes = what.timeframes.and(kind.timeframes());
            let of = if what.symbols.is_some() { "symbol = ANY($1) AND " } else { "" };
            let sql = format!("SELECT COUNT(*) FROM barkeep_aside WHERE {of}timeframe IN ({})", sql::words(timeframes));
            let query = what.symbols.iter().fold(sqlx::query(AssertSqlSafe(sql)), Statement::bind);
            let before = counted(&self.work("compare bars").rows(query).await?);
            let (added, same_place, changed) = self.compare_with_aside(timeframes, what.symbols.as_deref()).await?;
            change.added += added;
            change.changed += changed;
            change.removed += before.saturating_sub(same_place);
        }
        Ok(change)
    }

    /// How many bars stand where none was set aside, how many where one was, and how many of these differ from it. What was
    /// not covered before is loaded for the first time, and tells nothing about the vendor.
    async fn compare_with_aside(
        &mut self,
        timeframes: TimeframeSet,
        symbols: Option<&[String]>,
    ) -> Result<(u64, u64, u64), StoreError> {
        let day = self.day();
        let (dataset, date, range) = (day.dataset, day.date.to_string(), sql::within(&day.range_ms));
        let select = |with: &str, of: &str| {
            format!(
                "WITH RECURSIVE {with}
                     n AS (SELECT b.* FROM historical_bars b
                           WHERE {of} AND b.timeframe IN ({frames}) AND {range})
                 SELECT COUNT(*) FILTER (WHERE o.symbol IS NULL AND (n.timeframe IN ({everyone}) OR EXISTS (
                            SELECT 1 FROM coverage c
                            WHERE c.dataset = $1 AND c.session_date = $2::date AND c.symbol = n.symbol
                              AND n.timeframe = ANY(string_to_array(c.timeframes, ','))))),
                        COUNT(o.symbol),
                        COUNT(*) FILTER (WHERE o.symbol IS NOT NULL AND ROW(n.*) IS DISTINCT FROM ROW(o.*))
                 FROM n LEFT JOIN barkeep_aside o
                     ON o.symbol = n.symbol AND o.timeframe = n.timeframe AND o.timestamp = n.timestamp",
                frames = sql::words(timeframes),
                everyone = sql::words(day.state.everyone),
            )
        };
        let selects: Vec<String> = match symbols {
            Some(_) => vec![select("", "b.symbol = ANY($3)")],
            None => sql::segments(dataset)
                .iter()
                .map(|segment| {
                    let with = format!("{},", sql::symbols_where(&format!("{segment} AND {range}")));
                    select(&with, "b.symbol IN (SELECT symbol FROM found)")
                })
                .collect(),
        };
        let mut counts = [0; 3];
        let mut work = self.work("compare bars");
        for sql in selects {
            let query = sqlx::query(AssertSqlSafe(sql)).bind(dataset.as_str()).bind(&date);
            let query = symbols.into_iter().fold(query, Statement::bind);
            let rows = work.rows(query).await?;
            let row = rows.first();
            counts.iter_mut().zip(0_usize..).for_each(|(sum, at)| *sum += row.map_or(0, |row| count(row.get(at))));
        }
        let [added, same_place, changed] = counts;
        Ok((added, same_place, changed))
    }
}
