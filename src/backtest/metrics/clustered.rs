//! Whether an expectancy differs from zero, when trades of one session are not independent.

use serde::Serialize;

use super::bootstrap::SessionSum;

/// The t-value of mean R, clustered by session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusteredT {
    /// Mean R ÷ its standard error.
    pub t: f64,
    /// Standard error of mean R.
    pub standard_error: f64,
    /// Sessions with trades less one: what t is to be compared with.
    pub degrees_of_freedom: u64,
}

impl ClusteredT {
    /// With N trades in G sessions, residuals e = R − mean R, and Eₛ the sum of those of a session:
    /// standard error = √(G/(G − 1) · Σ Eₛ²) ÷ N. `None` under two sessions or without spread between them.
    ///
    /// K.-Y. Liang and S. L. Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73 (1986), with
    /// the usual correction for few clusters: A. C. Cameron and D. L. Miller, "A practitioner's guide to cluster-robust
    /// inference", Journal of Human Resources 50 (2015), equation 12 for a regression on a constant.
    pub(super) fn of(sessions: &[SessionSum]) -> Option<Self> {
        let groups = sessions.len() as f64;
        let trades = sessions.iter().map(|session| session.trades as f64).sum::<f64>();
        let mean = sessions.iter().map(|session| session.r).sum::<f64>() / trades;
        let squares: f64 = sessions.iter().map(|session| (session.r - session.trades as f64 * mean).powi(2)).sum();
        let standard_error = (groups / (groups - 1.0) * squares).sqrt() / trades;
        // Rounding alone leaves a spread this small between equal sessions.
        let has_spread = sessions.len() > 1 && standard_error > 1e-12 * mean.abs();
        has_spread.then(|| Self {
            t: mean / standard_error,
            standard_error,
            degrees_of_freedom: sessions.len() as u64 - 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trade_a_session_is_students_t() {
        let sessions: Vec<_> =
            [1.0, 2.0, 6.0].iter().map(|r| SessionSum { trades: 1, r: *r, r_squared: r * r }).collect();
        // Mean 3, variance 7, standard error √(7/3).
        let found = ClusteredT::of(&sessions).unwrap();
        assert!((found.standard_error - (7.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((found.t - 3.0 / (7.0_f64 / 3.0).sqrt()).abs() < 1e-12 && found.degrees_of_freedom == 2);
    }

    #[test]
    fn the_same_trade_many_times_a_session_proves_no_more() {
        let once: Vec<_> = [1.0, 2.0, 6.0].iter().map(|r| SessionSum { trades: 1, r: *r, r_squared: 0.0 }).collect();
        let often: Vec<_> =
            [1.0, 2.0, 6.0].iter().map(|r| SessionSum { trades: 500, r: 500.0 * r, r_squared: 0.0 }).collect();
        let (once, often) = (ClusteredT::of(&once).unwrap(), ClusteredT::of(&often).unwrap());
        assert!((once.t - often.t).abs() < 1e-9);
    }
}
