//! A store that takes a day's bars and, instead of writing them, holds them against those that are stored.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};

use jiff::Timestamp;
use jiff::civil::Date;

use super::audit::day_ms;
use super::bars::is_same_sum;
use super::finding::{Finding, Kind};
use super::findings::Findings;
use crate::model::{Bar, Dataset, FileKind, Symbol, Timeframe, TimeframeSet, VwapMethod};
use crate::store::{
    Attempt, Audit, BarBatch, BarSink, Claims, DayCommit, DayState, FileVersion, Ledger, LoadRate, RawBar, Replace,
    Restatement, Scan, StoreError, Word,
};

/// Claims for who writes nothing: nobody is in the way.
#[derive(Debug)]
pub(super) struct NoClaims;

impl Claims for NoClaims {
    async fn claim(&mut self, _dataset: Dataset, _date: Date) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn release(&mut self, _dataset: Dataset, _date: Date) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Compares instead of writing. Knows no ledger but the one of the store it looks at, and leaves that as it is.
#[derive(Debug)]
pub(super) struct Comparison<'a, S> {
    store: &'a mut S,
    findings: &'a mut Findings,
    /// Only these symbols; `None`: all.
    symbols: Option<&'a BTreeSet<String>>,
    day: Option<Day>,
}

/// A day that is being compared.
#[derive(Debug)]
struct Day {
    dataset: Dataset,
    date: Date,
    state: DayState,
    range_ms: RangeInclusive<i64>,
    /// Symbols that the source has.
    seen: BTreeSet<String>,
    /// Kept until it is known whether the vendor has replaced the day's file.
    found: Findings,
}

impl<'a, S> Comparison<'a, S> {
    pub(super) const fn new(
        store: &'a mut S,
        findings: &'a mut Findings,
        symbols: Option<&'a BTreeSet<String>>,
    ) -> Self {
        Self { store, findings, symbols, day: None }
    }

    const fn day(&mut self) -> &mut Day {
        self.day.as_mut().expect("Invariant: bars are compared between `begin_day` and its end")
    }
}

impl<S: Ledger> Ledger for Comparison<'_, S> {
    async fn day_states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        self.store.day_states(dataset, range).await
    }

    async fn symbol_states(
        &mut self,
        symbol: &Symbol,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        self.store.symbol_states(symbol, range).await
    }

    async fn record_attempt(
        &mut self,
        _dataset: Dataset,
        _date: Date,
        _file: FileKind,
        _attempt: &Attempt,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn record_same_content(
        &mut self,
        _dataset: Dataset,
        _date: Date,
        _file: FileKind,
        _version: &FileVersion,
        _at: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn restatements(&mut self, range: RangeInclusive<Date>) -> Result<Vec<Restatement>, StoreError> {
        self.store.restatements(range).await
    }

    async fn load_rate(&mut self, everyone: bool) -> Result<Option<LoadRate>, StoreError> {
        self.store.load_rate(everyone).await
    }

    async fn record_load_rate(&mut self, _everyone: bool, _rate: LoadRate) -> Result<(), StoreError> {
        Ok(())
    }
}

impl<S: Ledger + Audit> BarSink for Comparison<'_, S> {
    async fn begin_day(
        &mut self,
        dataset: Dataset,
        date: Date,
        _waiting: impl FnOnce() + Send,
    ) -> Result<DayState, StoreError> {
        let state = self.store.day_states(dataset, date..=date).await?.remove(&date).unwrap_or_default();
        let (range_ms, seen, found) = (day_ms(dataset, date), BTreeSet::new(), Findings::default());
        self.day = Some(Day { dataset, date, state: state.clone(), range_ms, seen, found });
        Ok(state)
    }

    async fn replace(&mut self, _what: &Replace) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn replace_rest(&mut self, _symbols: &[String]) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn forget_day(&mut self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn write(&mut self, batch: &BarBatch) -> Result<(), StoreError> {
        let day = self.day.as_mut().expect("Invariant: bars are compared between `begin_day` and its end");
        let what = Scan {
            dataset: day.dataset,
            symbols: Some(batch.symbols.iter().map(|(symbol, _)| symbol.to_string()).collect()),
            timeframes: TimeframeSet::of(Timeframe::ALL),
            dates: None,
            range_ms: day.range_ms.clone(),
        };
        let ranges: BTreeMap<&str, _> =
            batch.symbols.iter().map(|(symbol, range)| (&**symbol, range.clone())).collect();
        let mut stored = BTreeSet::new();
        self.store
            .scan(&what, |symbol, bars| {
                if let Some(range) = ranges.get(symbol) {
                    stored.insert(symbol.to_owned());
                    day.compare(symbol, &batch.bars[range.clone()], bars);
                }
                ControlFlow::Continue(())
            })
            .await?;
        for (symbol, range) in ranges {
            if !stored.contains(symbol) {
                day.compare(symbol, &batch.bars[range], &[]);
            }
            day.seen.insert(symbol.to_owned());
        }
        Ok(())
    }

    async fn commit_day(&mut self, commit: &DayCommit) -> Result<(), StoreError> {
        let symbols = self.symbols.map(|symbols| symbols.iter().cloned().collect());
        let day = self.day();
        let what = Scan {
            dataset: day.dataset,
            symbols,
            timeframes: TimeframeSet::of(Timeframe::ALL),
            dates: None,
            range_ms: day.range_ms.clone(),
        };
        let mut day = self.day.take().expect("Invariant: bars are compared between `begin_day` and its end");
        let seen = std::mem::take(&mut day.seen);
        self.store
            .scan(&what, |symbol, bars| {
                if !seen.contains(symbol) {
                    day.compare(symbol, &[], bars);
                }
                ControlFlow::Continue(())
            })
            .await?;
        let restated = day.restated(commit);
        if restated.is_empty() {
            self.findings.absorb(day.found);
        }
        for finding in restated {
            self.findings.add(finding);
        }
        Ok(())
    }

    async fn abandon_day(&mut self) -> Result<(), StoreError> {
        self.day = None;
        Ok(())
    }
}

impl Day {
    /// Files that the vendor has replaced by others. Where bars differ, that is why.
    fn restated(&self, commit: &DayCommit) -> Vec<Finding> {
        let mut restated = Vec::new();
        for file in &commit.files {
            let Some(ledger) = self.state.file(file.kind) else { continue };
            let Some(loaded) = ledger.loaded.as_ref().filter(|loaded| !loaded.is_same_content(&file.version)) else {
                continue;
            };
            // Without a hash only the bars can tell.
            let is_same = match (ledger.content, file.content) {
                (Some(before), Some(now)) => before == now,
                _ => self.found.is_empty(),
            };
            if !is_same {
                let version = |version: &FileVersion| format!("{} ({} bytes)", version.etag, version.size_bytes);
                let finding =
                    Finding::of_day(Kind::Restated, self.dataset, self.date, format!("version of {}", loaded.key));
                restated.push(finding.differing(version(&file.version), version(loaded)));
            }
        }
        restated
    }

    /// Holds a symbol's bars as the source makes them against those that are stored; both by timeframe, then ascending.
    ///
    /// What the REST API has brought was made of something else, and is left out.
    fn compare(&mut self, symbol: &str, source: &[Bar], stored: &[RawBar]) {
        let rest = self.state.rest.get(symbol);
        let fetched = rest.map(|rest| rest.timeframes).unwrap_or_default().minus(self.state.covered_by_files(symbol));
        let exact_vwap = rest.map(|rest| rest.exact_vwap).unwrap_or_default();
        let mut source = source.iter().filter(|bar| !fetched.contains(bar.timeframe)).peekable();
        let mut stored = stored.iter().filter(|raw| !fetched.contains(raw.timeframe)).peekable();
        loop {
            let order = match (source.peek(), stored.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(bar), Some(raw)) => (bar.timeframe, bar.timestamp_ms).cmp(&(raw.timeframe, raw.timestamp_ms)),
            };
            let bar = if order == Ordering::Greater { None } else { source.next() };
            let raw = if order == Ordering::Less { None } else { stored.next() };
            let (kind, differs) = match (bar, raw) {
                (Some(bar), Some(raw)) => match difference(bar, raw, exact_vwap) {
                    Some(differs) => (Kind::SourceDiffers, Some(differs)),
                    None => continue,
                },
                (Some(_), None) => (Kind::SourceMissing, None),
                (None, _) => (Kind::SourceExtra, None),
            };
            let key = bar.map(|bar| (bar.timeframe, bar.timestamp_ms));
            let Some((timeframe, ms)) = key.or(raw.map(|raw| (raw.timeframe, raw.timestamp_ms))) else { continue };
            let finding = Finding::of_day(kind, self.dataset, self.date, "bar").of_symbol(symbol);
            let finding = Finding { timeframe: Some(timeframe), timestamp_ms: Some(ms), ..finding };
            self.found.add(match differs {
                Some((what, expected, found)) => {
                    Finding { what: what.to_owned(), ..finding }.differing(expected, found)
                }
                None => finding,
            });
        }
    }
}

/// What of a stored bar is not what the source makes: as it should be, as it is. A VWAP that was made exact has another origin.
fn difference(bar: &Bar, raw: &RawBar, exact_vwap: TimeframeSet) -> Option<(&'static str, String, String)> {
    let exact = Some(VwapMethod::Vendor).filter(|_| exact_vwap.contains(bar.timeframe));
    let is_exact = exact.is_some() && raw.vwap_method == exact.map(Word::Known);
    let same_sum = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => is_same_sum(a, b),
        (None, None) => true,
        _ => false,
    };
    let (expected, found) = (
        [bar.prices.open, bar.prices.high, bar.prices.low, bar.prices.close],
        [raw.open, raw.high, raw.low, raw.close],
    );
    if expected != found {
        return Some(("open, high, low, close", format!("{expected:?}"), format!("{found:?}")));
    }
    if !same_sum(bar.volume, raw.volume) {
        return Some(("volume", format!("{:?}", bar.volume), format!("{:?}", raw.volume)));
    }
    if !is_exact && !same_sum(bar.vwap, raw.vwap) {
        return Some(("vwap", format!("{:?}", bar.vwap), format!("{:?}", raw.vwap)));
    }
    let trades = bar.trades.map(|trades| i64::try_from(trades).unwrap_or(i64::MAX));
    if trades != raw.trades {
        return Some(("trades", format!("{trades:?}"), format!("{:?}", raw.trades)));
    }
    let method = if is_exact { exact } else { bar.vwap_method }.map(Word::Known);
    let expected = (Word::Known(bar.session), method, bar.end_timestamp_ms, i64::from(bar.minutes));
    let found = (raw.session.clone(), raw.vwap_method.clone(), raw.end_timestamp_ms, raw.minutes);
    (expected != found)
        .then(|| ("session, vwap_method, end_timestamp, minutes", format!("{expected:?}"), format!("{found:?}")))
}
