//! What trading costs: always against the trader, on both sides (B-30…B-32).

use super::super::{Commission, CostSettings, Slippage};

/// How an order is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::backtest) enum Order {
    /// At the market: entries, stops, exits by the clock.
    Market,
    /// At a limit that rested: targets.
    Limit,
}

/// Costs of one instrument.
#[derive(Debug, Clone, Copy)]
pub(in crate::backtest) struct Costs {
    settings: CostSettings,
    tick: f64,
    /// Ticks in a unit of price where that is a whole number: dividing by it gives the decimal that is meant.
    ticks_per_unit: Option<f64>,
}

impl Costs {
    /// Less than this part of a tick or lot is an error of arithmetic, not an amount.
    const NOTHING: f64 = 1e-6;

    /// Costs of an instrument with a tick.
    pub fn new(settings: &CostSettings, tick: f64) -> Self {
        let ticks = tick.recip().round();
        let whole = (ticks * tick - 1.0).abs() < 1e-9;
        Self { settings: *settings, tick, ticks_per_unit: whole.then_some(ticks) }
    }

    /// The price an order gets, after half the spread and slippage, rounded to the tick against the trader. `atr` is in the
    /// shares of the price. Signals without it are not traded where slippage is in ATR; an entry that the random control draws
    /// for a trade whose ATR was 0 slips nothing either.
    pub fn price(&self, raw: f64, buys: bool, order: Order, atr: Option<f64>) -> f64 {
        if self.settings.zero {
            return raw;
        }
        let half_spread = (self.tick / 2.0).max(raw.abs() * self.settings.half_spread_bps * 1e-4);
        let slips = order == Order::Market || self.settings.slip_on_limit;
        let slippage = match self.settings.slippage {
            _ if !slips => 0.0,
            Slippage::Bps { bps } => raw.abs() * bps * 1e-4,
            Slippage::Atr { share } => share * atr.unwrap_or(0.0),
        };
        let worse = half_spread + slippage;
        let ticks = if buys {
            ((raw + worse) / self.tick - Self::NOTHING).ceil()
        } else {
            ((raw - worse) / self.tick + Self::NOTHING).floor()
        };
        self.ticks_per_unit.map_or(ticks * self.tick, |per_unit| ticks / per_unit)
    }

    /// Commission of one order at a price before costs.
    pub fn commission(&self, quantity: f64, raw: f64) -> f64 {
        if self.settings.zero {
            return 0.0;
        }
        match self.settings.commission {
            Commission::PerShare { amount, minimum } => (quantity * amount).max(minimum),
            Commission::Bps { bps } => (quantity * raw).abs() * bps * 1e-4,
        }
    }

    /// Cost of holding a short of a value over nights.
    pub fn borrow(&self, value: f64, nights: i64) -> f64 {
        if self.settings.zero { 0.0 } else { value.abs() * self.settings.borrow_bps_per_day * 1e-4 * nights as f64 }
    }

    /// A quantity rounded down to the lot.
    pub fn lots(&self, quantity: f64) -> f64 {
        if self.settings.zero {
            return quantity;
        }
        (quantity / self.settings.lot + Self::NOTHING).floor() * self.settings.lot
    }

    /// As many as a value buys at a price, at least one lot; 0 where that is no number.
    pub fn worth(&self, value: f64, price: f64) -> f64 {
        let quantity = value / price.abs();
        if !quantity.is_finite() {
            return 0.0;
        }
        let lots = self.lots(quantity);
        if self.settings.zero { lots } else { lots.max(self.settings.lot) }
    }
}
