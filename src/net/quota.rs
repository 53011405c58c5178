//! A quota of requests that several processes share, and that holds in every window of its length, measured at the server.
//!
//! A request occupies a slot from before it is sent until its answer is there and one more window has passed. Of a rate of N
//! there are N slots. So it holds wherever between sending and answer the server counts a request: if N + 1 of them fell into
//! one window, the N others were answered after the window began, so each of them still occupied its slot when the last one
//! was sent, and that one had none.
//!
//! [`QuotaLog`] says which slots are occupied; processes keep it where all of them reach it. [`Hands`] are the slots that one
//! process has taken. A process that has died gives its slots back: it no longer extends its hold on them. Times are
//! milliseconds since the Unix epoch; the clocks of machines that share a quota must agree to about half a hundredth of a
//! window, by which slots are kept longer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Rate, RateRule};

/// For how long a process holds its slots without saying so again.
const HOLD_MS: i64 = 5_000;
/// How often it says so while it has any.
pub const RENEWAL: Duration = Duration::from_secs(1);
/// Longest time from sending a request until the server has counted it, if its sender dies or gives it up.
const ON_ITS_WAY_MS: i64 = 2_000;
/// How often those who wait look whether others have given back what they did not use.
const LOOK_MS: i64 = 1_000;
/// What lies further ahead was written by a clock that is wrong.
const MOST_AHEAD_MS: i64 = 5 * 60_000;
/// For how long a refusal is remembered.
const REMEMBERED_MS: i64 = 7 * 24 * 60 * 60_000;

/// How long a slot stays occupied after the answer: the window and a little, for clocks that run apart.
fn kept_ms(rate: Rate) -> i64 {
    let window = rate.window().as_millis() as i64;
    window + window / 200
}

/// Which slots of a quota are occupied, and what was learned about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaLog {
    /// When the slots of answered requests become free.
    #[serde(default)]
    spent: Vec<i64>,
    /// The slots that processes have in hand.
    #[serde(default)]
    held: Vec<Held>,
    /// Until when no slot can be taken, because the server has refused a request.
    #[serde(default)]
    blocked_until: i64,
    #[serde(default)]
    learned: Option<Learned>,
}

/// Slots in the hands of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    by: u64,
    slots: u32,
    /// When they become free, if the process is not heard of again.
    until: i64,
}

/// That the server has refused a request that came at the usual rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Learned {
    rate: Rate,
    at: i64,
}

/// What a process says when it looks into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    by: u64,
    in_flight: u32,
    answered: Vec<i64>,
    /// Slots it would like to have.
    pub wanted: u32,
}

/// What a process learns when it looks into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visited {
    granted: u32,
    usable_until: i64,
    /// When it is worth looking again, if nothing was granted.
    pub next_at: i64,
    /// The rate that counts now.
    pub rate: Rate,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The rate has fallen because of it.
    Lowered,
    /// The request was sent at a higher rate than is kept now.
    WasFaster,
    /// The rate stays: somebody else uses the same key, or the rate is too high.
    Stands,
}

impl QuotaLog {
    /// The log of a text; an empty one if there is none or it is no log.
    pub fn parse(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The text of the log.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("Invariant: numbers and texts can be written as JSON")
    }

    /// The rate that counts.
    pub fn rate(&self, rule: RateRule, now: i64) -> Rate {
        match rule {
            RateRule::Fixed(rate) => rate,
            RateRule::Auto => self.remembered(now).map_or(Rate::MODERATE, |learned| learned.rate),
        }
    }

    /// When the rate fell, if `auto` goes by that.
    pub fn learned_at(&self, now: i64) -> Option<i64> {
        self.remembered(now).map(|learned| learned.at)
    }

    fn remembered(&self, now: i64) -> Option<Learned> {
        self.learned.filter(|learned| now < learned.at.saturating_add(REMEMBERED_MS))
    }

    /// Drops what has become free, and brings near what cannot be true.
    fn tidy(&mut self, now: i64) {
        let latest = now + MOST_AHEAD_MS;
        self.spent.retain(|until| *until > now);
        self.spent.iter_mut().for_each(|until| *until = latest.min(*until));
        self.held.retain(|held| held.until > now);
        for held in &mut self.held {
            held.until = latest.min(held.until);
            held.slots = held.slots.min(Rate::MOST);
        }
        self.blocked_until = latest.min(self.blocked_until);
        self.learned = self.remembered(now).map(|learned| Learned { at: learned.at.min(now), ..learned });
    }

    fn occupied(&self) -> u64 {
        self.spent.len() as u64 + self.held.iter().map(|held| u64::from(held.slots)).sum::<u64>()
    }

    /// Takes note of what a process has in hand, and gives it what it wants, or what there is of it.
    pub fn visit(&mut self, rule: RateRule, now: i64, visit: &Visit) -> Visited {
        self.tidy(now);
        let rate = self.rate(rule, now);
        let kept = kept_ms(rate);
        self.held.retain(|held| held.by != visit.by);
        self.spent.extend(visit.answered.iter().map(|at| at + kept).filter(|until| *until > now));
        self.spent.sort_unstable();
        let occupied = self.occupied() + u64::from(visit.in_flight);
        let left = u64::from(rate.requests()).saturating_sub(occupied);
        let granted = if now < self.blocked_until { 0 } else { visit.wanted.min(left as u32) };
        let next_at = [
            self.spent.first().copied(),
            // A slot in somebody's hands is free at the earliest when it was used now, or given back unused.
            (visit.in_flight > 0).then_some(now + kept),
            (!self.held.is_empty()).then_some(now + kept.min(LOOK_MS)),
        ];
        let next_at = next_at.into_iter().flatten().min().unwrap_or(now).max(self.blocked_until);
        let slots = visit.in_flight + granted;
        if slots > 0 {
            self.held.push(Held { by: visit.by, slots, until: now + HOLD_MS + kept });
        }
        Visited { granted, usable_until: now + HOLD_MS - ON_ITS_WAY_MS, next_at, rate }
    }

    /// Takes note that the server has refused a request which was sent at a rate: for a while nobody sends any.
    pub fn refuse(&mut self, rule: RateRule, now: i64, sent_at: Rate, retry_after: Option<Duration>) -> Refused {
        self.tidy(now);
        let asked = retry_after.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(MOST_AHEAD_MS).min(MOST_AHEAD_MS));
        let current = self.rate(rule, now);
        let (refused, pause) = match rule {
            RateRule::Auto if sent_at.is_faster_than(current) => (Refused::WasFaster, 0),
            RateRule::Auto if current.is_faster_than(Rate::SLOW) => {
                self.learned = Some(Learned { rate: Rate::SLOW, at: now });
                // What was sent before counts for the slower rate, too, whatever the server asks for.
                let window = kept_ms(Rate::SLOW);
                (Refused::Lowered, asked.map_or(window, |asked| asked.max(window)))
            }
            RateRule::Auto => {
                self.learned = Some(Learned { rate: current, at: now });
                (Refused::Stands, asked.unwrap_or_else(|| kept_ms(current)))
            }
            RateRule::Fixed(rate) => (Refused::Stands, asked.unwrap_or_else(|| kept_ms(rate))),
        };
        self.blocked_until = self.blocked_until.max(now + pause);
        refused
    }

    /// How many requests could be sent at once, as far as slots go.
    pub fn free(&self, rule: RateRule, now: i64) -> u64 {
        let mut log = self.clone();
        log.tidy(now);
        let slots = u64::from(log.rate(rule, now).requests());
        if now < log.blocked_until { 0 } else { slots.saturating_sub(log.occupied()) }
    }

    /// How many seconds from now the last of so many requests can be sent, if nobody else sends any.
    pub fn seconds_for(&self, rule: RateRule, now: i64, requests: u64) -> f64 {
        let Some(last) = requests.checked_sub(1) else { return 0.0 };
        let mut log = self.clone();
        log.tidy(now);
        let rate = log.rate(rule, now);
        let (slots, kept) = (rate.requests() as usize, kept_ms(rate));
        // When each slot is free for the first time, ascending; those in somebody's hands as if they were answered now.
        let held: u32 = log.held.iter().map(|held| held.slots).sum();
        let mut free_at = log.spent.clone();
        free_at.extend((0..held).map(|_| now + kept));
        free_at.extend((free_at.len()..slots).map(|_| now));
        free_at.sort_unstable();
        let free_at = &free_at[free_at.len() - slots..];
        let round = last / slots as u64;
        let at = free_at[(last % slots as u64) as usize].max(log.blocked_until).max(now);
        let by_slots = (at - now) as f64 / 1000.0 + round as f64 * kept as f64 / 1000.0;
        let by_pace = requests.saturating_sub(u64::from(rate.burst())) as f64 * rate.spacing().as_secs_f64();
        by_slots.max(by_pace)
    }
}

/// The slots that a process has in hand.
#[derive(Debug)]
pub struct Hands {
    id: u64,
    free: u32,
    usable_until: i64,
    in_flight: u32,
    /// When requests were answered that the log does not know of yet.
    answered: Vec<i64>,
}

impl Hands {
    /// Empty hands of a process; its number must be its own.
    pub const fn new(id: u64) -> Self {
        Self { id, free: 0, usable_until: 0, in_flight: 0, answered: Vec::new() }
    }

    /// Whether there is nothing the log would have to be told.
    pub const fn are_empty(&self) -> bool {
        self.free == 0 && self.in_flight == 0 && self.answered.is_empty()
    }

    /// Puts a free slot to use, if there is one; then a request may be sent.
    pub const fn take(&mut self, now: i64) -> bool {
        // Later somebody else may have taken it.
        let is_usable = self.free > 0 && now <= self.usable_until;
        if is_usable {
            self.free -= 1;
            self.in_flight += 1;
        }
        is_usable
    }

    /// Takes a slot back whose request was not sent.
    pub const fn untake(&mut self) {
        self.in_flight -= 1;
        self.free += 1;
    }

    /// A request was answered.
    pub fn answered(&mut self, now: i64) {
        self.in_flight -= 1;
        // The millisecond is not over.
        self.answered.push(now + 1);
    }

    /// A request was given up that the server may yet see.
    pub fn lost(&mut self, now: i64) {
        self.answered(now + ON_ITS_WAY_MS);
    }

    /// No slot in hand may be used before the log was asked.
    pub const fn distrust(&mut self) {
        self.usable_until = 0;
    }

    /// What to say to the log: free slots are given back, so many are wanted. They cannot be used until
    /// [`Hands::visited`]; if that does not come because the log could not be reached, nothing is lost.
    pub fn visit(&mut self, wanted: u32) -> Visit {
        self.free = 0;
        Visit { by: self.id, in_flight: self.in_flight, answered: self.answered.clone(), wanted }
    }

    /// Takes what the log has given.
    pub fn visited(&mut self, visit: &Visit, visited: Visited) {
        self.answered.drain(..visit.answered.len());
        self.free += visited.granted;
        self.usable_until = visited.usable_until;
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
