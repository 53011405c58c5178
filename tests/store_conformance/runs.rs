//! The record of unattended runs, and what was announced of sessions.

use barkeep::model::{AnnouncedKind, AnnouncedSession};
use barkeep::store::{AnnouncedSessions, RunEnd, RunRecord, RunStart, Runs};
use jiff::civil::date;

use crate::Bench;
use crate::fixtures::*;

fn start(run_id: &str, command: &str, began: &str) -> RunStart {
    RunStart { run_id: run_id.to_owned(), command: command.to_owned(), started_at: at(began) }
}

fn end(run_id: &str, ended: &str, complete_to: Option<jiff::civil::Date>) -> RunEnd {
    RunEnd {
        run_id: run_id.to_owned(),
        finished_at: at(ended),
        exit_code: 143,
        complete_to,
        summary: "nightly: nothing's new; 0 s".to_owned(),
        record: r#"{"a": [1, "ü"]}"#.to_owned(),
    }
}

pub async fn runs_come_back_newest_first(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.runs("nightly", 10).await.unwrap(), []);
    let first = start("a", "nightly", "2026-10-01T21:30:00.125Z");
    let killed = start("b", "nightly", "2026-10-02T21:30:00Z");
    let other = start("c", "nightlywatch", "2026-10-03T21:30:00Z");
    let last = start("d", "nightly --all stocks", "2026-10-04T21:30:00Z");
    for run in [&last, &killed, &other, &first] {
        store.begin_run(run).await.unwrap();
    }
    let (ended, ended_last) =
        (end("a", "2026-10-02T11:00:00.5Z", Some(date(2026, 10, 1))), end("d", "2026-10-04T21:31:00Z", None));
    store.end_run(&ended, None).await.unwrap();
    store.end_run(&ended_last, None).await.unwrap();
    let mut again = bench.open().await;
    let record = |start: &RunStart, end: Option<&RunEnd>| RunRecord { start: start.clone(), end: end.cloned() };
    let all = [record(&last, Some(&ended_last)), record(&killed, None), record(&first, Some(&ended))];
    assert_eq!(again.runs("nightly", 10).await.unwrap(), all);
    assert_eq!(again.runs("nightly", 2).await.unwrap(), all[..2]);
    assert_eq!(again.runs("nightlywatch", 10).await.unwrap(), [record(&other, None)]);
}

pub async fn what_is_complete_is_told_by_the_latest_run_that_knows(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.complete_to("nightly").await.unwrap(), None);
    let runs = [("a", 5, Some(date(2026, 10, 5))), ("b", 6, Some(date(2026, 10, 2))), ("c", 7, None)];
    for (run_id, day, complete_to) in runs {
        store.begin_run(&start(run_id, "nightly", &format!("2026-10-{day:02}T21:30:00Z"))).await.unwrap();
        store.end_run(&end(run_id, &format!("2026-10-{day:02}T22:30:00Z"), complete_to), None).await.unwrap();
    }
    assert_eq!(store.complete_to("nightly").await.unwrap(), Some(date(2026, 10, 2)));
    assert_eq!(store.complete_to("watchlist").await.unwrap(), None);
}

pub async fn announcements_replace_those_of_the_future(bench: &impl Bench) {
    let mut store = bench.open().await;
    let announced = |day, kind, name: Option<&str>| AnnouncedSession {
        date: date(2027, 1, day),
        kind,
        name: name.map(str::to_owned),
    };
    let mourning = announced(5, AnnouncedKind::Closed, Some("Day of Mourning"));
    let early = announced(20, AnnouncedKind::EarlyClose, None);
    store.announce(date(2027, 1, 1), &[early.clone(), mourning.clone()], at("2027-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(bench.open().await.announced().await.unwrap(), [mourning.clone(), early]);
    let open = announced(21, AnnouncedKind::Full, Some("none"));
    let past = announced(4, AnnouncedKind::Closed, None);
    store.announce(date(2027, 1, 6), &[past, open.clone()], at("2027-01-06T00:00:00Z")).await.unwrap();
    let kept = [mourning, open.clone()];
    assert_eq!(store.announced().await.unwrap(), kept, "what has happened stays as it was announced");
    store.announce(date(2027, 1, 21), &[], at("2027-01-21T23:00:00Z")).await.unwrap();
    assert_eq!(store.announced().await.unwrap(), kept, "the day itself is listed no more in its evening");
    let early = AnnouncedSession { kind: AnnouncedKind::EarlyClose, ..open };
    store.announce(date(2027, 1, 21), std::slice::from_ref(&early), at("2027-01-21T12:00:00Z")).await.unwrap();
    assert_eq!(store.announced().await.unwrap()[1], early, "unless it is");
    store.announce(date(2027, 1, 20), &[], at("2027-01-20T12:00:00Z")).await.unwrap();
    assert_eq!(store.announced().await.unwrap().len(), 1, "what is called off in time is forgotten");
}
