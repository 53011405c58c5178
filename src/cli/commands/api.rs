//! The REST API that the settings name.

use std::sync::Arc;

use super::{Context, store_error};
use crate::cli::CliError;
use crate::history::History;
use crate::ingest::Reporter;
use crate::ingest::rest::{ApiKey, Quota, QuotaNote, RateRule, RestClient, RestError, RestOptions, SharedText};
use crate::store::{AnyNotes, AnyStore, Noting};

/// What it takes to ask the vendor.
pub(in crate::cli) struct Api {
    pub(in crate::cli) client: Arc<RestClient>,
    /// What was refused lately; none without a database.
    pub(super) notes: Option<AnyNotes>,
}

impl Api {
    /// The API under the quota of everyone who uses the database.
    pub(in crate::cli) async fn open(
        context: &Context,
        store: Option<&AnyStore>,
        reporter: &Arc<dyn Reporter>,
    ) -> Result<Self, CliError> {
        let rate = rate(context)?;
        let key = key(context)?;
        let (mut notes, mut shared): (_, Option<Box<dyn SharedText>>) = (None, None);
        if let Some(store) = store {
            notes = Some(store.notes().await.map_err(store_error)?);
            shared = Some(Box::new(QuotaNote(store.notes().await.map_err(store_error)?)));
        }
        let quota = Quota::open(rate, shared, Arc::clone(reporter)).await;
        let options = RestOptions {
            base_url: context.settings.api.url.value.clone(),
            key: Some(key),
            reporter: Arc::clone(reporter),
            ..RestOptions::default()
        };
        #[cfg(feature = "sandbox")]
        let options = as_tested(options, context.settings.patience);
        let client = RestClient::new(options, quota).map_err(CliError::failed)?;
        Ok(Self { client: Arc::new(client), notes })
    }
}

/// How often the settings allow to ask.
pub(super) fn rate(context: &Context) -> Result<RateRule, CliError> {
    let rate = &context.settings.api.rate;
    rate.value.parse().map_err(|error| CliError::usage(anyhow::anyhow!("{}: {error}", rate.origin)))
}

/// The key that the settings name. Asked for before a database is opened, a missing one leaves no empty one behind.
pub(super) fn key(context: &Context) -> Result<ApiKey, CliError> {
    let key = context.settings.api.key.as_ref().ok_or_else(RestError::no_key);
    key.and_then(|key| ApiKey::new(key.value.expose())).map_err(CliError::failed)
}

/// The same with the waits that a test has set.
#[cfg(feature = "sandbox")]
fn as_tested(options: RestOptions, patience: Option<std::time::Duration>) -> RestOptions {
    let Some(patience) = patience else { return options };
    RestOptions { connect_timeout: patience, answer_timeout: patience, stall_timeout: patience, ..options }
}

/// Bars from the database and the API, whichever of them can be used.
pub(super) async fn history(
    keeps: bool,
    context: &Context,
    reporter: Arc<dyn Reporter>,
) -> Result<History<AnyStore>, CliError> {
    // Nothing is made where nothing is to be kept.
    let store = if keeps { context.store().await.map(Some) } else { context.existing_store().await };
    let (store, why_not) = match store {
        Ok(Some(store)) => (Some(store), String::new()),
        Ok(None) => (None, "there is no database yet: bars come from the REST API".to_owned()),
        Err(error) => (None, format!("the database cannot be used, bars come from the REST API: {}", error.reason())),
    };
    let api = Api::open(context, store.as_ref(), &reporter).await;
    let api = match api {
        Ok(api) => Ok(api.client),
        Err(error) if error.exit() == crate::cli::Exit::Usage => return Err(error),
        Err(error) => Err(format!("the REST API cannot be asked: {}", error.reason())),
    };
    Ok(History::new(store.ok_or(why_not), api, keeps, reporter))
}
