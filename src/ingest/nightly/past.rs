//! What earlier runs have left in their records.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::ScopedMarket;
use crate::model::{Dataset, Market};
use crate::store::{RunRecord, RunStart};

/// How many earlier runs are looked at: some months of nights, a week of a run every half an hour.
pub(super) const LOOKED_AT: u32 = 400;

/// After so many days all that is stored is held against the vendor's listing again.
const RECHECK_DAYS: i32 = 7;

/// What earlier runs have left.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Runs of the same name that began and did not end, since the last one that did, newest first: they were killed.
    pub(super) killed: Vec<RunStart>,
    /// Ended ones, newest first.
    ended: Vec<(Timestamp, Left)>,
}

/// What of a record matters to later runs. What is missing in it, or cannot be read, is not known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Left {
    whole_ledger: bool,
    markets: Vec<LeftMarket>,
    unasked: Vec<LeftUnasked>,
}

#[derive(Debug, Deserialize)]
struct LeftUnasked {
    dataset: String,
    symbol: String,
    date: Date,
}

#[derive(Debug, Deserialize)]
struct LeftMarket {
    dataset: String,
    everyone: bool,
    newest: Date,
    complete_to: Option<Date>,
}

impl Past {
    /// From the records of runs of any name, newest first, as a run of this one sees them.
    pub(super) fn of(name: &str, runs: &[RunRecord]) -> Self {
        // One of another name may be under way.
        let same = runs.iter().filter(|run| run.start.command == name);
        let killed = same.take_while(|run| run.end.is_none()).map(|run| run.start.clone()).collect();
        let ended = runs.iter().filter_map(|run| {
            let end = run.end.as_ref()?;
            Some((run.start.started_at, serde_json::from_str(&end.record).unwrap_or_default()))
        });
        Self { killed, ended: ended.collect() }
    }

    /// Whether no run of the last days has held all that is stored against the listing.
    pub(super) fn recheck_is_due(&self, now: Timestamp) -> bool {
        let last = self.ended.iter().find(|(_, left)| left.whole_ledger).map(|(began, _)| *began);
        // By dates: what begins at the same minute every night must not fall behind by a second.
        let day = |at| Market::NewYork.date_of(at);
        last.is_none_or(|last| (day(now) - day(last)).get_days() >= RECHECK_DAYS)
    }

    /// The last session up to which a market was complete when a run of the same scope ended.
    pub(super) fn complete_to(&self, market: &ScopedMarket) -> Option<Date> {
        let same = |left: &&LeftMarket| left.dataset == market.dataset.as_str() && left.everyone == market.everyone;
        let mut markets = self.ended.iter().flat_map(|(_, left)| &left.markets).filter(same);
        markets.find_map(|left| left.complete_to)
    }

    /// Symbols and days of a market that the last run of the same scope could not ask for, though their files lack them.
    pub(super) fn unasked(&self, market: &ScopedMarket) -> impl Iterator<Item = (String, Date)> {
        let is_same = |left: &LeftMarket| {
            left.dataset == market.dataset.as_str() && left.everyone == market.everyone && left.complete_to.is_some()
        };
        let last = self.ended.iter().find(|(_, left)| left.markets.iter().any(is_same));
        let unasked = last.into_iter().flat_map(|(_, left)| &left.unasked);
        let dataset = market.dataset.as_str();
        unasked.filter(move |left| left.dataset == dataset).map(|left| (left.symbol.clone(), left.date))
    }

    /// The newest session when a run last ended, whatever came of it.
    pub(super) fn newest(&self, dataset: Dataset) -> Option<Date> {
        let markets = self.ended.iter().flat_map(|(_, left)| &left.markets);
        markets.filter(|left| left.dataset == dataset.as_str()).map(|left| left.newest).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TimeframeSet;
    use crate::store::RunEnd;

    fn run(began: &str, record: Option<&str>) -> RunRecord {
        let started_at: Timestamp = began.parse().unwrap();
        let start = RunStart { run_id: began.to_owned(), command: "nightly".to_owned(), started_at };
        let end = record.map(|record| RunEnd {
            run_id: began.to_owned(),
            finished_at: started_at,
            exit_code: 0,
            complete_to: None,
            summary: String::new(),
            record: record.to_owned(),
        });
        RunRecord { start, end }
    }

    const CHECKED: &str = r#"{"whole_ledger": true, "markets": [
        {"dataset": "stocks", "everyone": false, "newest": "2026-10-02", "complete_to": "2026-10-01", "new": 1}]}"#;

    #[test]
    fn all_is_checked_again_after_a_week() {
        let runs = [run("2026-10-03T01:30:05Z", Some("{}")), run("2026-10-02T01:30:05Z", Some(CHECKED))];
        let past = Past::of("nightly", &runs);
        assert!(!past.recheck_is_due("2026-10-08T01:30:05Z".parse().unwrap()));
        assert!(past.recheck_is_due("2026-10-09T01:30:04Z".parse().unwrap()), "a week by the calendar");
        assert!(
            Past::of("nightly", &runs[..1]).recheck_is_due("2026-10-03T02:00:00Z".parse().unwrap()),
            "nobody ever has"
        );
    }

    #[test]
    fn runs_without_an_end_were_killed() {
        let (killed, ended) = (run("2026-10-03T01:30:00Z", None), run("2026-10-02T01:30:00Z", Some(CHECKED)));
        let past = Past::of("nightly", &[killed.clone(), ended.clone(), run("2026-10-01T01:30:00Z", None)]);
        assert_eq!(past.killed, std::slice::from_ref(&killed.start), "the one before was told of already");
        assert_eq!(Past::of("nightly", std::slice::from_ref(&ended)).killed, []);
        let mut other = killed;
        other.start.command = "nightly --all stocks".to_owned();
        assert_eq!(Past::of("nightly", &[other.clone(), ended]).killed, [], "another's, and it may be alive");
        assert_eq!(Past::of("nightly --all stocks", &[other.clone()]).killed, [other.start]);
    }

    #[test]
    fn what_is_complete_is_known_by_scope() {
        let past = Past::of(
            "nightly",
            &[run("2026-10-04T01:30:00Z", Some("not JSON")), run("2026-10-03T01:30:00Z", Some(CHECKED))],
        );
        let market = |everyone| ScopedMarket {
            dataset: Dataset::Stocks,
            everyone,
            watched: Vec::new(),
            timeframes: TimeframeSet::EMPTY,
        };
        assert_eq!(past.complete_to(&market(false)), Some("2026-10-01".parse().unwrap()));
        assert_eq!(past.complete_to(&market(true)), None);
        assert_eq!(past.newest(Dataset::Stocks), Some("2026-10-02".parse().unwrap()));
        assert_eq!(past.newest(Dataset::Crypto), None);
    }
}
