//! SQLite in a temporary file.

use barkeep::store::sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Connection};

use crate::{Bench, common};

struct SqliteBench(common::Desk);

impl Bench for SqliteBench {
    type Store = SqliteStore;

    async fn new() -> Option<Self> {
        Some(Self(common::Desk::new()))
    }

    async fn open(&self) -> SqliteStore {
        self.0.store().await
    }

    async fn execute(&self, sql: &str) {
        let mut connection = common::connect(&self.0.database()).await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn counts(&self, sql: &str) -> Vec<(String, String, i64, i64, i64)> {
        let mut connection = common::connect(&self.0.database()).await;
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
    }

    async fn points(&self, sql: &str) -> Vec<(i64, f64)> {
        let mut connection = common::connect(&self.0.database()).await;
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
    }
}

conformance!(SqliteBench);
