//! Messages on their way.

use std::time::Duration;

use barkeep::store::{
    Condition, ConditionChange, Held, MessageStatus, NewMessage, Outbox, OutboxDepth, OutboxMessage, SendEnd,
};
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::Bench;
use crate::fixtures::*;

const LEASE: Duration = Duration::from_mins(1);
const SENT: SendEnd = SendEnd::Sent { but: None };

fn retry(pause_ms: u64, may_have_arrived: bool) -> SendEnd {
    SendEnd::Retry { pause: Duration::from_millis(pause_ms), message: "it's 'down'".to_owned(), may_have_arrived }
}

fn message(key: &str, channel: &str) -> NewMessage {
    NewMessage {
        dedup_key: format!("{key}-{channel}"),
        channel: channel.to_owned(),
        event: "failure".to_owned(),
        subject: format!("{key}: 'quoted', \"so\" and é"),
        body: "a\nb\\n".to_owned(),
        created_at: at("2026-10-06T15:30:00Z"),
    }
}

fn condition(problem: Option<&str>, told_at: &str) -> Condition {
    Condition { problem: problem.map(str::to_owned), since: at("2026-10-05T15:30:00Z"), told_at: at(told_at) }
}

fn change(before: Option<Condition>, after: Condition, messages: &[NewMessage]) -> ConditionChange {
    ConditionChange { source: "nightly".to_owned(), before, after, messages: messages.to_vec() }
}

/// Puts messages of a channel into the outbox.
async fn put(store: &mut impl Outbox, channel: &str, keys: &[&str]) {
    let messages: Vec<_> = keys.iter().map(|key| message(key, channel)).collect();
    let before = store.condition("nightly").await.unwrap();
    let change = change(before, condition(Some("p"), "2026-10-06T15:30:00Z"), &messages);
    assert!(store.tell(&change).await.unwrap());
}

/// The key of the message that a claim brings.
async fn claim(store: &mut impl Outbox, channel: &str) -> Option<(String, Held)> {
    let claimed = store.claim_message(channel, LEASE).await.unwrap()?;
    Some((claimed.message.dedup_key, claimed.held))
}

pub async fn a_change_is_told_once(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.condition("nightly").await.unwrap(), None);
    let down = condition(Some("api"), "2026-10-06T15:30:00Z");
    let first = change(None, down.clone(), &[message("1", "webhook"), message("1", "email")]);
    assert!(store.tell(&first).await.unwrap());
    assert!(!store.tell(&first).await.unwrap(), "it is told already");
    assert_eq!(bench.open().await.condition("nightly").await.unwrap(), Some(down.clone()));
    assert_eq!(store.condition("watchlist").await.unwrap(), None, "of another source nothing is known");

    let well = condition(None, "2026-10-07T15:30:00Z");
    let second = change(Some(down), well.clone(), &[message("1", "webhook"), message("2", "telegram")]);
    assert!(store.tell(&second).await.unwrap());
    assert_eq!(store.condition("nightly").await.unwrap(), Some(well.clone()));
    assert!(!store.tell(&second).await.unwrap());
    let worse = change(Some(well), condition(Some("disk"), "2026-10-08T15:30:00Z"), &[]);
    assert!(store.tell(&worse).await.unwrap(), "from no problem to one");
    let keys = store.messages(9).await.unwrap().into_iter().map(|message| message.message.dedup_key);
    assert_eq!(keys.collect::<Vec<_>>(), ["1-webhook", "1-email", "2-telegram"], "equal keys are one message");
}

pub async fn a_change_of_another_condition_is_not_told(bench: &impl Bench) {
    let mut store = bench.open().await;
    let was = condition(Some("api"), "2026-10-06T15:30:00Z");
    store.tell(&change(None, was.clone(), &[])).await.unwrap();
    let after = condition(None, "2026-10-09T15:30:00Z");
    let earlier = Condition { since: at("2026-10-05T15:29:59.999Z"), ..was.clone() };
    for before in [
        None,
        Some(condition(Some("disk"), "2026-10-06T15:30:00Z")),
        Some(condition(None, "2026-10-06T15:30:00Z")),
        Some(condition(Some("api"), "2026-10-06T15:30:00.001Z")),
        Some(earlier),
    ] {
        assert!(!store.tell(&change(before.clone(), after.clone(), &[message("1", "email")])).await.unwrap());
    }
    assert_eq!(store.condition("nightly").await.unwrap(), Some(was));
    assert_eq!(store.messages(9).await.unwrap(), []);
}

pub async fn who_tells_at_once_tells_once(bench: &impl Bench) {
    for (round, before) in [(0, None), (1, Some(condition(Some("0"), "2026-10-06T15:30:00Z")))] {
        let mut tellers = JoinSet::new();
        for teller in 0..6 {
            let (mut store, before) = (bench.open().await, before.clone());
            let after = condition(Some(&round.to_string()), "2026-10-06T15:30:00Z");
            let change = change(before, after, &[message(&format!("{round} {teller}"), "email")]);
            tellers.spawn(async move { store.tell(&change).await.unwrap() });
        }
        let told = tellers.join_all().await.into_iter().filter(|told| *told).count();
        assert_eq!(told, 1, "in round {round}");
        assert_eq!(bench.open().await.messages(9).await.unwrap().len(), round + 1);
    }
}

pub async fn messages_of_a_channel_go_in_order(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(claim(&mut store, "webhook").await, None);
    put(&mut store, "webhook", &["1", "2"]).await;
    put(&mut store, "email", &["3"]).await;
    let claimed = store.claim_message("webhook", LEASE).await.unwrap().unwrap();
    assert_eq!(claimed.message, message("1", "webhook"));
    assert_eq!((claimed.attempts, claimed.may_have_arrived), (0, false));
    assert_eq!(claim(&mut store, "webhook").await, None, "the second waits for the first");
    let (key, email) = claim(&mut store, "email").await.unwrap();
    assert_eq!(key, "3-email", "channels do not wait for each other");
    assert!(store.end_message(claimed.held, &retry(600_000, false)).await.unwrap());
    assert_eq!(claim(&mut store, "webhook").await, None, "nor does it overtake one that is tried again");
    let refused = SendEnd::Dead { message: "404".to_owned() };
    bench.execute("UPDATE notification_outbox SET not_before = 0").await;
    let (key, held) = claim(&mut store, "webhook").await.unwrap();
    assert_eq!(key, "1-webhook");
    assert!(store.end_message(held, &refused).await.unwrap());
    let (key, held) = claim(&mut store, "webhook").await.unwrap();
    assert_eq!(key, "2-webhook", "one that was given up is in nobody's way");
    assert!(store.end_message(held, &SENT).await.unwrap());
    assert!(store.end_message(email, &SENT).await.unwrap());
    assert!(claim(&mut store, "webhook").await.is_none() && claim(&mut store, "email").await.is_none());
}

pub async fn a_message_waits_for_its_pause(bench: &impl Bench) {
    let mut store = bench.open().await;
    put(&mut store, "telegram", &["1"]).await;
    for (attempts, may_have_arrived) in [(0, false), (1, true), (2, false)] {
        let claimed = loop {
            if let Some(claimed) = store.claim_message("telegram", LEASE).await.unwrap() {
                break claimed;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert_eq!((claimed.attempts, claimed.may_have_arrived), (attempts, may_have_arrived));
        let end = retry(300, attempts == 0);
        assert!(store.end_message(claimed.held, &end).await.unwrap());
        assert_eq!(claim(&mut store, "telegram").await, None, "not before the pause is over");
    }
}

pub async fn a_message_of_a_dead_sender_comes_back_and_may_have_arrived(bench: &impl Bench) {
    let mut store = bench.open().await;
    put(&mut store, "telegram", &["1"]).await;
    let lease = Duration::from_millis(300);
    let dead = store.claim_message("telegram", lease).await.unwrap().unwrap();
    assert_eq!(claim(&mut store, "telegram").await, None, "its lease holds");
    tokio::time::sleep(lease + Duration::from_millis(50)).await;
    let again = store.claim_message("telegram", LEASE).await.unwrap().unwrap();
    assert_eq!((again.held.id, again.held.token), (dead.held.id, dead.held.token + 1));
    assert_eq!(again.message, dead.message, "it is the same to the byte");
    assert_eq!((again.attempts, again.may_have_arrived), (1, true));
}

pub async fn a_late_sender_changes_nothing(bench: &impl Bench) {
    let mut store = bench.open().await;
    put(&mut store, "email", &["1"]).await;
    let (_, late) = claim(&mut store, "email").await.unwrap();
    bench.execute("UPDATE notification_outbox SET lease_until = 1").await;
    let (_, held) = claim(&mut store, "email").await.unwrap();
    for end in [SENT, retry(0, false), SendEnd::Dead { message: "late".to_owned() }] {
        assert!(!store.end_message(late, &end).await.unwrap());
    }
    assert_eq!(store.messages(0).await.unwrap()[0].status, MessageStatus::Sending);
    assert!(store.end_message(held, &SENT).await.unwrap());
    assert!(!store.end_message(held, &retry(0, false)).await.unwrap(), "what has ended stays so");
    assert_eq!(claim(&mut store, "email").await, None);
}

pub async fn senders_at_once_claim_each_message_once(bench: &impl Bench) {
    const MESSAGES: usize = 20;
    let keys: Vec<String> = (0..MESSAGES).map(|number| format!("{number:02}")).collect();
    let mut store = bench.open().await;
    put(&mut store, "webhook", &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut senders = JoinSet::new();
    for _ in 0..4 {
        let mut store = bench.open().await;
        senders.spawn(async move {
            let mut sent = Vec::new();
            while store.outbox_depth().await.unwrap().open > 0 {
                if let Some((key, held)) = claim(&mut store, "webhook").await {
                    sent.push((Timestamp::now(), key));
                    assert!(store.end_message(held, &SENT).await.unwrap());
                }
            }
            sent
        });
    }
    let mut sent = senders.join_all().await.concat();
    sent.sort();
    let sent: Vec<String> = sent.into_iter().map(|(_, key)| key).collect();
    assert_eq!(sent, keys.iter().map(|key| format!("{key}-webhook")).collect::<Vec<_>>());
}

pub async fn the_outbox_tells_what_waits_and_what_ended(bench: &impl Bench) {
    let mut store = bench.open().await;
    assert_eq!(store.outbox_depth().await.unwrap(), OutboxDepth::default());
    put(&mut store, "webhook", &["1", "2"]).await;
    put(&mut store, "email", &["3"]).await;
    put(&mut store, "telegram", &["4"]).await;
    let (_, held) = claim(&mut store, "email").await.unwrap();
    store.end_message(held, &SendEnd::Dead { message: "550 no such user".to_owned() }).await.unwrap();
    let (_, held) = claim(&mut store, "webhook").await.unwrap();
    store.end_message(held, &SendEnd::Sent { but: Some("a@b.example was refused".to_owned()) }).await.unwrap();
    let (_, held) = claim(&mut store, "telegram").await.unwrap();
    let depth = OutboxDepth { open: 2, dead: 1, oldest_open: Some(at("2026-10-06T15:30:00Z")) };
    assert_eq!(store.outbox_depth().await.unwrap(), depth);
    let row = |message: &OutboxMessage| {
        (message.message.dedup_key.clone(), message.status, message.attempts, message.sent_at.is_some())
    };
    let messages = store.messages(9).await.unwrap();
    let key = |key: &str| key.to_owned();
    use MessageStatus::{Dead, Pending, Sending, Sent};
    let expected = [
        (key("2-webhook"), Pending, 0, false),
        (key("4-telegram"), Sending, 1, false),
        (key("3-email"), Dead, 1, false),
        (key("1-webhook"), Sent, 1, true),
    ];
    assert_eq!(messages.iter().map(row).collect::<Vec<_>>(), expected);
    assert_eq!(messages[2].error_message.as_deref(), Some("550 no such user"));
    assert_eq!(messages[3].error_message.as_deref(), Some("a@b.example was refused"));
    assert_eq!(store.messages(1).await.unwrap().len(), 3);
    store.end_message(held, &retry(0, true)).await.unwrap();
    let waiting = &store.messages(0).await.unwrap()[1];
    assert_eq!((waiting.status, waiting.error_message.as_deref()), (Pending, Some("it's 'down'")));
}
