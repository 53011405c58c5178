//! The watchlist.

use sqlx::Row;

use super::SqliteStore;
use super::queue::text;
use crate::model::{Symbol, SymbolError};
use crate::store::values::{nearest_i32, nearest_instant, number, senseless};
use crate::store::{StoreError, Watchlist, WatchlistEntry};

impl Watchlist for SqliteStore {
    async fn watchlist(&mut self) -> Result<Vec<WatchlistEntry>, StoreError> {
        let rows =
            sqlx::query("SELECT symbol, days_to_backfill, active, priority, added_at FROM watchlist ORDER BY symbol")
                .fetch_all(&mut self.connection)
                .await
                .map_err(self.error("read the watchlist"))?;
        Ok(rows
            .iter()
            .filter_map(|row| {
                Some(WatchlistEntry {
                    symbol: Symbol::from_ticker(&text(row, 0)?).ok()?,
                    days_to_backfill: number(row.get(1)),
                    active: row.get(2),
                    priority: nearest_i32(row.get(3)),
                    added_at: nearest_instant(row.get(4)),
                })
            })
            .collect())
    }

    async fn senseless(&mut self) -> Result<Vec<(String, SymbolError)>, StoreError> {
        let names: Vec<String> = sqlx::query_scalar("SELECT CAST(symbol AS TEXT) FROM watchlist ORDER BY symbol")
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.error("read the watchlist"))?;
        Ok(senseless(names))
    }

    async fn watch(&mut self, entries: &[WatchlistEntry]) -> Result<u64, StoreError> {
        self.begin_write(|| ()).await?;
        let added = self.put_on_watchlist(entries).await;
        self.end_write(added, "write the watchlist").await
    }

    async fn unwatch(&mut self, symbols: &[Symbol]) -> Result<Vec<Symbol>, StoreError> {
        self.begin_write(|| ()).await?;
        let removed = self.take_off_watchlist(symbols).await;
        self.end_write(removed, "write the watchlist").await
    }
}

impl SqliteStore {
    async fn put_on_watchlist(&mut self, entries: &[WatchlistEntry]) -> Result<u64, StoreError> {
        let mut added = 0;
        for entry in entries {
            let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM watchlist WHERE symbol = ?1")
                .bind(entry.symbol.as_str())
                .fetch_optional(&mut self.connection)
                .await
                .map_err(self.error("read the watchlist"))?;
            added += u64::from(known.is_none());
            sqlx::query(
                "INSERT INTO watchlist (symbol, days_to_backfill, active, priority, added_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET days_to_backfill = excluded.days_to_backfill, active = excluded.active,
                     priority = excluded.priority",
            )
            .bind(entry.symbol.as_str())
            .bind(entry.days_to_backfill)
            .bind(entry.active)
            .bind(entry.priority)
            .bind(entry.added_at.as_millisecond())
            .execute(&mut self.connection)
            .await
            .map_err(self.error("write the watchlist"))?;
        }
        Ok(added)
    }

    async fn take_off_watchlist(&mut self, symbols: &[Symbol]) -> Result<Vec<Symbol>, StoreError> {
        let mut removed = Vec::new();
        for symbol in symbols {
            let done = sqlx::query("DELETE FROM watchlist WHERE symbol = ?1")
                .bind(symbol.as_str())
                .execute(&mut self.connection)
                .await
                .map_err(self.error("write the watchlist"))?;
            if done.rows_affected() > 0 {
                removed.push(symbol.clone());
            }
        }
        Ok(removed)
    }
}
