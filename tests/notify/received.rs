//! Each channel's message as it is received, whole, on failure and on recovery.

use serde_json::json;

use super::hook::{Post, status};
use super::mail::Mail;
use super::*;
use crate::harness::ran;

/// The text for people on failure, and on recovery.
fn texts() -> (String, String) {
    let host = host();
    let failure = format!(
        "nightly has a problem: no file of stocks for 2026-10-05.\n\
         The vendor says: \"<b>Größe & co</b>\"\n\
         Bcc: everyone@d.example\n\
         Asked until 11:30 New York; watched symbols came from the REST API.\n\
         \n\
         Since 2026-10-06 15:30 UTC. You hear of it again when it becomes another problem, lasts for seven days more, or is over.\n\
         barkeep{host}, 2026-10-06 15:30 UTC"
    );
    let recovery = format!(
        "nightly works again: 10 of 10 days are there.\n\
         \n\
         The trouble began 2026-10-06 15:30 UTC and lasted 1 day 1 h.\n\
         barkeep{host}, 2026-10-07 16:45 UTC"
    );
    (failure, recovery)
}

const FAILURE: &str = "[barkeep] nightly: no file of stocks for 2026-10-05";
const RECOVERY: &str = "[barkeep] nightly works again";

#[test]
fn failure_and_recovery_arrive_over_every_channel() {
    for world in World::on_both() {
        for (now, at, told) in [
            (repaired(), "2026-10-05T15:30:00Z", false),
            (broken(), BROKEN, true),
            (broken(), "2026-10-07T15:30:00Z", false),
            (repaired(), REPAIRED, true),
            (repaired(), "2026-10-08T15:30:00Z", false),
        ] {
            assert_eq!(world.tell(&now, at, &ALL), told, "{at}");
            ran(&mut world.command("notify --send")).ended(0);
        }
        let (posts, mails, telegrams) = (world.webhook.posts(), world.mail.mails(), world.telegram.posts());
        if std::env::var_os("BARKEEP_PRINT_TABLE").is_some() {
            for post in posts.iter().chain(&telegrams) {
                println!("POST {}\n{:#?}\n{}\n", post.path, post.headers, post.body);
            }
            for mail in &mails {
                println!("MAIL FROM {} TO {:?}\n{}\n", mail.from, mail.to, mail.text);
            }
        }
        let ids: Vec<String> = world.messages().into_iter().rev().map(|message| message.message.dedup_key).collect();
        assert_eq!((posts.len(), mails.len(), telegrams.len(), ids.len()), (2, 2, 2, 6));
        let (failure, recovery) = texts();
        webhook(&posts[0], &ids[0], ("failure", FAILURE, &failure), BROKEN);
        webhook(&posts[1], &ids[3], ("recovery", RECOVERY, &recovery), REPAIRED);
        email(&mails[0], &ids[1], (FAILURE, &failure), "Tue, 06 Oct 2026 15:30:00 +0000");
        email(&mails[1], &ids[4], (RECOVERY, &recovery), "Wed, 07 Oct 2026 16:45:00 +0000");
        telegram(&telegrams[0], &failure);
        telegram(&telegrams[1], &recovery);
    }
}

#[tokio::test]
async fn trouble_is_told_without_a_database_too() {
    let world = World { telegram: Hook::new([status(500)]), ..World::new() };
    let mail = format!("smtp://127.0.0.1:{}", world.mail.port);
    let notifier = notifier_at(&ALL, &world.webhook.address, &mail, &world.telegram.address);
    let tried = notifier.tell_now(&broken(), BROKEN.parse().unwrap()).await;
    let results: Vec<_> = tried.into_iter().map(|tried| (tried.channel, tried.result)).collect();
    assert_eq!(results, [("webhook", Ok(None)), ("email", Ok(None)), ("telegram", Err("HTTP 500".to_owned()))]);
    assert_eq!(world.webhook.posts()[0].json()["message"], texts().0);
    assert_eq!((world.mail.mails().len(), world.telegram.posts().len()), (1, 1));
    assert_eq!(notifier.tell_now(&repaired(), REPAIRED.parse().unwrap()).await, [], "well is no news");
}

fn webhook(post: &Post, id: &str, (event, subject, message): (&str, &str, &str), at: &str) {
    assert_eq!(post.path, "/services/very-secret-path");
    assert_eq!(post.header("content-type"), Some("application/json"));
    assert_eq!(post.header("idempotency-key"), Some(id));
    let text = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "@\u{200b}");
    let mut content = message.to_owned();
    for c in ["<", ">", "[", "]", "*", "_", "#"] {
        content = content.replace(c, &format!("\\{c}"));
    }
    let host = barkeep::store::host_name();
    let expected = json!({
        "id": id,
        "event": event,
        "source": "nightly",
        "subject": subject,
        "message": message,
        "at": at,
        "since": BROKEN,
        "host": host,
        "text": text,
        "content": content.replace('@', "@\u{200b}"),
        "allowed_mentions": { "parse": [] },
    });
    assert_eq!(post.json(), expected);
    let signature = post.header("x-barkeep-signature").unwrap();
    assert_eq!(signature, signed(b"Jefe", post.body.as_bytes()), "of the body as it came");
}

/// HMAC-SHA256 by its definition, so that nothing of the product is asked.
fn signed(key: &[u8], text: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let pad = |byte: u8| (0..64).map(|at| key.get(at).unwrap_or(&0) ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::digest([&pad(0x36)[..], text].concat());
    let outer = Sha256::digest([&pad(0x5c)[..], &inner[..]].concat());
    format!("sha256={}", outer.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn email(mail: &Mail, id: &str, (subject, message): (&str, &str), date: &str) {
    assert_eq!(
        (&mail.from[..], &mail.to[..]),
        ("barkeep@b.example", &["ops@c.example".into(), "ann@d.example".into()][..])
    );
    let is_ascii = message.is_ascii();
    let (head, body) = mail.text.split_once("\r\n\r\n").unwrap();
    let encoding = if is_ascii { "7bit" } else { "quoted-printable" };
    let expected = format!(
        "From: barkeep <barkeep@b.example>\r\n\
         Subject: {subject}\r\n\
         Date: {date}\r\n\
         Message-ID: <{id}@b.example>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Auto-Submitted: auto-generated\r\n\
         To: ops@c.example, \"Ann Other\" <ann@d.example>\r\n\
         Content-Transfer-Encoding: {encoding}"
    );
    assert_eq!(head, expected);
    let body = if is_ascii { body.to_owned() } else { unquoted(body) };
    assert_eq!(body.replace("\r\n", "\n").trim_end(), message);
}

/// Quoted-printable, undone.
fn unquoted(text: &str) -> String {
    let mut bytes = Vec::new();
    let text = text.replace("=\r\n", "");
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'=' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn telegram(post: &Post, message: &str) {
    assert_eq!(post.path, format!("/bot{TOKEN}/sendMessage"));
    let expected = json!({ "chat_id": "-1001234", "text": message, "link_preview_options": { "is_disabled": true } });
    assert_eq!(post.json(), expected, "as plain text: without a parse_mode nothing in it is markup");
}
