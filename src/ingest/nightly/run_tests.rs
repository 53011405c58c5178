//! Nights with fakes: a vendor that is a list of what happens, a ledger in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use super::*;
use crate::ingest::nightly::{IncidentKind, NightlyReport};
use crate::ingest::rest::SymbolDayReport;
use crate::ingest::{DayReport, LoadFailure, SilentReporter};
use crate::model::{FileKind, SymbolError};
use crate::store::{
    Attempt, ConditionChange, FileVersion, LoadRate, Restatement, RunEnd, RunRecord, SeriesStatus, StoredBar,
    WatchlistEntry,
};

/// What is stored, shared by the fakes.
#[derive(Clone, Default)]
struct Stored(Arc<std::sync::Mutex<BTreeMap<Date, DayState>>>);

impl Stored {
    fn by_file(&self, date: Date) {
        self.0
            .lock()
            .unwrap()
            .entry(date)
            .or_default()
            .named
            .insert("SPY".to_owned(), TimeframeSet::of(crate::model::Timeframe::ROLLED));
    }
}

struct Store {
    stored: Stored,
    runs: Vec<RunRecord>,
    /// Calls that fail first, as a server does that restarts.
    outages: u32,
}

impl Ledger for Store {
    async fn day_states(
        &mut self,
        dataset: Dataset,
        range: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        if dataset != Dataset::Stocks {
            return Ok(BTreeMap::new());
        }
        Ok(self.stored.0.lock().unwrap().range(range).map(|(date, state)| (*date, state.clone())).collect())
    }
    async fn symbol_states(
        &mut self,
        _: &Symbol,
        _: RangeInclusive<Date>,
    ) -> Result<BTreeMap<Date, DayState>, StoreError> {
        unreachable!()
    }
    async fn record_attempt(&mut self, _: Dataset, _: Date, _: FileKind, _: &Attempt) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn record_same_content(
        &mut self,
        _: Dataset,
        _: Date,
        _: FileKind,
        _: &FileVersion,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn restatements(&mut self, _: RangeInclusive<Date>) -> Result<Vec<Restatement>, StoreError> {
        unreachable!()
    }
    async fn load_rate(&mut self, _: bool) -> Result<Option<LoadRate>, StoreError> {
        unreachable!()
    }
    async fn record_load_rate(&mut self, _: bool, _: LoadRate) -> Result<(), StoreError> {
        unreachable!()
    }
}

impl Runs for Store {
    async fn begin_run(&mut self, run: &RunStart) -> Result<(), StoreError> {
        self.runs.insert(0, RunRecord { start: run.clone(), end: None });
        Ok(())
    }
    async fn end_run(&mut self, _: &RunEnd, _: Option<&ConditionChange>) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn runs(&mut self, _: &str, _: u32) -> Result<Vec<RunRecord>, StoreError> {
        if self.outages > 0 {
            self.outages -= 1;

            return Err(StoreError::Unreachable { database: "bars".to_owned(), detail: "it restarts".to_owned() });
        }
        Ok(self.runs.clone())
    }
    async fn complete_to(&mut self, _: &str) -> Result<Option<Date>, StoreError> {
        unreachable!()
    }
}

impl Watchlist for Store {
    async fn watchlist(&mut self) -> Result<Vec<WatchlistEntry>, StoreError> {
        let symbol = Symbol::from_ticker("SPY").unwrap();
        Ok(vec![WatchlistEntry {
            symbol,
            days_to_backfill: 1,
            active: true,
            priority: 0,
            added_at: Timestamp::UNIX_EPOCH,
        }])
    }
    async fn senseless(&mut self) -> Result<Vec<(String, SymbolError)>, StoreError> {
        Ok(Vec::new())
    }
    async fn watch(&mut self, _: &[WatchlistEntry]) -> Result<u64, StoreError> {
        unreachable!()
    }
    async fn unwatch(&mut self, _: &[Symbol]) -> Result<Vec<Symbol>, StoreError> {
        unreachable!()
    }
}

impl BarReader for Store {
    async fn bars(
        &mut self,
        _: &str,
        _: crate::model::Timeframe,
        _: RangeInclusive<i64>,
    ) -> Result<Vec<StoredBar>, StoreError> {
        unreachable!()
    }
    async fn known(&mut self, symbols: &[Symbol]) -> Result<BTreeSet<Symbol>, StoreError> {
        Ok(symbols.iter().cloned().collect())
    }
    async fn has_bars(&mut self, _: &Symbol, _: TimeframeSet, _: RangeInclusive<Date>) -> Result<bool, StoreError> {
        unreachable!()
    }
    async fn series(&mut self, _: Option<&[Symbol]>) -> Result<Vec<SeriesStatus>, StoreError> {
        unreachable!()
    }
}

/// What becomes of the newest file each time it is asked for.
#[derive(Clone)]
enum File {
    Is(Outcome),
    /// Loaded, and it has no row of the symbol.
    Lacks,
    Fails {
        may_pass: bool,
        is_unset: bool,
    },
}

struct Vendor {
    stored: Stored,
    files: VecDeque<File>,
    /// What requests bring of a day; `None`: there is no key.
    requests: Option<Outcome>,
    /// Ranges that were asked of files, call by call, and calls of requests.
    asked: Vec<Vec<RangeInclusive<Date>>>,
    requested: u32,
}

impl Loads for Vendor {
    async fn from_files(&mut self, requests: Vec<Request>) -> Ended<RunReport> {
        self.asked.push(requests.iter().map(|request| request.range.clone()).collect());
        let mut report = RunReport::default();
        let newest = *requests[0].range.end();
        match self.files.pop_front().expect("no more is asked than the story has") {
            File::Fails { may_pass, is_unset } => {
                let failure = LoadFailure { message: "no route 7".to_owned(), may_pass, is_unset };
                return Ended { report, failure: Some(failure) };
            }
            file => {
                let lacks = matches!(file, File::Lacks);
                let outcome = if let File::Is(outcome) = file { outcome } else { Outcome::Loaded };
                for date in plan::sessions(Dataset::Stocks, &requests[0].range) {
                    let of_day = if date == newest { outcome } else { Outcome::Loaded };
                    if of_day == Outcome::Loaded {
                        self.stored.by_file(date);
                    }
                    let absent_symbols = if lacks && date == newest { vec!["SPY".to_owned()] } else { Vec::new() };
                    report.days.push(DayReport { absent_symbols, ..DayReport::new(Dataset::Stocks, date, of_day) });
                }
            }
        }
        Ended { report, failure: None }
    }

    async fn by_requests(&mut self, wishes: Vec<RestWish>) -> Ended<RestReport> {
        self.requested += 1;
        let mut report = RestReport { requests: 1, ..RestReport::default() };
        let Some(outcome) = self.requests else {
            let failure = LoadFailure { message: "no key".to_owned(), may_pass: false, is_unset: true };
            return Ended { report, failure: Some(failure) };
        };
        let date = *wishes[0].asked.range.end();
        if outcome == Outcome::Loaded {
            self.stored.by_file(date);
        }
        let day = SymbolDayReport::new(Dataset::Stocks, "SPY", date, outcome, Some("why".to_owned()));
        report.days.push(SymbolDayReport { bars: u64::from(outcome == Outcome::Loaded), ..day });
        Ended { report, failure: None }
    }
}

struct Nothing;

impl Chores for Nothing {
    async fn work(&mut self, chore: Chore) -> Result<Option<String>, String> {
        if chore == Chore::Splits { Err("the list is empty".to_owned()) } else { Ok(None) }
    }
}

/// A night that begins at an instant; what it came to, and what the vendor was asked.
struct Night {
    report: NightlyReport,
    vendor: Vendor,
    ended_at: Timestamp,
}

struct Setting {
    begins: &'static str,
    files: Vec<File>,
    requests: Option<Outcome>,
    wait_until: Option<Time>,
    runs: Vec<RunRecord>,
}

/// After Thursday's session, whose file is due at 15:00 UTC and waited for until 15:30.
const EVENING: &str = "2026-10-02T01:30:00Z";
const THURSDAY: Date = jiff::civil::date(2026, 10, 1);

fn setting(files: &[File]) -> Setting {
    Setting {
        begins: EVENING,
        files: files.to_vec(),
        requests: Some(Outcome::Loaded),
        wait_until: Some(jiff::civil::time(11, 30, 0, 0)),
        runs: Vec::new(),
    }
}

async fn night(setting: Setting) -> Night {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clock");
    std::fs::write(&file, setting.begins).unwrap();
    let clock = Clock::simulated(file);
    let stored = Stored::default();
    let earlier = setting.runs.len();
    let mut store = Store { stored: stored.clone(), runs: setting.runs, outages: 2 };
    let files = setting.files.into();
    let mut vendor = Vendor { stored, files, requests: setting.requests, asked: Vec::new(), requested: 0 };
    let options = NightlyOptions {
        run_id: "run".to_owned(),
        all: None,
        timeframes: None,
        official_day: true,
        lookback: 2,
        poll: Duration::from_hours(1),
        wait_until: setting.wait_until,
        recheck: false,
        starter_set: Vec::new(),
        patience: Duration::from_secs(30),
    };
    let stop = CancellationToken::new();
    let nightly = Nightly {
        options,
        store: &mut store,
        loads: &mut vendor,
        chores: &mut Nothing,
        clock: &clock,
        reporter: &SilentReporter,
        stop: &stop,
    };
    let report = nightly.run().await;
    assert_eq!(store.runs.len(), earlier + 1, "that it began is remembered, through an outage");
    Night { report, vendor, ended_at: clock.now() }
}

fn kinds(report: &NightlyReport) -> Vec<IncidentKind> {
    report.incidents.iter().map(|incident| incident.kind).filter(|kind| *kind != IncidentKind::StepFailed).collect()
}

use File::{Fails, Is, Lacks};
use IncidentKind as Kind;

#[tokio::test]
async fn a_file_that_is_there_is_all_there_is_to_do() {
    let Night { report, vendor, ended_at } = night(setting(&[Is(Outcome::Loaded)])).await;
    assert_eq!((report.ending, report.complete_to()), (Ending::Done, Some(THURSDAY)));
    assert_eq!((vendor.asked.len(), vendor.requested), (1, 0));
    assert_eq!(ended_at.to_string(), EVENING);
    assert!(report.whole_ledger, "nobody ever looked at all of it");
    let steps: Vec<_> = report.steps.iter().map(|step| step.name).collect();
    assert_eq!(steps, ["chains", "cache", "files", "splits", "calendar"]);
    assert!(
        report.incidents.iter().all(|incident| incident.kind == Kind::StepFailed),
        "which is no failure of the run"
    );
}

#[tokio::test]
async fn a_late_file_is_looked_for_until_it_comes() {
    let Night { report, vendor, ended_at } =
        night(setting(&[Is(Outcome::NotDue), Is(Outcome::NotDue), Is(Outcome::Loaded)])).await;
    assert_eq!((report.ending, report.waited_seconds), (Ending::Done, 2 * 3600));
    assert_eq!(ended_at.to_string(), "2026-10-02T03:30:00Z");
    assert_eq!(vendor.asked[1], [THURSDAY..=THURSDAY], "the others were seen to");
    assert_eq!((vendor.requested, kinds(&report)), (0, vec![]));
}

#[tokio::test]
async fn a_file_that_does_not_come_is_made_up_for_by_requests() {
    let mut files = vec![Is(Outcome::NotDue); 14];
    files.push(Is(Outcome::Missing));
    let Night { report, vendor, ended_at } = night(setting(&files)).await;
    assert_eq!(ended_at.to_string(), "2026-10-02T15:30:00Z", "the last look is at the time it waits until");
    assert_eq!((report.ending, vendor.requested), (Ending::Done, 1));
    assert_eq!(kinds(&report), [Kind::Late, Kind::ByRequests]);
}

#[tokio::test]
async fn nothing_is_waited_for_that_is_past_or_cannot_come() {
    let past = Setting { begins: "2026-10-02T15:30:00Z", ..setting(&[Is(Outcome::Missing)]) };
    let night_of = night(past).await;
    assert_eq!((night_of.vendor.asked.len(), night_of.vendor.requested), (1, 1));
    let off = night(Setting { wait_until: None, ..setting(&[Is(Outcome::NotDue)]) }).await;
    assert_eq!((off.ended_at.to_string(), off.vendor.requested), (EVENING.to_owned(), 1));
    let closed = night(setting(&[Fails { may_pass: false, is_unset: false }])).await;
    assert_eq!((closed.ended_at.to_string(), closed.vendor.requested), (EVENING.to_owned(), 1));
    assert_eq!(kinds(&closed.report), [Kind::ByRequests, Kind::Closed]);
    assert!(!closed.report.whole_ledger, "nothing could be listed");
}

#[tokio::test]
async fn what_may_pass_is_waited_out() {
    let down = Fails { may_pass: true, is_unset: false };
    let Night { report, vendor, .. } = night(setting(&[down.clone(), down, Is(Outcome::Loaded)])).await;
    assert_eq!((report.ending, report.waited_seconds), (Ending::Done, 2 * 3600));
    assert_eq!(vendor.asked[0], vendor.asked[2], "all of it is asked for again");
    assert_eq!(kinds(&report), [Kind::Outage]);
}

/// What had passed when the night ended was nowhere in its record, or in a step of it, and not for how long.
#[tokio::test]
async fn an_outage_of_files_that_passes_within_the_night_is_told() {
    let down = Fails { may_pass: true, is_unset: false };
    let night_of = |files: Vec<File>| async move {
        let report = night(setting(&files)).await.report;
        assert_eq!((report.ending, &report.files_failure), (Ending::Done, &None));
        let of_files = report.incidents.iter().filter(|incident| incident.kind == Kind::Outage);
        let told = of_files.map(|incident| (incident.seconds.unwrap(), incident.detail.clone().unwrap()));
        told.collect::<Vec<_>>()
    };
    let told = |hours: i64| (hours * 3600, "files: no route 7".to_owned());
    let (late, came) = (Is(Outcome::NotDue), Is(Outcome::Loaded));
    assert_eq!(night_of(vec![down.clone(), down.clone(), came.clone()]).await, [told(2)], "from the beginning");
    assert_eq!(night_of(vec![late.clone(), down.clone(), came.clone()]).await, [told(1)], "while it was waited for");
    assert_eq!(night_of(vec![down.clone(), late, down, came]).await, [told(1), told(1)], "twice");
}

#[tokio::test]
async fn a_day_that_is_due_and_not_there_is_a_gap_and_one_that_is_not_due_is_none() {
    let nothing = |begins, outcome| Setting { begins, requests: None, wait_until: None, ..setting(&[Is(outcome)]) };
    let early = night(nothing(EVENING, Outcome::NotDue)).await.report;
    assert_eq!((early.ending, early.complete_to()), (Ending::Done, Some(THURSDAY.yesterday().unwrap())));
    let late = night(nothing("2026-10-02T15:30:00Z", Outcome::Missing)).await.report;
    assert_eq!((late.ending, late.complete_to()), (Ending::Gaps, Some(THURSDAY.yesterday().unwrap())));
    assert_eq!(kinds(&late), [Kind::Late, Kind::Closed]);
    assert_eq!(late.problem().unwrap().essence, ["2026-10-01 stocks missing", "step splits"]);
}

#[tokio::test]
async fn files_that_cannot_be_had_are_told_though_requests_fill_in_but_not_if_nobody_wants_them() {
    let told = |is_unset| async move {
        let report = night(setting(&[Fails { may_pass: false, is_unset }])).await.report;
        assert_eq!(kinds(&report), [Kind::ByRequests, Kind::Closed]);
        report.files_failure
    };
    assert_eq!(told(false).await.as_deref(), Some("no route 7"));
    assert_eq!(told(true).await, None);
}

#[tokio::test]
async fn not_all_was_checked_if_a_file_could_not_be_fetched() {
    let whole = |outcome| async move { night(setting(&[Is(outcome)])).await.report.whole_ledger };
    assert!(!whole(Outcome::Failed).await);
    assert!(whole(Outcome::Damaged).await, "that will be the same tomorrow");
}

#[tokio::test]
async fn the_end_of_the_calendar_is_told_and_then_a_failure() {
    let night_of = |begins| async move { night(Setting { begins, ..setting(&[Is(Outcome::Loaded)]) }).await.report };
    let before = night_of("2028-10-31T12:00:00Z").await;
    assert_eq!((before.ending, before.calendar_ends), (Ending::Done, None));
    let near = night_of("2028-11-01T12:00:00Z").await;
    assert_eq!((near.ending, &*near.problem().unwrap().essence[0]), (Ending::Done, "calendar"));
    assert_eq!(kinds(&near), [Kind::CalendarEnds]);
    let past = night_of("2029-01-03T12:00:00Z").await;
    assert_eq!(past.ending, Ending::Failed, "it would be complete for ever");
    assert!(past.failure.unwrap().contains("2028-12-31 and none after it: update barkeep"));
}

#[tokio::test]
async fn a_symbol_that_its_file_lacks_is_asked_for_until_requests_have_answered() {
    let failed = night(Setting { requests: Some(Outcome::Failed), ..setting(&[Lacks]) }).await;
    assert_eq!((failed.vendor.requested, failed.report.ending), (1, Ending::Gaps));
    let unasked = Unasked { dataset: Dataset::Stocks, symbol: "SPY".to_owned(), date: THURSDAY };
    assert_eq!(failed.report.unasked, [unasked]);
    assert_eq!(failed.report.complete_to(), Some(THURSDAY.yesterday().unwrap()));
    let start = RunStart { run_id: "run".to_owned(), command: NIGHTLY.to_owned(), started_at: Timestamp::UNIX_EPOCH };
    let runs = vec![RunRecord { start, end: Some(failed.report.run_end(3)) }];
    let again = night(Setting { runs: runs.clone(), ..setting(&[Is(Outcome::Loaded)]) }).await;
    assert_eq!((again.vendor.requested, again.report.ending), (1, Ending::Done));
    assert_eq!((again.report.unasked, again.report.days[1].outcome), (vec![], Outcome::Loaded));
    // Without a key nobody can be asked, and with none there was nobody either.
    let keyless = night(Setting { requests: None, ..setting(&[Lacks]) }).await.report;
    assert_eq!((keyless.ending, keyless.unasked), (Ending::Done, vec![]));
}

#[tokio::test]
async fn a_run_without_any_way_has_failed() {
    let begins = "2026-10-02T15:30:00Z";
    let closed = setting(&[Fails { may_pass: false, is_unset: false }]);
    let report = night(Setting { begins, requests: None, ..closed }).await.report;
    assert_eq!(report.ending, Ending::Failed);
    assert_eq!(report.failure.as_deref(), Some("files: no route 7; requests: no key"));
    assert_eq!(report.problem().unwrap().essence, ["files: no route ; requests: no key"]);
    let down = setting(&[Fails { may_pass: true, is_unset: false }]);
    let report = night(Setting { begins, requests: Some(Outcome::Failed), ..down }).await.report;
    assert_eq!((report.ending, kinds(&report)), (Ending::Failed, vec![Kind::Outage, Kind::Outage]));
}
