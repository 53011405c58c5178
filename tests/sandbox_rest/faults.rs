//! Faults by script, as they come over the wire.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Customer, KEY, ORIGIN_OF_NOBODY, get_with_patience, next, rows};

const DAY: &str = "/v2/aggs/ticker/SPY/range/1/minute/2026-10-01/2026-10-01?adjusted=false&limit=50000";

/// The page without and with a fault.
fn calm_and_struck(fault: &str) -> (Value, Value) {
    let customer = Customer::under(&format!("REST nth=2 {fault}"));
    (customer.json(DAY), customer.json(DAY))
}

#[test]
fn statuses_come_with_the_vendors_words_with_none_or_from_a_gateway() {
    let statuses = [401, 403, 404, 413, 429, 499, 500, 502, 503, 504];
    let script: String =
        statuses.iter().map(|status| format!("REST status:{status}\nREST status:{status}:empty\n")).collect();
    let customer = Customer::under(&format!("{script}REST status:504:html\nREST html"));
    for status in statuses {
        let reply = customer.get(DAY);
        assert_eq!(reply.status, status);
        assert!(!reply.refusal().1.is_empty() && reply.json()["request_id"].is_string(), "{reply:?}");
        let bare = customer.get(DAY);
        assert_eq!((bare.status, bare.body.as_str()), (status, ""));
    }
    let gateway = customer.get(DAY);
    assert_eq!((gateway.status, gateway.headers["content-type"].as_str()), (504, "text/html"));
    assert_eq!(
        gateway.body,
        "<html><head><title>504 Gateway Time-out</title></head><body><center><h1>504 Gateway Time-out</h1></center><hr><center>nginx</center></body></html>"
    );
    let page = customer.get(DAY);
    assert_eq!((page.status, page.body.starts_with("<html>")), (200, true));
    assert!(!rows([&customer.json(DAY)]).is_empty(), "the script is over");
    assert_eq!(customer.vendor.struck().iter().sum::<u64>(), 22);
}

#[test]
fn rules_are_for_paths_and_some_come_on_top() {
    let customer = Customer::under(
        "REST times=2 retry-after:7\nREST key=*/ticker/X:BTCUSD/* nth=2 status:503\nREST key=*splits* status:429",
    );
    let btc = "/v2/aggs/ticker/X%3ABTCUSD/range/1/minute/2026-10-01/2026-10-01";
    let first = customer.get(btc);
    assert_eq!((first.status, first.headers["retry-after"].as_str()), (200, "7"));
    let second = customer.get(btc);
    assert_eq!((second.status, second.headers["retry-after"].as_str()), (503, "7"));
    let third = customer.get("/stocks/v1/splits");
    assert_eq!((third.status, third.headers.get("retry-after")), (429, None));
    assert_eq!(customer.vendor.struck(), [2, 1, 1]);
}

#[test]
fn bodies_break_off() {
    let customer =
        Customer::under("REST truncate:1000\nREST reset:1000\nREST short:1000\nREST stall:1000\nREST slow:20000");
    let cut = customer.get(DAY);
    assert_eq!((cut.status, cut.body.len()), (200, 1000));
    assert!(serde_json::from_str::<Value>(&cut.body).is_err());
    assert_eq!(customer.try_get(DAY).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(customer.try_get(DAY).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    let bearer = [("authorization", &*format!("Bearer {KEY}"))];
    let stalled = get_with_patience(&(customer.vendor.url() + DAY), &bearer, Duration::from_secs(2)).unwrap_err();
    assert_eq!((stalled.kind(), customer.vendor.struck()[3]), (io::ErrorKind::WouldBlock, 1));
    let path = "/v2/aggs/ticker/SPY/range/1/minute/2026-10-01/2026-10-01?limit=100";
    let began = Instant::now();
    customer.json(path);
    assert!(began.elapsed() > Duration::from_millis(300), "{:?}", began.elapsed());
    let pages = customer.vendor.rest_counts().pages;
    assert_eq!(pages.values().sum::<u64>(), 1, "only the slow page got there: {pages:?}");
}

#[test]
fn nothing_is_said_though_there_is_something() {
    for (fault, results) in [("empty", None), ("null", Some(&Value::Null))] {
        let (calm, struck) = calm_and_struck(fault);
        assert!(!rows([&calm]).is_empty());
        assert_eq!(
            (struck.get("results"), &struck["resultsCount"], next(&struck)),
            (results, &json!(0), None),
            "{fault}"
        );
    }
    let customer = Customer::under("REST empty-page");
    let pages = customer.pages(DAY);
    assert_eq!((pages.len(), rows([&pages[0]]).len()), (2, 0));
    assert_eq!(rows(&pages), rows([&customer.json(DAY)]));
}

#[test]
fn links_lead_astray() {
    let customer = Customer::under("REST times=all page-size:300\nREST nth=2 repeat-page");
    let whole = rows([&Customer::with(|_| {}).json(DAY)]);
    let pages = customer.pages(DAY);
    assert!(pages.iter().all(|page| page["queryCount"].as_u64().unwrap() <= 300));
    assert_eq!(pages[1]["results"], pages[2]["results"]);
    let unique: Vec<_> = [&pages[0]].into_iter().chain(&pages[2..]).collect();
    assert_eq!(rows(unique), whole);
    let counts = customer.vendor.rest_counts();
    assert_eq!(counts.pages.values().filter(|served| **served == 2).count(), 1, "{counts:?}");

    let endless = Customer::under("REST times=all page-size:300\nREST times=all loop");
    let first = endless.json(DAY);
    let second = endless.json(&next(&first).unwrap());
    let third = endless.json(&next(&second).unwrap());
    assert_ne!(first["results"], second["results"]);
    assert_eq!(first["results"], third["results"]);

    let foreign = Customer::under(&format!("REST foreign-next\nREST foreign-next:{ORIGIN_OF_NOBODY}"));
    let hosts = ["https://rest.invalid/v2/aggs/ticker/SPY/", &format!("{ORIGIN_OF_NOBODY}/v2/aggs/ticker/SPY/")];
    for host in hosts {
        let next = next(&foreign.json(DAY)).unwrap();
        assert!(next.starts_with(host), "{next}");
    }
}

#[test]
fn answers_are_not_what_was_asked_for() {
    let (_, struck) = calm_and_struck("wrong-ticker");
    assert_ne!(struck["ticker"], "SPY");
    let (calm, struck) = calm_and_struck("delayed");
    assert_eq!((&calm["status"], &struck["status"]), (&json!("OK"), &json!("DELAYED")));
    assert_eq!(calm["results"], struck["results"]);

    let customer = Customer::with(|options| {
        options.rest.market.splits = true;
        options.faults = "REST nth=2 adjusted".parse().unwrap();
    });
    let quads = "/v2/aggs/ticker/QUADS/range/1/minute/2026-09-30/2026-09-30?adjusted=false";
    let (raw, struck) = (customer.json(quads), customer.json(quads));
    assert_eq!((&raw["adjusted"], &struck["adjusted"]), (&json!(false), &json!(true)));
    let open = |page: &Value| rows([page])[0]["o"].as_f64().unwrap();
    assert!((open(&raw) / open(&struck) - 4.0).abs() < 1e-4);
}

#[test]
fn rows_go_come_twice_and_cannot_be_bars() {
    let (calm, struck) = calm_and_struck("drop-rows:10");
    let (calm, fewer) = (rows([&calm]), rows([&struck]));
    assert_eq!((fewer.len() + 10, &struck["resultsCount"]), (calm.len(), &json!(calm.len())));
    assert!(fewer.iter().all(|row| calm.contains(row)));

    let (calm, struck) = calm_and_struck("duplicate-rows");
    let (calm, mut more) = (rows([&calm]), rows([&struck]));
    assert_eq!((more.len(), &struck["resultsCount"]), (calm.len() + calm.len().div_ceil(10), &json!(more.len())));
    more.dedup();
    assert_eq!(more, calm);

    let (calm, struck) = calm_and_struck("bad-rows:6");
    let (calm, mut more) = (rows([&calm]), rows([&struck]));
    assert_eq!(more.len(), calm.len() + 6);
    let is_bar = |row: &Value| {
        let number = |field: &str| row[field].as_f64();
        let prices = number("l").zip(number("h")).zip(number("o").zip(number("c")));
        prices.is_some_and(|((low, high), (open, close))| low <= open.min(close) && high >= open.max(close))
            && number("v") >= Some(0.0)
            && number("t").is_some_and(|t| t > 0.0 && t % 60_000.0 == 0.0)
    };
    more.retain(is_bar);
    assert_eq!(more, calm, "the good rows are all there, and no bad one is a bar");
}
