//! Sessions that were announced.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::model::AnnouncedSession;
use crate::store::values::{date, unknown};
use crate::store::{AnnouncedSessions, StoreError};

impl AnnouncedSessions for SqliteStore {
    async fn announced(&mut self) -> Result<Vec<AnnouncedSession>, StoreError> {
        let rows = sqlx::query("SELECT session_date, kind, name FROM announced_sessions ORDER BY session_date")
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.error("read the announced sessions"))?;
        let session = |row: &SqliteRow| {
            let kind = row.get::<&str, _>(1).parse().map_err(unknown)?;
            Ok(AnnouncedSession { date: date(row.get(0))?, kind, name: row.get(2) })
        };
        rows.iter().map(session).collect()
    }

    async fn announce(&mut self, today: Date, sessions: &[AnnouncedSession], at: Timestamp) -> Result<(), StoreError> {
        self.begin_write(|| ()).await?;
        let written = self.put_announced(today, sessions, at).await.map_err(self.error("write the announced sessions"));
        self.end_write(written, "write the announced sessions").await
    }
}

impl SqliteStore {
    async fn put_announced(
        &mut self,
        today: Date,
        sessions: &[AnnouncedSession],
        at: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let delete = sqlx::query("DELETE FROM announced_sessions WHERE session_date > ?1").bind(today.to_string());
        delete.execute(&mut self.connection).await?;
        for session in sessions.iter().filter(|session| session.date >= today) {
            sqlx::query(
                "INSERT OR REPLACE INTO announced_sessions (session_date, kind, name, announced_at)
                 VALUES (?1, ?2, ?3, ?4)",
            )
            .bind(session.date.to_string())
            .bind(session.kind.as_str())
            .bind(&session.name)
            .bind(at.as_millisecond())
            .execute(&mut self.connection)
            .await?;
        }
        Ok(())
    }
}
