//! Faults of the REST endpoints, as scripts name them.

use std::str::FromStr;

use crate::sandbox::rules::positive;

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestFault {
    /// Another status, and how its body is said.
    Status(u16, Body),
    /// 200 and a page in HTML.
    Html,
    /// The body ends after so many bytes, as if it were whole.
    Truncate(u64),
    /// 200 without rows.
    Empty,
    /// 200 with `results` null.
    Null,
    /// 200 without rows; `next_url` leads to them.
    EmptyPage,
    /// `next_url` leads to the same page.
    RepeatPage,
    /// `next_url` of a page that is not the first leads to the first.
    Loop,
    /// `next_url` leads to another origin.
    ForeignNext(String),
    /// Adjusted for splits, whatever was asked for.
    Adjusted,
    /// The answer names another ticker.
    WrongTicker,
    /// So many rows are left out; the answer counts them.
    DropRows(usize),
    /// So many rows that cannot be bars among the good ones.
    BadRows(usize),
    /// Every tenth row comes twice.
    DuplicateRows,
    /// `status` says DELAYED.
    Delayed,
}

/// How the body of a refusal is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// The vendor's JSON.
    Json,
    /// None.
    Empty,
    /// A gateway's page.
    Html,
}

/// The part of the language that is about these faults, as `--help` shows it.
pub(in crate::sandbox::server) const LANGUAGE: &str = "\
For REST:
  status:CODE[:BODY]   401 403 404 413 429 499 500 502 503 504; BODY as JSON, or empty, or html
  retry-after:SECONDS  the header
  html                 200 and a page in HTML
  truncate:AT          the JSON ends there, as if it were whole
  empty                200 without results
  null                 200 with results null
  empty-page           200 without results; next_url leads to them
  repeat-page          next_url leads to the same page
  loop                 next_url leads to the first page, unless this is it
  foreign-next[:URL]   next_url leads to another host
  page-size:ROWS       pages are smaller than asked for
  adjusted             adjusted for splits, though that was not asked for
  wrong-ticker         the answer names another ticker
  drop-rows:N          so many rows less than resultsCount says
  bad-rows:N           so many rows that cannot be bars among the others
  duplicate-rows       every tenth row comes twice
  delayed              status DELAYED";

/// What a script can make of a status.
const STATUSES: [u16; 10] = [401, 403, 404, 413, 429, 499, 500, 502, 503, 504];

impl FromStr for RestFault {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let (name, argument) = word.split_once(':').map_or((word, None), |(name, rest)| (name, Some(rest)));
        let rows = || positive(argument.unwrap_or_default()).map(|rows| rows as usize);
        match (name, argument) {
            ("status", Some(status)) => {
                let (code, body) = status.split_once(':').unwrap_or((status, "json"));
                let body = match body {
                    "json" => Body::Json,
                    "empty" => Body::Empty,
                    "html" => Body::Html,
                    _ => return Err(format!("`{body}` is no kind of body (known: empty html)")),
                };
                let known = code.parse().ok().filter(|code| STATUSES.contains(code));
                known
                    .map(|code| Self::Status(code, body))
                    .ok_or(format!("`{code}` is none of the statuses {STATUSES:?}"))
            }
            ("html", None) => Ok(Self::Html),
            ("truncate", Some(bytes)) => {
                bytes.parse().map(Self::Truncate).map_err(|_| format!("`{bytes}` is not a number of bytes"))
            }
            ("empty", None) => Ok(Self::Empty),
            ("null", None) => Ok(Self::Null),
            ("empty-page", None) => Ok(Self::EmptyPage),
            ("repeat-page", None) => Ok(Self::RepeatPage),
            ("loop", None) => Ok(Self::Loop),
            ("foreign-next", origin) => Ok(Self::ForeignNext(origin.unwrap_or("https://rest.invalid").to_owned())),
            ("adjusted", None) => Ok(Self::Adjusted),
            ("wrong-ticker", None) => Ok(Self::WrongTicker),
            ("drop-rows", Some(_)) => rows().map(Self::DropRows),
            ("bad-rows", Some(_)) => rows().map(Self::BadRows),
            ("duplicate-rows", None) => Ok(Self::DuplicateRows),
            ("delayed", None) => Ok(Self::Delayed),
            _ => Err(format!("`{word}` is no fault")),
        }
    }
}
