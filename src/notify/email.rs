//! E-mail, handed to a mail server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Mailboxes};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

use super::attempt::Attempt;
use super::text::line;
use crate::config::{ConfigError, EmailSettings, Sourced};
use crate::net::chain;
use crate::store::NewMessage;

/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// A mail server that takes our messages.
pub(super) struct Email {
    server: Server,
    from: Mailbox,
    to: Vec<Mailbox>,
    hello: ClientId,
    patience: Duration,
}

/// How a server is spoken to.
struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    /// Not repeated, should the server do it.
    password: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// From the first byte.
    Implicit,
    /// Asked for, and insisted on.
    StartTls,
    /// Not at all.
    None,
}

/// Says that no person wrote it, so that no machine answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Email {
    pub(super) fn new(settings: &EmailSettings, host: Option<&str>, patience: Duration) -> Result<Self, ConfigError> {
        let bad = |setting: &Sourced<String>, problem: &str| ConfigError::Value {
            origin: setting.origin.clone(),
            problem: format!("`{}` {problem}", line(&setting.value)),
        };
        let server = Server::parse(settings.smtp_url.value.expose())
            .map_err(|problem| ConfigError::Value { origin: settings.smtp_url.origin.clone(), problem })?;
        let is_plain = |mailbox: &Mailbox| AsRef::<str>::as_ref(&mailbox.email).is_ascii();
        let from = settings.from.value.parse().ok().filter(is_plain);
        let to: Option<Mailboxes> = settings.to.value.parse().ok();
        let to = to.map(|to| to.into_iter().collect::<Vec<_>>()).filter(|to| !to.is_empty() && to.iter().all(is_plain));
        // A machine's name that is no domain is refused by some servers; then this says nothing but that.
        let is_domain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        let hello = host.filter(is_domain).map_or_else(ClientId::default, |host| ClientId::Domain(host.to_owned()));
        Ok(Self {
            server,
            from: from.ok_or_else(|| bad(&settings.from, "is not an e-mail address"))?,
            to: to.ok_or_else(|| bad(&settings.to, "is not a list of e-mail addresses with commas between"))?,
            hello,
            patience,
        })
    }

    pub(super) fn destination(&self) -> String {
        let to: Vec<String> = self.to.iter().map(|mailbox| mailbox.email.to_string()).collect();
        format!("{} by {}", to.join(", "), self.server.name())
    }

    /// Hands a message over. It has the same `Message-ID` each time.
    pub(super) async fn send(&self, message: &NewMessage) -> Attempt {
        let text = match self.text(message) {
            Ok(text) => text,
            Err(error) => return Attempt::Refused { why: format!("it cannot be written as mail: {}", chain(&error)) },
        };
        let may_have_arrived = AtomicBool::new(false);
        let server = self.server.name();
        if let Ok(attempt) = timeout(self.patience, self.converse(&text, &may_have_arrived)).await {
            return attempt;
        }
        let why = format!("no answer from {server} in {} s", self.patience.as_secs_f64());
        Attempt::Failed { why, wait: None, may_have_arrived: may_have_arrived.load(Ordering::Relaxed) }
    }

    /// The message with its headers.
    fn text(&self, message: &NewMessage) -> Result<Vec<u8>, lettre::error::Error> {
        let made_at = SystemTime::UNIX_EPOCH
            + Duration::from_millis(u64::try_from(message.created_at.as_millisecond()).unwrap_or_default());
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .subject(line(&message.subject))
            .date(made_at)
            .message_id(Some(format!("<{}@{}>", message.dedup_key, self.from.email.domain())))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .header(AutoSubmitted);
        for mailbox in &self.to {
            mail = mail.to(mailbox.clone());
        }
        Ok(mail.body(message.body.clone())?.formatted())
    }

    /// The whole conversation. Recipients that are refused do not keep it from the others.
    async fn converse(&self, text: &[u8], may_have_arrived: &AtomicBool) -> Attempt {
        let mut connection = match self.server.connect(&self.hello).await {
            Ok(connection) => connection,
            Err(why) => return Attempt::unsent(why),
        };
        let failed = |error: &Error| self.server.failed(error);
        if let Some(credentials) = &self.server.credentials
            && let Err(error) = connection.auth(DEFAULT_MECHANISMS, credentials).await
        {
            let why = self.server.words(&error);
            return if error.is_permanent() { Attempt::barred(why) } else { Attempt::unsent(why) };
        }
        if let Err(error) = connection.command(Mail::new(Some(self.from.email.clone()), Vec::new())).await {
            return failed(&error);
        }
        let mut refused = Vec::new();
        for mailbox in &self.to {
            match connection.command(Rcpt::new(mailbox.email.clone(), Vec::new())).await {
                Ok(_) => {}
                Err(error) if error.is_permanent() => {
                    refused.push(format!("{}: {}", mailbox.email, self.server.words(&error)));
                }
                Err(error) => return failed(&error),
            }
        }
        let refused = (!refused.is_empty()).then(|| (refused.len(), format!("refused: {}", refused.join("; "))));
        if let Some((count, why)) = &refused
            && *count == self.to.len()
        {
            return Attempt::Refused { why: why.clone() };
        }
        if let Err(error) = connection.command(Data).await {
            return failed(&error);
        }
        may_have_arrived.store(true, Ordering::Relaxed);
        match connection.message(text).await {
            Ok(_) => {
                // It has it; that must be written down before anything else.
                tokio::spawn(async move { timeout(FAREWELL, connection.quit()).await });
                Attempt::Taken { but: refused.map(|(_, why)| why) }
            }
            Err(error) if error.status().is_some() => failed(&error),
            Err(error) => Attempt::unknown(self.server.words(&error)),
        }
    }
}

impl Server {
    /// Reads an address. It is never repeated in the problem: it may hold a password.
    fn parse(address: &str) -> Result<Self, String> {
        let usual = "is not the address of a mail server: it looks like smtps://user:password@mail.example:465 or \
                     smtp+starttls://user:password@mail.example:587 (write @ : / # % in a password as %40 %3A %2F %23 %25)";
        let url = Url::parse(address.trim()).map_err(|_| usual.to_owned())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(usual)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let (encryption, port) = match url.scheme() {
            "smtps" => (Encryption::Implicit, 465),
            "smtp+starttls" => (Encryption::StartTls, 587),
            "smtp" if matches!(&host[..], "localhost" | "127.0.0.1" | "::1") => (Encryption::None, 25),
            "smtp" => {
                return Err(
                    "says smtp:// of another machine: write smtps:// or smtp+starttls://, or smtp+plain:// if all \
                            may read the messages on their way"
                        .to_owned(),
                );
            }
            "smtp+plain" => (Encryption::None, 25),
            _ => return Err(usual.to_owned()),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(usual.to_owned());
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| usual);
        let credentials = match (url.username(), url.password()) {
            ("", _) => None,
            (_, None) => return Err("names a user without a password: smtps://user:password@mail.example".to_owned()),
            (user, Some(password)) => Some((decoded(user)?, decoded(password)?)),
        };
        if url.scheme() == "smtp+plain" && credentials.is_some() {
            return Err("would send the password for all to read: use smtps:// or smtp+starttls://".to_owned());
        }
        let password = credentials.as_ref().map(|(_, password)| password.clone());
        let credentials = credentials.map(|(user, password)| Credentials::new(user, password));
        Ok(Self { host, port: url.port().unwrap_or(port), encryption, credentials, password })
    }

    fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    async fn connect(&self, hello: &ClientId) -> Result<AsyncSmtpConnection, String> {
        let tls = match self.encryption {
            Encryption::None => None,
            Encryption::Implicit | Encryption::StartTls => {
                let parameters = TlsParameters::new(self.host.clone());
                Some(parameters.map_err(|error| format!("no TLS for {}: {}", self.name(), self.words(&error)))?)
            }
        };
        let (at_once, later) = if self.encryption == Encryption::Implicit { (tls, None) } else { (None, tls) };
        let address = (self.host.as_str(), self.port);
        let no_connection = |error: Error| format!("no connection to {}: {}", self.name(), self.words(&error));
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, None, hello, at_once, None).await.map_err(no_connection)?;
        if let Some(tls) = later {
            connection.starttls(tls, hello).await.map_err(no_connection)?;
        }
        Ok(connection)
    }

    /// What an error means that comes before or instead of the message.
    fn failed(&self, error: &Error) -> Attempt {
        let why = self.words(error);
        if error.is_permanent() { Attempt::Refused { why } } else { Attempt::unsent(why) }
    }

    /// An error in words, without the password.
    fn words(&self, error: &Error) -> String {
        let words = chain(error);
        self.password.as_ref().map_or_else(|| words.clone(), |password| words.replace(password, "…"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> Result<(String, u16, Encryption, Option<String>), String> {
        let Server { host, port, encryption, password, .. } = Server::parse(address)?;
        Ok((host, port, encryption, password))
    }

    #[test]
    fn addresses_say_how_a_server_is_spoken_to() {
        let host = || "mail.example".to_owned();
        let password = |text: &str| Some(text.to_owned());
        for (address, expected) in [
            ("smtps://u:p%40ss@mail.example", (host(), 465, Encryption::Implicit, password("p@ss"))),
            ("smtps://a%40b.example:x@mail.example:4465/", (host(), 4465, Encryption::Implicit, password("x"))),
            ("smtp+starttls://u:p@mail.example", (host(), 587, Encryption::StartTls, password("p"))),
            ("smtp+plain://mail.example:1025", (host(), 1025, Encryption::None, None)),
            ("smtp://localhost", ("localhost".to_owned(), 25, Encryption::None, None)),
            ("smtp://u:p@127.0.0.1:2525", ("127.0.0.1".to_owned(), 2525, Encryption::None, password("p"))),
            ("smtp://[::1]:2525", ("::1".to_owned(), 2525, Encryption::None, None)),
        ] {
            assert_eq!(parsed(address), Ok(expected), "{address}");
        }
    }

    #[test]
    fn addresses_that_make_no_sense_are_refused_and_not_repeated() {
        for (address, problem) in [
            ("hunter2", "is not the address"),
            ("https://u:hunter2@mail.example", "is not the address"),
            ("smtps://u:hunter2@", "is not the address"),
            ("smtps://u:hunter2@mail.example/x", "is not the address"),
            ("smtps://hunter2@mail.example", "names a user without a password"),
            ("smtp://u:hunter2@mail.example", "says smtp:// of another machine"),
            ("smtp+plain://u:hunter2@mail.example", "would send the password"),
        ] {
            let found = parsed(address).unwrap_err();
            assert!(found.starts_with(problem) && !found.contains("hunter2"), "{address}: {found}");
        }
    }
}
