//! What was typed, as a run that can be done.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::parameters::{Offers, configured, holds_overnight, note};
use crate::backtest::run::{FileSignals, Setup, Source};
use crate::backtest::signals_file::{self, SignalOptions};
use crate::backtest::{
    Commission, CostSettings, DetectorConfig, EngineSettings, FillMode, PortfolioSettings, SessionScope, SignalsConfig,
    Slippage, TargetFill, TargetGap,
};
use crate::cli::args::{
    BarsOfRunArgs, CostArgs, CostWord, FillArgs, FillWord, GapWord, PortfolioArgs, RunArgs, SessionWord, SortWord,
    TargetWord, WhatArgs,
};
use crate::cli::symbols::read_symbols;
use crate::cli::{CliError, DateRule, RequestError};
use crate::config::Settings;
use crate::model::{Symbol, Timeframe};

/// Fewest bars of the period a symbol must have, unless it is said.
const MIN_BARS: u64 = 50;

/// Times that random entries are drawn, unless it is said.
const RANDOM_DRAWS: u32 = 200;

/// Where reports go, unless it is said.
pub(super) const OUTPUT: &str = "backtest-results";

/// How symbols are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    /// These, sorted, each once, at least one.
    Named(Vec<Symbol>),
    /// Every stock that is stored.
    All,
    /// Each month so many stocks with the highest dollar volume before it.
    Top(usize),
    /// The watchlist, else what is stored, else the starter set.
    Default,
}

/// On which bars a run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bars {
    pub(super) chosen: Chosen,
    pub(super) dates: DateRule,
    pub(super) timeframe: Timeframe,
    pub(super) session: SessionScope,
}

/// A run that can be done.
#[derive(Debug)]
pub(super) struct RunRequest {
    pub(super) bars: Bars,
    pub(super) setup: Setup,
    pub(super) detectors: Vec<DetectorConfig>,
    pub(super) signals: Option<SignalsConfig>,
    pub(super) portfolio: Option<PortfolioSettings>,
    pub(super) etfs: Vec<String>,
    pub(super) output: PathBuf,
    pub(super) by_win_rate: bool,
    pub(super) threads: usize,
    /// What to know before it starts.
    pub(super) note: Option<&'static str>,
}

impl RunRequest {
    /// Checks what was typed. Files that it names are read; nothing else is.
    pub(super) fn new(args: &RunArgs, settings: &Settings) -> Result<Self, CliError> {
        let now = settings.now.value;
        if args.what.oi_proxy.is_some() {
            return Err(CliError::usage(anyhow!(
                "--oi-proxy=volume: option bars are not loaded into runs yet, so that nothing could be weighed by their volume: \
                 leave it out"
            )));
        }
        let mut bars = Bars::new(&args.bars, now)?;
        let offers = Offers { off_hours: bars.session == SessionScope::All, overnight: args.fills.hold_overnight };
        let off_hours = settings.off_hours_signals.value;
        let (source, signals) = source(&args.what, off_hours, offers)?;
        let detectors = match &source {
            Source::Detectors(detectors) => &detectors[..],
            Source::File(_) => &[],
        };
        let note = note(detectors, off_hours, offers).filter(|_| signals.is_none());
        if signals.is_none() && offers.overnight && !detectors.iter().any(holds_overnight) {
            return Err(CliError::usage(anyhow!(
                "--hold-overnight changes nothing: no detector of this run holds positions over the close; set it for one that \
                 can, as in --set=trend_continuation_long.hold_overnight=true, or leave the flag out"
            )));
        }
        if args.costs.borrow_bps_per_day.is_some() && !offers.overnight {
            return Err(CliError::usage(anyhow!(
                "--borrow-bps-per-day changes nothing without --hold-overnight, as no short is held over a night: add \
                 --hold-overnight, or leave it out"
            )));
        }
        if let (Source::File(file), Chosen::Default) = (&source, &bars.chosen) {
            let mut symbols: Vec<Symbol> = file.rows.iter().map(|row| row.symbol.clone()).collect();
            symbols.dedup();
            bars.chosen = Chosen::Named(symbols);
        }
        if signals.is_some() && args.min_bars.is_some() {
            return Err(CliError::usage(anyhow!(
                "--min-bars is about detectors, not about a file of signals: leave it out"
            )));
        }
        let etfs = etfs(&args.what.etf)?;
        if let Chosen::Named(symbols) = &bars.chosen
            && let Some(other) = etfs.iter().find(|etf| symbols.iter().all(|symbol| symbol.as_str() != etf.as_str()))
        {
            return Err(CliError::usage(anyhow!(
                "--etf={other} changes nothing: {other} is not among the symbols of this run; add --symbol={other}, or leave it out"
            )));
        }
        let (seed, random_draws) = (args.report.seed.unwrap_or(1), args.report.random_draws.unwrap_or(RANDOM_DRAWS));
        let detectors = detectors.iter().map(|detector| detector.config.clone()).collect();
        let setup = Setup {
            source,
            engine: engine(&args.fills, bars.session),
            costs: costs(&args.costs)?,
            min_bars: args.min_bars.unwrap_or(MIN_BARS),
            ignore_asset_class: args.what.ignore_asset_class,
            seed,
            random_draws,
        };
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Ok(Self {
            bars,
            setup,
            detectors,
            signals,
            portfolio: portfolio(&args.portfolio)?,
            etfs,
            output: args.report.output.clone().unwrap_or_else(|| OUTPUT.into()),
            by_win_rate: args.report.sort == Some(SortWord::WinRate),
            threads: args.report.threads.map_or_else(cores, usize::from),
            note,
        })
    }
}

impl Bars {
    /// Whether symbols were named, so that one without bars is told.
    pub(super) const fn are_named(&self) -> bool {
        matches!(self.chosen, Chosen::Named(_))
    }

    pub(super) fn new(args: &BarsOfRunArgs, now: Timestamp) -> Result<Self, CliError> {
        let named = read_symbols("--symbol", &args.symbol, &args.symbols, None).map_err(RequestError::from)?;
        let chosen = match (&args.universe, args.all) {
            (Some(universe), _) => Chosen::Top(top(universe)?),
            (None, true) => Chosen::All,
            (None, false) if named.is_empty() => Chosen::Default,
            (None, false) => Chosen::Named(named),
        };
        let dates = args.period.rule().map_err(RequestError::from)?;
        // Wrong dates are wrong usage and found here, before a database is opened.
        let market = match &chosen {
            Chosen::Named(symbols) => symbols[0].dataset(),
            _ => crate::model::Dataset::Stocks,
        };
        dates.dates(market, now).map_err(RequestError::from)?;
        let session = match args.session {
            Some(SessionWord::All) => SessionScope::All,
            Some(SessionWord::Regular) | None => SessionScope::Regular,
        };
        let timeframe = args.timeframe.unwrap_or(Timeframe::M15);
        Ok(Self { chosen, dates, timeframe, session })
    }
}

fn top(text: &str) -> Result<usize, CliError> {
    let count = text.strip_prefix("top:").and_then(|count| count.parse::<usize>().ok()).filter(|count| *count > 0);
    count.ok_or_else(|| {
        CliError::usage(anyhow!("--universe={text}: it is top: and a number of symbols, such as top:500"))
    })
}

fn source(args: &WhatArgs, off_hours: bool, offers: Offers) -> Result<(Source, Option<SignalsConfig>), CliError> {
    let Some(path) = &args.signals else {
        return Ok((Source::Detectors(configured(&args.detectors, off_hours, offers)?), None));
    };
    let bytes = fs::read(path)
        .with_context(|| format!("--signals={}: cannot read the file", path.display()))
        .map_err(CliError::usage)?;
    if let Some(atr) = args.default_stop_atr {
        positive("--default-stop-atr", atr)?;
    }
    let options =
        SignalOptions { levels: args.signal_levels.unwrap_or_default(), default_stop_atr: args.default_stop_atr };
    let rows = signals_file::parse(&bytes, &options)
        .with_context(|| format!("--signals={}", path.display()))
        .map_err(CliError::usage)?;
    let config = SignalsConfig {
        sha256: Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        levels: match args.default_stop_atr {
            Some(atr) => format!("{}, stops of {atr} ATR where there is none", options.levels),
            None => options.levels.to_string(),
        },
    };
    Ok((Source::File(FileSignals { name: name_of(path), rows, options }), Some(config)))
}

/// What the results of a file of signals are called: results name detectors for as long as the process lives.
fn name_of(path: &Path) -> &'static str {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Box::leak(name.unwrap_or_else(|| "signals".to_owned()).into_boxed_str())
}

fn etfs(typed: &[String]) -> Result<Vec<String>, CliError> {
    let symbols = read_symbols("--etf", typed, &[], Some(crate::model::Dataset::Stocks)).map_err(RequestError::from)?;
    Ok(symbols.iter().map(ToString::to_string).collect())
}

fn engine(args: &FillArgs, session: SessionScope) -> EngineSettings {
    let default = EngineSettings::default();
    EngineSettings {
        session,
        fill_mode: match args.fill_mode {
            Some(FillWord::SameClose) => FillMode::SameClose,
            Some(FillWord::NextOpen) | None => FillMode::NextOpen,
        },
        entry_valid_bars: args.entry_valid_bars.unwrap_or(default.entry_valid_bars),
        target_gap: match args.target_gap {
            Some(GapWord::Level) => TargetGap::Level,
            Some(GapWord::Open) | None => TargetGap::Open,
        },
        target_fill: match args.target_fill {
            Some(TargetWord::Through) => TargetFill::Through,
            Some(TargetWord::Touch) | None => TargetFill::Touch,
        },
        hold_overnight: args.hold_overnight,
    }
}

fn costs(args: &CostArgs) -> Result<CostSettings, CliError> {
    let default = CostSettings::default();
    let zero = args.costs == Some(CostWord::Zero);
    if zero && (CostArgs { costs: None, ..args.clone() }) != CostArgs::default() {
        return Err(CliError::usage(anyhow!("--costs=zero and a cost beside it exclude each other: give one of them")));
    }
    for (flag, value) in [
        ("--commission-per-share", args.commission_per_share),
        ("--commission-min", args.commission_min),
        ("--commission-bps", args.commission_bps),
        ("--half-spread-bps", args.half_spread_bps),
        ("--slippage-bps", args.slippage_bps),
        ("--slippage-atr", args.slippage_atr),
        ("--borrow-bps-per-day", args.borrow_bps_per_day),
    ] {
        if let Some(value) = value.filter(|value| !(value.is_finite() && *value >= 0.0)) {
            return Err(CliError::usage(anyhow!("{flag}={value}: a cost is a number from 0 on")));
        }
    }
    let lot = args.lot.unwrap_or(default.lot);
    positive("--lot", lot)?;
    let Commission::PerShare { amount, minimum } = default.commission else { return Ok(default) };
    let commission = match args.commission_bps {
        Some(bps) => Commission::Bps { bps },
        None => Commission::PerShare {
            amount: args.commission_per_share.unwrap_or(amount),
            minimum: args.commission_min.unwrap_or(minimum),
        },
    };
    let slippage = match (args.slippage_atr, args.slippage_bps) {
        (Some(share), _) => Slippage::Atr { share },
        (None, Some(bps)) => Slippage::Bps { bps },
        (None, None) => default.slippage,
    };
    Ok(CostSettings {
        commission,
        half_spread_bps: args.half_spread_bps.unwrap_or(default.half_spread_bps),
        slippage,
        slip_on_limit: args.slip_on_limit,
        borrow_bps_per_day: args.borrow_bps_per_day.unwrap_or(default.borrow_bps_per_day),
        lot,
        zero,
    })
}

fn portfolio(args: &PortfolioArgs) -> Result<Option<PortfolioSettings>, CliError> {
    if args.no_portfolio {
        return Ok(None);
    }
    let default = PortfolioSettings::default();
    let settings = PortfolioSettings {
        starting_capital: args.starting_capital.unwrap_or(default.starting_capital),
        risk_pct: args.risk_pct.unwrap_or(default.risk_pct),
        max_open: args.max_open.unwrap_or(default.max_open),
        max_gross_pct: args.max_gross_pct.unwrap_or(default.max_gross_pct),
        max_volume_pct: args.max_volume_pct.unwrap_or(default.max_volume_pct),
    };
    positive("--starting-capital", settings.starting_capital)?;
    positive("--risk-pct", settings.risk_pct)?;
    positive("--max-gross-pct", settings.max_gross_pct)?;
    positive("--max-volume-pct", settings.max_volume_pct)?;
    Ok(Some(settings))
}

fn positive(flag: &str, value: f64) -> Result<(), CliError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(CliError::usage(anyhow!("{flag}={value}: it is a number above 0")))
}
