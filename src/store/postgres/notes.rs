//! Notes: small texts by which processes agree.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::transaction::{Access, Statement, wait_out};
use super::{PostgresStore, StoreError};
use crate::store::{Notes, Noting};

/// What is done, for messages.
const CHANGE: &str = "change a note";

/// Locks the row, making it where it is not there: who comes second waits, be it for the first text of all.
const TAKE: &str = "INSERT INTO shared_notes AS n (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET text = n.text
    RETURNING text";

const KEEP: &str = "UPDATE shared_notes SET text = $2 WHERE name = $1";

const REMOVE: &str = "DELETE FROM shared_notes WHERE name = $1";

/// Notes, on a connection of their own.
#[derive(Debug)]
pub struct PostgresNotes(PostgresStore);

impl Noting for PostgresStore {
    type Notes = PostgresNotes;

    async fn notes(&self) -> Result<PostgresNotes, StoreError> {
        self.beside().await.map(PostgresNotes)
    }

    async fn look_at_note(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let mut work = self.begin(Access::Read, "read a note").await?;
        let rows = work.rows(sqlx::query("SELECT text FROM shared_notes WHERE name = $1").bind(name)).await?;
        work.done(rows.first().and_then(|row| row.get(0))).await
    }
}

impl Notes for PostgresNotes {
    async fn change_note<T: Send>(
        &mut self,
        name: &str,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T) + Send,
    ) -> Result<T, StoreError> {
        let mut outage = self.0.restart();
        // Only so far: what was decided by one text must not be written over another.
        let taken = loop {
            match self.take(name).await {
                Ok(taken) => break taken,
                Err(error) => wait_out(&mut outage, error).await?,
            }
        };
        let (text, made) = change(taken.first().and_then(|row| row.get(0)));
        let mut work = self.0.work(CHANGE);
        let write = sqlx::query(if text.is_some() { KEEP } else { REMOVE }).bind(name);
        work.execute(text.into_iter().fold(write, Statement::bind)).await?;
        work.commit().await?;
        Ok(made)
    }
}

impl PostgresNotes {
    /// Opens the transaction in which a note is changed.
    async fn take(&mut self, name: &str) -> Result<Vec<PgRow>, StoreError> {
        self.0.open_transaction(Access::Write, CHANGE).await?;
        self.0.work(CHANGE).rows(sqlx::query(TAKE).bind(name)).await
    }
}
