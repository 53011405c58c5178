//! Sessions that were announced.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::transaction::Access;
use super::{PostgresStore, StoreError};
use crate::model::AnnouncedSession;
use crate::store::AnnouncedSessions;
use crate::store::values::{date, unknown};

impl AnnouncedSessions for PostgresStore {
    async fn announced(&mut self) -> Result<Vec<AnnouncedSession>, StoreError> {
        let mut work = self.begin(Access::Read, "read the announced sessions").await?;
        let query = "SELECT session_date::text, kind, name FROM announced_sessions ORDER BY session_date";
        let rows = work.rows(sqlx::query(query)).await?;
        let session = |row: &PgRow| {
            let kind = row.get::<&str, _>(1).parse().map_err(unknown)?;
            Ok(AnnouncedSession { date: date(row.get(0))?, kind, name: row.get(2) })
        };
        let sessions = rows.iter().map(session).collect::<Result<_, StoreError>>()?;
        work.done(sessions).await
    }

    async fn announce(&mut self, today: Date, sessions: &[AnnouncedSession], at: Timestamp) -> Result<(), StoreError> {
        let mut work = self.begin(Access::Write, "write the announced sessions").await?;
        let delete = sqlx::query("DELETE FROM announced_sessions WHERE session_date > $1::text::date");
        work.execute(delete.bind(today.to_string())).await?;
        for session in sessions.iter().filter(|session| session.date >= today) {
            let query = sqlx::query(
                "INSERT INTO announced_sessions (session_date, kind, name, announced_at)
                 VALUES ($1::text::date, $2, $3, $4)
                 ON CONFLICT (session_date) DO UPDATE SET kind = excluded.kind, name = excluded.name,
                     announced_at = excluded.announced_at",
            )
            .bind(session.date.to_string())
            .bind(session.kind.as_str())
            .bind(&session.name)
            .bind(at.as_millisecond());
            work.execute(query).await?;
        }
        work.commit().await
    }
}
