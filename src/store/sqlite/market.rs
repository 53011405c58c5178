//! Reading the series of many symbols at once.

use std::ops::RangeInclusive;

use jiff::civil::Date;

use super::bulk_read::{self, StoredRow};
use super::{SqliteStore, by_code, named};
use crate::model::{Bar, Dataset, Prices, Session, Timeframe, VwapMethod};
use crate::store::values::{date, known, unknown};
use crate::store::{MarketReader, MarketSlice, StoreError};

/// More shapes than a table ever has: one for each session, method, length and divisor.
const MOST_SHAPES: usize = 1 << 20;

/// What bars have in common, as it is stored.
struct Shape {
    session: Session,
    vwap_method: Option<VwapMethod>,
    duration_ms: i64,
    divisor: f64,
}

impl MarketReader for SqliteStore {
    async fn tickers(&mut self, dataset: Dataset) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT symbol FROM symbols WHERE dataset = ?1 ORDER BY symbol")
            .bind(dataset.as_str())
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.error("read the symbols"))
    }

    async fn read_market(
        &mut self,
        slice: &MarketSlice,
        mut each: impl FnMut(usize, Date, &Bar) + Send,
    ) -> Result<(), StoreError> {
        let days = self.days(slice.dataset, &slice.dates).await?;
        let (day_ids, dates): (Vec<i64>, Vec<Date>) = days.into_iter().unzip();
        let shapes = self.stored_shapes().await?;
        let wanted = Timeframe::ALL.map(|timeframe| slice.timeframes.contains(timeframe).then_some(timeframe));
        let mut hand_on = |day: usize, place: usize, row: &StoredRow| {
            // Between the ends of the range of timeframes lie some that were not asked for.
            let place_of = usize::try_from(row.timeframe_id - 1).ok();
            let Some(timeframe) = place_of.and_then(|place| *wanted.get(place)?) else { return Ok(()) };
            let bar = bar(timeframe, row, &shapes)?;
            each(place, dates[day], &bar);
            Ok::<_, StoreError>(())
        };
        let path = &self.path;
        let handle = self.connection.lock_handle().await.map_err(|error| named(path, "read bars", error))?;
        // This reads for tens of milliseconds: other tasks of this thread move elsewhere.
        let read = tokio::task::block_in_place(|| {
            bulk_read::read(handle, &day_ids, &slice.tickers, slice.timeframes, &mut hand_on)
        });
        read.map_err(|error| {
            by_code(path, error.code, &error.message).unwrap_or_else(|| {
                let (database, source) = (path.display().to_string(), sqlx::Error::Protocol(error.message));
                StoreError::Other { database, doing: "read bars", source }
            })
        })?
    }
}

impl SqliteStore {
    /// The days of a range that have bars, ascending, with their numbers.
    async fn days(&mut self, dataset: Dataset, dates: &RangeInclusive<Date>) -> Result<Vec<(i64, Date)>, StoreError> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT day_id, session_date FROM days WHERE dataset = ?1 AND session_date BETWEEN ?2 AND ?3
             ORDER BY session_date",
        )
        .bind(dataset.as_str())
        .bind(dates.start().to_string())
        .bind(dates.end().to_string())
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.error("read the days"))?;
        rows.into_iter().map(|(day_id, text)| Ok((day_id, date(&text)?))).collect()
    }

    /// The shapes of bars, by their numbers: few, and counted from 1.
    async fn stored_shapes(&mut self) -> Result<Vec<Option<Shape>>, StoreError> {
        let rows: Vec<(i64, String, Option<String>, i64, f64)> =
            sqlx::query_as("SELECT shape_id, session, vwap_method, duration_ms, price_divisor FROM shapes")
                .fetch_all(&mut self.connection)
                .await
                .map_err(self.error("read the shapes of bars"))?;
        let mut shapes = Vec::new();
        for (shape_id, session, method, duration_ms, divisor) in rows {
            let place = usize::try_from(shape_id).ok().filter(|place| *place < MOST_SHAPES);
            let place = place.ok_or_else(|| StoreError::Unknown(format!("{shape_id} as the number of a shape")))?;
            let vwap_method = method.map(|word| known(&word, "VWAP method", VwapMethod::of_word)).transpose()?;
            let session = known(&session, "session", Session::of_word)?;
            shapes.resize_with(shapes.len().max(place + 1), || None);
            shapes[place] = Some(Shape { session, vwap_method, duration_ms, divisor });
        }
        Ok(shapes)
    }
}

#[inline]
fn bar(timeframe: Timeframe, row: &StoredRow, shapes: &[Option<Shape>]) -> Result<Bar, StoreError> {
    let shape = usize::try_from(row.shape_id).ok().and_then(|place| shapes.get(place)?.as_ref());
    let shape = shape.ok_or_else(|| StoreError::Unknown(format!("{} as the shape of a bar", row.shape_id)))?;
    let [open, high, low, close] = row.prices.map(|price| price / shape.divisor);
    Ok(Bar {
        timeframe,
        timestamp_ms: row.timestamp_ms,
        end_timestamp_ms: row.timestamp_ms + shape.duration_ms,
        prices: Prices::checked(open, high, low, close).map_err(unknown)?,
        volume: row.volume,
        vwap: row.vwap,
        vwap_method: shape.vwap_method,
        trades: row.trades.and_then(|trades| trades.try_into().ok()),
        session: shape.session,
        minutes: row.minutes.try_into().unwrap_or(u16::MAX),
    })
}
