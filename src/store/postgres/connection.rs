//! Where a database is, and a connection to it.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use super::copy::CopyTask;
use super::error::unreachable;
use super::{PATIENCE, StoreError};

/// How long a connection may take to come about.
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(20);

/// Oldest server that can do all that is asked of it here.
const OLDEST_SERVER: u32 = 13;

/// Where a PostgreSQL database is, and how to get in. Shows neither the password nor the parameters of its address.
#[derive(Clone)]
pub struct PostgresAddress {
    pub(super) options: PgConnectOptions,
    name: String,
    pub(super) patience: Duration,
}

impl PostgresAddress {
    /// How messages name it: `host:port/database`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresAddress").field(&self.name).finish()
    }
}

impl FromStr for PostgresAddress {
    type Err = StoreError;

    /// Reads `postgres://user:password@host:port/database?sslmode=…`. What it leaves out comes from `PGHOST`, `PGUSER`,
    /// `PGPASSWORD`, the password file and so on, as with `psql`. With `tcp_user_timeout=…` (milliseconds) a server that
    /// does not answer for so long counts as gone; the default is ten minutes.
    fn from_str(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Address(error.to_string()))?;
        let options = options
            .application_name("barkeep")
            // A pooler need not know this parameter; floats travel in binary anyway.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        let host =
            options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let name = format!("{host}:{}/{database}", options.get_port());
        let patience = match parameter(url, "tcp_user_timeout") {
            Some(milliseconds) => Duration::from_millis(milliseconds.parse().map_err(|_| {
                StoreError::Address(format!("tcp_user_timeout={milliseconds} is not a number of milliseconds"))
            })?),
            None => PATIENCE,
        };
        Ok(Self { options, name, patience })
    }
}

/// A parameter behind the question mark.
fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// The connection and what it is busy with.
#[derive(Debug)]
pub(super) enum Link {
    /// Nothing, or a transaction that waits for its next statement.
    Ready(Box<PgConnection>),
    /// A stream of bars.
    Copying(CopyTask),
    /// It was lost, and with it the transaction.
    Lost,
}

impl Link {
    pub(super) async fn open(address: &PostgresAddress) -> Result<Self, StoreError> {
        Ok(Self::Ready(Box::new(connect(address).await?)))
    }

    pub(super) async fn close(self) {
        if let Self::Ready(connection) = self {
            close(*connection).await;
        }
    }
}

pub(super) async fn connect(address: &PostgresAddress) -> Result<PgConnection, StoreError> {
    let patience = CONNECT_PATIENCE.min(address.patience);
    let connected = within(patience, address.options.connect()).await;
    let connection = connected.map_err(|source| unreachable(&address.name, source))?;
    if let Some(version) = connection.server_version_num().filter(|version| *version < OLDEST_SERVER * 10_000) {
        close(connection).await;
        let database = address.name.clone();
        return Err(StoreError::TooOld { database, version: version / 10_000, oldest: OLDEST_SERVER });
    }
    Ok(connection)
}

/// Says farewell. The server rolls back what is open when a connection ends, politely or not.
pub(super) async fn close(connection: PgConnection) {
    let _ = within(CONNECT_PATIENCE, connection.close()).await;
}

/// Waits for an answer, but not for ever: a server, or what lies before it, may fall silent without ending the connection.
pub(super) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let silence = || {
        let silence = format!("no answer for {} s", patience.as_secs());
        sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, silence))
    };
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| Err(silence()))
}
