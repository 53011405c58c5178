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
