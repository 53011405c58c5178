//! Option chains.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use jiff::civil::Date;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::transaction::{Access, Statement, Work};
use super::{PostgresStore, StoreError};
use crate::model::Outcome;
use crate::store::chain::in_order;
use crate::store::values::{count, date, instant, known, stored, unknown};
use crate::store::{Attempt, ChainImported, ChainRow, ChainSource, ChainState, OptionChains, StoredChain};

const COLUMNS: &str = "underlying, session_date, contract, open_interest, implied_volatility, delta, gamma, theta, vega, \
                       day_volume, known_at, source";

/// Rows of [`COLUMNS`] out of arrays, `n`.
const ROWS_OF_ARRAYS: &str = "
    SELECT u AS underlying, d::date AS session_date, c AS contract, o AS open_interest, i AS implied_volatility, e AS delta,
        g AS gamma, t AS theta, v AS vega, y AS day_volume, k AS known_at, s AS source
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::float8[], $6::float8[], $7::float8[], $8::float8[],
        $9::float8[], $10::float8[], $11::bigint[], $12::text[]) AS a (u, d, c, o, i, e, g, t, v, y, k, s)";

/// Rows of a statement.
const ROWS: usize = 5000;

/// Rows that are fetched at a time.
const ROWS_READ: u32 = 4096;

impl OptionChains for PostgresStore {
    async fn store_chain(
        &mut self,
        underlying: &str,
        session_date: Date,
        rows: &[ChainRow],
        attempt: &Attempt,
    ) -> Result<bool, StoreError> {
        let mut work = self.begin(Access::Write, "store an option chain").await?;
        let contracts = stored(rows.len() as u64);
        let final_one = (attempt.outcome == Outcome::Provisional).then_some(Outcome::Loaded.as_str());
        // First of all: of two snapshots that meet, the second waits here, and its rows replace those of the first.
        let is_written =
            write_state(&mut work, underlying, session_date, contracts, attempt, final_one.as_slice()).await?;
        if is_written {
            let delete = "DELETE FROM option_chain_daily
                          WHERE underlying = $1 AND session_date = $2::date AND source = 'snapshot'";
            work.execute(sqlx::query(delete).bind(underlying).bind(session_date.to_string())).await?;
            let insert = format!(
                "INSERT INTO option_chain_daily ({COLUMNS}) {ROWS_OF_ARRAYS}
                 ON CONFLICT (underlying, session_date, contract) DO UPDATE SET open_interest = excluded.open_interest,
                     implied_volatility = excluded.implied_volatility, delta = excluded.delta, gamma = excluded.gamma,
                     theta = excluded.theta, vega = excluded.vega, day_volume = excluded.day_volume,
                     known_at = excluded.known_at, source = excluded.source"
            );
            for rows in rows.chunks(ROWS) {
                work.execute(bind_rows(&insert, rows)).await?;
            }
        }
        crash_point!("chain-written");
        work.commit().await?;
        crash_point!("chain-committed");
        Ok(is_written)
    }

    async fn record_chain_attempt(
        &mut self,
        underlying: &str,
        session_date: Date,
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        let mut work = self.begin(Access::Write, "write the ledger").await?;
        let stored = [Outcome::Loaded, Outcome::Provisional].map(Outcome::as_str);
        write_state(&mut work, underlying, session_date, 0, attempt, &stored).await?;
        work.commit().await
    }

    async fn chain_states(&mut self, underlyings: &[String]) -> Result<BTreeMap<String, ChainState>, StoreError> {
        let mut work = self.begin(Access::Read, "read the ledger").await?;
        let select = sqlx::query(
            "SELECT n.underlying, l.session_date::text, l.outcome, l.detail, l.contracts, l.finished_at,
                 (SELECT MAX(session_date)::text FROM option_chain_ledger
                  WHERE underlying = n.underlying COLLATE \"C\" AND contracts > 0)
             FROM unnest($1::text[]) AS n (underlying)
             CROSS JOIN LATERAL (
                 SELECT * FROM option_chain_ledger WHERE underlying = n.underlying COLLATE \"C\"
                 ORDER BY session_date DESC LIMIT 1) l",
        );
        let rows = work.rows(select.bind(underlyings)).await?;
        let states = rows.iter().map(|row| Ok((row.get(0), state(row)?))).collect::<Result<_, StoreError>>()?;
        work.done(states).await
    }

    async fn import_chain(
        &mut self,
        mut rows: impl Iterator<Item = ChainRow> + Send,
    ) -> Result<ChainImported, StoreError> {
        let mut work = self.begin(Access::Write, "import an option chain").await?;
        // Each row by the key. What this transaction writes has no statistics yet, so that the table would be read whole every time.
        work.script(
            "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off",
        )
        .await?;
        let compare = format!(
            "WITH n AS ({ROWS_OF_ARRAYS})
             SELECT COUNT(*) FILTER (WHERE o.source = 'snapshot'),
                 COUNT(*) FILTER (WHERE o.source = 'import' AND o.open_interest IS NOT DISTINCT FROM n.open_interest),
                 COUNT(*) FILTER (WHERE o.source = 'import' AND o.open_interest IS DISTINCT FROM n.open_interest)
             FROM n JOIN option_chain_daily o ON o.underlying = n.underlying COLLATE \"C\"
                 AND o.session_date = n.session_date AND o.contract = n.contract COLLATE \"C\""
        );
        let upsert = format!(
            "INSERT INTO option_chain_daily AS o ({COLUMNS}) {ROWS_OF_ARRAYS}
             ON CONFLICT (underlying, session_date, contract) DO UPDATE SET open_interest = excluded.open_interest,
                 known_at = excluded.known_at
             WHERE o.source = 'import' AND o.open_interest IS DISTINCT FROM excluded.open_interest"
        );
        let mut imported = ChainImported::default();
        loop {
            let rows: Vec<_> = rows.by_ref().take(ROWS).collect();
            if rows.is_empty() {
                break;
            }
            let found = work.rows(bind_rows(&compare, &rows)).await?;
            let of_column = |column: usize| found.first().map_or(0, |row| count(row.get(column)));
            let [kept, unchanged, changed] = [0, 1, 2].map(of_column);
            imported.kept += kept;
            imported.unchanged += unchanged;
            imported.changed += changed;
            imported.added += rows.len() as u64 - kept - unchanged - changed;
            work.execute(bind_rows(&upsert, &rows)).await?;
        }
        work.commit().await?;
        Ok(imported)
    }

    async fn stored_chains(&mut self, underlyings: Option<&[String]>) -> Result<Vec<StoredChain>, StoreError> {
        let mut work = self.begin(Access::Read, "read option chains").await?;
        let select = sqlx::query(
            "SELECT underlying, COUNT(DISTINCT session_date), MIN(session_date)::text, MAX(session_date)::text, COUNT(*)
             FROM option_chain_daily WHERE $1::text[] IS NULL OR underlying = ANY($1)
             GROUP BY underlying ORDER BY underlying",
        );
        let rows = work.rows(select.bind(underlyings)).await?;
        let chain = |row: &PgRow| {
            Ok(StoredChain {
                underlying: row.get(0),
                sessions: count(row.get(1)),
                first: date(row.get(2))?,
                last: date(row.get(3))?,
                rows: count(row.get(4)),
            })
        };
        let chains = rows.iter().map(chain).collect::<Result<_, StoreError>>()?;
        work.done(chains).await
    }

    async fn scan_chain(
        &mut self,
        underlyings: Option<&[String]>,
        dates: RangeInclusive<Date>,
        mut each: impl FnMut(&[ChainRow]) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        let columns = COLUMNS.replace("session_date", "c.session_date::text");
        let mut work = self.begin(Access::Read, "read option chains").await?;
        // Rows come in the order of the key by reading its index; sorting years of chains would fill a disk.
        work.script("SET LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0").await?;
        // One query for each name: the rows of a list would have to be sorted after.
        let names = underlyings.map_or_else(|| vec![None], |names| in_order(names).into_iter().map(Some).collect());
        'all: for name in names {
            let declare = format!(
                "DECLARE chain NO SCROLL CURSOR FOR SELECT {columns} FROM option_chain_daily c
                 WHERE c.session_date BETWEEN '{}' AND '{}' {}
                 ORDER BY c.underlying, c.session_date, c.contract",
                dates.start(),
                dates.end(),
                if name.is_some() { "AND c.underlying = $1" } else { "" }
            );
            work.execute(name.into_iter().fold(sqlx::query(AssertSqlSafe(declare)), Statement::bind)).await?;
            loop {
                let rows = work.rows(sqlx::query(AssertSqlSafe(format!("FETCH {ROWS_READ} FROM chain")))).await?;
                let rows = rows.iter().map(chain_row).collect::<Result<Vec<_>, _>>()?;
                if rows.is_empty() {
                    break;
                }
                if each(&rows).is_break() {
                    break 'all;
                }
            }
            work.script("CLOSE chain").await?;
        }
        // A scan that ended early has left its cursor, and the transaction may go on.
        work.script("CLOSE ALL").await?;
        work.commit().await
    }
}

/// Writes the ledger row of an underlying and session, unless there is one with one of these outcomes; says whether it did.
async fn write_state(
    work: &mut Work<'_>,
    underlying: &str,
    session_date: Date,
    contracts: i64,
    attempt: &Attempt,
    but_for: &[&str],
) -> Result<bool, StoreError> {
    let upsert = sqlx::query(
        "INSERT INTO option_chain_ledger AS l
             (underlying, session_date, contracts, outcome, detail, started_at, finished_at)
         VALUES ($1, $2::date, $3, $4, $5, $6, $7)
         ON CONFLICT (underlying, session_date) DO UPDATE SET contracts = excluded.contracts, outcome = excluded.outcome,
             detail = excluded.detail, started_at = excluded.started_at, finished_at = excluded.finished_at
         WHERE l.outcome <> ALL($8)",
    )
    .bind(underlying)
    .bind(session_date.to_string())
    .bind(contracts)
    .bind(attempt.outcome.as_str())
    .bind(&attempt.detail)
    .bind(attempt.started_at.as_millisecond())
    .bind(attempt.finished_at.as_millisecond())
    .bind(but_for);
    Ok(work.execute(upsert).await? > 0)
}

/// A statement over [`ROWS_OF_ARRAYS`].
fn bind_rows<'q>(sql: &str, rows: &'q [ChainRow]) -> Statement<'q> {
    fn all<'a, T>(rows: &'a [ChainRow], get: impl Fn(&'a ChainRow) -> T) -> Vec<T> {
        rows.iter().map(get).collect()
    }
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .bind(all(rows, |row| row.underlying.as_str()))
        .bind(all(rows, |row| row.session_date.to_string()))
        .bind(all(rows, |row| row.contract.as_str()))
        .bind(all(rows, |row| row.open_interest.map(stored)))
        .bind(all(rows, |row| row.implied_volatility))
        .bind(all(rows, |row| row.delta))
        .bind(all(rows, |row| row.gamma))
        .bind(all(rows, |row| row.theta))
        .bind(all(rows, |row| row.vega))
        .bind(all(rows, |row| row.day_volume))
        .bind(all(rows, |row| row.known_at.as_millisecond()))
        .bind(all(rows, |row| row.source.as_str()))
}

fn state(row: &PgRow) -> Result<ChainState, StoreError> {
    Ok(ChainState {
        session_date: date(row.get(1))?,
        outcome: row.get::<&str, _>(2).parse().map_err(unknown)?,
        detail: row.get(3),
        contracts: count(row.get(4)),
        attempted_at: instant(row.get(5))?,
        last_stored: row.get::<Option<&str>, _>(6).map(date).transpose()?,
    })
}

fn chain_row(row: &PgRow) -> Result<ChainRow, StoreError> {
    Ok(ChainRow {
        underlying: row.get(0),
        session_date: date(row.get(1))?,
        contract: row.get(2),
        open_interest: row.get::<Option<i64>, _>(3).map(count),
        implied_volatility: row.get(4),
        delta: row.get(5),
        gamma: row.get(6),
        theta: row.get(7),
        vega: row.get(8),
        day_volume: row.get(9),
        known_at: instant(row.get(10))?,
        source: known(row.get(11), "source of an option chain", ChainSource::of_word)?,
    })
}
