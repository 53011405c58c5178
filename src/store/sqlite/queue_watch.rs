//! Noticing requests in a file that other processes write.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::{BUSY_WAIT, SqliteStore};
use crate::store::{QueueWatch, QueueWatching};

/// How often the file is looked at. A look costs some microseconds.
const EVERY: Duration = Duration::from_millis(200);

/// Where the numbers of requests have got to, and how many wait: grows with each that is added or waits again.
const QUEUE: &str = "
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'historical_ingestion_queue'), 0),
       (SELECT count(*) FROM historical_ingestion_queue WHERE status = 'pending')";

/// Looks at the file again and again on a connection that cannot write.
#[derive(Debug)]
pub struct SqliteQueueWatch {
    path: PathBuf,
    connection: Option<SqliteConnection>,
    /// SQLite's count of what others have committed, as this connection last saw it.
    version: Option<i64>,
    /// The queue when it was last looked at.
    seen: Option<(i64, i64)>,
}

impl QueueWatching for SqliteStore {
    type Watch = SqliteQueueWatch;

    fn queue_watch(&self) -> SqliteQueueWatch {
        SqliteQueueWatch { path: self.path.clone(), connection: None, version: None, seen: None }
    }
}

impl QueueWatch for SqliteQueueWatch {
    async fn wait(&mut self, longest: Duration) {
        let since = Instant::now();
        loop {
            match self.look().await {
                Ok(true) => return,
                Ok(false) => {}
                // Why is told to the caller by its own connection, if that cannot read either.
                Err(_) => self.close().await,
            }
            let left = longest.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(EVERY)).await;
        }
        // Another file may have taken the place of the one that is open.
        self.close().await;
    }
}

impl SqliteQueueWatch {
    /// Whether requests may have been added since this was last so.
    async fn look(&mut self) -> Result<bool, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => {
                let options = SqliteConnectOptions::new().filename(&self.path).read_only(true);
                empty.insert(options.busy_timeout(BUSY_WAIT).connect().await?)
            }
        };
        let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *connection).await?;
        if self.version == Some(version) {
            return Ok(false);
        }
        let queue: (i64, i64) = sqlx::query_as(QUEUE).fetch_one(connection).await?;
        self.version = Some(version);
        let before = self.seen.replace(queue);
        Ok(before.is_none_or(|(numbered, waiting)| queue.0 != numbered || queue.1 > waiting))
    }

    async fn close(&mut self) {
        self.version = None;
        if let Some(connection) = self.connection.take() {
            // It has only read.
            let _ = connection.close().await;
        }
    }
}
