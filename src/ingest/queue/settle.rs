//! What requests that have had their files come to, with the help of the REST API where something is missing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::judge::{Evidence, Verdict, Wait, days_done, judge, shortened};
use super::plan::{Gap, Open, dates};
use crate::ingest::rest::{Asked, is_missing};
use crate::ingest::{LoadFailure, Loads, RestWish};
use crate::model::{Expectation, Outcome, Symbol};
use crate::store::{BarReader, DayState, Held, Ledger, StoreError};

/// So many requests of the queue are asked of the REST API in one step: at five a minute it may be slow, and newcomers wait.
const MOST_ASKED: usize = 20;

/// What became of some requests.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Of each: what is to become of it, and how many of its days are there.
    pub(super) verdicts: Vec<(Held, Verdict, u32)>,
    /// Whether the API was asked.
    pub(super) is_api_asked: bool,
    /// What ended that.
    pub(super) api: Option<LoadFailure>,
    /// Why what is stored could not be read, of one of them at least.
    pub(super) unread: Option<StoreError>,
}

/// What is stored of what a request asks for.
struct Stored {
    states: BTreeMap<Date, DayState>,
    has_bars: bool,
}

impl Settled {
    /// What becomes of requests when nothing that is stored can be read.
    pub(super) fn unread(ready: &[Open], error: StoreError) -> Self {
        let verdicts = ready.iter().map(|open| put_off(open, &error)).collect();
        Self { verdicts, unread: Some(error), ..Self::default() }
    }

    /// Reads what is stored of a request's days. One of which that cannot be read is put off, and does not keep the others from
    /// their ends; a connection that is lost is lost for all.
    async fn stored(
        &mut self,
        open: &Open,
        store: &mut (impl Ledger + BarReader),
    ) -> Result<Option<Stored>, StoreError> {
        let (symbol, dates) = (&open.wish.symbol, &open.wish.dates);
        let read = async {
            let states = store.symbol_states(symbol, dates.clone()).await?;
            let has_bars = store.has_bars(symbol, open.wish.timeframes, dates.clone()).await?;
            Ok(Stored { states, has_bars })
        };
        match read.await {
            Ok(stored) => Ok(Some(stored)),
            Err(error) if StoreError::may_pass(&error) => Err(error),
            Err(error) => {
                self.verdicts.push(put_off(open, &error));
                self.unread.get_or_insert(error);
                Ok(None)
            }
        }
    }
}

/// The verdict on a request when what is stored of it cannot be read.
fn put_off(open: &Open, error: &StoreError) -> (Held, Verdict, u32) {
    let verdict = Verdict::Later(Wait::Closed, shortened(error.to_string()));
    (open.held(), verdict, open.shown.unwrap_or_default())
}

/// Settles requests that have had their files, the most important first: all that lack nothing, and some of the others.
pub(super) async fn settle(
    open: &[Open],
    store: &mut (impl Ledger + BarReader),
    loads: &mut impl Loads,
    now: Timestamp,
) -> Result<Settled, StoreError> {
    let mut ready: Vec<&Open> = open.iter().filter(|open| open.has_had_files()).collect();
    ready.sort_by_key(|open| open.rank());
    let (mut settled, mut lacking) = (Settled::default(), Vec::new());
    for open in ready {
        let Some(Stored { states, has_bars }) = settled.stored(open, store).await? else { continue };
        let asked = asked(open, &states, has_bars, now);
        let is_worth_asking = open.files.as_ref().is_none_or(|failure| !failure.may_pass);
        if is_worth_asking && lacks_something(&asked, &open.wish.symbol, &states) {
            lacking.push((open, asked));
            if lacking.len() == MOST_ASKED {
                break;
            }
            continue;
        }
        let (requests, requests_failure) = (&BTreeMap::new(), None);
        let verdict = judge(&Evidence { open, states: &states, has_bars, requests, requests_failure, now });
        settled.verdicts.push((open.held(), verdict, days_done(open, &states)));
    }
    if lacking.is_empty() {
        return Ok(settled);
    }
    let ended = loads.by_requests(wishes(&lacking)).await;
    let requests_failure = ended.failure.as_ref();
    for (open, _) in lacking {
        let symbol = open.wish.symbol.as_str();
        let of_symbol = ended.report.days.iter().filter(|day| day.symbol == symbol);
        let gaps = of_symbol.filter(|day| !matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged));
        let requests: BTreeMap<Date, Gap> =
            gaps.map(|day| (day.date, Gap { outcome: day.outcome, detail: day.detail.clone() })).collect();
        let Some(Stored { states, has_bars }) = settled.stored(open, store).await? else { continue };
        let verdict = judge(&Evidence { open, states: &states, has_bars, requests: &requests, requests_failure, now });
        settled.verdicts.push((open.held(), verdict, days_done(open, &states)));
    }
    (settled.is_api_asked, settled.api) = (true, ended.failure);
    Ok(settled)
}

/// What the API would be asked for a request.
fn asked(open: &Open, states: &BTreeMap<Date, DayState>, has_bars: bool, now: Timestamp) -> Asked {
    let ticker = open.wish.symbol.as_str();
    // A symbol without a single bar was in none of the files, whenever they were loaded.
    let unknown = states.keys().copied().filter(|_| !has_bars);
    let absent = open.absent.iter().copied().chain(unknown).map(|date| (ticker.to_owned(), date)).collect();
    Asked {
        dataset: open.dataset(),
        range: open.wish.dates.clone(),
        timeframes: open.wish.timeframes,
        exact_vwap: false,
        absent,
        force: false,
        now,
    }
}

fn lacks_something(asked: &Asked, symbol: &Symbol, states: &BTreeMap<Date, DayState>) -> bool {
    let none = DayState::default();
    let traded = dates(&asked.range).filter(|date| asked.dataset.expectation(*date) != Expectation::Closed);
    let state = |date: &Date| states.get(date).unwrap_or(&none);
    traded.into_iter().any(|date| is_missing(asked, symbol.as_str(), date, state(&date)))
}

/// What is asked for several requests, those that want the same together; in their order.
fn wishes(lacking: &[(&Open, Asked)]) -> Vec<RestWish> {
    let mut wishes: Vec<RestWish> = Vec::new();
    for (open, asked) in lacking {
        let is_same = |other: &Asked| {
            (other.dataset, &other.range, other.timeframes) == (asked.dataset, &asked.range, asked.timeframes)
        };
        let symbol = open.wish.symbol.clone();
        match wishes.iter_mut().find(|wish| is_same(&wish.asked)) {
            Some(wish) => {
                wish.asked.absent.extend(asked.absent.iter().cloned());
                if !wish.symbols.contains(&symbol) {
                    wish.symbols.push(symbol);
                }
            }
            None => wishes.push(RestWish { asked: asked.clone(), symbols: vec![symbol] }),
        }
    }
    wishes
}
