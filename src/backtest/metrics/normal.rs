//! The normal distribution.

use std::f64::consts::TAU;

/// Φ(x), the share of the standard normal distribution below x: ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …). Absolute error below
/// 1e-14.
///
/// G. Marsaglia, "Evaluating the normal distribution", Journal of Statistical Software 11 (2004).
pub(super) fn normal_below(x: f64) -> f64 {
    // Beyond, less than 1e-15 is left.
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    loop {
        odd += 2.0;
        term *= x * x / odd;
        let next = sum + term;
        if next == sum {
            return 0.5 + sum * (-x * x / 2.0).exp() / TAU.sqrt();
        }
        sum = next;
    }
}

/// The x with Φ(x) = p, for p in (0, 1), by halving: it is asked a few times in a run.
pub(super) fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal_below(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_tables() {
        for (x, below) in [
            (0.0, 0.5),
            (1.0, 0.8413447460685429),
            (-1.0, 0.1586552539314571),
            (1.959963984540054, 0.975),
            (-3.0, 0.0013498980316301),
            (6.0, 0.9999999990134124),
        ] {
            assert!((normal_below(x) - below).abs() < 1e-14, "Φ({x})");
            assert!((normal_quantile(below) - x).abs() < 1e-6, "Φ⁻¹({below})");
        }
        assert_eq!((normal_below(40.0), normal_below(-40.0)), (1.0, 0.0));
    }
}
