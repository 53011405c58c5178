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

    /// Puts sessions in the place of those from a date on. What was announced of earlier dates stays: it has happened.
    fn announce(
        &mut self,
        from: Date,
        sessions: &[AnnouncedSession],
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
