//! Months with nobody looking: a run every night, and a vendor that is late, changes its mind, refuses and breaks down.
//!
//! Five weeks in the tests, three of them on PostgreSQL; `scripts/simulate-year` goes on for longer and prints what happened and
//! which run has told of it.
#![allow(clippy::print_stdout, reason = "prints its table when asked to")]

use std::collections::BTreeMap;

use barkeep::ingest::source::key;
use barkeep::model::{Calendar, Dataset, FileKind, Market, midnight, xnys};
use barkeep::net::RetryPolicy;
use barkeep::sandbox::{Plan, ServeOptions};
use jiff::civil::{Date, date, time};
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::harness::{Place, Schema, Vendor, ran};
use crate::world::{WATCHED, World, usually};

/// Sessions after which the same things happen again, a weekday later.
const BLOCK: usize = 24;

/// Sessions before the first night: as many as it looks back.
const BEFORE: usize = 5;

/// With a holiday and an early close; they end on a Friday.
const FIVE_WEEKS: (Date, Date) = (date(2026, 10, 26), date(2026, 12, 11));
const THREE_WEEKS: (Date, Date) = (FIVE_WEEKS.0, date(2026, 11, 20));
const LAST: Date = date(2026, 10, 2);

/// What happens on a session, or on the night after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// Its file comes ten minutes after it was due, while it is waited for.
    LateMinutes,
    /// Its file comes in the evening of the next day.
    LateHours,
    /// Its file comes three days later.
    LateDays,
    /// Its file is replaced two days later.
    ReplacedYoung,
    /// Its file is replaced two weeks later.
    ReplacedOld,
    /// Its file cannot be unpacked, and is replaced by one that can.
    Damaged,
    /// A listing fails for half the night.
    ListingDown,
    /// Its file comes in the evening, and the REST API is down all night.
    ApiDown,
    /// The run of the night is killed as it commits the day.
    Killed,
    /// The plan does not include files for a night.
    FilesRefused,
    /// It includes nothing at all.
    AllRefused,
    /// There is no file, ever.
    Never,
    /// Nobody is there to run anything.
    Down,
}

use Event::*;

const STORY: [(usize, Event); 18] = [
    (1, LateMinutes),
    (2, LateHours),
    (3, ReplacedOld),
    (4, LateDays),
    (5, ReplacedYoung),
    (7, Damaged),
    (8, Killed),
    (9, ListingDown),
    (11, ApiDown),
    (13, FilesRefused),
    (14, FilesRefused),
    (15, AllRefused),
    (17, Never),
    (18, Down),
    (19, Down),
    (20, Down),
    (21, Down),
    (22, Down),
];

impl Event {
    /// The incidents that a run must have told of.
    const fn told(self) -> &'static [&'static str] {
        match self {
            LateMinutes => &["came_late"],
            LateHours | LateDays => &["late", "by_requests", "came_late", "took_place_of_requests"],
            ReplacedYoung | ReplacedOld => &["replaced"],
            Damaged => &["damaged", "by_requests", "took_place_of_requests"],
            ListingDown => &["outage"],
            ApiDown => &["late", "came_late"],
            Killed => &["previous_run_killed"],
            FilesRefused => &["not_entitled", "by_requests", "took_place_of_requests"],
            AllRefused => &["not_entitled"],
            Never => &["late", "by_requests"],
            Down => &["downtime"],
        }
    }
}

/// Vendors over one bucket that differ in what they refuse.
struct Vendors {
    files_refused: Vendor,
    all_refused: Vendor,
    api_down: Vendor,
}

impl Vendors {
    fn of(world: &World) -> Self {
        let serve = |change: &dyn Fn(&mut ServeOptions)| world.another_vendor(change);
        let nothing = Plan { datasets: Vec::new(), from: None };
        Self {
            files_refused: serve(&|options| options.plan = nothing.clone()),
            all_refused: serve(&|options| {
                options.plan = nothing.clone();
                options.rest.plan = Some(nothing.clone());
            }),
            api_down: serve(&|options| options.faults = "REST key=/v2/aggs/* times=all status:503".parse().unwrap()),
        }
    }
}

#[test]
fn nothing_is_lost_with_nobody_looking() {
    let months: Option<i64> = std::env::var("BARKEEP_YEAR_MONTHS").ok().map(|months| months.parse().unwrap());
    let dates = |usual| months.map_or(usual, |months| (LAST.saturating_sub(months.months()), LAST));
    let store = std::env::var("BARKEEP_YEAR_STORE").unwrap_or_else(|_| "all".to_owned());
    let aloud = months.is_some();
    // The two need not wait for each other.
    std::thread::scope(|both| {
        if store != "postgres" {
            both.spawn(|| simulate(Place::new(), "SQLite", dates(FIVE_WEEKS), aloud));
        }
        if store != "sqlite"
            && let Some(schema) = Schema::new()
        {
            both.spawn(|| simulate(Place::on(schema), "PostgreSQL", dates(THREE_WEEKS), aloud));
        }
    });
}

fn simulate(place: Place, name: &str, (from, to): (Date, Date), aloud: bool) {
    let sessions: Vec<Date> = xnys().sessions(from..=to).map(|(date, _)| date).collect();
    let world = World::new(place, &from.to_string(), &to.to_string());
    // Whatever year it begins in.
    world.at(&midnight(Market::NewYork, from).to_string());
    world.run("watchlist add AAPL QQQ SPY --days-to-backfill=30").ended(0);
    let vendors = Vendors::of(&world);
    // What is before the first night was there before anybody looked.
    let sessions = &sessions[BEFORE..];
    let story: Vec<(Date, Event)> = sessions
        .chunks(BLOCK)
        .flat_map(|block| STORY.iter().filter_map(|(at, event)| Some((*block.get(*at)?, *event))))
        // The last of it is to be over before the end.
        .filter(|(date, event)| *date < to.saturating_sub(if *event == ReplacedOld { 22.days() } else { 6.days() }))
        .collect();
    let mut changes = publish(&world, &story);
    let mut codes: BTreeMap<i32, u32> = BTreeMap::new();
    let began = std::time::Instant::now();
    // Weekends are all alike: but for a long run, the first of them will do.
    let is_night = |night: &Date| aloud || *night < sessions[BLOCK / 4] || sessions.contains(night);
    let nights = sessions[0].series(1.day()).take_while(|night| *night <= to).filter(is_night).collect::<Vec<_>>();
    for night in &nights {
        let evening = Market::NewYork.instant(*night, time(21, 30, 0, 0));
        if world.now() < evening {
            world.at(&evening.to_string());
        }
        while changes.first_key_value().is_some_and(|(at, _)| *at <= evening) {
            let (at, (date, folder)) = changes.pop_first().unwrap();
            world.publish_from(folder, &date.to_string(), at);
        }
        // Weekends go by like the days before them.
        let session = sessions.iter().rev().find(|session| **session <= *night);
        let happens = session.and_then(|session| story.iter().find(|(date, _)| date == session));
        let event = happens.map(|(_, event)| *event).filter(|event| *event == Down || session == Some(night));
        if let Some(code) = run(&world, &vendors, event) {
            *codes.entry(code).or_default() += 1;
        }
    }
    let after = Market::NewYork.instant(to.saturating_add(3.days()), time(12, 0, 0, 0));
    assert!(changes.keys().all(|at| *at <= after), "{changes:?}");
    for (at, (date, folder)) in changes {
        world.publish_from(folder, &date.to_string(), at);
    }
    let last = world.at(&after.to_string()).run("nightly --recheck --lookback=4").ended(0);
    assert!(last.out.starts_with(&format!("nightly: {to} complete; ")), "{}", last.out);
    let took = began.elapsed();

    let never: Vec<Date> = story.iter().filter(|(_, event)| *event == Never).map(|(date, _)| *date).collect();
    let fresh = fresh(&world, from, to, &never);
    let dump = world.dump();
    dump.assert_same_bars(&fresh.dump());
    world.run("verify").ended(0);
    let told = told(&world, &story);
    if aloud {
        println!(
            "\n{name}: {from} to {to}, {} nights in {:.0} s; exit codes {codes:?}",
            nights.len(),
            took.as_secs_f64()
        );
        println!(
            "{} bars, equal in all columns to a fresh load of what was published in the end; verify is clean",
            dump.bars.len()
        );
        println!("{:<14} {:<12} {:<24} {:<22} what the record says", "event", "session", "incident", "night");
        for line in told {
            println!("{line}");
        }
    }
}

/// Publishes everything as the story goes; what is to be published later in the place of something else is returned.
fn publish(world: &World, story: &[(Date, Event)]) -> BTreeMap<Timestamp, (Date, &'static str)> {
    let mut changes = BTreeMap::new();
    for (session, event) in story {
        let name = session.to_string();
        let at = |days: i64, hour, minute| {
            Market::NewYork.instant(session.saturating_add(days.days()), time(hour, minute, 0, 0))
        };
        match event {
            LateMinutes => world.publish(&name, at(1, 11, 10)),
            LateHours | ApiDown => world.publish(&name, at(1, 20, 0)),
            LateDays => world.publish(&name, at(3, 17, 0)),
            ReplacedYoung | ReplacedOld => {
                let days = if *event == ReplacedYoung { 2 } else { 14 };
                world.make_replaced(&name);
                changes.insert(at(days, 12, 0), (*session, "vendor-again"));
            }
            Damaged => {
                world.damage(&name, usually(&name));
                changes.insert(at(1, 18, 0), (*session, "vendor"));
            }
            Never => world.withdraw(&name),
            ListingDown | Killed | FilesRefused | AllRefused | Down => {}
        }
    }
    changes
}

/// A night; its exit code, unless there was no run or it was killed.
fn run(world: &World, vendors: &Vendors, event: Option<Event>) -> Option<i32> {
    let line = "nightly --poll=255m --lookback=4";
    let from = |vendor: &Vendor| world.command_at(&vendor.url(), line);
    let listing_down;
    let mut command = match event {
        Some(Down) => return None,
        Some(FilesRefused) => from(&vendors.files_refused),
        Some(AllRefused) => from(&vendors.all_refused),
        Some(ApiDown) => from(&vendors.api_down),
        Some(ListingDown) => {
            // One listing of those that a look makes, however many they are: two looks give up on it, at 21:30 and at 01:45.
            let year = key::year_prefix(Dataset::Stocks, FileKind::Minute, Market::NewYork.date_of(world.now()).year());
            let times = 2 * RetryPolicy::default().attempts;
            let fault = format!("LIST key={year} times={times} internal-error");
            listing_down = world.another_vendor(&|options| options.faults = fault.parse().unwrap());
            from(&listing_down)
        }
        _ => world.command(line),
    };
    if event == Some(Killed) {
        command.env("BARKEEP_CRASH_AT", "ledger-written");
    }
    let ran = ran(&mut command);
    match event {
        Some(Killed) => assert_eq!(ran.code, -1, "{ran:?}"),
        _ => assert!(matches!(ran.code, 0 | 3), "{} {event:?}: {ran:?}", world.now()),
    }
    (event != Some(Killed)).then_some(ran.code)
}

/// What a database holds that loads all of it in the end.
fn fresh(world: &World, from: Date, to: Date, never: &[Date]) -> Place {
    let place = Place::new();
    let symbols = WATCHED.join(",");
    let run = |line: &str| ran(place.customer(&world.vendor.url(), line).env("BARKEEP_CLOCK", world.clock()));
    let code = if never.is_empty() { 0 } else { 3 };
    run(&format!("s3 --symbols={symbols} --from={from} --to={to}")).ended(code);
    for date in never {
        run(&format!("rest --symbols={symbols} --from={date} --to={date}")).ended(0);
    }
    place
}

/// A line per event and incident: which nights have told of it. All of them must have.
fn told(world: &World, story: &[(Date, Event)]) -> Vec<String> {
    let all = "SELECT CAST(record AS TEXT) FROM ingest_runs WHERE record IS NOT NULL ORDER BY started_at";
    let records: Vec<Value> = world.query(all).iter().map(|record| serde_json::from_str(record).unwrap()).collect();
    let night = |record: &Value| {
        let began: Timestamp = record["started_at"].as_str().unwrap().parse().unwrap();
        Market::NewYork.date_of(began)
    };
    let mut lines = Vec::new();
    let mut killed = records.iter().filter(|record| has(record, "previous_run_killed", None).is_some());
    for (session, event) in story {
        for kind in event.told() {
            let telling: Vec<(&Value, &Value)> = match event {
                Killed => killed.next().map(|record| (record, has(record, kind, None).unwrap())).into_iter().collect(),
                // Which is about no day.
                ListingDown => {
                    let of_night = records.iter().filter(|record| night(record) == *session);
                    of_night.filter_map(|record| Some((record, has(record, kind, None)?))).collect()
                }
                _ => records.iter().filter_map(|record| Some((record, has(record, kind, Some(*session))?))).collect(),
            };
            assert!(!telling.is_empty(), "no run tells of {kind} {session}");
            let (first, last) = (night(telling[0].0), night(telling[telling.len() - 1].0));
            let nights = if first == last { first.to_string() } else { format!("{first}…{last}") };
            let detail = telling[0].1["detail"].as_str().unwrap_or_default();
            let seconds = telling[0].1["seconds"].as_i64().map_or_else(String::new, |seconds| format!("{seconds} s; "));
            let detail: String = detail.chars().take(60).collect();
            lines.push(format!("{:<14} {session:<12} {kind:<24} {nights:<22} {seconds}{detail}", format!("{event:?}")));
        }
    }
    lines
}

/// The incident of a kind that a record has of a date, or at all.
fn has<'a>(record: &'a Value, kind: &str, date: Option<Date>) -> Option<&'a Value> {
    record["incidents"].as_array().unwrap().iter().find(|incident| {
        let of = |name: &str| incident[name].as_str().map(|date| date.parse::<Date>().unwrap());
        let is_about =
            |date: Date| of("from").is_some_and(|from| from <= date) && of("to").is_some_and(|to| date <= to);
        incident["kind"] == kind && date.is_none_or(is_about)
    })
}

#[test]
fn the_story_lies_within_the_calendar() {
    assert!(Calendar::check(FIVE_WEEKS.1.saturating_add(10.days())).is_ok());
    assert!(STORY.iter().all(|(at, _)| *at < BLOCK));
}
