//! Rows of a file of signals on the bars of their symbol.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::super::{ExitPlan, Regime, SessionScope, Side, Signal, StopRule, SymbolData, TargetRule};
use super::{LevelUnit, SignalOptions, SignalRow};
use crate::model::{Session, Symbol};

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
    /// Rows that cannot be traded, by time.
    pub unmatched: Vec<Unmatched>,
}

/// A row that cannot be traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}, {symbol}: {reason}")]
pub struct Unmatched {
    /// Its line.
    pub line: u64,
    /// Its symbol.
    #[serde(serialize_with = "as_text")]
    pub symbol: Symbol,
    /// Why.
    #[serde(serialize_with = "as_text")]
    pub reason: UnmatchedReason,
}

fn as_text<S: Serializer>(value: &impl std::fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

impl Unmatched {
    /// A row, and why it cannot be traded.
    pub fn new(row: &SignalRow, reason: UnmatchedReason) -> Self {
        Self { line: row.line, symbol: row.symbol.clone(), reason }
    }
}

/// Why a row cannot be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum UnmatchedReason {
    /// The run looks at other symbols.
    #[error("its symbol is not among those of the run")]
    OtherSymbol,
    /// The symbol is one that nobody can hold.
    #[error("no positions are taken in its symbol, which nobody can hold")]
    NotTradable,
    /// The symbol has no bars in the row's session.
    #[error("there are no bars of its symbol in its session")]
    NoBars,
    /// No bar ends at its timestamp.
    #[error("no bar of the signal timeframe ends at its timestamp: a timestamp is the END of a bar")]
    NotABarEnd,
    /// It lies outside regular hours.
    #[error("its timestamp lies outside regular hours: use --session=all")]
    OutsideHours,
    /// The bar's session is not part of the run.
    #[error("its session is outside the run's period or universe")]
    OutsidePeriod,
    /// Its levels, or what fills slip by, are in ATR.
    #[error("there is no ATR at its bar, which its levels or --slippage-atr need: too few bars before it")]
    NoAtr,
    /// A level lies too far below the entry to be a price.
    #[error(
        "its {0} would lie at or below zero, its distance being the whole price or more: are levels what --signal-levels says?"
    )]
    BelowZero(&'static str),
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
            Err(reason) => matched.unmatched.push(Unmatched::new(row, reason)),
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
    if !data.instrument.tradable {
        return Err(UnmatchedReason::NotTradable);
    }
    let session = session(data, row.end_ms)?;
    let bars = data.bars(data.timeframe).ok_or(UnmatchedReason::NoBars)?;
    let bar = bars.end_ms.binary_search(&row.end_ms).map_err(|_| {
        let off_hours = |session| data.sessions.get(session).minute(row.end_ms).is_none();
        match session {
            // Bars outside the hours of the run are not read.
            Some(session) if scope == SessionScope::Regular && off_hours(session) => UnmatchedReason::OutsideHours,
            Some(session) if bars.session.binary_search(&session).is_err() => UnmatchedReason::NoBars,
            _ => UnmatchedReason::NotABarEnd,
        }
    })?;
    if scope == SessionScope::Regular && bars.hours[bar] != Session::Regular {
        return Err(UnmatchedReason::OutsideHours);
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
    // The level below the entry, which lies near the close. Indices can have prices that are not above zero.
    let (name, below) = match (row.side, stop, target) {
        (Side::Long, StopRule::Distance(distance), _) => ("stop", distance),
        (Side::Short, _, TargetRule::Distance(distance)) => ("target", distance),
        _ => ("", 0.0),
    };
    if bars.close[bar] > 0.0 && below >= bars.close[bar] {
        return Err(UnmatchedReason::BelowZero(name));
    }
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

/// The session of the run that an instant belongs to; `None` on a day within the period that is no session.
fn session(data: &SymbolData, end_ms: i64) -> Result<Option<u32>, UnmatchedReason> {
    let market = data.instrument.symbol.dataset().market();
    // What ends at midnight belongs to the day before.
    let instant = Timestamp::from_millisecond(end_ms - 1).map_err(|_| UnmatchedReason::OutsidePeriod)?;
    let (date, sessions) = (market.date_of(instant), &data.sessions);
    let is_tradable = |session: &u32| data.tradable[*session as usize];
    let places = || 0..sessions.len() as u32;
    match (sessions.index_of(date), places().find(is_tradable), places().rfind(is_tradable)) {
        (Some(session), ..) if is_tradable(&session) => Ok(Some(session)),
        (None, Some(first), Some(last)) if (sessions.get(first).date..sessions.get(last).date).contains(&date) => {
            Ok(None)
        }
        _ => Err(UnmatchedReason::OutsidePeriod),
    }
}
