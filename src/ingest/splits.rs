//! From the vendor's list of splits to the table of splits.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::rest::{RestClient, RestError, SplitList};
use crate::model::splits::{Override, Resolution, SplitRecord, SplitStatus, resolve_splits};
use crate::model::{Market, Symbol};
use crate::store::{Splits, StoreError};

/// Which splits to load.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitsRequest {
    /// Of which symbols; `None`: of all.
    pub symbols: Option<Vec<Symbol>>,
    /// The user's word on them.
    pub overrides: Vec<Override>,
    /// The time that decides what is announced.
    pub now: Timestamp,
    /// Only say what would be stored.
    pub dry_run: bool,
}

/// What loading splits came to.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitsReport {
    /// What is stored now, and overrides that found nothing.
    pub resolution: Resolution,
    /// Rows the vendor sent.
    pub rows_read: u64,
    /// Rows that were nobody's.
    pub rejected: u64,
    /// The first of them.
    pub first_rejected: Option<String>,
    /// Rows that were not there before.
    pub added: u64,
    /// Rows of which something other than the numbers differs: what became of them, or the vendor's factor.
    pub changed: u64,
    /// Rows that are no longer there.
    pub removed: u64,
}

/// Why splits could not be loaded. What was stored is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SplitsError {
    /// The vendor.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fetches the list, resolves it and stores what comes of it, in one transaction. `store` may be missing for a dry run.
pub async fn load_splits(
    client: &RestClient,
    mut store: Option<&mut impl Splits>,
    request: &SplitsRequest,
) -> Result<SplitsReport, SplitsError> {
    let symbols = request.symbols.as_deref();
    let SplitList { rows, rows_read, rejected, first_rejected } = client.splits(symbols).await?;
    let today = Market::NewYork.date_of(request.now);
    let dates: BTreeSet<(String, Date)> = rows
        .iter()
        .filter(|row| row.execution_date <= today)
        .map(|row| (row.ticker.clone(), row.execution_date))
        .collect();
    let (jumps, before) = match &mut store {
        Some(store) => {
            let dates: Vec<_> = dates.into_iter().collect();
            (store.price_jumps(&dates).await?, store.splits(symbols).await?)
        }
        None => (BTreeMap::new(), Vec::new()),
    };
    let concerns = |decision: &&Override| {
        symbols.is_none_or(|symbols| symbols.iter().any(|symbol| symbol.as_str() == decision.ticker))
    };
    let overrides: Vec<_> = request.overrides.iter().filter(concerns).cloned().collect();
    let resolution = resolve_splits(&rows, &overrides, &jumps, today);
    let (added, changed, removed) = difference(&before, &resolution.records);
    if let Some(store) = store.filter(|_| !request.dry_run) {
        store.replace_splits(symbols, &resolution.records, request.now).await?;
    }
    Ok(SplitsReport { resolution, rows_read, rejected, first_rejected, added, changed, removed })
}

/// Rows added, changed and removed.
fn difference(before: &[SplitRecord], after: &[SplitRecord]) -> (u64, u64, u64) {
    let key = |record: &SplitRecord| {
        let bits = |number: Option<f64>| number.map(f64::to_bits);
        let numbers = (bits(record.split_from), bits(record.split_to));
        (
            record.ticker.clone(),
            record.execution_date,
            numbers,
            record.source.as_str(),
            record.status == SplitStatus::Reused,
        )
    };
    let mut gone: BTreeMap<_, _> = before.iter().map(|record| (key(record), record)).collect();
    let (mut added, mut changed) = (0, 0);
    for record in after {
        match gone.remove(&key(record)) {
            None => added += 1,
            Some(known) => changed += u64::from(known != record),
        }
    }
    (added, changed, gone.len() as u64)
}
