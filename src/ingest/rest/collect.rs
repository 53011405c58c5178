//! Windows fetched one after the other for someone who waits for their bars.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::civil::Date;
use tokio::sync::mpsc;

use super::RestClient;
use super::fetch::{Event, Fetcher};
use super::plan::{Asked, Window};
use super::refusals::{AfterRefusal, Refusal, Refusals};
use super::verdict::Verdict;
use crate::ingest::context::Clock;
use crate::model::Outcome;
use crate::store::SymbolDays;

/// What came of some windows of a symbol.
#[derive(Debug, Default)]
pub struct Collected {
    /// What the pages brought.
    pub pages: Vec<SymbolDays>,
    /// Dates of which nothing came, and why.
    pub broken: Vec<(Date, Outcome, String)>,
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
    let mut queue = VecDeque::from(windows);
    let clock = Clock::starting(asked.now);
    while let Some(mut window) = queue.pop_front() {
        window.dates.retain(|date| match refusals.of(*date, clock.now()) {
            Some(refusal) => {
                collected.broken.push((*date, Outcome::NotEntitled, refusal.remembered()));
                false
            }
            None => true,
        });
        if window.dates.is_empty() {
            continue;
        }
        if let Some(reason) = &collected.ended_by {
            collected.broken.extend(window.dates.iter().map(|date| (*date, Outcome::Failed, reason.clone())));
            continue;
        }
        let (to, mut arriving) = mpsc::channel(1);
        let (client, asked) = (Arc::clone(client), Arc::clone(asked));
        let fetching = async move { Fetcher { client, asked, clock, to }.window(window).await };
        let pages = async {
            let mut pages = Vec::new();
            while let Some(event) = arriving.recv().await {
                if let Event::Days(fetched) = event {
                    pages.push(fetched.days);
                }
            }
            pages
        };
        let (last, pages) = futures_util::future::join(fetching, pages).await;
        collected.pages.extend(pages);
        let Event::Broken { window, error } = last else { continue };
        let outcome = match error.verdict() {
            Verdict::Refused(why) => match window.after_refusal(why) {
                AfterRefusal::Ask(halves) => {
                    halves.into_iter().for_each(|half| queue.push_front(half));
                    continue;
                }
                AfterRefusal::Remember { from, to } => {
                    let refusal = Refusal { from, to, at: clock.now(), detail: error.to_string() };
                    refusals.add(refusal, clock.now());
                    Outcome::NotEntitled
                }
            },
            Verdict::EndsTheRun => {
                collected.ended_by = Some(error.to_string());
                Outcome::Failed
            }
            Verdict::Day(outcome) => outcome,
        };
        let detail = error.to_string();
        collected.broken.extend(window.dates.into_iter().map(|date| (date, outcome, detail.clone())));
    }
    collected
}
