//! Runs that are interrupted, and runs that meet others.

use std::sync::Arc;
use std::time::Duration;

use barkeep::ingest::{Outcome, Reporter, Request, RunReport, make_plan};
use barkeep::model::{Dataset, FileKind};
use barkeep::store::BarSink;
use tokio_util::sync::CancellationToken;

use super::common::{BARS_OF_TICKER, Desk, assert_same_table, carry_out, request, request_of, tickers};
use super::{At, FRIDAY, Interrupter, MONDAY, WEEK, day, of_day, outcomes, undisturbed, week};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_is_finished_by_the_next() {
    for at in [At::FirstDay, At::FirstDecoding] {
        let desk = week();
        let interrupter = Interrupter::new(at);
        let (reporter, stop) = (Arc::clone(&interrupter) as Arc<dyn Reporter>, interrupter.stop.clone());
        let all = request(Dataset::Stocks, MONDAY, FRIDAY);
        let cut = desk.load_with(all.clone(), reporter, stop).await;
        assert!(cut.interrupted && cut.days.len() < 5, "{:?}", outcomes(&cut));
        let table = desk.table().await;
        for date in WEEK {
            let told = cut.days.iter().any(|day| day.date == date);
            let bars = of_day(&table, date).len();
            assert_eq!(bars, if told { 12 * BARS_OF_TICKER } else { 0 }, "{date} is there as a whole, or not at all");
        }
        let rest = desk.load(all).await;
        assert!(!rest.interrupted);
        let loaded = rest.days.iter().filter(|day| day.outcome == Outcome::Loaded).count();
        assert_eq!(loaded + cut.days.len(), 5);
        assert_same_table(&desk.table().await, &undisturbed(&desk).await);
    }
}

fn all() -> Request {
    request(Dataset::Stocks, MONDAY, FRIDAY)
}

async fn run_alone(desk: &Desk, symbols: Option<&[&str]>) -> RunReport {
    desk.load(match symbols {
        None => all(),
        Some(symbols) => request_of(symbols, Dataset::Stocks, MONDAY, FRIDAY),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_runs_at_once_end_in_one_table() {
    for (one, other) in [
        (None, None),
        (Some(&["S00", "S01", "S02"][..]), Some(&["S02", "S03", "S04", "S05"][..])),
        (None, Some(&["S07"][..])),
    ] {
        let desk = Arc::new(week());
        let runs = [one, other].map(|symbols| {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move { run_alone(&desk, symbols).await })
        });
        for ended in runs {
            let report = ended.await.unwrap();
            let fine = |outcome: &Outcome| matches!(outcome, Outcome::Loaded | Outcome::Unchanged);
            assert!(outcomes(&report).iter().all(fine), "{:?}", report.days);
        }
        let symbols = [one, other].into_iter().collect::<Option<Vec<_>>>().map(|both| both.concat());
        let mut expected = undisturbed(&desk).await;
        expected.retain(|row| symbols.as_ref().is_none_or(|symbols| symbols.contains(&row.symbol.as_str())));
        assert_same_table(&desk.table().await, &expected);
        assert!(outcomes(&run_alone(&desk, one).await).iter().all(|outcome| *outcome == Outcome::Unchanged));
    }
}

/// A plan carried out after another run has changed what it was made from.
pub(super) async fn late(desk: &Desk, asked: Request, meanwhile: impl AsyncFnOnce()) -> RunReport {
    let (mut store, source) = (desk.store().await, Arc::new(desk.source()));
    let reporter = Interrupter::new(At::Never);
    let plan = make_plan(&source, Some(&mut store), asked, &*reporter).await.unwrap();
    meanwhile().await;
    let stop = CancellationToken::new();
    carry_out(vec![plan], source, &desk.database(), &mut store, reporter, stop).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_run_has_loaded_meanwhile_is_not_loaded_again() {
    let desk = week();
    let report = late(&desk, all(), async || drop(run_alone(&desk, None).await)).await;
    assert_eq!(outcomes(&report), [Outcome::Unchanged; 5]);
    assert_same_table(&desk.table().await, &undisturbed(&desk).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_run_has_loaded_in_part_is_completed() {
    let desk = week();
    let report = late(&desk, all(), async || drop(run_alone(&desk, Some(&["S00", "S01"])).await)).await;
    assert_eq!(outcomes(&report), [Outcome::Loaded; 5]);
    assert!(report.days.iter().all(|day| day.bars == 10 * BARS_OF_TICKER as u64), "the other ten symbols");
    assert_same_table(&desk.table().await, &undisturbed(&desk).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_replaced_between_plan_and_load_is_loaded_in_its_new_version() {
    let desk = week();
    let mut restated = tickers(12);
    restated.rotate_left(1);
    let report = late(&desk, all(), async || drop(desk.put_session(FRIDAY, &restated))).await;
    assert_eq!(outcomes(&report), [Outcome::Loaded; 5]);
    assert_same_table(&desk.table().await, &undisturbed(&desk).await);
    assert_eq!(outcomes(&run_alone(&desk, None).await), [Outcome::Unchanged; 5], "the new version is in the ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_gone_between_plan_and_load_is_missing() {
    let desk = week();
    let gone = async || std::fs::remove_file(desk.put_session(FRIDAY, &tickers(12))).unwrap();
    let report = late(&desk, all(), gone).await;
    assert_eq!(day(&report, FRIDAY).outcome, Outcome::Missing);
    assert_eq!(report.days.iter().filter(|day| day.outcome == Outcome::Loaded).count(), 4);
}

/// What became of a day is written to the ledger; that used to fail, and end the run, while another process was loading.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_missing_day_waits_for_the_other_writer_too() {
    let desk = Arc::new(week());
    let mut holder = desk.store().await;
    let running = tokio::spawn({
        let desk = Arc::clone(&desk);
        async move {
            let meanwhile = async || {
                for date in WEEK {
                    std::fs::remove_file(desk.put_session(date, &[])).unwrap();
                }
                holder.begin_day(Dataset::Crypto, FRIDAY, || ()).await.unwrap();
                tokio::spawn(async move {
                    // Longer than the half second for which a single statement waits.
                    tokio::time::sleep(Duration::from_millis(1200)).await;
                    holder.abandon_day().await.unwrap();
                });
            };
            late(&desk, all(), meanwhile).await
        }
    });
    assert_eq!(outcomes(&running.await.unwrap()), [Outcome::Missing; 5]);
}

/// The wait for another process used to go on for up to ten minutes after Ctrl-C.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wait_for_another_process_can_be_interrupted() {
    let desk = week();
    let mut holder = desk.store().await;
    holder.begin_day(Dataset::Crypto, FRIDAY, || ()).await.unwrap();
    let interrupter = Interrupter::new(At::FirstNote);
    let (reporter, stop) = (Arc::clone(&interrupter) as Arc<dyn Reporter>, interrupter.stop.clone());
    let running = desk.load_with(request(Dataset::Stocks, MONDAY, FRIDAY), reporter, stop);
    let report = tokio::time::timeout(Duration::from_secs(30), running).await.expect("the run ends");
    assert!(report.interrupted && report.days.is_empty());
    assert!(interrupter.notes.lock().unwrap()[0].contains("waiting for another process"));
    holder.abandon_day().await.unwrap();
    assert!(desk.table().await.is_empty());
    assert_eq!(outcomes(&run_alone(&desk, None).await), [Outcome::Loaded; 5]);
}

/// The wait to write down what became of a day that was refused used to go on after Ctrl-C.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wait_to_record_a_refusal_can_be_interrupted() {
    let desk = Arc::new(week());
    let mut holder = desk.store().await;
    holder.begin_day(Dataset::Crypto, FRIDAY, || ()).await.unwrap();
    for date in WEEK {
        desk.put(Dataset::Stocks, FileKind::Minute, date, b"no gzip");
    }
    let interrupter = Interrupter::new(At::Never);
    let (reporter, stop) = (Arc::clone(&interrupter) as Arc<dyn Reporter>, interrupter.stop.clone());
    let running = tokio::spawn({
        let desk = Arc::clone(&desk);
        async move { desk.load_with(all(), reporter, stop).await }
    });
    // Nothing tells that it waits; by then it does, as there is nothing else to do.
    tokio::time::sleep(Duration::from_secs(1)).await;
    interrupter.stop.cancel();
    let report = tokio::time::timeout(Duration::from_secs(30), running).await.expect("the run ends").unwrap();
    assert!(report.interrupted && report.days.is_empty(), "{:?}", report.days);
    holder.abandon_day().await.unwrap();
    assert_eq!(outcomes(&run_alone(&desk, None).await), [Outcome::Damaged; 5]);
}
