//! Which signals are traded (detectors.md §5).

use super::super::{Bars, Signal, TradeRules};

/// A gate a signal failed at. Inputs and conditions are the detector's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Score,
    MinRr,
    Cooldown,
    SessionLimit,
    Concurrency,
}

/// What the gates remember of the trades so far.
#[derive(Debug, Default)]
pub(super) struct Gates {
    /// Session of the last trade's signal.
    session: Option<u32>,
    /// Trades of that session.
    trades: u32,
    /// Levels traded in it.
    levels: Vec<f64>,
    /// The bar the last position was left in: signals of earlier bars find it open.
    open_until: usize,
    /// When it was left, milliseconds since the Unix epoch.
    exit_ms: Option<i64>,
}

impl Gates {
    /// How far below the limit reward over risk may lie for an error of arithmetic.
    const TOLERANCE: f64 = 1e-9;

    /// The first gate a signal fails at, in the order of the specification.
    pub fn pass(&self, signal: &Signal, bars: &Bars, rules: &TradeRules) -> Result<(), Gate> {
        let is = |passed: bool, gate: Gate| if passed { Ok(()) } else { Err(gate) };
        is(signal.score >= rules.min_score, Gate::Score)?;
        let distances = signal.plan.distances(signal.side, bars.close[signal.bar]);
        let worth_it = distances.stop > 0.0 && distances.target / distances.stop >= rules.min_rr - Self::TOLERANCE;
        is(rules.min_rr <= 0.0 || worth_it, Gate::MinRr)?;
        let open = signal.bar < self.open_until;
        // The exit of a position that is still open is not known yet.
        let since_exit = self.exit_ms.filter(|_| !open).map(|exit| bars.end_ms[signal.bar] - exit);
        let cooled = since_exit.is_none_or(|elapsed| elapsed >= i64::from(rules.cooldown_minutes) * 60_000);
        is(cooled, Gate::Cooldown)?;
        if self.session == Some(bars.session[signal.bar]) {
            let traded =
                signal.once.is_some_and(|once| self.levels.iter().any(|l| (l - once.level).abs() <= once.within));
            is(self.trades < rules.max_trades_per_session && !traded, Gate::SessionLimit)?;
        } else {
            is(rules.max_trades_per_session > 0, Gate::SessionLimit)?;
        }
        is(!open, Gate::Concurrency)
    }

    /// Remembers that a signal was traded, in which bar that ended, and when.
    pub fn taken(&mut self, signal: &Signal, bars: &Bars, open_until: usize, exit_ms: i64) {
        let session = bars.session[signal.bar];
        if self.session != Some(session) {
            (self.session, self.trades) = (Some(session), 0);
            self.levels.clear();
        }
        self.trades += 1;
        self.levels.extend(signal.once.map(|once| once.level));
        (self.open_until, self.exit_ms) = (open_until, Some(exit_ms));
    }
}
