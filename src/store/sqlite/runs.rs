//! The record of unattended runs.

use jiff::civil::Date;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::store::values::{date, exit_code, instant};
use crate::store::{ConditionChange, RunEnd, RunRecord, RunStart, Runs, StoreError};

impl Runs for SqliteStore {
    async fn begin_run(&mut self, run: &RunStart) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        // Written again where it was not heard that it was written.
        let sql = "INSERT INTO ingest_runs (run_id, command, started_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let written = sqlx::query(sql)
            .bind(&run.run_id)
            .bind(&run.command)
            .bind(run.started_at.as_millisecond())
            .execute(&mut self.connection)
            .await
            .map(drop)
            .map_err(self.error("write the record of a run"));
        self.end_write(written, "write the record of a run").await
    }

    async fn end_run(&mut self, end: &RunEnd, told: Option<&ConditionChange>) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        let written = self.write_run_end(end, told).await;
        self.end_write(written, "write the record of a run").await
    }

    async fn runs(&mut self, command: &str, most: u32) -> Result<Vec<RunRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT run_id, command, started_at, finished_at, exit_code, complete_to, summary, record FROM ingest_runs
             WHERE (command = ?1 OR substr(command, 1, length(?1) + 1) = ?1 || ' ') ORDER BY started_at DESC, run_id DESC LIMIT ?2",
        )
        .bind(command)
        .bind(most)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.error("read the record of runs"))?;
        rows.iter().map(record).collect()
    }

    async fn complete_to(&mut self, command: &str) -> Result<Option<Date>, StoreError> {
        let known: Option<String> = sqlx::query_scalar(
            "SELECT complete_to FROM ingest_runs WHERE (command = ?1 OR substr(command, 1, length(?1) + 1) = ?1 || ' ') AND complete_to IS NOT NULL
             ORDER BY started_at DESC, run_id DESC LIMIT 1",
        )
        .bind(command)
        .fetch_optional(&mut self.connection)
        .await
        .map_err(self.error("read the record of runs"))?;
        known.as_deref().map(date).transpose()
    }
}

impl SqliteStore {
    async fn write_run_end(&mut self, end: &RunEnd, told: Option<&ConditionChange>) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE ingest_runs SET finished_at = ?2, exit_code = ?3, complete_to = ?4, summary = ?5, record = ?6
             WHERE run_id = ?1",
        )
        .bind(&end.run_id)
        .bind(end.finished_at.as_millisecond())
        .bind(end.exit_code)
        .bind(end.complete_to.map(|date| date.to_string()))
        .bind(&end.summary)
        .bind(&end.record)
        .execute(&mut self.connection)
        .await
        .map_err(self.error("write the record of a run"))?;
        // Somebody else may have told of it meanwhile; then there is nothing to add.
        if let Some(change) = told {
            self.write_change(change).await?;
        }
        Ok(())
    }
}

fn record(row: &SqliteRow) -> Result<RunRecord, StoreError> {
    let run_id: String = row.get(0);
    let start = RunStart { run_id: run_id.clone(), command: row.get(1), started_at: instant(row.get(2))? };
    let Some(finished_at) = row.get::<Option<i64>, _>(3) else { return Ok(RunRecord { start, end: None }) };
    let complete_to: Option<String> = row.get(5);
    let end = RunEnd {
        run_id,
        finished_at: instant(finished_at)?,
        exit_code: exit_code(row.get(4))?,
        complete_to: complete_to.as_deref().map(date).transpose()?,
        summary: row.get::<Option<String>, _>(6).unwrap_or_default(),
        record: row.get::<Option<String>, _>(7).unwrap_or_default(),
    };
    Ok(RunRecord { start, end: Some(end) })
}
