//! What a run has to do: wanted, less what the ledger has.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::Wanted;
use super::reload::Reload;
use super::source::DayFile;
use crate::model::{Dataset, Expectation, FileKind, Outcome, TimeframeSet, file_due_at, xnys};
use crate::store::{ContentHash, DayState, FileVersion, Replace, RestState};

/// Which suspect days are loaded all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accept {
    /// None.
    None,
    /// All.
    All,
    /// These.
    Dates(BTreeSet<Date>),
}

impl Accept {
    /// Whether a suspect day of this date is loaded.
    pub fn covers(&self, date: Date) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Dates(dates) => dates.contains(&date),
        }
    }
}

/// When what the REST API has brought is as good as what a file would bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenRestCounts {
    /// Never: files take its place.
    Never,
    /// If it came after the same version of the file had been loaded: whoever asked then knew that the file lacks it.
    AfterFile,
    /// If the file was published before it came.
    UnlessFileIsNewer,
}

/// What is asked of one dataset.
#[derive(Debug, Clone)]
pub struct Request {
    /// Market.
    pub dataset: Dataset,
    /// First and last trading date.
    pub range: RangeInclusive<Date>,
    /// Tickers; `None`: every symbol of the files.
    pub symbols: Option<BTreeSet<String>>,
    /// Bars to roll up.
    pub timeframes: TimeframeSet,
    /// Whether the vendor's own day bars are wanted too.
    pub official_day: bool,
    /// Load again what is there.
    pub force: bool,
    /// Suspect days to load.
    pub accept: Accept,
    /// When what the REST API has brought need not come from a file. Otherwise files that have it take its place.
    pub rest_counts: WhenRestCounts,
    /// The time of the run.
    pub now: Timestamp,
}

impl Request {
    fn wants(&self, ticker: Option<&str>) -> bool {
        match (&self.symbols, ticker) {
            (None, _) => true,
            (Some(symbols), Some(ticker)) => symbols.contains(ticker),
            (Some(_), None) => false,
        }
    }

    /// The dates whose files a listing must show: those asked for, and neighbours to compare their sizes with.
    pub fn listed_range(&self) -> RangeInclusive<Date> {
        const NEIGHBOURHOOD_DAYS: i64 = 21;
        self.range.start().saturating_sub(NEIGHBOURHOOD_DAYS.days())
            ..=self.range.end().saturating_add(NEIGHBOURHOOD_DAYS.days())
    }
}

/// How long an answer "not entitled" is believed without asking again.
const ENTITLEMENT_REMEMBERED_HOURS: i64 = 24;

/// One day's work.
#[derive(Debug, Clone)]
pub struct DayJob {
    /// What it was planned from.
    pub request: Arc<Request>,
    /// Trading date.
    pub date: Date,
    /// The minute file, if it is to be read.
    pub minute: Option<DayFile>,
    /// The day file, if it is to be read.
    pub day: Option<DayFile>,
    /// What is listed of the day, to be read or not.
    pub listed: ListedDay,
    /// What to make of them.
    pub wanted: Wanted,
    /// Of which symbols the file takes the place of what the REST API has brought; comes before the other removals.
    pub replace_rest: Vec<String>,
    /// What to remove first.
    pub replace: Vec<Replace>,
    /// Timeframes that will be loaded for everyone.
    pub everyone: TimeframeSet,
    /// Timeframes that will be loaded for single symbols.
    pub named: Vec<(String, TimeframeSet)>,
    /// Whether a file had changed since it was loaded.
    pub restated: bool,
    /// What was stored of the day when this was planned.
    pub state: DayState,
    /// What is made again although it is loaded; nothing in a job that loads what is missing or replaced.
    pub reload: Option<Arc<Reload>>,
}

/// What the vendor lists of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDay {
    /// The minute file.
    pub minute: DayFile,
    /// The day file.
    pub day: Option<DayFile>,
    /// Why the minute file's size makes the day look short.
    pub short: Option<String>,
}

impl DayJob {
    /// The same day planned by the same listing and what is stored of it now.
    #[must_use]
    pub fn again(&self, state: &DayState) -> DayPlan {
        match &self.reload {
            None => plan_listed(&self.request, self.date, &self.listed, state),
            Some(_) if state.is_same_content(&self.state) => DayPlan::Load(Box::new(self.clone())),
            Some(_) => {
                let detail = "another process has changed the day meanwhile: verify it again".to_owned();
                DayPlan::Settled { date: self.date, outcome: Outcome::Failed, detail: Some(detail) }
            }
        }
    }

    /// What the content of a file was when it was loaded, if the vendor has replaced it since.
    pub(super) fn content_before(&self, file: &DayFile) -> Option<ContentHash> {
        // What is made again is made again, whatever the ledger knows of it.
        self.state.file(file.kind).filter(|_| self.reload.is_none() && is_restated(&self.state, file))?.content
    }

    /// The same day without the vendor's day file: what it would have brought is neither removed nor promised.
    #[must_use]
    pub fn without_day_file(mut self) -> Self {
        let official = FileKind::Day.timeframes();
        let less = |set: &mut TimeframeSet| *set = set.minus(official);
        self.day = None;
        less(&mut self.everyone);
        less(&mut self.wanted.others);
        self.wanted.named.values_mut().for_each(less);
        self.named.iter_mut().for_each(|(_, set)| less(set));
        self.replace.iter_mut().for_each(|replace| less(&mut replace.timeframes));
        self.replace.retain(|replace| !replace.timeframes.is_empty());
        self
    }

    /// The same day, but symbols of which the minute file has no row keep what the REST API has brought of them: nothing would
    /// take its place. `None` if that is no other job.
    pub(super) fn keeping_rest(&self, lacking: &[String]) -> Option<Self> {
        // What goes with everyone's bars, or is loaded for everyone, goes for it, too.
        let of_everyone = self.replace.iter().filter(|replace| replace.symbols.is_none());
        let of_everyone =
            of_everyone.fold(self.everyone.union(self.state.everyone), |all, one| all.union(one.timeframes));
        let is_to_go = |ticker: &&String| self.reload.is_none() && self.replace_rest.contains(*ticker);
        let kept: BTreeMap<&String, TimeframeSet> = lacking
            .iter()
            .filter(is_to_go)
            .filter_map(|ticker| Some((ticker, self.state.rest.get(ticker)?)))
            .filter(|(_, rest)| rest.bars > 0 && rest.timeframes.and(of_everyone).is_empty())
            .map(|(ticker, rest)| (ticker, rest.timeframes))
            .collect();
        if kept.is_empty() {
            return None;
        }
        let mut job = self.clone();
        job.replace_rest.retain(|ticker| !kept.contains_key(ticker));
        for (ticker, timeframes) in kept {
            let named = job.named.iter_mut().filter(|(named, _)| named == ticker).map(|(_, named)| named);
            for named in named.chain(job.wanted.named.get_mut(ticker)) {
                *named = named.minus(timeframes);
            }
        }
        job.named.retain(|(_, timeframes)| !timeframes.is_empty());
        Some(job)
    }

    /// The same day without its minutes: what is left to do if they come from elsewhere.
    pub(super) fn only_day_file(&self) -> Option<Self> {
        let request = Arc::new(Request { timeframes: TimeframeSet::EMPTY, ..Request::clone(&self.request) });
        match plan_listed(&request, self.date, &self.listed, &self.state) {
            DayPlan::Load(job) => Some(*job),
            DayPlan::Settled { .. } => None,
        }
    }

    /// Packed bytes to read.
    pub fn bytes(&self) -> u64 {
        self.minute.iter().chain(&self.day).map(|file| file.size_bytes).sum()
    }
}

/// What is to become of a day.
#[derive(Debug, Clone)]
pub enum DayPlan {
    /// It is to be loaded.
    Load(Box<DayJob>),
    /// It is known already what it is.
    Settled {
        /// Trading date.
        date: Date,
        /// What it is.
        outcome: Outcome,
        /// Why.
        detail: Option<String>,
    },
}

impl DayPlan {
    /// Trading date.
    pub fn date(&self) -> Date {
        match self {
            Self::Load(job) => job.date,
            Self::Settled { date, .. } => *date,
        }
    }
}

/// What the vendor lists: day files by date.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Minute files.
    pub minute: BTreeMap<Date, DayFile>,
    /// Day files.
    pub day: BTreeMap<Date, DayFile>,
}

impl Listing {
    /// Why the size of a date's minute file makes the day look short.
    pub(super) fn short(&self, dataset: Dataset, date: Date) -> Option<String> {
        short(dataset, date, self.minute.get(&date)?.size_bytes, &self.minute)
    }
}

/// Plans every day of the request that has, or should have, a file; newest first.
///
/// Newest first, because a vendor's plan reaches back to some date: two refusals settle all days before them.
pub fn plan(request: &Arc<Request>, listing: &Listing, states: &BTreeMap<Date, DayState>) -> Vec<DayPlan> {
    let none = DayState::default();
    let mut plans: Vec<DayPlan> = dates(&request.range)
        .filter_map(|date| {
            let state = states.get(&date).unwrap_or(&none);
            plan_day(request, date, listing, state)
        })
        .collect();
    if plans.is_empty() {
        let settled = |date| DayPlan::Settled { date, outcome: Outcome::NotASession, detail: None };
        plans.extend(dates(&request.range).map(settled));
    }
    plans.reverse();
    plans
}

/// Plans one day; `None` where there is no session and no file.
pub fn plan_day(request: &Arc<Request>, date: Date, listing: &Listing, state: &DayState) -> Option<DayPlan> {
    let Some(minute) = listing.minute.get(&date) else {
        let settled = |outcome, detail| Some(DayPlan::Settled { date, outcome, detail });
        let tickers = request.symbols.iter().flatten().map(|ticker| Some(ticker.as_str()));
        let wanted = request.timeframes;
        let covered = |ticker: Option<&str>| ticker.map_or(state.everyone, |ticker| state.covered(ticker));
        let is_there = |ticker: Option<&str>| !request.wants(ticker) || wanted.minus(covered(ticker)).is_empty();
        let is_stored = !request.force && tickers.chain([None]).all(is_there);
        return match request.dataset.expectation(date) {
            // Loaded once and gone since, or come by REST: what is stored stays.
            Expectation::Due if is_stored => settled(Outcome::Unchanged, None),
            Expectation::Due if request.now < file_due_at(date) => {
                settled(Outcome::NotDue, Some(format!("due {}", file_due_at(date).strftime("%Y-%m-%d %H:%M UTC"))))
            }
            Expectation::Due => settled(Outcome::Missing, Some("the vendor lists no minute file".to_owned())),
            Expectation::Possible | Expectation::Closed => None,
        };
    };
    let listed = ListedDay { minute: minute.clone(), day: listing.day.get(&date).cloned(), short: None };
    let mut plan = plan_listed(request, date, &listed, state);
    if let DayPlan::Load(job) = &mut plan {
        job.listed.short = listing.short(request.dataset, date);
    }
    Some(plan)
}

fn plan_listed(request: &Arc<Request>, date: Date, listed: &ListedDay, state: &DayState) -> DayPlan {
    let settled = |outcome, detail| DayPlan::Settled { date, outcome, detail };
    let minute = &listed.minute;
    let day = listed.day.as_ref().filter(|_| request.official_day && !refused_lately(request, state, FileKind::Day));
    let files = [Some(minute), day];
    let reload = files.map(|file| file.is_some_and(|file| reloads(request, state, file)));
    let needs = |ticker: Option<&str>| {
        let each = [FileKind::Minute, FileKind::Day].into_iter().zip(files).zip(reload);
        each.filter_map(|((kind, file), reload)| Some((kind, file?, reload)))
            .fold(TimeframeSet::EMPTY, |all, (_, file, reload)| all.union(need(request, state, file, reload, ticker)))
    };
    let others = needs(None);
    let replaces_rest = |ticker: &str, rest: &RestState| {
        let everything = reload[0] || !others.and(FileKind::Minute.timeframes()).is_empty();
        everything
            || request.force && request.wants(Some(ticker))
            || !needs(Some(ticker)).and(rest.timeframes).is_empty()
    };
    let replaced: BTreeMap<&str, TimeframeSet> = state
        .rest
        .iter()
        .filter(|(ticker, rest)| replaces_rest(ticker, rest))
        .map(|(ticker, rest)| (ticker.as_str(), rest.timeframes))
        .collect();
    let tickers = request.symbols.iter().flatten().chain(state.named.keys()).map(String::as_str);
    let named: BTreeMap<String, TimeframeSet> = tickers
        .chain(replaced.keys().copied())
        .map(|ticker| {
            let came_by_rest = replaced.get(ticker).copied().unwrap_or_default();
            (ticker.to_owned(), needs(Some(ticker)).union(came_by_rest))
        })
        // Naming a symbol that is wanted like all others would say nothing.
        .filter(|(_, timeframes)| *timeframes != others)
        .collect();
    let wanted = Wanted { others, named: named.clone().into_iter().collect() };
    if wanted.any().is_empty() {
        return settled(Outcome::Unchanged, None);
    }
    let reads = |kind: FileKind| wanted.any().minus(kind.timeframes()) != wanted.any();
    if reads(FileKind::Minute) && refused_lately(request, state, FileKind::Minute) {
        return settled(Outcome::NotEntitled, Some("refused in the last 24 hours; --force asks again".to_owned()));
    }
    let replace = files.into_iter().flatten().zip(reload).filter_map(|(file, reload)| {
        let symbols = match (&request.symbols, reload) {
            (_, true) => None,
            (Some(symbols), false) if request.force => Some(symbols.iter().cloned().collect()),
            _ => return None,
        };
        state.loaded(file.kind)?;
        Some(Replace { timeframes: file.kind.timeframes(), symbols, restated: is_restated(state, file) })
    });
    let restated = files.into_iter().flatten().any(|file| is_restated(state, file));
    DayPlan::Load(Box::new(DayJob {
        request: Arc::clone(request),
        date,
        listed: listed.clone(),
        minute: Some(minute.clone()).filter(|_| reads(FileKind::Minute)),
        day: day.cloned().filter(|_| reads(FileKind::Day) || reads(FileKind::Minute)),
        replace_rest: replaced.into_keys().map(str::to_owned).collect(),
        replace: merge(replace.collect()),
        everyone: others,
        // By ticker: the same plan writes the same coverage in the same order.
        named: named.into_iter().collect(),
        wanted,
        restated,
        state: state.clone(),
        reload: None,
    }))
}

pub(super) fn is_restated(state: &DayState, file: &DayFile) -> bool {
    state.loaded(file.kind).is_some_and(|loaded| !loaded.is_same_content(&version(file)))
}

/// Whether everything made from a file is made again.
fn reloads(request: &Request, state: &DayState, file: &DayFile) -> bool {
    is_restated(state, file) || request.force && request.symbols.is_none() && state.loaded(file.kind).is_some()
}

/// The timeframes to load from a file for a ticker, or for all that are not named (`None`).
fn need(request: &Request, state: &DayState, file: &DayFile, reload: bool, ticker: Option<&str>) -> TimeframeSet {
    let only = |set: TimeframeSet| set.and(file.kind.timeframes());
    let asked = request.wants(ticker);
    let wants = match file.kind {
        _ if !asked => TimeframeSet::EMPTY,
        FileKind::Minute => request.timeframes,
        FileKind::Day => FileKind::Day.timeframes(),
    };
    let covered = only(ticker.map_or(state.everyone, |ticker| state.covered_by_files(ticker)));
    if reload || request.force && asked {
        return covered.union(wants);
    }
    wants.minus(covered).minus(ticker.map_or(TimeframeSet::EMPTY, |ticker| rest_suffices(request, state, file, ticker)))
}

/// What need not come from a file because the REST API has brought it, later than the file was loaded or published.
fn rest_suffices(request: &Request, state: &DayState, file: &DayFile, ticker: &str) -> TimeframeSet {
    let is_after_loading = |fetched: Timestamp| {
        let loaded =
            state.file(file.kind).filter(|known| known.outcome == Outcome::Loaded && !is_restated(state, file));
        loaded.is_some_and(|known| known.loaded.is_some() && known.attempted_at <= fetched)
    };
    let is_after_publishing = |fetched: Timestamp| file.last_modified.is_none_or(|published| published <= fetched);
    let suffices = |fetched: Timestamp| match request.rest_counts {
        WhenRestCounts::Never => false,
        WhenRestCounts::AfterFile => is_after_loading(fetched),
        WhenRestCounts::UnlessFileIsNewer => is_after_publishing(fetched),
    };
    let rest = state.rest.get(ticker).filter(|rest| rest.fetched_at.is_some_and(suffices));
    rest.map(RestState::covered).unwrap_or_default()
}

fn refused_lately(request: &Request, state: &DayState, kind: FileKind) -> bool {
    let remembered = ENTITLEMENT_REMEMBERED_HOURS.hours();
    !request.force
        && state
            .file(kind)
            .is_some_and(|file| file.outcome == Outcome::NotEntitled && file.attempted_at + remembered > request.now)
}

/// The version of a listed file.
pub(super) fn version(file: &DayFile) -> FileVersion {
    FileVersion {
        key: file.key.clone(),
        etag: file.etag.clone(),
        size_bytes: file.size_bytes,
        last_modified: file.last_modified,
    }
}

/// Two removals from the same symbols are one.
fn merge(replaces: Vec<Replace>) -> Vec<Replace> {
    match <[Replace; 2]>::try_from(replaces) {
        Ok([a, b]) if (&a.symbols, a.restated) == (&b.symbols, b.restated) => {
            vec![Replace { timeframes: a.timeframes.union(b.timeframes), ..a }]
        }
        Ok(both) => both.into(),
        Err(replaces) => replaces,
    }
}

fn dates(range: &RangeInclusive<Date>) -> impl Iterator<Item = Date> {
    let (first, last) = (*range.start(), *range.end());
    first.series(1.day()).take_while(move |date| *date <= last)
}

/// A file below this share of its neighbours' median size is suspect.
const SHORT_SHARE: f64 = 0.6;

/// How many sessions of the same kind are compared with, and how many there must be.
const NEIGHBOURS: usize = 10;
const FEWEST_NEIGHBOURS: usize = 3;

/// Why a file's size makes the day look short, held against the nearest sessions of the same kind (early closes with
/// early closes, weekdays of forex with weekdays, holidays of indices with nothing).
fn short(dataset: Dataset, date: Date, size_bytes: u64, listed: &BTreeMap<Date, DayFile>) -> Option<String> {
    let kind = |date: Date| match dataset {
        Dataset::Crypto => (None, false),
        Dataset::Forex => (None, matches!(date.weekday(), jiff::civil::Weekday::Sunday)),
        Dataset::Stocks | Dataset::Options | Dataset::Indices => (xnys().session(date), false),
    };
    let distance = |other: &Date| (other.duration_since(date).as_secs().abs(), *other);
    let mut neighbours: Vec<(Date, u64)> = listed
        .iter()
        .filter(|(other, _)| **other != date && kind(**other) == kind(date))
        .map(|(other, file)| (*other, file.size_bytes))
        .collect();
    neighbours.sort_by_key(|(other, _)| distance(other));
    neighbours.truncate(NEIGHBOURS);
    if neighbours.len() < FEWEST_NEIGHBOURS {
        return None;
    }
    let mut sizes: Vec<u64> = neighbours.iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    let median = u64::midpoint(sizes[(sizes.len() - 1) / 2], sizes[sizes.len() / 2]);
    #[expect(clippy::cast_precision_loss, reason = "a share of sizes")]
    let share = size_bytes as f64 / median.max(1) as f64;
    (share < SHORT_SHARE)
        .then(|| format!("the file has {size_bytes} bytes, {:.0} % of the {median} its neighbours have", share * 100.0))
}
