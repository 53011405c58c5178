//! Stocks that split, in the table and in their prices.

use serde_json::{Value, json};

use crate::client::{Customer, file_rows, heard, minutes, rows, told};
use crate::harness::generation;

fn customer() -> Customer {
    Customer::with(|options| options.rest.market.splits = true)
}

fn splits_of(customer: &Customer, ticker: &str) -> Vec<Value> {
    rows(
        &customer
            .pages(&format!("/stocks/v1/splits?ticker={ticker}&execution_date.gte=2026-09-01&sort=execution_date")),
    )
}

/// Last close before October 2026 and first open in it.
fn over_the_month(customer: &Customer, ticker: &str, adjusted: bool) -> (f64, f64) {
    let path = format!("/v2/aggs/ticker/{ticker}/range/1/day/2026-09-30/2026-10-01?adjusted={adjusted}");
    let days = rows([&customer.json(&path)]);
    (days[0]["c"].as_f64().unwrap(), days[1]["o"].as_f64().unwrap())
}

#[test]
fn prices_jump_by_the_ratio_and_adjusted_ones_do_not() {
    let customer = customer();
    for (ticker, ratio, told) in [
        ("QUADS", 4.0, 4.0),
        ("SCORE", 20.0, 20.0),
        ("TENTH", 0.1, 0.1),
        ("CHAIN", 2.0, 2.0),
        ("DIVVY", 1.05, 1.05),
        ("TWICE", 3.0, 3.0),
        // What is wrong with the table is wrong with what the vendor adjusts by it.
        ("FLIPS", 5.0, 1.0),
        ("PHONY", 1.0, 10.0),
        ("UNTLD", 2.0, 1.0),
    ] {
        let near = |jump: f64, expected: f64| (jump / expected - 1.0).abs() < 0.12;
        let (before, after) = over_the_month(&customer, ticker, false);
        assert!(near(before / after, ratio), "{ticker}: {before} {after}");
        // Seen from October 5th: the third split of CHAIN in a row undoes the others.
        let (before, after) = over_the_month(&customer, ticker, true);
        assert!(near(before / after, ratio / told), "{ticker} adjusted: {before} {after}");
    }
    let volume = |adjusted| {
        let path = format!("/v2/aggs/ticker/QUADS/range/1/day/2026-09-30/2026-09-30?adjusted={adjusted}");
        rows([&customer.json(&path)])[0]["v"].as_f64().unwrap()
    };
    assert!((volume(true) / volume(false) - 4.0).abs() < 1e-9);
}

#[test]
fn files_have_the_same_jumps_and_other_stocks_are_as_without() {
    let (with, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut settings = generation(&[barkeep::model::Dataset::Stocks], "2026-10-01", "2026-10-01");
    barkeep::sandbox::generate(without.path(), &settings).unwrap();
    settings.market.splits = true;
    barkeep::sandbox::generate(with.path(), &settings).unwrap();
    let customer = Customer::of(with.path(), |options| options.rest.market = settings.market);
    for ticker in ["QUADS", "DIVVY", "SPY"] {
        let file: Vec<_> = file_rows(with.path(), "2026-10-01", ticker).iter().map(|row| told(row, None)).collect();
        let page = customer.json(&minutes(ticker, "2026-10-01", "2026-10-01"));
        assert_eq!(rows([&page]).iter().map(heard).collect::<Vec<_>>(), file, "{ticker}");
        assert!(file.len() > 390);
    }
    assert_eq!(file_rows(with.path(), "2026-10-01", "SPY"), file_rows(without.path(), "2026-10-01", "SPY"));
    assert!(file_rows(without.path(), "2026-10-01", "QUADS").is_empty());
}

#[test]
fn the_table_tells_what_happened_what_will_and_what_did_not() {
    let customer = customer();
    let quads = splits_of(&customer, "QUADS");
    let dates: Vec<_> = quads.iter().map(|split| split["execution_date"].as_str().unwrap()).collect();
    assert_eq!(dates, ["2026-09-01", "2026-10-01", "2026-11-02"], "the last one is announced");
    let october = &quads[1];
    assert_eq!(
        (&october["split_from"], &october["split_to"], &october["adjustment_type"]),
        (&json!(1), &json!(4), &json!("forward_split"))
    );
    assert_eq!(october["historical_adjustment_factor"], 0.25);
    assert_eq!(quads[0]["historical_adjustment_factor"], 1.0, "4 for 1 has undone 1 for 4");
    let dividend = splits_of(&customer, "DIVVY");
    assert_eq!((&dividend[0]["split_to"], &dividend[0]["adjustment_type"]), (&json!(1.05), &json!("stock_dividend")));
    let twice = splits_of(&customer, "TWICE");
    let same = |a: usize, b: usize| (twice[a] == twice[b], twice[a]["execution_date"] == twice[b]["execution_date"]);
    assert_eq!((same(0, 1), same(2, 3)), ((false, true), (true, true)), "another id, and the same row");
    assert_eq!(splits_of(&customer, "83417Q204").len(), 3);
    assert!(splits_of(&customer, "UNTLD").is_empty());
    assert!(rows([&Customer::with(|_| {}).json("/stocks/v1/splits")]).is_empty(), "a market without such stocks");
}

#[test]
fn both_tables_are_paged_sorted_and_filtered() {
    let customer = customer();
    let whole = rows([&customer.json("/stocks/v1/splits?limit=5000&sort=ticker,execution_date.desc")]);
    assert!(whole.len() > 1000, "{}", whole.len());
    let pages = customer.pages("/stocks/v1/splits?limit=999&sort=ticker,execution_date.desc");
    assert_eq!((rows(&pages), pages.len() > 2), (whole.clone(), true));
    let order =
        |row: &Value| (row["ticker"].as_str().unwrap().to_owned(), row["execution_date"].as_str().unwrap().to_owned());
    let by = |a: &Value, b: &Value| order(a).0.cmp(&order(b).0).then(order(b).1.cmp(&order(a).1));
    assert!(whole.is_sorted_by(|a, b| by(a, b).is_le()));

    let plain = customer.json("/stocks/v1/splits");
    assert_eq!((rows([&plain]).len(), plain["next_url"].is_string()), (100, true));
    let deprecated = customer
        .json("/v3/reference/splits?ticker=CHAIN&execution_date.gte=2026-10-01&execution_date.lt=2026-11-01&order=asc");
    let chain = rows([&deprecated]);
    assert_eq!(chain.iter().map(|row| row["split_to"].as_f64().unwrap()).collect::<Vec<_>>(), [2.0, 3.0, 1.0]);
    assert_eq!(
        chain[0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["execution_date", "id", "split_from", "split_to", "ticker"]
    );
    assert_eq!(rows([&customer.json("/v3/reference/splits")]).len(), 10);
    let day = rows([&customer.json("/stocks/v1/splits?execution_date=2026-10-02")]);
    assert_eq!(day.iter().map(|row| &row["ticker"]).collect::<Vec<_>>(), ["83417Q204", "CHAIN"]);
    for wrong in [
        "/stocks/v1/splits?limit=5001",
        "/v3/reference/splits?limit=1001",
        "/stocks/v1/splits?sort=id",
        "/stocks/v1/splits?execution_date.gte=soon",
    ] {
        assert_eq!(customer.get(wrong).status, 400, "{wrong}");
    }
}
