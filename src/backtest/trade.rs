//! What became of a signal.

use serde::Serialize;

use super::{Regime, Side};

/// Why a trade ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExitReason {
    /// The target was reached.
    TargetHit,
    /// The stop was reached.
    StopHit,
    /// It was held for as many bars as it may.
    MaxHold,
    /// The session ended, or the time to be flat had come.
    Eod,
    /// A stop that follows the price was reached.
    Trail,
    /// A stop moved to the entry was reached.
    BreakEven,
    /// Part of it was closed at a first gain; the rest went on.
    Partial,
    /// A signal asked for it.
    Signal,
    /// Capital was gone.
    Liquidation,
    /// The data ended: marked at the last close.
    DataEnd,
}

impl ExitReason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::TargetHit,
        Self::StopHit,
        Self::MaxHold,
        Self::Eod,
        Self::Trail,
        Self::BreakEven,
        Self::Partial,
        Self::Signal,
        Self::Liquidation,
        Self::DataEnd,
    ];

    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TargetHit => "TARGET_HIT",
            Self::StopHit => "STOP_HIT",
            Self::MaxHold => "MAX_HOLD",
            Self::Eod => "EOD",
            Self::Trail => "TRAIL",
            Self::BreakEven => "BREAK_EVEN",
            Self::Partial => "PARTIAL",
            Self::Signal => "SIGNAL",
            Self::Liquidation => "LIQUIDATION",
            Self::DataEnd => "DATA_END",
        }
    }
}

/// How it was decided that a trade ended there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitDecision {
    /// The open gapped, only one level was inside the bar, or the clock decided.
    Certain,
    /// Finer bars showed which of two levels came first.
    Drilled,
    /// Nothing showed it: the rule decided.
    Assumed,
}

/// An end of a trade, in money per unit of its quantity where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Price of the exit before costs.
    pub raw_exit: f64,
    /// Net gain over the initial stop distance.
    pub r_multiple: f64,
    /// Net gain, whole position.
    pub pnl: f64,
}

/// What a position was worth at the end of a signal bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// End of a signal bar, milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// Its close, in the shares of the entry's session. After a part of the position was closed: the mean of that part's exit
    /// and the close, by quantity, so that the gain is the same as of the whole at this price.
    pub close: f64,
}

/// One trade of the study: one symbol and detector alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Trade {
    /// The symbol's ticker.
    pub symbol: Box<str>,
    /// The detector's identifier, or the name of the file of signals.
    pub detector: &'static str,
    /// Which way.
    pub side: Side,
    /// Place of the signal bar in its series.
    pub signal_bar: usize,
    /// End of the signal bar, milliseconds since the Unix epoch.
    pub signal_ms: i64,
    /// Start of the bar it was entered at.
    pub entry_ms: i64,
    /// Start of the finest bar that showed the exit; the end of the bar for exits by the clock.
    pub exit_ms: i64,
    /// Place of the entry's session in the symbol's sessions.
    pub session: u32,
    /// The same of the exit.
    pub exit_session: u32,
    /// Open it was entered at, before costs.
    pub raw_entry: f64,
    /// Price after costs.
    pub entry_price: f64,
    /// Where the stop lay at first.
    pub stop_price: f64,
    /// Where the target lay; `None` without one.
    pub target_price: Option<f64>,
    /// Price of the exit before costs; the mean over parts where it was closed in parts.
    pub raw_exit: f64,
    /// Price after costs.
    pub exit_price: f64,
    /// Why it ended.
    pub reason: ExitReason,
    /// How that was decided.
    pub decision: ExitDecision,
    /// Whether the fill was at an open beyond the level.
    pub gap_exit: bool,
    /// Shares, contracts or points.
    pub quantity: f64,
    /// Gain before costs.
    pub gross_pnl: f64,
    /// All costs.
    pub costs: f64,
    /// Gain after costs.
    pub pnl: f64,
    /// In percent of raw entry × quantity.
    pub pnl_pct: f64,
    /// Gain after costs over the initial stop distance × quantity.
    pub r_multiple: f64,
    /// Signal bars held (entry bar = 1).
    pub bars_held: u32,
    /// Worst excursion in R (0 or less), from raw entry to exit.
    pub mae_r: f64,
    /// Best excursion in R (0 or more).
    pub mfe_r: f64,
    /// Score of the signal.
    pub score: f64,
    /// ATR at the signal.
    pub atr: Option<f64>,
    /// Kind of market at the signal.
    pub regime: Option<Regime>,
    /// Level of VIX at the signal.
    pub vix: Option<f64>,
    /// How it ends if, wherever it is not known, the target came first; `None` where that makes no difference.
    pub best: Option<Box<Outcome>>,
    /// How it ends if the stop came first and a target must be traded through; `None` where that makes no difference.
    pub worst: Option<Box<Outcome>>,
    /// By signal bar while it was open, for marking to the market; the last is the exit, at the end of its bar. Never empty.
    pub marks: Box<[Mark]>,
    /// Volume of the entry bar; `None` where there is none.
    pub entry_volume: Option<f64>,
    /// What else is to be known of it: `late_flat`, `over_split`, …
    pub flags: Vec<&'static str>,
}
