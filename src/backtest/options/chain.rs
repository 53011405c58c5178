//! From contracts to a chain: which of them are in scope, what they weigh, and their implied volatilities.

use super::black_scholes::Rejection;
use super::{ChainSettings, Contract, ContractsAt, Right, Terms, WeightSource};
use crate::backtest::{Input, Known};

const MS_PER_MINUTE: f64 = 60_000.0;
const MINUTES_PER_YEAR: f64 = 525_600.0;

/// Why contracts have no implied volatility of their own, counted over those whose price was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpriced {
    /// No price at all.
    pub no_price: u64,
    /// A price that is too old.
    pub stale: u64,
    /// No price of the underlying at the same instant.
    pub no_underlying: u64,
    /// At or below what exercise would bring.
    pub intrinsic: u64,
    /// A volatility out of range.
    pub range: u64,
    /// No volatility was found.
    pub no_convergence: u64,
}

/// A contract in scope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The contract.
    pub contract: Contract,
    /// Its weight, contracts.
    pub weight: f64,
    /// Minutes to its last trading instant.
    pub minutes: f64,
    /// Implied volatility of its strike and expiry, if it has one.
    pub volatility: Option<f64>,
}

/// The contracts in scope at the end of a bar, by expiry, settlement, strike and right.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The underlying's price.
    pub spot: f64,
    /// The contracts.
    pub members: Vec<Member>,
    /// Why some have no volatility.
    pub unpriced: Unpriced,
    settings: ChainSettings,
}

impl Chain {
    /// Takes the contracts in scope: expiries that still trade, up to `chain_dte_max` days, strikes within
    /// `strike_max_pct` (detectors 6). Fails with what is missing: the underlying's price, contracts at all, or open
    /// interest of any of them.
    pub fn new(at: &ContractsAt<'_>, settings: &ChainSettings) -> Known<Self> {
        let spot = at.spot?;
        let in_scope = |contract: &&Contract| {
            (contract.expiry - at.session).get_days() <= settings.chain_dte_max
                && contract.last_trading_ms > at.at_ms
                && 100.0 * (contract.strike - spot).abs() <= settings.strike_max_pct * spot
        };
        let contracts: Vec<_> = at.contracts.iter().filter(in_scope).copied().collect();
        if contracts.is_empty() {
            return Err(Input::OptionMinutes);
        }
        if settings.weight == WeightSource::OpenInterest && contracts.iter().all(|of| of.open_interest.is_none()) {
            return Err(Input::OpenInterest);
        }
        let member = |contract: Contract| Member {
            weight: match settings.weight {
                WeightSource::OpenInterest => contract.open_interest.unwrap_or(0.0),
                WeightSource::Volume => contract.volume,
            },
            minutes: (contract.last_trading_ms - at.at_ms) as f64 / MS_PER_MINUTE,
            volatility: None,
            contract,
        };
        let mut members: Vec<_> = contracts.into_iter().map(member).collect();
        members.sort_by(|one, other| {
            let key = |of: &Contract| (of.expiry, of.settles_at_open);
            let (one, other) = (&one.contract, &other.contract);
            let by_strike = || one.strike.total_cmp(&other.strike).then(one.right.cmp(&other.right));
            key(one).cmp(&key(other)).then_with(by_strike)
        });
        let mut chain = Self { spot, members, unpriced: Unpriced::default(), settings: *settings };
        chain.imply(at.at_ms);
        Ok(chain)
    }

    /// Gives both sides of a strike and expiry the volatility of the side that is out of the money; that of the other only
    /// where this has none.
    fn imply(&mut self, at_ms: i64) {
        let (spot, settings) = (self.spot, self.settings);
        let unpriced = &mut self.unpriced;
        let key = |of: &Member| (of.contract.expiry, of.contract.settles_at_open, of.contract.strike.to_bits());
        for strike in self.members.chunk_by_mut(|one, other| key(one) == key(other)) {
            let out_of_the_money = if strike[0].contract.strike < spot { Right::Put } else { Right::Call };
            let mut by_side = strike.to_vec();
            by_side.sort_by_key(|member| member.contract.right != out_of_the_money);
            let volatility = by_side.iter().find_map(|member| volatility(&member.contract, at_ms, &settings, unpriced));
            for member in strike {
                member.volatility = volatility;
            }
        }
    }

    /// What a member's price depends on if the underlying were at a price, now.
    pub(super) fn terms(&self, member: &Member, spot: f64) -> Terms {
        terms(&member.contract, spot, member.minutes, &self.settings)
    }

    /// Whether volatilities cover enough of it: strikes on each side of the price, and weight (detectors 6).
    pub fn is_covered(&self) -> bool {
        let is_near = |strike: f64| 100.0 * (strike - self.spot).abs() <= self.settings.coverage_pct * self.spot;
        let strikes = |is_above: bool| {
            let of_side = self.members.iter().filter(|member| {
                let strike = member.contract.strike;
                member.volatility.is_some() && is_near(strike) && (strike >= self.spot) == is_above
            });
            let mut strikes: Vec<_> = of_side.map(|member| member.contract.strike.to_bits()).collect();
            strikes.sort_unstable();
            strikes.dedup();
            strikes.len()
        };
        let weight: f64 = self.members.iter().map(|member| member.weight).sum();
        let covered = self.members.iter().filter(|member| member.volatility.is_some());
        let covered: f64 = covered.map(|member| member.weight).sum();
        strikes(false) >= self.settings.coverage_strikes
            && strikes(true) >= self.settings.coverage_strikes
            && weight > 0.0
            && covered >= self.settings.coverage_weight * weight
    }
}

fn terms(contract: &Contract, spot: f64, minutes: f64, settings: &ChainSettings) -> Terms {
    Terms {
        right: contract.right,
        spot,
        strike: contract.strike,
        years: minutes.max(settings.t_min_minutes) / MINUTES_PER_YEAR,
        rate: settings.rate,
        dividend_yield: settings.dividend_yield,
    }
}

/// The volatility of a contract's last price, at the instant of the price.
fn volatility(contract: &Contract, at_ms: i64, settings: &ChainSettings, unpriced: &mut Unpriced) -> Option<f64> {
    let Some(price) = contract.price else {
        unpriced.no_price += 1;
        return None;
    };
    if at_ms - price.end_ms > settings.opt_stale_minutes * 60_000 {
        unpriced.stale += 1;
        return None;
    }
    let Some(underlying) = price.underlying else {
        unpriced.no_underlying += 1;
        return None;
    };
    let minutes = (contract.last_trading_ms - price.end_ms) as f64 / MS_PER_MINUTE;
    let found = terms(contract, underlying, minutes, settings).implied_volatility(price.price);
    match found {
        Err(Rejection::Intrinsic) => unpriced.intrinsic += 1,
        Err(Rejection::Range) => unpriced.range += 1,
        Err(Rejection::NoConvergence) => unpriced.no_convergence += 1,
        Ok(_) => {}
    }
    found.ok()
}
