//! Splits.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::model::Symbol;
use crate::model::splits::{JUMP_DAYS, PriceJump, SplitKind, SplitRecord, SplitSource, SplitStatus, Stretch};
use crate::store::splits::{flag_words, flags, price_jump, stretches};
use crate::store::values::{date, instant, known, unknown};
use crate::store::{SplitLoads, Splits, StoreError};

const SELECT: &str =
    "SELECT symbol, execution_date, split_from, split_to, adjustment_type, vendor_factor, source, status, flags,
        reason FROM splits";
const ORDER: &str = "ORDER BY symbol, execution_date, split_from, split_to, source";

/// Stands for every symbol, and for no later split.
const EVERYONE: &str = "*";
const NEVER: &str = "9999-12-31 00:00:00";

impl Splits for SqliteStore {
    async fn splits(&mut self, symbols: Option<&[Symbol]>) -> Result<Vec<SplitRecord>, StoreError> {
        let mut rows = Vec::new();
        match symbols {
            None => {
                let all = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} {ORDER}")));
                rows = all.fetch_all(&mut self.connection).await.map_err(self.error("read the splits"))?;
            }
            Some(symbols) => {
                let mut names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
                names.sort_unstable();
                names.dedup();
                for name in names {
                    let one =
                        sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE symbol = ?1 {ORDER}"))).bind(name);
                    rows.extend(one.fetch_all(&mut self.connection).await.map_err(self.error("read the splits"))?);
                }
            }
        }
        rows.iter().map(record).collect()
    }

    async fn split_loads(&mut self) -> Result<SplitLoads, StoreError> {
        let rows = sqlx::query("SELECT symbol, loaded_at FROM split_loads")
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.error("read the splits"))?;
        let mut loads = SplitLoads::default();
        for row in rows {
            let (symbol, at): (String, Timestamp) = (row.get(0), instant(row.get(1))?);
            if symbol == EVERYONE {
                loads.everyone = Some(at);
            } else {
                loads.named.insert(symbol, at);
            }
        }
        Ok(loads)
    }

    async fn replace_splits(
        &mut self,
        of: Option<&[Symbol]>,
        records: &[SplitRecord],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        let replaced = self.put_splits(of, records, at).await.map_err(self.error("write the splits"));
        self.end_write(replaced, "write the splits").await
    }

    async fn price_jumps(
        &mut self,
        around: &[(String, Date)],
    ) -> Result<BTreeMap<(String, Date), PriceJump>, StoreError> {
        let mut jumps = BTreeMap::new();
        for (ticker, on) in around {
            let rows = sqlx::query(
                "SELECT timeframe, session_date, open, close FROM historical_bars
                 WHERE symbol = ?1 AND timeframe IN ('day', 'day_official') AND session_date BETWEEN ?2 AND ?3",
            )
            .bind(ticker)
            .bind(on.saturating_sub(JUMP_DAYS.days()).to_string())
            .bind(on.saturating_add(JUMP_DAYS.days()).to_string())
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.error("read bars"))?;
            let bar = |row: &SqliteRow| {
                let timeframe = row.get::<&str, _>(0).parse().map_err(unknown)?;
                Ok((timeframe, date(row.get(1))?, row.get(2), row.get(3)))
            };
            let bars = rows.iter().map(bar).collect::<Result<Vec<_>, StoreError>>()?;
            if let Some(jump) = price_jump(*on, &bars) {
                jumps.insert((ticker.clone(), *on), jump);
            }
        }
        Ok(jumps)
    }
}

impl SqliteStore {
    async fn put_splits(
        &mut self,
        of: Option<&[Symbol]>,
        records: &[SplitRecord],
        at: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let stretches = stretches(records, at);
        let at = at.as_millisecond();
        let loaded: Vec<&str> = of.map_or_else(|| vec![EVERYONE], |of| of.iter().map(Symbol::as_str).collect());
        for table in ["splits", "split_factors", "split_loads"] {
            match of {
                None => {
                    let delete = format!("DELETE FROM {table}");
                    sqlx::query(sqlx::AssertSqlSafe(delete)).execute(&mut self.connection).await?;
                }
                Some(symbols) => {
                    for symbol in symbols {
                        let delete = format!("DELETE FROM {table} WHERE symbol = ?1");
                        let delete = sqlx::query(sqlx::AssertSqlSafe(delete)).bind(symbol.as_str());
                        delete.execute(&mut self.connection).await?;
                    }
                }
            }
        }
        for record in records {
            sqlx::query("INSERT INTO splits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
                .bind(&record.ticker)
                .bind(record.execution_date.to_string())
                .bind(record.split_from)
                .bind(record.split_to)
                .bind(record.kind.map(SplitKind::as_str))
                .bind(record.vendor_factor)
                .bind(record.source.as_str())
                .bind(record.status.as_str())
                .bind(flag_words(&record.flags))
                .bind(&record.reason)
                .bind(at)
                .execute(&mut self.connection)
                .await?;
        }
        for (ticker, stretch) in stretches {
            let Stretch { from_date, to_date, effective_from, effective_to, factor } = stretch;
            sqlx::query("INSERT INTO split_factors VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
                .bind(ticker)
                .bind(moment(effective_from))
                .bind(effective_to.map_or_else(|| NEVER.to_owned(), moment))
                .bind(from_date.to_string())
                .bind(to_date.to_string())
                .bind(factor.from())
                .bind(factor.to())
                .execute(&mut self.connection)
                .await?;
        }
        for symbol in loaded {
            let load = sqlx::query("INSERT INTO split_loads VALUES (?1, ?2)").bind(symbol).bind(at);
            load.execute(&mut self.connection).await?;
        }
        Ok(())
    }
}

/// A time as `CURRENT_TIMESTAMP` writes it.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn record(row: &SqliteRow) -> Result<SplitRecord, StoreError> {
    let kind = row.get::<Option<&str>, _>(4);
    Ok(SplitRecord {
        ticker: row.get(0),
        execution_date: date(row.get(1))?,
        split_from: row.get(2),
        split_to: row.get(3),
        kind: kind.map(|word| known(word, "kind of split", SplitKind::of_word)).transpose()?,
        vendor_factor: row.get(5),
        source: known(row.get(6), "source of a split", SplitSource::of_word)?,
        status: known(row.get(7), "status of a split", SplitStatus::of_word)?,
        flags: flags(row.get(8))?,
        reason: row.get(9),
    })
}
