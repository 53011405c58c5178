//! What is kept filled.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::model::{Dataset, Symbol, Timeframe, TimeframeSet};
use crate::store::WatchlistEntry;

/// What is kept filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// By dataset, each once.
    pub markets: Vec<ScopedMarket>,
    /// Whether the starter set stands in for an empty watchlist.
    pub is_starter_set: bool,
}

/// What is kept filled of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedMarket {
    /// The dataset.
    pub dataset: Dataset,
    /// Whether all of its symbols are.
    pub everyone: bool,
    /// Those that are watched, by ticker.
    pub watched: Vec<Watched>,
    /// Bars to roll up.
    pub timeframes: TimeframeSet,
}

/// A symbol on the watchlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The symbol.
    pub symbol: Symbol,
    /// How many calendar days of it are wanted; none where nobody has said.
    pub days: Option<u32>,
}

impl Scope {
    /// The active symbols of the watchlist, by their datasets, and all symbols of one if that is asked for. With neither, the
    /// starter set. `timeframes`: `None` for those that are usual.
    pub fn of(
        watchlist: &[WatchlistEntry],
        all: Option<Dataset>,
        starter_set: &[Symbol],
        timeframes: Option<TimeframeSet>,
    ) -> Self {
        let mut watched: BTreeMap<Symbol, Option<u32>> = BTreeMap::new();
        for entry in watchlist.iter().filter(|entry| entry.active) {
            watched.insert(entry.symbol.clone(), Some(entry.days_to_backfill));
        }
        let is_starter_set = watched.is_empty() && all.is_none();
        if is_starter_set {
            watched.extend(starter_set.iter().map(|symbol| (symbol.clone(), None)));
        }
        let mut markets: BTreeMap<Dataset, Vec<Watched>> =
            all.map(|dataset| (dataset, Vec::new())).into_iter().collect();
        for (symbol, days) in watched {
            markets.entry(symbol.dataset()).or_default().push(Watched { symbol, days });
        }
        let rolled = TimeframeSet::of(Timeframe::ROLLED);
        let market = |(dataset, watched)| {
            let everyone = all == Some(dataset);
            // Minutes of a whole market are most of its bars, and few who ask for all of it need them.
            let usual = if everyone { rolled.minus(TimeframeSet::of([Timeframe::M1])) } else { rolled };
            ScopedMarket { dataset, everyone, watched, timeframes: timeframes.unwrap_or(usual) }
        };
        Self { markets: markets.into_iter().map(market).collect(), is_starter_set }
    }
}

impl ScopedMarket {
    /// One that nothing is kept filled of.
    pub(super) const fn unscoped(dataset: Dataset) -> Self {
        Self { dataset, everyone: false, watched: Vec::new(), timeframes: TimeframeSet::EMPTY }
    }

    /// The tickers that are watched.
    pub fn tickers(&self) -> impl Iterator<Item = &str> {
        self.watched.iter().map(|watched| watched.symbol.as_str())
    }

    /// The symbols that are watched.
    pub fn symbols(&self) -> Vec<Symbol> {
        self.watched.iter().map(|watched| watched.symbol.clone()).collect()
    }
}

impl Watched {
    /// The first date that is wanted of it when the newest is this one.
    pub(super) fn first(&self, newest: Date) -> Option<Date> {
        let days = self.days.filter(|days| *days > 0)?;
        Some(newest.saturating_sub((i64::from(days) - 1).days()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(ticker: &str, active: bool) -> WatchlistEntry {
        WatchlistEntry {
            symbol: Symbol::from_ticker(ticker).unwrap(),
            days_to_backfill: 30,
            active,
            priority: 0,
            added_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn told(scope: &Scope) -> Vec<(Dataset, bool, Vec<&str>, bool)> {
        let market = |market: &ScopedMarket| market.timeframes.contains(Timeframe::M1);
        scope.markets.iter().map(|m| (m.dataset, m.everyone, m.tickers().collect(), market(m))).collect()
    }

    #[test]
    fn the_watchlist_is_sorted_by_markets() {
        let list = ["SPY", "X:BTCUSD", "AAPL"].map(|ticker| entry(ticker, true));
        let starter = [Symbol::from_ticker("SPY").unwrap()];
        let scope = Scope::of(&list, None, &starter, None);
        let crypto = (Dataset::Crypto, false, vec!["X:BTCUSD"], true);
        assert_eq!(told(&scope), [(Dataset::Stocks, false, vec!["AAPL", "SPY"], true), crypto.clone()]);
        let scope = Scope::of(&list, Some(Dataset::Stocks), &starter, None);
        assert_eq!(told(&scope), [(Dataset::Stocks, true, vec!["AAPL", "SPY"], false), crypto]);
    }

    #[test]
    fn the_starter_set_stands_in_for_nothing_at_all() {
        let starter = [Symbol::from_ticker("SPY").unwrap()];
        let off = [entry("AAPL", false)];
        let scope = Scope::of(&off, None, &starter, None);
        assert_eq!((told(&scope), scope.is_starter_set), (vec![(Dataset::Stocks, false, vec!["SPY"], true)], true));
        assert_eq!(scope.markets[0].watched[0].first("2026-10-02".parse().unwrap()), None);
        let scope = Scope::of(&off, Some(Dataset::Crypto), &starter, None);
        assert_eq!((told(&scope), scope.is_starter_set), (vec![(Dataset::Crypto, true, vec![], false)], false));
    }

    #[test]
    fn days_are_counted_with_the_newest() {
        let watched = Watched { symbol: Symbol::from_ticker("A").unwrap(), days: Some(2) };
        assert_eq!(watched.first("2026-10-02".parse().unwrap()), Some("2026-10-01".parse().unwrap()));
    }
}
