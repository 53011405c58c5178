//! Bars of many symbols for one run: what is stored, what the API has of the rest, and both in one reading.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;

use super::coverage::{Coverage, Held};
use super::{History, Origin};
use crate::ingest::Clock;
use crate::ingest::rest::{Asked, RestClient, collect, windows};
use crate::model::{Bar, Dataset, Outcome, SessionState, Symbol, Timeframe, TimeframeSet};
use crate::store::{
    Audit, BarReader, DayState, Ledger, MarketReader, MarketSlice, StoreError, StoredBar, SymbolDays, SymbolSink,
};

/// From how many symbols on the ledger is read for all at once.
const SYMBOLS_ALONE: usize = 32;

/// Series of symbols of one market that a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketRequest {
    /// Their market.
    pub dataset: Dataset,
    /// The symbols, each once.
    pub symbols: Vec<Symbol>,
    /// The timeframe that must be there.
    pub timeframe: Timeframe,
    /// Timeframes that are read where they are stored, that one among them.
    pub read: TimeframeSet,
    /// Trading dates, ascending, at least one.
    pub sessions: Vec<Date>,
    /// The time of the run.
    pub now: Timestamp,
}

/// How long after an empty answer the API is asked for the last time, where somebody can wait (B-54).
const EMPTY_AGAIN: Duration = Duration::from_mins(1);

/// Bars that were fetched and are not stored, by ticker.
pub(super) type Unkept = BTreeMap<String, Vec<StoredBar>>;

impl<S: Ledger + BarReader + SymbolSink + MarketReader + Audit> History<S> {
    /// What is stored of the sessions of symbols; nothing without a store. One that cannot be read is an error, and still asked
    /// later unless it is forsaken.
    pub async fn survey(&mut self, request: &MarketRequest) -> Result<Coverage, StoreError> {
        let mut coverage = Coverage::missing(request.symbols.len(), request.sessions.clone());
        let Some(store) = &mut self.store else { return Ok(coverage) };
        let dates = request.sessions[0]..=request.sessions[request.sessions.len() - 1];
        if request.symbols.len() > SYMBOLS_ALONE {
            let states = store.day_states(request.dataset, dates).await?;
            for symbol in request.symbols.iter().enumerate() {
                coverage.learn(symbol, request.timeframe, &states, request.now);
            }
        } else {
            for symbol in request.symbols.iter().enumerate() {
                let states = store.symbol_states(symbol.1, dates.clone()).await?;
                coverage.learn(symbol, request.timeframe, &states, request.now);
            }
        }
        Ok(coverage)
    }

    /// Asks the API for what some of the sessions lack, a symbol and a gap at a time, and stores it. An error is what every
    /// other request would be told, too; nothing is lost of what came before it.
    ///
    /// With a clock, what has come empty is asked for once more when a minute has passed on it: under load the vendor may
    /// answer twice in a row that there is nothing where there is something.
    pub async fn fill(
        &mut self,
        request: &MarketRequest,
        sessions: Range<usize>,
        coverage: &mut Coverage,
        absent: &BTreeSet<(String, Date)>,
        patient: Option<&Clock>,
    ) -> Result<(), String> {
        let Some(client) = self.api.clone() else { return Ok(()) };
        // What is kept serves later requests for other bars, too.
        let timeframes =
            if self.keeps { request.read.union(TimeframeSet::of(Timeframe::ROLLED)) } else { request.read };
        let asked = Arc::new(Asked {
            dataset: request.dataset,
            range: request.sessions[0]..=request.sessions[request.sessions.len() - 1],
            timeframes: timeframes.minus(TimeframeSet::of([Timeframe::DayOfficial])),
            exact_vwap: false,
            absent: absent.clone(),
            force: false,
            now: request.now,
        });
        let of_symbol = |(place, symbol): (usize, &Symbol)| {
            let mut dates: BTreeSet<Date> = coverage.wanted(place, sessions.clone()).into_iter().collect();
            dates.extend(absent.iter().filter(|(ticker, _)| ticker == symbol.as_str()).map(|(_, date)| *date));
            (place, dates.into_iter().collect::<Vec<_>>())
        };
        let work: Vec<(usize, Vec<Date>)> =
            request.symbols.iter().enumerate().map(of_symbol).filter(|(_, dates)| !dates.is_empty()).collect();
        self.fill_symbols(&client, &asked, &request.symbols, &work, coverage).await?;
        let Some(clock) = patient else { return Ok(()) };
        let came_empty = |place: usize, date: &Date| {
            let session = coverage.session(*date);
            session.is_some_and(|session| coverage.of(place)[session].state == SessionState::VerifiedEmpty)
        };
        let empty: Vec<(usize, Vec<Date>)> = (work.into_iter())
            .map(|(place, dates)| (place, dates.into_iter().filter(|date| came_empty(place, date)).collect()))
            .filter(|(_, dates): &(usize, Vec<Date>)| !dates.is_empty())
            .collect();
        if empty.is_empty() {
            return Ok(());
        }
        let sessions = empty.iter().map(|(_, dates)| dates.len()).sum();
        self.reporter.note(&again_in_a_minute(sessions, empty.len()));
        clock.sleep(EMPTY_AGAIN).await;
        self.fill_symbols(&client, &asked, &request.symbols, &empty, coverage).await
    }

    async fn fill_symbols(
        &mut self,
        client: &Arc<RestClient>,
        asked: &Arc<Asked>,
        symbols: &[Symbol],
        work: &[(usize, Vec<Date>)],
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        let (began, of) = (Instant::now(), work.len() as u64);
        for (done, (place, dates)) in work.iter().enumerate() {
            let left = began.elapsed().checked_div(done as u32).unwrap_or_default() * (of as u32 - done as u32);
            self.reporter.requests(done as u64, of, left);
            self.fill_symbol(client, asked, (*place, &symbols[*place]), dates.clone(), coverage).await?;
        }
        if of > 0 {
            self.reporter.requests(of, of, Duration::ZERO);
        }
        Ok(())
    }

    async fn fill_symbol(
        &mut self,
        client: &Arc<RestClient>,
        asked: &Arc<Asked>,
        symbol: (usize, &Symbol),
        dates: Vec<Date>,
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        let collected = collect(client, asked, windows(symbol.1, dates), &mut self.refusals).await;
        self.conflicts += collected.conflicting;
        for page in collected.pages {
            let of_files = self.of_files(symbol.1, &page).await;
            let kept = self.keep(&page).await;
            for day in &page.days {
                let state = match day.bars.is_empty() {
                    _ if day.is_provisional => SessionState::Partial,
                    true => SessionState::VerifiedEmpty,
                    false => SessionState::Complete,
                };
                let origin = if kept { Origin::Fetched } else { Origin::FetchedNotKept };
                if let Some(session) = coverage.session(day.date) {
                    let reason = day.is_provisional.then(|| "the session is not over".to_owned());
                    let alike = day.timeframes.minus(of_files.get(&day.date).copied().unwrap_or_default());
                    coverage.set(symbol.0, session, Held { state, origin, alike }, reason);
                }
            }
            if !kept {
                self.hold(page);
            }
        }
        for (date, outcome, reason) in collected.broken {
            if let Some(session) = coverage.session(date) {
                let held = coverage.of(symbol.0)[session];
                let state = match outcome {
                    // A whole file stands, whatever the API says of it.
                    _ if held.state == SessionState::Complete => continue,
                    Outcome::NotEntitled => SessionState::NotEntitled,
                    Outcome::NotDue => SessionState::NotPublished,
                    Outcome::Failed => SessionState::Partial,
                    _ => held.state,
                };
                coverage.set(symbol.0, session, Held { state, ..held }, Some(reason));
            }
        }
        collected.ended_by.map_or(Ok(()), Err)
    }

    /// Timeframes that files have brought of the days of a page: their bars stay. Those of the page that differ are counted
    /// (B-53).
    async fn of_files(&mut self, symbol: &Symbol, page: &SymbolDays) -> BTreeMap<Date, TimeframeSet> {
        let (Some(first), Some(last)) = (page.days.first(), page.days.last()) else { return BTreeMap::new() };
        let Some(store) = &mut self.store else { return BTreeMap::new() };
        let dates = first.date..=last.date;
        let compared = async {
            let states = store.symbol_states(symbol, dates.clone()).await?;
            let covered = |(date, state): (&Date, &DayState)| (*date, state.covered_by_files(symbol.as_str()));
            let of_files: BTreeMap<Date, TimeframeSet> = states.iter().map(covered).collect();
            let timeframes = of_files.values().fold(TimeframeSet::EMPTY, |all, of_day| all.union(*of_day));
            let mut stored: BTreeMap<(Timeframe, i64), Bar> = BTreeMap::new();
            if !timeframes.is_empty() {
                let (dataset, tickers) = (page.dataset, vec![symbol.to_string()]);
                let slice = MarketSlice { dataset, tickers, timeframes, dates };
                let take = |_, date: Date, bar: &Bar| {
                    if of_files.get(&date).is_some_and(|of_files| of_files.contains(bar.timeframe)) {
                        stored.insert((bar.timeframe, bar.timestamp_ms), *bar);
                    }
                };
                store.read_market(&slice, take).await?;
            }
            let differs = |bar: &&Bar| {
                let stored = stored.get(&(bar.timeframe, bar.timestamp_ms));
                stored.is_some_and(|stored| stored.prices != bar.prices || stored.volume != bar.volume)
            };
            let conflicts = page.days.iter().flat_map(|day| &day.bars).filter(differs).count() as u64;
            Ok::<_, StoreError>((of_files, conflicts))
        };
        // Who writes next finds out what is wrong with the store, and says it.
        let (of_files, conflicts) = compared.await.unwrap_or_default();
        self.conflicts += conflicts;
        of_files
    }

    /// How many rows that were fetched disagreed: with another one of the same minute, or with a bar that a file has brought.
    pub const fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// Keeps bars for this run alone.
    fn hold(&mut self, page: SymbolDays) {
        let held = self.unkept.entry(page.symbol).or_default();
        for day in page.days {
            held.extend(day.bars.into_iter().map(|bar| StoredBar { bar, session_date: day.date }));
        }
    }

    /// From here on everything that is read is of one moment.
    pub async fn freeze(&mut self) -> Result<(), StoreError> {
        match &mut self.store {
            Some(store) => store.freeze().await,
            None => Ok(()),
        }
    }

    /// Hands out bars with the place of their ticker and their trading date: those stored, and those fetched and not stored.
    /// The bars of a series ascend.
    pub async fn read(
        &mut self,
        slice: &MarketSlice,
        mut each: impl FnMut(usize, Date, &Bar) + Send,
    ) -> Result<(), StoreError> {
        let unkept = &self.unkept;
        let held: Vec<Option<&Vec<StoredBar>>> = slice.tickers.iter().map(|ticker| unkept.get(ticker)).collect();
        let mut stored: BTreeMap<usize, Vec<StoredBar>> = BTreeMap::new();
        if let Some(store) = &mut self.store {
            let hand_on = |place: usize, session_date: Date, bar: &Bar| match held[place] {
                None => each(place, session_date, bar),
                Some(_) => stored.entry(place).or_default().push(StoredBar { bar: *bar, session_date }),
            };
            store.read_market(slice, hand_on).await?;
        }
        for (place, fetched) in held.into_iter().enumerate() {
            let Some(fetched) = fetched else { continue };
            let dates: BTreeSet<Date> = fetched.iter().map(|bar| bar.session_date).collect();
            let mut bars = stored.remove(&place).unwrap_or_default();
            bars.retain(|bar| !dates.contains(&bar.session_date));
            let is_asked = |bar: &&StoredBar| {
                slice.dates.contains(&bar.session_date) && slice.timeframes.contains(bar.bar.timeframe)
            };
            bars.extend(fetched.iter().filter(is_asked).cloned());
            bars.sort_unstable_by_key(|bar| (bar.bar.timeframe, bar.bar.timestamp_ms));
            for StoredBar { bar, session_date } in &bars {
                each(place, *session_date, bar);
            }
        }
        Ok(())
    }
}

/// What is said while what came empty waits to be asked for once more.
fn again_in_a_minute(sessions: usize, symbols: usize) -> String {
    let plural = |number| if number == 1 { "" } else { "s" };
    format!(
        "the REST API has nothing of {sessions} session{} of {symbols} symbol{}: asked for once more in a minute",
        plural(sessions),
        plural(symbols)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_empty_is_counted_in_words() {
        assert!(again_in_a_minute(1, 1).contains("1 session of 1 symbol:"));
        assert!(again_in_a_minute(7, 2).contains("7 sessions of 2 symbols:"));
    }
}
