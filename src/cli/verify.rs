//! What `verify` asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;

use super::args::VerifyArgs;
use super::dates::DateRule;
use super::request::RequestError;
use super::symbols::read_symbols;
use crate::model::Dataset;
use crate::verify::{Sample, Scope};

/// What `verify` asks for.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// Which bars to look at, market by market.
    pub scopes: Vec<Scope>,
    /// How many days to compare with the source, if any.
    pub against_source: Option<Sample>,
    /// Whether to repair what is found.
    pub repair: bool,
    /// Whether markets or symbols were named. If not, markets of which nothing is loaded are not missed.
    pub is_named: bool,
}

impl VerifyRequest {
    /// Checks what was typed. List files are read; nothing else is.
    pub fn new(args: &VerifyArgs, now: Timestamp) -> Result<Self, RequestError> {
        let mut symbols: BTreeMap<Dataset, BTreeSet<String>> = BTreeMap::new();
        for symbol in read_symbols("--symbol", &args.symbol, &args.symbols, args.dataset)? {
            symbols.entry(symbol.dataset()).or_default().insert(symbol.as_str().to_owned());
        }
        let named = args.dataset.is_some() || !symbols.is_empty();
        let scopes = Dataset::ALL
            .into_iter()
            .filter(|dataset| args.dataset.is_none_or(|named| named == *dataset))
            .filter(|dataset| symbols.is_empty() || symbols.contains_key(dataset))
            .filter_map(|dataset| match range(args, dataset, named, now) {
                Ok(Range::Nothing) => None,
                Ok(Range::Loaded) => Some(Ok((dataset, None))),
                Ok(Range::Dates(dates)) => Some(Ok((dataset, Some(dates)))),
                Err(error) => Some(Err(error)),
            })
            .map(|scope| {
                scope.map(|(dataset, range)| Scope { dataset, range, symbols: symbols.get(&dataset).cloned(), now })
            })
            .collect::<Result<_, RequestError>>()?;
        let sample = args.sample.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        let against_source = args.against.as_ref().map(|_| sample);
        Ok(Self { scopes, against_source, repair: args.repair, is_named: named })
    }
}

/// Which dates of a market are meant.
enum Range {
    /// What is loaded.
    Loaded,
    /// These.
    Dates(RangeInclusive<Date>),
    /// None: they lie before its first file.
    Nothing,
}

fn range(args: &VerifyArgs, dataset: Dataset, named: bool, now: Timestamp) -> Result<Range, RequestError> {
    if args.days.is_none() && args.from.is_none() {
        return Ok(Range::Loaded);
    }
    // Who names no market means each as far back as it goes.
    let from = args.from.map(|from| if named { from } else { from.max(dataset.first_date()) });
    if from > args.to && args.from <= args.to && args.to.is_some() {
        return Ok(Range::Nothing);
    }
    Ok(Range::Dates(DateRule::of(args.days, from, args.to)?.dates(dataset, now)?))
}
