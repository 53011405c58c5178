//! `--metrics-addr` of the commands that go on for long.

use std::time::Duration;

use super::{Context, health, warn};
use crate::cli::health::judge;
use crate::cli::metrics::Metrics;
use crate::cli::{CliError, MetricsArgs};
use crate::ingest::Clock;

/// How often the database is looked at.
const LOOKED_EVERY: Duration = Duration::from_secs(15);

/// Counts what the process does. With an address it is served there, with what the database says, until the process ends.
pub(super) async fn start(args: &MetricsArgs, clock: &Clock, context: &Context) -> Result<Metrics, CliError> {
    let metrics = Metrics::new();
    if let Some(address) = args.metrics_addr {
        let address = metrics.serve(address).await?;
        if !context.quiet {
            warn(&format!("metrics at http://{address}/metrics"));
        }
        tokio::spawn(keep_looking(metrics.clone(), clock.clone(), context.clone()));
    }
    Ok(metrics)
}

async fn keep_looking(metrics: Metrics, clock: Clock, context: Context) {
    loop {
        let now = clock.now();
        match Box::pin(health::look(&context, now)).await {
            Ok(facts) => metrics.looked(now, Ok((&facts, &judge(&facts, None)))),
            Err(error) => metrics.looked(now, Err(&error)),
        }
        tokio::time::sleep(LOOKED_EVERY).await;
    }
}
