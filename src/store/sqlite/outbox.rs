//! Messages to people, on their way.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::store::values::{count, instant, known};
use crate::store::{
    ClaimedMessage, Condition, ConditionChange, Held, MessageStatus, NewMessage, Outbox, OutboxDepth, OutboxMessage,
    SendEnd, StoreError,
};

/// The oldest open message of a channel. Times beyond the last parameter were written while the machine's clock was wrong.
const NEXT: &str = "
SELECT dedup_key, channel, event, subject, body, created_at, id, attempts, may_have_arrived, fencing_token,
    not_before NOT BETWEEN ?2 + 1 AND ?3 AND (status = 'pending' OR lease_until NOT BETWEEN ?2 AND ?3)
FROM notification_outbox WHERE channel = ?1 AND status IN ('pending', 'sending') ORDER BY id LIMIT 1";

const CLAIM: &str = "
UPDATE notification_outbox SET status = 'sending', attempts = attempts + 1, may_have_arrived = 1, lease_until = ?2,
    fencing_token = fencing_token + 1
WHERE id = ?1";

/// Ends a claim: status, pause and error are arguments.
const END: &str = "
UPDATE notification_outbox SET status = ?3, not_before = ?4, may_have_arrived = ?5, error_message = ?6, sent_at = ?7,
    lease_until = NULL
WHERE id = ?1 AND fencing_token = ?2 AND status = 'sending'";

const MESSAGES: &str = "
SELECT dedup_key, channel, event, subject, body, created_at, id, attempts, status, sent_at, error_message
FROM notification_outbox";

/// No claim and no pause is longer.
const LONGEST: Duration = Duration::from_hours(24);

impl Outbox for SqliteStore {
    async fn condition(&mut self, source: &str) -> Result<Option<Condition>, StoreError> {
        let row = sqlx::query("SELECT problem, since, told_at FROM notification_conditions WHERE source = ?1")
            .bind(source)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(self.error("read what was told"))?;
        let condition = |row: SqliteRow| {
            Ok(Condition { problem: row.get(0), since: instant(row.get(1))?, told_at: instant(row.get(2))? })
        };
        row.map(condition).transpose()
    }

    async fn tell(&mut self, change: &ConditionChange) -> Result<bool, StoreError> {
        self.begin_write(|| ()).await?;
        let told = self.write_change(change).await;
        self.end_write(told, "write what is told").await
    }

    async fn claim_message(&mut self, channel: &str, lease: Duration) -> Result<Option<ClaimedMessage>, StoreError> {
        // Looking costs nobody anything; writing waits for whoever writes bars.
        if self.next_message(channel).await?.is_none() {
            return Ok(None);
        }
        self.begin_write(|| ()).await?;
        let claimed = self.claim_next(channel, lease).await;
        self.end_write(claimed, "claim a message").await
    }

    async fn end_message(&mut self, held: Held, end: &SendEnd) -> Result<bool, StoreError> {
        self.begin_write(|| ()).await?;
        let ended = self.write_end(held, end).await;
        self.end_write(ended, "write how a message was sent").await
    }

    async fn messages(&mut self, ended: u32) -> Result<Vec<OutboxMessage>, StoreError> {
        let open = format!("{MESSAGES} WHERE status IN ('pending', 'sending') ORDER BY id");
        let others = format!("{MESSAGES} WHERE status IN ('sent', 'dead') ORDER BY id DESC LIMIT {ended}");
        let mut messages = Vec::new();
        for sql in [open, others] {
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut self.connection).await;
            let rows = rows.map_err(self.error("read the messages"))?;
            messages.extend(rows.iter().map(outbox_message).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(messages)
    }

    async fn outbox_depth(&mut self) -> Result<OutboxDepth, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) FILTER (WHERE status <> 'dead'), COUNT(*) FILTER (WHERE status = 'dead'),
                 MIN(created_at) FILTER (WHERE status <> 'dead')
             FROM notification_outbox WHERE status <> 'sent'",
        )
        .fetch_one(&mut self.connection)
        .await
        .map_err(self.error("read the messages"))?;
        let oldest = row.get::<Option<i64>, _>(2).map(instant).transpose()?;
        Ok(OutboxDepth { open: count(row.get(0)), dead: count(row.get(1)), oldest_open: oldest })
    }
}

impl SqliteStore {
    /// Remembers a condition and adds its messages within the open transaction; says whether it did, or the condition is
    /// another than the change thinks.
    pub(super) async fn write_change(&mut self, change: &ConditionChange) -> Result<bool, StoreError> {
        let ConditionChange { source, before, after, messages } = change;
        let sql = match before {
            None => {
                "INSERT INTO notification_conditions (source, problem, since, told_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING"
            }
            Some(_) => {
                "UPDATE notification_conditions SET problem = ?2, since = ?3, told_at = ?4
                 WHERE source = ?1 AND problem IS ?5 AND since = ?6 AND told_at = ?7"
            }
        };
        let mut write = sqlx::query(sql)
            .bind(source)
            .bind(&after.problem)
            .bind(after.since.as_millisecond())
            .bind(after.told_at.as_millisecond());
        if let Some(before) = before {
            write =
                write.bind(&before.problem).bind(before.since.as_millisecond()).bind(before.told_at.as_millisecond());
        }
        let written = write.execute(&mut self.connection).await.map_err(self.error("write what is told"))?;
        if written.rows_affected() == 0 {
            return Ok(false);
        }
        for message in messages {
            sqlx::query(
                "INSERT INTO notification_outbox (dedup_key, channel, event, subject, body, created_at, not_before)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (dedup_key) DO NOTHING",
            )
            .bind(&message.dedup_key)
            .bind(&message.channel)
            .bind(&message.event)
            .bind(&message.subject)
            .bind(&message.body)
            .bind(message.created_at.as_millisecond())
            .bind(Timestamp::now().as_millisecond())
            .execute(&mut self.connection)
            .await
            .map_err(self.error("write a message"))?;
        }
        Ok(true)
    }

    async fn claim_next(&mut self, channel: &str, lease: Duration) -> Result<Option<ClaimedMessage>, StoreError> {
        let Some(claimed) = self.next_message(channel).await? else { return Ok(None) };
        sqlx::query(CLAIM)
            .bind(claimed.held.id)
            .bind((Timestamp::now() + lease.min(LONGEST)).as_millisecond())
            .execute(&mut self.connection)
            .await
            .map_err(self.error("claim a message"))?;
        Ok(Some(claimed))
    }

    /// The next message of a channel, if its time has come, as it is once it is claimed.
    async fn next_message(&mut self, channel: &str) -> Result<Option<ClaimedMessage>, StoreError> {
        let now = Timestamp::now();
        let row = sqlx::query(NEXT)
            .bind(channel)
            .bind(now.as_millisecond())
            .bind((now + LONGEST).as_millisecond())
            .fetch_optional(&mut self.connection)
            .await
            .map_err(self.error("read the messages"))?;
        let Some(row) = row.filter(|row| row.get(10)) else { return Ok(None) };
        Ok(Some(ClaimedMessage {
            held: Held { id: row.get(6), token: row.get::<i64, _>(9) + 1 },
            message: new_message(&row)?,
            attempts: row.get(7),
            may_have_arrived: row.get(8),
        }))
    }

    async fn write_end(&mut self, held: Held, end: &SendEnd) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let (status, pause, may_have_arrived, error) = end.parts();
        let ended = sqlx::query(END)
            .bind(held.id)
            .bind(held.token)
            .bind(status.as_str())
            .bind((now + pause.min(LONGEST)).as_millisecond())
            .bind(may_have_arrived)
            .bind(error)
            .bind((status == MessageStatus::Sent).then(|| now.as_millisecond()))
            .execute(&mut self.connection)
            .await
            .map_err(self.error("write how a message was sent"))?;
        Ok(ended.rows_affected() > 0)
    }
}

fn new_message(row: &SqliteRow) -> Result<NewMessage, StoreError> {
    Ok(NewMessage {
        dedup_key: row.get(0),
        channel: row.get(1),
        event: row.get(2),
        subject: row.get(3),
        body: row.get(4),
        created_at: instant(row.get(5))?,
    })
}

fn outbox_message(row: &SqliteRow) -> Result<OutboxMessage, StoreError> {
    Ok(OutboxMessage {
        id: row.get(6),
        message: new_message(row)?,
        attempts: row.get(7),
        status: known(row.get(8), "status of a message", MessageStatus::of_word)?,
        sent_at: row.get::<Option<i64>, _>(9).map(instant).transpose()?,
        error_message: row.get(10),
    })
}
