//! Loading into a store that is open, by files and by requests, on connections of their own beside the one that writes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::api::Api;
use super::s3::open_source;
use super::{Context, store_error};
use crate::cli::CliError;
use crate::config::Settings;
use crate::ingest::rest::{self, RestReport, RestRunError, Tools};
use crate::ingest::source::Source;
use crate::ingest::{
    self, Concurrency, DatasetPlan, Ended, LoadFailure, Loads, Reporter, Request, RestWish, RunError, RunReport,
    Sharing, make_plans,
};
use crate::model::Dataset;
use crate::store::{AnyClaims, AnyStore, Claiming, Noting, StoreError};

/// What a run needs to share its days with other processes, on connections beside the one that writes.
pub(super) struct Beside {
    claims: AnyClaims,
    pub(super) ledger: AnyStore,
    lease: Duration,
}

impl Beside {
    pub(super) async fn open(store: &AnyStore, context: &Context) -> Result<Self, CliError> {
        let lease = context.settings.lease.value;
        let claims = store.claimant(lease).await.map_err(store_error)?;
        let ledger = store.beside().await.map_err(store_error)?;
        Ok(Self { claims, ledger, lease })
    }

    pub(super) fn sharing(&mut self) -> Sharing<'_, AnyClaims, AnyStore> {
        Sharing { claims: &mut self.claims, ledger: &mut self.ledger, lease: self.lease }
    }
}

/// Carries plans of files out.
pub(super) async fn load_files(
    plans: Vec<DatasetPlan>,
    source: Arc<Source>,
    store: &mut AnyStore,
    context: &Context,
    reporter: Arc<dyn Reporter>,
    stop: &CancellationToken,
) -> Result<(RunReport, Option<RunError>), CliError> {
    let settings = &context.settings;
    let mut beside = Beside::open(store, context).await?;
    let concurrency = Concurrency { downloads: settings.downloads.value, decoders: settings.decoders.value };
    let ended = ingest::run(plans, source, store, beside.sharing(), concurrency, reporter, stop.clone()).await;
    // Before the one that writes, so that a file is left without a log.
    beside.ledger.close().await.map_err(store_error)?;
    Ok(ended)
}

/// Carries plans of requests out.
pub(super) async fn load_by_requests(
    plans: Vec<rest::DatasetPlan>,
    api: Api,
    store: &mut AnyStore,
    context: &Context,
    reporter: Arc<dyn Reporter>,
    stop: &CancellationToken,
) -> Result<(RestReport, Option<RestRunError>), CliError> {
    let notes = match api.notes {
        Some(notes) => notes,
        None => store.notes().await.map_err(store_error)?,
    };
    let ledger = Arc::new(Mutex::new(store.beside().await.map_err(store_error)?));
    let tools = Tools {
        client: api.client,
        ledger: Arc::clone(&ledger),
        notes,
        concurrency: context.settings.downloads.value,
        outage_patience: context.settings.lease.value,
        reporter,
        stop: stop.clone(),
    };
    let ended = rest::run(plans, store, tools).await;
    if let Ok(ledger) = Arc::try_unwrap(ledger) {
        ledger.into_inner().close().await.map_err(store_error)?;
    }
    Ok(ended)
}

/// Loads for work that goes on by itself: a way that is closed is said, and tried anew the next time.
pub(super) struct Loader<'a> {
    context: &'a Context,
    reporter: Arc<dyn Reporter>,
    stop: CancellationToken,
}

impl<'a> Loader<'a> {
    pub(super) fn new(context: &'a Context, reporter: Arc<dyn Reporter>, stop: CancellationToken) -> Self {
        Self { context, reporter, stop }
    }

    async fn files(&self, requests: Vec<Request>) -> Result<(RunReport, Option<RunError>), CliError> {
        let source =
            open_source(&self.context.settings, requests.first().map_or(Dataset::Stocks, |first| first.dataset));
        let source = Arc::new(source.await?);
        let mut store = self.context.store().await?;
        let planned = tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                return Ok((RunReport { interrupted: true, ..RunReport::default() }, None));
            }
            planned = make_plans(&source, &mut store, requests, &*self.reporter) => planned,
        };
        let plans = match planned {
            Ok(plans) => plans,
            Err(error) => return Ok((RunReport::default(), Some(error))),
        };
        let reporter = Arc::clone(&self.reporter);
        let ended = load_files(plans, source, &mut store, self.context, reporter, &self.stop).await?;
        store.close().await.map_err(store_error)?;
        Ok(ended)
    }

    async fn requests(&self, wishes: Vec<RestWish>) -> Result<(RestReport, Option<RestRunError>), CliError> {
        let mut store = self.context.store().await?;
        let mut api = Api::open(self.context, Some(&store), &self.reporter).await?;
        let mut plans = Vec::new();
        for RestWish { asked, symbols } in wishes {
            let plan = rest::make_plan(asked, &symbols, Some(&mut store), api.notes.as_mut()).await;
            plans.push(plan.map_err(store_error)?);
        }
        let reporter = Arc::clone(&self.reporter);
        let ended = load_by_requests(plans, api, &mut store, self.context, reporter, &self.stop).await?;
        store.close().await.map_err(store_error)?;
        Ok(ended)
    }
}

impl Loads for Loader<'_> {
    async fn from_files(&mut self, requests: Vec<Request>) -> Ended<RunReport> {
        if requests.is_empty() {
            return Ended { report: RunReport::default(), failure: None };
        }
        match Box::pin(self.files(requests)).await {
            Ok((report, failure)) => {
                let failure = failure.map(|error| ended(error.may_pass(), error.to_string()));
                Ended { report, failure }
            }
            Err(error) => {
                let Settings { source, s3, .. } = &self.context.settings;
                let is_unset = source.is_none() && s3.credentials.is_none();
                Ended { report: RunReport::default(), failure: Some(closed(&error, is_unset)) }
            }
        }
    }

    async fn by_requests(&mut self, wishes: Vec<RestWish>) -> Ended<RestReport> {
        if wishes.is_empty() {
            return Ended { report: RestReport::default(), failure: None };
        }
        match Box::pin(self.requests(wishes)).await {
            Ok((report, failure)) => {
                let failure = failure.map(|error| ended(error.may_pass(), error.to_string()));
                Ended { report, failure }
            }
            Err(error) => {
                let is_unset = self.context.settings.api.key.is_none();
                Ended { report: RestReport::default(), failure: Some(closed(&error, is_unset)) }
            }
        }
    }
}

/// What ended a way that was open.
const fn ended(may_pass: bool, message: String) -> LoadFailure {
    LoadFailure { message, may_pass, is_unset: false }
}

/// Keys that are missing, a database that does not open. The latter may be back the next time; the former is nothing that
/// waiting would mend.
fn closed(error: &CliError, is_unset: bool) -> LoadFailure {
    let may_pass = error.is_of::<StoreError>();
    LoadFailure { message: error.reason(), may_pass, is_unset: is_unset && !may_pass }
}
