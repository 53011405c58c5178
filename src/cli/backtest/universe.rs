//! Which symbols a run goes over.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use jiff::civil::Date;

use super::request::Chosen;
use crate::backtest::report::UnrankedMonth;
use crate::cli::commands::{store_error, warn};
use crate::cli::format::counted;
use crate::cli::{CliError, STARTER_SET};
use crate::model::{Dataset, Market, Symbol, Timeframe, TimeframeSet, xnys};
use crate::store::{AnyStore, DayState, Ledger, MarketReader, MarketSlice, Watchlist};

/// Sessions before a month whose dollar volume decides who is in it.
const RANKED_SESSIONS: usize = 20;

/// Tickers that are read at a time.
const BATCH: usize = 256;

/// Months without a ranking that are named on the terminal; the report has all.
const MONTHS_NAMED: usize = 10;

/// The first day of a month, which names it.
type Month = Date;

/// The symbols of a run.
#[derive(Debug)]
pub(super) struct Universe {
    /// Sorted, each once, at least one.
    pub(super) symbols: Vec<Symbol>,
    /// How they were chosen.
    pub(super) words: String,
    /// By month, the places of those that may be entered; `None`: all of them always.
    pub(super) members: Option<BTreeMap<Month, BTreeSet<usize>>>,
    /// What to say first, where nothing was named.
    pub(super) said: Option<String>,
    /// Months whose ranking lacks sessions.
    pub(super) unranked: Vec<UnrankedMonth>,
}

impl Universe {
    fn of(symbols: Vec<Symbol>, words: &str) -> Self {
        Self { symbols, words: words.to_owned(), members: None, said: None, unranked: Vec::new() }
    }

    /// Whether a symbol may be entered on a date.
    pub(super) fn admits(&self, place: usize, date: Date) -> bool {
        let Some(members) = &self.members else { return true };
        members.get(&date.first_of_month()).is_some_and(|members| members.contains(&place))
    }

    /// Names months whose ranking lacks sessions.
    pub(super) fn tell_unranked(&self) {
        for UnrankedMonth { month, sessions, of } in self.unranked.iter().take(MONTHS_NAMED) {
            let then = if *sessions == 0 { "nothing is entered in it" } else { "it is ranked by these" };
            warn(&format!(
                "--universe={}: day bars are loaded of {sessions} of the {of} sessions before {month}, and {then}: load the \
                 others with `backfill s3 --all --timeframes=day`",
                self.words
            ));
        }
        if self.unranked.len() > MONTHS_NAMED {
            let more = counted((self.unranked.len() - MONTHS_NAMED) as u64, "more month");
            warn(&format!("and {more}; the report lists them"));
        }
    }
}

/// Chooses the symbols; `period` is the first and last trading date.
pub(super) async fn choose(
    chosen: &Chosen,
    period: (Date, Date),
    store: Option<&mut AnyStore>,
) -> Result<Universe, CliError> {
    let universe = match (chosen, store) {
        (Chosen::Named(symbols), _) => Universe::of(symbols.clone(), "--symbols"),
        (Chosen::All | Chosen::Top(_), None) => return Err(nothing_stored()),
        (Chosen::All, Some(store)) => {
            let symbols = stocks(store).await?;
            if symbols.is_empty() {
                return Err(nothing_stored());
            }
            Universe::of(symbols, "all")
        }
        (Chosen::Top(count), Some(store)) => top(*count, period, store).await?,
        (Chosen::Default, store) => default(store).await?,
    };
    one_market(&universe.symbols)?;
    Ok(universe)
}

fn nothing_stored() -> CliError {
    CliError::failed(anyhow!("the database has no stocks to choose from"))
        .with_hint("load a market with `backfill s3 --all`, or name symbols with --symbol=S")
}

/// Trading days are those of one market, which results are reported by.
fn one_market(symbols: &[Symbol]) -> Result<(), CliError> {
    let market = symbols[0].dataset().market();
    match symbols.iter().find(|symbol| symbol.dataset().market() != market) {
        Some(other) => Err(CliError::usage(anyhow!(
            "{} and {other} have different trading days: run markets that never close apart from the others",
            symbols[0]
        ))),
        None => Ok(()),
    }
}

async fn default(store: Option<&mut AnyStore>) -> Result<Universe, CliError> {
    if let Some(store) = store {
        let entries = store.watchlist().await.map_err(store_error)?;
        let watched: BTreeSet<Symbol> =
            entries.into_iter().filter(|entry| entry.active).map(|entry| entry.symbol).collect();
        // Of a list with both, what detectors are made for.
        let (mut watched, others): (Vec<Symbol>, Vec<Symbol>) =
            watched.into_iter().partition(|symbol| symbol.dataset().market() == Market::NewYork);
        let mut said = None;
        if watched.is_empty() {
            watched = others;
        } else if !others.is_empty() {
            said = Some(format!(
                "Of the watchlist, what has other trading days is left out: {}. Run it apart with --symbol=S or \
                 --symbols=a,b,c.",
                others.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            ));
        }
        if !watched.is_empty() {
            return Ok(Universe { said, ..Universe::of(watched, "watchlist") });
        }
        let mut stored = stocks(store).await?;
        stored.extend(tickers(store, Dataset::Indices).await?);
        stored.sort_unstable();
        if !stored.is_empty() {
            return Ok(Universe::of(stored, "stored"));
        }
    }
    let symbols = STARTER_SET.into_iter().map(Symbol::from_ticker).collect::<Result<Vec<_>, _>>();
    let mut symbols = symbols.map_err(CliError::failed)?;
    symbols.sort_unstable();
    let said = format!(
        "No symbol named, the watchlist is empty and no bars are stored: taking {}. Name others with --symbol=S or \
         --symbols=a,b,c.",
        STARTER_SET.join(" ")
    );
    Ok(Universe { said: Some(said), ..Universe::of(symbols, "starter set") })
}

async fn stocks(store: &mut AnyStore) -> Result<Vec<Symbol>, CliError> {
    tickers(store, Dataset::Stocks).await
}

async fn tickers(store: &mut AnyStore, dataset: Dataset) -> Result<Vec<Symbol>, CliError> {
    let tickers = store.tickers(dataset).await.map_err(store_error)?;
    let mut symbols: Vec<Symbol> = tickers.iter().filter_map(|ticker| Symbol::from_ticker(ticker).ok()).collect();
    symbols.sort_unstable();
    Ok(symbols)
}

/// For each month of the period the stocks with the highest median dollar volume over the 20 sessions before it: delisted ones
/// among them, and nothing of what came after.
async fn top(count: usize, (from, to): (Date, Date), store: &mut AnyStore) -> Result<Universe, CliError> {
    let stocks = stocks(store).await?;
    let windows = windows(from, to);
    let Some(first) = windows.first().and_then(|(_, dates)| dates.first().copied()) else {
        return Err(nothing_stored());
    };
    let dates: Vec<Date> = xnys().sessions(first..=to).map(|(date, _)| date).collect();
    let states = store.day_states(Dataset::Stocks, first..=to).await.map_err(store_error)?;
    // A session that is not loaded says nothing of a stock; in one that is, a stock without a bar was not traded.
    let is_loaded = |date: &&Date| states.get(*date).is_some_and(|state| has_day_bars(state, stocks.len()));
    let loaded = |(_, window): &(Month, Vec<Date>)| -> Vec<usize> {
        window.iter().filter(is_loaded).filter_map(|date| dates.binary_search(date).ok()).collect()
    };
    let loaded: Vec<Vec<usize>> = windows.iter().map(loaded).collect();
    let mut ranked: Vec<Vec<(f64, usize)>> = vec![Vec::new(); windows.len()];
    for (batch, symbols) in stocks.chunks(BATCH).enumerate() {
        let mut traded = vec![0.0; symbols.len() * dates.len()];
        let slice = MarketSlice {
            dataset: Dataset::Stocks,
            tickers: symbols.iter().map(ToString::to_string).collect(),
            timeframes: TimeframeSet::of([Timeframe::Day]),
            dates: first..=to,
        };
        let note = |place: usize, date: Date, bar: &crate::model::Bar| {
            if let Ok(session) = dates.binary_search(&date) {
                traded[place * dates.len() + session] = bar.prices.close * bar.volume.unwrap_or(0.0);
            }
        };
        store.read_market(&slice, note).await.map_err(store_error)?;
        for (ranked, sessions) in ranked.iter_mut().zip(&loaded) {
            for place in 0..symbols.len() {
                let of_stock = &traded[place * dates.len()..][..dates.len()];
                let median = median(sessions.iter().map(|session| of_stock[*session]).collect());
                if median > 0.0 {
                    ranked.push((median, batch * BATCH + place));
                }
            }
        }
    }
    let mut members: BTreeMap<Month, BTreeSet<usize>> = BTreeMap::new();
    for (ranked, (month, _)) in ranked.iter_mut().zip(&windows) {
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        members.insert(*month, ranked.iter().take(count).map(|(_, place)| *place).collect());
    }
    // Places among all stocks become places among those that are in at all.
    let chosen: BTreeSet<usize> = members.values().flatten().copied().collect();
    if chosen.is_empty() {
        return Err(CliError::failed(anyhow!(
            "--universe=top:{count}: no day bars are stored of the {RANKED_SESSIONS} sessions before {} or a later month",
            from.first_of_month()
        ))
        .with_hint("load them with `backfill s3 --all --timeframes=day`, from two months before the period on"));
    }
    let place_of: BTreeMap<usize, usize> = chosen.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let members = members.into_iter().map(|(month, places)| (month, places.iter().map(|old| place_of[old]).collect()));
    let symbols = chosen.iter().map(|place| stocks[*place].clone()).collect();
    let unranked = windows.iter().zip(&loaded).filter(|((_, window), loaded)| loaded.len() < window.len());
    let unranked = unranked.map(|((month, window), loaded)| UnrankedMonth {
        month: month.strftime("%Y-%m").to_string(),
        sessions: loaded.len() as u64,
        of: window.len() as u64,
    });
    Ok(Universe {
        symbols,
        words: format!("top:{count}"),
        members: Some(members.collect()),
        said: None,
        unranked: unranked.collect(),
    })
}

/// Whether day bars of a day are loaded: of all stocks, or by name of half of those that are stored. Fewer rank nothing.
fn has_day_bars(state: &DayState, stocks: usize) -> bool {
    let has = |timeframes: &&TimeframeSet| timeframes.contains(Timeframe::Day);
    has(&&state.everyone) || 2 * state.by_name().values().filter(has).count() >= stocks
}

/// The months of a period, each with the sessions before it.
fn windows(from: Date, to: Date) -> Vec<(Month, Vec<Date>)> {
    let mut windows = Vec::new();
    let mut month = from.first_of_month();
    while month <= to {
        let earliest = month.saturating_sub(jiff::Span::new().days(60));
        let before: Vec<Date> =
            xnys().sessions(earliest..=month).map(|(date, _)| date).filter(|date| *date < month).collect();
        windows.push((month, before[before.len().saturating_sub(RANKED_SESSIONS)..].to_vec()));
        month = month.saturating_add(jiff::Span::new().months(1));
    }
    windows
}

/// The middle value; a session without a trade counts 0.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        even if even % 2 == 0 => f64::midpoint(values[even / 2 - 1], values[even / 2]),
        odd => values[odd / 2],
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_month_is_ranked_by_the_sessions_before_it() {
        let windows = windows(date(2026, 9, 15), date(2026, 11, 3));
        let months: Vec<Date> = windows.iter().map(|(month, _)| *month).collect();
        assert_eq!(months, [date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)]);
        for (month, before) in &windows {
            assert_eq!(before.len(), RANKED_SESSIONS);
            assert!(before.iter().all(|date| date < month));
        }
        assert_eq!(windows[1].1.last(), Some(&date(2026, 9, 30)));
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!([median(vec![]), median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0, 2.0, 3.0])], [0.0, 2.0, 2.5]);
    }
}
