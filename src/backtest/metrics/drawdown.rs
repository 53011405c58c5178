//! How far a detector's gains fell back.

use serde::Serialize;

use crate::backtest::Trade;

/// The largest fall of a detector's sum of R from a height it had reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RDrawdown {
    /// In R, 0 or more.
    pub r: f64,
    /// The largest fall in percent, 0 to 100, of an account that risks 1 % of itself on each trade (the default of B-42)
    /// and books them one after the other as they end. A measure of the order of trades, not of a portfolio.
    pub percent: f64,
    /// Sessions from the height before the fall in R to the exit that reached it again, else to the last exit.
    pub sessions: u32,
    /// Whether the height was reached again.
    pub recovered: bool,
}

/// Share of an account that each trade risks for `percent`.
const RISK: f64 = 0.01;

impl RDrawdown {
    /// Trades count when they end: sum Sₖ = R₁ + … + Rₖ in order of exit, S₀ = 0; fall = max over k of (max over j ≤ k of
    /// Sⱼ) − Sₖ. The account is Π (1 + 0.01·Rₖ), at least 0. `None` without trades.
    pub(super) fn of(trades: &[&Trade]) -> Option<Self> {
        let mut ordered = trades.to_vec();
        ordered.sort_by(|a, b| {
            (a.exit_ms, a.entry_ms, &a.symbol)
                .cmp(&(b.exit_ms, b.entry_ms, &b.symbol))
                .then(a.r_multiple.total_cmp(&b.r_multiple))
        });
        let first = *ordered.first()?;
        let (mut sum, mut peak, mut account, mut account_peak) = (0.0_f64, 0.0_f64, 1.0_f64, 1.0_f64);
        let mut peak_session = first.session;
        let mut worst = Self { r: 0.0, percent: 0.0, sessions: 0, recovered: true };
        for trade in ordered {
            sum += trade.r_multiple;
            account *= RISK.mul_add(trade.r_multiple, 1.0).max(0.0);
            account_peak = account_peak.max(account);
            worst.percent = worst.percent.max(100.0 * (1.0 - account / account_peak));
            if sum >= peak {
                if !worst.recovered {
                    (worst.recovered, worst.sessions) = (true, trade.exit_session - peak_session);
                }
                (peak, peak_session) = (sum, trade.exit_session);
            } else if peak - sum > worst.r {
                (worst.r, worst.recovered) = (peak - sum, false);
            }
            if !worst.recovered {
                worst.sessions = trade.exit_session - peak_session;
            }
        }
        Some(worst)
    }
}
