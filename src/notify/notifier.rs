//! Deciding what is told, and sending it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::Attempt;
use super::email::Email;
use super::render;
use super::situation::{Decision, Event, Situation, decide, digest};
use super::telegram::Telegram;
use super::text::{Words, words};
use super::webhook::Webhook;
use crate::config::{ConfigError, NotifySettings};
use crate::store::{Condition, ConditionChange, Held, NewMessage, Outbox, SendEnd, StoreError, host_name};

/// How much longer what is being sent may take after a call to stop.
const STOPPED_AFTER: Duration = Duration::from_secs(3);
/// How often, and after what pause, it is tried to write how a sending ended.
const END_TRIES: u32 = 5;
const END_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The database's clock counts pauses, ours how long to wait for them.
const CLOCKS: Duration = Duration::from_millis(50);

/// The channels that are set up.
pub struct Notifier {
    channels: Vec<Channel>,
    host: Option<String>,
    lease: Duration,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").field("channels", &self.destinations()).finish_non_exhaustive()
    }
}

enum Channel {
    Webhook(Box<Webhook>),
    Email(Box<Email>),
    Telegram(Box<Telegram>),
}

/// What sending came to.
#[derive(Debug, Default)]
pub struct Flushed {
    /// Messages that were taken.
    pub sent: u32,
    /// Attempts that failed and are repeated later, one line each.
    pub retried: Vec<String>,
    /// Messages that were given up, one line each.
    pub dead: Vec<String>,
    /// Why no more could be sent.
    pub trouble: Option<StoreError>,
}

/// What became of a message that was sent past the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// `webhook`, `email` or `telegram`.
    pub channel: &'static str,
    /// Where it went, without secrets.
    pub destination: String,
    /// Nothing, or what was not as it should be all the same; or why it was not sent.
    pub result: Result<Option<String>, String>,
}

impl Notifier {
    /// Prepares the channels that are set up; nothing is sent yet. Settings that make no sense are an error.
    pub fn new(settings: &NotifySettings) -> Result<Self, ConfigError> {
        let host = host_name();
        let patience = settings.patience;
        let mut channels = Vec::new();
        if let Some(webhook) = &settings.webhook {
            channels.push(Channel::Webhook(Box::new(Webhook::new(webhook, patience)?)));
        }
        if let Some(email) = &settings.email {
            channels.push(Channel::Email(Box::new(Email::new(email, host.as_deref(), patience)?)));
        }
        if let Some(telegram) = &settings.telegram {
            channels.push(Channel::Telegram(Box::new(Telegram::new(telegram, patience)?)));
        }
        Ok(Self { channels, host, lease: settings.lease })
    }

    /// The channels and where each leads, without secrets.
    pub fn destinations(&self) -> Vec<(&'static str, String)> {
        self.channels.iter().map(|channel| (channel.name(), channel.destination())).collect()
    }

    /// What is to be told, if anything: for a transaction that writes more than this. Nothing without a channel.
    pub fn change(&self, last: Option<Condition>, now: &Situation, at: Timestamp) -> Option<ConditionChange> {
        if self.channels.is_empty() {
            return None;
        }
        let decision = decide(last.as_ref(), now, at)?;
        let words = words(&decision, now, self.host.as_deref(), at);
        let messages = self.channels.iter().map(|channel| self.message(channel, &words, &decision, now, at)).collect();
        Some(ConditionChange { source: now.source.clone(), before: last, after: decision.after, messages })
    }

    /// Compares how a source is with what was told of it, and puts what is to be told into the outbox; says whether it did.
    /// Sending it is [`Self::flush`].
    pub async fn situation(&self, store: &mut impl Outbox, now: &Situation, at: Timestamp) -> Result<bool, StoreError> {
        let last = store.condition(&now.source).await?;
        let Some(change) = self.change(last, now, at) else { return Ok(false) };
        let told = store.tell(&change).await?;
        crash_point!("notify-told");
        Ok(told)
    }

    /// Sends what waits for the channels that are set up, and tries again what fails, for about as long as `longest` (and one
    /// sending). After a call to stop nothing more is begun. Never fails: what happened is in the result, and what was not sent
    /// stays in the outbox.
    pub async fn flush(&self, store: &mut impl Outbox, longest: Duration, stop: &CancellationToken) -> Flushed {
        let mut flushed = Flushed::default();
        let until = Instant::now() + longest;
        // When the first message of a channel may be tried again.
        let mut again: Vec<Instant> = Vec::new();
        while !stop.is_cancelled() {
            match self.round(store, stop, &mut flushed, &mut again).await {
                Ok(true) if Instant::now() < until => continue,
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    flushed.trouble = Some(error);
                    break;
                }
            }
            // What waits for longer waits for the next time.
            let Some(next) = again.iter().copied().min().filter(|next| *next < until) else { break };
            again.retain(|later| *later > next);
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = stop.cancelled() => {}
            }
        }
        flushed
    }

    /// Sends a message over each channel that has one; says whether any had.
    async fn round(
        &self,
        store: &mut impl Outbox,
        stop: &CancellationToken,
        flushed: &mut Flushed,
        again: &mut Vec<Instant>,
    ) -> Result<bool, StoreError> {
        let (mut sending, mut held, mut trouble) = (FuturesUnordered::new(), Vec::new(), None);
        for channel in &self.channels {
            match store.claim_message(channel.name(), self.lease).await {
                Ok(Some(claimed)) => {
                    crash_point!("notify-claimed");
                    held.push(claimed.held);
                    sending
                        .push(async move { (channel.send(&claimed.message, claimed.may_have_arrived).await, claimed) });
                }
                Ok(None) => {}
                // Those that are claimed are sent first.
                Err(error) => trouble = Some(error),
            }
        }
        let any = !held.is_empty();
        let stopped = async {
            stop.cancelled().await;
            tokio::time::sleep(STOPPED_AFTER).await;
        };
        tokio::pin!(stopped);
        loop {
            let (attempt, claimed) = tokio::select! {
                biased;
                sent = sending.next() => match sent {
                    Some(sent) => sent,
                    None => break,
                },
                () = &mut stopped => break,
            };
            crash_point!("notify-answered");
            held.retain(|other| *other != claimed.held);
            let end = attempt.end(&claimed, fastrand::f64());
            end_surely(store, claimed.held, &end).await?;
            crash_point!("notify-ended");
            let channel = &claimed.message.channel;
            match end {
                SendEnd::Sent { .. } => flushed.sent += 1,
                SendEnd::Retry { pause, message, .. } => {
                    again.push(Instant::now() + pause + CLOCKS);
                    flushed.retried.push(format!("{channel}: {message}"));
                }
                SendEnd::Dead { message } => flushed.dead.push(format!("{channel}: {message}")),
            }
        }
        drop(sending);
        for held in held {
            let message = "the process was stopped while it sent".to_owned();
            let end = SendEnd::Retry { pause: Duration::ZERO, message, may_have_arrived: true };
            end_surely(store, held, &end).await?;
        }
        trouble.map_or(Ok(any), Err)
    }

    /// Sends a test message over every channel, once, past the outbox; says what became of each.
    pub async fn test(&self, at: Timestamp) -> Vec<Tried> {
        let now = Situation { source: "notify".to_owned(), problem: None, summary: String::new() };
        let after = Condition { problem: None, since: at, told_at: at };
        self.send_now(&Decision { event: Event::Test, trouble_since: at, after }, &now, at).await
    }

    /// Tells trouble over every channel, once, past the outbox; says what became of each. For when there is no database to keep
    /// messages in: nothing is remembered, so the next call tells it again.
    pub async fn tell_now(&self, now: &Situation, at: Timestamp) -> Vec<Tried> {
        match decide(None, now, at) {
            Some(decision) => self.send_now(&decision, now, at).await,
            None => Vec::new(),
        }
    }

    async fn send_now(&self, decision: &Decision, now: &Situation, at: Timestamp) -> Vec<Tried> {
        let words = words(decision, now, self.host.as_deref(), at);
        let tries = self.channels.iter().map(|channel| {
            let message = self.message(channel, &words, decision, now, at);
            async move {
                let result = match channel.send(&message, false).await {
                    Attempt::Taken { but } => Ok(but),
                    Attempt::Refused { why } | Attempt::Failed { why, .. } => Err(why),
                };
                Tried { channel: channel.name(), destination: channel.destination(), result }
            }
        });
        futures_util::future::join_all(tries).await
    }

    fn message(
        &self,
        channel: &Channel,
        words: &Words,
        decision: &Decision,
        now: &Situation,
        at: Timestamp,
    ) -> NewMessage {
        let host = self.host.as_deref();
        let (event, made_at) = (decision.event.as_str(), at.as_millisecond().to_string());
        let problem = decision.after.problem.as_deref().unwrap_or_default();
        let identity = [channel.name(), event, &now.source, problem, &made_at, host.unwrap_or_default()];
        let dedup_key = format!("barkeep-{}", digest(identity.into_iter()));
        let body = match channel {
            Channel::Webhook(_) => render::webhook(&dedup_key, words, decision, now, host, at),
            Channel::Email(_) => words.text.clone(),
            Channel::Telegram(_) => render::telegram(words),
        };
        NewMessage {
            dedup_key,
            channel: channel.name().to_owned(),
            event: event.to_owned(),
            subject: words.subject.clone(),
            body,
            created_at: at,
        }
    }
}

impl Channel {
    /// Its word in the database.
    const fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
            Self::Telegram(_) => "telegram",
        }
    }

    fn destination(&self) -> String {
        match self {
            Self::Webhook(webhook) => webhook.destination(),
            Self::Email(email) => email.destination(),
            Self::Telegram(telegram) => telegram.destination(),
        }
    }

    /// Sends a message, which may be there already.
    async fn send(&self, message: &NewMessage, may_be_there: bool) -> Attempt {
        match self {
            Self::Webhook(webhook) => webhook.send(&message.dedup_key, &message.body).await,
            Self::Email(email) => email.send(message).await,
            Self::Telegram(telegram) => telegram.send(&message.body, may_be_there).await,
        }
    }
}

/// Writes how sending ended, even if the connection to the database breaks: what is not written is sent again.
async fn end_surely(store: &mut impl Outbox, held: Held, end: &SendEnd) -> Result<(), StoreError> {
    let mut tries = 1;
    loop {
        match store.end_message(held, end).await {
            Err(error) if error.may_pass() && tries < END_TRIES => {
                tries += 1;
                tokio::time::sleep(END_AGAIN_AFTER).await;
            }
            ended => return ended.map(drop),
        }
    }
}
