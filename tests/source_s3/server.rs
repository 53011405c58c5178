//! A server that says what a test tells it to: just enough HTTP/1.1, one request per connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First and last byte asked for.
    pub fn range(&self) -> Option<(usize, usize)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().unwrap(), last.parse().unwrap()))
    }
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// As announced.
    Whole,
    /// After so many bytes of the body the connection is closed.
    Closed(usize),
    /// After so many bytes of the body the connection is reset.
    Reset(usize),
    /// After so many bytes of the body nothing more comes.
    Stalled(usize),
    /// The body comes in pieces of so many bytes, with a pause after each.
    Trickled(usize),
    /// Not even a head comes.
    Silent,
}

/// Pause between the pieces of a body that trickles.
pub const TRICKLE: Duration = Duration::from_millis(60);

/// What goes back.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    ending: Ending,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), ending: Ending::Whole }
    }

    /// An S3 error.
    pub fn error(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>words of {code}</Message><Key>k</Key></Error>"
        );
        Self::new(status, body)
    }

    /// The whole object.
    pub fn object(body: &[u8], etag: &str) -> Self {
        Self::new(200, body).with("ETag", format!("\"{etag}\""))
    }

    /// What was asked for, as a server that knows its trade answers.
    pub fn asked(request: &Request, body: &[u8], etag: &str) -> Self {
        match request.range() {
            None => Self::object(body, etag),
            Some((first, last)) => Self::new(206, &body[first..=last])
                .with("ETag", format!("\"{etag}\""))
                .with("Content-Range", format!("bytes {first}-{last}/{}", body.len())),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    pub fn closed_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::Closed(bytes);
        self
    }

    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::Reset(bytes);
        self
    }

    pub fn stalled_after(mut self, bytes: usize) -> Self {
        self.ending = Ending::Stalled(bytes);
        self
    }

    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        self.ending = Ending::Trickled(bytes);
        self
    }

    pub fn silent() -> Self {
        Self { ending: Ending::Silent, ..Self::new(200, "") }
    }

    async fn send(self, mut to: TcpStream) -> std::io::Result<()> {
        if self.ending == Ending::Silent {
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        let mut head = format!("HTTP/1.1 {} Scripted\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        to.write_all(head.as_bytes()).await?;
        let sent = match self.ending {
            Ending::Whole => self.body.len(),
            Ending::Closed(bytes) | Ending::Reset(bytes) | Ending::Stalled(bytes) => bytes,
            Ending::Trickled(_) | Ending::Silent => 0,
        };
        to.write_all(&self.body[..sent]).await?;
        to.flush().await?;
        match self.ending {
            Ending::Whole | Ending::Closed(_) | Ending::Silent => {}
            Ending::Trickled(bytes) => {
                for piece in self.body.chunks(bytes) {
                    to.write_all(piece).await?;
                    tokio::time::sleep(TRICKLE).await;
                }
            }
            Ending::Reset(_) => {
                // A reset may overtake bytes the other side has not read yet.
                tokio::time::sleep(Duration::from_millis(50)).await;
                to.set_zero_linger()?;
            }
            Ending::Stalled(_) => tokio::time::sleep(Duration::from_mins(1)).await,
        }
        Ok(())
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by the script, which also hears how many there were before.
    pub async fn start(script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (script, log) = (Arc::new(script), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                tokio::spawn(async move {
                    let Some(request) = read(&mut stream).await else { return };
                    let reply = {
                        let mut log = log.lock().unwrap();
                        let reply = script(&request, log.len());
                        log.push(request);
                        reply
                    };
                    // The client may have hung up; that is its right.
                    let _ = reply.send(stream).await;
                });
            }
        });
        Self { endpoint, requests }
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next_line().await.ok()??;
    let target = first.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    while let Some(line) = lines.next_line().await.ok()?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    Some(Request { path: decoded(path), query, headers })
}

fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut plain = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        plain.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        plain.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(plain).unwrap()
}
