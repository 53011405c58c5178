//! What became of signals and bars, counted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Input;

/// Signals that a gate turned away, by gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Score too low.
    pub score: u64,
    /// Reward over risk too low.
    pub min_rr: u64,
    /// Too soon after an exit.
    pub cooldown: u64,
    /// The session has had its trades, or the level its one.
    pub session_limit: u64,
    /// A position was open.
    pub concurrency: u64,
    /// The portfolio had no room. Never changes the study.
    pub portfolio: u64,
    /// The quantity came to nothing.
    pub size: u64,
}

/// Signals without a bar to enter at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unfilled {
    /// The session had no bar left.
    pub session_end: u64,
    /// The data had none left.
    pub data_end: u64,
    /// The next slots had no bar.
    pub no_bar: u64,
}

/// What became of signals and bars. `signals` = `accepted` + the gates of the study (all of `rejected` but `portfolio`) +
/// `unfilled` + `invalid_at_open`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Bars whose conditions were met.
    pub signals: u64,
    /// Those that became trades.
    pub accepted: u64,
    /// Those that a gate turned away.
    pub rejected: Rejected,
    /// Those without a bar to enter at.
    pub unfilled: Unfilled,
    /// Those whose entry open lay beyond stop or target already.
    pub invalid_at_open: u64,
    /// Exits at an open beyond the level.
    pub gap_exits: u64,
    /// Bars that touched stop and target.
    pub both_touched: u64,
    /// Those that finer bars decided.
    pub resolved_finer: u64,
    /// Those that the rule decided.
    pub ambiguous: u64,
    /// Exits by the clock that had no bar at their time.
    pub late_flat: u64,
    /// Positions open at the end of the data.
    pub open_at_end: u64,
    /// Signal bars of the period.
    pub bars_total: u64,
    /// Those with all required inputs.
    pub bars_evaluable: u64,
    /// The others, by the first input they lack.
    pub not_evaluable: BTreeMap<Input, u64>,
}

impl Counters {
    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.accepted += other.accepted;
        self.rejected.score += other.rejected.score;
        self.rejected.min_rr += other.rejected.min_rr;
        self.rejected.cooldown += other.rejected.cooldown;
        self.rejected.session_limit += other.rejected.session_limit;
        self.rejected.concurrency += other.rejected.concurrency;
        self.rejected.portfolio += other.rejected.portfolio;
        self.rejected.size += other.rejected.size;
        self.unfilled.session_end += other.unfilled.session_end;
        self.unfilled.data_end += other.unfilled.data_end;
        self.unfilled.no_bar += other.unfilled.no_bar;
        self.invalid_at_open += other.invalid_at_open;
        self.gap_exits += other.gap_exits;
        self.both_touched += other.both_touched;
        self.resolved_finer += other.resolved_finer;
        self.ambiguous += other.ambiguous;
        self.late_flat += other.late_flat;
        self.open_at_end += other.open_at_end;
        self.bars_total += other.bars_total;
        self.bars_evaluable += other.bars_evaluable;
        for (input, bars) in &other.not_evaluable {
            *self.not_evaluable.entry(*input).or_default() += bars;
        }
    }

    /// Whether the counts of signals add up.
    pub const fn adds_up(&self) -> bool {
        let Rejected { score, min_rr, cooldown, session_limit, concurrency, portfolio: _, size } = self.rejected;
        let rejected = score + min_rr + cooldown + session_limit + concurrency + size;
        let unfilled = self.unfilled.session_end + self.unfilled.data_end + self.unfilled.no_bar;
        self.signals == self.accepted + rejected + unfilled + self.invalid_at_open
    }
}
