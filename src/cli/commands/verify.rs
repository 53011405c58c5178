//! `backfill verify`.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use serde_json::{Value, json};

use super::s3::{open_source, run_error};
use super::{Context, store_error};
use crate::cli::findings::{finding_rows, print_checked, print_compared, print_findings, print_repaired};
use crate::cli::format::count;
use crate::cli::{Body, CliError, Exit, Signals, VerifyArgs, VerifyRequest, print_json, reporter};
use crate::ingest::{Concurrency, Reporter};
use crate::model::{Calendar, Dataset};
use crate::store::Ledger;
use crate::store::sqlite::SqliteStore;
use crate::verify::{Checked, Compared, Findings, Means, Repaired, audit, compare, repair};

/// How often it is said how far it is.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// One look at everything.
struct Look {
    checked: Vec<Checked>,
    compared: Vec<(Dataset, Compared)>,
    findings: Findings,
}

impl Look {
    /// Whether nothing is wrong, and everything was looked at.
    fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.compared.iter().all(|(_, compared)| compared.failed.is_empty())
    }
}

/// What came of the command.
struct Results {
    first: Look,
    /// What a repair did, and what is found after it.
    repair: Option<(Repaired, Look)>,
}

/// Checks what is loaded.
pub(super) async fn run(args: &VerifyArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let settings = &context.settings;
    let request = VerifyRequest::new(args, settings.now.value)?;
    let Some(mut store) = context.existing_store().await? else {
        let error = anyhow::anyhow!("there is no database {}: nothing to verify", context.database_file().display());
        return Err(CliError::failed(error).with_hint("`backfill s3` makes one, --database-url names another"));
    };
    let mut verify = Verify {
        dataset: args.dataset.unwrap_or(Dataset::Stocks),
        reporter: reporter(context.quiet, context.json, Context::has_terminal(), settings.color.value),
        request,
        context,
        signals,
        means: None,
    };
    let first = verify.look(&mut store).await?;
    let mut results = Results { first, repair: None };
    if verify.request.repair && !results.first.findings.is_empty() && signals.exit().is_none() {
        if !context.json && !context.quiet {
            print_look(&mut io::stdout().lock(), &results.first)?;
        }
        let means = verify.means().await?;
        let repaired =
            repair(&mut store, &results.first.checked, &results.first.findings, means).await.map_err(run_error)?;
        let again = verify.look(&mut store).await?;
        results.repair = Some((repaired, again));
    }
    store.close().await.map_err(store_error)?;
    verify.end(&results)
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
        let means = match self.means.take() {
            Some(means) => means,
            None => {
                let settings = &self.context.settings;
                let source = open_source(settings, self.dataset).await?;
                let concurrency =
                    Concurrency { downloads: settings.downloads.value, decoders: settings.decoders.value };
                Means {
                    source: Arc::new(source),
                    concurrency,
                    reporter: Arc::clone(&self.reporter),
                    stop: self.signals.stop().clone(),
                    now: settings.now.value,
                }
            }
        };
        Ok(self.means.insert(means))
    }

    async fn look(&mut self, store: &mut SqliteStore) -> Result<Look, CliError> {
        let mut look = Look { checked: Vec::new(), compared: Vec::new(), findings: Findings::default() };
        let said = Mutex::new(Instant::now());
        let reporter = Arc::clone(&self.reporter);
        let hear = move |dataset: Dataset, month: Date, bars: u64| {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.elapsed() >= SAID_EVERY {
                *said = Instant::now();
                let month = month.strftime("%Y-%m");
                reporter.note(&format!("looking at {dataset} of {month}; {} bars so far", count(bars)));
            }
        };
        for mut scope in self.request.scopes.clone() {
            if !self.request.is_named {
                let all = scope.dataset.first_date()..=Calendar::LAST;
                let is_loaded = !store.day_states(scope.dataset, all).await.map_err(store_error)?.is_empty();
                scope.range = scope.range.filter(|_| is_loaded);
            }
            let stop = self.signals.stop();
            let checked = audit(store, &scope, &mut look.findings, &hear, stop).await.map_err(store_error)?;
            if let Some(sample) =
                self.request.against_source.filter(|_| checked.range.is_some() && !stop.is_cancelled())
            {
                let means = self.means().await?;
                let symbols = scope.symbols.as_ref();
                let compared = compare(store, &checked, symbols, sample, means, &mut look.findings).await;
                look.compared.push((scope.dataset, compared.map_err(run_error)?));
            }
            look.checked.push(checked);
        }
        if self.request.scopes.iter().all(|scope| scope.symbols.is_none()) {
            self.find_defects(store, &mut look).await?;
        }
        Ok(look)
    }

    /// What only the store can see, of the markets and dates that were asked for.
    async fn find_defects(&self, store: &mut SqliteStore, look: &mut Look) -> Result<(), CliError> {
        use crate::store::Audit;
        for defect in store.defects().await.map_err(store_error)? {
            let is_wanted = defect.day.is_none_or(|(dataset, date)| {
                let scope = self.request.scopes.iter().find(|scope| scope.dataset == dataset);
                scope.is_some_and(|scope| scope.range.as_ref().is_none_or(|range| range.contains(&date)))
            });
            if is_wanted {
                look.findings.add(defect.into());
            }
        }
        Ok(())
    }

    fn end(&self, results: &Results) -> Result<Exit, CliError> {
        let last = results.repair.as_ref().map_or(&results.first, |(_, again)| again);
        let left = results.repair.as_ref().is_some_and(|(repaired, _)| !repaired.left.is_empty());
        let exit = match self.signals.exit() {
            Some(exit) => exit,
            None if last.is_clean() && !left => Exit::Done,
            None => Exit::Gaps,
        };
        let out = &mut io::stdout().lock();
        if self.context.json {
            let rows = finding_rows(&results.first.findings, results.repair.as_ref().map(|(_, again)| &again.findings));
            print_json(out, "verify", &self.settings(), Body::Rows(&rows), &totals(results), exit)?;
        } else if self.context.quiet {
            if exit != Exit::Done {
                print_look(&mut io::stderr().lock(), last)?;
            }
        } else if let Some((repaired, again)) = &results.repair {
            print_repaired(out, repaired)?;
            print_look(out, again)?;
        } else {
            print_look(out, &results.first)?;
        }
        Ok(exit)
    }

    fn settings(&self) -> Value {
        let settings = &self.context.settings;
        let scopes: Vec<_> = self
            .request
            .scopes
            .iter()
            .map(|scope| {
                let dates = scope.range.as_ref().map(|range| json!({ "from": range.start(), "to": range.end() }));
                json!({ "dataset": scope.dataset, "symbols": scope.symbols, "dates": dates })
            })
            .collect();
        json!({
            "database_url": settings.database.value.to_string(),
            "selections": scopes,
            "against": self.request.against_source.map(|_| "source"),
            "repair": self.request.repair,
        })
    }
}

/// A look in words.
fn print_look(out: &mut impl Write, look: &Look) -> io::Result<()> {
    print_checked(out, &look.checked)?;
    for (dataset, compared) in &look.compared {
        print_compared(out, *dataset, compared)?;
    }
    print_findings(out, &look.findings)
}

fn totals(results: &Results) -> Value {
    let look = |look: &Look| {
        let kinds: serde_json::Map<_, _> =
            look.findings.by_kind().into_iter().map(|(kind, times)| (kind.as_str().to_owned(), times.into())).collect();
        let checked: Vec<_> = look
            .checked
            .iter()
            .filter_map(|checked| {
                let (from, to) = checked.range?;
                let (dataset, days, bars) = (checked.dataset, checked.days, checked.bars);
                Some(json!({ "dataset": dataset, "from": from, "to": to, "days": days, "bars": bars }))
            })
            .collect();
        let compared: Vec<_> = look.compared.iter().map(|(dataset, compared)| json!({
            "dataset": dataset, "dates": compared.dates, "not_listed": compared.not_listed, "failed": compared.failed,
        })).collect();
        json!({ "findings": kinds, "checked": checked, "compared": compared })
    };
    let mut totals = look(&results.first);
    totals["repair"] = results.repair.as_ref().map_or(Value::Null, |(repaired, again)| {
        json!({
            "orphan_rows_removed": repaired.orphans,
            "days_forgotten": repaired.forgotten,
            "days_loaded": repaired.days,
            "bars_written": repaired.bars,
            "left": repaired.left,
            "then": look(again),
        })
    });
    totals
}
