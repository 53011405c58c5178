//! Faults of the network between two programs: a proxy for TCP that cuts, stalls, forgets and refuses.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::rules::{self, ScriptError, positive};
use super::{SandboxError, is_loopback};

/// What a network does wrong, rule by rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyScript(Vec<Rule>);

/// The language, as `--help` shows it.
pub(super) const LANGUAGE: &str = "\
A script has a rule per line; `#` begins a comment:
  up|down [connection=N] [text=TEXT [nth=N]] [after=BYTES] [times=N|all] ACTION
`up` is what the client sends, `down` what the server sends. A rule strikes when TEXT has passed on a connection [default: \
the first time; at once without a TEXT] and so many bytes behind it [default: 0]; the N-th connection only, or any; so many \
connections [default: 1]. Actions:
  cut                both sides are reset; what comes behind the place is not passed on
  stall[:MS]         nothing more is passed on, for so many milliseconds or for ever
  leave-server[:MS]  what came is passed on; the client's side is reset, and the server is told so much later or never
  leave-client[:MS]  what came is passed on; the server's side is reset, and the client is told so much later or never
  refuse:MS          cut, and no connection is taken for so many milliseconds";

/// A place in a connection and what happens there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    side: Side,
    /// Number of the connection, counted from 1; any if not said.
    connection: Option<u64>,
    text: Vec<u8>,
    /// Which occurrence of the text on a connection, counted from 1.
    nth: u64,
    after: u64,
    /// How many connections; all if not said.
    times: Option<u64>,
    action: Action,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// The client.
    Up,
    /// The server.
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Cut,
    Stall(Option<Duration>),
    LeaveServer(Option<Duration>),
    LeaveClient(Option<Duration>),
    Refuse(Duration),
}

impl FromStr for ProxyScript {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        rules::parse(text).map(Self)
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let mut words = line.split_whitespace();
        let side = match words.next() {
            Some("up") => Side::Up,
            Some("down") => Side::Down,
            _ => return Err("a rule begins with up or down".to_owned()),
        };
        let mut rule =
            Self { side, connection: None, text: Vec::new(), nth: 1, after: 0, times: Some(1), action: Action::Cut };
        let mut action = None;
        for word in words {
            match word.split_once('=') {
                _ if action.is_some() => return Err(format!("nothing may stand behind the action: `{word}`")),
                Some(("connection", n)) => rule.connection = Some(positive(n)?),
                Some(("text", text)) => rule.text = text.as_bytes().to_vec(),
                Some(("nth", n)) => rule.nth = positive(n)?,
                Some(("after", bytes)) => {
                    rule.after = bytes.parse().map_err(|_| format!("`{bytes}` is not a number of bytes"))?;
                }
                Some(("times", "all")) => rule.times = None,
                Some(("times", n)) => rule.times = Some(positive(n)?),
                _ => action = Some(word.parse()?),
            }
        }
        rule.action = action.ok_or("what is to happen is not said")?;
        Ok(rule)
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let milliseconds = |text| positive(text).map(Duration::from_millis);
        match word.split_once(':') {
            None if word == "cut" => Ok(Self::Cut),
            None if word == "stall" => Ok(Self::Stall(None)),
            None if word == "leave-server" => Ok(Self::LeaveServer(None)),
            None if word == "leave-client" => Ok(Self::LeaveClient(None)),
            Some(("leave-server", time)) => Ok(Self::LeaveServer(Some(milliseconds(time)?))),
            Some(("leave-client", time)) => Ok(Self::LeaveClient(Some(milliseconds(time)?))),
            Some(("stall", time)) => Ok(Self::Stall(Some(milliseconds(time)?))),
            Some(("refuse", time)) => Ok(Self::Refuse(milliseconds(time)?)),
            _ => Err(format!("`{word}` is no fault")),
        }
    }
}

/// A running proxy. It ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    network: Arc<Network>,
    running: JoinHandle<()>,
}

/// What the connections share.
#[derive(Debug)]
struct Network {
    to: SocketAddr,
    rules: Vec<(Rule, AtomicU64)>,
    /// Told when all connections are to be cut.
    cut: watch::Sender<()>,
    refusals: mpsc::UnboundedSender<Duration>,
}

impl Proxy {
    /// Listens on a loopback address and passes on to another address. Must be called in a tokio runtime.
    pub async fn start(listen: SocketAddr, to: SocketAddr, script: ProxyScript) -> Result<Self, SandboxError> {
        is_loopback(listen)?;
        let failed = |source| SandboxError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (refusals, refused) = mpsc::unbounded_channel();
        let rules = script.0.into_iter().map(|rule| (rule, AtomicU64::new(0))).collect();
        let network = Arc::new(Network { to, rules, cut: watch::Sender::new(()), refusals });
        let running = tokio::spawn(accept(listener, address, network.clone(), refused));
        Ok(Self { address, network, running })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// On how many connections each rule has struck.
    pub fn struck(&self) -> Vec<u64> {
        self.network.rules.iter().map(|(_, struck)| struck.load(Ordering::Relaxed)).collect()
    }

    /// Resets both sides of all connections.
    pub fn cut(&self) {
        self.network.cut.send_replace(());
    }

    /// Takes no connection for so long.
    pub fn refuse(&self, time: Duration) {
        // The receiver lives as long as this.
        self.network.refusals.send(time).ok();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Takes connections; their tasks end with this one.
async fn accept(
    mut listener: TcpListener,
    address: SocketAddr,
    network: Arc<Network>,
    mut refused: mpsc::UnboundedReceiver<Duration>,
) {
    let mut connections = JoinSet::new();
    let mut count = 0;
    loop {
        tokio::select! {
            Some(time) = refused.recv() => {
                drop(listener);
                tokio::time::sleep(time).await;
                listener = match TcpListener::bind(address).await {
                    Ok(listener) => listener,
                    Err(error) => {
                        eprintln!("vendor-sandbox: cannot listen on {address} again: {error}");
                        return;
                    }
                };
            }
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    count += 1;
                    connections.spawn(connection(client, count, network.clone()));
                }
                Err(error) => {
                    eprintln!("vendor-sandbox: cannot accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, number: u64, network: Arc<Network>) {
    let Ok(server) = TcpStream::connect(network.to).await else {
        let (from, to) = client.into_split();
        return reset(from, to);
    };
    for stream in [&client, &server] {
        // Passed on as it comes; a connection that cannot be told so still works.
        stream.set_nodelay(true).ok();
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut up = Way::new(Side::Up, from_client, to_server, &network, number);
    let mut down = Way::new(Side::Down, from_server, to_client, &network, number);
    let mut cut = network.cut.subscribe();
    loop {
        let event = tokio::select! {
            event = up.pass_on(&network) => event,
            event = down.pass_on(&network) => event,
            _ = cut.changed() => Event::Struck(Action::Cut),
        };
        match event {
            Event::Ended if up.ended && down.ended => return,
            Event::Ended => {}
            Event::Struck(Action::Stall(time)) => match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            },
            Event::Struck(action) => {
                if let Action::Refuse(time) = action {
                    network.refusals.send(time).ok();
                }
                // A reset may overtake bytes that the other side has not read yet.
                tokio::time::sleep(LAST_BYTES).await;
                match action {
                    Action::LeaveServer(time) => {
                        reset(up.from, down.to);
                        left(down.from, up.to, time).await;
                    }
                    Action::LeaveClient(time) => {
                        reset(down.from, up.to);
                        left(up.from, down.to, time).await;
                    }
                    _ => {
                        reset(up.from, down.to);
                        reset(down.from, up.to);
                    }
                }
                return;
            }
        }
    }
}

/// Ends a side without a farewell.
fn reset(from: OwnedReadHalf, to: OwnedWriteHalf) {
    if let Err(error) = from.as_ref().set_zero_linger() {
        eprintln!("vendor-sandbox: a connection was closed and not reset: {error}");
    }
    // Dropped as it is, this half would say farewell.
    to.forget();
}

/// Holds on to a side whose other side is gone, until it hangs up itself or is told. What it says is heard by nobody.
async fn left(mut from: OwnedReadHalf, to: OwnedWriteHalf, time: Option<Duration>) {
    let told = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let mut unheard = vec![0; BUFFER];
    let hangs_up = async { while from.read(&mut unheard).await.is_ok_and(|read| read > 0) {} };
    tokio::select! {
        () = told => {}
        () = hangs_up => {}
    }
    reset(from, to);
}

enum Event {
    /// One way has come to its end.
    Ended,
    Struck(Action),
}

/// Time for what was passed on to be read before a reset.
const LAST_BYTES: Duration = Duration::from_millis(50);

/// Bytes read at a time.
const BUFFER: usize = 16 * 1024;

/// One way through a connection. Giving up a wait in it loses nothing.
struct Way {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    ended: bool,
    /// Bytes so far.
    read: u64,
    /// What was read and not passed on yet.
    held: Vec<u8>,
    /// How much of it is passed on before what struck is told.
    before: Option<(usize, Action)>,
    watches: Vec<Watch>,
}

/// A rule that may still strike.
struct Watch {
    /// Which one.
    rule: usize,
    /// Where it strikes, once that is known.
    at: Option<u64>,
    /// How often its text has passed.
    passed: u64,
    /// The last bytes seen, in which its text may begin.
    tail: Vec<u8>,
}

impl Way {
    fn new(side: Side, from: OwnedReadHalf, to: OwnedWriteHalf, network: &Network, number: u64) -> Self {
        let mine = |rule: &Rule| rule.side == side && rule.connection.is_none_or(|wanted| wanted == number);
        let rules = network.rules.iter().enumerate().filter(|(_, (rule, _))| mine(rule));
        let watches = rules.map(|(rule, (told, _))| Watch {
            rule,
            at: told.text.is_empty().then_some(told.after),
            passed: 0,
            tail: Vec::new(),
        });
        Self { from, to, ended: false, read: 0, held: Vec::new(), before: None, watches: watches.collect() }
    }

    /// Passes bytes on until the way ends or a rule strikes.
    async fn pass_on(&mut self, network: &Network) -> Event {
        loop {
            while !self.held.is_empty() && self.before.is_none_or(|(bytes, _)| bytes > 0) {
                let bytes = self.before.map_or(self.held.len(), |(bytes, _)| bytes);
                match self.to.write(&self.held[..bytes]).await {
                    Ok(written) => {
                        self.held.drain(..written);
                        self.before = self.before.map(|(bytes, action)| (bytes - written, action));
                    }
                    // The other side is gone; so is the reason to read on.
                    Err(_) => self.held.clear(),
                }
            }
            if let Some((_, action)) = self.before.take() {
                return Event::Struck(action);
            }
            if self.ended {
                std::future::pending::<()>().await;
            }
            let mut buffer = vec![0; BUFFER];
            match self.from.read(&mut buffer).await {
                Ok(read) if read > 0 => self.take(&buffer[..read], network),
                _ => {
                    self.ended = true;
                    // A farewell that does not arrive has nobody to arrive at.
                    self.to.shutdown().await.ok();
                    return Event::Ended;
                }
            }
        }
    }

    /// Takes what was read; finds the first place in it where a rule strikes.
    fn take(&mut self, bytes: &[u8], network: &Network) {
        let start = self.read;
        self.read += bytes.len() as u64;
        self.held.extend_from_slice(bytes);
        for watch in &mut self.watches {
            watch.look(bytes, start, &network.rules[watch.rule].0);
        }
        let end = self.read;
        let due = |watch: &&Watch| watch.at.is_some_and(|at| at <= end);
        let Some((place, at)) = self
            .watches
            .iter()
            .enumerate()
            .filter(|(_, watch)| due(watch))
            .min_by_key(|(_, watch)| watch.at)
            .map(|(place, watch)| (place, watch.at.unwrap_or(start)))
        else {
            return;
        };
        let (rule, struck) = &network.rules[self.watches.remove(place).rule];
        let again = |count: u64| rule.times.is_none_or(|times| count < times).then_some(count + 1);
        if struck.try_update(Ordering::Relaxed, Ordering::Relaxed, again).is_ok() {
            let passed = match rule.action {
                Action::LeaveServer(_) | Action::LeaveClient(_) => self.held.len(),
                _ => self.held.len() - (end - at.max(start)) as usize,
            };
            self.before = Some((passed, rule.action));
        }
    }
}

impl Watch {
    /// Looks for the text in what comes next.
    fn look(&mut self, bytes: &[u8], start: u64, rule: &Rule) {
        if self.at.is_some() {
            return;
        }
        self.tail.extend_from_slice(bytes);
        let end = start + bytes.len() as u64;
        while let Some(found) = self.tail.windows(rule.text.len()).position(|window| window == rule.text) {
            self.tail.drain(..found + rule.text.len());
            self.passed += 1;
            if self.passed == rule.nth {
                self.at = Some(end - self.tail.len() as u64 + rule.after);
                return;
            }
        }
        let kept = self.tail.len().min(rule.text.len() - 1);
        self.tail.drain(..self.tail.len() - kept);
    }
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
