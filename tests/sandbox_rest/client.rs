//! A client that does nothing of its own: one request, one connection, no retries.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use barkeep::sandbox::{FileId, ServeOptions};
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::harness::Vendor;

pub const KEY: &str = "sandbox-api-key";
pub const ORIGIN_OF_NOBODY: &str = "http://127.0.0.1:9";

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Reply {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The refusal's status and words.
    pub fn refusal(&self) -> (u16, String) {
        let body = self.json();
        let words = if body["error"].is_null() { &body["message"] } else { &body["error"] };
        (self.status, words.as_str().unwrap_or_default().to_owned())
    }
}

/// Sends a GET and reads the whole answer.
pub fn get(url: &str, headers: &[(&str, &str)]) -> io::Result<Reply> {
    get_with_patience(url, headers, Duration::from_mins(1))
}

/// The same, for so long without a byte.
pub fn get_with_patience(url: &str, headers: &[(&str, &str)], patience: Duration) -> io::Result<Reply> {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(patience))?;
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
    if headers.get("content-length").is_some_and(|length| *length != body.len().to_string()) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Reply { status, headers, body: body.to_owned() })
}

/// A vendor and its only customer.
pub struct Customer {
    pub vendor: Vendor,
}

impl Customer {
    pub fn of(folder: &Path, change: impl FnOnce(&mut ServeOptions)) -> Self {
        Self { vendor: Vendor::serve_with(folder, change) }
    }

    /// One whose vendor has REST only.
    pub fn with(change: impl FnOnce(&mut ServeOptions)) -> Self {
        let empty = tempfile::tempdir().unwrap();
        Self::of(empty.path(), change)
    }

    /// One whose vendor misbehaves.
    pub fn under(script: &str) -> Self {
        Self::with(|options| options.faults = script.parse().unwrap())
    }

    /// A path, or the address in a `next_url`.
    pub fn try_get(&self, path: &str) -> io::Result<Reply> {
        let url = if path.starts_with('/') { self.vendor.url() + path } else { path.to_owned() };
        get(&url, &[("authorization", &format!("Bearer {KEY}"))])
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.try_get(path).unwrap()
    }

    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    /// All pages of a request, at most a hundred.
    #[track_caller]
    pub fn pages(&self, path: &str) -> Vec<Value> {
        let mut pages = vec![self.json(path)];
        while let Some(next) = next(pages.last().unwrap()) {
            assert!(pages.len() < 100, "no end of {path}");
            pages.push(self.json(&next));
        }
        pages
    }
}

/// Where a page says that the next one is.
pub fn next(page: &Value) -> Option<String> {
    page["next_url"].as_str().map(str::to_owned)
}

/// The rows of pages.
pub fn rows<'a>(pages: impl IntoIterator<Item = &'a Value>) -> Vec<Value> {
    pages.into_iter().flat_map(|page| page["results"].as_array().cloned().unwrap_or_default()).collect()
}

/// Minutes of tickers on dates, unadjusted.
pub fn minutes(ticker: &str, from: &str, to: &str) -> String {
    format!("/v2/aggs/ticker/{ticker}/range/1/minute/{from}/{to}?adjusted=false&sort=asc&limit=50000")
}

/// A row as a file has it, by its columns' names.
pub type FileRow = BTreeMap<String, String>;

/// The rows of a ticker in a file on this disk.
pub fn file_rows(folder: &Path, file: &str, ticker: &str) -> Vec<FileRow> {
    let id: FileId = file.parse().unwrap();
    let mut text = String::new();
    let packed = std::fs::read(folder.join(id.key())).unwrap();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    let row =
        |line: &str| names.iter().map(|name| (*name).to_owned()).zip(line.split(',').map(str::to_owned)).collect();
    lines.map(row).filter(|row: &FileRow| row["ticker"] == ticker).collect()
}

/// A row of a file as the API would tell it, without the volume-weighted price.
pub fn told(row: &FileRow, stamp_ms: Option<i64>) -> BTreeMap<&'static str, f64> {
    let columns = [("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v"), ("transactions", "n")];
    let number = |(column, field): (&str, &'static str)| row.get(column).map(|text| (field, text.parse().unwrap()));
    let ns: i64 = row["window_start"].parse().unwrap();
    columns.into_iter().filter_map(number).chain([("t", stamp_ms.unwrap_or(ns / 1_000_000) as f64)]).collect()
}

/// A row of an answer in the same form.
pub fn heard(row: &Value) -> BTreeMap<&'static str, f64> {
    let fields = ["o", "h", "l", "c", "v", "n", "t"];
    fields.into_iter().filter_map(|field| row[field].as_f64().map(|number| (field, number))).collect()
}
