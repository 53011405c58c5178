//! The command line: what can be typed, what it means, and how results look. The only place that knows a terminal.

mod args;
pub mod backtest;
mod commands;
mod dates;
mod doctor;
mod exit;
mod findings;
pub mod format;
mod health;
mod help;
mod hybrid;
mod log;
mod metrics;
mod output;
mod plan;
mod progress;
mod request;
mod rest;
mod run_id;
mod served;
mod signals;
mod summary;
mod symbols;
mod table;
mod totals;
mod verify;

pub use args::{
    AdjustArgs, ApiArgs, Args, BacktestArgs, BarsArgs, ChainArgs, ChainCommand, ChainImportArgs, ChainShowArgs,
    ChainTakeArgs, Command, CompletionsArgs, ExportArgs, FileArgs, GlobalArgs, HealthArgs, HybridArgs, IfRunning,
    IngestArgs, MetricsArgs, NightlyArgs, NotifyArgs, RestArgs, SelectionArgs, SourceArgs, SplitsArgs, StatusArgs,
    VerifyArgs, WaitUntil, WatchlistAddArgs, WatchlistArgs, WatchlistCommand, WatchlistQueueArgs, WatchlistRemoveArgs,
    WatchlistRetryArgs, WatchlistRunArgs,
};
pub use backtest::backtest;
pub use commands::backfill;
pub use dates::{DateError, DateRule};
pub use exit::{CliError, Exit, end_of, finish};
pub use log::{Log, LogFormat};
pub use output::{Body, effective_settings, print_completions, print_json, print_run, print_settings};
pub use progress::{BarsProgress, LogReporter, PlainReporter, Steps, TerminalReporter, reporter};
pub use request::{
    Accept, BarsFormat, BarsRequest, ExportChainRequest, ExportRequest, Fetch, Named, Request, RequestError,
    STARTER_SET, Selection, StatusRequest, Wanted, chain_underlyings, named_timeframes, split_symbols,
    watchlist_symbols,
};
pub use run_id::RunId;
pub use signals::Signals;
pub use summary::{amounts, exit_code, gaps, summary};
pub use symbols::SymbolListError;
pub use table::{Align, Table};
pub use totals::{MissingSymbol, SometimesAbsent, Totals};
pub use verify::VerifyRequest;
