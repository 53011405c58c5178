use jiff::civil::date;

use super::*;
use crate::ingest::queue::fakes::{NOW, open, september};
use crate::store::RequestOutcome::{Loaded, NoData, NotEntitled, Partial};

/// A request for the first half of September, eleven sessions; how many of them are stored and what is said of the others.
struct Case {
    open: Open,
    states: BTreeMap<Date, DayState>,
    has_bars: bool,
    requests: BTreeMap<Date, Gap>,
    api: Option<LoadFailure>,
    now: Timestamp,
}

fn failure(may_pass: bool) -> LoadFailure {
    let message = if may_pass { "connection reset" } else { "no keys" }.to_owned();
    LoadFailure { message, may_pass, is_unset: false }
}

fn gap(outcome: Outcome, detail: &str) -> Gap {
    Gap { outcome, detail: Some(detail.to_owned()).filter(|detail| !detail.is_empty()) }
}

impl Case {
    /// With everything stored but these days, of which files say this.
    fn lacking(days: &[i8], outcome: Outcome) -> Self {
        let mut open = open(1, "A", september(1..=16));
        let is_lacking = |date: &Date| days.contains(&date.day());
        let there = open.due.iter().filter(|date| !is_lacking(date));
        let state = || DayState { named: [("A".to_owned(), open.wish.timeframes)].into(), ..DayState::default() };
        let states = there.map(|date| (*date, state())).collect();
        open.gaps = open.due.iter().filter(|date| is_lacking(date)).map(|date| (*date, gap(outcome, ""))).collect();
        let (requests, api) = (BTreeMap::new(), Some(failure(false)));
        Self { open, states, has_bars: true, requests, api, now: NOW.parse().unwrap() }
    }

    fn nothing(outcome: Outcome) -> Self {
        let all: Vec<i8> = (1..=16).collect();
        Self { has_bars: false, ..Self::lacking(&all, outcome) }
    }

    fn verdict(&self) -> Verdict {
        let Self { open, states, has_bars, requests, api, now } = self;
        let requests_failure = api.as_ref();
        judge(&Evidence { open, states, has_bars: *has_bars, requests, requests_failure, now: *now })
    }

    fn ended(&self) -> (RequestOutcome, String) {
        match self.verdict() {
            Verdict::Ended(outcome, message) => (outcome, message.unwrap_or_default()),
            later @ Verdict::Later(..) => panic!("{later:?}"),
        }
    }

    fn later(&self) -> (Wait, String) {
        match self.verdict() {
            Verdict::Later(wait, message) => (wait, message),
            ended @ Verdict::Ended(..) => panic!("{ended:?}"),
        }
    }
}

#[test]
fn with_every_session_and_some_bar_it_is_loaded() {
    let mut case = Case::lacking(&[], Outcome::Loaded);
    assert_eq!(case.ended(), (Loaded, String::new()));
    assert_eq!(days_done(&case.open, &case.states), 11);
    // Monday morning: what is not due is no gap.
    case.now = "2026-09-17T12:00:00Z".parse().unwrap();
    case.states.remove(&date(2026, 9, 16));
    assert_eq!(case.ended().0, Loaded);
    assert_eq!(days_done(&case.open, &case.states), 10);
}

#[test]
fn what_is_missing_for_good_is_told_by_days() {
    let mut case = Case::lacking(&[2, 3, 4, 9], Outcome::Missing);
    let message = "missing: 2026-09-02 to 2026-09-04 (3 days), 2026-09-09";
    assert_eq!(case.ended(), (Partial, message.to_owned()));
    case.open.gaps.insert(date(2026, 9, 9), gap(Outcome::Suspect, "too small"));
    let message = "missing: 2026-09-02 to 2026-09-04 (3 days); suspect: 2026-09-09 (too small)";
    assert_eq!(case.ended(), (Partial, message.to_owned()));
    let every_other = Case::lacking(&[1, 3, 8, 10, 14, 16], Outcome::Missing);
    let message = "missing: 2 days before, 2026-09-08, 2026-09-10, 2026-09-14, 2026-09-16";
    assert_eq!(every_other.ended().1, message, "not more than anybody reads");
}

#[test]
fn a_symbol_of_which_nobody_has_a_bar_has_no_data() {
    let mut case = Case::lacking(&[], Outcome::Loaded);
    case.has_bars = false;
    assert_eq!(case.ended(), (NoData, "the vendor has no bar of A from 2026-09-01 to 2026-09-16".to_owned()));
    case.api = Some(failure(true));
    assert_eq!(case.later(), (Wait::Closed, "connection reset".to_owned()), "the API may know it");
    case.api = None;
    case.open.wish.symbol = Symbol::from_ticker("SPX").unwrap();
    let mut index = Case { open: case.open.clone(), ..Case::nothing(Outcome::Missing) };
    index.open.gaps = Case::nothing(Outcome::Missing).open.gaps;
    let (outcome, message) = index.ended();
    assert_eq!(outcome, NoData);
    assert!(message.contains("the index is I:SPX; missing: 2026-09-01 to"), "{message}");
}

/// The request was said to be loaded, as every day was looked for and the symbol had bars on others.
#[test]
fn a_symbol_whose_bars_are_all_on_other_dates_has_no_data() {
    let mut case = Case::lacking(&[], Outcome::Loaded);
    case.has_bars = false;
    assert_eq!(case.ended().0, NoData);
    let mut weekend = Case { has_bars: false, ..Case::lacking(&[], Outcome::Loaded) };
    weekend.open = open(1, "A", september(5..=6));
    assert_eq!(weekend.ended(), (NoData, "there is no session from 2026-09-05 to 2026-09-06".to_owned()));
    weekend.has_bars = true;
    assert_eq!(weekend.ended().0, Loaded, "some markets are open on days on which they need not be");
    // What is missing beside days that were looked for in vain.
    let mut some = Case { has_bars: false, ..Case::lacking(&[2], Outcome::Missing) };
    assert_eq!(some.ended().0, NoData);
    some.has_bars = true;
    assert_eq!(some.ended().0, Partial);
}

/// An hour of delay was the end of the request.
#[test]
fn a_file_that_is_late_is_waited_for() {
    let mut case = Case::nothing(Outcome::Missing);
    let last = date(2026, 9, 16);
    case.open = open(1, "A", september(16..=16));
    case.open.gaps = [(last, gap(Outcome::Missing, ""))].into();
    let late = "the file of 2026-09-16 is late, it was due 2026-09-17 15:00 UTC; missing: 2026-09-16";
    for now in ["2026-09-17T15:00:00Z", "2026-09-17T16:00:00Z", "2026-09-20T14:59:59Z"] {
        case.now = now.parse().unwrap();
        assert_eq!(case.later(), (Wait::Long, late.to_owned()), "{now}");
    }
    case.now = "2026-09-20T15:00:00Z".parse().unwrap();
    assert_eq!(case.ended().0, NoData, "it does not come any more");
    // With all the days before, it is no end either.
    let mut some = Case::lacking(&[16], Outcome::Missing);
    some.now = "2026-09-17T16:00:00Z".parse().unwrap();
    assert_eq!(some.later(), (Wait::Long, late.to_owned()));
    some.now = "2026-09-20T15:00:00Z".parse().unwrap();
    assert_eq!(some.ended().0, Partial);
    // A file that is there and of no use is another matter.
    let mut suspect = Case::lacking(&[16], Outcome::Suspect);
    suspect.now = "2026-09-17T16:00:00Z".parse().unwrap();
    assert_eq!(suspect.ended().0, Partial);
}

/// Of a day whose file is late the API may not know more yet.
#[test]
fn that_nobody_has_a_bar_is_not_believed_while_a_file_is_late() {
    let mut case = Case { has_bars: false, api: None, ..Case::lacking(&[], Outcome::Loaded) };
    case.open.gaps = [(date(2026, 9, 16), gap(Outcome::Missing, ""))].into();
    case.now = "2026-09-17T16:00:00Z".parse().unwrap();
    assert_eq!(case.later().0, Wait::Long);
    case.now = "2026-09-20T15:00:00Z".parse().unwrap();
    assert_eq!(case.ended().0, NoData);
}

#[test]
fn that_a_symbol_has_nothing_is_said_when_the_file_of_the_last_session_is_due() {
    let mut case = Case { has_bars: false, ..Case::lacking(&[16], Outcome::NotDue) };
    case.now = "2026-09-16T16:00:00Z".parse().unwrap();
    assert_eq!(case.ended().0, NoData, "the session is still under way");
    case.now = "2026-09-17T00:00:00Z".parse().unwrap();
    assert_eq!(case.later().0, Wait::Until("2026-09-17T15:00:00Z".parse().unwrap()));
}

#[test]
fn refusals_are_why_nothing_is_stored_or_days_are_missing() {
    let mut case = Case::nothing(Outcome::NotEntitled);
    let message = "not included in the vendor's plan: 2026-09-01 to 2026-09-16 (11 days)";
    assert_eq!(case.ended(), (NotEntitled, message.to_owned()));
    case.requests = case.open.due.iter().map(|date| (*date, gap(Outcome::NotEntitled, "two years"))).collect();
    case.open.gaps.clear();
    case.api = None;
    assert_eq!(case.ended(), (NotEntitled, message.to_owned() + " (two years)"));
    let some = Case::lacking(&[1, 2], Outcome::NotEntitled);
    let message = "not included in the vendor's plan: 2026-09-01 to 2026-09-02 (2 days)";
    assert_eq!(some.ended(), (Partial, message.to_owned()));
}

#[test]
fn what_may_pass_is_tried_again_but_not_for_ever_if_most_is_there() {
    for outcome in [Outcome::Failed, Outcome::Damaged] {
        let mut case = Case::lacking(&[9], outcome);
        let message = format!("{outcome}: 2026-09-09");
        assert_eq!(case.later(), (Wait::Soon, message.clone()));
        case.open.claimed.retry_count = MOST_RETRIES - 1;
        assert_eq!(case.ended(), (Partial, message));
    }
    let mut down = Case::nothing(Outcome::Missing);
    down.open.files = Some(failure(true));
    down.open.claimed.retry_count = 100;
    assert_eq!(down.later(), (Wait::Closed, "connection reset".to_owned()), "no request is dead of it");
    let mut last = Case::lacking(&[9], Outcome::Failed);
    (last.api, last.open.claimed.retry_count) = (Some(failure(true)), MOST_RETRIES - 1);
    assert_eq!(last.later().0, Wait::Closed, "nor partial");
    assert!(!Wait::Closed.counts() && !Wait::Long.counts() && Wait::Soon.counts());
}

#[test]
fn two_ways_that_are_closed_are_waited_for_long() {
    let mut case = Case::nothing(Outcome::Missing);
    case.open.files = Some(failure(false));
    case.open.gaps.clear();
    assert_eq!(case.later(), (Wait::Long, "no keys; and the REST API: no keys".to_owned()));
    case.api = None;
    case.requests = case.open.due.iter().map(|date| (*date, gap(Outcome::NotEntitled, ""))).collect();
    assert_eq!(case.ended().0, NotEntitled, "the one that is open has the last word");
}

#[test]
fn what_nobody_can_have_yet_is_waited_for() {
    let mut case = Case::nothing(Outcome::NotDue);
    case.open = open(1, "A", september(16..=16));
    case.now = "2026-09-17T03:00:00Z".parse().unwrap();
    let due = "2026-09-17T15:00:00Z".parse().unwrap();
    assert_eq!(
        case.later(),
        (Wait::Until(due), "the file of 2026-09-16 is not due before 2026-09-17 15:00 UTC".to_owned())
    );
    case.open = open(1, "A", september(5..=7));
    assert_eq!(case.ended(), (NoData, "there is no session from 2026-09-05 to 2026-09-07".to_owned()));
}

#[test]
fn messages_fit_a_column() {
    let text = shortened("a\nb".to_owned() + &"é".repeat(1000));
    assert!(text.starts_with("a bé") && text.ends_with('…') && text.chars().count() == LONGEST_MESSAGE + 1);
}
