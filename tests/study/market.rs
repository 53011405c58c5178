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

/// A random walk in 5m and 15m bars over all sessions, the same for the same seed.
pub fn wanders(ticker: &str, seed: u64) -> SymbolData {
    let sessions = sessions();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut fine, mut coarse) = (Bars::default(), Bars::default());
    let mut price = 100.0;
    for (session, clock) in sessions.iter().enumerate() {
        let mut open_ms = clock.open_ms;
        while open_ms < clock.close_ms {
            let parts: Vec<Bar> = (0..3).map(|part| step(&mut random, &mut price, open_ms + part * 300_000)).collect();
            for bar in &parts {
                fine.push(session as u32, bar);
            }
            coarse.push(session as u32, &rolled(&parts));
            open_ms += 900_000;
        }
    }
    let count = sessions.len();
    SymbolData {
        instrument: Instrument::of(&Symbol::from_ticker(ticker).unwrap(), &[]),
        sessions,
        timeframe: Timeframe::M15,
        series: vec![(Timeframe::M5, fine), (Timeframe::M15, coarse)],
        official: Vec::new(),
        splits: Vec::new(),
        covered: vec![true; count],
        tradable: (0..count).map(|session| session >= WARM_UP).collect(),
        proxy: None,
        vix: None,
    }
}

fn step(random: &mut fastrand::Rng, price: &mut f64, start_ms: i64) -> Bar {
    let open = *price;
    let mut around = |size: f64| size * (random.f64() - 0.5);
    let close = open * (1.0 + around(0.012));
    let high = open.max(close) * (1.0 + around(0.004).abs());
    let low = open.min(close) * (1.0 - around(0.004).abs());
    *price = close;
    Bar {
        timeframe: Timeframe::M5,
        timestamp_ms: start_ms,
        end_timestamp_ms: start_ms + 300_000,
        prices: Prices::checked(open, high, low, close).unwrap(),
        volume: Some((1000.0 * (1.0 + 3.0 * random.f64())).round()),
        vwap: Some(f64::midpoint(high, low)),
        vwap_method: Some(VwapMethod::Estimate),
        trades: Some(10),
        session: Session::Regular,
        minutes: 5,
    }
}

fn rolled(parts: &[Bar]) -> Bar {
    let (first, last) = (parts[0], parts[2]);
    let fold = |of: fn(f64, f64) -> f64, by: fn(&Bar) -> f64| parts.iter().map(by).reduce(of).unwrap();
    let volume: f64 = parts.iter().filter_map(|bar| bar.volume).sum();
    let value: f64 = parts.iter().map(|bar| bar.vwap.unwrap() * bar.volume.unwrap()).sum();
    Bar {
        timeframe: Timeframe::M15,
        end_timestamp_ms: last.end_timestamp_ms,
        prices: Prices {
            open: first.prices.open,
            high: fold(f64::max, |bar| bar.prices.high),
            low: fold(f64::min, |bar| bar.prices.low),
            close: last.prices.close,
        },
        volume: Some(volume),
        vwap: Some(value / volume),
        minutes: 15,
        ..first
    }
}
