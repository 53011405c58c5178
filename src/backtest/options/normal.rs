//! The normal distribution.

use std::f64::consts::PI;

/// Density of the standard normal distribution.
pub(super) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// Share of the standard normal distribution below `x`, to about 1e-15.
///
/// Near the middle the series Φ(x) = ½ + φ(x) · (x + x³/3 + x⁵/(3·5) + …) (Marsaglia 2004); in the tails Laplace's continued
/// fraction Φ(-x) = φ(x) / (x + 1/(x + 2/(x + 3/(x + …)))).
pub(super) fn distribution(x: f64) -> f64 {
    if x.abs() < 3.0 {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term.abs() > 1e-17 * sum.abs() {
            odd += 2.0;
            term *= x * x / odd;
            sum += term;
        }
        return 0.5 + density(x) * sum;
    }
    let fraction = (1..=50).rev().fold(x.abs(), |fraction, n| x.abs() + f64::from(n) / fraction);
    let tail = density(x) / fraction;
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_library() {
        // By scipy.stats.norm.cdf.
        for (x, share) in [
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013_1),
            (1.0, 0.841_344_746_068_542_9),
            (2.0, 0.977_249_868_051_820_8),
            (2.999_999, 0.998_650_097_536_514_8),
            (3.0, 0.998_650_101_968_369_9),
            (4.0, 0.999_968_328_758_166_9),
        ] {
            assert!((distribution(x) - share).abs() < 1e-15, "{x}: {}", distribution(x));
            assert!((distribution(-x) - (1.0 - share)).abs() < 1e-15, "-{x}");
        }
        let far = distribution(-8.0);
        assert!((far / 6.220_960_574_271_74e-16 - 1.0).abs() < 1e-12, "{far}");
    }
}
