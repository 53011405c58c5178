//! The watchlist.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::transaction::Access;
use super::{PostgresStore, StoreError};
use crate::model::{Symbol, SymbolError};
use crate::store::values::{count, nearest_instant, number, senseless};
use crate::store::{Watchlist, WatchlistEntry};

impl Watchlist for PostgresStore {
    async fn watchlist(&mut self) -> Result<Vec<WatchlistEntry>, StoreError> {
        let query = "SELECT symbol, days_to_backfill, active, priority, added_at FROM watchlist ORDER BY symbol";
        let rows = self.single(Access::Read, "read the watchlist", || sqlx::query(query)).await?;
        let entry = |row: &PgRow| {
            Some(WatchlistEntry {
                symbol: Symbol::from_ticker(row.get(0)).ok()?,
                days_to_backfill: number(row.get::<i32, _>(1).into()),
                active: row.get(2),
                priority: row.get(3),
                added_at: nearest_instant(row.get(4)),
            })
        };
        Ok(rows.iter().filter_map(entry).collect())
    }

    async fn senseless(&mut self) -> Result<Vec<(String, SymbolError)>, StoreError> {
        let query = "SELECT symbol FROM watchlist ORDER BY symbol";
        let rows = self.single(Access::Read, "read the watchlist", || sqlx::query(query)).await?;
        Ok(senseless(rows.iter().map(|row| row.get(0)).collect()))
    }

    async fn watch(&mut self, entries: &[WatchlistEntry]) -> Result<u64, StoreError> {
        // The last of equal symbols counts; a statement may touch a row once only. In one order everywhere, so that two
        // processes do not wait for each other.
        let entries: std::collections::BTreeMap<&str, &WatchlistEntry> =
            entries.iter().map(|entry| (entry.symbol.as_str(), entry)).collect();
        let of = |get: fn(&WatchlistEntry) -> i64| entries.values().map(|entry| get(entry)).collect::<Vec<_>>();
        let write = || {
            sqlx::query(
                "INSERT INTO watchlist (symbol, days_to_backfill, active, priority, added_at)
                 SELECT s, d::int, a <> 0, p::int, t
                 FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS e (s, d, a, p, t)
                 ON CONFLICT (symbol) DO UPDATE SET days_to_backfill = excluded.days_to_backfill,
                     active = excluded.active, priority = excluded.priority
                 RETURNING CASE WHEN xmax = 0 THEN 1 ELSE 0 END::bigint",
            )
            .bind(entries.keys().copied().collect::<Vec<_>>())
            .bind(of(|entry| entry.days_to_backfill.into()))
            .bind(of(|entry| entry.active.into()))
            .bind(of(|entry| entry.priority.into()))
            .bind(of(|entry| entry.added_at.as_millisecond()))
        };
        let rows = self.single(Access::Write, "write the watchlist", write).await?;
        Ok(rows.iter().map(|row| count(row.get(0))).sum())
    }

    async fn unwatch(&mut self, symbols: &[Symbol]) -> Result<Vec<Symbol>, StoreError> {
        let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        let delete = "DELETE FROM watchlist WHERE symbol = ANY($1) RETURNING symbol";
        let delete = || sqlx::query(delete).bind(&names);
        let rows = self.single(Access::Write, "write the watchlist", delete).await?;
        let gone: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        Ok(symbols.iter().filter(|symbol| gone.contains(&symbol.as_str())).cloned().collect())
    }
}
