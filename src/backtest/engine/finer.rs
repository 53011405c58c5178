//! What finer bars tell of the inside of a bar (B-17, B-18).

use std::ops::Range;

use super::super::{Bars, ExitDecision, Side, TargetFill};
use super::Engine;

/// Stop and target as orders, in the shares of a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Orders {
    pub side: Side,
    pub stop: f64,
    pub target: f64,
    pub fill: TargetFill,
}

impl Orders {
    /// Whether a price is at or beyond the stop.
    pub fn at_stop(&self, price: f64) -> bool {
        match self.side {
            Side::Long => price <= self.stop,
            Side::Short => price >= self.stop,
        }
    }

    /// Whether a price fills the target.
    pub fn at_target(&self, price: f64) -> bool {
        match (self.side, self.fill) {
            (Side::Long, TargetFill::Touch) => price >= self.target,
            (Side::Long, TargetFill::Through) => price > self.target,
            (Side::Short, TargetFill::Touch) => price <= self.target,
            (Side::Short, TargetFill::Through) => price < self.target,
        }
    }

    /// Whether prices between these reach the stop, and the target.
    pub fn touched(&self, high: f64, low: f64) -> (bool, bool) {
        match self.side {
            Side::Long => (self.at_stop(low), self.at_target(high)),
            Side::Short => (self.at_stop(high), self.at_target(low)),
        }
    }

    /// Whether prices between these lie beyond the target.
    pub fn traded_beyond_target(&self, high: f64, low: f64) -> bool {
        Self { fill: TargetFill::Through, ..*self }.touched(high, low).1
    }
}

/// Which of two levels came first.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    pub stop: bool,
    pub decision: ExitDecision,
}

/// The finer bars of a stretch of time, as one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub end_ms: i64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
}

/// A position's way through a bar up to the first touch of a level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace {
    /// Start of the finest bar that touches it.
    pub at_ms: i64,
    /// Highest and lowest price that were certainly reached before.
    pub high: f64,
    pub low: f64,
}

impl<'a> Engine<'a> {
    /// The finest bars that lie wholly in a stretch of time; `None` if no finer series has any there.
    pub fn finer(&self, from_ms: i64, to_ms: i64) -> Option<(&'a Bars, Range<usize>)> {
        let finer = self.data.series.iter().take_while(|(timeframe, _)| *timeframe < self.data.timeframe);
        finer.map(|(_, bars)| (bars, bars.first_from(from_ms))).find_map(|(bars, first)| {
            let last = first + bars.end_ms[first..].partition_point(|end| *end <= to_ms);
            (first < last).then_some((bars, first..last))
        })
    }

    /// The part of a bar before an instant, if finer bars show it.
    pub fn piece(&self, bar: usize, until_ms: i64) -> Option<Piece> {
        let (bars, places) = self.finer(self.bars.start_ms[bar], until_ms)?;
        let mut places = places.filter(|place| self.in_scope(bars, *place));
        let first = places.next()?;
        let one = |place: usize| Piece {
            end_ms: bars.end_ms[place],
            high: bars.high[place],
            low: bars.low[place],
            close: bars.close[place],
        };
        Some(places.fold(one(first), |piece, place| {
            let next = one(place);
            Piece { high: piece.high.max(next.high), low: piece.low.min(next.low), ..next }
        }))
    }

    /// Which level came first in a bar that touches both, up to an instant. A finer bar that opens at or beyond a level has
    /// decided for it. Where nothing shows it, the stop counts.
    pub fn first(&self, bar: usize, until_ms: i64, orders: &Orders) -> First {
        const ASSUMED: First = First { stop: true, decision: ExitDecision::Assumed };
        let drilled = |stop| First { stop, decision: ExitDecision::Drilled };
        let Some((bars, places)) = self.finer(self.bars.start_ms[bar], until_ms) else { return ASSUMED };
        for place in places.filter(|place| self.in_scope(bars, *place)) {
            let open = bars.open[place];
            if orders.at_stop(open) {
                return drilled(true);
            }
            if orders.at_target(open) {
                return drilled(false);
            }
            match orders.touched(bars.high[place], bars.low[place]) {
                (true, true) => return ASSUMED,
                (true, false) => return drilled(true),
                (false, true) => return drilled(false),
                (false, false) => {}
            }
        }
        ASSUMED
    }

    /// The way through a bar up to the first touch of the stop or of the target.
    pub fn trace(&self, bar: usize, until_ms: i64, orders: &Orders, stop: bool) -> Trace {
        let (start_ms, open) = (self.bars.start_ms[bar], self.bars.open[bar]);
        let whole = Trace { at_ms: start_ms, high: open, low: open };
        let Some((bars, places)) = self.finer(start_ms, until_ms) else { return whole };
        let mut way = whole;
        for place in places.filter(|place| self.in_scope(bars, *place)) {
            let (touches_stop, touches_target) = orders.touched(bars.high[place], bars.low[place]);
            if if stop { touches_stop } else { touches_target } {
                return Trace { at_ms: bars.start_ms[place], ..way };
            }
            (way.high, way.low) = (way.high.max(bars.high[place]), way.low.min(bars.low[place]));
        }
        whole
    }
}
