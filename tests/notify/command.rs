//! `backfill notify` as typed.

use serde_json::json;

use super::hook::status;
use super::*;
use crate::harness::ran;

#[test]
fn a_test_goes_over_every_channel_and_says_what_became_of_it() {
    let world = World { telegram: Hook::new([status(401)]), ..World::new() };
    let ran = ran(&mut world.command("notify --test --json")).ended(1);
    let object = ran.json();
    let host = |address: &str| address.trim_start_matches("http://").to_owned();
    let mail = format!("ops@c.example, ann@d.example by 127.0.0.1:{}", world.mail.port);
    assert_eq!(
        object["rows"],
        json!([
            { "channel": "webhook", "destination": host(&world.webhook.address), "sent": true, "error": null },
            { "channel": "email", "destination": mail, "sent": true, "error": null },
            {
                "channel": "telegram",
                "destination": format!("chat -1001234 by {}", host(&world.telegram.address)),
                "sent": false,
                "error": "HTTP 401",
            },
        ])
    );
    assert_eq!(object["totals"], json!({ "sent": 2, "failed": 1 }));
    let payload = world.webhook.posts()[0].json();
    assert_eq!((&payload["event"], &payload["subject"]), (&json!("test"), &json!("[barkeep] notify: a test")));
    assert!(world.mail.mails()[0].text.contains("This is a test: messages about problems would arrive here."));
    assert!(!world.place.database().exists(), "it needs no database");

    let text = crate::harness::ran(&mut world.command("notify --test")).ended(0);
    assert!(text.out.starts_with("channel   to"), "{text:?}");
    assert_eq!(text.out.lines().filter(|line| line.ends_with("  sent")).count(), 3, "{text:?}");
}

#[test]
fn without_a_channel_there_is_nothing_to_try() {
    let world = World::new();
    for line in ["notify --test", "notify --send"] {
        let ran = world.place.run(&line.split(' ').collect::<Vec<_>>()).ended(2);
        assert!(
            ran.err.starts_with("error: no channel for messages is set up\nhint: set BARKEEP_WEBHOOK_URL"),
            "{ran:?}"
        );
    }
    let ran = world.place.run(&["notify"]).ended(0);
    assert!(ran.out.starts_with("nobody is told anything"), "{ran:?}");
}

#[test]
fn channels_and_messages_are_shown() {
    let world = World { webhook: Hook::new([status(410)]), ..World::new() };
    world.tell(&broken(), BROKEN, &["webhook", "email"]);
    ran(&mut world.command("notify --send")).ended(3);
    world.tell(&repaired(), REPAIRED, &["telegram"]);
    let text = ran(&mut world.command("notify")).ended(0);
    assert!(text.out.contains("email     ops@c.example, ann@d.example by 127.0.0.1:"), "{text:?}");
    assert!(text.out.contains("2026-10-07 16:45  telegram  pending      0  [barkeep] nightly works again"), "{text:?}");
    assert!(text.out.ends_with("1 message to be sent, 1 given up\n"), "{text:?}");
    let object = ran(&mut world.command("notify --json")).ended(0).json();
    assert_eq!(object["totals"], json!({ "open": 1, "dead": 1, "oldest_open": "2026-10-07T16:45:00Z" }));
    let rows = object["rows"].as_array().unwrap();
    let row = |row: &serde_json::Value| {
        ["channel", "event", "status", "error"].map(|key| row[key].as_str().unwrap_or("-").to_owned()).join(" ")
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    assert_eq!(rows, ["telegram recovery pending -", "email failure sent -", "webhook failure dead HTTP 410"]);
}

#[test]
fn channels_that_make_no_sense_are_named_and_not_repeated() {
    let world = World::new();
    for (variable, value, problem) in [
        ("BARKEEP_WEBHOOK_URL", "hunter2", "environment BARKEEP_WEBHOOK_URL: is not the address of a webhook"),
        (
            "BARKEEP_SMTP_URL",
            "smtp://u:hunter2@mail.example",
            "environment BARKEEP_SMTP_URL: says smtp:// of another machine",
        ),
        ("BARKEEP_EMAIL_TO", "ops", "environment BARKEEP_EMAIL_TO: `ops` is not a list of e-mail addresses"),
        ("BARKEEP_EMAIL_FROM", "a@b.example\nBcc: x@y.example", "environment BARKEEP_EMAIL_FROM: `a@b.example Bcc"),
        ("BARKEEP_TELEGRAM_TOKEN", "1:hunter2/../x", "environment BARKEEP_TELEGRAM_TOKEN: is not the token of a bot"),
        ("BARKEEP_TELEGRAM_URL", "ftp://x", "environment BARKEEP_TELEGRAM_URL: is not the address of Telegram's API"),
        ("BARKEEP_TELEGRAM_CHAT", "", "BARKEEP_TELEGRAM_TOKEN is set (environment BARKEEP_TELEGRAM_TOKEN), but not"),
    ] {
        let ran = ran(world.command("notify --test").env(variable, value)).ended(2);
        assert!(ran.err.starts_with(&format!("error: {problem}")), "{variable}: {ran:?}");
        assert!(!ran.err.contains("hunter2"), "{ran:?}");
    }
}
