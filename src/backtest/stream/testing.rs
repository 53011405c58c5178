//! Made-up symbols for tests of the stream.

use std::sync::Arc;

use jiff::civil::{Date, date};

use crate::aggregate::{DayGrid, roll_up};
use crate::backtest::{Bars, Instrument, OfficialDay, Sessions, SplitAt, SymbolData};
use crate::model::splits::{Factor, Ratio};
use crate::model::{Dataset, Minute, Prices, Symbol, Timeframe, TimeframeSet};

/// What a made-up symbol is like.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) seed: u64,
    pub(super) ticker: &'static str,
    pub(super) timeframe: Timeframe,
    pub(super) stored: TimeframeSet,
    /// Share of minutes, and of quarters of an hour, without a trade.
    pub(super) quiet: f64,
    pub(super) off_hours: bool,
    pub(super) splits: Vec<u32>,
}

/// Sessions over the end of summer time and two early closes.
pub(super) fn sessions() -> Arc<Sessions> {
    sessions_of(date(2026, 10, 19), date(2026, 12, 31))
}

pub(super) fn sessions_of(from: Date, to: Date) -> Arc<Sessions> {
    Arc::new(Sessions::of(Dataset::Stocks, from..=to))
}

/// A symbol: a walk of minutes, rolled up as stored bars are. Some sessions lack finer bars, some are not covered.
pub(super) fn symbol(sessions: &Arc<Sessions>, recipe: &Recipe) -> SymbolData {
    let mut rng = fastrand::Rng::with_seed(recipe.seed);
    let symbol = Symbol::from_ticker(recipe.ticker).unwrap();
    let all = recipe.stored.with(recipe.timeframe);
    let mut series: Vec<(Timeframe, Bars)> = all.iter().map(|timeframe| (timeframe, Bars::default())).collect();
    let (mut official, mut splits, mut covered) = (Vec::new(), Vec::new(), Vec::new());
    let mut price = 80.0 + 40.0 * rng.f64();
    let mut drift = 0.0;
    for (session, clock) in sessions.iter().enumerate() {
        let session = session as u32;
        if recipe.splits.contains(&session) {
            let (from, to) = [(1.0, 2.0), (4.0, 1.0), (1.0, 8.0)][rng.usize(..3)];
            splits.push(SplitAt { session, factor: Factor::of(Ratio::checked(from, to).unwrap()) });
            price *= from / to;
        }
        price *= 1.0 + 0.02 * (rng.f64() - 0.5);
        let grid = DayGrid::new(Dataset::Stocks, clock.date);
        let (open, close) = grid.regular();
        let range = if recipe.off_hours { open - 60..close + 60 } else { open..close };
        let whole_day_quiet = rng.f64() < recipe.quiet / 4.0;
        let mut minutes = Vec::new();
        let mut quarter_quiet = false;
        for minute in range {
            if minute % 15 == 0 {
                quarter_quiet = rng.f64() < recipe.quiet;
                drift = if rng.u8(..8) == 0 { 0.0006 * (rng.f64() - 0.5) } else { drift };
            }
            if whole_day_quiet || quarter_quiet || rng.f64() < recipe.quiet {
                continue;
            }
            let first = price;
            price *= 1.0 + drift + 0.002 * (rng.f64() - 0.5);
            // Steps that stay exact through splits, so that equal moves stay equal.
            let step = |price: f64| (price * 64.0).round() / 64.0;
            let (low, high) = (first.min(price) * (1.0 - 0.0005 * rng.f64()), first.max(price) + 0.02 * rng.f64());
            let (low, high) = (step(low.min(first)), step(high));
            let inside = |price: f64| step(price).clamp(low, high);
            let prices = Prices::checked(inside(first), high, low, inside(price)).unwrap();
            let volume = if rng.u8(..20) == 0 { 0.0 } else { (rng.f64() * 900.0).ceil() };
            let vwap = rng.bool().then(|| low + (high - low) * rng.f64());
            minutes.push(Minute { minute, prices, volume, vwap, trades: 1 });
        }
        let mut bars = Vec::new();
        roll_up(&grid, symbol.dataset(), all, &minutes, &mut bars);
        let coarse_only = rng.u8(..8) == 0;
        for bar in &bars {
            if coarse_only && bar.timeframe < recipe.timeframe {
                continue;
            }
            let (_, column) = series.iter_mut().find(|(timeframe, _)| *timeframe == bar.timeframe).unwrap();
            column.push(session, bar);
        }
        if rng.bool() && !minutes.is_empty() {
            official.push(OfficialDay { session, open: price, close: price * (1.0 + 0.001 * rng.f64()) });
        }
        covered.push(rng.u8(..10) != 0);
    }
    SymbolData {
        instrument: Instrument::of(&symbol, &[]),
        sessions: Arc::clone(sessions),
        timeframe: recipe.timeframe,
        series,
        official,
        splits,
        tradable: vec![true; covered.len()],
        covered,
        proxy: None,
        vix: None,
    }
}
