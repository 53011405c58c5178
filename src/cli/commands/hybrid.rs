//! `backfill hybrid`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::api::Api;
use super::loading::{load_by_requests, load_files};
use super::rest::{forecast, plan_all, totals_of};
use super::s3::{asked, find_absent, open_source, run_error};
use super::{Context, store_error, to_write, warn};
use crate::cli::format::{about, bytes, counted};
use crate::cli::hybrid::{HybridReport, Planned, left_over, take_from_files};
use crate::cli::log::stderr;
use crate::cli::plan::{Forecast, plan_text};
use crate::cli::rest::RestTotals;
use crate::cli::{
    Body, CliError, Exit, HybridArgs, Named, Request, Selection, Signals, Totals, effective_settings, print_json,
    reporter,
};
use crate::ingest::hybrid::{Choice, Cost, Rates, choose};
use crate::ingest::rest::{RestClient, RestReport, RestRunError};
use crate::ingest::source::Source;
use crate::ingest::{self, DatasetPlan, Reporter, RunReport, make_plan};
use crate::model::Dataset;
use crate::store::{AnyStore, Ledger, LoadRate};

/// Packed bytes a second that are fetched and loaded, where no run has told: what twelve downloads at once bring from the
/// vendor, and what a disk brings.
const USUAL_BUCKET_BYTES: f64 = 10e6;
const USUAL_FOLDER_BYTES: f64 = 50e6;

/// So many requests show the pace that a quota allows in the long run.
const PACED_REQUESTS: u64 = 1000;

/// Loads bars whichever way is sooner done.
pub(super) async fn run(args: &HybridArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let settings = &context.settings;
    let request = Request::new(&args.selection, &args.files, settings.now.value)?;
    let source = open_source(settings, args.selection.dataset.unwrap_or(Dataset::Stocks)).await;
    // A folder that was named is there; a bucket may be one that nobody here has keys for.
    let source = if settings.source.is_some() { Ok(source?) } else { source };
    let mut store = context.store_of(&request).await?;
    let selections = context.selections(&request, store.as_mut()).await?;
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), settings.color.value);
    let api = Api::open(context, store.as_ref(), &reporter).await;
    let hybrid = Hybrid { request, selections, exact_vwap: args.api.exact_vwap, context, signals, reporter };
    let planning = async {
        let source = source?;
        let plan = hybrid.plan_files(&source, store.as_mut(), Choosing::Freely(api.as_ref().ok())).await?;
        Ok::<_, CliError>((Arc::new(source), plan))
    };
    let planned = tokio::select! {
        biased;
        () = signals.stop().cancelled() => return Ok(signals.exit().unwrap_or(Exit::Interrupted)),
        planned = planning => planned.map(Some),
    };
    let (files, api) = match (planned, api) {
        (Ok(files), Ok(api)) => (files, Some(api)),
        (Ok(files), Err(error)) => {
            warn(&format!("everything is taken from files: {}", error.reason()));
            (files, None)
        }
        // Only files bring everyone.
        (Err(error), _) if matches!(hybrid.request.named, Named::All(_)) => return Err(error),
        (Err(error), Ok(api)) => {
            warn(&format!("everything is asked of the REST API: {}", error.reason()));
            (None, Some(api))
        }
        (Err(error), Err(_)) => return Err(error),
    };
    match to_write(store, hybrid.request.dry_run).await? {
        Some(store) => hybrid.carry_out(files, api, store).await,
        None => hybrid.show(&files.map(|(_, plan)| plan).unwrap_or_default(), api).await,
    }
}

/// What was asked, and what it is done with.
struct Hybrid<'a> {
    request: Request,
    selections: Vec<Selection>,
    exact_vwap: bool,
    context: &'a Context,
    signals: &'a Signals,
    reporter: Arc<dyn Reporter>,
}

/// What may come from files.
enum Choosing<'a> {
    /// What is sooner done so; everything, without an API to ask.
    Freely(Option<&'a Api>),
    /// These days.
    Only(&'a BTreeSet<(Dataset, Date)>),
}

/// What comes from files, and what the choice was.
#[derive(Default)]
struct FilesPlan {
    plans: Vec<DatasetPlan>,
    forecasts: Vec<Forecast>,
    choices: Vec<(Dataset, Choice)>,
}

impl Hybrid<'_> {
    /// Lists the files, and chooses what to take from them.
    async fn plan_files(
        &self,
        source: &Source,
        mut ledger: Option<&mut AnyStore>,
        choosing: Choosing<'_>,
    ) -> Result<FilesPlan, CliError> {
        let mut files = FilesPlan::default();
        for selection in &self.selections {
            let asked = ingest::Request {
                rest_counts: ingest::WhenRestCounts::UnlessFileIsNewer,
                ..asked(&self.request, selection)
            };
            let mut plan = make_plan(source, ledger.as_deref_mut(), asked, &*self.reporter).await.map_err(run_error)?;
            let rate = match &mut ledger {
                Some(ledger) => ledger.load_rate(plan.request.symbols.is_none()).await.map_err(store_error)?,
                None => None,
            };
            match choosing {
                Choosing::Freely(None) => {}
                Choosing::Freely(Some(api)) => {
                    let choice = choose(&plan, self.rates(rate, &api.client), self.exact_vwap);
                    plan = plan.without_minutes(&choice.by_rest);
                    files.choices.push((selection.dataset, choice));
                }
                Choosing::Only(days) => plan.days.retain(|day| days.contains(&(selection.dataset, day.date()))),
            }
            files.forecasts.push(Forecast::of(&plan, rate, &self.context.settings.database.value));
            files.plans.push(plan);
        }
        Ok(files)
    }

    fn rates(&self, measured: Option<LoadRate>, client: &RestClient) -> Rates {
        let usual = if self.context.settings.source.is_some() { USUAL_FOLDER_BYTES } else { USUAL_BUCKET_BYTES };
        let measured = measured.filter(|rate| rate.seconds > 0.0).map(|rate| rate.file_bytes as f64 / rate.seconds);
        Rates {
            file_bytes_per_second: measured.unwrap_or(usual),
            seconds_per_request: client.seconds_for(PACED_REQUESTS) / PACED_REQUESTS as f64,
        }
    }

    async fn carry_out(
        &self,
        files: Option<(Arc<Source>, FilesPlan)>,
        api: Option<Api>,
        mut store: AnyStore,
    ) -> Result<Exit, CliError> {
        let (context, settings) = (self.context, &self.context.settings);
        let say = |line: &str| {
            if !context.quiet {
                warn(line);
            }
        };
        let places = files.iter().map(|(source, _)| source.describe());
        let places = places.chain(api.iter().map(|api| api.client.describe().to_owned())).collect::<Vec<_>>();
        say(&format!("from {} into {}", places.join(" and "), settings.database.value));
        let (mut loaded, mut failure, mut planned) = (RunReport::default(), None, Planned::default());
        let source = files.as_ref().map(|(source, _)| Arc::clone(source));
        if let Some((source, plan)) = files {
            say(plan.text().trim_end());
            planned = Planned { by_rest: plan.by_rest(), renewed: plan.renewed() };
            (loaded, failure) = self.load_files(plan, source, &mut store).await?;
        }
        let mut requests = RestReport::default();
        if let Some(mut api) = api.filter(|_| failure.is_none() && !loaded.interrupted) {
            find_absent(&mut loaded, &self.selections, &mut store).await?;
            let absent = absent(&loaded);
            let ledger = Some(&mut store);
            let plans = plan_all(&self.request, &self.selections, self.exact_vwap, &absent, ledger, &mut api).await?;
            if !plans.is_empty() {
                say(&forecast(&plans, &api.client));
            }
            let reporter = Arc::clone(&self.reporter);
            let stop = self.signals.stop();
            let (report, error) = load_by_requests(plans, api, &mut store, context, reporter, stop).await?;
            requests = report;
            let is_of_api = matches!(error, None | Some(RestRunError::Api(_)));
            failure = error.map(CliError::failed);
            let left = left_over(&planned.by_rest, &requests);
            if let Some(source) = source.filter(|_| is_of_api && !requests.interrupted && !left.is_empty()) {
                say("what requests did not bring is taken from files");
                let plan = self.plan_files(&source, Some(&mut store), Choosing::Only(&left)).await?;
                let (more, error) = self.load_files(plan, source, &mut store).await?;
                planned.by_rest.retain(|day| !left.contains(day));
                take_from_files(&mut loaded, &mut requests, more);
                failure = failure.or(error);
            }
        }
        let closed = store.close().await.map_err(store_error);
        let failure = failure.or(closed.err());
        let report = HybridReport::of(loaded, requests, &planned);
        let exit = if failure.is_some() { Exit::Failed } else { report.exit(self.signals.exit()) };
        self.print(&report, exit)?;
        failure.map_or(Ok(exit), Err)
    }

    async fn load_files(
        &self,
        files: FilesPlan,
        source: Arc<Source>,
        store: &mut AnyStore,
    ) -> Result<(RunReport, Option<CliError>), CliError> {
        let (reporter, stop) = (Arc::clone(&self.reporter), self.signals.stop());
        let (report, failure) = load_files(files.plans, source, store, self.context, reporter, stop).await?;
        Ok((report, failure.map(run_error)))
    }

    /// Shows the plan: what `--dry-run` is for.
    async fn show(&self, files: &FilesPlan, api: Option<Api>) -> Result<Exit, CliError> {
        let out = &mut io::stdout().lock();
        let mut requests = String::new();
        if let Some(mut api) = api {
            let mut store = self.context.existing_store().await?;
            let ledger = store.as_mut();
            let mut plans =
                plan_all(&self.request, &self.selections, self.exact_vwap, &BTreeSet::new(), ledger, &mut api).await?;
            let by_files = files.days();
            for plan in &mut plans {
                plan.leave_to_files(&by_files);
            }
            requests = forecast(&plans, &api.client);
        }
        if self.context.json {
            let choices: Vec<_> =
                files.choices.iter().map(|(dataset, choice)| json!({ "dataset": dataset, "choice": choice })).collect();
            let totals = json!({ "files": files.forecasts, "requests": requests });
            print_json(out, "hybrid", &self.effective(), Body::Rows(&choices), &totals, Exit::Done)?;
        } else {
            write!(out, "{}", files.text())?;
            if !requests.is_empty() {
                writeln!(out, "{requests}")?;
            }
        }
        Ok(Exit::Done)
    }

    fn print(&self, report: &HybridReport, exit: Exit) -> io::Result<()> {
        let out = &mut io::stdout().lock();
        if self.context.json {
            let totals = json!({
                "files": Totals::of(&report.files),
                "rest": totals_of(&report.rest, &RestTotals::of(&report.rest)),
            });
            print_json(out, "hybrid", &self.effective(), Body::Days(&report.days), &totals, exit)
        } else if self.context.quiet {
            write!(stderr(), "{}", report.gaps().trim_start())
        } else {
            write!(out, "{}", report.summary())
        }
    }

    fn effective(&self) -> Value {
        let settings = &self.context.settings;
        let mut effective = effective_settings(&self.request, &self.selections, settings);
        effective["api_url"] = json!(settings.api.url.value);
        effective["rate"] = json!(settings.api.rate.value);
        effective["exact_vwap"] = json!(self.exact_vwap);
        effective
    }
}

impl FilesPlan {
    /// Days whose minutes are left to requests.
    fn by_rest(&self) -> BTreeSet<(Dataset, Date)> {
        let days =
            self.choices.iter().flat_map(|(dataset, choice)| choice.by_rest.iter().map(|date| (*dataset, *date)));
        days.collect()
    }

    /// Days whose files are to take the place of what files brought before.
    fn renewed(&self) -> BTreeSet<(Dataset, Date)> {
        let days = |plan: &DatasetPlan| plan.renewed().map(|date| (plan.request.dataset, date)).collect::<Vec<_>>();
        self.plans.iter().flat_map(days).collect()
    }

    /// Days whose minutes come from files.
    fn days(&self) -> BTreeSet<(Dataset, Date)> {
        let jobs = self.plans.iter().flat_map(DatasetPlan::jobs).filter(|job| job.minute.is_some());
        jobs.map(|job| (job.request.dataset, job.date)).collect()
    }

    fn text(&self) -> String {
        let choices = self.choices.iter().filter(|(_, choice)| choice.all_by_files.file_bytes > 0);
        let choices = choices.map(|(dataset, choice)| {
            let Choice { all_by_files: files, all_by_rest: rest, by_rest } = choice;
            let left = match by_rest.len() {
                0 => "files are sooner done".to_owned(),
                days => format!("{} are left to requests", counted(days as u64, "day")),
            };
            format!("{dataset}: {} or {}: {left}\n", way(files), way(rest))
        });
        choices.collect::<String>() + &plan_text(&self.plans, &self.forecasts)
    }
}

/// Symbols that the file of a day lacks.
fn absent(files: &RunReport) -> BTreeSet<(String, Date)> {
    let days = files.days.iter().flat_map(|day| day.absent_symbols.iter().map(|symbol| (symbol.clone(), day.date)));
    days.collect()
}

fn way(cost: &Cost) -> String {
    let what = if cost.requests > 0 {
        counted(cost.requests, "request")
    } else {
        format!("{} of files", bytes(cost.file_bytes))
    };
    format!("{what} (about {})", about(cost.seconds))
}
