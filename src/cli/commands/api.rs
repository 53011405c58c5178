//! The vendor's REST API as the settings say.

use std::sync::Arc;

use super::Context;
use crate::cli::CliError;
use crate::config::Settings;
use crate::ingest::Reporter;
use crate::ingest::rest::{ApiKey, Quota, RateRule, RestClient, RestOptions};

/// A client within the quota. Nothing is asked yet.
pub(super) async fn client(context: &Context, reporter: Arc<dyn Reporter>) -> Result<RestClient, CliError> {
    let api = &context.settings.api;
    let key = api.key.as_ref().map(|key| ApiKey::new(key.value.expose())).transpose().map_err(CliError::failed)?;
    let origin = &api.rate.origin;
    let rule: RateRule =
        api.rate.value.parse().map_err(|error| CliError::usage(anyhow::anyhow!("{origin}: {error}")))?;
    let quota = Quota::open(rule, None, reporter.clone()).await;
    let options = RestOptions { base_url: api.url.value.clone(), key, reporter, ..RestOptions::default() };
    RestClient::new(as_tested(options, &context.settings), quota).map_err(CliError::failed)
}

/// The same with the waits that a test has set.
#[cfg(feature = "sandbox")]
fn as_tested(options: RestOptions, settings: &Settings) -> RestOptions {
    let wait = |usual| settings.patience.unwrap_or(usual);
    RestOptions {
        connect_timeout: wait(options.connect_timeout),
        answer_timeout: wait(options.answer_timeout),
        stall_timeout: wait(options.stall_timeout),
        ..options
    }
}

#[cfg(not(feature = "sandbox"))]
fn as_tested(options: RestOptions, _: &Settings) -> RestOptions {
    options
}
