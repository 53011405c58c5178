//! Rows of a file of signals on the bars of their symbol.

use super::super::{ExitPlan, Regime, SessionScope, Signal, StopRule, SymbolData, TargetRule};
use super::{LevelUnit, SignalOptions, SignalRow};
use crate::model::Session;

/// What is known at signal bars, for the signals of a file.
#[derive(Debug, Clone, Copy)]
pub struct BarFacts<'a> {
    /// ATR by signal bar, in the shares of its session; NaN where it is not known.
    pub atr: &'a [f64],
    /// Kind of market by signal bar.
    pub regime: &'a [Option<Regime>],
    /// Whether a signal cannot be traded without ATR, whatever its levels are in: what its fills slip by depends on it.
    pub atr_is_needed: bool,
}

/// Rows of a file on the bars of their symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matched {
    /// Signals, ascending by bar.
    pub signals: Vec<Signal>,
    /// Rows without a bar, by time.
    pub unmatched: Vec<Unmatched>,
}

/// A row that cannot be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Unmatched {
    /// Its line.
    pub line: u64,
    /// Why.
    pub reason: UnmatchedReason,
}

/// Why a row cannot be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum UnmatchedReason {
    /// No bar ends at its timestamp.
    #[error("no bar of the signal timeframe ends at its timestamp: a timestamp is the END of a bar")]
    NotABarEnd,
    /// The bar lies outside regular hours.
    #[error("its bar lies outside regular hours: use --session=all")]
    OutsideHours,
    /// The bar's session is not part of the run.
    #[error("its session is outside the run's period or universe")]
    OutsidePeriod,
    /// Its levels, or what fills slip by, are in ATR.
    #[error("there is no ATR at its bar, which its levels or --slippage-atr need: too few bars before it")]
    NoAtr,
}

/// Places the rows of one symbol, ascending, on its bars. Their score is 100: who wrote the file has chosen already.
pub fn signals(
    data: &SymbolData,
    rows: &[SignalRow],
    options: &SignalOptions,
    scope: SessionScope,
    facts: &BarFacts,
) -> Matched {
    let mut matched = Matched::default();
    for row in rows {
        match signal(data, row, options, scope, facts) {
            Ok(signal) => matched.signals.push(signal),
            Err(reason) => matched.unmatched.push(Unmatched { line: row.line, reason }),
        }
    }
    matched
}

fn signal(
    data: &SymbolData,
    row: &SignalRow,
    options: &SignalOptions,
    scope: SessionScope,
    facts: &BarFacts,
) -> Result<Signal, UnmatchedReason> {
    let bars = data.signal_bars();
    let bar = bars.end_ms.binary_search(&row.end_ms).map_err(|_| UnmatchedReason::NotABarEnd)?;
    if scope == SessionScope::Regular && bars.hours[bar] != Session::Regular {
        return Err(UnmatchedReason::OutsideHours);
    }
    if !data.tradable[bars.session[bar] as usize] {
        return Err(UnmatchedReason::OutsidePeriod);
    }
    let atr = Some(facts.atr[bar]).filter(|atr| *atr > 0.0);
    let in_atr = |multiple: f64| atr.map(|atr| multiple * atr).ok_or(UnmatchedReason::NoAtr);
    if facts.atr_is_needed {
        in_atr(1.0)?;
    }
    let distance = |level: f64| match options.levels {
        LevelUnit::Price | LevelUnit::Distance => Ok(level),
        LevelUnit::Percent => Ok(level / 100.0 * bars.close[bar].abs()),
        LevelUnit::Atr => in_atr(level),
    };
    let stop = match (row.stop, options.levels) {
        (Some(level), LevelUnit::Price) => StopRule::Level { level, min: 0.0, max: f64::INFINITY },
        (Some(level), _) => StopRule::Distance(distance(level)?),
        (None, _) => {
            let multiple = options.default_stop_atr.expect("Invariant: a row without a stop was refused without it");
            StopRule::Distance(in_atr(multiple)?)
        }
    };
    let target = match (row.target, options.levels) {
        (Some(level), LevelUnit::Price) => TargetRule::Level { level, cap: f64::INFINITY },
        (Some(level), _) => TargetRule::Distance(distance(level)?),
        (None, _) => TargetRule::None,
    };
    Ok(Signal {
        bar,
        side: row.side,
        score: 100.0,
        plan: ExitPlan { stop, target, max_bars: row.max_bars },
        atr,
        regime: facts.regime[bar],
        vix: None,
        once: None,
        quantity: row.size,
    })
}
