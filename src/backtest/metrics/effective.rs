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

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(of: &[&[f64]]) -> Vec<SessionSum> {
        of.iter()
            .map(|rs| SessionSum {
                trades: rs.len() as u64,
                r: rs.iter().sum(),
                r_squared: rs.iter().map(|r| r * r).sum(),
            })
            .collect()
    }

    #[test]
    fn trades_that_move_as_one_are_as_many_bets_as_sessions() {
        let found = EffectiveBets::of(&sessions(&[&[1.0; 500], &[-1.0; 500], &[2.0; 500]])).unwrap();
        assert!((found.correlation.unwrap() - 1.0).abs() < 1e-9 && (found.design_effect - 500.0).abs() < 1e-6);
        assert!((found.bets - 3.0).abs() < 1e-6);
    }

    #[test]
    fn trades_that_differ_within_their_session_only_are_all_bets() {
        let found = EffectiveBets::of(&sessions(&[&[1.0, -1.0], &[1.0, -1.0], &[-1.0, 1.0]])).unwrap();
        assert_eq!((found.correlation, found.design_effect, found.bets), (Some(0.0), 1.0, 6.0));
    }

    #[test]
    fn the_correlation_is_that_of_an_analysis_of_variance() {
        // Means 2 and 5, B = 9·1 = 9, W = (2 + 2)/2 = 2, m₀ = 2: ρ = 7/11.
        let found = EffectiveBets::of(&sessions(&[&[1.0, 3.0], &[4.0, 6.0]])).unwrap();
        assert!((found.correlation.unwrap() - 7.0 / 11.0).abs() < 1e-12);
        assert!((found.bets - 4.0 / (1.0 + 7.0 / 11.0)).abs() < 1e-12);
    }

    #[test]
    fn single_sessions_and_equal_trades_tell_nothing() {
        assert_eq!(EffectiveBets::of(&sessions(&[&[1.0, 2.0]])), None);
        assert_eq!(EffectiveBets::of(&sessions(&[&[0.1; 3], &[0.1; 4]])), None);
        assert_eq!(EffectiveBets::of(&sessions(&[&[0.0], &[0.0]])), None);
        assert_eq!(EffectiveBets::of(&[]), None);
        let singles = EffectiveBets::of(&sessions(&[&[1.0], &[2.0]])).unwrap();
        assert_eq!((singles.correlation, singles.bets), (None, 2.0));
    }
}
