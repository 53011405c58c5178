//! Making right what was found wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::audit::Checked;
use super::finding::Kind;
use super::findings::Findings;
use super::remedy::{Remedy, remedies};
use super::source::Means;
use crate::ingest::{self, DayReport, Outcome, Reload, Reloads, RunError, Sharing, forget_day};
use crate::store::{Audit, BarSink, Claims, Ledger};

/// What a repair came to.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Rows that belonged to nothing and were removed.
    pub orphans: u64,
    /// Days of which nothing should have been stored, and nothing is now.
    pub forgotten: u64,
    /// Days whose bars were made again.
    pub days: u64,
    /// Bars made again.
    pub bars: u64,
    /// Days that were left as they were, and why.
    pub left: Vec<DayReport>,
}

/// Removes what belongs to nothing, and has days loaded again of which something was found. What the source does not have is
/// left as it is.
pub async fn repair<S: Ledger + Audit + BarSink, C: Claims, L: Ledger>(
    store: &mut S,
    sharing: Sharing<'_, C, L>,
    checked: &[Checked],
    findings: &Findings,
    means: &Means,
) -> Result<Repaired, RunError> {
    let mut repaired = Repaired::default();
    // Before rows go: they may tell what was loaded.
    let remedies: Vec<_> = checked.iter().map(|checked| (checked.dataset, remedies(checked, findings))).collect();
    if findings.by_kind().into_keys().any(Kind::leaves_orphans) {
        repaired.orphans = store.remove_orphans().await?;
    }
    let mut plans = Vec::new();
    for (dataset, remedies) in remedies {
        let mut reloads: BTreeMap<Date, Reload> = BTreeMap::new();
        for (date, remedy) in remedies {
            match remedy {
                Remedy::Forget => {
                    forget_day(store, dataset, date, means.now).await?;
                    repaired.forgotten += 1;
                }
                Remedy::Reload(reload) => {
                    reloads.insert(date, reload);
                }
            }
        }
        let (Some(first), Some(last)) = (reloads.keys().next(), reloads.keys().next_back()) else { continue };
        let range = (*first, *last);
        let listed = Reloads::list(&means.source, dataset, range, means.now, means.reporter.as_ref()).await?;
        let states = store.day_states(dataset, range.0..=range.1).await?;
        plans.push(listed.plan(reloads, &states));
    }
    let (report, failure) = ingest::run(
        plans,
        Arc::clone(&means.source),
        store,
        sharing,
        means.concurrency,
        Arc::clone(&means.reporter),
        means.stop.clone(),
    )
    .await;
    for day in report.days {
        match day.outcome {
            Outcome::Loaded => {
                repaired.days += 1;
                repaired.bars += day.bars;
            }
            Outcome::Unchanged => {}
            _ => repaired.left.push(day),
        }
    }
    failure.map_or(Ok(repaired), Err)
}
