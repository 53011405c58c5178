//! Takes requests off the queue and has them loaded.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use jiff::civil::Date;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::contact::{Contact, Halt};
use super::counting::Counting;
use super::event::{BatchReport, Event, ServedRequest};
use super::judge::{Verdict, Wait, shortened};
use super::pace::Pace;
use super::plan::{FilesStep, Open, Step, Stretch, next_step};
use super::settle::{Settled, settle};
use super::{Wish, WishError, Workplace};
use crate::ingest::{Accept, Clock, LoadFailure, Loads, Request, WhenRestCounts};
use crate::store::{
    ClaimedRequest, Held, Queue, QueueWatch, QueueWatching, RequestEnd, RequestOutcome, RequestProgress, StoreError,
};

/// Takes requests off the queue and has them loaded.
pub struct Processor<'w, W: Workplace> {
    workplace: &'w W,
    owner: String,
    pace: Pace,
    clock: Clock,
    /// Ends when nothing can be claimed any more.
    once: bool,
    stop: CancellationToken,
    queue: Contact<'w, W>,
    open: Vec<Open>,
    /// What is wrong with each way of loading, and with what is stored.
    closed: [Option<Closed>; 3],
    pruned: Option<Instant>,
    /// When leases are renewed next.
    renewal: tokio::time::Instant,
}

impl<W: Workplace> fmt::Debug for Processor<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor").field("owner", &self.owner).field("open", &self.open).finish_non_exhaustive()
    }
}

/// A way of loading that is closed, or tables that cannot be read.
struct Closed {
    /// What was said of it.
    message: String,
    /// Since when it is closed by something that may pass.
    passing_since: Option<Instant>,
}

/// Most requests that are claimed at once, and how long those that have ended are kept.
const MOST_CLAIMED: u32 = 5000;
const KEPT: Duration = Duration::from_hours(7 * 24);
const PRUNED_EVERY: Duration = Duration::from_hours(24);

/// The ways of loading, and what is stored, as indices of what was said of them.
const FILES: usize = 0;
const API: usize = 1;
const STORED: usize = 2;

impl<'w, W: Workplace> Processor<'w, W> {
    /// A processor that does nothing yet. `owner` is a name that no other processor has.
    pub fn new(workplace: &'w W, owner: String, pace: Pace, clock: Clock, once: bool, stop: CancellationToken) -> Self {
        let queue = Contact::new(workplace, stop.clone(), pace.lease, once);
        let (open, closed, renewal) = (Vec::new(), [const { None }; 3], tokio::time::Instant::now());
        Self { workplace, owner, pace, clock, once, stop, queue, open, closed, pruned: None, renewal }
    }

    /// Works until stopped, or until nothing can be claimed any more if that is all it is for. What it has not finished it gives
    /// back. An outage of the database is waited out, unless the processor has never seen the database and the reason will not
    /// pass, or is to run only once.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let ended = self.work().await;
        let ends: Vec<_> = self.open.drain(..).map(|open| (open.held(), RequestEnd::GivenBack)).collect();
        if !ends.is_empty() {
            // What cannot be given back is free when the leases end.
            self.queue.finish(async |queue| queue.end_requests(&ends).await).await;
        }
        match ended {
            Ok(()) | Err(Halt::Stopped) => Ok(()),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    async fn work(&mut self) -> Result<(), Halt> {
        let mut watch = None;
        loop {
            self.prune().await?;
            self.claim().await?;
            match next_step(&self.open) {
                Some(Step::Files(step)) => self.files(step).await,
                Some(Step::Settle) => self.settle().await?,
                None if self.once => return Ok(()),
                None => self.wait(&mut watch).await,
            }
            if self.stop.is_cancelled() {
                return Err(Halt::Stopped);
            }
        }
    }

    /// Waits for requests.
    async fn wait(&self, watch: &mut Option<<W::Store as QueueWatching>::Watch>) {
        let wait = async {
            if watch.is_none() {
                *watch = self.queue.watch();
            }
            match watch {
                Some(watch) => watch.wait(self.pace.idle()).await,
                None => sleep(self.pace.idle()).await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = wait => {}
        }
    }

    /// Takes newcomers. With nothing else to do, waits for a moment for those that come together.
    async fn claim(&mut self) -> Result<(), Halt> {
        self.rescue().await;
        let gathers = self.open.is_empty();
        let (window, longest) = self.pace.gathering();
        let began = Instant::now();
        while self.claim_once().await? && gathers && began.elapsed() < longest {
            tokio::select! {
                () = self.stop.cancelled() => return Err(Halt::Stopped),
                () = sleep(window) => {}
            }
        }
        Ok(())
    }

    /// Makes requests of processors that have died ones that can be claimed.
    async fn rescue(&mut self) {
        if self.queue.judges_leases() {
            let (owner, lease) = (self.owner.clone(), self.pace.lease);
            // Whatever keeps it from that keeps it from claiming, too.
            let _ = self.queue.try_once(lease, async |queue| queue.rescue_requests(&owner).await).await;
        }
    }

    /// Claims what can be claimed; whether that was anything.
    async fn claim_once(&mut self) -> Result<bool, Halt> {
        let (owner, lease) = (self.owner.clone(), self.pace.lease);
        let claimed = self.queue.ask(async |queue| queue.claim_requests(&owner, lease, MOST_CLAIMED).await).await?;
        if claimed.is_empty() {
            return Ok(false);
        }
        if self.open.is_empty() {
            self.renewal = tokio::time::Instant::now() + self.pace.tick();
        }
        // What was held before and is claimed again had been lost.
        let again: BTreeSet<i64> = claimed.iter().map(|claimed| claimed.held.id).collect();
        self.open.retain(|open| !again.contains(&open.held().id));
        self.workplace.hear(Event::Claimed(claimed.clone())).await;
        let (since, now) = (Instant::now(), self.clock.now());
        let mut refused = Vec::new();
        for claimed in claimed {
            match Wish::of(&claimed.request, now) {
                Ok(wish) => self.open.push(Open::new(claimed, wish, since, now)),
                Err(error) => refused.push((claimed, error)),
            }
        }
        self.refuse(refused, since).await?;
        Ok(true)
    }

    /// Ends requests that make no sense.
    async fn refuse(&mut self, refused: Vec<(ClaimedRequest, WishError)>, since: Instant) -> Result<(), Halt> {
        let served = refused.into_iter().map(|(claimed, error)| {
            let message = shortened(error.to_string());
            let end = if matches!(error, WishError::CalendarEnded { .. }) {
                self.retry(Wait::Long, claimed.retry_count, message)
            } else {
                RequestEnd::Ended { outcome: RequestOutcome::Invalid, message: Some(message) }
            };
            let elapsed = since.elapsed();
            let (id, request) = (claimed.held.id, claimed.request);
            (claimed.held, ServedRequest { id, request, dataset: None, end, days_total: 0, days_done: 0, elapsed })
        });
        self.end(served.collect()).await
    }

    /// Has days of files loaded.
    async fn files(&mut self, step: FilesStep) {
        let FilesStep { dataset, dates, stretches } = step;
        let now = self.clock.now();
        let request = |stretch: Stretch| Request {
            dataset,
            range: stretch.dates,
            symbols: Some(stretch.symbols),
            timeframes: stretch.timeframes,
            official_day: true,
            force: false,
            accept: Accept::None,
            rest_counts: WhenRestCounts::UnlessFileIsNewer,
            now,
        };
        let requests = stretches.into_iter().map(request).collect();
        let (counting, stop) = self.begin_step();
        let mut loads = self.workplace.loads(Arc::clone(&counting) as _, stop.clone());
        let ended = self.holding(loads.from_files(requests), &stop, Some(&counting)).await;
        if stop.is_cancelled() {
            return;
        }
        drop(loads);
        if ended.failure.as_ref().is_some_and(|failure| failure.may_pass) {
            self.renew(None).await;
            // Not the fault of files: the same again when the database is back.
            if self.queue.is_lost() {
                return;
            }
        }
        self.say_closed(FILES, ended.failure.as_ref()).await;
        for open in self.open.iter_mut().filter(|open| open.dataset() == dataset) {
            open.take(&dates, &ended.report, ended.failure.as_ref());
        }
    }

    /// Ends the requests that have had their files, some of them after asking the REST API for what is missing.
    async fn settle(&mut self) -> Result<(), Halt> {
        let (counting, stop) = self.begin_step();
        let mut loads = self.workplace.loads(Arc::clone(&counting) as _, stop.clone());
        let (open, workplace, now) = (self.open.clone(), self.workplace, self.clock.now());
        let settling = async {
            let mut store = workplace.store().await?;
            settle(&open, &mut store, &mut loads, now).await
        };
        let settled = self.holding(settling, &stop, None).await;
        if stop.is_cancelled() {
            return Ok(());
        }
        drop(loads);
        let Settled { verdicts, is_api_asked, api, unread } = match settled {
            Ok(settled) => settled,
            Err(error) => {
                self.renew(None).await;
                // What was loaded is; what it comes to is looked at when the database is back.
                if self.queue.is_lost() {
                    return Ok(());
                }
                let ready: Vec<Open> = open.into_iter().filter(Open::has_had_files).collect();
                Settled::unread(&ready, error)
            }
        };
        let unread = unread.map(|error| LoadFailure { message: error.to_string(), may_pass: true, is_unset: false });
        self.say_closed(STORED, unread.as_ref()).await;
        if is_api_asked {
            self.say_closed(API, api.as_ref()).await;
        }
        let served = verdicts.into_iter().filter_map(|(held, verdict, days_done)| {
            let open = self.open.iter().find(|open| open.held() == held)?;
            let end = match verdict {
                Verdict::Ended(outcome, message) => RequestEnd::Ended { outcome, message },
                Verdict::Later(wait, message) => self.retry(wait, open.claimed.retry_count, message),
            };
            let served = ServedRequest {
                id: held.id,
                request: open.claimed.request.clone(),
                dataset: Some(open.dataset()),
                end,
                days_total: open.days_total,
                days_done,
                elapsed: open.since.elapsed(),
            };
            Some((held, served))
        });
        let served = served.collect();
        self.end(served).await
    }

    /// Writes down how requests have ended, and tells of those that were still held.
    async fn end(&mut self, served: Vec<(Held, ServedRequest)>) -> Result<(), Halt> {
        if served.is_empty() {
            return Ok(());
        }
        let progress: Vec<RequestProgress> = served
            .iter()
            .filter(|(_, served)| served.days_total > 0)
            .map(|(held, served)| RequestProgress {
                held: *held,
                days_total: served.days_total,
                days_done: served.days_done,
            })
            .collect();
        let ends: Vec<(Held, RequestEnd)> = served.iter().map(|(held, served)| (*held, served.end.clone())).collect();
        let end = async |queue: &mut W::Store| {
            queue.note_progress(&progress).await?;
            queue.end_requests(&ends).await
        };
        let still_held: BTreeSet<Held> = self.queue.ask(end).await?.into_iter().collect();
        let ended: BTreeSet<Held> = served.iter().map(|(held, _)| *held).collect();
        self.open.retain(|open| !ended.contains(&open.held()));
        let requests: Vec<ServedRequest> =
            served.into_iter().filter(|(held, _)| still_held.contains(held)).map(|(_, served)| served).collect();
        self.say_lost(ended.len() - requests.len()).await;
        if !requests.is_empty() {
            self.workplace.hear(Event::Served(BatchReport { requests })).await;
        }
        Ok(())
    }

    fn begin_step(&self) -> (Arc<Counting>, CancellationToken) {
        (Arc::new(Counting::new(self.workplace.reporter())), self.stop.child_token())
    }

    /// Renews the leases of all that is held, and shows how far it is, until a step has ended. Where something was lost the step
    /// is told to stop: another processor works on the same.
    async fn holding<T>(
        &mut self,
        step: impl Future<Output = T>,
        stop: &CancellationToken,
        counting: Option<&Counting>,
    ) -> T {
        let mut step = pin!(step);
        loop {
            tokio::select! {
                biased;
                ended = &mut step => return ended,
                () = sleep_until(self.renewal) => {}
            }
            self.renewal = tokio::time::Instant::now() + self.pace.tick();
            let (ended, lost) = match select(step.as_mut(), pin!(self.renew(counting))).await {
                // Half a statement would leave the connection in the middle of it.
                Either::Left((ended, renewal)) => (Some(ended), renewal.await),
                Either::Right((lost, _)) => (None, lost),
            };
            if lost > 0 {
                stop.cancel();
                self.say_lost(lost).await;
            }
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// Renews all leases, and looks for those of processors that have died; says how many of its own were lost. A database that
    /// does not answer is tried again with the next renewal.
    async fn renew(&mut self, counting: Option<&Counting>) -> usize {
        let lease = self.pace.lease;
        let held: Vec<Held> = self.open.iter().map(Open::held).collect();
        let progress = self.progress(counting);
        let renewal = async |queue: &mut W::Store| {
            let still_held = queue.renew_requests(&held, lease).await?;
            if !progress.is_empty() {
                queue.note_progress(&progress).await?;
            }
            Ok(still_held)
        };
        let Some(still_held) = self.queue.try_once(lease, renewal).await else { return 0 };
        let still_held: BTreeSet<Held> = still_held.into_iter().collect();
        self.open.retain(|open| still_held.contains(&open.held()));
        for open in &mut self.open {
            let shown = progress.iter().find(|shown| shown.held == open.held());
            open.shown = shown.map_or(open.shown, |shown| Some(shown.days_done));
        }
        let lost = held.len() - self.open.len();
        self.rescue().await;
        lost
    }

    /// How far requests are whose progress has changed since it was last shown.
    fn progress(&self, counting: Option<&Counting>) -> Vec<RequestProgress> {
        let of = |open: &Open| {
            let is_done = |date: &Date| match counting {
                _ if !open.is_left(*date) => !open.gaps.contains_key(date) && open.files.is_none(),
                Some(counting) => counting.is_done(open.dataset(), *date),
                None => false,
            };
            let done = open.due.iter().filter(|date| is_done(date)).count() as u32;
            let is_news = open.shown.is_none_or(|shown| done > shown);
            let (held, days_total) = (open.held(), open.days_total);
            is_news.then_some(RequestProgress { held, days_total, days_done: done.min(days_total) })
        };
        self.open.iter().filter_map(of).collect()
    }

    /// Removes requests that ended long ago, once a day.
    async fn prune(&mut self) -> Result<(), Halt> {
        if self.pruned.is_some_and(|pruned| pruned.elapsed() < PRUNED_EVERY) {
            return Ok(());
        }
        self.queue.ask(async |queue| queue.prune_requests(KEPT).await).await?;
        self.pruned = Some(Instant::now());
        Ok(())
    }

    fn retry(&self, wait: Wait, failed_before: u32, message: String) -> RequestEnd {
        let since = self.closed.iter().flatten().filter_map(|closed| closed.passing_since).min();
        let closed = since.map_or(Duration::ZERO, |since| since.elapsed());
        let pause = self.pace.pause(wait, failed_before, closed, self.clock.now(), fastrand::f64());
        RequestEnd::Retry { pause, message, counts: wait.counts() }
    }

    async fn say_lost(&self, lost: usize) {
        if lost > 0 {
            let requests = if lost == 1 { "a request was".to_owned() } else { format!("{lost} requests were") };
            let message = format!("{requests} taken over by another processor, as the lease had ended");
            self.workplace.hear(Event::Note(message)).await;
        }
    }

    /// Says why a way of loading is closed or what is stored cannot be read, and that it is well again, unless that was said
    /// before.
    async fn say_closed(&mut self, way: usize, failure: Option<&LoadFailure>) {
        let before = self.closed[way].take();
        let (said, since) = before.map(|before| (before.message, before.passing_since)).unzip();
        let message = match (way, failure) {
            (FILES, Some(failure)) => format!("files cannot be loaded: {failure}"),
            (FILES, None) => "files can be loaded again".to_owned(),
            (STORED, Some(failure)) => format!("what is stored cannot be read: {failure}"),
            (STORED, None) => "what is stored can be read again".to_owned(),
            (_, Some(failure)) => format!("the REST API cannot be asked: {failure}"),
            (_, None) => "the REST API can be asked again".to_owned(),
        };
        let is_news = match failure {
            Some(failure) => {
                let passing_since = failure.may_pass.then(|| since.flatten().unwrap_or_else(Instant::now));
                self.closed[way] = Some(Closed { message: message.clone(), passing_since });
                said.as_ref() != Some(&message)
            }
            None => said.is_some(),
        };
        if is_news {
            self.workplace.hear(Event::Note(message)).await;
        }
    }
}
