//! The commands: settings in, library called, results out.

mod api;
mod bars;
mod chain;
mod chores;
mod doctor;
mod export;
mod export_chain;
mod health;
mod hybrid;
mod loading;
mod metrics;
mod nightly;
mod notify;
mod rest;
mod restatements;
mod s3;
mod splits;
mod status;
mod telling;
mod verify;
mod watchlist;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use jiff::Timestamp;

pub(in crate::cli) use self::api::Api;
pub(super) use self::verify::Look;
use super::log::stderr;
use super::{
    Args, CliError, Command, Exit, GlobalArgs, Log, Request, RunId, Selection, Signals, end_of, finish,
    print_completions, print_settings,
};
use crate::config::{DatabaseUrl, Flags, Inputs, Origin, PostgresUrl, Settings};
use crate::ingest::Clock;
use crate::model::heed_announced;
use crate::store::postgres::{PostgresAddress, PostgresStore};
use crate::store::sqlite::SqliteStore;
use crate::store::{AdjustError, AnnouncedSessions, AnyStore, StoreError, Watchlist};

/// The whole of `backfill`: reads the command line, does what it says, and says how it ended.
pub fn backfill() -> ExitCode {
    program(
        |args: &Args| &args.global,
        Args::flags,
        async |args: &Args, context| Box::pin(execute(args, context)).await,
    )
}

/// The whole of a program: reads its command line, settles the settings, and says how what it did ended.
pub(in crate::cli) fn program<A: CommandFactory + FromArgMatches>(
    global: fn(&A) -> &GlobalArgs,
    flags: fn(&A) -> Flags,
    execute: impl AsyncFnOnce(&A, Context) -> Result<Exit, CliError>,
) -> ExitCode {
    let parsed = A::command().try_get_matches().and_then(|typed| Ok((A::from_arg_matches(&typed)?, typed)));
    let (args, typed) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version go to stdout and are no failure; the rest is wrong usage.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return finish(Err(CliError::failed(error)), &mut io::stderr()),
    };
    let settings = settings(flags(&args));
    let now = settings.as_ref().map_or_else(|_| Timestamp::now(), |settings| settings.now.value);
    let run = RunId::new(now);
    let GlobalArgs { log, json, quiet, show_settings, .. } = *global(&args);
    if let Some(format) = log {
        Log::start(format, quiet, command_name(A::command().get_name(), &typed), run.clone());
    }
    let result = settings.and_then(|settings| {
        if show_settings {
            print_settings(&mut io::stdout().lock(), &settings, json)?;
            return Ok(Exit::Done);
        }
        runtime.block_on(execute(&args, Context { settings, run, json, quiet }))
    });
    // Threads that still decode, after a second Ctrl-C, are not waited for.
    runtime.shutdown_background();
    let Some(log) = Log::current() else { return finish(result, &mut io::stderr()) };
    let (exit, error) = end_of(result);
    log.end(exit, error.as_ref());
    exit.into()
}

/// The command that was typed: `s3`, `watchlist run`; the program where it needs none.
fn command_name(program: &str, typed: &ArgMatches) -> String {
    let below = std::iter::successors(typed.subcommand(), |(_, typed)| typed.subcommand());
    let name = below.map(|(name, _)| name).collect::<Vec<_>>().join(" ");
    if name.is_empty() { program.to_owned() } else { name }
}

async fn execute(args: &Args, context: Context) -> Result<Exit, CliError> {
    let Some(command) = args.command.as_ref() else {
        print_settings(&mut io::stdout().lock(), &context.settings, context.json)?;
        return Ok(Exit::Done);
    };
    match command {
        Command::S3(ingest) => {
            let signals = Signals::listen(warn)?;
            signals.run(s3::run(ingest, &context, &signals)).await.unwrap_or_else(Ok)
        }
        Command::Rest(rest) => {
            let signals = Signals::listen(warn)?;
            signals.run(rest::run(rest, &context, &signals)).await.unwrap_or_else(Ok)
        }
        Command::Hybrid(hybrid) => {
            let signals = Signals::listen(warn)?;
            signals.run(hybrid::run(hybrid, &context, &signals)).await.unwrap_or_else(Ok)
        }
        Command::Nightly(nightly) => {
            let signals = Signals::listen(warn)?;
            signals.run(nightly::run(nightly, &context, &signals)).await.unwrap_or_else(Ok)
        }
        Command::Verify(verify) => {
            let signals = Signals::listen(warn)?;
            signals.run(verify::run(verify, &context, &signals)).await.unwrap_or_else(Ok)
        }
        Command::Bars(bars) => bars::run(bars, &context).await,
        Command::Export(export) => {
            let signals = Signals::listen(warn)?;
            signals.run(export::run(export, &context, &signals)).await.unwrap_or_else(Ok)
        }
        Command::Splits(splits) => {
            let signals = Signals::listen(warn)?;
            signals.run(splits::run(splits, &context)).await.unwrap_or_else(Ok)
        }
        Command::Chain(chain) => {
            let signals = Signals::listen(warn)?;
            signals.run(chain::run(chain, &context, &signals)).await.unwrap_or_else(Ok)
        }
        Command::Doctor => doctor::run(&context).await,
        Command::Status(status) => status::run(status, &context).await,
        Command::Watchlist(watchlist) => watchlist::run(&watchlist.command, &context).await,
        Command::Notify(notify) => {
            let signals = Signals::listen(warn)?;
            signals.run(notify::run(notify, &context, &signals)).await.unwrap_or_else(Ok)
        }
        Command::Completions(completions) => {
            print_completions(&mut io::stdout().lock(), completions.shell)?;
            Ok(Exit::Done)
        }
    }
}

/// What every command has.
#[derive(Clone)]
pub(in crate::cli) struct Context {
    pub(in crate::cli) settings: Settings,
    /// The name of this run, in its log and its record.
    run: RunId,
    pub(in crate::cli) json: bool,
    pub(in crate::cli) quiet: bool,
}

impl Context {
    /// The database, made if it is not there; its place is said when it is made.
    pub(in crate::cli) async fn store(&self) -> Result<AnyStore, CliError> {
        self.open_store().await.map_err(store_error)
    }

    /// The same with the store's own error, for those who wait for it to pass.
    async fn open_store(&self) -> Result<AnyStore, StoreError> {
        match &self.settings.database.value {
            DatabaseUrl::Sqlite(path) => {
                let is_new = !path.exists();
                let store = SqliteStore::open(path).await?;
                if is_new && !self.quiet {
                    warn(&format!("new database: {}", path.display()));
                }
                heeding(AnyStore::Sqlite(Box::new(store))).await
            }
            DatabaseUrl::Postgres(url) => {
                let address: PostgresAddress = url.expose().parse()?;
                heeding(AnyStore::Postgres(Box::new(PostgresStore::open(&address).await?))).await
            }
        }
    }

    /// What the time is, for a process that runs for long.
    pub(in crate::cli) fn clock(&self) -> Clock {
        #[cfg(feature = "sandbox")]
        if let Some(file) = &self.settings.clock_file {
            return Clock::simulated(file.clone());
        }
        match self.settings.now.origin {
            Origin::Default => Clock::wall(),
            _ => Clock::starting(self.settings.now.value),
        }
    }

    /// The database, if there is one: looking at nothing must not make a file, or tables.
    pub(in crate::cli) async fn existing_store(&self) -> Result<Option<AnyStore>, CliError> {
        let store = match &self.settings.database.value {
            DatabaseUrl::Sqlite(path) => {
                SqliteStore::open_existing(path).await.map(|store| store.map(|store| AnyStore::Sqlite(Box::new(store))))
            }
            DatabaseUrl::Postgres(url) => PostgresStore::open_existing(&address(url)?)
                .await
                .map(|store| store.map(|store| AnyStore::Postgres(Box::new(store)))),
        };
        match store.map_err(store_error)? {
            Some(store) => heeding(store).await.map(Some).map_err(store_error),
            None => Ok(None),
        }
    }

    /// The database of a command that loads bars. A dry run leaves nothing behind, not even an empty one.
    async fn store_of(&self, request: &Request) -> Result<Option<AnyStore>, CliError> {
        if request.dry_run { self.existing_store().await } else { self.store().await.map(Some) }
    }

    /// What a command is to load, with the watchlist where nothing is named; says so if neither has anything.
    async fn selections(&self, request: &Request, store: Option<&mut AnyStore>) -> Result<Vec<Selection>, CliError> {
        let watched = match store {
            Some(store) => {
                for (_, why) in store.senseless().await.map_err(store_error)? {
                    warn(&format!("the watchlist has what is no symbol: {why}"));
                }
                let entries = store.watchlist().await.map_err(store_error)?;
                entries.into_iter().filter(|entry| entry.active).map(|entry| entry.symbol).collect()
            }
            None => Vec::new(),
        };
        let (selections, said_first) = request.selections(&watched)?;
        if let Some(line) = said_first.filter(|_| !self.quiet) {
            warn(&line);
        }
        Ok(selections)
    }

    pub(in crate::cli) fn has_terminal() -> bool {
        io::stderr().is_terminal()
    }
}

/// A store that was opened; from here on the calendar goes by what it knows of announced sessions.
async fn heeding(mut store: AnyStore) -> Result<AnyStore, StoreError> {
    heed_announced(&store.announced().await?);
    Ok(store)
}

fn address(url: &PostgresUrl) -> Result<PostgresAddress, CliError> {
    url.expose().parse().map_err(CliError::usage)
}

fn settings(flags: Flags) -> Result<Settings, CliError> {
    let working_dir = std::env::current_dir()?;
    Ok(Settings::resolve(&Inputs::gather(flags, &working_dir)?)?)
}

/// The store of a command that writes. That of a dry run has been looked at and is closed: one that is only dropped may leave
/// its log behind.
async fn to_write(store: Option<AnyStore>, dry_run: bool) -> Result<Option<AnyStore>, CliError> {
    match store {
        Some(store) if dry_run => store.close().await.map(|()| None).map_err(store_error),
        store => Ok(store),
    }
}

pub(in crate::cli) fn store_error(error: StoreError) -> CliError {
    match error {
        StoreError::Address(_) => CliError::usage(error),
        _ => CliError::failed(error),
    }
}

fn adjust_error(error: AdjustError) -> CliError {
    let of = match &error {
        AdjustError::NotLoaded(symbols) => match &symbols[..] {
            [] => String::new(),
            symbols => format!(" --symbols={}", symbols.join(",")),
        },
        AdjustError::Store(_) => return CliError::failed(error),
    };
    CliError::failed(error)
        .with_hint(format!("load them with `backfill splits{of}`, or leave --adjusted out for bars as traded"))
}

/// The same about what is wrong, which is more than a note where there is a log.
pub(in crate::cli) fn alarm(line: &str) {
    match Log::current() {
        Some(log) => log.alarm(line),
        None => warn(line),
    }
}

/// A line for the person at the terminal.
pub(in crate::cli) fn warn(line: &str) {
    use io::Write;
    // Nobody is left to be told that telling failed.
    let _ = writeln!(stderr(), "{line}");
}
