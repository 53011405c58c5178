//! Where a signal is filled (B-10…B-12).

use super::super::{ExitPlan, FillMode, Side, Signal, StopRule, TargetRule};
use super::{Engine, STUDY_VALUE};

/// Why a signal that passed the gates became no trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unentered {
    SessionEnd,
    DataEnd,
    NoBar,
    InvalidAtOpen,
    Size,
}

/// A position at its start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The first bar it is held in.
    pub bar: usize,
    pub side: Side,
    /// Price before costs.
    pub price: f64,
    /// Whether it exists before the open of its first bar.
    pub before_open: bool,
    pub levels: Levels,
    pub max_bars: u32,
    pub atr: Option<f64>,
    pub quantity: f64,
}

/// Stop and target of a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    pub stop: f64,
    /// Infinitely far away without one.
    pub target: f64,
    /// Distance from entry to stop.
    pub risk: f64,
}

impl Levels {
    /// The levels of a plan from an entry price; `None` if that lies at or beyond one of them.
    pub fn of(plan: &ExitPlan, side: Side, entry: f64) -> Option<Self> {
        let distances = plan.distances(side, entry);
        if !(distances.stop > 0.0 && distances.stop.is_finite() && distances.target > 0.0) {
            return None;
        }
        let sign = side.sign();
        // A level that nothing moved is taken as it is, not as the sum of the entry and a difference.
        let stop = match plan.stop {
            StopRule::Level { level, .. } if distances.stop == sign * (entry - level) => level,
            _ => entry - sign * distances.stop,
        };
        let target = match plan.target {
            TargetRule::Level { level, .. } if distances.target == sign * (level - entry) => level,
            _ => entry + sign * distances.target,
        };
        Some(Self { stop, target, risk: distances.stop })
    }
}

impl Engine<'_> {
    /// The position a signal leads to.
    pub fn enter(&self, signal: &Signal) -> Result<Entry, Unentered> {
        let bar = self.entry_bar(signal.bar)?;
        let before_open = self.settings.fill_mode == FillMode::SameClose;
        let price = if before_open { self.bars.close[signal.bar] } else { self.bars.open[bar] };
        let levels = Levels::of(&signal.plan, signal.side, price).ok_or(Unentered::InvalidAtOpen)?;
        let quantity = self.quantity(signal.quantity, price);
        if quantity <= 0.0 {
            return Err(Unentered::Size);
        }
        let max_bars = signal.plan.max_bars.unwrap_or(u32::MAX);
        Ok(Entry { bar, side: signal.side, price, before_open, levels, max_bars, atr: signal.atr, quantity })
    }

    /// The quantity of a trade of the study.
    pub fn quantity(&self, named: Option<f64>, price: f64) -> f64 {
        named.map_or_else(|| self.costs.worth(STUDY_VALUE, price), |quantity| self.costs.lots(quantity))
    }

    /// The next bar of the session, if it is near enough and before positions are closed.
    fn entry_bar(&self, signal: usize) -> Result<usize, Unentered> {
        let bars = self.bars;
        let session = bars.session[signal];
        let Some(next) = self.next(signal) else {
            let over = bars.end_ms[signal] >= self.data.sessions.get(session).close_ms;
            return Err(if over { Unentered::SessionEnd } else { Unentered::DataEnd });
        };
        if bars.session[next] != session || bars.start_ms[next] >= self.flat_ms(session) {
            return Err(Unentered::SessionEnd);
        }
        let empty_slots = (bars.start_ms[next] - bars.end_ms[signal]) / self.slot_ms;
        if empty_slots > i64::from(self.settings.entry_valid_bars) {
            return Err(Unentered::NoBar);
        }
        Ok(next)
    }
}
