//! Reading bars.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};

use super::transaction::Access;
use super::{PostgresStore, StoreError};
use crate::model::{Bar, Prices, Session, Symbol, Timeframe, VwapMethod};
use crate::store::values::{count, date, instant, known, unknown};
use crate::store::{BarReader, SeriesStatus, StoredBar};

impl BarReader for PostgresStore {
    async fn bars(
        &mut self,
        symbol: &str,
        timeframe: Timeframe,
        range_ms: RangeInclusive<i64>,
    ) -> Result<Vec<StoredBar>, StoreError> {
        let query = || {
            sqlx::query(
                "SELECT timestamp, open, high, low, close, volume, vwap, trades, session, vwap_method, session_date::text,
                        end_timestamp, minutes
                 FROM historical_bars WHERE symbol = $1 AND timeframe = $2 AND timestamp BETWEEN $3 AND $4
                 ORDER BY timestamp",
            )
            .bind(symbol)
            .bind(timeframe.as_str())
            .bind(*range_ms.start())
            .bind(*range_ms.end())
        };
        let rows = self.single(Access::Read, "read bars", query).await?;
        rows.iter().map(|row| stored_bar(timeframe, row)).collect()
    }

    async fn known(&mut self, symbols: &[Symbol]) -> Result<BTreeSet<Symbol>, StoreError> {
        let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        let query = "SELECT s.at FROM unnest($1::text[]) WITH ORDINALITY AS s (symbol, at)
                     WHERE EXISTS (SELECT 1 FROM historical_bars b WHERE b.symbol = s.symbol)";
        let rows = self.single(Access::Read, "look up symbols", || sqlx::query(query).bind(&names)).await?;
        let places = rows.iter().map(|row| count(row.get::<i64, _>(0)) as usize - 1);
        Ok(places.filter_map(|place| symbols.get(place).cloned()).collect())
    }

    async fn series(&mut self, symbols: Option<&[Symbol]>) -> Result<Vec<SeriesStatus>, StoreError> {
        let names = symbols.map(|symbols| symbols.iter().map(Symbol::as_str).collect::<Vec<_>>());
        let query = || match &names {
            None => sqlx::query(
                "SELECT symbol, timeframe, COUNT(*), MIN(timestamp), MAX(timestamp) FROM historical_bars GROUP BY 1, 2",
            ),
            Some(names) => sqlx::query(
                "SELECT symbol, timeframe, COUNT(*), MIN(timestamp), MAX(timestamp) FROM historical_bars
                 WHERE symbol = ANY($1) GROUP BY 1, 2",
            )
            .bind(names),
        };
        let rows = self.single(Access::Read, "read the series", query).await?;
        let mut series = rows.iter().map(series_status).collect::<Result<Vec<_>, _>>()?;
        series.sort_unstable_by(|a, b| (&a.symbol, a.timeframe).cmp(&(&b.symbol, b.timeframe)));
        Ok(series)
    }
}

fn series_status(row: &PgRow) -> Result<SeriesStatus, StoreError> {
    let symbol: &str = row.get(0);
    Ok(SeriesStatus {
        dataset: Symbol::from_ticker(symbol).map_err(unknown)?.dataset(),
        symbol: symbol.to_owned(),
        timeframe: row.get::<&str, _>(1).parse().map_err(unknown)?,
        bars: count(row.get(2)),
        first: instant(row.get(3))?,
        last: instant(row.get(4))?,
    })
}

pub(super) fn stored_bar(timeframe: Timeframe, row: &PgRow) -> Result<StoredBar, StoreError> {
    let [open, high, low, close] = [value(row, 1)?, value(row, 2)?, value(row, 3)?, value(row, 4)?];
    let vwap_method = row.get::<Option<&str>, _>(9);
    let bar = Bar {
        timeframe,
        timestamp_ms: row.get(0),
        end_timestamp_ms: value(row, 11)?,
        prices: Prices::checked(open, high, low, close).map_err(unknown)?,
        volume: row.get(5),
        vwap: row.get(6),
        vwap_method: vwap_method.map(|word| known(word, "VWAP method", VwapMethod::of_word)).transpose()?,
        trades: row.get::<Option<i64>, _>(7).map(count),
        session: known(value(row, 8)?, "session", Session::of_word)?,
        minutes: value::<i32>(row, 12)?.try_into().unwrap_or(u16::MAX),
    };
    Ok(StoredBar { bar, session_date: date(value(row, 10)?)? })
}

/// A value that is never null, unless somebody has allowed it.
fn value<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(unknown)
}
