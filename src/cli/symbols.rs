//! Symbols as typed, and lists of them in files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::model::{Dataset, Symbol, SymbolError};

/// Symbols that cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum SymbolListError {
    /// A symbol on the command line.
    #[error("{flag}: {source}")]
    Typed {
        /// The flag or argument it was given with.
        flag: &'static str,
        /// What is wrong with it.
        #[source]
        source: SymbolError,
    },
    /// A symbol in a file.
    #[error("{}:{line}: {source}", path.display())]
    Listed {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: SymbolError,
    },
    /// A file that cannot be read.
    #[error("--symbols=@{}: cannot read the list of symbols", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A list of nothing: taken for "no symbol named" it would load something else.
    #[error("--symbols={0}: there is no symbol in it; leave the flag out to load the watchlist")]
    Nothing(String),
}

/// The symbols typed with a flag or argument and in lists (`a,b,c` or `@file`), sorted, each once. They must belong to
/// the dataset, if one is given.
pub(super) fn read_symbols(
    flag: &'static str,
    typed: &[String],
    lists: &[String],
    dataset: Option<Dataset>,
) -> Result<Vec<Symbol>, SymbolListError> {
    let mut found = BTreeSet::new();
    for text in typed {
        found.insert(symbol(text, dataset).map_err(|source| SymbolListError::Typed { flag, source })?);
    }
    for list in lists {
        let listed = match list.strip_prefix('@') {
            Some(path) => read_file(Path::new(path), dataset)?,
            None => names(list)
                .map(|name| symbol(name, dataset))
                .collect::<Result<_, _>>()
                .map_err(|source| SymbolListError::Typed { flag: "--symbols", source })?,
        };
        if listed.is_empty() {
            return Err(SymbolListError::Nothing(list.clone()));
        }
        found.extend(listed);
    }
    Ok(found.into_iter().collect())
}

fn read_file(path: &Path, dataset: Option<Dataset>) -> Result<Vec<Symbol>, SymbolListError> {
    let text = fs::read_to_string(path).map_err(|source| SymbolListError::Read { path: path.to_owned(), source })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut listed = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for name in names(line.split('#').next().unwrap_or_default()) {
            let source_of = |source| SymbolListError::Listed { path: path.to_owned(), line: index + 1, source };
            listed.push(symbol(name, dataset).map_err(source_of)?);
        }
    }
    Ok(listed)
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}

fn symbol(text: &str, dataset: Option<Dataset>) -> Result<Symbol, SymbolError> {
    let symbol = Symbol::from_command_line(text)?;
    match dataset {
        Some(dataset) => symbol.expect_dataset(dataset),
        None => Ok(symbol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &[&str], lists: &[&str], dataset: Option<Dataset>) -> Result<String, String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let symbols = read_symbols("--symbol", &owned(typed), &owned(lists), dataset);
        let joined = |symbols: Vec<Symbol>| symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(" ");
        symbols.map(joined).map_err(|error| error.to_string())
    }

    #[test]
    fn symbols_are_sorted_and_kept_once() {
        assert_eq!(read(&["MSFT", "AAPL"], &["SPX, AAPL,X:BTC-USD,"], None), Ok("AAPL I:SPX MSFT X:BTCUSD".into()));
        assert_eq!(read(&[], &[], None), Ok(String::new()));
    }

    #[test]
    fn a_file_lists_symbols_by_line_or_comma_with_comments() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.txt");
        let list = format!("@{}", path.display());
        fs::write(&path, "\u{feff}# big ones\r\nMSFT, AAPL # two\r\n\r\nBACpA\r\n").unwrap();
        assert_eq!(read(&["SPY"], &[&list], None), Ok("AAPL BACpA MSFT SPY".into()));
        fs::write(&path, "AAPL\n\nF:ESZ6\n").unwrap();
        assert_eq!(
            read(&[], &[&list], None),
            Err(format!("{}:3: `F:ESZ6`: futures are not supported", path.display()))
        );
        fs::write(&path, "# nothing yet\n").unwrap();
        assert_eq!(
            read(&["A"], &[&list], None),
            Err(format!("--symbols={list}: there is no symbol in it; leave the flag out to load the watchlist"))
        );
    }

    #[test]
    fn mistakes_are_named_with_their_flag() {
        for (typed, list, dataset, message) in [
            ("A B", "X", None, "--symbol: `A B` is not a ticker"),
            ("F:ES", "X", None, "--symbol: `F:ES`: futures are not supported"),
            ("A", "I:", None, "--symbols: `I:` is not a ticker"),
            ("A", " , ", None, "--symbols= , : there is no symbol in it"),
            ("A", "@/nonexistent", None, "--symbols=@/nonexistent: cannot read the list of symbols"),
            ("A", "A", Some(Dataset::Crypto), "--symbol: `A` belongs to stocks, not to crypto"),
            (
                "DJI",
                "A",
                Some(Dataset::Stocks),
                "--symbol: `I:DJI` belongs to indices, not to stocks (the stock of that name is `stock:DJI`)",
            ),
        ] {
            let found = read(&[typed], &[list], dataset).unwrap_err();
            assert!(found.starts_with(message), "{found}");
        }
    }
}
