//! `/v3/snapshot/options/{underlyingAsset}`. There is no other chain than that of now: a date that is asked for is overlooked, as
//! the vendor does.

use jiff::Timestamp;

use super::limit_of;
use super::listing::Listing;
use super::refusal::Refusal;
use super::request::Asked;
use crate::model::Dataset;
use crate::sandbox::market::{Chain, Contract, Market, Told};
use crate::sandbox::server::Plan;

/// What the path begins with.
pub(super) const PATH: &str = "/v3/snapshot/options/";

/// Contracts of a page unless told otherwise, and at most.
const LIMITS: (usize, usize) = (10, 250);

/// Where a page begins, in its cursor.
const OFFSET: &str = "offset";

/// A page of a chain; of an empty one, if there are no options on it.
pub(super) fn page(
    underlying: &str,
    asked: &Asked,
    market: &Market,
    plan: &Plan,
    now: Timestamp,
    page_size: Option<usize>,
) -> Result<Listing, Refusal> {
    if !plan.datasets.contains(&Dataset::Options) {
        return Err(Refusal::NotEntitled);
    }
    if underlying.is_empty() || underlying.contains('/') {
        return Err(Refusal::NotFound);
    }
    let limit = limit_of(asked, LIMITS.0, LIMITS.1)?.min(page_size.unwrap_or(usize::MAX));
    let chain = market.chain(underlying, now);
    let contracts = chain.as_ref().map_or(&[][..], |chain| &chain.contracts);
    let offset: usize = asked.parameter(OFFSET).and_then(|text| text.parse().ok()).unwrap_or(0);
    let link = |offset: usize| asked.link(&asked.path, &[(OFFSET, offset.to_string())]);
    let end = offset.saturating_add(limit);
    let row = |chain: &Chain, contract: &Contract| json(underlying, chain, contract, &chain.told(contract));
    Ok(Listing {
        fields: [("status", "\"OK\"".to_owned())].into(),
        next: (end < contracts.len()).then(|| link(end)),
        rows: chain
            .iter()
            .flat_map(|chain| chain.contracts.iter().skip(offset).take(limit).map(|contract| row(chain, contract)))
            .collect(),
        empty_list: true,
        this: link(offset),
        first: (offset > 0).then(|| link(0)),
    })
}

fn json(underlying: &str, chain: &Chain, contract: &Contract, told: &Told) -> String {
    let Contract { ticker, expiry, is_call, strike, .. } = contract;
    let (kind, style) =
        (if *is_call { "call" } else { "put" }, if underlying.starts_with("I:") { "european" } else { "american" });
    let day = told.day.map_or_else(String::new, |(price, volume, stamp)| {
        format!(
            r#""change":0,"change_percent":0,"close":{price},"high":{price},"last_updated":{stamp},"low":{price},"open":{price},"previous_close":{price},"volume":{volume},"vwap":{price}"#
        )
    });
    let greeks = told.greeks.map_or_else(String::new, |[delta, gamma, theta, vega]| {
        format!(r#""delta":{delta},"gamma":{gamma},"theta":{theta},"vega":{vega}"#)
    });
    let volatility =
        told.implied_volatility.map_or_else(String::new, |number| format!(r#""implied_volatility":{number},"#));
    let open = told.open_interest.map_or_else(String::new, |number| format!(r#""open_interest":{number},"#));
    format!(
        r#"{{"break_even_price":{strike},"day":{{{day}}},"details":{{"contract_type":"{kind}","exercise_style":"{style}","expiration_date":"{expiry}","shares_per_contract":100,"strike_price":{strike},"ticker":"{ticker}"}},"greeks":{{{greeks}}},{volatility}{open}"underlying_asset":{{"change_to_break_even":0,"price":{},"ticker":"{underlying}","timeframe":"REAL-TIME"}}}}"#,
        (chain.spot * 100.0).round() / 100.0
    )
}
