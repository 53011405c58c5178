//! One object into one file: in parts where it is large, going on where a connection broke off, never mixing versions.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt, BufWriter};

use super::S3Source;
use super::answer::parse_content_range;
use super::list::unquoted;
use crate::ingest::Reporter;
use crate::ingest::source::temp::TempFile;
use crate::ingest::source::{DayFile, SourceError};
use crate::net::chain;
use crate::net::{RetryError, Retryable};

/// Bytes gathered before they go to the disk.
const WRITE_BUFFER: usize = 256 << 10;

impl S3Source {
    /// Brings an object to `dest`, whole and of the listed version or not at all. Returns the bytes that came over the
    /// network, repeated ones included. Dropping the future leaves nothing behind.
    pub async fn fetch(&self, file: &DayFile, dest: &Path, reporter: &dyn Reporter) -> Result<u64, SourceError> {
        let temp = TempFile::beside(dest)?;
        let download = Download { source: self, file, path: temp.path(), reporter, received: AtomicU64::new(0) };
        let in_parts = file.size_bytes > self.part_size && self.does_ranges.load(Ordering::Relaxed);
        let mut result = if in_parts { download.parts().await } else { download.stream(0..file.size_bytes).await };
        if matches!(result, Err(Broken::NoRanges)) {
            self.does_ranges.store(false, Ordering::Relaxed);
            result = download.stream(0..file.size_bytes).await;
        }
        result.map_err(|broken| download.explain(broken))?;
        let received = download.received.into_inner();
        let on_disk = tokio::fs::metadata(temp.path()).await.map_err(|error| SourceError::disk(temp.path(), error))?;
        if on_disk.len() != file.size_bytes {
            return Err(SourceError::SizeMismatch {
                object: self.object(&file.key),
                expected: file.size_bytes,
                got: on_disk.len(),
            });
        }
        crash_point!("object-fetched");
        temp.persist(dest)?;
        crash_point!("object-cached");
        Ok(received)
    }
}

/// An object on its way.
struct Download<'a> {
    source: &'a S3Source,
    file: &'a DayFile,
    path: &'a Path,
    reporter: &'a dyn Reporter,
    received: AtomicU64,
}

/// Why a part did not arrive.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// The server sends the whole object where a part was asked for.
    #[error("the server does not send parts of objects")]
    NoRanges,
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl Retryable for Broken {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Source(error) if error.is_transient())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Source(error) => error.retry_after(),
            Self::NoRanges => None,
        }
    }
}

impl From<RetryError<Self>> for Broken {
    fn from(error: RetryError<Self>) -> Self {
        let RetryError { attempts, elapsed, gave_up, error } = error;
        match error {
            Self::Source(error) => Self::Source(RetryError { attempts, elapsed, gave_up, error }.into()),
            Self::NoRanges => Self::NoRanges,
        }
    }
}

impl Download<'_> {
    fn object(&self) -> String {
        self.source.object(&self.file.key)
    }

    fn explain(&self, broken: Broken) -> SourceError {
        match broken {
            Broken::Source(error) => error,
            Broken::NoRanges => SourceError::Unexpected { object: self.object(), detail: broken.to_string() },
        }
    }

    /// All parts, a few at a time.
    async fn parts(&self) -> Result<(), Broken> {
        let size = self.file.size_bytes;
        let file = File::options().write(true).open(self.path).await;
        let file = file.map_err(|error| SourceError::disk(self.path, error))?;
        file.set_len(size).await.map_err(|error| SourceError::disk(self.path, error))?;
        let mut parts = Vec::new();
        let mut start = 0;
        while start < size {
            let end = size.min(start.saturating_add(self.source.part_size));
            parts.push(self.stream(start..end));
            start = end;
        }
        stream::iter(parts).buffer_unordered(self.source.parts_at_once).try_collect().await
    }

    /// One range of the object, or all of it, through as many connections as it takes.
    async fn stream(&self, range: Range<u64>) -> Result<(), Broken> {
        let note = |text: &str| self.reporter.note(text);
        let mut attempts = self.source.retry.begin(&note);
        let mut output = Output::open(self.path, range.start).await?;
        loop {
            match self.attempt(&range, &mut output).await {
                Ok(()) => {
                    attempts.succeeded();
                    return Ok(());
                }
                Err(broken) => attempts.failed(broken).await?,
            }
        }
    }

    /// Goes on from the byte reached to the end of the range.
    async fn attempt(&self, range: &Range<u64>, output: &mut Output<'_>) -> Result<(), Broken> {
        let whole = 0..self.file.size_bytes;
        let rest = output.at..range.end;
        if rest.is_empty() && !range.is_empty() {
            // The last connection broke after its last byte.
            return Ok(output.flush().await?);
        }
        let mut answer = self.get((rest != whole).then_some(&rest)).await?;
        if answer.whole && rest != whole {
            if *range != whole {
                return Err(Broken::NoRanges);
            }
            output.seek(0).await?;
        }
        loop {
            let Ok(next) = tokio::time::timeout(self.source.stall_timeout, answer.output.body.next()).await else {
                let seconds = self.source.stall_timeout.as_secs_f64();
                return Err(self.broke_off(output.at, format!("not a byte in {seconds} s")));
            };
            let Some(chunk) = next else { break };
            let chunk = chunk.map_err(|error| self.broke_off(output.at, chain(&error)))?;
            let count = chunk.len() as u64;
            self.received.fetch_add(count, Ordering::Relaxed);
            self.reporter.fetched(count);
            if output.at + count > range.end {
                let got = output.at + count;
                return Err(SourceError::SizeMismatch { object: self.object(), expected: range.end, got }.into());
            }
            output.write(&chunk).await?;
        }
        if output.at < range.end {
            return Err(self.broke_off(output.at, "the answer ended early".to_owned()));
        }
        Ok(output.flush().await?)
    }

    fn broke_off(&self, at: u64, why: String) -> Broken {
        let detail = format!("the connection broke off at byte {at} of {}: {why}", self.file.size_bytes);
        SourceError::unreachable(&self.object(), detail).into()
    }

    /// Asks for a range, or for the whole object, and checks that this is what comes.
    async fn get(&self, range: Option<&Range<u64>>) -> Result<Answer, SourceError> {
        let status = Status::default();
        let output = self
            .source
            .client
            .get_object()
            .bucket(&self.source.bucket)
            .key(&self.file.key)
            .if_match(format!("\"{}\"", self.file.etag))
            .set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end - 1)))
            .customize()
            .interceptor(status.clone())
            .send()
            .await
            .map_err(|error| self.source.failure(&self.file.key, &error))?;
        if output.e_tag().is_some_and(|etag| unquoted(etag) != self.file.etag) {
            return Err(SourceError::Changed { object: self.object() });
        }
        let unexpected = |detail| Err(SourceError::Unexpected { object: self.object(), detail });
        let wrong_size =
            |got| Err(SourceError::SizeMismatch { object: self.object(), expected: self.file.size_bytes, got });
        match (status.get(), range) {
            (206, Some(asked)) => {
                let told = output.content_range().unwrap_or("none");
                match parse_content_range(told) {
                    Some((_, Some(total))) if total != self.file.size_bytes => wrong_size(total),
                    Some((sent, _)) if sent == *asked => Ok(Answer { output, whole: false }),
                    _ => unexpected(format!(
                        "asked for bytes {}-{}, got a Content-Range of `{told}`",
                        asked.start,
                        asked.end - 1
                    )),
                }
            }
            (200, _) => match output.content_length().and_then(|length| u64::try_from(length).ok()) {
                Some(length) if length != self.file.size_bytes => wrong_size(length),
                _ => Ok(Answer { output, whole: true }),
            },
            (status, _) => unexpected(format!("HTTP {status} to a GET of an object")),
        }
    }
}

/// The beginning of an object's bytes.
struct Answer {
    output: GetObjectOutput,
    /// From the first byte to the last, whatever was asked for.
    whole: bool,
}

/// Keeps the status of a successful answer, which the SDK's output does not tell: 200 and 206 are the difference
/// between the whole object and a part.
#[derive(Debug, Clone, Default)]
struct Status(Arc<AtomicU16>);

impl Status {
    fn get(&self) -> u16 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Status {
    fn name(&self) -> &'static str {
        "Status"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.store(context.response().status().as_u16(), Ordering::Relaxed);
        Ok(())
    }
}

/// Where a range is written, and how far it is.
struct Output<'a> {
    file: BufWriter<File>,
    path: &'a Path,
    /// Place of the next byte in the object.
    at: u64,
}

impl<'a> Output<'a> {
    async fn open(path: &'a Path, at: u64) -> Result<Self, SourceError> {
        let file = OpenOptions::new().write(true).open(path).await.map_err(|error| SourceError::disk(path, error))?;
        let mut output = Self { file: BufWriter::with_capacity(WRITE_BUFFER, file), path, at };
        output.seek(at).await?;
        Ok(output)
    }

    async fn seek(&mut self, at: u64) -> Result<(), SourceError> {
        self.file.seek(SeekFrom::Start(at)).await.map_err(|error| SourceError::disk(self.path, error))?;
        self.at = at;
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.file.write_all(bytes).await.map_err(|error| SourceError::disk(self.path, error))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Waits until the bytes are in the file: a `tokio` file hears of a failed write only with the next call.
    async fn flush(&mut self) -> Result<(), SourceError> {
        self.file.flush().await.map_err(|error| SourceError::disk(self.path, error))
    }
}
