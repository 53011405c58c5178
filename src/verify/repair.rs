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
use crate::store::{Audit, BarSink, Claims, DayState, Ledger};

/// Symbols that are named of a day that no file makes right.
const SYMBOLS_SHOWN: usize = 5;

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
    let (mut plans, mut hints) = (Vec::new(), BTreeMap::new());
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
        hints.extend(
            reloads.iter().filter_map(|(date, reload)| {
                Some(((dataset, *date), fetched_again(*date, reload, states.get(date)?)?))
            }),
        );
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
            _ => {
                let hint = hints.remove(&(day.dataset, day.date));
                let details: Vec<_> = day.detail.into_iter().chain(hint).collect();
                repaired.left.push(DayReport { detail: Some(details.join("; ")), ..day });
            }
        }
    }
    failure.map_or(Ok(repaired), Err)
}

/// What makes right what the REST API has brought, where no file can.
fn fetched_again(date: Date, reload: &Reload, state: &DayState) -> Option<String> {
    let is_meant = |symbol: &str| match reload {
        Reload::Symbols(symbols) => symbols.contains(symbol),
        Reload::Day { .. } => true,
    };
    let brought = state.rest.iter().filter(|(symbol, rest)| !rest.timeframes.is_empty() && is_meant(symbol));
    let symbols: Vec<&str> = brought.map(|(symbol, _)| symbol.as_str()).collect();
    let some = symbols.iter().take(SYMBOLS_SHOWN).map(|symbol| format!("--symbol={symbol}")).collect::<Vec<_>>();
    let more = if symbols.len() > SYMBOLS_SHOWN { ", and so on for the others of the day," } else { "" };
    (!some.is_empty()).then(|| {
        format!(
            "`backfill rest --force {} --from={date} --to={date}`{more} fetches again what came by REST",
            some.join(" ")
        )
    })
}
