//! `backfill doctor`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::api::Api;
use super::{Context, address, s3};
use crate::cli::doctor::{
    Check, DatabaseFacts, Room, State, api_checks, bucket_checks, cache_check, clock_check, database_checks,
    folder_check, lines, settings_check, sources_check, table,
};
use crate::cli::log::stderr;
use crate::cli::{Body, CliError, Exit, print_json};
use crate::config::{DatabaseUrl, Settings};
use crate::ingest::doctor::{ApiFacts, BucketFacts, ask_api, ask_bucket, impatient};
use crate::ingest::rest::Quota;
use crate::ingest::source::{FileKind, LocalSource, Source, SourceError};
use crate::ingest::{Reporter, SilentReporter};
use crate::model::Dataset;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{Facts, Schema, StoreError};

/// Longest time to look at a database.
const DATABASE_PATIENCE: Duration = Duration::from_secs(6);

/// How far back the newest file of a folder is looked for.
const FOLDER_DAYS: i32 = 14;

/// Says what the settings can do.
pub(super) async fn run(context: &Context) -> Result<Exit, CliError> {
    let (settings, began) = (&context.settings, Instant::now());
    let database_and_api = async {
        let database = look_at_database(settings).await?;
        let api = ask_rest(context, &database).await;
        Ok::<_, CliError>((database, api))
    };
    let (folder, bucket, both) = tokio::join!(look_at_folder(settings), ask_s3(settings), database_and_api);
    let (database, api) = both?;
    let ahead_ms = bucket.as_ref().and_then(|facts| facts.as_ref().ok()?.clock_ahead_ms);
    let ahead_ms = ahead_ms.or_else(|| api.as_ref()?.as_ref().ok()?.0.clock_ahead_ms);

    let mut checks = vec![settings_check(settings)];
    checks.extend(sources_check(settings));
    checks.extend(database_checks(&settings.database, &database));
    checks.push(cache_check(&Room::of(&settings.cache_dir.value)));
    checks.extend(folder.and_then(|opened| folder_check(settings, opened)));
    checks.extend(bucket_checks(settings, bucket.as_ref()));
    checks.extend(api_checks(settings, api.as_ref()));
    checks.push(clock_check(ahead_ms));
    print(&checks, began.elapsed(), context)
}

/// What is there of the database, without making or changing it.
pub(super) async fn look_at_database(settings: &Settings) -> Result<DatabaseFacts, CliError> {
    match &settings.database.value {
        DatabaseUrl::Sqlite(path) => {
            Ok(DatabaseFacts { facts: SqliteStore::facts(path).await, room: Some(Room::beside(path)) })
        }
        DatabaseUrl::Postgres(url) => {
            let address = address(url)?;
            let facts = timeout(DATABASE_PATIENCE, PostgresStore::facts(&address)).await;
            let facts = facts.unwrap_or_else(|_| Err(silent(address.name())));
            Ok(DatabaseFacts { facts: facts.map(Some), room: None })
        }
    }
}

fn silent(database: &str) -> StoreError {
    let detail = format!("no answer in {} s", DATABASE_PATIENCE.as_secs());
    StoreError::Unreachable { database: database.to_owned(), detail }
}

/// The newest minute file of stocks in the folder that the settings name, if they name one.
async fn look_at_folder(settings: &Settings) -> Option<Result<Option<Date>, SourceError>> {
    let folder = settings.source.as_ref()?;
    let opened = LocalSource::open(&folder.value, Dataset::Stocks).map(Source::Local);
    let today = Dataset::Stocks.market().date_of(settings.now.value);
    let range = today.saturating_sub(FOLDER_DAYS.days())..=today;
    Some(match opened {
        Ok(source) => {
            let listed = source.list(Dataset::Stocks, FileKind::Minute, range, &SilentReporter).await;
            listed.map(|files| files.last().map(|file| file.date))
        }
        Err(error) => Err(error),
    })
}

/// What the bucket gives, if anybody is named who asks.
async fn ask_s3(settings: &Settings) -> Option<Result<BucketFacts, SourceError>> {
    settings.s3.credentials.as_ref()?;
    Some(match s3::connect(settings, impatient()).await {
        Ok(bucket) => ask_bucket(&bucket, settings.now.value).await,
        Err(error) => Err(error),
    })
}

/// What the REST API gives, if anybody is named who asks; under the quota of everyone who uses the database, where that can be
/// written without changing its tables.
async fn ask_rest(context: &Context, database: &DatabaseFacts) -> Option<Result<(ApiFacts, Quota), CliError>> {
    context.settings.api.key.as_ref()?;
    let shares = matches!(&database.facts, Ok(Some(Facts { schema: Schema::Current { .. }, is_writable: true, .. })));
    // Whatever is wrong with it has its own row.
    let store = if shares { context.existing_store().await.ok().flatten() } else { None };
    let reporter: Arc<dyn Reporter> = Arc::new(SilentReporter);
    Some(match Api::open(context, store.as_ref(), &reporter).await {
        Ok(api) => {
            let facts = ask_api(&api.client, context.settings.now.value).await;
            Ok((facts, api.client.quota().clone()))
        }
        Err(error) => Err(error),
    })
}

fn print(checks: &[Check], elapsed: Duration, context: &Context) -> Result<Exit, CliError> {
    let count = |state: State| checks.iter().filter(|check| check.state == state).count();
    let failing = count(State::Fails);
    let exit = if failing > 0 { Exit::Gaps } else { Exit::Done };
    let out = &mut io::stdout().lock();
    if context.json {
        let by_state: BTreeMap<State, usize> = State::ALL.map(|state| (state, count(state))).into();
        let totals = json!({ "checks": by_state, "seconds": elapsed.as_secs_f64() });
        print_json(out, "doctor", &settings_of(&context.settings), Body::Rows(checks), &totals, exit)?;
    } else if context.quiet {
        write!(stderr(), "{}", lines(checks))?;
    } else {
        let end = match failing {
            0 => "everything that is set up works".to_owned(),
            failing => format!("{failing} of {} checks fail", checks.len()),
        };
        writeln!(out, "{}\n{end}", table(checks))?;
    }
    Ok(exit)
}

fn settings_of(settings: &Settings) -> Value {
    json!({
        "database_url": settings.database.value.to_string(),
        "source": settings.source.as_ref().map(|source| source.value.display().to_string()),
        "s3_endpoint": settings.s3.endpoint.value,
        "s3_bucket": settings.s3.bucket.value,
        "api_url": settings.api.url.value,
        "rate": settings.api.rate.value,
        "cache_dir": settings.cache_dir.value.display().to_string(),
    })
}
