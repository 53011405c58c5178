//! The vendor's list of splits.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{RestClient, RestError};
use crate::ingest::decode::MAX_REJECTED_SHARE;
use crate::model::Symbol;
use crate::model::splits::ListedSplit;

const PATH: &str = "/stocks/v1/splits";
/// Rows of a page. The vendor's limit.
const PAGE_ROWS: &str = "5000";
/// Of more symbols the whole list is read, which is six pages, rather than a page for each.
const MOST_ONE_BY_ONE: usize = 6;

/// What the vendor lists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SplitList {
    /// Its rows, in the vendor's order.
    pub rows: Vec<ListedSplit>,
    /// Rows that came, rejected ones included.
    pub rows_read: u64,
    /// Rows without a ticker or a date: they are nobody's.
    pub rejected: u64,
    /// The first of them, as far as it is known.
    pub first_rejected: Option<String>,
}

impl RestClient {
    /// All splits of some symbols, or of every one (`None`).
    pub async fn splits(&self, symbols: Option<&[Symbol]>) -> Result<SplitList, RestError> {
        let mut list = SplitList::default();
        match symbols {
            Some(symbols) if symbols.len() <= MOST_ONE_BY_ONE => {
                for symbol in symbols {
                    let query = [("ticker", symbol.as_str()), ("limit", PAGE_ROWS)];
                    self.read_splits(&format!("splits of {symbol}"), &query, &mut list).await?;
                }
            }
            _ => self.read_splits("splits", &[("limit", PAGE_ROWS)], &mut list).await?,
        }
        if let Some(symbols) = symbols {
            // What was not asked for is not taken, whatever is answered.
            let asked: BTreeSet<&str> = symbols.iter().map(Symbol::as_str).collect();
            list.rows.retain(|row| asked.contains(row.ticker.as_str()));
        } else if list.rows.is_empty() {
            // An endpoint under load answers with nothing, and the market has thousands.
            return Err(RestError::damaged("splits", "the list is empty"));
        }
        if list.rejected as f64 > MAX_REJECTED_SHARE * list.rows_read as f64 {
            let first = list.first_rejected.unwrap_or_default();
            let detail =
                format!("{} of {} rows have no ticker or date, such as {first}", list.rejected, list.rows_read);
            return Err(RestError::damaged("splits", detail));
        }
        Ok(list)
    }

    async fn read_splits(&self, what: &str, query: &[(&str, &str)], list: &mut SplitList) -> Result<(), RestError> {
        let mut pages = self.list::<Map<String, Value>>(what, PATH, query);
        while let Some(rows) = pages.next().await? {
            list.rows_read += rows.len() as u64;
            for row in rows {
                if let Some(row) = listed(&row) {
                    list.rows.push(row);
                } else {
                    list.rejected += 1;
                    list.first_rejected.get_or_insert_with(|| self.harmless(&Value::Object(row).to_string()));
                }
            }
        }
        Ok(())
    }
}

/// A row as far as it can be used. Numbers that are none are left out here and flagged where splits are resolved.
fn listed(row: &Map<String, Value>) -> Option<ListedSplit> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let number = |name: &str| row.get(name).and_then(Value::as_f64);
    let ticker = Symbol::from_ticker(text("ticker")?).ok()?;
    Some(ListedSplit {
        ticker: ticker.as_str().to_owned(),
        execution_date: text("execution_date")?.parse().ok()?,
        split_from: number("split_from"),
        split_to: number("split_to"),
        adjustment_type: text("adjustment_type").map(str::to_owned),
        factor: number("historical_adjustment_factor"),
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn parse(text: &str) -> Option<ListedSplit> {
        listed(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn rows_are_read_as_far_as_they_go() {
        let row = parse(
            r#"{"adjustment_type":"stock_dividend","execution_date":"2005-02-28","historical_adjustment_factor":0.0178571,
                "id":"E1","split_from":20,"split_to":21.05,"ticker":"BACpA"}"#,
        );
        let expected = ListedSplit {
            ticker: "BACpA".to_owned(),
            execution_date: date(2005, 2, 28),
            split_from: Some(20.0),
            split_to: Some(21.05),
            adjustment_type: Some("stock_dividend".to_owned()),
            factor: Some(0.0178571),
        };
        assert_eq!(row, Some(expected.clone()));
        let odd = parse(r#"{"execution_date":"2005-02-28","split_from":null,"split_to":"2","ticker":"BACpA"}"#);
        let missing = ListedSplit { split_from: None, split_to: None, adjustment_type: None, factor: None, ..expected };
        assert_eq!(odd, Some(missing));
        for nobodys in [
            r#"{"execution_date":"2005-02-28","split_from":1,"split_to":2}"#,
            r#"{"execution_date":"28.2.2005","split_from":1,"split_to":2,"ticker":"A"}"#,
            r#"{"split_from":1,"split_to":2,"ticker":"A"}"#,
            r#"{"execution_date":"2005-02-28","ticker":"*"}"#,
        ] {
            assert_eq!(parse(nobodys), None, "{nobodys}");
        }
    }
}
