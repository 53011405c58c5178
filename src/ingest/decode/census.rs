//! What a minute file holds of the whole market, whatever was asked of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::aggregate::DayGrid;

/// Which minutes of a date a symbol has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MinuteBits([u64; DayGrid::MAX_MINUTES.div_ceil(64)]);

impl MinuteBits {
    pub(super) const EMPTY: Self = Self([0; DayGrid::MAX_MINUTES.div_ceil(64)]);

    #[inline]
    pub(super) fn set(&mut self, minute: u16) {
        self.0[usize::from(minute) / 64] |= 1 << (minute % 64);
    }

    fn has(&self, minute: u16) -> bool {
        self.0[usize::from(minute) / 64] & 1 << (minute % 64) != 0
    }

    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    fn count(&self, (from, to): (u16, u16)) -> u16 {
        (from..to).map(|minute| u16::from(self.has(minute))).sum()
    }
}

/// A key for a ticker that costs no allocation. A collision of two tickers of one file (one in 10¹⁰ files) makes the
/// census miss one of them, nothing else.
pub(super) fn ticker_key(ticker: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    ticker.hash(&mut hasher);
    hasher.finish()
}

/// What a minute file holds of the whole market: counted over all rows, so that it does not depend on which symbols are
/// loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Distinct tickers.
    pub symbols: u64,
    /// The busiest symbols of the file, at most [`Census::LIQUID`]: those with the most regular minutes, and at least
    /// [`Census::LIQUID_SHARE`] of what the busiest has.
    pub liquid: u16,
    /// How many of them have the last regular minute.
    pub liquid_with_last_minute: u16,
    /// Regular minutes (counted from the date's midnight) that fewer than half of the busiest symbols have.
    pub holes: Vec<u16>,
    tickers: HashSet<u64>,
}

impl Census {
    /// How many of the busiest symbols are looked at.
    pub const LIQUID: usize = 100;

    /// A symbol with less than this share of the busiest symbol's regular minutes says nothing about a missing one.
    pub const LIQUID_SHARE: f64 = 0.8;

    /// Whether the file has a row of this ticker.
    pub fn has(&self, ticker: &str) -> bool {
        self.has_key(ticker_key(ticker))
    }

    pub(super) fn has_key(&self, key: u64) -> bool {
        self.tickers.contains(&key)
    }
}

/// Takes the census while a file is read.
#[derive(Debug)]
pub(super) struct CensusTaker {
    regular: (u16, u16),
    tickers: HashSet<u64>,
    busiest: BinaryHeap<Reverse<(u16, MinuteBits)>>,
    /// Only for files whose tickers come back: minutes of each until the end is known.
    scattered: Option<HashMap<u64, MinuteBits>>,
}

impl CensusTaker {
    pub(super) fn new(grid: &DayGrid, scattered: bool) -> Self {
        let scattered = scattered.then(HashMap::new);
        Self { regular: grid.regular(), tickers: HashSet::new(), busiest: BinaryHeap::new(), scattered }
    }

    /// Notes a ticker's appearance; `false` if it was there before.
    pub(super) fn meet(&mut self, ticker: &str) -> bool {
        self.tickers.insert(ticker_key(ticker))
    }

    /// Takes the minutes of a ticker's rows that stood together.
    pub(super) fn take(&mut self, ticker: &str, minutes: &MinuteBits) {
        match &mut self.scattered {
            Some(all) => all.entry(ticker_key(ticker)).or_insert(MinuteBits::EMPTY).merge(minutes),
            None => self.rank(minutes),
        }
    }

    fn rank(&mut self, minutes: &MinuteBits) {
        let count = minutes.count(self.regular);
        let room = self.busiest.len() < Census::LIQUID;
        // Equal counts are told apart by the minutes themselves, so that the order of tickers decides nothing.
        let busy = Reverse((count, *minutes));
        if count > 0 && (room || self.busiest.peek().is_some_and(|least| busy < *least)) {
            if !room {
                self.busiest.pop();
            }
            self.busiest.push(busy);
        }
    }

    pub(super) fn finish(mut self) -> Census {
        for minutes in self.scattered.take().unwrap_or_default().into_values() {
            self.rank(&minutes);
        }
        // Held against the busiest of all, not against the clock: a file cut at noon has busy symbols, too.
        let most = self.busiest.iter().map(|Reverse((count, _))| *count).max().unwrap_or(0);
        let is_liquid = |count: u16| f64::from(count) >= f64::from(most) * Census::LIQUID_SHARE;
        let liquid = self.busiest.into_iter().filter(|Reverse((count, _))| is_liquid(*count));
        let busiest: Vec<MinuteBits> = liquid.map(|Reverse((_, minutes))| minutes).collect();
        let with = |minute: u16| busiest.iter().filter(|minutes| minutes.has(minute)).count();
        let (open, close) = self.regular;
        let holes = (open..close).filter(|minute| with(*minute) * 2 < busiest.len()).collect();
        let narrow = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        Census {
            symbols: self.tickers.len() as u64,
            liquid: narrow(busiest.len()),
            liquid_with_last_minute: narrow(if close > open { with(close - 1) } else { 0 }),
            holes,
            tickers: self.tickers,
        }
    }
}
