//! Relative strength index.

use super::{WILDER, WILDER_WEIGHT};
use crate::model::splits::Factor;

/// Relative strength index over 14 bars (Wilder, *New Concepts in Technical Trading Systems*, 1978):
/// `100 − 100/(1 + gain/loss)`, where gain and loss are the means of the rises and falls of the close, at first simple ones
/// over 14 changes, then `mean + (x − mean)/14`. 100 without losses, 50 without any change.
#[derive(Debug, Clone, Default)]
pub struct Rsi {
    previous: Option<f64>,
    changes: u32,
    gain: f64,
    loss: f64,
}

impl Rsi {
    /// The next close.
    pub fn update(&mut self, close: f64) {
        let Some(previous) = self.previous.replace(close) else { return };
        let change = close - previous;
        let (rise, fall) = (change.max(0.0), (-change).max(0.0));
        if self.changes as usize >= WILDER {
            self.gain += (rise - self.gain) * WILDER_WEIGHT;
            self.loss += (fall - self.loss) * WILDER_WEIGHT;
            return;
        }
        self.changes += 1;
        self.gain += rise * WILDER_WEIGHT;
        self.loss += fall * WILDER_WEIGHT;
    }

    /// 0 to 100; `None` before the 14th change.
    pub fn value(&self) -> Option<f64> {
        if (self.changes as usize) < WILDER {
            return None;
        }
        let sum = self.gain + self.loss;
        Some(if sum == 0.0 { 50.0 } else { 100.0 * self.gain / sum })
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        self.previous = self.previous.map(|close| factor.price(close));
        self.gain = factor.price(self.gain);
        self.loss = factor.price(self.loss);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(closes: impl IntoIterator<Item = f64>) -> Option<f64> {
        let mut rsi = Rsi::default();
        closes.into_iter().for_each(|close| rsi.update(close));
        rsi.value()
    }

    #[test]
    fn it_is_known_after_fourteen_changes() {
        let up = |n: u32| (0..n).map(f64::from);
        assert_eq!(after(up(14)), None);
        assert_eq!(after(up(15)), Some(100.0), "no losses");
        assert_eq!(after(up(15).map(|close| -close)), Some(0.0));
        assert_eq!(after([7.0; 15]), Some(50.0), "no change at all");
    }

    #[test]
    fn rises_and_falls_are_smoothed_as_wilder_does() {
        // 7 rises of 2 and 7 falls of 1: gain 1, loss 1/2; then a fall of 3: gain 13/14, loss (13/2 + 3)/14.
        let mut closes = vec![100.0];
        for _ in 0..7 {
            closes.push(closes.last().unwrap() + 2.0);
            closes.push(closes.last().unwrap() - 1.0);
        }
        assert!((after(closes.clone()).unwrap() - 100.0 / 1.5).abs() < 1e-12);
        closes.push(closes.last().unwrap() - 3.0);
        assert!((after(closes).unwrap() - 100.0 * 13.0 / (13.0 + 9.5)).abs() < 1e-12);
    }
}
