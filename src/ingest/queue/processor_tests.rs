use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::civil::date;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fakes::{NOW, World, asks};
use super::{Event, Pace, Processor};
use crate::ingest::{Clock, LoadFailure};
use crate::model::{Dataset, Outcome};
use crate::store::{NewRequest, Queue, RequestOutcome, RequestStatus};

/// A lease of half a second: everything else follows.
fn processor<'w>(world: &'w World, owner: &str, once: bool, stop: &CancellationToken) -> Processor<'w, World> {
    let pace = Pace::new(Duration::from_millis(500), Duration::from_mins(1));
    let clock = Clock::starting(NOW.parse().unwrap());
    Processor::new(world, owner.to_owned(), pace, clock, once, stop.clone())
}

async fn once(world: &World) {
    processor(world, "p", true, &CancellationToken::new()).run().await.unwrap();
}

fn closed(may_pass: bool) -> Option<LoadFailure> {
    Some(LoadFailure { message: "closed".to_owned(), may_pass, is_unset: false })
}

async fn until(what: impl Fn() -> bool) {
    timeout(Duration::from_secs(10), async {
        while !what() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn each_file_is_read_once_for_all_who_want_it() {
    let world = World::new();
    for (symbol, days) in [("A", 90), ("B", 90), ("C", 30), ("ZZZ", 60), ("X:BTCUSD", 5)] {
        world.add(asks(symbol, days));
    }
    once(&world).await;
    let loaded = Some(RequestOutcome::Loaded);
    assert_eq!(world.outcomes(), [loaded, loaded, loaded, Some(RequestOutcome::NoData), loaded]);
    let state = world.state();
    let distinct: BTreeSet<_> = state.reads.iter().copied().collect();
    assert_eq!(distinct.len(), state.reads.len(), "no file twice");
    assert_eq!(state.reads.iter().filter(|(dataset, _)| *dataset == Dataset::Crypto).count(), 5);
    let shown = &state.rows[0].shown;
    assert!(shown.is_sorted() && *shown.last().unwrap() >= 60, "{shown:?}");
    assert!(state.events.iter().any(|event| matches!(event, Event::Served(report) if report.requests.len() > 1)));
}

#[tokio::test]
async fn what_files_lack_is_asked_of_the_api() {
    let world = World::new();
    {
        let mut state = world.state();
        state.api = None;
        state.api_has = ["A", "NEW"].map(str::to_owned).into();
        state.bad_days.insert(date(2026, 9, 30), Outcome::Missing);
        state.bad_days.insert(date(2026, 9, 29), Outcome::Damaged);
    }
    world.add(asks("A", 10));
    world.add(asks("NEW", 10));
    world.add(asks("B", 10));
    once(&world).await;
    let outcome = |outcome| Some(outcome);
    let expected = [RequestOutcome::Loaded, RequestOutcome::Loaded, RequestOutcome::Loaded].map(outcome);
    assert_eq!(world.outcomes(), expected, "of B the API knows nothing on two days");
    assert_eq!(world.state().asked.len(), 3);
}

#[tokio::test]
async fn what_makes_no_sense_ends_and_harms_nobody() {
    let world = World::new();
    world.add(NewRequest { timeframes: "2m".to_owned(), ..asks("A", 10) });
    world.add(NewRequest { symbol: String::new(), ..asks("A", 10) });
    world.add(asks("A", 10));
    once(&world).await;
    let invalid = Some(RequestOutcome::Invalid);
    assert_eq!(world.outcomes(), [invalid, invalid, Some(RequestOutcome::Loaded)]);
    assert!(world.state().rows[0].message.as_ref().unwrap().contains("`2m` is not a timeframe"));
}

#[tokio::test]
async fn closed_ways_are_said_once_and_waited_for_long() {
    let world = World::new();
    world.state().files = closed(false);
    world.add(asks("A", 10));
    world.add(asks("X:BTCUSD", 10));
    once(&world).await;
    let pauses = |world: &World| world.state().rows.iter().map(|row| row.pause.unwrap()).collect::<Vec<_>>();
    assert!(pauses(&world).iter().all(|pause| *pause > Duration::from_mins(1)), "180 leases, more or less");
    assert_eq!(world.notes(), ["files cannot be loaded: closed", "the REST API cannot be asked: no key"]);
    let world = World::new();
    world.state().files = closed(true);
    world.add(asks("A", 10));
    once(&world).await;
    assert!(pauses(&world)[0] < Duration::from_secs(3), "three leases, more or less");
    assert_eq!(world.notes(), ["files cannot be loaded: closed"], "and the API is not asked for all of it");
}

#[tokio::test]
async fn a_way_that_is_open_again_is_said() {
    let world = World::new();
    world.state().files = closed(true);
    world.add(asks("A", 10));
    let stop = CancellationToken::new();
    let mending = async {
        until(|| world.state().rows[0].pause.is_some()).await;
        world.state().files = None;
        world.state().rows[0].pause = None;
        until(|| world.outcomes()[0].is_some()).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(processor(&world, "p", false, &stop).run(), mending);
    served.unwrap();
    assert_eq!(world.outcomes(), [Some(RequestOutcome::Loaded)]);
    assert_eq!(world.notes()[..2], ["files cannot be loaded: closed", "files can be loaded again"]);
}

#[tokio::test]
async fn newcomers_join_between_steps_and_priority_decides() {
    let world = World::new();
    world.state().takes = Duration::from_millis(2);
    world.add(asks("A", 365));
    let stop = CancellationToken::new();
    let serving = processor(&world, "p", false, &stop).run();
    let adding = async {
        until(|| world.state().reads.len() > 5).await;
        world.add(asks("B", 20));
        until(|| world.outcomes()[1].is_some()).await;
        assert_eq!(world.outcomes()[0], None, "the short one does not wait for the long one");
        until(|| world.outcomes()[0].is_some()).await;
        stop.cancel();
    };
    tokio::join!(async { serving.await.unwrap() }, adding);
}

#[tokio::test]
async fn who_is_stopped_gives_back_what_it_has_not_finished() {
    let world = World::new();
    world.state().takes = Duration::from_millis(20);
    world.add(asks("A", 365));
    let stop = CancellationToken::new();
    let stopping = async {
        until(|| world.state().reads.len() > 3).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(processor(&world, "p", false, &stop).run(), stopping);
    served.unwrap();
    let row = world.state().rows[0].clone();
    assert_eq!((row.status, row.retry_count, row.owner), (RequestStatus::Pending, 0, None));
}

#[tokio::test]
async fn who_has_lost_a_claim_ends_nothing_of_it() {
    let world = World::new();
    world.state().takes = Duration::from_millis(50);
    world.add(asks("A", 30));
    let stop = CancellationToken::new();
    let stealing = async {
        until(|| world.state().reads.len() > 2).await;
        // As if its lease had ended and another had claimed it, who is slow.
        let mut thief = world.clone();
        world.state().takes = Duration::from_mins(1);
        {
            let mut state = world.state();
            state.expire();
        }
        thief.rescue_requests("thief").await.unwrap();
        let claimed = thief.claim_requests("thief", Duration::from_mins(1), 9).await.unwrap();
        assert_eq!(claimed.len(), 1);
        until(|| !world.notes().is_empty()).await;
        world.state().takes = Duration::ZERO;
        world.add(asks("B", 3));
        until(|| world.outcomes()[1].is_some()).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(processor(&world, "p", false, &stop).run(), stealing);
    served.unwrap();
    let row = world.state().rows[0].clone();
    assert_eq!((row.status, row.owner.as_deref()), (RequestStatus::Processing, Some("thief")));
    assert_eq!(world.notes()[0], "a request was taken over by another processor, as the lease had ended");
}

#[tokio::test]
async fn an_outage_of_the_database_is_waited_out() {
    let world = World::new();
    world.state().takes = Duration::from_millis(10);
    world.state().is_down = true;
    world.add(asks("A", 30));
    let stop = CancellationToken::new();
    let outages = async {
        until(|| world.notes().len() == 1).await;
        world.state().is_down = false;
        until(|| world.state().reads.len() > 2).await;
        world.state().is_down = true;
        until(|| world.notes().len() == 3).await;
        sleep(Duration::from_millis(50)).await;
        world.state().is_down = false;
        until(|| world.outcomes()[0].is_some()).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(processor(&world, "p", false, &stop).run(), outages);
    served.unwrap();
    assert_eq!(world.outcomes(), [Some(RequestOutcome::Loaded)]);
    let notes = world.notes();
    assert!(notes[0].ends_with("trying again until it is back") && notes[1] == "the database is back", "{notes:?}");
}

#[tokio::test]
async fn one_that_runs_once_gives_up_on_a_database_that_stays_away() {
    let world = World::new();
    world.state().is_down = true;
    let serving = processor(&world, "p", true, &CancellationToken::new()).run();
    let error = timeout(Duration::from_secs(10), serving).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("cannot connect"), "{error}");
}

#[tokio::test]
async fn requests_of_a_dead_processor_are_taken_over() {
    let world = World::new();
    world.add(asks("A", 10));
    let mut dead = world.clone();
    dead.claim_requests("dead", Duration::from_millis(300), 9).await.unwrap();
    let stop = CancellationToken::new();
    let waiting = async {
        until(|| world.outcomes()[0].is_some()).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(processor(&world, "p", false, &stop).run(), waiting);
    served.unwrap();
    assert_eq!(world.state().rows[0].retry_count, 1);
}

/// It waited for as long as a lease is: where processors are killed sooner than that, nothing was ever taken over.
#[tokio::test]
async fn a_processor_that_has_just_started_takes_over_soon() {
    let world = World::new();
    world.add(asks("A", 10));
    let mut dead = world.clone();
    dead.claim_requests("dead", Duration::from_millis(1), 9).await.unwrap();
    sleep(Duration::from_millis(10)).await;
    let stop = CancellationToken::new();
    let lease = Duration::from_secs(4);
    let (pace, clock) = (Pace::new(lease, Duration::from_mins(1)), Clock::starting(NOW.parse().unwrap()));
    let began = Instant::now();
    let serving = Processor::new(&world, "p".to_owned(), pace, clock, false, stop.clone()).run();
    let waiting = async {
        until(|| world.outcomes()[0].is_some()).await;
        stop.cancel();
    };
    let (served, ()) = tokio::join!(serving, waiting);
    served.unwrap();
    assert!(began.elapsed() < lease * 3 / 4, "the next tick is soon enough: {:?}", began.elapsed());
}

/// It went round ten times a second, and said so each time.
#[tokio::test]
async fn a_lasting_error_beside_a_working_queue_puts_requests_off() {
    for is_closed in [false, true] {
        let world = World::new();
        world.state().is_closed = is_closed;
        world.state().unreadable = ["A", "B"].map(str::to_owned).into();
        for symbol in ["A", "B", "C"] {
            world.add(asks(symbol, 10));
        }
        let notes = || {
            let notes = world.notes().into_iter();
            notes.filter(|note| note.starts_with("what is stored")).collect::<Vec<_>>()
        };
        let stop = CancellationToken::new();
        let waiting = async {
            until(|| world.state().rows[..2].iter().all(|row| row.pause.is_some())).await;
            sleep(Duration::from_millis(600)).await;
            assert_eq!(notes().len(), 1, "{:?}", world.notes());
            {
                let mut state = world.state();
                assert!(state.rows[..2].iter().all(|row| row.retry_count == 0 && row.message.is_some()));
                assert_eq!(
                    state.rows[2].outcome,
                    (!is_closed).then_some(RequestOutcome::Loaded),
                    "C is no worse for it"
                );
                (state.is_closed, state.unreadable) = (false, BTreeSet::new());
                state.rows.iter_mut().for_each(|row| row.pause = None);
            }
            until(|| world.outcomes() == [Some(RequestOutcome::Loaded); 3]).await;
            stop.cancel();
        };
        let (served, ()) = tokio::join!(processor(&world, "p", false, &stop).run(), waiting);
        served.unwrap();
        assert!(notes()[0].starts_with("what is stored cannot be read: "), "{:?}", notes());
        assert_eq!(notes()[1..], ["what is stored can be read again"]);
    }
}

/// Whoever was first when the database was back took over what the others held, which counted as a try in vain.
#[tokio::test]
async fn an_outage_of_the_database_costs_no_request_a_try() {
    let (world, lease) = (World::new(), Duration::from_millis(400));
    world.add(asks("A", 10));
    let mut holder = world.clone();
    let held = holder.claim_requests("holder", lease, 9).await.unwrap()[0].held;
    let stop = CancellationToken::new();
    let outage = async {
        for _ in 0..10 {
            sleep(Duration::from_millis(100)).await;
            assert_eq!(holder.renew_requests(&[held], lease).await.unwrap(), [held]);
        }
        world.state().is_down = true;
        sleep(Duration::from_secs(1)).await;
        world.state().is_down = false;
        until(|| world.notes().iter().any(|note| note == "the database is back")).await;
        sleep(Duration::from_millis(100)).await;
        assert_eq!(holder.renew_requests(&[held], lease).await.unwrap(), [held], "nobody has taken it over");
        assert_eq!(world.state().rows[0].retry_count, 0);
        // One that is really dead does not wait for long.
        until(|| world.outcomes()[0].is_some()).await;
        assert_eq!(world.state().rows[0].retry_count, 1);
        stop.cancel();
    };
    let (served, ()) = tokio::join!(processor(&world, "p", false, &stop).run(), outage);
    served.unwrap();
}
