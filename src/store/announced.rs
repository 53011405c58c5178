//! Sessions that were announced after the calendar of the program was made.

use std::future::Future;

use jiff::Timestamp;
use jiff::civil::Date;

use super::StoreError;
use crate::model::AnnouncedSession;

/// Remembers what was announced of sessions.
pub trait AnnouncedSessions: Send {
    /// All of it, by date.
    fn announced(&mut self) -> impl Future<Output = Result<Vec<AnnouncedSession>, StoreError>> + Send;

    /// Puts sessions in the place of those after a date. What was announced of earlier dates stays, as it has happened, and so
    /// does what was announced of the date itself, which who lists the future may list no more; if it is among the sessions, it
    /// is written.
    fn announce(
        &mut self,
        today: Date,
        sessions: &[AnnouncedSession],
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
