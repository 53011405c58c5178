//! Days one after the other: unchanged, damaged, suspect, replaced, empty, missing.

use std::collections::BTreeSet;
use std::fs;

use barkeep::ingest::{Accept, Outcome, Request};
use barkeep::model::{Dataset, FileKind};
use barkeep::store::Ledger;
use jiff::civil::{Date, date};

use super::common::{
    BARS_OF_TICKER, Desk, HEADER, assert_same_table, csv, gzip, request, request_of, row, session_rows, stamp, tickers,
};
use super::{FRIDAY, MONDAY, WEEK, day, of_day, outcomes, undisturbed, week};

fn all() -> Request {
    request(Dataset::Stocks, MONDAY, FRIDAY)
}

/// Rows of a day file: every ticker traded a lot.
fn day_rows(date: Date, tickers: &[String], cents: u32) -> impl Iterator<Item = String> {
    tickers.iter().map(move |ticker| row(ticker, stamp(Dataset::Stocks, date, 0, 0), cents, "1e6", 5000))
}

fn day_file(date: Date, tickers: &[String], cents: u32) -> Vec<u8> {
    gzip(csv(HEADER, day_rows(date, tickers, cents)))
}

/// The database's files as they are on the disk.
fn bytes_of(desk: &Desk) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(desk.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_changes_nothing_not_even_a_byte() {
    let desk = week();
    let first = desk.load(all()).await;
    assert_eq!(outcomes(&first), [Outcome::Loaded; 5]);
    let table = desk.table().await;
    assert_eq!(first.days.iter().map(|day| day.bars).sum::<u64>(), table.len() as u64);
    assert_eq!(table.len(), 12 * 5 * BARS_OF_TICKER);
    let before = bytes_of(&desk);
    let second = desk.load(all()).await;
    assert_eq!(outcomes(&second), [Outcome::Unchanged; 5]);
    assert!(bytes_of(&desk) == before, "the database was written to");
    let forced = desk.load(Request { force: true, ..all() }).await;
    assert_eq!(outcomes(&forced), [Outcome::Loaded; 5]);
    assert_same_table(&desk.table().await, &table);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_day_stops_no_other_and_is_loaded_when_repaired() {
    let desk = week();
    let table = undisturbed(&desk).await;
    let bad = WEEK[2];
    let whole = gzip(csv(HEADER, session_rows(bad, &tickers(12))));
    for damaged in [&whole[..whole.len() - 1], b"<Error>no gzip</Error>", &gzip("ticker,open\nA,1\n")] {
        desk.put(Dataset::Stocks, FileKind::Minute, bad, damaged);
        let report = desk.load(all()).await;
        assert_eq!(day(&report, bad).outcome, Outcome::Damaged);
        assert!(day(&report, bad).detail.as_ref().unwrap().contains("2026-09-30.csv.gz"), "the file is named");
        let others = report.days.iter().filter(|day| day.date != bad);
        assert!(others.into_iter().all(|day| matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged)));
        assert!(of_day(&desk.table().await, bad).is_empty());
    }
    desk.put(Dataset::Stocks, FileKind::Minute, bad, &whole);
    assert_eq!(day(&desk.load(all()).await, bad).outcome, Outcome::Loaded);
    assert_same_table(&desk.table().await, &table);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restatement_that_is_damaged_leaves_the_day_as_it_was() {
    let desk = week();
    desk.load(all()).await;
    let table = desk.table().await;
    let restated = gzip(csv(HEADER, session_rows(FRIDAY, &tickers(13))));
    desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, &restated[..restated.len() - 9]);
    assert_eq!(day(&desk.load(all()).await, FRIDAY).outcome, Outcome::Damaged);
    assert_same_table(&desk.table().await, &table);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_cut_at_a_row_is_suspect_until_accepted() {
    let everyone = tickers(12);
    // Two of twelve tickers are lost; only the day file knows.
    let lost_tickers = session_rows(FRIDAY, &everyone[..10]);
    let last = stamp(Dataset::Stocks, FRIDAY, 15, 59).to_string();
    let lost_close = session_rows(FRIDAY, &everyone).into_iter().filter(|row| !row.contains(&last)).collect();
    for (rows, with_day_file, why) in
        [(lost_tickers, true, "2 of 12 symbols"), (lost_close, false, "last regular minute, 15:59")]
    {
        let desk = Desk::new();
        desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, &gzip(csv(HEADER, rows)));
        if with_day_file {
            desk.put(Dataset::Stocks, FileKind::Day, FRIDAY, &day_file(FRIDAY, &everyone, 100));
        }
        let asked = request(Dataset::Stocks, FRIDAY, FRIDAY);
        let other = Accept::Dates(BTreeSet::from([MONDAY]));
        for accept in [Accept::None, other] {
            let report = desk.load(Request { accept, ..asked.clone() }).await;
            assert_eq!(outcomes(&report), [Outcome::Suspect]);
            let detail = report.days[0].detail.as_ref().unwrap();
            assert!(detail.contains(why) && detail.contains("--accept=2026-10-02"), "{detail}");
            assert!(desk.table().await.is_empty());
        }
        // It does not depend on which symbols are asked for.
        let one = desk.load(request_of(&["S00"], Dataset::Stocks, FRIDAY, FRIDAY)).await;
        assert_eq!(outcomes(&one), [Outcome::Suspect]);
        let accept = Accept::Dates(BTreeSet::from([FRIDAY]));
        let report = desk.load(Request { accept, ..asked.clone() }).await;
        assert_eq!(outcomes(&report), [Outcome::Loaded]);
        assert!(report.days[0].notes.iter().any(|note| note.contains("accepted") && note.contains(why)));
        assert!(!desk.table().await.is_empty());
        let mut store = desk.store().await;
        let minute = store.day_states(Dataset::Stocks, FRIDAY..=FRIDAY).await.unwrap()[&FRIDAY].minute.clone().unwrap();
        assert!(minute.is_known_to_be_short() && minute.detail.unwrap().contains(why), "the ledger keeps it");
        store.close().await.unwrap();
        assert_eq!(outcomes(&desk.load(asked).await), [Outcome::Unchanged]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_far_smaller_than_its_neighbours_is_suspect() {
    let desk = week();
    desk.put_session(WEEK[2], &tickers(4));
    let report = desk.load(all()).await;
    assert_eq!(day(&report, WEEK[2]).outcome, Outcome::Suspect);
    assert!(day(&report, WEEK[2]).detail.as_ref().unwrap().contains("its neighbours have"));
    let accepted = desk.load(Request { accept: Accept::All, ..all() }).await;
    assert_eq!(day(&accepted, WEEK[2]).outcome, Outcome::Loaded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_file_replaces_its_day_and_no_other() {
    let desk = week();
    desk.load(all()).await;
    let before = desk.table().await;
    // The first two tickers change places, one is gone and one is new.
    let mut restated = tickers(13);
    restated.swap(0, 1);
    restated.remove(5);
    desk.put_session(WEEK[1], &restated);
    let report = desk.load(all()).await;
    let expected = [Outcome::Unchanged, Outcome::Loaded, Outcome::Unchanged, Outcome::Unchanged, Outcome::Unchanged];
    assert_eq!(outcomes(&report), expected);
    assert!(report.days[1].replaced && !report.days[0].replaced);
    let after = desk.table().await;
    assert_ne!(of_day(&after, WEEK[1]), of_day(&before, WEEK[1]));
    assert_same_table(&after, &undisturbed(&desk).await);
    assert!(!of_day(&after, WEEK[1]).iter().any(|row| row.symbol == "S05"), "what the new file lacks is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_without_a_file_or_rows_are_told_apart() {
    let desk = week();
    fs::remove_file(desk.put(Dataset::Stocks, FileKind::Minute, WEEK[1], b"")).unwrap();
    desk.put(Dataset::Stocks, FileKind::Minute, WEEK[2], &gzip(csv(HEADER, [""; 0])));
    fs::remove_file(desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, b"")).unwrap();
    let asked = Request { now: "2026-10-03T02:00:00Z".parse().unwrap(), accept: Accept::All, ..all() };
    let report = desk.load(asked).await;
    let expected = [Outcome::Loaded, Outcome::Missing, Outcome::Empty, Outcome::Loaded, Outcome::NotDue];
    assert_eq!(outcomes(&report), expected);
    let weekend = desk.load(request(Dataset::Stocks, date(2026, 10, 3), date(2026, 10, 4))).await;
    assert_eq!(outcomes(&weekend), [Outcome::NotASession; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_day_bars_come_with_their_day_later_and_again() {
    let desk = Desk::new();
    let everyone = tickers(12);
    // Too few transactions to be missed in the minute file.
    let odd_lot = row("ODDLOT", stamp(Dataset::Stocks, FRIDAY, 0, 0), 100, "1", 1);
    let with_more = gzip(csv(HEADER, day_rows(FRIDAY, &everyone, 100).chain([odd_lot])));
    let asked = request(Dataset::Stocks, WEEK[3], FRIDAY);
    for date in [WEEK[3], FRIDAY] {
        desk.put_session(date, &everyone);
    }
    desk.put(Dataset::Stocks, FileKind::Day, FRIDAY, &with_more);
    let report = desk.load(asked.clone()).await;
    assert_eq!(outcomes(&report), [Outcome::Loaded; 2]);
    assert_eq!((report.days[0].day_file_outcome, report.days[1].day_file_outcome), (None, Some(Outcome::Loaded)));
    let official = async |date: Date| -> Vec<(String, f64, i64)> {
        let rows = of_day(&desk.table().await, date);
        rows.into_iter()
            .filter(|row| row.timeframe == "day_official")
            .map(|row| (row.symbol, row.prices[2], row.minutes))
            .collect()
    };
    assert!(official(WEEK[3]).await.is_empty());
    assert_eq!(official(FRIDAY).await.len(), 13, "one of a symbol without minutes");
    assert_eq!(official(FRIDAY).await[0], ("ODDLOT".to_owned(), 1.0, 0));
    // The other one comes later, and this one again.
    desk.put(Dataset::Stocks, FileKind::Day, WEEK[3], &day_file(WEEK[3], &everyone, 200));
    desk.put(Dataset::Stocks, FileKind::Day, FRIDAY, &day_file(FRIDAY, &everyone, 300));
    let minutes = desk.table().await.iter().filter(|row| row.timeframe != "day_official").count();
    let report = desk.load(asked.clone()).await;
    assert_eq!((report.days[0].bars, report.days[1].bars, report.days[1].replaced), (12, 12, true));
    assert_eq!((official(WEEK[3]).await[0].1, official(FRIDAY).await[0].1), (2.0, 3.0));
    assert_eq!(official(FRIDAY).await.len(), 12);
    assert_eq!(desk.table().await.iter().filter(|row| row.timeframe != "day_official").count(), minutes);
    assert_eq!(outcomes(&desk.load(asked).await), [Outcome::Unchanged; 2]);
}

/// The day was called loaded again in every run, and nothing of the failure was remembered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_file_that_cannot_be_read_costs_only_the_official_bars() {
    let everyone = tickers(12);
    let whole = day_file(FRIDAY, &everyone, 100);
    for (bytes, outcome) in [(&whole[..whole.len() - 4], Outcome::Damaged), (&gzip(HEADER), Outcome::Empty)] {
        let desk = Desk::new();
        desk.put_session(FRIDAY, &everyone);
        desk.put(Dataset::Stocks, FileKind::Day, FRIDAY, bytes);
        let asked = request(Dataset::Stocks, FRIDAY, FRIDAY);
        for expected in [Outcome::Loaded, Outcome::Unchanged, Outcome::Unchanged] {
            let report = desk.load(asked.clone()).await;
            assert_eq!(outcomes(&report), [expected]);
            assert_eq!(report.days[0].day_file_outcome, Some(outcome));
            assert!(report.days[0].notes.iter().any(|note| note.starts_with("no official day bars: ")));
        }
        assert_eq!(desk.table().await.len(), 12 * BARS_OF_TICKER);
        let states = desk.store().await.day_states(Dataset::Stocks, FRIDAY..=FRIDAY).await.unwrap();
        assert_eq!(states[&FRIDAY].day.as_ref().map(|file| file.outcome), Some(outcome));
        desk.put(Dataset::Stocks, FileKind::Day, FRIDAY, &whole);
        assert_eq!(outcomes(&desk.load(asked).await), [Outcome::Loaded]);
        assert_eq!(desk.table().await.len(), 12 * (BARS_OF_TICKER + 1));
    }
}
