//! A PostgreSQL database for tests: a schema of its own for each, in the server of `TEST_DATABASE_URL`.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use barkeep::store::postgres::PostgresStore;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

/// A schema that is there as long as this value.
#[derive(Debug)]
pub struct Schema {
    server: String,
    name: String,
    /// Whether it goes with this value.
    is_ours: bool,
}

impl Schema {
    /// A new, empty one; `None`, said aloud, where there is no server. `scripts/test` starts one.
    pub fn new() -> Option<Self> {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            eprintln!(
                "SKIPPED: TEST_DATABASE_URL is not set, nothing was tested against PostgreSQL; ./scripts/test sets it"
            );
            return None;
        };
        Some(Self::in_server(server))
    }

    /// A new, empty one in another server.
    pub fn in_server(server: String) -> Self {
        let name = format!("barkeep_test_{}_{:08x}", std::process::id(), fastrand::u32(..));
        let schema = Self { server, name, is_ours: true };
        schema.at_server(&format!("CREATE SCHEMA {}", schema.name));
        schema
    }

    /// Another one with the same tables and rows, but for what numbers itself.
    pub fn copy(&self) -> Self {
        let copy = Self::new().expect("the server of this one");
        wait(async {
            let made = PostgresStore::open(&copy.url().parse().unwrap()).await.unwrap();
            made.close().await.unwrap();
        });
        let (from, to) = (&self.name, &copy.name);
        let partitions = "SELECT format('CREATE TABLE %I PARTITION OF historical_bars %s', c.relname, \
                              pg_get_expr(c.relpartbound, c.oid)) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                          WHERE i.inhparent = 'historical_bars'::regclass";
        copy.execute(&self.query(partitions).join(";"));
        let tables = ["historical_bars", "ingest_ledger", "coverage", "rest_ledger", "load_rates"];
        let fill = tables.map(|table| format!("INSERT INTO {to}.{table} SELECT * FROM {from}.{table}"));
        copy.execute(&fill.join(";"));
        copy
    }

    /// What a user would set as `DATABASE_URL`.
    pub fn url(&self) -> String {
        self.url_at(&self.server)
    }

    /// Where the server listens.
    pub fn server_address(&self) -> std::net::SocketAddr {
        use std::net::ToSocketAddrs;
        let server = url::Url::parse(&self.server).unwrap();
        let server = (server.host_str().unwrap(), server.port().unwrap_or(5432));
        server.to_socket_addrs().unwrap().next().unwrap()
    }

    /// The same through another host and port.
    pub fn url_through(&self, address: std::net::SocketAddr) -> String {
        let mut server = url::Url::parse(&self.server).unwrap();
        server.set_host(Some(&address.ip().to_string())).unwrap();
        server.set_port(Some(address.port())).unwrap();
        self.url_at(server.as_str())
    }

    fn url_at(&self, server: &str) -> String {
        let mut url = url::Url::parse(server).unwrap();
        url.query_pairs_mut().append_pair("options", &format!("-csearch_path={}", self.name));
        url.into()
    }

    /// A connection like another program's.
    pub async fn connect(&self) -> PgConnection {
        self.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
    }

    /// The rows of a query, as another program sees them.
    pub fn rows(&self, sql: &str) -> Vec<PgRow> {
        wait(async {
            let mut connection = self.connect().await;
            let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows
        })
    }

    /// The first column of a query's rows, which is a text.
    pub fn query(&self, sql: &str) -> Vec<String> {
        self.rows(sql).iter().map(|row| row.get(0)).collect()
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        wait(async {
            let mut connection = self.connect().await;
            connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// Does something while a statement's locks are held, has the server end the connection of the first that waits for
    /// them, as an administrator or a restart would, and lets go.
    #[track_caller]
    pub fn ending_who_waits_for<T: Send>(&self, lock: &str, what: impl FnOnce() -> T + Send) -> T {
        const WAITING: &str =
            "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))";
        std::thread::scope(|scope| {
            let (doing, ended) = wait(async {
                let mut holder = self.connect().await;
                holder.execute(AssertSqlSafe(format!("BEGIN; {lock}"))).await.unwrap();
                let doing = scope.spawn(what);
                let mut ended = None;
                while !doing.is_finished() {
                    let waiting: Vec<i32> = sqlx::query_scalar(WAITING).fetch_all(&mut holder).await.unwrap();
                    match (ended, waiting.first()) {
                        (None, Some(pid)) => {
                            sqlx::query("SELECT pg_terminate_backend($1)")
                                .bind(pid)
                                .execute(&mut holder)
                                .await
                                .unwrap();
                            ended = Some(*pid);
                        }
                        (Some(pid), _) if !waiting.contains(&pid) => break,
                        _ => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                    }
                }
                holder.close().await.unwrap();
                (doing, ended)
            });
            let done = doing.join().unwrap();
            assert!(ended.is_some(), "nobody waited for {lock}");
            done
        })
    }

    fn at_server(&self, sql: &str) {
        Self::at(&self.server, sql);
    }

    fn at(server: &str, sql: &str) {
        wait(async {
            let mut connection = server.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
            connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
            connection.close().await.unwrap();
        });
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if self.is_ours {
            self.at_server(&format!("SET client_min_messages = warning; DROP SCHEMA {} CASCADE", self.name));
        }
    }
}

/// A database of its own behind the connection pooler of `TEST_DATABASE_POOL`, which hands every transaction to whichever
/// server connection is free.
#[derive(Debug)]
pub struct Pooled {
    server: String,
    pool: String,
    name: String,
}

impl Pooled {
    /// A new, empty one; `None`, said aloud, where there is no pooler.
    pub fn new() -> Option<Self> {
        let [Ok(server), Ok(pool)] = ["TEST_DATABASE_URL", "TEST_DATABASE_POOL"].map(std::env::var) else {
            eprintln!(
                "SKIPPED: TEST_DATABASE_POOL is not set, nothing was tested behind a pooler; ./scripts/test sets it"
            );
            return None;
        };
        let name = format!("barkeep_test_{}_{:08x}", std::process::id(), fastrand::u32(..));
        Schema::at(&server, &format!("CREATE DATABASE {name}"));
        Some(Self { server, pool, name })
    }

    /// Its address behind the pooler.
    pub fn url(&self) -> String {
        with_database(&self.pool, &self.name)
    }

    /// The same without the pooler.
    pub fn direct(&self) -> Schema {
        Schema { server: with_database(&self.server, &self.name), name: "public".to_owned(), is_ours: false }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        Schema::at(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn with_database(server: &str, name: &str) -> String {
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(name);
    url.into()
}

/// Waits for something on a thread of its own, whether or not this one belongs to a runtime.
fn wait<T: Send>(what: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what));
        waiting.join().unwrap()
    })
}
