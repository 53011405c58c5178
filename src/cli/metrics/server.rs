//! Serving the metrics.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::TEXT_FORMAT;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Inner;
use crate::cli::CliError;

/// Connections at once; others wait.
const CONNECTIONS: usize = 16;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait after an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens, and answers as long as the runtime lives; says where.
pub(super) async fn serve(address: SocketAddr, metrics: Arc<Inner>) -> Result<SocketAddr, CliError> {
    let listener = TcpListener::bind(address).await.map_err(|error| refused(address, &error))?;
    let address = listener.local_addr()?;
    tokio::spawn(listen(listener, metrics));
    Ok(address)
}

fn refused(address: SocketAddr, error: &io::Error) -> CliError {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there: choose another port with --metrics-addr",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: 127.0.0.1 is reached from here only",
        io::ErrorKind::PermissionDenied => "this user may not: choose a port above 1023",
        _ => "choose another address with --metrics-addr",
    };
    CliError::failed(anyhow!("metrics cannot be served at {address}: {error}")).with_hint(hint)
}

async fn listen(listener: TcpListener, metrics: Arc<Inner>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    // Who asks too slowly, or has gone away, is left.
                    let _ = tokio::time::timeout(PATIENCE, answer(stream, metrics)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn answer(stream: TcpStream, metrics: Arc<Inner>) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let response = respond(&metrics, &request);
        async { Ok::<_, Infallible>(response) }
    });
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
    connection.serve_connection(TokioIo::new(stream), service).await
}

fn respond(metrics: &Inner, request: &Request<Incoming>) -> Response<String> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET is answered\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => response(StatusCode::OK, TEXT_FORMAT, metrics.text()),
        "/healthz" => match metrics.wrong() {
            Some(wrong) if wrong.is_empty() => response(StatusCode::OK, "text/plain", "ok\n".to_owned()),
            Some(wrong) => response(StatusCode::SERVICE_UNAVAILABLE, "text/plain", wrong),
            None => response(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "nothing is known yet\n".to_owned()),
        },
        _ => response(StatusCode::NOT_FOUND, "text/plain", "there are /metrics and /healthz\n".to_owned()),
    }
}

fn response(status: StatusCode, form: &'static str, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form));
    response
}
