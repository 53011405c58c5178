//! Average directional index and its two indicators.

use super::{TrueRange, WILDER, WILDER_WEIGHT};
use crate::model::splits::Factor;

/// Which way bars move, and how much of their range that is: all 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Directional {
    /// Average directional index: strength of the trend, whichever way.
    pub adx: f64,
    /// Positive directional indicator.
    pub plus: f64,
    /// Negative directional indicator.
    pub minus: f64,
}

/// Average directional index over 14 bars (Wilder 1978).
///
/// A bar's directional movement is what its high exceeds the high before or its low falls short of the low before, whichever
/// is more, else 0. DI± = 100 · Σ movement / Σ true range, the sums being those of the first 14 bars with one before, then
/// `sum − sum/14 + x`. DX = 100·|DI+ − DI−|/(DI+ + DI−), 0 where both are 0. ADX = mean of the first 14 DX, then
/// `mean + (DX − mean)/14`. As movement is counted over the night, so is the true range here, whatever ATR does: a share of
/// it could else be more than all.
#[derive(Debug, Clone)]
pub struct Adx {
    previous: Option<(f64, f64)>,
    range: TrueRange,
    moves: u32,
    ranges: f64,
    plus: f64,
    minus: f64,
    indices: u32,
    adx: f64,
}

impl Default for Adx {
    fn default() -> Self {
        Self {
            previous: None,
            range: TrueRange::new(true),
            moves: 0,
            ranges: 0.0,
            plus: 0.0,
            minus: 0.0,
            indices: 0,
            adx: 0.0,
        }
    }
}

impl Adx {
    /// The next bar.
    pub fn update(&mut self, high: f64, low: f64, close: f64) {
        let range = self.range.next(high, low, close, false);
        let Some((previous_high, previous_low)) = self.previous.replace((high, low)) else { return };
        let (up, down) = (high - previous_high, previous_low - low);
        let plus = if up > down && up > 0.0 { up } else { 0.0 };
        let minus = if down > up && down > 0.0 { down } else { 0.0 };
        let kept = if (self.moves as usize) < WILDER { 1.0 } else { 1.0 - WILDER_WEIGHT };
        self.ranges = self.ranges * kept + range;
        self.plus = self.plus * kept + plus;
        self.minus = self.minus * kept + minus;
        self.moves = self.moves.saturating_add(1);
        if (self.moves as usize) < WILDER {
            return;
        }
        let sum = self.plus + self.minus;
        let dx = if sum == 0.0 { 0.0 } else { 100.0 * (self.plus - self.minus).abs() / sum };
        if (self.indices as usize) < WILDER {
            self.indices += 1;
            self.adx += dx * WILDER_WEIGHT;
        } else {
            self.adx += (dx - self.adx) * WILDER_WEIGHT;
        }
    }

    /// `None` before the 14th DX, which is that of the 28th bar.
    pub fn value(&self) -> Option<Directional> {
        let share = |movement: f64| if self.ranges == 0.0 { 0.0 } else { 100.0 * movement / self.ranges };
        (self.indices as usize >= WILDER).then(|| Directional {
            adx: self.adx,
            plus: share(self.plus),
            minus: share(self.minus),
        })
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        self.previous = self.previous.map(|(high, low)| (factor.price(high), factor.price(low)));
        self.range.rescale(factor);
        for sum in [&mut self.ranges, &mut self.plus, &mut self.minus] {
            *sum = factor.price(*sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bars: impl IntoIterator<Item = (f64, f64)>) -> Option<Directional> {
        let mut adx = Adx::default();
        bars.into_iter().for_each(|(low, high)| adx.update(high, low, high));
        adx.value()
    }

    #[test]
    fn a_steady_climb_is_all_trend() {
        let climb = |n: u32| (0..n).map(|i| (f64::from(i), f64::from(i) + 2.0));
        assert_eq!(after(climb(27)), None);
        let known = after(climb(28)).unwrap();
        // Each bar moves up by 1 of a true range of 2.
        assert!((known.adx - 100.0).abs() < 1e-9 && (known.plus - 50.0).abs() < 1e-9 && known.minus == 0.0);
    }

    #[test]
    fn bars_inside_each_other_have_no_direction() {
        let known = after((0..40).map(|i| (f64::from(i), 100.0 - f64::from(i)))).unwrap();
        assert_eq!(known, Directional { adx: 0.0, plus: 0.0, minus: 0.0 });
        assert_eq!(after([(5.0, 5.0); 40]).unwrap(), Directional { adx: 0.0, plus: 0.0, minus: 0.0 }, "no range");
    }

    #[test]
    fn sums_lose_a_fourteenth_per_bar() {
        // 14 moves up by 1, 13 of them no more: then a fall by 3 of a range of 5 (back to the close).
        let mut bars: Vec<_> = (0..28).map(|i| (f64::from(i), f64::from(i) + 2.0)).collect();
        bars.push((24.0, 26.0));
        let known = after(bars).unwrap();
        let (plus, minus, ranges) = (13.0, 3.0, 26.0 + 5.0);
        assert!((known.plus - 100.0 * plus / ranges).abs() < 1e-9, "{known:?}");
        assert!((known.minus - 100.0 * minus / ranges).abs() < 1e-9, "{known:?}");
        assert!((known.adx - (100.0 * 13.0 + 100.0 * (plus - minus) / (plus + minus)) / 14.0).abs() < 1e-9);
    }
}
