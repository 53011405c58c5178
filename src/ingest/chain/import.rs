//! A user's own open interest: a CSV file with a header and a line per session and contract.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use csv::{ByteRecord, Reader, ReaderBuilder};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{Calendar, Dataset, OptionTicker, Symbol, last_finished_session, regular_open, xnys};
use crate::net::tidy;
use crate::store::{ChainRow, ChainSource};

const DATE: &str = "date";
const CONTRACT: &str = "contract";
const OPEN_INTEREST: &str = "open_interest";
/// May be left out.
const UNDERLYING: &str = "underlying";

/// Why a file says nothing that can be stored.
#[derive(Debug, thiserror::Error)]
pub enum ChainFileError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// Its first line is another.
    #[error("the header must have the columns {DATE},{CONTRACT},{OPEN_INTEREST} and may have {UNDERLYING}: {0}")]
    Header(String),
    /// Some of its lines.
    #[error("{count} of its lines cannot be stored, so none of them was")]
    Lines {
        /// How many.
        count: u64,
        /// The first [`ChainFile::MOST_TOLD`] of them, ascending.
        first: Vec<BadLine>,
    },
}

/// A line that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BadLine {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: LineProblem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// Other fields than the header.
    #[error("{found} fields, the header has {expected}")]
    Fields {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// No text.
    #[error("not UTF-8")]
    NotText,
    /// No date.
    #[error("`{0}` is not a date of the form YYYY-MM-DD")]
    Date(String),
    /// Nothing was traded.
    #[error("{0} is not a session")]
    NotASession(Date),
    /// Nobody knows yet.
    #[error("{0} is not over")]
    NotOver(Date),
    /// No contract.
    #[error("`{0}` is not the ticker of an option contract, such as SPY251219C00600000")]
    Contract(String),
    /// Gone by then.
    #[error("the contract ended on {0}, before that date")]
    Ended(Date),
    /// No number.
    #[error("`{0}` is not an open interest: a whole number of contracts, 0 or more")]
    OpenInterest(String),
    /// Nothing that has options.
    #[error("`{0}` is not the ticker of a stock or index")]
    Underlying(String),
    /// The same contract and date with another number.
    #[error("it contradicts line {0}, which is about the same contract and date")]
    Contradicts(u64),
}

/// A file that was read whole: every line of it makes sense.
#[derive(Debug)]
pub struct ChainFile {
    lines: Vec<Line>,
    /// Lines that say what another one has said.
    pub repeated: u64,
}

/// A line; many of them are in memory.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    underlying: Arc<str>,
    date: Date,
    contract: Box<str>,
    open_interest: u64,
    line: u64,
}

impl ChainFile {
    /// Bad lines that are told one by one.
    pub const MOST_TOLD: usize = 1000;

    /// How many rows there are to store.
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is nothing to store.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The rows by underlying, session and contract. Each is known at the regular open of the next session: the clearing house
    /// has published before.
    pub fn into_rows(self) -> impl Iterator<Item = ChainRow> + Send {
        let mut known: Option<(Date, Timestamp)> = None;
        self.lines.into_iter().map(move |line| {
            let known_at = match known {
                Some((date, known_at)) if date == line.date => known_at,
                _ => next_open(line.date),
            };
            known = Some((line.date, known_at));
            ChainRow {
                session_date: line.date,
                underlying: (*line.underlying).to_owned(),
                contract: line.contract.into(),
                open_interest: Some(line.open_interest),
                implied_volatility: None,
                delta: None,
                gamma: None,
                theta: None,
                vega: None,
                day_volume: None,
                known_at,
                source: ChainSource::Import,
            }
        })
    }
}

/// The regular open of the session after a date.
fn next_open(date: Date) -> Timestamp {
    let next = date.tomorrow().ok().and_then(|next| xnys().sessions(next..=Calendar::LAST).next());
    // The calendar of a program ends years after it was made, and dates are not in the future.
    regular_open(next.map_or(date.saturating_add(jiff::Span::new().days(7)), |(next, _)| next))
}

/// Where the columns are.
struct Columns {
    count: usize,
    date: usize,
    contract: usize,
    open_interest: usize,
    underlying: Option<usize>,
}

/// Reads a file as of an instant. All bad lines are found before any is told.
pub fn read_chain_file(input: impl Read, now: Timestamp) -> Result<ChainFile, ChainFileError> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut record = ByteRecord::new();
    let latest = last_finished_session(Dataset::Options, now);
    let mut reading = Reading { latest, names: HashMap::new(), lines: Vec::new() };
    let columns = if next(&mut reader, &mut record)? {
        columns(&record)?
    } else {
        return Err(ChainFileError::Header("the file is empty".to_owned()));
    };
    let mut bad = Vec::new();
    while next(&mut reader, &mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        if let Err(problem) = reading.add(&record, &columns, line) {
            bad.push(BadLine { line, problem });
        }
    }
    let Reading { mut lines, .. } = reading;
    let repeated = without_repetitions(&mut lines, &mut bad);
    if bad.is_empty() {
        lines.sort_unstable();
        return Ok(ChainFile { lines, repeated });
    }
    bad.sort_by_key(|bad| bad.line);
    let count = bad.len() as u64;
    bad.truncate(ChainFile::MOST_TOLD);
    Err(ChainFileError::Lines { count, first: bad })
}

fn next(reader: &mut Reader<impl Read>, record: &mut ByteRecord) -> Result<bool, ChainFileError> {
    reader.read_byte_record(record).map_err(|error| ChainFileError::Read(error.into()))
}

fn columns(header: &ByteRecord) -> Result<Columns, ChainFileError> {
    let names: Vec<_> = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    let wrong = |what: String| ChainFileError::Header(what);
    let place = |wanted: &str| {
        let mut places = names.iter().enumerate().filter(|(_, name)| *name == wanted).map(|(place, _)| place);
        match (places.next(), places.next()) {
            (_, Some(_)) => Err(wrong(format!("{wanted} is there twice"))),
            (place, None) => Ok(place),
        }
    };
    let required = |wanted: &str| place(wanted)?.ok_or_else(|| wrong(format!("{wanted} is missing")));
    let known = [DATE, CONTRACT, OPEN_INTEREST, UNDERLYING];
    let columns = Columns {
        count: names.len(),
        date: required(DATE)?,
        contract: required(CONTRACT)?,
        open_interest: required(OPEN_INTEREST)?,
        underlying: place(UNDERLYING)?,
    };
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(columns),
        Some(other) => Err(wrong(format!("nothing is known of `{}`; leave it out", tidy(other)))),
    }
}

struct Reading {
    /// The last session that is over.
    latest: Date,
    /// Tickers of underlyings, each in memory once.
    names: HashMap<String, Arc<str>>,
    lines: Vec<Line>,
}

impl Reading {
    fn add(&mut self, record: &ByteRecord, columns: &Columns, line: u64) -> Result<(), LineProblem> {
        if record.len() != columns.count {
            return Err(LineProblem::Fields { found: record.len(), expected: columns.count });
        }
        let field = |place: usize| {
            let text = std::str::from_utf8(record.get(place).unwrap_or_default());
            text.map(str::trim).map_err(|_| LineProblem::NotText)
        };
        let date = self.date(field(columns.date)?)?;
        let contract = contract(field(columns.contract)?)?;
        if contract.expiry() < date {
            return Err(LineProblem::Ended(contract.expiry()));
        }
        let number = field(columns.open_interest)?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let open_interest = number.parse().ok().filter(|number: &u64| is_number && i64::try_from(*number).is_ok());
        let open_interest = open_interest.ok_or_else(|| LineProblem::OpenInterest(tidy(number)))?;
        let named = columns.underlying.map(field).transpose()?.filter(|name| !name.is_empty());
        let underlying = match named {
            Some(name) => underlying(name)?,
            None => contract.likely_underlying(),
        };
        let underlying = if let Some(known) = self.names.get(&underlying) {
            Arc::clone(known)
        } else {
            let name: Arc<str> = underlying.as_str().into();
            self.names.insert(underlying, Arc::clone(&name));
            name
        };
        self.lines.push(Line { underlying, date, contract: contract.to_string().into(), open_interest, line });
        Ok(())
    }

    fn date(&self, text: &str) -> Result<Date, LineProblem> {
        let date: Option<Date> = text.parse().ok();
        let date = date.filter(|date| date.to_string() == text).ok_or_else(|| LineProblem::Date(tidy(text)))?;
        match () {
            () if xnys().session(date).is_none() => Err(LineProblem::NotASession(date)),
            () if date > self.latest => Err(LineProblem::NotOver(date)),
            () => Ok(date),
        }
    }
}

fn contract(text: &str) -> Result<OptionTicker, LineProblem> {
    let prefix = Dataset::Options.ticker_prefix();
    let bare = text.strip_prefix(prefix).unwrap_or(text);
    format!("{prefix}{bare}").parse().map_err(|_| LineProblem::Contract(tidy(text)))
}

fn underlying(text: &str) -> Result<String, LineProblem> {
    let symbol = Symbol::from_ticker(text).ok();
    let symbol = symbol.filter(|symbol| matches!(symbol.dataset(), Dataset::Stocks | Dataset::Indices));
    symbol.map(|symbol| symbol.as_str().to_owned()).ok_or_else(|| LineProblem::Underlying(tidy(text)))
}

/// Keeps the first of lines that say the same, and says how many others there were; lines about the same contract and date that
/// say something else are bad.
fn without_repetitions(lines: &mut Vec<Line>, bad: &mut Vec<BadLine>) -> u64 {
    lines.sort_unstable_by(|a, b| (&a.contract, a.date, a.line).cmp(&(&b.contract, b.date, b.line)));
    let mut repeated = 0;
    lines.dedup_by(|later, first| {
        if (&later.contract, later.date) != (&first.contract, first.date) {
            return false;
        }
        if (later.open_interest, &later.underlying) == (first.open_interest, &first.underlying) {
            repeated += 1;
        } else {
            bad.push(BadLine { line: later.line, problem: LineProblem::Contradicts(first.line) });
        }
        true
    });
    repeated
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-10-05T16:00:00Z".parse().unwrap()
    }

    fn read(text: &str) -> Result<ChainFile, String> {
        read_chain_file(text.as_bytes(), now()).map_err(|error| match error {
            ChainFileError::Lines { count, first } => {
                assert_eq!(count, first.len() as u64);
                first.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            }
            other => other.to_string(),
        })
    }

    #[test]
    fn columns_are_bound_by_name() {
        let text = "\u{feff}open_interest, date ,contract\r\n5,2026-10-02,SPY261016C00600000\r\n\r\n\
                    7,2026-10-02,\"O:SPXW261016P06000000\"\r\n0,2026-10-01,SPY261016C00600000\r\n";
        let rows: Vec<_> = read(text).unwrap().into_rows().collect();
        let key = |row: &ChainRow| (row.underlying.clone(), row.session_date, row.contract.clone(), row.open_interest);
        let expected = [
            ("I:SPX", date(2026, 10, 2), "O:SPXW261016P06000000", 7),
            ("SPY", date(2026, 10, 1), "O:SPY261016C00600000", 0),
            ("SPY", date(2026, 10, 2), "O:SPY261016C00600000", 5),
        ];
        let expected = expected.map(|(on, date, contract, n)| (on.to_owned(), date, contract.to_owned(), Some(n)));
        assert_eq!(rows.iter().map(key).collect::<Vec<_>>(), expected);
        // Friday's are known on Monday, Thursday's on Friday, at half past nine in New York.
        let known_at: Vec<_> = rows.iter().map(|row| row.known_at.to_string()).collect();
        assert_eq!(known_at, ["2026-10-05T13:30:00Z", "2026-10-02T13:30:00Z", "2026-10-05T13:30:00Z"]);
        let named = read(
            "date,contract,open_interest,underlying\n2026-10-02,BRKB261016C00500000,1,BRK.B\n\
                          2026-10-02,SPY261016C00600000,1,\n",
        );
        let underlyings: Vec<_> = named.unwrap().into_rows().map(|row| row.underlying).collect();
        assert_eq!(underlyings, ["BRK.B", "SPY"]);
    }

    #[test]
    fn another_header_is_refused() {
        for (header, reason) in [
            ("", "the file is empty"),
            ("date,contract", "open_interest is missing"),
            ("date,contract,open_interest,date", "date is there twice"),
            ("date,contract,open_interest,volume", "nothing is known of `volume`; leave it out"),
            ("Date,contract,open_interest", "date is missing"),
        ] {
            let error = read(header).unwrap_err();
            assert!(error.ends_with(reason), "{header}: {error}");
        }
        assert!(read("date,contract,open_interest\n").unwrap().is_empty());
    }

    #[test]
    fn every_bad_line_is_named_with_its_reason() {
        let text = "date,contract,open_interest\n\
                    2026-10-02,SPY261016C00600000,5\n\
                    2026-10-02,SPY261016C00600000\n\
                    2.10.2026,SPY261016C00600000,5\n\
                    2026-10-03,SPY261016C00600000,5\n\
                    2026-10-05,SPY261016C00600000,5\n\
                    2026-10-02,SPY,5\n\
                    2026-10-02,SPY261001C00600000,5\n\
                    2026-10-02,SPY261016C00605000,-5\n\
                    2026-10-02,SPY261016C00605000,+5\n\
                    2026-10-02,SPY261016C00605000,5.0\n\
                    2026-10-02,SPY261016C00605000,\n\
                    2026-10-02,SPY261016C00605000,9223372036854775808\n\
                    2026-10-02,O:SPY261016C00600000,6\n";
        let expected = "line 3: 2 fields, the header has 3\n\
                        line 4: `2.10.2026` is not a date of the form YYYY-MM-DD\n\
                        line 5: 2026-10-03 is not a session\n\
                        line 6: 2026-10-05 is not over\n\
                        line 7: `SPY` is not the ticker of an option contract, such as SPY251219C00600000\n\
                        line 8: the contract ended on 2026-10-01, before that date\n\
                        line 9: `-5` is not an open interest: a whole number of contracts, 0 or more\n\
                        line 10: `+5` is not an open interest: a whole number of contracts, 0 or more\n\
                        line 11: `5.0` is not an open interest: a whole number of contracts, 0 or more\n\
                        line 12: `` is not an open interest: a whole number of contracts, 0 or more\n\
                        line 13: `9223372036854775808` is not an open interest: a whole number of contracts, 0 or more\n\
                        line 14: it contradicts line 2, which is about the same contract and date";
        assert_eq!(read(text).unwrap_err(), expected);
        let other = read("underlying,date,contract,open_interest\nX:BTCUSD,2026-10-02,SPY261016C00600000,5\n");
        assert_eq!(other.unwrap_err(), "line 2: `X:BTCUSD` is not the ticker of a stock or index");
        let text = b"date,contract,open_interest\n2026-10-02,\xff,5\n";
        let error = read_chain_file(text.as_slice(), now()).unwrap_err();
        assert!(matches!(error, ChainFileError::Lines { first, .. } if first[0].problem == LineProblem::NotText));
    }

    #[test]
    fn lines_that_repeat_another_are_counted() {
        let line = "2026-10-02,SPY261016C00600000,5\n";
        let file = read(&format!("date,contract,open_interest\n{line}{line}2026-10-01,SPY261016C00600000,5\n{line}"));
        let file = file.unwrap();
        assert_eq!((file.repeated, file.len()), (2, 2));
    }

    proptest! {
        #[test]
        fn no_file_is_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200), has_header in any::<bool>()) {
            let header = if has_header { "date,contract,open_interest\n" } else { "" };
            let _ = read_chain_file([header.as_bytes(), &bytes].concat().as_slice(), now());
        }
    }
}
