//! `/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}`.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::listing::{Listing, ROWS};
use super::refusal::Refusal;
use super::request::Asked;
use super::series::Series;
use super::{RestOptions, limit_of};
use crate::model::{Calendar, Dataset, Expectation, midnight, session_finished_at};
use crate::sandbox::market::{Aggregate, adjustment};
use crate::sandbox::server::Plan;
use crate::sandbox::{Aggregates, FileId};

/// Base aggregates of a page unless told otherwise.
const DEFAULT_LIMIT: usize = 5_000;
/// Base aggregates of a page, at most.
const MAX_LIMIT: usize = 50_000;

/// How long the aggregates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// Milliseconds: minutes, from the top of the hour.
    Minutes(i64),
    /// The vendor's day aggregate.
    Day,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Range {
    ticker: String,
    dataset: Dataset,
    window: Window,
    /// Start of the first aggregate.
    from_ms: i64,
    /// An instant in the last one.
    to_ms: i64,
    descending: bool,
    adjusted: bool,
    limit: usize,
    /// The path's parts before `from`, and its last two parts as they were given.
    stem: String,
    from: String,
    to: String,
}

/// What answers it.
pub(super) struct Source<'a> {
    pub options: &'a RestOptions,
    pub series: &'a Series,
    /// Versions of the files that were published more than once.
    pub versions: &'a HashMap<FileId, u8>,
    pub now: Timestamp,
}

impl Range {
    /// Reads a request's path and parameters.
    pub(super) fn of(asked: &Asked) -> Result<Self, Refusal> {
        let parts: Vec<_> = asked.path.split('/').collect();
        let ["", "v2", "aggs", "ticker", ticker, "range", multiplier, timespan, from, to] = parts[..] else {
            return Err(Refusal::NotFound);
        };
        let wrong = |what: String| Refusal::Wrong(what);
        let dataset = dataset_of(ticker);
        let window = match (multiplier.parse::<i64>(), timespan) {
            (Ok(minutes @ 1..=100_000), "minute") => Window::Minutes(minutes * 60_000),
            (Ok(1), "day") => Window::Day,
            _ => return Err(wrong(format!("the sandbox has no aggregates of {multiplier} {timespan}"))),
        };
        let date_of = |ms| Timestamp::from_millisecond(ms).map(|instant| dataset.market().date_of(instant));
        let instant = |name: &str, text: &str| {
            let (first, last) = instants(dataset, text)
                .filter(|(first, last)| date_of(*first).is_ok() && date_of(*last).is_ok())
                .ok_or_else(|| {
                    wrong(format!("Could not parse the time parameter: '{name}'. Use YYYY-MM-DD or Unix MS Timestamps"))
                })?;
            // From the start of the aggregate it is in.
            let start = match window {
                Window::Minutes(length) => first - first.rem_euclid(length),
                Window::Day => date_of(first).map_or(first, |date| midnight(dataset.market(), date).as_millisecond()),
            };
            Ok((start, last))
        };
        let ((from_ms, _), (to_start, to_ms)) = (instant("from", from)?, instant("to", to)?);
        if to_ms < from_ms {
            return Err(wrong("The parameter 'to' cannot be a time that occurs before 'from'".to_owned()));
        }
        let descending = match asked.parameter("sort") {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(other) => return Err(wrong(format!("'{other}' is not a valid 'sort'"))),
        };
        let to_ms = match window {
            Window::Minutes(length) => to_ms - to_ms.rem_euclid(length) + length - 1,
            Window::Day => to_ms.max(to_start),
        };
        Ok(Self {
            stem: parts[..parts.len() - 2].join("/"),
            from: from.to_owned(),
            to: to.to_owned(),
            ticker: ticker.to_owned(),
            dataset,
            window,
            from_ms,
            to_ms,
            descending,
            adjusted: asked.parameter("adjusted") != Some("false"),
            limit: limit_of(asked, DEFAULT_LIMIT, MAX_LIMIT)?,
        })
    }

    /// Whether the plan has it.
    pub(super) fn check(&self, plan: &Plan, now: Timestamp) -> Result<(), Refusal> {
        if !plan.datasets.contains(&self.dataset) {
            return Err(Refusal::NotEntitled);
        }
        let (first, last) = (self.date_of(self.from_ms), self.date_of(self.to_ms));
        // The vendor has the same words for what is too old and for what is yet to come.
        if plan.from.is_some_and(|from| first < from) || last > self.dataset.market().date_of(now) {
            return Err(Refusal::Timeframe);
        }
        Ok(())
    }

    fn date_of(&self, ms: i64) -> Date {
        Timestamp::from_millisecond(ms).map_or(Calendar::LAST, |instant| self.dataset.market().date_of(instant))
    }

    /// Start of the window an aggregate is in.
    fn window_of(&self, start_ms: i64) -> i64 {
        match self.window {
            Window::Minutes(length) => start_ms - start_ms.rem_euclid(length),
            Window::Day => start_ms,
        }
    }

    /// The dates with data, in the order asked for.
    fn dates(&self, end: Timestamp) -> Box<dyn Iterator<Item = Date>> {
        let dataset = self.dataset;
        let first = self.date_of(self.from_ms).max(dataset.first_date());
        let last = self.date_of(self.to_ms).min(dataset.market().date_of(end)).min(Calendar::LAST);
        let is_open = move |date: &Date| dataset.expectation(*date) != Expectation::Closed;
        if self.descending {
            Box::new(last.series(-1.day()).take_while(move |date| *date >= first).filter(is_open))
        } else {
            Box::new(first.series(1.day()).take_while(move |date| *date <= last).filter(is_open))
        }
    }

    /// The page, at most `page_size` rows of it.
    pub(super) fn page(&self, asked: &Asked, source: &Source<'_>, page_size: Option<usize>) -> Listing {
        let page = self.gather(source, self.limit.min(page_size.unwrap_or(usize::MAX)));
        let next = page.next.map(|start_ms| {
            let path = if self.descending {
                format!("{}/{}/{start_ms}", self.stem, self.from)
            } else {
                format!("{}/{start_ms}/{}", self.stem, self.to)
            };
            asked.link(&path, &[])
        });
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let status = if source.options.delay.is_zero() { "OK" } else { "DELAYED" };
        Listing {
            fields: [
                ("adjusted", self.adjusted.to_string()),
                ("queryCount", page.base.to_string()),
                (ROWS, page.rows.len().to_string()),
                ("status", text(status)),
                ("ticker", text(&self.ticker)),
            ]
            .into(),
            rows: page.rows.iter().map(|row| self.json(row)).collect(),
            next,
            this: asked.link(&asked.path, &[]),
            first: asked.first.as_ref().map(|path| asked.link(path, &[])),
            empty_list: false,
        }
    }

    fn gather(&self, source: &Source<'_>, limit: usize) -> Page {
        let end = source.now - source.options.delay;
        let mut page = Page::default();
        // Base aggregates of the last row.
        let mut in_last = 0;
        for date in self.dates(end) {
            for base in self.day(source, date, end) {
                let start_ms = self.window_of(base.start_ms);
                if let Some(last) = page.rows.last_mut().filter(|last| last.start_ms == start_ms) {
                    let both = if self.descending { base.and(*last) } else { last.and(base) };
                    *last = Aggregate { start_ms, ..both };
                    in_last += 1;
                } else if page.base >= limit {
                    page.next = Some(start_ms);
                    return page.without_cut_row(limit, in_last);
                } else {
                    page.rows.push(Aggregate { start_ms, ..base });
                    in_last = 1;
                }
                page.base += 1;
            }
        }
        page.without_cut_row(limit, in_last)
    }

    /// Base aggregates of a date up to an instant, in the order asked for.
    fn day(&self, source: &Source<'_>, date: Date, end: Timestamp) -> Vec<Aggregate> {
        let dataset = self.dataset;
        let kind = if self.window == Window::Day { Aggregates::Day } else { Aggregates::Minute };
        let id = FileId { dataset, kind, date };
        if source.options.missing.contains(&id) {
            return Vec::new();
        }
        let version = source.versions.get(&id).copied().unwrap_or(1);
        let day = source.series.day(&source.options.market, dataset, &self.ticker, date, version);
        let factor = if self.adjusted && dataset == Dataset::Stocks && source.options.market.splits {
            adjustment(&self.ticker, date, dataset.market().date_of(source.now))
        } else {
            1.0
        };
        let end_ms = end.as_millisecond();
        let mut base: Vec<_> = match self.window {
            Window::Minutes(_) => day
                .minutes
                .iter()
                .filter(|minute| (self.from_ms..=self.to_ms).contains(&minute.start_ms))
                .filter_map(|minute| minute.seen_at(end_ms))
                .collect(),
            // The day's aggregate is settled when its trading is over.
            Window::Day if session_finished_at(dataset, date) > end => Vec::new(),
            Window::Day => day.day.into_iter().collect(),
        };
        if factor != 1.0 {
            for aggregate in &mut base {
                *aggregate = aggregate.adjusted(factor);
            }
        }
        if self.descending {
            base.reverse();
        }
        base
    }

    fn json(&self, row: &Aggregate) -> String {
        let [open, high, low, close] = row.prices(self.dataset);
        let start_ms = row.start_ms;
        match &row.traded {
            None => format!(r#"{{"c":{close},"h":{high},"l":{low},"o":{open},"t":{start_ms}}}"#),
            Some(traded) => {
                let vwap = traded.vwap_text().map(|vwap| format!(r#","vw":{vwap}"#)).unwrap_or_default();
                let (n, volume) = (traded.transactions, traded.volume_text());
                format!(r#"{{"c":{close},"h":{high},"l":{low},"n":{n},"o":{open},"t":{start_ms},"v":{volume}{vwap}}}"#)
            }
        }
    }
}

#[derive(Debug, Default)]
struct Page {
    rows: Vec<Aggregate>,
    /// Base aggregates the rows are made of.
    base: usize,
    /// Start of the window the next page begins with.
    next: Option<i64>,
}

impl Page {
    /// A row that the limit would cut comes whole on the next page, unless it is the only one.
    fn without_cut_row(mut self, limit: usize, in_last: usize) -> Self {
        if self.base > limit && self.rows.len() > 1 {
            self.next = self.rows.pop().map(|row| row.start_ms);
            self.base -= in_last;
        }
        self
    }
}

/// The market of a ticker.
fn dataset_of(ticker: &str) -> Dataset {
    let has_prefix =
        |dataset: &Dataset| !dataset.ticker_prefix().is_empty() && ticker.starts_with(dataset.ticker_prefix());
    Dataset::ALL.into_iter().find(has_prefix).unwrap_or(Dataset::Stocks)
}

/// First and last millisecond of a date on its market's clock, or an instant in milliseconds.
fn instants(dataset: Dataset, text: &str) -> Option<(i64, i64)> {
    if let Ok(ms) = text.parse() {
        return Some((ms, ms));
    }
    let date: Date = text.parse().ok().filter(|date: &Date| date.year() < 9999 && date.to_string() == text)?;
    let start_ms = |date| midnight(dataset.market(), date).as_millisecond();
    Some((start_ms(date), start_ms(date.tomorrow().ok()?) - 1))
}
