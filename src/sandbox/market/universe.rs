//! Which instruments a market has on a date.

use std::collections::HashSet;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::level::{level, previous_trading_date};
use super::rng::{hash_numbers, hash_text, signed_unit};
use super::{Market, MarketSize, splits, tickers};
use crate::model::{Dataset, xnys};

/// Fixed-point units per dollar, point, coin or share: prices and volumes are counted in hundred-millionths.
pub(super) const UNIT: i64 = 100_000_000;

/// What is traded under a ticker.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Instrument {
    /// As the vendor's files spell it.
    pub ticker: String,
    /// Hash of the ticker: its streams of random numbers hang on it.
    pub key: u64,
    /// Price it stays around over the years, in its currency. 0 for indices that swing around zero.
    pub base: f64,
    /// Typical change from day to day, as a share of the price.
    pub daily_change: f64,
    /// Transactions (quotes for currencies) in an average regular minute.
    pub pace: f64,
    /// Volume of an average transaction.
    pub lot: f64,
    /// Smallest step of the price in [`UNIT`]s.
    pub tick: i64,
}

/// A number in 0..1 that belongs to a ticker and a purpose.
fn trait_of(key: u64, purpose: u64) -> f64 {
    f64::midpoint(signed_unit(hash_numbers(&[key, purpose])), 1.0)
}

/// The instruments of a market on a date, in the order of the vendor's files: by root and then suffix, so that
/// preferreds follow their common stock (`AA`, `AApB`, `AAAP`) — which is not the order of the bytes.
pub(super) fn instruments(dataset: Dataset, market: &Market, date: Date) -> Vec<Instrument> {
    let Market { size, seed, .. } = *market;
    let mut all = match dataset {
        Dataset::Stocks if market.splits => [stocks(size), splitting_stocks(date)].concat(),
        Dataset::Stocks => stocks(size),
        Dataset::Options => options(size, date, seed),
        Dataset::Indices => indices(size),
        Dataset::Forex => pairs("C:", &tickers::CURRENCIES, size, 40.0, 0.005, 1.0),
        Dataset::Crypto => pairs("X:", &tickers::COINS, size, 60.0, 0.03, 0.2),
    };
    all.sort_by(|a, b| file_order(&a.ticker).cmp(&file_order(&b.ticker)));
    all
}

fn file_order(ticker: &str) -> (&str, &str) {
    let root = ticker.find(|c: char| !(c.is_ascii_uppercase() || c == ':')).unwrap_or(ticker.len());
    ticker.split_at(root)
}

/// Transactions per minute of the instrument at this place (0 busiest to 1 quietest) of its market: a few hundred names
/// trade in every minute, most in a few minutes a day.
fn pace_at(place: f64) -> f64 {
    (6.0 - 12.1 * place.powf(0.6)).exp()
}

fn stocks(size: MarketSize) -> Vec<Instrument> {
    let names = stock_names(size);
    let count = names.len() as f64;
    let stock = |(rank, (ticker, known)): (usize, (String, Option<f64>))| {
        let base = known.unwrap_or_else(|| (0.5 + 5.3 * trait_of(hash_text(&ticker), 1)).exp());
        // In the tiny market every name but the last should trade.
        let pace =
            if size == MarketSize::Tiny { pace_at(0.3 * rank as f64 / count) } else { pace_at(rank as f64 / count) };
        stock_at(ticker, base, pace)
    };
    names.into_iter().enumerate().map(stock).collect()
}

/// A stock that stays around a price.
fn stock_at(ticker: String, base: f64, pace: f64) -> Instrument {
    let key = hash_text(&ticker);
    Instrument {
        daily_change: stock_change(key),
        pace,
        lot: (30_000.0 / base).clamp(40.0, 800.0),
        tick: if base < 1.5 { UNIT / 10_000 } else { UNIT / 100 },
        ticker,
        key,
        base,
    }
}

/// Transactions per minute of the stocks that split: enough for a trade in every regular minute.
const SPLITTING_PACE: f64 = 60.0;

/// Stocks that split, at the prices of the date's shares.
fn splitting_stocks(date: Date) -> Vec<Instrument> {
    let stock = |(ticker, base): (&str, f64)| {
        stock_at(ticker.to_owned(), base * splits::price_scale(ticker, date), SPLITTING_PACE)
    };
    splits::STOCKS.map(stock).into()
}

/// Typical change of a stock from day to day.
fn stock_change(key: u64) -> f64 {
    0.006 + 0.022 * trait_of(key, 2)
}

/// Names from the busiest to the quietest, with a price where one is known.
fn stock_names(size: MarketSize) -> Vec<(String, Option<f64>)> {
    let price = |name: &str| tickers::POPULAR.iter().find(|(known, _)| *known == name).map(|(_, price)| *price);
    let count = match size {
        MarketSize::Tiny => return tickers::TINY.iter().map(|name| ((*name).to_owned(), price(name))).collect(),
        MarketSize::Default => 400,
        MarketSize::Full => 10_000,
    };
    let mut names: Vec<String> = tickers::POPULAR.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut taken: HashSet<String> = names.iter().cloned().chain(tickers::AWKWARD.map(str::to_owned)).collect();
    let mut number = 0;
    let mut awkward = tickers::AWKWARD.iter();
    while names.len() < count {
        // Every fifth name is an awkward one until they are used up: they are neither the busiest nor the quietest.
        if names.len().is_multiple_of(5)
            && let Some(name) = awkward.next()
        {
            names.push((*name).to_owned());
            continue;
        }
        let root = tickers::made_up(number);
        number += 1;
        let name = match number % 16 {
            0 => format!("{root}pA"),
            5 => format!("{root}.WS"),
            9 => format!("{root}.U"),
            13 => format!("{root}r"),
            _ => root,
        };
        if taken.insert(name.clone()) {
            names.push(name);
        }
    }
    names.into_iter().map(|name| (price(&name), name)).map(|(price, name)| (name, price)).collect()
}

fn indices(size: MarketSize) -> Vec<Instrument> {
    let named = tickers::INDICES.iter().map(|(name, base)| (format!("I:{name}"), *base));
    let more = match size {
        MarketSize::Tiny => 0,
        MarketSize::Default => 84,
        MarketSize::Full => 2_984,
    };
    let count = if size == MarketSize::Tiny { 13 } else { tickers::INDICES.len() };
    let families = (0..more).map(|number| {
        let name = format!("I:NQ{}", tickers::made_up(number + 800));
        let base = 20.0 + 9_000.0 * trait_of(hash_text(&name), 1);
        (name, base)
    });
    let index = |(ticker, base): (String, f64)| {
        let key = hash_text(&ticker);
        Instrument {
            daily_change: if base == 0.0 { 400.0 } else { 0.009 },
            pace: 12.0 * trait_of(key, 2) + 0.3,
            lot: 0.0,
            // Some are published in cents, some with all digits their computation gives.
            tick: if key.is_multiple_of(3) || base == 0.0 { UNIT / 100 } else { 1 },
            ticker,
            key,
            base,
        }
    };
    named.take(count).chain(families).map(index).collect()
}

fn pairs(
    prefix: &str,
    named: &[(&str, f64)],
    size: MarketSize,
    pace: f64,
    daily_change: f64,
    lot: f64,
) -> Vec<Instrument> {
    let count = if size == MarketSize::Tiny { 4 } else { named.len() };
    let pair = |(rank, (name, base)): (usize, &(&str, f64))| {
        let ticker = format!("{prefix}{name}");
        let digits = if *base >= 100.0 { 5 } else { 4 + (1.0 / base).log10().max(0.0).ceil() as u32 };
        let tick = if *base >= 1_000.0 { UNIT / 100 } else { UNIT / 10_i64.pow(digits.min(8)) };
        Instrument {
            key: hash_text(&ticker),
            base: *base,
            daily_change,
            pace: pace * (-0.35 * rank as f64).exp(),
            lot: if lot == 1.0 { 1.0 } else { lot * 2_000.0 / base },
            tick,
            ticker,
        }
    };
    named.iter().take(count).enumerate().map(pair).collect()
}

/// Indices that have options, without their prefix.
const INDICES_WITH_OPTIONS: [&str; 6] = ["SPX", "NDX", "VIX", "RUT", "XSP", "OEX"];

/// What options of a market are on, if this is one of them: popular stocks and some indices.
pub(super) fn underlying(ticker: &str, size: MarketSize) -> Option<Instrument> {
    if let Some(name) = ticker.strip_prefix(Dataset::Indices.ticker_prefix()) {
        let has_options = INDICES_WITH_OPTIONS.contains(&name);
        return indices(MarketSize::Tiny).into_iter().find(|index| has_options && index.ticker == ticker);
    }
    let is_listed = size != MarketSize::Tiny || tickers::TINY.contains(&ticker);
    let (name, base) = tickers::POPULAR.iter().find(|(name, _)| is_listed && *name == ticker)?;
    Some(stock_at((*name).to_owned(), *base, 1.0))
}

/// Calls and puts around the money of the busiest stocks, for the next Fridays.
fn options(size: MarketSize, date: Date, seed: u64) -> Vec<Instrument> {
    let (underlyings, expiries, strikes_per_side) = match size {
        MarketSize::Tiny => (1, 1, 3),
        MarketSize::Default => (8, 3, 5),
        MarketSize::Full => (120, 8, 20),
    };
    let mut all = Vec::new();
    for (rank, (name, base)) in tickers::POPULAR.iter().take(underlyings).enumerate() {
        let stock = Instrument {
            ticker: (*name).to_owned(),
            key: hash_text(name),
            base: *base,
            daily_change: stock_change(hash_text(name)),
            pace: 1.0,
            lot: 1.0,
            tick: UNIT / 100,
        };
        let spot = level(&stock, seed, previous_trading_date(Dataset::Options, date));
        let step = strike_step(spot);
        let at_the_money = (spot / step).round() as i64;
        for expiry in fridays_after(date).take(expiries) {
            let years = f64::from(date.until(expiry).map_or(1, |span| span.get_days()).max(1)) / 365.0;
            for strike in
                (at_the_money - strikes_per_side..=at_the_money + strikes_per_side).filter(|strike| *strike > 0)
            {
                for right in ['C', 'P'] {
                    let strike = strike as f64 * step;
                    all.push(contract(name, spot, expiry, years, right, strike, rank));
                }
            }
        }
    }
    all
}

fn contract(root: &str, spot: f64, expiry: Date, years: f64, right: char, strike: f64, rank: usize) -> Instrument {
    let (yy, mm, dd) = (expiry.year() % 100, expiry.month(), expiry.day());
    let ticker = format!("O:{root}{yy:02}{mm:02}{dd:02}{right}{:08}", (strike * 1000.0).round() as i64);
    let distance = (strike - spot) / spot;
    let intrinsic = if right == 'C' { spot - strike } else { strike - spot }.max(0.0);
    let width = 0.3 * years.sqrt();
    let time_value = 0.4 * spot * width * (-(distance / width).powi(2) / 2.0).exp();
    Instrument {
        key: hash_text(&ticker),
        base: (intrinsic + time_value).max(0.03),
        daily_change: 0.03,
        pace: 6.0 * (-0.05 * rank as f64 - 60.0 * distance.abs() - 3.0 * years).exp(),
        lot: 6.0,
        tick: UNIT / 100,
        ticker,
    }
}

pub(super) fn strike_step(spot: f64) -> f64 {
    match spot {
        s if s < 25.0 => 0.5,
        s if s < 200.0 => 1.0,
        s if s < 400.0 => 2.5,
        _ => 5.0,
    }
}

/// Expiry dates: Fridays, or the session before where Friday is a holiday.
pub(super) fn fridays_after(date: Date) -> impl Iterator<Item = Date> {
    let ahead =
        i64::from(Weekday::Friday.to_monday_zero_offset() - date.weekday().to_monday_zero_offset()).rem_euclid(7);
    (0..).map(move |week| date.saturating_add((ahead + 7 * week).days())).map(|friday| {
        let holiday = xnys().session(friday).is_none();
        if holiday { friday.saturating_sub(1.day()) } else { friday }
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn names(dataset: Dataset, size: MarketSize) -> Vec<String> {
        instruments(dataset, &Market { size, seed: 1, splits: false }, date(2026, 10, 1))
            .into_iter()
            .map(|instrument| instrument.ticker)
            .collect()
    }

    #[test]
    fn every_market_has_its_size_and_no_name_twice() {
        for (size, count) in [(MarketSize::Tiny, 13), (MarketSize::Default, 400), (MarketSize::Full, 10_000)] {
            let names = names(Dataset::Stocks, size);
            let different: HashSet<_> = names.iter().collect();
            assert_eq!((names.len(), different.len()), (count, count), "{size:?}");
        }
        let names = names(Dataset::Options, MarketSize::Default);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }

    #[test]
    fn files_are_ordered_by_root_and_suffix_not_by_bytes() {
        let names = names(Dataset::Stocks, MarketSize::Default);
        let place = |name: &str| names.iter().position(|known| known == name).unwrap();
        assert!(place("AA") < place("AApB") && place("AApB") < place("AAAP"));
        assert!(place("BCpC") < place("BCPC"));
        for awkward in tickers::AWKWARD {
            assert!(names.iter().any(|name| name == awkward), "{awkward}");
        }
    }

    #[test]
    fn options_are_named_by_root_expiry_right_and_strike() {
        let names = names(Dataset::Options, MarketSize::Tiny);
        assert!(names.iter().all(|name| name.starts_with("O:SPY261002") && name.len() == "O:SPY261002C00640000".len()));
        assert!(fridays_after(date(2026, 7, 1)).next() == Some(date(2026, 7, 2)), "3 July 2026 is a holiday");
    }
}
