//! Prices of European options and their sensitivities by Black and Scholes, and the way back from a price to a volatility.
//! American exercise is ignored, also for options on ETFs and stocks.

use super::normal::{density, distribution};

/// Which way an option pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Above the strike.
    Call,
    /// Below it.
    Put,
}

impl Right {
    /// 1 for calls, -1 for puts.
    pub const fn sign(self) -> f64 {
        match self {
            Self::Call => 1.0,
            Self::Put => -1.0,
        }
    }

    /// What exercise at a price of the underlying would bring.
    pub const fn intrinsic(self, spot: f64, strike: f64) -> f64 {
        (self.sign() * (spot - strike)).max(0.0)
    }
}

/// What an option's price depends on beside volatility.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Which way it pays.
    pub right: Right,
    /// Price of the underlying.
    pub spot: f64,
    /// Strike.
    pub strike: f64,
    /// Time to the last trading instant, years.
    pub years: f64,
    /// Interest a year, continuous, 0.04 for 4 %.
    pub rate: f64,
    /// Dividends a year as a share of the price, continuous.
    pub dividend_yield: f64,
}

/// Sensitivities of an option's price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Greeks {
    /// Per unit of the underlying's price.
    pub delta: f64,
    /// Of delta per unit of the underlying's price.
    pub gamma: f64,
    /// Per year that passes.
    pub theta: f64,
    /// Per 1.00 of volatility.
    pub vega: f64,
}

/// Why a price has no implied volatility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// It is not above what exercise would bring.
    Intrinsic,
    /// The volatility would be below [`LOWEST_VOLATILITY`] or above [`HIGHEST_VOLATILITY`].
    Range,
    /// No volatility was found, or the price hardly depends on it ([`LEAST_VEGA`]).
    NoConvergence,
}

/// Lowest implied volatility that is taken.
pub const LOWEST_VOLATILITY: f64 = 0.01;
/// Highest implied volatility that is taken.
pub const HIGHEST_VOLATILITY: f64 = 5.0;
/// Vega over the underlying's price below which a price tells nothing of volatility: deep in the money near expiry, all
/// volatilities have the same price but for its last digits.
pub const LEAST_VEGA: f64 = 1e-8;

impl Terms {
    /// d₁ = (ln(S/K) + (r - q + σ²/2)·T) / (σ·√T), and d₂ = d₁ - σ·√T.
    fn d(&self, volatility: f64) -> (f64, f64) {
        let spread = volatility * self.years.sqrt();
        let drift = (self.rate - self.dividend_yield + 0.5 * volatility * volatility) * self.years;
        let d1 = ((self.spot / self.strike).ln() + drift) / spread;
        (d1, d1 - spread)
    }

    /// Price at a volatility (0.2 for 20 % a year).
    pub fn price(&self, volatility: f64) -> f64 {
        let (d1, d2) = self.d(volatility);
        let sign = self.right.sign();
        let spot = self.spot * (-self.dividend_yield * self.years).exp();
        let strike = self.strike * (-self.rate * self.years).exp();
        sign * (spot * distribution(sign * d1) - strike * distribution(sign * d2))
    }

    /// Gamma at a volatility: the same for calls and puts.
    pub fn gamma(&self, volatility: f64) -> f64 {
        let (d1, _) = self.d(volatility);
        (-self.dividend_yield * self.years).exp() * density(d1) / (self.spot * volatility * self.years.sqrt())
    }

    /// Vega at a volatility: the same for calls and puts.
    pub fn vega(&self, volatility: f64) -> f64 {
        let (d1, _) = self.d(volatility);
        self.spot * (-self.dividend_yield * self.years).exp() * density(d1) * self.years.sqrt()
    }

    /// Sensitivities at a volatility.
    pub fn greeks(&self, volatility: f64) -> Greeks {
        let (d1, d2) = self.d(volatility);
        let sign = self.right.sign();
        let carried = (-self.dividend_yield * self.years).exp();
        let discounted = self.strike * (-self.rate * self.years).exp();
        let root = self.years.sqrt();
        let theta = -self.spot * carried * density(d1) * volatility / (2.0 * root)
            - sign * self.rate * discounted * distribution(sign * d2)
            + sign * self.dividend_yield * self.spot * carried * distribution(sign * d1);
        Greeks {
            delta: sign * carried * distribution(sign * d1),
            gamma: self.gamma(volatility),
            theta,
            vega: self.vega(volatility),
        }
    }

    /// The volatility at which the option has a price (detectors 6): Newton's steps, halving where they leave the bracket.
    pub fn implied_volatility(&self, price: f64) -> Result<f64, Rejection> {
        const STEPS: u32 = 100;
        if price <= self.right.intrinsic(self.spot, self.strike) {
            return Err(Rejection::Intrinsic);
        }
        let (mut low, mut high) = (LOWEST_VOLATILITY, HIGHEST_VOLATILITY);
        if !(self.price(low)..=self.price(high)).contains(&price) {
            return Err(Rejection::Range);
        }
        let mut volatility = 0.2;
        for _ in 0..STEPS {
            let error = self.price(volatility) - price;
            if error > 0.0 {
                high = volatility;
            } else {
                low = volatility;
            }
            let newton = volatility - error / self.vega(volatility);
            let next = if low < newton && newton < high { newton } else { 0.5 * (low + high) };
            if (next - volatility).abs() < 1e-12 {
                let is_told = self.vega(next) >= LEAST_VEGA * self.spot;
                return if is_told { Ok(next) } else { Err(Rejection::NoConvergence) };
            }
            volatility = next;
        }
        Err(Rejection::NoConvergence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Terms =
        Terms { right: Right::Call, spot: 100.0, strike: 105.0, years: 0.1, rate: 0.04, dividend_yield: 0.0 };

    #[test]
    fn prices_without_a_volatility_are_told_apart() {
        let put = Terms { right: Right::Put, ..CALL };
        assert_eq!(CALL.implied_volatility(0.0), Err(Rejection::Intrinsic));
        assert_eq!(put.implied_volatility(5.0), Err(Rejection::Intrinsic), "on the edge");
        assert!(put.implied_volatility(5.01).is_ok());
        assert_eq!(CALL.implied_volatility(CALL.price(5.01)), Err(Rejection::Range));
        assert_eq!(CALL.implied_volatility(100.5), Err(Rejection::Range), "more than the underlying");
        let near = Terms { strike: 100.0, ..CALL };
        assert_eq!(near.implied_volatility(near.price(0.009)), Err(Rejection::Range));
        assert!((near.implied_volatility(near.price(0.01)).unwrap() - 0.01).abs() < 1e-9);
        let deep = Terms { strike: 90.0, years: 120.0 / 525_600.0, ..CALL };
        assert_eq!(deep.implied_volatility(deep.price(0.2)), Err(Rejection::NoConvergence), "interest only");
        assert_eq!(CALL.implied_volatility(f64::NAN), Err(Rejection::Range));
    }

    #[test]
    fn sensitivities_are_slopes_of_the_price() {
        for right in [Right::Call, Right::Put] {
            let at = Terms { right, dividend_yield: 0.01, ..CALL };
            let greeks = at.greeks(0.3);
            let slope = |up: f64, down: f64, step: f64| (up - down) / (2.0 * step);
            let spot = |by: f64| Terms { spot: at.spot + by, ..at };
            let delta = slope(spot(1e-3).price(0.3), spot(-1e-3).price(0.3), 1e-3);
            let gamma = slope(spot(1e-3).greeks(0.3).delta, spot(-1e-3).greeks(0.3).delta, 1e-3);
            let vega = slope(at.price(0.301), at.price(0.299), 1e-3);
            let years = |by: f64| Terms { years: at.years + by, ..at };
            let theta = slope(years(-1e-5).price(0.3), years(1e-5).price(0.3), 1e-5);
            for (found, expected) in
                [(greeks.delta, delta), (greeks.gamma, gamma), (greeks.vega, vega), (greeks.theta, theta)]
            {
                assert!((found - expected).abs() < 1e-4 * expected.abs().max(0.1), "{right:?} {found} {expected}");
            }
        }
    }
}
