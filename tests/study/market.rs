//! Symbols that wander.

use std::sync::Arc;

use barkeep::backtest::{Bars, Instrument, Sessions, SymbolData};
use barkeep::model::{Bar, Dataset, Prices, Session, Symbol, Timeframe, VwapMethod};
use jiff::civil::{Date, date};

/// Sessions that warm up.
pub const WARM_UP: usize = 45;

pub fn sessions() -> Arc<Sessions> {
    let last: Date = date(2026, 10, 2);
    Arc::new(Sessions::of(Dataset::Stocks, date(2026, 6, 1)..=last))
}

/// A random walk in 5m, 15m and 1h bars over all sessions, the same for the same seed. Signals come from 15m bars.
pub fn wanders(ticker: &str, seed: u64) -> SymbolData {
    let sessions = sessions();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut series = [(Timeframe::M5, 1), (Timeframe::M15, 3), (Timeframe::H1, 12)].map(|of| (of, Bars::default()));
    let mut price = 100.0;
    for (session, clock) in sessions.iter().enumerate() {
        let starts = (clock.open_ms..clock.close_ms).step_by(300_000);
        let fine: Vec<Bar> = starts.map(|start_ms| step(&mut random, &mut price, start_ms)).collect();
        for ((timeframe, parts), bars) in &mut series {
            for parts in fine.chunks(*parts) {
                bars.push(session as u32, &rolled(*timeframe, parts));
            }
        }
    }
    let count = sessions.len();
    SymbolData {
        instrument: Instrument::of(&Symbol::from_ticker(ticker).unwrap(), &[]),
        sessions,
        timeframe: Timeframe::M15,
        series: series.into_iter().map(|((timeframe, _), bars)| (timeframe, bars)).collect(),
        official: Vec::new(),
        splits: Vec::new(),
        covered: vec![true; count],
        tradable: (0..count).map(|session| session >= WARM_UP).collect(),
        proxy: None,
        vix: None,
    }
}

/// An index that wanders beside its proxy.
pub fn wanders_with_proxy(seed: u64) -> SymbolData {
    SymbolData { proxy: Some(Arc::new(wanders("SPY", seed))), ..wanders("I:SPX", seed) }
}

fn step(random: &mut fastrand::Rng, price: &mut f64, start_ms: i64) -> Bar {
    let open = *price;
    let mut around = |size: f64| size * (random.f64() - 0.5);
    let close = open * (1.0 + around(0.012));
    let high = open.max(close) * (1.0 + around(0.004).abs());
    let low = open.min(close) * (1.0 - around(0.004).abs());
    let surge = if random.u8(..) < 40 { 4.0 } else { 1.0 };
    *price = close;
    Bar {
        timeframe: Timeframe::M5,
        timestamp_ms: start_ms,
        end_timestamp_ms: start_ms + 300_000,
        prices: Prices::checked(open, high, low, close).unwrap(),
        volume: Some((1000.0 * surge * (1.0 + 3.0 * random.f64())).round()),
        vwap: Some(f64::midpoint(high, low)),
        vwap_method: Some(VwapMethod::Estimate),
        trades: Some(10),
        session: Session::Regular,
        minutes: 5,
    }
}

fn rolled(timeframe: Timeframe, parts: &[Bar]) -> Bar {
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let fold = |of: fn(f64, f64) -> f64, by: fn(&Bar) -> f64| parts.iter().map(by).reduce(of).unwrap();
    let volume: f64 = parts.iter().filter_map(|bar| bar.volume).sum();
    let value: f64 = parts.iter().map(|bar| bar.vwap.unwrap() * bar.volume.unwrap()).sum();
    Bar {
        timeframe,
        end_timestamp_ms: last.end_timestamp_ms,
        prices: Prices {
            open: first.prices.open,
            high: fold(f64::max, |bar| bar.prices.high),
            low: fold(f64::min, |bar| bar.prices.low),
            close: last.prices.close,
        },
        volume: Some(volume),
        vwap: Some(value / volume),
        minutes: 5 * parts.len() as u16,
        ..first
    }
}
