//! Words of the tables that mean nothing to this program: typed by somebody, or by a later version. Every reader of the day
//! they stand in would refuse it.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::defects::day;
use crate::model::{Dataset, FileKind, Outcome, Timeframe, TimeframeSet};
use crate::store::{ContentHash, Defect};

/// A table, a column, and whether a text means something there.
type Column = (&'static str, &'static str, fn(&str) -> bool);

const COLUMNS: [Column; 19] = [
    ("days", "dataset", is_dataset),
    ("days", "session_date", is_date),
    ("symbols", "dataset", is_dataset),
    ("coverage", "dataset", is_dataset),
    ("coverage", "session_date", is_date),
    ("coverage", "timeframes", |text| text.parse::<TimeframeSet>().is_ok()),
    ("ingest_ledger", "dataset", is_dataset),
    ("ingest_ledger", "session_date", is_date),
    ("ingest_ledger", "file", is_file),
    ("ingest_ledger", "outcome", |text| text.parse::<Outcome>().is_ok()),
    ("ingest_ledger", "content_hash", |text| text.parse::<ContentHash>().is_ok()),
    ("ingest_ledger", "last_modified", is_time),
    ("ingest_ledger", "finished_at", is_time),
    ("restatements", "dataset", is_dataset),
    ("restatements", "session_date", is_date),
    ("restatements", "file", is_file),
    ("restatements", "loaded_at", is_time),
    ("restatements", "old_last_modified", is_time),
    ("restatements", "new_last_modified", is_time),
];

fn is_dataset(text: &str) -> bool {
    text.parse::<Dataset>().is_ok()
}

/// Days are looked up by the text of their date, so only one way of writing it will do.
pub(super) fn is_date(text: &str) -> bool {
    text.parse::<Date>().is_ok_and(|date| date.to_string() == text)
}

fn is_file(text: &str) -> bool {
    text.parse::<FileKind>().is_ok()
}

fn is_time(text: &str) -> bool {
    text.parse().is_ok_and(|milliseconds| Timestamp::from_millisecond(milliseconds).is_ok())
}

/// Words that mean nothing, with the column they stand in.
async fn meaningless(
    connection: &mut SqliteConnection,
) -> Result<Vec<(&'static str, &'static str, String)>, sqlx::Error> {
    let mut found = Vec::new();
    for (table, column, means_something) in COLUMNS {
        let sql = format!("SELECT DISTINCT CAST({column} AS TEXT) FROM {table} WHERE {column} IS NOT NULL");
        let words: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
        found.extend(words.into_iter().filter(|word| !means_something(word)).map(|word| (table, column, word)));
    }
    Ok(found)
}

pub(super) async fn unknown_words(connection: &mut SqliteConnection) -> Result<Vec<Defect>, sqlx::Error> {
    let kind = "unknown_word";
    let mut defects = Vec::new();
    for (table, column, word) in meaningless(connection).await? {
        let place = if table == "symbols" { "dataset, ''" } else { "dataset, session_date" };
        let sql = format!("SELECT {place}, COUNT(*) FROM {table} WHERE CAST({column} AS TEXT) = ?1 GROUP BY 1, 2");
        let rows: Vec<(String, String, i64)> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(&word).fetch_all(&mut *connection).await?;
        defects.extend(rows.into_iter().map(|(dataset, date, rows)| Defect {
            kind,
            day: day(&dataset, &date),
            symbol: None,
            detail: format!("`{word}` as {column} in {rows} rows of {table}, {dataset} {date}").trim_end().to_owned(),
        }));
    }
    let stored: Vec<(i64, String)> =
        sqlx::query_as("SELECT timeframe_id, timeframe FROM timeframes ORDER BY 1").fetch_all(connection).await?;
    let expected = Timeframe::ALL.map(|timeframe| (timeframe as i64, timeframe.to_string()));
    if stored != expected {
        let detail = format!("the table timeframes is not {expected:?} but {stored:?}");
        defects.push(Defect { kind, day: None, symbol: None, detail });
    }
    Ok(defects)
}

/// Removes the rows such words stand in; says how many.
pub(super) async fn remove(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    for (table, column, word) in meaningless(connection).await? {
        let sql = format!("DELETE FROM {table} WHERE CAST({column} AS TEXT) = ?1");
        let done = sqlx::query(AssertSqlSafe(sql)).bind(word).execute(&mut *connection).await?;
        removed += done.rows_affected();
    }
    Ok(removed)
}
