//! Servers that fail, each in its own way.

use std::time::{Duration, Instant};

use super::hook::{Post, Reply, status};
use super::mail::{AfterData, Encryption};
use super::*;
use crate::harness::{Ran, ran, signal, wait_until};

/// Tells trouble over a channel and sends it.
fn send(world: &World, channel: &str) -> Ran {
    assert!(world.tell(&broken(), BROKEN, &[channel]));
    ran(&mut world.command_of(channel, "notify --send"))
}

/// The same by a sender that does not wait long for an answer.
fn send_impatiently(world: &World, channel: &str) -> Ran {
    assert!(world.tell(&broken(), BROKEN, &[channel]));
    ran(world.command_of(channel, "notify --send").env("BARKEEP_PATIENCE_MS", "700"))
}

/// How the only message ended, after how many attempts, and why it failed last.
fn end(world: &World) -> (&'static str, u32, String) {
    let messages = world.messages();
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    (message.status.as_str(), message.attempts, message.error_message.clone().unwrap_or_default())
}

fn with_webhook(script: impl IntoIterator<Item = Reply>) -> World {
    World { webhook: Hook::new(script), ..World::new() }
}

fn with_telegram(script: impl IntoIterator<Item = Reply>) -> World {
    World { telegram: Hook::new(script), ..World::new() }
}

fn with_mail(behaviour: Behaviour) -> World {
    World { mail: MailServer::new(behaviour), ..World::new() }
}

/// All posts are the same, key and signature and all.
#[track_caller]
fn assert_repeated(posts: &[Post], times: usize) {
    assert_eq!(posts.len(), times, "{posts:#?}");
    assert!(posts.windows(2).all(|two| two[0] == two[1]), "{posts:#?}");
}

#[test]
fn a_webhook_that_fails_is_asked_again_with_the_same_key_and_body() {
    let too_many = Reply::Answer(429, "retry-after: 1\r\n", String::new());
    for (script, why) in [
        ([status(500), too_many], "webhook: HTTP 500\nwebhook: HTTP 429\n"),
        ([Reply::Die, Reply::Hang], "webhook: no answer from 127.0.0.1:"),
    ] {
        let world = with_webhook(script);
        let began = Instant::now();
        let ran = send_impatiently(&world, "webhook").ended(0);
        assert!(ran.err.starts_with(&format!("1 message sent\n{why}")), "{ran:?}");
        assert_repeated(&world.webhook.posts(), 3);
        assert_eq!(end(&world), ("sent", 3, String::new()));
        assert!(began.elapsed() > Duration::from_secs(1), "it waits as long as it is asked to");
    }
}

#[test]
fn a_webhook_that_refuses_is_not_asked_again() {
    for (reply, why) in [
        (Reply::Answer(410, "", "no_service of /services/very-secret-path\n".to_owned()), "HTTP 410: no_service of …"),
        (status(400), "HTTP 400"),
        (
            Reply::Answer(302, "location: http://127.0.0.1:9/login\r\n", String::new()),
            "HTTP 302: a redirect, which is not followed; set the address that it leads to",
        ),
    ] {
        let world = with_webhook([reply]);
        let ran = send(&world, "webhook").ended(3);
        assert!(ran.err.contains(&format!("webhook: {why}\n")), "{ran:?}");
        assert!(!ran.err.contains("very-secret"), "{ran:?}");
        assert_eq!(world.webhook.posts().len(), 1);
        assert_eq!(end(&world), ("dead", 1, why.to_owned()));
    }
}

/// The only message waits about an hour for its next attempt.
#[track_caller]
fn assert_waits_for_an_hour(world: &World) {
    let not_before = world.place.sql("SELECT CAST(not_before AS TEXT) FROM notification_outbox").concat();
    let not_before: i64 = not_before.parse().unwrap();
    let minutes = (not_before - jiff::Timestamp::now().as_millisecond()) / 60_000;
    assert!((55..=61).contains(&minutes), "{minutes} minutes");
}

#[test]
fn a_refusal_that_somebody_may_put_right_does_not_give_a_message_up() {
    for (number, channel) in
        [(401, "webhook"), (403, "webhook"), (404, "webhook"), (401, "telegram"), (403, "telegram")]
    {
        let world = match channel {
            "webhook" => with_webhook([status(number)]),
            _ => with_telegram([status(number)]),
        };
        let sent = send(&world, channel).ended(3);
        assert!(sent.err.contains(&format!("{channel}: HTTP {number}\n")), "{sent:?}");
        assert_eq!(end(&world), ("pending", 1, format!("HTTP {number}")));
        assert_waits_for_an_hour(&world);
        // Somebody puts it right, and an hour passes.
        world.place.sql("UPDATE notification_outbox SET not_before = 0");
        ran(&mut world.command_of(channel, "notify --send")).ended(0);
        assert_eq!(end(&world), ("sent", 2, String::new()));
    }
}

#[test]
fn a_server_that_asks_for_no_pause_does_not_use_up_a_message() {
    let now = || Reply::Answer(429, "retry-after: 0\r\n", String::new());
    let world = with_webhook(std::iter::repeat_with(now).take(50));
    assert!(world.tell(&broken(), BROKEN, &["webhook"]));
    let mut sender = world.command_of("webhook", "notify --send --quiet").spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    signal(&sender, "TERM");
    assert_eq!(sender.wait().unwrap().code(), Some(143));
    // Half a second at least, then one, then two.
    assert!(world.webhook.posts().len() <= 3, "{}", world.webhook.posts().len());
}

#[test]
fn a_message_waits_for_a_server_that_is_away() {
    let world = World::new();
    assert!(world.tell(&broken(), BROKEN, &ALL));
    // Nobody listens on the ports of servers that were there and are not.
    let mut away = world.command("notify --send");
    away.env("BARKEEP_WEBHOOK_URL", "http://127.0.0.1:9/x")
        .env("BARKEEP_SMTP_URL", "smtp://127.0.0.1:9")
        .env("BARKEEP_TELEGRAM_URL", "http://127.0.0.1:9");
    let mut away = away.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    wait_until("each channel to be tried", || {
        world.messages().iter().all(|message| message.attempts > 0 && message.error_message.is_some())
    });
    signal(&away, "TERM");
    assert_eq!(away.wait().unwrap().code(), Some(143));
    for message in world.messages() {
        assert_eq!(message.status.as_str(), "pending", "{message:?}");
        let why = message.error_message.unwrap();
        assert!(why.to_lowercase().contains("connection refused"), "{why}");
    }
    wait_until("their pauses to pass", || ran(&mut world.command("notify --send")).code == 0);
    let telegrams = world.telegram.posts();
    assert_eq!((world.webhook.posts().len(), world.mail.mails().len(), telegrams.len()), (1, 1, 1));
    assert!(telegrams[0].json()["text"].as_str().unwrap().starts_with("nightly has"), "it was certainly not there");
}

#[test]
fn telegram_says_how_long_to_wait() {
    let too_many = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 2","parameters":{"retry_after":2}}"#;
    let world = with_telegram([Reply::Answer(429, "", too_many.to_owned())]);
    let began = Instant::now();
    let ran = send(&world, "telegram").ended(0);
    assert!(began.elapsed() > Duration::from_secs(2));
    assert!(ran.err.contains("telegram: HTTP 429: Too Many Requests: retry after 2\n"), "{ran:?}");
    let posts = world.telegram.posts();
    assert_repeated(&posts, 2);
    assert!(posts[0].json()["text"].as_str().unwrap().starts_with("nightly has"), "a refusal leaves no doubt");
}

#[test]
fn a_telegram_that_may_be_there_already_says_so() {
    let world = with_telegram([Reply::Die, status(429)]);
    send(&world, "telegram").ended(0);
    let texts: Vec<String> =
        world.telegram.posts().iter().map(|post| post.json()["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts[0].starts_with("nightly has"), "{texts:?}");
    let mark = "(This may be a repetition: nobody knows whether it arrived the first time.)\n";
    for text in &texts[1..] {
        assert_eq!(*text, format!("{mark}{}", texts[0]), "a refusal takes no doubt away");
    }
}

#[test]
fn telegram_never_repeats_the_token() {
    let said = format!(r#"{{"ok":false,"error_code":404,"description":"Not Found: bot{TOKEN}"}}"#);
    let world = with_telegram([Reply::Answer(404, "", said)]);
    let ran = send(&world, "telegram").ended(3);
    assert_eq!(end(&world), ("pending", 1, "HTTP 404: Not Found: bot…".to_owned()));
    assert!(!format!("{ran:?}").contains("very-secret-token"), "{ran:?}");
    for url in ["http://127.0.0.1:9", "http://nowhere.invalid"] {
        let ran = ran_at(&World::new(), url);
        assert!(!format!("{ran:?}").contains("very-secret-token"), "{ran:?}");
    }
}

fn ran_at(world: &World, url: &str) -> Ran {
    ran(world.command_of("telegram", "notify --test").env("BARKEEP_TELEGRAM_URL", url)).ended(1)
}

#[test]
fn mail_goes_over_tls_from_the_first_byte_or_by_starttls() {
    for (tls, scheme, hello) in [
        (Encryption::Implicit, "smtps", &["EHLO", "AUTH"][..]),
        (Encryption::StartTls, "smtp+starttls", &["EHLO", "STARTTLS", "EHLO", "AUTH"]),
    ] {
        let world = with_mail(Behaviour { tls, login: Some("AHVzZXIAcEBzcw=="), ..Behaviour::default() });
        let authority = world.place.path("authority.pem");
        std::fs::write(&authority, &world.mail.authority).unwrap();
        let url = format!("{scheme}://user:p%40ss@127.0.0.1:{}", world.mail.port);
        let command = |password: &str| {
            let mut command = world.command_of("email", "notify --test");
            command.env("BARKEEP_SMTP_URL", url.replace("p%40ss", password)).env("SSL_CERT_FILE", &authority);
            command
        };
        ran(&mut command("p%40ss")).ended(0);
        assert_eq!(world.mail.mails().len(), 1);
        let said = world.mail.commands();
        assert!(said.starts_with(&hello.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()), "{said:?}");

        let wrong = ran(&mut command("hunter2")).ended(1);
        assert!(wrong.out.contains("535"), "{wrong:?}");
        assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
        let untrusted = ran(command("p%40ss").env_remove("SSL_CERT_FILE")).ended(1);
        assert!(untrusted.out.contains("certificate"), "{untrusted:?}");
        assert_eq!(world.mail.mails().len(), 1, "nothing goes to a server that nobody vouches for");
    }
}

#[test]
fn a_password_is_not_sent_in_the_clear() {
    let world = with_mail(Behaviour { tls: Encryption::None, login: Some("AHVzZXIAcEBzcw=="), ..Behaviour::default() });
    let url = format!("smtp+starttls://user:p%40ss@127.0.0.1:{}", world.mail.port);
    let ran = ran(world.command_of("email", "notify --test").env("BARKEEP_SMTP_URL", url)).ended(1);
    assert!(ran.out.contains("STARTTLS is not supported"), "{ran:?}");
    assert!(!world.mail.commands().iter().any(|command| command == "AUTH"), "{:?}", world.mail.commands());
}

#[test]
fn a_login_that_is_refused_does_not_give_mail_up() {
    let world = with_mail(Behaviour { login: Some("AHVzZXIAcEBzcw=="), ..Behaviour::default() });
    assert!(world.tell(&broken(), BROKEN, &["email"]));
    let url = format!("smtp://user:hunter2@127.0.0.1:{}", world.mail.port);
    ran(world.command_of("email", "notify --send").env("BARKEEP_SMTP_URL", url)).ended(3);
    let (status, attempts, why) = end(&world);
    assert!((status, attempts) == ("pending", 1) && why.contains("535"), "{status} {attempts} {why}");
    assert_waits_for_an_hour(&world);
}

#[test]
fn mail_that_fails_is_sent_again_as_the_same_mail() {
    use AfterData::{Die, Hang, Say};
    for (after_data, why) in [(vec![Say("451 later"), Die], "451"), (vec![Hang], "no answer from 127.0.0.1:")] {
        let failures = after_data.len();
        let world = with_mail(Behaviour { after_data, ..Behaviour::default() });
        let ran = send_impatiently(&world, "email").ended(0);
        assert!(ran.err.contains(why), "{ran:?}");
        let mails = world.mail.mails();
        assert_eq!(mails.len(), failures + 1);
        assert!(mails.windows(2).all(|two| two[0] == two[1]), "{mails:#?}");
        assert_eq!(end(&world), ("sent", failures as u32 + 1, String::new()));
    }
}

#[test]
fn a_recipient_that_is_refused_does_not_keep_mail_from_the_others() {
    let world = with_mail(Behaviour { unknown: &["ops@c.example"], ..Behaviour::default() });
    send(&world, "email").ended(0);
    assert_eq!(world.mail.mails()[0].to, ["ann@d.example"]);
    let (status, attempts, but) = end(&world);
    assert_eq!((status, attempts), ("sent", 1));
    assert!(but.starts_with("refused: ops@c.example: ") && but.contains("no such user"), "{but}");

    let world = with_mail(Behaviour { unknown: &["ops@c.example", "ann@d.example"], ..Behaviour::default() });
    send(&world, "email").ended(3);
    let (status, attempts, why) = end(&world);
    assert_eq!((status, attempts), ("dead", 1));
    assert!(why.contains("ann@d.example") && world.mail.mails().is_empty(), "{why}");
}

#[test]
fn mail_that_is_refused_is_given_up() {
    let world = with_mail(Behaviour { after_data: vec![AfterData::Say("554 spam")], ..Behaviour::default() });
    send(&world, "email").ended(3);
    let (status, attempts, why) = end(&world);
    assert!((status, attempts) == ("dead", 1) && why.contains("spam"), "{why}");
}

#[test]
fn one_channel_does_not_wait_for_another() {
    let world = with_webhook(std::iter::repeat_n(Reply::Hang, 50));
    assert!(world.tell(&broken(), BROKEN, &ALL));
    assert!(world.tell(&repaired(), REPAIRED, &ALL));
    let mut sender = world.command("notify --send --quiet").env("BARKEEP_PATIENCE_MS", "700").spawn().unwrap();
    wait_until("the other channels to be served", || {
        world.mail.mails().len() == 2 && world.telegram.posts().len() == 2
    });
    signal(&sender, "TERM");
    let began = Instant::now();
    assert_eq!(sender.wait().unwrap().code(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let ids: std::collections::BTreeSet<String> =
        world.webhook.posts().iter().map(|post| post.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1, "the recovery does not overtake its failure");
}

#[test]
fn senders_at_once_send_each_message_once() {
    for world in World::on_both() {
        let mut now = [broken(), repaired()].into_iter().cycle();
        for day in 10..16 {
            assert!(world.tell(&now.next().unwrap(), &format!("2026-10-{day}T15:30:00Z"), &ALL));
        }
        let senders: Vec<_> = (0..3).map(|_| world.command("notify --send --quiet").spawn().unwrap()).collect();
        for mut sender in senders {
            sender.wait().unwrap();
        }
        ran(&mut world.command("notify --send")).ended(0);
        for posts in [world.webhook.posts(), world.telegram.posts()] {
            assert_eq!(posts.len(), 6);
            let firsts: Vec<bool> = posts.iter().map(|post| post.body.contains("has a problem")).collect();
            assert!(firsts.iter().enumerate().all(|(at, failure)| *failure == (at % 2 == 0)), "in order: {firsts:?}");
        }
        assert_eq!(world.mail.mails().len(), 6);
    }
}
