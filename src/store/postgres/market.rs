//! Reading the series of many symbols at once.

use jiff::civil::Date;
use sqlx::{AssertSqlSafe, Row};

use super::read::stored_bar;
use super::transaction::Access;
use super::{PostgresStore, sql};
use crate::model::{Bar, Dataset, Symbol, Timeframe, midnight};
use crate::store::values::unknown;
use crate::store::{MarketReader, MarketSlice, StoreError};

/// Jumps through the index of the key from symbol to symbol.
const TICKERS: &str = "
WITH RECURSIVE found AS (
    (SELECT symbol FROM historical_bars ORDER BY symbol LIMIT 1)
    UNION ALL
    SELECT (SELECT b.symbol FROM historical_bars b WHERE b.symbol > found.symbol ORDER BY b.symbol LIMIT 1)
    FROM found WHERE found.symbol IS NOT NULL
)
SELECT symbol FROM found WHERE symbol IS NOT NULL";

impl MarketReader for PostgresStore {
    async fn tickers(&mut self, dataset: Dataset) -> Result<Vec<String>, StoreError> {
        let rows = self.single(Access::Read, "read the symbols", || sqlx::query(TICKERS)).await?;
        let tickers = rows.iter().map(|row| row.get::<String, _>(0));
        Ok(tickers.filter(|ticker| Symbol::dataset_of(ticker) == dataset).collect())
    }

    async fn read_market(
        &mut self,
        slice: &MarketSlice,
        mut each: impl FnMut(usize, Date, &Bar) + Send,
    ) -> Result<(), StoreError> {
        let market = slice.dataset.market();
        let first = midnight(market, *slice.dates.start()).as_millisecond();
        let end = slice.dates.end().tomorrow().map_or(i64::MAX, |next| midnight(market, next).as_millisecond());
        let select = format!(
            "SELECT timestamp, open, high, low, close, volume, vwap, trades, session, vwap_method, session_date::text,
                    end_timestamp, minutes, timeframe
             FROM historical_bars
             WHERE symbol = $1 AND timeframe IN ({}) AND timestamp BETWEEN {first} AND {}
             ORDER BY timeframe, timestamp",
            sql::words(slice.timeframes),
            end - 1,
        );
        for (place, ticker) in slice.tickers.iter().enumerate() {
            let query = || sqlx::query(AssertSqlSafe(select.clone())).bind(ticker.clone());
            for row in self.single(Access::Read, "read bars", query).await? {
                let timeframe: Timeframe = row.get::<&str, _>(13).parse().map_err(unknown)?;
                let stored = stored_bar(timeframe, &row)?;
                each(place, stored.session_date, &stored.bar);
            }
        }
        Ok(())
    }
}
