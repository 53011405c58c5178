//! Many requests, several processors and a kill every few seconds; how soon a request is picked up; what idling costs.
//!
//! Small in `cargo test`. `scripts/soak` makes it large by these variables: `BARKEEP_SOAK_STORE`, `BARKEEP_SOAK_REQUESTS`,
//! `BARKEEP_SOAK_SYMBOLS`, `BARKEEP_SOAK_KILL_SECONDS` (with leases as users have them), `BARKEEP_SOAK_PICKUPS`,
//! `BARKEEP_SOAK_IDLE_SECONDS`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use barkeep::model::Dataset;
use barkeep::sandbox::{Dates, Generation, Market, MarketSize, generate};

use flate2::read::GzDecoder;

use super::harness::{Place, Schema, Vendor, generation, minute_key};
use super::{FROM, Processor, TO, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// The databases that are asked for and that there are.
fn places() -> Vec<(&'static str, Place)> {
    let asked = std::env::var("BARKEEP_SOAK_STORE").unwrap_or_else(|_| "all".to_owned());
    let sqlite = (asked != "postgres").then(|| ("sqlite", Place::new()));
    let postgres = (asked != "sqlite").then(Schema::new).flatten().map(|schema| ("postgres", Place::on(schema)));
    sqlite.into_iter().chain(postgres).collect()
}

/// Notes every change of who works on a request, in its order.
const LOG: [(&str, &[&str]); 2] = [
    (
        "sqlite",
        &[
            "CREATE TABLE claim_log (id INTEGER PRIMARY KEY, request INTEGER, symbol TEXT, owner TEXT, at INTEGER)",
            "CREATE TRIGGER log_claims AFTER UPDATE OF lease_owner ON historical_ingestion_queue BEGIN
                 INSERT INTO claim_log (request, symbol, owner, at)
                 VALUES (NEW.id, NEW.symbol, NEW.lease_owner, CAST(unixepoch('subsec') * 1000 AS INTEGER)); END",
        ],
    ),
    (
        "postgres",
        &[
            "CREATE TABLE claim_log (id BIGSERIAL PRIMARY KEY, request BIGINT, symbol TEXT, owner TEXT, at BIGINT)",
            "CREATE FUNCTION log_claims() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO claim_log (request, symbol, owner, at) VALUES (NEW.id, NEW.symbol, NEW.lease_owner,
                     (extract(epoch FROM clock_timestamp()) * 1000)::bigint); RETURN NULL; END $$",
            "CREATE TRIGGER log_claims AFTER UPDATE ON historical_ingestion_queue FOR EACH ROW
                 WHEN (OLD.lease_owner IS DISTINCT FROM NEW.lease_owner) EXECUTE FUNCTION log_claims()",
        ],
    ),
];

/// A row of the log.
struct Claim {
    request: i64,
    symbol: String,
    owner: Option<String>,
    at_ms: i64,
}

fn log(place: &Place) -> Vec<Claim> {
    let sql = "SELECT request || '|' || symbol || '|' || at || '|' || coalesce(owner, '') FROM claim_log ORDER BY id";
    let claim = |row: &String| {
        let fields: Vec<&str> = row.splitn(4, '|').collect();
        let owner = Some(fields[3].to_owned()).filter(|owner| !owner.is_empty());
        let (request, at_ms) = (fields[0].parse().unwrap(), fields[2].parse().unwrap());
        Claim { request, symbol: fields[1].to_owned(), owner, at_ms }
    };
    place.sql(sql).iter().map(claim).collect()
}

/// Symbols that two processors have held at the same time.
fn held_twice(log: &[Claim]) -> Vec<String> {
    let mut holders: BTreeMap<&str, BTreeMap<i64, &str>> = BTreeMap::new();
    let mut twice = Vec::new();
    for claim in log {
        let of_symbol = holders.entry(&claim.symbol).or_default();
        match &claim.owner {
            Some(owner) => of_symbol.insert(claim.request, owner),
            None => of_symbol.remove(&claim.request),
        };
        if of_symbol.values().collect::<BTreeSet<_>>().len() > 1 {
            twice.push(claim.symbol.clone());
        }
    }
    twice
}

/// From each kill to the last request of the killed processor being claimed by another or ended: the longest, milliseconds.
fn longest_rescue(log: &[Claim], kills: &[(u32, i64)]) -> i64 {
    let mut longest = 0;
    for (pid, killed_ms) in kills {
        let of_killed = |owner: &str| owner.split(' ').nth(1) == Some(&pid.to_string());
        let mut held: BTreeMap<i64, bool> = BTreeMap::new();
        for claim in log {
            let was_held = held.get(&claim.request).copied().unwrap_or_default();
            let is_held = claim.owner.as_deref().is_some_and(of_killed);
            // It waits again when the lease is over; then it is claimed.
            if was_held && !is_held && claim.at_ms > *killed_ms {
                longest = longest.max(claim.at_ms - killed_ms);
            }
            held.insert(claim.request, is_held);
        }
    }
    longest
}

/// What the stress asks for.
struct Stress {
    requests: u64,
    symbols: u64,
    /// In days; the last is all there are.
    lengths: Vec<u32>,
    kill_every: Duration,
    /// How many times some of them are asked for.
    waves: usize,
    generation: Generation,
    lease: Option<&'static str>,
}

impl Stress {
    fn new() -> Self {
        let large = number("BARKEEP_SOAK_REQUESTS");
        let mut generation = generation(&[Dataset::Stocks], FROM, TO);
        if large.is_some() {
            generation.market = Market { size: MarketSize::Default, ..generation.market };
            generation.dates = Dates::Range("2026-08-03".parse().unwrap()..=TO.parse().unwrap());
        }
        Self {
            requests: large.unwrap_or(40),
            symbols: number("BARKEEP_SOAK_SYMBOLS").unwrap_or(10),
            lengths: if large.is_some() { vec![5, 12, 20, 31, 45, 60] } else { vec![2, 3, 5, 8, 13, super::DAYS] },
            kill_every: number("BARKEEP_SOAK_KILL_SECONDS").map_or(Duration::from_millis(1200), Duration::from_secs),
            waves: if large.is_some() { 20 } else { 6 },
            generation,
            lease: number("BARKEEP_SOAK_KILL_SECONDS").is_none().then_some("1"),
        }
    }

    /// The rows to insert, all of them different.
    fn rows(&self, symbols: &[String], rng: &mut fastrand::Rng) -> Vec<String> {
        let mut rows: Vec<String> = Vec::new();
        'all: for timeframes in ["1m,5m,15m,1h,4h,day", "1h,day", "5m", "1m,day", "15m"] {
            for days in &self.lengths {
                for symbol in symbols {
                    if rows.len() as u64 >= self.requests {
                        break 'all;
                    }
                    rows.push(format!("('{symbol}', {days}, '{timeframes}', {})", rng.i32(0..2)));
                }
            }
        }
        assert_eq!(rows.len() as u64, self.requests, "more symbols, or fewer requests");
        rng.shuffle(&mut rows);
        rows
    }

    fn insert(place: &Place, rows: &[String]) {
        place.sql(&format!(
            "INSERT INTO historical_ingestion_queue (symbol, days_to_backfill, timeframes, priority) VALUES {}",
            rows.join(", ")
        ));
    }

    fn processor(&self, world: &World, line: &str) -> Command {
        let mut command = world.command(line);
        command.env_remove("BARKEEP_LEASE_SECONDS").stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(lease) = self.lease {
            command.env("BARKEEP_LEASE_SECONDS", lease);
        }
        command
    }

    fn run(&self, kind: &str, place: Place, processors: usize) {
        generate(&place.bucket(), &self.generation).unwrap();
        let slow = if self.lease.is_some() { "GET times=all slow:200000" } else { "GET times=all slow:2000000" };
        let vendor = Vendor::serve_with(&place.bucket(), |options| options.faults = slow.parse().unwrap());
        let world = World { place, vendor, has_key: false };
        world.run("watchlist list").ended(0);
        let (_, statements) = LOG.iter().find(|(of, _)| *of == kind).unwrap();
        for statement in *statements {
            world.place.sql(statement);
        }
        let mut rng = fastrand::Rng::with_seed(7);
        // The last one nobody has ever heard of.
        let mut symbols = busiest(&world.place.bucket(), self.symbols as usize - 1);
        symbols.push("ZZNONE".to_owned());
        let rows = self.rows(&symbols, &mut rng);
        let began = Instant::now();
        let mut working: Vec<Processor> =
            (0..processors).map(|_| Processor::start(&mut self.processor(&world, "watchlist run"))).collect();
        // In waves, as people and programs ask.
        let (mut waves, mut kills) = (rows.chunks(rows.len().div_ceil(self.waves)), Vec::new());
        let (mut next_wave, mut next_kill) = (Instant::now(), Instant::now() + self.kill_every);
        let mut is_all_asked = false;
        loop {
            if Instant::now() >= next_wave && !is_all_asked {
                match waves.next() {
                    Some(wave) => Self::insert(&world.place, wave),
                    None => is_all_asked = true,
                }
                next_wave += self.kill_every / 3;
            }
            if Instant::now() >= next_kill {
                let victim = working.swap_remove(rng.usize(..working.len()));
                let pid = victim.child().id();
                victim.kill();
                kills.push((pid, jiff::Timestamp::now().as_millisecond()));
                working.push(Processor::start(&mut self.processor(&world, "watchlist run")));
                next_kill = Instant::now() + self.kill_every.mul_f64(rng.f64() + 0.5);
            }
            // By one look: what is rescued goes from one status to the other.
            let open = "SELECT CAST(count(*) AS TEXT) FROM historical_ingestion_queue
                        WHERE status IN ('pending', 'processing')";
            if is_all_asked && world.place.sql(open) == ["0"] {
                break;
            }
            assert!(began.elapsed() < Duration::from_mins(30), "{:?}", world.outcomes());
            std::thread::sleep(Duration::from_millis(50));
        }
        let took = began.elapsed();
        for processor in working {
            processor.stop("TERM").ended(0);
        }
        let log = log(&world.place);
        let rescue = Duration::from_millis(longest_rescue(&log, &kills).cast_unsigned());
        let gets = world.vendor.gets();
        let outcomes =
            "SELECT status || ' ' || outcome || ': ' || CAST(count(*) AS TEXT) FROM historical_ingestion_queue
                        GROUP BY status, outcome ORDER BY 1";
        let retries = "SELECT retry_count || ': ' || CAST(count(*) AS TEXT) FROM historical_ingestion_queue
                       GROUP BY retry_count ORDER BY retry_count";
        println!("\nstress on {kind}: {} requests, {} symbols, {processors} processors", rows.len(), symbols.len());
        println!("  ended               {}", world.place.sql(outcomes).join(", "));
        println!("  tried in vain       {}", world.place.sql(retries).join(", "));
        println!("  took                {:.1} s, {} kills", took.as_secs_f64(), kills.len());
        println!("  longest rescue      {:.1} s", rescue.as_secs_f64());
        let (most, all) = (gets.values().max().unwrap(), gets.values().sum::<u64>());
        println!(
            "  GETs per file       {:.2}, at most {most}, of {} files",
            all as f64 / gets.len() as f64,
            gets.len()
        );
        let twice = held_twice(&log);
        println!("  held by two at once {} of {} claims", twice.len(), log.len());

        assert_eq!(twice, Vec::<String>::new());
        assert!(!kills.is_empty());
        let limit = if self.lease.is_some() { 8 } else { 30 };
        assert!(rescue <= Duration::from_secs(limit), "{rescue:?}");
        let wrong = "SELECT symbol || ' ' || coalesce(outcome, '-') FROM historical_ingestion_queue
                     WHERE outcome IS NULL OR outcome <> CASE symbol WHEN 'ZZNONE' THEN 'no_data' ELSE 'loaded' END";
        assert_eq!(world.place.sql(wrong), Vec::<String>::new());
        // What a killed processor was fetching is fetched again, twelve files at most.
        assert!(all <= gets.len() as u64 + 12 * kills.len() as u64, "{gets:?}");
        // One processor that nobody disturbs makes the same of it.
        let calm = World { place: Place::new(), vendor: Vendor::serve(&world.place.bucket()), has_key: false };
        calm.run("watchlist list").ended(0);
        rows.chunks(500).for_each(|rows| Self::insert(&calm.place, rows));
        assert!(self.processor(&calm, "watchlist run --once").status().unwrap().code() == Some(3), "one has no data");
        assert_eq!(calm.vendor.counts().get, gets.len() as u64, "each file once");
        assert_eq!(symbols_and_days(&world.place), symbols_and_days(&calm.place));
    }
}

/// The symbols with the most minutes on the last day.
fn busiest(folder: &Path, most: usize) -> Vec<String> {
    let file = fs::File::open(folder.join(minute_key(TO))).unwrap();
    let mut minutes: BTreeMap<String, u64> = BTreeMap::new();
    for line in BufReader::new(GzDecoder::new(file)).lines().skip(1).map_while(Result::ok) {
        let symbol = line.split(',').next().unwrap();
        *minutes.entry(symbol.to_owned()).or_default() += 1;
    }
    let mut symbols: Vec<(u64, String)> = minutes.into_iter().map(|(symbol, minutes)| (minutes, symbol)).collect();
    symbols.sort_unstable_by(|a, b| b.cmp(a));
    symbols.into_iter().take(most).map(|(_, symbol)| symbol).collect()
}

/// How many bars there are of each series and day, and a sum over them.
fn symbols_and_days(place: &Place) -> Vec<String> {
    let mut rows = place.sql(
        "SELECT symbol || '|' || timeframe || '|' || CAST(count(*) AS TEXT) || '|' || CAST(sum(minutes) AS TEXT) || '|' ||
             CAST(min(timestamp) AS TEXT) || '|' || CAST(max(timestamp) AS TEXT) || '|' || CAST(sum(trades) AS TEXT)
         FROM historical_bars WHERE timeframe <> 'day_official' GROUP BY symbol, timeframe",
    );
    rows.sort();
    rows
}

#[test]
fn every_request_ends_right_whatever_is_killed() {
    let stress = Stress::new();
    for (kind, place) in places() {
        stress.run(kind, place, if kind == "postgres" { 4 } else { 2 });
    }
}

/// The value below which so many of a hundred lie.
fn percentile(sorted: &[i64], percent: usize) -> i64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

#[test]
fn a_request_is_picked_up_at_once() {
    let pickups = number("BARKEEP_SOAK_PICKUPS").unwrap_or(8);
    for (kind, place) in places() {
        let world = World::of(place, |_| {});
        let processor = Processor::start(&mut world.command("watchlist run"));
        let mut rng = fastrand::Rng::with_seed(7);
        for number in 0..pickups {
            // No session: nothing is to be loaded.
            world.place.sql(&format!(
                "INSERT INTO historical_ingestion_queue (symbol, from_date, to_date)
                 VALUES ('S{number}', '2026-09-12', '2026-09-13')"
            ));
            super::wait_until("it to be done", || world.count("failed") == number + 1);
            std::thread::sleep(Duration::from_millis(rng.u64(0..400)));
        }
        let waits = "SELECT CAST(started_at - requested_at AS TEXT) FROM historical_ingestion_queue";
        let mut waits: Vec<i64> = world.place.sql(waits).iter().map(|wait| wait.parse().unwrap()).collect();
        // The first waits for the processor to start.
        waits.remove(0);
        waits.sort_unstable();
        let [median, p99] = [50, 99].map(|percent| percentile(&waits, percent));
        println!("pick-up on {kind}: median {median} ms, p99 {p99} ms of {}", waits.len());
        // A look every 200 ms in a file; at once with LISTEN, where the machine is not busy.
        assert!(median <= 500, "{waits:?}");
        processor.stop("TERM").ended(0);
    }
}

/// What a process holds: memory in kilobytes, open files, of these connections, and how often it has slept.
fn held(pid: u32) -> [u64; 4] {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let files: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten().collect();
    let is_socket = |file: &&fs::DirEntry| {
        fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    let sockets = files.iter().filter(is_socket).count() as u64;
    [value("VmRSS:"), files.len() as u64, sockets, value("voluntary_ctxt_switches:")]
}

#[test]
fn idling_grows_nothing() {
    if !fs::exists("/proc/self/fd").unwrap() {
        println!("NOT RUN: there is no /proc to look into");
        return;
    }
    let seconds = number("BARKEEP_SOAK_IDLE_SECONDS").unwrap_or(4);
    for (kind, place) in places() {
        let world = World::of(place, |_| {});
        let mut command = world.command("watchlist run --interval=2ms");
        let processor = Processor::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        world.request(&["SPY"], 3);
        super::wait_until("it to have worked", || world.count("completed") == 1);
        let pid = processor.child().id();
        std::thread::sleep(Duration::from_secs(seconds / 4));
        let first = held(pid);
        let (mut peak, ends) = (first, Instant::now() + Duration::from_secs(seconds * 3 / 4));
        while Instant::now() < ends {
            std::thread::sleep(Duration::from_millis(250));
            let now = held(pid);
            peak = [0, 1, 2, 3].map(|at| now[at].max(peak[at]));
        }
        let last = held(pid);
        println!("idling on {kind} for {seconds} s, {} wake-ups of its main thread", last[3] - first[3]);
        for (what, at) in [("memory, kB", 0), ("open files", 1), ("connections", 2)] {
            println!("  {what:<12} {} at first, {} at last, {} at most", first[at], last[at], peak[at]);
        }
        assert!(last[0] <= first[0] + 8 * 1024, "{first:?} {last:?}");
        assert!(last[1] <= first[1] + 4 && last[2] <= first[2] + 2, "{first:?} {last:?}");
        processor.stop("TERM").ended(0);
    }
}
