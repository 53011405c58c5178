//! The record of unattended runs.

use jiff::civil::Date;

use super::AnyStore;
use crate::store::{ConditionChange, RunEnd, RunRecord, RunStart, Runs, StoreError};

impl Runs for AnyStore {
    async fn begin_run(&mut self, run: &RunStart) -> Result<(), StoreError> {
        on!(self, store => store.begin_run(run))
    }

    async fn end_run(&mut self, end: &RunEnd, told: Option<&ConditionChange>) -> Result<(), StoreError> {
        on!(self, store => store.end_run(end, told))
    }

    async fn runs(&mut self, command: &str, most: u32) -> Result<Vec<RunRecord>, StoreError> {
        on!(self, store => store.runs(command, most))
    }

    async fn complete_to(&mut self, command: &str) -> Result<Option<Date>, StoreError> {
        on!(self, store => store.complete_to(command))
    }
}
