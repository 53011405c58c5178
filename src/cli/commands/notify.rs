//! `backfill notify`.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Context, store_error, warn};
use crate::cli::format::{counted, printable};
use crate::cli::{Align, Body, CliError, Exit, NotifyArgs, Signals, Table, print_json};
use crate::notify::{Notifier, Tried};
use crate::store::{Outbox, OutboxDepth, OutboxMessage};

/// Ended messages that are shown beside the open ones.
const ENDED: u32 = 10;

/// How long `--send` tries.
const SENDING: Duration = Duration::from_mins(1);

#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    channel: &'a str,
    event: &'a str,
    subject: &'a str,
    status: &'static str,
    attempts: u32,
    created_at: Timestamp,
    sent_at: Option<Timestamp>,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct TestRow<'a> {
    channel: &'static str,
    destination: &'a str,
    sent: bool,
    error: Option<&'a str>,
}

/// The channels of the settings.
pub(super) fn notifier(context: &Context) -> Result<Notifier, CliError> {
    Ok(Notifier::new(&context.settings.notify)?)
}

/// Shows who is told and what waits, tries the channels, or sends what waits.
pub(super) async fn run(args: &NotifyArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let notifier = notifier(context)?;
    if (args.test || args.send) && notifier.destinations().is_empty() {
        let hint = "set BARKEEP_WEBHOOK_URL, or one of the other channels of `backfill notify --help`";
        return Err(CliError::usage(anyhow!("no channel for messages is set up")).with_hint(hint));
    }
    if args.test {
        return test(&notifier, context).await;
    }
    let mut left = None;
    if args.send {
        let Some(mut store) = context.existing_store().await? else { return show(&notifier, context, None).await };
        let flushed = notifier.flush(&mut store, SENDING, signals.stop()).await;
        if !context.quiet {
            warn(&format!("{} sent", counted(flushed.sent.into(), "message")));
        }
        for line in flushed.retried.iter().chain(&flushed.dead) {
            warn(&printable(line));
        }
        store.close().await.map_err(store_error)?;
        if let Some(error) = flushed.trouble {
            return Err(store_error(error));
        }
        left = Some(!flushed.dead.is_empty());
    }
    if let Some(exit) = signals.exit() {
        return Ok(exit);
    }
    show(&notifier, context, left).await
}

async fn test(notifier: &Notifier, context: &Context) -> Result<Exit, CliError> {
    let tested = notifier.test(context.settings.now.value).await;
    let failed = tested.iter().filter(|test| test.result.is_err()).count();
    let exit = if failed == 0 { Exit::Done } else { Exit::Failed };
    let rows: Vec<TestRow<'_>> = tested.iter().map(test_row).collect();
    let out = &mut io::stdout().lock();
    if context.json {
        let totals = json!({ "sent": rows.len() - failed, "failed": failed });
        print_json(out, "notify", &settings(context), Body::Rows(&rows), &totals, exit)?;
    } else if !context.quiet || failed > 0 {
        let mut table = Table::new([("channel", Align::Left), ("to", Align::Left), ("", Align::Left)]);
        for row in &rows {
            let result = match (row.sent, row.error) {
                (true, None) => "sent".to_owned(),
                (true, Some(but)) => format!("sent, but {}", printable(but)),
                (false, why) => format!("failed: {}", printable(why.unwrap_or_default())),
            };
            table.row([row.channel.to_owned(), printable(row.destination), result]);
        }
        write!(out, "{table}")?;
    }
    Ok(exit)
}

fn test_row(test: &Tried) -> TestRow<'_> {
    let error = match &test.result {
        Ok(but) => but.as_deref(),
        Err(why) => Some(why.as_str()),
    };
    TestRow { channel: test.channel, destination: &test.destination, sent: test.result.is_ok(), error }
}

/// Shows channels and messages. After sending, `given_up` says whether a message was.
async fn show(notifier: &Notifier, context: &Context, given_up: Option<bool>) -> Result<Exit, CliError> {
    let (mut messages, mut depth) = (Vec::new(), OutboxDepth::default());
    if let Some(mut store) = context.existing_store().await? {
        messages = store.messages(ENDED).await.map_err(store_error)?;
        depth = store.outbox_depth().await.map_err(store_error)?;
        store.close().await.map_err(store_error)?;
    }
    let exit = match given_up {
        Some(given_up) if given_up || depth.open > 0 => Exit::Gaps,
        _ => Exit::Done,
    };
    let rows: Vec<Row<'_>> = messages.iter().map(row).collect();
    let out = &mut io::stdout().lock();
    let destinations = notifier.destinations();
    if context.json {
        let channel =
            |(channel, destination): &(&str, String)| json!({ "channel": channel, "destination": destination });
        let mut settings = settings(context);
        settings["channels"] = destinations.iter().map(channel).collect::<Vec<Value>>().into();
        let totals = json!({ "open": depth.open, "dead": depth.dead, "oldest_open": depth.oldest_open });
        print_json(out, "notify", &settings, Body::Rows(&rows), &totals, exit)?;
    } else if !context.quiet {
        for (channel, destination) in &destinations {
            writeln!(out, "{channel:<8}  {}", printable(destination))?;
        }
        if destinations.is_empty() {
            writeln!(out, "nobody is told anything: no channel is set up (backfill notify --help says how)")?;
        }
        write!(out, "{}", if rows.is_empty() { String::new() } else { format!("\n{}\n", table(&rows)) })?;
        writeln!(out, "{} to be sent, {} given up", counted(depth.open, "message"), depth.dead)?;
    }
    Ok(exit)
}

fn settings(context: &Context) -> Value {
    json!({ "database_url": context.settings.database.value.to_string() })
}

fn row(message: &OutboxMessage) -> Row<'_> {
    let OutboxMessage { id, message, status, attempts, sent_at, error_message } = message;
    Row {
        id: *id,
        channel: &message.channel,
        event: &message.event,
        subject: &message.subject,
        status: status.as_str(),
        attempts: *attempts,
        created_at: message.created_at,
        sent_at: *sent_at,
        error: error_message.as_deref(),
    }
}

fn table(rows: &[Row<'_>]) -> Table {
    let mut table = Table::new([
        ("made (UTC)", Align::Left),
        ("channel", Align::Left),
        ("status", Align::Left),
        ("tries", Align::Right),
        ("subject", Align::Left),
        ("error", Align::Left),
    ]);
    for row in rows {
        table.row([
            row.created_at.strftime("%Y-%m-%d %H:%M").to_string(),
            row.channel.to_owned(),
            row.status.to_owned(),
            row.attempts.to_string(),
            printable(row.subject),
            printable(row.error.unwrap_or_default()),
        ]);
    }
    table
}
