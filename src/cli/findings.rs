//! What verifying found, for people and for `--json`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Value, json};

use super::commands::Look;
use super::format::{count, counted, printable};
use super::{Align, Table};
use crate::ingest::DayReport;
use crate::model::{Dataset, Market, NEW_YORK, Timeframe};
use crate::verify::{Checked, Compared, Finding, Findings, Kind, Repaired};

/// Findings of a kind that are printed; more are counted.
const LINES_SHOWN: usize = 5;

/// Dates that are listed; more are counted.
const DATES_SHOWN: usize = 10;

/// A finding as `--json` has it.
#[derive(Debug, Serialize)]
pub struct FindingRow<'a> {
    kind: &'static str,
    dataset: Option<Dataset>,
    date: Option<Date>,
    symbol: Option<&'a str>,
    timeframe: Option<Timeframe>,
    timestamp: Option<i64>,
    what: &'a str,
    expected: Option<&'a str>,
    found: Option<&'a str>,
    /// Whether it is gone after a repair; nothing if none was asked for.
    repaired: Option<bool>,
}

/// All findings that were kept, as `--json` has them. `left` is what a repair has left.
pub fn finding_rows<'a>(findings: &'a Findings, left: Option<&Findings>) -> Vec<FindingRow<'a>> {
    let row = |finding: &'a Finding| FindingRow {
        kind: finding.kind.as_str(),
        dataset: finding.dataset,
        date: finding.date,
        symbol: finding.symbol.as_deref(),
        timeframe: finding.timeframe,
        timestamp: finding.timestamp_ms,
        what: &finding.what,
        expected: finding.expected.as_deref(),
        found: finding.found.as_deref(),
        repaired: left.map(|left| !left.has(finding.kind, finding.dataset, finding.date)),
    };
    findings.kept().into_iter().map(row).collect()
}

/// Prints what was looked at: a line for each market.
pub fn print_checked(out: &mut impl Write, checked: &[Checked]) -> io::Result<()> {
    if checked.iter().all(|checked| checked.days == 0) {
        writeln!(out, "nothing of it is loaded")?;
    }
    for checked in checked {
        let Some((first, last)) = checked.range else { continue };
        let (days, bars) = (counted(checked.days, "day"), counted(checked.bars, "bar"));
        writeln!(out, "{} {first} to {last}: {days}, {bars}", checked.dataset)?;
        if checked.changed > 0 {
            let days = counted(checked.changed, "day");
            writeln!(out, "  {days} changed by another process meanwhile: verify again to know of them")?;
        }
    }
    Ok(())
}

/// Prints what was compared with the source.
pub fn print_compared(out: &mut impl Write, dataset: Dataset, compared: &Compared) -> io::Result<()> {
    let dates: Vec<_> = compared.dates.iter().take(DATES_SHOWN).map(Date::to_string).collect();
    let more = compared.dates.len().saturating_sub(DATES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let days = counted(compared.dates.len() as u64, "day");
    writeln!(out, "{dataset} against the source: {days} ({}{more})", dates.join(" "))?;
    if compared.not_listed > 0 {
        let days = counted(compared.not_listed, "loaded day");
        writeln!(out, "  the source has no file of {days}")?;
    }
    print_left(out, "not compared", &compared.failed)
}

/// Prints what a repair did.
pub fn print_repaired(out: &mut impl Write, repaired: &Repaired) -> io::Result<()> {
    let (days, bars) = (counted(repaired.days, "day"), counted(repaired.bars, "bar"));
    writeln!(out, "\nrepaired: {days} loaded again ({bars})")?;
    if repaired.forgotten > 0 {
        writeln!(out, "  {} emptied: nothing of them was loaded", counted(repaired.forgotten, "day"))?;
    }
    if repaired.orphans > 0 {
        writeln!(out, "  {} that belonged to nothing removed", counted(repaired.orphans, "row"))?;
    }
    print_left(out, "not repaired", &repaired.left)?;
    writeln!(out, "\nafter the repair:")
}

fn print_left(out: &mut impl Write, heading: &str, days: &[DayReport]) -> io::Result<()> {
    for day in days.iter().take(DATES_SHOWN) {
        let detail = day.detail.as_deref().map_or_else(String::new, |detail| format!(": {}", printable(detail)));
        writeln!(out, "  {heading}: {} {} {}{detail}", day.date, day.dataset, day.outcome)?;
    }
    if days.len() > DATES_SHOWN {
        writeln!(out, "  {heading}: {} more", count((days.len() - DATES_SHOWN) as u64))?;
    }
    Ok(())
}

/// Prints findings: how many of each kind, and the first of them.
pub fn print_findings(out: &mut impl Write, findings: &Findings) -> io::Result<()> {
    if findings.is_empty() {
        return writeln!(out, "nothing is wrong");
    }
    writeln!(out)?;
    let kinds = findings.by_kind();
    let mut table = Table::new([("finding", Align::Left), ("times", Align::Right), ("what it is", Align::Left)]);
    for (kind, times) in &kinds {
        table.row([kind.as_str().to_owned(), count(*times), kind.meaning().to_owned()]);
    }
    write!(out, "{table}")?;
    let mut by_kind: BTreeMap<Kind, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.kept() {
        by_kind.entry(finding.kind).or_default().push(finding);
    }
    for (kind, of_kind) in by_kind {
        writeln!(out, "\n{}:", kind.as_str())?;
        for finding in of_kind.iter().take(LINES_SHOWN) {
            writeln!(out, "  {}", line(finding))?;
        }
        let more = kinds[&kind] - of_kind.len().min(LINES_SHOWN) as u64;
        if more > 0 {
            writeln!(out, "  and {} more", count(more))?;
        }
    }
    Ok(())
}

/// A finding in one line. Times are New York's, or UTC in 24-hour markets.
fn line(finding: &Finding) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(finding.date.map(|date| date.to_string()));
    words.extend(finding.dataset.map(|dataset| dataset.to_string()));
    words.extend(finding.symbol.clone());
    words.extend(finding.timeframe.map(|timeframe| timeframe.to_string()));
    words.extend(finding.timestamp_ms.map(|ms| clock(finding, ms)));
    let head = words.join(" ");
    let colon = if head.is_empty() { "" } else { ": " };
    let values = match (&finding.expected, &finding.found) {
        (Some(expected), Some(found)) => format!(": {found}, not {expected}"),
        _ => String::new(),
    };
    printable(&format!("{head}{colon}{}{values}", finding.what))
}

fn clock(finding: &Finding, ms: i64) -> String {
    let market = finding.dataset.map(Dataset::market);
    let zone = match market {
        Some(Market::NewYork) => TimeZone::get(NEW_YORK).unwrap_or(TimeZone::UTC),
        _ => TimeZone::UTC,
    };
    let Ok(instant) = Timestamp::from_millisecond(ms) else { return format!("at {ms} ms") };
    let local = instant.to_zoned(zone);
    let is_elsewhere = finding.date != Some(local.date());
    local.strftime(if is_elsewhere { "%Y-%m-%d %H:%M:%S" } else { "%H:%M" }).to_string()
}

/// A look and a repair in numbers: the `totals` of `--json`.
pub fn totals(found: &Look, repair: Option<&(Repaired, Look)>) -> Value {
    let mut totals = numbers(found);
    totals["repair"] = repair.map_or(Value::Null, |(repaired, again)| {
        json!({
            "rows_removed": repaired.orphans,
            "days_emptied": repaired.forgotten,
            "days_loaded": repaired.days,
            "bars_written": repaired.bars,
            "left": repaired.left,
            "then": numbers(again),
        })
    });
    totals
}

fn numbers(look: &Look) -> Value {
    let by_kind = look.findings.by_kind().into_iter();
    let kinds: BTreeMap<_, _> = by_kind.map(|(kind, times)| (kind.as_str(), times)).collect();
    let checked = look.checked.iter().filter_map(|checked| {
        let (from, to) = checked.range?;
        let (dataset, days, bars) = (checked.dataset, checked.days, checked.bars);
        Some(json!({ "dataset": dataset, "from": from, "to": to, "days": days, "bars": bars }))
    });
    let compared = look.compared.iter().map(|(dataset, compared)| {
        let Compared { dates, not_listed, failed } = compared;
        json!({ "dataset": dataset, "dates": dates, "not_listed": not_listed, "failed": failed })
    });
    json!({
        "findings": kinds,
        "checked": checked.collect::<Vec<_>>(),
        "compared": compared.collect::<Vec<_>>(),
    })
}
