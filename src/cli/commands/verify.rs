//! `backfill verify`.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use serde_json::{Value, json};

use super::loading::Beside;
use super::s3::{open_source, run_error};
use super::{Context, store_error};
use crate::cli::findings::{finding_rows, print_checked, print_compared, print_findings, print_repaired, totals};
use crate::cli::format::count;
use crate::cli::log::stderr;
use crate::cli::{Body, CliError, Exit, Signals, VerifyArgs, VerifyRequest, print_json, reporter};
use crate::ingest::{Concurrency, Reporter};
use crate::model::{Calendar, Dataset};
use crate::store::{AnyStore, Audit, Defect, Ledger, StoreError};
use crate::verify::{Checked, Compared, Finding, Findings, Kind, Means, Repaired, Scope, audit, compare, repair};

/// How often it is said how far it is.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// What one look at everything has come to.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// Markets whose bars were looked at.
    pub(crate) checked: Vec<Checked>,
    /// What was compared with the source.
    pub(crate) compared: Vec<(Dataset, Compared)>,
    /// What was found.
    pub(crate) findings: Findings,
    /// Whether books hold a word that means nothing, so that more cannot be said of their market.
    unreadable: bool,
    /// Whether the database itself is damaged.
    damaged: bool,
}

impl Look {
    /// Whether nothing is wrong, and everything was looked at.
    fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.compared.iter().all(|(_, compared)| compared.failed.is_empty())
    }
}

/// Checks what is loaded.
pub(super) async fn run(args: &VerifyArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let settings = &context.settings;
    let request = VerifyRequest::new(args, settings.now.value)?;
    let Some(mut store) = context.existing_store().await? else {
        let error = anyhow::anyhow!("there is no database {}: nothing to verify", context.settings.database.value);
        return Err(CliError::failed(error).with_hint("`backfill s3` makes one, --database-url names another"));
    };
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), settings.color.value);
    let dataset = args.dataset.unwrap_or(Dataset::Stocks);
    let mut verify = Verify { request, context, signals, reporter, dataset, means: None };
    let found = verify.look(&mut store).await?;
    let mut repaired = None;
    if verify.request.repair && !found.findings.is_empty() && !found.damaged && signals.exit().is_none() {
        if !context.json && !context.quiet {
            print_look(&mut io::stdout().lock(), &found)?;
        }
        repaired = Some(verify.repair(&mut store, &found).await?);
    }
    store.close().await.map_err(store_error)?;
    verify.end(&found, repaired.as_ref())
}

struct Verify<'a> {
    request: VerifyRequest,
    context: &'a Context,
    signals: &'a Signals,
    reporter: Arc<dyn Reporter>,
    /// Whose files lie in a folder that does not say so.
    dataset: Dataset,
    means: Option<Means>,
}

impl Verify<'_> {
    /// The source, opened when it is needed first: looking at the database alone needs no keys.
    async fn means(&mut self) -> Result<&Means, CliError> {
        let means = if let Some(means) = self.means.take() {
            means
        } else {
            let settings = &self.context.settings;
            let (downloads, decoders) = (settings.downloads.value, settings.decoders.value);
            Means {
                source: Arc::new(open_source(settings, self.dataset).await?),
                concurrency: Concurrency { downloads, decoders },
                reporter: Arc::clone(&self.reporter),
                stop: self.signals.stop().clone(),
                now: settings.now.value,
            }
        };
        Ok(self.means.insert(means))
    }

    /// Looks at everything that was asked for.
    async fn look(&mut self, store: &mut AnyStore) -> Result<Look, CliError> {
        let mut look = Look::default();
        let defects: Vec<Finding> = self.defects(store).await?.into_iter().map(Finding::from).collect();
        // What is read from a damaged file may be anything.
        look.damaged = defects.iter().any(|defect| defect.kind == Kind::DamagedFile);
        let scopes = if look.damaged { Vec::new() } else { self.request.scopes.clone() };
        for scope in scopes {
            let checked = match self.check(store, &scope, &mut look.findings).await {
                Err(StoreError::Unknown(_)) if !defects.is_empty() => {
                    look.unreadable = true;
                    continue;
                }
                checked => checked.map_err(store_error)?,
            };
            if let Some(sample) = self.request.against_source
                && !self.signals.stop().is_cancelled()
            {
                let mut ledger = store.beside().await.map_err(store_error)?;
                let means = self.means().await?;
                let symbols = scope.symbols.as_ref();
                let compared = compare(store, &mut ledger, &checked, symbols, sample, means, &mut look.findings).await;
                ledger.close().await.map_err(store_error)?;
                look.compared.push((scope.dataset, compared.map_err(run_error)?));
            }
            look.checked.push(checked);
        }
        for finding in defects {
            // What was found in the bars themselves is said in more detail.
            if !look.findings.has(finding.kind, finding.dataset, finding.date) {
                look.findings.add(finding);
            }
        }
        Ok(look)
    }

    async fn check(&self, store: &mut AnyStore, scope: &Scope, findings: &mut Findings) -> Result<Checked, StoreError> {
        let said = Mutex::new(Instant::now());
        let hear = |dataset: Dataset, month: Date, bars: u64| {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.elapsed() >= SAID_EVERY {
                *said = Instant::now();
                let month = month.strftime("%Y-%m");
                self.reporter.note(&format!("looking at {dataset} of {month}; {} bars so far", count(bars)));
            }
        };
        let mut scope = scope.clone();
        if !self.request.is_named {
            // Nobody misses days of a market that was never loaded.
            let all = scope.dataset.first_date()..=Calendar::LAST;
            let is_loaded = !store.day_states(scope.dataset, all).await?.is_empty();
            scope.range = scope.range.filter(|_| is_loaded);
        }
        audit(store, &scope, findings, &hear, self.signals.stop()).await
    }

    /// What only the store can see, of the markets and dates that were asked for; nothing where it is about symbols.
    async fn defects(&self, store: &mut AnyStore) -> Result<Vec<Defect>, CliError> {
        let scopes = &self.request.scopes;
        if scopes.iter().any(|scope| scope.symbols.is_some()) {
            return Ok(Vec::new());
        }
        let mut defects = store.defects().await.map_err(store_error)?;
        defects.retain(|defect| {
            defect.day.is_none_or(|(dataset, date)| {
                let scope = scopes.iter().find(|scope| scope.dataset == dataset);
                scope.is_some_and(|scope| scope.range.as_ref().is_none_or(|range| range.contains(&date)))
            })
        });
        Ok(defects)
    }

    /// Repairs what was found, and looks again.
    async fn repair(&mut self, store: &mut AnyStore, found: &Look) -> Result<(Repaired, Look), CliError> {
        // Before anything is changed: without a source nothing is.
        self.means().await?;
        let (mut removed, mut readable) = (0, None);
        if found.unreadable {
            // Only when the rows with such words are gone, it can be said what they have left behind.
            removed = store.remove_orphans().await.map_err(store_error)?;
            readable = Some(self.look(store).await?);
        }
        let found = readable.as_ref().unwrap_or(found);
        let mut beside = Beside::open(store, self.context).await?;
        let means = self.means().await?;
        let repaired = repair(store, beside.sharing(), &found.checked, &found.findings, means).await;
        beside.ledger.close().await.map_err(store_error)?;
        let repaired = repaired.map_err(run_error)?;
        Ok((Repaired { orphans: repaired.orphans + removed, ..repaired }, self.look(store).await?))
    }

    fn end(&self, found: &Look, repair: Option<&(Repaired, Look)>) -> Result<Exit, CliError> {
        let last = repair.map_or(found, |(_, again)| again);
        let is_left = repair.is_some_and(|(repaired, _)| !repaired.left.is_empty());
        let exit = match self.signals.exit() {
            Some(exit) => exit,
            None if last.is_clean() && !is_left => Exit::Done,
            None => Exit::Gaps,
        };
        let out = &mut io::stdout().lock();
        if self.context.json {
            let rows = finding_rows(&found.findings, repair.map(|(_, again)| &again.findings));
            print_json(out, "verify", &self.settings(), Body::Rows(&rows), &totals(found, repair), exit)?;
        } else if self.context.quiet {
            if exit != Exit::Done {
                print_look(&mut stderr(), last)?;
            }
        } else {
            if let Some((repaired, _)) = repair {
                print_repaired(out, repaired)?;
            }
            print_look(out, last)?;
            if !self.request.repair && !last.findings.is_empty() && !last.damaged {
                writeln!(out, "\n`backfill verify --repair` loads again what is wrong, and only that")?;
            }
        }
        Ok(exit)
    }

    /// What the command was told in the end.
    fn settings(&self) -> Value {
        let selection = |scope: &Scope| {
            let dates = scope.range.as_ref();
            let (from, to) = (dates.map(|dates| *dates.start()), dates.map(|dates| *dates.end()));
            json!({ "dataset": scope.dataset, "symbols": scope.symbols, "from": from, "to": to })
        };
        json!({
            "database_url": self.context.settings.database.value.to_string(),
            "selections": self.request.scopes.iter().map(selection).collect::<Vec<_>>(),
            "against": self.request.against_source.map(|_| "source"),
            "repair": self.request.repair,
        })
    }
}

/// A look in words.
fn print_look(out: &mut impl Write, look: &Look) -> io::Result<()> {
    if look.damaged {
        writeln!(out, "the database is damaged: restore it from a copy, or move it away and load again")?;
    } else {
        print_checked(out, &look.checked)?;
    }
    for (dataset, compared) in &look.compared {
        print_compared(out, *dataset, compared)?;
    }
    print_findings(out, &look.findings)
}
