//! Messages of whichever store.

use std::time::Duration;

use super::AnyStore;
use crate::store::{
    ClaimedMessage, Condition, ConditionChange, Held, Outbox, OutboxDepth, OutboxMessage, SendEnd, StoreError,
};

impl Outbox for AnyStore {
    async fn condition(&mut self, source: &str) -> Result<Option<Condition>, StoreError> {
        on!(self, store => store.condition(source))
    }

    async fn tell(&mut self, change: &ConditionChange) -> Result<bool, StoreError> {
        on!(self, store => store.tell(change))
    }

    async fn claim_message(&mut self, channel: &str, lease: Duration) -> Result<Option<ClaimedMessage>, StoreError> {
        on!(self, store => store.claim_message(channel, lease))
    }

    async fn end_message(&mut self, held: Held, end: &SendEnd) -> Result<bool, StoreError> {
        on!(self, store => store.end_message(held, end))
    }

    async fn messages(&mut self, ended: u32) -> Result<Vec<OutboxMessage>, StoreError> {
        on!(self, store => store.messages(ended))
    }

    async fn outbox_depth(&mut self) -> Result<OutboxDepth, StoreError> {
        on!(self, store => store.outbox_depth())
    }
}
