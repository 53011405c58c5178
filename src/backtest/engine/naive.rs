//! The rules of the study, bar by bar and as they are written: slow, and made apart from the engine it is compared with.
//!
//! It only knows trades that gain when the price rises: for shorts all prices are turned around zero.

use super::super::{
    Bars, Counters, EngineSettings, ExitDecision, ExitReason, FillMode, SessionScope, Side, Signal, SymbolData,
    TargetFill, TargetGap, TradeRules,
};
use crate::model::{Session, Timeframe};

#[derive(Debug, Clone, Copy)]
struct OneBar {
    start: i64,
    end: i64,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    session: u32,
}

impl OneBar {
    fn seen_by(self, side: Side) -> Self {
        match side {
            Side::Long => self,
            Side::Short => Self { open: -self.open, high: -self.low, low: -self.high, close: -self.close, ..self },
        }
    }
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct NaiveTrade {
    pub signal_bar: usize,
    pub entry_ms: i64,
    pub exit_ms: i64,
    pub raw_entry: f64,
    pub raw_exit: f64,
    pub stop: f64,
    pub target: Option<f64>,
    pub reason: ExitReason,
    pub decision: ExitDecision,
    pub gap: bool,
    pub late: bool,
    pub held: u32,
    pub mae_r: f64,
    pub mfe_r: f64,
    pub marks: Vec<(i64, f64)>,
}

struct World<'a> {
    data: &'a SymbolData,
    bars: Vec<(usize, OneBar)>,
    finer: Vec<Vec<OneBar>>,
    slot: i64,
    overnight: bool,
    rules: &'a TradeRules,
    settings: &'a EngineSettings,
}

fn list(bars: &Bars, scope: SessionScope) -> Vec<(usize, OneBar)> {
    let one = |bar: usize| OneBar {
        start: bars.start_ms[bar],
        end: bars.end_ms[bar],
        open: bars.open[bar],
        high: bars.high[bar],
        low: bars.low[bar],
        close: bars.close[bar],
        session: bars.session[bar],
    };
    let exists = |bar: &usize| scope == SessionScope::All || bars.hours[*bar] == Session::Regular;
    (0..bars.len()).filter(exists).map(|bar| (bar, one(bar))).collect()
}

impl World<'_> {
    fn flat(&self, session: u32) -> i64 {
        let clock = self.data.sessions.get(session);
        if self.overnight {
            i64::MAX
        } else {
            clock.close_ms - i64::from(self.rules.flat_before_close_minutes) * 60_000
        }
    }

    /// When a position of a session is closed, as far as bars can show it.
    fn due(&self, session: u32) -> i64 {
        let clock = self.data.sessions.get(session);
        let flat = self.flat(session);
        if self.overnight || flat == clock.close_ms || !self.fine(clock.open_ms, clock.close_ms).is_empty() {
            return flat;
        }
        let mut slot_end = clock.open_ms;
        while slot_end + self.slot <= flat {
            slot_end += self.slot;
        }
        slot_end
    }

    fn fine(&self, from: i64, to: i64) -> Vec<OneBar> {
        let within = |bars: &Vec<OneBar>| -> Vec<_> {
            bars.iter().filter(|bar| from <= bar.start && bar.end <= to).copied().collect()
        };
        self.finer.iter().map(within).find(|bars| !bars.is_empty()).unwrap_or_default()
    }
}

struct Open {
    signal_bar: usize,
    entry_ms: i64,
    side: Side,
    before_open: bool,
    /// In the shares of the entry.
    entry: f64,
    first_stop: f64,
    first_target: f64,
    first_risk: f64,
    /// In the shares of the session it is in.
    now: [f64; 6],
    trail: Option<f64>,
    reason: ExitReason,
    session: u32,
    unit: f64,
    held: u32,
    max_bars: u32,
    part_due: bool,
    part: Option<f64>,
    marks: Vec<(i64, f64)>,
}

const ENTRY: usize = 0;
const STOP: usize = 1;
const TARGET: usize = 2;
const RISK: usize = 3;
const HIGH: usize = 4;
const LOW: usize = 5;

struct Done {
    at: i64,
    price: f64,
    reason: ExitReason,
    decision: ExitDecision,
    gap: bool,
    late: bool,
}

impl Open {
    fn fills_target(&self, price: f64, world: &World) -> bool {
        match world.settings.target_fill {
            TargetFill::Touch => price >= self.now[TARGET],
            TargetFill::Through => price > self.now[TARGET],
        }
    }

    fn live(&mut self, bar: &OneBar, world: &World) -> Option<Done> {
        let original = *bar;
        let bar = bar.seen_by(self.side);
        if bar.session != self.session {
            for price in self.now.iter_mut().chain(self.trail.as_mut()).chain([&mut self.unit]) {
                *price = world.data.price_at(*price, self.session, bar.session);
            }
            self.session = bar.session;
            if !world.overnight {
                return Some(self.late(&original, world));
            }
        }
        let due = world.due(self.session);
        let first = self.held == 0;
        let (mut seen, mut late) = (bar, false);
        if bar.end > due {
            let minutes = world.fine(bar.start, due);
            if let (Some(_), Some(last)) = (minutes.first(), minutes.last()) {
                let minutes: Vec<_> = minutes.iter().map(|minute| minute.seen_by(self.side)).collect();
                seen.high = minutes.iter().map(|minute| minute.high).fold(f64::MIN, f64::max);
                seen.low = minutes.iter().map(|minute| minute.low).fold(f64::MAX, f64::min);
                seen.close = last.seen_by(self.side).close;
                seen.end = last.end;
            } else if first {
                late = true;
            } else {
                return Some(self.late(&original, world));
            }
        }
        self.held += 1;
        let done =
            |at, price, reason| Done { at, price, reason, decision: ExitDecision::Certain, gap: false, late: false };
        if !first || self.before_open {
            if bar.open <= self.now[STOP] {
                self.see(bar.open);
                return Some(Done { gap: true, ..done(bar.start, bar.open, self.reason) });
            }
            if self.fills_target(bar.open, world) {
                let price = if world.settings.target_gap == TargetGap::Open { bar.open } else { self.now[TARGET] };
                self.see(price);
                return Some(Done { gap: true, ..done(bar.start, price, ExitReason::TargetHit) });
            }
            if self.part_due {
                self.part_due = false;
                self.part = Some(bar.open / self.unit);
            }
        }
        let (stop, target) = (seen.low <= self.now[STOP], self.fills_target(seen.high, world));
        if stop || target {
            return Some(self.inside(bar, seen.end, stop, target, world));
        }
        self.see(seen.high);
        self.see(seen.low);
        if self.held >= self.max_bars && !late {
            return Some(done(seen.end, seen.close, ExitReason::MaxHold));
        }
        if bar.end >= due {
            return Some(Done { late, ..done(seen.end, seen.close, ExitReason::Eod) });
        }
        let close = seen.close / self.unit;
        self.marks.push((seen.end, self.part.map_or(close, |part| f64::midpoint(part, close))));
        let gained = self.now[HIGH] - self.now[ENTRY];
        let r = |r: f64| r * self.now[RISK];
        if world.rules.partial_at_r.is_some_and(|at| gained >= r(at)) && self.part.is_none() {
            self.part_due = true;
        }
        if world.rules.breakeven_at_r.is_some_and(|at| gained >= r(at)) && self.now[STOP] < self.now[ENTRY] {
            (self.now[STOP], self.reason) = (self.now[ENTRY], ExitReason::BreakEven);
        }
        if let Some(trail) = self.trail.filter(|_| gained >= self.now[RISK]) {
            let follows = self.now[ENTRY] + (gained - trail);
            if follows > self.now[STOP] {
                (self.now[STOP], self.reason) = (follows, ExitReason::Trail);
            }
        }
        None
    }

    fn inside(&mut self, bar: OneBar, until: i64, stop: bool, target: bool, world: &World) -> Done {
        let minutes = world.fine(bar.start, until);
        let minutes: Vec<_> = minutes.into_iter().map(|minute| minute.seen_by(self.side)).collect();
        let touches = |minute: &OneBar| (minute.low <= self.now[STOP], self.fills_target(minute.high, world));
        let (stopped, decision) = if stop && target {
            let deciding = minutes.iter().find(|minute| touches(minute) != (false, false));
            match deciding
                .map(|minute| (minute.open <= self.now[STOP], self.fills_target(minute.open, world), touches(minute)))
            {
                None | Some((false, false, (true, true))) => (true, ExitDecision::Assumed),
                Some((true, ..)) => (true, ExitDecision::Drilled),
                Some((_, true, _)) => (false, ExitDecision::Drilled),
                Some((_, _, (stop, _))) => (stop, ExitDecision::Drilled),
            }
        } else {
            (stop, ExitDecision::Certain)
        };
        let ends_it = |minute: &OneBar| if stopped { touches(minute).0 } else { touches(minute).1 };
        let at = minutes.iter().position(ends_it);
        self.see(bar.open);
        if let Some(at) = at {
            for minute in &minutes[..at] {
                self.see(minute.high);
                self.see(minute.low);
            }
        }
        let price = if stopped { self.now[STOP] } else { self.now[TARGET] };
        self.see(price);
        let reason = if stopped { self.reason } else { ExitReason::TargetHit };
        Done { at: at.map_or(bar.start, |at| minutes[at].start), price, reason, decision, gap: false, late: false }
    }

    fn late(&mut self, bar: &OneBar, world: &World) -> Done {
        self.held += 1;
        let at = world.fine(bar.start, bar.end).first().map_or(bar.start, |minute| minute.start);
        let price = bar.seen_by(self.side).open;
        self.see(price);
        Done { at, price, reason: ExitReason::Eod, decision: ExitDecision::Certain, gap: false, late: true }
    }

    fn see(&mut self, price: f64) {
        self.now[HIGH] = self.now[HIGH].max(price);
        self.now[LOW] = self.now[LOW].min(price);
    }

    fn close(mut self, done: &Done, bar_end: i64) -> NaiveTrade {
        let sign = self.side.sign();
        let rest = done.price / self.unit;
        let exit = sign * self.part.map_or(rest, |part| f64::midpoint(part, rest));
        let mut marks: Vec<_> = self.marks.drain(..).map(|(end, price)| (end, sign * price)).collect();
        marks.push((bar_end, exit));
        let r = |price: f64| (price / self.unit - self.entry) / self.first_risk;
        NaiveTrade {
            signal_bar: self.signal_bar,
            entry_ms: self.entry_ms,
            exit_ms: done.at,
            raw_entry: sign * self.entry,
            raw_exit: exit,
            stop: sign * self.first_stop,
            target: Some(sign * self.first_target).filter(|target| target.is_finite()),
            reason: done.reason,
            decision: done.decision,
            gap: done.gap,
            late: done.late,
            held: self.held,
            mae_r: r(self.now[LOW]),
            mfe_r: r(self.now[HIGH]),
            marks,
        }
    }
}

#[derive(Default)]
struct Memory {
    session: Option<u32>,
    trades: u32,
    levels: Vec<f64>,
    exit: Option<i64>,
}

/// Trades signals, at most one per bar, without costs.
pub fn trade(
    data: &SymbolData,
    signals: &[Signal],
    rules: &TradeRules,
    settings: &EngineSettings,
) -> (Vec<NaiveTrade>, Counters) {
    let finer = data.series.iter().filter(|(timeframe, _)| *timeframe < data.timeframe);
    let world = World {
        data,
        bars: list(data.signal_bars(), settings.session),
        finer: finer.map(|(_, bars)| list(bars, settings.session).into_iter().map(|(_, bar)| bar).collect()).collect(),
        slot: i64::from(data.timeframe.minutes().unwrap_or(Timeframe::M15.minutes().unwrap())) * 60_000,
        overnight: rules.hold_overnight && settings.hold_overnight,
        rules,
        settings,
    };
    let (mut trades, mut counters, mut memory) = (Vec::new(), Counters::default(), Memory::default());
    let mut pending: Option<(&Signal, OneBar)> = None;
    let mut open: Option<Open> = None;
    for (place, bar) in &world.bars {
        if let Some((signal, at)) = pending.take() {
            open = enter(signal, &at, bar, &world, &mut counters);
            if open.is_some() {
                counters.accepted += 1;
                if memory.session != Some(at.session) {
                    memory = Memory { session: Some(at.session), exit: memory.exit, ..Memory::default() };
                }
                memory.trades += 1;
                memory.levels.extend(signal.once.map(|once| once.level));
            }
        }
        if let Some(mut position) = open.take() {
            match position.live(bar, &world) {
                None => open = Some(position),
                Some(done) => {
                    memory.exit = Some(done.at);
                    counters.gap_exits += u64::from(done.gap);
                    counters.late_flat += u64::from(done.late);
                    counters.both_touched += u64::from(done.decision != ExitDecision::Certain);
                    counters.resolved_finer += u64::from(done.decision == ExitDecision::Drilled);
                    counters.ambiguous += u64::from(done.decision == ExitDecision::Assumed);
                    trades.push(position.close(&done, bar.end));
                }
            }
        }
        let Some(signal) = signals.iter().find(|signal| signal.bar == *place) else { continue };
        if !data.tradable[bar.session as usize] {
            continue;
        }
        counters.signals += 1;
        if passes(signal, bar, open.is_some(), &memory, rules, &mut counters) {
            pending = Some((signal, *bar));
        }
    }
    if let Some((_, at)) = pending {
        let over = at.end >= data.sessions.get(at.session).close_ms;
        *(if over { &mut counters.unfilled.session_end } else { &mut counters.unfilled.data_end }) += 1;
    }
    if let Some(mut position) = open {
        let (_, bar) = world.bars[world.bars.len() - 1];
        counters.open_at_end += 1;
        position.marks.pop();
        let price = bar.seen_by(position.side).close;
        let done = Done {
            at: bar.end,
            price,
            reason: ExitReason::DataEnd,
            decision: ExitDecision::Certain,
            gap: false,
            late: false,
        };
        trades.push(position.close(&done, bar.end));
    }
    (trades, counters)
}

fn enter(signal: &Signal, at: &OneBar, bar: &OneBar, world: &World, counters: &mut Counters) -> Option<Open> {
    if bar.session != at.session || bar.start >= world.flat(at.session) {
        counters.unfilled.session_end += 1;
        return None;
    }
    let empty_slots = (bar.start - at.end) / world.slot;
    if empty_slots > i64::from(world.settings.entry_valid_bars) {
        counters.unfilled.no_bar += 1;
        return None;
    }
    let before_open = world.settings.fill_mode == FillMode::SameClose;
    let price = if before_open { at.close } else { bar.open };
    let distances = signal.plan.distances(signal.side, price);
    if distances.stop <= 0.0 || distances.target <= 0.0 {
        counters.invalid_at_open += 1;
        return None;
    }
    let entry = signal.side.sign() * price;
    let (stop, target) = (entry - distances.stop, entry + distances.target);
    Some(Open {
        signal_bar: signal.bar,
        entry_ms: if before_open { at.end } else { bar.start },
        side: signal.side,
        before_open,
        entry,
        first_stop: stop,
        first_target: target,
        first_risk: distances.stop,
        now: [entry, stop, target, distances.stop, entry, entry],
        trail: world.rules.trail_atr.zip(signal.atr).map(|(share, atr)| share * atr),
        reason: ExitReason::StopHit,
        session: bar.session,
        unit: 1.0,
        held: 0,
        max_bars: signal.plan.max_bars.unwrap_or(u32::MAX),
        part_due: false,
        part: None,
        marks: Vec::new(),
    })
}

fn passes(
    signal: &Signal,
    bar: &OneBar,
    open: bool,
    memory: &Memory,
    rules: &TradeRules,
    counters: &mut Counters,
) -> bool {
    let rejected = &mut counters.rejected;
    let distances = signal.plan.distances(signal.side, bar.close);
    let rr = if distances.stop > 0.0 { distances.target / distances.stop } else { f64::NEG_INFINITY };
    let same_session = memory.session == Some(bar.session);
    let trades = if same_session { memory.trades } else { 0 };
    let near = |once: super::super::OnceLevel| memory.levels.iter().any(|l| (l - once.level).abs() <= once.within);
    let failed = if signal.score < rules.min_score {
        &mut rejected.score
    } else if rules.min_rr > 0.0 && rr < rules.min_rr - 1e-9 {
        &mut rejected.min_rr
    } else if !open && memory.exit.is_some_and(|exit| bar.end < exit + i64::from(rules.cooldown_minutes) * 60_000) {
        &mut rejected.cooldown
    } else if trades >= rules.max_trades_per_session || same_session && signal.once.is_some_and(near) {
        &mut rejected.session_limit
    } else if open {
        &mut rejected.concurrency
    } else {
        return true;
    };
    *failed += 1;
    false
}
