//! Holding stored days against the files they were made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use super::audit::Checked;
use super::compare::{Comparison, NoClaims};
use super::findings::Findings;
use super::sample::Sample;
use crate::ingest::source::Source;
use crate::ingest::{self, Concurrency, DayReport, Reload, Reloads, Reporter, RunError, Sharing};
use crate::model::{FileKind, Outcome};
use crate::store::{Audit, DayState, Ledger};

/// What was compared of a market.
#[derive(Debug, Default)]
pub struct Compared {
    /// Days whose files were read.
    pub dates: Vec<Date>,
    /// Loaded days whose minute file the source does not list.
    pub not_listed: u64,
    /// Days that were to be compared and could not be.
    pub failed: Vec<DayReport>,
}

/// How a comparison or a repair goes about it.
#[derive(Debug)]
pub struct Means {
    /// Where files come from.
    pub source: Arc<Source>,
    /// How much is done at the same time.
    pub concurrency: Concurrency,
    /// Hears how far it is.
    pub reporter: Arc<dyn Reporter>,
    /// Cancelled when it is to stop.
    pub stop: CancellationToken,
    /// The time.
    pub now: Timestamp,
}

/// Reads files of a sample of the days that were looked at, and of all days whose files the vendor has replaced, makes
/// their bars anew, and adds what differs to the findings. `ledger` is another connection to the same store.
pub async fn compare<S: Ledger + Audit, L: Ledger>(
    store: &mut S,
    ledger: &mut L,
    checked: &Checked,
    symbols: Option<&BTreeSet<String>>,
    sample: Sample,
    means: &Means,
    findings: &mut Findings,
) -> Result<Compared, RunError> {
    let Some((first, last)) = checked.range else { return Ok(Compared::default()) };
    let reloads =
        Reloads::list(&means.source, checked.dataset, (first, last), means.now, means.reporter.as_ref()).await?;
    let loaded = checked.states.iter().filter(|(_, state)| !state.everyone.is_empty() || !state.named.is_empty());
    let (listed, not_listed): (Vec<_>, Vec<_>) =
        loaded.partition(|(date, _)| reloads.file(FileKind::Minute, **date).is_some());
    let dates: Vec<Date> = listed.iter().map(|(date, _)| **date).collect();
    let sampled = sample.of(&dates);
    let is_wanted = |date: &Date, state: &DayState| sampled.contains(date) || reloads.is_restated(*date, state);
    let days: BTreeMap<Date, Reload> = listed
        .into_iter()
        .filter(|(date, state)| is_wanted(date, state))
        .map(|(date, state)| (*date, of_symbols(state, symbols)))
        .collect();
    let plan = reloads.plan(days, &checked.states);
    let mut comparison = Comparison::new(store, findings, symbols);
    let sharing = Sharing { claims: &mut NoClaims, ledger, lease: Duration::MAX };
    let (report, failure) = ingest::run(
        vec![plan],
        Arc::clone(&means.source),
        &mut comparison,
        sharing,
        means.concurrency,
        Arc::clone(&means.reporter),
        means.stop.clone(),
    )
    .await;
    if let Some(error) = failure {
        return Err(error);
    }
    let is_read = |day: &DayReport| matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged);
    let (read, failed): (Vec<_>, Vec<_>) = report.days.into_iter().partition(is_read);
    let dates = read.into_iter().map(|day| day.date).collect();
    Ok(Compared { dates, not_listed: not_listed.len() as u64, failed })
}

/// What files have brought of a day, or of some symbols of it.
fn of_symbols(state: &DayState, symbols: Option<&BTreeSet<String>>) -> Reload {
    let Some(symbols) = symbols else {
        return Reload::Day { everyone: state.everyone, named: state.named.clone() };
    };
    let covered = symbols.iter().map(|symbol| (symbol.clone(), state.covered_by_files(symbol)));
    let named = covered.filter(|(_, timeframes)| !timeframes.is_empty()).collect();
    Reload::Day { everyone: Default::default(), named }
}
