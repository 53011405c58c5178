//! Simple mean of the last values.

use crate::model::splits::Factor;

/// Simple mean of the last n values. The sum is made anew each time the ring is full, so that rounding never adds up.
#[derive(Debug, Clone)]
pub struct RollingMean {
    ring: Vec<f64>,
    bars: usize,
    next: usize,
    sum: f64,
}

impl RollingMean {
    /// One over so many values (at least 1).
    pub fn new(bars: usize) -> Self {
        Self { ring: Vec::with_capacity(bars), bars, next: 0, sum: 0.0 }
    }

    /// The next value.
    pub fn update(&mut self, value: f64) {
        if self.ring.len() < self.bars {
            self.ring.push(value);
            self.sum += value;
        } else {
            self.sum += value - self.ring[self.next];
            self.ring[self.next] = value;
        }
        self.next += 1;
        if self.next == self.bars {
            self.next = 0;
            self.sum = self.ring.iter().sum();
        }
    }

    /// The mean; `None` before the n-th value.
    pub fn value(&self) -> Option<f64> {
        (self.ring.len() == self.bars).then(|| self.sum / self.bars as f64)
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        for value in &mut self.ring {
            *value = factor.price(*value);
        }
        self.sum = self.ring.iter().sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_values_count() {
        let mut mean = RollingMean::new(2);
        let mut values = Vec::new();
        for value in [1.0, 2.0, 4.0, 8.0] {
            mean.update(value);
            values.push(mean.value());
        }
        assert_eq!(values, [None, Some(1.5), Some(3.0), Some(6.0)]);
    }
}
