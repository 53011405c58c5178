//! How many independent bets trades are.

use serde::Serialize;

use super::bootstrap::SessionSum;

/// How many independent bets trades are: breakouts of one day over 500 symbols are nearly one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveBets {
    /// Sessions with trades.
    pub sessions: u64,
    /// Correlation of R within a session, 0 to 1; `None` where no session has two trades.
    pub correlation: Option<f64>,
    /// By how much the variance of mean R is larger than of independent trades; 1 or more.
    pub design_effect: f64,
    /// Trades ÷ design effect.
    pub bets: f64,
}

impl EffectiveBets {
    /// With N trades in G sessions of mₛ trades each:
    /// correlation ρ = (B − W) ÷ (B + (m₀ − 1)·W), B and W the mean squares between and within sessions of a one-way analysis
    /// of variance, m₀ = (N − Σ mₛ²/N) ÷ (G − 1), a negative one taken for 0;
    /// design effect = 1 + (Σ mₛ²/N − 1)·ρ; bets = N ÷ design effect.
    /// `None` under two sessions or when all R are equal.
    ///
    /// Design effect: L. Kish, "Survey Sampling" (1965), §5.4, with the trade-weighted mean size for sessions of unequal size.
    /// Correlation: A. Donner and J. J. Koval, "The estimation of intraclass correlation in the analysis of family data",
    /// Biometrics 36 (1980).
    pub(super) fn of(sessions: &[SessionSum]) -> Option<Self> {
        let groups = sessions.len() as f64;
        let trades = sessions.iter().map(|session| session.trades as f64).sum::<f64>();
        let mean = sessions.iter().map(|session| session.r).sum::<f64>() / trades;
        let total: f64 = sessions.iter().map(|session| session.r_squared).sum::<f64>() - trades * mean * mean;
        let between: f64 = sessions
            .iter()
            .map(|session| {
                let size = session.trades as f64;
                size * (session.r / size - mean).powi(2)
            })
            .sum();
        // Rounding alone leaves a spread this small between equal trades.
        if sessions.len() < 2 || total <= 1e-12 * trades * mean * mean || total <= 0.0 {
            return None;
        }
        let weighted_size = sessions.iter().map(|session| (session.trades as f64).powi(2)).sum::<f64>() / trades;
        let correlation = (trades > groups).then(|| {
            let size = (trades - weighted_size) / (groups - 1.0);
            let (between, within) = (between / (groups - 1.0), (total - between).max(0.0) / (trades - groups));
            ((between - within) / (between + (size - 1.0) * within)).max(0.0)
        });
        let design_effect = 1.0 + (weighted_size - 1.0) * correlation.unwrap_or(0.0);
        Some(Self { sessions: sessions.len() as u64, correlation, design_effect, bets: trades / design_effect })
    }
}
