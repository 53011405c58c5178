//! One window fetched: its pages cut into days, and asked again for what a false answer may have left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::mpsc;

use super::days::{DayCutter, DayMinutes, roll_up_day};
use super::plan::{Asked, Window, is_missing, is_provisional};
use super::{RestClient, RestError, Timeliness};
use crate::ingest::Rejects;
use crate::ingest::clock::Clock;
use crate::model::{Expectation, Symbol, TimeframeSet};
use crate::store::{DayState, StoreError, SymbolDay, SymbolDays};

/// What a fetch tells the writer.
#[derive(Debug)]
pub(super) enum Event {
    /// Whole days.
    Days(Box<Fetched>),
    /// Days that another process has stored since the plan was made.
    There { symbol: Symbol, dates: Vec<Date> },
    /// A window that was given out is done.
    Ended { window: Window, how: Ended },
}

/// How the fetch of a window ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Everything has come, or need not come any more.
    Whole,
    /// It cannot be had; `left` are the dates of which nothing has come.
    Broken { left: Window, error: RestError },
    /// The ledger could not be read.
    Store(StoreError),
    /// Nobody knows.
    Panicked,
}

/// Days on their way to the store.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) symbol: Symbol,
    pub(super) days: SymbolDays,
    pub(super) rejects: Rejects,
    /// Rows that lost to another one of their minute.
    pub(super) conflicting: u64,
}

/// Fetches one window.
pub(super) struct Fetcher {
    pub(super) client: Arc<RestClient>,
    pub(super) asked: Arc<Asked>,
    pub(super) clock: Clock,
    pub(super) to: mpsc::Sender<Event>,
    /// What requests have brought of the symbol before: made again of the same minutes as what is asked for now, as the
    /// vendor may have changed them meanwhile.
    pub(super) brought: BTreeMap<Date, TimeframeSet>,
}

/// How a pass over the pages of a window ended.
struct Pass {
    /// Days without a row.
    empty: Vec<Date>,
    /// What the last page said of the vendor's plan.
    is_delayed: bool,
    request: String,
    /// When the last page was asked for: what was traded after may be missing from it.
    asked_at: Timestamp,
}

impl Fetcher {
    /// The window without what another process has stored since the plan was made.
    pub(super) async fn still_missing(&mut self, window: Window, states: &BTreeMap<Date, DayState>) -> Option<Window> {
        let Window { symbol, dates } = window;
        let brought = |state: &DayState| state.rest.get(symbol.as_str()).map(|rest| rest.timeframes);
        self.brought = states.iter().filter_map(|(date, state)| Some((*date, brought(state)?))).collect();
        let none = DayState::default();
        let is_missing = |date: &Date| {
            let state = states.get(date).unwrap_or(&none);
            is_missing(&self.asked, symbol.as_str(), *date, state)
        };
        let (missing, there): (Vec<Date>, Vec<Date>) = dates.into_iter().partition(is_missing);
        if !there.is_empty() {
            let _ = self.to.send(Event::There { symbol: symbol.clone(), dates: there }).await;
        }
        (!missing.is_empty()).then_some(Window { symbol, dates: missing })
    }

    /// Fetches a window; sends its days as they come, and gives how it ended.
    pub(super) async fn window(&self, mut window: Window) -> Ended {
        let pass = match self.pass(&mut window).await {
            Ok(pass) => pass,
            Err(error) => return Ended::Broken { left: window, error },
        };
        let now = self.clock.now();
        // Under load the vendor answers that there is nothing where there is something. One answer is not believed.
        let is_doubtful = |date: &&Date| {
            self.asked.dataset.expectation(**date) == Expectation::Due
                && !is_provisional(self.asked.dataset, **date, now)
        };
        let (doubtful, mut empty): (Vec<Date>, Vec<Date>) = pass.empty.iter().partition(is_doubtful);
        let mut last = Pass { empty: Vec::new(), ..pass };
        if !doubtful.is_empty() {
            let mut again = Window { symbol: window.symbol.clone(), dates: doubtful };
            last = match self.pass(&mut again).await {
                Ok(pass) => pass,
                Err(error) => {
                    // What was said of the others stands.
                    self.send_empty(&window.symbol, empty, &last).await;
                    return Ended::Broken { left: again, error };
                }
            };
            empty.append(&mut last.empty);
            empty.sort_unstable();
        }
        self.send_empty(&window.symbol, empty, &last).await;
        Ended::Whole
    }

    /// Goes through all pages of a window and sends the days that have rows. What is left in the window has none, or has not
    /// come.
    async fn pass(&self, window: &mut Window) -> Result<Pass, RestError> {
        let mut pages = self.client.minutes(&window.symbol, window.range_ms());
        let mut cutter = DayCutter::new(self.asked.dataset, &window.dates);
        let (asked_at, request) = (self.clock.now(), pages.request().to_owned());
        let mut pass = Pass { empty: Vec::new(), is_delayed: false, request, asked_at };
        loop {
            let asked_at = self.clock.now();
            let page = pages.next().await?;
            let (days, rejects, is_last) = match page {
                Some(page) => {
                    pass.is_delayed = page.timeliness == Timeliness::Delayed;
                    pass.asked_at = asked_at;
                    (cutter.add(&page.rows), page.rejects, false)
                }
                None => (cutter.finish(), Rejects::default(), true),
            };
            let (traded, empty): (Vec<_>, Vec<_>) = days.into_iter().partition(|day| !day.minutes.is_empty());
            pass.empty.extend(empty.into_iter().map(|day| day.date));
            window.dates.retain(|date| traded.iter().all(|day| day.date != *date));
            if !traded.is_empty() || rejects.total() > 0 {
                self.send(&window.symbol, traded, rejects, &pass).await;
            }
            if is_last {
                return Ok(pass);
            }
        }
    }

    async fn send_empty(&self, symbol: &Symbol, dates: Vec<Date>, pass: &Pass) {
        if !dates.is_empty() {
            let empty = |date| DayMinutes { date, minutes: Vec::new(), rows: 0, conflicting: 0 };
            self.send(symbol, dates.into_iter().map(empty).collect(), Rejects::default(), pass).await;
        }
    }

    async fn send(&self, symbol: &Symbol, days: Vec<DayMinutes>, rejects: Rejects, pass: &Pass) {
        let (asked, asked_at) = (&self.asked, pass.asked_at);
        let roll_up = |day: &DayMinutes| {
            let timeframes = asked.timeframes.union(self.brought.get(&day.date).copied().unwrap_or_default());
            let is_absent_in_file = asked.is_absent(symbol.as_str(), day.date);
            SymbolDay { is_absent_in_file, ..roll_up_day(asked.dataset, day, timeframes, asked_at, pass.is_delayed) }
        };
        let conflicting = days.iter().map(|day| day.conflicting).sum();
        let days: Vec<SymbolDay> = days.iter().map(roll_up).collect();
        let days = SymbolDays {
            dataset: asked.dataset,
            symbol: symbol.as_str().to_owned(),
            request: pass.request.clone(),
            days,
            exact_vwap: asked.exact_vwap,
            started_at: asked_at,
            finished_at: self.clock.now(),
        };
        let fetched = Fetched { symbol: symbol.clone(), days, rejects, conflicting };
        let _ = self.to.send(Event::Days(Box::new(fetched))).await;
    }
}
