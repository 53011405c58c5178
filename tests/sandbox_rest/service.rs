//! Keys, plans, quotas, statistics, the state of the markets, and the program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use barkeep::model::Dataset;
use barkeep::sandbox::Plan;
use serde_json::json;

use crate::client::{Customer, KEY, get, minutes, next};

const DAY: &str = "/v2/aggs/ticker/SPY/range/1/minute/2026-10-01/2026-10-01?adjusted=false";

#[test]
fn keys_come_in_a_header_or_in_the_address() {
    let customer = Customer::with(|_| {});
    let url = customer.vendor.url() + DAY;
    let ask = |query: &str, header: &str| {
        let headers = [("authorization", header)];
        get(&format!("{url}{query}"), if header.is_empty() { &[] } else { &headers }).unwrap()
    };
    assert_eq!(ask(&format!("&apiKey={KEY}"), "").status, 200);
    assert_eq!(ask("", &format!("Bearer {KEY}")).status, 200);
    assert_eq!(ask("", "").refusal(), (401, "API Key was not provided".to_owned()));
    assert_eq!(ask("", "Bearer guess").refusal(), (401, "Unknown API Key".to_owned()));
    assert_eq!(ask("&apiKey=guess", "").json()["status"], "ERROR");
    let unknown = customer.get("/v1/nothing");
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

#[test]
fn plans_end_where_they_end() {
    let customer = Customer::with(|options| {
        options.plan = Plan { datasets: vec![Dataset::Stocks], from: Some("2026-10-01".parse().unwrap()) };
    });
    let crypto = customer.get(&minutes("X:BTCUSD", "2026-10-01", "2026-10-01"));
    assert_eq!((crypto.status, &crypto.json()["status"]), (403, &json!("NOT_AUTHORIZED")));
    assert!(crypto.refusal().1.starts_with("You are not entitled to this data"));
    let old = customer.get(&minutes("SPY", "2026-09-30", "2026-10-02")).refusal();
    assert_eq!(old.0, 403, "refused as a whole");
    assert!(old.1.starts_with("Your plan doesn't include this data timeframe"), "{old:?}");
    assert_eq!(customer.get(&minutes("SPY", "2026-10-01", "2026-10-02")).status, 200);

    let other = Customer::with(|options| {
        options.plan = Plan { datasets: vec![], from: None };
        options.rest.plan = Some(Plan { datasets: vec![Dataset::Crypto], from: None });
    });
    assert_eq!(other.get(&minutes("X:BTCUSD", "2026-10-01", "2026-10-01")).status, 200);
    assert_eq!(other.get(&minutes("SPY", "2026-10-01", "2026-10-01")).status, 403);
}

#[test]
fn a_quota_is_kept_and_everything_is_counted() {
    let customer = Customer::with(|options| {
        options.rest.quota = Some("5/min".parse().unwrap());
        options.rest.retry_after = true;
    });
    let first = customer.json(&format!("{DAY}&limit=100"));
    let second = next(&first).unwrap();
    for _ in 0..2 {
        customer.json(&second);
    }
    assert_eq!(get(&(customer.vendor.url() + DAY), &[]).unwrap().status, 401);
    customer.json("/v1/marketstatus/now");
    let refused = customer.get(DAY);
    assert_eq!(
        refused.refusal(),
        (
            429,
            "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue."
                .to_owned()
        )
    );
    let wait: u64 = refused.headers["retry-after"].parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");

    let counts = customer.vendor.rest_counts();
    assert_eq!(counts.requests, [("aggregates", 5), ("market_status", 1)].into());
    assert_eq!(counts.refused, [(401, 1), (429, 1)].into());
    assert_eq!((counts.most_in_60_s, counts.most_in_1_s <= 6), (6, true));
    let page =
        format!("{}?adjusted=false&limit=100", second.split('?').next().unwrap().replace(&customer.vendor.url(), ""));
    assert_eq!(counts.pages[&page], 2, "{:?}", counts.pages);
    assert_eq!(counts.pages[&format!("{DAY}&limit=100")], 1);
    let stats = get(&(customer.vendor.url() + "/sandbox/stats"), &[]).unwrap();
    assert_eq!(stats.json(), serde_json::to_value(&counts).unwrap(), "asking is not counted, and needs no key");
    assert_eq!(customer.vendor.counts().get, 0, "nothing of it is S3");

    let without = Customer::with(|options| options.rest.quota = Some("1/min".parse().unwrap()));
    without.json(DAY);
    assert!(!without.get(DAY).headers.contains_key("retry-after"));
}

#[test]
fn the_state_of_the_markets_is_the_calendars() {
    let customer = Customer::with(|_| {});
    let now = customer.json("/v1/marketstatus/now");
    assert_eq!((&now["market"], &now["serverTime"]), (&json!("open"), &json!("2026-10-05T12:00:00-04:00")));
    assert_eq!((&now["exchanges"]["nyse"], &now["currencies"]["crypto"]), (&json!("open"), &json!("open")));
    let upcoming = customer.json("/v1/marketstatus/upcoming");
    assert_eq!(upcoming[0]["date"], "2026-11-26");
    assert_eq!(upcoming[3]["status"], "early-close");
}

#[test]
fn the_program_serves_both_protocols_and_says_what_it_served() {
    let folder = tempfile::tempdir().unwrap();
    let faults = folder.path().join("faults");
    std::fs::write(&faults, "REST key=*/QUADS/* delayed\n").unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_vendor-sandbox"))
        .arg("serve")
        .arg(format!("--data-dir={}", folder.path().join("bucket").display()))
        .arg(format!("--faults={}", faults.display()))
        .args(["--market=tiny", "--days=1", "--splits", "--api-key=other-key", "--quota=100/s", "--rest-delay=15m"])
        .args(["--rest-missing=2026-09-30", "--rest-plan-from=2026-09-28", "--plan-from=2026-10-01", "--log-requests"])
        .env("BARKEEP_NOW", "2026-10-02T16:00:00Z")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let ask = |path: &str| get(&format!("{url}{path}"), &[("authorization", "Bearer other-key")]).unwrap();
    assert_eq!(ask(&minutes("QUADS", "2026-10-02", "2026-10-02")).json()["status"], "DELAYED");
    assert_eq!(ask(&minutes("SPY", "2026-09-30", "2026-09-30")).json()["resultsCount"], 0);
    assert_eq!(ask(&minutes("SPY", "2026-09-27", "2026-09-30")).status, 403);
    assert_eq!(ask(&minutes("SPY", "2026-10-02", "2026-10-03")).status, 403, "tomorrow");
    let with_key = format!("{DAY}&apiKey=other-key");
    assert_eq!(get(&format!("{url}{with_key}"), &[]).unwrap().status, 200);

    assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
    assert!(program.wait().unwrap().success());
    let mut log = String::new();
    program.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("served 5 REST, 5 aggregates, 2 refused with 403; at most "), "{log}");
    assert!(
        log.contains("/SPY/range/1/minute/2026-10-02/2026-10-03 - 403") && log.contains("1 faults struck"),
        "{log}"
    );
    assert!(!log.contains("other-key"), "{log}");
}
