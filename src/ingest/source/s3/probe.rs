//! A little of an object, to see whether it may be had and how fast it comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::S3Source;
use crate::ingest::source::{DayFile, SourceError};
use crate::net::chain;
use crate::net::parse_http_date;

/// What came of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectProbe {
    /// Bytes that came; they are not kept.
    pub bytes: u64,
    /// From asking to the last of them.
    pub elapsed: Duration,
    /// How far the vendor's clock is ahead of this machine's, in milliseconds; to about a second, which is how it is told.
    pub clock_ahead_ms: Option<i64>,
}

impl S3Source {
    /// Asks once for the beginning of an object: so many bytes, or what comes of them in a time.
    pub async fn probe(&self, file: &DayFile, most: u64, patience: Duration) -> Result<ObjectProbe, SourceError> {
        let (began, heard, patience) = (Instant::now(), Heard::default(), patience.min(self.stall_timeout));
        let request = self.client.get_object().bucket(&self.bucket).key(&file.key);
        let request = request.range(format!("bytes=0-{}", most.max(1) - 1));
        let answer = request.customize().interceptor(heard.clone()).send().await;
        let mut answer = answer.map_err(|error| self.failure(&file.key, &error))?;
        let mut bytes = 0;
        while bytes < most {
            // Whoever does not send parts of objects is not read to the end.
            match timeout_at(began + patience, answer.body.next()).await {
                Ok(Some(Ok(chunk))) => bytes += chunk.len() as u64,
                Ok(Some(Err(error))) => {
                    let object = self.object(&file.key);
                    return Err(SourceError::unreachable(&object, format!("the answer broke off: {}", chain(&error))));
                }
                Err(_) if bytes == 0 => {
                    let object = self.object(&file.key);
                    let seconds = patience.as_secs_f64();
                    return Err(SourceError::unreachable(&object, format!("not a byte in {seconds} s")));
                }
                Ok(None) | Err(_) => break,
            }
        }
        Ok(ObjectProbe { bytes, elapsed: began.elapsed(), clock_ahead_ms: heard.get() })
    }
}

/// Compares the vendor's clock with ours when the head of an answer comes, which is when it was written but for the way.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Option<i64>>>);

impl Heard {
    fn get(&self) -> Option<i64> {
        // A number cannot be left half-written.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Heard {
    fn name(&self) -> &'static str {
        "Heard"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(parse_http_date);
        let ahead = date.map(|date| date.as_millisecond() - Timestamp::now().as_millisecond());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
        Ok(())
    }
}
