//! What the facts mean.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::days::due_dates;
use super::{Finding, HealthFacts, Level};
use crate::cli::doctor::LOW_BYTES;
use crate::cli::format::{bytes, count, counted, duration, printable};
use crate::model::Dataset;
use crate::store::RunRecord;

/// A nightly run that began longer ago and has not ended was killed, or hangs: the longest wait for a file is shorter.
const LONGEST_NIGHTLY: SignedDuration = SignedDuration::from_hours(20);

/// How long a request that could be claimed may wait.
const LONGEST_IN_QUEUE: SignedDuration = SignedDuration::from_mins(15);

/// How long a message may be on its way.
const LONGEST_IN_OUTBOX: SignedDuration = SignedDuration::from_hours(1);

/// With less room than this the next days do not fit.
const FULL_BYTES: u64 = 500_000_000;

/// Symbols that are named in a line.
const SYMBOLS_NAMED: usize = 5;

/// What the facts mean, check by check. `max_age`: how long ago the last nightly run may have ended with 0, if that is judged,
/// too.
pub(in crate::cli) fn judge(facts: &HealthFacts, max_age: Option<Duration>) -> Vec<Finding> {
    let mut findings =
        vec![database(facts), nightly(facts, max_age), days(facts), queue(facts), outbox(facts), quota(facts)];
    findings.extend(facts.disks.iter().map(|disk| match (&disk.free_bytes, disk.of) {
        (Ok(free), of) => room(of, *free),
        (Err(why), of) => finding(disk_name(of), Level::Warn, why.clone()),
    }));
    findings
}

fn finding(check: &'static str, level: Level, found: impl Into<String>) -> Finding {
    Finding { check, level, found: found.into(), advice: String::new() }
}

impl Finding {
    fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }
}

fn database(facts: &HealthFacts) -> Finding {
    let crate::store::Facts { engine, size_bytes, file_days, .. } = &facts.database;
    let found = format!("{engine}, {}, {} of files", bytes(*size_bytes), counted(*file_days, "day"));
    finding("database", Level::Ok, found)
}

fn nightly(facts: &HealthFacts, max_age: Option<Duration>) -> Finding {
    let runs = &facts.nightly.runs;
    let Some(latest) = runs.first() else {
        return finding("nightly", Level::Info, "has never run here: only missing days are judged")
            .advising("`backfill nightly` from cron or a timer keeps the table filled");
    };
    let (level, found, advice) = latest_run(latest, facts.now);
    let behind = behind(facts).or_else(|| max_age.and_then(|max_age| too_old(runs, facts.now, max_age)));
    if let Some(behind) = behind {
        let advice = match advice {
            "" => "see that cron or the timer starts `backfill nightly`, and what it says",
            advice => advice,
        };
        return finding("nightly", Level::Stale, format!("{behind}; {found}")).advising(advice);
    }
    let complete_to = facts.nightly.complete_to.map_or_else(String::new, |date| format!("complete to {date}; "));
    finding("nightly", level, format!("{complete_to}{found}")).advising(advice)
}

/// How the latest run is, or ended.
fn latest_run(run: &RunRecord, now: Timestamp) -> (Level, String, &'static str) {
    let id = printable(&run.start.run_id);
    let Some(end) = &run.end else {
        let since = run.start.started_at;
        let found = format!("run {id} has been under way for {}", age(now, since));
        return if since + LONGEST_NIGHTLY > now {
            (Level::Ok, found, "")
        } else {
            let found = format!("run {id} began {} ago and has not ended", age(now, since));
            (Level::Warn, found, "it was killed, or hangs: see whether it is there still, and run `backfill nightly`")
        };
    };
    let found =
        format!("run {id} ended {} ago with {}: {}", age(now, end.finished_at), end.exit_code, printable(&end.summary));
    match end.exit_code {
        0 => (Level::Ok, found, ""),
        3 => (Level::Warn, found, "`backfill status` and the run's log say what is missing; the next run tries again"),
        _ => (Level::Warn, found, "see the run's log; the next run tries again"),
    }
}

/// How far the last complete session lies behind the last that must be there.
fn behind(facts: &HealthFacts) -> Option<String> {
    let due = due_dates(Dataset::Stocks, facts.now);
    let last = due.last()?;
    let Some(complete_to) = facts.nightly.complete_to else {
        return Some("no run has found everything there".to_owned());
    };
    let lacking = due.iter().filter(|date| **date > complete_to).count();
    let many = if lacking == due.len() { "or more " } else { "" };
    (complete_to < *last)
        .then(|| format!("complete to {complete_to} only, {} {many}behind", counted(lacking as u64, "session")))
}

fn too_old(runs: &[RunRecord], now: Timestamp, max_age: Duration) -> Option<String> {
    let ends = runs.iter().filter_map(|run| run.end.as_ref());
    match ends.filter(|end| end.exit_code == 0).map(|end| end.finished_at).max() {
        None => Some(format!("none of the last {} ended with 0", counted(runs.len() as u64, "run"))),
        Some(at) => (now.duration_since(at) > SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX))
            .then(|| format!("the last run that ended with 0 did so {} ago", age(now, at))),
    }
}

fn days(facts: &HealthFacts) -> Finding {
    let days = &facts.days;
    if days.watched == 0 && days.markets == 0 {
        return finding("days", Level::Info, "nothing is watched, and no market is loaded whole")
            .advising("`backfill watchlist add SYMBOL` says what is to be kept filled");
    }
    let of = if days.watched > 0 { counted(days.watched, "symbol") } else { counted(days.markets, "market") };
    let awaited = match days.awaited {
        0 => String::new(),
        symbols => format!("; not judged: {} with an open request", counted(symbols, "symbol")),
    };
    let missing = &days.missing;
    let Some(first) = missing.iter().filter_map(|missing| missing.dates.first()).min() else {
        return finding("days", Level::Ok, format!("the latest sessions of {of} are there{awaited}"));
    };
    let total: usize = missing.iter().map(|missing| missing.dates.len()).sum();
    let named: Vec<_> = missing
        .iter()
        .take(SYMBOLS_NAMED)
        .map(|missing| format!("{} ({})", printable(&missing.of), missing.dates.len()))
        .collect();
    let more = if missing.len() > SYMBOLS_NAMED { " …" } else { "" };
    let total = count(total as u64);
    let found = format!("{total} missing of the latest sessions, since {first}: {}{more}{awaited}", named.join(" "));
    finding("days", Level::Stale, found).advising(advice_for(*first, days.watched > 0))
}

fn advice_for(first: Date, is_watched: bool) -> String {
    let load = if is_watched {
        format!("`backfill hybrid --from={first}`")
    } else {
        format!("`backfill s3 --all --from={first}`")
    };
    format!("{load} loads them, or says why not")
}

fn queue(facts: &HealthFacts) -> Finding {
    let queue = &facts.queue;
    let working = queue.processing.saturating_sub(queue.abandoned);
    let oldest = queue.oldest_pending.map_or_else(String::new, |at| format!(", oldest {}", age(facts.now, at)));
    let put_off = facts.put_off.as_ref().map_or_else(String::new, |problem| format!("; {}", problem.headline));
    let found = format!(
        "{} waiting{oldest}; {} worked on, {} abandoned, {} dead{put_off}",
        count(queue.pending),
        count(working),
        count(queue.abandoned),
        count(queue.dead)
    );
    let is_late = queue.oldest_pending.is_some_and(|at| facts.now.duration_since(at) > LONGEST_IN_QUEUE);
    let finding = |level| finding("queue", level, found);
    match () {
        () if is_late && working == 0 => {
            finding(Level::Stale).advising("nobody takes requests: see that `backfill watchlist run` runs")
        }
        () if is_late => finding(Level::Warn).advising("there is more to do than one processor can: start another"),
        () if queue.abandoned > 0 => finding(Level::Warn)
            .advising("a processor has died; another `backfill watchlist run` takes its requests over"),
        () if queue.dead > 0 => finding(Level::Warn)
            .advising("`backfill watchlist queue` says why they failed, `backfill watchlist retry` tries them again"),
        () if facts.put_off.is_some() => {
            finding(Level::Warn).advising("`backfill watchlist queue` says why, and when they are tried again")
        }
        () => finding(Level::Ok),
    }
}

fn outbox(facts: &HealthFacts) -> Finding {
    let outbox = &facts.outbox;
    let oldest = outbox.oldest_open.map_or_else(String::new, |at| format!(", oldest {}", age(facts.now, at)));
    let found = format!("{} on their way{oldest}; {} given up", count(outbox.open), count(outbox.dead));
    let is_late = outbox.oldest_open.is_some_and(|at| facts.now.duration_since(at) > LONGEST_IN_OUTBOX);
    let finding = |level| finding("messages", level, found);
    match () {
        () if is_late => {
            finding(Level::Stale).advising("nobody is told of anything: see that the channel can be reached")
        }
        () if outbox.dead > 0 => finding(Level::Warn).advising("see that the channel's address and secret are right"),
        () => finding(Level::Ok),
    }
}

fn quota(facts: &HealthFacts) -> Finding {
    let quota = &facts.quota;
    let found = format!("{} of {} requests free at {}", count(quota.free), count(quota.requests), quota.rate);
    match quota.lowered_at {
        None => finding("quota", Level::Ok, found),
        Some(at) => {
            let found = format!("{found}; lowered {} ago, when the vendor refused a request", age(facts.now, at));
            finding("quota", Level::Info, found).advising("--rate sets what your plan allows")
        }
    }
}

fn disk_name(of: &'static str) -> &'static str {
    if of == "database" { "database disk" } else { "cache disk" }
}

fn room(of: &'static str, free_bytes: u64) -> Finding {
    let level = match free_bytes {
        ..FULL_BYTES => Level::Stale,
        FULL_BYTES..LOW_BYTES => Level::Warn,
        _ => Level::Ok,
    };
    let found = finding(disk_name(of), level, format!("{} free", bytes(free_bytes)));
    match (level, of) {
        (Level::Ok, _) => found,
        (_, "database") => found.advising("free some space: a year of the whole stock market takes 14 GB"),
        _ => found.advising("free some space, or keep fetched files for less time (--cache-keep)"),
    }
}

/// For how long something has been so; nothing is older than it can be by clocks that disagree.
fn age(now: Timestamp, since: Timestamp) -> String {
    let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    match age.as_secs() {
        0..60 => format!("{} s", age.as_secs()),
        60..172_800 => duration(Duration::from_secs(age.as_secs())),
        seconds => counted(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
