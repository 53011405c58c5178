//! Bars made by hand, for tests of the engine.

use std::sync::Arc;

use jiff::civil::{Date, date};

use super::super::{
    Bars, CostSettings, Counters, EngineSettings, ExitPlan, Instrument, Sessions, Side, Signal, SplitAt, StopRule,
    SymbolData, TargetRule, Trade, TradeRules,
};
use super::trade;
use crate::model::splits::{Factor, Ratio};
use crate::model::{Bar, Dataset, Prices, Session, Symbol, Timeframe};

/// Monday to Monday before Thanksgiving 2026 and after: the 27th closes at 13:00.
pub const DATES: std::ops::RangeInclusive<Date> = date(2026, 11, 23)..=date(2026, 12, 1);

/// Places of sessions in [`DATES`].
pub const EARLY_CLOSE: u32 = 3;

/// A symbol with bars that tests add.
#[derive(Debug)]
pub struct Market {
    pub data: SymbolData,
}

impl Market {
    /// Without bars, with signals on `timeframe`.
    pub fn new(timeframe: Timeframe) -> Self {
        let sessions = Arc::new(Sessions::of(Dataset::Stocks, DATES));
        let all = vec![true; sessions.len()];
        let data = SymbolData {
            instrument: Instrument::of(&Symbol::from_ticker("TEST").unwrap(), &[]),
            sessions,
            timeframe,
            series: vec![(timeframe, Bars::default())],
            official: Vec::new(),
            splits: Vec::new(),
            covered: all.clone(),
            tradable: all,
            proxy: None,
            vix: None,
        };
        Self { data }
    }

    /// Adds a bar that starts `minute` minutes after a session's regular open, of open, high, low and close.
    pub fn bar(&mut self, timeframe: Timeframe, session: u32, minute: i64, ohlc: [f64; 4]) -> &mut Self {
        let clock = *self.data.sessions.get(session);
        let start = clock.open_ms + minute * 60_000;
        let hours = match start {
            early if early < clock.open_ms => Session::Pre,
            late if late >= clock.close_ms => Session::Post,
            _ => Session::Regular,
        };
        let full = start + i64::from(timeframe.minutes().unwrap()) * 60_000;
        let end = if hours == Session::Regular { full.min(clock.close_ms) } else { full };
        let [open, high, low, close] = ohlc;
        let bar = Bar {
            timeframe,
            timestamp_ms: start,
            end_timestamp_ms: end,
            prices: Prices::checked(open, high, low, close).unwrap(),
            volume: Some(1000.0),
            vwap: None,
            vwap_method: None,
            trades: None,
            session: hours,
            minutes: 1,
        };
        if self.data.bars(timeframe).is_none() {
            self.data.series.push((timeframe, Bars::default()));
            self.data.series.sort_by_key(|(timeframe, _)| *timeframe);
        }
        let series = self.data.series.iter_mut().find(|(of, _)| *of == timeframe);
        series.expect("Invariant: it was added").1.push(session, &bar);
        self
    }

    /// Bars of 15 minutes from a session's minute on, one after the other.
    pub fn bars(&mut self, session: u32, minute: i64, bars: &[[f64; 4]]) -> &mut Self {
        for (place, ohlc) in bars.iter().enumerate() {
            self.bar(Timeframe::M15, session, minute + 15 * place as i64, *ohlc);
        }
        self
    }

    /// Bars of one minute from a session's minute on, one after the other.
    pub fn minutes(&mut self, session: u32, minute: i64, bars: &[[f64; 4]]) -> &mut Self {
        for (place, ohlc) in bars.iter().enumerate() {
            self.bar(Timeframe::M1, session, minute + place as i64, *ohlc);
        }
        self
    }

    /// Makes `to` shares of `from` before a session.
    pub fn split(&mut self, session: u32, from: f64, to: f64) -> &mut Self {
        let factor = Factor::of(Ratio::checked(from, to).unwrap());
        self.data.splits.push(SplitAt { session, factor });
        self
    }

    /// Trades without costs.
    pub fn trade(&self, signals: &[Signal], rules: &TradeRules, settings: &EngineSettings) -> (Vec<Trade>, Counters) {
        self.trade_at(signals, rules, settings, &free())
    }

    /// Trades with costs.
    pub fn trade_at(
        &self,
        signals: &[Signal],
        rules: &TradeRules,
        settings: &EngineSettings,
        costs: &CostSettings,
    ) -> (Vec<Trade>, Counters) {
        let mut counters = Counters::default();
        let trades = trade(&self.data, "test", signals, rules, settings, costs, &mut counters);
        assert!(counters.adds_up(), "{counters:?}");
        assert_eq!(counters.accepted, trades.len() as u64);
        (trades, counters)
    }

    /// The one trade of one signal, without costs.
    pub fn one(&self, signal: Signal, rules: &TradeRules) -> (Trade, Counters) {
        let (mut trades, counters) = self.trade(&[signal], rules, &EngineSettings::default());
        assert_eq!(trades.len(), 1, "{counters:?}");
        (trades.remove(0), counters)
    }

    /// An instant, in minutes after a session's regular open.
    pub fn at(&self, session: u32, minute: i64) -> i64 {
        self.data.sessions.get(session).open_ms + minute * 60_000
    }
}

/// Rules that turn nothing away.
pub fn rules() -> TradeRules {
    TradeRules {
        min_score: 0.0,
        min_rr: 0.0,
        cooldown_minutes: 0,
        max_trades_per_session: u32::MAX,
        flat_before_close_minutes: 0,
        hold_overnight: false,
        breakeven_at_r: None,
        partial_at_r: None,
        trail_atr: None,
    }
}

/// No costs.
pub fn free() -> CostSettings {
    CostSettings { zero: true, ..CostSettings::default() }
}

/// A signal with stop and target at distances from the entry.
pub fn signal(bar: usize, side: Side, stop: f64, target: f64) -> Signal {
    Signal {
        bar,
        side,
        score: 60.0,
        plan: ExitPlan { stop: StopRule::Distance(stop), target: TargetRule::Distance(target), max_bars: None },
        atr: Some(1.0),
        regime: None,
        vix: None,
        once: None,
        quantity: None,
    }
}

/// A signal to buy with stop and target at distances from the entry.
pub fn long(bar: usize, stop: f64, target: f64) -> Signal {
    signal(bar, Side::Long, stop, target)
}

/// A signal to sell short with stop and target at distances from the entry.
pub fn short(bar: usize, stop: f64, target: f64) -> Signal {
    signal(bar, Side::Short, stop, target)
}

/// A bar at which nothing moves.
pub const fn flat(price: f64) -> [f64; 4] {
    [price; 4]
}
