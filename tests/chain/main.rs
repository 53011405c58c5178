//! `backfill chain` through the real binary against a vendor on loopback, on both databases.
#![cfg(feature = "sandbox")]

mod exporting;
mod importing;
mod taking;

#[path = "../harness/mod.rs"]
mod harness;

use std::fs;

use barkeep::sandbox::ServeOptions;
use harness::{Place, Ran, Schema, Vendor, query, ran};
use serde_json::Value;

/// Friday evening in New York: the session is over.
const FRIDAY_EVENING: &str = "2026-10-03T01:00:00Z";
/// Monday noon: its session is under way.
const MONDAY_NOON: &str = "2026-10-05T16:00:00Z";
/// Monday evening.
const MONDAY_EVENING: &str = "2026-10-06T00:30:00Z";
/// Tuesday before the open: no option has been traded since Monday.
const TUESDAY_EARLY: &str = "2026-10-06T10:00:00Z";

/// Contracts of the tiny market.
const SPY: u64 = 84;
const SPX: u64 = 648;

/// A place with each database there is.
fn places() -> Vec<Place> {
    let places: Vec<_> = [Some(Place::new()), Schema::new().map(Place::on)].into_iter().flatten().collect();
    for place in &places {
        fs::create_dir_all(place.bucket()).unwrap();
    }
    places
}

/// The vendor at an instant.
fn vendor_at(place: &Place, now: &str, change: impl FnOnce(&mut ServeOptions)) -> Vendor {
    Vendor::serve_with(&place.bucket(), |options| {
        options.rest.now = Some(now.parse().unwrap());
        change(options);
    })
}

/// A vendor whose REST endpoints misbehave.
fn vendor_under(place: &Place, now: &str, faults: &str) -> Vendor {
    vendor_at(place, now, |options| options.faults = faults.parse().unwrap())
}

/// A line typed at an instant. Without the wait that a quota may ask for.
fn type_at(place: &Place, vendor: &Vendor, now: &str, line: &str) -> Ran {
    ran(place.customer(&vendor.url(), line).env("BARKEEP_NOW", now))
}

/// Requests for chains that came to the vendor.
fn asked(vendor: &Vendor) -> u64 {
    vendor.rest_counts().requests.get("option_chain").copied().unwrap_or(0)
}

/// The first column of a query's rows, which is a text.
fn rows(place: &Place, sql: &str) -> Vec<String> {
    match place.schema() {
        Some(schema) => schema.query(sql),
        None if place.database().exists() => query(&place.database(), sql),
        None => Vec::new(),
    }
}

/// `session underlying outcome contracts`, of the ledger.
fn ledger(place: &Place) -> Vec<String> {
    let sql = "SELECT CAST(session_date AS TEXT) || ' ' || underlying || ' ' || outcome || ' ' || contracts
               FROM option_chain_ledger ORDER BY underlying, session_date";
    rows(place, sql)
}

/// `session underlying rows`, of the table.
fn stored(place: &Place) -> Vec<String> {
    let sql = "SELECT CAST(session_date AS TEXT) || ' ' || underlying || ' ' || COUNT(*)
               FROM option_chain_daily GROUP BY underlying, session_date ORDER BY underlying, session_date";
    rows(place, sql)
}

/// Every value but when it was known.
fn values(place: &Place) -> Vec<String> {
    let numbers = ["implied_volatility", "delta", "gamma", "theta", "vega", "day_volume"];
    let numbers = numbers.map(|name| format!("COALESCE(CAST(CAST({name} * 1000000 AS BIGINT) AS TEXT), '-')"));
    let sql = format!(
        "SELECT CAST(session_date AS TEXT) || '|' || underlying || '|' || contract || '|'
             || COALESCE(CAST(open_interest AS TEXT), '-') || '|' || {} || '|' || source
         FROM option_chain_daily ORDER BY underlying, session_date, contract",
        numbers.join(" || '|' || ")
    );
    rows(place, &sql)
}

/// `underlying outcome contracts`, of the JSON of `chain`.
fn told(ran: &Ran) -> Vec<String> {
    let row = |row: &Value| format!("{} {} {}", row["underlying"], row["outcome"], row["contracts"]).replace('"', "");
    ran.json()["rows"].as_array().unwrap().iter().map(row).collect()
}
