//! Whom to tell when something fails, and how.

use std::time::Duration;

use super::resolve::{from_file, variable};
use super::{ConfigError, Inputs, Origin, Secret, Sourced, env};

const DEFAULT_TELEGRAM_URL: &str = "https://api.telegram.org";

/// The channels of messages to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySettings {
    /// A webhook.
    pub webhook: Option<WebhookSettings>,
    /// E-mail.
    pub email: Option<EmailSettings>,
    /// Telegram.
    pub telegram: Option<TelegramSettings>,
    /// Longest time for sending one message.
    pub patience: Duration,
    /// How long a message stays claimed by a process that has died while it sent it. Longer than `patience`.
    pub lease: Duration,
}

/// An address that takes messages as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The address: a secret, as such addresses carry tokens.
    pub url: Sourced<Secret>,
    /// What messages are signed with.
    pub secret: Option<Sourced<Secret>>,
}

/// A mail server and who writes to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailSettings {
    /// The server, with user and password.
    pub smtp_url: Sourced<Secret>,
    /// The sender.
    pub from: Sourced<String>,
    /// The recipients, with commas between.
    pub to: Sourced<String>,
}

/// A Telegram bot and the chat it writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelegramSettings {
    /// The bot's token.
    pub token: Sourced<Secret>,
    /// The chat.
    pub chat: Sourced<String>,
    /// Address of the API.
    pub url: Sourced<String>,
}

/// Settles the channels. One of which only a part is set is an error.
pub(super) fn notify(inputs: &Inputs, patience: Duration, lease: Duration) -> Result<NotifySettings, ConfigError> {
    Ok(NotifySettings {
        webhook: webhook(inputs)?,
        email: email(inputs)?,
        telegram: telegram(inputs)?,
        patience,
        lease,
    })
}

fn webhook(inputs: &Inputs) -> Result<Option<WebhookSettings>, ConfigError> {
    let secret = variable(inputs, env::BARKEEP_WEBHOOK_SECRET);
    let Some(url) = variable(inputs, env::BARKEEP_WEBHOOK_URL) else {
        return match secret {
            Some(secret) => Err(half((env::BARKEEP_WEBHOOK_SECRET, secret.origin), &[env::BARKEEP_WEBHOOK_URL])),
            None => Ok(None),
        };
    };
    Ok(Some(WebhookSettings { url: url.map(Secret::new), secret: secret.map(|secret| secret.map(Secret::new)) }))
}

fn email(inputs: &Inputs) -> Result<Option<EmailSettings>, ConfigError> {
    let from = variable(inputs, env::BARKEEP_EMAIL_FROM)
        .or_else(|| from_file(inputs, "notify.email_from", |file| file.notify.email_from.clone()));
    let to = variable(inputs, env::BARKEEP_EMAIL_TO)
        .or_else(|| from_file(inputs, "notify.email_to", |file| file.notify.email_to.clone()));
    let parts = [
        (env::BARKEEP_SMTP_URL, variable(inputs, env::BARKEEP_SMTP_URL)),
        (env::BARKEEP_EMAIL_FROM, from),
        (env::BARKEEP_EMAIL_TO, to),
    ];
    let parts = all_or_none(parts)?;
    Ok(parts.map(|[smtp_url, from, to]| EmailSettings { smtp_url: smtp_url.map(Secret::new), from, to }))
}

fn telegram(inputs: &Inputs) -> Result<Option<TelegramSettings>, ConfigError> {
    let chat = variable(inputs, env::BARKEEP_TELEGRAM_CHAT)
        .or_else(|| from_file(inputs, "notify.telegram_chat", |file| file.notify.telegram_chat.clone()));
    let parts = [
        (env::BARKEEP_TELEGRAM_TOKEN, variable(inputs, env::BARKEEP_TELEGRAM_TOKEN)),
        (env::BARKEEP_TELEGRAM_CHAT, chat),
    ];
    let Some([token, chat]) = all_or_none(parts)? else { return Ok(None) };
    let url = variable(inputs, env::BARKEEP_TELEGRAM_URL)
        .or_else(|| from_file(inputs, "notify.telegram_url", |file| file.notify.telegram_url.clone()))
        .unwrap_or_else(|| Sourced::new(DEFAULT_TELEGRAM_URL.to_owned(), Origin::Default));
    Ok(Some(TelegramSettings { token: token.map(Secret::new), chat, url }))
}

/// All parts of a channel, or nothing if none is set.
fn all_or_none<const N: usize>(
    parts: [(&'static str, Option<Sourced<String>>); N],
) -> Result<Option<[Sourced<String>; N]>, ConfigError> {
    let first = parts.iter().find_map(|(name, part)| Some((*name, part.as_ref()?.origin.clone())));
    let Some(present) = first else { return Ok(None) };
    let absent: Vec<_> = parts.iter().filter(|(_, part)| part.is_none()).map(|(name, _)| *name).collect();
    if !absent.is_empty() {
        return Err(half(present, &absent));
    }
    let parts = parts.map(|(_, part)| part.expect("Invariant: no part is missing"));
    Ok(Some(parts))
}

fn half((present, origin): (&'static str, Origin), absent: &[&'static str]) -> ConfigError {
    ConfigError::HalfAChannel { present, origin, absent: absent.join(" and ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileSettings, Flags, NotifyFileSettings, SettingsFile, Variables};

    const MINUTE: Duration = Duration::from_mins(1);

    fn inputs() -> Inputs {
        Inputs {
            flags: Flags::default(),
            environment: Variables::default(),
            dotenv: Variables::default(),
            dotenv_file: None,
            file: None,
            overrides_beside: None,
            directories: None,
            cores: 1,
            clock: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn settled(environment: &[(&'static str, &str)]) -> Result<NotifySettings, String> {
        let inputs = Inputs { environment: Variables::of(environment.iter().copied()), ..inputs() };
        notify(&inputs, MINUTE, MINUTE).map_err(|error| error.to_string())
    }

    #[test]
    fn a_channel_is_there_when_all_of_it_is_set() {
        let none = settled(&[]).unwrap();
        assert_eq!((none.webhook, none.email, none.telegram), (None, None, None));
        let all = [
            (env::BARKEEP_WEBHOOK_URL, "https://hooks.example/x"),
            (env::BARKEEP_SMTP_URL, "smtps://u:p@mail.example"),
            (env::BARKEEP_EMAIL_FROM, "a@b.example"),
            (env::BARKEEP_EMAIL_TO, "c@d.example,e@f.example"),
            (env::BARKEEP_TELEGRAM_TOKEN, "1:x"),
            (env::BARKEEP_TELEGRAM_CHAT, "-100"),
        ];
        let settings = settled(&all).unwrap();
        assert_eq!(settings.webhook.unwrap().secret, None);
        assert_eq!(settings.email.unwrap().to.value, "c@d.example,e@f.example");
        let telegram = settings.telegram.unwrap();
        assert_eq!((telegram.url.value.as_str(), telegram.url.origin), ("https://api.telegram.org", Origin::Default));
    }

    #[test]
    fn half_a_channel_is_an_error_that_names_what_is_missing() {
        for (set, error) in [
            (
                &[(env::BARKEEP_WEBHOOK_SECRET, "hunter2")][..],
                "BARKEEP_WEBHOOK_SECRET is set (environment BARKEEP_WEBHOOK_SECRET), but not BARKEEP_WEBHOOK_URL: \
                 set all of them, or none",
            ),
            (
                &[(env::BARKEEP_EMAIL_TO, "a@b.example")],
                "BARKEEP_EMAIL_TO is set (environment BARKEEP_EMAIL_TO), but not BARKEEP_SMTP_URL and \
                 BARKEEP_EMAIL_FROM: set all of them, or none",
            ),
            (
                &[(env::BARKEEP_TELEGRAM_TOKEN, "1:hunter2")],
                "BARKEEP_TELEGRAM_TOKEN is set (environment BARKEEP_TELEGRAM_TOKEN), but not BARKEEP_TELEGRAM_CHAT: \
                 set all of them, or none",
            ),
        ] {
            assert_eq!(settled(set).unwrap_err(), error);
        }
    }

    #[test]
    fn what_is_no_secret_may_stand_in_the_settings_file() {
        let channels = NotifyFileSettings {
            email_from: Some("a@b.example".to_owned()),
            email_to: Some("c@d.example".to_owned()),
            telegram_chat: Some("@alerts".to_owned()),
            telegram_url: Some("http://localhost:1".to_owned()),
        };
        let settings = FileSettings { notify: channels, ..FileSettings::default() };
        let environment = [
            (env::BARKEEP_SMTP_URL, "smtp://localhost"),
            (env::BARKEEP_TELEGRAM_TOKEN, "1:x"),
            (env::BARKEEP_EMAIL_TO, "e@f.example"),
        ];
        let inputs = Inputs {
            environment: Variables::of(environment),
            file: Some(SettingsFile { path: "c.toml".into(), settings }),
            ..inputs()
        };
        let settings = notify(&inputs, MINUTE, MINUTE).unwrap();
        let email = settings.email.unwrap();
        assert_eq!((&email.from.value[..], &email.to.value[..]), ("a@b.example", "e@f.example"));
        assert_eq!(email.from.origin.to_string(), "notify.email_from in c.toml");
        let telegram = settings.telegram.unwrap();
        assert_eq!((&telegram.chat.value[..], &telegram.url.value[..]), ("@alerts", "http://localhost:1"));
    }
}
