//! Gamma and delta of dealers over a chain, and the levels they make (detectors 4). Assumes that dealers are long calls and
//! short puts.

use std::collections::BTreeMap;

use super::{Chain, Member, Right};

/// Shares that a contract is for.
const SHARES: f64 = 100.0;
/// Steps of the grid on each side of the price.
const GRID_STEPS: i32 = 40;
/// A step of it, as a share of the price.
const GRID_STEP: f64 = 0.0025;

impl Chain {
    /// Gamma exposure of a member with the underlying at a price, its volatility held: Γ·W·100·S²·0.01 dollars per move of
    /// 1 %, positive for calls and negative for puts; 0 without a volatility.
    fn gex_of(&self, member: &Member, spot: f64) -> f64 {
        let Some(volatility) = member.volatility else { return 0.0 };
        let gamma = self.terms(member, spot).gamma(volatility);
        member.contract.right.sign() * exposure(gamma, member.weight, spot)
    }

    /// Net gamma exposure with the underlying at a price.
    pub fn net_gex_at(&self, spot: f64) -> f64 {
        self.members.iter().map(|member| self.gex_of(member, spot)).sum()
    }

    /// Net gamma exposure.
    pub fn net_gex(&self) -> f64 {
        self.net_gex_at(self.spot)
    }

    /// Gamma exposure by strike, over all expiries, of members that are asked for; ascending.
    pub fn gex_by_strike(&self, asked: impl Fn(&Member) -> bool) -> Vec<(f64, f64)> {
        let mut by_strike = BTreeMap::new();
        for member in self.members.iter().filter(|member| member.volatility.is_some() && asked(member)) {
            // Strikes are positive: their bits sort as they do.
            *by_strike.entry(member.contract.strike.to_bits()).or_insert(0.0) += self.gex_of(member, self.spot);
        }
        by_strike.into_iter().map(|(strike, gex)| (f64::from_bits(strike), gex)).collect()
    }

    /// The strike with the largest gamma exposure of calls, or of puts; of several the nearest to the price, then the lower
    /// one. `None`: no weight.
    pub fn wall(&self, right: Right) -> Option<f64> {
        let by_strike = self.gex_by_strike(|member| member.contract.right == right);
        let better = |one: &(f64, f64), other: &(f64, f64)| {
            let nearer = (other.0 - self.spot).abs().total_cmp(&(one.0 - self.spot).abs());
            one.1.abs().total_cmp(&other.1.abs()).then(nearer).then(other.0.total_cmp(&one.0))
        };
        by_strike.into_iter().filter(|(_, gex)| *gex != 0.0).max_by(better).map(|(strike, _)| strike)
    }

    /// The price nearest to the underlying's at which net gamma exposure would be zero: on a grid of ±10 % in steps of
    /// 0.25 %, straight between its points. `None`: it has no zero there.
    pub fn flip_level(&self) -> Option<f64> {
        let at = |step: i32| {
            let spot = self.spot * (1.0 + f64::from(step) * GRID_STEP);
            (spot, self.net_gex_at(spot))
        };
        let grid: Vec<_> = (-GRID_STEPS..=GRID_STEPS).map(at).collect();
        let zeros = grid.windows(2).filter_map(|pair| {
            let ((low, below), (high, above)) = (pair[0], pair[1]);
            let has_zero = below * above < 0.0 || (below == 0.0) != (above == 0.0);
            has_zero.then(|| low + (high - low) * below / (below - above))
        });
        zeros.min_by(|one, other| (one - self.spot).abs().total_cmp(&(other - self.spot).abs()))
    }

    /// Net delta of dealers, in shares of the underlying: Σ ±Δ·W·100, plus for calls and minus for puts.
    pub fn dealer_delta(&self) -> f64 {
        let delta = |member: &Member| {
            let volatility = member.volatility?;
            let delta = self.terms(member, self.spot).greeks(volatility).delta;
            Some(member.contract.right.sign() * delta * member.weight * SHARES)
        };
        self.members.iter().filter_map(delta).sum()
    }
}

/// Dollars per move of 1 % that a gamma over a weight of contracts makes: Γ·W·100·S²·0.01. With the day's volume as weight
/// this is the volume-weighted gamma of a strike.
pub fn exposure(gamma: f64, weight: f64, spot: f64) -> f64 {
    gamma * weight * SHARES * spot * spot * 0.01
}
