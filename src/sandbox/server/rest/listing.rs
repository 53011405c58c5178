//! A page of rows as JSON, and what faults make of it.

use std::collections::BTreeMap;

use super::fault::RestFault;

/// A page before it is printed.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Values beside the rows, as JSON.
    pub fields: BTreeMap<&'static str, String>,
    /// As JSON.
    pub rows: Vec<String>,
    /// Whether no rows are said as an empty list; else they are not said.
    pub empty_list: bool,
    /// Path and query of the next page.
    pub next: Option<String>,
    /// Those of this page.
    pub this: String,
    /// Those of the first page of the request this goes on with; `None` if this is it.
    pub first: Option<String>,
}

/// The number of rows, in listings that tell it.
pub(super) const ROWS: &str = "resultsCount";
/// A ticker nobody asks for.
const WRONG_TICKER: &str = "\"ZZZZZ\"";
/// Rows that cannot be bars, each for another reason.
const BAD_ROWS: [&str; 6] = [
    r#"{"c":10,"h":9,"l":11,"n":1,"o":10,"t":1790928000000,"v":100,"vw":10}"#,
    r#"{"h":11,"l":9,"n":1,"o":10,"t":1790928060000,"v":100,"vw":10}"#,
    r#"{"c":10,"h":11,"l":9,"n":1,"o":10,"t":-68400000,"v":100,"vw":10}"#,
    r#"{"c":10,"h":11,"l":9,"n":1,"o":10,"t":1790928000001,"v":100,"vw":10}"#,
    r#"{"c":10,"h":11,"l":9,"n":1,"o":10,"t":1790928120000,"v":-100,"vw":10}"#,
    r#"{"c":null,"h":11,"l":9,"n":1,"o":10,"t":1790928180000,"v":100,"vw":10}"#,
];

impl Listing {
    /// The page as a fault makes it.
    pub(super) fn struck(mut self, fault: &RestFault) -> Self {
        match fault {
            RestFault::Empty | RestFault::Null => {
                self.clear();
                self.next = None;
                if *fault == RestFault::Null {
                    self.fields.insert("results", "null".to_owned());
                }
            }
            RestFault::EmptyPage => {
                self.clear();
                self.next = Some(self.this.clone());
            }
            RestFault::RepeatPage => self.next = Some(self.this.clone()),
            RestFault::Loop => self.next = self.first.take().or(self.next),
            RestFault::ForeignNext(origin) => {
                self.next = Some(format!("{origin}{}", self.next.as_ref().unwrap_or(&self.this)));
            }
            RestFault::WrongTicker => {
                self.fields.insert("ticker", WRONG_TICKER.to_owned());
            }
            RestFault::DropRows(rows) => {
                let from = self.rows.len().saturating_sub(*rows) / 2;
                let to = self.rows.len().min(from + rows);
                self.rows.drain(from..to);
            }
            RestFault::BadRows(rows) => {
                for (number, row) in BAD_ROWS.iter().cycle().take(*rows).enumerate() {
                    self.rows.insert((number * 7).min(self.rows.len()), (*row).to_owned());
                }
                self.count_rows();
            }
            RestFault::DuplicateRows => {
                let twice = |(number, row): (usize, String)| {
                    let again = number.is_multiple_of(10).then(|| row.clone());
                    again.into_iter().chain([row])
                };
                self.rows = self.rows.into_iter().enumerate().flat_map(twice).collect();
                self.count_rows();
            }
            RestFault::Delayed => {
                self.fields.insert("status", "\"DELAYED\"".to_owned());
            }
            RestFault::Status(..) | RestFault::Html | RestFault::Truncate(_) | RestFault::Adjusted => {}
        }
        self
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.count_rows();
        if let Some(count) = self.fields.get_mut("queryCount") {
            "0".clone_into(count);
        }
    }

    fn count_rows(&mut self) {
        if let Some(count) = self.fields.get_mut(ROWS) {
            *count = self.rows.len().to_string();
        }
    }

    /// The page as JSON, its links below an origin.
    pub(super) fn into_json(mut self, origin: &str, request_id: &str) -> String {
        self.fields.insert("request_id", format!("\"{request_id}\""));
        if let Some(next) = self.next {
            let url = if next.starts_with('/') { format!("{origin}{next}") } else { next };
            self.fields.insert("next_url", serde_json::Value::from(url).to_string());
        }
        if self.empty_list || !self.rows.is_empty() {
            self.fields.insert("results", format!("[{}]", self.rows.join(",")));
        }
        let fields: Vec<_> = self.fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    }
}
