//! The vendor's snapshot of an option chain.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::list::MOST_EMPTY_PAGES;
use super::minutes::bear;
use super::{RestClient, RestError};
use crate::ingest::{RejectReason, Rejects};
use crate::model::{Dataset, Market, OptionTicker, Symbol};

/// Contracts of a page. The vendor's limit.
pub const PAGE_CONTRACTS: u64 = 250;

/// A contract as the vendor lists it now. What is absent is not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListedContract {
    /// Contracts that were open at the end of the last trading day.
    pub open_interest: Option<u64>,
    /// Implied volatility, a fraction of one per year.
    pub implied_volatility: Option<f64>,
    /// The greeks.
    pub delta: Option<f64>,
    /// Of delta.
    pub gamma: Option<f64>,
    /// By time.
    pub theta: Option<f64>,
    /// By volatility.
    pub vega: Option<f64>,
    /// Contracts traded on the session; not those of an earlier one, which the vendor goes on to show until the next trade.
    pub day_volume: Option<f64>,
}

/// A chain, whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListedChain {
    /// Its contracts by ticker.
    pub contracts: BTreeMap<String, ListedContract>,
    /// Rows that came, rejected ones included.
    pub rows_read: u64,
    /// Rows that cannot be contracts of the underlying.
    pub rejects: Rejects,
    /// Rows of contracts that had come already; the later one stands.
    pub repeated: u64,
}

impl RestClient {
    /// The chain of an underlying as of now; `each_page` is called when another page has come. The vendor has no other chain than
    /// that of now, whatever date it is asked for. `session` is what volumes are taken of.
    pub async fn option_chain(
        &self,
        underlying: &Symbol,
        session: Date,
        mut each_page: impl FnMut() + Send,
    ) -> Result<ListedChain, RestError> {
        let (chain, is_doubtful) = self.chain_pass(underlying, session, &mut each_page).await?;
        if !is_doubtful {
            return Ok(chain);
        }
        let (again, _) = self.chain_pass(underlying, session, &mut each_page).await?;
        Ok(if again.contracts.len() >= chain.contracts.len() { again } else { chain })
    }

    /// One pass over the pages, and whether it ended with an empty one: under load the vendor answers that there is nothing where
    /// there is something, and one such answer is not believed.
    async fn chain_pass(
        &self,
        underlying: &Symbol,
        session: Date,
        each_page: &mut (impl FnMut() + Send),
    ) -> Result<(ListedChain, bool), RestError> {
        let what = format!("option chain of {underlying}");
        let limit = PAGE_CONTRACTS.to_string();
        let first = self.url(&["v3", "snapshot", "options", underlying.as_str()], &[("limit", &limit)]);
        let mut pages = self.list_from::<Value>(&what, first);
        let (mut chain, mut is_doubtful, mut stale_pages) = (ListedChain::default(), true, 0);
        while let Some(rows) = pages.next().await.map_err(|error| chain.meaning(error))? {
            let known = chain.contracts.len();
            chain.add(&rows, underlying, session);
            stale_pages = if chain.contracts.len() > known { 0 } else { stale_pages + 1 };
            if stale_pages >= MOST_EMPTY_PAGES {
                let detail = format!("{MOST_EMPTY_PAGES} pages one after the other brought nothing new");
                return Err(RestError::Endless { what, detail });
            }
            is_doubtful = rows.is_empty();
            each_page();
        }
        bear(&what, &chain.rejects, chain.rows_read)?;
        Ok((chain, is_doubtful))
    }
}

impl ListedChain {
    /// What an error means after what has come: that there are no options the vendor says with the first page only.
    fn meaning(&self, error: RestError) -> RestError {
        match error {
            RestError::NotFound { what, message } if self.rows_read > 0 => {
                RestError::damaged(&what, format!("the vendor does not know the next page ({message})"))
            }
            other => other,
        }
    }

    /// Adds the rows of a page.
    fn add(&mut self, rows: &[Value], underlying: &Symbol, session: Date) {
        for (row, place) in rows.iter().zip(1..) {
            match contract(row, underlying, session) {
                Ok((ticker, contract)) => {
                    self.repeated += u64::from(self.contracts.insert(ticker.to_string(), contract).is_some());
                }
                Err(reason) => self.rejects.reject(reason, place, || row.to_string()),
            }
        }
        self.rows_read += rows.len() as u64;
    }
}

/// A row as a contract of an underlying.
fn contract(row: &Value, underlying: &Symbol, session: Date) -> Result<(OptionTicker, ListedContract), RejectReason> {
    let details = &row["details"];
    let ticker = details["ticker"].as_str().ok_or(RejectReason::FieldCount)?;
    let ticker: OptionTicker = ticker.parse().map_err(|_| RejectReason::Ticker)?;
    if !agrees(&ticker, details) || !is_on(underlying, &row["underlying_asset"]) {
        return Err(RejectReason::Ticker);
    }
    let greeks = &row["greeks"];
    let contract = ListedContract {
        open_interest: whole(&row["open_interest"])?,
        implied_volatility: not_negative(&row["implied_volatility"])?,
        delta: number(&greeks["delta"])?,
        gamma: number(&greeks["gamma"])?,
        theta: number(&greeks["theta"])?,
        vega: number(&greeks["vega"])?,
        day_volume: not_negative(&row["day"]["volume"])?.filter(|_| is_of(&row["day"]["last_updated"], session)),
    };
    Ok((ticker, contract))
}

/// Whether what else is said of a contract is what its ticker says.
fn agrees(ticker: &OptionTicker, details: &Value) -> bool {
    let right = details["contract_type"].as_str().filter(|word| matches!(*word, "call" | "put"));
    let expiry = details["expiration_date"].as_str();
    let thousandths = details["strike_price"].as_f64().map(|strike| strike * 1000.0);
    right.is_none_or(|word| word == ticker.right().as_str())
        && expiry.is_none_or(|date| date.parse().ok() == Some(ticker.expiry()))
        && thousandths.is_none_or(|strike| (strike - f64::from(ticker.strike_thousandths())).abs() < 1.0)
}

/// Whether the row is about this underlying; the vendor may leave out that an index is one.
fn is_on(underlying: &Symbol, asset: &Value) -> bool {
    let bare = |ticker: &str| ticker.strip_prefix(Dataset::Indices.ticker_prefix()).unwrap_or(ticker).to_owned();
    asset["ticker"].as_str().is_none_or(|ticker| bare(ticker) == bare(underlying.as_str()))
}

/// Whether an instant, in nanoseconds since the Unix epoch, is on a session.
fn is_of(instant: &Value, session: Date) -> bool {
    let at = instant.as_i64().and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
    at.is_some_and(|at| Market::NewYork.date_of(at) == session)
}

/// A number, where it may be missing.
fn number(value: &Value) -> Result<Option<f64>, RejectReason> {
    match value {
        Value::Null => Ok(None),
        value => value.as_f64().filter(|number| number.is_finite()).map(Some).ok_or(RejectReason::Number),
    }
}

fn not_negative(value: &Value) -> Result<Option<f64>, RejectReason> {
    let number = number(value)?;
    if number.is_some_and(|number| number < 0.0) { Err(RejectReason::Number) } else { Ok(number) }
}

/// A count; the vendor may print it with a decimal point or an exponent.
fn whole(value: &Value) -> Result<Option<u64>, RejectReason> {
    /// As far as doubles count without gaps; no market comes near it.
    const MOST: f64 = 9_007_199_254_740_992.0;
    let Some(number) = not_negative(value)? else { return Ok(None) };
    if number.fract() == 0.0 && number <= MOST { Ok(Some(number as u64)) } else { Err(RejectReason::Number) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SESSION: Date = date(2026, 10, 2);

    fn spy() -> Symbol {
        Symbol::from_ticker("SPY").unwrap()
    }

    fn whole_row() -> Value {
        json!({
            "break_even_price": 605.5,
            "day": { "volume": 868, "last_updated": 1_790_971_200_000_000_000_i64 },
            "details": {
                "contract_type": "call", "exercise_style": "american", "expiration_date": "2026-10-16",
                "shares_per_contract": 100, "strike_price": 600, "ticker": "O:SPY261016C00600000"
            },
            "greeks": { "delta": 0.5, "gamma": 0.01, "theta": -0.2, "vega": 0.3 },
            "implied_volatility": 0.18,
            "open_interest": 1543,
            "underlying_asset": { "ticker": "SPY" }
        })
    }

    fn read(change: impl FnOnce(&mut Value)) -> Result<ListedContract, RejectReason> {
        let mut row = whole_row();
        change(&mut row);
        contract(&row, &spy(), SESSION).map(|(_, contract)| contract)
    }

    #[test]
    fn a_row_is_read_as_far_as_it_goes() {
        let whole = ListedContract {
            open_interest: Some(1543),
            implied_volatility: Some(0.18),
            delta: Some(0.5),
            gamma: Some(0.01),
            theta: Some(-0.2),
            vega: Some(0.3),
            day_volume: Some(868.0),
        };
        assert_eq!(read(|_| ()), Ok(whole.clone()));
        let bare = json!({ "details": { "ticker": "O:SPY261016C00600000" } });
        assert_eq!(read(|row| *row = bare), Ok(ListedContract::default()));
        let nulls = |row: &mut Value| {
            for name in ["greeks", "open_interest", "implied_volatility", "day", "underlying_asset"] {
                row[name] = Value::Null;
            }
        };
        assert_eq!(read(nulls), Ok(ListedContract::default()));
        assert_eq!(read(|row| row["open_interest"] = json!(1.543e3)), Ok(whole.clone()));
        assert_eq!(read(|row| row["details"]["contract_type"] = json!("other")), Ok(whole.clone()));
        // What was traded on another day, or nobody knows when, is not the session's.
        let untraded = ListedContract { day_volume: None, ..whole };
        assert_eq!(read(|row| row["day"]["last_updated"] = json!(1_790_884_800_000_000_000_i64)), Ok(untraded.clone()));
        assert_eq!(read(|row| row["day"]["last_updated"] = Value::Null), Ok(untraded));
    }

    #[test]
    fn indices_are_told_with_or_without_their_prefix() {
        let row = |ticker| json!({ "details": { "ticker": "O:SPXW261016C06000000" }, "underlying_asset": { "ticker": ticker } });
        let spx = Symbol::from_ticker("I:SPX").unwrap();
        assert!(contract(&row("I:SPX"), &spx, SESSION).is_ok() && contract(&row("SPX"), &spx, SESSION).is_ok());
        assert_eq!(contract(&row("I:NDX"), &spx, SESSION).map(drop), Err(RejectReason::Ticker));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        type Fault = fn(&mut Value);
        let faults: [(Fault, RejectReason); 13] = [
            (|row| *row = json!(5), RejectReason::FieldCount),
            (|row| row["details"] = json!([]), RejectReason::FieldCount),
            (|row| row["details"]["ticker"] = json!(5), RejectReason::FieldCount),
            (|row| row["details"]["ticker"] = json!("SPY"), RejectReason::Ticker),
            (|row| row["details"]["contract_type"] = json!("put"), RejectReason::Ticker),
            (|row| row["details"]["expiration_date"] = json!("2026-10-17"), RejectReason::Ticker),
            (|row| row["details"]["strike_price"] = json!(605), RejectReason::Ticker),
            (|row| row["underlying_asset"]["ticker"] = json!("QQQ"), RejectReason::Ticker),
            (|row| row["open_interest"] = json!(-1), RejectReason::Number),
            (|row| row["open_interest"] = json!(1.5), RejectReason::Number),
            (|row| row["open_interest"] = json!(1e300), RejectReason::Number),
            (|row| row["implied_volatility"] = json!("0.2"), RejectReason::Number),
            (|row| row["greeks"]["delta"] = json!(true), RejectReason::Number),
        ];
        for (place, (fault, reason)) in faults.into_iter().enumerate() {
            assert_eq!(read(fault), Err(reason), "{place}");
        }
    }

    #[test]
    fn of_a_contract_that_comes_twice_the_later_row_stands() {
        let mut chain = ListedChain::default();
        let mut later = whole_row();
        later["open_interest"] = json!(7);
        chain.add(&[whole_row(), json!({})], &spy(), SESSION);
        chain.add(&[later], &spy(), SESSION);
        assert_eq!((chain.contracts.len(), chain.rows_read, chain.repeated, chain.rejects.total()), (1, 3, 1, 1));
        assert_eq!(chain.contracts["O:SPY261016C00600000"].open_interest, Some(7));
    }

    /// Any JSON, with the names that are looked for.
    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![Just("O:SPY261016C00600000".to_owned()), Just("call".to_owned()), "\\PC{0,8}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        let name = prop::sample::select(vec![
            "details",
            "ticker",
            "contract_type",
            "expiration_date",
            "strike_price",
            "open_interest",
            "greeks",
            "delta",
            "implied_volatility",
            "day",
            "volume",
            "last_updated",
            "underlying_asset",
            "other",
        ]);
        leaf.prop_recursive(3, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..8)
                    .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_row_is_too_odd(row in any_json(), field in prop::sample::select(vec!["open_interest", "day", "greeks", "details"])) {
            let _ = contract(&row, &spy(), SESSION);
            let mut almost = whole_row();
            almost[field] = row;
            if let Ok((_, contract)) = contract(&almost, &spy(), SESSION) {
                let numbers = [contract.implied_volatility, contract.delta, contract.day_volume];
                prop_assert!(numbers.iter().flatten().all(|number| number.is_finite()));
            }
        }
    }
}
