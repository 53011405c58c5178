//! Splits.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::transaction::{Access, Work};
use super::{PostgresStore, StoreError};
use crate::model::splits::{JUMP_DAYS, PriceJump, SplitKind, SplitRecord, SplitSource, SplitStatus, Stretch};
use crate::model::{Market, Symbol, Timeframe, midnight};
use crate::store::splits::{flag_words, flags, price_jump, stretches};
use crate::store::values::{count, date, instant, known, unknown};
use crate::store::{SplitLoads, Splits};

/// Stands for every symbol.
const EVERYONE: &str = "*";

/// Dates whose prices are asked for in one query.
const DATES_AT_ONCE: usize = 2000;

impl Splits for PostgresStore {
    async fn splits(&mut self, symbols: Option<&[Symbol]>) -> Result<Vec<SplitRecord>, StoreError> {
        let names: Option<Vec<&str>> = symbols.map(|symbols| symbols.iter().map(Symbol::as_str).collect());
        let query = || {
            sqlx::query(
                "SELECT symbol, execution_date::text, split_from, split_to, adjustment_type, vendor_factor, source, status,
                        flags, reason
                 FROM splits WHERE $1::text[] IS NULL OR symbol = ANY($1)
                 ORDER BY symbol, execution_date, split_from NULLS FIRST, split_to NULLS FIRST, source",
            )
            .bind(&names)
        };
        let rows = self.single(Access::Read, "read the splits", query).await?;
        rows.iter().map(record).collect()
    }

    async fn split_loads(&mut self) -> Result<SplitLoads, StoreError> {
        let query = "SELECT symbol, loaded_at FROM split_loads";
        let rows = self.single(Access::Read, "read the splits", || sqlx::query(query)).await?;
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
        let mut work = self.begin(Access::Write, "write the splits").await?;
        // One at a time: of two loads that meet, the rows of one would stay beside those of the other. Readers go on.
        work.script("LOCK TABLE splits IN SHARE ROW EXCLUSIVE MODE").await?;
        let stretches = stretches(records, at);
        let at = at.as_millisecond();
        let names: Option<Vec<&str>> = of.map(|of| of.iter().map(Symbol::as_str).collect());
        for table in ["splits", "split_factors", "split_loads"] {
            let delete = format!("DELETE FROM {table} WHERE $1::text[] IS NULL OR symbol = ANY($1)");
            work.execute(sqlx::query(AssertSqlSafe(delete)).bind(names.clone())).await?;
        }
        insert_splits(&mut work, records, at).await?;
        insert_factors(&mut work, &stretches).await?;
        let load =
            "INSERT INTO split_loads (symbol, loaded_at) SELECT symbol, $2 FROM unnest($1::text[]) AS l (symbol)";
        work.execute(sqlx::query(load).bind(names.unwrap_or_else(|| vec![EVERYONE])).bind(at)).await?;
        work.commit().await
    }

    async fn price_jumps(
        &mut self,
        around: &[(String, Date)],
    ) -> Result<BTreeMap<(String, Date), PriceJump>, StoreError> {
        let mut jumps = BTreeMap::new();
        for around in around.chunks(DATES_AT_ONCE) {
            let (symbols, dates): (Vec<&str>, Vec<Date>) =
                around.iter().map(|(ticker, on)| (ticker.as_str(), *on)).unzip();
            let midnight = |date: Date| midnight(Market::NewYork, date).as_millisecond();
            let from = dates.iter().map(|on| midnight(on.saturating_sub(JUMP_DAYS.days()))).collect::<Vec<_>>();
            let to = dates.iter().map(|on| midnight(on.saturating_add(JUMP_DAYS.days()))).collect::<Vec<_>>();
            let query = || {
                sqlx::query(
                    "SELECT e.at, b.timeframe, b.session_date::text, b.open, b.close
                     FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS e (symbol, from_ms, to_ms, at)
                     CROSS JOIN LATERAL (
                         SELECT timeframe, session_date, open, close FROM historical_bars
                         WHERE symbol = e.symbol COLLATE \"C\" AND timeframe IN ('day', 'day_official')
                           AND timestamp BETWEEN e.from_ms AND e.to_ms) b
                     ORDER BY e.at",
                )
                .bind(&symbols)
                .bind(&from)
                .bind(&to)
            };
            let rows = self.single(Access::Read, "read bars", query).await?;
            for rows in rows.chunk_by(|a, b| a.get::<i64, _>(0) == b.get::<i64, _>(0)) {
                let bar = |row: &PgRow| {
                    let timeframe: Timeframe = row.get::<&str, _>(1).parse().map_err(unknown)?;
                    Ok((timeframe, date(row.get(2))?, row.get(3), row.get(4)))
                };
                let bars = rows.iter().map(bar).collect::<Result<Vec<_>, StoreError>>()?;
                let (ticker, on) = &around[count(rows[0].get(0)) as usize - 1];
                jumps.extend(price_jump(*on, &bars).map(|jump| ((ticker.clone(), *on), jump)));
            }
        }
        Ok(jumps)
    }
}

async fn insert_splits(work: &mut Work<'_>, records: &[SplitRecord], at: i64) -> Result<(), StoreError> {
    fn all<'a, T>(records: &'a [SplitRecord], get: impl Fn(&'a SplitRecord) -> T) -> Vec<T> {
        records.iter().map(get).collect()
    }
    let insert = sqlx::query(
        "INSERT INTO splits (symbol, execution_date, split_from, split_to, adjustment_type, vendor_factor, source, status,
             flags, reason, fetched_at)
         SELECT s, d::date, f, t, k, v, o, u, w, r, $11
         FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::text[], $6::float8[], $7::text[], $8::text[],
             $9::text[], $10::text[]) AS n (s, d, f, t, k, v, o, u, w, r)",
    )
    .bind(all(records, |record| record.ticker.as_str()))
    .bind(all(records, |record| record.execution_date.to_string()))
    .bind(all(records, |record| record.split_from))
    .bind(all(records, |record| record.split_to))
    .bind(all(records, |record| record.kind.map(SplitKind::as_str)))
    .bind(all(records, |record| record.vendor_factor))
    .bind(all(records, |record| record.source.as_str()))
    .bind(all(records, |record| record.status.as_str()))
    .bind(all(records, |record| flag_words(&record.flags)))
    .bind(all(records, |record| record.reason.as_deref()))
    .bind(at);
    work.execute(insert).await.map(drop)
}

async fn insert_factors(work: &mut Work<'_>, stretches: &[(&str, Stretch)]) -> Result<(), StoreError> {
    let seconds = |at: Timestamp| at.as_second();
    let insert = sqlx::query(
        "INSERT INTO split_factors (symbol, effective_from, effective_to, from_date, to_date, split_from, split_to)
         SELECT s, to_timestamp(a), COALESCE(to_timestamp(b), '9999-12-31'), d::date, e::date, f, t
         FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::float8[], $7::float8[])
             AS n (s, a, b, d, e, f, t)",
    )
    .bind(stretches.iter().map(|(ticker, _)| *ticker).collect::<Vec<_>>())
    .bind(stretches.iter().map(|(_, stretch)| seconds(stretch.effective_from)).collect::<Vec<_>>())
    .bind(stretches.iter().map(|(_, stretch)| stretch.effective_to.map(seconds)).collect::<Vec<_>>())
    .bind(stretches.iter().map(|(_, stretch)| stretch.from_date.to_string()).collect::<Vec<_>>())
    .bind(stretches.iter().map(|(_, stretch)| stretch.to_date.to_string()).collect::<Vec<_>>())
    .bind(stretches.iter().map(|(_, stretch)| stretch.factor.from()).collect::<Vec<_>>())
    .bind(stretches.iter().map(|(_, stretch)| stretch.factor.to()).collect::<Vec<_>>());
    work.execute(insert).await.map(drop)
}

fn record(row: &PgRow) -> Result<SplitRecord, StoreError> {
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
