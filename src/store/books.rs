//! What is wrong with the books of a database: ledgers and coverage, held against each other, and words that mean nothing. Pure:
//! a store reads the rows of each [`Table`], one at a time, and removes what this says belongs to nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::{ContentHash, Defect};
use crate::model::{Dataset, FileKind, Outcome, Symbol, TimeframeSet};

/// A table and its columns: the dataset first, and then the date, if it has one.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
}

/// A column and whether a text means something there.
pub(super) type Column = (&'static str, fn(&str) -> bool);

impl Table {
    /// All rows, their columns as texts; in the dialect of every store.
    pub(super) fn select(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|(name, _)| format!("CAST({name} AS TEXT)")).collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.name)
    }
}

/// The books that every store has.
pub(super) const BOOKS: [&Table; 4] = [&LEDGER, &COVERAGE, &REST, &RESTATEMENTS];

const LEDGER: Table = Table {
    name: "ingest_ledger",
    columns: &[
        ("dataset", is_dataset),
        ("session_date", is_date),
        ("file", is_file),
        ("scope", is_scope),
        ("object_key", is_anything),
        ("etag", is_anything),
        ("size_bytes", is_anything),
        ("outcome", is_outcome),
        ("content_hash", |text| text.parse::<ContentHash>().is_ok()),
        ("last_modified", is_time),
        ("finished_at", is_time),
    ],
};

const COVERAGE: Table = Table {
    name: "coverage",
    columns: &[
        ("dataset", is_dataset),
        ("session_date", is_date),
        // What is no symbol is another kind of defect.
        ("symbol", is_anything),
        ("timeframes", is_timeframes),
    ],
};

const REST: Table = Table {
    name: "rest_ledger",
    columns: &[
        ("dataset", is_dataset),
        ("session_date", is_date),
        ("symbol", is_anything),
        ("timeframes", is_timeframes),
        ("exact_vwap", is_timeframes),
        ("outcome", is_outcome),
        ("fetched_at", is_time),
        ("finished_at", is_time),
    ],
};

const RESTATEMENTS: Table = Table {
    name: "restatements",
    columns: &[
        ("dataset", is_dataset),
        ("session_date", is_date),
        ("file", is_file),
        ("loaded_at", is_time),
        ("old_last_modified", is_time),
        ("new_last_modified", is_time),
    ],
};

pub(super) fn is_dataset(text: &str) -> bool {
    text.parse::<Dataset>().is_ok()
}

/// Days are looked up by the text of their date, so only one way of writing it will do.
pub(super) fn is_date(text: &str) -> bool {
    text.parse::<Date>().is_ok_and(|date| date.to_string() == text)
}

fn is_file(text: &str) -> bool {
    text.parse::<FileKind>().is_ok()
}

fn is_timeframes(text: &str) -> bool {
    text.parse::<TimeframeSet>().is_ok()
}

fn is_outcome(text: &str) -> bool {
    text.parse::<Outcome>().is_ok()
}

fn is_scope(text: &str) -> bool {
    [ALL, SYMBOLS].contains(&text)
}

fn is_time(text: &str) -> bool {
    text.parse().is_ok_and(|milliseconds| Timestamp::from_millisecond(milliseconds).is_ok())
}

const fn is_anything(_: &str) -> bool {
    true
}

/// For whom a file is loaded, in the ledger's words.
const ALL: &str = "all";
const SYMBOLS: &str = "symbols";

/// Dataset and date, as written.
pub(super) type DayName = (String, String);

/// A day by the words of the tables, if they mean one.
pub(super) fn day((dataset, date): &DayName) -> Option<(Dataset, Date)> {
    let date = Some(date).filter(|date| is_date(date))?;
    Some((dataset.parse().ok()?, date.parse().ok()?))
}

/// A word that means nothing, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Misword {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    pub(super) word: String,
}

/// The books of all days, as far as they must agree. A few bytes for each day, however many symbols are covered on it.
#[derive(Debug, Default)]
pub(super) struct Books {
    days: BTreeMap<DayName, Day>,
    /// Words that mean nothing: how often on which days.
    miswords: BTreeMap<Misword, BTreeMap<DayName, u64>>,
    /// Dataset and symbol of rows that have a symbol which is none of their dataset, or spelt as none is stored: how often, and
    /// since when.
    misplaced: BTreeMap<(String, String), (u64, String)>,
}

#[derive(Debug, Default)]
struct Day {
    /// Of each kind of file: for whom it is loaded, if it is.
    loaded: [Option<String>; FileKind::ALL.len()],
    /// Of each kind of file: rows of coverage with timeframes of it.
    covered: [u64; FileKind::ALL.len()],
    /// What is covered for everyone.
    everyone: Option<TimeframeSet>,
    rows_of_coverage: u64,
    /// Whether the REST API has brought anything, be it that there is nothing.
    is_fetched: bool,
}

impl Books {
    /// Takes a row of a table, with its columns as texts.
    pub(super) fn read(&mut self, table: &Table, row: &[Option<&str>]) {
        let text = |at: usize| row.get(at).copied().flatten().unwrap_or_default().to_owned();
        let has_date = table.columns.get(1).is_some_and(|(name, _)| *name == "session_date");
        let name = (text(0), if has_date { text(1) } else { String::new() });
        for ((column, means_something), word) in table.columns.iter().zip(row) {
            if let Some(word) = word.filter(|word| !means_something(word)) {
                let misword = Misword { table: table.name, column, word: word.to_owned() };
                *self.miswords.entry(misword).or_default().entry(name.clone()).or_default() += 1;
            }
        }
        match (table.name, row) {
            ("ingest_ledger", [_, _, Some(file), scope, Some(_), Some(_), Some(_), ..]) => {
                if let Ok(kind) = file.parse::<FileKind>() {
                    let scope = scope.unwrap_or_default().to_owned();
                    self.days.entry(name).or_default().loaded[kind as usize] = Some(scope);
                }
            }
            ("coverage", [_, _, Some(symbol), Some(timeframes)]) => self.cover(name, symbol, timeframes),
            ("rest_ledger", [_, _, Some(symbol), Some(timeframes), ..]) => {
                self.place(&name, symbol);
                self.days.entry(name).or_default().is_fetched |= !timeframes.is_empty();
            }
            _ => {}
        }
    }

    fn place(&mut self, name: &DayName, symbol: &str) {
        if is_of(&name.0, symbol) {
            return;
        }
        let place = (name.0.clone(), symbol.to_owned());
        let (rows, first) = self.misplaced.entry(place).or_insert_with(|| (0, name.1.clone()));
        *rows += 1;
        if name.1 < *first {
            first.clone_from(&name.1);
        }
    }

    fn cover(&mut self, name: DayName, symbol: &str, timeframes: &str) {
        if symbol != "*" {
            self.place(&name, symbol);
        }
        let day = self.days.entry(name).or_default();
        day.rows_of_coverage += 1;
        // What cannot be read is told as such.
        let timeframes: TimeframeSet = timeframes.parse().unwrap_or_default();
        for kind in FileKind::ALL {
            day.covered[kind as usize] += u64::from(!timeframes.and(kind.timeframes()).is_empty());
        }
        if symbol == "*" {
            day.everyone = Some(timeframes);
        }
    }

    /// Words that mean nothing.
    pub(super) fn miswords(&self) -> impl Iterator<Item = &Misword> {
        self.miswords.keys()
    }

    /// What is to be said of them: one for each day they stand in.
    pub(super) fn unknown_words(&self) -> Vec<Defect> {
        let each = self
            .miswords
            .iter()
            .flat_map(|(misword, days)| days.iter().map(move |(name, rows)| unknown_word(misword, name, *rows)));
        each.collect()
    }

    /// Whether the ledgers know of anything that is loaded of a day.
    pub(super) fn is_loaded(&self, name: &DayName) -> bool {
        self.days.get(name).is_some_and(|day| day.has_file() || day.is_fetched)
    }

    /// What does not agree. `stored` are the days that have bars.
    pub(super) fn conflicts(&self, stored: &BTreeSet<DayName>) -> Vec<Defect> {
        let nothing = Day::default();
        let names: BTreeSet<&DayName> = self.days.keys().chain(stored).collect();
        let mut defects = Vec::new();
        for name in names {
            let books = self.days.get(name).unwrap_or(&nothing);
            books.check(stored.contains(name), &mut |kind, detail| {
                defects.push(Defect { kind, day: day(name), symbol: None, detail });
            });
        }
        defects.extend(self.misplaced.iter().map(|((dataset, ticker), (rows, first))| Defect {
            kind: "scope_conflict",
            day: day(&(dataset.clone(), first.clone())),
            symbol: Some(ticker.clone()),
            detail: format!(
                "{rows} rows of coverage or of the REST API's ledger, the first of {first}, have `{ticker}`, which is no symbol of \
                 {dataset}"
            ),
        }));
        defects
    }

    /// Days with coverage and nothing it could be of: no file that is loaded, and no bars.
    pub(super) fn orphans(&self, stored: &BTreeSet<DayName>) -> Vec<&DayName> {
        let orphaned = self.days.iter().filter(|(_, day)| day.rows_of_coverage > 0 && !day.has_file());
        orphaned.map(|(name, _)| name).filter(|name| !stored.contains(*name)).collect()
    }
}

/// What is to be said of a word that means nothing.
pub(super) fn unknown_word(misword: &Misword, name: &DayName, rows: u64) -> Defect {
    let Misword { table, column, word } = misword;
    let (dataset, date) = name;
    Defect {
        kind: "unknown_word",
        day: day(name),
        symbol: None,
        detail: format!("`{word}` as {column} in {rows} rows of {table}, {dataset} {date}").trim_end().to_owned(),
    }
}

/// Whether a ticker is stored as one of a dataset.
fn is_of(dataset: &str, ticker: &str) -> bool {
    let symbol = Symbol::from_ticker(ticker);
    symbol.is_ok_and(|symbol| symbol.as_str() == ticker && symbol.dataset().as_str() == dataset)
}

impl Day {
    fn has_file(&self) -> bool {
        self.loaded.iter().any(Option::is_some)
    }

    fn check(&self, has_bars: bool, found: &mut impl FnMut(&'static str, String)) {
        for kind in FileKind::ALL {
            let rows = self.covered[kind as usize];
            if rows > 0 && self.loaded[kind as usize].is_none() {
                let file = kind.as_str();
                found("orphan_coverage", format!("{rows} rows of coverage, and no {file} file that is loaded"));
            }
        }
        if self.has_file() && self.rows_of_coverage == 0 {
            let files = FileKind::ALL.iter().filter(|kind| self.loaded[**kind as usize].is_some());
            let files: Vec<_> = files.map(|kind| format!("the {}", kind.as_str())).collect();
            let detail = format!("{} file is loaded, and no coverage says what of it", files.join(" and "));
            found("ledger_without_coverage", detail);
        }
        if has_bars && !self.has_file() && !self.is_fetched {
            let detail = "bars are stored, and the ledger has no file that is loaded, nor an answer of the REST API";
            found("day_without_ledger", detail.to_owned());
        }
        // A file is loaded for all as soon as anything of the day is.
        for kind in FileKind::ALL {
            let is_of_all = self.everyone.is_some_and(|everyone| !everyone.and(kind.timeframes()).is_empty());
            let (scope, but) = match self.loaded[kind as usize].as_deref() {
                Some(ALL) if self.everyone.is_none() => (ALL, "for named symbols only"),
                Some(SYMBOLS) if is_of_all => (SYMBOLS, "for all"),
                _ => continue,
            };
            let file = kind.as_str();
            found("scope_conflict", format!("the {file} file is loaded for `{scope}`, and the coverage says {but}"));
        }
    }
}
