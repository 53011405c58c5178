//! Bars for a request: what is stored first, then the REST API for what is missing.
//!
//! A database that cannot be used leads to the API, an API that cannot be used to what is stored; the answer says where each
//! day came from and which could not be had. Neither is an error of the request.

mod answer;
mod coverage;
mod market;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

pub use answer::{Answer, Origin, Part};
pub use coverage::{Coverage, Gap, Held};
pub use market::MarketRequest;

use market::Unkept;

use crate::ingest::Reporter;
use crate::ingest::rest::{Asked, Refusals, RestClient, collect, is_missing, windows};
use crate::model::{Expectation, Symbol, Timeframe, TimeframeSet, midnight};
use crate::store::{BarReader, DayState, Ledger, StoreError, StoredBar, SymbolDays, SymbolSink};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The symbol.
    pub symbol: Symbol,
    /// Length of its bars.
    pub timeframe: Timeframe,
    /// First and last trading date.
    pub dates: RangeInclusive<Date>,
    /// The time of the request.
    pub now: Timestamp,
}

impl Request {
    fn asked(&self, timeframes: TimeframeSet) -> Asked {
        let (dataset, range, now) = (self.symbol.dataset(), self.dates.clone(), self.now);
        Asked { dataset, range, timeframes, exact_vwap: false, absent: BTreeSet::new(), force: false, now }
    }
}

/// Where bars come from. Remembers what cannot be used, so that this is found out and told once.
#[derive(Debug)]
pub struct History<S> {
    store: Option<S>,
    api: Option<Arc<RestClient>>,
    keeps: bool,
    refusals: Refusals,
    reporter: Arc<dyn Reporter>,
    unkept: Unkept,
    conflicts: u64,
}

impl<S: Ledger + BarReader + SymbolSink> History<S> {
    /// From a store, or why there is none, and from the API, or why not. What is fetched is stored if `keeps`. Notes go to
    /// the reporter.
    pub fn new(
        store: Result<S, String>,
        api: Result<Arc<RestClient>, String>,
        keeps: bool,
        reporter: Arc<dyn Reporter>,
    ) -> Self {
        for reason in [store.as_ref().err(), api.as_ref().err()].into_iter().flatten() {
            reporter.note(reason);
        }
        Self {
            store: store.ok(),
            api: api.ok(),
            keeps,
            refusals: Refusals::default(),
            reporter,
            unkept: Unkept::new(),
            conflicts: 0,
        }
    }

    /// From a store alone, until it is known whether more is needed. What is fetched is stored if `keeps`.
    pub fn over(store: Option<S>, keeps: bool, reporter: Arc<dyn Reporter>) -> Self {
        Self { store, api: None, keeps, refusals: Refusals::default(), reporter, unkept: Unkept::new(), conflicts: 0 }
    }

    /// From here on the API is asked, too; what it brings is kept in `store` if there was none before.
    pub fn ask(&mut self, api: Arc<RestClient>, store: Option<S>) {
        self.api = Some(api);
        self.store = self.store.take().or(store);
    }

    /// From here on without the store.
    pub fn forsake_store(&mut self) {
        self.store = None;
    }

    /// Whether what is fetched is stored.
    pub const fn keeps(&self) -> bool {
        self.keeps
    }

    /// The store, if it can still be used, to look at.
    pub const fn look(&self) -> Option<&S> {
        self.store.as_ref()
    }

    /// Who hears notes.
    pub const fn reporter(&self) -> &Arc<dyn Reporter> {
        &self.reporter
    }

    /// The store, if it can still be used.
    pub const fn store(&mut self) -> Option<&mut S> {
        self.store.as_mut()
    }

    /// The same, for good.
    pub fn into_store(self) -> Option<S> {
        self.store
    }

    /// The bars of a series between two trading dates, ascending, and where they came from.
    pub async fn bars(&mut self, request: &Request) -> Answer {
        let (states, stored) = self.stored(request).await;
        let mut answer = Answer::default();
        let (mut missing, none) = (Vec::new(), DayState::default());
        let asked = request.asked(TimeframeSet::of([request.timeframe]));
        let ticker = request.symbol.as_str();
        let dataset = request.symbol.dataset();
        for date in
            request.dates.start().series(jiff::Span::new().days(1)).take_while(|date| date <= request.dates.end())
        {
            let state = states.get(&date).unwrap_or(&none);
            match dataset.expectation(date) {
                _ if state.covered_by_files(ticker).contains(request.timeframe) => answer.day(date, Origin::File, None),
                Expectation::Due if is_missing(&asked, ticker, date, state) => missing.push(date),
                _ if state.covered_by_rest(ticker).contains(request.timeframe) => answer.day(date, Origin::Rest, None),
                _ => {}
            }
        }
        let mut bars: BTreeMap<i64, StoredBar> =
            stored.into_iter().map(|stored| (stored.bar.timestamp_ms, stored)).collect();
        self.fetch(request, missing, &mut bars, &mut answer).await;
        answer.bars = bars.into_values().collect();
        answer
    }

    /// What is stored, and what is known of it; nothing where the store cannot be used.
    async fn stored(&mut self, request: &Request) -> (BTreeMap<Date, DayState>, Vec<StoredBar>) {
        let Some(store) = &mut self.store else { return Default::default() };
        let market = request.symbol.dataset().market();
        let first = midnight(market, *request.dates.start()).as_millisecond();
        let end = request.dates.end().tomorrow().map_or(i64::MAX, |next| midnight(market, next).as_millisecond());
        let read = async {
            let states = store.symbol_states(&request.symbol, request.dates.clone()).await?;
            let bars = store.bars(request.symbol.as_str(), request.timeframe, first..=end - 1).await?;
            Ok::<_, StoreError>((states, bars))
        };
        match read.await {
            Ok(read) => read,
            Err(error) => {
                self.reporter.note(&format!("the database cannot be used, bars come from the REST API: {error}"));
                self.store = None;
                Default::default()
            }
        }
    }

    /// Fetches what is missing, keeps it, and puts its bars in place.
    async fn fetch(
        &mut self,
        request: &Request,
        missing: Vec<Date>,
        bars: &mut BTreeMap<i64, StoredBar>,
        answer: &mut Answer,
    ) {
        if missing.is_empty() {
            return;
        }
        let cannot = match &self.api {
            _ if request.timeframe == Timeframe::DayOfficial => Some("only day files bring it".to_owned()),
            None => Some("not loaded, and the REST API cannot be asked".to_owned()),
            Some(_) => None,
        };
        if let Some(reason) = cannot {
            for date in missing {
                answer.day(date, Origin::Missing, Some(reason.clone()));
            }
            return;
        }
        let Some(client) = self.api.clone() else { return };
        // What is kept serves later requests for other bars, too.
        let only = TimeframeSet::of([request.timeframe]);
        let timeframes = if self.keeps { only.union(TimeframeSet::of(Timeframe::ROLLED)) } else { only };
        let asked = Arc::new(request.asked(timeframes));
        let windows = windows(&request.symbol, missing);
        let collected = collect(&client, &asked, windows, &mut self.refusals).await;
        if let Some(reason) = collected.ended_by {
            self.reporter.note(&format!("the REST API cannot be asked: {reason}"));
            self.api = None;
        }
        // A session that was not over when it was stored has more bars now.
        let fetched: BTreeSet<Date> = collected.pages.iter().flat_map(|page| &page.days).map(|day| day.date).collect();
        bars.retain(|_, stored| !fetched.contains(&stored.session_date));
        for page in collected.pages {
            let origin = if self.keep(&page).await { Origin::Fetched } else { Origin::FetchedNotKept };
            for day in page.days {
                let of_series = day.bars.into_iter().filter(|bar| bar.timeframe == request.timeframe);
                bars.extend(of_series.map(|bar| (bar.timestamp_ms, StoredBar { bar, session_date: day.date })));
                let note = day.is_provisional.then(|| "the session is not over".to_owned());
                answer.day(day.date, origin, note);
            }
        }
        for (date, outcome, reason) in collected.broken {
            answer.day(date, Origin::Missing, Some(format!("{outcome}: {reason}")));
        }
    }

    /// Stores a page; says whether it is stored. A store that cannot is not asked again.
    async fn keep(&mut self, page: &SymbolDays) -> bool {
        let Some(store) = self.store.as_mut().filter(|_| self.keeps) else { return false };
        match store.store_symbol(page).await {
            Ok(_) => true,
            Err(error) => {
                self.reporter.note(&format!("what is fetched is not kept: {error}"));
                self.keeps = false;
                false
            }
        }
    }
}
