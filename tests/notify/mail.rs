//! A mail server, with TLS from the first byte, by STARTTLS, or without.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// When the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    Implicit,
    StartTls,
    None,
}

/// What it does once it has a whole message.
#[derive(Debug, Clone, Copy)]
pub enum AfterData {
    /// Answers with a line.
    Say(&'static str),
    /// Says nothing, and keeps the connection open.
    Hang,
    /// Ends the connection without an answer.
    Die,
}

/// A message as it was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, dots undone.
    pub text: String,
}

impl Mail {
    pub fn header(&self, name: &str) -> Option<&str> {
        let (head, _) = self.text.split_once("\r\n\r\n")?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// How it behaves.
#[derive(Clone)]
pub struct Behaviour {
    pub tls: Encryption,
    /// What `AUTH PLAIN` must bring, if it asks for it.
    pub login: Option<&'static str>,
    /// Recipients that it has not.
    pub unknown: &'static [&'static str],
    pub after_data: Vec<AfterData>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { tls: Encryption::None, login: None, unknown: &[], after_data: Vec::new() }
    }
}

/// The server, on threads that end with the test program.
pub struct MailServer {
    pub port: u16,
    /// The certificate of the authority that signed its own, as PEM.
    pub authority: String,
    mails: Arc<Mutex<Vec<Mail>>>,
    commands: Arc<Mutex<Vec<String>>>,
}

struct Session {
    behaviour: Behaviour,
    tls: Arc<ServerConfig>,
    after_data: Arc<Mutex<VecDeque<AfterData>>>,
    mails: Arc<Mutex<Vec<Mail>>>,
    commands: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub fn new(behaviour: Behaviour) -> Self {
        let (tls, authority) = certified();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mails, commands) = (Arc::<Mutex<Vec<Mail>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let session = Arc::new(Session {
            after_data: Arc::new(Mutex::new(behaviour.after_data.iter().copied().collect())),
            behaviour,
            tls,
            mails: Arc::clone(&mails),
            commands: Arc::clone(&commands),
        });
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let session = Arc::clone(&session);
                // Who breaks off has had enough.
                std::thread::spawn(move || session.serve(connection.unwrap()).unwrap_or_default());
            }
        });
        Self { port, authority, mails, commands }
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// The first words of what was said to it.
    pub fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }
}

/// Where one talks: in the clear, or not.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    fn encrypted(self, tls: &Arc<ServerConfig>) -> Self {
        let Self::Plain(stream) = self else { panic!("it is encrypted already") };
        Self::Tls(Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(tls)).unwrap(), stream)))
    }

    fn say(&mut self, line: &str) -> std::io::Result<()> {
        let line = format!("{line}\r\n");
        match self {
            Self::Plain(stream) => stream.write_all(line.as_bytes()),
            Self::Tls(stream) => stream.write_all(line.as_bytes()).and_then(|()| stream.flush()),
        }
    }

    /// A line without its end; byte by byte, as what follows may be encrypted.
    fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            match self {
                Self::Plain(stream) => stream.read_exact(&mut byte)?,
                Self::Tls(stream) => stream.read_exact(&mut byte)?,
            }
            line.push(byte[0]);
        }
        Ok(String::from_utf8(line).unwrap().trim_end_matches("\r\n").to_owned())
    }
}

impl Session {
    fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        let Behaviour { tls, login, unknown, .. } = self.behaviour;
        let mut wire = Wire::Plain(connection);
        let mut is_encrypted = tls == Encryption::Implicit;
        if is_encrypted {
            wire = wire.encrypted(&self.tls);
        }
        wire.say("220 mail.example ready")?;
        let mut mail = Mail { from: String::new(), to: Vec::new(), text: String::new() };
        let address = |line: &str| line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        loop {
            let line = wire.line()?;
            let word = line.split([' ', ':']).next().unwrap_or_default().to_owned();
            self.commands.lock().unwrap().push(word.clone());
            match &word[..] {
                "EHLO" => {
                    wire.say("250-mail.example")?;
                    if tls == Encryption::StartTls && !is_encrypted {
                        wire.say("250-STARTTLS")?;
                    }
                    if login.is_some() {
                        wire.say("250-AUTH PLAIN")?;
                    }
                    wire.say("250 8BITMIME")?;
                }
                "STARTTLS" => {
                    wire.say("220 go ahead")?;
                    wire = wire.encrypted(&self.tls);
                    is_encrypted = true;
                }
                "AUTH" if login.is_some_and(|login| line == format!("AUTH PLAIN {login}")) => {
                    wire.say("235 welcome")?;
                }
                "AUTH" => wire.say(&format!("535 who are you? You said {line}"))?,
                "MAIL" => {
                    mail.from = address(&line);
                    wire.say("250 yes")?;
                }
                "RCPT" if unknown.contains(&&address(&line)[..]) => wire.say("550 no such user")?,
                "RCPT" => {
                    mail.to.push(address(&line));
                    wire.say("250 yes")?;
                }
                "DATA" => {
                    wire.say("354 go on")?;
                    loop {
                        let line = wire.line()?;
                        if line == "." {
                            break;
                        }
                        mail.text.push_str(line.strip_prefix('.').unwrap_or(&line));
                        mail.text.push_str("\r\n");
                    }
                    self.mails.lock().unwrap().push(mail.clone());
                    let after = self.after_data.lock().unwrap().pop_front();
                    match after.unwrap_or(AfterData::Say("250 taken")) {
                        AfterData::Say(line) => wire.say(line)?,
                        AfterData::Hang => wire.line().map(drop)?,
                        AfterData::Die => return Ok(()),
                    }
                }
                "QUIT" => return wire.say("221 farewell"),
                _ => wire.say("502 what?")?,
            }
        }
    }
}

/// A certificate for 127.0.0.1 by an authority nobody knows, and the authority's own.
fn certified() -> (Arc<ServerConfig>, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (Arc::new(config), authority.pem())
}
