//! Indicators: what a series of bars says, one bar after the other and with the same work for each.
//!
//! An indicator knows nothing of time or of what is stored. It is told each bar once, in order, and holds the little it needs.
//! `value()` is `None` until its definition is met; whether it has forgotten where the series started is its user's business
//! ([`WILDER_BARS`], [`ADX_BARS`], [`ema_bars`]). Where a split takes effect, `rescale` brings what it holds into the new
//! shares, so that all of it is as if the series had been traded in the shares of its last bar.

mod adx;
mod atr;
mod divergence;
mod donchian;
mod ema;
mod opening_range;
mod percentile_rank;
mod pivots;
mod regime;
mod rolling_mean;
mod rsi;
mod session_vwap;
mod slot_volume;

pub use adx::{Adx, Directional};
pub use atr::{Atr, TrueRange};
pub use divergence::Divergence;
pub use donchian::Donchian;
pub use ema::Ema;
pub use opening_range::opening_range;
pub use percentile_rank::{RANK_MIN_SESSIONS, RANK_SESSIONS, percentile_rank};
pub use pivots::{Pivot, Pivots};
pub use regime::{ATR_MEAN_BARS, RegimeInputs, regime};
pub use rolling_mean::RollingMean;
pub use rsi::Rsi;
pub use session_vwap::SessionVwap;
pub use slot_volume::{SlotVolume, Slots, VOLUME_Z_SESSIONS};

/// Period of Wilder's indicators.
pub const WILDER: usize = 14;

/// Weight of the latest value in Wilder's means.
const WILDER_WEIGHT: f64 = 1.0 / WILDER as f64;

/// Bars after which RSI and ATR have forgotten their start: (13/14)^150 = 1.5e-5 of it is left, so that even a start six
/// times as wild as what follows moves a value by less than 1e-4 of itself (B-08).
pub const WILDER_BARS: u32 = 150;

/// Bars after which ADX has: it is smoothed twice, so that n/14 times as much is left.
pub const ADX_BARS: u32 = 200;

/// Bars after which the exponential mean of so many bars has: e^-10 = 4.5e-5 of the start is left.
pub const fn ema_bars(bars: usize) -> u32 {
    5 * bars as u32
}
