//! Messages to people, on their way.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::transaction::{Access, Work};
use super::{PostgresStore, StoreError};
use crate::store::values::{count, instant, known};
use crate::store::{
    ClaimedMessage, Condition, ConditionChange, Held, MessageStatus, NewMessage, Outbox, OutboxDepth, OutboxMessage,
    SendEnd,
};

/// Now, by the server's clock.
macro_rules! now {
    () => {
        "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint"
    };
}

/// The oldest open message of a channel, locked: who comes second waits, and does not go on to a later one.
const NEXT: &str = concat!(
    "SELECT dedup_key, channel, event, subject, body, created_at, id, attempts, may_have_arrived, fencing_token,
         not_before <= ",
    now!(),
    " AND (status = 'pending' OR lease_until < ",
    now!(),
    ")
     FROM notification_outbox WHERE channel = $1 AND status IN ('pending', 'sending') ORDER BY id LIMIT 1 FOR UPDATE"
);

const CLAIM: &str = concat!(
    "UPDATE notification_outbox SET status = 'sending', attempts = attempts + 1, may_have_arrived = TRUE, lease_until = ",
    now!(),
    " + $2, fencing_token = fencing_token + 1 WHERE id = $1"
);

/// Ends a claim: status, pause and error are arguments.
const END: &str = concat!(
    "UPDATE notification_outbox SET status = $3, not_before = ",
    now!(),
    " + $4, may_have_arrived = $5, error_message = $6, sent_at = CASE WHEN $3 = 'sent' THEN ",
    now!(),
    " END, lease_until = NULL WHERE id = $1 AND fencing_token = $2 AND status = 'sending'"
);

const ADD: &str = concat!(
    "INSERT INTO notification_outbox (dedup_key, channel, event, subject, body, created_at, not_before)
     VALUES ($1, $2, $3, $4, $5, $6, ",
    now!(),
    ") ON CONFLICT (dedup_key) DO NOTHING"
);

const MESSAGES: &str = "
SELECT dedup_key, channel, event, subject, body, created_at, id, attempts, status, sent_at, error_message
FROM notification_outbox";

impl Outbox for PostgresStore {
    async fn condition(&mut self, source: &str) -> Result<Option<Condition>, StoreError> {
        let mut work = self.begin(Access::Read, "read what was told").await?;
        let query = sqlx::query("SELECT problem, since, told_at FROM notification_conditions WHERE source = $1");
        let rows = work.rows(query.bind(source)).await?;
        let condition = |row: &PgRow| {
            Ok(Condition { problem: row.get(0), since: instant(row.get(1))?, told_at: instant(row.get(2))? })
        };
        let condition = rows.first().map(condition).transpose()?;
        work.done(condition).await
    }

    async fn tell(&mut self, change: &ConditionChange) -> Result<bool, StoreError> {
        let mut work = self.begin(Access::Write, "write what is told").await?;
        let told = write_change(&mut work, change).await?;
        work.commit().await?;
        Ok(told)
    }

    async fn claim_message(&mut self, channel: &str, lease: Duration) -> Result<Option<ClaimedMessage>, StoreError> {
        let mut work = self.begin(Access::Write, "claim a message").await?;
        let rows = work.rows(sqlx::query(NEXT).bind(channel)).await?;
        let Some(row) = rows.first().filter(|row| row.get(10)) else { return work.done(None).await };
        let claimed = ClaimedMessage {
            held: Held { id: row.get(6), token: row.get::<i64, _>(9) + 1 },
            message: new_message(row)?,
            attempts: count(row.get::<i32, _>(7).into()) as u32,
            may_have_arrived: row.get(8),
        };
        work.execute(sqlx::query(CLAIM).bind(claimed.held.id).bind(milliseconds(lease))).await?;
        work.commit().await?;
        Ok(Some(claimed))
    }

    async fn end_message(&mut self, held: Held, end: &SendEnd) -> Result<bool, StoreError> {
        let (status, pause, may_have_arrived, error) = end.parts();
        let mut work = self.begin(Access::Write, "write how a message was sent").await?;
        let query = sqlx::query(END)
            .bind(held.id)
            .bind(held.token)
            .bind(status.as_str())
            .bind(milliseconds(pause))
            .bind(may_have_arrived)
            .bind(error);
        let ended = work.execute(query).await?;
        work.commit().await?;
        Ok(ended > 0)
    }

    async fn messages(&mut self, ended: u32) -> Result<Vec<OutboxMessage>, StoreError> {
        let mut work = self.begin(Access::Read, "read the messages").await?;
        let open = format!("{MESSAGES} WHERE status IN ('pending', 'sending') ORDER BY id");
        let others = format!("{MESSAGES} WHERE status IN ('sent', 'dead') ORDER BY id DESC LIMIT {ended}");
        let mut messages = Vec::new();
        for sql in [open, others] {
            let rows = work.rows(sqlx::query(AssertSqlSafe(sql))).await?;
            messages.extend(rows.iter().map(outbox_message).collect::<Result<Vec<_>, _>>()?);
        }
        work.done(messages).await
    }

    async fn outbox_depth(&mut self) -> Result<OutboxDepth, StoreError> {
        let mut work = self.begin(Access::Read, "read the messages").await?;
        let query = sqlx::query(
            "SELECT COUNT(*) FILTER (WHERE status <> 'dead'), COUNT(*) FILTER (WHERE status = 'dead'),
                 MIN(created_at) FILTER (WHERE status <> 'dead')
             FROM notification_outbox WHERE status <> 'sent'",
        );
        let rows = work.rows(query).await?;
        let mut depth = OutboxDepth::default();
        for row in rows {
            let oldest = row.get::<Option<i64>, _>(2).map(instant).transpose()?;
            depth = OutboxDepth { open: count(row.get(0)), dead: count(row.get(1)), oldest_open: oldest };
        }
        work.done(depth).await
    }
}

/// Remembers a condition and adds its messages within an open transaction; says whether it did, or the condition is another
/// than the change thinks.
pub(super) async fn write_change(work: &mut Work<'_>, change: &ConditionChange) -> Result<bool, StoreError> {
    let ConditionChange { source, before, after, messages } = change;
    let sql = match before {
        None => {
            "INSERT INTO notification_conditions (source, problem, since, told_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING"
        }
        Some(_) => {
            "UPDATE notification_conditions SET problem = $2, since = $3, told_at = $4
             WHERE source = $1 AND problem IS NOT DISTINCT FROM $5 AND since = $6 AND told_at = $7"
        }
    };
    let mut write = sqlx::query(sql)
        .bind(source)
        .bind(&after.problem)
        .bind(after.since.as_millisecond())
        .bind(after.told_at.as_millisecond());
    if let Some(before) = before {
        write = write.bind(&before.problem).bind(before.since.as_millisecond()).bind(before.told_at.as_millisecond());
    }
    if work.execute(write).await? == 0 {
        return Ok(false);
    }
    for message in messages {
        let add = sqlx::query(ADD)
            .bind(&message.dedup_key)
            .bind(&message.channel)
            .bind(&message.event)
            .bind(&message.subject)
            .bind(&message.body)
            .bind(message.created_at.as_millisecond());
        work.execute(add).await?;
    }
    Ok(true)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn new_message(row: &PgRow) -> Result<NewMessage, StoreError> {
    Ok(NewMessage {
        dedup_key: row.get(0),
        channel: row.get(1),
        event: row.get(2),
        subject: row.get(3),
        body: row.get(4),
        created_at: instant(row.get(5))?,
    })
}

fn outbox_message(row: &PgRow) -> Result<OutboxMessage, StoreError> {
    Ok(OutboxMessage {
        id: row.get(6),
        message: new_message(row)?,
        attempts: count(row.get::<i32, _>(7).into()) as u32,
        status: known(row.get(8), "status of a message", MessageStatus::of_word)?,
        sent_at: row.get::<Option<i64>, _>(9).map(instant).transpose()?,
        error_message: row.get(10),
    })
}
