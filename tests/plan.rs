//! What a run has to do, from what is asked, listed and stored.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use barkeep::ingest::source::DayFile;
use barkeep::ingest::{Accept, DayJob, DayPlan, Listing, Outcome, Request, WhenRestCounts, plan, plan_day};
use barkeep::model::{Dataset, FileKind, Timeframe, TimeframeSet};
use barkeep::store::{DayState, FileState, FileVersion, Replace, RestState};
use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use common::{request, request_of};

const DAY: Date = date(2026, 10, 1);

fn frames(list: &str) -> TimeframeSet {
    list.parse().unwrap()
}

const ALL: &str = "5m,15m,1h,4h,day";
const NAMED: &str = "1m,5m,15m,1h,4h,day";

/// A request for the day, with the default timeframes of its kind.
fn asks(symbols: Option<&[&str]>) -> Request {
    match symbols {
        None => Request { timeframes: frames(ALL), ..request(Dataset::Stocks, DAY, DAY) },
        Some(symbols) => Request { timeframes: frames(NAMED), ..request_of(symbols, Dataset::Stocks, DAY, DAY) },
    }
}

fn file(dataset: Dataset, kind: FileKind, date: Date, etag: &str, size_bytes: u64) -> DayFile {
    let key = barkeep::ingest::source::key::build(dataset, kind, date);
    DayFile { dataset, kind, date, key, size_bytes, etag: etag.to_owned(), last_modified: None }
}

/// Both files of the day in some version.
fn listing(minute: &str, day: &str) -> Listing {
    let one = |kind, etag: &str| BTreeMap::from([(DAY, file(Dataset::Stocks, kind, DAY, etag, 1000))]);
    Listing { minute: one(FileKind::Minute, minute), day: one(FileKind::Day, day) }
}

fn settled(plan: Option<DayPlan>) -> Outcome {
    match plan.expect("the day is planned") {
        DayPlan::Settled { outcome, .. } => outcome,
        DayPlan::Load(job) => panic!("nothing should be loaded: {job:?}"),
    }
}

fn job(plan: Option<DayPlan>) -> DayJob {
    match plan.expect("the day is planned") {
        DayPlan::Load(job) => *job,
        DayPlan::Settled { outcome, detail, .. } => panic!("{outcome} {detail:?}"),
    }
}

fn plan_of(request: &Request, listing: &Listing, state: &DayState) -> Option<DayPlan> {
    plan_day(&Arc::new(request.clone()), DAY, listing, state)
}

/// The state of a day after a job was committed to it.
fn after(job: &DayJob) -> DayState {
    let mut state = job.state.clone();
    for file in job.minute.iter().chain(&job.day) {
        let loaded = FileVersion {
            key: file.key.clone(),
            etag: file.etag.clone(),
            size_bytes: file.size_bytes,
            last_modified: None,
        };
        let now = Some(FileState {
            loaded: Some(loaded),
            content: None,
            bars: 0,
            outcome: Outcome::Loaded,
            detail: None,
            attempted_at: job.request.now,
        });
        match file.kind {
            FileKind::Minute => state.minute = now,
            FileKind::Day => state.day = now,
        }
    }
    state.everyone = state.everyone.union(job.everyone);
    for (ticker, timeframes) in &job.named {
        let before = state.named.get(ticker).copied().unwrap_or_default();
        if before != before.union(*timeframes) {
            state.named.insert(ticker.clone(), before.union(*timeframes));
        }
    }
    state
}

/// The state after a request was loaded from version `1` of both files.
fn loaded(request: &Request) -> DayState {
    after(&job(plan_of(request, &listing("1", "1"), &DayState::default())))
}

#[test]
fn a_new_day_is_loaded_for_whom_it_is_asked() {
    let all = job(plan_of(&asks(None), &listing("1", "1"), &DayState::default()));
    assert_eq!((all.everyone.to_string(), all.named.len()), ("5m,15m,1h,4h,day,day_official".to_owned(), 0));
    assert!(all.minute.is_some() && all.day.is_some() && all.replace.is_empty() && !all.restated);
    let two = job(plan_of(&asks(Some(&["A", "B"])), &listing("1", "1"), &DayState::default()));
    assert!(two.everyone.is_empty() && two.wanted.others.is_empty());
    let named: Vec<_> = two.named.iter().map(|(ticker, set)| (ticker.as_str(), set.to_string())).collect();
    let expected = format!("{NAMED},day_official");
    assert_eq!(named, [("A", expected.clone()), ("B", expected)]);
}

#[test]
fn what_is_stored_is_not_loaded_again() {
    for request in [asks(None), asks(Some(&["A"]))] {
        assert_eq!(settled(plan_of(&request, &listing("1", "1"), &loaded(&request))), Outcome::Unchanged);
        let gone = Listing::default();
        assert_eq!(settled(plan_of(&request, &gone, &loaded(&request))), Outcome::Unchanged, "gone since");
    }
}

#[test]
fn a_changed_minute_file_reloads_everyone_covered_and_nothing_of_the_day_file() {
    let mut state = loaded(&asks(None));
    state.named.insert("A".to_owned(), frames("1m"));
    let restated = job(plan_of(&asks(Some(&["B"])), &listing("2", "1"), &state));
    assert!(restated.restated);
    assert_eq!(restated.replace, [Replace { timeframes: frames(NAMED), symbols: None, restated: true }]);
    assert_eq!(restated.everyone, frames(ALL));
    assert_eq!(restated.wanted.rolled_of("A"), frames(NAMED));
    assert_eq!(restated.wanted.rolled_of("B"), frames(NAMED), "what is new comes with it");
    assert_eq!(restated.wanted.rolled_of("C"), frames(ALL));
    assert!(["A", "B", "C"].iter().all(|ticker| !restated.wanted.official_of(ticker)));
}

#[test]
fn a_changed_day_file_reloads_the_official_bars_alone() {
    let restated = job(plan_of(&asks(None), &listing("1", "2"), &loaded(&asks(None))));
    assert!(restated.minute.is_none() && restated.day.is_some());
    assert_eq!(restated.replace, [Replace { timeframes: frames("day_official"), symbols: None, restated: true }]);
    assert_eq!(restated.everyone, frames("day_official"));
}

#[test]
fn a_changed_size_is_a_change_and_both_files_can_change() {
    let mut changed = listing("1", "1");
    changed.minute.get_mut(&DAY).unwrap().size_bytes = 1001;
    assert!(job(plan_of(&asks(None), &changed, &loaded(&asks(None)))).restated);
    let both = job(plan_of(&asks(None), &listing("2", "2"), &loaded(&asks(None))));
    assert_eq!(
        both.replace,
        [Replace { timeframes: frames(NAMED).with(Timeframe::DayOfficial), symbols: None, restated: true }]
    );
}

#[test]
fn another_symbol_touches_only_itself() {
    let more = job(plan_of(&asks(Some(&["A", "B"])), &listing("1", "1"), &loaded(&asks(Some(&["A"])))));
    assert!(more.replace.is_empty() && !more.restated && more.everyone.is_empty());
    assert!(more.wanted.of("A").is_empty());
    let named: Vec<_> = more.named.iter().map(|(ticker, _)| ticker.as_str()).collect();
    assert_eq!((named, more.wanted.of("C")), (vec!["B"], TimeframeSet::EMPTY));
}

#[test]
fn another_timeframe_loads_only_that() {
    let hours = Request { timeframes: frames("1h"), ..asks(Some(&["A"])) };
    let more = job(plan_of(&asks(Some(&["A"])), &listing("1", "1"), &loaded(&hours)));
    assert_eq!((more.wanted.of("A").to_string(), more.replace.len()), ("1m,5m,15m,4h,day".to_owned(), 0));
}

#[test]
fn all_after_symbols_leaves_the_symbols_alone() {
    let all = job(plan_of(&asks(None), &listing("1", "1"), &loaded(&asks(Some(&["A"])))));
    assert_eq!((all.wanted.of("A"), all.everyone), (TimeframeSet::EMPTY, frames(ALL).with(Timeframe::DayOfficial)));
    assert!(all.replace.is_empty());
}

#[test]
fn symbols_after_all_bring_their_minutes_only() {
    let minutes = job(plan_of(&asks(Some(&["A"])), &listing("1", "1"), &loaded(&asks(None))));
    assert_eq!((minutes.wanted.of("A"), minutes.wanted.of("B")), (frames("1m"), TimeframeSet::EMPTY));
}

#[test]
fn force_loads_again_what_is_asked_and_what_is_covered_of_it() {
    let mut state = loaded(&asks(None));
    state.named.insert("A".to_owned(), frames("1m"));
    let all = job(plan_of(&Request { force: true, ..asks(None) }, &listing("1", "1"), &state));
    let everything = frames(NAMED).with(Timeframe::DayOfficial);
    assert_eq!(all.replace, [Replace { timeframes: everything, symbols: None, restated: false }]);
    assert_eq!((all.wanted.of("A"), all.restated), (everything, false), "minutes of A were removed, so they come back");
    let some = job(plan_of(&Request { force: true, ..asks(Some(&["A"])) }, &listing("1", "1"), &state));
    assert_eq!(
        some.replace,
        [Replace { timeframes: everything, symbols: Some(vec!["A".to_owned()]), restated: false }]
    );
    assert_eq!((some.wanted.of("A"), some.wanted.of("B")), (everything, TimeframeSet::EMPTY));
    let hours = Request { force: true, timeframes: frames("1h"), official_day: false, ..asks(Some(&["A"])) };
    let some = job(plan_of(&hours, &listing("1", "1"), &state));
    assert_eq!(
        some.replace,
        [Replace { timeframes: frames(NAMED), symbols: Some(vec!["A".to_owned()]), restated: false }]
    );
    assert_eq!(some.wanted.of("A"), frames(NAMED), "what is removed is loaded again");
}

#[test]
fn an_official_day_that_comes_later_is_loaded_alone() {
    let without = Listing { day: BTreeMap::new(), ..listing("1", "1") };
    let state = after(&job(plan_of(&asks(None), &without, &DayState::default())));
    assert_eq!(settled(plan_of(&asks(None), &without, &state)), Outcome::Unchanged);
    let later = job(plan_of(&asks(None), &listing("1", "1"), &state));
    assert!(later.minute.is_none());
    assert_eq!((later.everyone, later.replace.len()), (frames("day_official"), 0));
    let unasked = Request { official_day: false, ..asks(None) };
    assert_eq!(settled(plan_of(&unasked, &listing("1", "1"), &state)), Outcome::Unchanged);
}

#[test]
fn a_job_without_its_day_file_promises_and_removes_nothing_of_it() {
    let force = Request { force: true, ..asks(Some(&["A"])) };
    let less = job(plan_of(&force, &listing("1", "1"), &loaded(&asks(Some(&["A"]))))).without_day_file();
    assert!(less.day.is_none() && !less.wanted.official_of("A"));
    assert_eq!(
        less.replace,
        [Replace { timeframes: frames(NAMED), symbols: Some(vec!["A".to_owned()]), restated: false }]
    );
    assert_eq!(less.named, [("A".to_owned(), frames(NAMED))]);
    let day_only = job(plan_of(&asks(None), &listing("1", "2"), &loaded(&asks(None)))).without_day_file();
    assert!(day_only.replace.is_empty() && day_only.everyone.is_empty());
}

#[test]
fn what_came_by_requests_after_the_file_was_loaded_is_not_looked_for_in_it() {
    let request = Request { rest_counts: WhenRestCounts::AfterFile, official_day: false, ..asks(Some(&["A"])) };
    let mut state = loaded(&asks(Some(&["B"])));
    let loaded_at = state.minute.as_ref().unwrap().attempted_at;
    let mut fetched = |at: Timestamp| {
        let rest = RestState {
            timeframes: frames(NAMED),
            bars: 1,
            is_provisional: false,
            exact_vwap: TimeframeSet::EMPTY,
            fetched_at: Some(at),
            outcome: Outcome::Loaded,
            detail: None,
            attempted_at: at,
        };
        state.rest.insert("A".to_owned(), rest);
        state.clone()
    };
    let (before, after) = (fetched(loaded_at - 1.second()), fetched(loaded_at));
    assert_eq!(job(plan_of(&request, &listing("1", "1"), &before)).replace_rest, ["A"]);
    assert_eq!(settled(plan_of(&request, &listing("1", "1"), &after)), Outcome::Unchanged);
    assert_eq!(job(plan_of(&request, &listing("2", "1"), &after)).replace_rest, ["A"], "another version may have it");
    let anew = Request { rest_counts: WhenRestCounts::Never, ..request };
    assert_eq!(job(plan_of(&anew, &listing("1", "1"), &after)).replace_rest, ["A"]);
}

#[test]
fn an_absent_file_is_missing_from_eleven_in_new_york_on() {
    let at = |now: &str| Request { now: now.parse().unwrap(), ..asks(None) };
    let absent = |request: &Request| settled(plan_of(request, &Listing::default(), &DayState::default()));
    assert_eq!(absent(&at("2026-10-02T14:59:59Z")), Outcome::NotDue);
    assert_eq!(absent(&at("2026-10-02T15:00:00Z")), Outcome::Missing);
    let forced = Request { force: true, ..asks(None) };
    assert_eq!(settled(plan_of(&forced, &Listing::default(), &loaded(&asks(None)))), Outcome::Missing);
}

#[test]
fn holidays_have_no_plan_but_for_the_files_that_exist() {
    let good_friday = date(2023, 4, 7);
    let plans = |dataset, listing: &Listing| {
        let request = Arc::new(request(dataset, date(2023, 4, 6), date(2023, 4, 9)));
        plan(&request, listing, &BTreeMap::new()).iter().map(DayPlan::date).collect::<Vec<_>>()
    };
    let none = Listing::default();
    assert_eq!(plans(Dataset::Stocks, &none), [date(2023, 4, 6)]);
    assert_eq!(plans(Dataset::Indices, &none), [date(2023, 4, 6)], "an index file on a holiday is no due");
    let minute = file(Dataset::Indices, FileKind::Minute, good_friday, "1", 1000);
    let there = Listing { minute: BTreeMap::from([(good_friday, minute)]), ..Listing::default() };
    assert_eq!(plans(Dataset::Indices, &there), [good_friday, date(2023, 4, 6)]);
}

#[test]
fn days_are_planned_newest_first_and_a_range_without_sessions_says_so() {
    let week = Arc::new(request(Dataset::Stocks, date(2026, 9, 28), date(2026, 10, 4)));
    let dates: Vec<_> = plan(&week, &Listing::default(), &BTreeMap::new()).iter().map(DayPlan::date).collect();
    assert_eq!(dates, [2, 1, 30, 29, 28].map(|day| date(2026, if day < 28 { 10 } else { 9 }, day)));
    let weekend = Arc::new(request(Dataset::Stocks, date(2026, 10, 3), date(2026, 10, 4)));
    let plans = plan(&weekend, &Listing::default(), &BTreeMap::new());
    assert_eq!(plans.len(), 2);
    assert!(plans.into_iter().all(|plan| settled(Some(plan)) == Outcome::NotASession));
}

fn refused(state: DayState, at: Timestamp) -> DayState {
    let loaded = state.loaded(FileKind::Minute).cloned();
    let outcome = Outcome::NotEntitled;
    let minute = FileState { loaded, content: None, bars: 0, outcome, detail: None, attempted_at: at };
    DayState { minute: Some(minute), ..state }
}

#[test]
fn a_refusal_is_believed_for_a_day_unless_forced() {
    let request = asks(None);
    let refused_before = |span: jiff::Span| refused(DayState::default(), request.now - span);
    let yesterday = refused_before(24.hours().minutes(-1));
    assert_eq!(settled(plan_of(&request, &listing("1", "1"), &yesterday)), Outcome::NotEntitled);
    job(plan_of(&request, &listing("1", "1"), &refused_before(24.hours().minutes(1))));
    job(plan_of(&Request { force: true, ..request.clone() }, &listing("1", "1"), &yesterday));
}

/// A day that is complete used to be called not entitled after another symbol was refused.
#[test]
fn a_refusal_does_not_hide_what_is_stored() {
    let request = asks(Some(&["A"]));
    let state = refused(loaded(&request), request.now);
    assert_eq!(settled(plan_of(&request, &listing("1", "1"), &state)), Outcome::Unchanged);
    assert_eq!(settled(plan_of(&asks(Some(&["B"])), &listing("1", "1"), &state)), Outcome::NotEntitled);
    let day_only = job(plan_of(&request, &listing("1", "2"), &state));
    assert!(day_only.minute.is_none(), "the day file is another file");
}

/// Sizes of sessions around one of size `here`.
fn sizes(date: Date, here: u64, others: &[(Date, u64)]) -> Option<String> {
    let of = |(date, size)| (date, file(Dataset::Stocks, FileKind::Minute, date, "1", size));
    let minute = others.iter().copied().chain([(date, here)]).map(of).collect();
    let request = Arc::new(request(Dataset::Stocks, date, date));
    job(plan_day(&request, date, &Listing { minute, ..Listing::default() }, &DayState::default())).listed.short
}

#[test]
fn a_size_below_sixty_percent_of_the_neighbours_is_short() {
    let neighbours = [(date(2026, 9, 28), 900), (date(2026, 9, 29), 1000), (date(2026, 9, 30), 5000)];
    assert_eq!(sizes(DAY, 600, &neighbours), None);
    let why = sizes(DAY, 599, &neighbours).unwrap();
    assert!(why.contains("599") && why.contains("1000"), "{why}");
    assert_eq!(sizes(DAY, 1, &neighbours[..2]), None, "two prove nothing");
    let four = [&neighbours[..], &[(date(2026, 10, 2), 2000)]].concat();
    assert!(sizes(DAY, 899, &four).is_some(), "the median of four is between the two in the middle, 1500");
    assert_eq!(sizes(DAY, 900, &four), None);
}

#[test]
fn only_the_nearest_ten_sessions_count() {
    let sessions: Vec<Date> =
        barkeep::model::xnys().sessions(date(2026, 9, 1)..=date(2026, 10, 30)).map(|(date, _)| date).collect();
    let here = sessions.iter().position(|date| *date == DAY).unwrap();
    let others: Vec<(Date, u64)> = sessions
        .iter()
        .enumerate()
        .filter(|(place, _)| *place != here)
        .map(|(place, date)| (*date, if place.abs_diff(here) <= 4 { 1000 } else { 100_000 }))
        .collect();
    assert_eq!(sizes(DAY, 600, &others), None, "eight of the nearest ten have a thousand");
}

#[test]
fn early_closes_are_held_against_early_closes() {
    let early = [date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24), date(2025, 7, 3)];
    let full: Vec<(Date, u64)> = (9..20).map(|day| (date(2024, 12, day), 10_000)).collect();
    let with = |other_early: u64| {
        let others: Vec<_> = early[..3].iter().map(|date| (*date, other_early)).chain(full.iter().copied()).collect();
        sizes(early[3], 1000, &others)
    };
    assert_eq!(with(1000), None);
    assert!(with(2000).is_some());
    let two: Vec<_> = early[..2].iter().map(|date| (*date, 9000)).chain(full.iter().copied()).collect();
    assert_eq!(sizes(early[3], 1000, &two), None, "two early closes prove nothing, and full sessions do not count");
}

fn any_request() -> impl Strategy<Value = Request> {
    let symbols = prop::option::of(prop::sample::subsequence(vec!["A", "B", "C", "D"], 1..4));
    let timeframes = prop::sample::subsequence(Timeframe::ROLLED.to_vec(), 1..=6);
    (symbols, timeframes, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(symbols, timeframes, official, force)| Request {
            timeframes: TimeframeSet::of(timeframes),
            official_day: official,
            force,
            accept: Accept::None,
            rest_counts: WhenRestCounts::Never,
            ..asks(symbols.as_deref())
        },
    )
}

/// A listing: versions of both files, the second perhaps absent.
fn any_listing() -> impl Strategy<Value = Listing> {
    (0..3_u8, prop::option::of(0..3_u8)).prop_map(|(minute, day)| {
        let mut listing = listing(&minute.to_string(), &day.unwrap_or(0).to_string());
        if day.is_none() {
            listing.day.clear();
        }
        listing
    })
}

/// What bars a day holds, by ticker, as the version of the file they came from.
type Bars = BTreeMap<(&'static str, Timeframe), String>;

const UNIVERSE: [&str; 5] = ["A", "B", "C", "D", "UNNAMED"];

/// Carries a job out on a model of the table: rows are replaced, then inserted, and must not be there already.
fn carry_out(job: &DayJob, bars: &mut Bars) {
    for replace in &job.replace {
        bars.retain(|(ticker, timeframe), _| {
            let named = replace.symbols.as_ref().is_none_or(|symbols| symbols.iter().any(|symbol| symbol == ticker));
            !(named && replace.timeframes.contains(*timeframe))
        });
    }
    for ticker in UNIVERSE {
        for timeframe in job.wanted.of(ticker).iter() {
            let file = if timeframe == Timeframe::DayOfficial { &job.day } else { &job.minute };
            let file = file.as_ref().expect("the file of every wanted bar is read");
            let before = bars.insert((ticker, timeframe), file.etag.clone());
            assert_eq!(before, None, "{ticker} {timeframe} is written twice: {job:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Any sequence of requests and versions of the files, each planned on what the ones before left.
    #[test]
    fn plans_keep_table_coverage_and_ledger_together(
        steps in prop::collection::vec((any_request(), any_listing()), 1..8),
    ) {
        let (mut state, mut bars) = (DayState::default(), Bars::new());
        for (request, listing) in steps {
            match plan_of(&request, &listing, &state).unwrap() {
                DayPlan::Settled { outcome, .. } => prop_assert_eq!(outcome, Outcome::Unchanged),
                DayPlan::Load(job) => {
                    carry_out(&job, &mut bars);
                    state = after(&job);
                    let again = Request { force: false, ..request.clone() };
                    prop_assert_eq!(settled(plan_of(&again, &listing, &state)), Outcome::Unchanged);
                }
            }
            for ticker in UNIVERSE {
                let stored: TimeframeSet =
                    TimeframeSet::of(bars.keys().filter(|(name, _)| *name == ticker).map(|(_, timeframe)| *timeframe));
                prop_assert_eq!(stored, state.covered(ticker), "{}", ticker);
                let asked = request.symbols.as_ref().is_none_or(|symbols| symbols.contains(ticker));
                prop_assert!(!asked || request.timeframes.minus(stored).is_empty(), "{} lacks bars", ticker);
            }
            for ((ticker, timeframe), version) in &bars {
                let kind = if *timeframe == Timeframe::DayOfficial { FileKind::Day } else { FileKind::Minute };
                prop_assert_eq!(&state.loaded(kind).unwrap().etag, version, "{} {}", ticker, timeframe);
            }
        }
    }
}
