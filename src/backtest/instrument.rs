//! What a symbol is to a detector: its class, its proxy, whether it can be traded.

use serde::Serialize;

use crate::model::{Dataset, Symbol};

/// Kind of instrument a detector is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetClass {
    /// A share of a company.
    Stock,
    /// A share of a fund that follows a market.
    Etf,
    /// A cash index: has no volume, and positions in it are simulated in points.
    Index,
    /// Crypto, forex or an option: no detector is made for it.
    Other,
}

/// Which classes a detector runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassGate {
    /// Stocks and ETFs.
    Equity,
    /// Cash indices.
    Index,
}

impl ClassGate {
    /// Whether a class passes.
    pub const fn admits(self, class: AssetClass) -> bool {
        match self {
            Self::Equity => matches!(class, AssetClass::Stock | AssetClass::Etf),
            Self::Index => matches!(class, AssetClass::Index),
        }
    }
}

/// ETFs known by name; a setting adds others.
pub const ETFS: [&str; 10] = ["SPY", "QQQ", "IWM", "DIA", "XLF", "XLE", "XLK", "XLV", "XLI", "XLP"];

/// What a symbol is to a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Instrument {
    /// The symbol.
    pub symbol: Symbol,
    /// Its class.
    pub class: AssetClass,
    /// Whether positions in it make sense: not in VIX, which nobody can hold.
    pub tradable: bool,
    /// Whose volume and VWAP stand in for those it does not have.
    pub proxy: Option<Symbol>,
    /// Smallest step of its price, in its currency or in points.
    pub tick: f64,
}

impl Instrument {
    /// The instrument of a symbol; `etfs` are taken for ETFs beside [`ETFS`].
    pub fn of(symbol: &Symbol, etfs: &[String]) -> Self {
        let ticker = symbol.as_str();
        let class = match symbol.dataset() {
            Dataset::Stocks if ETFS.contains(&ticker) || etfs.iter().any(|etf| etf == ticker) => AssetClass::Etf,
            Dataset::Stocks => AssetClass::Stock,
            Dataset::Indices => AssetClass::Index,
            Dataset::Options | Dataset::Crypto | Dataset::Forex => AssetClass::Other,
        };
        let proxy = match ticker {
            "I:SPX" => Some("SPY"),
            "I:NDX" => Some("QQQ"),
            "I:RUT" => Some("IWM"),
            "I:DJI" => Some("DIA"),
            _ => None,
        };
        let proxy = proxy.map(|proxy| Symbol::from_ticker(proxy).expect("Invariant: a proxy is a ticker"));
        Self { symbol: symbol.clone(), class, tradable: ticker != "I:VIX", proxy, tick: 0.01 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_their_class_and_proxy() {
        let of = |ticker: &str| Instrument::of(&Symbol::from_ticker(ticker).unwrap(), &["VOO".to_owned()]);
        assert_eq!(
            (of("SPY").class, of("VOO").class, of("DJI").class),
            (AssetClass::Etf, AssetClass::Etf, AssetClass::Stock)
        );
        assert_eq!(of("I:NDX").proxy.unwrap().as_str(), "QQQ");
        assert!(of("I:VIX").proxy.is_none() && !of("I:VIX").tradable);
        assert!(ClassGate::Equity.admits(AssetClass::Etf) && !ClassGate::Index.admits(AssetClass::Stock));
        assert!(!ClassGate::Equity.admits(of("X:BTCUSD").class));
    }
}
