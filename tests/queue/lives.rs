//! Processors that are killed, stopped, several, or without their database.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::harness::{Place, Schema, wait_until};
use super::{DAYS, FILES, MOMENT, Processor, World};

/// A vendor that takes some hundred milliseconds for a file.
fn slow() -> Vec<World> {
    World::on_both_with(|options| options.faults = "GET times=all slow:100000".parse().unwrap())
}

/// What undisturbed loading of the same makes.
fn undisturbed(world: &World, symbols: &str) -> super::harness::Dump {
    let other = Place::new();
    let line = format!("s3 --days={DAYS} --symbols={symbols} --source={}", world.place.bucket().display());
    other.type_line(&line).ended(0);
    other.dump()
}

#[test]
fn what_a_killed_processor_leaves_another_finishes() {
    for world in slow() {
        world.request(&["SPY", "QQQ"], DAYS);
        let killed = world.processor();
        wait_until("both to be claimed", || world.count("processing") == 2);
        let other = world.processor();
        wait_until("some days to be loaded", || world.vendor.counts().get >= 8);
        killed.kill();
        let began = Instant::now();
        let taken_over = "SELECT CAST(count(*) AS TEXT) FROM historical_ingestion_queue WHERE fencing_token > 1";
        wait_until("the other to take over", || world.place.sql(taken_over) == ["2"]);
        let rescue = began.elapsed();
        assert!(rescue < Duration::from_secs(4), "a lease of 2 s and a tick of 0.5 s: {rescue:?}");
        wait_until("the end", || world.count("completed") == 2);
        other.stop("TERM").ended(0);
        world.place.dump().assert_same_bars(&undisturbed(&world, "SPY,QQQ"));
    }
}

#[test]
fn a_processor_that_was_frozen_ends_nothing_that_it_has_lost() {
    for world in slow() {
        world.request(&["SPY"], DAYS);
        let frozen = world.processor();
        wait_until("some days to be loaded", || world.vendor.counts().get >= 8);
        super::signal(frozen.child(), "STOP");
        let other = world.processor();
        // One that is frozen in the midst of a transaction keeps the other out: then it goes on for a moment.
        let mut frozen_at = Instant::now();
        wait_until("the other to be done", || {
            if frozen_at.elapsed() > Duration::from_secs(8) {
                super::signal(frozen.child(), "CONT");
                std::thread::sleep(Duration::from_millis(50));
                super::signal(frozen.child(), "STOP");
                frozen_at = Instant::now();
            }
            world.count("completed") == 1
        });
        let row = "SELECT fencing_token || ' ' || completed_at || ' ' || coalesce(error_message, '-')
                   FROM historical_ingestion_queue";
        let before = world.place.sql(row);
        super::signal(frozen.child(), "CONT");
        // It finds out with its next renewal, and then looks for other work.
        world.request(&["QQQ"], 3);
        wait_until("more work", || world.count("completed") == 2);
        std::thread::sleep(Duration::from_millis(600));
        let of_spy = format!("{row} WHERE symbol = 'SPY'");
        assert_eq!(world.place.sql(&of_spy), before);
        let said = frozen.stop("TERM").ended(0);
        assert!(said.out.contains("taken over by another processor"), "{said:?}");
        other.stop("TERM").ended(0);
    }
}

#[test]
fn two_processors_share_what_there_is_and_no_symbol_is_held_by_both() {
    for world in slow() {
        let both = [world.processor(), world.processor()];
        for symbol in ["SPY", "QQQ", "NVDA", "AAPL", "MSFT", "AA"] {
            for days in [3, DAYS] {
                world.request(&[symbol], days);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let held_twice = "SELECT symbol FROM historical_ingestion_queue WHERE status = 'processing'
                          GROUP BY symbol HAVING count(DISTINCT lease_owner) > 1";
        wait_until("the end", || {
            assert_eq!(world.place.sql(held_twice), Vec::<String>::new());
            world.count("completed") == 12
        });
        for processor in both {
            processor.stop("TERM").ended(0);
        }
        assert_eq!(world.vendor.counts().get, FILES, "they share a cache");
        world.place.dump().assert_same_bars(&undisturbed(&world, "SPY,QQQ,NVDA,AAPL,MSFT,AA"));
    }
}

#[test]
fn a_processor_that_is_asked_to_stop_gives_back_what_it_has_not_finished() {
    for world in slow() {
        for (line, signal, code) in
            [("watchlist run", "TERM", 0), ("watchlist run", "INT", 130), ("watchlist run --once", "TERM", 143)]
        {
            world.place.sql("DELETE FROM historical_ingestion_queue");
            world.request(&["SPY"], 90);
            let processor = Processor::start(&mut world.command(&format!("{line} --json")));
            wait_until("it to be at work", || world.count("processing") == 1);
            let began = Instant::now();
            processor.stop(signal).ended(code);
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
            let row = "SELECT status || ' ' || retry_count || ' ' || coalesce(lease_owner, '-')
                       FROM historical_ingestion_queue";
            assert_eq!(world.place.sql(row), ["pending 0 -"], "{line} {signal}");
        }
    }
}

#[test]
fn a_processor_that_waits_stops_at_once() {
    for world in World::on_both() {
        let processor = world.processor();
        world.request(&["SPY"], 3);
        wait_until("it to be done", || world.count("completed") == 1);
        let began = Instant::now();
        let ran = processor.stop("TERM").ended(0);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        let events: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let words: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(words, ["claimed", "note", "served"], "the note is that there is no key of the API");
        assert_eq!(events[2]["rows"][0]["outcome"], "loaded");
    }
}

/// Between a program and its database; can be closed.
struct Gate {
    address: SocketAddr,
    is_open: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Gate {
    fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, connections) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (opened, kept) = (Arc::clone(&is_open), Arc::clone(&connections));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if !opened.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let [mut from, mut to] = [from, to].map(|stream| stream.try_clone().unwrap());
                    kept.lock().unwrap().push(from.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let mut buffer = [0; 4096];
                        while let Ok(length @ 1..) = from.read(&mut buffer) {
                            if to.write_all(&buffer[..length]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        Self { address, is_open, connections }
    }

    fn set(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::SeqCst);
        if !is_open {
            for connection in self.connections.lock().unwrap().drain(..) {
                let _ = connection.shutdown(std::net::Shutdown::Both);
            }
        }
    }
}

#[test]
fn an_outage_of_the_database_is_outlived() {
    let Some(schema) = Schema::new() else { return };
    let world = World::of(Place::on(schema), |options| {
        options.faults = "GET times=all slow:100000".parse().unwrap();
    });
    let schema = world.place.schema().unwrap();
    let server = url::Url::parse(&schema.url()).unwrap();
    let gate = Gate::before(format!("{}:{}", server.host_str().unwrap(), server.port().unwrap()));
    let mut command = world.command("watchlist run --json");
    command.env("DATABASE_URL", schema.url_through(gate.address));
    let processor = Processor::start(&mut command);
    // Another one that has nothing to do is not to take over what the first one could not keep.
    let idle = Processor::start(&mut command);
    world.request(&["SPY"], DAYS);
    wait_until("some days to be loaded", || world.vendor.counts().get >= 8);
    gate.set(false);
    // Longer than a lease of 2 s: another one might have taken over.
    std::thread::sleep(Duration::from_secs(3));
    gate.set(true);
    let began = Instant::now();
    wait_until("the end", || world.count("completed") == 1);
    assert!(began.elapsed() < MOMENT);
    let claims =
        "SELECT CAST(fencing_token AS TEXT) || ' ' || CAST(retry_count AS TEXT) || ' ' || coalesce(error_message, '-')
                  FROM historical_ingestion_queue";
    assert_eq!(world.place.sql(claims), ["1 0 -"], "one claim, and no try in vain");
    world.request(&["QQQ"], 3);
    wait_until("the next", || world.count("completed") == 2);
    let (one, other) = (processor.stop("TERM").ended(0), idle.stop("TERM").ended(0));
    let ran = if one.out.contains("SPY") { one } else { other };
    assert!(ran.out.contains("trying again until it is back") && ran.out.contains("the database is back"), "{ran:?}");
    world.place.dump().assert_same_bars(&{
        let other = Place::new();
        let source = world.place.bucket().display().to_string();
        other.type_line(&format!("s3 --days={DAYS} --symbols=SPY --source={source}")).ended(0);
        other.type_line(&format!("s3 --days=3 --symbols=QQQ --source={source}")).ended(0);
        other.dump()
    });
}

#[test]
fn one_that_runs_once_says_that_there_is_no_database() {
    let world = World::of(Place::new(), |_| {});
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = world.command("watchlist run --once --json");
    command.env("DATABASE_URL", format!("postgres://u:hunter2@{nobody}/bars"));
    let ran = super::ran(command.env("BARKEEP_LEASE_SECONDS", "0.1")).ended(1);
    assert!(ran.err.contains("cannot connect to the database") && !ran.err.contains("hunter2"), "{ran:?}");
}
