//! What a detector, or a file of signals, asks the engine to trade.

use super::{Regime, Side};

/// Where the stop lies, as a distance from the open the trade is entered at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StopRule {
    /// At a level frozen at the signal, but no nearer than `min` and no farther than `max` (infinite: no bound).
    Level {
        /// The level, in price.
        level: f64,
        /// Smallest distance, in price.
        min: f64,
        /// Largest distance, in price.
        max: f64,
    },
    /// At a distance, in price.
    Distance(f64),
    /// As far as the target on the other side, but no nearer than `min`.
    MirrorsTarget {
        /// Smallest distance, in price.
        min: f64,
    },
}

/// Where the target lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TargetRule {
    /// At so many stop distances.
    R(f64),
    /// At a level frozen at the signal, but no farther than `cap` (infinite: no bound).
    Level {
        /// The level, in price.
        level: f64,
        /// Largest distance, in price.
        cap: f64,
    },
    /// At a distance, in price.
    Distance(f64),
    /// Nowhere: the trade ends by its stop or by the clock.
    None,
}

/// Distances from an entry price, both positive where they make sense.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distances {
    /// From entry to stop.
    pub stop: f64,
    /// From entry to target; infinite without one.
    pub target: f64,
}

/// How a trade is to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExitPlan {
    /// The stop.
    pub stop: StopRule,
    /// The target.
    pub target: TargetRule,
    /// Signal bars after which it is closed (entry bar = 1); `None`: no such limit.
    pub max_bars: Option<u32>,
}

impl ExitPlan {
    /// The distances from an entry. Negative or zero ones mean that the entry lies beyond the level already.
    pub fn distances(&self, side: Side, entry: f64) -> Distances {
        let beyond = |level: f64| side.sign() * (level - entry);
        let fixed_target = match self.target {
            TargetRule::Level { level, cap } => beyond(level).min(cap),
            TargetRule::Distance(distance) => distance,
            TargetRule::R(_) | TargetRule::None => f64::INFINITY,
        };
        let stop = match self.stop {
            StopRule::Level { level, min, max } => (-beyond(level)).min(max).max(min),
            StopRule::Distance(distance) => distance,
            StopRule::MirrorsTarget { min } => fixed_target.max(min),
        };
        let target = if let TargetRule::R(r) = self.target { r * stop } else { fixed_target };
        Distances { stop, target }
    }
}

/// A price level that is traded once per session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OnceLevel {
    /// The level, in price.
    pub level: f64,
    /// Levels nearer than this count as the same.
    pub within: f64,
}

/// A wish to enter at the open after a bar. Its conditions are met; the gates are the engine's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// Place of the bar in the signal series. The signal is known at its end.
    pub bar: usize,
    /// Which way.
    pub side: Side,
    /// 0 to 100.
    pub score: f64,
    /// How it is to end.
    pub plan: ExitPlan,
    /// ATR at the signal, in price; `None` for signals from a file on bars that have none yet.
    pub atr: Option<f64>,
    /// Kind of market at the signal.
    pub regime: Option<Regime>,
    /// Level of VIX at the signal.
    pub vix: Option<f64>,
    /// A level that is traded once per session.
    pub once: Option<OnceLevel>,
    /// Shares to trade in the study, where a file of signals names them.
    pub quantity: Option<f64>,
}
