//! Where a value stands among those of earlier sessions.

/// Sessions a value is ranked among.
pub const RANK_SESSIONS: usize = 60;
/// Fewest of them that make a rank.
pub const RANK_MIN_SESSIONS: usize = 20;

/// Where a value stands among those of the same clock slot in earlier sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rank {
    /// 0 to 100; 50 where there are too few.
    pub percentile: f64,
    /// Whether there were too few: counted as `rank_short`.
    pub is_short: bool,
}

/// 100 · (number of lower values + half the ties) / n among the values of the last [`RANK_SESSIONS`] sessions, given
/// ascending by time; 50 under [`RANK_MIN_SESSIONS`] of them (detectors 4).
pub fn percentile_rank(earlier: &[f64], value: f64) -> Rank {
    let last = &earlier[earlier.len().saturating_sub(RANK_SESSIONS)..];
    if last.len() < RANK_MIN_SESSIONS {
        return Rank { percentile: 50.0, is_short: true };
    }
    let lower = last.iter().filter(|earlier| **earlier < value).count();
    let ties = last.iter().filter(|earlier| **earlier == value).count();
    Rank { percentile: 100.0 * (lower as f64 + 0.5 * ties as f64) / last.len() as f64, is_short: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_half_the_ties_of_the_last_sixty() {
        let earlier: Vec<_> = (0..20).map(f64::from).collect();
        assert_eq!(percentile_rank(&earlier, 10.0), Rank { percentile: 52.5, is_short: false });
        assert_eq!(percentile_rank(&earlier, -1.0).percentile, 0.0);
        assert_eq!(percentile_rank(&earlier, 20.0).percentile, 100.0);
        assert_eq!(percentile_rank(&earlier[..19], 0.0), Rank { percentile: 50.0, is_short: true });
        let mut long = vec![100.0; 10];
        long.extend([0.0; 60]);
        assert_eq!(percentile_rank(&long, 50.0).percentile, 100.0, "older ones are forgotten");
    }
}
