//! PostgreSQL, in a schema of its own.

use barkeep::store::postgres::PostgresStore;
use sqlx::AssertSqlSafe;

use crate::Bench;
use crate::database::Schema;

struct PostgresBench(Schema);

impl Bench for PostgresBench {
    type Store = PostgresStore;

    async fn new() -> Option<Self> {
        Schema::new().map(Self)
    }

    async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.0.url().parse().unwrap()).await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        self.0.execute(sql);
    }

    async fn counts(&self, sql: &str) -> Vec<(String, String, i64, i64, i64)> {
        let mut connection = self.0.connect().await;
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
    }

    async fn points(&self, sql: &str) -> Vec<(i64, f64)> {
        let mut connection = self.0.connect().await;
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
    }
}

conformance!(PostgresBench);
