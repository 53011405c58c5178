//! Option chains: which contracts there are on an underlying, and what is told of them at an instant.

use jiff::Timestamp;
use jiff::civil::Date;

use super::level::{level, previous_trading_date};
use super::rng::{hash_numbers, hash_text};
use super::universe::{fridays_after, strike_step, underlying};
use super::walk::day_number;
use super::{Market, MarketSize};
use crate::model::{Dataset, Market as Clock, midnight, options_session, regular_open, session_finished_at};

/// Roots of weekly contracts that differ from those of the third Friday's.
const WEEKLY_ROOTS: [(&str, &str); 4] = [("SPX", "SPXW"), ("NDX", "NDXP"), ("VIX", "VIXW"), ("RUT", "RUTW")];

/// A stock whose terms a split once changed: some of its contracts have a root with a digit.
const ADJUSTED: &str = "AAPL";

/// A contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// As the vendor spells it.
    pub ticker: String,
    /// Last date of trading.
    pub expiry: Date,
    /// Whether it is a call.
    pub is_call: bool,
    /// Strike in dollars or points.
    pub strike: f64,
    key: u64,
}

/// The contracts on an underlying that are not over.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// By ticker.
    pub contracts: Vec<Contract>,
    /// Price of the underlying.
    pub spot: f64,
    seed: u64,
    now: Timestamp,
}

/// What is told of a contract. Some things of some contracts are not.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Contracts open at the end of the last trading day.
    pub open_interest: Option<u64>,
    /// A fraction of one per year.
    pub implied_volatility: Option<f64>,
    /// Delta, gamma, theta, vega.
    pub greeks: Option<[f64; 4]>,
    /// Price, volume and stamp (nanoseconds) of the last day on which it was traded; none if it never was.
    pub day: Option<(f64, u64, i64)>,
}

impl Market {
    /// The chain of an underlying at an instant; `None` for what has no options.
    pub fn chain(&self, ticker: &str, now: Timestamp) -> Option<Chain> {
        let instrument = underlying(ticker, self.size)?;
        let today = Clock::NewYork.date_of(now);
        let spot = level(&instrument, self.seed, previous_trading_date(Dataset::Options, today));
        let (expiries, strikes) = match (self.size, ticker.starts_with("I:")) {
            (MarketSize::Tiny, false) => (2, 10),
            (MarketSize::Tiny, true) => (4, 40),
            (MarketSize::Default, false) => (6, 25),
            (MarketSize::Default, true) => (12, 100),
            (MarketSize::Full, false) => (12, 60),
            (MarketSize::Full, true) => (40, 150),
        };
        let root = ticker.trim_start_matches("I:").replace('.', "");
        let weekly = WEEKLY_ROOTS.iter().find(|(monthly, _)| *monthly == root).map_or(root.as_str(), |(_, root)| root);
        let step = strike_step(spot);
        let at_the_money = (spot / step).round() as i64;
        let mut contracts = Vec::new();
        for (week, expiry) in fridays_after(today).take(expiries).enumerate() {
            // The third Friday, or the Thursday before it.
            let is_monthly = (14..=21).contains(&expiry.day());
            let mut roots = vec![if is_monthly { root.clone() } else { weekly.to_owned() }];
            if root == ADJUSTED && week == 1 {
                roots.push(format!("{root}1"));
            }
            for root in &roots {
                let lowest = (at_the_money - strikes).max(1);
                for strike in (lowest..=at_the_money + strikes).map(|place| place as f64 * step) {
                    contracts.extend([true, false].map(|is_call| Contract::new(root, expiry, is_call, strike)));
                }
            }
        }
        contracts.sort_by(|a, b| a.ticker.cmp(&b.ticker));
        Some(Chain { contracts, spot, seed: self.seed, now })
    }
}

impl Contract {
    fn new(root: &str, expiry: Date, is_call: bool, strike: f64) -> Self {
        let (yy, mm, dd) = (expiry.year() % 100, expiry.month(), expiry.day());
        let right = if is_call { 'C' } else { 'P' };
        let ticker = format!("O:{root}{yy:02}{mm:02}{dd:02}{right}{:08}", (strike * 1000.0).round() as i64);
        Self { key: hash_text(&ticker), ticker, expiry, is_call, strike }
    }
}

impl Chain {
    /// What is told of one of its contracts.
    pub fn told(&self, contract: &Contract) -> Told {
        let today = Clock::NewYork.date_of(self.now);
        let chance = |date: Date, purpose: u64| hash_numbers(&[self.seed, contract.key, day_number(date), purpose]);
        let kind = hash_numbers(&[contract.key, 1]);
        let distance = (contract.strike - self.spot) / self.spot;
        let near = (-(distance * 12.0).powi(2)).exp();
        // Counted over night.
        let counted_on = previous_trading_date(Dataset::Options, today);
        let open = (20_000.0 * near * (chance(counted_on, 2) % 1000) as f64 / 1000.0) as u64;
        let (session, _) = options_session(self.now);
        let implied_volatility = 0.15 + 0.8 * distance.abs() + (chance(session, 3) % 1000) as f64 / 20_000.0;
        let days = contract.expiry.since(session).map_or(1, |span| span.get_days()).max(1);
        let width = implied_volatility * (f64::from(days) / 365.0).sqrt();
        let call_delta = 1.0 / (1.0 + (1.7 * distance / width).exp());
        let rounded = |number: f64| (number * 1e10).round() / 1e10;
        let greeks = [
            if contract.is_call { call_delta } else { call_delta - 1.0 },
            near / (self.spot * width),
            -self.spot * near * implied_volatility / 400.0,
            self.spot * near * width / 3.0,
        ];
        // Far from the money, and now and then elsewhere, the vendor cannot tell one from the price.
        let has_volatility = near > 0.02 && !kind.is_multiple_of(23);
        Told {
            open_interest: (!kind.is_multiple_of(97)).then_some(open),
            implied_volatility: has_volatility.then_some(rounded(implied_volatility)),
            greeks: (has_volatility && !kind.is_multiple_of(19)).then_some(greeks.map(rounded)),
            day: self.last_day(contract, session, near, chance(session, 4)),
        }
    }

    fn last_day(&self, contract: &Contract, session: Date, near: f64, chance: u64) -> Option<(f64, u64, i64)> {
        if contract.key.is_multiple_of(11) {
            return None;
        }
        let intrinsic = if contract.is_call { self.spot - contract.strike } else { contract.strike - self.spot };
        let price = ((intrinsic.max(0.0) + self.spot * near / 100.0).max(0.01) * 100.0).round() / 100.0;
        let stamp = |date: Date| midnight(Clock::NewYork, date).as_millisecond() * 1_000_000;
        if chance.is_multiple_of(5) {
            let before = previous_trading_date(Dataset::Options, previous_trading_date(Dataset::Options, session));
            return Some((price, 1 + chance % 7, stamp(before)));
        }
        let length = |until: Timestamp| until.duration_since(regular_open(session)).as_secs_f64();
        let share = (length(self.now) / length(session_finished_at(Dataset::Options, session))).clamp(0.0, 1.0);
        let volume = (5_000.0 * near * (chance % 1000) as f64 / 1000.0 * share) as u64;
        Some((price, volume + 1, stamp(session)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const TINY: Market = Market { size: MarketSize::Tiny, seed: 1, splits: false };

    fn chain(ticker: &str, now: &str) -> Chain {
        TINY.chain(ticker, now.parse().unwrap()).unwrap()
    }

    #[test]
    fn indices_stocks_and_adjusted_contracts_have_their_roots() {
        let roots = |ticker: &str| {
            let chain = chain(ticker, "2026-10-05T16:00:00Z");
            let root = |contract: &Contract| contract.ticker[2..contract.ticker.len() - 15].to_owned();
            let mut roots: Vec<_> = chain.contracts.iter().map(root).collect();
            roots.dedup();
            roots
        };
        assert_eq!(roots("I:SPX"), ["SPX", "SPXW"]);
        assert_eq!((roots("BRK.B"), roots("AAPL")), (vec!["BRKB".to_owned()], vec!["AAPL1".into(), "AAPL".into()]));
        assert!(TINY.chain("ZVZZT", Timestamp::now()).is_none() && TINY.chain("I:DJI", Timestamp::now()).is_none());
        assert!(TINY.chain("TSLA", Timestamp::now()).is_none(), "it is no stock of the tiny market");
        let full = Market { size: MarketSize::Full, ..TINY };
        assert!(full.chain("I:SPX", Timestamp::now()).unwrap().contracts.len() > 20_000);
    }

    #[test]
    fn contracts_are_there_until_the_day_they_end() {
        let ends = |now| chain("SPY", now).contracts.iter().map(|contract| contract.expiry).collect::<HashSet<_>>();
        let friday: Date = "2026-10-09".parse().unwrap();
        assert!(ends("2026-10-09T21:00:00Z").contains(&friday));
        assert!(!ends("2026-10-10T12:00:00Z").contains(&friday));
    }

    #[test]
    fn open_interest_is_counted_over_night_and_volume_through_the_day() {
        let told = |now| {
            let chain = chain("SPY", now);
            chain.contracts.iter().map(|contract| chain.told(contract)).collect::<Vec<_>>()
        };
        let open = |told: &[Told]| told.iter().map(|told| told.open_interest).collect::<Vec<_>>();
        let volume = |told: &[Told]| told.iter().filter_map(|told| told.day).map(|day| day.1).sum::<u64>();
        let (noon, evening) = (told("2026-10-05T16:00:00Z"), told("2026-10-06T01:00:00Z"));
        assert_eq!(open(&noon), open(&evening));
        assert_ne!(open(&evening), open(&told("2026-10-06T09:00:00Z")));
        assert!(volume(&noon) < volume(&evening));
        for lacks in [
            (|told: &Told| told.open_interest.is_none()) as fn(&Told) -> bool,
            |told| told.implied_volatility.is_none(),
            |told| told.implied_volatility.is_some() && told.greeks.is_none(),
            |told| told.day.is_none(),
        ] {
            let index = chain("I:SPX", "2026-10-05T16:00:00Z");
            let count = index.contracts.iter().filter(|contract| lacks(&index.told(contract))).count();
            assert!((1..index.contracts.len() / 2).contains(&count), "{count}");
        }
    }
}
