//! What a night came to: one line for people, a record for the database.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::NIGHTLY;
use crate::model::{Dataset, Outcome, Problem, TimeframeSet};
use crate::store::RunEnd;

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Everything that is due is there.
    #[default]
    Done,
    /// Days that are due, or symbols, are missing.
    Gaps,
    /// It could not do its work.
    Failed,
    /// It was told to stop, and what it has done stays.
    Stopped,
}

/// Something that did not go as on other nights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// An earlier run never said how it ended.
    PreviousRunKilled,
    /// Sessions went by without a run.
    Downtime,
    /// The newest file was not there when it was due; `seconds` after that the run gave up, or it came.
    Late,
    /// A file came after it was due, so many `seconds` late.
    CameLate,
    /// A file was loaded again, as the vendor had replaced it.
    Replaced,
    /// A file took the place of what requests had brought.
    TookPlaceOfRequests,
    /// Requests brought what files lacked.
    ByRequests,
    /// Due, and the vendor has no file.
    Missing,
    /// The plan does not include the file.
    NotEntitled,
    /// The file, or the vendor's day file beside it, is damaged.
    Damaged,
    /// The file holds nothing.
    Empty,
    /// The file looks cut short.
    Suspect,
    /// The file could not be fetched.
    Failed,
    /// Files, or requests, could not be had for now; or files for so many `seconds`, and then they could.
    Outage,
    /// Files, or requests, cannot be had at all: keys are missing or refused.
    Closed,
    /// What stands on the watchlist is no symbol.
    SenselessSymbol,
    /// A symbol of which there is not a single bar.
    UnknownSymbol,
    /// Work beside bars failed.
    StepFailed,
    /// The program's trading calendar ends soon, or has ended.
    CalendarEnds,
}

/// Something that did not go as on other nights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// What.
    pub kind: IncidentKind,
    /// Market.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<Dataset>,
    /// First date it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// How long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// More, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Incident {
    /// One about no day.
    pub const fn new(kind: IncidentKind, detail: Option<String>) -> Self {
        Self { kind, dataset: None, from: None, to: None, seconds: None, detail }
    }

    /// One about a day.
    pub const fn of_day(kind: IncidentKind, dataset: Dataset, date: Date, detail: Option<String>) -> Self {
        Self { kind, dataset: Some(dataset), from: Some(date), to: Some(date), seconds: None, detail }
    }
}

/// Work of a run, how long it took, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which.
    pub name: &'static str,
    /// How long, in real time.
    pub seconds: f64,
    /// What it did, where there is something to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a run answered for in one market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarketReport {
    /// Market.
    pub dataset: Dataset,
    /// Whether all symbols were asked for.
    pub everyone: bool,
    /// Symbols that are watched.
    pub symbols: Vec<String>,
    /// Bars that were to be there.
    #[serde(serialize_with = "words")]
    pub timeframes: TimeframeSet,
    /// First date.
    pub from: Date,
    /// The newest finished session.
    pub newest: Date,
    /// The last session up to which everything is there.
    pub complete_to: Option<Date>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls is given a reference")]
fn words<S: serde::Serializer>(timeframes: &TimeframeSet, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(timeframes.iter().map(crate::model::Timeframe::as_str))
}

/// What is stored of a session when a run ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NightlyDay {
    /// Market.
    pub dataset: Dataset,
    /// Trading date.
    pub date: Date,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether any of it came by requests, and no file has taken its place yet.
    pub by_requests: bool,
    /// Why it is not there, or not by its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl NightlyDay {
    /// Whether it is there.
    pub const fn is_there(&self) -> bool {
        matches!(self.outcome, Outcome::Loaded | Outcome::Unchanged)
    }
}

/// A symbol that the file of a day lacks, and of which requests have not said yet whether there is anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unasked {
    /// Market.
    pub dataset: Dataset,
    /// The symbol.
    pub symbol: String,
    /// Trading date.
    pub date: Date,
}

/// What came over both ways.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Amounts {
    /// Days loaded from files.
    pub days_loaded: u64,
    /// Of these, days whose file the vendor had replaced.
    pub days_replaced: u64,
    /// Days of which requests brought something.
    pub days_by_requests: u64,
    /// Bars written.
    pub bars: u64,
    /// Bytes that came over the network.
    pub bytes_fetched: u64,
    /// Requests that were made.
    pub requests: u64,
}

/// What a run came to. Serialised, it is its record.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NightlyReport {
    /// Its name.
    pub run_id: String,
    /// What it was asked for, as it is typed.
    pub name: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub ending: Ending,
    /// Why it could not do its work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What it answered for.
    pub markets: Vec<MarketReport>,
    /// How many sessions it looked back at least.
    pub lookback: u32,
    /// Whether all that is stored was held against the vendor's listing.
    pub whole_ledger: bool,
    /// How long it waited for files.
    pub waited_seconds: u64,
    /// What came.
    pub amounts: Amounts,
    /// The sessions it answered for, ascending by dataset and date.
    pub days: Vec<NightlyDay>,
    /// Symbols of which there is not a single bar, though days are there.
    pub unknown_symbols: Vec<String>,
    /// What the next run is to ask for: once a file is loaded, nothing else tells which symbols it lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unasked: Vec<Unasked>,
    /// The last date of the program's trading calendar, where a market goes by it and the end is near, or past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar_ends: Option<Date>,
    /// Why files could not be had, though there are keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files_failure: Option<String>,
    /// What did not go as on other nights.
    pub incidents: Vec<Incident>,
    /// What it did, one after the other.
    pub steps: Vec<Step>,
}

/// Days that a line names; more are counted.
const DAYS_NAMED: usize = 3;

impl NightlyReport {
    /// The last session up to which everything is there, of all markets.
    pub fn complete_to(&self) -> Option<Date> {
        self.markets.iter().map(|market| market.complete_to).min().flatten()
    }

    /// Sessions that are due and not there.
    pub fn gaps(&self) -> impl Iterator<Item = &NightlyDay> {
        self.days.iter().filter(|day| day.outcome.leaves_a_gap())
    }

    /// Trouble, if somebody is to be told of any. A run that was told to stop says nothing about the vendor.
    pub fn problem(&self) -> Option<Problem> {
        let missing = match self.ending {
            Ending::Stopped => return None,
            Ending::Failed => {
                let why = self.failure.clone().unwrap_or_default();
                // How often and how long something was tried is another number every night.
                return Some(Problem {
                    essence: vec![without_digits(&why)],
                    headline: "it failed".to_owned(),
                    details: vec![why],
                });
            }
            Ending::Gaps => Some(self.missing()),
            Ending::Done => None,
        };
        missing.into_iter().chain(self.beside_days()).reduce(|all, one| Problem {
            essence: [all.essence, one.essence].concat(),
            headline: format!("{}, {}", all.headline, one.headline),
            details: [all.details, one.details].concat(),
        })
    }

    /// What is missing.
    fn missing(&self) -> Problem {
        let (days, symbols) = (self.gaps().count(), self.unknown_symbols.len());
        let of = |count, one, many| format!("{count} {}", if count == 1 { one } else { many });
        let counts = [(days, of(days, "day", "days")), (symbols, of(symbols, "symbol", "symbols"))];
        let counts: Vec<_> = counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, words)| words).collect();
        let told = |day: &NightlyDay| {
            let why = day.detail.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            format!("{} of {}: {}{why}", day.date, day.dataset, day.outcome)
        };
        let essence = self.gaps().map(|day| format!("{} {} {}", day.date, day.dataset, day.outcome));
        let unknown = self.unknown_symbols.iter();
        Problem {
            essence: essence.chain(unknown.clone().cloned()).collect(),
            headline: format!("{} missing", counts.join(" and ")),
            details: self.gaps().map(told).chain(unknown.map(|symbol| unknown_symbol(symbol))).collect(),
        }
    }

    /// Trouble that no day shows.
    fn beside_days(&self) -> impl Iterator<Item = Problem> {
        let one = |essence: &str, headline: String, detail: String| Problem {
            essence: vec![essence.to_owned()],
            headline,
            details: vec![detail],
        };
        // What requests bring is seen in the days.
        let steps = self.steps.iter().filter(|step| !matches!(step.name, "files" | "requests"));
        let steps = steps.filter_map(move |step| {
            let error = step.error.as_ref()?;
            Some(one(
                &format!("step {}", step.name),
                format!("{} failed", step.name),
                format!("{}: {error}", step.name),
            ))
        });
        // Requests may have filled in, for the watchlist and for as long as they can.
        let files = self.files_failure.as_ref();
        let files = files.map(|why| one("files", "files could not be had".to_owned(), format!("files: {why}")));
        let ends = self.calendar_ends;
        let calendar = ends.map(|last| one("calendar", "the calendar is about to end".to_owned(), calendar_ends(last)));
        calendar.into_iter().chain(files).chain(steps)
    }

    /// One line: `nightly: 2026-10-02 complete; 3 days loaded (1 replaced), 2 by REST, 1 missing (2026-09-30); 12 s`.
    pub fn summary(&self) -> String {
        let newest = self.markets.iter().map(|market| market.newest).min();
        let complete = match (self.complete_to(), newest) {
            (Some(date), Some(newest)) if date >= newest => format!("{newest} complete"),
            (Some(date), _) => format!("complete to {date}"),
            (None, _) => "nothing is known to be complete".to_owned(),
        };
        let days = |count: u64| if count == 1 { "1 day".to_owned() } else { format!("{count} days") };
        let Amounts { days_loaded, days_replaced, days_by_requests, .. } = self.amounts;
        let replaced = if days_replaced > 0 { format!(" ({days_replaced} replaced)") } else { String::new() };
        let mut came = Vec::new();
        if days_loaded > 0 {
            came.push(format!("{} loaded{replaced}", days(days_loaded)));
        }
        if days_by_requests > 0 {
            came.push(if came.is_empty() {
                format!("{} by REST", days(days_by_requests))
            } else {
                format!("{days_by_requests} by REST")
            });
        }
        if came.is_empty() {
            came.push("nothing new".to_owned());
        }
        let mut missing: BTreeMap<Outcome, Vec<String>> = BTreeMap::new();
        for day in self.days.iter().filter(|day| !day.is_there()) {
            missing.entry(day.outcome).or_default().push(day.date.to_string());
        }
        for (outcome, dates) in missing {
            let more = if dates.len() > DAYS_NAMED { " …" } else { "" };
            let named = dates[dates.len().saturating_sub(DAYS_NAMED)..].join(" ");
            let words = outcome.as_str().replace('_', " ");
            came.push(format!("{} {words} ({named}{more})", dates.len()));
        }
        if !self.unknown_symbols.is_empty() {
            came.push(format!("no bars of {}", self.unknown_symbols.join(" ")));
        }
        let ending = match self.ending {
            Ending::Stopped => "stopped; ",
            Ending::Failed => "failed; ",
            Ending::Done | Ending::Gaps => "",
        };
        let took = self.finished_at.duration_since(self.started_at).as_secs();
        format!("{NIGHTLY}: {ending}{complete}; {}; {took} s", came.join(", "))
    }

    /// What is remembered of it.
    pub fn run_end(&self, exit_code: u8) -> RunEnd {
        RunEnd {
            run_id: self.run_id.clone(),
            finished_at: self.finished_at,
            exit_code,
            complete_to: self.complete_to(),
            summary: self.summary(),
            record: serde_json::to_string(self).expect("Invariant: a report has only texts as keys"),
        }
    }
}

/// Words that are the same from day to day: dates and counts are not part of them.
pub(super) fn without_digits(words: &str) -> String {
    words.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// What is said of a symbol without a bar.
pub(super) fn unknown_symbol(symbol: &str) -> String {
    format!("there is not a single bar of {symbol}: check how it is written on the watchlist")
}

/// What is said of the end of the program's calendar.
pub(super) fn calendar_ends(last: Date) -> String {
    format!("this program knows the sessions up to {last} and none after it: update barkeep")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, outcome: Outcome) -> NightlyDay {
        NightlyDay { dataset: Dataset::Stocks, date: date.parse().unwrap(), outcome, by_requests: false, detail: None }
    }

    fn report(complete_to: &str) -> NightlyReport {
        let market = MarketReport {
            dataset: Dataset::Stocks,
            everyone: false,
            symbols: vec!["SPY".to_owned()],
            timeframes: "1h,day".parse().unwrap(),
            from: "2026-09-28".parse().unwrap(),
            newest: "2026-10-02".parse().unwrap(),
            complete_to: Some(complete_to.parse().unwrap()),
        };
        NightlyReport { finished_at: Timestamp::from_second(12).unwrap(), markets: vec![market], ..Default::default() }
    }

    #[test]
    fn a_night_is_told_in_a_line() {
        let mut quiet = report("2026-10-02");
        assert_eq!(quiet.summary(), "nightly: 2026-10-02 complete; nothing new; 12 s");
        quiet.amounts = Amounts { days_loaded: 3, days_replaced: 1, days_by_requests: 2, ..Default::default() };
        assert_eq!(quiet.summary(), "nightly: 2026-10-02 complete; 3 days loaded (1 replaced), 2 by REST; 12 s");
        let mut gaps = report("2026-09-29");
        gaps.days = vec![day("2026-09-30", Outcome::Missing), day("2026-10-02", Outcome::NotDue)];
        gaps.amounts.days_by_requests = 1;
        gaps.ending = Ending::Stopped;
        assert_eq!(
            gaps.summary(),
            "nightly: stopped; complete to 2026-09-29; 1 day by REST, 1 not due (2026-10-02), 1 missing (2026-09-30); 12 s"
        );
    }

    #[test]
    fn trouble_has_an_essence_that_stays() {
        let mut report = report("2026-09-29");
        assert_eq!(report.problem(), None);
        report.days = vec![
            NightlyDay { detail: Some("tried 3 times".to_owned()), ..day("2026-09-30", Outcome::Missing) },
            day("2026-10-02", Outcome::NotDue),
        ];
        report.unknown_symbols = vec!["SPYY".to_owned()];
        report.ending = Ending::Gaps;
        let problem = report.problem().unwrap();
        assert_eq!(problem.essence, ["2026-09-30 stocks missing", "SPYY"]);
        assert_eq!(problem.headline, "1 day and 1 symbol missing");
        assert_eq!(problem.details[0], "2026-09-30 of stocks: missing: tried 3 times");
        report.ending = Ending::Stopped;
        assert_eq!(report.problem(), None);
    }

    #[test]
    fn work_beside_bars_that_fails_is_trouble_though_no_day_is_missing() {
        let step = |name, error: Option<&str>| Step { name, seconds: 0.0, done: None, error: error.map(str::to_owned) };
        let mut report = report("2026-10-02");
        report.steps = vec![step("files", Some("late")), step("chains", Some("refused")), step("splits", None)];
        let problem = report.problem().unwrap();
        assert_eq!((&problem.essence[..], &*problem.headline), (&["step chains".to_owned()][..], "chains failed"));
        assert_eq!(problem.details, ["chains: refused"]);
        report.files_failure = Some("refused".to_owned());
        assert_eq!(report.problem().unwrap().essence, ["files", "step chains"]);
        report.files_failure = None;
        report.days = vec![day("2026-09-30", Outcome::Missing)];
        report.ending = Ending::Gaps;
        let problem = report.problem().unwrap();
        assert_eq!(problem.essence, ["2026-09-30 stocks missing", "step chains"]);
        assert_eq!(problem.headline, "1 day missing, chains failed");
        report.steps.clear();
        (report.ending, report.days) = (Ending::Done, Vec::new());
        assert_eq!(report.problem(), None, "it is over");
    }

    #[test]
    fn the_record_is_what_later_runs_read() {
        let mut report = report("2026-10-01");
        report.whole_ledger = true;
        let end = report.run_end(3);
        let record: serde_json::Value = serde_json::from_str(&end.record).unwrap();
        assert_eq!(record["markets"][0]["complete_to"], "2026-10-01");
        assert_eq!(record["markets"][0]["timeframes"], serde_json::json!(["1h", "day"]));
        assert_eq!((end.complete_to, end.exit_code), ("2026-10-01".parse().ok(), 3));
    }
}
