//! The log of a run through the real program: every line of stderr is of it, and stdout stays data.

#![cfg(feature = "sandbox")]

mod harness;

use barkeep::model::Dataset;
use harness::{Place, Ran, Vendor, make, ran};
use serde_json::Value;

/// Every line of stderr, which must be an object with a time, a level, the command and the same run.
#[track_caller]
fn lines(ran: &Ran) -> Vec<Value> {
    let lines: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(["INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(!line["message"].as_str().unwrap().is_empty(), "{line}");
        assert_eq!((&line["run"], &line["command"]), (&lines[0]["run"], &lines[0]["command"]), "{line}");
    }
    lines
}

fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[test]
fn every_line_of_a_load_has_its_run_and_every_day_a_line() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-30", "2026-10-02");
    std::fs::remove_file(place.bucket().join(harness::minute_key("2026-10-01"))).unwrap();
    let vendor = Vendor::serve(&place.bucket());
    let typed = "s3 --from=2026-09-30 --to=2026-10-02 --symbol=SPY --json --log=json";
    let first = ran(&mut place.customer(&vendor.url(), typed));
    assert_eq!(first.code, 3, "{first:?}");
    let data: Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!(data["days"].as_array().unwrap().len(), 3, "stdout is the one object");
    let said = lines(&first);
    let days = of(&said, "day");
    let day = |date: &str| *days.iter().find(|line| line["day"] == date).unwrap();
    assert_eq!(days.len(), 3);
    assert_eq!((&day("2026-10-02")["level"], &day("2026-10-02")["outcome"]), (&"INFO".into(), &"loaded".into()));
    assert!(day("2026-10-02")["bars"].as_u64().unwrap() > 0);
    assert_eq!(day("2026-10-02")["dataset"], "stocks");
    assert_eq!((&day("2026-10-01")["level"], &day("2026-10-01")["outcome"]), (&"WARN".into(), &"missing".into()));
    let end = said.last().unwrap();
    assert_eq!((&end["event"], &end["level"], &end["exit_code"]), (&"end".into(), &"WARN".into(), &3.into()));
    assert!(end["run"].as_str().unwrap().starts_with("20261005T160000Z-"), "{end}");
    assert_eq!(end["command"], "s3");

    let second = ran(&mut place.customer(&vendor.url(), &typed.replace("--json ", "--quiet ")));
    let said = lines(&second);
    assert!(said.iter().all(|line| line["level"] != "INFO"), "{said:?}");
    assert!(!of(&said, "day").is_empty(), "what is missing is said though it is quiet");
    assert_eq!(second.out, "");
}

#[test]
fn the_last_line_tells_an_error_with_its_exit_code() {
    let place = Place::new();
    for (typed, exit) in [("s3 --days=2 --symbol=SPY --log=json", 1), ("s3 --from=2031-01-01 --log=json", 2)] {
        let failed = place.run(&typed.split(' ').collect::<Vec<_>>()).ended(exit);
        let said = lines(&failed);
        let end = said.last().unwrap();
        assert_eq!((&end["level"], &end["exit_code"]), (&"ERROR".into(), &exit.into()), "{end}");
        assert_eq!(of(&said, "end").len(), 1);
        assert_eq!(failed.out, "");
    }
    let failed = place.run(&["s3", "--days=2", "--symbol=SPY", "--log=human"]).ended(1);
    let end = failed.err.lines().last().unwrap();
    assert!(end.contains(" ERROR ") && end.contains("exit_code=1") && end.contains("run=20261005T160000Z-"), "{end}");
    let wrong = place.run(&["s3", "--log=xml"]).ended(2);
    assert!(wrong.err.contains("--log"), "{}", wrong.err);
}
