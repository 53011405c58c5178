//! What bars of many days have in common, stored once.

use crate::model::{Bar, Prices, Session, VwapMethod};

/// How a bar's prices are kept: as whole numbers of hundredths, of finer parts, or as they are.
///
/// Whole numbers take three or four bytes where a double takes eight, and the prices of a bar are most of it. They are
/// used only where dividing gives back the very same doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PriceScale {
    Cents,
    TenThousandths,
    Millionths,
    AsIs,
}

impl PriceScale {
    pub(super) const fn divisor(self) -> f64 {
        match self {
            Self::Cents => 1e2,
            Self::TenThousandths => 1e4,
            Self::Millionths => 1e6,
            Self::AsIs => 1.0,
        }
    }

    /// The coarsest scale that loses nothing.
    fn of(prices: &Prices) -> Self {
        let all = [prices.open, prices.high, prices.low, prices.close];
        [Self::Cents, Self::TenThousandths, Self::Millionths]
            .into_iter()
            .find(|scale| all.into_iter().all(|price| scale.keeps(price)))
            .unwrap_or(Self::AsIs)
    }

    /// Whether a price is a small whole number of this scale and comes back the same. (A negative zero does not.)
    #[inline]
    fn keeps(self, price: f64) -> bool {
        let scaled = price * self.divisor();
        scaled.abs() < LARGEST && (nearest(scaled) / self.divisor()).to_bits() == price.to_bits()
    }

    /// The whole number kept for a price; `None` where the price itself is kept.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`of` has chosen a scale in which the number is whole and small"
    )]
    pub(super) fn scaled(self, price: f64) -> Option<i64> {
        match self {
            Self::AsIs => None,
            _ => Some(nearest(price * self.divisor()) as i64),
        }
    }
}

/// Up to here `nearest` is right.
const LARGEST: f64 = (1_u64 << 51) as f64;

/// The nearest whole number, by the rounding of an addition that leaves no room for a fraction. (The library's `round` is
/// a call; this runs for every price.) A negative zero becomes a positive one.
#[inline]
fn nearest(value: f64) -> f64 {
    const NO_FRACTION: f64 = 3.0 * (1_u64 << 51) as f64;
    (value + NO_FRACTION) - NO_FRACTION
}

/// What bars have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) session: Session,
    pub(super) vwap_method: Option<VwapMethod>,
    pub(super) duration_ms: i64,
    pub(super) scale: PriceScale,
}

impl Shape {
    pub(super) fn of(bar: &Bar) -> Self {
        Self {
            session: bar.session,
            vwap_method: bar.vwap_method,
            duration_ms: bar.end_timestamp_ms - bar.timestamp_ms,
            scale: PriceScale::of(&bar.prices),
        }
    }
}

/// The stored shapes and their numbers. There are a few dozen, and neighbouring bars mostly share one, so a list that
/// is searched from the last hit beats a map.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    known: Vec<(Shape, i64)>,
    last: usize,
}

impl Shapes {
    pub(super) fn find(&mut self, shape: &Shape) -> Option<i64> {
        if let Some((known, id)) = self.known.get(self.last)
            && known == shape
        {
            return Some(*id);
        }
        self.last = self.known.iter().position(|(known, _)| known == shape)?;
        Some(self.known[self.last].1)
    }

    pub(super) fn add(&mut self, shape: Shape, shape_id: i64) {
        self.known.push((shape, shape_id));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prices(low: f64, high: f64) -> Prices {
        Prices::checked(low, high, low, high).unwrap()
    }

    fn back(scale: PriceScale, price: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "the database does the same")]
        scale.scaled(price).map_or(price, |whole| whole as f64 / scale.divisor())
    }

    #[test]
    fn the_coarsest_scale_that_loses_nothing_is_taken() {
        for (low, high, scale) in [
            (333.26, 334.54, PriceScale::Cents),
            (0.0001, 0.01, PriceScale::TenThousandths),
            (0.000_001, 12.5, PriceScale::Millionths),
            (4_514.870_000_000_001, 4_515.0, PriceScale::AsIs),
            (1e-9, 1.0, PriceScale::AsIs),
            (1e18, 1e19, PriceScale::AsIs),
            (-3.25, -1.0, PriceScale::Cents),
            (-0.0, 1.0, PriceScale::AsIs),
        ] {
            assert_eq!(PriceScale::of(&prices(low, high)), scale, "{low} {high}");
        }
    }

    proptest! {
        #[test]
        fn prices_come_back_to_the_last_bit(cents in -10_000_000_000_i64..10_000_000_000, decimals in 0_i32..9, any in any::<f64>()) {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            let price = cents as f64 / 10_f64.powi(decimals);
            for price in [price, any].into_iter().filter(|price| price.is_finite()) {
                let scale = PriceScale::of(&prices(price, price));
                prop_assert_eq!(back(scale, price).to_bits(), price.to_bits());
            }
        }
    }
}
