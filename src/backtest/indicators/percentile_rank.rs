//! Percentile rank among earlier sessions.

/// Sessions before whose values of the same slot are compared with.
pub const RANK_SESSIONS: usize = 60;

/// How many of them must be there.
pub const RANK_MIN_SESSIONS: usize = 20;

/// `100·(lower values + half the ties)/n` among earlier values: the mean rank of ties, as a percentage. `None` with fewer than
/// [`RANK_MIN_SESSIONS`] of them.
pub fn percentile_rank(value: f64, earlier: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut count, mut halves) = (0_usize, 0_usize);
    for other in earlier {
        count += 1;
        halves += if other < value { 2 } else { usize::from(other == value) };
    }
    (count >= RANK_MIN_SESSIONS).then(|| 50.0 * halves as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half_and_few_values_are_none() {
        let earlier = |n: u32| (0..n).map(f64::from);
        assert_eq!(percentile_rank(5.0, earlier(19)), None);
        assert_eq!(percentile_rank(5.0, earlier(20)), Some(27.5), "5 below, 1 tie of 20");
        assert_eq!(percentile_rank(-1.0, earlier(20)), Some(0.0));
        assert_eq!(percentile_rank(99.0, earlier(20)), Some(100.0));
        assert_eq!(percentile_rank(1.0, [1.0; 20]), Some(50.0));
    }
}
