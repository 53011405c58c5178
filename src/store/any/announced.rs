//! Sessions that were announced.

use jiff::Timestamp;
use jiff::civil::Date;

use super::AnyStore;
use crate::model::AnnouncedSession;
use crate::store::{AnnouncedSessions, StoreError};

impl AnnouncedSessions for AnyStore {
    async fn announced(&mut self) -> Result<Vec<AnnouncedSession>, StoreError> {
        on!(self, store => store.announced())
    }

    async fn announce(&mut self, today: Date, sessions: &[AnnouncedSession], at: Timestamp) -> Result<(), StoreError> {
        on!(self, store => store.announce(today, sessions, at))
    }
}
