//! What was typed, as something that can be done.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;

use super::args::{BarsArgs, ExportArgs, FileArgs, SelectionArgs, SplitsArgs, StatusArgs};
use super::dates::{DateError, DateRule, parse_date};
use super::symbols::{SymbolListError, read_symbols};
use crate::export;
pub use crate::ingest::Accept;
use crate::model::{Dataset, Symbol, SymbolError, Timeframe, TimeframeError, TimeframeSet};
use crate::verify::SampleError;

/// Loaded when nothing is named and the watchlist is empty.
pub const STARTER_SET: [&str; 4] = ["SPY", "QQQ", "IWM", "DIA"];

/// What a command to load bars asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which symbols were named.
    pub named: Named,
    /// Which dates were named.
    pub dates: DateRule,
    /// The time that decides what is finished and what is future.
    pub now: Timestamp,
    /// Lengths of bars to roll up; never empty.
    pub timeframes: TimeframeSet,
    /// Load what is loaded already, too.
    pub force: bool,
    /// Which suspect days to load.
    pub accept: Accept,
    /// Load the vendor's own day bars, too.
    pub official_day: bool,
    /// Only say what would be loaded.
    pub dry_run: bool,
}

/// Which symbols were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// `--all`.
    All(Dataset),
    /// These, sorted, each once, at least one.
    Symbols(Vec<Symbol>),
    /// None: the watchlist, or the part of it that belongs to a dataset.
    Watchlist(Option<Dataset>),
}

/// What to load of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The dataset.
    pub dataset: Dataset,
    /// Its symbols.
    pub wanted: Wanted,
    /// Calendar dates, both ends included.
    pub dates: RangeInclusive<Date>,
}

/// Symbols of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Every one there is.
    All,
    /// These, sorted, each once, at least one.
    Symbols(Vec<Symbol>),
}

/// A request that cannot be meant: wrong usage.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Wrong symbols.
    #[error(transparent)]
    Symbols(#[from] SymbolListError),
    /// Wrong dates.
    #[error(transparent)]
    Dates(#[from] DateError),
    /// A timeframe that does not exist.
    #[error("--timeframes: {0}")]
    Timeframe(#[from] TimeframeError),
    /// The vendor's day bars among the timeframes.
    #[error(
        "--timeframes: day_official is not made from minutes; it is the vendor's own day bar, loaded beside the others \
         unless --no-official-day is given: leave it out of the list"
    )]
    OfficialDay,
    /// No timeframes.
    #[error("--timeframes: the list is empty; name some of 1m 5m 15m 1h 4h day, or leave the flag out")]
    NoTimeframes,
    /// A date of `--accept` that is none.
    #[error("--accept: `{text}` is {problem} (several with commas; no value at all accepts every date)")]
    Accept {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing named, and nothing on the watchlist to take instead.
    #[error(
        "no symbol is named, and the watchlist has none of {0}: name some with --symbol=S or --symbols=a,b,c, put some on \
         the list with `backfill watchlist add S`, or load everything with --all"
    )]
    NothingWatched(Dataset),
    /// A whole market by requests.
    #[error(
        "--all: the REST API is asked symbol by symbol, which a whole market is too much for: name symbols with --symbol=S or \
         --symbols=a,b,c, or load files with `backfill s3 --all`"
    )]
    RestOfAll,
    /// A sample that is none.
    #[error("--sample: {0}")]
    Sample(#[from] SampleError),
    /// Exchanged ends of a range.
    #[error("--from={from} lies after --to={to}: exchange them")]
    Backwards {
        /// First date.
        from: Date,
        /// Last date.
        to: Date,
    },
    /// Two forms at once. (Not left to clap, which overlooks it when `--json` stands before the command.)
    #[error("--csv and --json exclude each other: give one of them")]
    CsvAndJson,
    /// Something that options are not on.
    #[error("`{0}`: options are on stocks and indices; name one of these")]
    NoUnderlying(Symbol),
    /// A wrong symbol of `bars`.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
}

impl Request {
    /// Checks what was typed. List files are read; nothing else is.
    pub fn new(args: &SelectionArgs, files: &FileArgs, now: Timestamp) -> Result<Self, RequestError> {
        let request = Self {
            named: named(args)?,
            dates: args.period.rule()?,
            now,
            timeframes: timeframes(args.timeframes.as_deref(), args.all)?,
            force: args.force,
            accept: accept(files.accept.as_deref())?,
            official_day: !files.no_official_day,
            dry_run: args.dry_run,
        };
        // Wrong dates are wrong usage and found here, before a database is opened, for all datasets known by now.
        match &request.named {
            Named::Watchlist(Some(dataset)) => {
                request.dates.dates(*dataset, now)?;
            }
            // Whose dates they are is known only with the watchlist; wrong for sure are those no dataset has.
            Named::Watchlist(None) => {
                if Dataset::ALL.into_iter().all(|dataset| request.dates.dates(dataset, now).is_err()) {
                    request.dates.dates(Dataset::Stocks, now)?;
                }
            }
            Named::All(_) | Named::Symbols(_) => {
                request.selections(&[])?;
            }
        }
        Ok(request)
    }

    /// What to load of each dataset, with the watchlist for an answer when nothing was named; and what to say first
    /// when the starter set stands in for it.
    pub fn selections(&self, watchlist: &[Symbol]) -> Result<(Vec<Selection>, Option<String>), RequestError> {
        let selection = |dataset, wanted| {
            let dates = self.dates.dates(dataset, self.now)?;
            Ok::<_, RequestError>(Selection { dataset, wanted, dates })
        };
        let (symbols, note) = match &self.named {
            Named::All(dataset) => return Ok((vec![selection(*dataset, Wanted::All)?], None)),
            Named::Symbols(symbols) => (symbols.clone(), None),
            Named::Watchlist(dataset) => watched(watchlist, *dataset)?,
        };
        let mut by_dataset: BTreeMap<Dataset, BTreeSet<Symbol>> = BTreeMap::new();
        for symbol in symbols {
            by_dataset.entry(symbol.dataset()).or_default().insert(symbol);
        }
        let selections = by_dataset
            .into_iter()
            .map(|(dataset, symbols)| selection(dataset, Wanted::Symbols(symbols.into_iter().collect())))
            .collect::<Result<_, _>>()?;
        Ok((selections, note))
    }
}

fn named(args: &SelectionArgs) -> Result<Named, RequestError> {
    if args.all {
        return Ok(Named::All(args.dataset.unwrap_or(Dataset::Stocks)));
    }
    if args.symbol.is_empty() && args.symbols.is_empty() {
        return Ok(Named::Watchlist(args.dataset));
    }
    Ok(Named::Symbols(read_symbols("--symbol", &args.symbol, &args.symbols, args.dataset)?))
}

fn watched(watchlist: &[Symbol], dataset: Option<Dataset>) -> Result<(Vec<Symbol>, Option<String>), RequestError> {
    let of_dataset = |symbol: &&Symbol| dataset.is_none_or(|dataset| symbol.dataset() == dataset);
    let watched: Vec<_> = watchlist.iter().filter(of_dataset).cloned().collect();
    if !watched.is_empty() {
        return Ok((watched, None));
    }
    match dataset {
        Some(dataset) if dataset != Dataset::Stocks || !watchlist.is_empty() => {
            Err(RequestError::NothingWatched(dataset))
        }
        _ => {
            let symbols = STARTER_SET.into_iter().map(Symbol::from_ticker).collect::<Result<_, _>>()?;
            let note = format!(
                "No symbol named and the watchlist is empty: taking {}. Name others with --symbol=S or --symbols=a,b,c, \
                 keep them with `backfill watchlist add S`, or take every symbol with --all.",
                STARTER_SET.join(" ")
            );
            Ok((symbols, Some(note)))
        }
    }
}

fn timeframes(list: Option<&str>, all: bool) -> Result<TimeframeSet, RequestError> {
    let rolled = TimeframeSet::of(Timeframe::ROLLED);
    let Some(list) = list else {
        // Minutes of a whole market are most of its bars, and few who ask for all of it need them.
        return Ok(if all { rolled.minus(TimeframeSet::of([Timeframe::M1])) } else { rolled });
    };
    named_timeframes(list)
}

/// The timeframes of a list that was typed: those that are rolled up, at least one.
pub fn named_timeframes(list: &str) -> Result<TimeframeSet, RequestError> {
    let set: TimeframeSet = list.parse()?;
    if set.contains(Timeframe::DayOfficial) {
        return Err(RequestError::OfficialDay);
    }
    if set.is_empty() {
        return Err(RequestError::NoTimeframes);
    }
    Ok(set)
}

fn accept(value: Option<&str>) -> Result<Accept, RequestError> {
    match value {
        None => Ok(Accept::None),
        Some("all") => Ok(Accept::All),
        Some(dates) => dates
            .split(',')
            .map(|text| parse_date(text).map_err(|problem| RequestError::Accept { text: text.to_owned(), problem }))
            .collect::<Result<_, _>>()
            .map(Accept::Dates),
    }
}

/// What `bars` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarsRequest {
    /// The symbol.
    pub symbol: Symbol,
    /// Length of its bars.
    pub timeframe: Timeframe,
    /// First trading date; `None` for the first there is.
    pub from: Option<Date>,
    /// Last trading date; `None` for the last there is.
    pub to: Option<Date>,
    /// Only the last so many.
    pub limit: Option<u64>,
    /// How they are printed.
    pub format: BarsFormat,
    /// Whether what is not loaded is fetched, and if so whether it is stored.
    pub fetch: Option<Fetch>,
}

/// How bars that are not loaded are had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// First and last trading date.
    pub dates: RangeInclusive<Date>,
    /// Whether they are stored.
    pub keeps: bool,
}

/// How bars are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarsFormat {
    /// Aligned columns.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object.
    Json,
}

impl BarsRequest {
    /// Checks what was typed, `--json` included.
    pub fn new(args: &BarsArgs, json: bool, now: Timestamp) -> Result<Self, RequestError> {
        let format = match (args.csv, json) {
            (true, true) => return Err(RequestError::CsvAndJson),
            (true, false) => BarsFormat::Csv,
            (false, true) => BarsFormat::Json,
            (false, false) => BarsFormat::Table,
        };
        in_order(args.from, args.to)?;
        let symbol = Symbol::from_command_line(&args.symbol)?;
        let fetch = if args.fetch {
            let dates = DateRule::of(None, args.from, args.to)?.dates_so_far(symbol.dataset(), now)?;
            Some(Fetch { dates, keeps: !args.no_store })
        } else {
            None
        };
        Ok(Self { symbol, timeframe: args.timeframe, from: args.from, to: args.to, limit: args.limit, format, fetch })
    }
}

/// What `export` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    /// Of each market.
    pub markets: Vec<export::Request>,
    /// Whether all markets, symbols and dates are meant because none is named.
    pub everything_by_default: bool,
}

impl ExportRequest {
    /// Checks what was typed. List files are read; nothing else is.
    pub fn new(args: &ExportArgs, now: Timestamp) -> Result<Self, RequestError> {
        let timeframes = match args.timeframes.as_deref().map(str::parse::<TimeframeSet>).transpose()? {
            None => TimeframeSet::of(Timeframe::ALL),
            Some(set) if set.is_empty() => return Err(RequestError::NoTimeframes),
            Some(set) => set,
        };
        if let (Some(from), Some(to)) = (args.from, args.to)
            && from > to
        {
            return Err(RequestError::Backwards { from, to });
        }
        let named = read_symbols("--symbol", &args.symbol, &args.symbols, args.dataset)?;
        let mut symbols: BTreeMap<Dataset, Option<Vec<String>>> = BTreeMap::new();
        for symbol in &named {
            let of_market = symbols.entry(symbol.dataset()).or_default();
            of_market.get_or_insert_default().push(symbol.as_str().to_owned());
        }
        if named.is_empty() {
            let markets = args.dataset.map_or(Dataset::ALL.to_vec(), |dataset| vec![dataset]);
            symbols = markets.into_iter().map(|dataset| (dataset, None)).collect();
        }
        let market = |(dataset, symbols): (Dataset, Option<Vec<String>>)| {
            let dates = match args.days {
                Some(_) => DateRule::of(args.days, None, None)?.dates(dataset, now)?,
                None => args.from.unwrap_or(dataset.first_date())..=args.to.unwrap_or(Date::MAX),
            };
            Ok::<_, RequestError>(export::Request { dataset, symbols, timeframes, dates })
        };
        let dates_named = args.days.is_some() || args.from.is_some() || args.to.is_some();
        Ok(Self {
            markets: symbols.into_iter().map(market).collect::<Result<_, _>>()?,
            everything_by_default: named.is_empty() && !args.all && args.dataset.is_none() && !dates_named,
        })
    }
}

/// What `export --chain` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportChainRequest {
    /// On which stocks and indices; `None`: on all.
    pub underlyings: Option<Vec<Symbol>>,
    /// Of which sessions.
    pub dates: RangeInclusive<Date>,
}

impl ExportChainRequest {
    /// Checks what was typed. List files are read; nothing else is.
    pub fn new(args: &ExportArgs, now: Timestamp) -> Result<Self, RequestError> {
        in_order(args.from, args.to)?;
        let dates = match args.days {
            Some(_) => DateRule::of(args.days, None, None)?.dates(Dataset::Options, now)?,
            None => args.from.unwrap_or(FIRST_DATE)..=args.to.unwrap_or(Date::MAX),
        };
        Ok(Self { underlyings: chain_underlyings(&args.symbol, &args.symbols)?, dates })
    }
}

/// The stocks of `splits`, sorted, each once; `None` for all.
pub fn split_symbols(args: &SplitsArgs) -> Result<Option<Vec<Symbol>>, RequestError> {
    let symbols = read_symbols("--symbol", &args.symbol, &args.symbols, Some(Dataset::Stocks))?;
    Ok(Some(symbols).filter(|symbols| !symbols.is_empty()))
}

/// The underlyings of `chain`, sorted, each once; `None` where none is named.
pub fn chain_underlyings(typed: &[String], lists: &[String]) -> Result<Option<Vec<Symbol>>, RequestError> {
    let symbols = read_symbols("chain", typed, lists, None)?;
    let may_have_options = |symbol: &Symbol| matches!(symbol.dataset(), Dataset::Stocks | Dataset::Indices);
    match symbols.iter().find(|symbol| !may_have_options(symbol)) {
        Some(other) => Err(RequestError::NoUnderlying(other.clone())),
        None => Ok(Some(symbols).filter(|symbols| !symbols.is_empty())),
    }
}

/// What `status` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRequest {
    /// Only these symbols; all when empty.
    pub symbols: Vec<Symbol>,
    /// Only this dataset.
    pub dataset: Option<Dataset>,
    /// Instead of bars, what the vendor replaced: of these trading dates.
    pub restatements: Option<RangeInclusive<Date>>,
}

impl StatusRequest {
    /// Checks what was typed.
    pub fn new(args: &StatusArgs) -> Result<Self, RequestError> {
        in_order(args.from, args.to)?;
        let symbols = read_symbols("--symbol", &args.symbol, &[], args.dataset)?;
        let dates = args.from.unwrap_or(FIRST_DATE)..=args.to.unwrap_or(Date::MAX);
        Ok(Self { symbols, dataset: args.dataset, restatements: Some(dates).filter(|_| args.restatements) })
    }
}

/// Before any market; databases know dates from here on.
const FIRST_DATE: Date = Date::constant(1, 1, 1);

fn in_order(from: Option<Date>, to: Option<Date>) -> Result<(), RequestError> {
    match (from, to) {
        (Some(from), Some(to)) if from > to => Err(RequestError::Backwards { from, to }),
        _ => Ok(()),
    }
}

/// The symbols of `watchlist add` and `watchlist remove`, sorted, each once.
pub fn watchlist_symbols(typed: &[String]) -> Result<Vec<Symbol>, RequestError> {
    Ok(read_symbols("watchlist", typed, &[], None)?)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
