//! The queue of requests. Time is the server's, so that machines need not agree on it.
//!
//! One processor claims at a time, or two could claim requests of one symbol that neither sees of the other; claims are short.
//! Rows that another program has locked are passed by, so nobody who forgets a transaction keeps the others from claiming or
//! from renewing their leases.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::sql::now;
use super::transaction::{Access, Work};
use super::{PostgresStore, StoreError};
use crate::store::queue::{Asked, Batch, NO_FIRST_DATE, NO_LAST_DATE, VANISHED};
use crate::store::values::{count, milliseconds, nearest_instant, number};
use crate::store::{
    ClaimedRequest, Held, MOST_RETRIES, NewRequest, Queue, QueueDepth, QueuedRequest, RequestEnd, RequestOutcome,
    RequestProgress, RequestStatus,
};

/// Channel on which the database tells of requests that can be claimed; the payload is the schema.
pub(super) const CHANNEL: &str = "barkeep_queue";

/// Who claims next would wait for a processor that falls silent in the middle of a claim; not for long.
const ALONE: &str = "SET LOCAL idle_in_transaction_session_timeout = '5s';
    SELECT pg_advisory_xact_lock(hashtextextended('barkeep queue ' || current_schema(), 0))";

/// `clock`: a statement has one now.
macro_rules! clock {
    () => {
        concat!("clock AS MATERIALIZED (SELECT ", now!(), " AS now)")
    };
}

/// What a row asks for. Dates that a `Date` cannot hold are brought within what it can.
macro_rules! asked {
    () => {
        "q.id, q.symbol, q.days_to_backfill,
         to_char(greatest(least(q.from_date, '9999-12-31'), '0001-01-01'), 'YYYY-MM-DD'),
         to_char(greatest(least(q.to_date, '9999-12-31'), '0001-01-01'), 'YYYY-MM-DD'), q.timeframes, q.priority"
    };
}

macro_rules! queued {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            asked!(),
            ", q.status, q.outcome, q.requested_at, q.started_at, q.completed_at, q.error_message, q.retry_count,
               q.not_before, q.lease_owner, q.days_total, q.days_done
             FROM historical_ingestion_queue q WHERE (q.symbol = $1 OR $1 IS NULL) AND ",
            $rest
        )
    };
}

const OPEN: &str = queued!(
    "q.status IN ('pending', 'processing')
     ORDER BY q.status <> 'processing', q.priority DESC, q.requested_at, q.id"
);

const CLOSED: &str =
    queued!("q.status IN ('completed', 'failed') ORDER BY q.completed_at DESC NULLS LAST, q.id DESC LIMIT $2");

const DEAD: &str = queued!("q.status = 'failed' AND q.outcome = 'dead' ORDER BY q.id DESC LIMIT 10");

const COUNT_DEAD: &str = "SELECT count(*) FROM historical_ingestion_queue WHERE status = 'failed' AND outcome = 'dead'";

const ENQUEUE: &str = "
INSERT INTO historical_ingestion_queue (symbol, days_to_backfill, from_date, to_date, timeframes, priority)
SELECT s, d, f::date, t::date, tf, p
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::int[]) AS r (s, d, f, t, tf, p)
ON CONFLICT DO NOTHING";

/// The rows whose leases are over.
macro_rules! over {
    ($condition:literal) => {
        concat!(
            "over AS (
                 SELECT q.id FROM historical_ingestion_queue q CROSS JOIN clock
                 WHERE q.status = 'processing' AND (q.lease_until IS NULL OR q.lease_until < clock.now)",
            $condition,
            " FOR UPDATE OF q SKIP LOCKED)"
        )
    };
}

/// Ends claims whose leases are over: with that many losses for good, else they wait again. One's own are no loss.
const RESCUE_OWN: &str = concat!(
    "WITH ",
    clock!(),
    ", ",
    over!(" AND q.lease_owner = $1"),
    " UPDATE historical_ingestion_queue q
     SET status = 'pending', not_before = NULL, lease_owner = NULL, lease_until = NULL, updated_at = clock.now
     FROM clock WHERE q.id IN (SELECT id FROM over)"
);

const RESCUE: &str = concat!(
    "WITH ",
    clock!(),
    ", ",
    over!(""),
    " UPDATE historical_ingestion_queue q
     SET status = CASE WHEN q.losses >= $1 - 1 THEN 'failed' ELSE 'pending' END,
         outcome = CASE WHEN q.losses >= $1 - 1 THEN 'dead' END,
         completed_at = CASE WHEN q.losses >= $1 - 1 THEN clock.now END, losses = least(q.losses, $1) + 1,
         retry_count = least(q.retry_count, $1) + 1, error_message = $2, not_before = NULL, lease_owner = NULL,
         lease_until = NULL, updated_at = clock.now
     FROM clock WHERE q.id IN (SELECT id FROM over)"
);

/// What owner `$1` can claim, in order.
macro_rules! claimable {
    ($condition:literal) => {
        concat!(
            " FROM historical_ingestion_queue q CROSS JOIN clock
              WHERE q.status = 'pending' AND (q.not_before IS NULL OR q.not_before <= clock.now)
                AND NOT EXISTS (
                    SELECT 1 FROM historical_ingestion_queue held
                    WHERE held.symbol = q.symbol AND held.status = 'processing'
                      AND held.lease_owner IS DISTINCT FROM $1)",
            $condition,
            " ORDER BY q.priority DESC, q.requested_at, q.id"
        )
    };
}

/// The most losses among the rows that the owner holds, and those of the next in order that nobody has locked.
const LOSSES: &str = concat!(
    "WITH ",
    clock!(),
    ", next AS MATERIALIZED (SELECT q.losses",
    claimable!(""),
    " LIMIT 1 FOR UPDATE OF q SKIP LOCKED)
     SELECT (SELECT max(own.losses) FROM historical_ingestion_queue own
             WHERE own.status = 'processing' AND own.lease_owner = $1), (SELECT losses FROM next)"
);

/// Claims rows of a [`Batch`] for so long.
const CLAIM: &str = concat!(
    "WITH ",
    clock!(),
    ", taken AS MATERIALIZED (SELECT q.id",
    claimable!(" AND q.losses BETWEEN $3 AND $4"),
    " LIMIT $5 FOR UPDATE OF q SKIP LOCKED)
     UPDATE historical_ingestion_queue q
     SET status = 'processing', outcome = NULL, started_at = clock.now, completed_at = NULL, lease_owner = $1,
         lease_until = clock.now + $2, fencing_token = q.fencing_token + 1, not_before = NULL, updated_at = clock.now
     FROM clock WHERE q.id IN (SELECT id FROM taken)
     RETURNING ",
    asked!(),
    ", q.fencing_token, q.retry_count, q.requested_at"
);

/// Of claims `$1` and their tokens `$2`, the rows for which they hold.
macro_rules! held {
    ($lock:literal) => {
        concat!(
            "held AS (
                 SELECT q.id FROM historical_ingestion_queue q JOIN unnest($1::bigint[], $2::bigint[]) AS h (id, token)
                     ON q.id = h.id AND q.fencing_token = h.token
                 WHERE q.status = 'processing' ORDER BY q.id ",
            $lock,
            ")"
        )
    };
}

const RENEW: &str = concat!(
    "WITH ",
    clock!(),
    ", ",
    held!("FOR UPDATE OF q SKIP LOCKED"),
    " UPDATE historical_ingestion_queue q SET lease_until = clock.now + $3, updated_at = clock.now
     FROM clock WHERE q.id IN (SELECT id FROM held)"
);

/// Those that are locked hold, too, though their leases could not be prolonged.
const STILL_HELD: &str = concat!("WITH ", held!(""), " SELECT id FROM held");

const PROGRESS: &str = concat!(
    "WITH ",
    clock!(),
    ", ",
    held!("FOR UPDATE OF q SKIP LOCKED"),
    " UPDATE historical_ingestion_queue q
     SET days_total = p.total, retry_count = CASE WHEN p.done > q.days_done THEN 0 ELSE q.retry_count END,
         losses = CASE WHEN p.done > q.days_done THEN 0 ELSE q.losses END,
         days_done = greatest(q.days_done, p.done), updated_at = clock.now
     FROM clock, unnest($1::bigint[], $3::int[], $4::int[]) AS p (id, total, done)
     WHERE q.id = p.id AND q.id IN (SELECT id FROM held)"
);

/// A message of none: that of one that waits stays.
const END: &str = concat!(
    "WITH ",
    clock!(),
    ", ",
    held!("FOR UPDATE OF q"),
    ", ends AS (
         SELECT e.*, e.in_vain AND q.retry_count >= $8 - 1 AS is_dead
         FROM unnest($1::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::boolean[])
                  AS e (id, status, outcome, message, pause, in_vain)
              JOIN historical_ingestion_queue q ON q.id = e.id)
     UPDATE historical_ingestion_queue q
     SET status = CASE WHEN e.is_dead THEN 'failed' ELSE e.status END,
         outcome = CASE WHEN e.is_dead THEN 'dead' ELSE e.outcome END,
         error_message = CASE WHEN e.status = 'pending' THEN coalesce(e.message, q.error_message) ELSE e.message END,
         completed_at = CASE WHEN e.is_dead OR e.status <> 'pending' THEN clock.now END,
         not_before = CASE WHEN e.pause > 0 AND NOT e.is_dead THEN clock.now + e.pause END,
         retry_count = least(q.retry_count, $8) + e.in_vain::int, losses = 0, lease_owner = NULL, lease_until = NULL,
         updated_at = clock.now
     FROM clock, ends e WHERE q.id = e.id AND q.id IN (SELECT id FROM held)
     RETURNING q.id, q.status = 'pending' AND q.not_before IS NULL"
);

const DEPTH: &str = concat!(
    "WITH ",
    clock!(),
    " SELECT (SELECT count(*) FROM historical_ingestion_queue WHERE status = 'pending'),
         (SELECT count(*) FROM historical_ingestion_queue WHERE status = 'processing'),
         (SELECT count(*) FROM historical_ingestion_queue
          WHERE status = 'processing' AND (lease_until IS NULL OR lease_until < clock.now)),
         (SELECT count(*) FROM historical_ingestion_queue WHERE status = 'failed' AND outcome = 'dead'),
         (SELECT min(greatest(q.requested_at, q.not_before)) FROM historical_ingestion_queue q
          WHERE q.status = 'pending' AND (q.not_before IS NULL OR q.not_before <= clock.now)
            AND NOT EXISTS (SELECT 1 FROM historical_ingestion_queue held
                            WHERE held.symbol = q.symbol AND held.status = 'processing'))
     FROM clock"
);

/// Of equal ones the latest; none that equals an open one.
const RETRY: &str = concat!(
    "WITH ",
    clock!(),
    ", again AS (
         SELECT DISTINCT ON (symbol, days_to_backfill, from_date, to_date, timeframes) id
         FROM historical_ingestion_queue q
         WHERE q.status = 'failed' AND (q.id = ANY($1) OR $1 IS NULL AND q.outcome = 'dead')
           AND NOT EXISTS (
               SELECT 1 FROM historical_ingestion_queue o
               WHERE o.symbol = q.symbol AND o.days_to_backfill = q.days_to_backfill AND o.from_date = q.from_date
                 AND o.to_date = q.to_date AND o.timeframes = q.timeframes AND o.status IN ('pending', 'processing'))
         ORDER BY symbol, days_to_backfill, from_date, to_date, timeframes, id DESC)
     UPDATE historical_ingestion_queue q
     SET status = 'pending', outcome = NULL, error_message = NULL, retry_count = 0, losses = 0, not_before = NULL, started_at = NULL,
         completed_at = NULL, days_total = NULL, days_done = 0, requested_at = clock.now, updated_at = clock.now
     FROM clock WHERE q.id IN (SELECT id FROM again) AND q.status = 'failed'"
);

const PRUNE: &str = concat!(
    "WITH ",
    clock!(),
    " DELETE FROM historical_ingestion_queue q USING clock
     WHERE q.status IN ('completed', 'failed') AND q.outcome IS DISTINCT FROM 'dead'
       AND coalesce(q.completed_at, q.updated_at) < clock.now - $1"
);

impl Queue for PostgresStore {
    async fn enqueue(&mut self, requests: &[NewRequest]) -> Result<u64, StoreError> {
        // In one order everywhere, so that two processes with equal requests do not wait for each other in a circle.
        let mut requests: Vec<&NewRequest> = requests.iter().collect();
        requests.sort_by(|a, b| (&a.symbol, a.days_to_backfill).cmp(&(&b.symbol, b.days_to_backfill)));
        let int = |number: u32| i32::try_from(number).unwrap_or(i32::MAX).max(1);
        let date = |date: Option<jiff::civil::Date>, none: &str| date.map_or(none.to_owned(), |date| date.to_string());
        let mut work = self.begin(Access::Write, "queue requests").await?;
        let insert = sqlx::query(ENQUEUE)
            .bind(requests.iter().map(|request| request.symbol.as_str()).collect::<Vec<_>>())
            .bind(requests.iter().map(|request| int(request.days_to_backfill)).collect::<Vec<_>>())
            .bind(requests.iter().map(|request| date(request.from, NO_FIRST_DATE)).collect::<Vec<_>>())
            .bind(requests.iter().map(|request| date(request.to, NO_LAST_DATE)).collect::<Vec<_>>())
            .bind(requests.iter().map(|request| request.timeframes.as_str()).collect::<Vec<_>>())
            .bind(requests.iter().map(|request| request.priority).collect::<Vec<_>>());
        let added = work.execute(insert).await?;
        work.commit().await?;
        Ok(added)
    }

    async fn rescue_requests(&mut self, owner: &str) -> Result<u64, StoreError> {
        let mut work = self.begin(Access::Write, "look for claims of processors that have died").await?;
        let own = work.execute(sqlx::query(RESCUE_OWN).bind(owner)).await?;
        let others = work.execute(sqlx::query(RESCUE).bind(most_retries()).bind(VANISHED)).await?;
        work.commit().await?;
        Ok(own + others)
    }

    async fn claim_requests(
        &mut self,
        owner: &str,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<ClaimedRequest>, StoreError> {
        let mut work = self.begin(Access::Write, "claim requests").await?;
        work.script(ALONE).await?;
        let ask = |sql| sqlx::query(sql).bind(owner);
        let losses = work.rows(ask(LOSSES)).await?;
        let [held, next] = [0, 1]
            .map(|column| losses.first().and_then(|row| row.get::<Option<i32>, _>(column)).map(i64::from).map(number));
        let Some(Batch { losses, most }) = next.and_then(|next| Batch::of(held, next, most)) else {
            work.commit().await?;
            return Ok(Vec::new());
        };
        let [fewest, highest] = [losses.0, losses.1].map(i64::from);
        let claim = ask(CLAIM).bind(milliseconds(lease)).bind(fewest).bind(highest).bind(i64::from(most));
        let rows = work.rows(claim).await?;
        work.commit().await?;
        let mut claimed: Vec<(i64, ClaimedRequest)> = rows
            .iter()
            .map(|row| {
                let held = Held { id: row.get(0), token: row.get(7) };
                let claimed =
                    ClaimedRequest { held, request: asked(row), retry_count: number(row.get::<i32, _>(8).into()) };
                (row.get(9), claimed)
            })
            .collect();
        claimed.sort_by_key(|(requested_at, one)| (-i64::from(one.request.priority), *requested_at, one.held.id));
        Ok(claimed.into_iter().map(|(_, one)| one).collect())
    }

    async fn renew_requests(&mut self, held: &[Held], lease: Duration) -> Result<Vec<Held>, StoreError> {
        let (ids, tokens) = split(held.iter().copied());
        let mut work = self.begin(Access::Write, "renew its claims on requests").await?;
        work.execute(sqlx::query(RENEW).bind(&ids).bind(&tokens).bind(milliseconds(lease))).await?;
        let rows = work.rows(sqlx::query(STILL_HELD).bind(&ids).bind(&tokens)).await?;
        work.commit().await?;
        let still: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        Ok(held.iter().filter(|held| still.contains(&held.id)).copied().collect())
    }

    async fn note_progress(&mut self, progress: &[RequestProgress]) -> Result<(), StoreError> {
        let (ids, tokens) = split(progress.iter().map(|progress| progress.held));
        let int = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let mut work = self.begin(Access::Write, "note how far requests are").await?;
        let note = sqlx::query(PROGRESS)
            .bind(ids)
            .bind(tokens)
            .bind(progress.iter().map(|progress| int(progress.days_total)).collect::<Vec<_>>())
            .bind(progress.iter().map(|progress| int(progress.days_done)).collect::<Vec<_>>());
        work.execute(note).await?;
        work.commit().await
    }

    async fn end_requests(&mut self, ends: &[(Held, RequestEnd)]) -> Result<Vec<Held>, StoreError> {
        let (ids, tokens) = split(ends.iter().map(|(held, _)| *held));
        let rows: Vec<_> = ends.iter().map(|(_, end)| end.row()).collect();
        let mut work = self.begin(Access::Write, "end its claims on requests").await?;
        let end = sqlx::query(END)
            .bind(ids)
            .bind(tokens)
            .bind(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.outcome.map(RequestOutcome::as_str)).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.message.as_deref()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| milliseconds(row.pause)).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.in_vain).collect::<Vec<_>>())
            .bind(most_retries());
        let ended = work.rows(end).await?;
        if ended.iter().any(|row| row.get(1)) {
            tell(&mut work).await?;
        }
        work.commit().await?;
        let ended: Vec<i64> = ended.iter().map(|row| row.get(0)).collect();
        Ok(ends.iter().map(|(held, _)| *held).filter(|held| ended.contains(&held.id)).collect())
    }

    async fn requests(&mut self, symbol: Option<&str>, ended: u32) -> Result<Vec<QueuedRequest>, StoreError> {
        let mut work = self.begin(Access::Read, "read the queue").await?;
        let open = work.rows(sqlx::query(OPEN).bind(symbol)).await?;
        let closed = work.rows(sqlx::query(CLOSED).bind(symbol).bind(i64::from(ended))).await?;
        work.done(open.iter().chain(&closed).map(queued).collect()).await
    }

    async fn dead_requests(&mut self) -> Result<(u64, Vec<QueuedRequest>), StoreError> {
        let mut work = self.begin(Access::Read, "look for dead requests").await?;
        let number = work.rows(sqlx::query(COUNT_DEAD)).await?.first().map_or(0, |row| count(row.get(0)));
        let latest = work.rows(sqlx::query(DEAD).bind(None::<&str>)).await?;
        work.done((number, latest.iter().map(queued).collect())).await
    }

    async fn queue_depth(&mut self) -> Result<QueueDepth, StoreError> {
        let mut work = self.begin(Access::Read, "look at the queue").await?;
        let rows = work.rows(sqlx::query(DEPTH)).await?;
        let depth = rows.first().map(|row| QueueDepth {
            pending: count(row.get(0)),
            processing: count(row.get(1)),
            abandoned: count(row.get(2)),
            dead: count(row.get(3)),
            oldest_pending: row.get::<Option<i64>, _>(4).map(nearest_instant),
        });
        work.done(depth.unwrap_or_default()).await
    }

    async fn retry_requests(&mut self, ids: Option<&[i64]>) -> Result<u64, StoreError> {
        let mut work = self.begin(Access::Write, "queue failed requests again").await?;
        let again = work.execute(sqlx::query(RETRY).bind(ids)).await?;
        if again > 0 {
            tell(&mut work).await?;
        }
        work.commit().await?;
        Ok(again)
    }

    async fn prune_requests(&mut self, older_than: Duration) -> Result<u64, StoreError> {
        let mut work = self.begin(Access::Write, "remove old requests").await?;
        let removed = work.execute(sqlx::query(PRUNE).bind(milliseconds(older_than))).await?;
        work.commit().await?;
        Ok(removed)
    }
}

/// Wakes processors, as an added request does.
async fn tell(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.execute(sqlx::query("SELECT pg_notify($1, current_schema())").bind(CHANNEL)).await.map(drop)
}

fn most_retries() -> i32 {
    i32::try_from(MOST_RETRIES).expect("Invariant: a small number")
}

fn split(held: impl Iterator<Item = Held>) -> (Vec<i64>, Vec<i64>) {
    held.map(|held| (held.id, held.token)).unzip()
}

/// What a row asks for, from its first columns.
fn asked(row: &PgRow) -> NewRequest {
    let asked = Asked {
        symbol: row.get(1),
        days: row.get::<i32, _>(2).into(),
        from: row.get(3),
        to: row.get(4),
        timeframes: row.get(5),
        priority: row.get::<i32, _>(6).into(),
    };
    asked.request()
}

fn queued(row: &PgRow) -> QueuedRequest {
    let instant = |column: usize| row.get::<Option<i64>, _>(column).map(nearest_instant);
    QueuedRequest {
        id: row.get(0),
        request: asked(row),
        status: RequestStatus::of_word(row.get(7)).unwrap_or(RequestStatus::Failed),
        outcome: row.get::<Option<&str>, _>(8).and_then(RequestOutcome::of_word),
        requested_at: nearest_instant(row.get(9)),
        started_at: instant(10),
        completed_at: instant(11),
        error_message: row.get(12),
        retry_count: number(row.get::<i32, _>(13).into()),
        not_before: instant(14),
        lease_owner: row.get(15),
        days_total: row.get::<Option<i32>, _>(16).map(|total| number(total.into())),
        days_done: number(row.get::<i32, _>(17).into()),
    }
}
