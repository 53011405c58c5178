//! Which bars of which symbols a day's load is to bring.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Timeframe, TimeframeSet};

/// Which bars of which symbols a day's load is to bring.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Timeframes of every symbol that is not named.
    pub others: TimeframeSet,
    /// Timeframes of named symbols.
    pub named: HashMap<String, TimeframeSet>,
}

impl Wanted {
    /// Timeframes of everyone, and of named symbols beyond these.
    pub fn all(everyone: TimeframeSet, named: &BTreeMap<String, TimeframeSet>) -> Self {
        let beyond = named.iter().map(|(symbol, timeframes)| (symbol.clone(), everyone.union(*timeframes)));
        Self { others: everyone, named: beyond.collect() }
    }

    /// Everything wanted of a ticker.
    pub fn of(&self, ticker: &str) -> TimeframeSet {
        self.named.get(ticker).copied().unwrap_or(self.others)
    }

    /// What is rolled up from minutes of it.
    pub fn rolled_of(&self, ticker: &str) -> TimeframeSet {
        self.of(ticker).minus(TimeframeSet::of([Timeframe::DayOfficial]))
    }

    /// Whether its day bar is wanted from the vendor's day file.
    pub fn official_of(&self, ticker: &str) -> bool {
        self.of(ticker).contains(Timeframe::DayOfficial)
    }

    /// Everything wanted of any symbol.
    pub fn any(&self) -> TimeframeSet {
        self.named.values().fold(self.others, |all, one| all.union(*one))
    }
}
