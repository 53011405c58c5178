//! The record of unattended runs.

use jiff::civil::Date;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::outbox::write_change;
use super::transaction::Access;
use super::{PostgresStore, StoreError};
use crate::store::values::{date, exit_code, instant};
use crate::store::{ConditionChange, RunEnd, RunRecord, RunStart, Runs};

impl Runs for PostgresStore {
    async fn begin_run(&mut self, run: &RunStart) -> Result<(), StoreError> {
        let mut work = self.begin(Access::Write, "write the record of a run").await?;
        // Written again where it was not heard that it was written.
        let sql = "INSERT INTO ingest_runs (run_id, command, started_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(&run.run_id).bind(&run.command).bind(run.started_at.as_millisecond());
        work.execute(query).await?;
        work.commit().await
    }

    async fn end_run(&mut self, end: &RunEnd, told: Option<&ConditionChange>) -> Result<(), StoreError> {
        let mut work = self.begin(Access::Write, "write the record of a run").await?;
        let query = sqlx::query(
            "UPDATE ingest_runs SET finished_at = $2, exit_code = $3, complete_to = $4::text::date, summary = $5,
                 record = $6::text::jsonb
             WHERE run_id = $1",
        )
        .bind(&end.run_id)
        .bind(end.finished_at.as_millisecond())
        .bind(i32::from(end.exit_code))
        .bind(end.complete_to.map(|date| date.to_string()))
        .bind(&end.summary)
        .bind(&end.record);
        work.execute(query).await?;
        // Somebody else may have told of it meanwhile; then there is nothing to add.
        if let Some(change) = told {
            write_change(&mut work, change).await?;
        }
        work.commit().await
    }

    async fn runs(&mut self, command: &str, most: u32) -> Result<Vec<RunRecord>, StoreError> {
        let mut work = self.begin(Access::Read, "read the record of runs").await?;
        let query = sqlx::query(
            "SELECT run_id, command, started_at, finished_at, exit_code, complete_to::text, summary, record::text
             FROM ingest_runs WHERE (command = $1 OR substr(command, 1, length($1) + 1) = $1 || ' ') ORDER BY started_at DESC, run_id DESC LIMIT $2",
        );
        let rows = work.rows(query.bind(command).bind(i64::from(most))).await?;
        let records = rows.iter().map(record).collect::<Result<_, _>>()?;
        work.done(records).await
    }

    async fn complete_to(&mut self, command: &str) -> Result<Option<Date>, StoreError> {
        let mut work = self.begin(Access::Read, "read the record of runs").await?;
        let query = sqlx::query(
            "SELECT complete_to::text FROM ingest_runs WHERE (command = $1 OR substr(command, 1, length($1) + 1) = $1 || ' ') AND complete_to IS NOT NULL
             ORDER BY started_at DESC, run_id DESC LIMIT 1",
        );
        let rows = work.rows(query.bind(command)).await?;
        let known = rows.first().map(|row| date(row.get(0))).transpose()?;
        work.done(known).await
    }
}

fn record(row: &PgRow) -> Result<RunRecord, StoreError> {
    let run_id: String = row.get(0);
    let start = RunStart { run_id: run_id.clone(), command: row.get(1), started_at: instant(row.get(2))? };
    let Some(finished_at) = row.get::<Option<i64>, _>(3) else { return Ok(RunRecord { start, end: None }) };
    let complete_to: Option<&str> = row.get(5);
    let end = RunEnd {
        run_id,
        finished_at: instant(finished_at)?,
        exit_code: exit_code(row.get::<Option<i32>, _>(4).map(i64::from))?,
        complete_to: complete_to.map(date).transpose()?,
        summary: row.get::<Option<String>, _>(6).unwrap_or_default(),
        record: row.get::<Option<String>, _>(7).unwrap_or_default(),
    };
    Ok(RunRecord { start, end: Some(end) })
}
