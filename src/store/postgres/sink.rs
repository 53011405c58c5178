//! Taking the bars of a day.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::connection::Link;
use super::copy::{CopyTask, encode};
use super::ledger::read_states;
use super::transaction::Access;
use super::{PostgresStore, StoreError, sql};
use crate::model::{Dataset, FileKind, TimeframeSet, midnight};
use crate::store::values::{count, stored};
use crate::store::{BarBatch, BarSink, DayCommit, DayState, Replace, RestState};

/// How often it is looked whether another process is done with a day.
const LOOKED_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// After how long a wait is said.
const SAID_AFTER: Duration = Duration::from_secs(2);

/// How long another process may work on the same day before this one gives up.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Takes the locks of days in their order, up to the first that another transaction has; says how many it took.
const LOCK_DAYS: &str = "
WITH RECURSIVE locks (taken, is_free) AS (
    SELECT 0, TRUE
    UNION ALL
    SELECT taken + 1, pg_try_advisory_xact_lock(
        hashtextextended('barkeep ' || current_schema() || ' ' || ($1::text[])[taken + 1], 0))
    FROM locks WHERE is_free AND taken < cardinality($1::text[]))
SELECT (COUNT(*) FILTER (WHERE is_free) - 1)::bigint FROM locks";

/// The day whose transaction is open.
#[derive(Debug)]
pub(super) struct OpenDay {
    pub(super) dataset: Dataset,
    pub(super) date: Date,
    pub(super) state: DayState,
    /// Starts its bars can have.
    pub(super) range_ms: RangeInclusive<i64>,
    /// Bars stored before and not removed: of those made from the minute file, and from the day file.
    pub(super) kept: [u64; 2],
    /// What was removed because the vendor has replaced the file: set aside, to be compared.
    pub(super) restated: Vec<Replace>,
}

/// What is left of what the REST API has brought of symbols.
const LEFT: &str = "
UPDATE rest_ledger r SET timeframes = l.timeframes, provisional = l.provisional, bars_written = l.bars,
    exact_vwap = l.exact_vwap
FROM unnest($3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::text[])
    AS l (symbol, timeframes, provisional, bars, exact_vwap)
WHERE r.dataset = $1 AND r.session_date = $2::date AND r.symbol = l.symbol";

const NOTHING_LEFT: &str = "
DELETE FROM rest_ledger
WHERE dataset = $1 AND session_date = $2::date AND symbol = ANY($3) AND timeframes = '' AND exact_vwap = ''";

impl BarSink for PostgresStore {
    async fn begin_day(
        &mut self,
        dataset: Dataset,
        date: Date,
        waiting: impl FnOnce() + Send,
    ) -> Result<DayState, StoreError> {
        let range_ms = day_range(dataset, date);
        self.ensure_partitions(&range_ms).await?;
        self.begin(Access::Write, "begin a day").await?;
        self.lock_days(dataset, &[date], waiting).await?;
        let mut work = self.work("begin a day");
        let state = read_states(&mut work, dataset, &(date..=date), None).await?.remove(&date).unwrap_or_default();
        let kept = FileKind::ALL.map(|kind| state.file(kind).map_or(0, |file| file.bars));
        self.open_day = Some(OpenDay { dataset, date, state: state.clone(), range_ms, kept, restated: Vec::new() });
        Ok(state)
    }

    async fn replace(&mut self, what: &Replace) -> Result<u64, StoreError> {
        self.stop_copying().await?;
        let mut removed = 0;
        for kind in FileKind::ALL {
            let timeframes = what.timeframes.and(kind.timeframes());
            if timeframes.is_empty() {
                continue;
            }
            let of_kind = self.remove(timeframes, what.symbols.as_deref(), what.restated).await?;
            let whole = what.symbols.is_none() && timeframes == kind.timeframes();
            let kept = &mut self.day_mut().kept[kind as usize];
            *kept = if whole { 0 } else { kept.saturating_sub(of_kind) };
            removed += of_kind;
        }
        let left = self.day().state.less_exact(what);
        self.write_left(left).await?;
        if what.restated {
            self.day_mut().restated.push(what.clone());
        }
        Ok(removed)
    }

    async fn replace_rest(&mut self, symbols: &[String]) -> Result<u64, StoreError> {
        self.stop_copying().await?;
        let day = self.day_mut();
        // Mostly all of them have the same timeframes: one statement removes their bars.
        let mut brought: BTreeMap<TimeframeSet, Vec<String>> = BTreeMap::new();
        let mut left = Vec::new();
        for symbol in symbols {
            let Some(rest) = day.state.rest.remove(symbol) else { continue };
            let timeframes = rest.timeframes.minus(day.state.covered_by_files(symbol));
            brought.entry(timeframes).or_default().push(symbol.clone());
            left.push((symbol.clone(), rest.without_bars()));
        }
        let mut removed = 0;
        for (timeframes, symbols) in brought {
            removed += self.remove(timeframes, Some(&symbols), false).await?;
        }
        self.write_left(left).await?;
        Ok(removed)
    }

    async fn forget_day(&mut self) -> Result<u64, StoreError> {
        let everything = FileKind::ALL.iter().fold(TimeframeSet::EMPTY, |all, kind| all.union(kind.timeframes()));
        let removed = self.replace(&Replace { timeframes: everything, symbols: None, restated: false }).await?;
        let (dataset, date) = (self.day().dataset, self.day().date.to_string());
        let mut work = self.work("forget a day");
        for delete in [
            "DELETE FROM coverage WHERE dataset = $1 AND session_date = $2::date",
            "DELETE FROM ingest_ledger WHERE dataset = $1 AND session_date = $2::date",
            "DELETE FROM rest_ledger WHERE dataset = $1 AND session_date = $2::date",
        ] {
            work.execute(sqlx::query(delete).bind(dataset.as_str()).bind(&date)).await?;
        }
        let day = self.day_mut();
        day.state = DayState::default();
        day.restated.clear();
        Ok(removed)
    }

    async fn write(&mut self, batch: &BarBatch) -> Result<(), StoreError> {
        let (date, table) = (self.day().date, Self::table_of(&self.day().range_ms));
        self.copy(&table, encode(batch, date)).await
    }

    async fn commit_day(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        self.stop_copying().await?;
        self.write_commit(commit).await?;
        let committed = self.work("commit a day").commit().await;
        self.open_day = None;
        committed
    }

    async fn abandon_day(&mut self) -> Result<(), StoreError> {
        self.roll_back().await;
        Ok(())
    }
}

/// Starts that bars of a trading date can have, milliseconds since the Unix epoch.
pub(super) fn day_range(dataset: Dataset, date: Date) -> RangeInclusive<i64> {
    let start = midnight(dataset.market(), date).as_millisecond();
    let next = date.tomorrow().map_or(i64::MAX, |next| midnight(dataset.market(), next).as_millisecond());
    start..=next - 1
}

impl PostgresStore {
    pub(super) fn day(&self) -> &OpenDay {
        self.open_day.as_ref().expect("Invariant: bars are written between `begin_day` and its end")
    }

    fn day_mut(&mut self) -> &mut OpenDay {
        self.open_day.as_mut().expect("Invariant: bars are written between `begin_day` and its end")
    }

    /// Waits until days, ascending, belong to the open transaction. A day belongs to one transaction at a time, and who needs
    /// several takes them in the same order as everyone.
    ///
    /// Asked for again and again rather than waited for in the server, so that the wait can be given up at once.
    pub(super) async fn lock_days(
        &mut self,
        dataset: Dataset,
        dates: &[Date],
        waiting: impl FnOnce() + Send,
    ) -> Result<(), StoreError> {
        let days: Vec<String> = dates.iter().map(|date| format!("{dataset} {date}")).collect();
        let since = Instant::now();
        let mut waiting = Some(waiting);
        let mut locked = 0;
        loop {
            let lock = sqlx::query(LOCK_DAYS).bind(&days[locked..]);
            locked += usize::try_from(counted(&self.work("lock a day").rows(lock).await?)).unwrap_or(0);
            if locked >= days.len() {
                return Ok(());
            }
            if since.elapsed() > LONGEST_WAIT {
                self.roll_back().await;
                let database = self.address.name().to_owned();
                return Err(StoreError::Busy { database, waited_seconds: LONGEST_WAIT.as_secs() });
            }
            if since.elapsed() > SAID_AFTER
                && let Some(say) = waiting.take()
            {
                say();
            }
            tokio::time::sleep(LOOKED_AGAIN_AFTER).await;
        }
    }

    /// Adds rows to the stream of bars, beginning it if there is none.
    pub(super) async fn copy(&mut self, table: &str, rows: Vec<u8>) -> Result<(), StoreError> {
        if matches!(self.link, Link::Ready(_))
            && let Link::Ready(connection) = std::mem::replace(&mut self.link, Link::Lost)
        {
            self.link = Link::Copying(CopyTask::start(connection, table, self.address.patience));
        }
        match &self.link {
            Link::Copying(copying) => copying.send(rows).await,
            Link::Ready(_) | Link::Lost => return Err(self.meaning("write bars", sqlx::Error::PoolClosed)),
        }
        Ok(())
    }

    /// Ends the stream of bars, if there is one. After an error nothing is left of the transaction.
    pub(super) async fn stop_copying(&mut self) -> Result<(), StoreError> {
        let Link::Copying(_) = &self.link else { return Ok(()) };
        let Link::Copying(copying) = std::mem::replace(&mut self.link, Link::Lost) else { return Ok(()) };
        let copied = match copying.finish().await {
            Ok((connection, copied)) => {
                self.link = Link::Ready(connection);
                copied
            }
            Err(panicked) => Err(sqlx::Error::Protocol(panicked.to_string())),
        };
        match copied {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = self.meaning("write bars", error);
                Box::pin(self.roll_back()).await;
                Err(error)
            }
        }
    }

    /// Writes what is left of what the REST API has brought of symbols.
    async fn write_left(&mut self, left: Vec<(String, RestState)>) -> Result<(), StoreError> {
        if left.is_empty() {
            return Ok(());
        }
        let (symbols, rests): (Vec<String>, Vec<RestState>) = left.into_iter().unzip();
        let (dataset, date) = (self.day().dataset, self.day().date.to_string());
        let texts = |text: fn(&RestState) -> String| rests.iter().map(text).collect::<Vec<_>>();
        let update = sqlx::query(LEFT)
            .bind(dataset.as_str())
            .bind(&date)
            .bind(&symbols)
            .bind(texts(|rest| rest.timeframes.to_string()))
            .bind(rests.iter().map(|rest| rest.is_provisional).collect::<Vec<_>>())
            .bind(rests.iter().map(|rest| stored(rest.bars)).collect::<Vec<_>>())
            .bind(texts(|rest| rest.exact_vwap.to_string()));
        let delete = sqlx::query(NOTHING_LEFT).bind(dataset.as_str()).bind(&date).bind(&symbols);
        let mut work = self.work("write the ledger");
        work.execute(update).await?;
        work.execute(delete).await?;
        let day = self.day_mut();
        day.state.rest.retain(|symbol, _| !symbols.contains(symbol));
        day.state.rest.extend(symbols.into_iter().zip(rests).filter(|(_, rest)| !rest.is_nothing()));
        Ok(())
    }

    /// Removes bars of the day; sets them aside if they are to be compared.
    async fn remove(
        &mut self,
        timeframes: TimeframeSet,
        symbols: Option<&[String]>,
        aside: bool,
    ) -> Result<u64, StoreError> {
        let (dataset, range) = (self.day().dataset, sql::within(&self.day().range_ms));
        let frames = sql::words(timeframes);
        let mut work = self.work("remove bars");
        if aside {
            let table = "CREATE TEMP TABLE IF NOT EXISTS barkeep_aside (LIKE historical_bars) ON COMMIT DROP";
            work.script(table).await?;
        }
        let delete = |with: &str, of: &str| {
            let delete = format!("DELETE FROM historical_bars b WHERE {of} AND b.timeframe IN ({frames}) AND {range}");
            if aside {
                format!(
                    "WITH RECURSIVE {with} gone AS ({delete} RETURNING b.*), set_aside AS (INSERT INTO barkeep_aside
                     SELECT * FROM gone RETURNING 1) SELECT COUNT(*) FROM set_aside"
                )
            } else {
                format!("WITH RECURSIVE {with} gone AS ({delete} RETURNING 1) SELECT COUNT(*) FROM gone")
            }
        };
        let mut removed = 0;
        if let Some(symbols) = symbols {
            let sql = delete("", "b.symbol = ANY($1)");
            removed += counted(&work.rows(sqlx::query(AssertSqlSafe(sql)).bind(symbols)).await?);
        } else {
            for segment in sql::segments(dataset) {
                let with = format!("{},", sql::symbols_where(&format!("{segment} AND {range}")));
                let sql = delete(&with, "b.symbol IN (SELECT symbol FROM found)");
                removed += counted(&work.rows(sqlx::query(AssertSqlSafe(sql))).await?);
            }
        }
        Ok(removed)
    }
}

/// The number a query tells.
pub(super) fn counted(rows: &[PgRow]) -> u64 {
    rows.first().map_or(0, |row| count(row.get(0)))
}
