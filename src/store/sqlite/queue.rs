//! The queue of requests. Time is this machine's, as is the file.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, query};

use super::kept_claims::kept_claims;
use super::{LONGEST_LEASE, SqliteStore};
use crate::store::queue::{Asked, Batch, NO_FIRST_DATE, NO_LAST_DATE, VANISHED};
use crate::store::values::{count, milliseconds, nearest_instant, number};
use crate::store::{
    ClaimedRequest, Held, MOST_RETRIES, NewRequest, Queue, QueueDepth, QueuedRequest, RequestEnd, RequestOutcome,
    RequestProgress, RequestStatus, StoreError,
};

type Statement<'q> = query::Query<'q, Sqlite, SqliteArguments>;

/// What a row asks for.
macro_rules! asked {
    () => {
        "id, symbol, days_to_backfill, from_date, to_date, timeframes, priority"
    };
}

macro_rules! queued {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            asked!(),
            ", status, outcome, requested_at, started_at, completed_at, error_message, retry_count, not_before, lease_owner,
               days_total, days_done
             FROM historical_ingestion_queue WHERE (symbol = ?1 OR ?1 IS NULL) AND ",
            $rest
        )
    };
}

const OPEN: &str =
    queued!("status IN ('pending', 'processing') ORDER BY status <> 'processing', priority DESC, requested_at, id");

const CLOSED: &str =
    queued!("status IN ('completed', 'failed') ORDER BY completed_at DESC NULLS LAST, id DESC LIMIT ?2");

const DEAD_LATEST: &str = queued!("status = 'failed' AND outcome = 'dead' ORDER BY id DESC LIMIT 10");

const COUNT_DEAD: &str = "SELECT count(*) FROM historical_ingestion_queue WHERE status = 'failed' AND outcome = 'dead'";

const ENQUEUE: &str = "
INSERT INTO historical_ingestion_queue (symbol, days_to_backfill, from_date, to_date, timeframes, priority)
VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";

/// Whether anything could be claimed.
const LOOK: &str = "
SELECT EXISTS (SELECT 1 FROM historical_ingestion_queue
               WHERE status = 'pending' AND (not_before IS NULL OR not_before <= ?1))";

/// Whether leases are over.
const LOOK_OVER: &str = "
SELECT EXISTS (SELECT 1 FROM historical_ingestion_queue
               WHERE status = 'processing' AND (lease_until IS NULL OR lease_until NOT BETWEEN ?1 AND ?2))";

/// Ends claims whose leases are over: with that many losses for good, else they wait again. One's own are no loss.
const RESCUE_OWN: &str = "
UPDATE historical_ingestion_queue
SET status = 'pending', not_before = NULL, lease_owner = NULL, lease_until = NULL, updated_at = ?1
WHERE status = 'processing' AND lease_owner = ?3 AND (lease_until IS NULL OR lease_until NOT BETWEEN ?1 AND ?2)";

const RESCUE: &str = "
UPDATE historical_ingestion_queue
SET status = CASE WHEN losses >= ?3 - 1 THEN 'failed' ELSE 'pending' END,
    outcome = CASE WHEN losses >= ?3 - 1 THEN 'dead' END,
    completed_at = CASE WHEN losses >= ?3 - 1 THEN ?1 END,
    losses = min(losses, ?3) + 1, retry_count = min(retry_count, ?3) + 1, error_message = ?4, not_before = NULL, lease_owner = NULL,
    lease_until = NULL, updated_at = ?1
WHERE status = 'processing' AND (lease_until IS NULL OR lease_until NOT BETWEEN ?1 AND ?2)";

/// What owner `?1` can claim at `?2`, in order.
macro_rules! claimable {
    ($condition:literal) => {
        concat!(
            " FROM historical_ingestion_queue q
              WHERE q.status = 'pending' AND (q.not_before IS NULL OR q.not_before <= ?2)
                AND NOT EXISTS (
                    SELECT 1 FROM historical_ingestion_queue held
                    WHERE held.symbol = q.symbol AND held.status = 'processing' AND held.lease_owner IS NOT ?1)",
            $condition,
            " ORDER BY q.priority DESC, q.requested_at, q.id LIMIT "
        )
    };
}

/// The most losses among the rows that the owner holds, and those of the next in order.
const LOSSES: &str = concat!(
    "SELECT (SELECT max(own.losses) FROM historical_ingestion_queue own
             WHERE own.status = 'processing' AND own.lease_owner = ?1), (SELECT q.losses",
    claimable!(""),
    "1)"
);

/// Claims rows of a [`Batch`] until `?3`.
const CLAIM: &str = concat!(
    "UPDATE historical_ingestion_queue
     SET status = 'processing', outcome = NULL, started_at = ?2, completed_at = NULL, lease_owner = ?1, lease_until = ?3,
         fencing_token = fencing_token + 1, not_before = NULL, updated_at = ?2
     WHERE id IN (SELECT q.id",
    claimable!(" AND q.losses BETWEEN ?4 AND ?5"),
    "?6) RETURNING ",
    asked!(),
    ", fencing_token, retry_count, requested_at"
);

const RENEW: &str = "
UPDATE historical_ingestion_queue SET lease_until = ?4, updated_at = ?3
WHERE id = ?1 AND fencing_token = ?2 AND status = 'processing'";

/// The same of a lease that is over.
const RENEW_OVER: &str = "
UPDATE historical_ingestion_queue SET lease_until = ?4, updated_at = ?3
WHERE id = ?1 AND fencing_token = ?2 AND status = 'processing'
  AND (lease_until IS NULL OR lease_until NOT BETWEEN ?3 AND ?5)";

const PROGRESS: &str = "
UPDATE historical_ingestion_queue
SET days_total = ?4, retry_count = CASE WHEN ?5 > days_done THEN 0 ELSE retry_count END,
    losses = CASE WHEN ?5 > days_done THEN 0 ELSE losses END, days_done = max(days_done, ?5), updated_at = ?3
WHERE id = ?1 AND fencing_token = ?2 AND status = 'processing'";

/// A message of none: that of one that waits stays.
const END: &str = "
UPDATE historical_ingestion_queue
SET status = CASE WHEN ?8 AND retry_count >= ?9 - 1 THEN 'failed' ELSE ?4 END,
    outcome = CASE WHEN ?8 AND retry_count >= ?9 - 1 THEN 'dead' ELSE ?5 END,
    error_message = CASE WHEN ?4 = 'pending' THEN coalesce(?6, error_message) ELSE ?6 END,
    completed_at = CASE WHEN ?4 <> 'pending' OR ?8 AND retry_count >= ?9 - 1 THEN ?3 END,
    not_before = CASE WHEN ?7 > 0 AND NOT (?8 AND retry_count >= ?9 - 1) THEN ?3 + ?7 END,
    retry_count = min(retry_count, ?9) + ?8, losses = 0, lease_owner = NULL, lease_until = NULL, updated_at = ?3
WHERE id = ?1 AND fencing_token = ?2 AND status = 'processing'";

const DEPTH: &str = "
SELECT (SELECT count(*) FROM historical_ingestion_queue WHERE status = 'pending'),
    (SELECT count(*) FROM historical_ingestion_queue WHERE status = 'processing'),
    (SELECT count(*) FROM historical_ingestion_queue
     WHERE status = 'processing' AND (lease_until IS NULL OR lease_until NOT BETWEEN ?1 AND ?2)),
    (SELECT count(*) FROM historical_ingestion_queue WHERE status = 'failed' AND outcome = 'dead'),
    (SELECT min(max(q.requested_at, coalesce(q.not_before, 0))) FROM historical_ingestion_queue q
     WHERE q.status = 'pending' AND (q.not_before IS NULL OR q.not_before <= ?1)
       AND NOT EXISTS (SELECT 1 FROM historical_ingestion_queue held
                       WHERE held.symbol = q.symbol AND held.status = 'processing'))";

const DEAD: &str = "SELECT id FROM historical_ingestion_queue WHERE status = 'failed' AND outcome = 'dead'";

const RETRY: &str = "
UPDATE historical_ingestion_queue AS q
SET status = 'pending', outcome = NULL, error_message = NULL, retry_count = 0, losses = 0, not_before = NULL, started_at = NULL,
    completed_at = NULL, days_total = NULL, days_done = 0, requested_at = ?2, updated_at = ?2
WHERE id = ?1 AND status = 'failed' AND NOT EXISTS (
    SELECT 1 FROM historical_ingestion_queue o
    WHERE o.symbol = q.symbol AND o.days_to_backfill = q.days_to_backfill AND o.from_date = q.from_date
      AND o.to_date = q.to_date AND o.timeframes = q.timeframes AND o.status IN ('pending', 'processing'))";

const PRUNE: &str = "
DELETE FROM historical_ingestion_queue
WHERE status IN ('completed', 'failed') AND outcome IS NOT 'dead' AND coalesce(completed_at, updated_at) < ?1 - ?2";

impl Queue for SqliteStore {
    async fn enqueue(&mut self, requests: &[NewRequest]) -> Result<u64, StoreError> {
        let date = |date: Option<Date>, none: &str| date.map_or(none.to_owned(), |date| date.to_string());
        let inserts = requests.iter().map(|request| {
            sqlx::query(ENQUEUE)
                .bind(request.symbol.as_str())
                .bind(request.days_to_backfill.max(1))
                .bind(date(request.from, NO_FIRST_DATE))
                .bind(date(request.to, NO_LAST_DATE))
                .bind(request.timeframes.as_str())
                .bind(request.priority)
        });
        let added = self.change(|_| inserts, "queue requests").await?;
        Ok(added.into_iter().sum())
    }

    async fn rescue_requests(&mut self, owner: &str) -> Result<u64, StoreError> {
        let doing = "look for claims of processors that have died";
        let (now, latest) = now();
        let look = sqlx::query_scalar(LOOK_OVER).bind(now).bind(latest).fetch_one(&mut self.connection);
        if !look.await.map_err(self.error(doing))? {
            return Ok(0);
        }
        self.begin_waiting().await?;
        let rescued = self.rescue(owner).await;
        self.end_write(rescued, doing).await
    }

    async fn claim_requests(
        &mut self,
        owner: &str,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<ClaimedRequest>, StoreError> {
        let doing = "claim requests";
        let look = sqlx::query_scalar(LOOK).bind(now().0).fetch_one(&mut self.connection);
        // Whoever finds nothing must not wait for a day that another process is writing.
        if !look.await.map_err(self.error(doing))? {
            return Ok(Vec::new());
        }
        self.begin_waiting().await?;
        let claimed = self.claim(owner, lease, most).await.map_err(self.error(doing));
        let mut claimed = self.end_write(claimed, doing).await?;
        self.kept.also_hold(claimed.iter().map(|(_, one)| one.held), lease);
        claimed.sort_by_key(|(requested_at, one)| (-i64::from(one.request.priority), *requested_at, one.held.id));
        Ok(claimed.into_iter().map(|(_, one)| one).collect())
    }

    async fn renew_requests(&mut self, held: &[Held], lease: Duration) -> Result<Vec<Held>, StoreError> {
        self.kept.hold(held, lease);
        let renew = |now: i64| held.iter().map(move |held| of(RENEW, *held, now).bind(until(now, lease)));
        let renewed = self.change(renew, "renew its claims on requests").await?;
        Ok(held.iter().zip(renewed).filter(|(_, rows)| *rows > 0).map(|(held, _)| *held).collect())
    }

    async fn note_progress(&mut self, progress: &[RequestProgress]) -> Result<(), StoreError> {
        let note =
            |now| progress.iter().map(move |one| of(PROGRESS, one.held, now).bind(one.days_total).bind(one.days_done));
        self.change(note, "note how far requests are").await.map(drop)
    }

    async fn end_requests(&mut self, ends: &[(Held, RequestEnd)]) -> Result<Vec<Held>, StoreError> {
        let end = |now| {
            ends.iter().map(move |(held, end)| {
                let row = end.row();
                of(END, *held, now)
                    .bind(row.status.as_str())
                    .bind(row.outcome.map(RequestOutcome::as_str))
                    .bind(row.message)
                    .bind(milliseconds(row.pause))
                    .bind(row.in_vain)
                    .bind(MOST_RETRIES)
            })
        };
        let ended = self.change(end, "end its claims on requests").await?;
        Ok(ends.iter().zip(ended).filter(|(_, rows)| *rows > 0).map(|((held, _), _)| *held).collect())
    }

    async fn requests(&mut self, symbol: Option<&str>, ended: u32) -> Result<Vec<QueuedRequest>, StoreError> {
        let doing = "read the queue";
        let open = sqlx::query(OPEN).bind(symbol).fetch_all(&mut self.connection).await.map_err(self.error(doing))?;
        let closed = sqlx::query(CLOSED).bind(symbol).bind(ended).fetch_all(&mut self.connection).await;
        Ok(open.iter().chain(&closed.map_err(self.error(doing))?).map(queued).collect())
    }

    async fn dead_requests(&mut self) -> Result<(u64, Vec<QueuedRequest>), StoreError> {
        let doing = "look for dead requests";
        let number = sqlx::query_scalar(COUNT_DEAD).fetch_one(&mut self.connection).await;
        let number: i64 = number.map_err(self.error(doing))?;
        let latest = sqlx::query(DEAD_LATEST).bind(None::<&str>).fetch_all(&mut self.connection).await;
        Ok((count(number), latest.map_err(self.error(doing))?.iter().map(queued).collect()))
    }

    async fn queue_depth(&mut self) -> Result<QueueDepth, StoreError> {
        let (now, latest) = now();
        let depth = sqlx::query(DEPTH).bind(now).bind(latest).fetch_one(&mut self.connection);
        let row = depth.await.map_err(self.error("look at the queue"))?;
        Ok(QueueDepth {
            pending: count(row.get(0)),
            processing: count(row.get(1)),
            abandoned: count(row.get(2)),
            dead: count(row.get(3)),
            oldest_pending: row.get::<Option<i64>, _>(4).map(nearest_instant),
        })
    }

    async fn retry_requests(&mut self, ids: Option<&[i64]>) -> Result<u64, StoreError> {
        let doing = "queue failed requests again";
        let mut ids: Vec<i64> = match ids {
            Some(ids) => ids.to_vec(),
            None => sqlx::query_scalar(DEAD).fetch_all(&mut self.connection).await.map_err(self.error(doing))?,
        };
        // Of equal ones the latest.
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        let again = |now| ids.iter().map(move |id| sqlx::query(RETRY).bind(*id).bind(now));
        Ok(self.change(again, doing).await?.into_iter().sum())
    }

    async fn prune_requests(&mut self, older_than: Duration) -> Result<u64, StoreError> {
        let prune = |now: i64| [sqlx::query(PRUNE).bind(now).bind(milliseconds(older_than))];
        Ok(self.change(prune, "remove old requests").await?.into_iter().sum())
    }
}

impl SqliteStore {
    /// Carries statements out in one transaction, given its time; says how many rows each has touched.
    async fn change<'q, S: IntoIterator<Item = Statement<'q>>>(
        &mut self,
        statements: impl FnOnce(i64) -> S,
        doing: &'static str,
    ) -> Result<Vec<u64>, StoreError> {
        self.begin_waiting().await?;
        let statements: Vec<_> = statements(now().0).into_iter().collect();
        let changed = self.run_all(statements).await.map_err(self.error(doing));
        self.end_write(changed, doing).await
    }

    async fn run_all(&mut self, statements: Vec<Statement<'_>>) -> Result<Vec<u64>, sqlx::Error> {
        let mut changed = Vec::with_capacity(statements.len());
        for statement in statements {
            changed.push(statement.execute(&mut self.connection).await?.rows_affected());
        }
        Ok(changed)
    }

    /// Begins to write. As long as another process keeps this one waiting, the claims that it holds are kept beside the database.
    async fn begin_waiting(&mut self) -> Result<(), StoreError> {
        let mut kept = std::mem::take(&mut self.kept);
        let path = self.path.clone();
        let begun = kept.keep_during(&path, self.begin_write(|| ())).await;
        self.kept = kept;
        begun
    }

    async fn rescue(&mut self, owner: &str) -> Result<u64, StoreError> {
        // Renewals that still wait for their turn to be written.
        let renewed = kept_claims(&self.path).await;
        let (now, latest) = now();
        let mut statements: Vec<Statement<'_>> =
            renewed.into_iter().map(|(held, until)| of(RENEW_OVER, held, now).bind(until).bind(latest)).collect();
        statements.push(sqlx::query(RESCUE_OWN).bind(now).bind(latest).bind(owner));
        statements.push(sqlx::query(RESCUE).bind(now).bind(latest).bind(MOST_RETRIES).bind(VANISHED));
        let changed = self.run_all(statements).await;
        let changed = changed.map_err(self.error("look for claims of processors that have died"))?;
        Ok(changed.iter().rev().take(2).sum())
    }

    async fn claim(
        &mut self,
        owner: &str,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<(i64, ClaimedRequest)>, sqlx::Error> {
        let now = now().0;
        let ask = |sql| sqlx::query(sql).bind(owner).bind(now);
        let row = ask(LOSSES).fetch_one(&mut self.connection).await?;
        let [held, next] = [0, 1].map(|column| row.get::<Option<i64>, _>(column).map(number));
        let Some(Batch { losses, most }) = next.and_then(|next| Batch::of(held, next, most)) else {
            return Ok(Vec::new());
        };
        let claim = ask(CLAIM).bind(until(now, lease)).bind(losses.0).bind(losses.1).bind(most);
        let rows = claim.fetch_all(&mut self.connection).await?;
        let claimed = rows.iter().map(|row| {
            let held = Held { id: row.get(0), token: row.get(7) };
            (row.get(9), ClaimedRequest { held, request: asked(row), retry_count: number(row.get(8)) })
        });
        Ok(claimed.collect())
    }
}

/// Now, and the latest end that a lease can have.
fn now() -> (i64, i64) {
    let now = Timestamp::now().as_millisecond();
    (now, now + milliseconds(LONGEST_LEASE))
}

fn until(now: i64, lease: Duration) -> i64 {
    now + milliseconds(lease.min(LONGEST_LEASE))
}

/// A statement on a claim.
fn of(sql: &'static str, held: Held, now: i64) -> Statement<'static> {
    sqlx::query(sql).bind(held.id).bind(held.token).bind(now)
}

/// A text that another program may have written: SQLite takes any bytes for one.
pub(super) fn text(row: &SqliteRow, column: usize) -> Option<String> {
    let bytes: Option<Vec<u8>> = row.get_unchecked(column);
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// What a row asks for, from its first columns.
fn asked(row: &SqliteRow) -> NewRequest {
    let [symbol, from, to, timeframes] = [1, 3, 4, 5].map(|column| text(row, column).unwrap_or_default());
    Asked { symbol, days: row.get(2), from, to, timeframes, priority: row.get(6) }.request()
}

fn queued(row: &SqliteRow) -> QueuedRequest {
    let instant = |column: usize| row.get::<Option<i64>, _>(column).map(nearest_instant);
    let word = |column| text(row, column).unwrap_or_default();
    QueuedRequest {
        id: row.get(0),
        request: asked(row),
        status: RequestStatus::of_word(&word(7)).unwrap_or(RequestStatus::Failed),
        outcome: RequestOutcome::of_word(&word(8)),
        requested_at: nearest_instant(row.get(9)),
        started_at: instant(10),
        completed_at: instant(11),
        error_message: text(row, 12),
        retry_count: number(row.get(13)),
        not_before: instant(14),
        lease_owner: text(row, 15),
        days_total: row.get::<Option<i64>, _>(16).map(number),
        days_done: number(row.get(17)),
    }
}
