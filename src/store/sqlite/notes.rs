//! Notes, in the file beside the database: a note that is lost with it is written again.

use sqlx::{Connection, SqliteConnection};

use super::SqliteStore;
use super::sidecar::{self, Sidecar, Tries};
use crate::store::{Notes, Noting, StoreError};

/// Writes before anything is decided by what was read, so that it is known that the file can be written and lies where others
/// look for it. (The count is there because SQLite does not write what is the same.)
const TAKE: &str =
    "INSERT INTO notes (name) VALUES (?1) ON CONFLICT DO UPDATE SET changes = changes + 1 RETURNING text";

const KEEP: &str = "UPDATE notes SET text = ?2 WHERE name = ?1";

const REMOVE: &str = "DELETE FROM notes WHERE name = ?1";

/// Notes of everyone who uses a SQLite database.
#[derive(Debug)]
pub struct SqliteNotes(Sidecar);

impl Noting for SqliteStore {
    type Notes = SqliteNotes;

    async fn notes(&self) -> Result<SqliteNotes, StoreError> {
        Sidecar::of(&self.path).await.map(SqliteNotes)
    }

    async fn look_at_note(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        sidecar::look_at_note(&self.path, name).await
    }
}

impl Notes for SqliteNotes {
    async fn change_note<T: Send>(
        &mut self,
        name: &str,
        change: impl FnOnce(Option<&str>) -> (Option<String>, T) + Send,
    ) -> Result<T, StoreError> {
        let (doing, mut tries, mut change) = ("change a note", Tries::new(), Some(change));
        loop {
            match try_to_change(&mut self.0.connection, name, &mut change).await {
                Ok(made) => return Ok(made),
                // What was decided by one text must not be written over another.
                Err(error) if change.is_none() => return Err(self.0.error(error, doing)),
                Err(error) => self.0.overcome(error, doing, &mut tries).await?,
            }
        }
    }
}

async fn try_to_change<T>(
    connection: &mut SqliteConnection,
    name: &str,
    change: &mut Option<impl FnOnce(Option<&str>) -> (Option<String>, T)>,
) -> Result<T, sqlx::Error> {
    // Exclusive, so that nobody is in the way of the commit.
    let mut alone = connection.begin_with("BEGIN EXCLUSIVE").await?;
    let text: Option<String> = sqlx::query_scalar(TAKE).bind(name).fetch_one(&mut *alone).await?;
    let change = change.take().expect("Invariant: a change that was tried is not tried again");
    let (text, made) = change(text.as_deref());
    let write = sqlx::query(if text.is_some() { KEEP } else { REMOVE }).bind(name);
    text.into_iter().fold(write, sqlx::query::Query::bind).execute(&mut *alone).await?;
    alone.commit().await?;
    Ok(made)
}
