//! Making days again that are loaded, whatever the ledger says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::Wanted;
use super::pipeline::{DatasetPlan, RunError, list};
use super::plan::{Accept, DayJob, DayPlan, ListedDay, Listing, Request, WhenRestCounts, is_restated};
use super::report::Reporter;
use super::source::{DayFile, Source};
use crate::model::{Dataset, FileKind, Outcome, Timeframe, TimeframeSet};
use crate::store::{BarSink, DayCommit, DayState, Ledger, Replace, StoreError};

/// What is made again of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// The bars of these symbols, by what the books say is loaded of them. If the vendor has replaced a file of the day
    /// meanwhile, everything that is loaded: a day's bars are of one version.
    Symbols(BTreeSet<String>),
    /// All of it, books included: what is stored is forgotten, and this is loaded.
    Day {
        /// Timeframes of every symbol.
        everyone: TimeframeSet,
        /// Timeframes of single symbols, beyond those of every symbol.
        named: BTreeMap<String, TimeframeSet>,
    },
}

impl DayJob {
    /// Whether the day is to be forgotten, and if so, whether this job brings all of it back.
    pub(super) fn forgets(&self) -> Option<bool> {
        match self.reload.as_deref()? {
            Reload::Day { everyone, named } => {
                let brought = self.named.iter().map(|(symbol, timeframes)| (symbol, timeframes));
                Some(self.everyone == *everyone && brought.eq(named))
            }
            Reload::Symbols(_) => None,
        }
    }
}

/// Days of one dataset to be made again.
#[derive(Debug)]
pub struct Reloads {
    request: Request,
    listing: Listing,
}

impl Reloads {
    /// Lists what the source has between two dates.
    pub async fn list(
        source: &Source,
        dataset: Dataset,
        (first, last): (Date, Date),
        now: Timestamp,
        reporter: &dyn Reporter,
    ) -> Result<Self, RunError> {
        let request = Request {
            dataset,
            range: first..=last,
            symbols: Some(BTreeSet::new()),
            timeframes: TimeframeSet::EMPTY,
            official_day: true,
            force: true,
            accept: Accept::None,
            rest_counts: WhenRestCounts::Never,
            now,
        };
        let listing = list(source, &request, reporter).await?;
        Ok(Self { request, listing })
    }

    /// The listed file of a date.
    pub fn file(&self, kind: FileKind, date: Date) -> Option<&DayFile> {
        match kind {
            FileKind::Minute => self.listing.minute.get(&date),
            FileKind::Day => self.listing.day.get(&date),
        }
    }

    /// Whether the vendor has replaced a file of a date since it was loaded.
    pub fn is_restated(&self, date: Date, state: &DayState) -> bool {
        FileKind::ALL.into_iter().filter_map(|kind| self.file(kind, date)).any(|file| is_restated(state, file))
    }

    /// The plan that makes days again. A file that looks cut short is taken if it is the very version that is loaded.
    pub fn plan(mut self, reloads: BTreeMap<Date, Reload>, states: &BTreeMap<Date, DayState>) -> DatasetPlan {
        let state = |date| states.get(&date).cloned().unwrap_or_default();
        let is_known = |date: &Date| {
            let state = state(*date);
            let is_same = |file: &DayFile| state.loaded(file.kind).is_some() && !is_restated(&state, file);
            self.file(FileKind::Minute, *date).is_some_and(is_same)
        };
        let accept = Accept::Dates(reloads.keys().copied().filter(is_known).collect());
        let everyone = |reload: &Reload| matches!(reload, Reload::Day { everyone, .. } if !everyone.is_empty());
        if reloads.values().any(everyone) {
            self.request.symbols = None;
        }
        let request = Arc::new(Request { accept, ..self.request });
        let days = reloads
            .into_iter()
            .rev()
            .map(|(date, reload)| plan_reload(&request, date, &self.listing, &state(date), &Arc::new(reload)));
        DatasetPlan { days: days.collect(), listing: self.listing, request: Arc::clone(&request) }
    }
}

/// Plans a day that is to be made again; one whose files the source does not have is left as it is.
pub(super) fn plan_reload(
    request: &Arc<Request>,
    date: Date,
    listing: &Listing,
    state: &DayState,
    reload: &Arc<Reload>,
) -> DayPlan {
    let settled = |outcome, detail: &str| DayPlan::Settled { date, outcome, detail: Some(detail.to_owned()) };
    let (minute, day) = (listing.minute.get(&date), listing.day.get(&date));
    let is_replaced = minute.into_iter().chain(day).any(|file| is_restated(state, file));
    let everything = TimeframeSet::of(Timeframe::ALL);
    let (everyone, named, replace, wanted) = match &**reload {
        Reload::Day { everyone, named } => (*everyone, named.clone(), Vec::new(), Wanted::all(*everyone, named)),
        Reload::Symbols(_) if is_replaced => {
            let replace = Replace { timeframes: everything, symbols: None, restated: true };
            let named = state.by_name();
            (state.everyone, named.clone(), vec![replace], Wanted::all(state.everyone, &named))
        }
        Reload::Symbols(again) => {
            let named = again.iter().map(|symbol| (symbol.clone(), state.covered(symbol))).collect();
            let symbols = Some(again.iter().cloned().collect());
            let replace = Replace { timeframes: everything, symbols, restated: false };
            let wanted = Wanted { others: TimeframeSet::EMPTY, named };
            let from_rest = state.rest.iter().filter(|(symbol, _)| again.contains(*symbol));
            let from_rest = from_rest.map(|(symbol, rest)| (symbol.clone(), rest.timeframes)).collect();
            (TimeframeSet::EMPTY, from_rest, vec![replace], wanted)
        }
    };
    let reads = |kind: FileKind| !wanted.any().and(kind.timeframes()).is_empty();
    let Some(minute) = minute else {
        return settled(Outcome::Missing, "the source has no minute file of it: what is stored is left as it is");
    };
    if reads(FileKind::Day) && day.is_none() {
        return settled(Outcome::Missing, "the source has no day file of it: what is stored is left as it is");
    }
    if wanted.any().is_empty() {
        return DayPlan::Settled { date, outcome: Outcome::Unchanged, detail: None };
    }
    DayPlan::Load(Box::new(DayJob {
        request: Arc::clone(request),
        date,
        minute: Some(minute.clone()).filter(|_| reads(FileKind::Minute)),
        day: day.cloned().filter(|_| reads(FileKind::Day)),
        listed: ListedDay { minute: minute.clone(), day: day.cloned(), short: listing.short(request.dataset, date) },
        replace_rest: state.rest.keys().filter(|symbol| !wanted.of(symbol).is_empty()).cloned().collect(),
        wanted,
        replace,
        everyone,
        named: named.into_iter().collect(),
        restated: is_replaced,
        state: state.clone(),
        reload: Some(Arc::clone(reload)),
    }))
}

/// Removes everything that is stored of a day of which nothing should be.
pub async fn forget_day<S: Ledger + BarSink>(
    store: &mut S,
    dataset: Dataset,
    date: Date,
    now: Timestamp,
) -> Result<u64, StoreError> {
    store.begin_day(dataset, date, || ()).await?;
    let forgotten = match store.forget_day().await {
        Ok(forgotten) => forgotten,
        Err(error) => {
            store.abandon_day().await?;
            return Err(error);
        }
    };
    let nothing = DayCommit {
        files: Vec::new(),
        everyone: TimeframeSet::EMPTY,
        named: Vec::new(),
        started_at: now,
        finished_at: now,
    };
    store.commit_day(&nothing).await?;
    Ok(forgotten)
}
