use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::date;

use super::*;
use crate::ingest::source::DayFile;
use crate::ingest::{Accept, Listing, Request, WhenRestCounts, plan};
use crate::model::{Dataset, Outcome, xnys};
use crate::store::{DayState, FileState, FileVersion};

const FIRST: Date = date(2026, 8, 3);
const LAST: Date = date(2026, 10, 2);
const FILE_BYTES: u64 = 10_000_000;

fn file(kind: FileKind, date: Date) -> DayFile {
    let key = format!("{}/{date}", kind.as_str());
    let size_bytes = if kind == FileKind::Minute { FILE_BYTES } else { FILE_BYTES / 20 };
    DayFile { dataset: Dataset::Stocks, kind, date, key, size_bytes, etag: "v1".into(), last_modified: None }
}

/// The plan for some symbols, or all, of two months of files.
fn planned(symbols: Option<&[&str]>, states: &BTreeMap<Date, DayState>) -> DatasetPlan {
    let request = Arc::new(Request {
        dataset: Dataset::Stocks,
        range: FIRST..=LAST,
        symbols: symbols.map(|symbols| symbols.iter().map(|symbol| (*symbol).to_owned()).collect()),
        timeframes: "5m,day".parse().unwrap(),
        official_day: true,
        force: false,
        accept: Accept::None,
        rest_counts: WhenRestCounts::UnlessFileIsNewer,
        now: "2026-10-05T16:00:00Z".parse().unwrap(),
    });
    let files = |kind| xnys().sessions(FIRST..=LAST).map(|(date, _)| (date, file(kind, date))).collect();
    let listing = Listing { minute: files(FileKind::Minute), day: files(FileKind::Day) };
    let days = plan(&request, &listing, states);
    DatasetPlan { request, days, listing }
}

fn sessions() -> Vec<Date> {
    xnys().sessions(FIRST..=LAST).map(|(date, _)| date).collect()
}

/// A file a second, and requests of so many seconds.
fn rates(seconds_per_request: f64) -> Rates {
    Rates { file_bytes_per_second: FILE_BYTES as f64, seconds_per_request }
}

#[test]
fn the_sooner_way_is_taken_and_both_are_told() {
    let plan = planned(Some(&["SPY", "QQQ"]), &BTreeMap::new());
    let days = sessions().len() as f64;
    // Two stretches of 31 days, two symbols: four requests.
    let fast = choose(&plan, rates(days / 4.0 - 0.1), false);
    assert_eq!(fast.by_rest.len(), sessions().len());
    assert_eq!((fast.all_by_rest.requests, fast.all_by_files.requests), (4, 0));
    assert_eq!(fast.all_by_files.file_bytes, FILE_BYTES * sessions().len() as u64, "day files are read either way");
    assert!((fast.all_by_files.seconds - days).abs() < 1e-9);
    let slow = choose(&plan, rates(days), false);
    assert!(slow.by_rest.is_empty());
    assert_eq!(choose(&plan, rates(days), true).by_rest.len(), sessions().len(), "the requests are made in any case");
}

#[test]
fn stretches_are_chosen_one_by_one() {
    // Of the newer one all days but one are there.
    let there = DayState { named: [("SPY".to_owned(), "5m,day".parse().unwrap())].into(), ..DayState::default() };
    let newer = sessions().into_iter().filter(|day| *day > date(2026, 9, 1) && *day < LAST);
    let states = newer.map(|date| (date, there.clone())).collect();
    let choice = choose(&planned(Some(&["SPY"]), &states), rates(5.0), false);
    assert!(choice.by_rest.contains(&FIRST), "a request beats many files");
    assert!(!choice.by_rest.contains(&LAST), "one file beats a request");
}

#[test]
fn what_only_a_file_can_do_is_no_choice() {
    let everyone = choose(&planned(None, &BTreeMap::new()), rates(0.001), false);
    assert_eq!(everyone, Choice::default(), "a whole market");
    let old = FileVersion { key: "minute/x".into(), etag: "v0".into(), size_bytes: 1, last_modified: None };
    let state = FileState {
        loaded: Some(old),
        content: None,
        bars: 1,
        outcome: Outcome::Loaded,
        detail: None,
        attempted_at: "2026-10-03T12:00:00Z".parse().unwrap(),
    };
    let timeframes = "5m,day".parse().unwrap();
    let replaced =
        DayState { minute: Some(state), named: [("SPY".to_owned(), timeframes)].into(), ..DayState::default() };
    let plan = planned(Some(&["SPY"]), &[(LAST, replaced)].into());
    let choice = choose(&plan, rates(0.001), false);
    assert!(!choice.by_rest.contains(&LAST) && choice.by_rest.contains(&FIRST));
    assert_eq!(plan.renewed().collect::<Vec<_>>(), [LAST]);
}

#[test]
fn days_left_to_requests_still_have_their_day_files_read() {
    let plan = planned(Some(&["SPY"]), &BTreeMap::new()).without_minutes(&[FIRST].into());
    let job = plan.jobs().find(|job| job.date == FIRST).unwrap();
    assert!(job.minute.is_none() && job.day.is_some());
    assert!(plan.jobs().filter(|job| job.date != FIRST).all(|job| job.minute.is_some()));
}
