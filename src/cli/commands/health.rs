//! `backfill status --health`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::doctor::look_at_database;
use super::{Context, store_error};
use crate::cli::doctor::Room;
use crate::cli::health::{
    DayFacts, DiskFacts, Finding, HealthFacts, Level, MissingDays, NightlyFacts, due_dates, health_lines, health_table,
    judge, missing_of_market, missing_of_symbol,
};
use crate::cli::log::stderr;
use crate::cli::{Body, CliError, Exit, print_json};
use crate::config::{DatabaseUrl, Settings};
use crate::ingest::queue::put_off;
use crate::ingest::rest::quota_use;
use crate::model::{Dataset, Symbol};
use crate::store::{AnyStore, Facts, Ledger, Outbox, Queue, QueuedRequest, Runs, Schema, StoreError, Watchlist};

/// The command whose runs are judged.
const NIGHTLY: &str = "nightly";

/// Runs among which one that ended with 0 is looked for.
const RUNS: u32 = 30;

/// Says whether the table is kept filled.
pub(super) async fn show(max_age: Option<Duration>, context: &Context) -> Result<Exit, CliError> {
    let facts = look(context, context.settings.now.value).await?;
    let findings = judge(&facts, max_age);
    print(&facts, &findings, context)
}

/// Looks at everything at a moment; changes and makes nothing, and reads no bar.
pub(super) async fn look(context: &Context, now: Timestamp) -> Result<HealthFacts, CliError> {
    let settings = &context.settings;
    let database = database(settings).await?;
    let mut store = context.existing_store().await?.ok_or_else(|| none_yet(settings))?;
    let facts = gather(&mut store, database, settings, now).await?;
    store.close().await.map_err(store_error)?;
    Ok(facts)
}

/// What the database says of itself, if its tables are this program's: older ones are not brought up to date by a look.
async fn database(settings: &Settings) -> Result<Facts, CliError> {
    let facts = look_at_database(settings).await?.facts.map_err(store_error)?.ok_or_else(|| none_yet(settings))?;
    match facts.schema {
        Schema::Absent => Err(none_yet(settings)),
        Schema::Older { .. } => {
            let older = anyhow!("the tables of {} are those of an earlier version", settings.database.value);
            Err(CliError::failed(older)
                .with_hint("any other command brings them up to date: `backfill watchlist list`"))
        }
        // Opening it says what is wrong.
        Schema::Current { .. } | Schema::Newer { .. } | Schema::Differs { .. } => Ok(facts),
    }
}

fn none_yet(settings: &Settings) -> CliError {
    let none = anyhow!("there is no database at {} yet", settings.database.value);
    CliError::failed(none).with_hint("the first load makes it; DATABASE_URL says where it is")
}

async fn gather(
    store: &mut AnyStore,
    database: Facts,
    settings: &Settings,
    now: Timestamp,
) -> Result<HealthFacts, CliError> {
    let rate = settings.api.rate.value.parse();
    let rate = rate.map_err(|error| CliError::usage(anyhow!("{}: {error}", settings.api.rate.origin)))?;
    let read = async {
        let runs = store.runs(NIGHTLY, RUNS).await?;
        let nightly = NightlyFacts { runs, complete_to: store.complete_to(NIGHTLY).await? };
        let open = store.requests(None, 0).await?;
        let (days, put_off) = (days(store, &open, now).await?, put_off(&open, now));
        let (queue, outbox) = (store.queue_depth().await?, store.outbox_depth().await?);
        let quota = quota_use(store, rate).await?;
        let disks = disks(settings);
        Ok::<_, StoreError>(HealthFacts { now, database, nightly, days, queue, put_off, outbox, quota, disks })
    };
    read.await.map_err(store_error)
}

async fn days(store: &mut AnyStore, open: &[QueuedRequest], now: Timestamp) -> Result<DayFacts, StoreError> {
    let watchlist: Vec<_> = store.watchlist().await?.into_iter().filter(|entry| entry.active).collect();
    let open: BTreeSet<Symbol> = open.iter().filter_map(|row| Symbol::from_ticker(&row.request.symbol).ok()).collect();
    let mut facts = DayFacts { watched: watchlist.len() as u64, ..DayFacts::default() };
    for dataset in Dataset::ALL {
        let entries: Vec<_> = watchlist.iter().filter(|entry| entry.symbol.dataset() == dataset).collect();
        let dates = due_dates(dataset, now);
        let (Some(first), Some(last)) = (dates.first(), dates.last()) else { continue };
        // With nothing watched, whole markets are what somebody loads.
        if entries.is_empty() && !watchlist.is_empty() {
            continue;
        }
        let states = store.day_states(dataset, *first..=*last).await?;
        let mut add = |of: String, dates: Vec<_>| {
            facts.missing.extend((!dates.is_empty()).then_some(MissingDays { of, dates }));
        };
        if watchlist.is_empty() {
            if let Some(missing) = missing_of_market(&dates, &states) {
                facts.markets += 1;
                add(dataset.to_string(), missing);
            }
            continue;
        }
        for entry in entries {
            let missing = missing_of_symbol(entry, &dates, &states);
            if !missing.is_empty() && open.contains(&entry.symbol) {
                facts.awaited += 1;
            } else {
                add(entry.symbol.to_string(), missing);
            }
        }
    }
    Ok(facts)
}

fn disks(settings: &Settings) -> Vec<DiskFacts> {
    let database = match &settings.database.value {
        DatabaseUrl::Sqlite(path) => Some(("database", Room::beside(path))),
        // Its server's business.
        DatabaseUrl::Postgres(_) => None,
    };
    let cache = ("cache", Room::of(&settings.cache_dir.value));
    let free = |room: io::Result<Room>| room.map(|room| room.free_bytes()).map_err(|error| error.to_string());
    database.into_iter().chain([cache]).map(|(of, room)| DiskFacts { of, free_bytes: free(room) }).collect()
}

fn print(facts: &HealthFacts, findings: &[Finding], context: &Context) -> Result<Exit, CliError> {
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let stale = count(Level::Stale);
    let exit = if stale > 0 { Exit::Gaps } else { Exit::Done };
    let out = &mut io::stdout().lock();
    if context.json {
        let by_level: BTreeMap<Level, usize> = Level::ALL.map(|level| (level, count(level))).into();
        let totals = json!({ "levels": by_level, "facts": facts_of(facts) });
        let settings = json!({ "database_url": context.settings.database.value.to_string() });
        print_json(out, "status", &settings, Body::Rows(findings), &totals, exit)?;
    } else if context.quiet {
        write!(stderr(), "{}", health_lines(findings))?;
    } else {
        let end = match stale {
            0 => "kept filled".to_owned(),
            stale => format!("stale: {stale} of {} checks", findings.len()),
        };
        writeln!(out, "{}\n{end}", health_table(findings))?;
    }
    Ok(exit)
}

/// The numbers behind the findings, for programs.
fn facts_of(facts: &HealthFacts) -> Value {
    let HealthFacts { now, database, nightly, days, queue, put_off, outbox, quota, disks } = facts;
    let end = nightly.runs.iter().find_map(|run| run.end.as_ref());
    let missing: BTreeMap<_, _> = days.missing.iter().map(|missing| (&missing.of, &missing.dates)).collect();
    let disks: BTreeMap<_, _> = disks.iter().map(|disk| (disk.of, disk.free_bytes.as_ref().ok())).collect();
    json!({
        "at": now,
        "database": { "engine": database.engine, "size_bytes": database.size_bytes, "file_days": database.file_days },
        "nightly": {
            "complete_to": nightly.complete_to,
            "under_way": nightly.runs.first().filter(|run| run.end.is_none()).map(|run| &run.start.run_id),
            "last_run": end.map(|end| &end.run_id),
            "last_finished_at": end.map(|end| end.finished_at),
            "last_exit_code": end.map(|end| end.exit_code),
        },
        "days": {
            "symbols": days.watched,
            "markets": days.markets,
            "symbols_awaited": days.awaited,
            "missing_days": days.missing.iter().map(|missing| missing.dates.len()).sum::<usize>(),
            "missing": missing,
        },
        "queue": {
            "pending": queue.pending,
            "processing": queue.processing,
            "abandoned": queue.abandoned,
            "dead": queue.dead,
            "oldest_pending": queue.oldest_pending,
            "put_off": put_off.as_ref().map(|problem| &problem.headline),
        },
        "messages": { "open": outbox.open, "dead": outbox.dead, "oldest_open": outbox.oldest_open },
        "quota": { "rate": quota.rate, "requests": quota.requests, "free": quota.free, "lowered_at": quota.lowered_at },
        "free_bytes": disks,
    })
}
