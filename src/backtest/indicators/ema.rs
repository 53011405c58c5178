//! Exponential mean.

use crate::model::splits::Factor;

/// Exponential mean of the last n values: `α·x + (1 − α)·mean` with α = 2/(n + 1), seeded with the simple mean of the first n.
#[derive(Debug, Clone)]
pub struct Ema {
    bars: u32,
    alpha: f64,
    seen: u32,
    /// The sum of the first values, then the mean.
    state: f64,
}

impl Ema {
    /// One over so many bars (at least 1).
    pub fn new(bars: usize) -> Self {
        Self { bars: bars as u32, alpha: 2.0 / (bars as f64 + 1.0), seen: 0, state: 0.0 }
    }

    /// The next value.
    pub fn update(&mut self, value: f64) {
        if self.seen >= self.bars {
            self.state += self.alpha * (value - self.state);
            return;
        }
        self.seen += 1;
        self.state += value;
        if self.seen == self.bars {
            self.state /= f64::from(self.bars);
        }
    }

    /// The mean; `None` before the n-th value.
    pub fn value(&self) -> Option<f64> {
        (self.seen >= self.bars).then_some(self.state)
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        self.state = factor.price(self.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_with_the_simple_mean() {
        let mut ema = Ema::new(3);
        let mut values = Vec::new();
        for value in [1.0, 2.0, 6.0, 5.0, 1.0] {
            ema.update(value);
            values.push(ema.value());
        }
        // α = 1/2: 3, then (5 + 3)/2, then (1 + 4)/2.
        assert_eq!(values, [None, None, Some(3.0), Some(4.0), Some(2.5)]);
    }
}
