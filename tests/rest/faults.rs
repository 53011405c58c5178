//! What goes wrong at the vendor's REST API, and what becomes of it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use barkeep::model::Dataset;
use barkeep::sandbox::Plan;

use crate::harness::ran;
use crate::{World, by_files};

/// What is stored afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Both symbols, as files would have brought them.
    Both,
    /// SPY, and nothing of AAPL.
    Spy,
    /// SPY, and of AAPL the first day, which was whole before anything went wrong.
    SpyAndADay,
    /// Nothing.
    Nothing,
}

use Left::{Both, Nothing, Spy, SpyAndADay};

/// A fault of the service: its script, the exit code, what is left, and words of the outcome. Requests of SPY and AAPL for
/// two days are made one after the other, in this order.
const OF_THE_SERVICE: &[(&str, &str, i32, Left, &str)] = &[
    ("429 once, with Retry-After", "REST status:429\nREST times=1 retry-after:1", 0, Both, "1 beyond the quota"),
    ("429 once, without", "REST status:429:empty", 0, Both, "1 beyond the quota"),
    ("429 for ever", "REST times=all status:429", 1, Nothing, "failed: minutes of AAPL"),
    ("413 once", "REST status:413", 0, Both, "loaded"),
    ("499 once", "REST status:499", 0, Both, "loaded"),
    ("500 once", "REST status:500", 0, Both, "loaded"),
    ("500 for ever", "REST times=all status:500", 1, Nothing, "HTTP 500"),
    ("503 for ever, of one symbol", "REST key=*/AAPL/* times=all status:503", 3, Spy, "AAPL failed: minutes of AAPL"),
    ("504, an HTML page, once", "REST status:504:html", 0, Both, "loaded"),
    ("200, an HTML page, once", "REST html", 0, Both, "loaded"),
    ("200, an HTML page, for ever", "REST times=all html", 1, Nothing, "HTML"),
    ("401", "REST times=all status:401", 1, Nothing, "MASSIVE_API_KEY"),
    ("403", "REST times=all status:403", 1, Nothing, "AAPL SPY not_entitled"),
    ("404, of one symbol", "REST key=*/AAPL/* times=all status:404", 3, Spy, "AAPL missing: minutes of AAPL"),
    ("JSON that ends early, once", "REST truncate:1000", 0, Both, "loaded"),
    ("JSON that ends early, for ever", "REST times=all truncate:1000", 1, Nothing, "failed: minutes of AAPL"),
    ("no body, once", "REST truncate:0", 0, Both, "loaded"),
    ("connection reset, once", "REST reset:1000", 0, Both, "loaded"),
    ("connection closed early, once", "REST short:1000", 0, Both, "loaded"),
    ("no answer for a while, once", "REST stall:0", 0, Both, "loaded"),
    ("half an answer, once", "REST stall:1000", 0, Both, "loaded"),
    (
        "pages that are the same",
        "REST key=*/AAPL/* times=all repeat-page",
        3,
        SpyAndADay,
        "AAPL damaged: minutes of AAPL",
    ),
    (
        "pages in a circle",
        "REST key=*/AAPL/* page-size:500\nREST key=*/AAPL/* times=all loop",
        3,
        SpyAndADay,
        "AAPL damaged",
    ),
    ("the next page elsewhere", "REST key=*/AAPL/* times=all foreign-next", 3, Spy, "rest.invalid"),
    ("small pages", "REST times=all page-size:100", 0, Both, "loaded"),
    ("an empty page before the rows", "REST times=1 empty-page", 0, Both, "loaded"),
    ("nothing, though there is, once", "REST empty", 0, Both, "loaded"),
    ("nothing, though there is, for ever", "REST times=all empty", 1, Nothing, "SPY: no trade"),
    ("results null, once", "REST null", 0, Both, "loaded"),
    ("adjusted prices", "REST key=*/AAPL/* times=all adjusted", 3, Spy, "AAPL damaged: minutes of AAPL"),
    ("another ticker's rows", "REST key=*/AAPL/* times=all wrong-ticker", 3, Spy, "AAPL damaged: minutes of AAPL"),
    ("a few bad rows", "REST times=all bad-rows:3", 0, Both, "6 rejected"),
    ("many bad rows", "REST key=*/AAPL/* times=all bad-rows:100", 3, Spy, "AAPL damaged: minutes of AAPL"),
    ("rows twice", "REST times=all duplicate-rows", 0, Both, "loaded"),
    ("data said to be delayed", "REST times=all delayed", 0, Both, "loaded"),
];

const LINE: &str = "rest --symbols=SPY,AAPL --from=2026-10-01 --to=2026-10-02 --rate=100/s";

/// `BARKEEP_PRINT_TABLE=1 cargo test --features sandbox --test rest faults -- --nocapture` prints the table.
#[test]
fn faults_of_the_service_have_their_outcome_and_leave_nothing_half_done() {
    // B-54
    let next = AtomicUsize::new(0);
    let table = Mutex::new(vec![String::new(); OF_THE_SERVICE.len()]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(fault) = OF_THE_SERVICE.get(at)
                {
                    let row = suffer(fault);
                    table.lock().unwrap()[at] = row;
                }
            });
        }
    });
    if std::env::var_os("BARKEEP_PRINT_TABLE").is_some() {
        println!("| fault | what is said | exit |\n|---|---|---|\n{}", table.into_inner().unwrap().join("\n"));
    }
}

/// Lives through a fault; gives its row of the table.
fn suffer((name, script, code, left, words): &(&str, &str, i32, Left, &str)) -> String {
    let world = World::with(|options| options.faults = script.parse().unwrap());
    // One request at a time: which one a fault strikes is no matter of chance.
    fs::create_dir(world.place.path("work/barkeep")).unwrap();
    fs::write(world.place.path("work/barkeep/config.toml"), "downloads = 1").unwrap();
    let mut command = world.place.customer(&world.vendor.url(), LINE);
    let ran = ran(command.env("BARKEEP_PATIENCE_MS", "1500")).ended(*code);
    let line = ran.out.lines().chain(ran.err.lines()).find(|line| line.contains(words));
    let line = line.unwrap_or_else(|| panic!("{name}: {words} is not in {} {}", ran.out, ran.err));
    let expected = by_files(&world.place.bucket(), "--symbols=SPY,AAPL --from=2026-10-01 --to=2026-10-02");
    let expected: Vec<String> = match left {
        Both => expected.without_vwap(),
        Spy => expected.without_vwap().into_iter().filter(|bar| bar.starts_with("SPY|")).collect(),
        SpyAndADay => {
            let is_whole = |bar: &String| bar.starts_with("SPY|") || bar.contains("|2026-10-01|");
            expected.without_vwap().into_iter().filter(is_whole).collect()
        }
        Nothing => Vec::new(),
    };
    assert_eq!(world.dump().without_vwap(), expected, "{name}");
    assert!(!format!("{}{}", ran.out, ran.err).contains("sandbox-api-key"), "{name}");
    let mut shown: String = line.trim().chars().take(110).collect();
    if shown.len() < line.trim().len() {
        shown.push('…');
    }
    format!("| {name} | {shown} | {code} |")
}

#[test]
fn what_cannot_be_asked_is_told_before_anything_is() {
    let world = World::new();
    let url = world.vendor.url();
    let with = |line: &str, name: &str, value: &str| {
        let mut command = world.place.customer(&url, line);
        ran(if value.is_empty() { command.env_remove(name) } else { command.env(name, value) })
    };
    for (name, value, code, words) in [
        ("MASSIVE_API_KEY", "", 1, "there is no API key; set MASSIVE_API_KEY"),
        ("MASSIVE_API_KEY", "two words", 1, "the API key is empty or has spaces"),
        ("MASSIVE_API_KEY", "someone-elses", 1, "set MASSIVE_API_KEY"),
        ("MASSIVE_API_URL", "http://127.0.0.1:9", 1, "no answer from 127.0.0.1:9"),
        ("MASSIVE_API_URL", "nowhere", 2, "is not an http or https address"),
    ] {
        let ran = with(LINE, name, value).ended(code);
        assert!(format!("{}{}", ran.out, ran.err).contains(words), "{name} {value}: {ran:?}");
        assert!(value.is_empty() || !ran.err.contains("someone-elses"), "{ran:?}");
    }
    for (line, words) in [
        ("rest --all", "symbol by symbol"),
        ("rest --symbol=SPY --rate=fast", "`fast` is not a rate"),
        ("rest --symbol=SPY --rate=0/s", "`0/s` is not a rate"),
        ("rest --symbol=F:ESZ6", "futures are not supported"),
        ("rest --symbol=SPY --to=2026-10-01", "--from"),
        ("rest --symbol=SPY --from=2026-10-06", "lies in the future"),
        ("bars SPY --fetch", "--from"),
    ] {
        let ran = world.run(line).ended(2);
        assert!(ran.err.contains(words), "{line}: {}", ran.err);
    }
    assert!(world.dump().bars.is_empty());
}

#[test]
fn what_the_plan_does_not_reach_back_to_is_found_and_not_asked_for_again() {
    let world = World::with(|options| {
        options.rest.plan = Some(Plan { datasets: vec![Dataset::Stocks], from: Some("2026-09-25".parse().unwrap()) });
    });
    let ran = world.run("rest --symbols=SPY,AAPL DATES").ended(3);
    assert!(ran.out.contains("2026-09-21 to 2026-09-24 (4 days) AAPL SPY not_entitled"), "{}", ran.out);
    let dates: BTreeSet<String> =
        world.dump().bars.iter().map(|bar| bar.split('|').nth(12).unwrap().to_owned()).collect();
    assert_eq!(dates.first().map(String::as_str), Some("2026-09-25"), "all that the plan includes is there");
    assert_eq!(dates.len(), 6);
    let asked = world.requests();
    let again = world.run("rest --symbols=SPY,QQQ DATES").ended(3);
    assert!(again.out.contains("--force asks again"), "{}", again.out);
    assert_eq!(world.requests(), asked + 1, "one request for what the plan includes of the new symbol");
    world.run("rest --symbol=SPY --from=2026-09-21 --to=2026-09-21 --force").ended(1);
    assert_eq!(world.requests(), asked + 2);
}
