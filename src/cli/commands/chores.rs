//! What a nightly run does beside bars.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::api::{Api, key};
use super::chain::watched;
use super::splits::overrides;
use super::{Context, store_error};
use crate::cli::CliError;
use crate::cli::format::{bytes, count, counted};
use crate::ingest::chain::{ChainTools, UnderlyingReport, default_underlyings, take};
use crate::ingest::nightly::{Chore, Chores};
use crate::ingest::source::{Cache, CacheKeep};
use crate::ingest::{Announced, Clock, Outcome, Reporter, SplitsRequest, load_announced, load_splits};
use crate::model::heed_announced;
use crate::store::{AnnouncedSessions, AnyStore, Splits};

/// A list of splits that is younger is not fetched again: a run by day follows one by night.
const SPLITS_LAST: SignedDuration = SignedDuration::from_hours(20);

/// Does the work beside bars, on connections of its own.
pub(super) struct NightlyChores<'a> {
    pub(super) context: &'a Context,
    pub(super) clock: &'a Clock,
    pub(super) reporter: Arc<dyn Reporter>,
    pub(super) stop: CancellationToken,
}

impl Chores for NightlyChores<'_> {
    async fn work(&mut self, chore: Chore) -> Result<Option<String>, String> {
        let now = self.clock.now();
        let done = match chore {
            Chore::Cache => self.sweep(),
            // Without a key there is nothing to ask, which is no failure.
            Chore::Chains | Chore::Splits | Chore::Calendar if key(self.context).is_err() => Ok(None),
            Chore::Chains => Box::pin(self.chains()).await,
            Chore::Splits => Box::pin(self.splits(now)).await,
            Chore::Calendar => Box::pin(self.calendar(now)).await,
        };
        done.map_err(|error| error.reason())
    }
}

impl NightlyChores<'_> {
    async fn chains(&self) -> Result<Option<String>, CliError> {
        let mut store = self.context.store().await?;
        let underlyings = default_underlyings(&watched(Some(&mut store)).await?);
        let api = Api::open(self.context, Some(&store), &self.reporter).await?;
        let tools = ChainTools { client: &api.client, clock: self.clock, reporter: &*self.reporter, stop: &self.stop };
        let (report, failure) = take(tools, &mut store, &underlyings, false).await;
        store.close().await.map_err(store_error)?;
        if let Some(failure) = failure {
            return Err(CliError::failed(failure));
        }
        // What the plan does not include, and what has no options, is as it should be.
        let fails = |one: &&UnderlyingReport| matches!(one.outcome, Outcome::Failed | Outcome::Damaged);
        if let Some(one) = report.underlyings.iter().find(fails) {
            let why = one.detail.as_deref().unwrap_or(one.outcome.as_str());
            return Err(CliError::failed(anyhow::anyhow!("{}: {why}", one.underlying)));
        }
        // What is taken while the session goes on is replaced by a run after it; it is all there is if none comes.
        let is_new = |one: &&UnderlyingReport| matches!(one.outcome, Outcome::Loaded | Outcome::Provisional);
        let loaded = || report.underlyings.iter().filter(is_new);
        let contracts = loaded().map(|one| one.contracts).sum();
        let said =
            || format!("{} of {}", counted(contracts, "contract"), counted(loaded().count() as u64, "underlying"));
        Ok((contracts > 0).then(said))
    }

    fn sweep(&self) -> Result<Option<String>, CliError> {
        let settings = &self.context.settings;
        if settings.source.is_some() {
            return Ok(None);
        }
        let keep: CacheKeep = settings.cache_keep.value.parse().map_err(CliError::failed)?;
        let freed = Cache::open(&settings.cache_dir.value, keep).and_then(|cache| cache.sweep());
        let freed = freed.map_err(CliError::failed)?;
        Ok((freed > 0).then(|| format!("{} removed", bytes(freed))))
    }

    async fn splits(&self, now: Timestamp) -> Result<Option<String>, CliError> {
        let mut store = self.context.store().await?;
        let loaded = store.split_loads().await.map_err(store_error)?.everyone;
        if loaded.is_some_and(|at| now.duration_since(at) < SPLITS_LAST) {
            return Ok(None);
        }
        let api = Api::open(self.context, Some(&store), &self.reporter).await?;
        let request = SplitsRequest { symbols: None, overrides: overrides(self.context)?, now, dry_run: false };
        let report = load_splits(&api.client, Some(&mut store), &request).await.map_err(CliError::failed)?;
        store.close().await.map_err(store_error)?;
        let [added, changed, removed] = [report.added, report.changed, report.removed].map(count);
        Ok(Some(format!("{added} new, {changed} changed, {removed} removed")))
    }

    async fn calendar(&self, now: Timestamp) -> Result<Option<String>, CliError> {
        let mut store: AnyStore = self.context.store().await?;
        let api = Api::open(self.context, Some(&store), &self.reporter).await?;
        let announced = load_announced(&api.client, &mut store, now).await.map_err(CliError::failed)?;
        heed_announced(&store.announced().await.map_err(store_error)?);
        store.close().await.map_err(store_error)?;
        let Announced { sessions, odd } = announced;
        let mut said: Vec<_> =
            sessions.iter().map(|session| format!("{} {}", session.date, session.kind.as_str())).collect();
        if !odd.is_empty() {
            said.push(format!("{} not understood: {}", counted(odd.len() as u64, "row"), odd.join(", ")));
        }
        Ok((!said.is_empty()).then(|| said.join(", ")))
    }
}
