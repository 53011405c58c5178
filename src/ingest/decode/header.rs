//! Binding columns by the names in a file's header.

use csv::ByteRecord;

use crate::model::Dataset;

/// Where each column of interest stands in a file's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Fields per row.
    pub(crate) count: usize,
    pub(crate) ticker: usize,
    pub(crate) open: usize,
    pub(crate) close: usize,
    pub(crate) high: usize,
    pub(crate) low: usize,
    pub(crate) window_start: usize,
    /// Volume and transactions; indices have neither.
    pub(crate) traded: Option<(usize, usize)>,
}

/// A header that does not have what its dataset needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; found: {found}; expected: {expected} (any order; further columns are ignored)")]
pub struct HeaderError {
    problem: String,
    found: String,
    expected: String,
}

impl Columns {
    /// The columns a dataset's aggregate files must have, in the vendor's order.
    pub(crate) const fn expected(dataset: Dataset) -> &'static [&'static str] {
        if dataset.has_volume() {
            &["ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"]
        } else {
            &["ticker", "open", "close", "high", "low", "window_start"]
        }
    }

    /// Finds the columns a dataset needs in a header, wherever they stand.
    pub(crate) fn bind(dataset: Dataset, header: &ByteRecord) -> Result<Self, HeaderError> {
        let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        let refuse = |problem: String| HeaderError {
            problem,
            found: shorten(&names.join(",")),
            expected: Self::expected(dataset).join(","),
        };
        let mut places = Vec::new();
        let mut missing = Vec::new();
        for expected in Self::expected(dataset) {
            let mut matches = names.iter().enumerate().filter(|(_, name)| name == expected).map(|(place, _)| place);
            match (matches.next(), matches.next()) {
                (Some(place), None) => places.push(place),
                (Some(_), Some(_)) => return Err(refuse(format!("column `{expected}` stands twice in the header"))),
                (None, _) => missing.push(format!("`{expected}`")),
            }
        }
        if !missing.is_empty() {
            let what = if missing.len() == places.len() + missing.len() {
                "this is not the header of a file of minute or day bars".to_owned()
            } else {
                format!("the header lacks {}, which {dataset} files have", missing.join(", "))
            };
            return Err(refuse(what));
        }
        let count = names.len();
        Ok(match places[..] {
            [ticker, volume, open, close, high, low, window_start, transactions] => {
                Self { count, ticker, open, close, high, low, window_start, traded: Some((volume, transactions)) }
            }
            [ticker, open, close, high, low, window_start] => {
                Self { count, ticker, open, close, high, low, window_start, traded: None }
            }
            _ => unreachable!("Invariant: one place per expected column"),
        })
    }
}

/// A file that is something else altogether should not fill the screen.
fn shorten(text: &str) -> String {
    const MOST: usize = 200;
    let mut short: String = text.chars().take(MOST).map(|c| if c.is_control() { '·' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(dataset: Dataset, header: &str) -> Result<Columns, HeaderError> {
        Columns::bind(dataset, &ByteRecord::from(header.split(',').collect::<Vec<_>>()))
    }

    #[test]
    fn columns_are_found_by_name_wherever_they_stand() {
        let vendor = bind(Dataset::Stocks, "ticker,volume,open,close,high,low,window_start,transactions").unwrap();
        assert_eq!((vendor.close, vendor.high, vendor.traded), (3, 4, Some((1, 7))));
        let other =
            bind(Dataset::Stocks, "low,exchange,high,close,open,volume,ticker,transactions,window_start").unwrap();
        assert_eq!((other.low, other.open, other.ticker, other.window_start, other.count), (0, 4, 6, 8, 9));
        let index = bind(Dataset::Indices, "ticker,open,close,high,low,window_start").unwrap();
        assert_eq!((index.traded, index.count), (None, 6));
    }

    #[test]
    fn headers_that_lack_something_are_refused_with_both_shown() {
        let error = bind(Dataset::Stocks, "ticker,open,close,high,low,window_start").unwrap_err().to_string();
        assert!(error.contains("lacks `volume`, `transactions`"), "{error}");
        assert!(error.contains("found: ticker,open,close") && error.contains("expected: ticker,volume"), "{error}");
        let error = bind(Dataset::Stocks, "AAPL,1,2,3,4,5,6,7").unwrap_err().to_string();
        assert!(error.contains("not the header"), "{error}");
        let error = bind(Dataset::Indices, "ticker,open,open,close,high,low,window_start").unwrap_err().to_string();
        assert!(error.contains("`open` stands twice"), "{error}");
    }
}
