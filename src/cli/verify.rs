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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Args, Command};

    /// A Friday, 11:00 in New York.
    const NOW: &str = "2024-07-12T15:00:00Z";

    fn request(flags: &str) -> Result<VerifyRequest, String> {
        let line = format!("backfill verify {flags}");
        let Some(Command::Verify(args)) = Args::try_parse_from(line.split_whitespace()).unwrap().command else {
            panic!("verify")
        };
        VerifyRequest::new(&args, NOW.parse().unwrap()).map_err(|error| error.to_string())
    }

    fn scopes(flags: &str) -> Result<String, String> {
        let scope = |scope: &Scope| {
            let dates =
                scope.range.as_ref().map_or("loaded".into(), |dates| format!("{}..{}", dates.start(), dates.end()));
            let symbols = scope.symbols.iter().flatten().map(String::as_str).collect::<Vec<_>>().join("+");
            format!("{} {dates} {symbols}", scope.dataset).trim_end().to_owned()
        };
        Ok(request(flags)?.scopes.iter().map(scope).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn markets_symbols_and_dates_are_those_named_or_all() {
        let all = "stocks loaded; options loaded; indices loaded; forex loaded; crypto loaded";
        for (flags, expected) in [
            ("", all),
            ("--dataset=crypto", "crypto loaded"),
            ("--symbols=SPY,AAPL,SPX", "stocks loaded AAPL+SPY; indices loaded I:SPX"),
            ("--symbol=SPY --days=1", "stocks 2024-07-11..2024-07-11 SPY"),
            ("--dataset=stocks --from=2024-07-01 --to=2024-07-02", "stocks 2024-07-01..2024-07-02"),
            // Markets that begin later are looked at from their beginning on, or not at all.
            (
                "--from=2012-01-03 --to=2014-01-03",
                "stocks 2012-01-03..2014-01-03; forex 2012-01-03..2014-01-03; crypto 2013-11-01..2014-01-03",
            ),
        ] {
            assert_eq!(scopes(flags), Ok(expected.to_owned()), "{flags}");
        }
        for (flags, message) in [
            ("--dataset=crypto --symbol=SPY", "--symbol: `SPY` belongs to stocks, not to crypto"),
            ("--dataset=indices --from=2012-01-03", "--from=2012-01-03 lies before the vendor's first file of indices"),
            ("--from=2012-01-03 --to=2012-01-02", "--from=2012-01-03 lies after --to=2012-01-02"),
            ("--days=0", "--days=0"),
            ("--against=source --sample=0", "--sample: `0` is neither"),
        ] {
            let error = scopes(flags).unwrap_err();
            assert!(error.starts_with(message), "{flags}: {error}");
        }
    }

    #[test]
    fn comparing_and_repairing_are_asked_for() {
        let asked = |flags: &str| request(flags).map(|request| (request.against_source, request.repair));
        assert_eq!(asked(""), Ok((None, false)));
        assert_eq!(asked("--against=source"), Ok((Some(Sample::Days(5)), false)));
        assert_eq!(asked("--against=source --sample=all --repair"), Ok((Some(Sample::All), true)));
    }
}
