//! From the vendor's list to the splits that are used.
//!
//! Of each ticker, in this order:
//!
//! 1. The same ratio for the same date counts once (`duplicate`).
//! 2. What is no ratio (`not_a_ratio`), no kind of split that is known (`unknown_kind`) or no stock (`not_a_stock`) is not
//!    used.
//! 3. Overrides decide; what they decide is not looked at further (`override`).
//! 4. The stored raw prices are asked: [`Verdict`]. What they contradict is not used (`implausible`).
//! 5. Two splits within [`OPPOSITE_DAYS`] of which one undoes the other are both not used, unless the prices confirm one
//!    (`opposite`).
//! 6. Of several ratios for one date the one nearest to the prices is used, or without prices the one that changes least
//!    (`conflict`, on all of them).
//! 7. The vendor's cumulative factor is held against the product of the used ratios; where it differs the ratios count
//!    (`factor_differs`). Not of tickers with overrides: the vendor does not know them.
//!
//! A split after today is used like the others: it adjusts nothing before its date.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::{Override, OverrideAction, Ratio, SplitFlag, SplitKind, SplitRecord, SplitSource, SplitStatus};
use crate::model::{Dataset, Symbol};

/// A row of the vendor's list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedSplit {
    /// Ticker.
    pub ticker: String,
    /// The first trading date with prices after it.
    pub execution_date: Date,
    /// Shares before.
    pub split_from: Option<f64>,
    /// Shares after.
    pub split_to: Option<f64>,
    /// What the vendor calls it.
    pub adjustment_type: Option<String>,
    /// The vendor's factor for prices before it, up to the present.
    pub factor: Option<f64>,
}

/// How far from a split's date the prices may be that it is held against, in calendar days.
pub const JUMP_DAYS: i32 = 7;

/// How far apart a split and what undoes it may be, in calendar days.
const OPPOSITE_DAYS: i32 = 7;

/// Ratios nearer to 1:1 than this (6:5) are not held against prices: ordinary nights move as much.
const LEAST_JUDGED: f64 = 1.2;

/// How far the vendor's factor may be from ours, relative: it is printed with few digits.
const FACTOR_TOLERANCE: f64 = 1e-4;

/// The last raw close before a date and the first raw open from it on, of stored day bars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceJump {
    /// The close.
    pub close_before: f64,
    /// The open.
    pub open: f64,
}

impl PriceJump {
    /// The jump at a date, from day bars around it as (trading date, open, close); `None` if one side has no bar within
    /// [`JUMP_DAYS`] or no positive price.
    pub fn at(date: Date, bars: impl IntoIterator<Item = (Date, f64, f64)>) -> Option<Self> {
        let mut before: Option<(Date, f64)> = None;
        let mut after: Option<(Date, f64)> = None;
        for (day, open, close) in bars {
            if (day - date).get_days().abs() > JUMP_DAYS {
                continue;
            }
            if day < date {
                before = before.filter(|(known, _)| *known > day).or(Some((day, close)));
            } else {
                after = after.filter(|(known, _)| *known < day).or(Some((day, open)));
            }
        }
        let (close_before, open) = (before?.1, after?.1);
        (close_before > 0.0 && open > 0.0).then_some(Self { close_before, open })
    }

    fn log(self) -> f64 {
        (self.open / self.close_before).ln()
    }
}

/// What prices say of a split. All distances are of logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The jump is within a quarter of the split's size of it.
    Confirmed,
    /// The jump is nearer to none than to the split, by at least half of the split's size.
    Refuted,
    /// Neither, no prices, or too small a split.
    Open,
}

impl Verdict {
    fn of(ratio: Ratio, jump: Option<&PriceJump>) -> Self {
        let size = ratio.log();
        let Some(jump) = jump.filter(|_| size.abs() >= LEAST_JUDGED.ln()) else { return Self::Open };
        let (to_split, to_none) = ((jump.log() - size).abs(), jump.log().abs());
        if to_split <= size.abs() / 4.0 {
            Self::Confirmed
        } else if to_split - to_none >= size.abs() / 2.0 {
            Self::Refuted
        } else {
            Self::Open
        }
    }
}

/// What is used, and what became of everything else.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolution {
    /// Every row, by ticker and date.
    pub records: Vec<SplitRecord>,
    /// Overrides that found nothing to decide, and why.
    pub unmatched: Vec<(Override, &'static str)>,
}

/// Decides which splits are used. The result does not depend on the order of the list.
pub fn resolve_splits(
    listed: &[ListedSplit],
    overrides: &[Override],
    jumps: &BTreeMap<(String, Date), PriceJump>,
    today: Date,
) -> Resolution {
    let mut tickers: BTreeMap<&str, Ticker<'_>> = BTreeMap::new();
    for row in listed {
        tickers.entry(&row.ticker).or_default().listed.push(row);
    }
    for decision in overrides {
        tickers.entry(&decision.ticker).or_default().overrides.push(decision);
    }
    let mut resolution = Resolution::default();
    for (name, ticker) in tickers {
        let mut rows = once_each(name, &ticker.listed);
        let decided = decide(&mut rows, &ticker.overrides, &mut resolution.unmatched);
        let jump = |date: Date| jumps.get(&(name.to_owned(), date));
        judge(&mut rows, &decided, jump);
        cancel(&mut rows, &decided, jump);
        choose(&mut rows, &decided, jump);
        if ticker.overrides.is_empty() {
            compare_factors(&mut rows, today);
        }
        rows.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
        resolution.records.append(&mut rows);
    }
    resolution
}

#[derive(Default)]
struct Ticker<'a> {
    listed: Vec<&'a ListedSplit>,
    overrides: Vec<&'a Override>,
}

fn order(row: &SplitRecord) -> (Date, Option<f64>, Option<f64>, SplitSource) {
    (row.execution_date, row.split_from, row.split_to, row.source)
}

/// Rules 1 and 2.
fn once_each(ticker: &str, listed: &[&ListedSplit]) -> Vec<SplitRecord> {
    let is_stock = Symbol::from_ticker(ticker).is_ok_and(|symbol| symbol.dataset() == Dataset::Stocks);
    let mut sorted = listed.to_vec();
    // Of equal ratios the one in the smallest numbers stands for all, whatever the order of the list.
    let key =
        |row: &ListedSplit| (row.execution_date, row.split_from, row.split_to, row.adjustment_type.clone(), row.factor);
    sorted.sort_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal));
    let mut rows: Vec<(SplitRecord, usize)> = Vec::new();
    for row in sorted {
        let record = SplitRecord {
            ticker: ticker.to_owned(),
            execution_date: row.execution_date,
            split_from: row.split_from,
            split_to: row.split_to,
            kind: row.adjustment_type.as_deref().and_then(SplitKind::of_word),
            vendor_factor: row.factor,
            source: SplitSource::Vendor,
            status: SplitStatus::Used,
            flags: Vec::new(),
            reason: None,
        };
        let same = rows.iter_mut().find(|(known, _)| {
            let same_ratio = match (known.ratio(), record.ratio()) {
                (Some(known), Some(ratio)) => known.is_same(ratio),
                _ => (known.split_from, known.split_to) == (record.split_from, record.split_to),
            };
            known.execution_date == record.execution_date && known.kind.is_some() == record.kind.is_some() && same_ratio
        });
        if let Some((_, times)) = same {
            *times += 1;
            continue;
        }
        rows.push((record, 1));
        let record = &mut rows.last_mut().expect("Invariant: it was pushed").0;
        let numbers = row.split_from.zip(row.split_to);
        match numbers.map(|(from, to)| Ratio::checked(from, to)) {
            None => record.drop_it(SplitFlag::NotARatio, "a number of shares is missing"),
            Some(Err(error)) => record.drop_it(SplitFlag::NotARatio, &error.to_string()),
            Some(Ok(_)) if record.kind.is_none() => {
                let word = row.adjustment_type.as_deref().unwrap_or_default();
                record.drop_it(SplitFlag::UnknownKind, &format!("the vendor calls it `{word}`"));
            }
            Some(Ok(_)) if !is_stock => record.drop_it(SplitFlag::NotAStock, "only stocks are rescaled"),
            Some(Ok(_)) => {}
        }
    }
    let noted = rows.into_iter().map(|(mut record, times)| {
        if times > 1 {
            record.note(SplitFlag::Duplicate, &format!("listed {times} times"));
        }
        record
    });
    noted.collect()
}

/// Rule 3. Says which dates are decided.
fn decide(
    rows: &mut Vec<SplitRecord>,
    overrides: &[&Override],
    unmatched: &mut Vec<(Override, &'static str)>,
) -> BTreeSet<Date> {
    let mut decided = BTreeSet::new();
    for &decision in overrides {
        let date = decision.execution_date;
        let of_date = rows.iter_mut().filter(|row| row.execution_date == date && row.source == SplitSource::Vendor);
        let added = |ratio: Option<Ratio>, status| SplitRecord {
            ticker: decision.ticker.clone(),
            execution_date: date,
            split_from: ratio.map(Ratio::from),
            split_to: ratio.map(Ratio::to),
            kind: None,
            vendor_factor: None,
            source: SplitSource::Override,
            status,
            flags: vec![SplitFlag::Override],
            reason: None,
        };
        match decision.action {
            OverrideAction::Reused => {
                let mut row = added(None, SplitStatus::Reused);
                row.reason = Some("from this date on another company's ticker".to_owned());
                rows.push(row);
                continue;
            }
            OverrideAction::Ignore => {
                let mut found = false;
                for row in of_date {
                    found = true;
                    row.drop_it(SplitFlag::Override, "ignored by an override");
                }
                if !found {
                    unmatched.push((decision.clone(), "the vendor lists no split to ignore"));
                }
            }
            OverrideAction::Use(Some(ratio)) => {
                of_date.for_each(|row| row.drop_it(SplitFlag::Override, "replaced by an override"));
                rows.push(added(Some(ratio), SplitStatus::Used));
            }
            OverrideAction::Use(None) => {
                let mut candidates: Vec<_> = of_date.filter(|row| row.ratio().is_some()).collect();
                match &mut candidates[..] {
                    [row] => {
                        row.status = SplitStatus::Used;
                        row.note(SplitFlag::Override, "confirmed by an override");
                    }
                    [] => unmatched
                        .push((decision.clone(), "the vendor lists no split to use: give split_from and split_to")),
                    _ => {
                        let why = "the vendor lists several ratios: give split_from and split_to";
                        unmatched.push((decision.clone(), why));
                        continue;
                    }
                }
            }
        }
        decided.insert(date);
    }
    decided
}

/// The rows that are still to be decided, with their ratios.
fn open<'a>(
    rows: &'a mut [SplitRecord],
    decided: &'a BTreeSet<Date>,
) -> impl Iterator<Item = (&'a mut SplitRecord, Ratio)> {
    rows.iter_mut()
        .filter(|row| row.status == SplitStatus::Used && !decided.contains(&row.execution_date))
        .filter_map(|row| row.ratio().map(|ratio| (row, ratio)))
}

/// Rule 4.
fn judge<'j>(rows: &mut [SplitRecord], decided: &BTreeSet<Date>, jump: impl Fn(Date) -> Option<&'j PriceJump>) {
    for (row, ratio) in open(rows, decided) {
        let prices = jump(row.execution_date);
        if let Some(prices) = prices.filter(|_| Verdict::of(ratio, prices) == Verdict::Refuted) {
            let reason = format!(
                "{ratio} would take the price from {} to about {}, and it opened at {}",
                prices.close_before,
                brief(prices.close_before * ratio.from / ratio.to),
                prices.open
            );
            row.drop_it(SplitFlag::Implausible, &reason);
        }
    }
}

/// Rule 5.
fn cancel<'j>(rows: &mut [SplitRecord], decided: &BTreeSet<Date>, jump: impl Fn(Date) -> Option<&'j PriceJump>) {
    let mut left: Vec<_> = open(rows, decided)
        .filter(|(row, ratio)| Verdict::of(*ratio, jump(row.execution_date)) != Verdict::Confirmed)
        .collect();
    left.sort_by_key(|(row, _)| row.execution_date);
    while !left.is_empty() {
        let (row, ratio) = left.remove(0);
        let near = |(other, opposite): &(&mut SplitRecord, Ratio)| {
            let apart = (other.execution_date - row.execution_date).get_days().abs();
            apart <= OPPOSITE_DAYS && ratio.is_opposite(*opposite)
        };
        if let Some(at) = left.iter().position(near) {
            let (other, opposite) = left.remove(at);
            let reason = |by: Ratio, date| format!("undone by {by} on {date}");
            let (first, second) = (row.execution_date, other.execution_date);
            row.drop_it(SplitFlag::Opposite, &reason(opposite, second));
            other.drop_it(SplitFlag::Opposite, &reason(ratio, first));
        }
    }
}

/// Rule 6.
fn choose<'j>(rows: &mut [SplitRecord], decided: &BTreeSet<Date>, jump: impl Fn(Date) -> Option<&'j PriceJump>) {
    let mut by_date: BTreeMap<Date, Vec<(&mut SplitRecord, Ratio)>> = BTreeMap::new();
    for (row, ratio) in open(rows, decided) {
        by_date.entry(row.execution_date).or_default().push((row, ratio));
    }
    for (date, mut candidates) in by_date.into_iter().filter(|(_, candidates)| candidates.len() > 1) {
        let prices = jump(date);
        let distance = |ratio: Ratio| (prices.map_or(0.0, |prices| prices.log()) - ratio.log()).abs();
        candidates.sort_by(|(_, a), (_, b)| {
            (distance(*a), a.from).partial_cmp(&(distance(*b), b.from)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let chosen = candidates[0].1;
        let why = if prices.is_some() { "nearest to the stored prices" } else { "the one that changes least" };
        let others: Vec<_> = candidates[1..].iter().map(|(_, ratio)| ratio.to_string()).collect();
        for (at, (row, _)) in candidates.into_iter().enumerate() {
            if at == 0 {
                row.note(SplitFlag::Conflict, &format!("chosen before {} ({why})", others.join(" and ")));
            } else {
                row.drop_it(SplitFlag::Conflict, &format!("{chosen} is used for this date ({why})"));
            }
        }
    }
}

/// Rule 7.
fn compare_factors(rows: &mut [SplitRecord], today: Date) {
    let mut used: Vec<_> =
        rows.iter_mut().filter(|row| row.status == SplitStatus::Used && row.execution_date <= today).collect();
    used.sort_by_key(|row| std::cmp::Reverse(row.execution_date));
    let (mut from, mut to) = (1.0, 1.0);
    for row in used {
        let Some(ratio) = row.ratio() else { continue };
        (from, to) = (from * ratio.from, to * ratio.to);
        let ours: f64 = from / to;
        if let Some(theirs) = row.vendor_factor.filter(|theirs| (theirs - ours).abs() > FACTOR_TOLERANCE * ours) {
            let reason = format!("the vendor's factor is {theirs}, the product of the ratios {}", brief(ours));
            row.note(SplitFlag::FactorDiffers, &reason);
        }
    }
}

/// A computed number in few digits.
fn brief(number: f64) -> String {
    let digits = format!("{number:.6}");
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
