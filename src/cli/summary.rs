//! What a run came to, in words, and the exit code that says the same.

use std::fmt::Write;

use super::Exit;
use super::format::{bytes, count, counted, duration, printable};
use super::table::{Align, Table};
use super::totals::{Totals, files};
use crate::ingest::{DayReport, Outcome, Rejects, RunReport};

/// Lines of a list of notes that are printed; more are counted.
const LINES_SHOWN: usize = 20;

/// How a run that was carried out ends. `signal` is the exit code of the signal that stopped it, if one did.
pub fn exit_code(run: &RunReport, signal: Option<Exit>) -> Exit {
    let totals = Totals::of(run);
    let there = totals.days_with(Outcome::Loaded) + totals.days_with(Outcome::Unchanged);
    if run.interrupted {
        signal.unwrap_or(Exit::Interrupted)
    } else if !totals.has_gaps() {
        Exit::Done
    } else if there == 0 {
        Exit::Failed
    } else {
        Exit::Gaps
    }
}

/// A run for people: days by outcome, amounts, rejected rows, notes, and what is missing.
pub fn summary(run: &RunReport) -> String {
    let totals = Totals::of(run);
    let mut text = String::new();
    if run.days.is_empty() {
        text.push_str("no trading day among the dates asked for\n");
    } else {
        let mut table = Table::new([("outcome", Align::Left), ("days", Align::Right)]);
        for outcome in Outcome::ALL.into_iter().filter(|outcome| totals.days_with(*outcome) > 0) {
            table.row([outcome.to_string(), count(totals.days_with(outcome))]);
        }
        push(&mut text, format_args!("{table}\n"));
    }
    text.push_str(&amounts(run));
    rejects(&mut text, run, &totals);
    notes(&mut text, run, &totals);
    text.push_str(&gaps(run));
    text
}

/// How much was read and written.
pub fn amounts(run: &RunReport) -> String {
    let totals = Totals::of(run);
    let mut text = String::new();
    push(
        &mut text,
        format_args!(
            "{} read, {} rejected; {} written; {} fetched; {}\n",
            counted(totals.rows, "row"),
            count(totals.rejected),
            counted(totals.bars, "bar"),
            bytes(totals.bytes_fetched),
            duration(run.elapsed)
        ),
    );
    if totals.days_replaced > 0 {
        let days = counted(totals.days_replaced, "day");
        push(&mut text, format_args!("{days} replaced: the vendor had replaced the file\n"));
    }
    if totals.replaced_rest_bars > 0 {
        let bars = counted(totals.replaced_rest_bars, "bar");
        push(&mut text, format_args!("{bars} that had come by REST made room for those of files\n"));
    }
    if totals.duplicates_conflicting > 0 {
        let rows = counted(totals.duplicates_conflicting, "row");
        push(&mut text, format_args!("{rows} lost to another row of the same symbol and minute\n"));
    }
    text
}

/// What is missing, why, and what to do; empty when nothing is.
pub fn gaps(run: &RunReport) -> String {
    let mut text = String::new();
    let mut heading = "\nnot loaded:\n";
    for days in folded(&run.days) {
        let (first, last) = (days[0], days[days.len() - 1]);
        push(&mut text, format_args!("{heading}  {}", first.date));
        heading = "";
        if days.len() > 1 {
            push(&mut text, format_args!(" to {} ({} days)", last.date, days.len()));
        }
        push(&mut text, format_args!(" {} {}", first.dataset, first.outcome));
        if let Some(detail) = &first.detail {
            push(&mut text, format_args!(": {}", printable(detail)));
        }
        push(&mut text, format_args!("\n    {}\n", what_to_do(first.outcome)));
    }
    heading = "\nmissing symbols:\n";
    for missing in Totals::of(run).missing_symbols {
        let (symbol, dataset) = (printable(&missing.symbol), missing.dataset);
        let days = counted(missing.days, "day");
        push(&mut text, format_args!("{heading}  {symbol}: not in {dataset} on any of {days}\n"));
        heading = "";
    }
    if heading.is_empty() {
        text.push_str("    check the spelling and the case (tickers are case-sensitive: BACpA, BRK.B, I:SPX)\n");
    }
    if run.interrupted {
        text.push_str("\nstopped before all days were done: run the same command again to go on\n");
    }
    text
}

/// What to do about days outside the vendor's plan.
pub(super) const OTHER_PLAN: &str =
    "your plan does not include it: ask for later dates or another plan (--force asks again before a day has passed)";

fn what_to_do(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Missing => "the vendor has no file of it: run the same command again later",
        Outcome::NotEntitled => OTHER_PLAN,
        Outcome::Damaged => "run the same command again; if it stays, the vendor's file is bad: tell them",
        Outcome::Empty => "the vendor's file has no rows: run the same command again later",
        Outcome::Suspect => "wait for the vendor to replace the file, or load it as it is with --accept=DATE",
        Outcome::Failed => "run the same command again",
        Outcome::Loaded | Outcome::Unchanged | Outcome::NotDue | Outcome::NotASession | Outcome::Provisional => {
            "nothing to do"
        }
    }
}

/// Days that left gaps, neighbours that say the same together.
fn folded(days: &[DayReport]) -> Vec<Vec<&DayReport>> {
    let mut groups: Vec<Vec<&DayReport>> = Vec::new();
    let mut may_join = false;
    for day in days {
        if day.outcome.leaves_a_gap() {
            let says = |day: &DayReport| (day.dataset, day.outcome, day.detail.clone());
            match groups.last_mut() {
                Some(group) if may_join && says(group[0]) == says(day) => group.push(day),
                _ => groups.push(vec![day]),
            }
            may_join = true;
        } else if day.outcome != Outcome::NotASession {
            may_join = false;
        }
    }
    groups
}

fn rejects(text: &mut String, run: &RunReport, totals: &Totals) {
    if totals.rejected == 0 {
        return;
    }
    let reasons: Vec<_> = totals
        .rejected_by_reason
        .iter()
        .map(|(reason, rows)| format!("{} {}", reason.as_str(), count(*rows)))
        .collect();
    push(text, format_args!("\nrejected rows: {}\n", reasons.join(", ")));
    let samples = run
        .days
        .iter()
        .flat_map(|day| files(day).flat_map(move |file| file.rejects.first.iter().map(move |row| (day, row))));
    for (day, row) in samples.take(Rejects::KEPT) {
        let (date, line, reason) = (day.date, row.line, row.reason.as_str());
        push(text, format_args!("  {date} line {line}: {reason}: {}\n", printable(&row.text)));
    }
}

fn notes(text: &mut String, run: &RunReport, totals: &Totals) {
    let mut said: Vec<(&str, Vec<&DayReport>)> = Vec::new();
    for (day, note) in run.days.iter().flat_map(|day| day.notes.iter().map(move |note| (day, note))) {
        match said.iter_mut().find(|(other, days)| other == note && days[0].dataset == day.dataset) {
            Some((_, days)) => days.push(day),
            None => said.push((note, vec![day])),
        }
    }
    let said = said.into_iter().map(|(note, days)| {
        let (first, last, note) = (days[0], days[days.len() - 1].date, printable(note));
        match days.len() {
            1 => format!("{} {}: {note}", first.date, first.dataset),
            count => format!("{} to {last} ({count} days) {}: {note}", first.date, first.dataset),
        }
    });
    list(text, "notes", said.collect());
    let absent = totals.sometimes_absent.iter().map(|absent| {
        let (symbol, days) = (printable(&absent.symbol), counted(absent.days, "day"));
        match absent.days {
            1 => format!("{symbol}: {}", absent.first),
            _ => format!("{symbol}: {days}, {} to {}", absent.first, absent.last),
        }
    });
    list(text, "symbols without trades on some days", absent.collect());
}

/// A heading and the first lines of a list.
fn list(text: &mut String, heading: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    push(text, format_args!("\n{heading}:\n"));
    for line in lines.iter().take(LINES_SHOWN) {
        push(text, format_args!("  {line}\n"));
    }
    if lines.len() > LINES_SHOWN {
        push(text, format_args!("  and {} more; --json has all of them\n", lines.len() - LINES_SHOWN));
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("Invariant: writing to a string does not fail");
}

#[cfg(test)]
pub(super) mod testing;

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
