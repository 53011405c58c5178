//! Donchian levels.

use std::collections::VecDeque;

use crate::model::splits::Factor;

/// Extremes of the last n values, in a queue that holds only those that can still become the extreme: the front is it.
#[derive(Debug, Clone)]
struct Extreme {
    /// Number of the bar, and its value times `sign`.
    queue: VecDeque<(u64, f64)>,
    sign: f64,
}

impl Extreme {
    fn new(bars: usize, sign: f64) -> Self {
        Self { queue: VecDeque::with_capacity(bars + 1), sign }
    }

    fn push(&mut self, bar: u64, oldest: u64, value: f64) {
        let value = self.sign * value;
        while self.queue.back().is_some_and(|(_, held)| *held <= value) {
            self.queue.pop_back();
        }
        self.queue.push_back((bar, value));
        while self.queue.front().is_some_and(|(held, _)| *held < oldest) {
            self.queue.pop_front();
        }
    }

    fn value(&self) -> Option<f64> {
        self.queue.front().map(|(_, value)| self.sign * value)
    }
}

/// Highest high and lowest low of the last n bars (Donchian's channel). The level of a signal bar is what was held before
/// the bar was pushed.
#[derive(Debug, Clone)]
pub struct Donchian {
    bars: u64,
    seen: u64,
    high: Extreme,
    low: Extreme,
}

impl Donchian {
    /// One over so many bars (at least 1).
    pub fn new(bars: usize) -> Self {
        Self { bars: bars as u64, seen: 0, high: Extreme::new(bars, 1.0), low: Extreme::new(bars, -1.0) }
    }

    /// The next bar.
    pub fn push(&mut self, high: f64, low: f64) {
        self.seen += 1;
        let oldest = (self.seen + 1).saturating_sub(self.bars);
        self.high.push(self.seen, oldest, high);
        self.low.push(self.seen, oldest, low);
    }

    /// Highest high and lowest low; `None` before the n-th bar.
    pub fn levels(&self) -> Option<(f64, f64)> {
        (self.seen >= self.bars).then(|| self.high.value().zip(self.low.value())).flatten()
    }

    /// Brings it into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        for (_, value) in self.high.queue.iter_mut().chain(&mut self.low.queue) {
            *value = factor.price(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_leave_with_their_bar() {
        let mut donchian = Donchian::new(3);
        let mut levels = Vec::new();
        for (high, low) in [(9.0, 1.0), (5.0, 4.0), (5.0, 3.0), (6.0, 3.5), (4.0, 3.9)] {
            donchian.push(high, low);
            levels.push(donchian.levels());
        }
        assert_eq!(levels, [None, None, Some((9.0, 1.0)), Some((6.0, 3.0)), Some((6.0, 3.0))]);
    }
}
