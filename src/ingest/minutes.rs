//! A symbol's minutes of one date brought into order, wherever they came from.

use crate::model::Minute;

/// Rows that lost to another one of the same minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Duplicates {
    /// Those that said the same.
    pub(super) identical: u64,
    /// Those that said something else.
    pub(super) conflicting: u64,
}

/// Sorts by minute and leaves one row of each: the one with more transactions, then the one with more volume, then the one
/// with the larger open, high, low, close, VWAP, in that order; so the result does not depend on the order of rows.
pub(super) fn put_in_order(minutes: &mut Vec<Minute>) -> Duplicates {
    // Best row of a minute first, by a total order over everything a row says.
    let vwap = |minute: &Minute| minute.vwap.unwrap_or(f64::NEG_INFINITY);
    let rank = |a: &Minute, b: &Minute| {
        a.minute
            .cmp(&b.minute)
            .then(b.trades.cmp(&a.trades))
            .then(b.volume.total_cmp(&a.volume))
            .then(b.prices.open.total_cmp(&a.prices.open))
            .then(b.prices.high.total_cmp(&a.prices.high))
            .then(b.prices.low.total_cmp(&a.prices.low))
            .then(b.prices.close.total_cmp(&a.prices.close))
            .then(vwap(b).total_cmp(&vwap(a)))
    };
    minutes.sort_unstable_by(rank);
    let before = minutes.len();
    minutes.dedup_by(|b, a| rank(a, b).is_eq());
    let identical = (before - minutes.len()) as u64;
    let before = minutes.len();
    minutes.dedup_by_key(|minute| minute.minute);
    Duplicates { identical, conflicting: (before - minutes.len()) as u64 }
}
