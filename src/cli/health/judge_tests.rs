use jiff::civil::date;

use super::*;
use crate::cli::health::testing::{NOW, ago, at, fine, run};
use crate::cli::health::{DayFacts, MissingDays};
use crate::model::Problem;
use crate::store::{OutboxDepth, QueueDepth};

fn judged(change: impl FnOnce(&mut HealthFacts)) -> Vec<Finding> {
    let mut facts = fine();
    change(&mut facts);
    judge(&facts, None)
}

/// The one finding that is not as it should be.
#[track_caller]
fn odd(change: impl FnOnce(&mut HealthFacts)) -> (&'static str, Level, String) {
    let findings = judged(change);
    let odd: Vec<&Finding> = findings.iter().filter(|finding| finding.level != Level::Ok).collect();
    let [odd] = odd[..] else { panic!("{findings:#?}") };
    assert!(!odd.advice.is_empty(), "{odd:?} says what to do");
    (odd.check, odd.level, odd.found.clone())
}

#[test]
fn what_is_fine_is_said_in_a_table() {
    let findings = judged(|_| ());
    assert!(findings.iter().all(|finding| finding.level == Level::Ok && finding.advice.is_empty()), "{findings:#?}");
    assert_eq!(crate::cli::health::health_lines(&findings), "");
    assert_eq!(
        crate::cli::health::health_table(&findings).to_string(),
        "\
check          state  what was found                                         what to do
database       ok     SQLite 3.50, 1.2 GB, 20 days of files
nightly        ok     complete to 2026-10-05; run run-700 ended 10h 00m ago
                      with 0: 2 days loaded
days           ok     the latest sessions of 3 symbols are there
queue          ok     0 waiting; 0 worked on, 0 abandoned, 0 dead
messages       ok     0 on their way; 0 given up
quota          ok     3 of 5 requests free at 5/min
database disk  ok     50.0 GB free
cache disk     ok     50.0 GB free
"
    );
}

#[test]
fn nightly_is_stale_when_a_session_that_must_be_there_is_not() {
    let complete_to = |date, now: &str| {
        let mut facts = fine();
        facts.nightly.complete_to = date;
        facts.now = at(now);
        nightly(&facts, None)
    };
    let late = complete_to(Some(date(2026, 10, 2)), NOW);
    assert_eq!(late.level, Level::Stale);
    assert!(late.found.starts_with("complete to 2026-10-02 only, 1 session behind; run run-700 ended"), "{late:?}");
    assert_eq!(complete_to(Some(date(2026, 10, 2)), "2026-10-06T16:59:59Z").level, Level::Ok, "there is time yet");
    let long = complete_to(Some(date(2026, 8, 3)), NOW);
    assert!(long.found.contains("10 sessions or more behind"), "{long:?}");
    assert_eq!(complete_to(None, NOW).level, Level::Stale);
}

#[test]
fn the_latest_run_is_told_as_it_is() {
    let (check, level, found) = odd(|facts| facts.nightly.runs.clear());
    assert_eq!((check, level), ("nightly", Level::Info), "{found}");
    let (_, level, found) = odd(|facts| facts.nightly.runs.insert(0, run(120, Some((100, 1)))));
    assert_eq!(level, Level::Warn);
    assert!(found.contains("ended 1h 40m ago with 1: 2 days loaded"), "{found}");
    let (_, level, _) = odd(|facts| facts.nightly.runs.insert(0, run(120, Some((100, 3)))));
    assert_eq!(level, Level::Warn);
    let findings = judged(|facts| facts.nightly.runs.insert(0, run(120, None)));
    assert!(findings[1].level == Level::Ok && findings[1].found.contains("under way for 2h 00m"), "{findings:#?}");
    let (_, level, found) = odd(|facts| facts.nightly.runs = vec![run(1201, None), run(2000, Some((1900, 0)))]);
    assert_eq!(level, Level::Warn);
    assert!(found.contains("began 20h 01m ago and has not ended"), "{found}");
}

#[test]
fn an_age_can_be_asked_for() {
    let level = |hours: u64, runs: Vec<RunRecord>| {
        let mut facts = fine();
        facts.nightly.runs = runs;
        judge(&facts, Some(Duration::from_hours(hours)))[1].level
    };
    let fine = || vec![run(700, Some((600, 0)))];
    assert_eq!((level(11, fine()), level(9, fine())), (Level::Ok, Level::Stale));
    assert_eq!(level(11, vec![run(90, Some((80, 1))), run(700, Some((600, 0)))]), Level::Warn);
    assert_eq!(level(11, vec![run(90, Some((80, 3)))]), Level::Stale, "none ended with 0");
}

#[test]
fn missing_days_are_stale_and_named() {
    let missing = |of: &str, dates: &[Date]| MissingDays { of: of.to_owned(), dates: dates.to_vec() };
    let (check, level, found) = odd(|facts| {
        facts.days.missing =
            vec![missing("AAPL", &[date(2026, 10, 2), date(2026, 10, 5)]), missing("MSFT", &[date(2026, 10, 1)])];
    });
    assert_eq!((check, level), ("days", Level::Stale));
    assert_eq!(found, "3 missing of the latest sessions, since 2026-10-01: AAPL (2) MSFT (1)");
    let (_, level, found) = odd(|facts| {
        let symbols = ["A", "B", "C", "D", "E", "F"];
        facts.days.missing = symbols.map(|symbol| missing(symbol, &[date(2026, 10, 5)])).into();
        facts.days.awaited = 1;
    });
    assert_eq!(level, Level::Stale);
    assert!(found.ends_with("A (1) B (1) C (1) D (1) E (1) …; not judged: 1 symbol with an open request"), "{found}");
    let (_, level, _) = odd(|facts| facts.days = DayFacts::default());
    assert_eq!(level, Level::Info);
    let findings = judged(|facts| facts.days = DayFacts { markets: 1, ..DayFacts::default() });
    assert_eq!((findings[2].level, &*findings[2].found), (Level::Ok, "the latest sessions of 1 market are there"));
}

#[test]
fn a_queue_is_stale_when_nobody_takes_what_waits() {
    let queue = |pending, processing, abandoned, dead, oldest: Option<i64>| QueueDepth {
        pending,
        processing,
        abandoned,
        dead,
        oldest_pending: oldest.map(ago),
    };
    for (depth, level) in [
        (queue(2, 0, 0, 0, Some(16)), Level::Stale),
        (queue(2, 1, 1, 0, Some(16)), Level::Stale),
        (queue(2, 1, 0, 0, Some(16)), Level::Warn),
        (queue(0, 1, 1, 0, None), Level::Warn),
        (queue(0, 0, 0, 1, None), Level::Warn),
    ] {
        let (check, found, _) = odd(|facts| facts.queue = depth);
        assert_eq!((check, found), ("queue", level), "{depth:?}");
    }
    let findings = judged(|facts| facts.queue = queue(2, 1, 0, 0, Some(15)));
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:#?}");
    assert_eq!(findings[3].found, "2 waiting, oldest 15m 00s; 1 worked on, 0 abandoned, 0 dead");
    let headline = "2 requests have been put off for more than 6 hours".to_owned();
    let put_off = Some(Problem { essence: Vec::new(), headline, details: Vec::new() });
    let found = "0 waiting; 0 worked on, 0 abandoned, 0 dead; 2 requests have been put off for more than 6 hours";
    assert_eq!(odd(|facts| facts.put_off = put_off), ("queue", Level::Warn, found.to_owned()));
}

#[test]
fn messages_quota_and_disks_are_judged() {
    let outbox = |dead, oldest: i64| OutboxDepth { open: 1, dead, oldest_open: Some(ago(oldest)) };
    assert_eq!(odd(|facts| facts.outbox = outbox(0, 61)).1, Level::Stale);
    assert_eq!(odd(|facts| facts.outbox = outbox(1, 59)).1, Level::Warn);
    let (check, level, found) = odd(|facts| facts.quota.lowered_at = Some(ago(3 * 24 * 60)));
    assert_eq!((check, level), ("quota", Level::Info));
    assert!(found.contains("lowered 3 days ago"), "{found}");
    let disk = |at: usize, free_bytes| odd(move |facts| facts.disks[at].free_bytes = free_bytes);
    assert_eq!(disk(0, Ok(FULL_BYTES - 1)).1, Level::Stale);
    let (check, level, found) = disk(1, Ok(FULL_BYTES));
    assert_eq!((check, level, &*found), ("cache disk", Level::Warn, "500.0 MB free"));
}

#[test]
fn what_somebody_wrote_cannot_paint_the_terminal() {
    let (_, _, found) = odd(|facts| {
        facts.days.missing = vec![MissingDays { of: "A\x1b[2J".to_owned(), dates: vec![date(2026, 10, 5)] }];
    });
    assert!(!found.contains('\x1b'), "{found}");
}
