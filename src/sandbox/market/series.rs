//! One instrument's aggregates, as the REST API tells them: those of the day files, with a volume-weighted price.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;

use super::hours::Hours;
use super::print::{PriceStyle, push_price, push_shortest};
use super::rng::hash_numbers;
use super::universe::{Instrument, UNIT, instruments};
use super::walk::{Minute, Walker, day_number};
use super::{FRACTIONAL_SINCE, Market};
use crate::model::Dataset;

/// A minute of trading.
const MINUTE_MS: i64 = 60_000;
/// Four decimals.
const VWAP_STEP: i64 = UNIT / 10_000;
/// One minute in so many has a volume-weighted price outside its range: trades that count for volume and not for prices.
const OUTSIDE: u64 = 25;

/// An aggregate; prices and volume in hundred-millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregate {
    /// Its start, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub close: i64,
    /// What was traded; `None` in markets without volume.
    pub traded: Option<Traded>,
}

/// Volume and what it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traded {
    /// Shares, contracts, coins, or quotes.
    pub volume: i64,
    /// Number of trades.
    pub transactions: u64,
    /// Σ price · volume.
    pub turnover: i128,
}

/// What the vendor has of an instrument on a date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SymbolDay {
    /// Ascending; empty if it was not traded.
    pub minutes: Vec<Aggregate>,
    /// The vendor's own day aggregate, stamped with its date's midnight; `None` where the vendor has none.
    pub day: Option<Aggregate>,
}

/// The instruments of a market, on a date if they are others on every date.
type Lists = HashMap<(Dataset, Option<Date>), Arc<Vec<Instrument>>>;

/// Lists of instruments that were made already: a full market has ten thousand stocks.
#[derive(Debug, Default)]
pub struct Catalog(Mutex<Lists>);

impl Catalog {
    /// Lists of full option markets are large, and there is one for every date.
    const KEPT: usize = 32;

    fn of(&self, market: &Market, dataset: Dataset, date: Date) -> Arc<Vec<Instrument>> {
        let changes = dataset == Dataset::Options || (dataset == Dataset::Stocks && market.splits);
        let key = (dataset, changes.then_some(date));
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = kept().get(&key) {
            return listed.clone();
        }
        let listed = Arc::new(instruments(dataset, market, date));
        let mut kept = kept();
        if kept.len() >= Self::KEPT {
            kept.clear();
        }
        kept.insert(key, listed.clone());
        listed
    }
}

impl Market {
    /// The aggregates of a ticker, in the REST API's spelling, of one version of its date's file; `None` if the market has
    /// no such instrument on this date.
    pub fn symbol_day(
        &self,
        catalog: &Catalog,
        dataset: Dataset,
        ticker: &str,
        date: Date,
        version: u8,
    ) -> Option<SymbolDay> {
        let listed = catalog.of(self, dataset, date);
        let instrument = listed.iter().find(|instrument| is_named(dataset, &instrument.ticker, ticker))?;
        let hours = Hours::of(dataset, date);
        let fractional = dataset == Dataset::Stocks && date >= FRACTIONAL_SINCE;
        let story = Walker { dataset, date, seed: self.seed, version, hours: &hours, fractional }.walk(instrument);
        let midnight_ms = hours.midnight_ns / 1_000_000;
        let aggregate = |row: &Minute, start_ms, turnover| Aggregate {
            start_ms,
            open: row.open,
            high: row.high,
            low: row.low,
            close: row.close,
            traded: dataset.has_volume().then(|| Traded {
                volume: row.volume,
                transactions: u64::from(row.transactions),
                turnover,
            }),
        };
        let minute = |row: &Minute| {
            let start_ms = midnight_ms + i64::from(row.minute) * MINUTE_MS;
            let vwap = self.minute_vwap(instrument, date, row);
            aggregate(row, start_ms, i128::from(vwap) * i128::from(row.volume))
        };
        let minutes: Vec<_> = story.minutes.iter().map(minute).collect();
        // The prices of what was never in a minute are those of the minutes.
        let traded = || minutes.iter().filter_map(|minute| minute.traded);
        let (volume, turnover): (i128, i128) =
            (traded().map(|traded| i128::from(traded.volume)).sum(), traded().map(|traded| traded.turnover).sum());
        let of_day = |row: Minute| {
            let mean = turnover.checked_div(volume).unwrap_or(0);
            aggregate(&row, midnight_ms, turnover + mean * (i128::from(row.volume) - volume))
        };
        let day = story.day.map(of_day);
        Some(SymbolDay { minutes, day })
    }

    /// Somewhere in the minute's range, and for some minutes a little beside it.
    fn minute_vwap(&self, instrument: &Instrument, date: Date, row: &Minute) -> i64 {
        let step = VWAP_STEP.min(instrument.tick);
        let chance =
            hash_numbers(&[self.seed, instrument.key, day_number(date), u64::from(row.minute), row.volume as u64]);
        let share = (chance >> 32) as i64;
        let part_of = |length: i64| ((i128::from(length) * i128::from(share)) >> 32) as i64 / step * step;
        if !chance.is_multiple_of(OUTSIDE) {
            return row.low + part_of(row.high - row.low);
        }
        let beside = step + part_of(row.low.abs() / 2_000);
        if (chance / OUTSIDE).is_multiple_of(2) && row.low > beside { row.low - beside } else { row.high + beside }
    }
}

/// Whether a ticker of the files is this one of the REST API, which spells pairs without a hyphen.
fn is_named(dataset: Dataset, file_ticker: &str, ticker: &str) -> bool {
    match dataset {
        Dataset::Forex | Dataset::Crypto => file_ticker.chars().filter(|c| *c != '-').eq(ticker.chars()),
        Dataset::Stocks | Dataset::Options | Dataset::Indices => file_ticker == ticker,
    }
}

impl Aggregate {
    /// This one and a later one as one.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let both = |a: Traded, b: Traded| Traded {
            volume: a.volume + b.volume,
            transactions: a.transactions + b.transactions,
            turnover: a.turnover + b.turnover,
        };
        Self {
            high: self.high.max(later.high),
            low: self.low.min(later.low),
            close: later.close,
            traded: self.traded.zip(later.traded).map(|(a, b)| both(a, b)),
            ..self
        }
    }

    /// What of a minute has happened by an instant in it: part of the trades, the last of them at the low. `None` if the
    /// instant comes before the minute.
    pub fn seen_at(self, now_ms: i64) -> Option<Self> {
        let elapsed = now_ms - self.start_ms;
        if elapsed >= MINUTE_MS {
            return Some(self);
        }
        let so_far = |whole: Traded| {
            let part = whole.transactions * elapsed.unsigned_abs() / MINUTE_MS.unsigned_abs();
            let transactions = part.clamp(1, (whole.transactions - 1).max(1));
            // Whole shares stay whole, others keep six decimals.
            let grain = if whole.volume % UNIT == 0 { UNIT } else { UNIT / 1_000_000 };
            let share = i128::from(whole.volume) * i128::from(transactions) / i128::from(whole.transactions.max(1));
            let volume = (share as i64 / grain * grain).clamp(grain.min(whole.volume), whole.volume);
            let turnover = whole.turnover / i128::from(whole.volume.max(1)) * i128::from(volume);
            Traded { volume, transactions, turnover }
        };
        (elapsed > 0).then(|| Self { close: self.low, traded: self.traded.map(so_far), ..self })
    }

    /// The same in today's shares, `factor` old dollars to one of today's; six decimals.
    #[must_use]
    pub fn adjusted(self, factor: f64) -> Self {
        let scaled = |units: i64, by: f64| (units as f64 * by / 100.0).round() as i64 * 100;
        Self {
            open: scaled(self.open, factor),
            high: scaled(self.high, factor),
            low: scaled(self.low, factor),
            close: scaled(self.close, factor),
            traded: self.traded.map(|traded| Traded { volume: scaled(traded.volume, 1.0 / factor), ..traded }),
            ..self
        }
    }

    /// Open, high, low and close as the file prints them, or as an equal number.
    pub fn prices(&self, dataset: Dataset) -> [String; 4] {
        let prices = [self.open, self.high, self.low, self.close];
        let style = PriceStyle::of(prices, dataset == Dataset::Indices, PriceStyle::Shortest);
        prices.map(|price| text(|line| push_price(line, price, style)))
    }
}

impl Traded {
    /// The volume, now and then in exponent form.
    pub fn volume_text(&self) -> String {
        let plain = text(|line| push_shortest(line, self.volume));
        let rarely = hash_numbers(&[self.volume as u64, self.transactions]).is_multiple_of(16);
        if rarely { exponent_form(&plain) } else { plain }
    }

    /// The volume-weighted average price; `None` without volume.
    pub fn vwap(&self) -> Option<i64> {
        let volume = i128::from(self.volume);
        let exact = self.turnover.checked_div(volume)? as i64;
        // A minute's own is exact. Means have four decimals, or all of them for what costs less than a dollar.
        let is_mean = self.turnover % volume != 0 && exact >= UNIT;
        Some(if is_mean { exact / VWAP_STEP * VWAP_STEP } else { exact })
    }

    /// The volume-weighted price as printed.
    pub fn vwap_text(&self) -> Option<String> {
        self.vwap().map(|vwap| text(|line| push_shortest(line, vwap)))
    }
}

fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut line = Vec::new();
    push(&mut line);
    String::from_utf8_lossy(&line).into_owned()
}

/// The same number as `1.029145e+06`; zero stays as it is.
fn exponent_form(plain: &str) -> String {
    let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
    let digits = format!("{whole}{decimals}");
    let Some(first) = digits.find(|digit| digit != '0') else { return plain.to_owned() };
    let exponent = whole.len() as i64 - 1 - first as i64;
    let (lead, rest) = digits[first..].split_at(1);
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{lead}{point}{rest}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::sandbox::MarketSize;

    const DAY: Date = date(2026, 10, 1);
    const TINY: Market = Market { size: MarketSize::Tiny, seed: 7, splits: false };

    fn spy(version: u8) -> Vec<Aggregate> {
        TINY.symbol_day(&Catalog::default(), Dataset::Stocks, "SPY", DAY, version).unwrap().minutes
    }

    #[test]
    fn volume_weighted_prices_lie_in_the_range_but_for_some() {
        for (dataset, ticker) in [(Dataset::Stocks, "SPY"), (Dataset::Crypto, "X:BTCUSD"), (Dataset::Forex, "C:EURUSD")]
        {
            let minutes = TINY.symbol_day(&Catalog::default(), dataset, ticker, DAY, 1).unwrap().minutes;
            let is_outside =
                |minute: &&Aggregate| !(minute.low..=minute.high).contains(&minute.traded.unwrap().vwap().unwrap());
            let (outside, all) = (minutes.iter().filter(is_outside).count(), minutes.len());
            assert!((all / 50..all / 15).contains(&outside), "{ticker}: {outside} of {all}");
            assert!(minutes.iter().all(|minute| minute.traded.unwrap().vwap() > Some(0)));
        }
        assert!(spy(1).iter().all(|minute| minute.traded.unwrap().vwap().unwrap() % VWAP_STEP == 0), "four decimals");
    }

    #[test]
    fn a_published_file_restates_its_symbols() {
        assert_eq!(spy(1), spy(1));
        assert_ne!(spy(1), spy(2));
    }

    #[test]
    fn an_open_minute_has_fewer_trades() {
        let minute = spy(1).into_iter().find(|minute| minute.traded.unwrap().transactions > 3).unwrap();
        assert_eq!(minute.seen_at(minute.start_ms), None);
        assert_eq!(minute.seen_at(minute.start_ms + MINUTE_MS), Some(minute));
        let (part, whole) = (minute.seen_at(minute.start_ms + 59_999).unwrap().traded.unwrap(), minute.traded.unwrap());
        assert!(part.transactions < whole.transactions && part.volume < whole.volume && part.volume > 0, "{part:?}");
    }

    #[test]
    fn exponents_say_the_same_number() {
        for (plain, exponent) in [
            ("1029145", "1.029145e+06"),
            ("100", "1e+02"),
            ("17798.430378", "1.7798430378e+04"),
            ("0.00123", "1.23e-03"),
            ("7", "7e+00"),
            ("0", "0"),
        ] {
            assert_eq!(exponent_form(plain), exponent);
            assert_eq!(plain.parse::<f64>(), exponent.parse::<f64>());
        }
    }

    #[test]
    fn adjusting_keeps_the_turnover() {
        let minute = spy(1)[0];
        let (raw, half) = (minute.traded.unwrap(), minute.adjusted(0.5).traded.unwrap());
        assert_eq!(half.volume, raw.volume * 2);
        assert!((minute.adjusted(0.5).open * 2 - minute.open).abs() <= 100);
    }
}
