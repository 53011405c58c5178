//! Runs that share their days by claims.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use barkeep::ingest::{Outcome, Reporter, Request, RunError, RunReport, make_plan};
use barkeep::model::{Dataset, FileKind};
use barkeep::store::sqlite::{SqliteClaims, SqliteStore};
use barkeep::store::{BarSink, Claiming, Claims, StoreError};
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use super::common::{BARS_OF_TICKER, Desk, HEADER, LEASE, assert_same_table, csv, gzip, request, request_of, share};
use super::{At, FRIDAY, Interrupter, MONDAY, WEEK, day, outcomes, undisturbed, week};

fn all() -> Request {
    request(Dataset::Stocks, MONDAY, FRIDAY)
}

/// Another process, as far as claims go.
async fn other(desk: &Desk, lease: Duration) -> SqliteClaims {
    desk.store().await.claimant(lease).await.unwrap()
}

async fn claim(claims: &mut SqliteClaims, dates: &[Date]) {
    for date in dates {
        assert!(claims.claim(Dataset::Stocks, *date).await.unwrap(), "{date} is free");
    }
}

/// A run of everything in the background, and what hears its notes.
fn running(desk: &Arc<Desk>, at: At) -> (tokio::task::JoinHandle<RunReport>, Arc<Interrupter>) {
    let interrupter = Interrupter::new(at);
    let (desk, reporter) = (Arc::clone(desk), Arc::clone(&interrupter));
    let stop = interrupter.stop.clone();
    (tokio::spawn(async move { desk.load_with(all(), reporter as Arc<dyn Reporter>, stop).await }), interrupter)
}

async fn until(is_true: impl Fn() -> bool) {
    while !is_true() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn waits_for(interrupter: &Interrupter, days: &str) {
    let note = format!("waiting for {days} another process is loading");
    until(|| interrupter.notes.lock().unwrap().iter().any(|said| said.starts_with(&note))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_day_that_another_process_has_given_back_unloaded_is_loaded_here() {
    let desk = Arc::new(week());
    let mut holder = other(&desk, LEASE).await;
    claim(&mut holder, &WEEK[1..3]).await;
    let (run, interrupter) = running(&desk, At::Never);
    waits_for(&interrupter, "2 days").await;
    for date in WEEK {
        holder.release(Dataset::Stocks, date).await.unwrap();
    }
    let report = run.await.unwrap();
    assert_eq!(outcomes(&report), [Outcome::Loaded; 5]);
    assert_eq!(interrupter.notes.lock().unwrap().len(), 1, "it is said once");
    assert_same_table(&desk.table().await, &undisturbed(&desk).await);
    claim(&mut holder, &WEEK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_day_that_another_process_has_loaded_is_reported_so() {
    let desk = Arc::new(week());
    let mut holder = other(&desk, LEASE).await;
    claim(&mut holder, &[FRIDAY]).await;
    let (run, interrupter) = running(&desk, At::Never);
    waits_for(&interrupter, "a day").await;
    // It loads the day, and does not even come to give it back.
    let mut store = desk.store().await;
    let source = Arc::new(desk.source());
    let asked = request(Dataset::Stocks, FRIDAY, FRIDAY);
    let plan = make_plan(&source, Some(&mut store), asked, &*interrupter).await.unwrap();
    let (mut claims, mut ledger) = (Fake::default(), desk.store().await);
    let sharing = (&mut claims, &mut ledger, LEASE);
    let reporter = Interrupter::new(At::Never);
    share(vec![plan], source, &mut store, sharing, reporter, CancellationToken::new()).await.unwrap();
    let report = run.await.unwrap();
    assert_eq!(day(&report, FRIDAY).outcome, Outcome::Unchanged);
    assert_eq!(day(&report, FRIDAY).notes, ["another process loaded it"]);
    assert_eq!(report.days.iter().filter(|day| day.outcome == Outcome::Loaded).count(), 4);
    assert_same_table(&desk.table().await, &undisturbed(&desk).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_days_of_a_process_that_died_are_loaded_when_its_lease_ends() {
    let desk = Arc::new(week());
    let mut dead = other(&desk, Duration::from_secs(1)).await;
    claim(&mut dead, &WEEK).await;
    let (run, interrupter) = running(&desk, At::Never);
    waits_for(&interrupter, "5 days").await;
    assert_eq!(outcomes(&run.await.unwrap()), [Outcome::Loaded; 5]);
    assert_same_table(&desk.table().await, &undisturbed(&desk).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wait_for_days_of_others_can_be_interrupted() {
    let desk = Arc::new(week());
    let mut holder = other(&desk, LEASE).await;
    claim(&mut holder, &WEEK[..2]).await;
    let (run, _) = running(&desk, At::FirstNote);
    let report = tokio::time::timeout(Duration::from_secs(30), run).await.expect("the run ends").unwrap();
    assert!(report.interrupted);
    assert!(report.days.iter().all(|day| day.date > WEEK[1] && day.outcome == Outcome::Loaded), "{:?}", report.days);
    holder.release(Dataset::Stocks, WEEK[0]).await.unwrap();
    holder.release(Dataset::Stocks, WEEK[1]).await.unwrap();
    claim(&mut other(&desk, LEASE).await, &WEEK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_interrupted_run_gives_its_days_back() {
    for at in [At::FirstDay, At::FirstDecoding] {
        let desk = Arc::new(week());
        let (run, _) = running(&desk, at);
        assert!(run.await.unwrap().interrupted);
        claim(&mut other(&desk, LEASE).await, &WEEK).await;
    }
}

/// What another process could not load is tried here, too, and said of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_day_that_fails_in_another_process_fails_here() {
    let desk = Arc::new(week());
    desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, b"no gzip");
    let runs = [running(&desk, At::Never).0, running(&desk, At::Never).0];
    for run in runs {
        let report = run.await.unwrap();
        assert_eq!(day(&report, FRIDAY).outcome, Outcome::Damaged);
        assert_eq!(report.days.len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_day_is_loaded_by_one_of_several_runs() {
    let desk = Arc::new(week());
    let runs: Vec<_> = (0..3).map(|_| running(&desk, At::Never).0).collect();
    let mut loaded = Vec::new();
    for run in runs {
        let report = run.await.unwrap();
        assert_eq!(report.days.iter().map(|day| day.date).collect::<Vec<_>>(), WEEK);
        for day in report.days {
            match day.outcome {
                Outcome::Loaded => loaded.push(day.date),
                other => assert_eq!(other, Outcome::Unchanged),
            }
        }
    }
    loaded.sort();
    assert_eq!(loaded, WEEK);
    assert_same_table(&desk.table().await, &undisturbed(&desk).await);
}

/// A claimant that always gets its way, until it fails.
#[derive(Debug, Default)]
struct Fake {
    held: BTreeSet<Date>,
    renewed: Arc<AtomicU32>,
    fails_to_claim: bool,
    fails_to_renew: bool,
}

fn full() -> StoreError {
    StoreError::DiskFull { database: "claims".into() }
}

impl Claims for Fake {
    async fn claim(&mut self, _: Dataset, date: Date) -> Result<bool, StoreError> {
        // The newest days are claimed first.
        if self.fails_to_claim && date < WEEK[3] {
            return Err(full());
        }
        assert!(self.held.insert(date), "{date} is claimed once");
        Ok(true)
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        self.renewed.fetch_add(1, Ordering::Relaxed);
        if self.fails_to_renew { Err(full()) } else { Ok(()) }
    }

    async fn release(&mut self, _: Dataset, date: Date) -> Result<(), StoreError> {
        self.held.remove(&date);
        Ok(())
    }
}

/// A run of everything with claims and a ledger of the test's own.
async fn run_with(
    desk: &Desk,
    asked: Request,
    claims: &mut Fake,
    ledger: &mut SqliteStore,
    lease: Duration,
) -> Result<RunReport, RunError> {
    let (mut store, source) = (desk.store().await, Arc::new(desk.source()));
    let reporter = Interrupter::new(At::Never);
    let plan = make_plan(&source, Some(&mut store), asked, &*reporter).await.unwrap();
    share(vec![plan], source, &mut store, (claims, ledger, lease), reporter, CancellationToken::new()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn leases_are_renewed_for_as_long_as_days_are_held() {
    let desk = week();
    let mut holder = desk.store().await;
    holder.begin_day(Dataset::Crypto, FRIDAY, || ()).await.unwrap();
    let mut claims = Fake::default();
    let renewed = Arc::clone(&claims.renewed);
    let mut ledger = desk.store().await;
    let run = run_with(&desk, all(), &mut claims, &mut ledger, Duration::from_millis(40));
    let freed = async {
        until(|| renewed.load(Ordering::Relaxed) >= 3).await;
        holder.abandon_day().await.unwrap();
    };
    let (report, ()) = futures_util::future::join(run, freed).await;
    assert_eq!(outcomes(&report.unwrap()), [Outcome::Loaded; 5]);
    assert!(claims.held.is_empty(), "all days are given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_that_fail_end_the_run_and_leave_whole_days() {
    for (fails_to_claim, fails_to_renew) in [(true, false), (false, true)] {
        let desk = week();
        let mut holder = desk.store().await;
        if fails_to_renew {
            // The run is in the midst of waiting.
            holder.begin_day(Dataset::Crypto, FRIDAY, || ()).await.unwrap();
        }
        let mut claims = Fake { fails_to_claim, fails_to_renew, ..Fake::default() };
        let mut ledger = desk.store().await;
        let error = run_with(&desk, all(), &mut claims, &mut ledger, Duration::from_millis(40)).await.unwrap_err();
        assert!(matches!(error, RunError::Store(StoreError::DiskFull { .. })), "{error:?}");
        assert!(claims.held.is_empty(), "all days are given back");
        holder.abandon_day().await.unwrap();
        assert_eq!(desk.table().await.len() % (12 * BARS_OF_TICKER), 0);
        let report = desk.load(all()).await;
        assert!(report.days.iter().all(|day| matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged)));
        assert_same_table(&desk.table().await, &undisturbed(&desk).await);
    }
}

/// Claims only share work out. Here they hinder nobody and the ledger shows nothing, as if each process had just looked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_claims_a_day_is_still_loaded_once() {
    for (first, bars) in [(None, 0), (Some(&["S00", "S01"][..]), 10 * BARS_OF_TICKER as u64)] {
        let desk = week();
        let asked = first.map_or_else(all, |symbols| request_of(symbols, Dataset::Stocks, MONDAY, FRIDAY));
        let mut blind = SqliteStore::open(&desk.dir.path().join("empty.db")).await.unwrap();
        let (mut store, source) = (desk.store().await, Arc::new(desk.source()));
        let reporter = Interrupter::new(At::Never);
        let plan = make_plan(&source, Some(&mut store), all(), &*reporter).await.unwrap();
        desk.load(asked).await;
        let sharing = (&mut Fake::default(), &mut blind, LEASE);
        let report = share(vec![plan], source, &mut store, sharing, reporter, CancellationToken::new()).await.unwrap();
        let expected = if bars == 0 { Outcome::Unchanged } else { Outcome::Loaded };
        assert_eq!(outcomes(&report), [expected; 5]);
        assert!(report.days.iter().all(|day| day.bars == bars));
        assert_same_table(&desk.table().await, &undisturbed(&desk).await);
    }
}

/// A day planned again in the midst of its load lost the note that its day file is damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_day_file_is_said_although_another_run_was_here() {
    let desk = week();
    desk.put(Dataset::Stocks, FileKind::Day, FRIDAY, &gzip(csv(HEADER, ["no row"; 50])));
    let (mut store, source) = (desk.store().await, Arc::new(desk.source()));
    let reporter = Interrupter::new(At::Never);
    let asked = request(Dataset::Stocks, FRIDAY, FRIDAY);
    let plan = make_plan(&source, Some(&mut store), asked, &*reporter).await.unwrap();
    desk.load(request_of(&["S00"], Dataset::Stocks, FRIDAY, FRIDAY)).await;
    let mut blind = SqliteStore::open(&desk.dir.path().join("empty.db")).await.unwrap();
    let sharing = (&mut Fake::default(), &mut blind, LEASE);
    let report = share(vec![plan], source, &mut store, sharing, reporter, CancellationToken::new()).await.unwrap();
    assert_eq!((outcomes(&report), report.days[0].bars), (vec![Outcome::Loaded], 11 * BARS_OF_TICKER as u64));
    assert_eq!(report.days[0].day_file_outcome, Some(Outcome::Damaged));
    assert!(report.days[0].notes.iter().any(|note| note.starts_with("no official day bars: ")));
}
