//! The study of one detector on one symbol: which signals become trades, and how each of them ends. No money is involved; what
//! an account could have taken of it is the portfolio's question.
//!
//! The engine goes from signal to signal and from an entry to its exit, never over bars at which nothing can happen.

mod costs;
mod entry;
mod finer;
mod gates;
mod random;
mod record;
mod walk;

#[cfg(test)]
mod costs_tests;
#[cfg(test)]
mod entry_tests;
#[cfg(test)]
mod exit_tests;
#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod random_tests;

pub use random::{RandomControl, random_control};

pub(super) use costs::Costs;

use self::entry::Unentered;
use self::gates::{Gate, Gates};
use super::{
    Bars, CostSettings, Counters, EngineSettings, ExitDecision, ExitReason, SessionScope, Signal, SymbolData, Trade,
    TradeRules,
};
use crate::model::Session;

/// Value of a trade of the study in the symbol's currency where no signal names a quantity: as many shares as it buys at the
/// entry, rounded down to the lot, at least one lot. Commissions per share and their minimum need a size; R, percentages and
/// everything made of them hardly depend on which.
pub const STUDY_VALUE: f64 = 10_000.0;

/// Trades one detector's signals on one symbol, by time of entry.
///
/// `signals` ascend by bar. Those on sessions that are not `tradable` are outside the run: neither traded nor counted. All
/// others are counted in `counters`, with what became of them.
///
/// With [`SessionScope::Regular`] bars outside regular hours do not exist. With [`SessionScope::All`] a session is a trading
/// date with all its bars; positions are closed at the regular close nevertheless unless they are held overnight, and nothing
/// is entered after it.
///
/// Prices of a trade are in the shares of its entry's session, also when it ends after a split.
pub fn trade(
    data: &SymbolData,
    detector: &'static str,
    signals: &[Signal],
    rules: &TradeRules,
    settings: &EngineSettings,
    costs: &CostSettings,
    counters: &mut Counters,
) -> Vec<Trade> {
    debug_assert!(signals.is_sorted_by_key(|signal| signal.bar), "Invariant: signals ascend");
    debug_assert!(
        !costs.needs_atr() || signals.iter().all(|signal| signal.atr.is_some()),
        "Invariant: fills that slip by ATR know it"
    );
    let engine = Engine::new(data, rules, settings, costs);
    let mut gates = Gates::default();
    let mut marks = Vec::new();
    let mut trades = Vec::new();
    for signal in signals {
        if !data.tradable[engine.bars.session[signal.bar] as usize] {
            continue;
        }
        counters.signals += 1;
        if let Err(gate) = gates.pass(signal, engine.bars, rules) {
            let rejected = &mut counters.rejected;
            match gate {
                Gate::Score => rejected.score += 1,
                Gate::MinRr => rejected.min_rr += 1,
                Gate::Cooldown => rejected.cooldown += 1,
                Gate::SessionLimit => rejected.session_limit += 1,
                Gate::Concurrency => rejected.concurrency += 1,
            }
            continue;
        }
        let entry = match engine.enter(signal) {
            Ok(entry) => entry,
            Err(unentered) => {
                match unentered {
                    Unentered::SessionEnd => counters.unfilled.session_end += 1,
                    Unentered::DataEnd => counters.unfilled.data_end += 1,
                    Unentered::NoBar => counters.unfilled.no_bar += 1,
                    Unentered::InvalidAtOpen => counters.invalid_at_open += 1,
                    Unentered::Size => counters.rejected.size += 1,
                }
                continue;
            }
        };
        counters.accepted += 1;
        marks.clear();
        let exit = engine.walk(&entry, settings.target_fill, Some(&mut marks));
        counters.gap_exits += u64::from(exit.gap);
        counters.late_flat += u64::from(exit.late);
        match exit.decision {
            ExitDecision::Certain => {}
            ExitDecision::Drilled => counters.resolved_finer += 1,
            ExitDecision::Assumed => counters.ambiguous += 1,
        }
        counters.both_touched += u64::from(exit.decision != ExitDecision::Certain);
        let open_at_end = exit.reason == ExitReason::DataEnd;
        counters.open_at_end += u64::from(open_at_end);
        let until = if open_at_end { engine.bars.len() } else { exit.bar };
        gates.taken(signal, engine.bars, until, exit.at_ms);
        trades.push(engine.record(detector, signal, &entry, &exit, &mut marks));
    }
    trades
}

/// Everything that trading a symbol depends on.
#[derive(Debug)]
struct Engine<'a> {
    data: &'a SymbolData,
    bars: &'a Bars,
    rules: &'a TradeRules,
    settings: &'a EngineSettings,
    costs: Costs,
    /// Length of a slot, milliseconds; more than any session for bars of whole sessions.
    slot_ms: i64,
    /// Whether positions stay open over the close.
    overnight: bool,
    /// Whether bars outside regular hours do not exist.
    regular_only: bool,
    /// Whether a bar that a position outlives can change it.
    manages: bool,
}

impl<'a> Engine<'a> {
    fn new(data: &'a SymbolData, rules: &'a TradeRules, settings: &'a EngineSettings, costs: &CostSettings) -> Self {
        Self {
            data,
            bars: data.signal_bars(),
            rules,
            settings,
            costs: Costs::new(costs, data.instrument.tick),
            slot_ms: data.timeframe.minutes().map_or(i64::MAX, |minutes| i64::from(minutes) * 60_000),
            overnight: rules.hold_overnight && settings.hold_overnight,
            regular_only: settings.session == SessionScope::Regular,
            manages: [rules.breakeven_at_r, rules.partial_at_r, rules.trail_atr].iter().any(Option::is_some),
        }
    }

    /// Whether a bar exists for this run.
    fn in_scope(&self, bars: &Bars, bar: usize) -> bool {
        !self.regular_only || bars.hours[bar] == Session::Regular
    }

    /// The next bar that exists for this run.
    fn next(&self, bar: usize) -> Option<usize> {
        (bar + 1..self.bars.len()).find(|next| self.in_scope(self.bars, *next))
    }

    /// When positions of a session have to be closed; never for those that are held overnight.
    fn flat_ms(&self, session: u32) -> i64 {
        if self.overnight {
            return i64::MAX;
        }
        self.data.sessions.get(session).close_ms - i64::from(self.rules.flat_before_close_minutes) * 60_000
    }
}
