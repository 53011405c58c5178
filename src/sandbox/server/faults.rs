//! Faults of the connection and the service: refusals, resets, stalls, slowness.
//!
//! A fault with a number strikes that many GETs of objects, then it is over; one GET suffers one such fault at most, in the
//! order of the fields of [`Faults`]. Slowness and ignored ranges come on top.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::{Response, StatusCode, header};
use s3s::{Body, StdError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Which faults to show. All off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The first GETs are answered 503 `SlowDown` with `Retry-After: 1`.
    pub throttle: u32,
    /// The first GETs are answered 500 `InternalError`.
    pub flaky_500: u32,
    /// After this many bytes of the body the connection is reset, for the first GETs.
    pub reset_after: Option<(u64, u32)>,
    /// The first GETs get half of their body and then nothing.
    pub stall: u32,
    /// The first GETs with a range get the whole object and 200.
    pub wrong_range: u32,
    /// Bytes per second of every GET.
    pub slow: Option<u64>,
}

/// What happens to one GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    /// Answered so without looking at the request.
    Refuse(StatusCode),
    /// Reset after this many bytes.
    Reset(u64),
    /// Silent after half of the body.
    Stall,
}

/// The faults that are left.
#[derive(Debug)]
pub(super) struct FaultLayer {
    faults: Faults,
    throttle: AtomicU32,
    flaky_500: AtomicU32,
    reset: AtomicU32,
    stall: AtomicU32,
    wrong_range: AtomicU32,
}

/// Takes one of what is left.
fn take(left: &AtomicU32) -> bool {
    left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl FaultLayer {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            faults,
            throttle: faults.throttle.into(),
            flaky_500: faults.flaky_500.into(),
            reset: faults.reset_after.map_or(0, |(_, times)| times).into(),
            stall: faults.stall.into(),
            wrong_range: faults.wrong_range.into(),
        }
    }

    /// What strikes the next GET of an object.
    pub(super) fn strike(&self) -> Option<Strike> {
        match self.faults.reset_after {
            _ if take(&self.throttle) => Some(Strike::Refuse(StatusCode::SERVICE_UNAVAILABLE)),
            _ if take(&self.flaky_500) => Some(Strike::Refuse(StatusCode::INTERNAL_SERVER_ERROR)),
            Some((bytes, _)) if take(&self.reset) => Some(Strike::Reset(bytes)),
            _ if take(&self.stall) => Some(Strike::Stall),
            _ => None,
        }
    }

    /// Whether the range of this request is overlooked.
    pub(super) fn ignores_range(&self) -> bool {
        take(&self.wrong_range)
    }

    /// Bytes per second of a body.
    pub(super) fn pace(&self) -> Option<u64> {
        self.faults.slow
    }
}

/// The answer of a service that refuses.
pub(super) fn refusal(status: StatusCode) -> Response<Body> {
    let (code, message) = match status {
        StatusCode::SERVICE_UNAVAILABLE => ("SlowDown", "Please reduce your request rate."),
        _ => ("InternalError", "We encountered an internal error. Please try again."),
    };
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

/// What a body does besides giving its bytes.
pub(super) struct Delivery {
    /// Bytes per second.
    pub pace: Option<u64>,
    /// After this many bytes something happens instead of the rest.
    pub end: Option<(u64, Ending)>,
    /// Told how many bytes go out.
    pub sent: Arc<dyn Fn(u64) + Send + Sync>,
}

/// How a body ends early.
pub(super) enum Ending {
    /// With a reset of the connection whose mark this is.
    Reset(Arc<AtomicBool>),
    /// Not at all.
    Stall,
}

/// Time for what was sent to leave before a reset drops it.
const LAST_BYTES: Duration = Duration::from_millis(50);

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
                match ending {
                    Ending::Stall => std::future::pending::<()>().await,
                    Ending::Reset(mark) => {
                        tokio::time::sleep(LAST_BYTES).await;
                        mark.store(true, Ordering::Relaxed);
                        return Err(StdError::from("the connection is reset on request"));
                    }
                }
            }
        }
        if let Some(pace) = delivery.pace {
            // Ten pieces a second: even enough for a client that measures.
            size = size.min((pace / 10).max(1));
            tokio::time::sleep(Duration::from_secs_f64(size as f64 / pace.max(1) as f64)).await;
        }
        let piece = rest.split_to(size as usize);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fault_strikes_at_a_time_and_ends() {
        let layer = FaultLayer::new(Faults {
            throttle: 1,
            flaky_500: 1,
            reset_after: Some((9, 1)),
            stall: 1,
            ..Faults::default()
        });
        let strikes: Vec<_> = std::iter::from_fn(|| layer.strike()).collect();
        let refused = |status| Strike::Refuse(status);
        assert_eq!(
            strikes,
            [
                refused(StatusCode::SERVICE_UNAVAILABLE),
                refused(StatusCode::INTERNAL_SERVER_ERROR),
                Strike::Reset(9),
                Strike::Stall
            ]
        );
        assert!(!layer.ignores_range());
    }
}
