//! How a position ends (B-13…B-22).

use super::super::{ExitDecision, ExitReason, Mark, Side, TargetFill, TargetGap};
use super::Engine;
use super::costs::Order;
use super::entry::Entry;
use super::finer::{Orders, Piece};

/// The end of a position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exit {
    /// The last bar it was held in.
    pub bar: usize,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Price before costs, in the shares of the exit's session.
    pub price: f64,
    /// What a price in the shares of the entry's session is multiplied with to be in those of the exit's.
    pub unit: f64,
    pub reason: ExitReason,
    pub decision: ExitDecision,
    /// Whether it was filled at an open beyond a level.
    pub gap: bool,
    /// Whether a target it was left at was certainly traded beyond.
    pub beyond_target: bool,
    /// Whether there was no bar when the clock asked for it.
    pub late: bool,
    /// Signal bars it was held in.
    pub held: u32,
    /// Highest and lowest price while it was open, in the shares of the entry's session.
    pub high: f64,
    pub low: f64,
    /// The part of it that was closed before.
    pub part: Option<Part>,
}

impl Exit {
    /// How the order that ended it was filled.
    pub fn order(&self) -> Order {
        if self.reason == ExitReason::TargetHit { Order::Limit } else { Order::Market }
    }
}

/// A part of a position that was closed at a first gain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Quantity, in the shares of the entry's session.
    pub quantity: f64,
    /// Price before costs, in the shares of the session it was closed in.
    pub price: f64,
    /// As in [`Exit`].
    pub unit: f64,
}

/// An open position, in the shares of the session it has come to.
#[derive(Debug)]
struct Position {
    orders: Orders,
    /// What the order at the stop is.
    stop_reason: ExitReason,
    entry: f64,
    risk: f64,
    /// Distance at which the stop follows.
    trail: Option<f64>,
    high: f64,
    low: f64,
    unit: f64,
    session: u32,
    held: u32,
    part: Option<Part>,
    part_due: bool,
}

impl Position {
    fn see(&mut self, price: f64) {
        (self.high, self.low) = (self.high.max(price), self.low.min(price));
    }

    /// The best gain so far, in price.
    fn best_gain(&self) -> f64 {
        match self.orders.side {
            Side::Long => self.high - self.entry,
            Side::Short => self.entry - self.low,
        }
    }

    /// Moves the stop if that brings it nearer.
    fn tighten(&mut self, stop: f64, reason: ExitReason) {
        let nearer = match self.orders.side {
            Side::Long => stop > self.orders.stop,
            Side::Short => stop < self.orders.stop,
        };
        if nearer {
            (self.orders.stop, self.stop_reason) = (stop, reason);
        }
    }

    /// The price a gain leads to.
    fn at_gain(&self, gain: f64) -> f64 {
        self.entry + self.orders.side.sign() * gain
    }
}

/// What decides the end within a bar.
struct End {
    at_ms: i64,
    price: f64,
    reason: ExitReason,
}

impl Engine<'_> {
    /// Holds a position until it ends. `marks` takes what it was worth at the end of each bar before its last, in the shares of
    /// the entry's session; without it neither the moment nor the extremes within the last bar are looked for.
    pub fn walk(&self, entry: &Entry, fill: TargetFill, mut marks: Option<&mut Vec<Mark>>) -> Exit {
        let bars = self.bars;
        let mut position = self.open(entry, fill);
        let mut scheduled_ms = self.scheduled_ms(position.session);
        let mut bar = entry.bar;
        loop {
            if bars.session[bar] != position.session {
                self.enter_session(&mut position, bars.session[bar]);
                if !self.overnight {
                    return self.late(position, bar);
                }
                scheduled_ms = self.scheduled_ms(position.session);
            }
            let first = bar == entry.bar;
            let mut seen =
                Piece { end_ms: bars.end_ms[bar], high: bars.high[bar], low: bars.low[bar], close: bars.close[bar] };
            let mut due = seen.end_ms == scheduled_ms;
            let mut late = false;
            if seen.end_ms > scheduled_ms {
                due = true;
                match self.piece(bar, scheduled_ms) {
                    Some(piece) => seen = piece,
                    None if first => late = true,
                    None => return self.late(position, bar),
                }
            }
            position.held += 1;
            if !first || entry.before_open {
                // An open at a level is a touch of it.
                if position.orders.touched(bars.high[bar], bars.low[bar]) != (false, false)
                    && let Some(end) = self.gap(&position, bar)
                {
                    let beyond_target = position.orders.traded_beyond_target(bars.open[bar], bars.open[bar]);
                    return Exit { gap: true, beyond_target, ..Self::exit(position, bar, &end) };
                }
                self.close_part(&mut position, entry, bar);
            }
            if position.orders.touched(seen.high, seen.low) != (false, false) {
                return self.intrabar(position, bar, &seen, marks.is_some());
            }
            position.see(seen.high);
            position.see(seen.low);
            let timed_out = position.held >= entry.max_bars;
            if due || timed_out {
                let reason = if timed_out && !late { ExitReason::MaxHold } else { ExitReason::Eod };
                let end = End { at_ms: seen.end_ms, price: seen.close, reason };
                return Exit { late, ..Self::exit(position, bar, &end) };
            }
            let Some(next) = self.next(bar) else {
                let end = End { at_ms: seen.end_ms, price: seen.close, reason: ExitReason::DataEnd };
                return Self::exit(position, bar, &end);
            };
            if let Some(marks) = marks.as_deref_mut() {
                let close = Self::worth(position.part, entry.quantity, seen.close / position.unit);
                marks.push(Mark { end_ms: seen.end_ms, close });
            }
            bar = if self.manages {
                self.manage(&mut position);
                next
            } else {
                self.pass_quiet(&mut position, entry, next, scheduled_ms, marks.as_deref_mut())
            };
        }
    }

    /// Passes over bars, from one on that exists for this run, at which nothing can happen: they touch no level, and neither the clock nor the data ends
    /// with them. The bar after those. Most bars of a run are passed here.
    fn pass_quiet(
        &self,
        position: &mut Position,
        entry: &Entry,
        from: usize,
        scheduled_ms: i64,
        marks: Option<&mut Vec<Mark>>,
    ) -> usize {
        let bars = self.bars;
        if self.overnight {
            return from;
        }
        // The last bar it may be held for, and the last there is, are looked at.
        let most = entry.max_bars.saturating_sub(position.held + 1) as usize;
        let until = from.saturating_add(most).min(bars.len() - 1).max(from);
        let orders = position.orders;
        let (mut high, mut low) = (position.high, position.low);
        // Those that end before the clock asks are of this session and these hours.
        let quiet = bars.end_ms[from..until].iter().zip(&bars.high[from..until]).zip(&bars.low[from..until]);
        let mut passed = quiet
            .take_while(|((end_ms, highest), lowest)| {
                **end_ms < scheduled_ms && orders.touched(**highest, **lowest) == (false, false)
            })
            .map(|((_, highest), lowest)| (high, low) = (high.max(*highest), low.min(*lowest)))
            .count();
        // Where these hours end without what the clock asks for, the last of them is looked at: whether there is another bar.
        if !self.in_scope(bars, from + passed) {
            passed -= 1;
        }
        (position.high, position.low) = (high, low);
        position.held += passed as u32;
        if let Some(marks) = marks {
            let passed = from..from + passed;
            let closes = bars.end_ms[passed.clone()].iter().zip(&bars.close[passed]);
            let worth = |close: f64| Self::worth(position.part, entry.quantity, close / position.unit);
            marks.extend(closes.map(|(end_ms, close)| Mark { end_ms: *end_ms, close: worth(*close) }));
        }
        from + passed
    }

    /// The mean price of a position's parts, closed and open, in the shares of its entry's session.
    pub fn worth(part: Option<Part>, quantity: f64, price: f64) -> f64 {
        part.map_or(price, |part| {
            let share = part.quantity / quantity;
            share * (part.price / part.unit) + (1.0 - share) * price
        })
    }

    fn open(&self, entry: &Entry, fill: TargetFill) -> Position {
        let levels = entry.levels;
        Position {
            orders: Orders { side: entry.side, stop: levels.stop, target: levels.target, fill },
            stop_reason: ExitReason::StopHit,
            entry: entry.price,
            risk: levels.risk,
            trail: self.rules.trail_atr.zip(entry.atr).map(|(share, atr)| share * atr),
            high: entry.price,
            low: entry.price,
            unit: 1.0,
            session: self.bars.session[entry.bar],
            held: 0,
            part: None,
            part_due: false,
        }
    }

    /// When a session's positions are closed: the time to be flat if a bar can end there, else the end of the last slot before.
    fn scheduled_ms(&self, session: u32) -> i64 {
        if self.overnight {
            return i64::MAX;
        }
        let clock = self.data.sessions.get(session);
        let flat_ms = self.flat_ms(session);
        if flat_ms == clock.close_ms {
            return flat_ms;
        }
        let into_slot = (flat_ms - clock.open_ms) % self.slot_ms;
        if into_slot == 0 || self.finer(clock.open_ms, clock.close_ms).is_some() {
            return flat_ms;
        }
        flat_ms - into_slot
    }

    /// Converts a position into the shares of a session it has come to.
    fn enter_session(&self, position: &mut Position, session: u32) {
        let convert = |price: f64| self.data.price_at(price, position.session, session);
        let Orders { side, stop, target, fill } = position.orders;
        position.orders = Orders { side, stop: convert(stop), target: convert(target), fill };
        position.entry = convert(position.entry);
        position.risk = convert(position.risk);
        position.trail = position.trail.map(convert);
        position.high = convert(position.high);
        position.low = convert(position.low);
        position.unit = convert(position.unit);
        position.session = session;
    }

    /// An open at or beyond a level.
    fn gap(&self, position: &Position, bar: usize) -> Option<End> {
        let (at_ms, open) = (self.bars.start_ms[bar], self.bars.open[bar]);
        let orders = &position.orders;
        if orders.at_stop(open) {
            return Some(End { at_ms, price: open, reason: position.stop_reason });
        }
        let price = match self.settings.target_gap {
            TargetGap::Open => open,
            TargetGap::Level => orders.target,
        };
        orders.at_target(open).then_some(End { at_ms, price, reason: ExitReason::TargetHit })
    }

    /// Closes the part of a position that a bar before asked for, at an open.
    fn close_part(&self, position: &mut Position, entry: &Entry, bar: usize) {
        if std::mem::take(&mut position.part_due) {
            let quantity = self.costs.lots(entry.quantity / 2.0);
            let part = Part { quantity, price: self.bars.open[bar], unit: position.unit };
            position.part = (quantity > 0.0).then_some(part);
        }
    }

    /// What a bar that the position outlived asks of the next one (B-20).
    fn manage(&self, position: &mut Position) {
        let rules = self.rules;
        let gain = position.best_gain();
        let reached = |r: f64| gain >= r * position.risk;
        if rules.partial_at_r.is_some_and(reached) && position.part.is_none() {
            position.part_due = true;
        }
        let break_even = rules.breakeven_at_r.is_some_and(reached);
        let trail = position.trail.filter(|_| reached(1.0));
        if break_even {
            position.tighten(position.entry, ExitReason::BreakEven);
        }
        if let Some(distance) = trail {
            position.tighten(position.at_gain(gain - distance), ExitReason::Trail);
        }
    }

    /// A bar, or what was seen of it, that touches stop, target or both.
    fn intrabar(&self, mut position: Position, bar: usize, seen: &Piece, traced: bool) -> Exit {
        let (orders, until_ms) = (position.orders, seen.end_ms);
        let (stop, decision) = match orders.touched(seen.high, seen.low) {
            (true, true) => {
                let first = self.first(bar, until_ms, &orders);
                (first.stop, first.decision)
            }
            (stop, _) => (stop, ExitDecision::Certain),
        };
        let beyond_target = decision == ExitDecision::Certain && orders.traded_beyond_target(seen.high, seen.low);
        let mut at_ms = self.bars.start_ms[bar];
        if traced {
            let trace = self.trace(bar, until_ms, &orders, stop);
            at_ms = trace.at_ms;
            position.see(trace.high);
            position.see(trace.low);
        }
        let (price, reason) =
            if stop { (orders.stop, position.stop_reason) } else { (orders.target, ExitReason::TargetHit) };
        Exit { decision, beyond_target, ..Self::exit(position, bar, &End { at_ms, price, reason }) }
    }

    /// Closes a position at the first price after the time it was to be closed at (B-19).
    fn late(&self, mut position: Position, bar: usize) -> Exit {
        position.held += 1;
        // With finer bars the open of this one may be later than its start.
        let finer = self.finer(self.bars.start_ms[bar], self.bars.end_ms[bar]);
        let at_ms = finer.map_or(self.bars.start_ms[bar], |(bars, places)| bars.start_ms[places.start]);
        let end = End { at_ms, price: self.bars.open[bar], reason: ExitReason::Eod };
        Exit { late: true, ..Self::exit(position, bar, &end) }
    }

    fn exit(mut position: Position, bar: usize, end: &End) -> Exit {
        position.see(end.price);
        Exit {
            bar,
            at_ms: end.at_ms,
            price: end.price,
            unit: position.unit,
            reason: end.reason,
            decision: ExitDecision::Certain,
            gap: false,
            beyond_target: false,
            late: false,
            held: position.held,
            high: position.high / position.unit,
            low: position.low / position.unit,
            part: position.part,
        }
    }
}
