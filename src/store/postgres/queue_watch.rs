//! Hearing of requests at once, by LISTEN. The one place that needs a session: behind a pooler that has none, nothing is heard.

use std::time::Duration;

use futures_util::FutureExt;
use sqlx::Executor;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::{Instant, sleep_until, timeout};

use super::connection::{CONNECT_PATIENCE, within};
use super::queue::CHANNEL;
use super::{PostgresAddress, PostgresStore};
use crate::store::{QueueWatch, QueueWatching};

/// Between one connection and the next: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// After so long a silence the server is asked whether it is there, and has so long to answer: a connection that was cut
/// without a word would be listened to for ever.
const SILENCE: Duration = Duration::from_mins(1);
const ANSWER: Duration = Duration::from_secs(5);

/// Listens on a connection of its own.
#[derive(Debug)]
pub struct PostgresQueueWatch {
    address: PostgresAddress,
    ear: Option<Ear>,
    /// When the next connection may be tried, and how long after that the one after.
    next_try: Instant,
    pause: Duration,
}

#[derive(Debug)]
struct Ear {
    listener: PgListener,
    /// Channels belong to the database, queues to a schema.
    schema: String,
    last_sign: Instant,
}

impl QueueWatching for PostgresStore {
    type Watch = PostgresQueueWatch;

    fn queue_watch(&self) -> PostgresQueueWatch {
        let [pause, _] = PAUSES;
        PostgresQueueWatch { address: self.address.clone(), ear: None, next_try: Instant::now(), pause }
    }
}

impl QueueWatch for PostgresQueueWatch {
    async fn wait(&mut self, longest: Duration) {
        // Nothing was heard; the caller looks for itself.
        let _ = timeout(longest, self.hear()).await;
    }
}

impl PostgresQueueWatch {
    /// Returns when something was heard, or may have been missed.
    async fn hear(&mut self) {
        loop {
            let Some(ear) = &mut self.ear else {
                sleep_until(self.next_try).await;
                self.next_try = Instant::now() + self.pause;
                let [_, longest_pause] = PAUSES;
                self.pause = (self.pause * 2).min(longest_pause);
                self.ear = Ear::open(&self.address).await.ok();
                if self.ear.is_some() {
                    return;
                }
                continue;
            };
            match ear.hear().await {
                Ok(()) => {
                    [self.pause, _] = PAUSES;
                    return;
                }
                // Why is told to the caller by its own connection, if that is lost as well.
                Err(_) => self.ear = None,
            }
        }
    }
}

impl Ear {
    async fn open(address: &PostgresAddress) -> Result<Self, sqlx::Error> {
        // One connection, which is never kept for anything else: a listener wants a pool to take it from.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(CONNECT_PATIENCE)
            .connect_lazy_with(address.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.ignore_pool_close_event(true);
        listener.eager_reconnect(false);
        let listening = async {
            listener.listen(CHANNEL).await?;
            let row = listener.fetch_one(sqlx::raw_sql("SELECT current_schema()::text")).await?;
            sqlx::Row::try_get(&row, 0)
        };
        let schema: String = within(CONNECT_PATIENCE, listening).await?;
        Ok(Self { listener, schema, last_sign: Instant::now() })
    }

    /// Returns when the queue has told of something. Ends with an error when the connection does.
    async fn hear(&mut self) -> Result<(), sqlx::Error> {
        loop {
            if self.last_sign.elapsed() > SILENCE {
                within(ANSWER, self.listener.execute("BEGIN; COMMIT")).await?;
                self.last_sign = Instant::now();
            }
            let Ok(heard) = timeout(SILENCE, self.listener.try_recv()).await else { continue };
            let note = heard?.ok_or(sqlx::Error::PoolClosed)?;
            self.last_sign = Instant::now();
            if note.payload() == self.schema {
                // What has come meanwhile is one with it.
                while let Some(Ok(Some(_))) = self.listener.try_recv().now_or_never() {}
                return Ok(());
            }
        }
    }
}
