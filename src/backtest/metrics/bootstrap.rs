//! How far an expectancy may be off, when whole sessions come and go together.

use super::quantile::quantile;
use super::wilson::Interval;

/// Resamples drawn.
const RESAMPLES: usize = 10_000;

/// What the trades of one session sum to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct SessionSum {
    /// Trades entered in it.
    pub(super) trades: u64,
    /// Their Σ R.
    pub(super) r: f64,
    /// Their Σ R².
    pub(super) r_squared: f64,
}

/// The 95 % percentile interval of mean R over 10,000 resamples of whole session dates: each draws as many sessions as there
/// are with trades, with replacement, and divides their Σ R by their number of trades. `None` under two sessions.
///
/// B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979); whole clusters as in
/// A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application" (1997), §3.8. Trades of one session share its
/// market, so that resampling single trades would make the interval too narrow. Sessions enter by their sums: the work does
/// not depend on the number of trades.
pub(super) fn bootstrap(sessions: &[SessionSum], seed: u64) -> Option<Interval> {
    if sessions.len() < 2 {
        return None;
    }
    let sums: Vec<(f64, f64)> = sessions.iter().map(|session| (session.r, session.trades as f64)).collect();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let (mut r, mut trades) = (0.0, 0.0);
            for _ in 0..sums.len() {
                let (session_r, session_trades) = sums[random.usize(..sums.len())];
                r += session_r;
                trades += session_trades;
            }
            r / trades
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    Some(Interval { low: quantile(&means, 0.025)?, high: quantile(&means, 0.975)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(trades: u64, r: f64) -> SessionSum {
        SessionSum { trades, r, r_squared: 0.0 }
    }

    #[test]
    fn the_interval_is_the_same_for_the_same_seed_only() {
        let sessions: Vec<_> = (0..30).map(|day| session(day % 4 + 1, f64::from(day as u32 % 7) - 3.0)).collect();
        assert_eq!(bootstrap(&sessions, 1), bootstrap(&sessions, 1));
        assert_ne!(bootstrap(&sessions, 1), bootstrap(&sessions, 2));
    }

    #[test]
    fn sessions_weigh_as_many_trades_as_they_have() {
        // Both drawn, or one of them twice: means 0, 0.25 (1 of 4 trades won) and 1.
        let interval = bootstrap(&[session(3, 0.0), session(1, 1.0)], 5).unwrap();
        assert_eq!((interval.low, interval.high), (0.0, 1.0));
        let equal = bootstrap(&[session(2, 1.0), session(4, 2.0)], 5).unwrap();
        assert_eq!((equal.low, equal.high), (0.5, 0.5));
        assert_eq!(bootstrap(&[session(9, 4.0)], 5), None);
        assert_eq!(bootstrap(&[], 5), None);
    }
}
