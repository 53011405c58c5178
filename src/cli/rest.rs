//! What a run over the REST API came to, in words, and the exit code that says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use jiff::civil::Date;
use serde::Serialize;

use super::Exit;
use super::format::{bytes, count, counted, duration, printable};
use super::table::{Align, Table};
use crate::ingest::rest::{RestReport, SymbolDayReport};
use crate::model::{Dataset, Expectation, Outcome};

/// Lines of a list that are printed; more are counted.
const LINES_SHOWN: usize = 20;

/// Symbols named in a line; more are counted.
const SYMBOLS_SHOWN: usize = 5;

/// So many symbols must have traded on other days for a day without a trade of any to count as a gap.
const WITNESSES: usize = 2;

/// A run added up.
#[derive(Debug, Default, Serialize)]
pub struct RestTotals {
    /// Days of symbols by outcome.
    pub symbol_days: BTreeMap<Outcome, u64>,
    /// Bars written.
    pub bars: u64,
    /// Bars that have exact VWAPs now.
    pub made_exact: u64,
    /// Bars that keep their estimates, as volume or transactions differ.
    pub left_estimated: u64,
    /// Symbols without a bar on any day asked for.
    pub missing_symbols: Vec<(Dataset, String)>,
    /// Days on which no symbol was traded that was on others.
    pub silent_days: Vec<(Dataset, Date)>,
}

/// Whether the day is one of its market's sessions (indices have bars on some other days, too).
fn is_due(day: &SymbolDayReport) -> bool {
    day.dataset.expectation(day.date) == Expectation::Due
}

impl RestTotals {
    /// Adds a run up.
    pub fn of(report: &RestReport) -> Self {
        let mut totals = Self::default();
        // Of each symbol, whether it has a bar on any day.
        let mut symbols: BTreeMap<(Dataset, &str), bool> = BTreeMap::new();
        for day in &report.days {
            *totals.symbol_days.entry(day.outcome).or_default() += 1;
            totals.bars += day.bars;
            totals.made_exact += day.made_exact;
            totals.left_estimated += day.left_estimated;
            // Where nothing has to be, nothing is missing.
            if day.outcome == Outcome::Empty && !is_due(day) {
                continue;
            }
            *symbols.entry((day.dataset, &day.symbol)).or_default() |= day.outcome != Outcome::Empty;
        }
        let traded: BTreeSet<_> = symbols.iter().filter(|(_, traded)| **traded).map(|(symbol, _)| *symbol).collect();
        let mut days: BTreeMap<(Dataset, Date), (usize, bool)> = BTreeMap::new();
        for day in report.days.iter().filter(|day| is_due(day) && traded.contains(&(day.dataset, day.symbol.as_str())))
        {
            let (witnesses, is_silent) = days.entry((day.dataset, day.date)).or_insert((0, true));
            *witnesses += 1;
            *is_silent &= day.outcome == Outcome::Empty;
        }
        let silent = days.into_iter().filter(|(_, (witnesses, is_silent))| *is_silent && *witnesses >= WITNESSES);
        totals.silent_days = silent.map(|(day, _)| day).collect();
        let missing = symbols.into_iter().filter(|(_, traded)| !traded);
        totals.missing_symbols = missing.map(|((dataset, symbol), _)| (dataset, symbol.to_owned())).collect();
        totals
    }

    fn has_gaps(&self) -> bool {
        let is_gap = |outcome: &Outcome| outcome.leaves_a_gap() && *outcome != Outcome::Empty;
        self.symbol_days.keys().any(is_gap) || !self.missing_symbols.is_empty() || !self.silent_days.is_empty()
    }

    /// Whether anything asked for is there.
    fn has_any(&self) -> bool {
        let is_there =
            |outcome: &Outcome| matches!(outcome, Outcome::Loaded | Outcome::Unchanged | Outcome::Provisional);
        self.symbol_days.keys().any(is_there)
    }
}

/// How a run that was carried out ends. `signal` is the exit code of the signal that stopped it, if one did.
pub fn rest_exit_code(report: &RestReport, signal: Option<Exit>) -> Exit {
    let totals = RestTotals::of(report);
    match () {
        () if report.interrupted => signal.unwrap_or(Exit::Interrupted),
        () if !totals.has_gaps() => Exit::Done,
        () if totals.has_any() => Exit::Gaps,
        () => Exit::Failed,
    }
}

/// A run for people: days by outcome, amounts, rejected rows, and what is missing.
pub fn rest_summary(report: &RestReport) -> String {
    let totals = RestTotals::of(report);
    let mut text = String::new();
    if report.days.is_empty() {
        text.push_str("no trading day among the dates asked for\n");
    } else {
        let mut table = Table::new([("outcome", Align::Left), ("days of symbols", Align::Right)]);
        for (outcome, days) in &totals.symbol_days {
            table.row([outcome.to_string(), count(*days)]);
        }
        push(&mut text, format_args!("{table}\n"));
    }
    text.push_str(&rest_amounts(report));
    for row in &report.rejects.first {
        push(&mut text, format_args!("  rejected: {}: {}\n", row.reason.as_str(), printable(&row.text)));
    }
    text.push_str(&rest_gaps(report));
    text
}

/// How much was asked and came.
pub fn rest_amounts(report: &RestReport) -> String {
    let totals = RestTotals::of(report);
    let mut text = String::new();
    let refused =
        if report.refused > 0 { format!(", {} beyond the quota", count(report.refused)) } else { String::new() };
    push(
        &mut text,
        format_args!(
            "{} ({} at least{refused}); {} read, {} rejected; {} written; {} fetched; {}\n",
            counted(report.requests, "request"),
            count(report.requests_planned),
            counted(report.rows, "row"),
            count(report.rejects.total()),
            counted(totals.bars, "bar"),
            bytes(report.bytes_fetched),
            duration(report.elapsed),
        ),
    );
    if totals.made_exact + totals.left_estimated > 0 {
        let exact = counted(totals.made_exact, "bar");
        push(
            &mut text,
            format_args!(
                "{exact} of files have the exact VWAP now, {} keep the estimate",
                count(totals.left_estimated)
            ),
        );
        text.push_str(if totals.left_estimated > 0 { ": volume or transactions differ\n" } else { "\n" });
    }
    if report.duplicates_conflicting > 0 {
        let rows = counted(report.duplicates_conflicting, "row");
        push(&mut text, format_args!("{rows} lost to another row of the same symbol and minute\n"));
    }
    text
}

/// What is missing, why, and what to do; empty when nothing is.
pub fn rest_gaps(report: &RestReport) -> String {
    let totals = RestTotals::of(report);
    let mut text = String::new();
    let groups = folded(report);
    let mut heading = "\nnot loaded:\n";
    for (stretch, symbols) in groups.iter().take(LINES_SHOWN) {
        push(&mut text, format_args!("{heading}  {}", stretch.first));
        heading = "";
        if stretch.days > 1 {
            push(&mut text, format_args!(" to {} ({} days)", stretch.last, stretch.days));
        }
        push(&mut text, format_args!(" {} {}", named(symbols), stretch.outcome));
        if let Some(detail) = stretch.detail {
            push(&mut text, format_args!(": {}", printable(detail)));
        }
        push(&mut text, format_args!("\n    {}\n", what_to_do(stretch.outcome)));
    }
    if groups.len() > LINES_SHOWN {
        push(&mut text, format_args!("  and {} more; --json has all of them\n", groups.len() - LINES_SHOWN));
    }
    heading = "\ndays without a trade of any symbol:\n";
    for (dataset, date) in &totals.silent_days {
        push(
            &mut text,
            format_args!("{heading}  {date} {dataset}: the vendor says so when asked twice; ask again later\n"),
        );
        heading = "";
    }
    heading = "\nmissing symbols:\n";
    for (dataset, symbol) in &totals.missing_symbols {
        push(&mut text, format_args!("{heading}  {}: no trade in {dataset} on any day asked for\n", printable(symbol)));
        heading = "";
    }
    if heading.is_empty() {
        text.push_str("    check the spelling and the case (tickers are case-sensitive: BACpA, BRK.B, I:SPX)\n");
    }
    if report.interrupted {
        text.push_str("\nstopped before all was done: run the same command again to go on\n");
    }
    text
}

fn what_to_do(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Missing => "check the spelling and the case of the symbol",
        Outcome::Damaged => "run the same command again later; if it stays, the vendor's answer is bad: tell them",
        Outcome::NotEntitled => super::summary::OTHER_PLAN,
        _ => "run the same command again",
    }
}

/// Days of a symbol that follow each other and left the same gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch<'a> {
    dataset: Dataset,
    first: Date,
    last: Date,
    days: u64,
    outcome: Outcome,
    detail: Option<&'a str>,
}

/// The gaps: of each symbol stretch by stretch, symbols with the same one together.
fn folded(report: &RestReport) -> BTreeMap<Stretch<'_>, Vec<&str>> {
    let mut groups: BTreeMap<Stretch<'_>, Vec<&str>> = BTreeMap::new();
    let mut open: Option<(&str, Stretch<'_>)> = None;
    for day in &report.days {
        let is_gap = day.outcome.leaves_a_gap() && day.outcome != Outcome::Empty;
        match &mut open {
            Some((symbol, stretch)) if is_gap && continues(symbol, stretch, day) => {
                (stretch.last, stretch.days) = (day.date, stretch.days + 1);
            }
            _ => {
                let begun = is_gap.then(|| (day.symbol.as_str(), begin(day)));
                if let Some((symbol, stretch)) = std::mem::replace(&mut open, begun) {
                    groups.entry(stretch).or_default().push(symbol);
                }
            }
        }
    }
    if let Some((symbol, stretch)) = open {
        groups.entry(stretch).or_default().push(symbol);
    }
    groups
}

fn begin(day: &SymbolDayReport) -> Stretch<'_> {
    let SymbolDayReport { dataset, date, outcome, .. } = *day;
    Stretch { dataset, first: date, last: date, days: 1, outcome, detail: day.detail.as_deref() }
}

fn continues(symbol: &str, stretch: &Stretch<'_>, day: &SymbolDayReport) -> bool {
    (symbol, stretch.dataset, stretch.outcome, stretch.detail)
        == (day.symbol.as_str(), day.dataset, day.outcome, day.detail.as_deref())
}

fn named(symbols: &[&str]) -> String {
    let shown: Vec<String> = symbols.iter().take(SYMBOLS_SHOWN).map(|symbol| printable(symbol)).collect();
    match symbols.len().saturating_sub(SYMBOLS_SHOWN) {
        0 => shown.join(" "),
        more => format!("{} and {more} more", shown.join(" ")),
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("Invariant: writing to a string does not fail");
}

#[cfg(test)]
#[path = "rest_tests.rs"]
mod tests;
