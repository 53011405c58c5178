//! Messages to people, sent by the real program to servers that speak the real protocols.
#![cfg(feature = "sandbox")]
#![allow(clippy::print_stdout, reason = "prints the messages when asked to")]

#[path = "../harness/mod.rs"]
mod harness;

mod command;
mod faults;
mod hook;
mod kills;
mod mail;
mod received;

use std::process::Command;
use std::time::Duration;

use barkeep::config::{EmailSettings, NotifySettings, Origin, Secret, Sourced, TelegramSettings, WebhookSettings};
use barkeep::model::Problem;
use barkeep::notify::{Notifier, Situation};
use barkeep::store::postgres::PostgresStore;
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{AnyStore, Outbox, OutboxMessage};
use harness::{Place, Schema};

use self::hook::Hook;
use self::mail::{Behaviour, MailServer};

const TOKEN: &str = "12345:very-secret-token";

/// When trouble begins, and when it is over.
const BROKEN: &str = "2026-10-06T15:30:00Z";
const REPAIRED: &str = "2026-10-07T16:45:00Z";

/// A receiver per channel, and a user's machine.
struct World {
    place: Place,
    webhook: Hook,
    mail: MailServer,
    telegram: Hook,
}

impl World {
    fn new() -> Self {
        Self::of(Place::new())
    }

    fn of(place: Place) -> Self {
        Self { place, webhook: Hook::new([]), mail: MailServer::new(Behaviour::default()), telegram: Hook::new([]) }
    }

    /// One on each kind of database that there is.
    fn on_both() -> Vec<Self> {
        let places = [Some(Place::new()), Schema::new().map(Place::on)];
        places.into_iter().flatten().map(Self::of).collect()
    }

    /// A command that knows all channels.
    fn command(&self, line: &str) -> Command {
        let mut command = self.place.command(&line.split_whitespace().collect::<Vec<_>>());
        command
            .env("BARKEEP_WEBHOOK_URL", format!("{}/services/very-secret-path", self.webhook.address))
            .env("BARKEEP_WEBHOOK_SECRET", "Jefe")
            .env("BARKEEP_SMTP_URL", format!("smtp://127.0.0.1:{}", self.mail.port))
            .env("BARKEEP_EMAIL_FROM", "barkeep <barkeep@b.example>")
            .env("BARKEEP_EMAIL_TO", "ops@c.example, Ann Other <ann@d.example>")
            .env("BARKEEP_TELEGRAM_TOKEN", TOKEN)
            .env("BARKEEP_TELEGRAM_CHAT", "-1001234")
            .env("BARKEEP_TELEGRAM_URL", &self.telegram.address);
        command
    }

    /// The same with one channel only.
    fn command_of(&self, channel: &str, line: &str) -> Command {
        let mut command = self.command(line);
        for (other, variables) in [
            ("webhook", &["WEBHOOK_URL", "WEBHOOK_SECRET"][..]),
            ("email", &["SMTP_URL", "EMAIL_FROM", "EMAIL_TO"]),
            ("telegram", &["TELEGRAM_TOKEN", "TELEGRAM_CHAT", "TELEGRAM_URL"]),
        ] {
            for variable in variables.iter().filter(|_| other != channel) {
                command.env_remove(format!("BARKEEP_{variable}"));
            }
        }
        command
    }

    /// What a command that runs by itself does with how it went; says whether there is something to tell.
    fn tell(&self, now: &Situation, at: &str, channels: &[&str]) -> bool {
        self.with_store(async |store| notifier(channels).situation(store, now, at.parse().unwrap()).await.unwrap())
    }

    fn messages(&self) -> Vec<OutboxMessage> {
        self.with_store(async |store| store.messages(100).await.unwrap())
    }

    fn with_store<T>(&self, work: impl AsyncFnOnce(&mut AnyStore) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut store = match self.place.schema() {
                Some(schema) => {
                    let address = schema.url().parse().unwrap();
                    AnyStore::Postgres(Box::new(PostgresStore::open(&address).await.unwrap()))
                }
                None => AnyStore::Sqlite(Box::new(SqliteStore::open(&self.place.database()).await.unwrap())),
            };
            let done = work(&mut store).await;
            store.close().await.unwrap();
            done
        })
    }
}

/// Some of the channels, with addresses that are not used: it only writes messages.
fn notifier(channels: &[&str]) -> Notifier {
    let unused = "http://127.0.0.1:9";
    notifier_at(channels, unused, "smtp://127.0.0.1:9", unused)
}

fn notifier_at(channels: &[&str], webhook: &str, mail: &str, telegram: &str) -> Notifier {
    let of = |value: &str| Sourced::new(value.to_owned(), Origin::Default);
    let secret = |value: &str| Sourced::new(Secret::new(value), Origin::Default);
    let has = |channel: &str| channels.contains(&channel);
    let webhook = WebhookSettings { url: secret(webhook), secret: None };
    let email = EmailSettings { smtp_url: secret(mail), from: of("barkeep@b.example"), to: of("ops@c.example") };
    let telegram = TelegramSettings { token: secret("1:x"), chat: of("1"), url: of(telegram) };
    let settings = NotifySettings {
        webhook: has("webhook").then_some(webhook),
        email: has("email").then_some(email),
        telegram: has("telegram").then_some(telegram),
        patience: Duration::from_secs(10),
        lease: Duration::from_mins(1),
    };
    Notifier::new(&settings).unwrap()
}

const ALL: [&str; 3] = ["webhook", "email", "telegram"];

/// Trouble that quotes what others wrote.
fn broken() -> Situation {
    let problem = Problem {
        essence: vec!["no_file".to_owned()],
        headline: "no file of stocks for 2026-10-05".to_owned(),
        details: vec![
            "The vendor says: \"<b>Größe & co</b>\"\r\nBcc: everyone@d.example".to_owned(),
            "Asked until 11:30 New York; watched symbols came from the REST API.".to_owned(),
        ],
    };
    Situation { source: "nightly".to_owned(), problem: Some(problem), summary: "1 of 10 days missing".to_owned() }
}

fn repaired() -> Situation {
    Situation { source: "nightly".to_owned(), problem: None, summary: "10 of 10 days are there".to_owned() }
}

fn host() -> String {
    barkeep::store::host_name().map_or_else(String::new, |host| format!(" on {host}"))
}
