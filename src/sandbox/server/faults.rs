//! Faults of the connection and the service carried out: refusals, bodies that break off, wrong bytes, slowness.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode, header};
use s3s::{Body, StdError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::script::Action;

/// The answer of a service that refuses, if this is what the fault makes it do.
pub(super) fn refusal(action: &Action) -> Option<Response<Body>> {
    let (status, code, message) = match action {
        Action::SlowDown(_) => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate."),
        Action::InternalError => {
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "We encountered an internal error. Please try again.")
        }
        Action::ClockSkew => (
            StatusCode::FORBIDDEN,
            "RequestTimeTooSkewed",
            "The difference between the request time and the server's time is too large.",
        ),
        _ => return None,
    };
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Action::SlowDown(Some(seconds)) = action {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    Some(response)
}

/// What a body does besides giving its bytes.
pub(super) struct Delivery {
    /// Bytes per second.
    pub pace: Option<u64>,
    /// After this many bytes something happens instead of the rest.
    pub end: Option<(u64, Ending)>,
    /// This byte is another one.
    pub flip: Option<u64>,
    /// Told how many bytes go out.
    pub sent: Arc<dyn Fn(u64) + Send + Sync>,
}

/// How a body ends early.
pub(super) enum Ending {
    /// With a reset of the connection whose mark this is.
    Reset(Arc<AtomicBool>),
    /// With a connection closed as if all were said.
    Close,
    /// Not at all.
    Stall,
}

/// Time for what was sent to leave before a reset drops it.
const LAST_BYTES: Duration = Duration::from_millis(50);

/// What a wrong byte has wrong.
const FLIPPED_BITS: u8 = 0x10;

/// A body delivered this way.
pub(super) fn deliver(body: Body, delivery: Delivery) -> Body {
    let state = (Box::pin(body), Bytes::new(), 0_u64, delivery);
    let stream = try_unfold(state, |(mut body, mut rest, mut sent, delivery)| async move {
        while rest.is_empty() {
            match body.frame().await {
                None => return Ok(None),
                Some(frame) => rest = frame?.into_data().unwrap_or_default(),
            }
        }
        let mut size = rest.len() as u64;
        if let Some((limit, ending)) = &delivery.end {
            size = size.min(limit - sent);
            if size == 0 {
                if let Ending::Stall = ending {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(LAST_BYTES).await;
                if let Ending::Reset(mark) = ending {
                    mark.store(true, Ordering::Relaxed);
                }
                return Err(StdError::from("the connection ends on request"));
            }
        }
        if let Some(pace) = delivery.pace {
            // Ten pieces a second: even enough for a client that measures.
            size = size.min((pace / 10).max(1));
            tokio::time::sleep(Duration::from_secs_f64(size as f64 / pace.max(1) as f64)).await;
        }
        let mut piece = rest.split_to(size as usize);
        if let Some(place) = delivery.flip.and_then(|place| place.checked_sub(sent)).filter(|place| *place < size) {
            let mut bytes = piece.to_vec();
            bytes[place as usize] ^= FLIPPED_BITS;
            piece = bytes.into();
        }
        sent += size;
        (delivery.sent)(size);
        Ok(Some((Frame::data(piece), (body, rest, sent, delivery))))
    });
    Body::http_body_unsync(StreamBody::new(stream))
}

/// A connection that can end with a reset instead of a farewell.
pub(super) struct Connection {
    pub stream: TcpStream,
    /// Set when the end is to be a reset.
    pub reset: Arc<AtomicBool>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed)
            && let Err(error) = self.stream.set_zero_linger()
        {
            eprintln!("vendor-sandbox: a connection was closed and not reset: {error}");
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A farewell would come before the reset.
        if self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
