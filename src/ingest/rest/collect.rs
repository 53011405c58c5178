//! Windows fetched one after the other for someone who waits for their bars.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use tokio::sync::mpsc;

use super::RestClient;
use super::fetch::{Ended, Event, Fetcher};
use super::plan::{Asked, Window};
use super::queue::Queue;
use super::refusals::Refusals;
use super::verdict::Verdict;
use crate::ingest::clock::Clock;
use crate::model::Outcome;
use crate::store::SymbolDays;

/// What came of some windows of a symbol.
#[derive(Debug, Default)]
pub struct Collected {
    /// What the pages brought.
    pub pages: Vec<SymbolDays>,
    /// Dates of which nothing came, and why.
    pub broken: Vec<(Date, Outcome, String)>,
    /// Rows that disagreed with another one of the same minute and lost to it.
    pub conflicting: u64,
    /// What every other request would be told, too; then the rest was not asked for.
    pub ended_by: Option<String>,
}

/// Fetches windows and waits for them. What is refused is added to `refusals`, and what they hold is not asked for.
pub async fn collect(
    client: &Arc<RestClient>,
    asked: &Arc<Asked>,
    windows: Vec<Window>,
    refusals: &mut Refusals,
) -> Collected {
    let mut collected = Collected::default();
    let mut queue = Queue::new(windows, std::mem::take(refusals));
    let clock = Clock::starting(asked.now);
    loop {
        let mut refused = Vec::new();
        let next = queue.next(clock.now(), &mut refused);
        let refused = refused.into_iter().map(|(_, date, outcome, detail)| (date, outcome, detail));
        collected.broken.extend(refused);
        let Some(window) = next else { break };
        let (dates, outcome, detail) = match &collected.ended_by {
            Some(reason) => (window.dates.clone(), Outcome::Failed, reason.clone()),
            None => match fetch(client, asked, &clock, &window, &mut collected).await {
                Ended::Broken { left, error } => match error.verdict() {
                    Verdict::Refused(why) => {
                        let refused = left.refused(why, &error, clock.now());
                        let told = refused.refusal.as_ref().map(|refusal| (refusal.outcome(), refusal.detail.clone()));
                        let (outcome, detail) = told.unwrap_or((Outcome::NotEntitled, String::new()));
                        let dates = refused.dates.clone();
                        queue.refused(&window, refused, clock.now());
                        (dates, outcome, detail)
                    }
                    Verdict::EndsTheRun => {
                        collected.ended_by = Some(error.to_string());
                        (left.dates, Outcome::Failed, error.to_string())
                    }
                    Verdict::Day(outcome) => (left.dates, outcome, error.to_string()),
                },
                Ended::Whole | Ended::Store(_) | Ended::Panicked => (Vec::new(), Outcome::Loaded, String::new()),
            },
        };
        queue.done(&window);
        collected.broken.extend(dates.into_iter().map(|date| (date, outcome, detail.clone())));
    }
    *refusals = queue.refusals;
    collected
}

/// Fetches one window and takes what its pages bring.
async fn fetch(
    client: &Arc<RestClient>,
    asked: &Arc<Asked>,
    clock: &Clock,
    window: &Window,
    collected: &mut Collected,
) -> Ended {
    let (to, mut arriving) = mpsc::channel(1);
    let (client, asked, clock) = (Arc::clone(client), Arc::clone(asked), clock.clone());
    let fetcher = Fetcher { client, asked, clock, to, brought: BTreeMap::new() };
    // The fetcher goes with the future: then nothing more arrives.
    let fetching = async move { fetcher.window(window.clone()).await };
    let taking = async {
        while let Some(event) = arriving.recv().await {
            if let Event::Days(fetched) = event {
                collected.conflicting += fetched.conflicting;
                collected.pages.push(fetched.days);
            }
        }
    };
    futures_util::future::join(fetching, taking).await.0
}
