//! Monthly partitions, made when they are needed.

use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sqlx::Row;

use super::transaction::Access;
use super::{PostgresStore, StoreError};

/// Months after the present one that have a partition before they begin, for other programs that look or write ahead.
const MONTHS_AHEAD: i64 = 3;

/// A calendar month of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month(Date);

impl Month {
    fn of(instant_ms: i64) -> Self {
        let instant = Timestamp::from_millisecond(instant_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        Self(instant.to_zoned(TimeZone::UTC).date().first_of_month())
    }

    fn next(self) -> Self {
        Self(self.0.saturating_add(1.month()))
    }

    fn start_ms(self) -> i64 {
        self.0.to_zoned(TimeZone::UTC).map_or(i64::MIN, |start| start.timestamp().as_millisecond())
    }

    /// The table of its bars.
    pub(super) fn table(self) -> String {
        format!("historical_bars_{}", self.0.strftime("%Y_%m"))
    }
}

impl PostgresStore {
    /// Makes the partitions of bars that start in a range, in a transaction of its own; and those of the next months.
    ///
    /// A new table is attached rather than created as a partition: that needs no lock readers or writers would wait for. So
    /// is one that somebody has detached; its bars come back.
    pub(super) async fn ensure_partitions(&mut self, range_ms: &RangeInclusive<i64>) -> Result<(), StoreError> {
        let (first, last) = (Month::of(*range_ms.start()), Month::of(*range_ms.end()));
        let mut wanted: Vec<Month> = vec![first];
        while let Some(month) = wanted.last().map(|month| month.next()).filter(|month| *month <= last) {
            wanted.push(month);
        }
        wanted.retain(|month| !self.partitions.contains(month));
        if wanted.is_empty() {
            return Ok(());
        }
        let this_month = Month::of(Timestamp::now().as_millisecond());
        wanted.extend((0..=MONTHS_AHEAD).map(|ahead| Month(this_month.0.saturating_add(ahead.months()))));
        wanted.sort_unstable();
        wanted.dedup();
        if !self.missing(&wanted).await?.is_empty() {
            self.make_partitions(&wanted).await?;
        }
        self.partitions.extend(wanted);
        Ok(())
    }

    async fn missing(&mut self, months: &[Month]) -> Result<Vec<Month>, StoreError> {
        let rows = self.single(Access::Read, "look at its partitions", || sqlx::query(PARTITIONS)).await?;
        let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        Ok(months.iter().copied().filter(|month| !there.contains(&month.table())).collect())
    }

    async fn make_partitions(&mut self, months: &[Month]) -> Result<(), StoreError> {
        let mut work = self.begin(Access::Write, "make partitions").await?;
        work.script("SELECT pg_advisory_xact_lock(hashtextextended('barkeep partitions ' || current_schema(), 0))")
            .await?;
        // Another process may have made them while this one waited.
        let rows = work.rows(sqlx::query(PARTITIONS)).await?;
        let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        for month in months.iter().filter(|month| !there.contains(&month.table())) {
            let (table, start, end) = (month.table(), month.start_ms(), month.next().start_ms());
            work.script(&format!(
                "CREATE TABLE IF NOT EXISTS {table} (LIKE historical_bars INCLUDING ALL);
                 ALTER TABLE historical_bars ATTACH PARTITION {table} FOR VALUES FROM ({start}) TO ({end})"
            ))
            .await?;
        }
        work.commit().await
    }

    /// The table that holds all bars of a range, if one does.
    pub(super) fn table_of(range_ms: &RangeInclusive<i64>) -> String {
        let (first, last) = (Month::of(*range_ms.start()), Month::of(*range_ms.end()));
        if first == last { first.table() } else { "historical_bars".to_owned() }
    }
}

/// The partitions there are, by name.
const PARTITIONS: &str = "SELECT c.relname::text FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'historical_bars'::regclass";
