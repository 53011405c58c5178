//! Pieces of SQL. Nothing that comes from outside is put into them: symbols travel as arguments.

use std::ops::RangeInclusive;

use crate::model::{Dataset, Timeframe, TimeframeSet};

/// Now, by the server's clock, in milliseconds since the Unix epoch.
macro_rules! now {
    () => {
        "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint"
    };
}
pub(super) use now;

/// Timeframes as a list.
pub(super) fn words(timeframes: TimeframeSet) -> String {
    let words: Vec<_> = timeframes.iter().map(Timeframe::as_str).map(|word| format!("'{word}'")).collect();
    if words.is_empty() { "NULL".to_owned() } else { words.join(",") }
}

/// That a bar `b` starts in a range.
pub(super) fn within(range_ms: &RangeInclusive<i64>) -> String {
    format!("b.timestamp BETWEEN {} AND {}", range_ms.start(), range_ms.end())
}

/// The ranges of the key that hold a dataset's symbols, ascending: conditions on `b.symbol`. A dataset's symbols stand
/// together, but for stocks, which stand between and around all others.
pub(super) fn segments(dataset: Dataset) -> Vec<String> {
    let from = |prefix: &str| format!("b.symbol >= '{prefix}'");
    let before = |prefix: &str| format!("b.symbol < '{prefix}'");
    // By bytes, a colon is followed by a semicolon.
    let end = |prefix: &str| prefix.replace(':', ";");
    let prefix = dataset.ticker_prefix();
    if !prefix.is_empty() {
        return vec![format!("{} AND {}", from(prefix), before(&end(prefix)))];
    }
    let mut others: Vec<&str> = Dataset::ALL.map(Dataset::ticker_prefix).into();
    others.retain(|prefix| !prefix.is_empty());
    others.sort_unstable();
    let starts = std::iter::once(None).chain(others.iter().map(|prefix| Some(from(&end(prefix)))));
    let ends = others.iter().map(|prefix| Some(before(prefix))).chain([None]);
    starts.zip(ends).map(|(start, end)| start.into_iter().chain(end).collect::<Vec<_>>().join(" AND ")).collect()
}

/// The dataset of a bar `b`.
pub(super) fn dataset() -> String {
    let others = Dataset::ALL.into_iter().filter(|dataset| !dataset.ticker_prefix().is_empty());
    let cases = others.map(|dataset| format!("WHEN {} THEN '{dataset}'", segments(dataset).join(" OR ")));
    let cases: Vec<_> = cases.collect();
    format!("CASE {} ELSE '{}' END", cases.join(" "), Dataset::Stocks)
}

/// A table of the symbols that have a bar `b` under a condition: `WITH RECURSIVE` this. It seeks from symbol to symbol,
/// where `SELECT DISTINCT` would read every bar of the month.
pub(super) fn symbols_where(condition: &str) -> String {
    format!(
        "found (symbol) AS (
             (SELECT b.symbol FROM historical_bars b WHERE {condition} ORDER BY b.symbol LIMIT 1)
             UNION ALL
             SELECT (SELECT b.symbol FROM historical_bars b WHERE b.symbol > f.symbol AND {condition}
                     ORDER BY b.symbol LIMIT 1)
             FROM found f WHERE f.symbol IS NOT NULL)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stocks_stand_between_the_others() {
        assert_eq!(segments(Dataset::Indices), ["b.symbol >= 'I:' AND b.symbol < 'I;'"]);
        assert_eq!(
            segments(Dataset::Stocks),
            [
                "b.symbol < 'C:'",
                "b.symbol >= 'C;' AND b.symbol < 'I:'",
                "b.symbol >= 'I;' AND b.symbol < 'O:'",
                "b.symbol >= 'O;' AND b.symbol < 'X:'",
                "b.symbol >= 'X;'"
            ]
        );
    }
}
