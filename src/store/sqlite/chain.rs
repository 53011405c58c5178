//! Option chains.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use futures_util::TryStreamExt;
use jiff::civil::Date;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, Sqlite};

use super::{SqliteStore, named};
use crate::model::Outcome;
use crate::store::chain::in_order;
use crate::store::values::{count, date, instant, known, stored, unknown};
use crate::store::{Attempt, ChainImported, ChainRow, ChainSource, ChainState, OptionChains, StoreError, StoredChain};

const COLUMNS: &str = "underlying, session_date, contract, open_interest, implied_volatility, delta, gamma, theta, vega, \
                       day_volume, known_at, source";
/// How many columns that are.
const COLUMN_COUNT: usize = 12;

/// Rows of a statement; far below SQLite's limit of 32,766 parameters.
const ROWS: usize = 100;

/// Rows that are handed on at a time.
const ROWS_READ: usize = 4096;

impl OptionChains for SqliteStore {
    async fn store_chain(
        &mut self,
        underlying: &str,
        session_date: Date,
        rows: &[ChainRow],
        attempt: &Attempt,
    ) -> Result<bool, StoreError> {
        self.begin_write(|| ()).await?;
        let written = self.replace_chain(underlying, session_date, rows, attempt).await;
        let written = written.map_err(self.error("store an option chain"));
        crash_point!("chain-written");
        let is_stored = self.end_write(written, "store an option chain").await?;
        crash_point!("chain-committed");
        Ok(is_stored)
    }

    async fn record_chain_attempt(
        &mut self,
        underlying: &str,
        session_date: Date,
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        let stored = [Outcome::Loaded, Outcome::Provisional].map(Outcome::as_str);
        let written = self.write_state(underlying, session_date, 0, attempt, &stored).await;
        let written = written.map_err(self.error("write the ledger"));
        self.end_write(written, "write the ledger").await.map(drop)
    }

    async fn chain_states(&mut self, underlyings: &[String]) -> Result<BTreeMap<String, ChainState>, StoreError> {
        let mut states = BTreeMap::new();
        for underlying in underlyings {
            let row = sqlx::query(
                "SELECT session_date, outcome, detail, contracts, finished_at,
                     (SELECT MAX(session_date) FROM option_chain_ledger WHERE underlying = ?1 AND contracts > 0)
                 FROM option_chain_ledger WHERE underlying = ?1 ORDER BY session_date DESC LIMIT 1",
            )
            .bind(underlying)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(self.error("read the ledger"))?;
            if let Some(row) = row {
                states.insert(underlying.clone(), state(&row)?);
            }
        }
        Ok(states)
    }

    async fn import_chain(&mut self, rows: impl Iterator<Item = ChainRow> + Send) -> Result<ChainImported, StoreError> {
        self.begin_write(|| ()).await?;
        let written = self.put_imported(rows).await.map_err(self.error("import an option chain"));
        self.end_write(written, "import an option chain").await
    }

    async fn stored_chains(&mut self, underlyings: Option<&[String]>) -> Result<Vec<StoredChain>, StoreError> {
        let select = |condition: &str| {
            format!(
                "SELECT underlying, COUNT(DISTINCT session_date), MIN(session_date), MAX(session_date), COUNT(*)
                 FROM option_chain_daily {condition} GROUP BY underlying ORDER BY underlying"
            )
        };
        let mut rows = Vec::new();
        match underlyings {
            None => {
                let all = sqlx::query(AssertSqlSafe(select("")));
                rows = all.fetch_all(&mut self.connection).await.map_err(self.error("read option chains"))?;
            }
            Some(underlyings) => {
                for underlying in in_order(underlyings) {
                    let one = sqlx::query(AssertSqlSafe(select("WHERE underlying = ?1"))).bind(underlying);
                    let found = one.fetch_all(&mut self.connection).await;
                    rows.extend(found.map_err(self.error("read option chains"))?);
                }
            }
        }
        let chain = |row: &SqliteRow| {
            Ok(StoredChain {
                underlying: row.get(0),
                sessions: count(row.get(1)),
                first: date(row.get(2))?,
                last: date(row.get(3))?,
                rows: count(row.get(4)),
            })
        };
        rows.iter().map(chain).collect()
    }

    async fn scan_chain(
        &mut self,
        underlyings: Option<&[String]>,
        dates: RangeInclusive<Date>,
        mut each: impl FnMut(&[ChainRow]) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        let select = |condition: &str| {
            format!(
                "SELECT {COLUMNS} FROM option_chain_daily WHERE session_date BETWEEN ?1 AND ?2 {condition}
                 ORDER BY underlying, session_date, contract"
            )
        };
        // One query for each name: a list would have to be sorted after.
        let names = underlyings.map_or_else(|| vec![None], |names| in_order(names).into_iter().map(Some).collect());
        let path = self.path.clone();
        let mut chunk = Vec::with_capacity(ROWS_READ);
        for name in names {
            let select = select(if name.is_some() { "AND underlying = ?3" } else { "" });
            let query =
                sqlx::query(AssertSqlSafe(select)).bind(dates.start().to_string()).bind(dates.end().to_string());
            let mut rows = name.into_iter().fold(query, Query::bind).fetch(&mut self.connection);
            while let Some(row) = rows.try_next().await.map_err(|error| named(&path, "read option chains", error))? {
                chunk.push(chain_row(&row)?);
                if chunk.len() == ROWS_READ {
                    if each(&chunk).is_break() {
                        return Ok(());
                    }
                    chunk.clear();
                }
            }
        }
        if !chunk.is_empty() {
            let _ = each(&chunk);
        }
        Ok(())
    }
}

impl SqliteStore {
    async fn replace_chain(
        &mut self,
        underlying: &str,
        session_date: Date,
        rows: &[ChainRow],
        attempt: &Attempt,
    ) -> Result<bool, sqlx::Error> {
        let contracts = stored(rows.len() as u64);
        let final_one = (attempt.outcome == Outcome::Provisional).then_some(Outcome::Loaded.as_str());
        if !self.write_state(underlying, session_date, contracts, attempt, final_one.as_slice()).await? {
            return Ok(false);
        }
        sqlx::query(
            "DELETE FROM option_chain_daily WHERE underlying = ?1 AND session_date = ?2 AND source = 'snapshot'",
        )
        .bind(underlying)
        .bind(session_date.to_string())
        .execute(&mut self.connection)
        .await?;
        for rows in rows.chunks(ROWS) {
            let insert = format!("INSERT OR REPLACE INTO option_chain_daily ({COLUMNS}) VALUES {}", values(rows.len()));
            let insert = rows.iter().fold(sqlx::query(AssertSqlSafe(insert)), bind_row);
            insert.execute(&mut self.connection).await?;
        }
        Ok(true)
    }

    /// Writes the ledger row of an underlying and session, unless there is one with one of these outcomes; says whether it did.
    async fn write_state(
        &mut self,
        underlying: &str,
        session_date: Date,
        contracts: i64,
        attempt: &Attempt,
        but_for: &[&str],
    ) -> Result<bool, sqlx::Error> {
        let but_for: Vec<_> = but_for.iter().map(|word| format!("'{word}'")).collect();
        let upsert = format!(
            "INSERT INTO option_chain_ledger (underlying, session_date, contracts, outcome, detail, started_at, finished_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET contracts = excluded.contracts, outcome = excluded.outcome,
                 detail = excluded.detail, started_at = excluded.started_at, finished_at = excluded.finished_at
             WHERE outcome NOT IN ({})",
            but_for.join(",")
        );
        let written = sqlx::query(AssertSqlSafe(upsert))
            .bind(underlying)
            .bind(session_date.to_string())
            .bind(contracts)
            .bind(attempt.outcome.as_str())
            .bind(&attempt.detail)
            .bind(attempt.started_at.as_millisecond())
            .bind(attempt.finished_at.as_millisecond())
            .execute(&mut self.connection)
            .await?;
        Ok(written.rows_affected() > 0)
    }

    async fn put_imported(&mut self, mut rows: impl Iterator<Item = ChainRow>) -> Result<ChainImported, sqlx::Error> {
        let mut imported = ChainImported::default();
        loop {
            let rows: Vec<_> = rows.by_ref().take(ROWS).collect();
            if rows.is_empty() {
                return Ok(imported);
            }
            let keys = vec!["(?,?,?,?)"; rows.len()].join(",");
            let compare = format!(
                "WITH n (underlying, session_date, contract, open_interest) AS (VALUES {keys})
                 SELECT COUNT(*) FILTER (WHERE o.source = 'snapshot'),
                     COUNT(*) FILTER (WHERE o.source = 'import' AND o.open_interest IS n.open_interest),
                     COUNT(*) FILTER (WHERE o.source = 'import' AND o.open_interest IS NOT n.open_interest)
                 FROM n CROSS JOIN option_chain_daily o ON o.underlying = n.underlying
                     AND o.session_date = n.session_date AND o.contract = n.contract"
            );
            let compare = rows.iter().fold(sqlx::query(AssertSqlSafe(compare)), |query, row| {
                let query = query.bind(row.underlying.as_str()).bind(row.session_date.to_string());
                query.bind(row.contract.as_str()).bind(row.open_interest.map(stored))
            });
            let found = compare.fetch_one(&mut self.connection).await?;
            let [kept, unchanged, changed] = [0, 1, 2].map(|column: usize| count(found.get(column)));
            imported.kept += kept;
            imported.unchanged += unchanged;
            imported.changed += changed;
            imported.added += rows.len() as u64 - kept - unchanged - changed;
            let upsert = format!(
                "INSERT INTO option_chain_daily ({COLUMNS}) VALUES {}
                 ON CONFLICT DO UPDATE SET open_interest = excluded.open_interest, known_at = excluded.known_at
                 WHERE source = 'import' AND open_interest IS NOT excluded.open_interest",
                values(rows.len())
            );
            let upsert = rows.iter().fold(sqlx::query(AssertSqlSafe(upsert)), bind_row);
            upsert.execute(&mut self.connection).await?;
        }
    }
}

/// Places for the values of so many rows.
fn values(rows: usize) -> String {
    let row = format!("({})", ["?"; COLUMN_COUNT].join(","));
    vec![row; rows].join(",")
}

fn bind_row<'q>(query: Query<'q, Sqlite, SqliteArguments>, row: &'q ChainRow) -> Query<'q, Sqlite, SqliteArguments> {
    query
        .bind(&row.underlying)
        .bind(row.session_date.to_string())
        .bind(&row.contract)
        .bind(row.open_interest.map(stored))
        .bind(row.implied_volatility)
        .bind(row.delta)
        .bind(row.gamma)
        .bind(row.theta)
        .bind(row.vega)
        .bind(row.day_volume)
        .bind(row.known_at.as_millisecond())
        .bind(row.source.as_str())
}

fn state(row: &SqliteRow) -> Result<ChainState, StoreError> {
    Ok(ChainState {
        session_date: date(row.get(0))?,
        outcome: row.get::<&str, _>(1).parse().map_err(unknown)?,
        detail: row.get(2),
        contracts: count(row.get(3)),
        attempted_at: instant(row.get(4))?,
        last_stored: row.get::<Option<&str>, _>(5).map(date).transpose()?,
    })
}

fn chain_row(row: &SqliteRow) -> Result<ChainRow, StoreError> {
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
