//! The S3 source against a server that answers by script: what is asked for, how each answer is understood, and what
//! is on disk afterwards.

mod fetching;
mod listing;
mod server;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use barkeep::ingest::rest::SymbolDayReport;
use barkeep::ingest::source::{
    Cache, CacheKeep, DayFile, FileKind, S3Credentials, S3Options, S3Source, Source, SourceError, key,
};
use barkeep::ingest::{DayReport, Reporter};
use barkeep::model::Dataset;
use barkeep::net::{Retry, RetryBudget, RetryPolicy};
use jiff::civil::{Date, date};

use server::Server;

/// Version token of the test object.
const ETAG: &str = "0123456789abcdef";
const DAY: Date = date(2026, 10, 2);

/// Keeps what it hears.
#[derive(Debug, Default)]
struct Listener {
    bytes: Mutex<u64>,
    notes: Mutex<Vec<String>>,
}

impl Reporter for Listener {
    fn start(&self, _days: u64, _bytes: u64) {}
    fn fetched(&self, bytes: u64) {
        *self.bytes.lock().unwrap() += bytes;
    }
    fn decoded(&self, _rows: u64) {}
    fn day_done(&self, _day: &DayReport) {}
    fn symbol_day_done(&self, _: &SymbolDayReport) {}
    fn requests(&self, _: u64, _: u64, _: std::time::Duration) {}
    fn note(&self, message: &str) {
        self.notes.lock().unwrap().push(message.to_owned());
    }
}

/// A source at a scripted server, with its cache.
struct Bench {
    server: Server,
    source: Source,
    cache: tempfile::TempDir,
    heard: Listener,
}

fn options(server: &Server) -> S3Options {
    let policy = RetryPolicy {
        attempts: 4,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(4),
        retry_after_cap: Duration::from_millis(2500),
    };
    S3Options {
        endpoint: server.endpoint.clone(),
        credentials: Some(S3Credentials::new("AKTEST", "topsecret")),
        stall_timeout: Duration::from_millis(150),
        part_size: 1000,
        retry: Retry::new(policy, Arc::new(RetryBudget::new(50))),
        ..S3Options::default()
    }
}

impl Bench {
    fn new(server: Server) -> Self {
        let options = options(&server);
        Self::with(server, options)
    }

    fn with(server: Server, options: S3Options) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let source = Source::S3 {
            bucket: S3Source::connect(options).unwrap(),
            cache: Cache::open(cache.path(), CacheKeep::default()).unwrap(),
        };
        Self { server, source, cache, heard: Listener::default() }
    }

    /// Fetches the test object; the answer is its content.
    async fn fetch(&self, size: usize) -> Result<Vec<u8>, SourceError> {
        let fetched = self.source.fetch(&file(size), &self.heard).await?;
        Ok(std::fs::read(fetched.path).unwrap())
    }

    /// Everything in the cache, unfinished files included.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, into) } else { into.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(self.cache.path(), &mut found);
        found
    }

    fn ranges(&self) -> Vec<Option<(usize, usize)>> {
        self.server.requests().iter().map(server::Request::range).collect()
    }
}

/// The listing's entry of the test object.
fn file(size: usize) -> DayFile {
    DayFile {
        dataset: Dataset::Stocks,
        kind: FileKind::Minute,
        date: DAY,
        key: key::build(Dataset::Stocks, FileKind::Minute, DAY),
        size_bytes: size as u64,
        etag: ETAG.to_owned(),
        last_modified: None,
    }
}

/// Bytes of which no two stretches are alike.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + i / 251) as u8).collect()
}

/// A real gzip file.
fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}
