//! The commands of `backtest`.

mod audit;
mod charts;
mod compare;
pub mod comparison;
pub mod console;
mod data;
mod detectors;
mod explain;
pub mod files;
mod load;
mod parameters;
mod request;
mod run;
mod universe;

use std::process::ExitCode;

use super::args::{BacktestArgs, BacktestCommand, RunArgs};
use super::commands::{Context, program, warn};
use super::{CliError, Exit, Signals};

/// The whole of `backtest`: reads the command line, does what it says, and says how it ended.
pub fn backtest() -> ExitCode {
    program(
        |args: &BacktestArgs| &args.global,
        BacktestArgs::flags,
        async |args: &BacktestArgs, context| Box::pin(execute(args, context)).await,
    )
}

async fn execute(args: &BacktestArgs, context: Context) -> Result<Exit, CliError> {
    let Some(command) = &args.command else {
        let signals = Signals::listen(warn)?;
        return signals.run(run::run(&args.run, &context, &signals)).await.unwrap_or_else(Ok);
    };
    if args.run != RunArgs::default() {
        return Err(CliError::usage(anyhow::anyhow!(
            "flags of a run stand before a command that is none: write flags of the command behind its name"
        )));
    }
    match command {
        BacktestCommand::Detectors(args) => detectors::run(args, &context),
        BacktestCommand::Compare(args) => compare::run(args, &context),
        BacktestCommand::Explain(args) => explain::run(args, &context).await,
        BacktestCommand::Audit(args) => {
            let signals = Signals::listen(warn)?;
            signals.run(audit::run(args, &context, &signals)).await.unwrap_or_else(Ok)
        }
    }
}
