//! Reading bars.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::model::{Bar, Prices, Session, Symbol, Timeframe, TimeframeSet, VwapMethod};
use crate::store::values::{date, instant, unknown};
use crate::store::{BarReader, SeriesStatus, StoreError, StoredBar};

/// One scan in key order; only the totals of each day's series are sorted.
const ALL_SERIES: &str = "
SELECT n.symbol, s.dataset, t.timeframe, SUM(n.bars), MIN(n.first), MAX(n.last)
FROM (SELECT symbol, timeframe_id, COUNT(*) AS bars, MIN(timestamp) AS first, MAX(timestamp) AS last
      FROM bars GROUP BY day_id, symbol, timeframe_id) n
JOIN symbols s ON s.symbol = n.symbol
JOIN timeframes t ON t.timeframe_id = n.timeframe_id
GROUP BY n.symbol, n.timeframe_id ORDER BY n.symbol, n.timeframe_id";

/// A seek per day of the symbol's market.
const SERIES_OF_ONE: &str = "
SELECT s.symbol, s.dataset, t.timeframe, COUNT(*), MIN(b.timestamp), MAX(b.timestamp)
FROM symbols s
CROSS JOIN days d ON d.dataset = s.dataset
CROSS JOIN bars b ON b.day_id = d.day_id AND b.symbol = s.symbol
CROSS JOIN timeframes t ON t.timeframe_id = b.timeframe_id
WHERE s.symbol = ?1 GROUP BY b.timeframe_id ORDER BY b.timeframe_id";

/// A seek per day and timeframe, until one is found.
const HAS_BARS: &str = "
SELECT EXISTS (
    SELECT 1 FROM days d
    CROSS JOIN timeframes t
    CROSS JOIN bars b ON b.day_id = d.day_id AND b.symbol = ?1 AND b.timeframe_id = t.timeframe_id
    WHERE d.dataset = ?2 AND d.session_date BETWEEN ?3 AND ?4 AND instr(?5, ',' || t.timeframe || ',') > 0)";

impl BarReader for SqliteStore {
    async fn bars(
        &mut self,
        symbol: &str,
        timeframe: Timeframe,
        range_ms: RangeInclusive<i64>,
    ) -> Result<Vec<StoredBar>, StoreError> {
        let rows = sqlx::query(
            "SELECT timestamp, open, high, low, close, volume, vwap, trades, session, vwap_method, session_date,
                    end_timestamp, minutes
             FROM historical_bars WHERE symbol = ?1 AND timeframe = ?2 AND timestamp BETWEEN ?3 AND ?4
             ORDER BY timestamp",
        )
        .bind(symbol)
        .bind(timeframe.as_str())
        .bind(*range_ms.start())
        .bind(*range_ms.end())
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.error("read bars"))?;
        rows.iter().map(|row| stored_bar(timeframe, row)).collect()
    }

    async fn known(&mut self, symbols: &[Symbol]) -> Result<BTreeSet<Symbol>, StoreError> {
        let mut known = BTreeSet::new();
        for symbol in symbols {
            let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM symbols WHERE symbol = ?1")
                .bind(symbol.as_str())
                .fetch_optional(&mut self.connection)
                .await
                .map_err(self.error("look up symbols"))?;
            known.extend(found.map(|_| symbol.clone()));
        }
        Ok(known)
    }

    async fn has_bars(
        &mut self,
        symbol: &Symbol,
        timeframes: TimeframeSet,
        dates: RangeInclusive<Date>,
    ) -> Result<bool, StoreError> {
        sqlx::query_scalar(HAS_BARS)
            .bind(symbol.as_str())
            .bind(symbol.dataset().as_str())
            .bind(dates.start().to_string())
            .bind(dates.end().to_string())
            .bind(format!(",{timeframes},"))
            .fetch_one(&mut self.connection)
            .await
            .map_err(self.error("look for bars"))
    }

    async fn series(&mut self, symbols: Option<&[Symbol]>) -> Result<Vec<SeriesStatus>, StoreError> {
        let rows = match symbols {
            None => {
                sqlx::query(ALL_SERIES).fetch_all(&mut self.connection).await.map_err(self.error("read the series"))?
            }
            Some(symbols) => {
                let mut rows = Vec::new();
                for symbol in symbols {
                    let one = sqlx::query(SERIES_OF_ONE).bind(symbol.as_str()).fetch_all(&mut self.connection).await;
                    rows.extend(one.map_err(self.error("read the series"))?);
                }
                rows
            }
        };
        rows.iter().map(series_status).collect()
    }
}

fn series_status(row: &SqliteRow) -> Result<SeriesStatus, StoreError> {
    Ok(SeriesStatus {
        symbol: row.get(0),
        dataset: row.get::<&str, _>(1).parse().map_err(unknown)?,
        timeframe: row.get::<&str, _>(2).parse().map_err(unknown)?,
        bars: row.get::<i64, _>(3).try_into().unwrap_or(0),
        first: instant(row.get(4))?,
        last: instant(row.get(5))?,
    })
}

fn stored_bar(timeframe: Timeframe, row: &SqliteRow) -> Result<StoredBar, StoreError> {
    let other = |word: &str, what: &str| StoreError::Unknown(format!("`{word}` as a {what}"));
    let session: &str = row.get(8);
    let session = Session::of_word(session).ok_or_else(|| other(session, "session"))?;
    let vwap_method = row
        .get::<Option<&str>, _>(9)
        .map(|word| VwapMethod::of_word(word).ok_or_else(|| other(word, "VWAP method")))
        .transpose()?;
    // The view computes prices and end; with a shape that somebody has changed they may be null, or no integer. (The driver
    // takes a null for 0 where it is not asked for an option.)
    let price = |at: usize| {
        let price: Option<f64> = row.try_get(at).map_err(unknown)?;
        price.ok_or_else(|| StoreError::Unknown("null as a price".to_owned()))
    };
    let prices = Prices::checked(price(1)?, price(2)?, price(3)?, price(4)?).map_err(unknown)?;
    let bar = Bar {
        timeframe,
        timestamp_ms: row.get(0),
        end_timestamp_ms: row.try_get(11).map_err(unknown)?,
        prices,
        volume: row.get(5),
        vwap: row.get(6),
        vwap_method,
        trades: row.get::<Option<i64>, _>(7).and_then(|trades| trades.try_into().ok()),
        session,
        minutes: row.get::<i64, _>(12).try_into().unwrap_or(u16::MAX),
    };
    Ok(StoredBar { bar, session_date: date(row.get(10))? })
}
