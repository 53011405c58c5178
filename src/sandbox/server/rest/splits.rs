//! `/stocks/v1/splits`, and `/v3/reference/splits`, which it took the place of.

use std::cmp::Ordering;

use jiff::civil::Date;

use super::limit_of;
use super::listing::Listing;
use super::refusal::Refusal;
use super::request::Asked;
use crate::sandbox::market::{Split, adjustment, split_table};

/// Where a page begins, in its cursor.
const OFFSET: &str = "offset";

/// The two endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `/stocks/v1/splits`.
    Current,
    /// `/v3/reference/splits`.
    Deprecated,
}

impl Dialect {
    /// Rows of a page unless told otherwise, and at most.
    const fn limits(self) -> (usize, usize) {
        match self {
            Self::Current => (100, 5_000),
            Self::Deprecated => (10, 1_000),
        }
    }

    /// Columns to sort by, each with whether the last comes first.
    fn order(self, asked: &Asked) -> Result<Vec<(Column, bool)>, Refusal> {
        let sort = asked.parameter("sort").unwrap_or("execution_date");
        let column = |text: &str, descending: Option<&str>| {
            let descending = match descending {
                Some("desc") => true,
                Some("asc") => false,
                None => asked.parameter("sort").is_none(),
                Some(_) => return Err(wrong("sort", text)),
            };
            Ok((Column::named(text).ok_or_else(|| wrong("sort", text))?, descending))
        };
        match self {
            Self::Deprecated => Ok(vec![column(sort, asked.parameter("order"))?]),
            Self::Current => sort
                .split(',')
                .map(|part| {
                    part.split_once('.').map_or_else(|| column(part, None), |(name, way)| column(name, Some(way)))
                })
                .collect(),
        }
    }

    fn json(self, split: &Split, today: Date) -> String {
        let Split { ticker, execution, from, to, kind, id } = split;
        match self {
            Self::Current => format!(
                r#"{{"adjustment_type":"{kind}","execution_date":"{execution}","historical_adjustment_factor":{},"id":"{id}","split_from":{from},"split_to":{to},"ticker":"{ticker}"}}"#,
                factor(split, today)
            ),
            Self::Deprecated => format!(
                r#"{{"execution_date":"{execution}","id":"{id}","split_from":{from},"split_to":{to},"ticker":"{ticker}"}}"#
            ),
        }
    }
}

/// For prices before a split: this and all later ones up to today, or an announced one alone; six decimals.
fn factor(split: &Split, today: Date) -> f64 {
    let before = split.execution.yesterday().unwrap_or(split.execution);
    (adjustment(split.ticker, before, today.max(split.execution)) * 1e6).round() / 1e6
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Ticker,
    Execution,
}

impl Column {
    fn named(name: &str) -> Option<Self> {
        match name {
            "ticker" => Some(Self::Ticker),
            "execution_date" => Some(Self::Execution),
            _ => None,
        }
    }

    /// How a row's value compares with a text.
    fn compare(self, split: &Split, text: &str) -> Ordering {
        match self {
            Self::Ticker => split.ticker.cmp(text),
            Self::Execution => split.execution.to_string().as_str().cmp(text),
        }
    }

    fn order(self, a: &Split, b: &Split) -> Ordering {
        match self {
            Self::Ticker => a.ticker.cmp(b.ticker),
            Self::Execution => a.execution.cmp(&b.execution),
        }
    }
}

/// A page of the table; of an empty one, if the market has no stocks that split.
pub(super) fn page(
    dialect: Dialect,
    asked: &Asked,
    today: Date,
    has_splits: bool,
    page_size: Option<usize>,
) -> Result<Listing, Refusal> {
    let (default, most) = dialect.limits();
    let limit = limit_of(asked, default, most)?.min(page_size.unwrap_or(usize::MAX));
    let order = dialect.order(asked)?;
    let mut rows = if has_splits { split_table(today) } else { Vec::new() };
    for (name, value) in &asked.parameters {
        let (column, relation) = name.split_once('.').unwrap_or((name, ""));
        let Some(column) = Column::named(column) else { continue };
        if column == Column::Execution && value.parse::<Date>().is_err() {
            return Err(wrong(name, value));
        }
        rows.retain(|row| match (column.compare(row, value), relation) {
            (is, "") => is.is_eq(),
            (is, "gt") => is.is_gt(),
            (is, "gte") => is.is_ge(),
            (is, "lt") => is.is_lt(),
            (is, "lte") => is.is_le(),
            (_, _) => value.split(',').any(|one| column.compare(row, one).is_eq()),
        });
    }
    rows.sort_by(|a, b| {
        let by = |(column, descending): &(Column, bool)| {
            let order = column.order(a, b);
            if *descending { order.reverse() } else { order }
        };
        order.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    let offset: usize = asked.parameter(OFFSET).and_then(|text| text.parse().ok()).unwrap_or(0);
    let link = |offset: usize| asked.link(&asked.path, &[(OFFSET, offset.to_string())]);
    let end = offset.saturating_add(limit);
    Ok(Listing {
        fields: [("status", "\"OK\"".to_owned())].into(),
        next: (end < rows.len()).then(|| link(end)),
        rows: rows.iter().skip(offset).take(limit).map(|row| dialect.json(row, today)).collect(),
        empty_list: true,
        this: link(offset),
        first: (offset > 0).then(|| link(0)),
    })
}

fn wrong(name: &str, value: &str) -> Refusal {
    Refusal::Wrong(format!("'{value}' is not a valid '{name}'"))
}
