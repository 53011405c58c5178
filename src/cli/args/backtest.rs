//! What can be typed after `backtest`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::{GlobalArgs, PeriodArgs};
use crate::backtest::signals_file::LevelUnit;
use crate::cli::help;
use crate::config::Flags;
use crate::model::Timeframe;

/// Runs signal detectors over stored bars, and says what trading their signals would have brought, with its uncertainty.
///
/// Bars come from the database, and from the REST API where it lacks some. Nothing looks ahead: a bar is known at its end, and
/// a signal is filled at the open of the next one. Detectors are hypotheses, and results are no advice.
#[derive(Debug, Parser)]
#[command(name = "backtest", version, after_help = help::BACKTEST, subcommand_help_heading = "Commands beside the run")]
pub struct BacktestArgs {
    /// Flags every command has.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What else to do than to run.
    #[command(subcommand)]
    pub command: Option<BacktestCommand>,
    /// The run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What else there is to do.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum BacktestCommand {
    /// Show the detectors: what each looks for, and its parameters.
    #[command(after_help = help::BACKTEST_DETECTORS)]
    Detectors(DetectorsArgs),
    /// Put two runs side by side: their configurations, figures and trades.
    #[command(after_help = help::BACKTEST_COMPARE)]
    Compare(CompareArgs),
    /// Say why a detector did or did not fire at the end of one bar: inputs, conditions, factors of the score, gates.
    #[command(after_help = help::BACKTEST_EXPLAIN)]
    Explain(ExplainArgs),
    /// Show on your own data that no detector looks ahead, and how results move with the length of the warm-up.
    #[command(after_help = help::BACKTEST_AUDIT)]
    Audit(AuditArgs),
}

/// Flags of a run.
#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
pub struct RunArgs {
    /// What is run.
    #[command(flatten)]
    pub what: WhatArgs,
    /// On which bars.
    #[command(flatten)]
    pub bars: BarsOfRunArgs,
    /// Fewest bars of the period a symbol must have [default: 50].
    #[arg(long, value_name = "N", help_heading = "On which bars")]
    pub min_bars: Option<u64>,
    /// Where they come from.
    #[command(flatten)]
    pub data: DataArgs,
    /// How signals are filled.
    #[command(flatten)]
    pub fills: FillArgs,
    /// What trading costs.
    #[command(flatten)]
    pub costs: CostArgs,
    /// The portfolio.
    #[command(flatten)]
    pub portfolio: PortfolioArgs,
    /// What becomes of results.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Which detectors, with which parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "What to run")]
pub struct DetectorArgs {
    /// A detector, or a group of them: all, equity, index; may be given several times [default: all].
    #[arg(long, value_name = "ID")]
    pub detector: Vec<String>,
    /// Set a parameter, as in breakout_bullish.rvol_min=2; may be given several times. `backtest detectors` shows them.
    #[arg(long, value_name = "DETECTOR.PARAM=VALUE")]
    pub set: Vec<String>,
    /// Parameters in a TOML file, with a table for each detector. --set goes over it.
    #[arg(long, value_name = "FILE")]
    pub params: Option<PathBuf>,
}

/// What is run.
#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "What to run")]
pub struct WhatArgs {
    /// Which detectors.
    #[command(flatten)]
    pub detectors: DetectorArgs,
    /// Trade the signals of a CSV file in the place of detectors': columns symbol, timestamp, side, and stop, target, max_bars, size.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["detector", "set", "params", "ignore_asset_class"])]
    pub signals: Option<PathBuf>,
    /// What stops and targets in that file are: prices, or distances in price, percent or ATR [default: price].
    #[arg(long, value_name = "price|distance|percent|atr", hide_possible_values = true, requires = "signals", value_parser = levels_parser())]
    pub signal_levels: Option<LevelUnit>,
    /// Distance of the stop of signals without one, in ATR.
    #[arg(long, value_name = "ATR", requires = "signals")]
    pub default_stop_atr: Option<f64>,
    /// Run detectors on classes of symbols they are not made for, too. The report says so.
    #[arg(long)]
    pub ignore_asset_class: bool,
    /// Take a symbol for an ETF; may be given several times.
    #[arg(long, value_name = "S", conflicts_with = "signals")]
    pub etf: Vec<String>,
    /// Weigh option contracts by the day's volume where open interest is not known.
    #[arg(long, value_name = "volume", value_parser = ["volume"])]
    pub oi_proxy: Option<String>,
}

/// On which bars.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "On which bars")]
pub struct BarsOfRunArgs {
    /// Between which dates.
    #[command(flatten)]
    pub period: PeriodArgs,
    /// A symbol; may be given several times. Case matters (BACpA) [default: the watchlist, else what is stored].
    #[arg(long, value_name = "S")]
    pub symbol: Vec<String>,
    /// Symbols with commas between, or @ and the name of a file that lists them.
    #[arg(long, value_name = "A,B,C|@FILE")]
    pub symbols: Vec<String>,
    /// Every stock that is stored.
    #[arg(long, conflicts_with_all = ["symbol", "symbols", "universe"])]
    pub all: bool,
    /// Each month the N stocks with the highest median dollar volume over the 20 sessions before it.
    #[arg(long, value_name = "top:N", conflicts_with_all = ["symbol", "symbols"])]
    pub universe: Option<String>,
    /// Length of the bars that signals come from [default: 15m].
    #[arg(long, value_parser = rolled_parser())]
    pub timeframe: Option<Timeframe>,
    /// Bars of regular hours, or those before and after, too [default: regular].
    #[arg(long, value_name = "regular|all", hide_possible_values = true)]
    pub session: Option<SessionWord>,
}

/// Where bars come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Where bars come from")]
pub struct DataArgs {
    /// Never ask the REST API.
    #[arg(long, conflicts_with_all = ["no_write_back", "recheck", "fetch_warmup", "rate"])]
    pub no_fallback: bool,
    /// Do not store what is fetched.
    #[arg(long)]
    pub no_write_back: bool,
    /// Ask the REST API, too, for sessions whose file has nothing of a symbol.
    #[arg(long)]
    pub recheck: bool,
    /// Fetch sessions before the period, for indicators to warm up, too.
    #[arg(long)]
    pub fetch_warmup: bool,
    /// Stop before the run if sessions are missing.
    #[arg(long)]
    pub strict: bool,
    /// Requests that may be made: 5/min, 100/s or auto [default: auto].
    #[arg(long, value_name = "N/min|N/s|auto")]
    pub rate: Option<String>,
}

/// How signals are filled.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "How signals are filled")]
pub struct FillArgs {
    /// At the open of the next bar, or (which looks ahead) at the close of the signal's bar [default: next-open].
    #[arg(long, value_name = "next-open|same-close", hide_possible_values = true)]
    pub fill_mode: Option<FillWord>,
    /// For how many bars' time an entry waits where bars are missing [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub entry_valid_bars: Option<u32>,
    /// Where a target is filled that an open gapped over: at the open, or at its level [default: open].
    #[arg(long, value_name = "open|level", hide_possible_values = true)]
    pub target_gap: Option<GapWord>,
    /// When a target counts as reached: touched, or traded through [default: touch].
    #[arg(long, value_name = "touch|through", hide_possible_values = true)]
    pub target_fill: Option<TargetWord>,
    /// Let detectors whose parameter says so hold positions over the close.
    #[arg(long)]
    pub hold_overnight: bool,
}

/// What trading costs.
#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "What trading costs, on both sides")]
pub struct CostArgs {
    /// `default`, or `zero`: nothing costs anything, which the report says [default: default].
    #[arg(long, value_name = "default|zero", hide_possible_values = true)]
    pub costs: Option<CostWord>,
    /// Commission per share [default: 0.005].
    #[arg(long, value_name = "MONEY", conflicts_with = "commission_bps")]
    pub commission_per_share: Option<f64>,
    /// Least commission of an order [default: 0].
    #[arg(long, value_name = "MONEY", conflicts_with = "commission_bps")]
    pub commission_min: Option<f64>,
    /// Commission as a share of the value, in hundredths of a percent.
    #[arg(long, value_name = "BPS")]
    pub commission_bps: Option<f64>,
    /// Half of the spread, in hundredths of a percent; at least half a tick [default: 0.5].
    #[arg(long, value_name = "BPS")]
    pub half_spread_bps: Option<f64>,
    /// Slippage of market and stop fills, in hundredths of a percent [default: 1].
    #[arg(long, value_name = "BPS", conflicts_with = "slippage_atr")]
    pub slippage_bps: Option<f64>,
    /// The same as a share of ATR.
    #[arg(long, value_name = "SHARE")]
    pub slippage_atr: Option<f64>,
    /// Let target fills slip, too.
    #[arg(long)]
    pub slip_on_limit: bool,
    /// Cost of holding a short overnight, in hundredths of a percent a day; needs --hold-overnight [default: 0].
    #[arg(long, value_name = "BPS")]
    pub borrow_bps_per_day: Option<f64>,
    /// Smallest quantity [default: 1].
    #[arg(long, value_name = "SHARES")]
    pub lot: Option<f64>,
}

/// The portfolio.
#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "Portfolio of all trades")]
pub struct PortfolioArgs {
    /// Make one, which is so, too, when neither is said.
    #[arg(long)]
    pub portfolio: bool,
    /// Leave it out.
    #[arg(long, conflicts_with_all = ["portfolio", "starting_capital", "risk_pct", "max_open", "max_gross_pct", "max_volume_pct"])]
    pub no_portfolio: bool,
    /// Money at the start [default: 100000].
    #[arg(long, value_name = "MONEY")]
    pub starting_capital: Option<f64>,
    /// Share of equity that a trade risks, in percent [default: 1].
    #[arg(long, value_name = "PERCENT")]
    pub risk_pct: Option<f64>,
    /// Most positions at once [default: 10].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_open: Option<u32>,
    /// Most value of all positions, in percent of equity [default: 100].
    #[arg(long, value_name = "PERCENT")]
    pub max_gross_pct: Option<f64>,
    /// Most of the entry bar's volume, in percent [default: 1].
    #[arg(long, value_name = "PERCENT")]
    pub max_volume_pct: Option<f64>,
}

/// What becomes of results.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Results")]
pub struct ReportArgs {
    /// The folder for reports [default: backtest-results].
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// How the summary orders detectors: by the lower bound of expectancy, or by win rate [default: expectancy].
    #[arg(long, value_name = "expectancy|win-rate", hide_possible_values = true)]
    pub sort: Option<SortWord>,
    /// Seed of resampling and of random entries [default: 1].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Times that random entries are drawn to compare with; 0 for none [default: 200].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub random_draws: Option<u32>,
    /// Threads that work on symbols [default: processor cores]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// Flags of `detectors`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct DetectorsArgs {
    /// Only this detector, or this group.
    pub id: Option<String>,
    /// Every parameter with its range, step and default; so it is, too, where a detector is named.
    #[arg(long)]
    pub list: bool,
}

/// Flags of `compare`.
#[derive(Debug, Clone, PartialEq, Eq, ClapArgs)]
pub struct CompareArgs {
    /// A run: its JSON file, or its name as in backtest-results.
    pub a: String,
    /// The other one.
    pub b: String,
    /// The folder names are looked up in [default: backtest-results].
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// Flags of `explain`.
#[derive(Debug, Clone, PartialEq, ClapArgs)]
pub struct ExplainArgs {
    /// The detector.
    pub detector: String,
    /// The symbol. Case matters.
    pub symbol: String,
    /// The end of the bar: a time of New York as in 2026-10-01T10:15, or an instant as in 2026-10-01T14:15:00Z.
    pub time: String,
    /// Set a parameter, as in breakout_bullish.rvol_min=2; may be given several times.
    #[arg(long, value_name = "DETECTOR.PARAM=VALUE")]
    pub set: Vec<String>,
    /// Parameters in a TOML file.
    #[arg(long, value_name = "FILE")]
    pub params: Option<PathBuf>,
    /// Length of the bars [default: 15m].
    #[arg(long, value_parser = rolled_parser())]
    pub timeframe: Option<Timeframe>,
    /// Run the detector on a class of symbols it is not made for, too.
    #[arg(long)]
    pub ignore_asset_class: bool,
}

/// Flags of `audit`.
#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
pub struct AuditArgs {
    /// Which detectors.
    #[command(flatten)]
    pub detectors: DetectorArgs,
    /// On which bars.
    #[command(flatten)]
    pub bars: BarsOfRunArgs,
    /// Moments that are looked at, evenly over the period [default: 5].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub moments: Option<u32>,
}

impl BacktestArgs {
    /// The flags that are settings.
    pub fn flags(&self) -> Flags {
        Flags {
            database_url: self.global.database_url.clone(),
            config: self.global.config.clone(),
            rate: self.run.data.rate.clone(),
            ..Flags::default()
        }
    }
}

/// Words for enums of the engine, which knows no command line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
    };
}

words! {
    /// Which bars.
    SessionWord {
        /// Those of regular hours.
        Regular,
        /// Those before and after, too.
        All,
    }
}

words! {
    /// Where a signal is filled.
    FillWord {
        /// At the open of the next bar.
        NextOpen,
        /// At the close of its own.
        SameClose,
    }
}

words! {
    /// Where a target is filled that an open gapped over.
    GapWord {
        /// At the open.
        Open,
        /// At its level.
        Level,
    }
}

words! {
    /// When a target counts as reached.
    TargetWord {
        /// When it is touched.
        Touch,
        /// When it is traded through.
        Through,
    }
}

words! {
    /// What trading costs.
    CostWord {
        /// What is set.
        Default,
        /// Nothing.
        Zero,
    }
}

words! {
    /// How detectors are ordered.
    SortWord {
        /// By the lower bound of expectancy.
        Expectancy,
        /// By win rate.
        WinRate,
    }
}

fn rolled_parser() -> impl TypedValueParser<Value = Timeframe> {
    PossibleValuesParser::new(Timeframe::ROLLED.map(Timeframe::as_str)).try_map(|word| word.parse::<Timeframe>())
}

fn levels_parser() -> impl TypedValueParser<Value = LevelUnit> {
    PossibleValuesParser::new(LevelUnit::ALL.map(LevelUnit::as_str)).try_map(|word| word.parse::<LevelUnit>())
}
