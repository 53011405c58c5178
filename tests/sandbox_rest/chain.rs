//! Option chains: pages, quirks, and who may have them.

use std::collections::HashSet;

use barkeep::model::{Dataset, OptionTicker};
use barkeep::sandbox::Plan;
use serde_json::Value;

use crate::client::{Customer, rows};

fn chain_of(ticker: &str) -> String {
    format!("/v3/snapshot/options/{ticker}?limit=250")
}

#[test]
fn a_chain_comes_in_pages_and_says_what_its_tickers_say() {
    let customer = Customer::with(|_| {});
    let pages = customer.pages(&chain_of("I:SPX"));
    assert_eq!(pages.len(), 3);
    let contracts = rows(&pages);
    let tickers: Vec<_> = contracts.iter().map(|row| row["details"]["ticker"].as_str().unwrap()).collect();
    assert!(tickers.is_sorted() && tickers.iter().collect::<HashSet<_>>().len() == 648);
    for (ticker, row) in tickers.iter().zip(&contracts) {
        let parsed: OptionTicker = ticker.parse().unwrap();
        let details = &row["details"];
        assert_eq!(details["expiration_date"], parsed.expiry().to_string());
        assert_eq!(details["contract_type"], parsed.right().as_str());
        assert_eq!(details["strike_price"].as_f64().unwrap() * 1000.0, f64::from(parsed.strike_thousandths()));
        assert_eq!(row["underlying_asset"]["ticker"], "I:SPX");
    }
    let lack = |field: &str| contracts.iter().filter(|row| row[field].is_null()).count();
    assert!(lack("open_interest") > 0 && lack("implied_volatility") > 0);
    assert!(contracts.iter().any(|row| row["greeks"] == serde_json::json!({})));
    assert!(contracts.iter().any(|row| row["day"] == serde_json::json!({})));
}

#[test]
fn there_is_no_other_chain_than_that_of_now() {
    let open = |path: &str, now: &str| {
        let customer = Customer::with(|options| options.rest.now = Some(now.parse().unwrap()));
        let rows = rows(&customer.pages(path));
        rows.iter().map(|row| row["open_interest"].clone()).collect::<Vec<Value>>()
    };
    let now = "2026-10-05T16:00:00Z";
    let dated = format!("{}&date=2026-09-01&as_of=2026-09-01", chain_of("SPY"));
    assert_eq!(open(&dated, now), open(&chain_of("SPY"), now));
    assert_ne!(open(&chain_of("SPY"), "2026-10-06T16:00:00Z"), open(&chain_of("SPY"), now));
}

#[test]
fn what_cannot_be_had_is_refused() {
    let customer = Customer::with(|_| {});
    assert_eq!(customer.get("/v3/snapshot/options/SPY?limit=251").status, 400);
    assert_eq!(customer.get("/v3/snapshot/options/SPY/O:SPY261016C00600000").status, 404);
    assert_eq!(rows(&customer.pages("/v3/snapshot/options/SPY")).len(), 84, "ten to a page");
    let empty = customer.json(&chain_of("ZVZZT"));
    assert_eq!((&empty["status"], empty["results"].as_array().unwrap().len()), (&"OK".into(), 0));
    let plan = Plan { datasets: vec![Dataset::Stocks, Dataset::Indices], from: None };
    let customer = Customer::with(|options| options.rest.plan = Some(plan));
    assert_eq!(customer.get(&chain_of("SPY")).status, 403);
}
