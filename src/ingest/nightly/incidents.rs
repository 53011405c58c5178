//! What did not go as on other nights, as far as days tell it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;

use super::judge::Told;
use super::past::Past;
use super::plan::{session_before, sessions};
use super::report::{Incident, IncidentKind, without_digits};
use crate::ingest::DayReport;
use crate::model::{Dataset, FileKind, Outcome, file_due_at};
use crate::store::DayState;

/// What earlier runs left undone, and what went by without one; `newest`: the newest session of each market.
pub(super) fn incidents_of_past(past: &Past, newest: impl Iterator<Item = (Dataset, Date)>) -> Vec<Incident> {
    let killed = past.killed.iter().map(|run| {
        let detail = format!("{} of {} never said how it ended", run.run_id, run.started_at);
        Incident::new(IncidentKind::PreviousRunKilled, Some(detail))
    });
    let missed = newest.filter_map(|(dataset, newest)| {
        let last = past.newest(dataset)?;
        let missed: Vec<Date> =
            sessions(dataset, &(last.tomorrow().ok()?..=session_before(dataset, newest)?)).collect();
        let (from, to) = (*missed.first()?, *missed.last()?);
        let detail = Some(format!("{} sessions ended without a run", missed.len()));
        let of_day = Incident::of_day(IncidentKind::Downtime, dataset, from, detail);
        Some(Incident { to: Some(to), ..of_day })
    });
    killed.chain(missed).collect()
}

/// What became of a market's days that was not as it should be.
pub(super) fn incidents_of_days(
    dataset: Dataset,
    range: &RangeInclusive<Date>,
    before: &BTreeMap<Date, DayState>,
    after: &BTreeMap<Date, DayState>,
    told: &Told,
    now: Timestamp,
) -> Vec<Incident> {
    let mut incidents = Vec::new();
    let of_market = told.files.iter().filter(|((of, _), _)| *of == dataset);
    for ((_, date), day) in of_market {
        let was_there = before.get(date).is_some_and(|state| state.loaded(FileKind::Minute).is_some());
        let published =
            after.get(date).and_then(|state| state.loaded(FileKind::Minute)).and_then(|file| file.last_modified);
        let is_newest = date == range.end();
        incidents.extend(of_file(day, is_newest && !range.is_empty(), now));
        if let Some(published) = published.filter(|_| day.outcome == Outcome::Loaded && !was_there) {
            let late = published.duration_since(file_due_at(*date)).as_secs();
            let came_late = Incident::of_day(IncidentKind::CameLate, dataset, *date, None);
            incidents.extend((late > 0).then_some(Incident { seconds: Some(late), ..came_late }));
        }
    }
    for (of, date) in told.came_by_requests.iter().filter(|(of, _)| *of == dataset) {
        let why = told.files.get(&(*of, *date)).map(|day| format!("file {}", day.outcome));
        incidents.push(Incident::of_day(IncidentKind::ByRequests, dataset, *date, why));
    }
    folded(incidents)
}

/// What became of a file.
fn of_file(day: &DayReport, is_newest: bool, now: Timestamp) -> Vec<Incident> {
    let of_day = |kind, detail| Incident::of_day(kind, day.dataset, day.date, detail);
    let gap = match day.outcome {
        Outcome::Missing if is_newest => {
            let seconds = now.duration_since(file_due_at(day.date)).as_secs().max(0);
            return vec![Incident { seconds: Some(seconds), ..of_day(IncidentKind::Late, day.detail.clone()) }];
        }
        Outcome::Missing => Some(IncidentKind::Missing),
        Outcome::NotEntitled => Some(IncidentKind::NotEntitled),
        Outcome::Damaged => Some(IncidentKind::Damaged),
        Outcome::Empty => Some(IncidentKind::Empty),
        Outcome::Suspect => Some(IncidentKind::Suspect),
        Outcome::Failed => Some(IncidentKind::Failed),
        Outcome::Loaded | Outcome::Unchanged | Outcome::NotDue | Outcome::NotASession | Outcome::Provisional => None,
    };
    let mut incidents: Vec<_> = gap.map(|kind| of_day(kind, day.detail.clone())).into_iter().collect();
    if day.lacks_its_day_bars() {
        incidents.push(of_day(IncidentKind::Damaged, Some("the vendor's day file".to_owned())));
    }
    if day.outcome == Outcome::Loaded && day.replaced {
        incidents.push(of_day(IncidentKind::Replaced, None));
    }
    if day.replaced_rest_bars > 0 {
        incidents.push(of_day(IncidentKind::TookPlaceOfRequests, None));
    }
    incidents
}

/// Incidents of one kind on sessions that follow one another, as one.
fn folded(mut incidents: Vec<Incident>) -> Vec<Incident> {
    incidents.sort_by_key(|incident| (incident.kind, incident.from));
    let mut folded: Vec<Incident> = Vec::new();
    for incident in incidents {
        let follows = |last: &&mut Incident| {
            let before = incident.dataset.zip(incident.from).and_then(|(dataset, from)| session_before(dataset, from));
            let words = |incident: &Incident| incident.detail.as_deref().map(without_digits);
            (last.kind, words(last), last.to) == (incident.kind, words(&incident), before)
                && (last.seconds, incident.seconds) == (None, None)
        };
        match folded.last_mut().filter(follows) {
            Some(last) => last.to = incident.to,
            None => folded.push(incident),
        }
    }
    folded
}
