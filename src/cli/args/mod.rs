//! What can be typed. Nothing is computed here: see [`super::Request`] for what it means.

mod backtest;
mod chain;
mod health;
mod nightly;
mod notify;
mod period;
mod span;
mod watchlist;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;
use jiff::Timestamp;
use jiff::civil::Date;

pub use self::backtest::*;
pub use self::chain::{ChainArgs, ChainCommand, ChainImportArgs, ChainShowArgs, ChainTakeArgs};
pub use self::health::{HealthArgs, MetricsArgs};
pub use self::nightly::{IfRunning, NightlyArgs, WaitUntil};
pub use self::notify::NotifyArgs;
pub use self::period::PeriodArgs;
pub use self::watchlist::{
    WatchlistAddArgs, WatchlistArgs, WatchlistCommand, WatchlistQueueArgs, WatchlistRemoveArgs, WatchlistRetryArgs,
    WatchlistRunArgs,
};
use super::dates::parse_date;
use super::{LogFormat, help};
use crate::config::{Flags, Secret};
use crate::export::Format;
use crate::model::{Dataset, Market, Timeframe};

/// Fills a table of price bars, `historical_bars`, from the vendor's bulk files, and keeps it filled.
#[derive(Debug, Parser)]
#[command(name = "backfill", version, arg_required_else_help = true, after_help = help::TOP)]
pub struct Args {
    /// Flags every command has.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do; may be left out with `--show-settings`.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags every command has.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalArgs {
    /// Where bars are kept, such as sqlite:bars.db or postgres://user@host/bars [default: barkeep/barkeep.db in the user's data directory].
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<Secret>,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors and what is missing.
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Write a log on stderr in place of progress: lines for people with names and values, or a JSON object per line.
    #[arg(long, global = true, value_name = "human|json", hide_possible_values = true)]
    pub log: Option<LogFormat>,
    /// Print every setting, its value and where it came from, and do nothing else. Secrets are not shown.
    #[arg(long, global = true)]
    pub show_settings: bool,
    /// Read this settings file instead of barkeep/config.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Load bars from the vendor's bulk files, one file per market and trading day.
    ///
    /// Days that are loaded already are not fetched again, unless the vendor has replaced their file. Stop it whenever
    /// you like: a day is loaded completely or not at all, and running the same command again goes on where it ended.
    #[command(after_help = help::S3)]
    S3(IngestArgs),
    /// Load bars of named symbols from the vendor's REST API: slower than files, but up to this minute and with exact VWAPs.
    ///
    /// Minutes are fetched and rolled up like those of files. What files have brought stays. Stop it whenever you like:
    /// running the same command again goes on where it ended.
    #[command(after_help = help::REST)]
    Rest(RestArgs),
    /// Load bars from bulk files or the REST API, whichever is sooner done, and from the other what the one lacks.
    #[command(after_help = help::HYBRID)]
    Hybrid(HybridArgs),
    /// Keep the table filled: what cron and systemd run every night.
    ///
    /// Loads the newest session and whatever the last ones lack or the vendor has replaced, waits for a late file, asks the REST
    /// API for what files lack, and refreshes splits and the calendar. Safe at any hour, on holidays, and after weeks of downtime.
    #[command(after_help = help::NIGHTLY)]
    Nightly(NightlyArgs),
    /// Show bars that are loaded.
    #[command(after_help = help::BARS)]
    Bars(BarsArgs),
    /// Show what is loaded: symbols, timeframes, first and last bars, days with gaps.
    #[command(after_help = help::STATUS)]
    Status(StatusArgs),
    /// Check what is loaded: against the ledger, the calendar and itself, and if asked against the source; and repair it.
    #[command(after_help = help::VERIFY)]
    Verify(VerifyArgs),
    /// Write bars into Parquet or CSV files, for DuckDB, Polars, pandas, Spark and others.
    ///
    /// The files are a picture of one moment, whatever is loaded meanwhile, and appear when all of them are whole.
    #[command(after_help = help::EXPORT)]
    Export(ExportArgs),
    /// Load the vendor's list of splits, check it, and say what looks wrong. Bars stay as traded; `--adjusted` and the
    /// view historical_bars_adjusted go by the splits.
    #[command(after_help = help::SPLITS)]
    Splits(SplitsArgs),
    /// Take the option chains of now: open interest, implied volatility, greeks and volume of every contract, once a session.
    ///
    /// Files have none of it, and what was not taken cannot be had later. Of a session that is not over the chain is taken again when
    /// it is.
    #[command(after_help = help::CHAIN)]
    Chain(ChainArgs),
    /// Say what the settings can do: database, keys, what the plan includes and how far back, speed, quota, disk, clock.
    ///
    /// Asks for small things and writes nothing.
    #[command(after_help = help::DOCTOR)]
    Doctor,
    /// Keep the list of symbols that are loaded when none is named.
    #[command(after_help = help::WATCHLIST)]
    Watchlist(WatchlistArgs),
    /// Say who is told when something fails, by webhook, e-mail or Telegram, and what waits to be sent; try it out.
    #[command(after_help = help::NOTIFY)]
    Notify(NotifyArgs),
    /// Print a script that teaches your shell to complete flags.
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
}

/// Flags of a command that loads bars.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct IngestArgs {
    /// Which bars.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// What of them.
    #[command(flatten)]
    pub files: FileArgs,
    /// How.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// Which bars are to be loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "What to load")]
pub struct SelectionArgs {
    /// Between which dates.
    #[command(flatten)]
    pub period: PeriodArgs,
    /// A symbol; may be given several times. Case matters (BACpA).
    #[arg(long, value_name = "S")]
    pub symbol: Vec<String>,
    /// Symbols with commas between, or @ and the name of a file that lists them.
    #[arg(long, value_name = "A,B,C|@FILE")]
    pub symbols: Vec<String>,
    /// Every symbol of the dataset.
    #[arg(long, conflicts_with_all = ["symbol", "symbols"])]
    pub all: bool,
    /// The market [default: what the symbols say; stocks with --all].
    #[arg(long, value_parser = dataset_parser())]
    pub dataset: Option<Dataset>,
    /// Lengths of bars to make, with commas between: 1m 5m 15m 1h 4h day [default: all of them; without 1m with --all].
    #[arg(long, value_name = "LIST")]
    pub timeframes: Option<String>,
    /// Print what would be loaded (files, bytes, days, symbols) and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Load days again that are loaded already, and ask again for days the plan did not include.
    #[arg(long)]
    pub force: bool,
}

/// What is taken from files.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "What to take from files")]
pub struct FileArgs {
    /// Do not load the vendor's own day bars (day_official) beside the ones made from minutes.
    #[arg(long)]
    pub no_official_day: bool,
    /// Load suspect days too: those of the dates given, or all of them.
    #[arg(long, value_name = "DATE,…", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub accept: Option<String>,
}

/// How the REST API is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "How to ask the REST API")]
pub struct ApiArgs {
    /// Requests that may be made: 5/min, 100/s, or auto, which starts at 10/s and keeps to 5/min once the vendor refuses one [default: auto].
    #[arg(long, value_name = "N/min|N/s|auto")]
    pub rate: Option<String>,
    /// Give bars that came from files the vendor's exact VWAP, where volume and transactions agree.
    #[arg(long)]
    pub exact_vwap: bool,
}

/// Flags of `rest`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct RestArgs {
    /// Which bars.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// How.
    #[command(flatten)]
    pub api: ApiArgs,
}

/// Flags of `hybrid`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct HybridArgs {
    /// Which bars.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// What of files.
    #[command(flatten)]
    pub files: FileArgs,
    /// How files are loaded.
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the REST API is asked.
    #[command(flatten)]
    pub api: ApiArgs,
}

/// Where files come from and how they are handled.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "How to load")]
pub struct SourceArgs {
    /// Read a local mirror of the bucket instead of the bucket. Settings file: source.
    #[arg(long, value_name = "DIR")]
    pub source: Option<PathBuf>,
    /// Where fetched files are kept [default: barkeep in the user's cache directory].
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// How long fetched files are kept: a time (24h, 30d), a size (20GB), or forever [default: 24h].
    #[arg(long, value_name = "TIME|SIZE|forever")]
    pub cache_keep: Option<String>,
    /// Files to fetch at the same time [default: 12].
    #[arg(long, value_name = "N")]
    pub downloads: Option<u64>,
    /// Threads that decode files [default: processor cores].
    #[arg(long, value_name = "N")]
    pub decoders: Option<u64>,
}

/// Whether bars are shown as traded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Splits")]
pub struct AdjustArgs {
    /// Adjust prices, VWAP and volume for splits, which `backfill splits` loads. Dividends change nothing.
    #[arg(long)]
    pub adjusted: bool,
    /// As traded; so it is, too, when neither is said.
    #[arg(long, conflicts_with = "adjusted")]
    pub raw: bool,
    /// As they stood on this date: later splits do not count [default: today in New York].
    #[arg(long, value_name = "DATE", value_parser = parse_date, requires = "adjusted")]
    pub as_of: Option<Date>,
}

impl AdjustArgs {
    /// The date to adjust to; `None` for bars as traded.
    pub fn date(self, now: Timestamp) -> Option<Date> {
        self.adjusted.then(|| self.as_of.unwrap_or_else(|| Market::NewYork.date_of(now)))
    }
}

/// Flags of `bars`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct BarsArgs {
    /// The symbol. Case matters.
    pub symbol: String,
    /// Length of the bars; day_official is the vendor's own day bar.
    #[arg(long, value_parser = timeframe_parser(), default_value = "day")]
    pub timeframe: Timeframe,
    /// From this trading date on (inclusive, YYYY-MM-DD) [default: the first there is].
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub from: Option<Date>,
    /// Up to and with this trading date [default: the last there is].
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub to: Option<Date>,
    /// Fetch from the REST API what is not loaded of these dates, and load it; says where each day came from.
    #[arg(long, requires = "from")]
    pub fetch: bool,
    /// Leave the database as it is; with --fetch only.
    #[arg(long, requires = "fetch")]
    pub no_store: bool,
    /// Requests that may be made: 5/min, 100/s or auto; with --fetch only.
    #[arg(long, value_name = "N/min|N/s|auto", requires = "fetch")]
    pub rate: Option<String>,
    /// Print CSV instead of a table.
    #[arg(long)]
    pub csv: bool,
    /// Print only the last N of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// As traded or adjusted.
    #[command(flatten)]
    pub adjust: AdjustArgs,
}

/// Flags of `splits`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct SplitsArgs {
    /// Only those of this symbol; may be given several times. Case matters (BACpA) [default: all stocks].
    #[arg(long, value_name = "S")]
    pub symbol: Vec<String>,
    /// Symbols with commas between, or @ and the name of a file that lists them.
    #[arg(long, value_name = "A,B,C|@FILE")]
    pub symbols: Vec<String>,
    /// Show what is stored, used or not, and fetch nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "overrides", "rate"])]
    pub list: bool,
    /// Fetch and check the list, say what would be stored, and store nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Your own word on splits, a CSV file [default: barkeep/splits.csv beside the settings file, if it is there].
    #[arg(long, value_name = "FILE")]
    pub overrides: Option<PathBuf>,
    /// Requests that may be made: 5/min, 100/s or auto [default: auto].
    #[arg(long, value_name = "N/min|N/s|auto")]
    pub rate: Option<String>,
}

/// Flags of `export`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct ExportArgs {
    /// The folder to write into: a new or empty one, or one with an earlier export, which is replaced.
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// The form of the files.
    #[arg(long, value_parser = format_parser(), default_value = "parquet")]
    pub format: Format,
    /// This many calendar days, up to and with the last finished session [default: all that are stored].
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "to"])]
    pub days: Option<u32>,
    /// From this trading date on (inclusive, YYYY-MM-DD) [default: the first there is].
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub from: Option<Date>,
    /// Up to and with this trading date [default: the last there is].
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub to: Option<Date>,
    /// A symbol; may be given several times. Case matters (BACpA).
    #[arg(long, value_name = "S")]
    pub symbol: Vec<String>,
    /// Symbols with commas between, or @ and the name of a file that lists them.
    #[arg(long, value_name = "A,B,C|@FILE")]
    pub symbols: Vec<String>,
    /// Every symbol that is stored; so it is, too, when none is named.
    #[arg(long, conflicts_with_all = ["symbol", "symbols"])]
    pub all: bool,
    /// Only this market.
    #[arg(long, value_parser = dataset_parser())]
    pub dataset: Option<Dataset>,
    /// Lengths of bars, with commas between: 1m 5m 15m 1h 4h day day_official [default: all of them].
    #[arg(long, value_name = "LIST")]
    pub timeframes: Option<String>,
    /// As traded or adjusted.
    #[command(flatten)]
    pub adjust: AdjustArgs,
    /// Option chains in the place of bars: those on the stocks and indices that are named, or all.
    #[arg(long, conflicts_with_all = ["dataset", "timeframes", "adjusted", "raw"])]
    pub chain: bool,
}

/// Flags of `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct StatusArgs {
    /// Only this symbol; may be given several times.
    #[arg(long, value_name = "S")]
    pub symbol: Vec<String>,
    /// Only this market.
    #[arg(long, value_parser = dataset_parser())]
    pub dataset: Option<Dataset>,
    /// Show instead which files the vendor replaced after they were loaded, and what that changed.
    #[arg(long, conflicts_with = "symbol")]
    pub restatements: bool,
    /// Only those of trading dates from this one on.
    #[arg(long, value_name = "DATE", value_parser = parse_date, requires = "restatements")]
    pub from: Option<Date>,
    /// Only those up to and with this trading date.
    #[arg(long, value_name = "DATE", value_parser = parse_date, requires = "restatements")]
    pub to: Option<Date>,
    /// Whether it is kept filled.
    #[command(flatten)]
    pub health: HealthArgs,
}

/// Flags of `verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct VerifyArgs {
    /// This many calendar days, up to and with the last finished session [default: all that is loaded].
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "to"])]
    pub days: Option<u32>,
    /// From this date on (inclusive, YYYY-MM-DD).
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub from: Option<Date>,
    /// Up to and with this date; with --from only [default: the last finished session].
    #[arg(long, value_name = "DATE", value_parser = parse_date, requires = "from")]
    pub to: Option<Date>,
    /// Only this symbol; may be given several times. Case matters (BACpA).
    #[arg(long, value_name = "S")]
    pub symbol: Vec<String>,
    /// Symbols with commas between, or @ and the name of a file that lists them.
    #[arg(long, value_name = "A,B,C|@FILE")]
    pub symbols: Vec<String>,
    /// Only this market.
    #[arg(long, value_parser = dataset_parser())]
    pub dataset: Option<Dataset>,
    /// Compare with the source, too: read day files again and hold every bar against what they make.
    #[arg(long, value_name = "source", value_parser = ["source"])]
    pub against: Option<String>,
    /// Of how many days of each market: the newest, the oldest and some evenly between; or all [default: 5].
    #[arg(long, value_name = "N|all", requires = "against")]
    pub sample: Option<String>,
    /// Load again what is wrong, and only that.
    #[arg(long)]
    pub repair: bool,
    /// Where files come from, for --against and --repair.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// Flags of `completions`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

impl Args {
    /// The flags that are settings.
    pub fn flags(&self) -> Flags {
        let source = match &self.command {
            Some(Command::S3(ingest)) => ingest.source.clone(),
            Some(Command::Hybrid(hybrid)) => hybrid.source.clone(),
            Some(Command::Verify(verify)) => verify.source.clone(),
            Some(Command::Watchlist(WatchlistArgs { command: WatchlistCommand::Run(run) })) => run.source.clone(),
            Some(Command::Nightly(nightly)) => nightly.source.clone(),
            _ => SourceArgs::default(),
        };
        let rate = match &self.command {
            Some(Command::Rest(rest)) => rest.api.rate.clone(),
            Some(Command::Hybrid(hybrid)) => hybrid.api.rate.clone(),
            Some(Command::Bars(bars)) => bars.rate.clone(),
            Some(Command::Splits(splits)) => splits.rate.clone(),
            Some(Command::Chain(chain)) => chain.take.rate.clone(),
            Some(Command::Watchlist(WatchlistArgs { command: WatchlistCommand::Run(run) })) => run.rate.clone(),
            Some(Command::Nightly(nightly)) => nightly.rate.clone(),
            _ => None,
        };
        let split_overrides = match &self.command {
            Some(Command::Splits(splits)) => splits.overrides.clone(),
            _ => None,
        };
        Flags {
            database_url: self.global.database_url.clone(),
            config: self.global.config.clone(),
            source: source.source,
            cache_dir: source.cache_dir,
            cache_keep: source.cache_keep,
            downloads: source.downloads,
            decoders: source.decoders,
            rate,
            split_overrides,
        }
    }
}

fn dataset_parser() -> impl TypedValueParser<Value = Dataset> {
    PossibleValuesParser::new(Dataset::ALL.map(Dataset::as_str)).try_map(|word| word.parse::<Dataset>())
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
        .try_map(|word| Format::ALL.into_iter().find(|format| format.as_str() == word).ok_or("not a form of files"))
}

fn timeframe_parser() -> impl TypedValueParser<Value = Timeframe> {
    PossibleValuesParser::new(Timeframe::ALL.map(Timeframe::as_str)).try_map(|word| word.parse::<Timeframe>())
}

#[cfg(test)]
mod tests;
