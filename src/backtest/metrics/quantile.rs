//! Quantiles of a sample.

/// The quantile `p` (0 to 1) of ascending values: linear between the two order statistics around (n − 1)·p, which is type 7
/// of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996).
/// `None` of nothing.
pub(super) fn quantile(ascending: &[f64], p: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let place = last as f64 * p;
    let (below, above) = (ascending[place.floor() as usize], ascending[place.ceil() as usize]);
    Some((above - below).mul_add(place.fract(), below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_order_statistics() {
        let values = [1.0, 2.0, 4.0, 8.0];
        let of = |p| quantile(&values, p).unwrap();
        assert_eq!([of(0.0), of(0.25), of(0.5), of(0.75), of(1.0)], [1.0, 1.75, 3.0, 5.0, 8.0]);
        assert_eq!((quantile(&[5.0], 0.3), quantile(&[], 0.3)), (Some(5.0), None));
    }
}
