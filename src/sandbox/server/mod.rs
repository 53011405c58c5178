//! The vendor's S3 and REST endpoints on a loopback address.

mod bucket;
mod clock;
mod faults;
mod rest;
mod s3;
mod script;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::{Body as _, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use self::bucket::Bucket;
use self::clock::SimulatedClock;
use self::faults::{Connection, Delivery, Ending, deliver, refusal};
use self::rest::{Answer, Rest};
use self::s3::{Keys, Vendor};
use self::script::{Asked, Running, Strike};
use super::{FileId, SandboxError, is_loopback};
use crate::model::Dataset;

pub use self::rest::{FaultBody, Quota, QuotaError, RestCounts, RestFault, RestOptions};
pub use self::s3::Plan;
pub use self::script::{Action, Rule, Script};

pub(super) use self::script::language;

/// How the endpoint behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// The bucket's content, as [`super::generate`] makes it. Read at each request.
    pub data_dir: PathBuf,
    /// Loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The customer's access key.
    pub access_key: String,
    /// The customer's secret.
    pub secret_key: String,
    /// Name of the bucket.
    pub bucket: String,
    /// What may be read.
    pub plan: Plan,
    /// Files that are not there, whatever is in the directory.
    pub hidden: BTreeSet<FileId>,
    /// Faults to show.
    pub faults: Script,
    /// One line per request on standard error.
    pub log_requests: bool,
    /// How the REST endpoints behave.
    pub rest: RestOptions,
    /// A file with the instant that counts as now, for files and requests alike: what is dated later is not there yet.
    pub clock: Option<PathBuf>,
}

impl ServeOptions {
    /// Serves everything in a directory under the well-known keys on a free port of 127.0.0.1.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            access_key: "sandbox".to_owned(),
            secret_key: "sandbox-secret".to_owned(),
            bucket: "flatfiles".to_owned(),
            plan: Plan { datasets: Dataset::ALL.to_vec(), from: None },
            hidden: BTreeSet::new(),
            faults: Script::default(),
            log_requests: false,
            rest: RestOptions::default(),
            clock: None,
        }
    }
}

/// Requests of the S3 endpoint answered so far, refused ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Listings.
    pub list: u64,
    /// GETs of objects.
    pub get: u64,
    /// HEADs of objects.
    pub head: u64,
    /// Bytes of bodies sent.
    pub bytes: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} LIST, {} GET, {} HEAD, {} bytes", self.list, self.get, self.head, self.bytes)
    }
}

/// A running endpoint. It ends when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
    endpoint: Arc<Endpoint>,
}

#[derive(Debug, Default)]
struct Tally {
    list: AtomicU64,
    get: AtomicU64,
    head: AtomicU64,
    bytes: AtomicU64,
}

impl Server {
    /// Listens and answers until stopped. Must be called in a tokio runtime.
    pub async fn start(options: ServeOptions) -> Result<Self, SandboxError> {
        is_loopback(options.listen)?;
        let failed = |source| SandboxError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let endpoint = Arc::new(Endpoint::new(options));
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(accept(listener, endpoint.clone(), stopped));
        Ok(Self { address, stop: Some(stop), running, endpoint })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients are told as endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests answered so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Tally { list, get, head, bytes } = &*self.endpoint.tally;
        Counts { list: read(list), get: read(get), head: read(head), bytes: read(bytes) }
    }

    /// GETs of each object so far, by key.
    pub fn gets(&self) -> BTreeMap<String, u64> {
        self.endpoint.gets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the REST endpoints were asked so far.
    pub fn rest_counts(&self) -> RestCounts {
        self.endpoint.rest.counts()
    }

    /// How often each rule of the faults has struck.
    pub fn struck(&self) -> Vec<u64> {
        self.endpoint.faults.struck()
    }

    /// Ends all connections and returns the totals.
    pub async fn stop(mut self) -> Counts {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only if the server ended by itself, which is what is asked for.
            stop.send(()).ok();
        }
        if let Err(error) = (&mut self.running).await {
            eprintln!("vendor-sandbox: {error}");
        }
        self.counts()
    }
}

/// Takes connections until told to stop; their tasks end with this one.
async fn accept(listener: TcpListener, endpoint: Arc<Endpoint>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // A dropped server is a stopped one.
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(endpoint.clone().connection(stream));
                }
                Err(error) => {
                    eprintln!("vendor-sandbox: cannot accept a connection: {error}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Get,
    Head,
    Other,
}

struct Endpoint {
    service: S3Service,
    rest: Arc<Rest>,
    faults: Running,
    objects: Arc<Bucket>,
    tally: Arc<Tally>,
    gets: Mutex<BTreeMap<String, u64>>,
    bucket: String,
    log_requests: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

impl Endpoint {
    fn new(options: ServeOptions) -> Self {
        let clock = options.clock.map(SimulatedClock::new);
        let objects = Arc::new(Bucket::new(options.data_dir, options.hidden, clock.clone()));
        let rest = Arc::new(Rest::new(options.rest, &options.plan, objects.clone(), clock));
        let mut builder =
            S3ServiceBuilder::new(Vendor { name: options.bucket.clone(), bucket: objects.clone(), plan: options.plan });
        builder.set_auth(Keys { access_key: options.access_key, secret_key: options.secret_key });
        Self {
            service: builder.build(),
            rest,
            faults: Running::new(options.faults),
            objects,
            tally: Arc::default(),
            gets: Mutex::default(),
            bucket: options.bucket,
            log_requests: options.log_requests,
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        // Small answers should not wait for a fuller packet; a connection that cannot be told so still works.
        stream.set_nodelay(true).ok();
        let reset = Arc::new(AtomicBool::new(false));
        let service = service_fn(|request| self.answer(request, reset.clone()));
        let connection = TokioIo::new(Connection { stream, reset: reset.clone() });
        let served =
            hyper::server::conn::http1::Builder::new().timer(TokioTimer::new()).serve_connection(connection, service);
        // A client may hang up at any time; only what was not asked for is worth a word.
        if let Err(error) = served.await
            && self.log_requests
            && !reset.load(Ordering::Relaxed)
        {
            eprintln!("vendor-sandbox: a connection ended early: {error}");
        }
    }

    /// Bucket and key of a request's path.
    fn kind(&self, request: &Request<Incoming>) -> (Kind, String) {
        let path = request.uri().path().trim_start_matches('/');
        let key = path.strip_prefix(self.bucket.as_str()).unwrap_or(path).trim_start_matches('/');
        let kind = match *request.method() {
            Method::GET if key.is_empty() => Kind::List,
            Method::GET => Kind::Get,
            Method::HEAD if !key.is_empty() => Kind::Head,
            _ => Kind::Other,
        };
        (kind, key.to_owned())
    }

    async fn answer(&self, request: Request<Incoming>, reset: Arc<AtomicBool>) -> Result<Response<Body>, HttpError> {
        if Rest::takes(request.uri().path()) {
            return Ok(self.answer_rest(&request, reset).await);
        }
        let (kind, key) = self.kind(&request);
        let counter = match kind {
            Kind::List => Some(&self.tally.list),
            Kind::Get => Some(&self.tally.get),
            Kind::Head => Some(&self.tally.head),
            Kind::Other => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if kind == Kind::Get {
            *self.gets.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default() += 1;
        }
        let range = header(&request, &header::RANGE);
        let strike = match kind {
            Kind::List => self.faults.strike(Asked::List, &prefix(request.uri().query()), false),
            Kind::Get => self.faults.strike(Asked::Get, &key, range.is_some()),
            Kind::Head | Kind::Other => Strike::default(),
        };
        let about = if kind == Kind::List { request.uri().query().unwrap_or("-").to_owned() } else { key.clone() };
        let method = request.method().clone();
        match &strike.action {
            Some(Action::Vanish) => self.objects.vanish(&key),
            Some(Action::Republish(folder)) => self.objects.republish(&key, folder),
            _ => {}
        }
        let response = if let Some(refused) = strike.action.as_ref().and_then(refusal) {
            refused
        } else {
            let mut request = request.map(Body::from);
            request.extensions_mut().insert(strike.clone());
            self.service.call(request).await?
        };
        if self.log_requests {
            let word = if kind == Kind::List { "LIST" } else { method.as_str() };
            let fault = if strike == Strike::default() { String::new() } else { format!(" {strike:?}") };
            let range = range.as_deref().unwrap_or("-");
            eprintln!("{word} {about} {range} {}{fault}", response.status().as_u16());
        }
        Ok(self.deliver(response, kind, strike, reset))
    }

    async fn answer_rest(&self, request: &Request<Incoming>, reset: Arc<AtomicBool>) -> Response<Body> {
        let path = request.uri().path();
        if let Some(stats) = self.rest.stats(path) {
            return response(stats);
        }
        let arrival = self.rest.arrive(path);
        let strike = self.faults.strike(Asked::Rest, &rest::plain_path(path), false);
        let work = {
            let (rest, uri, headers) = (self.rest.clone(), request.uri().clone(), request.headers().clone());
            let strike = strike.clone();
            move || rest.answer(&uri, &headers, arrival, &strike)
        };
        // Markets are made as they are asked for: that keeps a processor busy.
        let answer = match tokio::task::spawn_blocking(work).await {
            Ok(answer) => answer,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let response = response(answer);
        if self.log_requests {
            let fault = if strike == Strike::default() { String::new() } else { format!(" {strike:?}") };
            eprintln!("REST {path} - {}{fault}", response.status().as_u16());
        }
        self.send(response, strike, reset)
    }

    /// The S3 endpoint's answer as it goes out: counted, and with what the faults say.
    fn deliver(&self, response: Response<Body>, kind: Kind, strike: Strike, reset: Arc<AtomicBool>) -> Response<Body> {
        let is_delivered = kind == Kind::Get || (kind == Kind::List && strike != Strike::default());
        if !is_delivered || !response.status().is_success() {
            // The body of an answer to HEAD stays here.
            let size = if kind == Kind::Head { None } else { response.body().size_hint().exact() };
            self.tally.bytes.fetch_add(size.unwrap_or(0), Ordering::Relaxed);
            return response;
        }
        self.send(response, strike, reset)
    }

    /// A body with what the faults do to it.
    fn send(&self, mut response: Response<Body>, strike: Strike, reset: Arc<AtomicBool>) -> Response<Body> {
        let end = match strike.action {
            Some(Action::Reset(bytes)) => Some((bytes, Ending::Reset(reset))),
            Some(Action::Short(bytes)) => Some((bytes, Ending::Close)),
            Some(Action::Stall(bytes)) => Some((bytes, Ending::Stall)),
            _ => None,
        };
        let flip = match strike.action {
            Some(Action::Flip(place)) => place_in_body(&response, place),
            _ => None,
        };
        if strike.action == Some(Action::OtherEtag) {
            response.headers_mut().insert(header::ETAG, HeaderValue::from_static("\"0123456789abcdef\""));
        }
        if let Some(size) = response.body().size_hint().exact() {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        }
        let tally = self.tally.clone();
        let sent = Arc::new(move |bytes| {
            tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        });
        response.map(|body| deliver(body, Delivery { pace: strike.pace, end, flip, sent }))
    }
}

/// An answer of the REST endpoints.
fn response(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if let Some(seconds) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The text of a header.
fn header<B>(request: &Request<B>, name: &HeaderName) -> Option<String> {
    request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The prefix of a listing, as far as its query says it in plain letters.
fn prefix(query: Option<&str>) -> String {
    let mut parts = query.unwrap_or_default().split('&');
    let prefix = parts.find_map(|part| part.strip_prefix("prefix=")).unwrap_or_default();
    prefix.replace("%2F", "/")
}

/// Where in the body a byte of the object is, if it is in there.
fn place_in_body(response: &Response<Body>, place: i64) -> Option<u64> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let length: u64 = text(header::CONTENT_LENGTH)?.parse().ok()?;
    let (start, size) = match text(header::CONTENT_RANGE) {
        None => (0, length),
        Some(range) => {
            let (span, size) = range.strip_prefix("bytes ")?.split_once('/')?;
            (span.split_once('-')?.0.parse().ok()?, size.parse().ok()?)
        }
    };
    let at = if place < 0 { size.checked_sub(place.unsigned_abs())? } else { place.unsigned_abs() };
    at.checked_sub(start).filter(|at| *at < length)
}
