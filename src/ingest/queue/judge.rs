//! What came of a request, from what is stored afterwards and why the rest is not. Pure.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::plan::{Gap, Open};
use crate::ingest::LoadFailure;
use crate::model::{Outcome, Symbol, file_due_at, session_finished_at};
use crate::store::{DayState, MOST_RETRIES, RequestOutcome};

/// Most stretches of dates that a message names, and its longest form.
const NAMED_STRETCHES: usize = 4;
const LONGEST_MESSAGE: usize = 600;

/// For so long after a file was due, it is taken to be late and not missing: vendors are late by hours, and by days now and then.
const LATE_HOURS: i64 = 72;

/// What is known of a request when both ways were tried.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) open: &'a Open,
    /// What is stored, by date.
    pub(super) states: &'a BTreeMap<Date, DayState>,
    /// Whether a bar is stored of what it asks for.
    pub(super) has_bars: bool,
    /// What requests have said of days that they did not bring.
    pub(super) requests: &'a BTreeMap<Date, Gap>,
    /// Why requests could not be made.
    pub(super) requests_failure: Option<&'a LoadFailure>,
    pub(super) now: Timestamp,
}

/// What is to become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has ended.
    Ended(RequestOutcome, Option<String>),
    /// It is to be tried again.
    Later(Wait, String),
}

/// How long a request waits until it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Longer with every time it was tried in vain: what is wrong may pass by itself.
    Soon,
    /// As long again as a way of loading, or the database, has failed by now: that is no fault of the request.
    Closed,
    /// Long: what is wrong stays until somebody does something about it, such as publishing a file that is late.
    Long,
    /// Until then.
    Until(Timestamp),
}

impl Wait {
    /// Whether a request that waits so was tried in vain.
    pub(super) const fn counts(self) -> bool {
        matches!(self, Self::Soon)
    }
}

/// Sessions of a request that are stored.
pub(super) fn days_done(open: &Open, states: &BTreeMap<Date, DayState>) -> u32 {
    open.due.iter().filter(|date| is_there(open, states, **date)).count() as u32
}

fn is_there(open: &Open, states: &BTreeMap<Date, DayState>, date: Date) -> bool {
    let covered = |state: &DayState| state.covered(open.wish.symbol.as_str());
    states.get(&date).is_some_and(|state| open.wish.timeframes.minus(covered(state)).is_empty())
}

/// Judges a request.
pub(super) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let Evidence { open, states, has_bars, requests_failure, now, .. } = evidence;
    let lacking: Vec<Date> = open.due.iter().copied().filter(|date| !is_there(open, states, *date)).collect();
    let (missing, waiting): (Vec<Date>, Vec<Date>) = lacking.iter().partition(|date| file_due_at(**date) <= *now);
    let has_some = *has_bars && lacking.len() < open.due.len();
    if missing.is_empty() {
        // A session that is under way is a bonus; the file of one that is over is waited for, if nothing else is there.
        let is_over = |date: &&Date| session_finished_at(open.dataset(), **date) <= *now;
        let all_wait = waiting.len() == open.due.len();
        let awaited = waiting.iter().rfind(|date| all_wait || is_over(date));
        return match awaited {
            _ if has_some || *has_bars && open.due.is_empty() => Verdict::Ended(RequestOutcome::Loaded, None),
            Some(date) => {
                let message = format!("the file of {date} is not due before {}", minute(file_due_at(*date)));
                Verdict::Later(Wait::Until(file_due_at(*date)), message)
            }
            // Files lack it, and who else may know it could not be asked.
            _ if !open.due.is_empty() && requests_failure.is_some_and(|failure| failure.may_pass) => outage(evidence),
            // Nor does the API know more than the files that are there.
            None => match open.due.iter().rfind(|date| is_late(evidence, **date)) {
                Some(date) => late(*date, &no_data(open)),
                None => Verdict::Ended(RequestOutcome::NoData, Some(no_data(open))),
            },
        };
    }
    // What has brought bars is not dead in the end.
    let is_last = has_some && open.claimed.retry_count + 1 >= MOST_RETRIES;
    let why = missing_in_words(evidence, &missing);
    match (&open.files, requests_failure) {
        _ if failures(evidence).any(|failure| failure.may_pass) => return outage(evidence),
        (Some(files), Some(requests)) => {
            let message = format!("{}; and the REST API: {}", files.message, requests.message);
            return Verdict::Later(Wait::Long, shortened(message));
        }
        _ if !is_last && is_passing(evidence, &missing) => return Verdict::Later(Wait::Soon, why),
        _ => {}
    }
    if let Some(date) = missing.iter().rfind(|date| is_late(evidence, **date)) {
        return late(*date, &why);
    }
    let is_refused = missing.iter().any(|date| is_refused(evidence, *date));
    match () {
        () if has_some => Verdict::Ended(RequestOutcome::Partial, Some(why)),
        () if is_refused => Verdict::Ended(RequestOutcome::NotEntitled, Some(why)),
        () => Verdict::Ended(RequestOutcome::NoData, Some(shortened(format!("{}; {why}", no_data(open))))),
    }
}

/// Why a day is not there: what was said of it, by files and by requests.
fn said<'a>(evidence: &'a Evidence<'_>, date: Date) -> impl Iterator<Item = &'a Gap> {
    let (files, requests) = (evidence.open.gaps.get(&date), evidence.requests.get(&date));
    files.into_iter().chain(requests)
}

/// Whether the vendor has not published a day's file that was due, and may do it yet.
fn is_late(evidence: &Evidence<'_>, date: Date) -> bool {
    let is_unpublished = |gap: &Gap| matches!(gap.outcome, Outcome::Missing | Outcome::NotDue);
    let due = file_due_at(date);
    let is_young = due <= evidence.now && evidence.now < due + SignedDuration::from_hours(LATE_HOURS);
    is_young && evidence.open.gaps.get(&date).is_some_and(is_unpublished)
}

fn late(date: Date, why: &str) -> Verdict {
    let message = format!("the file of {date} is late, it was due {}; {why}", minute(file_due_at(date)));
    Verdict::Later(Wait::Long, shortened(message))
}

fn minute(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

fn is_refused(evidence: &Evidence<'_>, date: Date) -> bool {
    said(evidence, date).any(|gap| gap.outcome == Outcome::NotEntitled)
}

/// Why the ways of loading are closed that are.
fn failures<'a>(evidence: &'a Evidence<'_>) -> impl Iterator<Item = &'a LoadFailure> {
    evidence.open.files.iter().chain(evidence.requests_failure)
}

/// Whether something that may pass keeps a day away: a network, a file that the vendor may put right.
fn is_passing(evidence: &Evidence<'_>, missing: &[Date]) -> bool {
    let may_pass = |gap: &Gap| matches!(gap.outcome, Outcome::Failed | Outcome::Damaged);
    // Of a day that both ways are silent about, one of them has not come to it.
    let is_silent = |date: Date| said(evidence, date).next().is_none() && failures(evidence).count() < 2;
    missing.iter().any(|date| said(evidence, *date).any(may_pass) || is_silent(*date))
}

/// Tried again, as a way is closed that may open by itself.
fn outage(evidence: &Evidence<'_>) -> Verdict {
    let passing = failures(evidence).find(|failure| failure.may_pass);
    Verdict::Later(Wait::Closed, shortened(passing.map(|failure| failure.message.clone()).unwrap_or_default()))
}

fn no_data(open: &Open) -> String {
    let ticker = open.wish.symbol.as_str();
    let hint = match Symbol::from_command_line(ticker) {
        Ok(meant) if meant != open.wish.symbol => format!("; the index is {meant}"),
        _ if ticker.chars().any(char::is_lowercase) => "; upper and lower case matter".to_owned(),
        _ => String::new(),
    };
    let (first, last) = (open.wish.dates.start(), open.wish.dates.end());
    if open.due.is_empty() {
        return format!("there is no session from {first} to {last}");
    }
    format!("the vendor has no bar of {ticker} from {first} to {last}{hint}")
}

/// The days that are missing, by what became of them.
fn missing_in_words(evidence: &Evidence<'_>, missing: &[Date]) -> String {
    let mut by_outcome: BTreeMap<Outcome, (Vec<Date>, Option<String>)> = BTreeMap::new();
    for date in missing {
        // A refusal tells more than that a file is missing; of others, what was said last.
        let gap = said(evidence, *date).find(|gap| gap.outcome == Outcome::NotEntitled);
        let gap = gap.or_else(|| said(evidence, *date).last());
        let outcome = gap.map_or(Outcome::Failed, |gap| gap.outcome);
        let (dates, detail) = by_outcome.entry(outcome).or_default();
        dates.push(*date);
        // Newer days were really asked for; what is said of older ones may be remembered.
        *detail = gap.and_then(|gap| gap.detail.clone()).or_else(|| detail.take());
    }
    let parts = by_outcome.into_iter().map(|(outcome, (dates, detail))| {
        let why = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
        let what = match outcome {
            Outcome::NotEntitled => "not included in the vendor's plan".to_owned(),
            other => other.as_str().replace('_', " "),
        };
        format!("{what}: {}{why}", dates_in_words(&dates, &evidence.open.due))
    });
    shortened(parts.collect::<Vec<_>>().join("; "))
}

/// Dates, neighbours among `all` together.
fn dates_in_words(dates: &[Date], all: &[Date]) -> String {
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for at in dates.iter().filter_map(|date| all.binary_search(date).ok()) {
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == at => *last = at,
            _ => stretches.push((at, at)),
        }
    }
    let named = stretches.iter().rev().take(NAMED_STRETCHES).rev().map(|(first, last)| match last - first {
        0 => all[*first].to_string(),
        between => format!("{} to {} ({} days)", all[*first], all[*last], between + 1),
    });
    let more = stretches.len().saturating_sub(NAMED_STRETCHES);
    let unnamed: usize = stretches[..more].iter().map(|(first, last)| last - first + 1).sum();
    let before = if unnamed == 0 { String::new() } else { format!("{unnamed} days before, ") };
    before + &named.collect::<Vec<_>>().join(", ")
}

/// A text that a column of a table can show.
pub(super) fn shortened(text: String) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
