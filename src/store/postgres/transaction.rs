//! Statements in transactions.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, Postgres};

use super::connection::{Link, within};
use super::error::named;
use super::{PostgresStore, StoreError};
use crate::store::Outage;

/// What a transaction asks of the server for as long as it lasts: to notice a client that is gone without a word, so that
/// its locks do not outlive it. Bars are worth waiting for, so there is no limit on statements or locks.
const SETTINGS: &str = "SET LOCAL idle_in_transaction_session_timeout = '5min'; SET LOCAL statement_timeout = 0; \
                        SET LOCAL lock_timeout = 0; SET LOCAL tcp_keepalives_idle = 30; \
                        SET LOCAL tcp_keepalives_interval = 10; SET LOCAL tcp_keepalives_count = 3";

/// How long a server may take to restart, from where the connection to it was lost.
const RESTART_PATIENCE: Duration = Duration::from_secs(10);

/// A statement with its arguments.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// An open transaction and what it is for. After an error nothing is left of it.
pub(super) struct Work<'a> {
    store: &'a mut PostgresStore,
    /// For messages: the database refused to do this.
    doing: &'static str,
}

impl PostgresStore {
    /// Opens a transaction; again, on a new connection, if this one turns out to be lost. What is done in it is done once.
    pub(super) async fn begin(&mut self, access: Access, doing: &'static str) -> Result<Work<'_>, StoreError> {
        let mut outage = self.restart();
        while let Err(error) = self.open_transaction(access, doing).await {
            wait_out(&mut outage, error).await?;
        }
        Ok(self.work(doing))
    }

    /// The rows of a statement that is a whole transaction; see [`Self::repeatable`].
    pub(super) async fn single(
        &mut self,
        access: Access,
        doing: &'static str,
        statement: impl Fn() -> Statement<'static> + Sync,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.repeatable(access, doing, &statement, |work, statement| work.rows(statement()).boxed()).await
    }

    /// Does a whole transaction with what it is about; again, on a new connection, if this one is lost in its midst. Only for
    /// what may be done twice: the answer to the commit may be all that was lost.
    ///
    /// A function that borrows nothing, because the compiler cannot tell yet that the future of one that does may be sent.
    pub(super) async fn repeatable<A: Sync, T>(
        &mut self,
        access: Access,
        doing: &'static str,
        about: &A,
        whole: for<'a> fn(&'a mut Work<'_>, &'a A) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut outage = self.restart();
        loop {
            let done = async {
                self.open_transaction(access, doing).await?;
                let mut work = self.work(doing);
                let made = whole(&mut work, about).await?;
                work.done(made).await
            };
            match done.await {
                // What another transaction would read is of another moment.
                Err(error) if !self.frozen => {
                    self.roll_back().await;
                    wait_out(&mut outage, error).await?;
                }
                done => return done,
            }
        }
    }

    /// One try to open a transaction, on a new connection if the last one is lost.
    pub(super) async fn open_transaction(&mut self, access: Access, doing: &'static str) -> Result<(), StoreError> {
        if self.frozen {
            return Ok(());
        }
        self.stop_copying().await.ok();
        if matches!(self.link, Link::Lost) {
            self.link = Link::open(&self.address).await?;
        }
        let mode = match access {
            // What several queries tell must be of one moment.
            Access::Read => "REPEATABLE READ, READ ONLY",
            // What another process has committed while this one waited for a lock must be seen.
            Access::Write => "READ COMMITTED, READ WRITE",
        };
        self.work(doing).script(&format!("BEGIN ISOLATION LEVEL {mode}; {SETTINGS}")).await.map(drop)
    }

    /// An outage as short as the restart of a server.
    pub(super) fn restart(&self) -> Outage {
        Outage::new(RESTART_PATIENCE.min(self.address.patience))
    }

    /// Goes on with the open transaction.
    pub(super) fn work(&mut self, doing: &'static str) -> Work<'_> {
        Work { store: self, doing }
    }

    /// Leaves no trace of the transaction. Where that cannot be said to the server the connection is given up, which says it.
    pub(super) async fn roll_back(&mut self) {
        self.open_day = None;
        // Its error is the first one's consequence, or of bars that nobody wants any more.
        let _ = self.stop_copying().await;
        if self.frozen {
            // What would be read in another transaction is of another moment.
            self.link = Link::Lost;
        }
        if let Link::Ready(connection) = &mut self.link {
            let rolled_back = within(self.address.patience, connection.execute("ROLLBACK")).await;
            if rolled_back.is_err() {
                self.link = Link::Lost;
            }
        }
    }

    /// The meaning of an error; a connection that is broken is given up.
    pub(super) fn meaning(&mut self, doing: &'static str, source: sqlx::Error) -> StoreError {
        if source.as_database_error().is_none() {
            self.link = Link::Lost;
        }
        named(self.address.name(), doing, source)
    }
}

/// Pauses after an error that may pass; gives back one that will not pass, or has not for too long.
pub(super) async fn wait_out(outage: &mut Outage, error: StoreError) -> Result<(), StoreError> {
    let Some(pause) = outage.pause(&error) else { return Err(error) };
    tokio::time::sleep(pause).await;
    Ok(())
}

impl Work<'_> {
    /// Runs statements without arguments, as one message.
    pub(super) async fn script(&mut self, sql: &str) -> Result<u64, StoreError> {
        let patience = self.store.address.patience;
        let done = match self.connection() {
            Ok(connection) => within(patience, connection.execute(AssertSqlSafe(sql.to_owned()))).await,
            Err(error) => Err(error),
        };
        self.checked(done).await.map(|done| done.rows_affected())
    }

    /// Runs a statement; says how many rows it touched.
    pub(super) async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let patience = self.store.address.patience;
        let done = match self.connection() {
            Ok(connection) => within(patience, statement.persistent(false).execute(connection)).await,
            Err(error) => Err(error),
        };
        self.checked(done).await.map(|done| done.rows_affected())
    }

    /// The rows of a query.
    pub(super) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>, StoreError> {
        let patience = self.store.address.patience;
        let rows = match self.connection() {
            Ok(connection) => within(patience, statement.persistent(false).fetch_all(connection)).await,
            Err(error) => Err(error),
        };
        self.checked(rows).await
    }

    /// Makes what was done visible and durable.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        if self.store.frozen {
            return Ok(());
        }
        self.script("COMMIT").await.map(drop)
    }

    /// Ends a transaction that only read.
    pub(super) async fn done<T>(self, found: T) -> Result<T, StoreError> {
        self.commit().await.map(|()| found)
    }

    fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        match &mut self.store.link {
            Link::Ready(connection) => Ok(connection),
            Link::Copying(_) | Link::Lost => Err(sqlx::Error::PoolClosed),
        }
    }

    async fn checked<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        match done {
            Ok(done) => Ok(done),
            Err(error) => {
                let error = self.store.meaning(self.doing, error);
                self.store.roll_back().await;
                Err(error)
            }
        }
    }
}
