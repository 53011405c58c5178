//! The engine against the naive one, and what must hold for any bars.

use fastrand::Rng;

use super::super::{
    Bars, Commission, CostSettings, Counters, EngineSettings, ExitPlan, ExitReason, FillMode, OnceLevel, SessionScope,
    Side, Signal, Slippage, StopRule, SymbolData, TargetFill, TargetGap, TargetRule, Trade, TradeRules,
};
use super::fixture::{Market, rules};
use super::naive::{self, NaiveTrade};
use super::trade;
use crate::model::Timeframe;

const SLOT: i64 = 15;

/// A market on a grid of quarters, so that levels are often just touched: with missing minutes, slots and whole hours before and
/// after, an early close, and sometimes a split.
fn market(rng: &mut Rng) -> SymbolData {
    let mut market = Market::new(Timeframe::M15);
    let stored_minutes = rng.u32(0..4);
    let stored_fives = rng.bool();
    let gaps = rng.f64() * 0.6;
    let mut price: f64 = 100.0;
    let split = rng.bool().then(|| rng.u32(1..6));
    let unfinished = rng.bool();
    let sessions = market.data.sessions.clone();
    for (session, clock) in sessions.iter().enumerate() {
        let session = session as u32;
        if split == Some(session) {
            let (from, to) = if rng.bool() { (1.0, 2.0) } else { (2.0, 1.0) };
            market.split(session, from, to);
            price = price * from / to;
        }
        price += f64::from(rng.i32(-12..=12)) * 0.25;
        let length = i64::from(clock.minutes());
        // Only the ends of the session, so that closes and nights are as frequent as anything else.
        let slots = (-2..6).chain(length / SLOT - 8..length / SLOT + 2);
        // The last session may not be over yet.
        let slots = slots.take(if unfinished && session + 1 == sessions.len() as u32 { 7 } else { usize::MAX });
        for slot in slots {
            if rng.f64() < 0.1 {
                continue;
            }
            let mut minutes = Vec::new();
            for minute in slot * SLOT..(slot + 1) * SLOT {
                if rng.f64() < gaps {
                    continue;
                }
                let mut path = [0.0; 4];
                for step in &mut path {
                    price = (price + f64::from(rng.i32(-2..=2)) * 0.25).max(20.0);
                    *step = price;
                }
                let high = path.iter().copied().fold(f64::MIN, f64::max);
                let low = path.iter().copied().fold(f64::MAX, f64::min);
                minutes.push((minute, [path[0], high, low, path[3]]));
            }
            if minutes.is_empty() {
                continue;
            }
            market.bar(Timeframe::M15, session, slot * SLOT, rolled(&minutes));
            for five in 0..3 {
                let from = slot * SLOT + five * 5;
                let part: Vec<_> =
                    minutes.iter().copied().filter(|(minute, _)| (from..from + 5).contains(minute)).collect();
                if stored_fives && !part.is_empty() {
                    market.bar(Timeframe::M5, session, from, rolled(&part));
                }
            }
            let stored = match stored_minutes {
                0 => false,
                1 => session.is_multiple_of(2),
                _ => true,
            };
            for (minute, ohlc) in minutes.into_iter().filter(|_| stored) {
                market.bar(Timeframe::M1, session, minute, ohlc);
            }
        }
    }
    market.data
}

fn rolled(bars: &[(i64, [f64; 4])]) -> [f64; 4] {
    let high = bars.iter().map(|(_, bar)| bar[1]).fold(f64::MIN, f64::max);
    let low = bars.iter().map(|(_, bar)| bar[2]).fold(f64::MAX, f64::min);
    [bars[0].1[0], high, low, bars[bars.len() - 1].1[3]]
}

fn quarters(rng: &mut Rng, range: std::ops::RangeInclusive<u32>) -> f64 {
    f64::from(rng.u32(range)) * 0.25
}

fn signals(rng: &mut Rng, bars: &Bars, scope: SessionScope) -> Vec<Signal> {
    let often = rng.f64() * 0.5;
    // Levels that are met at once, and levels that are hardly ever met.
    let reach = [1.0, 1.0, 4.0, 40.0][rng.usize(0..4)];
    let mut signals = Vec::new();
    for bar in 0..bars.len() {
        let exists = scope == SessionScope::All || bars.hours[bar] == crate::model::Session::Regular;
        if !exists || rng.f64() > often {
            continue;
        }
        let side = if rng.bool() { Side::Long } else { Side::Short };
        let at = |distance: f64| bars.close[bar] + side.sign() * distance;
        let (near, far) = (reach * quarters(rng, 0..=8), reach * quarters(rng, 0..=16));
        let stop = match rng.u32(0..3) {
            0 => StopRule::Distance(near),
            1 => StopRule::Level { level: at(-near), min: quarters(rng, 0..=2), max: quarters(rng, 2..=10) },
            _ => StopRule::MirrorsTarget { min: 0.25 },
        };
        let target = match rng.u32(0..4) {
            0 if !matches!(stop, StopRule::MirrorsTarget { .. }) => TargetRule::None,
            1 if !matches!(stop, StopRule::MirrorsTarget { .. }) => TargetRule::R(1.5),
            2 => TargetRule::Level { level: at(far), cap: quarters(rng, 4..=20) },
            _ => TargetRule::Distance(far),
        };
        signals.push(Signal {
            bar,
            side,
            score: f64::from(rng.u32(45..=100)),
            plan: ExitPlan { stop, target, max_bars: rng.bool().then(|| rng.u32(1..8)) },
            atr: rng.bool().then(|| quarters(rng, 1..=6)),
            regime: None,
            vix: None,
            once: rng.bool().then(|| OnceLevel { level: at(0.0), within: 0.25 }),
            quantity: None,
        });
    }
    signals
}

fn random_rules(rng: &mut Rng) -> TradeRules {
    let r = |rng: &mut Rng| rng.bool().then(|| quarters(rng, 1..=6));
    TradeRules {
        min_score: if rng.bool() { 55.0 } else { 0.0 },
        min_rr: if rng.bool() { 1.0 } else { 0.0 },
        cooldown_minutes: [0, 15, 30, 60][rng.usize(0..4)],
        max_trades_per_session: [1, 2, 3, u32::MAX][rng.usize(0..4)],
        flat_before_close_minutes: [0, 0, 5, 7, 15, 20][rng.usize(0..6)],
        hold_overnight: rng.bool(),
        breakeven_at_r: r(rng),
        partial_at_r: r(rng),
        trail_atr: r(rng),
    }
}

fn random_settings(rng: &mut Rng) -> EngineSettings {
    EngineSettings {
        session: if rng.bool() { SessionScope::Regular } else { SessionScope::All },
        fill_mode: if rng.u32(0..4) == 0 { FillMode::SameClose } else { FillMode::NextOpen },
        entry_valid_bars: rng.u32(0..4),
        target_gap: if rng.bool() { TargetGap::Open } else { TargetGap::Level },
        target_fill: if rng.bool() { TargetFill::Touch } else { TargetFill::Through },
        hold_overnight: rng.bool(),
    }
}

/// Everything of one run.
struct Case {
    data: SymbolData,
    signals: Vec<Signal>,
    rules: TradeRules,
    settings: EngineSettings,
}

impl Case {
    fn of(seed: u64) -> (Self, Rng) {
        let mut rng = Rng::with_seed(seed);
        let mut data = market(&mut rng);
        let settings = random_settings(&mut rng);
        let rules = random_rules(&mut rng);
        let signals = signals(&mut rng, data.signal_bars(), settings.session);
        if rng.bool() {
            data.tradable[rng.usize(0..6)] = false;
        }
        (Self { data, signals, rules, settings }, rng)
    }

    fn run(&self, costs: &CostSettings) -> (Vec<Trade>, Counters) {
        let mut counters = Counters::default();
        let trades = trade(&self.data, "test", &self.signals, &self.rules, &self.settings, costs, &mut counters);
        assert!(counters.adds_up(), "{counters:?}");
        (trades, counters)
    }
}

const FREE: CostSettings = CostSettings {
    commission: Commission::Bps { bps: 0.0 },
    half_spread_bps: 0.0,
    slippage: Slippage::Bps { bps: 0.0 },
    slip_on_limit: false,
    borrow_bps_per_day: 0.0,
    lot: 1.0,
    zero: true,
};

fn compared(trade: &Trade) -> NaiveTrade {
    NaiveTrade {
        signal_bar: trade.signal_bar,
        entry_ms: trade.entry_ms,
        exit_ms: trade.exit_ms,
        raw_entry: trade.raw_entry,
        raw_exit: trade.raw_exit,
        stop: trade.stop_price,
        target: trade.target_price,
        reason: trade.reason,
        decision: trade.decision,
        gap: trade.gap_exit,
        late: trade.flags.contains(&"late_flat"),
        held: trade.bars_held,
        mae_r: trade.mae_r,
        mfe_r: trade.mfe_r,
        marks: trade.marks.iter().map(|mark| (mark.end_ms, mark.close)).collect(),
    }
}

/// B-10 to B-22, B-41: all of them on random bars. Prices are quarters and splits are halves, so that nothing rounds.
#[test]
fn the_engine_does_what_the_rules_say() {
    let (mut seen, mut total) = (std::collections::BTreeMap::<_, u64>::new(), Counters::default());
    for seed in 0..3000 {
        let (case, _) = Case::of(seed);
        let (trades, counters) = case.run(&FREE);
        let (expected, expected_counters) = naive::trade(&case.data, &case.signals, &case.rules, &case.settings);
        assert_eq!(counters, expected_counters, "seed {seed}");
        assert_eq!(trades.len(), expected.len(), "seed {seed}");
        for (trade, expected) in trades.iter().zip(&expected) {
            assert_eq!(compared(trade), *expected, "seed {seed}: {:?} {:?}", case.rules, case.settings);
            *seen.entry((trade.reason.as_str(), trade.decision)).or_default() += 1;
            for flag in &trade.flags {
                *seen.entry((flag, trade.decision)).or_default() += 1;
            }
        }
        total.add(&counters);
    }
    // The bars must meet every rule, or this test is none.
    let met = |reason: &str| seen.iter().filter(|((of, _), _)| *of == reason).map(|(_, n)| n).sum::<u64>();
    for reason in
        ["TARGET_HIT", "STOP_HIT", "MAX_HOLD", "EOD", "TRAIL", "BREAK_EVEN", "DATA_END", "partial", "over_split"]
    {
        assert!(met(reason) > 50, "{reason}: {seen:?}");
    }
    let Counters { rejected, unfilled, .. } = &total;
    let counts = [
        rejected.score,
        rejected.min_rr,
        rejected.cooldown,
        rejected.session_limit,
        rejected.concurrency,
        unfilled.session_end,
        unfilled.data_end,
        unfilled.no_bar,
        total.invalid_at_open,
        total.gap_exits,
        total.resolved_finer,
        total.ambiguous,
        total.late_flat,
    ];
    assert!(counts.iter().all(|count| *count > 20), "{total:?}");
}

/// B-17: the bounds enclose the trade.
#[test]
fn bounds_enclose_what_is_not_known() {
    let mut bounds = [0, 0];
    for seed in 0..1000 {
        let (case, _) = Case::of(seed);
        let (trades, _) = case.run(&FREE);
        let through = EngineSettings { target_fill: TargetFill::Through, ..case.settings };
        for trade in trades {
            if let Some(best) = trade.best.as_deref() {
                bounds[0] += 1;
                assert!(best.r_multiple >= trade.r_multiple, "seed {seed}");
            }
            if let Some(worst) = trade.worst.as_deref() {
                bounds[1] += 1;
                assert_eq!(trade.reason, ExitReason::TargetHit);
                // What the run would have made of this signal alone.
                let signal = case.signals.iter().find(|signal| signal.bar == trade.signal_bar).unwrap();
                let alone = Case {
                    signals: vec![Signal { score: 100.0, once: None, ..*signal }],
                    rules: TradeRules { min_rr: 0.0, ..case.rules.clone() },
                    settings: through,
                    data: case.data.clone(),
                };
                let (alone, _) = alone.run(&FREE);
                assert_eq!((alone[0].raw_exit, alone[0].r_multiple), (worst.raw_exit, worst.r_multiple), "seed {seed}");
            }
        }
    }
    assert!(bounds.iter().all(|count| *count > 50), "{bounds:?}");
}

fn random_costs(rng: &mut Rng) -> CostSettings {
    CostSettings {
        commission: if rng.bool() {
            Commission::PerShare { amount: 0.01 * rng.f64(), minimum: rng.f64() }
        } else {
            Commission::Bps { bps: 5.0 * rng.f64() + 0.01 }
        },
        half_spread_bps: 5.0 * rng.f64(),
        slippage: if rng.bool() {
            Slippage::Bps { bps: 5.0 * rng.f64() }
        } else {
            Slippage::Atr { share: 0.1 * rng.f64() }
        },
        slip_on_limit: rng.bool(),
        borrow_bps_per_day: 10.0 * rng.f64(),
        lot: 1.0,
        zero: false,
    }
}

/// B-33
#[test]
fn raising_any_cost_never_raises_a_gain() {
    let mut lowered = [0; 6];
    for seed in 0..600 {
        let (mut case, mut rng) = Case::of(seed);
        let costs = random_costs(&mut rng);
        // Fills that slip by ATR know it.
        case.signals.iter_mut().for_each(|signal| signal.atr = signal.atr.or(Some(1.0)));
        let (trades, counters) = case.run(&costs);
        let dearer = [
            CostSettings { commission: doubled(costs.commission), ..costs },
            CostSettings { half_spread_bps: costs.half_spread_bps + 1.0, ..costs },
            CostSettings {
                slippage: match costs.slippage {
                    Slippage::Bps { bps } => Slippage::Bps { bps: bps + 1.0 },
                    Slippage::Atr { share } => Slippage::Atr { share: share + 0.1 },
                },
                ..costs
            },
            CostSettings { slip_on_limit: true, ..costs },
            CostSettings { borrow_bps_per_day: costs.borrow_bps_per_day + 10.0, ..costs },
        ];
        for (place, dearer) in dearer.iter().enumerate() {
            let (more, more_counters) = case.run(dearer);
            assert_eq!((more.len(), &more_counters), (trades.len(), &counters), "costs change no decision");
            for (trade, more) in trades.iter().zip(&more) {
                assert!(more.pnl <= trade.pnl, "seed {seed}: {place} {trade:?} {more:?}");
                lowered[place] += u32::from(more.pnl < trade.pnl);
                assert!(place > 0 || more.pnl < trade.pnl, "seed {seed}: the commission was doubled");
            }
        }
        let (free, _) = case.run(&FREE);
        for (trade, free) in trades.iter().zip(&free) {
            assert_eq!((trade.raw_entry, trade.exit_ms), (free.raw_entry, free.exit_ms));
            // Half of a rounded quantity may be less than half.
            assert!(trade.raw_exit == free.raw_exit || trade.flags.contains(&"partial"));
            assert!(trade.r_multiple < free.r_multiple && trade.costs > 0.0);
            assert!((trade.gross_pnl - trade.costs - trade.pnl).abs() < 1e-9);
            lowered[5] += 1;
        }
    }
    assert!(lowered.iter().all(|count| *count > 20), "{lowered:?}");
}

fn doubled(commission: Commission) -> Commission {
    match commission {
        Commission::PerShare { amount, minimum } => {
            Commission::PerShare { amount: amount * 2.0, minimum: minimum * 2.0 }
        }
        Commission::Bps { bps } => Commission::Bps { bps: bps * 2.0 },
    }
}

/// B-65: what comes later changes nothing that was before.
#[test]
fn trades_that_ended_do_not_depend_on_later_bars() {
    for seed in 0..300 {
        let (case, mut rng) = Case::of(seed);
        let (trades, _) = case.run(&FREE);
        let cut = rng.usize(1..case.data.signal_bars().len());
        let until = case.data.signal_bars().end_ms[cut - 1];
        let mut earlier = case.data.clone();
        for (_, bars) in &mut earlier.series {
            *bars = bars.truncated(bars.end_ms.partition_point(|end| *end <= until));
        }
        let signals = case.signals.iter().copied().filter(|signal| signal.bar < cut).collect();
        let short = Case { data: earlier, signals, rules: case.rules.clone(), settings: case.settings };
        let (known, _) = short.run(&FREE);
        let ended = |trade: &&Trade| trade.marks.last().unwrap().end_ms <= until && trade.reason != ExitReason::DataEnd;
        // Whether finer bars exist in a session is known only while they come: leave out its last one.
        let last = case.data.signal_bars().session[cut - 1];
        let same = |trade: &&Trade| trade.exit_session < last && ended(trade);
        let strip = |trade: &Trade| Trade { worst: None, ..trade.clone() };
        let before: Vec<_> = trades.iter().filter(same).map(strip).collect();
        let after: Vec<_> = known.iter().filter(same).map(strip).collect();
        assert_eq!(before, after, "seed {seed}");
    }
}

/// The sessions of a symbol one after the other are the symbol, if nothing is held or remembered over the night.
#[test]
fn a_run_in_chunks_is_the_run() {
    for seed in 0..300 {
        let (mut case, _) = Case::of(seed);
        (case.rules.hold_overnight, case.rules.cooldown_minutes) = (false, 0);
        let (trades, counters) = case.run(&FREE);
        if counters.late_flat + counters.open_at_end > 0 {
            continue;
        }
        let (mut chunks, mut total) = (Vec::new(), Counters::default());
        for session in 0..case.data.sessions.len() as u32 {
            let of = |signal: &&Signal| case.data.signal_bars().session[signal.bar] == session;
            let signals = case.signals.iter().filter(of).copied().collect();
            let chunk = Case { data: case.data.clone(), signals, rules: case.rules.clone(), settings: case.settings };
            let (part, part_counters) = chunk.run(&FREE);
            chunks.extend(part);
            total.add(&part_counters);
        }
        assert_eq!((chunks, total), (trades, counters), "seed {seed}");
    }
}

#[test]
fn nothing_is_traded_by_no_rules_alone() {
    let (case, _) = Case::of(1);
    let none = Case { signals: Vec::new(), rules: rules(), ..case };
    assert_eq!(none.run(&FREE), (Vec::new(), Counters::default()));
}
