//! Option chains of the store that the settings name.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use jiff::civil::Date;

use super::AnyStore;
use crate::store::{Attempt, ChainImported, ChainRow, ChainState, OptionChains, StoreError, StoredChain};

impl OptionChains for AnyStore {
    async fn store_chain(
        &mut self,
        underlying: &str,
        session_date: Date,
        rows: &[ChainRow],
        attempt: &Attempt,
    ) -> Result<bool, StoreError> {
        on!(self, store => store.store_chain(underlying, session_date, rows, attempt))
    }

    async fn record_chain_attempt(
        &mut self,
        underlying: &str,
        session_date: Date,
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        on!(self, store => store.record_chain_attempt(underlying, session_date, attempt))
    }

    async fn chain_states(&mut self, underlyings: &[String]) -> Result<BTreeMap<String, ChainState>, StoreError> {
        on!(self, store => store.chain_states(underlyings))
    }

    async fn import_chain(&mut self, rows: impl Iterator<Item = ChainRow> + Send) -> Result<ChainImported, StoreError> {
        on!(self, store => store.import_chain(rows))
    }

    async fn stored_chains(&mut self, underlyings: Option<&[String]>) -> Result<Vec<StoredChain>, StoreError> {
        on!(self, store => store.stored_chains(underlyings))
    }

    async fn scan_chain(
        &mut self,
        underlyings: Option<&[String]>,
        dates: RangeInclusive<Date>,
        each: impl FnMut(&[ChainRow]) -> ControlFlow<()> + Send,
    ) -> Result<(), StoreError> {
        on!(self, store => store.scan_chain(underlyings, dates, each))
    }
}
