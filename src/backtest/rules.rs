//! How signals are traded.

use serde::Serialize;

use crate::model::Session;

/// Which of a detector's signals are traded, and how trades are ended beside stop and target.
#[derive(Debug, Clone, PartialEq)]
pub struct TradeRules {
    /// Lowest score, inclusive.
    pub min_score: f64,
    /// Lowest target distance over stop distance with the signal's close as entry, inclusive within 1e-9.
    pub min_rr: f64,
    /// Time after an exit in which no signal is taken.
    pub cooldown_minutes: u32,
    /// Trades per session.
    pub max_trades_per_session: u32,
    /// Minutes before the close at which positions are closed; 0: at the close.
    pub flat_before_close_minutes: u32,
    /// Whether positions may be held over the close.
    pub hold_overnight: bool,
    /// Gain in R that moves the stop to the entry.
    pub breakeven_at_r: Option<f64>,
    /// Gain in R at which half of the position is closed.
    pub partial_at_r: Option<f64>,
    /// Distance in ATR at which the stop follows the best price, once the trade has gained 1 R.
    pub trail_atr: Option<f64>,
}

/// Where a signal is filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FillMode {
    /// At the open of the next bar.
    #[default]
    NextOpen,
    /// At the close of the signal bar: looks ahead, for comparison only.
    SameClose,
}

/// Where a target is filled that an open gapped over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetGap {
    /// At the open: a resting limit order.
    #[default]
    Open,
    /// At the target.
    Level,
}

/// When a target counts as reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetFill {
    /// When it is touched.
    #[default]
    Touch,
    /// When the price trades beyond it.
    Through,
}

/// Which bars are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionScope {
    /// Those of regular hours.
    #[default]
    Regular,
    /// Those before and after, too.
    All,
}

impl SessionScope {
    /// Whether bars of such hours exist for a run.
    pub const fn admits(self, hours: Session) -> bool {
        matches!((self, hours), (Self::All, _) | (_, Session::Regular))
    }
}

/// How the engine fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EngineSettings {
    /// Which bars.
    pub session: SessionScope,
    /// Where signals are filled.
    pub fill_mode: FillMode,
    /// How many empty slots an entry is waited for: the next bar of the session is used if no more of them lie before it.
    pub entry_valid_bars: u32,
    /// Where a target is filled that an open gapped over.
    pub target_gap: TargetGap,
    /// When a target counts as reached.
    pub target_fill: TargetFill,
    /// Whether detectors may hold positions overnight at all.
    pub hold_overnight: bool,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            session: SessionScope::Regular,
            fill_mode: FillMode::NextOpen,
            entry_valid_bars: 1,
            target_gap: TargetGap::Open,
            target_fill: TargetFill::Touch,
            hold_overnight: false,
        }
    }
}

/// Commission of one side of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Commission {
    /// So much per share, but at least `minimum` an order.
    PerShare {
        /// Money per share.
        amount: f64,
        /// Money per order.
        minimum: f64,
    },
    /// A share of the traded value.
    Bps {
        /// Hundredths of a percent.
        bps: f64,
    },
}

/// Slippage of market and stop fills.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Slippage {
    /// A share of the price.
    Bps {
        /// Hundredths of a percent.
        bps: f64,
    },
    /// A share of ATR at the signal.
    Atr {
        /// Of one ATR.
        share: f64,
    },
}

/// What trading costs, on both sides and always against the trader.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CostSettings {
    /// Commission per side.
    pub commission: Commission,
    /// Half of the spread in hundredths of a percent of the price; at least half a tick.
    pub half_spread_bps: f64,
    /// Slippage of market and stop fills.
    pub slippage: Slippage,
    /// Whether target fills slip, too.
    pub slip_on_limit: bool,
    /// Cost of holding a short overnight, hundredths of a percent of its value a day.
    pub borrow_bps_per_day: f64,
    /// Smallest quantity; quantities are rounded down to multiples of it.
    pub lot: f64,
    /// Nothing costs anything, and nothing is rounded.
    pub zero: bool,
}

impl CostSettings {
    /// Whether fills slip by a share of ATR: where that is not known a signal is not traded, as it would be filled for nothing
    /// (B-44).
    pub fn needs_atr(&self) -> bool {
        !self.zero && matches!(self.slippage, Slippage::Atr { share } if share > 0.0)
    }
}

impl Default for CostSettings {
    fn default() -> Self {
        Self {
            commission: Commission::PerShare { amount: 0.005, minimum: 0.0 },
            half_spread_bps: 0.5,
            slippage: Slippage::Bps { bps: 1.0 },
            slip_on_limit: false,
            borrow_bps_per_day: 0.0,
            lot: 1.0,
            zero: false,
        }
    }
}

/// How the portfolio takes the study's trades.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PortfolioSettings {
    /// Money at the start.
    pub starting_capital: f64,
    /// Share of equity that a trade risks between entry and stop, percent.
    pub risk_pct: f64,
    /// Most positions at once.
    pub max_open: u32,
    /// Most value of positions at once, percent of equity.
    pub max_gross_pct: f64,
    /// Most of the entry bar's volume a position may be, percent.
    pub max_volume_pct: f64,
}

impl Default for PortfolioSettings {
    fn default() -> Self {
        Self { starting_capital: 100_000.0, risk_pct: 1.0, max_open: 10, max_gross_pct: 100.0, max_volume_pct: 1.0 }
    }
}
