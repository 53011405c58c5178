//! A trade as it is reported, and what it brought after costs.

use super::super::{ExitDecision, ExitReason, FillMode, Mark, Outcome, Side, Signal, TargetFill, Trade};
use super::Engine;
use super::costs::Order;
use super::entry::Entry;
use super::walk::{Exit, Part};

/// What a position brought. Prices are in the shares of the entry's session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub entry_price: f64,
    pub raw_exit: f64,
    pub exit_price: f64,
    pub gross: f64,
    pub net: f64,
}

impl Engine<'_> {
    /// Settles a position that is left at a price in the shares of the exit's session.
    pub fn settle(&self, entry: &Entry, exit: &Exit, price: f64, order: Order) -> Settled {
        let costs = &self.costs;
        let long = entry.side == Side::Long;
        let quantity = entry.quantity;
        let rest = quantity - exit.part.map_or(0.0, |part| part.quantity);
        // A position that is still open is marked, not sold.
        let sold = exit.reason != ExitReason::DataEnd;
        let leave = |price: f64, unit: f64, order: Order| {
            if sold { costs.price(price, !long, order, entry.atr.map(|atr| atr * unit)) / unit } else { price / unit }
        };
        let entry_price = costs.price(entry.price, long, Order::Market, entry.atr);
        let mut commission = costs.commission(quantity, entry.price);
        if sold {
            commission += costs.commission(rest / exit.unit, price);
        }
        let mut exit_price = leave(price, exit.unit, order);
        if let Some(Part { quantity: closed, price, unit }) = exit.part {
            commission += costs.commission(closed / unit, price);
            let closed_at = costs.price(price, !long, Order::Market, entry.atr.map(|atr| atr * unit)) / unit;
            exit_price = (closed_at * closed + exit_price * rest) / quantity;
        }
        let nights = if long { 0 } else { self.nights(entry, exit) };
        let borrow = costs.borrow(quantity * entry.price, nights);
        let raw_exit = Self::worth(exit.part, quantity, price / exit.unit);
        let gain = |from: f64, to: f64| entry.side.sign() * (to - from) * quantity;
        let net = gain(entry_price, exit_price) - commission - borrow;
        Settled { entry_price, raw_exit, exit_price, gross: gain(entry.price, raw_exit), net }
    }

    /// Calendar days between the sessions of entry and exit.
    fn nights(&self, entry: &Entry, exit: &Exit) -> i64 {
        let [from, to] = [entry.bar, exit.bar].map(|bar| self.bars.session[bar]);
        if from == to {
            return 0;
        }
        let date = |session: u32| self.data.sessions.get(session).date;
        i64::from((date(to) - date(from)).get_days())
    }

    /// The trade of a position and its end. `marks` holds the closes before the last bar.
    pub fn record(
        &self,
        detector: &'static str,
        signal: &Signal,
        entry: &Entry,
        exit: &Exit,
        marks: &mut Vec<Mark>,
    ) -> Trade {
        let bars = self.bars;
        let settled = self.settle(entry, exit, exit.price, exit.order());
        let value = (entry.price * entry.quantity).abs();
        let risk = entry.levels.risk;
        let sign = entry.side.sign();
        marks.push(Mark { end_ms: bars.end_ms[exit.bar], close: settled.raw_exit });
        let [low_r, high_r] = [exit.low, exit.high].map(|price| sign * (price - entry.price) / risk);
        let same_close = self.settings.fill_mode == FillMode::SameClose;
        let mut flags = Vec::new();
        flags.extend(exit.late.then_some("late_flat"));
        flags.extend((exit.unit != 1.0).then_some("over_split"));
        flags.extend(exit.part.map(|_| "partial"));
        Trade {
            symbol: self.data.instrument.symbol.as_str().into(),
            detector,
            side: entry.side,
            signal_bar: signal.bar,
            signal_ms: bars.end_ms[signal.bar],
            entry_ms: if same_close { bars.end_ms[signal.bar] } else { bars.start_ms[entry.bar] },
            exit_ms: exit.at_ms,
            session: bars.session[entry.bar],
            exit_session: bars.session[exit.bar],
            raw_entry: entry.price,
            entry_price: settled.entry_price,
            stop_price: entry.levels.stop,
            target_price: Some(entry.levels.target).filter(|target| target.is_finite()),
            raw_exit: settled.raw_exit,
            exit_price: settled.exit_price,
            reason: exit.reason,
            decision: exit.decision,
            gap_exit: exit.gap,
            quantity: entry.quantity,
            gross_pnl: settled.gross,
            costs: settled.gross - settled.net,
            pnl: settled.net,
            pnl_pct: 100.0 * settled.net / value,
            r_multiple: settled.net / (entry.quantity * risk),
            bars_held: exit.held,
            mae_r: low_r.min(high_r).min(0.0),
            mfe_r: low_r.max(high_r).max(0.0),
            score: signal.score,
            atr: signal.atr,
            regime: signal.regime,
            vix: signal.vix,
            best: self.best(entry, exit),
            worst: self.worst(entry, exit),
            marks: marks.as_slice().into(),
            entry_volume: Some(entry.volume).filter(|volume| !volume.is_nan()),
            flags,
        }
    }

    /// The end if the target came first where that is not known.
    fn best(&self, entry: &Entry, exit: &Exit) -> Option<Box<Outcome>> {
        (exit.decision == ExitDecision::Assumed).then(|| {
            let target = entry.levels.target * exit.unit;
            Box::new(Self::outcome(entry, &self.settle(entry, exit, target, Order::Limit)))
        })
    }

    /// The end if the price had to trade beyond the target.
    fn worst(&self, entry: &Entry, exit: &Exit) -> Option<Box<Outcome>> {
        if exit.reason != ExitReason::TargetHit || exit.beyond_target {
            return None;
        }
        let through = self.walk(entry, TargetFill::Through, None);
        if through.bar == exit.bar && through.price == exit.price && through.reason == exit.reason {
            return None;
        }
        Some(Box::new(Self::outcome(entry, &self.settle(entry, &through, through.price, through.order()))))
    }

    fn outcome(entry: &Entry, settled: &Settled) -> Outcome {
        Outcome {
            raw_exit: settled.raw_exit,
            r_multiple: settled.net / (entry.quantity * entry.levels.risk),
            pnl: settled.net,
        }
    }
}
