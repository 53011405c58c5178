//! Tickers and the markets they belong to.

use std::fmt;

use super::Dataset;

/// A vendor's ticker and the dataset it belongs to. Case-sensitive and opaque: `NA`, `TRUE`, `BACpA` and `BRK.B` are
/// names like any other. Crypto and forex pairs are kept without the hyphen of the vendor's files (`X:BTCUSD`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    ticker: Box<str>,
    dataset: Dataset,
}

/// A text that names no symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// Nothing, or something no ticker contains.
    #[error("`{0}` is not a ticker: it is empty or `*`, longer than {max} bytes, or has spaces, commas or control characters", max = Symbol::MAX_BYTES)]
    NotATicker(String),
    /// Futures have an exchange, a session and a roll that bars here do not describe.
    #[error("`{0}`: futures are not supported")]
    Futures(String),
    /// A ticker whose prefix belongs to another market.
    #[error("`{ticker}` belongs to {belongs}, not to {asked}{hint}")]
    OtherDataset {
        /// The ticker.
        ticker: String,
        /// The dataset its form says.
        belongs: Dataset,
        /// The dataset asked for.
        asked: Dataset,
        /// What to type instead, if there is something.
        hint: String,
    },
}

/// Index names people type without the vendor's prefix.
const INDEX_ALIASES: [&str; 5] = ["SPX", "NDX", "VIX", "RUT", "DJI"];

impl Symbol {
    /// Longest ticker taken, in bytes. The longest forms known (options) have about 25.
    pub const MAX_BYTES: usize = 64;

    /// The dataset a ticker's form says: `I:` indices, `O:` options, `X:` crypto, `C:` forex, anything else stocks.
    pub fn dataset_of(ticker: &str) -> Dataset {
        Dataset::ALL
            .into_iter()
            .find(|dataset| !dataset.ticker_prefix().is_empty() && ticker.starts_with(dataset.ticker_prefix()))
            .unwrap_or(Dataset::Stocks)
    }

    /// The symbol of a vendor's ticker.
    pub fn from_ticker(ticker: &str) -> Result<Self, SymbolError> {
        if ticker.starts_with("F:") {
            return Err(SymbolError::Futures(ticker.to_owned()));
        }
        let dataset = Self::dataset_of(ticker);
        let bare = &ticker[dataset.ticker_prefix().len()..];
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == ',';
        let pair = dataset.market() == super::Market::RoundTheClock;
        // `*` stands for every symbol where coverage is kept.
        let nothing = bare.is_empty() || bare == "*" || pair && bare.bytes().all(|byte| byte == b'-');
        if nothing || ticker.len() > Self::MAX_BYTES || ticker.contains(odd) {
            return Err(SymbolError::NotATicker(ticker.to_owned()));
        }
        let ticker = if pair { ticker.replace('-', "").into() } else { ticker.into() };
        Ok(Self { ticker, dataset })
    }

    /// The symbol a person typed: a ticker, one of the index names `SPX NDX VIX RUT DJI`, or `stock:NAME` for the stock
    /// that has such a name.
    pub fn from_command_line(text: &str) -> Result<Self, SymbolError> {
        if let Some(name) = text.strip_prefix("stock:") {
            let symbol = Self::from_ticker(name)?;
            return symbol.expect_dataset(Dataset::Stocks);
        }
        if INDEX_ALIASES.contains(&text) {
            return Self::from_ticker(&format!("I:{text}"));
        }
        Self::from_ticker(text)
    }

    /// Itself, if it belongs to the dataset.
    pub fn expect_dataset(self, asked: Dataset) -> Result<Self, SymbolError> {
        if self.dataset == asked {
            return Ok(self);
        }
        let bare = &self.ticker[self.dataset.ticker_prefix().len()..];
        let hint = if asked == Dataset::Stocks && INDEX_ALIASES.contains(&bare) {
            format!(" (the stock of that name is `stock:{bare}`)")
        } else {
            String::new()
        };
        Err(SymbolError::OtherDataset { ticker: self.ticker.to_string(), belongs: self.dataset, asked, hint })
    }

    /// The ticker as stored.
    pub fn as_str(&self) -> &str {
        &self.ticker
    }

    /// The dataset it belongs to.
    pub const fn dataset(&self) -> Dataset {
        self.dataset
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.ticker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickers_decide_their_dataset_and_keep_their_case() {
        for (ticker, dataset) in [
            ("BACpA", Dataset::Stocks),
            ("BRK.B", Dataset::Stocks),
            ("NA", Dataset::Stocks),
            ("TRUE", Dataset::Stocks),
            ("O:SPY251219C00600000", Dataset::Options),
            ("I:SPX", Dataset::Indices),
            ("X:BTCUSD", Dataset::Crypto),
            ("C:EURUSD", Dataset::Forex),
        ] {
            let symbol = Symbol::from_ticker(ticker).unwrap();
            assert_eq!((symbol.as_str(), symbol.dataset()), (ticker, dataset));
        }
        assert_ne!(Symbol::from_ticker("BCpC").unwrap(), Symbol::from_ticker("BCPC").unwrap());
    }

    #[test]
    fn pairs_lose_the_hyphen_of_the_files_and_stocks_keep_theirs() {
        assert_eq!(Symbol::from_ticker("X:BTC-USD").unwrap().as_str(), "X:BTCUSD");
        assert_eq!(Symbol::from_ticker("C:EUR-USD").unwrap().as_str(), "C:EURUSD");
        assert_eq!(Symbol::from_ticker("A-B").unwrap().as_str(), "A-B");
    }

    #[test]
    fn index_names_mean_the_index_and_the_stock_can_be_reached() {
        assert_eq!(Symbol::from_command_line("SPX").unwrap().as_str(), "I:SPX");
        let stock = Symbol::from_command_line("stock:DJI").unwrap();
        assert_eq!((stock.as_str(), stock.dataset()), ("DJI", Dataset::Stocks));
        let error = Symbol::from_command_line("DJI").unwrap().expect_dataset(Dataset::Stocks).unwrap_err();
        assert!(error.to_string().contains("stock:DJI"), "{error}");
    }

    #[test]
    fn what_is_no_ticker_is_refused() {
        for text in ["", "*", "I:", "X:-", "A B", "A,B", "A\n", "F:ESZ6", "stock:I:SPX"] {
            assert!(Symbol::from_command_line(text).is_err(), "{text:?}");
        }
    }
}
