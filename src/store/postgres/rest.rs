//! Taking what the REST API brings.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use sqlx::{AssertSqlSafe, Row};

use super::copy::encode;
use super::ledger::read_states;
use super::sink::{counted, day_range};
use super::transaction::Access;
use super::{PostgresStore, StoreError, sql};
use crate::model::{Bar, Symbol};
use crate::store::rest::Placing;
use crate::store::values::{count, stored};
use crate::store::{Attempt, DayState, SymbolDay, SymbolDayStored, SymbolDays, SymbolSink};

/// What is said of an attempt.
const ATTEMPT: &str = "
INSERT INTO rest_ledger (dataset, session_date, symbol, outcome, detail, started_at, finished_at)
SELECT $1, d::date, $3, $4, $5, $6, $7 FROM unnest($2::text[]) AS d
ON CONFLICT (dataset, session_date, symbol) DO UPDATE SET outcome = excluded.outcome, detail = excluded.detail,
    started_at = excluded.started_at, finished_at = excluded.finished_at";

/// What is said of days that are stored.
const STORED: &str = "
INSERT INTO rest_ledger (dataset, symbol, request, fetched_at, started_at, finished_at, session_date, timeframes,
    provisional, exact_vwap, rows_read, bars_written, outcome)
SELECT $1, $2, $3, $4, $5, $4, d.date::date, d.timeframes, d.provisional, d.exact_vwap, d.rows_read,
    d.bars_written, d.outcome
FROM unnest($6::text[], $7::text[], $8::boolean[], $9::text[], $10::bigint[], $11::bigint[], $12::text[])
    AS d (date, timeframes, provisional, exact_vwap, rows_read, bars_written, outcome)
ON CONFLICT (dataset, session_date, symbol) DO UPDATE SET timeframes = excluded.timeframes,
    provisional = excluded.provisional, exact_vwap = excluded.exact_vwap, request = excluded.request,
    rows_read = excluded.rows_read, bars_written = excluded.bars_written,
    fetched_at = excluded.fetched_at, outcome = excluded.outcome, detail = NULL, started_at = excluded.started_at,
    finished_at = excluded.finished_at";

impl SymbolSink for PostgresStore {
    async fn store_symbol(&mut self, days: &SymbolDays) -> Result<Vec<SymbolDayStored>, StoreError> {
        let placed = self.place(days).await;
        if placed.is_err() {
            self.roll_back().await;
        }
        placed
    }

    async fn record_symbol_attempt(
        &mut self,
        symbol: &Symbol,
        dates: &[Date],
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        // In one order everywhere, so that two processes do not wait for each other.
        let dates: BTreeSet<Date> = dates.iter().copied().collect();
        let write = || {
            sqlx::query(ATTEMPT)
                .bind(symbol.dataset().as_str())
                .bind(dates.iter().map(ToString::to_string).collect::<Vec<_>>())
                .bind(symbol.as_str())
                .bind(attempt.outcome.as_str())
                .bind(&attempt.detail)
                .bind(attempt.started_at.as_millisecond())
                .bind(attempt.finished_at.as_millisecond())
        };
        self.single(Access::Write, "write the ledger", write).await.map(drop)
    }
}

impl PostgresStore {
    async fn place(&mut self, days: &SymbolDays) -> Result<Vec<SymbolDayStored>, StoreError> {
        let (Some(first), Some(last)) = (days.days.first(), days.days.last()) else { return Ok(Vec::new()) };
        let dates: Vec<Date> = days.days.iter().map(|day| day.date).collect();
        for date in &dates {
            self.ensure_partitions(&day_range(days.dataset, *date)).await?;
        }
        self.begin(Access::Write, "store days of a symbol").await?;
        self.lock_days(days.dataset, &dates, || ()).await?;
        let mut work = self.work("read the ledger");
        let mut states = read_states(&mut work, days.dataset, &(first.date..=last.date), Some(&days.symbol)).await?;
        for day in days.days.iter().filter(|day| day.is_absent_in_file && !day.bars.is_empty()) {
            if let Some(state) = states.get_mut(&day.date) {
                self.give_up_absence(days, day, state).await?;
            }
        }
        let (changing, left): (Vec<_>, Vec<_>) = days
            .days
            .iter()
            .map(|day| Placing::of(days, day, states.get(&day.date)))
            .partition(Placing::changes_anything);
        let mut stored: Vec<_> = left.iter().map(|placing| placing.stored(0, 0, 0)).collect();
        if !changing.is_empty() {
            let removed = self.remove_brought(days, &changing).await?;
            let written = self.copy_brought(days, &changing).await?;
            self.write_rest(days, &changing, &removed, &written).await?;
            for (placing, written) in changing.iter().zip(written) {
                let (made_exact, left_estimated) = self.make_exact(days, placing).await?;
                stored.push(placing.stored(written, made_exact, left_estimated));
            }
            stored.sort_unstable_by_key(|day| day.date);
        }
        self.work("store days of a symbol").commit().await?;
        crash_point!("rest-committed");
        Ok(stored)
    }

    /// Forgets that a file was loaded for a symbol which it lacks.
    async fn give_up_absence(
        &mut self,
        days: &SymbolDays,
        day: &SymbolDay,
        state: &mut DayState,
    ) -> Result<(), StoreError> {
        let Some(given_up) = state.absence(&days.symbol, day.timeframes) else { return Ok(()) };
        let count = format!(
            "SELECT COUNT(*) FROM historical_bars b WHERE b.symbol = $1 AND b.timeframe IN ({}) AND {}",
            sql::words(given_up.timeframes),
            sql::within(&day_range(days.dataset, day.date))
        );
        let count = sqlx::query(AssertSqlSafe(count)).bind(&days.symbol);
        if counted(&self.work("look for bars").rows(count).await?) > 0 {
            return Ok(());
        }
        let update = if given_up.left.is_empty() {
            "DELETE FROM coverage WHERE dataset = $1 AND session_date = $2::date AND symbol = $3 AND $4 = ''"
        } else {
            "UPDATE coverage SET timeframes = $4 WHERE dataset = $1 AND session_date = $2::date AND symbol = $3"
        };
        let update = sqlx::query(update).bind(days.dataset.as_str()).bind(day.date.to_string());
        let update = update.bind(&days.symbol).bind(given_up.left.to_string());
        self.work("write the coverage").execute(update).await?;
        given_up.apply(state, &days.symbol);
        Ok(())
    }

    /// Removes what is to be replaced; says how many bars of each day that were.
    async fn remove_brought(&mut self, days: &SymbolDays, placings: &[Placing<'_>]) -> Result<Vec<u64>, StoreError> {
        let each = placings.iter().zip(0_i32..).flat_map(|(placing, at)| {
            let range = day_range(days.dataset, placing.day.date);
            placing.removed.iter().map(move |timeframe| (at, timeframe.as_str(), *range.start(), *range.end()))
        });
        let (mut at, mut timeframes, mut firsts, mut lasts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (day, timeframe, first, last) in each {
            at.push(day);
            timeframes.push(timeframe);
            firsts.push(first);
            lasts.push(last);
        }
        let delete = format!(
            "WITH gone AS (
                 DELETE FROM historical_bars b
                 USING unnest($2::int[], $3::text[], $4::bigint[], $5::bigint[]) AS d (day, timeframe, first, last)
                 WHERE b.symbol = $1 AND b.timeframe = d.timeframe AND b.timestamp BETWEEN d.first AND d.last AND {}
                 RETURNING d.day)
             SELECT day, COUNT(*) FROM gone GROUP BY day",
            sql::within(&range(days, placings))
        );
        let delete = sqlx::query(AssertSqlSafe(delete)).bind(&days.symbol);
        let delete = delete.bind(at).bind(timeframes).bind(firsts).bind(lasts);
        let mut removed = vec![0; placings.len()];
        for row in self.work("remove bars").rows(delete).await? {
            if let Some(of) = usize::try_from(row.get::<i32, _>(0)).ok().and_then(|at| removed.get_mut(at)) {
                *of = count(row.get(1));
            }
        }
        Ok(removed)
    }

    /// Streams the bars; says how many each day has.
    async fn copy_brought(&mut self, days: &SymbolDays, placings: &[Placing<'_>]) -> Result<Vec<u64>, StoreError> {
        let table = Self::table_of(&range(days, placings));
        let mut written = Vec::with_capacity(placings.len());
        for placing in placings {
            let batch = placing.batch();
            if !batch.bars.is_empty() {
                self.copy(&table, encode(&batch, placing.day.date)).await?;
            }
            crash_point!("rest-day-written");
            written.push(batch.bars.len() as u64);
        }
        self.stop_copying().await?;
        Ok(written)
    }

    /// Makes VWAPs of files' bars exact; says of how many, and how many estimates are left.
    async fn make_exact(&mut self, days: &SymbolDays, placing: &Placing<'_>) -> Result<(u64, u64), StoreError> {
        if placing.exact.is_empty() {
            return Ok((0, 0));
        }
        let of_day = format!("b.symbol = $1 AND {}", sql::within(&day_range(days.dataset, placing.day.date)));
        let bars: Vec<&Bar> = placing.exact_bars().collect();
        let update = format!(
            "UPDATE historical_bars b SET vwap = f.vwap, vwap_method = 'vendor'
             FROM unnest($2::text[], $3::bigint[], $4::float8[], $5::bigint[], $6::float8[])
                 AS f (timeframe, timestamp, volume, trades, vwap)
             WHERE {of_day} AND b.timeframe = f.timeframe AND b.timestamp = f.timestamp AND b.vwap_method IS NOT NULL
               AND b.volume IS NOT DISTINCT FROM f.volume AND b.trades IS NOT DISTINCT FROM f.trades"
        );
        let update = sqlx::query(AssertSqlSafe(update))
            .bind(&days.symbol)
            .bind(bars.iter().map(|bar| bar.timeframe.as_str()).collect::<Vec<_>>())
            .bind(bars.iter().map(|bar| bar.timestamp_ms).collect::<Vec<_>>())
            .bind(bars.iter().map(|bar| bar.volume).collect::<Vec<_>>())
            .bind(bars.iter().map(|bar| bar.trades.map(stored)).collect::<Vec<_>>())
            .bind(bars.iter().map(|bar| bar.vwap).collect::<Vec<_>>());
        let made = self.work("make VWAPs exact").execute(update).await?;
        let left = format!(
            "SELECT COUNT(*) FROM historical_bars b
             WHERE {of_day} AND b.timeframe IN ({}) AND b.vwap_method = 'estimate'",
            sql::words(placing.exact)
        );
        let left = sqlx::query(AssertSqlSafe(left)).bind(&days.symbol);
        Ok((made, counted(&self.work("make VWAPs exact").rows(left).await?)))
    }

    async fn write_rest(
        &mut self,
        days: &SymbolDays,
        placings: &[Placing<'_>],
        removed: &[u64],
        written: &[u64],
    ) -> Result<(), StoreError> {
        let outcomes = placings.iter().zip(removed.iter().zip(written));
        let (bars, outcomes): (Vec<i64>, Vec<&str>) = outcomes
            .map(|(placing, (removed, written))| placing.outcome(*removed, *written))
            .map(|(bars, outcome)| (stored(bars), outcome.as_str()))
            .unzip();
        let texts = |of: fn(&Placing<'_>) -> String| placings.iter().map(of).collect::<Vec<_>>();
        let counts =
            |of: fn(&Placing<'_>) -> u64| placings.iter().map(|placing| stored(of(placing))).collect::<Vec<_>>();
        let write = sqlx::query(STORED)
            .bind(days.dataset.as_str())
            .bind(&days.symbol)
            .bind(&days.request)
            .bind(days.finished_at.as_millisecond())
            .bind(days.started_at.as_millisecond())
            .bind(texts(|placing| placing.day.date.to_string()))
            .bind(texts(|placing| placing.timeframes.to_string()))
            .bind(placings.iter().map(|placing| placing.day.is_provisional).collect::<Vec<_>>())
            .bind(texts(|placing| placing.exact_vwap.to_string()))
            .bind(counts(|placing| placing.day.rows_read))
            .bind(bars)
            .bind(outcomes);
        self.work("write the ledger").execute(write).await.map(drop)
    }
}

/// Starts that bars of some days, ascending, can have.
fn range(days: &SymbolDays, placings: &[Placing<'_>]) -> RangeInclusive<i64> {
    let of = |placing: &Placing<'_>| day_range(days.dataset, placing.day.date);
    let first = placings.first().map_or(i64::MIN, |placing| *of(placing).start());
    first..=placings.last().map_or(i64::MAX, |placing| *of(placing).end())
}
