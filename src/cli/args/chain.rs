//! What can be typed after `chain`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `chain`, and what to do with option chains; taking them when nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ChainArgs {
    /// What to do instead of taking snapshots.
    #[command(subcommand)]
    pub command: Option<ChainCommand>,
    /// Whose snapshots to take, and how.
    #[command(flatten)]
    pub take: ChainTakeArgs,
}

/// Flags of `chain` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct ChainTakeArgs {
    /// Stocks and indices whose options to take. Case matters [default: those of the watchlist, and SPX and NDX].
    #[arg(value_name = "SYMBOL")]
    pub underlyings: Vec<String>,
    /// One of them; may be given several times.
    #[arg(long, value_name = "S")]
    pub symbol: Vec<String>,
    /// Some of them with commas between, or @ and the name of a file that lists them.
    #[arg(long, value_name = "A,B,C|@FILE")]
    pub symbols: Vec<String>,
    /// Requests that may be made: 5/min, 100/s or auto [default: auto].
    #[arg(long, value_name = "N/min|N/s|auto")]
    pub rate: Option<String>,
    /// Ask for all of them, whatever is stored of the session and was refused before.
    #[arg(long)]
    pub force: bool,
    /// Say who would be asked for, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// What to do with option chains.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ChainCommand {
    /// Show what is stored.
    Show(ChainShowArgs),
    /// Store open interest from a file of your own, for sessions before the first snapshot.
    ///
    /// A CSV file with a header that names the columns date, contract and open_interest, in any order; a column underlying is taken
    /// where the contract's ticker does not tell it (BRK.B). All of it is stored or nothing. What the vendor's snapshots have stays.
    Import(ChainImportArgs),
}

/// Flags of `chain show`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct ChainShowArgs {
    /// Only these stocks and indices.
    #[arg(value_name = "SYMBOL")]
    pub underlyings: Vec<String>,
}

/// Flags of `chain import`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct ChainImportArgs {
    /// The file; - is what is piped in.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
