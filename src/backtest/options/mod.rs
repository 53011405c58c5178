//! Option chains: from contracts at the end of a bar to what detectors ask of them.
//!
//! Gamma exposure assumes that dealers are long calls and short puts, which nobody can observe: a hypothesis.
//!
//! Where the specification can be read in more than one way: a price is read with the underlying and the time to expiry of its
//! own minute; the side in the money gives its volatility where the other has none that is valid; the two sides of a usable
//! chain are strikes below the price, and those at it or above; a wall is a strike over all expiries; minutes to the nearest
//! expiry count roots settled at the open, too; the option volume of sessions before is a mean of at least ten.

mod black_scholes;
mod chain;
mod contracts;
mod exposure;
mod max_pain;
mod normal;
mod rank;
mod view;

pub use black_scholes::{Greeks, HIGHEST_VOLATILITY, LEAST_VEGA, LOWEST_VOLATILITY, Rejection, Right, Terms};
pub use chain::{Chain, Member, Unpriced};
pub use contracts::{ChainSettings, Contract, ContractsAt, OptionPrice, WeightSource};
pub use exposure::exposure;
pub use rank::{RANK_MIN_SESSIONS, RANK_SESSIONS, Rank, percentile_rank};
pub use view::{ChainAt, ChainHistory, FlipBefore};

use super::Known;

/// What detectors ask of an option chain at the end of a bar. Weights are open interest, or the day's volume where the run
/// says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainView {
    /// Minutes from the end of the bar to the nearest expiry's last trading instant.
    pub minutes_to_expiry: f64,
    /// Whether a contract that settles at the close expires in this session.
    pub expires_today: bool,
    /// Calls' share of the day's option volume so far, 0 to 1; `None` while there is none.
    pub call_volume_share: Option<f64>,
    /// The day's option volume so far over its mean at the same slot of the sessions before.
    pub volume_ratio: Known,
    /// Gamma and delta, where enough contracts have an implied volatility.
    pub gamma: Known<GammaView>,
    /// The flip level at the end of the bar before; `Ok(None)`: there is none.
    pub flip: Known<Option<FlipView>>,
    /// The strike a price may be pinned to; `None`: nothing of weight expires at a close.
    pub pin: Option<PinView>,
}

/// Gamma and delta of a chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaView {
    /// Net gamma exposure: dollars per move of 1 %; calls count up, puts down.
    pub net_gex: f64,
    /// Rank of minus net gamma exposure.
    pub negative_gex_rank: Rank,
    /// Strike with the largest gamma exposure of calls.
    pub call_wall: Option<f64>,
    /// Strike with the largest gamma exposure of puts.
    pub put_wall: Option<f64>,
    /// Net delta of dealers, in shares of the underlying.
    pub dealer_delta: f64,
    /// Rank of its size.
    pub dealer_delta_rank: Rank,
}

/// The price at which net gamma exposure would be zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlipView {
    /// That price, computed at the end of the bar before, so that it cannot make the cross that is looked for.
    pub level: f64,
    /// Close of the bar before.
    pub previous_close: f64,
    /// Net gamma exposure of the strike nearest to the level, at the end of this bar.
    pub gex: f64,
    /// Rank of its size.
    pub gex_rank: Rank,
}

/// The strike at which holders of the nearest expiry would get least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PinView {
    /// The strike.
    pub strike: f64,
    /// Weight at it.
    pub weight: f64,
    /// Its share of the weight of the expiry, 0 to 1.
    pub share: f64,
    /// Net gamma exposure of the expiry at it, where it is known.
    pub gex: Option<f64>,
    /// Minutes to the expiry's last trading instant.
    pub minutes_to_expiry: f64,
    /// Whether it expires in this session.
    pub expires_today: bool,
}
