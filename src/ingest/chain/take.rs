//! Taking snapshots: underlying by underlying, each whole or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::plan::settled;
use crate::ingest::rest::{Entitlement, ListedChain, ListedContract, PAGE_CONTRACTS, RestClient, RestError, Verdict};
use crate::ingest::{Clock, Rejects, Reporter};
use crate::model::{Dataset, Outcome, Symbol, options_session};
use crate::store::{Attempt, ChainRow, ChainSource, ChainState, OptionChains, StoreError};

/// What it takes to take a snapshot.
#[derive(Debug)]
pub struct ChainTools<'a> {
    /// The vendor.
    pub client: &'a RestClient,
    /// What decides to which session a snapshot belongs, and since when it is known.
    pub clock: &'a Clock,
    /// Hears how far it is.
    pub reporter: &'a dyn Reporter,
    /// Ends it between two pages.
    pub stop: &'a CancellationToken,
}

/// What became of the chain of an underlying.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnderlyingReport {
    /// Its ticker.
    pub underlying: String,
    /// What became of it; `empty`: it has no options.
    pub outcome: Outcome,
    /// Why, and what to do, where the outcome does not say it all.
    pub detail: Option<String>,
    /// Contracts stored now.
    pub contracts: u64,
    /// Those of them that came without open interest.
    pub without_open_interest: u64,
    /// Rows that came, rejected and repeated ones included.
    pub rows: u64,
    /// Rows of contracts that had come already.
    pub repeated: u64,
    /// Rows that cannot be contracts of the underlying.
    pub rejects: Rejects,
}

/// What taking snapshots came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChainReport {
    /// The session the snapshots belong to.
    pub session_date: Date,
    /// Whether it is still going on.
    pub is_provisional: bool,
    /// Every underlying that was reached, in the order asked for.
    pub underlyings: Vec<UnderlyingReport>,
    /// Requests made.
    pub requests: u64,
    /// Stopped on request before all were done.
    pub interrupted: bool,
}

/// What ends a run before its time.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Something that would meet every other request as well.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChainError {
    /// Whether it may be otherwise in a while.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Rest(_) => false,
            Self::Store(error) => error.may_pass(),
        }
    }
}

/// Takes the snapshots of underlyings, stocks or indices, that are not there yet, and stores each when it is whole. With
/// `force` all are asked for, whatever is there and was refused. The session is that of the beginning: one that ends meanwhile
/// is taken again, and what comes when the next has begun is not stored.
pub async fn take(
    tools: ChainTools<'_>,
    store: &mut impl OptionChains,
    underlyings: &[Symbol],
    force: bool,
) -> (ChainReport, Option<ChainError>) {
    let (session_date, is_provisional) = options_session(tools.clock.now());
    let mut report =
        ChainReport { session_date, is_provisional, underlyings: Vec::new(), requests: 0, interrupted: false };
    let asked_before = tools.client.counts().requests;
    let mut taking = Taking { tools, session_date, is_provisional, refused: BTreeMap::new(), done: 0, of: 0 };
    let ended = taking.all(store, underlyings, force, &mut report).await;
    report.requests = taking.tools.client.counts().requests - asked_before;
    (report, ended.err())
}

struct Taking<'a> {
    tools: ChainTools<'a>,
    session_date: Date,
    is_provisional: bool,
    /// Markets that the plan does not include, and the vendor's words: others of the market would hear the same.
    refused: BTreeMap<Dataset, String>,
    /// Requests that are done, and of how many; about, as the length of a chain is known when it has come.
    done: u64,
    of: u64,
}

/// How an attempt ended that brought nothing, and why.
type InVain = (Outcome, String);

impl Taking<'_> {
    async fn all(
        &mut self,
        store: &mut impl OptionChains,
        underlyings: &[Symbol],
        force: bool,
        report: &mut ChainReport,
    ) -> Result<(), ChainError> {
        let tickers: Vec<_> = underlyings.iter().map(|underlying| underlying.as_str().to_owned()).collect();
        let states = store.chain_states(&tickers).await?;
        let is_settled = |underlying: &Symbol| {
            let state = states.get(underlying.as_str()).filter(|_| !force);
            settled(state, self.session_date, !self.is_provisional, self.tools.clock.now())
        };
        let steps: Vec<_> = underlyings.iter().map(|underlying| (underlying, is_settled(underlying))).collect();
        let pages = |underlying: &Symbol| states.get(underlying.as_str()).map_or(1, pages);
        self.of = steps.iter().filter(|(_, step)| step.is_none()).map(|(underlying, _)| pages(underlying)).sum();
        for (underlying, step) in steps {
            if let Some((outcome, detail)) = step {
                report.underlyings.push(UnderlyingReport { detail, ..report_of(underlying, outcome) });
                continue;
            }
            let Some(done) = self.one(store, underlying, states.get(underlying.as_str())).await? else {
                report.interrupted = true;
                return Ok(());
            };
            report.underlyings.push(done);
        }
        Ok(())
    }

    /// Takes one snapshot, and stores it or remembers why there is none; `None` if it was stopped before that.
    async fn one(
        &mut self,
        store: &mut impl OptionChains,
        underlying: &Symbol,
        state: Option<&ChainState>,
    ) -> Result<Option<UnderlyingReport>, ChainError> {
        let started_at = self.tools.clock.now();
        let done_by_then = self.done + state.map_or(1, pages);
        let fetched = if let Some(words) = self.refused.get(&underlying.dataset()) {
            Err((Outcome::NotEntitled, words.clone()))
        } else {
            let stop = self.tools.stop;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                fetched = self.fetch(underlying, state.and_then(|state| state.last_stored)) => fetched?,
            }
        };
        // It may have had fewer pages than the last time.
        self.of = (self.of + self.done).saturating_sub(done_by_then).max(self.done);
        let attempt = |outcome, detail, finished_at| Attempt { outcome, detail, started_at, finished_at };
        let reported = match fetched {
            Err((outcome, detail)) => {
                let attempt = attempt(outcome, Some(detail.clone()), self.tools.clock.now());
                store.record_chain_attempt(underlying.as_str(), self.session_date, &attempt).await?;
                UnderlyingReport { detail: Some(detail), ..report_of(underlying, outcome) }
            }
            Ok((chain, known_at)) => {
                let outcome = if self.is_provisional { Outcome::Provisional } else { Outcome::Loaded };
                let rows = self.rows(underlying, &chain, known_at);
                crash_point!("chain-fetched");
                let attempt = attempt(outcome, None, known_at);
                let is_stored = store.store_chain(underlying.as_str(), self.session_date, &rows, &attempt).await?;
                let (outcome, contracts) =
                    if is_stored { (outcome, rows.len() as u64) } else { (Outcome::Unchanged, 0) };
                UnderlyingReport {
                    contracts,
                    without_open_interest: rows.iter().filter(|row| row.open_interest.is_none()).count() as u64,
                    rows: chain.rows_read,
                    repeated: chain.repeated,
                    rejects: chain.rejects,
                    ..report_of(underlying, outcome)
                }
            }
        };
        Ok(Some(reported))
    }

    /// The chain and when its last page had come, or why there is none.
    async fn fetch(
        &mut self,
        underlying: &Symbol,
        last_stored: Option<Date>,
    ) -> Result<Result<(ListedChain, Timestamp), InVain>, RestError> {
        let (client, reporter) = (self.tools.client, self.tools.reporter);
        let (done, of) = (&mut self.done, &mut self.of);
        let each_page = || {
            *done += 1;
            *of = (*of).max(*done);
            let left = client.seconds_for(*of - *done);
            reporter.requests(*done, *of, Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX));
        };
        let fetched = client.option_chain(underlying, self.session_date, each_page).await;
        let known_at = self.tools.clock.now();
        let (session_now, _) = options_session(known_at);
        let error = match fetched {
            // Some of it may be of the session after.
            Ok(_) if session_now != self.session_date => {
                let why = format!("the session of {session_now} began while it came; take it again");
                return Ok(Err((Outcome::Failed, why)));
            }
            Ok(chain) if !chain.contracts.is_empty() => return Ok(Ok((chain, known_at))),
            Ok(_) => {
                return Ok(Err(match last_stored {
                    None => (Outcome::Empty, "the vendor lists no options on it".to_owned()),
                    Some(date) => {
                        (Outcome::Failed, format!("the vendor lists no options on it, though it did on {date}"))
                    }
                }));
            }
            Err(error) => error,
        };
        Ok(Err(match error.verdict() {
            Verdict::EndsTheRun => return Err(error),
            Verdict::Refused(why) => {
                let words = error.refusal(why);
                if why == Entitlement::Plan {
                    self.refused.insert(underlying.dataset(), words.clone());
                }
                (Outcome::NotEntitled, words)
            }
            Verdict::Day(Outcome::Missing) if last_stored.is_none() => {
                (Outcome::Empty, "the vendor knows no options on it".to_owned())
            }
            Verdict::Day(Outcome::Missing) => (Outcome::Failed, error.to_string()),
            Verdict::Day(outcome) => (outcome, error.to_string()),
        }))
    }

    /// The rows of a chain.
    fn rows(&self, underlying: &Symbol, chain: &ListedChain, known_at: Timestamp) -> Vec<ChainRow> {
        let row = |(ticker, contract): (&String, &ListedContract)| ChainRow {
            session_date: self.session_date,
            underlying: underlying.as_str().to_owned(),
            contract: ticker.clone(),
            open_interest: contract.open_interest,
            implied_volatility: contract.implied_volatility,
            delta: contract.delta,
            gamma: contract.gamma,
            theta: contract.theta,
            vega: contract.vega,
            day_volume: contract.day_volume,
            known_at,
            source: ChainSource::Snapshot,
        };
        chain.contracts.iter().map(row).collect()
    }
}

/// How many pages a chain will have, by what was stored of it.
fn pages(state: &ChainState) -> u64 {
    state.contracts.div_ceil(PAGE_CONTRACTS).max(1)
}

/// One of which nothing but its outcome is known.
fn report_of(underlying: &Symbol, outcome: Outcome) -> UnderlyingReport {
    UnderlyingReport {
        underlying: underlying.as_str().to_owned(),
        outcome,
        detail: None,
        contracts: 0,
        without_open_interest: 0,
        rows: 0,
        repeated: 0,
        rejects: Rejects::default(),
    }
}
