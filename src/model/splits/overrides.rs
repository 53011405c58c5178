//! The user's word on splits: a CSV file with a header and a line per decision.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{Ratio, RatioError};
use crate::model::{Dataset, Symbol};

/// What the user has decided about a date of a ticker.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Ticker, case-sensitive.
    pub ticker: String,
    /// The date.
    pub execution_date: Date,
    /// What to do.
    pub action: OverrideAction,
}

/// What to do about a date of a ticker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OverrideAction {
    /// Use this ratio, whatever the vendor lists; without one: use what the vendor lists, whatever looks wrong about it.
    Use(Option<Ratio>),
    /// Use nothing that the vendor lists for this date.
    Ignore,
    /// From this date on the ticker is another company's: bars before it are not adjusted by splits from it on.
    Reused,
}

impl OverrideAction {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Use(_) => "use",
            Self::Ignore => "ignore",
            Self::Reused => "reused",
        }
    }
}

/// A line that says nothing that can be done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct OverrideError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: OverrideProblem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OverrideProblem {
    /// The header is another.
    #[error("the header must be `{wanted}` (the last two may be left out), not `{found}`", wanted = COLUMNS.join(","))]
    Header {
        /// What it is.
        found: String,
    },
    /// Other fields than the action needs.
    #[error("{found} fields: a line has ticker, execution_date and action, and may have split_from and split_to")]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// No ticker of a stock.
    #[error("`{0}` is not the ticker of a stock; only stocks have splits")]
    Ticker(String),
    /// No date.
    #[error("`{0}` is not a date of the form YYYY-MM-DD")]
    Date(String),
    /// No action.
    #[error("`{0}` is not an action: write use, ignore or reused")]
    Action(String),
    /// A ratio for an action that has none.
    #[error("`{0}` takes no ratio: leave split_from and split_to empty")]
    NeedlessRatio(&'static str),
    /// Half a ratio.
    #[error("only one of split_from and split_to is given: give both, or neither to use what the vendor lists")]
    HalfARatio,
    /// No number.
    #[error("`{0}` is not a number of shares")]
    Number(String),
    /// No ratio.
    #[error(transparent)]
    Ratio(#[from] RatioError),
    /// Two lines for the same.
    #[error("{ticker} on {date} was decided by an earlier line")]
    Twice {
        /// Ticker.
        ticker: String,
        /// Date.
        date: Date,
    },
}

const COLUMNS: [&str; 5] = ["ticker", "execution_date", "action", "split_from", "split_to"];

/// Reads the text of a file of overrides. Empty lines and lines that begin with `#` are skipped.
pub fn parse_overrides(text: &str) -> Result<Vec<Override>, OverrideError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut overrides = Vec::new();
    // A date may both carry a split and begin another company.
    let mut decided = BTreeSet::new();
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    // No field can hold a comma, so quotes mean nothing.
    let fields =
        |line: &'_ str| line.split(',').map(|field| field.trim().trim_matches('"').to_owned()).collect::<Vec<_>>();
    if let Some((line, header)) = lines.next() {
        let found = fields(header);
        if found != COLUMNS && found != COLUMNS[..3] {
            return Err(OverrideError { line, problem: OverrideProblem::Header { found: header.to_owned() } });
        }
    }
    for (line, text) in lines {
        let parsed = parse(&fields(text)).map_err(|problem| OverrideError { line, problem })?;
        let key = (parsed.ticker.clone(), parsed.execution_date, parsed.action == OverrideAction::Reused);
        if !decided.insert(key) {
            let problem = OverrideProblem::Twice { ticker: parsed.ticker, date: parsed.execution_date };
            return Err(OverrideError { line, problem });
        }
        overrides.push(parsed);
    }
    Ok(overrides)
}

fn parse(fields: &[String]) -> Result<Override, OverrideProblem> {
    let (ticker, date, action, from, to) = match fields {
        [ticker, date, action] => (ticker.as_str(), date.as_str(), action.as_str(), "", ""),
        [ticker, date, action, from, to] => {
            (ticker.as_str(), date.as_str(), action.as_str(), from.as_str(), to.as_str())
        }
        _ => return Err(OverrideProblem::Fields { found: fields.len() }),
    };
    let symbol = Symbol::from_ticker(ticker).and_then(|symbol| symbol.expect_dataset(Dataset::Stocks));
    let symbol = symbol.map_err(|_| OverrideProblem::Ticker(ticker.to_owned()))?;
    let execution_date: Option<Date> = date.parse().ok();
    let execution_date = execution_date
        .filter(|parsed| parsed.to_string() == date)
        .ok_or_else(|| OverrideProblem::Date(date.to_owned()))?;
    let number = |text: &str| text.parse::<f64>().map_err(|_| OverrideProblem::Number(text.to_owned()));
    let ratio = match (from, to) {
        ("", "") => None,
        ("", _) | (_, "") => return Err(OverrideProblem::HalfARatio),
        (from, to) => Some(Ratio::checked(number(from)?, number(to)?)?),
    };
    let action = match action {
        "use" => OverrideAction::Use(ratio),
        "ignore" => OverrideAction::Ignore,
        "reused" => OverrideAction::Reused,
        other => return Err(OverrideProblem::Action(other.to_owned())),
    };
    if ratio.is_some() && !matches!(action, OverrideAction::Use(_)) {
        return Err(OverrideProblem::NeedlessRatio(action.as_str()));
    }
    Ok(Override { ticker: symbol.as_str().to_owned(), execution_date, action })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn parse(text: &str) -> Result<Vec<Override>, String> {
        parse_overrides(text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_action_is_read() {
        let text = "\u{feff}ticker,execution_date,action,split_from,split_to\r\n\
                    # from the company's filing\n\
                    AAPL,2020-08-31,use,1,4\r\n\
                    \"BACpA\", 2021-01-04 ,use,,\n\n\
                    NA,2019-05-01,ignore,,\n\
                    META,2022-06-09,reused\n\
                    META,2022-06-09,use,20,21.05\n";
        let one = |ticker: &str, execution_date, action| Override { ticker: ticker.into(), execution_date, action };
        let ratio = |from, to| OverrideAction::Use(Some(Ratio::checked(from, to).unwrap()));
        assert_eq!(
            parse(text).unwrap(),
            [
                one("AAPL", date(2020, 8, 31), ratio(1.0, 4.0)),
                one("BACpA", date(2021, 1, 4), OverrideAction::Use(None)),
                one("NA", date(2019, 5, 1), OverrideAction::Ignore),
                one("META", date(2022, 6, 9), OverrideAction::Reused),
                one("META", date(2022, 6, 9), ratio(20.0, 21.05)),
            ]
        );
        assert_eq!(parse("ticker,execution_date,action\n").unwrap(), []);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (lines, message) in [
            ("AAPL,2020-08-31", "line 2: 2 fields: a line has ticker, execution_date and action"),
            ("AAPL,2020-08-31,use,1", "line 2: 4 fields"),
            ("# x\n\n,2020-08-31,use", "line 4: `` is not the ticker of a stock"),
            ("I:SPX,2020-08-31,use", "line 2: `I:SPX` is not the ticker of a stock"),
            ("AAPL,31.8.2020,use", "line 2: `31.8.2020` is not a date of the form YYYY-MM-DD"),
            ("AAPL,20200831,use", "line 2: `20200831` is not a date"),
            ("AAPL,2020-08-31,Use", "line 2: `Use` is not an action: write use, ignore or reused"),
            ("AAPL,2020-08-31,use,1,", "line 2: only one of split_from and split_to is given"),
            ("AAPL,2020-08-31,use,one,2", "line 2: `one` is not a number of shares"),
            ("AAPL,2020-08-31,use,0,2", "line 2: 0 is not a number of shares between"),
            ("AAPL,2020-08-31,use,NaN,2", "line 2: NaN is not a number of shares between"),
            ("AAPL,2020-08-31,use,-1,2", "line 2: -1 is not a number of shares between"),
            ("AAPL,2020-08-31,use,2,2", "line 2: 2:2 changes nothing"),
            ("AAPL,2020-08-31,ignore,1,2", "line 2: `ignore` takes no ratio"),
            (
                "AAPL,2020-08-31,ignore\nAAPL,2020-08-31,use",
                "line 3: AAPL on 2020-08-31 was decided by an earlier line",
            ),
        ] {
            let error = parse(&format!("ticker,execution_date,action,split_from,split_to\n{lines}\n")).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        let error = parse("AAPL,2020-08-31,use\n").unwrap_err();
        assert!(
            error.starts_with("line 1: the header must be `ticker,execution_date,action,split_from,split_to`"),
            "{error}"
        );
    }
}
