//! The bars of a run: what is stored, what is fetched of the rest, and reading both a few symbols at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use anyhow::anyhow;
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use super::data::{Beside, Frame, Reading, SplitsOf};
use super::request::{Bars as BarsAsked, Chosen};
use super::universe::Universe;
use crate::backtest::report::{DataGap, DataSection, ReusedTicker, Splits as SplitsKnown, SymbolSessions, WarmUpNote};
use crate::backtest::{Instrument, Sessions, SymbolData};
use crate::cli::args::DataArgs;
use crate::cli::commands::{Api, Context, alarm, store_error, warn};
use crate::cli::format::counted;
use crate::cli::{CliError, Exit, RequestError, reporter};
use crate::history::{Coverage, Held, History, MarketRequest, Origin};
use crate::model::{Bar, Dataset, SessionState, Symbol, Timeframe, TimeframeSet, VwapMethod};
use crate::store::{AnyStore, MarketSlice, Splits, StoreError};

/// Symbols that are read at a time.
const BATCH: usize = 32;

/// The index of volatility, which others are looked at beside.
const VIX: &str = "I:VIX";

/// The database and the API of a run, its symbols and sessions, and what is known of them.
pub(super) struct Source {
    history: History<AnyStore>,
    store: &'static str,
    /// Why the database cannot be used: then bars come from the API, or from nowhere.
    unusable: Option<CliError>,
    pub(super) universe: Universe,
    pub(super) frame: Frame,
    /// By market: what is asked of it, and what is there.
    markets: BTreeMap<Dataset, (MarketRequest, Coverage)>,
    proxies: BTreeMap<Symbol, Arc<SymbolData>>,
    vix: Option<Arc<SymbolData>>,
    splits_known: bool,
    /// By symbol that was read: the first date that is its own, and sessions before whose bars were left out.
    reused: BTreeMap<Symbol, (Date, u64)>,
}

/// What decides how much is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// Sessions before the period.
    pub(super) warm_up_sessions: usize,
    /// Whether coarser timeframes are looked at, too.
    pub(super) coarser: bool,
}

impl Source {
    /// Opens the database and finds out which symbols and sessions the run is about and what is stored of them.
    pub(super) async fn open(
        asked: &BarsAsked,
        needs: Needs,
        etfs: &[String],
        data: &DataArgs,
        context: &Context,
    ) -> Result<Self, CliError> {
        let now = context.settings.now.value;
        let reporter = reporter(context.quiet, context.json, Context::has_terminal(), context.settings.color.value);
        let (mut store, unusable) = open_store(context, data.no_fallback).await?;
        // Before a universe is known, the dates of stocks; all of its markets have the same sessions.
        let first = match &asked.chosen {
            Chosen::Named(symbols) => symbols[0].dataset(),
            _ => Dataset::Stocks,
        };
        let dates = asked.dates.dates(first, now).map_err(RequestError::from)?;
        let universe = super::universe::choose(&asked.chosen, dates.clone().into_inner(), store.as_mut()).await?;
        if let Some(line) = universe.said.as_ref().filter(|_| !context.quiet) {
            warn(line);
        }
        universe.tell_unranked();
        let dataset = universe.symbols[0].dataset();
        let (sessions, warm_up) = sessions(dataset, dates.into_inner(), needs.warm_up_sessions);
        if sessions.len() == warm_up {
            return Err(CliError::usage(anyhow!("there is no session between the first and the last date of the run")));
        }
        let read = read_timeframes(asked.timeframe, needs.coarser);
        let all: Vec<Date> = sessions.iter().map(|clock| clock.date).collect();
        let frame = Frame {
            sessions: Arc::new(sessions),
            warm_up,
            timeframe: asked.timeframe,
            read,
            scope: asked.session,
            etfs: etfs.to_vec(),
            splits: SplitsOf::default(),
        };
        let mut wanted: BTreeMap<Dataset, BTreeSet<Symbol>> = BTreeMap::new();
        for symbol in &universe.symbols {
            wanted.entry(symbol.dataset()).or_default().insert(symbol.clone());
            if let Some(proxy) = Instrument::of(symbol, etfs).proxy {
                wanted.entry(proxy.dataset()).or_default().insert(proxy);
            }
        }
        let history = History::over(store, !data.no_write_back, reporter);
        let mut source = Self {
            history,
            store: kind_of_settings(context),
            unusable,
            universe,
            frame,
            markets: BTreeMap::new(),
            proxies: BTreeMap::new(),
            vix: None,
            splits_known: false,
            reused: BTreeMap::new(),
        };
        for (dataset, symbols) in wanted {
            let symbols = symbols.into_iter().collect();
            let (timeframe, sessions) = (asked.timeframe, all.clone());
            let request = MarketRequest { dataset, symbols, timeframe, read, sessions, now };
            let coverage = match source.history.survey(&request).await {
                Ok(coverage) => coverage,
                Err(error) if data.no_fallback => return Err(store_error(error)),
                Err(error) => {
                    source.history.forsake_store();
                    source.unusable = Some(store_error(error));
                    Coverage::missing(request.symbols.len(), request.sessions.clone())
                }
            };
            source.markets.insert(dataset, (request, coverage));
        }
        if source.unusable.is_some() {
            // Nothing of a database that fails at one market is used for another.
            for (request, coverage) in source.markets.values_mut() {
                *coverage = Coverage::missing(request.symbols.len(), request.sessions.clone());
            }
        }
        Ok(source)
    }

    /// Sessions of the period.
    fn period(&self) -> Range<usize> {
        self.frame.warm_up..self.frame.sessions.len()
    }

    /// First and last date of the period.
    pub(super) fn dates(&self) -> (Date, Date) {
        let date = |place: usize| self.frame.sessions.get(place as u32).date;
        (date(self.frame.warm_up), date(self.frame.sessions.len() - 1))
    }

    /// The trading days of the period alone.
    pub(super) fn period_sessions(&self) -> Sessions {
        let (from, to) = self.dates();
        Sessions::of(self.universe.symbols[0].dataset(), from..=to)
    }

    /// What symbols lack of the period.
    pub(super) fn gaps(&self) -> Vec<DataGap> {
        let mut gaps = Vec::new();
        for (request, coverage) in self.markets.values() {
            for (place, symbol) in request.symbols.iter().enumerate() {
                gaps.extend(coverage.gaps(place, self.period()).into_iter().map(|gap| DataGap {
                    symbol: symbol.as_str().into(),
                    from: gap.from,
                    to: gap.to,
                    sessions: gap.sessions,
                    state: gap.state,
                    reason: gap.reason,
                }));
            }
        }
        gaps.sort_by(|a, b| (&a.symbol, a.from).cmp(&(&b.symbol, b.from)));
        gaps
    }

    /// Asks the REST API for what is missing. What it does not have stays a gap.
    pub(super) async fn fill(&mut self, data: &DataArgs, context: &Context) -> Result<(), CliError> {
        let range = if data.fetch_warmup { 0..self.frame.sessions.len() } else { self.period() };
        let absent =
            if data.recheck { self.absent(range.clone()).await.map_err(store_error)? } else { BTreeMap::new() };
        let lacks = |(request, coverage): &(MarketRequest, Coverage)| {
            (0..request.symbols.len()).any(|place| coverage.lacks(place, range.clone()))
        };
        if data.no_fallback || absent.is_empty() && !self.markets.values().any(lacks) {
            return Ok(());
        }
        // What is fetched has to be kept somewhere.
        let made = if self.history.keeps() && self.history.look().is_none() && self.unusable.is_none() {
            let made = context.store().await;
            made.inspect_err(|error| alarm(&format!("what is fetched is not kept: {}", error.reason()))).ok()
        } else {
            None
        };
        let reporter = Arc::clone(self.history.reporter());
        let api = Api::open(context, made.as_ref().or(self.history.look()), &reporter).await;
        match api {
            Ok(api) => self.history.ask(api.client, made),
            Err(error) if error.exit() == Exit::Usage || error.is_of::<StoreError>() => return Err(error),
            Err(error) => {
                let why = error.reason();
                if let Some(unusable) = self.unusable.take() {
                    let hint = format!("without it bars come from the REST API, which cannot be asked: {why}");
                    return Err(unusable.with_hint(hint));
                }
                alarm(&format!("the REST API cannot be asked: {why}"));
                return Ok(());
            }
        }
        if let Some(error) = &self.unusable {
            alarm(&format!(
                "the database cannot be used, bars come from the REST API and are not kept: {}",
                error.reason()
            ));
        }
        // Who looks on would rather not wait a minute for what is hardly ever there.
        let patient = (!Context::has_terminal()).then(|| context.clock());
        for (dataset, (request, coverage)) in &mut self.markets {
            let absent = absent.get(dataset).cloned().unwrap_or_default();
            let filled = self.history.fill(request, range.clone(), coverage, &absent, patient.as_ref()).await;
            filled.map_err(|reason| {
                CliError::failed(anyhow!("the REST API refuses to answer: {reason}"))
                    .with_hint("--no-fallback runs with what is stored")
            })?;
        }
        Ok(())
    }

    /// Sessions whose file has nothing of a symbol.
    async fn absent(&mut self, range: Range<usize>) -> Result<BTreeMap<Dataset, BTreeSet<(String, Date)>>, StoreError> {
        let mut absent = BTreeMap::new();
        for (dataset, (request, coverage)) in &self.markets {
            let mut of_market = BTreeSet::new();
            for (batch, symbols) in request.symbols.chunks(BATCH).enumerate() {
                let slice = MarketSlice {
                    dataset: *dataset,
                    tickers: symbols.iter().map(ToString::to_string).collect(),
                    timeframes: TimeframeSet::of([request.timeframe]),
                    dates: request.sessions[0]..=request.sessions[request.sessions.len() - 1],
                };
                let mut there: Vec<BTreeSet<Date>> = vec![BTreeSet::new(); symbols.len()];
                self.history.read(&slice, |place, date, _| _ = there[place].insert(date)).await?;
                for (place, (symbol, there)) in symbols.iter().zip(there).enumerate() {
                    for session in range.clone() {
                        let (date, held) = (request.sessions[session], coverage.of(batch * BATCH + place)[session]);
                        if held.origin == Origin::File && !there.contains(&date) {
                            of_market.insert((symbol.to_string(), date));
                        }
                    }
                }
            }
            if !of_market.is_empty() {
                absent.insert(*dataset, of_market);
            }
        }
        Ok(absent)
    }

    /// Settles what is read from here on: one moment of the database, splits, proxies and VIX.
    pub(super) async fn settle(&mut self) -> Result<(), CliError> {
        self.history.freeze().await.map_err(store_error)?;
        self.read_splits().await?;
        let proxies: BTreeSet<Symbol> = (self.universe.symbols.iter())
            .filter_map(|symbol| Instrument::of(symbol, &self.frame.etfs).proxy)
            .collect();
        for proxy in proxies {
            let data = self.read(std::slice::from_ref(&proxy)).await?;
            self.proxies.extend(data.into_iter().map(|data| (proxy.clone(), Arc::new(data))));
        }
        let vix = Symbol::from_ticker(VIX).map_err(CliError::failed)?;
        if vix.dataset().market() == self.universe.symbols[0].dataset().market() {
            let data = self.read(&[vix]).await?.pop();
            self.vix = data.filter(|data| !data.signal_bars().is_empty()).map(Arc::new);
        }
        Ok(())
    }

    async fn read_splits(&mut self) -> Result<(), CliError> {
        let symbols = self.universe.symbols.clone();
        let Some(store) = self.history.store() else { return Ok(()) };
        let loads = store.split_loads().await.map_err(store_error)?;
        self.splits_known = symbols.iter().all(|symbol| loads.knows(symbol));
        let named: BTreeSet<Symbol> = symbols
            .iter()
            .filter(|symbol| symbol.dataset() == Dataset::Stocks)
            .cloned()
            .chain(symbols.iter().filter_map(|symbol| Instrument::of(symbol, &[]).proxy))
            .collect();
        let named: Vec<Symbol> = named.into_iter().collect();
        // A whole market's splits are fewer rows than its names in a query.
        let of = Some(&named[..]).filter(|named| named.len() <= BATCH);
        let records = store.splits(of).await.map_err(store_error)?;
        self.frame.splits = SplitsOf::new(&records, &self.frame.sessions);
        Ok(())
    }

    /// Reads symbols.
    pub(super) async fn read(&mut self, symbols: &[Symbol]) -> Result<Vec<SymbolData>, CliError> {
        let mut data: BTreeMap<&Symbol, SymbolData> = BTreeMap::new();
        let datasets: BTreeSet<Dataset> = symbols.iter().map(Symbol::dataset).collect();
        let sessions = &self.frame.sessions;
        let dates = sessions.get(0).date..=sessions.get(sessions.len() as u32 - 1).date;
        for dataset in datasets {
            let of: Vec<&Symbol> = symbols.iter().filter(|symbol| symbol.dataset() == dataset).collect();
            let slice = MarketSlice {
                dataset,
                tickers: of.iter().map(ToString::to_string).collect(),
                timeframes: self.frame.read,
                dates: dates.clone(),
            };
            let mut readings: Vec<Reading<'_>> = of.iter().map(|symbol| Reading::new(&self.frame, symbol)).collect();
            let take = |place: usize, date: Date, bar: &Bar| readings[place].take(date, bar);
            self.history.read(&slice, take).await.map_err(store_error)?;
            for (symbol, reading) in of.into_iter().zip(readings) {
                let held = self.held(symbol);
                reading.check(&held).map_err(|error| {
                    CliError::failed(error).with_hint("`backfill verify --repair` puts it in order")
                })?;
                self.reused.extend(reading.left_out().map(|left_out| (symbol.clone(), left_out)));
                let place = self.universe.symbols.binary_search(symbol).unwrap_or(usize::MAX);
                let proxy = Instrument::of(symbol, &self.frame.etfs).proxy;
                let beside = Beside {
                    proxy: proxy.and_then(|proxy| self.proxies.get(&proxy).cloned()),
                    vix: self.vix.clone().filter(|_| symbol.as_str() != VIX),
                };
                data.insert(symbol, reading.done(&held, (&self.universe, place), beside));
            }
        }
        Ok(symbols.iter().filter_map(|symbol| data.remove(symbol)).collect())
    }

    /// What is known of the sessions of a symbol; of one that is looked at only where it is stored, nothing.
    fn held(&self, symbol: &Symbol) -> Vec<Held> {
        let market = self.markets.get(&symbol.dataset());
        let found = market.and_then(|(request, coverage)| {
            request.symbols.binary_search(symbol).ok().map(|place| coverage.of(place).to_vec())
        });
        found.unwrap_or_else(|| vec![Held::MISSING; self.frame.sessions.len()])
    }

    /// Reads all symbols, in their order, and hands each on; stops early where nobody takes them, or when it is told to.
    pub(super) async fn read_all(
        &mut self,
        symbols: &[Symbol],
        to: tokio::sync::mpsc::Sender<SymbolData>,
        stop: &CancellationToken,
        section: &mut DataSection,
    ) -> Result<(), CliError> {
        for batch in symbols.chunks(BATCH) {
            for data in self.read(batch).await? {
                Self::describe(&data, section);
                let sent = tokio::select! {
                    sent = to.send(data) => sent.is_ok(),
                    () = stop.cancelled() => false,
                };
                if !sent {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Symbols of which bars were left out when they were read, proxies among them, as another company had the ticker.
    pub(super) fn reused(&self) -> Vec<ReusedTicker> {
        let named = |(symbol, (since, sessions)): (&Symbol, &(Date, u64))| ReusedTicker {
            symbol: symbol.as_str().into(),
            since: *since,
            sessions: *sessions,
        };
        self.reused.iter().map(named).collect()
    }

    /// What the report says of data, before any is read.
    pub(super) fn section(&self) -> DataSection {
        let mut section = DataSection::empty(if self.history.look().is_some() { self.store } else { "none" });
        section.store_unusable = self.unusable.is_some();
        section.gaps = self.gaps();
        section.unranked.clone_from(&self.universe.unranked);
        section.conflicting_duplicates = self.history.conflicts();
        section.splits =
            if self.splits_known { SplitsKnown::Loaded(self.frame.splits.count()) } else { SplitsKnown::NotLoaded };
        for (request, coverage) in self.markets.values() {
            for (place, symbol) in request.symbols.iter().enumerate() {
                let held = coverage.of(place);
                let mut sessions: BTreeMap<SessionState, u64> = BTreeMap::new();
                for held in &held[self.period()] {
                    *sessions.entry(held.state).or_default() += 1;
                    let source = match held.origin {
                        Origin::File => "flat files",
                        Origin::Rest | Origin::Fetched | Origin::FetchedNotKept => "rest",
                        Origin::Missing => continue,
                    };
                    *section.sources.entry(source.to_owned()).or_default() += 1;
                }
                section.symbols.push(SymbolSessions { symbol: symbol.as_str().into(), sessions });
                let (there, of) = (
                    held[..self.frame.warm_up].iter().filter(|held| held.state.is_whole()).count(),
                    self.frame.warm_up,
                );
                if there < of {
                    let note = format!("{there} of {} before {}", counted(of as u64, "session"), self.dates().0);
                    section.warm_up.push(WarmUpNote { symbol: symbol.as_str().into(), note });
                }
            }
        }
        section.symbols.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        section.warm_up.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        section
    }

    /// Takes note of how VWAPs of the period were made.
    fn describe(data: &SymbolData, section: &mut DataSection) {
        let bars = data.signal_bars();
        let (mut exact, mut estimated, mut mixed) = (0, 0, BTreeMap::<u32, [bool; 2]>::new());
        for bar in 0..bars.len() {
            if bars.vwap(bar).is_some() && data.tradable[bars.session[bar] as usize] {
                let is_exact = bars.exact_vwap[bar];
                *(if is_exact { &mut exact } else { &mut estimated }) += 1;
                mixed.entry(bars.session[bar]).or_default()[usize::from(is_exact)] = true;
            }
        }
        section.add_vwaps(VwapMethod::Vendor, exact);
        section.add_vwaps(VwapMethod::Estimate, estimated);
        section.mixed_vwap_sessions += mixed.values().filter(|methods| methods[0] && methods[1]).count() as u64;
    }
}

/// The database if there is one, or why it cannot be used: without it bars come from the API, unless that is not to be asked.
async fn open_store(context: &Context, must_be_there: bool) -> Result<(Option<AnyStore>, Option<CliError>), CliError> {
    match context.existing_store().await {
        Ok(Some(store)) => Ok((Some(store), None)),
        Ok(None) if must_be_there => {
            Err(CliError::failed(anyhow!("there is no database, and the REST API is not to be asked"))
                .with_hint("load bars with `backfill s3` or `backfill rest`"))
        }
        Ok(None) => Ok((None, None)),
        Err(error) if must_be_there || error.exit() == Exit::Usage => Err(error),
        Err(error) => Ok((None, Some(error))),
    }
}

fn kind_of_settings(context: &Context) -> &'static str {
    match &context.settings.database.value {
        crate::config::DatabaseUrl::Sqlite(_) => "sqlite",
        crate::config::DatabaseUrl::Postgres(_) => "postgres",
    }
}

/// The sessions of the period with some before it, and how many these are.
fn sessions(dataset: Dataset, (from, to): (Date, Date), warm_up: usize) -> (Sessions, usize) {
    let period = Sessions::of(dataset, from..=to);
    // Twice as many calendar days as sessions, and some for holidays, are enough for any market.
    let earliest = from.saturating_sub(jiff::Span::new().days(warm_up as i64 * 2 + 10)).max(dataset.first_date());
    let before = from
        .yesterday()
        .map_or(0, |last| if earliest > last { 0 } else { Sessions::of(dataset, earliest..=last).len() });
    let skipped = before.saturating_sub(warm_up);
    let all = Sessions::of(dataset, earliest.min(from)..=to);
    let first = all.iter().nth(skipped).map_or(from, |clock| clock.date);
    let all = Sessions::of(dataset, first..=to);
    let warm_up = all.len() - period.len();
    (all, warm_up)
}

/// The timeframe of the signals, finer ones to open bars up, coarser ones that are looked at, and official closes.
fn read_timeframes(timeframe: Timeframe, coarser: bool) -> TimeframeSet {
    let looked_at = [Timeframe::M1, Timeframe::M5, Timeframe::M15, Timeframe::H1];
    let others = looked_at.into_iter().filter(|other| coarser || *other < timeframe);
    TimeframeSet::of(others).with(timeframe).with(Timeframe::DayOfficial)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn warm_up_sessions_lie_right_before_the_period() {
        let (all, warm_up) = sessions(Dataset::Stocks, (date(2026, 9, 8), date(2026, 9, 9)), 3);
        let dates: Vec<Date> = all.iter().map(|clock| clock.date).collect();
        assert_eq!(warm_up, 3);
        assert_eq!(dates, [2, 3, 4, 8, 9].map(|day| date(2026, 9, day)), "Labor Day is the 7th");
        let (all, warm_up) = sessions(Dataset::Stocks, (date(2003, 9, 10), date(2003, 9, 11)), 20);
        assert_eq!((all.len(), warm_up), (2, 0), "nothing before the vendor's first file");
    }

    /// B-50
    #[test]
    fn finer_bars_are_read_and_coarser_ones_where_they_are_looked_at() {
        let words = |set: TimeframeSet| set.iter().map(Timeframe::as_str).collect::<Vec<_>>().join(" ");
        assert_eq!(words(read_timeframes(Timeframe::M15, true)), "1m 5m 15m 1h day_official");
        assert_eq!(words(read_timeframes(Timeframe::M15, false)), "1m 5m 15m day_official");
        assert_eq!(words(read_timeframes(Timeframe::Day, false)), "1m 5m 15m 1h day day_official");
    }
}
