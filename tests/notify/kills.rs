//! Senders that are killed at the worst moments: what the receivers get, by what they can tell repetitions by.

use std::collections::BTreeMap;
use std::process::Stdio;

use super::hook::Reply;
use super::mail::AfterData;
use super::*;
use crate::harness::{ran, wait_until};

/// How often each message came: keys of the webhook, Message-IDs, texts of Telegram without their mark.
#[derive(Debug, PartialEq, Eq)]
struct Received {
    webhook: Vec<usize>,
    email: Vec<usize>,
    telegram: Vec<usize>,
    /// Telegrams that do not say that they may be repetitions.
    unmarked: usize,
}

impl Received {
    fn by(world: &World) -> Self {
        fn times(keys: impl Iterator<Item = String>) -> Vec<usize> {
            let mut times: BTreeMap<String, usize> = BTreeMap::new();
            for key in keys {
                *times.entry(key).or_default() += 1;
            }
            times.into_values().collect()
        }
        let texts: Vec<String> =
            world.telegram.posts().iter().map(|post| post.json()["text"].as_str().unwrap().to_owned()).collect();
        let plain =
            |text: &String| text.split_once(")\n").filter(|_| text.starts_with('(')).map(|(_, text)| text.to_owned());
        Self {
            webhook: times(world.webhook.posts().iter().map(|post| post.header("idempotency-key").unwrap().to_owned())),
            email: times(world.mail.mails().iter().map(|mail| mail.header("Message-ID").unwrap().to_owned())),
            unmarked: texts.iter().filter(|text| plain(text).is_none()).count(),
            telegram: times(texts.iter().map(|text| plain(text).unwrap_or_else(|| text.clone()))),
        }
    }
}

/// The same for senders whose death is noticed after a second.
fn soon(mut command: Command) -> Command {
    command.env("BARKEEP_LEASE_SECONDS", "1");
    command
}

/// Sends over one channel after the other, so that each is killed at its own passage of a place.
fn killed_at(world: &World, place: &str) {
    for channel in ALL {
        let mut command = soon(world.command_of(channel, "notify --send"));
        let ran = ran(command.env("BARKEEP_CRASH_AT", place));
        assert_eq!(ran.code, -1, "{channel} was not killed at {place}: {ran:?}");
    }
}

/// Sends until nothing waits: leases of the dead end meanwhile.
fn finish(world: &World) {
    wait_until("everything to be sent", || {
        ran(&mut soon(world.command("notify --send")));
        world.messages().iter().all(|message| message.status.as_str() == "sent")
    });
}

#[test]
fn a_kill_at_any_place_loses_nothing_and_doubles_nothing_that_can_be_told() {
    for place_of in [|| Some(Place::new()), || Schema::new().map(Place::on)] {
        for (place, times, unmarked) in [
            // Nothing had gone out; but who comes after cannot know.
            ("notify-claimed", 1, 0),
            // It had arrived: what comes is the same again.
            ("notify-answered", 2, 1),
            ("notify-ended", 1, 1),
        ] {
            let Some(world) = place_of().map(World::of) else { continue };
            let world = &world;
            assert!(world.tell(&broken(), BROKEN, &ALL));
            killed_at(world, place);
            finish(world);
            let once = || vec![times];
            let expected = Received { webhook: once(), email: once(), telegram: once(), unmarked };
            assert_eq!(Received::by(world), expected, "killed at {place}");
        }
    }
}

#[test]
fn a_kill_between_telling_and_sending_loses_nothing() {
    let world = World::new();
    assert!(world.tell(&broken(), BROKEN, &ALL));
    // The teller is gone; whoever comes next sends.
    assert!(!world.tell(&broken(), "2026-10-07T15:30:00Z", &ALL), "and tells nothing twice");
    ran(&mut world.command("notify --send")).ended(0);
    let expected = Received { webhook: vec![1], email: vec![1], telegram: vec![1], unmarked: 1 };
    assert_eq!(Received::by(&world), expected);
}

#[test]
fn a_kill_while_the_other_side_has_the_message_and_has_not_answered() {
    let world = World {
        webhook: Hook::new([Reply::Hang]),
        telegram: Hook::new([Reply::Hang]),
        mail: MailServer::new(Behaviour { after_data: vec![AfterData::Hang], ..Behaviour::default() }),
        ..World::new()
    };
    assert!(world.tell(&broken(), BROKEN, &ALL));
    let mut command = soon(world.command("notify --send"));
    let mut sender = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("all receivers to have it", || {
        world.webhook.posts().len() + world.mail.mails().len() + world.telegram.posts().len() == 3
    });
    sender.kill().unwrap();
    sender.wait().unwrap();
    finish(&world);
    let expected = Received { webhook: vec![2], email: vec![2], telegram: vec![2], unmarked: 1 };
    assert_eq!(Received::by(&world), expected);
    let (posts, mails) = (world.webhook.posts(), world.mail.mails());
    assert!(posts[0] == posts[1] && mails[0] == mails[1], "the same to the byte: {posts:#?} {mails:#?}");
}

#[test]
fn kills_in_a_row_lose_nothing() {
    let world = World::new();
    for (now, at) in [(broken(), BROKEN), (repaired(), REPAIRED)] {
        assert!(world.tell(&now, at, &ALL));
    }
    for place in ["notify-answered", "notify-claimed", "notify-claimed:2", "notify-answered:2", "notify-ended"] {
        ran(soon(world.command("notify --send")).env("BARKEEP_CRASH_AT", place));
        std::thread::sleep(std::time::Duration::from_millis(1050));
    }
    finish(&world);
    let received = Received::by(&world);
    for times in [&received.webhook, &received.email, &received.telegram] {
        assert_eq!(times.len(), 2, "two messages, whatever happened: {received:?}");
    }
    assert!(received.unmarked <= 2, "{received:?}");
}
