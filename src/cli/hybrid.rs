//! Which day came from where, and what is left of the gaps of each way.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

use super::format::{counted, printable};
use super::rest::{rest_amounts, rest_exit_code, rest_gaps};
use super::table::{Align, Table};
use super::{Exit, amounts, exit_code, gaps};
use crate::ingest::rest::{RestReport, SymbolDayReport};
use crate::ingest::{DayReport, RunReport};
use crate::model::{Dataset, Outcome};

/// Where the bars of a day came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CameFrom {
    /// The day file.
    File,
    /// Requests.
    Rest,
    /// The day file, and requests for symbols it lacks or for exact VWAPs.
    FileAndRest,
    /// They were there already, wherever from.
    Before,
    /// Nowhere.
    Nowhere,
}

impl CameFrom {
    const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Rest => "REST",
            Self::FileAndRest => "file, REST",
            Self::Before => "there already",
            Self::Nowhere => "-",
        }
    }
}

/// A day, whichever way it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HybridDay {
    /// Market.
    pub dataset: Dataset,
    /// Trading date.
    pub date: Date,
    /// Where from.
    pub source: CameFrom,
    /// What became of it in the end.
    pub outcome: Outcome,
    /// What became of its file, where one was wanted.
    pub file_outcome: Option<Outcome>,
    /// Why it came from there.
    pub why: Option<String>,
    /// Symbols that came by requests.
    pub rest_symbols: u64,
    /// Whether requests have brought, or had brought before, all that its file was wanted for.
    #[serde(skip)]
    is_by_requests: bool,
    /// Bars written.
    pub bars: u64,
}

/// What was planned of days.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Whose minutes were left to requests.
    pub by_rest: BTreeSet<(Dataset, Date)>,
    /// Whose files were to take the place of what files brought before, which requests cannot do.
    pub renewed: BTreeSet<(Dataset, Date)>,
}

/// What both ways came to.
#[derive(Debug)]
pub struct HybridReport {
    /// What became of files. Days that requests have brought are gaps here no more.
    pub files: RunReport,
    /// What became of requests.
    pub rest: RestReport,
    /// Every day, by dataset and date.
    pub days: Vec<HybridDay>,
}

impl HybridReport {
    /// Brings the reports of both ways together.
    pub fn of(mut files: RunReport, rest: RestReport, planned: &Planned) -> Self {
        let mut by_day: BTreeMap<(Dataset, Date), BothWays<'_>> = BTreeMap::new();
        for day in &files.days {
            by_day.entry((day.dataset, day.date)).or_default().file = Some(day);
        }
        for day in &rest.days {
            by_day.entry((day.dataset, day.date)).or_default().requests.push(day);
        }
        let hybrid_day = |(day, ways): (_, BothWays<'_>)| hybrid_day(day, &ways, planned);
        let days: Vec<HybridDay> = by_day.into_iter().map(hybrid_day).collect();
        let answered: BTreeSet<(Dataset, Date, &str)> = rest
            .days
            .iter()
            .filter(|day| day.outcome != Outcome::Unchanged)
            .map(|day| (day.dataset, day.date, day.symbol.as_str()))
            .collect();
        for day in &mut files.days {
            // What became of them is said by the other report.
            day.absent_symbols.retain(|symbol| !answered.contains(&(day.dataset, day.date, symbol.as_str())));
        }
        let rescued: BTreeSet<_> = days
            .iter()
            .filter(|day| day.is_by_requests && !day.outcome.leaves_a_gap())
            .map(|day| (day.dataset, day.date))
            .collect();
        files.days.retain(|day| !day.outcome.leaves_a_gap() || !rescued.contains(&(day.dataset, day.date)));
        Self { files, rest, days }
    }

    /// How the command ends.
    pub fn exit(&self, signal: Option<Exit>) -> Exit {
        match (exit_code(&self.files, signal), rest_exit_code(&self.rest, signal)) {
            (exit, Exit::Done) if self.rest.days.is_empty() => exit,
            (Exit::Done, exit) if self.files.days.is_empty() => exit,
            (stopped @ (Exit::Interrupted | Exit::Terminated), _)
            | (_, stopped @ (Exit::Interrupted | Exit::Terminated)) => stopped,
            (Exit::Done, Exit::Done) => Exit::Done,
            (Exit::Failed, Exit::Failed) => Exit::Failed,
            _ => Exit::Gaps,
        }
    }

    /// Where each day came from, neighbours that say the same together.
    pub fn sources(&self) -> String {
        let mut table = Table::new([
            ("dates", Align::Left),
            ("dataset", Align::Left),
            ("days", Align::Right),
            ("from", Align::Left),
            ("outcome", Align::Left),
            ("why", Align::Left),
        ]);
        let mut groups: Vec<Vec<&HybridDay>> = Vec::new();
        for day in self.days.iter().filter(|day| day.outcome != Outcome::NotASession) {
            let says = |day: &HybridDay| (day.dataset, day.source, day.outcome, day.why.clone());
            match groups.last_mut() {
                Some(group) if says(group[0]) == says(day) => group.push(day),
                _ => groups.push(vec![day]),
            }
        }
        for group in groups {
            let (first, last) = (group[0], group[group.len() - 1]);
            let dates =
                if group.len() == 1 { first.date.to_string() } else { format!("{} to {}", first.date, last.date) };
            table.row([
                dates,
                first.dataset.to_string(),
                group.len().to_string(),
                first.source.as_str().to_owned(),
                first.outcome.to_string(),
                first.why.as_deref().map(printable).unwrap_or_default(),
            ]);
        }
        table.to_string()
    }

    /// What came of it, for people.
    pub fn summary(&self) -> String {
        let mut text = format!("{}\n", self.sources());
        if !self.files.days.is_empty() {
            text.push_str(&amounts(&self.files));
        }
        if self.rest.requests > 0 {
            text.push_str(&rest_amounts(&self.rest));
        }
        text + &self.gaps()
    }

    /// What is missing after both ways.
    pub fn gaps(&self) -> String {
        let of_files = gaps(&self.files);
        let of_rest = rest_gaps(&self.rest);
        of_files + &of_rest
    }
}

/// Days whose minutes were left to requests, which have not brought them.
pub fn left_over(by_rest: &BTreeSet<(Dataset, Date)>, requests: &RestReport) -> BTreeSet<(Dataset, Date)> {
    let mut left = by_rest.clone();
    let brought = |day: &&SymbolDayReport| !day.outcome.leaves_a_gap() || day.outcome == Outcome::Empty;
    for day in requests.days.iter().filter(brought) {
        left.remove(&(day.dataset, day.date));
    }
    let broken = requests.days.iter().filter(|day| !brought(day)).map(|day| (day.dataset, day.date));
    left.extend(broken.filter(|day| by_rest.contains(day)));
    left
}

/// Adds what files have brought of days that requests have not.
pub fn take_from_files(files: &mut RunReport, requests: &mut RestReport, more: RunReport) {
    let is_there = |day: &&DayReport| matches!(day.outcome, Outcome::Loaded | Outcome::Unchanged);
    let there: BTreeSet<_> = more.days.iter().filter(is_there).map(|day| (day.dataset, day.date)).collect();
    requests.days.retain(|day| !day.outcome.leaves_a_gap() || !there.contains(&(day.dataset, day.date)));
    for mut day in more.days {
        // The day file of it may have been loaded before.
        let before = files.days.iter().position(|before| (before.dataset, before.date) == (day.dataset, day.date));
        day.bars += before.map_or(0, |at| files.days.remove(at).bars);
        files.days.push(day);
    }
    files.days.sort_by_key(|day| (day.dataset, day.date));
    files.bytes_fetched += more.bytes_fetched;
    files.elapsed += more.elapsed;
    files.interrupted |= more.interrupted;
}

/// What became of a day each way.
#[derive(Default)]
struct BothWays<'a> {
    file: Option<&'a DayReport>,
    requests: Vec<&'a SymbolDayReport>,
}

fn hybrid_day((dataset, date): (Dataset, Date), ways: &BothWays<'_>, planned: &Planned) -> HybridDay {
    let BothWays { file, requests } = ways;
    let is_by_rest = planned.by_rest.contains(&(dataset, date));
    let minutes = file.filter(|_| !is_by_rest);
    let is_new = |day: &&&SymbolDayReport| {
        matches!(day.outcome, Outcome::Loaded | Outcome::Provisional) && day.bars + day.made_exact > 0
    };
    let new = requests.iter().filter(is_new).count();
    let worst = requests
        .iter()
        .map(|day| day.outcome)
        .filter(|outcome| *outcome != Outcome::Empty)
        .max_by_key(|outcome| severity(*outcome));
    let file_outcome = minutes.map(|file| file.outcome);
    let is_there = |outcome: &Outcome| matches!(outcome, Outcome::Loaded | Outcome::Unchanged);
    let source = match (file_outcome, new) {
        (Some(Outcome::Loaded), 0) => CameFrom::File,
        (Some(outcome), 1..) if is_there(&outcome) => CameFrom::FileAndRest,
        (_, 1..) => CameFrom::Rest,
        (Some(Outcome::Unchanged), 0) => CameFrom::Before,
        (_, 0) if worst == Some(Outcome::Unchanged) => CameFrom::Before,
        (_, 0) => CameFrom::Nowhere,
    };
    // What is there is of a file that the vendor has replaced, or that was to be loaded again.
    let is_stale = planned.renewed.contains(&(dataset, date)) && file_outcome.is_some_and(Outcome::leaves_a_gap);
    let outcome = match (file_outcome, worst) {
        (Some(outcome), _) if is_stale => outcome,
        (_, Some(worst)) if worst.leaves_a_gap() || worst == Outcome::Provisional => worst,
        (Some(outcome), _) if is_there(&outcome) => outcome,
        (_, Some(_)) if new > 0 => Outcome::Loaded,
        (_, Some(worst)) => worst,
        (Some(outcome), None) => outcome,
        // Nothing but days without a trade.
        (None, None) => Outcome::Empty,
    };
    let why = match (minutes, source) {
        (Some(file), CameFrom::Rest | CameFrom::Nowhere) => Some(told(file)),
        (Some(file), _) if is_stale => Some(told(file)),
        (Some(_), CameFrom::FileAndRest) => Some(format!("{} by requests", counted(new as u64, "symbol"))),
        (None, CameFrom::Rest) if is_by_rest => Some("requests are sooner done".to_owned()),
        (None, CameFrom::Rest) if outcome == Outcome::Provisional => Some("the session is not over".to_owned()),
        _ => None,
    };
    let bars = requests.iter().map(|day| day.bars).sum::<u64>() + file.map_or(0, |file| file.bars);
    let is_by_requests = !requests.is_empty();
    HybridDay { dataset, date, source, outcome, file_outcome, why, rest_symbols: new as u64, is_by_requests, bars }
}

/// Gaps before what is there.
fn severity(outcome: Outcome) -> (bool, bool, Outcome) {
    (outcome.leaves_a_gap(), outcome == Outcome::Provisional, outcome)
}

fn told(file: &DayReport) -> String {
    match &file.detail {
        Some(detail) => format!("file {}: {detail}", file.outcome),
        None => format!("file {}", file.outcome),
    }
}
