//! Going through what is stored, month by month, so that no more than a symbol's month is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range, RangeInclusive};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use tokio_util::sync::CancellationToken;

use super::bars::SymbolDay;
use super::books::{Books, Counts, check_fetched, is_loaded};
use super::finding::{Finding, Kind};
use super::findings::Findings;
use super::liquid::{Liquidity, RegularMinutes};
use crate::aggregate::DayGrid;
use crate::model::{Calendar, Dataset, Expectation, FileKind, Timeframe, TimeframeSet, file_due_at, midnight};
use crate::store::{Audit, DayState, FileState, Ledger, RawBar, Scan, StoreError};

/// What to look at.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Market.
    pub dataset: Dataset,
    /// Trading dates; `None`: from the first to the last loaded one, and whatever else is stored.
    pub range: Option<RangeInclusive<Date>>,
    /// Tickers; `None`: all.
    pub symbols: Option<BTreeSet<String>>,
    /// The time that decides which files are due.
    pub now: Timestamp,
}

/// What was looked at of a market.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Market.
    pub dataset: Dataset,
    /// First and last date; `None` if nothing is loaded.
    pub range: Option<(Date, Date)>,
    /// Loaded days among them.
    pub days: u64,
    /// Bars.
    pub bars: u64,
    /// Days that another process has changed meanwhile: nothing is said of them.
    pub changed: u64,
    /// The books of all days in the range.
    pub states: BTreeMap<Date, DayState>,
}

/// Looks at a market's bars, and holds them against the ledger, the calendar and themselves. `hear` is told of each month
/// and how many bars have been looked at. Ends early when the run is to stop.
pub async fn audit<S: Ledger + Audit>(
    store: &mut S,
    scope: &Scope,
    findings: &mut Findings,
    hear: &(dyn Fn(Dataset, Date, u64) + Sync),
    stop: &CancellationToken,
) -> Result<Checked, StoreError> {
    let dataset = scope.dataset;
    let all = dataset.first_date()..=Calendar::LAST;
    let states = store.day_states(dataset, scope.range.clone().unwrap_or(all)).await?;
    let loaded = || states.iter().filter(|(_, state)| is_loaded(state)).map(|(date, _)| *date);
    let range = match &scope.range {
        Some(range) => Some((*range.start(), *range.end())),
        None => loaded().min().zip(loaded().max()),
    };
    let days = loaded().count() as u64;
    let mut found = Findings::default();
    let mut auditor = Auditor {
        scope,
        states: &states,
        grids: BTreeMap::new(),
        counts: BTreeMap::new(),
        fetched: BTreeMap::new(),
        present: BTreeMap::new(),
        liquidity: Liquidity::default(),
        bars: 0,
        findings: &mut found,
    };
    if let Some((first, last)) = range {
        auditor.check_days(first, last);
    }
    for (date, range_ms) in parts(dataset, range, scope.range.is_none()) {
        hear(dataset, date, auditor.bars);
        let what = Scan {
            dataset,
            symbols: scope.symbols.as_ref().map(|symbols| symbols.iter().cloned().collect()),
            timeframes: TimeframeSet::of(Timeframe::ALL),
            dates: None,
            range_ms,
        };
        store
            .scan(&what, |symbol, bars| {
                auditor.check_symbol(symbol, bars);
                if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .await?;
        if stop.is_cancelled() {
            break;
        }
        auditor.grids.clear();
    }
    // What was not looked at to the end cannot be counted.
    if !stop.is_cancelled() {
        auditor.check_minutes();
        auditor.check_fetched();
        if scope.symbols.is_some() {
            auditor.recount(store).await?;
        }
        auditor.check_books();
    }
    let bars = auditor.bars;
    let changed = forget_changed(store, &mut found, dataset, &states).await?;
    findings.absorb(found);
    Ok(Checked { dataset, range, days, bars, changed, states })
}

/// Forgets what was found of days that another process has loaded meanwhile: books and bars were not of the same time. Says how
/// many days that are.
async fn forget_changed<S: Ledger>(
    store: &mut S,
    found: &mut Findings,
    dataset: Dataset,
    states: &BTreeMap<Date, DayState>,
) -> Result<u64, StoreError> {
    let dirty: Vec<Date> = found.dirt().keys().map(|(_, date)| *date).collect();
    let mut changed = 0;
    for date in dirty {
        let now = store.day_states(dataset, date..=date).await?;
        if now.get(&date) != states.get(&date) {
            found.forget(dataset, date);
            changed += 1;
        }
    }
    Ok(changed)
}

/// The instants of a trading date, milliseconds since the Unix epoch.
pub(super) fn day_ms(dataset: Dataset, date: Date) -> RangeInclusive<i64> {
    let start_ms = |date| midnight(dataset.market(), date).as_millisecond();
    start_ms(date)..=date.tomorrow().map_or(i64::MAX, start_ms) - 1
}

/// Months of a range: their first date, and their instants. If all is asked for, the first begins and the last ends with time
/// itself: a bar may have been moved anywhere.
fn parts(dataset: Dataset, range: Option<(Date, Date)>, all: bool) -> Vec<(Date, RangeInclusive<i64>)> {
    let Some((first, last)) = range else {
        return vec![(dataset.first_date(), i64::MIN..=i64::MAX)];
    };
    let mut parts = Vec::new();
    let mut from = first;
    loop {
        let to = from.last_of_month().min(last);
        let start = if all && from == first { i64::MIN } else { *day_ms(dataset, from).start() };
        let end = if all && to == last { i64::MAX } else { *day_ms(dataset, to).end() };
        parts.push((from, start..=end));
        match to.tomorrow() {
            Ok(next) if next <= last => from = next,
            _ => return parts,
        }
    }
}

/// Timeframes of a symbol that came by the REST API. What is said to have come by a file, too, did.
fn fetched(state: &DayState, symbol: &str) -> TimeframeSet {
    let brought = state.rest.get(symbol).map(|rest| rest.timeframes).unwrap_or_default();
    brought.minus(state.covered_by_files(symbol))
}

/// Adds bars of a symbol to those of a day that came by files, but for those of timeframes that came by the REST API: says
/// how many these are.
fn count<'a>(counts: &mut Counts, from_rest: TimeframeSet, bars: impl IntoIterator<Item = &'a RawBar>) -> u64 {
    let mut fetched = 0;
    for bar in bars {
        match bar.timeframe {
            timeframe if from_rest.contains(timeframe) => fetched += 1,
            Timeframe::DayOfficial => counts[FileKind::Day as usize] += 1,
            _ => counts[FileKind::Minute as usize] += 1,
        }
    }
    fetched
}

struct Auditor<'a> {
    scope: &'a Scope,
    states: &'a BTreeMap<Date, DayState>,
    /// Dates met in this month.
    grids: BTreeMap<Date, DayGrid>,
    /// Bars that came by files, by day and the kind of file.
    counts: BTreeMap<Date, Counts>,
    /// Bars that came by the REST API, by day and symbol.
    fetched: BTreeMap<Date, BTreeMap<String, u64>>,
    /// Timeframes of bars that are loaded with everyone.
    present: BTreeMap<Date, TimeframeSet>,
    liquidity: Liquidity,
    bars: u64,
    findings: &'a mut Findings,
}

/// Of each timeframe: which of a symbol's bars lie on a date.
type Places = [Range<usize>; Timeframe::ALL.len()];

impl Auditor<'_> {
    /// Trading days that are not loaded.
    fn check_days(&mut self, first: Date, last: Date) {
        let Some(symbols) = &self.scope.symbols else {
            self.check_gaps(None, first, last, is_loaded);
            return;
        };
        for symbol in symbols {
            let is_covered = |state: &DayState| !state.covered(symbol).is_empty();
            let covered = || self.states.iter().filter(|(_, state)| is_covered(state)).map(|(date, _)| *date);
            let given = self.scope.range.as_ref().map(|_| (first, last));
            if let Some((first, last)) = given.or(covered().min().zip(covered().max())) {
                self.check_gaps(Some(symbol), first, last, is_covered);
            }
        }
    }

    fn check_gaps(&mut self, symbol: Option<&str>, first: Date, last: Date, is_loaded: impl Fn(&DayState) -> bool) {
        let dataset = self.scope.dataset;
        for date in first.series(1.day()).take_while(|date| *date <= last) {
            let is_due = dataset.expectation(date) == Expectation::Due && file_due_at(date) <= self.scope.now;
            let state = self.states.get(&date);
            if !is_due || state.is_some_and(&is_loaded) {
                continue;
            }
            let tried = state.and_then(|state| state.minute.as_ref());
            let what = tried.map_or_else(|| "not loaded".to_owned(), |file| format!("not loaded: {}", file.outcome));
            let finding = Finding::of_day(Kind::DayMissing, dataset, date, what);
            match symbol {
                Some(symbol) => {
                    self.findings.day(dataset, date).missing.insert(symbol.to_owned());
                    self.findings.add(finding.of_symbol(symbol));
                }
                None => self.findings.add(finding),
            }
        }
    }

    /// Looks at bars of a symbol: by timeframe, each ascending.
    fn check_symbol(&mut self, symbol: &str, bars: &[RawBar]) {
        self.bars += bars.len() as u64;
        let market = self.scope.dataset.market();
        let mut days: BTreeMap<Date, Places> = BTreeMap::new();
        let mut at = 0;
        while let Some(bar) = bars.get(at) {
            let instant = Timestamp::from_millisecond(bar.timestamp_ms).ok();
            let Some(date) =
                instant.map(|instant| market.date_of(instant)).filter(|date| Calendar::check(*date).is_ok())
            else {
                self.check_stray(symbol, bar);
                at += 1;
                continue;
            };
            let end_ms = date.tomorrow().map_or(i64::MAX, |next| midnight(market, next).as_millisecond());
            let of_date = |other: &RawBar| other.timeframe == bar.timeframe && other.timestamp_ms < end_ms;
            let end = at + bars[at..].partition_point(of_date);
            days.entry(date).or_default()[bar.timeframe as usize - 1] = at..end;
            at = end;
        }
        for (date, places) in days {
            self.check_symbol_day(symbol, date, places.map(|place| &bars[place]));
        }
    }

    /// A bar on no date of the trading calendar.
    fn check_stray(&mut self, symbol: &str, bar: &RawBar) {
        let dataset = self.scope.dataset;
        let what = "its start is outside the trading calendar";
        self.findings.add(Finding {
            kind: Kind::OffGrid,
            dataset: Some(dataset),
            date: bar.session_date,
            symbol: Some(symbol.to_owned()),
            timeframe: Some(bar.timeframe),
            timestamp_ms: Some(bar.timestamp_ms),
            what: what.to_owned(),
            expected: None,
            found: None,
        });
        self.spoil(bar);
    }

    /// The day a bar is stored under is not right, whatever day the bar is of.
    fn spoil(&mut self, bar: &RawBar) {
        if let Some(date) = bar.session_date {
            let day = self.findings.day(self.scope.dataset, date);
            (day.books, day.stored) = (true, true);
        }
    }

    fn check_symbol_day(&mut self, symbol: &str, date: Date, series: [&[RawBar]; Timeframe::ALL.len()]) {
        let dataset = self.scope.dataset;
        let state = self.states.get(&date);
        let from_rest = state.map(|state| fetched(state, symbol)).unwrap_or_default();
        let fetched = count(self.counts.entry(date).or_default(), from_rest, series.into_iter().flatten());
        if fetched > 0 {
            *self.fetched.entry(date).or_default().entry(symbol.to_owned()).or_default() += fetched;
        }
        for bar in series.iter().copied().flatten().filter(|bar| bar.session_date != Some(date)) {
            self.spoil(bar);
            // Where it lies, a store may know by its start alone.
            self.findings.day(dataset, date).stored = true;
        }
        let grid = self.grids.entry(date).or_insert_with(|| DayGrid::new(dataset, date));
        let rest = state.and_then(|state| state.rest.get(symbol));
        let day = SymbolDay {
            dataset,
            symbol,
            grid,
            from_files: state.map(|state| state.covered_by_files(symbol)).unwrap_or_default(),
            exact_vwap: rest.map(|rest| rest.exact_vwap).unwrap_or_default(),
            from_rest,
            is_provisional: rest.is_some_and(|rest| rest.is_provisional),
            series,
        };
        let expectation = dataset.expectation(date);
        let is_no_day = expectation != Expectation::Due && !state.is_some_and(is_loaded);
        let findings = &mut *self.findings;
        day.check(&mut |finding| match finding.kind {
            Kind::UncoveredBars if is_no_day => findings.add(Finding { kind: Kind::NotASession, ..finding }),
            Kind::CoarseMissing | Kind::FinerMissing | Kind::TimeframeMissing
                if finding.timeframe.is_some_and(|timeframe| from_rest.contains(timeframe)) =>
            {
                findings.add_of_symbol(finding);
            }
            _ => findings.add(finding),
        });
        let (stored, lacking) = (day.stored(), day.lacking().minus(from_rest));
        // Bars that say they are of another date lie with that one.
        let lies_here = |timeframe: &Timeframe| day.bars(*timeframe).iter().any(|bar| bar.session_date == Some(date));
        let uncovered = TimeframeSet::of(stored.minus(day.covered()).iter().filter(lies_here));
        if !uncovered.is_empty() {
            let dirt = findings.day(dataset, date);
            dirt.stored = true;
            dirt.uncovered.insert(symbol.to_owned(), uncovered);
        }
        if !lacking.is_empty() {
            findings.day(dataset, date).lacking.insert(symbol.to_owned(), lacking);
        }
        if state.is_some_and(|state| !state.named.contains_key(symbol)) {
            let present = self.present.entry(date).or_default();
            *present = present.union(stored.minus(from_rest));
        }
        // Forex has no regular hours: it closes on Friday afternoon and opens on Sunday.
        let is_short = state.and_then(|state| state.minute.as_ref()).is_some_and(FileState::is_known_to_be_short);
        if dataset == Dataset::Forex || expectation != Expectation::Due || is_short || day.is_provisional {
            return;
        }
        let (open, close) = grid.regular();
        let of = close - open;
        let Some(minutes) = day.regular_minutes() else { return };
        if minutes > i64::from(of) {
            let finding = Finding::of_day(Kind::MinutesExtra, dataset, date, "minutes of the regular session");
            findings.add(finding.of_symbol(symbol).differing(of, minutes));
        }
        let minutes = u16::try_from(minutes).unwrap_or(of);
        self.liquidity.add(symbol, RegularMinutes { date, minutes, of });
    }

    /// Counts the bars of all symbols on days of which something was found.
    async fn recount<S: Audit>(&mut self, store: &mut S) -> Result<(), StoreError> {
        let dataset = self.scope.dataset;
        let dirty: Vec<Date> = self.findings.dirt().keys().map(|(_, date)| *date).collect();
        for date in dirty.into_iter().filter(|date| Calendar::check(*date).is_ok()) {
            let range_ms = day_ms(dataset, date);
            let what =
                Scan { dataset, symbols: None, timeframes: TimeframeSet::of(Timeframe::ALL), dates: None, range_ms };
            let (counts, state) = (self.counts.entry(date).or_default(), self.states.get(&date));
            *counts = Counts::default();
            store
                .scan(&what, |symbol, bars| {
                    count(counts, state.map(|state| fetched(state, symbol)).unwrap_or_default(), bars);
                    ControlFlow::Continue(())
                })
                .await?;
        }
        Ok(())
    }

    /// Holds what the ledger says of what the REST API has brought against the bars.
    fn check_fetched(&mut self) {
        let is_meant = |symbol: &String| self.scope.symbols.as_ref().is_none_or(|symbols| symbols.contains(symbol));
        for (date, state) in self.states {
            let counts = self.fetched.get(date);
            for symbol in state.rest.keys().filter(|symbol| is_meant(symbol)) {
                let bars = counts.and_then(|counts| counts.get(symbol)).copied().unwrap_or_default();
                let place = (self.scope.dataset, *date, symbol.as_str());
                check_fetched(place, state, bars, &mut |finding| self.findings.add_of_symbol(finding));
            }
        }
    }

    /// Holds the books of days against the bars. Where only some symbols were looked at, those of days of which something
    /// was found: to make these right, it must be known how many bars there are.
    fn check_books(&mut self) {
        let dataset = self.scope.dataset;
        for (date, state) in self.states {
            let is_dirty = self.findings.dirt().contains_key(&(dataset, *date));
            if self.scope.symbols.is_some() && !is_dirty {
                continue;
            }
            let counts = self.counts.get(date).copied().unwrap_or_default();
            let books = Books { dataset, date: *date, state, counts };
            books.check(&mut |finding| self.findings.add(finding));
            if self.findings.dirt().contains_key(&(dataset, *date)) {
                let dirt = self.findings.day(dataset, *date);
                dirt.miscounted = books.miscounted();
                dirt.present = self.present.get(date).copied().unwrap_or_default();
            }
        }
    }

    /// Days on which liquid symbols lack minutes.
    fn check_minutes(&mut self) {
        let dataset = self.scope.dataset;
        let session_before = |symbol: &str, date: Date| {
            let mut before = date;
            loop {
                before = before.yesterday().ok().filter(|before| *before >= dataset.first_date())?;
                if dataset.expectation(before) == Expectation::Due {
                    break;
                }
            }
            let state = self.states.get(&before)?;
            (!state.covered(symbol).minus(FileKind::Day.timeframes()).is_empty()).then_some(before)
        };
        for (symbol, day) in self.liquidity.lacking(session_before) {
            let finding = Finding::of_day(Kind::MinutesMissing, dataset, day.date, "minutes of the regular session")
                .of_symbol(symbol);
            let finding = finding.differing(day.of, day.minutes);
            let state = self.states.get(&day.date);
            let finest = state.and_then(|state| state.covered(symbol).iter().next());
            match state.zip(finest) {
                Some((state, finest)) if fetched(state, symbol).contains(finest) => {
                    self.findings.add_of_symbol(finding);
                }
                _ => self.findings.add(finding),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn months_follow_each_other_without_gaps() {
        let range = Some((date(2026, 9, 28), date(2026, 11, 30)));
        let months = parts(Dataset::Stocks, range, false);
        assert_eq!(months.iter().map(|(from, _)| from.month()).collect::<Vec<_>>(), [9, 10, 11]);
        assert!(months.windows(2).all(|pair| pair[0].1.end() + 1 == *pair[1].1.start()));
        let day = |date| day_ms(Dataset::Stocks, date);
        assert_eq!(months[0].1.start(), day(date(2026, 9, 28)).start());
        assert_eq!(months[2].1.end(), day(date(2026, 11, 30)).end());
        let all = parts(Dataset::Stocks, range, true);
        assert_eq!((*all[0].1.start(), *all[2].1.end()), (i64::MIN, i64::MAX));
        assert_eq!(all[1], months[1]);
        let one = Some((date(2026, 9, 28), date(2026, 9, 28)));
        assert_eq!(
            parts(Dataset::Crypto, one, false),
            [(date(2026, 9, 28), day_ms(Dataset::Crypto, date(2026, 9, 28)))]
        );
    }
}
