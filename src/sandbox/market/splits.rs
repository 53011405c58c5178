//! Stocks that split, and the vendor's table of splits with its defects.
//!
//! The stocks split at the beginning of every month, so that there are splits whatever dates are made; most of what an even
//! month does the next month undoes, so that prices stay where they are over the years.

use std::sync::LazyLock;

use jiff::ToSpan;
use jiff::civil::Date;

use super::rng::{hash_numbers, hash_text};
use crate::model::{Calendar, xnys};

/// The stocks and their price before the first split of an even month.
pub(super) const STOCKS: [(&str, f64); 9] = [
    // 4 for 1.
    ("QUADS", 400.0),
    // 20 for 1.
    ("SCORE", 900.0),
    // 1 for 10.
    ("TENTH", 6.0),
    // 2 for 1, 3 for 1 and 1 for 6 on three sessions in a row.
    ("CHAIN", 120.0),
    // A stock dividend of 5 % every quarter: a share of 2003 is some 93 of today's.
    ("DIVVY", 9_000.0),
    // 3 for 1, in the table twice: the same row again, or, in odd months, under another id.
    ("TWICE", 150.0),
    // 5 for 1, and the opposite beside it in the table.
    ("FLIPS", 250.0),
    // 10 for 1 in the table, and nothing of it in the prices.
    ("PHONY", 80.0),
    // 2 for 1 in the prices, and nothing of it in the table.
    ("UNTLD", 60.0),
];

/// Nobody trades it; the table has it.
const NOT_TRADED: &str = "83417Q204";
/// How long before its execution a split is announced.
const ANNOUNCED_DAYS: i32 = 45;

/// A row of the vendor's table.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Whose.
    pub ticker: &'static str,
    /// The first date of the new shares.
    pub execution: Date,
    /// So many old shares …
    pub from: f64,
    /// … are so many new ones.
    pub to: f64,
    /// The vendor's word for it.
    pub kind: &'static str,
    /// The vendor's number of the row.
    pub id: String,
}

/// Something that happens to a stock, in truth or only in the table.
struct Event {
    ticker: &'static str,
    execution: Date,
    ratio: (f64, f64),
    happens: bool,
    /// Numbers of its rows in the table.
    rows: &'static [u64],
}

/// All of them, by stock and then by date.
static EVENTS: LazyLock<Vec<Event>> = LazyLock::new(|| {
    let months = Calendar::FIRST.first_of_month().series(1.month()).skip(1);
    let mut events: Vec<_> = months.take_while(|month| *month <= Calendar::LAST).flat_map(of_month).collect();
    events.sort_by_key(|event| (event.ticker, event.execution));
    events
});

/// Those of a stock after a date and up to another one.
fn between(ticker: &str, after: Date, last: Date) -> &'static [Event] {
    let up_to = |date| EVENTS.partition_point(|event| (event.ticker, event.execution) <= (ticker, date));
    &EVENTS[up_to(after)..up_to(last.max(after))]
}

fn of_month(month: Date) -> Vec<Event> {
    let mut sessions = xnys().sessions(month..=month.last_of_month()).map(|(date, _)| date);
    let mut next = || sessions.next().expect("Invariant: a month has more than three sessions");
    let (first, second, third) = (next(), next(), next());
    let is_odd = month.month() % 2 == 1;
    let turn = |from: f64, to: f64| if is_odd { (to, from) } else { (from, to) };
    let event = |ticker, execution, ratio| Event { ticker, execution, ratio, happens: true, rows: &[0] };
    let (three, five) = (turn(1.0, 3.0), turn(1.0, 5.0));
    let mut events = vec![
        event("QUADS", first, turn(1.0, 4.0)),
        event("SCORE", first, turn(1.0, 20.0)),
        event("TENTH", first, turn(10.0, 1.0)),
        event("CHAIN", first, (1.0, 2.0)),
        event("CHAIN", second, (1.0, 3.0)),
        event("CHAIN", third, (6.0, 1.0)),
        Event { rows: if is_odd { &[0, 1] } else { &[0, 0] }, ..event("TWICE", first, three) },
        event("FLIPS", first, five),
        Event { happens: false, ..event("FLIPS", first, (five.1, five.0)) },
        Event { happens: false, ..event("PHONY", first, turn(1.0, 10.0)) },
        Event { rows: &[], ..event("UNTLD", first, turn(1.0, 2.0)) },
        Event { happens: false, ..event(NOT_TRADED, second, turn(1.0, 2.0)) },
    ];
    if month.month() % 3 == 1 {
        events.push(event(DIVIDEND, first, (1.0, 1.05)));
    }
    events
}

const DIVIDEND: &str = "DIVVY";

/// What a share of a stock was at the beginning, as a share of what it is on a date: a price falls by as much.
pub(super) fn price_scale(ticker: &str, date: Date) -> f64 {
    let done = between(ticker, Date::MIN, date).iter().filter(|event| event.happens);
    done.map(|event| event.ratio.0 / event.ratio.1).product()
}

/// The vendor's table as of a date, ascending by execution: what was done and what is announced.
pub fn table(today: Date) -> Vec<Split> {
    let last = today.saturating_add(ANNOUNCED_DAYS.days());
    let known = EVENTS.iter().filter(|event| event.execution <= last);
    let mut rows: Vec<_> = known.flat_map(|event| event.rows.iter().map(|row| event.listed(*row))).collect();
    rows.sort_by_key(|split| split.execution);
    rows
}

impl Event {
    fn listed(&self, row: u64) -> Split {
        let (from, to) = self.ratio;
        let kind = match self.ticker {
            DIVIDEND => "stock_dividend",
            _ if to > from => "forward_split",
            _ => "reverse_split",
        };
        let purpose =
            [hash_text(self.ticker), hash_text(&self.execution.to_string()), from.to_bits(), to.to_bits(), row];
        let part = |n: u64| format!("{:016x}", hash_numbers(&[&purpose[..], &[n]].concat()));
        let id = format!("E{}", (0..4).map(part).collect::<String>());
        Split { ticker: self.ticker, execution: self.execution, from, to, kind, id }
    }
}

/// What a price of a date becomes in a later date's shares, as the table says: each row once, announced ones not.
pub fn adjustment(ticker: &str, date: Date, today: Date) -> f64 {
    let listed = between(ticker, date, today).iter().filter(|event| !event.rows.is_empty());
    listed.map(|event| event.ratio.0 / event.ratio.1).product()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn prices_stay_where_they_are_over_the_years() {
        for (ticker, _) in STOCKS {
            let (then, now) = (price_scale(ticker, date(2003, 11, 20)), price_scale(ticker, date(2026, 11, 20)));
            let expected = if ticker == DIVIDEND { 1.05_f64.powi(-92) } else { 1.0 };
            assert!((now / then / expected - 1.0).abs() < 1e-9, "{ticker}: {then} {now}");
        }
        assert_eq!(price_scale("QUADS", date(2026, 9, 30)) / price_scale("QUADS", date(2026, 10, 1)), 4.0);
        assert_eq!(price_scale("PHONY", date(2026, 10, 1)), 1.0);
    }

    #[test]
    fn the_table_has_what_it_should_and_what_it_should_not() {
        let table = table(date(2026, 10, 5));
        let october = |ticker| {
            let of = |split: &&Split| split.ticker == ticker && split.execution.first_of_month() == date(2026, 10, 1);
            table
                .iter()
                .filter(of)
                .map(|split| (split.execution.day(), split.from, split.to, split.kind))
                .collect::<Vec<_>>()
        };
        assert_eq!(october("QUADS"), [(1, 1.0, 4.0, "forward_split")]);
        assert_eq!(october("TENTH"), [(1, 10.0, 1.0, "reverse_split")]);
        assert_eq!(october("DIVVY"), [(1, 1.0, 1.05, "stock_dividend")]);
        assert_eq!(october("CHAIN").iter().map(|split| split.0).collect::<Vec<_>>(), [1, 2, 5]);
        assert_eq!(october("TWICE").len(), 2);
        assert_eq!(october("FLIPS"), [(1, 1.0, 5.0, "forward_split"), (1, 5.0, 1.0, "reverse_split")]);
        assert_eq!((october("UNTLD").len(), october(NOT_TRADED).len(), october("PHONY").len()), (0, 1, 1));
        assert!(
            table.last().is_some_and(|split| split.execution == date(2026, 11, 4)),
            "announced: {:?}",
            table.last()
        );
        let ids = |ticker: &str| {
            table.iter().filter(|split| split.ticker == ticker).map(|split| &split.id).collect::<Vec<_>>()
        };
        let twice = ids("TWICE");
        assert!(twice.chunks(2).any(|pair| pair[0] == pair[1]) && twice.chunks(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn adjustments_are_those_of_the_table_up_to_today() {
        let today = date(2026, 10, 5);
        assert_eq!(adjustment("QUADS", date(2026, 9, 30), today), 0.25);
        assert_eq!(adjustment("QUADS", date(2026, 10, 1), today), 1.0);
        assert_eq!(adjustment("CHAIN", date(2026, 10, 1), date(2026, 10, 2)), 1.0 / 3.0);
        assert_eq!(adjustment("TWICE", date(2026, 9, 30), today), 1.0 / 3.0, "a row that is there twice counts once");
        assert_eq!(adjustment("PHONY", date(2026, 9, 30), today), 0.1, "the vendor believes its table");
        assert_eq!(adjustment("UNTLD", date(2026, 9, 30), today), 1.0);
    }
}
